"""Which loops can run: in one direction, step by step, with nothing inside that needs the whole axis."""

from __future__ import annotations

from collections.abc import Sequence

from ..catalog.primitives import Op
from ..catalog.trees import CHILDREN
from ..design.errors import StudioError

STATEFUL = ("delay", "children")
"""Primitives that cut a loop: they read another step."""


class ImpossibleLoop(StudioError):  # noqa: N818 - diagnostics are nouns
    """A loop that no order of steps can run. code: of its diagnostic; nodes: paths of the drawn nodes at fault."""

    def __init__(self, code: str, what: str, nodes: Sequence[str], remedy: str) -> None:
        super().__init__(what, where=", ".join(nodes), remedy=remedy)
        self.code = code
        self.nodes = tuple(dict.fromkeys(nodes))


def axes_to_try(ops: Sequence[Op]) -> tuple[str, ...]:
    """The axes that a loop (a strongly connected component) may step along, in drawing order.

    Raises ImpossibleLoop when it has none.
    """
    axes = tuple(dict.fromkeys(str(op.attrs["axis"]) for op in ops if op.kind in STATEFUL))
    if not axes:
        raise ImpossibleLoop(
            "LoopWithoutDelay", "a loop runs within one step", [op.node for op in ops], "Put a Delay into it."
        )
    return axes


def refuse_impossible(ops: Sequence[Op], axis: str) -> None:
    """Raise ImpossibleLoop when the operations of a loop cannot run step by step along `axis`.

    What remains a loop within one of these steps is judged by itself.
    """
    cuts = [op for op in ops if op.kind in STATEFUL and op.attrs["axis"] == axis]
    steps = [op for op in cuts if op.kind == "delay"]
    if 0 < len(steps) < len(cuts):
        raise ImpossibleLoop(
            "SequenceAndTree",
            f"one loop goes along “{axis}” as a sequence, by a Delay, and as a tree, by Children",
            [op.node for op in cuts],
            "Use one of the two, or two axes.",
        )
    if len({op.attrs["k"] > 0 for op in steps}) > 1:
        raise ImpossibleLoop(
            "MixedDirections",
            "one loop has delays of both directions: it could run neither forward nor backward",
            [op.node for op in steps],
            "Make two loops, or give the delays one direction.",
        )
    whole = [op.node for op in ops if op.kind not in STATEFUL and op.attrs.get("axis") == axis]
    if whole:
        raise ImpossibleLoop(
            "WholeAxisInLoop",
            f"{whole[0]} needs all of “{axis}” at once, but stands in a loop that makes it step by step",
            whole,
            "Take it out of the loop.",
        )
    without = [op.node for op in ops if axis not in op.signal.axes]
    if without:  # what lies between children and their pooling belongs to the tree's loop, whatever else goes round
        raise ImpossibleLoop(
            "WholeAxisInLoop",
            f"{without[0]} has no axis “{axis}”, but stands in a loop along it",
            without,
            "Take it out of the loop.",
        )
    _refuse_children_across(ops, cuts, axis)


def _refuse_children_across(ops: Sequence[Op], cuts: Sequence[Op], axis: str) -> None:
    """The axis over a node's children exists within a step of its tree: no loop around the tree's can keep it."""
    inside = {op.attrs["axis"] + CHILDREN for op in ops if op.kind == "children" and op.attrs["how"] == "each"}
    for op in cuts:
        lost = [a for a in op.signal.axes if a in inside and a != axis + CHILDREN]
        if lost:
            tree = lost[0].removesuffix(CHILDREN)
            raise ImpossibleLoop(
                "ChildrenAcrossSteps",
                f"{op.node} keeps what each child of a node gave, but stands in a loop around that over “{tree}”",
                [op.node],
                "Pool over the children first (Sum, Max, Attention).",
            )
