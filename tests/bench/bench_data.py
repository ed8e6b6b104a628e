"""How long data takes, and how much memory: reading tables and tokenising beside other libraries, on the same files.

Every way runs in fresh processes, in turns, and the median is told: seconds from the call to an array of numbers, and
how far the process's memory rose for it at most, as a multiple of that array; of mapped files, what is no page of a
file in the end. Libraries that are not installed are said.

    make bench ARGS=data                       # all of it: 4 GB of room in the temporary folder, some minutes
    RNNSTUDIO_BENCH_MB=20 make bench ARGS=data # smaller files
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnnstudio import data
from rnnstudio.data.batches import Batches
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.gallery import example

MEGABYTES = int(os.environ.get("RNNSTUDIO_BENCH_MB", "100"))
"""Of each table that is read side by side; others are sized by it."""
ROUNDS = 3
_STATUS = Path("/proc/self/status")


def main() -> None:
    print(machine())
    _batches()
    with tempfile.TemporaryDirectory() as folder:
        _tables(Path(folder))
        _tokens(Path(folder))
        _large(Path(folder))


def machine() -> str:
    """One line: processor, cores, load, versions, the date."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{time.strftime('%Y-%m-%d')}: {name}, {os.cpu_count()} cores{load}, numpy {np.__version__}"


def _batches() -> None:
    """CPU time of the example's text, so that others hardly count."""
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


# --- files


def _numbers(path: Path, megabytes: int, form: str = "%.4f", columns: int = 8) -> Path:
    block = np.random.default_rng(0).normal(size=(max(20_000 // columns, 1), columns)) * 100
    piece = "".join(",".join(form % value for value in row) + "\n" for row in block.tolist())
    with path.open("w") as stream:
        stream.write(",".join(f"c{column}" for column in range(columns)) + "\n")
        for _ in range(max(megabytes * 10**6 // len(piece), 1)):
            stream.write(piece)
    return path


def _dated(path: Path, megabytes: int) -> Path:
    block = np.random.default_rng(0).normal(size=(1000, 6)) * 100
    cells = [",".join(f"{value:.4f}" for value in row) for row in block.tolist()]
    rows = megabytes * 10**6 // 72
    with path.open("w") as stream:
        stream.write("time,a,b,c,d,e,f\n")
        for first in range(0, rows, 100_000):
            count = min(100_000, rows - first)
            minutes = np.datetime64("2000-01-01T00:00") + np.arange(first, first + count)
            times = np.datetime_as_string(minutes, unit="s").tolist()
            stream.write("".join(f"{at},{cells[row % 1000]}\n" for row, at in enumerate(times)))
    return path


LINE = "the quick brown fox jumps over the lazy dog; it was a fine day — and so on.\n"


def _text(path: Path, size: int, line: str = LINE) -> Path:
    piece = (line * 20_000).encode()
    with path.open("wb") as stream:
        for _ in range(size // len(piece)):
            stream.write(piece)
    return path


# --- ways: what a fresh process does; each gives the array it ends with, which is alive while memory is looked at


@dataclass
class Held:
    """Something that is alive, and the bytes of its array."""

    thing: Any
    nbytes: int


def _ours(path: Path) -> Held:
    dataset = data.open(data.guess(path))
    assert dataset.raw is not None
    return Held(dataset, dataset.raw.nbytes)


def _polars(path: Path) -> Held:
    import polars

    read = polars.read_parquet if path.suffix == ".parquet" else polars.read_csv
    frame = read(path)
    array = frame.select(polars.selectors.numeric()).to_numpy()
    return Held(array, array.nbytes)


def _pandas(path: Path) -> Held:
    import pandas

    dated = ["time"] if path.name.startswith("dated") else None
    frame = pandas.read_csv(path, parse_dates=dated)
    array = frame.select_dtypes("number").to_numpy()
    return Held(array, array.nbytes)


def _loadtxt(path: Path) -> Held:
    array = np.loadtxt(path, delimiter=",", skiprows=1)
    return Held(array, array.nbytes)


def _look(path: Path) -> Held:
    """What the data panel and `rnnstudio data` show of a file at first."""
    recipe = data.guess(path)
    shown = data.inspect(recipe, most=data.bytes_of_a_look(recipe))
    assert shown.usable, shown.problems
    return Held(shown, 0)


def _tokens_of(recipe: DataRecipe) -> Held:
    dataset = data.open(recipe)
    return Held(dataset, dataset.tracks["text"].values.nbytes)


def _our_characters(path: Path) -> Held:
    return _tokens_of(DataRecipe("text", str(path)))


def _our_words(path: Path) -> Held:
    return _tokens_of(DataRecipe("text", str(path), {"level": "words"}))


def _our_pairs(path: Path) -> Held:
    return _tokens_of(DataRecipe("text", str(path), {"level": "byte-pair", "size": 300}))


def _their_words(path: Path) -> Held:
    """A vocabulary of the words, and their numbers, as a program of it would be written."""
    import tokenizers

    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(unk_token="?"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    lines = path.read_text().splitlines(keepends=True)
    made.train_from_iterator(lines, tokenizers.trainers.WordLevelTrainer(special_tokens=["?"], show_progress=False))
    array = np.concatenate([np.array(found.ids, np.uint16) for found in made.encode_batch(lines)])
    return Held(array, array.nbytes)


def _their_pairs(path: Path) -> Held:
    import tokenizers

    made = tokenizers.ByteLevelBPETokenizer()
    lines = path.read_text().splitlines(keepends=True)
    made.train_from_iterator(lines, vocab_size=300, show_progress=False)
    array = np.concatenate([np.array(found.ids, np.uint16) for found in made.encode_batch(lines)])
    return Held(array, array.nbytes)


WAYS: dict[str, tuple[str, Callable[[Path], Held]]] = {
    "rnnstudio": ("", _ours),
    "polars": ("polars", _polars),
    "pandas": ("pandas", _pandas),
    "numpy.loadtxt": ("", _loadtxt),
    "a first look": ("", _look),
    "characters": ("", _our_characters),
    "words": ("", _our_words),
    "words, tokenizers": ("tokenizers", _their_words),
    "byte pairs": ("tokenizers", _our_pairs),
    "byte pairs, tokenizers": ("tokenizers", _their_pairs),
}
"""Name → the library that it needs, and what it does."""


def _measured(way: str, path: Path) -> dict[str, float]:
    call = [sys.executable, "-m", "tests.bench.bench_data", way, str(path)]
    return dict(json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout))


def _in_turns(ways: tuple[str, ...], path: Path, rounds: int = ROUNDS) -> Iterator[tuple[str, dict[str, float] | None]]:
    """The median of each way's figures; None where its library is not installed."""
    there = [way for way in ways if not WAYS[way][0] or importlib.util.find_spec(WAYS[way][0])]
    found: dict[str, list[dict[str, float]]] = {way: [] for way in there}
    for _ in range(rounds):
        for way in there:
            found[way].append(_measured(way, path))
    for way in ways:
        kept = found.get(way)
        yield way, kept and {key: statistics.median(one[key] for one in kept) for key in kept[0]}


def _tell(title: str, ways: tuple[str, ...], path: Path, rounds: int = ROUNDS) -> None:
    size = path.stat().st_size / 1e6
    print(f"\n{title}, {size:,.0f} MB")
    for way, found in _in_turns(ways, path, rounds):
        if found is None:
            print(f"  {way:<24} not installed")
            continue
        much = f"{size / found['seconds']:>7.0f} MB/s  CPU {found['cpu']:>6.2f} s"
        array = found["array"] / 1e6
        peak = f"  peak {found['peak']:>6.0f} MB" + (f" = {found['peak'] / array:.2f} × its array" if array > 1 else "")
        stays = f", {found['stays']:.0f} MB stay"
        print(f"  {way:<24} {found['seconds']:>7.2f} s {much}{peak}{stays}", flush=True)


def _tables(folder: Path) -> None:
    every = ("rnnstudio", "polars", "pandas", "numpy.loadtxt")
    _tell("8 columns of 4 decimals", every, _numbers(folder / "numbers.csv", MEGABYTES))
    _tell("8 columns of all digits", every, _numbers(folder / "digits.csv", MEGABYTES, "%r"))
    _tell("a time and 6 columns", every[:3], _dated(folder / "dated.csv", MEGABYTES))
    wide = _numbers(folder / "wide.csv", MEGABYTES // 2, "%.3f", 100_000)
    _tell("100,000 columns", ("a first look", *every[:3]), wide, 1)
    if importlib.util.find_spec("polars"):
        import polars

        parquet = folder / "numbers.parquet"
        polars.read_csv(folder / "numbers.csv").write_parquet(parquet)
        _tell("the first of these as Parquet", every[:2], parquet)
    for path in folder.iterdir():
        path.unlink()


def _tokens(folder: Path) -> None:
    path = _text(folder / "text.txt", MEGABYTES * 10**6 // 4)
    ways = ("characters", "words", "words, tokenizers", "byte pairs", "byte pairs, tokenizers")
    _tell("a text in tokens", ways, path)
    path.unlink()


def _large(folder: Path) -> None:
    path = _numbers(folder / "large.csv", 20 * MEGABYTES)
    _tell("a large table", ("a first look", "rnnstudio"), path, 1)
    path.unlink()
    path = _text(folder / "large.txt", 10 * MEGABYTES * 10**6)
    _tell("a large text, mapped (its array is a file)", ("a first look", "characters"), path, 1)
    path.unlink()
    path = _text(folder / "line.txt", 2 * MEGABYTES * 10**6, LINE.replace("\n", " "))
    _tell("one line", ("a first look", "characters", "words"), path, 1)
    path.unlink()


# --- memory


def _memory(name: str) -> float:
    """MB of this process that are no pages of a file now (RssAnon), or at most so far (VmHWM); 0 where nobody says."""
    lines = _STATUS.read_text().splitlines() if _STATUS.exists() else []
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{name}:")), 0.0)


def run(way: str, path: Path) -> dict[str, Any]:
    """In a fresh process: what one way takes. peak: MB beyond what importing takes."""
    library, read = WAYS[way]
    if library:
        importlib.import_module(library)
    if _STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5")  # the highest is measured from here on
    held, own = _memory("VmRSS"), _memory("RssAnon")
    started, cpu = time.perf_counter(), time.process_time()
    found = read(path)
    spent, worked = time.perf_counter() - started, time.process_time() - cpu
    peak, stays = _memory("VmHWM") - held, _memory("RssAnon") - own
    return {"seconds": spent, "cpu": worked, "peak": peak, "stays": stays, "array": found.nbytes}


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], Path(sys.argv[2]))))
