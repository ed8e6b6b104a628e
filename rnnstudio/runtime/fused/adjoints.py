"""Gradients of the operations that a step runs in plain torch: written out for those of attention, by autograd else.

Values are as in the reference, [*axes, batch, width]. What a step adds to the gradient of a value without time, such as
an encoder's states, is added up at once, or, where it is a product, kept and multiplied for all steps together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from ...catalog.primitives import Op, contract_equation, match_equation
from ..context import Context

STEPS = "a"
"""einsum's letter for the steps of the loop; match and contract use others."""


class Weights(Protocol):
    """Where an adjoint leaves the gradient of weights, and products to be done after the loop."""

    context: Context

    def add_weight(self, path: str, gradient: Tensor) -> None: ...

    def later(self, name: str, equation: str, a: Tensor, b: Tensor) -> bool: ...


Adjoint = Callable[[Weights, Op, Sequence[Tensor], Tensor, Tensor], Sequence[Tensor | None]]
"""(weights, op, inputs, result, gradient of the result) → gradient of each input."""


def _reduced(gradient: Tensor, like: Tensor) -> Tensor:
    return gradient if gradient.shape == like.shape else gradient.sum_to_size(like.shape)


def _add(run: Weights, op: Op, inputs: Sequence[Tensor], out: Tensor, d: Tensor) -> Sequence[Tensor | None]:
    return [_reduced(d, x) for x in inputs]


def _subtract(run: Weights, op: Op, inputs: Sequence[Tensor], out: Tensor, d: Tensor) -> Sequence[Tensor | None]:
    return _reduced(d, inputs[0]), _reduced(d, inputs[1]).neg()


def _multiply(run: Weights, op: Op, inputs: Sequence[Tensor], out: Tensor, d: Tensor) -> Sequence[Tensor | None]:
    a, b = inputs
    return _reduced(d * b, a), _reduced(d * a, b)


def _affine(run: Weights, op: Op, inputs: Sequence[Tensor], out: Tensor, d: Tensor) -> Sequence[Tensor | None]:
    return (d * op.attrs["scale"],)


def _tanh(run: Weights, op: Op, inputs: Sequence[Tensor], out: Tensor, d: Tensor) -> Sequence[Tensor | None]:
    return (torch.ops.aten.tanh_backward(d, out),)


def _sigmoid(run: Weights, op: Op, inputs: Sequence[Tensor], out: Tensor, d: Tensor) -> Sequence[Tensor | None]:
    return (torch.ops.aten.sigmoid_backward(d, out),)


def _align(run: Weights, op: Op, inputs: Sequence[Tensor], out: Tensor, d: Tensor) -> Sequence[Tensor | None]:
    wanted = op.signal.axes
    present = [axis for axis in op.attrs["present"] if axis in wanted]
    missing = [place for place, axis in enumerate(wanted) if axis not in present]
    if missing:
        d = d.sum(missing)
    kept = [axis for axis in wanted if axis in present]
    return (d.permute([kept.index(axis) for axis in present] + list(range(len(present), d.dim()))),)


def _linear(run: Weights, op: Op, inputs: Sequence[Tensor], out: Tensor, d: Tensor) -> Sequence[Tensor | None]:
    x, paths, biases = inputs[0], op.attrs["weight"], op.attrs["bias"]
    weight, flat = run.context.weight(paths), d.reshape(-1, d.shape[-1])
    if isinstance(paths, str):
        paths, biases = (paths,), (biases,)
    rows = [len(run.context.weights[path]) for path in paths]
    product = flat.t() @ x.reshape(-1, x.shape[-1])
    parts = zip(torch.split(product, rows), torch.split(flat, rows, -1), strict=True)
    for path, bias, (own, share) in zip(paths, biases, parts, strict=True):
        run.add_weight(path, own)
        if bias is not None:
            run.add_weight(bias, share.sum(0))
    if weight.shape[0] == 1:
        return (d * weight[0],)
    return (d @ weight,)


def _softmax_axis(run: Weights, op: Op, inputs: Sequence[Tensor], out: Tensor, d: Tensor) -> Sequence[Tensor | None]:
    share = out * d
    return (share.sub_(out * share.sum(op.attrs["axes"].index(op.attrs["axis"]), keepdim=True)),)


def _match(run: Weights, op: Op, inputs: Sequence[Tensor], out: Tensor, d: Tensor) -> Sequence[Tensor | None]:
    sides, result = match_equation(op.attrs["axes"], op.attrs["axes2"], op.signal.axes).split("->")
    q, k = sides.split(",")
    query, keys = (_heads(x, op.attrs["heads"]) for x in inputs)
    found: list[Tensor | None] = []
    for name, own, other, value in ((op.inputs[0], q, k, keys), (op.inputs[1], k, q, query)):
        equation = f"{result},{other}->{own}"
        later = run.later(name, equation, d, value)
        found.append(None if later else torch.einsum(equation, d, value).flatten(-2))
    return found


def _contract(run: Weights, op: Op, inputs: Sequence[Tensor], out: Tensor, d: Tensor) -> Sequence[Tensor | None]:
    sides, result = contract_equation(op.attrs["axes"], op.attrs["axes2"], op.signal.axes).split("->")
    w, v = sides.split(",")
    values, arriving = (_heads(x, op.attrs["heads"]) for x in (inputs[1], d))
    first = torch.einsum(f"{result},{v}->{w}", arriving, values)
    equation = f"{w},{result}->{v}"
    if run.later(op.inputs[1], equation, inputs[0], arriving):
        return first, None
    return first, torch.einsum(equation, inputs[0], arriving).flatten(-2)


def _heads(x: Tensor, heads: int) -> Tensor:
    """[..., width] → [..., heads, width / heads]."""
    return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads)


def _slice(run: Weights, op: Op, inputs: Sequence[Tensor], out: Tensor, d: Tensor) -> Sequence[Tensor | None]:
    whole = torch.zeros_like(inputs[0])
    whole[..., op.attrs["start"] : op.attrs["stop"]] = d
    return (whole,)


def _concat(run: Weights, op: Op, inputs: Sequence[Tensor], out: Tensor, d: Tensor) -> Sequence[Tensor | None]:
    found, at = [], 0
    for x in inputs:
        part = d[..., at : at + x.shape[-1]]
        found.append(part.sum_to_size((1,) * (part.dim() - x.dim()) + x.shape).reshape(x.shape))
        at += x.shape[-1]
    return found


def _embed(run: Weights, op: Op, inputs: Sequence[Tensor], out: Tensor, d: Tensor) -> Sequence[Tensor | None]:
    table = torch.zeros_like(run.context.weight(op.attrs["weight"]))
    run.add_weight(op.attrs["weight"], table.index_add_(0, inputs[0].reshape(-1), d.reshape(-1, d.shape[-1])))
    return (None,)


ADJOINTS: dict[str, Adjoint] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "affine": _affine,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "align": _align,
    "linear": _linear,
    "softmax_axis": _softmax_axis,
    "match": _match,
    "contract": _contract,
    "slice": _slice,
    "concat": _concat,
    "embed": _embed,
}
"""Those written out. Any other operation goes back through autograd, alone."""
