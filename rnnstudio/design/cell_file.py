"""A cell as a file of its own (`.rnncell`): how a plugin or a colleague hands on a drawn cell. Data, never code."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from .design import CellDefinition
from .edits import check_name
from .errors import StudioError
from .storage import Reader, cell_to_json, check_format, may_be_json, read_json, read_text, write_atomically

FORMAT = 1
SUFFIX = ".rnncell"


INNER = "cells"
"""Where a cell file holds the cells that are drawn inside of its own."""


def dumps_cell(cell: CellDefinition, inner: Iterable[CellDefinition] = ()) -> str:
    """The text of a cell file. Equal cells give equal bytes. inner: cells inside of it that no library has."""
    body = {**cell_to_json(cell), "format": FORMAT, "name": cell.name}
    if found := {c.name: cell_to_json(c) for c in inner}:
        body[INNER] = found
    return json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def loads_cells(text: str, where: str = "") -> tuple[CellDefinition, ...]:
    """The cell in `text`, and those that are drawn inside of it.

    Raises StudioError naming the place in the file when it is damaged.
    """
    body = read_json(text, where) if may_be_json(text) else None
    if not isinstance(body, dict) or "format" not in body or not isinstance(body.get("name"), str):
        raise StudioError("This is not a cell of rnnstudio", where=where, remedy=f"Give a {SUFFIX} file.")
    check_format(body["format"], FORMAT, where)
    check_name(body["name"])
    reader = Reader(where)
    inner = reader.take(body, INNER, dict, {}, "")
    for name in inner:
        check_name(name)
    first = reader.cell(body["name"], {k: v for k, v in body.items() if k not in ("format", "name", INNER)})
    return first, *(reader.cell(name, found) for name, found in inner.items())


def loads_cell(text: str, where: str = "") -> CellDefinition:
    """The cell in `text`. Raises StudioError naming the place in the file when it is damaged."""
    return loads_cells(text, where)[0]


def load_cell(path: Path) -> CellDefinition:
    """Read a cell file. Raises StudioError when it is missing, unreadable or damaged."""
    return loads_cell(read_text(path), str(path))


def load_cells(path: Path) -> tuple[CellDefinition, ...]:
    """Read a cell file with the cells inside of its own. Raises StudioError as load_cell does."""
    return loads_cells(read_text(path), str(path))


def save_cell(cell: CellDefinition, path: Path, inner: Iterable[CellDefinition] = ()) -> None:
    """Write a cell file, whole or not at all. Raises StudioError when it cannot be written."""
    write_atomically(path, dumps_cell(cell, inner).encode("utf-8"))
