"""The wire through time: a Delay makes a state, and a loop through it a recurrent network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..design.signals import Real, Signal, Tokens
from .node import Context, Feature, Mistake, NodeKind, Param, Params, Port, Signals, need_real, need_steps
from .primitives import Builder, Init, Value


class Delay(NodeKind):
    name = title = "Delay"
    family = "Time"
    doc = "The value k steps earlier (k < 0: later). A loop must pass through one: it is what makes a state."
    formula = "y_t = x_(t−k);  outside the sequence: the initial state"
    inputs = (
        Port("input", "the value to remember"),
        Port(
            "initial", "the initial state, instead of zero; its axes (slots of a memory) are the state's", optional=True
        ),
    )
    params = (
        Param(
            "k",
            "int",
            1,
            "back in time, or ahead where it is negative",
            minimum=-1000,
            maximum=1000,
            title="Delay k",
            unit="steps",
        ),
        Param("axis", "axis", "", "the axis it steps along; empty: the only one of the input that “initial” lacks"),
        Param("initial", "choice", "zero", "state before the first step", ("zero", "learned"), title="Initial state"),
        Param(
            "first",
            "int",
            0,
            "for tokens: the number of the token that stands before the first step",
            minimum=0,
            title="Start token",
            minor=True,
        ),
        Param(
            "width",
            "int",
            0,
            "width of the state where nothing else tells",
            minimum=0,
            title="Width of the state",
            zero="the input's",
            minor=True,
        ),
    )
    symbol = "■"
    late_ports = ("input",)
    words = ("state", "memory", "recurrent", "z^-1", "lag", "previous")

    def handed_on(self, inputs: Mapping[str, Sequence[Feature]], params: Params) -> Sequence[Feature]:
        return inputs.get("input", ())

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        if params["k"] == 0:
            raise Mistake(
                "DelayOfZero", "a delay of 0 steps is no delay: set k to 1 or more, or to −1 or less", param="k"
            )
        signal = inputs["input"]
        initial = inputs.get("initial")
        if signal is None:
            return {"out": self._unread(initial, params)}
        axis = _state_axis(signal, initial, params)
        if isinstance(signal.content, Tokens):
            if params["first"] >= signal.content.size:
                raise Mistake(
                    "NoSuchToken",
                    f"the token before the first must be below {signal.content.size}: set “first”",
                    param="first",
                )
            if params["initial"] == "learned":
                raise Mistake("TokensWhereFeaturesBelong", "the initial token cannot be learned: set it as “first”")
        if initial is None:
            return {"out": signal}
        try:
            return {"out": self._begins(initial, signal, axis)}
        except Mistake as mistake:
            mistake.outputs = {"out": signal}
            raise

    def _unread(self, initial: Signal | None, params: Params) -> Signal | None:
        """What the state is where its input is not known yet, as within a loop: as told, or as it begins."""
        axis: str = params["axis"]
        if axis and initial is not None and axis not in initial.axes:
            return Signal((axis, *initial.axes), initial.content)
        return Signal((axis,), Real(params["width"])) if axis and params["width"] else None

    def _begins(self, initial: Signal, signal: Signal, axis: str) -> Signal:
        """The state of an input along an axis that begins with this value, whose further axes it has too.

        Raises Mistake when it cannot begin so.
        """
        if axis in initial.axes:
            raise Mistake(
                "MixedAxes",
                f"the initial state must not have the axis “{axis}” itself: take its Last or Mean",
                "initial",
            )
        if initial.content != signal.content:
            raise Mistake(
                "WidthClash",
                f"the initial state is {initial.text()}, the state {signal.text()}: put a Linear in between",
                "initial",
            )
        return Signal((*signal.axes, *(a for a in initial.axes if a not in signal.axes)), signal.content)

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        axis = _state_axis(value.signal, inputs["initial"].signal if "initial" in inputs else None, params)
        initial, weight = "zero", None
        sources = [value]
        if "initial" in inputs:
            initial = "wire"
            signal = self._begins(inputs["initial"].signal, value.signal, axis)
            value = _along(builder, value, signal.axes, "state")
            sources = [value, _first(builder, inputs["initial"], tuple(a for a in signal.axes if a != axis))]
        elif params["initial"] == "learned":
            initial = "learned"
            weight = builder.parameter("initial", (value.signal.width,), Init("zero"))
        attrs = {"axis": axis, "k": int(params["k"]), "initial": initial, "weight": weight, "first": params["first"]}
        return {"out": builder.op("delay", sources, value.signal, **attrs)}

    def follows_order(self, inputs: Signals, params: Params) -> str:
        signal = inputs["input"]
        return _state_axis(signal, inputs.get("initial"), params) if signal is not None else ""


def _state_axis(signal: Signal, initial: Signal | None, params: Params) -> str:
    """The axis a Delay steps along: where none is chosen, the only one of its input that its first value lacks."""
    own = [axis for axis in signal.axes if initial is not None and axis not in initial.axes]
    return own[0] if len(own) == 1 and not params["axis"] else delay_axis(signal, params)


def _along(builder: Builder, value: Value, axes: tuple[str, ...], name: str) -> Value:
    """A value at every place of these axes, some of which it has."""
    have = value.signal.axes
    if have == axes:
        return value
    signal = Signal(axes, value.signal.content)
    return builder.op("align", (value,), signal, name=name, axes=axes, present=have)


def _first(builder: Builder, initial: Value, axes: tuple[str, ...]) -> Value:
    """A state's first value; one that has the last of the state's axes, in their order, is the same for the others."""
    have = initial.signal.axes
    return initial if have == axes[len(axes) - len(have) :] else _along(builder, initial, axes, "first")


def delay_axis(signal: Signal, params: Params, port: str = "input") -> str:
    """The axis a Delay steps along. Raises Mistake when the input has none, or several and none is chosen."""
    need_steps(signal, port)
    axis: str = params["axis"]
    if axis:
        if axis not in signal.axes:
            raise Mistake(
                "MixedAxes",
                f"the {port} {signal.text()} has no axis “{axis}”: choose one it has, or none",
                port,
                "axis",
            )
        return axis
    if len(signal.axes) != 1:
        what = f"the axes {', '.join(signal.axes)}"
        raise Mistake("MixedAxes", f"the {port} {signal.text()} has {what}: set its axis", port, "axis")
    return signal.axes[0]


class Feedback(NodeKind):
    name = title = "Feedback"
    family = "Time"
    doc = (
        "The output one step earlier: while training the true one (teacher forcing), when the network runs by itself "
        "its own. Always forced it is no loop, and all steps run at once."
    )
    formula = "training: y_(t−1) with probability p, else ŷ_(t−1);  generating: ŷ_(t−1)"
    source = "Williams and Zipser 1989; scheduled sampling: Bengio et al. 2015"
    inputs = (
        Port("prediction", "the network's output: features, or a score for each token"),
        Port("target", "the true output", "any"),
    )
    params = (
        Param(
            "probability",
            "float",
            1.0,
            "probability p of teacher forcing: that a step reads the true output before",
            minimum=0.0,
            maximum=1.0,
            title="Teacher forcing p",
        ),
        Param(
            "schedule",
            "choice",
            "constant",
            "how p changes while training (scheduled sampling)",
            ("constant", "linear", "sigmoid"),
            title="Schedule of p",
        ),
        Param("end", "float", 0.0, "p at the schedule's end", minimum=0.0, maximum=1.0, title="p at the end"),
        Param(
            "over",
            "int",
            1000,
            "training steps from the first p to the last",
            minimum=1,
            title="Length of the schedule",
            unit="training steps",
        ),
        Param("sample", "bool", False, "draw the network's own token from its distribution; off: the most likely one"),
        Param(
            "first",
            "int",
            0,
            "for tokens: the number of the token before the first step",
            minimum=0,
            title="Start token",
            minor=True,
        ),
        Param("axis", "axis", "", "the axis it steps along; empty: the target's only axis"),
    )
    symbol = "↩"
    late_ports = ("prediction", "target")
    words = ("teacher forcing", "autoregressive", "output recurrence", "scheduled sampling", "decoder", "previous")

    def idle_params(self, params: Params) -> frozenset[str]:
        constant = params.get("schedule", "constant") == "constant"
        return frozenset(("end", "over")) if constant else frozenset()

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        target, prediction = inputs["target"], inputs["prediction"]
        if target is None:
            return {"out": None}
        delay_axis(target, params, "target")
        try:
            self._fits(prediction, target, params)
        except Mistake as mistake:
            mistake.outputs = {"out": target}
            raise
        return {"out": target}

    def _fits(self, prediction: Signal | None, target: Signal, params: Params) -> None:
        """Raise Mistake when the prediction is not of the target's shape."""
        if prediction is not None:
            width = need_real(prediction, "prediction").width
            wanted = target.content.size if isinstance(target.content, Tokens) else target.content.width
            if width != wanted:
                raise Mistake(
                    "WidthClash",
                    f"the prediction has width {width}, the target needs {wanted}: set the readout's units to that",
                    "prediction",
                )
            if set(prediction.axes) != set(target.axes):
                raise Mistake(
                    "MixedAxes", f"the prediction is {prediction.text()}, the target {target.text()}", "prediction"
                )
        if isinstance(target.content, Tokens) and params["first"] >= target.content.size:
            raise Mistake(
                "NoSuchToken",
                f"the token before the first must be below {target.content.size}: set “first”",
                param="first",
            )

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        target, prediction = inputs["target"], inputs["prediction"]
        axis = delay_axis(target.signal, params)
        source = target
        always = params["schedule"] == "constant" and params["probability"] >= 1.0
        forced = always or builder.mode == "forced"
        if builder.mode == "free" or not forced:
            axes, (source, _) = builder.broadcast((prediction, target))
            if isinstance(target.signal.content, Tokens):
                signal = Signal(axes, target.signal.content)
                source = builder.op("pick", (source,), signal, name="own", sample=bool(params["sample"]))
        if builder.mode != "free" and not forced:
            attrs = {key: params[key] for key in ("schedule", "probability", "end", "over")}
            source = builder.op("choose", (target, source), target.signal, name="chosen", **attrs)
        attrs = {"axis": axis, "k": 1, "initial": "zero", "weight": None, "first": int(params["first"])}
        return {"out": builder.op("delay", (source,), target.signal, **attrs)}

    def follows_order(self, inputs: Signals, params: Params) -> str:
        signal = inputs["target"]
        return delay_axis(signal, params) if signal is not None else ""


KINDS: tuple[NodeKind, ...] = (Delay(), Feedback())
