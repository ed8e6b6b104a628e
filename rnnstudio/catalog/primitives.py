"""The small closed set of operations every node means, and the records a flattened drawing is made of.

Layout of a value at run time: [*axes, batch, width] for features, [*axes, batch] for tokens, axes in the order of the
signal. The torch operation of each primitive stands in runtime/primitives.py, its printed form in compiler/source.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from ..design.signals import Signal

POINTWISE_UNARY = ("sigmoid", "tanh", "relu", "softplus", "exp", "log", "abs", "square")
POINTWISE_BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
POOLS = ("last", "first", "mean", "max", "sum")

PRIMITIVES: Mapping[str, str] = MappingProxyType(
    {
        "input": "a field of the batch; attrs: field, target (bool)",
        "parameter": "a trained vector, the same at every place; attrs: weight",
        "embed": "row `i` of the table for token i; attrs: weight",
        "linear": "W x (+ b); attrs: weight, bias (None: none)",
        **dict.fromkeys(POINTWISE_UNARY, "elementwise"),
        **dict.fromkeys(POINTWISE_BINARY, "elementwise over two values, broadcast over missing axes"),
        "affine": "scale · x + offset, elementwise; attrs: scale, offset",
        "concat": "values side by side along the width",
        "slice": "columns start:stop of the width; attrs: start, stop",
        "align": "the same value with its axes in another order, or with axes of length 1 added; attrs: axes",
        "dropout": "zero with probability `rate` and scale the rest while training; attrs: rate, shared_axis",
        "softmax": "over the width",
        "delay": "the value k steps earlier (k < 0: later); attrs: axis, k, initial, weight; inputs: source, [initial]",
        "reverse": "each example's valid steps in the opposite order; attrs: axis",
        "pool": "axis → nothing, padding excluded; attrs: axis, how (one of last, first, mean, max, sum)",
        "repeat": "nothing → axis; inputs: value, and a value that has the axis; attrs: axis",
        "cross_entropy": "−log softmax(logits)[target], one number a place; inputs: logits, target tokens",
        "squared_error": "mean over the width of (prediction − target)²; inputs: prediction, target",
        "absolute_error": "mean over the width of |prediction − target|; inputs: prediction, target",
        "average": "mean of one number a place over all valid places of the batch: a loss",
    }
)
"""Every primitive with its meaning. Nodes are many and easy to add; this list grows rarely."""


@dataclass(frozen=True, slots=True)
class Init:
    """How a parameter starts. `name` is a key of runtime.initialise.INITIALISERS; `args` its numbers."""

    name: str
    args: tuple[float, ...] = ()

    def text(self) -> str:
        return self.name + (f"({', '.join(f'{a:g}' for a in self.args)})" if self.args else "")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A trained tensor. `path` is its name everywhere: panels, checkpoints, exports (`encoder.lstm.forget.weight`)."""

    path: str
    shape: tuple[int, ...]
    init: Init
    trainable: bool = True


_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Op:
    """One primitive applied. `name` is unique in a program; `node` is the path of the drawn node it comes from."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    signal: Signal
    node: str
    attrs: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class Value:
    """The output of an op while a drawing is lowered: its name and what it carries."""

    name: str
    signal: Signal


class Builder(Protocol):
    """What a node's `build` writes its meaning into."""

    def op(self, kind: str, inputs: Sequence[Value], signal: Signal, *, name: str = "", **attrs: Any) -> Value:
        """Apply a primitive; `name` tells several ops of one node apart."""
        ...

    def parameter(self, name: str, shape: Sequence[int], init: Init, *, trainable: bool = True) -> str:
        """Declare a parameter of this node and return its path. Nodes of one kind that share a name share it."""
        ...

    def broadcast(self, values: Sequence[Value]) -> tuple[tuple[str, ...], list[Value]]:
        """The joint axes of several values, and the values aligned to them."""
        ...

    def loss(self, value: Value, weight: float, prediction: Value, target: Value) -> None:
        """`value`, a scalar, is part of what training makes small."""
        ...

    def output(self, name: str, value: Value) -> None:
        """`value` is a result of the network, called `name`."""
        ...
