"""The wire through time: a Delay makes a state, and a loop through it a recurrent network."""

from __future__ import annotations

from collections.abc import Mapping

from ..design.signals import Real, Signal
from .node import Context, Mistake, NodeKind, Param, Params, Port, Signals, need_real
from .primitives import Builder, Init, Value


class Delay(NodeKind):
    name = title = "Delay"
    family = "Time"
    doc = "The value k steps earlier (k < 0: later). A loop must pass through one: it is what makes a state."
    formula = "y_t = x_(t−k);  outside the sequence: the initial state"
    inputs = (
        Port("input", "the value to remember"),
        Port("initial", "the initial state, instead of zero", optional=True),
    )
    params = (
        Param("k", "int", 1, "steps back (positive) or ahead (negative)", minimum=-1000, maximum=1000),
        Param("axis", "axis", "", "the axis it steps along; empty: the input's only axis"),
        Param("initial", "choice", "zero", "state before the first step", ("zero", "learned")),
        Param("width", "int", 0, "width of the state where nothing else tells; 0: the input's", minimum=0),
    )
    symbol = "■"
    late_ports = ("input",)
    words = ("state", "memory", "recurrent", "z^-1", "lag", "previous")

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        if params["k"] == 0:
            raise Mistake("DelayOfZero", "a delay of 0 steps is no delay: set k to 1 or more, or to −1 or less")
        signal = inputs["input"]
        initial = inputs.get("initial")
        if signal is None:
            if params["axis"] and params["width"]:
                return {"out": Signal((params["axis"],), Real(params["width"]))}
            return {"out": None}
        width = need_real(signal, "input").width
        axis = delay_axis(signal, params)
        if initial is not None:
            if axis in initial.axes:
                raise Mistake("MixedAxes", f"the initial state must not have the axis “{axis}” itself", "initial")
            if other := [a for a in initial.axes if a not in signal.axes]:
                raise Mistake("MixedAxes", f"the initial state has the axis “{other[0]}”, the state has not", "initial")
            if need_real(initial, "initial").width != width:
                raise Mistake(
                    "WidthClash", f"the initial state has width {initial.width}, the state {width}", "initial"
                )
        return {"out": signal}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        axis = delay_axis(value.signal, params)
        initial, weight = "zero", None
        sources = [value]
        if "initial" in inputs:
            initial = "wire"
            sources.append(inputs["initial"])
        elif params["initial"] == "learned":
            initial = "learned"
            weight = builder.parameter("initial", (value.signal.width,), Init("zero"))
        k = int(params["k"])
        return {"out": builder.op("delay", sources, value.signal, axis=axis, k=k, initial=initial, weight=weight)}


def delay_axis(signal: Signal, params: Params) -> str:
    """The axis a Delay steps along. Raises Mistake when the input has none, or several and none is chosen."""
    axis: str = params["axis"]
    if axis:
        if axis not in signal.axes:
            raise Mistake("MixedAxes", f"the input {signal.text()} has no axis “{axis}”", "input")
        return axis
    if len(signal.axes) != 1:
        what = "no axis" if not signal.axes else f"the axes {', '.join(signal.axes)}"
        raise Mistake("MixedAxes", f"the input {signal.text()} has {what}: set the Delay's axis", "input")
    return signal.axes[0]


KINDS: tuple[NodeKind, ...] = (Delay(),)
