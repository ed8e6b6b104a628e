"""Searches for a drawing that breaks a law: `python -m tests.properties.search FIRST LAST` runs these seeds."""

from __future__ import annotations

import random
import sys
import traceback

import torch

from tests.properties.laws import assert_all_laws
from tests.properties.pen import begun, random_drawing


def main(first: int, last: int) -> int:
    torch.set_num_threads(1)
    failures = 0
    for seed in range(first, last):
        size = random.Random(seed).randrange(5, 33)
        try:
            drawn = random_drawing(seed, size)
            if begun(drawn):
                assert_all_laws(drawn)
        except Exception:  # noqa: BLE001 - the search goes on after any failure
            failures += 1
            print(f"=== seed {seed}, size {size}\n{traceback.format_exc(limit=-4)}", flush=True)
    print(f"{last - first} drawings, {failures} failures")
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
