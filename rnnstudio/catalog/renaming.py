"""A second name for an axis: what runs along it can then meet itself, step by step with step (self-attention)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..design.signals import Signal
from .node import Context, Feature, Mistake, NodeKind, Param, Params, Port, Signals, need_steps
from .primitives import Builder, Value
from .trees import CHILDREN


class RenameAxis(NodeKind):
    name = "RenameAxis"
    title = "Rename axis"
    family = "Time"
    doc = (
        "The same values along an axis of another name, with the same lengths: a sequence can then meet itself, as in "
        "scores [time, time2] of each step with each. Renaming back makes the two names one again."
    )
    formula = "y_(t′) = x_t,  t′ = t"
    inputs = (Port("input", "anything along the axis", "any"),)
    outputs = (Port("out", "the same along the new name", "any"),)
    params = (
        Param("axis", "axis", "", "the axis to rename; empty: the input's only axis"),
        Param("to", "axis", "", "its new name; empty: its name with a 2 behind (time2)"),
    )
    words = ("self-attention", "copy", "second name", "pairwise", "transpose", "duplicate", "alias")

    def handed_on(self, inputs: Mapping[str, Sequence[Feature]], params: Params) -> Sequence[Feature]:
        return inputs.get("input", ())

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = inputs["input"]
        if signal is None:
            return {"out": None}
        axis, to = self._names(signal, params)
        return {"out": Signal(tuple(to if a == axis else a for a in signal.axes), signal.content)}

    def _names(self, signal: Signal, params: Params) -> tuple[str, str]:
        need_steps(signal, "input")
        axis: str = params["axis"]
        if axis and axis not in signal.axes:
            raise Mistake("MixedAxes", f"the input {signal.text()} has no axis “{axis}”", "input", "axis")
        if not axis and len(signal.axes) != 1:
            what = f"the axes {', '.join(signal.axes)}"
            raise Mistake("MixedAxes", f"the input {signal.text()} has {what}: set its axis", "input", "axis")
        axis = axis or signal.axes[0]
        to: str = params["to"] or second_name(axis)
        if axis.endswith(CHILDREN) or to.endswith(CHILDREN):
            raise Mistake("MixedAxes", "the axis over a node's children has one name only", "input")
        if to in signal.axes:
            raise Mistake("MixedAxes", f"the input {signal.text()} has an axis “{to}” already", "input")
        return axis, to

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        axis, to = self._names(value.signal, params)
        signal = Signal(tuple(to if a == axis else a for a in value.signal.axes), value.signal.content)
        return {"out": builder.op("rename", (value,), signal, axis=axis, to=to)}


def second_name(axis: str) -> str:
    """What an axis is called a second time where nobody chose a name."""
    return f"{axis}2"


def own_axis(axes: Sequence[str], axis: str, port: str) -> str:
    """Of the query's axes the one whose steps are those of `axis`, for a look that goes not ahead. Raises Mistake."""
    others = [a for a in axes if a != axis]
    if len(others) == 1:
        return others[0]
    named = [a for a in others if second_name(a) == axis]
    if named:
        return named[0]
    if not others:
        text = f"there is no step along another axis up to which “{axis}” may be looked at: switch causal off"
    else:
        text = f"which of {', '.join(others)} has the steps of “{axis}” cannot be told: name the copy time2 for time"
    raise Mistake("MixedAxes", text, port)


def behind(builder: Builder, value: Value, axis: str, axes: Sequence[str], fill: float | None, name: str) -> Value:
    """`value` with `fill` (None: the lowest number) where its step along `axis` lies ahead of the query's own."""
    until = own_axis(axes, axis, "query")
    attrs = {"axis": axis, "until": until, "axes": value.signal.axes, "fill": fill}
    return builder.op("hide_ahead", (value,), value.signal, name=name, **attrs)


KINDS: tuple[NodeKind, ...] = (RenameAxis(),)
