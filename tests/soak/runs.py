"""Runs whose files are damaged, through evaluate, generate, export and resume.

Each trial spoils one file of a copy of a trained run: bytes, structure, or the whole file. A command then works, or
says in one clear line what is wrong; it never ends in a traceback, and none but a resumed training changes a file.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rnnstudio.cli import main as rnnstudio
from tests.training.designs import language_model, text_file, trainer

COUNT = 1000

FILES = (
    "checkpoints/best.safetensors",
    "checkpoints/last.safetensors",
    "run.json",
    "settings.json",
    "design.rnn",
    "history.sqlite",
)
DEEP = "[" * 20_000 + "]" * 20_000
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, 10**30, -(2**63), float("nan"), float("inf"), "", "x", "\x00", "ü" * 300, [], {}, [[]],
    "DEEP",
)  # fmt: skip
"""What stands where something else belongs. DEEP: 20,000 brackets."""


def trials(count: int, seed: int) -> tuple[int, list[str]]:
    pick, failures = random.Random(seed), []
    with tempfile.TemporaryDirectory(prefix="rnnstudio-runs-") as name:
        folder = Path(name)
        list(trainer(language_model(text_file(folder, 2000), hidden=6), folder, steps=8, validate_every=3).events())
        for number in range(count):
            failure = _trial(folder, pick)
            if failure:
                failures.append(f"trial {number}, seed {seed}: {failure}")
    return count, failures


def main() -> None:
    done, failures = trials(COUNT, 0)
    print(f"{done} trials, {len(failures)} failures", *failures, sep="\n")


def _trial(folder: Path, pick: random.Random) -> str:
    run, out = folder / "spoiled", folder / "out"
    shutil.copytree(folder / "run", run)
    try:
        file = pick.choice(FILES)
        what = pick.choice(_WAYS.get(Path(file).suffix, _OF_BYTES))
        what(run / file, pick)
        command = pick.choice(_COMMANDS)(run, out, pick.choice(("best", "last")))
        before = _bytes(run)
        problem = _held(command)
        if not problem and command[0] != "train" and _bytes(run) != before:
            problem = "changed the run"
        return f"{file}, {what.__name__}, {command[0]}: {problem}" if problem else ""
    finally:
        shutil.rmtree(run)
        shutil.rmtree(out, ignore_errors=True)


def _held(command: list[str]) -> str:
    """What is wrong with how a command ended; "" where it did its work, or said why not."""
    said, told = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
            code = rnnstudio(command)
    except BaseException:  # noqa: BLE001 (whatever comes out here is what is looked for)
        return traceback.format_exc(limit=-3).replace("\n", " | ")
    lines = told.getvalue().strip().splitlines()
    if code == 2 and not (lines and lines[-1].startswith("rnnstudio: ") and len(lines[-1]) < 1500):
        return f"bad input, and no clear line: {lines[-3:]}"
    if code == 2 and command[0] != "train" and len(lines) != 1:
        return f"{len(lines)} lines: {lines[:3]}"
    return "" if code in (0, 1, 2) else f"exit code {code}"


def _bytes(folder: Path) -> dict[str, bytes]:
    """Of everything but SQLite's files beside the history, which readers make too."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("history.sqlite-"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


_COMMANDS: tuple[Callable[[Path, Path, str], list[str]], ...] = (
    lambda run, out, which: ["evaluate", str(run), "--split", "validation", "--checkpoint", which],
    lambda run, out, which: ["generate", str(run), "--length", "5", "--checkpoint", which],
    lambda run, out, which: ["export", str(run), "--out", str(out / "x"), "--checkpoint", which],
    lambda run, out, which: ["train", "x", "--resume", "--run", str(run), "--steps", "10"],
)


# --- ways to spoil a file


def flip_bytes(path: Path, pick: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(pick.choice((1, 1, 8, 200))):
        content[pick.randrange(min(len(content), pick.choice((64, 4096, len(content)))))] = pick.randrange(256)
    path.write_bytes(content)


def cut(path: Path, pick: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: pick.choice((0, 1, 7, 8, 100, pick.randrange(len(content))))])


def lengthen(path: Path, pick: random.Random) -> None:
    path.write_bytes(path.read_bytes() + pick.randbytes(pick.choice((1, 100))))


def remove(path: Path, pick: random.Random) -> None:
    path.unlink()


def make_folder(path: Path, pick: random.Random) -> None:
    path.unlink()
    path.mkdir()


def change_json(path: Path, pick: random.Random) -> None:
    path.write_bytes(_dumps(_changed(json.loads(path.read_bytes()), pick)))


def change_header(path: Path, pick: random.Random) -> None:
    """As somebody who means harm: no digest gives it away."""
    header, data = _parts(path)
    header["__metadata__"].pop("digest")
    _write(path, _changed(header, pick), data)


def change_body(path: Path, pick: random.Random) -> None:
    header, data = _parts(path)
    header["__metadata__"].pop("digest")
    body = _changed(json.loads(header["__metadata__"]["rnnstudio"]), pick)
    header["__metadata__"]["rnnstudio"] = _dumps(body).decode()
    _write(path, header, data)


def rename_tensor(path: Path, pick: random.Random) -> None:
    header, data = _parts(path)
    header["__metadata__"].pop("digest")
    name = pick.choice([name for name in header if name != "__metadata__"])
    group, _, rest = name.partition("/")
    new = pick.choice(("x", f"{group}/", f"/{rest}", f"{group}/x", f"x/{rest}", "optimiser/x/y", "optimiser/99/step"))
    header[new] = header.pop(name)
    _write(path, header, data)


def spoil_row(path: Path, pick: random.Random) -> None:
    import sqlite3

    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        table, column = pick.choice([("events", "body"), ("events", "kind"), ("events", "step"), ("steps", "loss")])
        value = pick.choice([None, b"\xff\xfe", "x", "{}", "[]", DEEP, 2**62, float("inf"), '{"loss": "x"}'])
        connection.execute(f"UPDATE {table} SET {column} = ?", (value,))


def age_history(path: Path, pick: random.Random) -> None:
    import sqlite3

    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            pick.choice(("PRAGMA user_version=9", "DROP TABLE events", "ALTER TABLE steps DROP carried"))
        )


_OF_BYTES = (flip_bytes, cut, lengthen, remove, make_folder)
_WAYS: dict[str, tuple[Callable[[Path, random.Random], None], ...]] = {
    ".json": (*_OF_BYTES, change_json, change_json, change_json),
    ".rnn": (*_OF_BYTES, change_json, change_json),
    ".safetensors": (*_OF_BYTES, change_header, change_body, change_body, change_body, rename_tensor),
    ".sqlite": (*_OF_BYTES, spoil_row, spoil_row, age_history),
}


def _changed(body: Any, pick: random.Random) -> Any:
    """The same with something odd in one place, or one entry less, or one more."""
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key in value if isinstance(value, dict) else range(len(value)):
            places.append((value, key))
            if isinstance(value[key], dict | list):
                walk(value[key])

    walk(body)
    container, key = pick.choice(places)
    way = pick.random()
    if way < 0.2:
        del container[key]
    elif way < 0.3 and isinstance(container, dict):
        container["added"] = pick.choice(ODD)
    else:
        container[key] = pick.choice(ODD)
    return body


def _dumps(body: Any) -> bytes:
    return json.dumps(body).replace('"DEEP"', DEEP).encode()


def _parts(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def _write(path: Path, header: Any, data: bytes) -> None:
    text = _dumps(header)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


if __name__ == "__main__":
    main()
