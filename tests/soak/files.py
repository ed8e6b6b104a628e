"""Data files of every kind, mutated and hostile, through guess, preview and reading.

Each trial makes a good file of one reader and spoils it: bytes, lines, cells, shape, encoding, length, or all of it at
once; some are packed before or after that, and some are no files at all. Guessing and previewing then answer, and
reading gives a dataset or one clear error; nothing else is raised, nothing hangs, and memory is bounded by the system.
"""

from __future__ import annotations

import gzip
import lzma
import os
import random
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from rnnstudio import data
from rnnstudio.data import readers
from rnnstudio.design.errors import StudioError
from tests.data.packed_files import STREAMS, bomb, encrypted, tarred, zipped
from tests.data.reader_laws import misshapen
from tests.data.reader_samples import SAMPLES
from tests.soak._limited import limited, memory_limited

COUNT = 2000
SECONDS = 20
"""Of processor time, for one trial: far more than any takes, far less than for ever."""
GROWTH = 1500
"""Megabytes that memory may grow by: the system gives no more."""
PACKED = 0.25
"""Of the trials, those with a packed file."""
BITS = (
    b"\x00",
    b"\n",
    b"\t",
    b",",
    b'"',
    b"(",
    b")",
    b"1e999",
    b"nan",
    b"-",
    b"\xff\xfe",
    b"\xf0\x9f\x98\x80",
    b" ",
    b"{",
    b"]",
)


def trials(count: int, seed: int) -> tuple[int, list[str]]:
    pick, failures = random.Random(seed), []
    known = [(name, write) for name, write in SAMPLES if readers.known(name) and not readers.find(name).made]
    for number in range(count):
        name, write = pick.choice(known)
        with tempfile.TemporaryDirectory(prefix="rnnstudio-files-") as folder:
            failure = _trial(name, write, Path(folder), pick)
        if failure:
            failures.append(f"trial {number}, seed {seed}, {name}: {failure}")
    return count, failures


def main() -> None:
    done, failures = trials(COUNT, 0)
    print(f"{done} trials, {len(failures)} failures", *failures, sep="\n")


def _trial(name: str, write: Callable[[Path], Path], folder: Path, pick: random.Random) -> str:
    good = write(folder)
    recipe = data.guess(good)
    files = [good] if good.is_file() else sorted(path for path in good.rglob("*") if path.is_file())
    spoiled = pick.choice(files)
    how = pick.choice(SPOILING)
    spoiled.write_bytes(how(spoiled.read_bytes(), pick))
    if good.is_file() and pick.random() < PACKED:
        good = _packed(good, pick)
    elif pick.random() < 0.02:
        good = _no_file(good, pick)
    told = ""
    for ask in (
        lambda: data.guess(good),
        lambda: data.inspect(recipe.replace(path=str(good))),
        lambda: data.open(recipe.replace(path=str(good))),
        lambda: data.open(data.guess(good)),
    ):
        told = told or _asked(ask)
    return f"{how.__name__.strip('_')}: {told}" if told else ""


def _asked(ask: Callable[[], object]) -> str:
    """What is wrong with an answer; "" for one as it should be."""
    try:
        with limited(SECONDS), memory_limited(GROWTH):
            ask()
    except StudioError as error:
        if "\n" in str(error) or len(str(error)) > 1500:
            return f"an error of {len(str(error))} characters: {str(error)[:200]}"
        return "it took too much memory" if "fit into memory" in error.what else ""
    except Exception:  # noqa: BLE001 (whatever it is, it is a failure)
        return traceback.format_exc(limit=-3).strip().replace("\n", " | ")
    return ""


def _packed(spoiled: Path, pick: random.Random) -> Path:
    """The file in gzip, bzip2, xz or zip, as it should be, or spoiled once more, or as nobody should read it."""
    content = spoiled.read_bytes()
    suffix, how = pick.choice((*STREAMS, ".zip")), pick.random()
    packed = zipped({spoiled.name: content}) if suffix == ".zip" else STREAMS[suffix](content)
    if how < 0.3:
        packed = pick.choice((_bytes_changed, _cut))(packed, pick)
    elif how < 0.45:
        wanting = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
        packed = pick.choice(
            (
                lambda: zipped({f"../{spoiled.name}": content}),
                lambda: zipped({spoiled.name: packed}),
                lambda: zipped({"a/" + spoiled.name: content, "b/" + spoiled.name: content}),
                lambda: encrypted({spoiled.name: content}),
                lambda: gzip.compress(tarred({spoiled.name: content})),
                lambda: lzma.compress(content, filters=wanting),
                lambda: bomb(suffix, 80),
            )
        )()
    path = spoiled.with_name(spoiled.name + suffix)
    path.write_bytes(packed)
    return path


def _no_file(path: Path, pick: random.Random) -> Path:
    """A pipe, a device, a folder of nothing or a link to itself in a file's place."""
    made = path.with_name(f"no{path.suffix}")
    what = pick.choice((os.mkfifo, Path.mkdir, lambda link: link.symlink_to(link), None))
    if what is None:
        return Path(pick.choice(("/dev/zero", "/dev/null", "/dev/urandom")))
    what(made)
    return made


def _misshapen(good: bytes, pick: random.Random) -> bytes:
    found = list(misshapen(good))
    return pick.choice(found)


def _bytes_changed(good: bytes, pick: random.Random) -> bytes:
    changed = bytearray(good[:20_000])
    for _ in range(pick.randint(1, 20)):
        place = pick.randrange(len(changed) + 1)
        changed[place : place + pick.choice((0, 0, 1, 3))] = pick.choice(BITS)
    return bytes(changed)


def _lines_changed(good: bytes, pick: random.Random) -> bytes:
    lines = good.split(b"\n")[:2000]
    for _ in range(pick.randint(1, 6)):
        place = pick.randrange(len(lines))
        act = pick.choice(("drop", "twice", "swap", "empty", "join"))
        if act == "drop" and len(lines) > 1:
            del lines[place]
        elif act == "twice":
            lines.insert(place, lines[place])
        elif act == "swap":
            other = pick.randrange(len(lines))
            lines[place], lines[other] = lines[other], lines[place]
        elif act == "empty":
            lines[place] = b""
        elif act == "join" and place + 1 < len(lines):
            lines[place : place + 2] = [lines[place] + lines[place + 1]]
    return b"\n".join(lines)


def _cells_changed(good: bytes, pick: random.Random) -> bytes:
    lines = good.split(b"\n")[:2000]
    mark = max((b"\t", b",", b";", b" "), key=good.count)
    odd = (
        b"",
        b"NaN",
        b"inf",
        b"1e400",
        b"-",
        b"1.234,5",
        b"01/02/2023",
        b"x" * 5000,
        b'"',
        b"\xc3",
        b"None",
        b"9" * 400,
    )
    for _ in range(pick.randint(1, 8)):
        place = pick.randrange(len(lines))
        cells = lines[place].split(mark)
        cells[pick.randrange(len(cells))] = pick.choice(odd)
        if pick.random() < 0.2:
            cells += [b"more"] * pick.choice((1, 40))
        lines[place] = mark.join(cells)
    return b"\n".join(lines)


def _cut(good: bytes, pick: random.Random) -> bytes:
    return good[: pick.randrange(len(good))]


def _encoded(good: bytes, pick: random.Random) -> bytes:
    encoding = pick.choice(
        ("utf-16", "utf-32", "utf-16-le", "cp1252", "latin-1", "utf-8-sig", "utf-7", "gb18030", "shift_jis", "koi8-r")
    )
    return good.decode("utf-8", "replace").encode(encoding, "replace")


def _replaced(good: bytes, pick: random.Random) -> bytes:
    return pick.choice(
        (
            b"",
            b"\n" * 300,
            b"\x00" * 4000,
            bytes(range(256)) * 30,
            b"(" * 30_000,
            b"[" * 30_000,
            b'"' + b"a,b\n" * 3000,
            b"\x1f\x8b\x08\x00" + good,
            b"PK\x03\x04" + good,
            b"\x93NUMPY" + good,
            b"a," * 60_000 + b"\n" + b"1," * 60_000,
            b"word " * 200_000,
            good.splitlines()[0] if good.splitlines() else b"",
            b"{}" * 3000,
            b"NaN,NaN\n" * 500,
        )
    )


SPOILING = (
    *(_bytes_changed, _bytes_changed, _lines_changed, _cells_changed, _cells_changed),
    *(_cut, _encoded, _replaced, _misshapen),
)
