"""What stands in a design's file: whether somebody else has written it since it was read, and what they changed.

The content decides, never the time: a touched file is the same, one rewritten within the clock's resolution is another.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .design import Design
from .errors import StudioError
from .history import difference

_UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a file held at one moment. digest: of its bytes, "" where there was no file."""

    digest: str = ""

    @property
    def there(self) -> bool:
        return bool(self.digest)


NOTHING = Standing()


class ChangedElsewhere(StudioError):  # noqa: N818 - what happened to the file
    """A design's file is not what its writer believes: somebody else wrote or deleted it. Nothing was written."""


def changed_elsewhere(path: Path, found: Standing, remedy: str = "") -> ChangedElsewhere:
    happened = "was changed by another program or window" if found.there else "was deleted or moved"
    return ChangedElsewhere(
        f"“{path.name}” {happened} since it was read, and is left as it is",
        where=str(path),
        remedy=remedy or "Read it again, save under another name, or say that yours is to take its place.",
    )


def standing_of(content: bytes) -> Standing:
    return Standing(hashlib.sha256(content).hexdigest())


def standing(path: Path) -> Standing:
    """What the file at `path` holds now. What is no regular file, or cannot be read, equals no content."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return Standing(_UNREADABLE)
        return standing_of(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return NOTHING
    except OSError:
        return Standing(_UNREADABLE)


@contextlib.contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Writers of one folder that look before they write wait for each other, where the system can lock a folder."""
    try:
        import fcntl
    except ImportError:  # Windows: the moment between look and rename stays
        yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield  # the write itself will say what is wrong with the folder
        return
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def what_changed(before: Design, after: Design) -> str:
    """In a line, by what two designs differ: “2 nodes added, 1 changed; data; training”."""
    told: list[str] = []
    drawing = difference(before.graph, after.graph)
    # Designs of two readings share no values: nodes are compared by what they say.
    changed = [n for n in drawing.changed if n != before.graph.nodes[n.id]]
    wires = len(drawing.wires_added) + len(drawing.wires_removed)
    counted = [
        f"{len(what)} {_nodes(len(what))} {verb}"
        for what, verb in ((drawing.added, "added"), (drawing.removed, "removed"), (changed, "changed"))
        if what
    ]
    if wires:
        counted.append(f"{wires} wire{'s' if wires > 1 else ''} changed")
    if counted:
        told.append(", ".join(counted))
    cells = [name for name in {**before.cells, **after.cells} if before.cells.get(name) != after.cells.get(name)]
    if cells:
        told.append("cells: " + ", ".join(cells[:3]) + (" …" if len(cells) > 3 else ""))
    for name, one, other in (
        ("name", before.name, after.name),
        ("description", before.doc, after.doc),
        ("variables", before.variables, after.variables),
        ("axes", before.axes, after.axes),
        ("data", before.data, after.data),
        ("training", before.training, after.training),
        ("frames", before.graph.frames, after.graph.frames),
        ("hidden wires", before.graph.hidden, after.graph.hidden),
    ):
        if one != other:
            told.append(name)
    return "; ".join(told) or "only its layout as a text"


def _nodes(count: int) -> str:
    return "node" if count == 1 else "nodes"
