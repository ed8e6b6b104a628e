"""An export's files take their names together: written beside them first, on the same disk, and all of them or none."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from ..design.drafts import abandoned, cannot_write, draft_of
from ..design.errors import StudioError

WHAT = "Cannot write the export"
CERTIFICATE = ".certificate.json"


@contextmanager
def placed(target: Path) -> Iterator[Path]:
    """A folder beside `target` to write files into; when the block is done they take their names in target's folder.

    The folder above is made where there is none. A block that raises leaves everything as it was; what a killed export
    left is swept away. Raises StudioError where the place cannot be written, with its path.
    """
    parent = target.parent
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    for draft in abandoned(parent, target.name):
        shutil.rmtree(draft, ignore_errors=True)
    stage = draft_of(target)
    try:
        try:
            parent.mkdir(parents=True, exist_ok=True)
            stage.mkdir()
        except OSError as error:
            there = next(folder for folder in (parent, *parent.parents) if folder.exists())
            raise cannot_write(there, error, WHAT) from None
        try:
            yield stage
            _publish(stage, target)
        except SafetensorError as error:
            full = any(f"os error {code}" in str(error) for code in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT))
            remedy = "Free some space on that disk." if full else "Choose another folder."
            raise StudioError(f"{WHAT}: {error}", where=str(target), remedy=remedy) from None
        except OSError as error:
            raise cannot_write(target, error, WHAT) from None
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        for folder in made:
            with contextlib.suppress(OSError):  # not made at all, or somebody has put something into it meanwhile
                folder.rmdir()
        raise
    shutil.rmtree(stage, ignore_errors=True)


def _publish(stage: Path, target: Path) -> None:
    """Give the files their names. Where one is refused, those that had changed are as before. Raises StudioError.

    A certificate goes before the first file changes and comes after the last one: none ever lies beside files that it
    is not of, whenever the process is killed.
    """
    files = sorted(path for path in stage.iterdir() if path.is_file())
    goals = {path: target.parent / path.name for path in files}
    for path, goal in goals.items():
        if goal.is_dir():
            raise StudioError("A folder has that name", where=str(goal), remedy="Choose another name.")
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    older = stage / "older"
    older.mkdir()
    for goal in goals.values():
        if goal.exists():
            try:
                os.link(goal, older / goal.name)
            except OSError:  # a disk without links
                shutil.copyfile(goal, older / goal.name)
    done = [goal for goal in goals.values() if goal.name.endswith(CERTIFICATE)]
    try:
        for goal in done:
            goal.unlink(missing_ok=True)
        for path, goal in sorted(goals.items(), key=lambda item: item[1].name.endswith(CERTIFICATE)):
            done.append(goal)
            path.replace(goal)
    except OSError:
        for goal in done:
            if (older / goal.name).exists():
                (older / goal.name).replace(goal)
            elif not (stage / goal.name).exists():
                goal.unlink(missing_ok=True)
        raise
