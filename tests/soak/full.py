"""A disk that is full (ENOSPC) while a training, its checkpoints or an export are written.

The training says which file could not be written and is not told to be running; resumed on a disk with room, it becomes
the unbroken one, bit for bit. An export leaves all of its files or none, and those that were there as they were.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from functools import partial
from pathlib import Path

from rnnstudio.design.design import Design
from rnnstudio.design.errors import StudioError
from rnnstudio.export import export_python
from rnnstudio.training.evaluate import Trained, load_trained
from rnnstudio.training.runs import Run
from tests.full_disk import full_disk
from tests.soak.kills import apart, different, ready, training
from tests.training.designs import language_model, text_file

COUNT = 150


def trials(count: int, seed: int) -> tuple[int, list[str]]:
    pick, failures = random.Random(seed), []
    with tempfile.TemporaryDirectory(prefix="rnnstudio-full-") as name:
        folder = Path(name)
        design = language_model(text_file(folder, 2000), hidden=6, dropout=0.2)
        list(training(design, folder, "whole", resume=False).events())
        trained = load_trained(folder / "whole")
        export_python(trained.network, trained.recipe, folder / "out" / "net")
        for number in range(count):
            room = round(2 ** pick.uniform(0, 18))
            problem = _export(trained, folder, room) if number % 3 == 0 else _training(design, folder, room)
            shutil.rmtree(folder / "run", ignore_errors=True)
            if problem:
                failures.append(f"trial {number}, seed {seed}, room for {room} bytes: {problem}")
    return count, failures


def _training(design: Design, folder: Path, room: int) -> str:
    def train(resume: bool, room: int) -> None:
        begun = training(design, folder, "run", resume=resume, every=3)
        try:
            with full_disk(room):
                list(begun.events())
        except StudioError as error:
            _told(str(error), folder / "run")

    code, told = apart(partial(train, False, room))
    if code:
        return f"ended with {code}: {told}"
    if Run.open(folder / "run").state not in ("failed", "finished", "interrupted"):
        return f"its state is {Run.open(folder / 'run').state}"
    code, told = apart(partial(train, ready(folder / "run"), 1 << 30))
    return f"resume ended with {code}: {told}" if code else different(folder / "whole", folder / "run")


def _export(trained: Trained, folder: Path, room: int) -> str:
    before = _files(folder / "out")
    room = min(room, max(map(len, before.values())) - 1)

    def export() -> None:
        try:
            with full_disk(room):
                export_python(trained.network, trained.recipe, folder / "out" / "net")
        except StudioError as error:
            _told(str(error), folder / "out")
        else:
            raise AssertionError("it was written all the same")

    code, told = apart(export)
    if code:
        return f"the export ended with {code}: {told}"
    return "" if _files(folder / "out") == before else "the export that was there is not what it was"


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def _told(text: str, folder: Path) -> None:
    """An error names a file of the folder, and what to do."""
    if str(folder) not in text or ("space" not in text and "full" not in text):
        raise AssertionError(f"not told: {text}")


def main() -> None:
    done, failures = trials(COUNT, 0)
    print(f"{done} trials, {len(failures)} failures", *failures, sep="\n")


if __name__ == "__main__":
    main()
