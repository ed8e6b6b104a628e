"""How long data takes: opening the example's text, making batches of it. CPU time, so that others hardly count.

And how much memory a text takes that is too large for it: what is the process's own, without the pages of files.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from rnnstudio import data
from rnnstudio.data.batches import Batches
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.gallery import example


def main() -> None:
    folder = example("char-lm").path.parent
    before = time.process_time()
    dataset = data.open(DataRecipe("text", "shakespeare.txt"), folder)
    print(f"open {dataset.rows:,} characters: {(time.process_time() - before) * 1000:.0f} ms")
    for carry in (True, False):
        batches = Batches(dataset, "train", 32, 100, carry=carry)
        batches.batch(0, 0)
        before = time.process_time()
        for index in range(len(batches)):
            batches.batch(0, index)
        spent = (time.process_time() - before) / len(batches)
        print(f"one batch of 32 × 100, {'carried' if carry else 'shuffled'}: {spent * 1e6:.0f} µs")
    with tempfile.TemporaryDirectory() as large:
        _large(Path(large) / "large.txt")


LINE = "the quick brown fox jumps over the lazy dog; it was a fine day — and so on.\n"
LARGE = 10**9


def _large(path: Path) -> None:
    piece = (LINE * 50_000).encode()
    with path.open("wb") as stream:
        for _ in range(LARGE // len(piece)):
            stream.write(piece)
    own = _own_memory()
    before = time.process_time()
    dataset = data.open(data.guess(path))
    spent, held = time.process_time() - before, _own_memory() - own
    print(f"open {dataset.rows:,} characters from a mapped file: {spent:.1f} s, {held / 1e6:.0f} MB of memory stay")


def _own_memory() -> int:
    """Bytes of the process that are no pages of a file; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")), 0)
