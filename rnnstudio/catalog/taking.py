"""A library cell for a design: always the library's own, whatever the design calls by its name."""

from __future__ import annotations

from ..design.bringing import bring, free
from ..design.design import Design
from ..design.edits import Edit
from ..design.grouping import RenameCell
from .catalog import Catalog


def library_cell(catalog: Catalog, design: Design, name: str) -> tuple[list[Edit], dict[str, str]]:
    """The edits after which a design has the library's cell `name` with all inside it; and what had to make room.

    A cell that the design has changed under a library cell's name, in a file of an earlier studio, gets another name;
    its nodes follow. Raises KeyError when the library has no such cell.
    """
    edits: list[Edit] = []
    renamed: dict[str, str] = {}
    wanted = catalog.definitions_for(name)
    for key in wanted:
        if key in design.cells and not catalog.draws(design.cells[key]):
            renamed[key] = free(key, {*design.cells, *catalog.cells})
            edits.append(RenameCell(key, renamed[key]))
            design = edits[-1].apply(design)
    missing = {key: cell for key, cell in wanted.items() if key not in design.cells}
    return [*edits, *bring(missing, design).edits], renamed
