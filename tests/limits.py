"""Runs the tests that depend on the processor under each limit of isa.py, one after the other: `make test-isa`.

python -m tests.limits [options of pytest]
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from rnnstudio.runtime.fused import isa

PARTS = ("tests/runtime", "tests/conformance", "tests/training", "tests/export")


def main(options: Sequence[str]) -> int:
    """0 when all tests pass under every limit. All are run, so that one look tells which fail where."""
    failed = []
    for limit in isa.LIMITS:
        print(
            f"{isa.VARIABLE}={limit} " + " ".join(f"{name}={value}" for name, value in isa.TORCH[limit].items()),
            flush=True,
        )
        environment = {**os.environ, isa.VARIABLE: limit, **isa.TORCH[limit], "QT_QPA_PLATFORM": "offscreen"}
        if subprocess.run([sys.executable, "-m", "pytest", *PARTS, *options], env=environment).returncode != 0:
            failed.append(limit)
    print("failed with " + ", ".join(failed) if failed else "all pass under " + ", ".join(isa.LIMITS), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
