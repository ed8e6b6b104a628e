"""A folder that cannot be written, for root too: for a block of a test he is somebody else."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def read_only_folder(template: Path | None = None) -> Iterator[Path]:
    """A new folder, with a copy of `template` in it, that this process cannot write as long as the block runs."""
    above = Path(tempfile.mkdtemp(prefix="rnnstudio-read-only-"))
    folder = above / "folder"
    if template is None:
        folder.mkdir()
    else:
        shutil.copytree(template, folder)
    for place in (above, folder, *folder.rglob("*")):
        place.chmod(0o555 if place.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        for place in (above, folder, *folder.rglob("*")):
            if place.is_dir():
                place.chmod(0o755)
        shutil.rmtree(above)


@contextmanager
def closed_folder() -> Iterator[Path]:
    """A folder with a file “a.txt” that this process may not look into as long as the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="rnnstudio-closed-"))
    (folder / "a.txt").write_text("once upon a time")
    folder.chmod(0o000)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)
