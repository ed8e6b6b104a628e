"""What wires lead to: asked of a drawing's ends, of a fix's place and of a cell's inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def reached(starts: Iterable[str], following: Mapping[str, Iterable[str]]) -> set[str]:
    """The nodes that some way leads to from `starts`, these included. following: for each node, those one step on."""
    found: set[str] = set()
    todo = list(starts)
    while todo:
        key = todo.pop()
        if key not in found:
            found.add(key)
            todo += following.get(key, ())
    return found
