"""A cell as a file of its own (`.rnncell`): how a plugin or a colleague hands on a drawn cell. Data, never code."""

from __future__ import annotations

import json
from pathlib import Path

from .design import CellDefinition
from .edits import check_name
from .errors import StudioError
from .storage import Reader, cell_to_json, check_format, may_be_json, read_json, read_text, write_atomically

FORMAT = 1
SUFFIX = ".rnncell"


def dumps_cell(cell: CellDefinition) -> str:
    """The text of a cell file. Equal cells give equal bytes."""
    body = {**cell_to_json(cell), "format": FORMAT, "name": cell.name}
    return json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def loads_cell(text: str, where: str = "") -> CellDefinition:
    """The cell in `text`. Raises StudioError naming the place in the file when it is damaged."""
    body = read_json(text, where) if may_be_json(text) else None
    if not isinstance(body, dict) or "format" not in body or not isinstance(body.get("name"), str):
        raise StudioError("This is not a cell of rnnstudio", where=where, remedy=f"Give a {SUFFIX} file.")
    check_format(body["format"], FORMAT, where)
    check_name(body["name"])
    return Reader(where).cell(body["name"], {k: v for k, v in body.items() if k not in ("format", "name")})


def load_cell(path: Path) -> CellDefinition:
    """Read a cell file. Raises StudioError when it is missing, unreadable or damaged."""
    return loads_cell(read_text(path), str(path))


def save_cell(cell: CellDefinition, path: Path) -> None:
    """Write a cell file, whole or not at all. Raises StudioError when it cannot be written."""
    write_atomically(path, dumps_cell(cell).encode("utf-8"))
