"""The torch operation of each primitive. Values are [*axes, batch, width]; tokens [*axes, batch]."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor

from ..catalog.primitives import Op
from ..catalog.trees import CHILDREN
from ..design.signals import Tokens
from . import attending, comparing, normalising
from .context import Context

Operation = Callable[[Op, tuple[Tensor, ...], Context], Tensor]


def run_op(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    """Apply one primitive. `inputs` in the op's order; `op.signal` gives the axes of the result."""
    return OPERATIONS[op.kind](op, inputs, context)


def _elementwise(function: Callable[..., Tensor]) -> Operation:
    return lambda op, inputs, context: function(*inputs)


def _parameter(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    return context.weight(op.attrs["weight"]).expand(context.batch, -1)


def _embed(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    return F.embedding(inputs[0], context.weight(op.attrs["weight"]))


def _linear(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    paths, biases = op.attrs["weight"], op.attrs["bias"]
    weight = context.weight(paths)
    rows = () if isinstance(paths, str) else [context.weights[path].shape[0] for path in paths]
    return F.linear(inputs[0], weight, context.bias(biases, rows))


def _bilinear(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    a, b = inputs
    y = torch.einsum("...i,kij,...j->...k", a, context.weight(op.attrs["weight"]), b)
    bias = op.attrs["bias"]
    return y if bias is None else y + context.weight(bias)


def _affine(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    scale: float = op.attrs["scale"]
    offset: float = op.attrs["offset"]
    if scale == -1.0:
        return offset - inputs[0]
    return inputs[0] * scale + offset


def _concat(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    dims = len(op.signal.axes) + 1
    whole = [x.reshape((1,) * (dims + 1 - x.dim()) + x.shape) for x in inputs]
    shape = [max(x.shape[i] for x in whole) for i in range(dims)]
    return torch.cat([x.expand(*shape, x.shape[-1]) for x in whole], -1)


def _slice(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    return inputs[0][..., op.attrs["start"] : op.attrs["stop"]]


def _align(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    """Put the axes that are present into the wanted order, and repeat the value along those that are missing."""
    x = inputs[0]
    wanted = op.signal.axes
    present = [axis for axis in op.attrs["present"] if axis in wanted]
    inner = list(range(len(present), x.dim()))
    x = x.permute([present.index(axis) for axis in wanted if axis in present] + inner)
    for place, axis in enumerate(wanted):
        if axis not in present:
            x = x.unsqueeze(place)
    return x.expand(*(context.sizes[axis] for axis in wanted), *x.shape[len(wanted) :])


def _dropout(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    x, rate = inputs[0], op.attrs["rate"]
    if not context.training or rate == 0:
        return x
    if op.attrs["every_step"]:
        drawn = context.drawn.get(op.name)
        # Laid out in order: where numbers lie decides which are drawn for them, and lowerings lay them out differently.
        return F.dropout(x.contiguous(), rate) if drawn is None else x * drawn
    return x * context.one_mask(op.name, rate, x).to(x.dtype)


def _softmax(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    return torch.softmax(inputs[0], -1)


def _log_softmax(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    return torch.log_softmax(inputs[0], -1)


def _reverse(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    return flip(inputs[0], op.attrs["axis"], op.signal.axes, context)


def flip(x: Tensor, axis: str, axes: tuple[str, ...], context: Context) -> Tensor:
    """Each example's own steps in the opposite order; padding stays where it is."""
    dim = axes.index(axis)
    if not context.ragged(axis):
        return x.flip(dim)
    shape = [1] * x.dim()
    shape[dim], shape[len(axes)] = x.shape[dim], x.shape[len(axes)]
    index = context.flipped_index(axis).reshape(shape).expand_as(x)
    return x.gather(dim, index)


def _delay(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    """A delay outside of every loop: the whole sequence, moved by k steps."""
    x, axis, k = inputs[0], op.attrs["axis"], op.attrs["k"]
    dim, size = op.signal.axes.index(axis), context.sizes[axis]
    first = initial_state(op, inputs[1:], x, dim, context)
    if k > 0:
        before = context.state.get(op.name) if context.depth == 0 else None
        start = before.movedim(0, dim) if before is not None else torch.cat([first.unsqueeze(dim)] * k, dim)
        everything = torch.cat([start.to(x.dtype), x], dim)
        if context.depth == 0:
            context.final[op.name] = _last_steps(everything, axis, op.signal.axes, k, context)
        return everything.narrow(dim, 0, size)
    ahead = min(-k, size)
    moved = torch.cat([x.narrow(dim, ahead, size - ahead), torch.cat([first.unsqueeze(dim)] * ahead, dim)], dim)
    if not context.ragged(axis):
        return moved
    steps = torch.arange(size, device=x.device)[:, None]
    shape = [1] * x.dim()
    shape[dim], shape[len(op.signal.axes)] = size, context.batch
    own = (steps - k < context.lengths_of(axis)[None, :]).reshape(shape)
    return torch.where(own, moved, first.unsqueeze(dim))


def _last_steps(x: Tensor, axis: str, axes: tuple[str, ...], k: int, context: Context) -> Tensor:
    """[k, …]: the k values before each example's own end; `x` has k more steps in front than the axis."""
    dim = axes.index(axis)
    if not context.ragged(axis):
        return x.narrow(dim, context.sizes[axis], k).movedim(dim, 0).detach()
    shape = [1] * x.dim()
    shape[dim], shape[len(axes)] = k, context.batch
    places = torch.arange(k, device=x.device)[:, None] + context.lengths_of(axis)[None, :]
    wanted = list(x.shape)
    wanted[dim] = k
    return x.gather(dim, places.reshape(shape).expand(wanted)).movedim(dim, 0).detach()


def initial_state(op: Op, given: tuple[Tensor, ...], like: Tensor, dim: int, context: Context) -> Tensor:
    """One step of the state before the first: zero, learned, or from a wire. `dim`: the axis's place in `like`."""
    shape = [n for i, n in enumerate(like.shape) if i != dim]
    if op.attrs["initial"] == "wire":
        return given[0].expand(shape)
    if op.attrs["initial"] == "learned":
        return context.weight(op.attrs["weight"]).expand(shape)
    if isinstance(op.signal.content, Tokens):
        return like.new_full(shape, op.attrs["first"])
    return like.new_zeros(shape)


def _pool(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    x, axis, how = inputs[0], op.attrs["axis"], op.attrs["how"]
    axes: tuple[str, ...] = op.attrs["axes"]
    dim = axes.index(axis)
    ragged = context.ragged(axis)
    if axis.endswith(CHILDREN) and how in ("first", "last"):  # a leaf has no child, and gives zeros
        x = x.masked_fill(~context.mask_like(axis, axes), 0.0)
    if how == "first":
        return x.select(dim, 0)
    if how == "last":
        if not ragged:
            return x.select(dim, x.shape[dim] - 1)
        shape = [1] * x.dim()
        shape[len(axes)] = context.batch
        wanted = list(x.shape)
        wanted[dim] = 1
        index = (context.lengths_of(axis) - 1).clamp(min=0).reshape(shape).expand(wanted)
        return x.gather(dim, index).squeeze(dim)
    if how == "max":
        if ragged:
            x = x.masked_fill(~context.mask_like(axis, axes), float("-inf"))
        largest = x.amax(dim)
        if ragged and axis.endswith(CHILDREN):
            largest = largest.masked_fill((context.lengths_of(axis) == 0)[:, None], 0.0)
        return largest
    if ragged:
        x = x.masked_fill(~context.mask_like(axis, axes), 0.0)
    total = x.sum(dim)
    if how == "sum":
        return total
    if not ragged:
        return total / x.shape[dim]
    return total / context.lengths_of(axis).clamp(min=1).to(x.dtype)[:, None]


def _repeat(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    x = inputs[0]
    return x.unsqueeze(0).expand(context.sizes[op.attrs["axis"]], *x.shape)


def _pick(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    """The most likely token, or one drawn from softmax(logits): the first that all up to it are likelier than a number
    in [0, 1), which alone is random, so that a loop can draw it beforehand.
    """
    logits = inputs[0].detach()
    if not op.attrs["sample"]:
        return logits.argmax(-1)
    drawn = context.drawn.get(op.name)
    chance = chances(logits.shape[:-1], context) if drawn is None else drawn
    share = torch.softmax(logits.double(), -1).cumsum(-1)
    return (share <= chance[..., None] * share[..., -1:]).sum(-1).clamp(max=logits.shape[-1] - 1)


def chances(shape: Sequence[int], context: Context) -> Tensor:
    """[*shape] float64 in [0, 1)."""
    return torch.rand(tuple(shape), dtype=torch.float64, device=context.device)


def _choose(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    """For each place at random the first input (with a probability that falls with training) or the second."""
    true, own = inputs
    chance = _chance(op, context)
    if chance >= 1.0:
        return true
    if chance <= 0.0:
        return own
    places = true.shape if isinstance(op.signal.content, Tokens) else true.shape[:-1]
    drawn = context.drawn.get(op.name)
    take = taken(op, places, context) if drawn is None else drawn
    return torch.where(take if take.dim() == true.dim() else take[..., None], true, own)


def taken(op: Op, shape: Sequence[int], context: Context) -> Tensor:
    """[*shape] bool: where a "choose" takes its first input."""
    chance = _chance(op, context)
    if chance >= 1.0 or chance <= 0.0:
        return torch.full(tuple(shape), chance >= 1.0, device=context.device)
    return torch.rand(tuple(shape), device=context.device) < chance


def _chance(op: Op, context: Context) -> float:
    a = op.attrs
    if not context.training:
        return 1.0
    return forcing(a["schedule"], a["probability"], a["end"], a["over"], context.progress)


def forcing(schedule: str, probability: float, end: float, over: int, step: int) -> float:
    """The probability of teacher forcing at a training step.

    "constant": always `probability`. "linear": from `probability` to `end` over `over` steps. "sigmoid": inverse
    sigmoid decay, k / (k + e^(step / k)) with k = over / 10, between the two (Bengio et al. 2015, section 2.4).
    """
    if schedule == "constant":
        return probability
    if schedule == "linear":
        return probability + (end - probability) * min(step / max(over, 1), 1.0)
    k = max(over / 10.0, 1.0)
    decay = k / (k + math.exp(min(step / k, 700.0)))
    return end + (probability - end) * decay * (1.0 + 1.0 / k)


def _average(op: Op, inputs: tuple[Tensor, ...], context: Context) -> Tensor:
    x = inputs[0]
    axes: tuple[str, ...] = op.attrs["axes"]
    mask: Tensor | None = None
    for axis in axes:
        if context.ragged(axis):
            here = context.mask_like(axis, axes)
            mask = here if mask is None else mask & here
    if len(inputs) == 2:
        counts = inputs[1] if mask is None else inputs[1].masked_fill(~mask, 0.0)
        x = x if mask is None else x.masked_fill(~mask, 0.0)
        divisor = counts.sum()
        if op.attrs.get("partial"):  # of a batch in which nothing is known
            divisor = torch.where(divisor > 0, divisor, torch.ones_like(divisor))
        return x.sum() / divisor
    if mask is None:
        return x.mean()
    mask = mask.expand(x.shape)
    return x.masked_fill(~mask, 0.0).sum() / mask.sum()


OPERATIONS: dict[str, Operation] = {
    "parameter": _parameter,
    "embed": _embed,
    "linear": _linear,
    "bilinear": _bilinear,
    "sigmoid": _elementwise(torch.sigmoid),
    "tanh": _elementwise(torch.tanh),
    "relu": _elementwise(torch.relu),
    "softplus": _elementwise(F.softplus),
    "exp": _elementwise(torch.exp),
    "log": _elementwise(torch.log),
    "abs": _elementwise(torch.abs),
    "square": _elementwise(torch.square),
    "erf": _elementwise(torch.erf),
    "sign": _elementwise(torch.sign),
    "add": _elementwise(torch.add),
    "subtract": _elementwise(torch.sub),
    "multiply": _elementwise(torch.mul),
    "divide": _elementwise(torch.div),
    "maximum": _elementwise(torch.maximum),
    "minimum": _elementwise(torch.minimum),
    "affine": _affine,
    "concat": _concat,
    "slice": _slice,
    "align": _align,
    "dropout": _dropout,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "delay": _delay,
    "reverse": _reverse,
    "pool": _pool,
    "repeat": _repeat,
    "pick": _pick,
    "choose": _choose,
    "average": _average,
    **attending.OPERATIONS,
    **normalising.OPERATIONS,
    **comparing.OPERATIONS,
}
