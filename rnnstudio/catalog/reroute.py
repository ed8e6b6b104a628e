"""A point that a wire runs through, so that it can be led as one likes. It means nothing to the compiler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .node import Context, Feature, NodeKind, Params, Port, Signals
from .primitives import Builder, Value


class Reroute(NodeKind):
    name = "Reroute"
    title = "Reroute point"
    family = "Layers"
    doc = "A point that a wire runs through: what comes in goes out, and nothing is computed."
    formula = "y = x"
    inputs = (Port("input", "anything", "any"),)
    outputs = (Port("out", "the same", "any"),)
    symbol = "•"
    words = ("dot", "knot", "wire", "waypoint", "identity", "pass through")

    def handed_on(self, inputs: Mapping[str, Sequence[Feature]], params: Params) -> Sequence[Feature]:
        return inputs.get("input", ())

    def infer(self, inputs: Signals, params: Params, context: Context) -> Signals:
        return {"out": inputs["input"]}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        return {"out": inputs["input"]}


KINDS: tuple[NodeKind, ...] = (Reroute(),)
