"""Nodes that cross an axis: a sequence becomes a vector, a vector a sequence. Padding never counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from ..design.signals import Signal
from .node import Context, Feature, Mistake, NodeKind, Param, Params, Port, Signals, need_real, need_steps
from .primitives import Builder, Value
from .trees import CHILDREN

_AXIS = Param("axis", "axis", "", "the axis to cross; empty: the input's only axis")


def crossed_axis(signal: Signal, params: Params) -> str:
    """The axis such a node acts on: the chosen one, the only one, or the one over a tree node's children.

    Raises Mistake when there is none, or several and none is chosen.
    """
    need_steps(signal, "input")
    axis: str = params["axis"]
    if axis and axis not in signal.axes:
        raise Mistake(
            "MixedAxes", f"the input {signal.text()} has no axis “{axis}”: choose one it has, or none", "input", "axis"
        )
    if axis:
        return axis
    if len(signal.axes) == 1:
        return signal.axes[0]
    children = [a for a in signal.axes if a.endswith(CHILDREN)]
    if len(children) == 1:
        return children[0]
    what = f"the axes {', '.join(signal.axes)}"
    raise Mistake("MixedAxes", f"the input {signal.text()} has {what}: set its axis", "input", "axis")


class _Pool(NodeKind):
    family = "Time"
    reads_axis: ClassVar[tuple[str, ...]] = ("input",)
    inputs = (Port("input", "features along the axis"),)
    params = (_AXIS,)
    how = ""

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = inputs["input"]
        if signal is None:
            return {"out": None}
        content = need_real(signal, "input")
        axis = crossed_axis(signal, params)
        return {"out": Signal(tuple(a for a in signal.axes if a != axis), content)}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        axis = crossed_axis(value.signal, params)
        signal = Signal(tuple(a for a in value.signal.axes if a != axis), value.signal.content)
        return {"out": builder.op("pool", (value,), signal, axis=axis, how=self.how, axes=value.signal.axes)}

    def follows_order(self, inputs: Signals, params: Params) -> str:
        signal = inputs["input"]
        return crossed_axis(signal, params) if signal is not None and self.how in ("first", "last") else ""


class Last(_Pool):
    name = title = "Last"
    doc = "The value at each example's own last step."
    formula = "y = x_τ"
    how = "last"
    words = ("final", "end", "many to one")

    def handed_on(self, inputs: Mapping[str, Sequence[Feature]], params: Params) -> Sequence[Feature]:
        return inputs.get("input", ())


class First(_Pool):
    name = title = "First"
    doc = "The value at the first step: where a backward loop ends."
    formula = "y = x_1"
    how = "first"
    reads_axis = ()

    def handed_on(self, inputs: Mapping[str, Sequence[Feature]], params: Params) -> Sequence[Feature]:
        return inputs.get("input", ())


class Mean(_Pool):
    name = title = "Mean"
    doc = "The average over an example's own steps."
    formula = "y = (1/τ) Σ_t x_t"
    how = "mean"
    words = ("average", "pool")


class Max(_Pool):
    name = title = "Max"
    doc = "The largest value of each feature over an example's own steps."
    formula = "y = max_t x_t"
    how = "max"
    words = ("pool",)

    def handed_on(self, inputs: Mapping[str, Sequence[Feature]], params: Params) -> Sequence[Feature]:
        return inputs.get("input", ())


class Sum(_Pool):
    name = title = "Sum"
    doc = "The sum over an example's own steps."
    formula = "y = Σ_t x_t"
    how = "sum"
    words = ("pool",)


class Reverse(NodeKind):
    name = title = "Reverse"
    family = "Time"
    doc = "Each example's own steps in the opposite order."
    formula = "y_t = x_(τ+1−t)"
    reads_axis = ("input",)
    inputs = (Port("input", "", "any"),)
    outputs = (Port("out", "", "any"),)
    params = (_AXIS,)
    words = ("flip", "backward")

    def handed_on(self, inputs: Mapping[str, Sequence[Feature]], params: Params) -> Sequence[Feature]:
        return inputs.get("input", ())

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = inputs["input"]
        if signal is not None:
            crossed_axis(signal, params)
        return {"out": signal}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        axis = crossed_axis(value.signal, params)
        return {"out": builder.op("reverse", (value,), value.signal, axis=axis)}

    def follows_order(self, inputs: Signals, params: Params) -> str:
        signal = inputs["input"]
        return crossed_axis(signal, params) if signal is not None else ""


class Repeat(NodeKind):
    name = title = "Repeat"
    family = "Time"
    doc = "A vector at every step of the axis that “along” has."
    formula = "y_t = x"
    shape_only = ("along",)
    inputs = (Port("input", "the vector"), Port("along", "anything that has the axis", "any"))
    params = (Param("axis", "axis", "", "the axis to repeat along; empty: the only one of “along” the input lacks"),)
    words = ("broadcast", "expand", "one to many")

    def _axis(self, signal: Signal, along: Signal, params: Params) -> str:
        missing = [a for a in along.axes if a not in signal.axes]
        axis: str = params["axis"] or (missing[0] if len(missing) == 1 else "")
        if axis not in missing:
            raise Mistake("MixedAxes", f"“along” {along.text()} gives the input {signal.text()} no new axis", "along")
        return axis

    def handed_on(self, inputs: Mapping[str, Sequence[Feature]], params: Params) -> Sequence[Feature]:
        return inputs.get("input", ())

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal, along = inputs["input"], inputs["along"]
        if signal is None or along is None:
            return {"out": None}
        content = need_real(signal, "input")
        return {"out": Signal((self._axis(signal, along, params), *signal.axes), content)}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value, along = inputs["input"], inputs["along"]
        axis = self._axis(value.signal, along.signal, params)
        signal = Signal((axis, *value.signal.axes), value.signal.content)
        # A node's children exist in the loop over their tree alone: what is repeated along them has to be there, too.
        sources = (value, along) if axis.endswith(CHILDREN) else (value,)
        return {"out": builder.op("repeat", sources, signal, axis=axis)}


KINDS: tuple[NodeKind, ...] = (Last(), First(), Mean(), Max(), Sum(), Reverse(), Repeat())
