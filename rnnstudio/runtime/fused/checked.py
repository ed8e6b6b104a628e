"""A mode for finding faults: every buffer is looked at before machine code gets its address.

RNNSTUDIO_CHECK=1 turns it on; the tests do. What comes from outside is checked in any mode (runtime/door.py): what is
found here is a fault of ours, and told as one. Each address that is taken is that of a tensor which lies within its
storage, on the processor, with the type, the shape and the steps from row to row that the code was made for; numbers
that choose rows are within the table.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .buffers import Buffers, Gradients
    from .tree_buffers import TreeBuffers, TreeGradients

CHECKING = os.environ.get("RNNSTUDIO_CHECK", "") not in ("", "0")


class MisreadError(AssertionError):
    """Machine code was about to get memory that is not as it reads it."""


def lies(what: str, x: Tensor, dtype: torch.dtype) -> None:
    """It is plain numbers of that type, on the processor, within its storage."""
    if x.dtype is not dtype:
        raise MisreadError(f"{what} is {x.dtype} but {dtype} is read")
    if x.device.type != "cpu" or x.layout is not torch.strided or x.is_neg():
        raise MisreadError(f"{what} is no plain tensor on the processor: {x.device}, {x.layout}, negated {x.is_neg()}")
    if not x.numel():
        return
    storage = x.untyped_storage()
    last = sum((n - 1) * step for n, step in zip(x.shape, x.stride(), strict=True))
    start = x.data_ptr() - storage.data_ptr()
    stop = start + (last + 1) * x.element_size()
    if start < 0 or min(x.stride(), default=0) < 0 or stop > storage.nbytes():
        raise MisreadError(f"{what} reads bytes {start} … {stop} of a memory of {storage.nbytes()}")


def buffer(what: str, x: Tensor, dtype: torch.dtype, shape: Sequence[int], strides: Sequence[int] = ()) -> None:
    """It has that shape besides, and these strides; "()": no gaps."""
    lies(what, x, dtype)
    if tuple(x.shape) != tuple(shape):
        raise MisreadError(f"{what} has shape {list(x.shape)} but {list(shape)} is read")
    if not x.numel():
        return
    if any(n > 1 and a != b for n, a, b in zip(x.shape, x.stride(), strides or _dense(shape), strict=True)):
        raise MisreadError(
            f"{what} of shape {list(shape)} has strides {list(x.stride())}, {list(strides) or 'no gaps'}"
        )


def numbers(what: str, x: Tensor, count: int, least: int = 0) -> None:
    """Numbers of rows: int64 from `least` to count − 1, without gaps."""
    buffer(what, x, torch.int64, x.shape)
    if x.numel() and not (least <= int(x.min()) and int(x.max()) < count):
        raise MisreadError(f"{what} go from {int(x.min())} to {int(x.max())}, of {count} rows")


def product(dtype: torch.dtype, a: Tensor, b: Tensor, out: Tensor | None, bias: Tensor | None = None) -> None:
    """C [rows, columns] = A [rows, depth] B [depth, columns] (+ bias [columns])."""
    for what, x in (("A", a), ("B", b), ("C", out)):
        if x is not None:
            lies(f"{what} of a product", x, dtype)
    shape = (a.shape[0], b.shape[1])
    if a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[0] or (out is not None and out.shape != shape):
        given = " × ".join(str(list(x.shape)) for x in (a, b))
        raise MisreadError(f"A product of {given} goes into {None if out is None else list(out.shape)}")
    if bias is not None:
        lies("The bias of a product", bias, dtype)
        if bias.shape != shape[1:]:
            raise MisreadError(f"A bias of {list(bias.shape)} is added to {list(shape)}")


def loop(b: Buffers, dtype: torch.dtype) -> None:
    """What both loops over time are given."""
    plan, form, size = b.plan, b.plan.form, (b.steps, b.batch)
    strides = (b.batch * plan.stride, plan.stride, 1)
    buffer("slots", b.slots, dtype, (*size, plan.columns), strides)
    rows = {f"saved {i}": (x, width) for i, (x, width) in enumerate(zip(b.saved, plan.saved, strict=True))}
    rows |= {f"source {i}": (x, width) for i, (x, width) in enumerate(zip(b.sources, plan.sources, strict=True))}
    widths = {name: node.width for name, node in form.yields}
    rows |= {f"yield {name}": (x, widths[name]) for name, x in b.yields.items()}
    rows |= {f"read {n}": (b.reads[n], width) for n, width in form.reads.items() if n not in b.tokens}
    for what, (x, width) in rows.items():
        buffer(what, x, dtype, (*size, width))
    for state in form.states:
        own = b.states[state.delay]
        buffer(f"state {state.delay}", own, dtype, (b.steps + state.k, b.batch, state.width))
    for name, width in form.vectors.items():
        x = b.vectors[name]
        buffer(f"vector {name}", x, dtype, (width,) if x.dim() == 1 else (b.batch, width))
    for name, x in b.tokens.items():
        lies(f"table {name}", b.reads[name], dtype)
        numbers(f"tokens {name}", x, len(b.reads[name]))
    for (level, i), w in b.weights.items():
        made = plan.stages[level].products[i]
        _weight(f"weight {level} {i}", w, dtype, (made.size, made.width))
    if b.bias is not None:
        buffer("bias", b.bias, dtype, (plan.columns,))
    if b.valid is not None:
        buffer("valid", b.valid, dtype, size)


def loop_back(b: Buffers, d: Gradients, dtype: torch.dtype) -> None:
    """What the loop back over time is given besides."""
    plan, form, size = b.plan, b.plan.form, (b.steps, b.batch)
    buffer("dslots", d.slots, dtype, (*size, plan.columns), (b.batch * plan.stride, plan.stride, 1))
    for name, node in form.yields:
        out = d.douts[name]
        if out is not None:
            buffer(f"dout {name}", out, dtype, (*size, node.width))
    for name, width in form.vectors.items():
        buffer(f"dvector {name}", d.vectors[name], dtype, (b.batch, width))
    for name, x in d.reads.items():
        buffer(f"dread {name}", x, dtype, (*size, form.reads[name]))


def tree(b: TreeBuffers, dtype: torch.dtype) -> None:
    """What both loops over trees are given."""
    plan, form, rows = b.plan, b.plan.form, b.rows
    counts = (rows.nodes, rows.edges)
    for i, x in enumerate(b.slots):
        buffer(f"slots {i}", x, dtype, (counts[i], plan.columns[i]), (plan.strides[i], 1))
    for kind, made, plans in (("saved", b.saved, plan.saved), ("source", b.sources, plan.sources)):
        for i, (x, (width, edge)) in enumerate(zip(made, plans, strict=True)):
            buffer(f"{kind} {i}", x, dtype, (counts[edge], width))
    for i, (x, memory) in enumerate(zip(b.memories, form.memories, strict=True)):
        more = 1 + sum(s.missing is not None for s in form.states if s.memory == i)
        buffer(f"memory {i}", x, dtype, (rows.nodes + more, memory.width))
    for state in form.states:
        if state.delay in b.children:
            own = b.children[state.delay]
            buffer(f"children {state.delay}", own, dtype, (counts[state.how == "each"], state.width))
    widths = {name: node.width for name, node in form.yields}
    for name, x in b.yields.items():
        buffer(f"yield {name}", x, dtype, (rows.nodes, widths[name]))
    for name, width in form.vectors.items():
        buffer(f"vector {name}", b.vectors[name], dtype, (width,))
    for name, width in form.reads.items():
        if name not in b.words:
            buffer(f"read {name}", b.reads[name], dtype, (counts[name in form.spaces.reads], width))
            continue
        buffer(f"words {name}", b.reads[name], dtype, (len(b.words[name].present), width))
        numbers(f"rows of words {name}", b.words[name].rows, len(b.words[name].present))
    for (level, i), w in b.weights.items():
        one = plan.stages[level].products[i]
        _weight(f"weight {level} {i}", w, dtype, (one.size, one.width))
    all_plain({f"table {i}": x for i, x in b.tables.items()}, dtype)
    all_plain({f"bias {path}": x for path, x in b.biases.items()}, dtype)


def tree_back(b: TreeBuffers, d: TreeGradients, dtype: torch.dtype) -> None:
    """What the loop back over trees is given besides."""
    plan, form, rows = b.plan, b.plan.form, b.rows
    counts = (rows.nodes, rows.edges)
    for i, x in enumerate(d.slots):
        buffer(f"dslots {i}", x, dtype, (counts[i], plan.columns[i]), (plan.strides[i], 1))
    for name, node in form.yields:
        out = d.douts[name]
        if out is not None:
            buffer(f"dout {name}", out, dtype, (rows.batch * rows.size, node.width))
    for state in form.states:
        own = d.children[state.delay]
        buffer(f"dstate {state.delay}", own, dtype, (counts[state.how == "each"] + 1, state.width))
    for kind, made, plans in (("carry", d.carries, plan.carries), ("dsource", d.sources, plan.sources)):
        for i, (x, (width, edge)) in enumerate(zip(made, plans, strict=True)):
            buffer(f"{kind} {i}", x, dtype, (counts[edge], width))
    for name, x in d.reads.items():
        buffer(f"dread {name}", x, dtype, (rows.nodes, form.reads[name]))


def all_plain(given: Mapping[str, Tensor], dtype: torch.dtype) -> None:
    """All of these are numbers of one type without gaps; tokens and lengths are int64."""
    for name, x in given.items():
        buffer(name, x, torch.int64 if not x.is_floating_point() else dtype, x.shape)


def _weight(what: str, w: Tensor, dtype: torch.dtype, shape: tuple[int, int]) -> None:
    lies(what, w, dtype)
    if tuple(w.shape) != shape:
        raise MisreadError(f"{what} has shape {list(w.shape)} but {list(shape)} is read")


def _dense(shape: Sequence[int]) -> list[int]:
    steps, step = [], 1
    for n in reversed(shape):
        steps.append(step)
        step *= n
    return steps[::-1]
