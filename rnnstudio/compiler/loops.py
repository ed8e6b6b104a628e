"""Which loops can run: in one direction, step by step, with nothing inside that needs the whole axis."""

from __future__ import annotations

from collections.abc import Sequence

from ..catalog.primitives import Op
from ..design.errors import StudioError

STATEFUL = ("delay", "children")
"""Primitives that cut a loop: they read another step."""


class ImpossibleLoop(StudioError):  # noqa: N818 - diagnostics are nouns
    """A loop that no order of steps can run. code: of its diagnostic; nodes: paths of the drawn nodes at fault."""

    def __init__(self, code: str, what: str, nodes: Sequence[str], remedy: str) -> None:
        super().__init__(what, where=", ".join(nodes), remedy=remedy)
        self.code = code
        self.nodes = tuple(dict.fromkeys(nodes))


def refuse_impossible(ops: Sequence[Op]) -> None:
    """Raise ImpossibleLoop when the operations of a loop (a strongly connected component) cannot run step by step."""
    cuts = [op for op in ops if op.kind in STATEFUL]
    if not cuts:
        raise ImpossibleLoop(
            "LoopWithoutDelay", "a loop runs within one step", [op.node for op in ops], "Put a Delay into it."
        )
    axis = cuts[0].attrs["axis"]
    steps = [op for op in cuts if op.attrs["axis"] == axis and op.kind == "delay"]
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
