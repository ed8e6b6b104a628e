"""What a person may ask of a drawing beyond the data: the cell, how deep, in which direction, with attention or not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Style:
    """cell: of the loops along sequences, "" = what is usual there; tree_cell: of those over trees. depth: how many
    loops, each reading the states of the one before. both_ways: None = where it is usual. attention: whether what
    writes a sequence looks along what was read, rather than getting its last state.
    """

    cell: str = ""
    tree_cell: str = "ChildSumTreeLSTM"
    depth: int = 1
    both_ways: bool | None = None
    attention: bool = True


USUAL = Style()
