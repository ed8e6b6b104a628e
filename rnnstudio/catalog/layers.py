"""Layers with parameters, and dropout."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from ..design.signals import Real, Signal
from .node import (
    TERMS,
    Context,
    Mistake,
    NodeKind,
    Param,
    Params,
    Port,
    Signals,
    counted,
    joint_axes,
    need_real,
    need_tokens,
)
from .primitives import Builder, Init, Value

WEIGHT_INITS = ("uniform", "xavier", "he", "orthogonal", "identity", "normal", "zero", "spectral_radius")


def weight_init(name: str, fan_in: int, gain: float = 1.0, density: float = 1.0) -> Init:
    """The initialiser of a matrix. "uniform" is torch's own for a linear layer: U(−1/√n, 1/√n), n inputs."""
    if name == "spectral_radius":
        return Init(name, (gain, density))
    return Init("uniform", (gain / sqrt(fan_in),)) if name == "uniform" else Init(name, (gain,))


class Linear(NodeKind):
    name = "Linear"
    title = "Linear"
    family = "Layers"
    doc = "A weighted sum of each input's features, plus a bias. With several inputs: one matrix each, added."
    formula = "y = W x + b\nwith more inputs: y = W x + W₂ x₂ + … + b"
    params = (
        Param("units", "int", 128, "width of the output", minimum=1, maximum=65536),
        Param(
            "terms",
            "int",
            1,
            "number of inputs, each with a matrix of its own",
            minimum=1,
            maximum=TERMS,
            title="Inputs",
        ),
        Param("bias", "bool", True, "add a trained bias b"),
        Param("bias_value", "float", 0.0, "what the bias starts at (a forget gate: 1)", title="Start of b", minor=True),
        Param(
            "init", "choice", "uniform", "how the matrix of the first input starts", WEIGHT_INITS, title="Start of W"
        ),
        Param(
            "init2",
            "choice",
            "uniform",
            "how the matrices of the other inputs start",
            WEIGHT_INITS,
            title="Start of U",
        ),
        Param("gain", "float", 1.0, "factor of the start of W", minimum=0.0, title="Scale of W", minor=True),
        Param("gain2", "float", 1.0, "factor of the start of U", minimum=0.0, title="Scale of U", minor=True),
        Param(
            "density",
            "float",
            1.0,
            "share of entries that are not zero, of a start by spectral radius",
            minimum=0.0,
            maximum=1.0,
            title="Connected share",
        ),
        Param(
            "fan",
            "int",
            0,
            "the start “uniform” is U(−1/√n, 1/√n); torch's recurrent cells take the units for n",
            minimum=0,
            title="n of ±1/√n",
            zero="the input's width",
            minor=True,
        ),
        Param("frozen", "bool", False, "never trained", minor=True),
    )
    words = ("dense", "fully connected", "affine", "projection", "matrix", "readout")

    def input_ports(self, params: Params) -> tuple[Port, ...]:
        terms = counted(params.get("terms"), 1)
        return tuple(Port("input" if i == 0 else f"input{i + 1}", "features") for i in range(terms))

    def label_of(self, param: Param, params: Params) -> str:
        start = {"gain": "init", "gain2": "init2"}.get(param.name, "")
        return "Spectral radius" if params.get(start) == "spectral_radius" else param.label

    def idle_params(self, params: Params) -> frozenset[str]:
        several = counted(params.get("terms"), 1) > 1
        starts = {params.get("init", "uniform"), *([params.get("init2", "uniform")] if several else [])}
        idle = {
            "init2": not several,
            "gain2": not several,
            "density": "spectral_radius" not in starts,
            "fan": "uniform" not in starts,
            "bias_value": params.get("bias", True) is False,
        }
        return frozenset(name for name, unused in idle.items() if unused)

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        known = {port: s for port, s in inputs.items() if s is not None}
        for port, signal in known.items():
            width = need_real(signal, port).width
            init = params["init"] if port == "input" else params["init2"]
            if init == "spectral_radius" and width != params["units"]:
                raise Mistake(
                    "WidthClash",
                    f"a spectral radius needs a square matrix, but “{port}” has width {width} and the units are "
                    f"{params['units']}: choose another start for this input",
                    port,
                )
        if not known:
            return {"out": None}
        return {"out": Signal(joint_axes(known), Real(params["units"]))}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        units = params["units"]
        terms: list[Value] = []
        for port, value in inputs.items():
            i = int(port.removeprefix("input") or 1) - 1
            suffix = "" if i == 0 else str(i + 1)
            width = value.signal.width
            kind, gain = (params["init"], params["gain"]) if port == "input" else (params["init2"], params["gain2"])
            init = weight_init(kind, params["fan"] or width, float(gain), float(params["density"]))
            trainable = not params["frozen"]
            weight = builder.parameter(f"weight{suffix}", (units, width), init, trainable=trainable)
            bias = None
            if not terms and params["bias"]:
                start = Init("constant", (float(params["bias_value"]),))
                bias = builder.parameter("bias", (units,), start, trainable=trainable)
            signal = Signal(value.signal.axes, Real(units))
            terms.append(builder.op("linear", (value,), signal, name=f"term{suffix}", weight=weight, bias=bias))
        _, aligned = builder.broadcast(terms)
        total = aligned[0]
        for i, term in enumerate(aligned[1:]):
            axes = max(total.signal.axes, term.signal.axes, key=len)
            total = builder.op("add", (total, term), Signal(axes, Real(units)), name=f"sum{i + 2}")
        return {"out": total}


class Bilinear(NodeKind):
    name = title = "Bilinear"
    family = "Layers"
    doc = "How two inputs meet: one matrix for each unit, between the one and the other."
    formula = "y_k = aᵀ V_k b + b_k"
    source = "the tensor of Socher et al. 2013"
    inputs = (Port("a", "features"), Port("b", "features"))
    params = (
        Param("units", "int", 32, "width of the output", minimum=1, maximum=65536),
        Param("bias", "bool", True, "add a trained bias"),
        Param("init", "choice", "normal", "how the matrices start", ("normal", "zero"), title="Start of V", minor=True),
        Param(
            "spread",
            "float",
            0.0,
            "standard deviation of the start",
            minimum=0.0,
            title="Deviation of V",
            zero="1 / width of a and b",
            minor=True,
        ),
    )
    words = ("tensor", "rntn", "product", "multiplicative")

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        known = {port: s for port, s in inputs.items() if s is not None}
        for port, signal in known.items():
            need_real(signal, port)
        return {"out": Signal(joint_axes(known), Real(params["units"])) if known else None}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        axes, (a, b) = builder.broadcast((inputs["a"], inputs["b"]))
        units = params["units"]
        spread = params["spread"] or 1.0 / (a.signal.width + b.signal.width)
        start = Init("normal", (spread,)) if params["init"] == "normal" else Init("zero")
        weight = builder.parameter("weight", (units, a.signal.width, b.signal.width), start)
        bias = builder.parameter("bias", (units,), Init("zero")) if params["bias"] else None
        return {"out": builder.op("bilinear", (a, b), Signal(axes, Real(units)), weight=weight, bias=bias)}


class Embedding(NodeKind):
    name = "Embedding"
    title = "Embedding"
    family = "Layers"
    doc = "A trained vector for each token."
    formula = "y_t = E[x_t],  E ∈ ℝ^(V×n)"
    inputs = (Port("input", "tokens", "tokens"),)
    params = (
        Param("units", "int", 64, "width of a token's vector", minimum=1, maximum=65536),
        Param(
            "init",
            "choice",
            "normal",
            "how the vectors start",
            ("normal", "uniform", "xavier", "zero"),
            title="Start",
            minor=True,
        ),
    )
    words = ("lookup", "word vectors", "table")

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = inputs["input"]
        if signal is None:
            return {"out": None}
        need_tokens(signal, "input")
        return {"out": Signal(signal.axes, Real(params["units"]))}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        units = params["units"]
        size = need_tokens(value.signal, "input").size
        weight = builder.parameter("weight", (size, units), weight_init(params["init"], units))
        return {"out": builder.op("embed", (value,), Signal(value.signal.axes, Real(units)), weight=weight)}


class Weights(NodeKind):
    name = "Weights"
    title = "Weights"
    family = "Layers"
    doc = "A trained vector, the same at every step and for every example: a peephole, a time constant, a bias."
    formula = "y = p,  p ∈ ℝⁿ"
    params = (
        Param("units", "int", 128, "length of the vector", minimum=1, maximum=65536),
        Param("value", "float", 0.0, "what it starts at"),
        Param("spread", "float", 0.0, "starts within value ± spread, uniformly", minimum=0.0),
        Param("spacing", "choice", "none", "spaced over the units from value to last", ("none", "even", "geometric")),
        Param("last", "float", 1.0, "the last unit's start, where they are spaced"),
        Param("frozen", "bool", False, "never trained"),
    )
    words = ("vector", "peephole", "constant", "parameter", "bias")

    def idle_params(self, params: Params) -> frozenset[str]:
        return frozenset({"last"} if params.get("spacing", "none") == "none" else {"spread"})

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        if params["spacing"] == "geometric" and min(params["value"], params["last"]) <= 0:
            text = "a geometric spacing runs between two positive numbers: value and last"
            raise Mistake("WrongParameter", text, param="spacing")
        return {"out": Signal((), Real(params["units"]))}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value, last = float(params["value"]), float(params["last"])
        start = Init("around", (value, float(params["spread"])))
        if params["spacing"] != "none":
            start = Init(params["spacing"], (value, last, float(params["units"])))
        weight = builder.parameter("weight", (params["units"],), start, trainable=not params["frozen"])
        return {"out": builder.op("parameter", (), Signal((), Real(params["units"])), weight=weight)}


class Dropout(NodeKind):
    name = "Dropout"
    title = "Dropout"
    family = "Layers"
    doc = "While training, zeroes features at random and scales up the rest; otherwise passes everything."
    formula = "y = x ⊙ m / (1 − p),  m ~ Bernoulli(1 − p)"
    source = "Srivastava et al. 2014; one mask for all steps: Gal and Ghahramani 2016"
    inputs = (Port("input", "features"),)
    params = (
        Param("rate", "float", 0.2, "probability of a zero", minimum=0.0, maximum=0.99, title="Probability p"),
        Param("every_step", "bool", True, "a new mask at every step; off: one mask for all steps"),
    )
    words = ("regularisation", "variational")

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = inputs["input"]
        if signal is not None:
            need_real(signal, "input")
        return {"out": signal}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        rate = float(params["rate"])
        every = bool(params["every_step"])
        return {"out": builder.op("dropout", (value,), value.signal, rate=rate, every_step=every)}


KINDS: tuple[NodeKind, ...] = (Linear(), Bilinear(), Embedding(), Weights(), Dropout())
