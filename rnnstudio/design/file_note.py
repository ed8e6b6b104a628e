"""What a design remembers of a file that its data was read from, so that the file is known again wherever it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rnnstudio.design.errors import StudioError


@dataclass(frozen=True)
class FileNote:
    """path: as the recipe names it; size: in bytes; sample: SHA-256 (hexadecimal) of the size and of samples of the
    bytes; rows: what the data package counts as rows, all files of a recipe together, 0 = unknown."""

    path: str
    size: int
    sample: str
    rows: int = 0

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"path": self.path, "size": self.size, "sample": self.sample, "rows": self.rows}


def notes_of(value: object) -> tuple[FileNote, ...]:
    """The notes in a design file. Raises StudioError for what is none."""
    entries = value if isinstance(value, Sequence) and not isinstance(value, str) else [None]
    return tuple(_note_of(entry) for entry in entries)


def _note_of(value: object) -> FileNote:
    entry = value if isinstance(value, dict) else {}
    texts, counts = [entry.get(name) for name in ("path", "sample")], [entry.get("size"), entry.get("rows", 0)]
    if not all(isinstance(text, str) for text in texts) or not all(type(count) is int for count in counts):
        raise StudioError("'files' does not list files with path, size and sample", where="data recipe")
    return FileNote(str(texts[0]), int(str(counts[0])), str(texts[1]), int(str(counts[1])))
