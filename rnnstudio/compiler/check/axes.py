"""What a node does along its axis that a person may not expect: a sequence meets itself within its chunk only, and the
nodes of a tree have no order of steps."""

from __future__ import annotations

from collections.abc import Iterator

from ...design.design import MAIN, Node
from .run import Run
from .whole_design import RENAME

CARRY = True
"""Whether states are carried where neither the axis nor the training settings of a design say."""


def along_axes(run: Run) -> None:
    """Report what an axis means for the nodes along it. For a drawing without errors."""
    for top, axis in _second_names(run):
        if _is_carried(run, axis):
            text = (
                f"“{top.label}” sees the steps of its own chunk only: Carry state carries the states of loops from "
                "chunk to chunk, no steps to look back at; a longer chunk lets it see further"
            )
            run.report("SeesItsChunk", "hint", text, MAIN, (top.id,))
    for top, node, axis in _in_order(run) if run.context.trees else ():
        who = top.label if top is node else f"{node.label} in {top.label}"
        text = (
            f"{who} takes the nodes of the tree “{axis}” one after another as the data lists them, whatever the tree: "
            "use Children for what lies below a node, Root for its top"
        )
        run.report("TreeInOrder", "warning", text, MAIN, (top.id,))


def _in_order(run: Run) -> Iterator[tuple[Node, Node, str]]:
    """Each node that takes the nodes of a tree in an order of steps: where it is in the drawing, itself, the tree."""
    for place in run.settled.values():
        for item in place.drawn.values():
            kind = run.catalog.of(item.node)
            if kind is None:
                continue
            inputs = {port.name: place.found.get(item.feeds.get(port.name, ("", ""))) for port in item.inputs}
            known = {name: signal for name, signal in inputs.items() if signal is not None or name in item.feeds}
            axis = kind.follows_order(known, item.params)
            top = run.outermost(place, item.node)
            if axis in run.context.trees and top.id in run.live:
                yield top, item.node, axis


def _second_names(run: Run) -> Iterator[tuple[Node, str]]:
    """Each place where a sequence gets a second name, to meet itself there: the node of the drawing, the axis."""
    for place in run.settled.values():
        for key, item in place.drawn.items():
            if item.node.kind != RENAME:
                continue
            before, after = (place.found.get(pin) for pin in (item.feeds["input"], (key, "out")))
            top = run.outermost(place, item.node)
            if before is not None and after is not None and top.id in run.live:
                yield from ((top, axis) for axis in before.axes if axis not in after.axes)


def _is_carried(run: Run, axis: str) -> bool:
    """Whether the axis is one of a long sequence that comes in chunks, of which each goes on with the states before."""
    own = run.design.axis(axis)
    if own.kind != "sequence" or own.carry is not None:
        return own.kind == "sequence" and bool(own.carry)
    data = run.design.data
    if data is None or not run.design.training.get("carry", CARRY):
        return False
    several = data.options.get("group") or data.options.get("mode") == "row_is_sequence"
    return data.reader in ("text", "csv", "parquet", "task:mackey-glass") and not several
