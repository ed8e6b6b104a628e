"""Axes that are other names of an axis: which one has their steps, and whether all names of one say the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..design.errors import StudioError


@dataclass(frozen=True, slots=True)
class Renaming:
    """`axis` is called `to` at the node `where`."""

    axis: str
    to: str
    where: str


class DifferentSteps(StudioError):  # noqa: N818 - diagnostics are nouns
    """One name stands for axes of different lengths."""


def roots(given: Mapping[str, str], renamings: Iterable[Renaming]) -> dict[str, str]:
    """For each axis that only renaming makes: the axis with its steps that is not made so.

    given: the axes that inputs have → the data's axis of each. Raises DifferentSteps at the renaming that gives a name
    to an axis while another one, of other data, has it too.
    """
    todo = list(renamings)
    found: dict[str, str] = {}
    moved = True
    while moved:
        moved = False
        for item in todo:
            root = item.axis if item.axis in given else found.get(item.axis)
            if root is None or root == item.to:
                continue
            known = item.to if item.to in given else found.get(item.to)
            if known is None:
                found[item.to] = root
                moved = True
            elif given[known] != given[root]:
                raise DifferentSteps(
                    f"“{item.to}” would have the steps of “{root}”, but it has those of “{known}”",
                    where=item.where,
                    remedy="Choose another name.",
                )
    return found
