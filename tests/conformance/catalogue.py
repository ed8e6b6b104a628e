"""Drawings of the nodes of the catalogue, one or few nodes each, and what every one of them must hold."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import Program
from rnnstudio.design.design import CellDefinition, Design, frozen
from rnnstudio.runtime import Network
from tests.conformance.running import Tensors, network_of, program_of

WIDTH = 4


def inputs(s: Sketch, **axes: str) -> None:
    """A feature input for each keyword: name = axis ("" for a vector), WIDTH features wide."""
    for i, (name, axis) in enumerate(axes.items()):
        s.add(name, "FeatureInput", at=(0, i), params={"field": name, "axis": axis, "size": WIDTH})


def design(s: Sketch, **outputs: str) -> Design:
    """The design of a sketch without data, with the library's cells it uses and these outputs."""
    for i, (name, source) in enumerate(outputs.items()):
        s.add(name, "Output", at=(20, i), input=source)
    graph = s.graph()
    cells: dict[str, CellDefinition] = {}
    for node in graph.nodes.values():
        if node.kind == "cell":
            cells |= standard().definitions_for(str(node.params["cell"]))
    return Design(name="drawn", graph=graph, cells=frozen(cells))


def one(kind: str, **params: Any) -> Design:
    """x along time → Linear → the node → output."""
    s = Sketch()
    inputs(s, x="time")
    s.add("layer", "Linear", at=(1, 0), params={"units": WIDTH}, input="x")
    s.add("node", kind, at=(2, 0), params=params, input="layer")
    return design(s, y="node")


def two(kind: str, a: str, b: str, **params: Any) -> Design:
    """Two layers of x into the ports a and b of the node."""
    s = Sketch()
    inputs(s, x="time")
    for name in ("first", "second"):
        s.add(name, "Linear", at=(1, 0), params={"units": WIDTH}, input="x")
    s.add("node", kind, at=(2, 0), params=params, **{a: "first", b: "second"})
    return design(s, y="node")


def looped(kind: str, **params: Any) -> Design:
    """The node inside a loop, behind the sum: h = tanh(node(W x + U h))."""
    s = Sketch()
    inputs(s, x="time")
    s.add("sum", "Linear", at=(1, 0), params={"units": WIDTH, "terms": 2}, input="x", input2="before")
    s.add("node", kind, at=(2, 0), params=params, input="sum")
    s.add("squash", "Tanh", at=(3, 0), input="node")
    s.add("state", "Linear", at=(4, 0), params={"units": WIDTH}, input="squash")
    s.add("before", "Delay", at=(1, 1), input="state")
    return design(s, y="state")


def updated(kind: str, k: int = 1, **params: Any) -> Design:
    """A loop whose state moves by the node: h = node(new = tanh(W x + U h), old = h before)."""
    s = Sketch()
    inputs(s, x="time")
    s.add("sum", "Linear", at=(1, 0), params={"units": WIDTH, "terms": 2}, input="x", input2="before")
    s.add("new", "Tanh", at=(2, 0), input="sum")
    s.add("node", kind, at=(3, 0), params=params, new="new", old="before")
    s.add("before", "Delay", at=(1, 1), params={"k": k}, input="node")
    return design(s, y="node")


def crossing(kind: str, **params: Any) -> Design:
    """Something along two axes, crossed along one of them."""
    s = Sketch()
    inputs(s, x="time", m="source")
    s.add("plane", "Multiply", at=(1, 0), a="x", b="m")
    s.add("node", kind, at=(2, 0), params=params, input="plane")
    return design(s, y="node")


def attention(**params: Any) -> Design:
    """The query along one axis, the keys along another."""
    s = Sketch()
    inputs(s, x="time", m="source")
    s.add("node", "Attention", at=(1, 0), params=params, query="x", keys="m")
    return design(s, y="node", weights="node.weights")


def attention_with_values(**params: Any) -> Design:
    s = Sketch()
    inputs(s, x="time", m="source")
    s.add("values", "Linear", at=(1, 1), params={"units": 6}, input="m")
    s.add("node", "Attention", at=(2, 0), params=params, query="x", keys="m", values="values")
    return design(s, y="node", weights="node.weights")


def attention_from_parts(**params: Any) -> Design:
    s = Sketch()
    inputs(s, x="time", m="source")
    s.add("match", "Match", at=(1, 0), params=params, query="x", keys="m")
    s.add("soft", "Softmax", at=(2, 0), params={"axis": "source"}, input="match")
    s.add("node", "WeightedSum", at=(3, 0), weights="soft", values="m")
    return design(s, y="node", weights="soft")


def attention_by_a_vector() -> Design:
    """Attention as a pooling: one query for the whole sequence."""
    s = Sketch()
    inputs(s, q="", m="source")
    s.add("node", "Attention", at=(1, 0), query="q", keys="m")
    return design(s, y="node", weights="node.weights")


def decoder(whole: bool = True, k: int = 1) -> Design:
    """A decoder's loop over time whose state looks along the encoder's states over source."""
    s = Sketch()
    inputs(s, x="time", m="source")
    s.add("encoder", "cell", at=(1, 1), params={"cell": "GRU", "units": WIDTH}, x="m")
    if whole:
        s.add("read", "Attention", at=(2, 1), params={"score": "additive"}, query="before", keys="encoder.h")
    else:
        s.add("match", "Match", at=(2, 1), params={"score": "general"}, query="before", keys="encoder.h")
        s.add("soft", "Softmax", at=(3, 1), params={"axis": "source"}, input="match")
        s.add("read", "WeightedSum", at=(4, 1), weights="soft", values="encoder.h")
    s.add("both", "Concat", at=(5, 0), a="x", b="read")
    s.add("sum", "Linear", at=(6, 0), params={"units": WIDTH, "terms": 2}, input="both", input2="before")
    s.add("state", "Tanh", at=(7, 0), input="sum")
    s.add("before", "Delay", at=(1, 0), params={"k": k}, input="state")
    return design(s, y="state")


def pooled(pool: str, axis: str) -> Design:
    """A pool over one of two axes, inside a loop over the other where that is time."""
    s = Sketch()
    inputs(s, x="time", m="source")
    s.add("plane", "Linear", at=(1, 0), params={"units": WIDTH, "terms": 2}, input="x", input2="m")
    s.add("read", pool, at=(2, 0), params={"axis": axis}, input="plane")
    return design(s, y="read")


def clocked_groups() -> Design:
    return updated("Clock", periods=(1, 3))


def log_of_positive() -> Design:
    s = Sketch()
    inputs(s, x="time")
    s.add("layer", "Linear", at=(1, 0), params={"units": WIDTH}, input="x")
    s.add("size", "Softplus", at=(2, 0), input="layer")
    s.add("log", "Log", at=(3, 0), input="size")
    s.add("ratio", "Divide", at=(4, 0), a="log", b="size")
    return design(s, y="ratio")


NODES: dict[str, Callable[[], Design]] = {
    **{
        kind: (lambda kind=kind: one(kind))
        for kind in (
            *("Abs", "Square", "Sign", "Gelu", "Silu", "Elu", "LeakyRelu", "HardSigmoid"),
            *("Softmax", "LogSoftmax", "WidthSum", "WidthMean", "LayerNorm", "BatchNorm", "Taps"),
        )
    },
    "Log, Divide": log_of_positive,
    "Minimum": lambda: two("Minimum", "a", "b"),
    "Softmax over time": lambda: one("Softmax", axis="time"),
    "Softmax over one of two": lambda: crossing("Softmax", axis="source"),
    "Taps with gaps": lambda: one("Taps", taps=3, gap=2),
    "Residual": lambda: two("Residual", "input", "branch"),
    "HighwayJoin": lambda: two("HighwayJoin", "input", "branch"),
    "Blend": lambda: updated("Blend", keep=0.7),
    "Zoneout": lambda: updated("Zoneout", rate=0.3),
    "Zoneout backward": lambda: updated("Zoneout", k=-1, rate=0.3),
    "Clock": lambda: updated("Clock", period=2),
    "Clock in groups": clocked_groups,
    "Clock backward": lambda: updated("Clock", k=-1, period=2),
    "LayerNorm in a loop": lambda: looped("LayerNorm"),
    "BatchNorm in a loop": lambda: looped("BatchNorm"),
    "Gelu in a loop": lambda: looped("Gelu"),
    "BatchNorm over two axes": lambda: crossing("BatchNorm"),
    **{
        f"{pool} over {axis} of two": (lambda p=pool, a=axis: pooled(p, a))
        for pool in ("Last", "First", "Mean", "Max")
        for axis in ("time", "source")
    },
    **{
        f"Attention {score}": (lambda score=score: attention(score=score)) for score in ("dot", "scaled_dot", "general")
    },
    "Attention additive": lambda: attention(score="additive", units=3),
    "Attention of heads": lambda: attention(score="additive", heads=2),
    "Attention projected": lambda: attention(score="scaled_dot", heads=2, project=True, units=6),
    "Attention with values": lambda: attention_with_values(score="scaled_dot", heads=2),
    "Attention from parts": lambda: attention_from_parts(score="scaled_dot", heads=2),
    "Attention by a vector": attention_by_a_vector,
    "Decoder with attention": decoder,
    "Decoder drawn from parts": lambda: decoder(whole=False),
    "Decoder backward": lambda: decoder(k=-1),
}
"""Every node of the catalogue that is not tested elsewhere, in a drawing of its own."""


@cache
def drawn(name: str) -> Network:
    """The network of one of NODES, by the reference; tests share it and leave it as it is."""
    return network(program_of(NODES[name]()), reference=True)


def network(program: Program, **options: Any) -> Network:
    """Random weights in float64, but running variances and time constants positive: else a leaky unit explodes."""
    made = network_of(program, **options)
    constants = {p.path for p in program.parameters if p.init.name == "geometric"}
    with torch.no_grad():
        for path, weight in made.weights.items():
            if path.endswith("running_variance") or path in constants:
                weight.abs_().add_(0.5)
    return made


def own_part(program: Program, fields: Tensors, lengths: Tensors, i: int) -> Tensors:
    """Example `i` by itself, cut to its own lengths."""
    found: Tensors = {}
    for item in program.inputs:
        x = fields[item.field][i : i + 1]
        for place, axis in enumerate(item.signal.axes):
            x = x.narrow(place + 1, 0, int(lengths[program.axes[axis]][i]))
        found[item.field] = x
    return found


def own_values(program: Program, name: str, value: Tensor, lengths: Tensors, i: int) -> Tensor:
    """Example `i`'s own places of an output [batch, *axes, width]."""
    value = value[i : i + 1]
    for place, axis in enumerate(program.signals[program.outputs[name]].axes):
        value = value.narrow(place + 1, 0, int(lengths[program.axes[axis]][i]))
    return value


def valid_parts(program: Program, outputs: Tensors, lengths: Tensors | None) -> Tensors:
    """The outputs at their own places, flat: padding holds nothing that is promised."""
    if lengths is None:
        return outputs
    batch = range(len(next(iter(lengths.values()))))
    return {
        name: torch.cat([own_values(program, name, value, lengths, i).flatten() for i in batch])
        for name, value in outputs.items()
    }


def weighted(outputs: Tensors) -> Tensor:
    """A number that depends on every value of the outputs, each in its own way."""
    total = torch.zeros((), dtype=torch.float64)
    for value in outputs.values():
        ramp = torch.linspace(0.5, 1.5, value.numel(), dtype=torch.float64).reshape(value.shape)
        total = total + (ramp * value).sum()
    return total


def gradients(made: Network, total: Tensor) -> Tensors:
    trained = {path: w for path, w in made.weights.items() if w.requires_grad}
    found = torch.autograd.grad(total, list(trained.values()), allow_unused=True)
    return {p: g if g is not None else torch.zeros_like(trained[p]) for p, g in zip(trained, found, strict=True)}


def assert_padding_changes_nothing(made: Network, fields: Tensors, lengths: Tensors) -> None:
    """Each example alone gives what it gives in the padded batch: outputs, and gradients of a sum over them."""
    program = made.program
    whole = made(fields, lengths).outputs
    for i in range(len(next(iter(lengths.values())))):
        inside = {name: own_values(program, name, value, lengths, i) for name, value in whole.items()}
        alone = made(own_part(program, fields, lengths, i)).outputs
        for name, value in alone.items():
            assert torch.isfinite(value).all(), name
            torch.testing.assert_close(inside[name], value, rtol=1e-10, atol=1e-10, msg=f"{name} of example {i}")
        if not any(w.requires_grad for w in made.weights.values()):
            continue
        one, other = gradients(made, weighted(inside)), gradients(made, weighted(alone))
        for path, gradient in one.items():
            torch.testing.assert_close(gradient, other[path], rtol=1e-9, atol=1e-10, msg=f"gradient of {path}")
        whole = made(fields, lengths).outputs


def in_chunks(made: Network, fields: Tensors, cut: int, axis: str = "time") -> Tensors:
    """The outputs of a run along `axis` in two chunks, the second going on from the first."""
    program = made.program
    parts: list[Tensors] = []
    state: Tensors | None = None
    for start, stop in ((0, cut), (cut, None)):
        piece = {}
        for item in program.inputs:
            x = fields[item.field]
            if axis in item.signal.axes:
                x = x.movedim(1 + item.signal.axes.index(axis), 0)[start:stop].movedim(
                    0, 1 + item.signal.axes.index(axis)
                )
            piece[item.field] = x
        result = made(piece, None, state)
        state = result.state
        parts.append(result.outputs)
    places = {name: 1 + program.signals[value].axes.index(axis) for name, value in program.outputs.items()}
    return {name: torch.cat([part[name] for part in parts], place) for name, place in places.items()}
