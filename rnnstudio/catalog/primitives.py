"""The small closed set of operations every node means, and the records a flattened drawing is made of.

Layout of a value at run time: [*axes, batch, width] for features, [*axes, batch] for tokens, axes in the order of the
signal. The torch operation of each primitive stands in runtime/primitives.py, its printed form in compiler/printed/.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
        "bilinear": "aᵀ V_k b for each unit k (+ bias); inputs: a, b; attrs: weight, bias",
        **dict.fromkeys(POINTWISE_UNARY, "elementwise"),
        **dict.fromkeys(POINTWISE_BINARY, "elementwise over two values, broadcast over missing axes"),
        "affine": "scale · x + offset, elementwise; attrs: scale, offset",
        "concat": "values side by side along the width",
        "slice": "columns start:stop of the width; attrs: start, stop",
        "align": "the same value with its axes in another order, or repeated along axes it lacks; attrs: axes",
        "rename": "the same value; its axis `axis` is called `to`, with the same steps; attrs: axis, to",
        "hide_ahead": "`fill` (None: the lowest number) where the step along `axis` is ahead of that along `until`; "
        "attrs: axis, until, axes, fill",
        "dropout": "zero with probability `rate` and scale the rest while training; attrs: rate, shared_axis",
        "erf": "the error function, elementwise",
        "sign": "−1, 0 or 1, elementwise",
        "blank": "padding along the axes `over` becomes `fill`; attrs: over, axes, fill",
        "softmax": "over the width",
        "log_softmax": "over the width",
        "softmax_axis": "over an axis, padding gets 0; attrs: axis, axes",
        "log_softmax_axis": "over an axis, padding gets 0; attrs: axis, axes",
        "fold": "the width becomes 1; attrs: how (sum or mean)",
        "match": "dot products over the width, one for each head; inputs: query, keys; attrs: heads, axes, axes2",
        "contract": "Σ over an axis of weights ⊙ values; inputs: weights (one a head), values; "
        "attrs: axis, heads, axes, axes2",
        "layer_norm": "each place's features with mean 0, variance 1; attrs: weight, bias (None: none), epsilon",
        "batch_norm": "each feature with mean 0, variance 1 over valid places; attrs: weight, bias, mean, variance, "
        "epsilon, momentum, over, axes",
        "batch_norm_steps": "batch_norm with statistics of its own for each step along `along`: running ones for as "
        "many steps as they have rows, later ones use the last; inputs: values, numbers; attrs: as batch_norm, along",
        "step_number": "the number of each step, from 0, going on from chunk to chunk; attrs: axis",
        "clock": "1 where a unit's period divides the number of the step, else 0; attrs: axis, periods",
        "delay": "the value k steps earlier (k < 0: later); attrs: axis, k, initial, weight; inputs: source, [initial]",
        "children": "the values of a tree node's children; attrs: axis, how (sum, slot, each), slot, weight",
        "root": "the value at the root of a tree; attrs: axis, axes",
        "pick": "logits → the most likely token, or a drawn one; attrs: sample",
        "choose": "for each place at random the first or the second input; attrs: schedule, probability, end, over",
        "reverse": "each example's valid steps in the opposite order; attrs: axis",
        "pool": "axis → nothing, padding excluded; attrs: axis, how (one of last, first, mean, max, sum)",
        "repeat": "the same value at every step of an axis it lacks; attrs: axis",
        "cross_entropy": "−log softmax(logits)[target], one number a place; inputs: logits, target tokens; "
        "attrs: class_weights (empty: none), smoothing",
        "class_weight": "the weight of each target token; attrs: class_weights",
        "known": "how many values of each place of a target are known: numbers that are not NaN, tokens that are not "
        "−1; attrs: tokens (whether it holds some)",
        "squared_error": "mean over the width of (prediction − target)²; inputs: prediction, target",
        "absolute_error": "mean over the width of |prediction − target|; inputs: prediction, target",
        "binary_cross_entropy": "mean over the width; inputs: logits, target 0 … 1; attrs: [positive_weight]",
        "huber": "mean over the width, squared below `delta` and linear above; inputs: prediction, target",
        "gaussian_likelihood": "−log of a normal density, mean over the width; inputs: mean, log-variance, target",
        "ctc": "−log P(labels | frames) / number of labels, one number an example; inputs: scores, label tokens; "
        "attrs: frames, labels (the axes), blank, skip_impossible",
        "average": "mean of one number a place over all valid places of the batch: a loss; inputs: numbers, [how "
        "much each counts]; attrs: axes. With the attribute partial, losses are sums over what is known of a target "
        "(see known), and a mean over nothing is 0",
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


def match_equation(query: Sequence[str], keys: Sequence[str], out: Sequence[str]) -> str:
    """einsum's equation of "match": values [*axes, batch, heads, width] → [*out, batch, heads]."""
    letter = dict(zip(dict.fromkeys((*query, *keys)), "tsuvpqrwyz", strict=False))
    q, k, o = ("".join(letter[a] for a in axes) for axes in (query, keys, out))
    return f"{q}bhx,{k}bhx->{o}bh"


def contract_equation(weights: Sequence[str], values: Sequence[str], out: Sequence[str]) -> str:
    """einsum's equation of "contract": [*axes, batch, heads] and [*axes, batch, heads, width] → [*out, batch, …]."""
    letter = dict(zip(dict.fromkeys((*weights, *values)), "tsuvpqrwyz", strict=False))
    w, v, o = ("".join(letter[a] for a in axes) for axes in (weights, values, out))
    return f"{w}bh,{v}bhx->{o}bhx"


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
    """What a node's `build` writes its meaning into.

    mode: "train" (teacher forcing as the drawing says), "forced" (always; each step can then be fed from outside), or
    "free" (the network lives on its own predictions). trees: the axes that are trees.
    """

    mode: str
    trees: Collection[str]

    def op(self, kind: str, inputs: Sequence[Value], signal: Signal, *, name: str = "", **attrs: Any) -> Value:
        """Apply a primitive; `name` tells several ops of one node apart."""
        ...

    def parameter(self, name: str, shape: Sequence[int], init: Init, *, trainable: bool = True) -> str:
        """Declare a parameter of this node and return its path. Nodes of one kind that share a name share it."""
        ...

    def broadcast(self, values: Sequence[Value]) -> tuple[tuple[str, ...], list[Value]]:
        """The joint axes of several values, and the values aligned to them."""
        ...

    def loss(
        self,
        value: Value,
        weight: float,
        prediction: Value,
        target: Value,
        *,
        classes: bool = False,
        link: str = "",
    ) -> None:
        """`value`, a scalar, is part of what training makes small. classes: the prediction scores target's tokens.

        link: "sigmoid" where the prediction is the logit of what stands for the target.
        """
        ...

    def output(self, name: str, value: Value) -> None:
        """`value` is a result of the network, called `name`."""
        ...
