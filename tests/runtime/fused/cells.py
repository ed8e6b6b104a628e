"""Drawn cells that the tests of fused loops train: library cells, variants of the literature, invented ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler.compile import compile_design
from rnnstudio.compiler.program import Program
from rnnstudio.design.design import Design, frozen
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from rnnstudio.runtime.network import Network

Draw = Callable[[Sketch, int], str]
"""Draws a loop that reads `x` and returns its output "node.port"."""

AT = (0.0, 0.0)


def library(cell: str, output: str = "h", **params: int) -> Draw:
    def draw(s: Sketch, units: int) -> str:
        s.add("cell", "cell", at=AT, params={"cell": cell, "units": units, **params}, x="x")
        return f"cell.{output}"

    return draw


def _gate(s: Sketch, name: str, units: int, squash: str = "Sigmoid", *, h: str = "h_before", **more: str) -> str:
    total = s.add(f"{name}_sum", "Linear", at=AT, params={"units": units, "terms": 2}, input="x", input2=h)
    for extra, source in more.items():
        total = s.add(f"{name}_{extra}", "Add", at=AT, a=total, b=source)
    return s.add(name, squash, at=AT, input=total)


def delay(s: Sketch, name: str, source: str, k: int = 1, initial: str = "zero", width: int = 0) -> str:
    axis = "time" if width else ""
    return s.add(name, "Delay", at=AT, params={"k": k, "initial": initial, "axis": axis, "width": width}, input=source)


def lstm(*, k: int = 1, initial: str = "zero", peephole: bool = False) -> Draw:
    def draw(s: Sketch, units: int) -> str:
        more: dict[str, dict[str, str]] = {"f": {}, "i": {}, "o": {}}
        if peephole:
            for name, source in (("f", "c_before"), ("i", "c_before"), ("o", "c")):
                s.add(f"p{name}", "Weights", at=AT, params={"units": units, "spread": 0.5})
                more[name]["peep"] = s.add(f"peep_{name}", "Multiply", at=AT, a=f"p{name}", b=source)
        f = _gate(s, "f", units, **more["f"])
        i = _gate(s, "i", units, **more["i"])
        g = _gate(s, "g", units, "Tanh")
        kept = s.add("kept", "Multiply", at=AT, a=f, b="c_before")
        new = s.add("new", "Multiply", at=AT, a=i, b=g)
        c = s.add("c", "Add", at=AT, a=kept, b=new)
        o = _gate(s, "o", units, **more["o"])
        h = s.add("h", "Multiply", at=AT, a=o, b=s.add("shown", "Tanh", at=AT, input=c))
        delay(s, "h_before", h, k, initial)
        delay(s, "c_before", c, k, initial)
        return h

    return draw


def rnn(*, k: int = 1, initial: str = "zero", squash: str = "Tanh") -> Draw:
    def draw(s: Sketch, units: int) -> str:
        h = _gate(s, "h", units, squash)
        delay(s, "h_before", h, k, initial)
        return h

    return draw


def concat_rnn(s: Sketch, units: int) -> str:
    """The textbook's W [x, h]."""
    both = s.add("both", "Concat", at=AT, a="x", b="h_before")
    total = s.add("total", "Linear", at=AT, params={"units": units}, input=both)
    h = s.add("h", "Tanh", at=AT, input=total)
    delay(s, "h_before", h, width=units)
    return h


def concat_lstm(s: Sketch, units: int) -> str:
    """The textbook's LSTM, each gate W [x, h]: products stack parts of weights, which lie in no one memory."""
    both = s.add("both", "Concat", at=AT, a="x", b="h_before")
    gates = []
    for name, squash in (("f", "Sigmoid"), ("i", "Sigmoid"), ("o", "Sigmoid"), ("g", "Tanh")):
        total = s.add(f"{name}_in", "Linear", at=AT, params={"units": units}, input=both)
        gates.append(s.add(name, squash, at=AT, input=total))
    f, i, o, g = gates
    kept, new = s.add("kept", "Multiply", at=AT, a=f, b="c_before"), s.add("new", "Multiply", at=AT, a=i, b=g)
    c = s.add("c", "Add", at=AT, a=kept, b=new)
    h = s.add("h", "Multiply", at=AT, a=o, b=s.add("shown", "Tanh", at=AT, input=c))
    delay(s, "h_before", h, width=units)
    delay(s, "c_before", c, width=units)
    return h


def sliced_gates(s: Sketch, units: int) -> str:
    """One map of 2n rows, cut into gate and candidate."""
    total = s.add("all", "Linear", at=AT, params={"units": 2 * units, "terms": 2}, input="x", input2="h_before")
    z = s.add("z_in", "Slice", at=AT, params={"start": 0, "stop": units}, input=total)
    n = s.add("n_in", "Slice", at=AT, params={"start": units, "stop": 2 * units}, input=total)
    z, n = s.add("z", "Sigmoid", at=AT, input=z), s.add("n", "Tanh", at=AT, input=n)
    rest = s.add("rest", "OneMinus", at=AT, input=z)
    a = s.add("a", "Multiply", at=AT, a=z, b="h_before")
    b = s.add("b", "Multiply", at=AT, a=rest, b=n)
    h = s.add("h", "Add", at=AT, a=a, b=b)
    delay(s, "h_before", h)
    return h


def reset_before(s: Sketch, units: int) -> str:
    """GRU of Cho et al. 2014 with the reset gate before the product: two products a step."""
    z, r = _gate(s, "z", units), _gate(s, "r", units)
    hidden = s.add("reset_h", "Multiply", at=AT, a=r, b="h_before")
    n = _gate(s, "n", units, "Tanh", h=hidden)
    moved = s.add("moved", "Subtract", at=AT, a="h_before", b=n)
    h = s.add("h", "Add", at=AT, a=n, b=s.add("mixed", "Multiply", at=AT, a=z, b=moved))
    delay(s, "h_before", h)
    return h


def invented(s: Sketch, units: int) -> str:
    """Three states, coupled gates, a peephole, a leaky second memory."""
    f, g, o = _gate(s, "f", units), _gate(s, "g", units, "Tanh"), _gate(s, "o", units)
    s.add("pk", "Weights", at=AT, params={"units": units, "value": 0.3, "spread": 0.2})
    k = _gate(s, "k", units, peep=s.add("peep", "Multiply", at=AT, a="pk", b="m_before"))
    m = _mix(s, "m", f, "m_before", g)
    fed = s.add("fed", "Add", at=AT, a=m, b=s.add("gf", "Multiply", at=AT, a=g, b=f))
    q = _mix(s, "q", k, "q_before", s.add("squashed", "Tanh", at=AT, input=fed))
    shown = s.add("shown", "Tanh", at=AT, input=s.add("mq", "Add", at=AT, a=m, b=q))
    h = s.add("h", "Multiply", at=AT, a=o, b=shown)
    for name, source in (("h", h), ("m", m), ("q", q)):
        delay(s, f"{name}_before", source)
    return h


def _mix(s: Sketch, name: str, gate: str, old: str, new: str) -> str:
    a = s.add(f"{name}_old", "Multiply", at=AT, a=gate, b=old)
    rest = s.add(f"{name}_rest", "OneMinus", at=AT, input=gate)
    return s.add(name, "Add", at=AT, a=a, b=s.add(f"{name}_new", "Multiply", at=AT, a=rest, b=new))


def deep(s: Sketch, units: int) -> str:
    """A transition of three products, with a skip from the first to the last."""
    a = _gate(s, "a", units, "Tanh")
    b = s.add("b", "Relu", at=AT, input=s.add("b_sum", "Linear", at=AT, params={"units": units + 3}, input=a))
    c = s.add("c_sum", "Linear", at=AT, params={"units": units}, input=b)
    h = s.add("h", "Tanh", at=AT, input=s.add("skip", "Add", at=AT, a=c, b=a))
    delay(s, "h_before", h)
    return h


def two_lags(s: Sketch, units: int) -> str:
    """Reads its state one and three steps back, and two states of different widths."""
    total = s.add(
        "total",
        "Linear",
        at=AT,
        params={"units": units, "terms": 4},
        input="x",
        input2="h_before",
        input3="h_long",
        input4="w_before",
    )
    h = s.add("h", "Tanh", at=AT, input=total)
    wide = s.add("w_in", "Linear", at=AT, params={"units": units + 5, "terms": 2}, input="w_before", input2=h)
    w = s.add("w", "Softplus", at=AT, input=wide)
    squashed = s.add("w_s", "Sigmoid", at=AT, input=w)
    delay(s, "h_before", h)
    delay(s, "h_long", h, 3)
    delay(s, "w_before", squashed)
    return h


def kinks(s: Sketch, units: int) -> str:
    """Maximum, softplus, exponential, scale."""
    a = s.add("a", "Linear", at=AT, params={"units": units, "terms": 2}, input="x", input2="h_before")
    b = s.add("b", "Linear", at=AT, params={"units": units, "terms": 2}, input="x", input2="h_before")
    top = s.add("top", "Maximum", at=AT, a=a, b=b)
    soft = s.add("soft", "Softplus", at=AT, input=a)
    small = s.add("small", "Scale", at=AT, params={"scale": -0.5, "offset": 0.1}, input=soft)
    e = s.add("e", "Exp", at=AT, input=small)
    h = s.add("h", "Tanh", at=AT, input=s.add("sum", "Add", at=AT, params={"terms": 3}, a=top, b=e, c="h_before"))
    delay(s, "h_before", h)
    return h


def one_gate(s: Sketch, units: int) -> str:
    """One gate for all units, and a state whose features sum to one."""
    gate = s.add("gate_sum", "Linear", at=AT, params={"units": 1, "terms": 2}, input="x", input2="h_before")
    gate = s.add("gate", "Sigmoid", at=AT, input=gate)
    new = _gate(s, "new", units, "Softmax")
    moved = s.add("moved", "Subtract", at=AT, a=new, b="h_before")
    h = s.add("h", "Add", at=AT, a="h_before", b=s.add("part", "Multiply", at=AT, a=gate, b=moved))
    delay(s, "h_before", h, width=units)
    return h


def gate_of_width_one(s: Sketch, units: int) -> str:
    """A gate for all units whose gradient reads what the gradients of the others would be written over."""
    gate = s.add("gate_sum", "Linear", at=AT, params={"units": 1, "terms": 2}, input="x", input2="h_before")
    gate = s.add("gate", "Sigmoid", at=AT, input=gate)
    h = s.add("h", "Multiply", at=AT, a=gate, b=_gate(s, "new", units, "Tanh"))
    delay(s, "h_before", h, width=units)
    return h


def normalised(s: Sketch, units: int) -> str:
    """Layer normalisation of every gate, as in Ba et al. 2016, and of the state."""
    z, n = _gate(s, "z", units, "LayerNorm"), _gate(s, "n", units, "LayerNorm")
    z, n = s.add("z_s", "Sigmoid", at=AT, input=z), s.add("n_t", "Tanh", at=AT, input=n)
    c = _mix(s, "c", z, "c_before", n)
    h = s.add("h", "Tanh", at=AT, input=s.add("c_norm", "LayerNorm", at=AT, input=c))
    delay(s, "h_before", h)
    delay(s, "c_before", c)
    return h


def started(s: Sketch, units: int) -> str:
    """Begins at a state made from the first input; gates see a value without time, too."""
    first = s.add("first", "First", at=AT, input="x")
    start = s.add("start", "Linear", at=AT, params={"units": units}, input=first)
    total = s.add(
        "total", "Linear", at=AT, params={"units": units, "terms": 3}, input="x", input2="h_before", input3=first
    )
    scaled = s.add("scaled", "Multiply", at=AT, a=total, b=s.add("factor", "Sigmoid", at=AT, input=start))
    h = s.add("h", "Tanh", at=AT, input=scaled)
    s.add("h_before", "Delay", at=AT, params={"axis": "time", "width": units}, input=h, initial=start)
    return h


def fed(s: Sketch, units: int) -> str:
    """Multiplies by values made before the loop, and by the state of two steps ago through a second delay."""
    inner = s.add("inner_sum", "Linear", at=AT, params={"units": units}, input="x")
    inner = s.add("inner", "Sigmoid", at=AT, input=inner)
    total = s.add("total", "Linear", at=AT, params={"units": units, "terms": 2}, input="x", input2="h_before")
    h = s.add("h", "Tanh", at=AT, input=s.add("gated", "Multiply", at=AT, a=total, b=inner))
    old = s.add("old", "Multiply", at=AT, a=inner, b="h_older")
    out = s.add("out", "Add", at=AT, a=h, b=old)
    delay(s, "h_before", out, width=units)
    delay(s, "h_older", "h_before", width=units)
    return s.add("both", "Concat", at=AT, a=out, b="h_older")


def backward(draw: Draw) -> Draw:
    """The same loop from the last step to the first."""

    def turned(s: Sketch, units: int) -> str:
        out = draw(s, units)
        for name, node in list(s._nodes.items()):
            if node.kind == "Delay":
                params = {**node.params, "k": -int(node.params["k"])}
                s._nodes[name] = type(node)(node.id, node.kind, frozen(params), node.x, node.y, node.title)
        return out

    return turned


CELLS: dict[str, Draw] = {
    "rnn": library("RNN"),
    "lstm": library("LSTM"),
    "lstm, memory read": library("LSTM", "c"),
    "gru": library("GRU"),
    "peephole lstm": lstm(peephole=True),
    "lstm, delay 2": lstm(k=2),
    "lstm, learned start": lstm(initial="learned"),
    "lstm, backward": backward(lstm()),
    "peephole lstm, backward": backward(lstm(peephole=True)),
    "relu": rnn(squash="Relu"),
    "rnn, delay 3, backward": backward(rnn(k=3)),
    "concat": concat_rnn,
    "concat lstm": concat_lstm,
    "sliced gates": sliced_gates,
    "reset before": reset_before,
    "invented": invented,
    "deep": deep,
    "two lags": two_lags,
    "kinks": kinks,
    "one gate": one_gate,
    "gate of width one": gate_of_width_one,
    "normalised": normalised,
    "wired start": started,
    "fed from outside": fed,
    "fed from outside, backward": backward(fed),
}


def program(draw: Draw, units: int, inputs: int = 3, outputs: int = 2) -> Program:
    """Features → loop → linear readout → squared error."""
    s = Sketch()
    s.add("x", "FeatureInput", at=AT, params={"field": "inputs"})
    out = draw(s, units)
    s.add("readout", "Linear", at=AT, params={"units": outputs}, input=out)
    s.add("y", "FeatureTarget", at=AT, params={"field": "targets"})
    s.add("loss", "MeanSquaredError", at=AT, prediction="readout", target="y")
    cells = standard().cells
    used = {str(n.params["cell"]) for n in s._nodes.values() if n.kind == "cell"}
    fields = (FieldSpec("inputs", "real", inputs, "time"), FieldSpec("targets", "real", outputs, "time"))
    recipe = DataRecipe("csv", "", {}, (0.8, 0.1, 0.1), fields)
    design = Design(name="t", graph=s.graph(), cells=frozen({k: c for k, c in cells.items() if k in used}), data=recipe)
    return compile_design(design, standard())


def batch(inputs: int, outputs: int, size: int, steps: int, dtype: torch.dtype, seed: int = 0) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(size, steps, inputs, generator=g, dtype=torch.float64).to(dtype)
    y = torch.randn(size, steps, outputs, generator=g, dtype=torch.float64).to(dtype)
    return {"inputs": x, "targets": y}


def lengths(size: int, steps: int, seed: int = 0) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(seed)
    found = torch.randint(1, steps + 1, (size,), generator=g)
    found[0] = steps
    return {"time": found}


def network(made: Program, dtype: torch.dtype, **options: object) -> Network:
    net = Network(made, 1, **options).to(dtype)
    with torch.no_grad():
        for path, tensor in net.weights.items():
            g = torch.Generator().manual_seed(len(path) + sum(map(ord, path)))
            tensor.add_(torch.randn(tensor.shape, generator=g, dtype=torch.float64).to(dtype) * 0.2)
    return net
