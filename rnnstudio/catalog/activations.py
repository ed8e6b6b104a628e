"""Elementwise functions of one input beyond the gates' own: most are compositions of a few primitives."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from .node import NodeKind, Param, Params
from .pointwise import Unary, unpadded
from .primitives import Builder, Value


class _Composed(Unary):
    """A function made of several primitives, written by `of`."""

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        return {"out": self.of(_Pen(builder), inputs["input"], params)}

    def of(self, pen: _Pen, x: Value, params: Params) -> Value:
        raise NotImplementedError


class _Pen:
    """Writes elementwise primitives of one signal."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder

    def __call__(self, kind: str, *values: Value, name: str = "", **attrs: float) -> Value:
        return self.builder.op(kind, values, values[0].signal, name=name, **attrs)

    def scaled(self, x: Value, scale: float, offset: float, name: str) -> Value:
        return self("affine", x, name=name, scale=scale, offset=offset)


class Log(Unary):
    name = title = "Log"
    doc = "The natural logarithm of each feature, which must be positive."
    formula = "log x"
    symbol = "log"
    words = ("logarithm", "ln")

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = unpadded(builder, inputs["input"], 1.0)
        return {"out": builder.op("log", (value,), value.signal)}


class Abs(Unary):
    name = "Abs"
    title = "Absolute value"
    doc = "The size of each feature, without its sign."
    formula = "|x|"
    primitive = "abs"
    symbol = "|x|"
    words = ("magnitude", "modulus")


class Square(Unary):
    name = title = "Square"
    doc = "Each feature times itself."
    formula = "x²"
    primitive = "square"
    symbol = "x²"
    words = ("power",)


class Sign(Unary):
    name = title = "Sign"
    doc = "−1, 0 or 1. Its gradient is 0 everywhere, so nothing in front of it learns."
    formula = "sign x"
    primitive = "sign"
    symbol = "±"
    words = ("step", "threshold")


class Gelu(_Composed):
    name = "Gelu"
    title = "GELU"
    doc = "A smooth ReLU: each feature times the chance that a standard normal number lies below it."
    formula = "gelu(x) = x Φ(x) = x (1 + erf(x / √2)) / 2"
    source = "Hendrycks and Gimpel 2016"
    words = ("activation", "gaussian")

    def of(self, pen: _Pen, x: Value, params: Params) -> Value:
        erf = pen("erf", pen.scaled(x, 1.0 / sqrt(2.0), 0.0, "scaled"), name="erf")
        return pen("multiply", x, pen.scaled(erf, 0.5, 0.5, "chance"))


class Silu(_Composed):
    name = "Silu"
    title = "SiLU"
    doc = "Each feature times its own sigmoid, also called swish."
    formula = "silu(x) = x σ(x)"
    source = "Elfwing et al. 2017; Ramachandran et al. 2017"
    words = ("activation", "swish")

    def of(self, pen: _Pen, x: Value, params: Params) -> Value:
        return pen("multiply", x, pen("sigmoid", x, name="gate"))


class Elu(_Composed):
    name = "Elu"
    title = "ELU"
    doc = "Passes what is positive and bends what is negative towards −α."
    formula = "elu(x) = x for x > 0, else α (eˣ − 1)"
    source = "Clevert et al. 2015"
    params = (Param("alpha", "float", 1.0, "α: what very negative numbers become, with a minus", minimum=0.0),)
    words = ("activation", "exponential")

    def of(self, pen: _Pen, x: Value, params: Params) -> Value:
        below = pen("relu", pen.scaled(x, -1.0, 0.0, "turned"), name="below")
        bent = pen("exp", pen.scaled(below, -1.0, 0.0, "negative"), name="exp")
        alpha = float(params["alpha"])
        return pen("add", pen("relu", x, name="above"), pen.scaled(bent, alpha, -alpha, "bent"))


class LeakyRelu(_Composed):
    name = "LeakyRelu"
    title = "Leaky ReLU"
    doc = "Passes what is positive, and a little of what is negative."
    formula = "y = x for x > 0, else slope · x"
    source = "Maas et al. 2013"
    params = (Param("slope", "float", 0.01, "how much of a negative number passes"),)
    words = ("activation", "rectifier")

    def of(self, pen: _Pen, x: Value, params: Params) -> Value:
        slope = float(params["slope"])
        above = pen.scaled(pen("relu", x, name="above"), 1.0 - slope, 0.0, "more")
        return pen("add", above, pen.scaled(x, slope, 0.0, "little"))


class HardSigmoid(_Composed):
    name = "HardSigmoid"
    title = "Hard sigmoid"
    doc = "A sigmoid of three straight lines: 0 below −3, 1 above 3."
    formula = "y = min(1, max(0, x/6 + 1/2))"
    source = "Courbariaux et al. 2015, with the slope of torch.nn.Hardsigmoid"
    words = ("gate", "activation")

    def of(self, pen: _Pen, x: Value, params: Params) -> Value:
        low = pen("relu", pen.scaled(x, 1.0 / 6.0, 0.5, "line"), name="low")
        high = pen("relu", pen.scaled(x, 1.0 / 6.0, -0.5, "over"), name="high")
        return pen("subtract", low, high)


KINDS: tuple[NodeKind, ...] = (Log(), Abs(), Square(), Sign(), Gelu(), Silu(), Elu(), LeakyRelu(), HardSigmoid())
