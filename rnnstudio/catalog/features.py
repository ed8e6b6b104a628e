"""Nodes that look over the features of a place, or over an axis, and weigh or add them: Softmax, sums and means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..design.signals import Real, Signal
from .node import Context, Mistake, NodeKind, Param, Params, Port, Signals, need_real
from .pointwise import Unary
from .primitives import Builder, Value


class Softmax(Unary):
    name = title = "Softmax"
    doc = "Makes numbers a distribution: positive, sum 1. Over the features, or over the steps of an axis."
    formula = "softmax(x)_i = e^(x_i) / Σ_j e^(x_j)"
    primitive = "softmax"
    params = (
        Param("axis", "axis", "", "the axis it runs over, padding excluded (attention); empty: over the features"),
    )
    words: ClassVar[tuple[str, ...]] = ("probability", "attention", "weights", "distribution")

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = inputs["input"]
        axis = params["axis"]
        if signal is not None and axis and axis not in signal.axes:
            raise Mistake(
                "MixedAxes", f"the input {signal.text()} has no axis “{axis}”: choose one it has, or none", "input"
            )
        return super().infer(inputs, params, context)

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        axis: str = params["axis"]
        if not axis:
            return {"out": builder.op(self.primitive, (value,), value.signal)}
        return {"out": builder.op(f"{self.primitive}_axis", (value,), value.signal, axis=axis, axes=value.signal.axes)}

    def whole_ports(self, params: Params, along: str) -> tuple[str, ...]:
        return ("input",) if along and params.get("axis") == along else ()


def softmax_over(builder: Builder, value: Value, axis: str, name: str = "") -> Value:
    """Softmax over an axis; the weights of padding are 0."""
    return builder.op("softmax_axis", (value,), value.signal, name=name, axis=axis, axes=value.signal.axes)


class LogSoftmax(Softmax):
    name = "LogSoftmax"
    title = "Log-softmax"
    doc = "Log-probabilities from scores, over the features, or over the steps of an axis (at padding: 0)."
    formula = "y_i = x_i − log Σ_j e^(x_j)"
    primitive = "log_softmax"
    params = (Param("axis", "axis", "", "the axis it runs over, padding excluded; empty: over the features"),)
    words = ("log probability", "pointer")


class _Fold(NodeKind):
    family = "Pointwise"
    inputs = (Port("input", "features"),)
    how = ""

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = inputs["input"]
        if signal is None:
            return {"out": None}
        need_real(signal, "input")
        return {"out": Signal(signal.axes, Real(1))}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        return {"out": builder.op("fold", (value,), Signal(value.signal.axes, Real(1)), how=self.how)}


class WidthSum(_Fold):
    name = "WidthSum"
    title = "Sum of features"
    doc = "All features of a place added to one number."
    formula = "y = Σ_i x_i"
    how = "sum"
    words = ("reduce", "total", "width")


class WidthMean(_Fold):
    name = "WidthMean"
    title = "Mean of features"
    doc = "The average of the features of a place: one number."
    formula = "y = (1/n) Σ_i x_i"
    how = "mean"
    words = ("reduce", "average", "width")


KINDS: tuple[NodeKind, ...] = (Softmax(), LogSoftmax(), WidthSum(), WidthMean())
