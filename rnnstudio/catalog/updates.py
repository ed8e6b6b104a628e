"""How a state moves from old to new: only at some steps (Clock), only in part (Blend), only by chance (Zoneout)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..design.signals import Real, Signal
from .node import (
    Context,
    Mistake,
    NodeKind,
    Param,
    Params,
    Port,
    Signals,
    joint_axes,
    joint_width,
    need_real,
    need_steps,
)
from .primitives import Builder, Value
from .trees import CHILDREN

_NEW = Port("new", "the state that is proposed")
_OLD = Port("old", "the state before, from a Delay")


class _Update(NodeKind):
    """Something between `new` and `old`, of their joint shape."""

    family = "Time"
    inputs: ClassVar[tuple[Port, ...]] = (_NEW, _OLD)

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        known = {port: s for port, s in inputs.items() if s is not None}
        if not known:
            return {"out": None}
        return {"out": Signal(joint_axes(known), Real(joint_width(known)))}


class _Pen:
    """Writes elementwise primitives over values that broadcast."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder

    def two(self, kind: str, a: Value, b: Value, name: str = "") -> Value:
        axes, both = self.builder.broadcast((a, b))
        width = max(a.signal.width, b.signal.width)
        return self.builder.op(kind, both, Signal(axes, Real(width)), name=name)

    def affine(self, x: Value, scale: float, offset: float, name: str = "") -> Value:
        return self.builder.op("affine", (x,), x.signal, name=name, scale=scale, offset=offset)

    def mix(self, gate: Value, a: Value, b: Value) -> Value:
        """gate ⊙ a + (1 − gate) ⊙ b."""
        rest = self.affine(gate, -1.0, 1.0, "rest")
        return self.two("add", self.two("multiply", gate, a, "part"), self.two("multiply", rest, b, "other"))


class Clock(_Update):
    name = title = "Clock"
    doc = (
        "Lets new values through only at every k-th step; in between, the old ones stay. Several periods: each holds "
        "for an equal group of the units."
    )
    formula = "y_t = new_t where t mod k = 0, else old_t   (t = 0, 1, 2 …)"
    source = "clockwork RNN: Koutník et al. 2014; removed connections: Goodfellow et al. 2016, section 10.9"
    params = (
        Param("period", "int", 2, "steps between updates", minimum=1, maximum=100000, title="Period k", unit="steps"),
        Param("periods", "ints", (), "one period for each of several equal groups of units, instead of k"),
        Param("axis", "axis", "", "the axis it counts along; empty: the input's only axis"),
    )
    words = ("clockwork", "every k-th step", "period", "skip", "slow")

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = super().infer(inputs, params, context)["out"]
        if signal is not None:
            periods = self._periods(params)
            if min(periods) < 1:
                raise Mistake("WrongParameter", "a period is at least 1 step: change it", param="periods")
            if signal.width % len(periods):
                text = (
                    f"{len(periods)} periods do not divide the {signal.width} units into equal groups: "
                    "change either number"
                )
                raise Mistake("WidthClash", text, "new")
            known = all(inputs.get(p.name) is not None for p in self.inputs)
            if known or signal.axes:
                self._axis(signal, params)
        return {"out": signal}

    def _periods(self, params: Params) -> tuple[int, ...]:
        return tuple(params["periods"]) or (params["period"],)

    def _axis(self, signal: Signal, params: Params) -> str:
        need_steps(signal, "new")
        axis: str = params["axis"]
        if (axis and axis not in signal.axes) or (not axis and len(signal.axes) != 1):
            need = f"no axis “{axis}”" if axis else "not exactly one axis: set it"
            raise Mistake("MixedAxes", f"the input {signal.text()} has {need}", "new", "axis")
        if axis.endswith(CHILDREN):
            raise Mistake("MixedAxes", "a Clock counts the steps of a sequence, not the children of a node", "new")
        return axis or signal.axes[0]

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        pen = _Pen(builder)
        known: dict[str, Signal] = {port: value.signal for port, value in inputs.items()}
        signal = Signal(joint_axes(known), Real(joint_width(known)))
        axis, periods = self._axis(signal, params), self._periods(params)
        width = 1 if len(periods) == 1 else signal.width
        beat = builder.op("clock", (), Signal((axis,), Real(width)), name="beat", axis=axis, periods=periods)
        return {"out": pen.mix(beat, inputs["new"], inputs["old"])}

    def follows_order(self, inputs: Signals, params: Params) -> str:
        signal = self.infer(inputs, params, Context({}, {}))["out"]
        return self._axis(signal, params) if signal is not None else ""


class Blend(_Update):
    name = title = "Blend"
    doc = "A mix of new and old: a leaky unit with a fixed share, or a gate where one is connected."
    formula = "y = α ⊙ old + (1 − α) ⊙ new"
    source = "leaky units: Mozer 1992; Jaeger et al. 2007"
    inputs = (_NEW, _OLD, Port("gate", "α from a wire, instead of the number", optional=True))
    params = (
        Param("keep", "float", 0.9, "the share of the old that stays", minimum=0.0, maximum=1.0, title="Kept share α"),
    )
    words = ("leaky", "interpolate", "mix", "exponential moving average", "time constant")

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        pen = _Pen(builder)
        if "gate" in inputs:
            return {"out": pen.mix(inputs["gate"], inputs["old"], inputs["new"])}
        keep = float(params["keep"])
        old, new = pen.affine(inputs["old"], keep, 0.0, "part"), pen.affine(inputs["new"], 1.0 - keep, 0.0, "other")
        return {"out": pen.two("add", old, new)}


class Zoneout(_Update):
    name = title = "Zoneout"
    doc = "While training, lets units keep their old value at random; otherwise mixes old and new in that proportion."
    formula = "training: y = m ⊙ old + (1 − m) ⊙ new,  m ~ Bernoulli(p);  else: y = p · old + (1 − p) · new"
    source = "Krueger et al. 2016"
    params = (
        Param("rate", "float", 0.1, "that a unit keeps its value", minimum=0.0, maximum=0.99, title="Probability p"),
    )
    words = ("regularisation", "dropout", "stochastic")

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        # Dropout of the change scales what it keeps by 1 / (1 − p); taken back, that is zoneout in both modes.
        pen, rate = _Pen(builder), float(params["rate"])
        change = pen.two("subtract", inputs["new"], inputs["old"], "change")
        attrs: dict[str, Any] = {"rate": rate, "every_step": True}
        kept = builder.op("dropout", (change,), change.signal, name="chance", **attrs)
        return {"out": pen.two("add", inputs["old"], pen.affine(kept, 1.0 - rate, 0.0, "share"))}


class Taps(NodeKind):
    name = title = "Taps"
    family = "Time"
    doc = "The window of the last values side by side, the newest first; before the beginning they are zero."
    formula = "y_t = [x_t, x_(t−g), …, x_(t−(k−1)g)]"
    source = "tapped delay line; time-delay networks: Lang and Hinton 1988; linear: autoregression AR(k)"
    inputs = (Port("input", "features along the axis"),)
    params = (
        Param("taps", "int", 4, "how many values, the present one included", minimum=1, maximum=1000, title="Taps k"),
        Param("gap", "int", 1, "steps between them", minimum=1, maximum=1000, title="Gap g", unit="steps"),
        Param("axis", "axis", "", "the axis it looks back along; empty: the input's only axis"),
    )
    words = ("window", "lags", "autoregressive", "delay line", "tdnn", "context", "past")

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = inputs["input"]
        if signal is None:
            return {"out": None}
        content = need_real(signal, "input")
        self._axis(signal, params)
        return {"out": Signal(signal.axes, Real(content.width * params["taps"]))}

    def _axis(self, signal: Signal, params: Params) -> str:
        need_steps(signal, "input")
        axis: str = params["axis"]
        if (axis and axis not in signal.axes) or (not axis and len(signal.axes) != 1):
            need = f"no axis “{axis}”" if axis else "not exactly one axis: set this node's"
            raise Mistake("MixedAxes", f"the input {signal.text()} has {need}", "input")
        return axis or signal.axes[0]

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        if params["taps"] == 1:
            return {"out": value}
        axis = self._axis(value.signal, params)
        attrs: dict[str, Any] = {"axis": axis, "initial": "zero", "weight": None, "first": 0}
        window = [value]
        for i in range(1, params["taps"]):
            k = i * params["gap"]
            window.append(builder.op("delay", (value,), value.signal, name=f"back{k}", k=k, **attrs))
        signal = Signal(value.signal.axes, Real(value.signal.width * len(window)))
        return {"out": builder.op("concat", window, signal)}

    def follows_order(self, inputs: Signals, params: Params) -> str:
        signal = inputs["input"]
        return self._axis(signal, params) if signal is not None else ""


KINDS: tuple[NodeKind, ...] = (Taps(), Clock(), Blend(), Zoneout())
