"""Where a branch meets what went around it: residual and highway connections."""

from __future__ import annotations

from collections.abc import Mapping

from ..design.signals import Real, Signal
from .layers import weight_init
from .node import Context, NodeKind, Param, Params, Port, Signals, joint_axes, need_real
from .primitives import Builder, Init, Value


class _Join(NodeKind):
    family = "Layers"
    inputs = (Port("input", "what goes around"), Port("branch", "what the layers between made of it"))

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        known = {port: s for port, s in inputs.items() if s is not None}
        for port, signal in known.items():
            need_real(signal, port)
        branch = inputs["branch"]
        if branch is None:
            return {"out": None}
        return {"out": Signal(joint_axes(known), branch.content)}

    def _around(self, builder: Builder, x: Value, units: int) -> Value:
        """The input, by a matrix where its width is another."""
        width = x.signal.width
        if width == units:
            return x
        weight = builder.parameter("weight", (units, width), weight_init("uniform", width))
        return builder.op("linear", (x,), Signal(x.signal.axes, Real(units)), name="around", weight=weight, bias=None)

    def _two(self, builder: Builder, kind: str, a: Value, b: Value, name: str = "") -> Value:
        axes, both = builder.broadcast((a, b))
        return builder.op(kind, both, Signal(axes, Real(b.signal.width)), name=name)


class Residual(_Join):
    name = title = "Residual"
    doc = "Adds what went around to the branch, so that gradients have a way past it. Another width: by a matrix."
    formula = "y = branch + x   (widths differ: branch + W x)"
    source = "He et al. 2016"
    symbol = "⊕"
    words = ("skip", "shortcut", "resnet", "add")

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        branch = inputs["branch"]
        around = self._around(builder, inputs["input"], branch.signal.width)
        return {"out": self._two(builder, "add", around, branch)}


class HighwayJoin(_Join):
    name = "HighwayJoin"
    title = "Highway join"
    doc = "A gate decides, feature by feature, how much of the branch and how much of what went around it passes."
    formula = "y = T ⊙ branch + (1 − T) ⊙ x,  T = σ(W_T x + b_T)"
    source = "Srivastava, Greff and Schmidhuber 2015"
    params = (Param("bias_value", "float", -1.0, "what b_T starts at; negative: the way around is open first"),)
    words = ("skip", "gate", "transform", "carry")

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        x, branch = inputs["input"], inputs["branch"]
        units, width = branch.signal.width, x.signal.width
        weight = builder.parameter("gate.weight", (units, width), weight_init("uniform", width))
        bias = builder.parameter("gate.bias", (units,), Init("constant", (float(params["bias_value"]),)))
        signal = Signal(x.signal.axes, Real(units))
        total = builder.op("linear", (x,), signal, name="gate_sum", weight=weight, bias=bias)
        gate = builder.op("sigmoid", (total,), signal, name="gate")
        rest = builder.op("affine", (gate,), signal, name="rest", scale=-1.0, offset=1.0)
        around = self._two(builder, "multiply", rest, self._around(builder, x, units), "carried")
        return {"out": self._two(builder, "add", around, self._two(builder, "multiply", gate, branch, "changed"))}


KINDS: tuple[NodeKind, ...] = (Residual(), HighwayJoin())
