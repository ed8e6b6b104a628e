"""A good file for each reader: what the laws are held against. A new reader adds its line to SAMPLES."""

from __future__ import annotations

import datetime
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import polars
import pytest

from rnnstudio.data import TASKS, readers
from rnnstudio.loading import discover
from tests.data.sequence_files import conllu, folders, json_lines, midi, pairs, reviews, tagged, vowels
from tests.data.tree_files import logic, penn, sentiment, sums
from tests.data.vector_files import digits, flowers, morse_arrays, morse_lines, morse_rows, moves, wave

PLUGINS = Path(__file__).parents[2] / "plugins"


def text(folder: Path) -> Path:
    path = folder / "story.txt"
    path.write_text("Once, long ago, there was a king,\nand he had a daughter.\n" * 20)
    return path


def table(folder: Path) -> Path:
    path = folder / "flow.csv"
    path.write_text("t,flow,rain\n" + "".join(f"{n},{n * n % 17},{n % 5}\n" for n in range(60)))
    return path


def parquet(folder: Path) -> Path:
    path = folder / "flow.parquet"
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(days=n) for n in range(60)]
    numbers = {"flow": [n * n % 17 / 4 for n in range(60)], "rain": [n % 5 for n in range(60)]}
    polars.DataFrame({"day": days, **numbers}).write_parquet(path)
    return path


def tunes(folder: Path) -> Path:
    shutil.copy(PLUGINS / "rnnstudio-abc" / "rnnstudio_abc" / "sample.abc", folder / "tunes.abc")
    return folder / "tunes.abc"


def _task(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        return Path(name)

    write.__name__ = name
    return write


def chapters(folder: Path) -> Path:
    path = folder / "chapters"
    path.mkdir()
    for number in range(5):
        (path / f"{number}.txt").write_text(f"Chapter {number}: there was a king, and he had a daughter.\n" * 8)
    return path


SAMPLES: tuple[tuple[str, Callable[[Path], Path]], ...] = (
    ("text", text),
    ("text", chapters),
    ("csv", table),
    ("parquet", parquet),
    ("labelled", reviews),
    ("labelled", json_lines),
    ("labelled", folders),
    ("pairs", pairs),
    ("tagged", tagged),
    ("tagged", conllu),
    ("trees", sentiment),
    ("trees", penn),
    ("trees", logic),
    ("trees", sums),
    ("vectors", digits),
    ("vectors", flowers),
    ("arrays", wave),
    ("arrays", moves),
    ("arrays", morse_arrays),
    ("signals", morse_lines),
    ("signals", morse_rows),
    ("ts", vowels),
    ("music", midi),
    ("abc", tunes),
    *((task.name, _task(task.name)) for task in TASKS),
)
"""Reader, and what writes a file that it reads. Every registered reader has one or more."""


@pytest.fixture(scope="module")
def with_plugins() -> Iterator[None]:
    """The readers of our example plugins beside the studio's own."""
    before = readers.plugged()
    sys.path.insert(0, str(PLUGINS / "rnnstudio-abc"))
    try:
        found = discover(Path("no folder"), [EntryPoint("abc", "rnnstudio_abc:plugin", "rnnstudio.plugins")])
        assert found.problems == ()
        readers.install(found.readers.values())
        yield
    finally:
        sys.path.remove(str(PLUGINS / "rnnstudio-abc"))
        readers.install(before)
