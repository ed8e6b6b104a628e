"""Elementwise nodes: activations, sums, products, and joining features side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from ..design.signals import Real, Signal
from .node import (
    TERMS,
    Context,
    Feature,
    Mistake,
    NodeKind,
    Param,
    Params,
    Port,
    Signals,
    counted,
    joint_axes,
    joint_width,
    letter,
    need_real,
)
from .primitives import Builder, Value


def unpadded(builder: Builder, value: Value, fill: float) -> Value:
    """`value` with its padding replaced by a harmless number: a log 0 there would spoil gradients elsewhere."""
    axes = value.signal.axes
    if not axes:
        return value
    return builder.op("blank", (value,), value.signal, name="own", over=axes, axes=axes, fill=fill)


class Unary(NodeKind):
    """An elementwise node of one input; a subclass names its primitive."""

    family = "Pointwise"
    inputs = (Port("input", "features"),)
    primitive = ""

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = inputs["input"]
        if signal is not None:
            need_real(signal, "input")
        return {"out": signal}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        return {"out": builder.op(self.primitive, (inputs["input"],), inputs["input"].signal)}


class Sigmoid(Unary):
    name = title = "Sigmoid"
    doc = "Squashes into 0 … 1: the shape of a gate."
    formula = "σ(x) = 1 / (1 + e⁻ˣ)"
    primitive = "sigmoid"
    symbol = "σ"
    words = ("gate", "logistic")


class Tanh(Unary):
    name = title = "Tanh"
    doc = "Squashes into −1 … 1."
    formula = "tanh(x) = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)"
    primitive = "tanh"
    symbol = "tanh"
    words = ("activation", "squash")


class Relu(Unary):
    name = "Relu"
    title = "ReLU"
    doc = "Passes what is positive."
    formula = "relu(x) = max(0, x)"
    primitive = "relu"
    symbol = "relu"
    words = ("activation", "rectifier")


class Softplus(Unary):
    name = title = "Softplus"
    doc = "A smooth ReLU, always positive."
    formula = "log(1 + eˣ)"
    primitive = "softplus"


class Exp(Unary):
    name = title = "Exp"
    doc = "e to the power of each feature."
    formula = "eˣ"
    primitive = "exp"
    symbol = "eˣ"


class Affine(Unary):
    name = title = "Scale"
    doc = "Multiplies by a fixed number and adds another."
    formula = "y = scale · x + offset"
    primitive = "affine"
    params = (
        Param("scale", "float", 1.0, "the factor"),
        Param("offset", "float", 0.0, "what is added"),
    )
    words = ("constant", "gain", "affine")

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        scale, offset = float(params["scale"]), float(params["offset"])
        return {"out": builder.op("affine", (value,), value.signal, scale=scale, offset=offset)}


class OneMinus(Unary):
    name = "OneMinus"
    title = "One minus"
    doc = "The rest of a gate."
    formula = "y = 1 − x"
    symbol = "1−"
    words = ("complement", "coupled")

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        return {"out": builder.op("affine", (value,), value.signal, scale=-1.0, offset=1.0)}


class _Several(NodeKind):
    """An elementwise node of two or more inputs; missing axes and a width of 1 broadcast."""

    family = "Pointwise"
    primitive = ""
    params: ClassVar[tuple[Param, ...]] = (
        Param("terms", "int", 2, "number of inputs", minimum=2, maximum=TERMS, title="Inputs"),
    )

    def input_ports(self, params: Params) -> tuple[Port, ...]:
        return tuple(Port(letter(i), "features") for i in range(counted(params.get("terms"), 2)))

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        known = {port: s for port, s in inputs.items() if s is not None}
        if not known:
            return {"out": None}
        return {"out": Signal(joint_axes(known), Real(joint_width(known)))}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        _, values = builder.broadcast(tuple(inputs.values()))
        total = values[0]
        for i, value in enumerate(values[1:]):
            axes = max(total.signal.axes, value.signal.axes, key=len)
            signal = Signal(axes, Real(max(total.signal.width, value.signal.width)))
            total = builder.op(self.primitive, (total, value), signal, name="" if i == 0 else str(i + 1))
        return {"out": total}


class Add(_Several):
    name = title = "Add"
    doc = "Adds its inputs, element by element."
    formula = "y = a + b + …"
    primitive = "add"
    symbol = "+"
    words = ("sum", "plus", "residual")


class Multiply(_Several):
    name = title = "Multiply"
    doc = "Multiplies its inputs, element by element: how a gate acts."
    formula = "y = a ⊙ b ⊙ …"
    primitive = "multiply"
    symbol = "×"
    words = ("product", "gate", "hadamard")


class Subtract(_Several):
    name = title = "Subtract"
    doc = "The first input minus the second, element by element."
    formula = "y = a − b"
    primitive = "subtract"
    symbol = "−"
    params = ()
    words = ("minus", "difference")

    def input_ports(self, params: Params) -> tuple[Port, ...]:
        return (Port("a", "features"), Port("b", "features"))


class Divide(_Several):
    name = title = "Divide"
    doc = "The first input divided by the second, element by element."
    formula = "y = a / b"
    primitive = "divide"
    symbol = "÷"
    params = ()
    words = ("ratio", "quotient")

    def input_ports(self, params: Params) -> tuple[Port, ...]:
        return (Port("a", "features"), Port("b", "features, none of them 0"))

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        return super().build(builder, {"a": inputs["a"], "b": unpadded(builder, inputs["b"], 1.0)}, params)


class Maximum(_Several):
    name = title = "Maximum"
    doc = "The larger of its inputs, element by element."
    formula = "y = max(a, b, …)"
    primitive = "maximum"
    symbol = "max"


class Minimum(_Several):
    name = title = "Minimum"
    doc = "The smaller of its inputs, element by element."
    formula = "y = min(a, b, …)"
    primitive = "minimum"
    symbol = "min"


class Concat(NodeKind):
    name = title = "Concat"
    family = "Pointwise"
    doc = "Puts features side by side."
    formula = "y = [a, b, …]"
    params = (Param("terms", "int", 2, "number of inputs", minimum=2, maximum=TERMS, title="Inputs"),)
    words = ("join", "stack", "concatenate")

    def input_ports(self, params: Params) -> tuple[Port, ...]:
        return tuple(Port(letter(i), "features") for i in range(counted(params.get("terms"), 2)))

    def handed_on(self, inputs: Mapping[str, Sequence[Feature]], params: Params) -> Sequence[Feature]:
        ports = [port.name for port in self.input_ports(params)]
        return [feature for port in ports for feature in inputs[port]] if all(map(inputs.get, ports)) else ()

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        known = {port: s for port, s in inputs.items() if s is not None}
        if len(known) < len(inputs):
            return {"out": None}
        width = sum(need_real(s, port).width for port, s in known.items())
        return {"out": Signal(joint_axes(known), Real(width))}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        axes, values = builder.broadcast(tuple(inputs.values()))
        width = sum(v.signal.width for v in values)
        return {"out": builder.op("concat", values, Signal(axes, Real(width)))}


class Slice(NodeKind):
    name = title = "Slice"
    family = "Pointwise"
    doc = "Some of the features."
    formula = "y = x[start … stop−1]"
    inputs = (Port("input", "features"),)
    params = (
        Param("start", "int", 0, "first feature", minimum=0),
        Param("stop", "int", 1, "one past the last feature", minimum=1),
    )
    words = ("columns", "part", "split")

    def handed_on(self, inputs: Mapping[str, Sequence[Feature]], params: Params) -> Sequence[Feature]:
        return inputs.get("input", ())[params["start"] : params["stop"]]

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = inputs["input"]
        if signal is None:
            return {"out": None}
        width = need_real(signal, "input").width
        start, stop = params["start"], params["stop"]
        if not start < stop <= width:
            raise Mistake(
                "EmptySlice",
                f"features {start} … {stop - 1} are not in an input of width {width}: change start or stop",
                "input",
            )
        return {"out": Signal(signal.axes, Real(stop - start))}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        start, stop = params["start"], params["stop"]
        signal = Signal(value.signal.axes, Real(stop - start))
        return {"out": builder.op("slice", (value,), signal, start=start, stop=stop)}


KINDS: tuple[NodeKind, ...] = (
    Sigmoid(),
    Tanh(),
    Relu(),
    Softplus(),
    Exp(),
    Affine(),
    OneMinus(),
    Add(),
    Multiply(),
    Subtract(),
    Divide(),
    Maximum(),
    Minimum(),
    Concat(),
    Slice(),
)
