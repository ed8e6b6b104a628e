"""Products over all steps at once: of the inputs before a loop, of the weight gradients and input gradients after it.

An input that is rows of a table (an embedding) is never multiplied: the table is, once, and the loop takes its rows; on
the way back gradients are first summed for each row of the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from .buffers import Buffers, Gradients
from .stages import Product
from .table_rows import add_rows
from .together import Stacks, block


def stack(product: Product, weights: Mapping[str, Tensor]) -> Tensor:
    """W of a product, [size, width]: its pieces one below the other."""
    blocks = [block(weights[p.weight], p.rows, p.columns) for p in product.pieces]
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks)


def project(b: Buffers, weights: Mapping[str, Tensor], whole: Tensor | None, stacks: Stacks) -> None:
    """The linear maps of all inputs at all steps, and the biases that the loop does not add, into the pre-activations.

    whole: see `Stacks.bias`.
    """
    plan = b.plan
    flat = b.slots.view(b.steps * b.batch, plan.columns)
    bias = whole if b.bias is None else None
    filled: list[tuple[int, int]] = []
    for product in plan.projections:
        target = _columns(flat, product.offset, product.size)
        weight = stacks.of(product, weights).t()
        source = _flat_read(b, product)
        tokens = b.tokens.get(str(product.source[1]))
        if tokens is not None:
            rows = b.multiply(source, weight)
            b.multiply.finish()
            if bias is not None and not product.accumulate:
                rows.add_(bias.narrow(0, product.offset, product.size))
            if product.accumulate:
                target.add_(rows.index_select(0, tokens))
            elif target.is_contiguous():
                torch.index_select(rows, 0, tokens, out=target)
            else:
                target.copy_(rows.index_select(0, tokens))
        else:
            own = None if bias is None or product.accumulate else bias.narrow(0, product.offset, product.size)
            b.multiply(source, weight, target, bias=own, add=product.accumulate)
        filled.append((product.offset, product.offset + product.size))
    for number, slot in enumerate(plan.form.slots):
        at = plan.offsets[number]
        if slot.biases and whole is not None and not any(a <= at < e for a, e in filled):
            b.multiply.spread(whole.narrow(0, at, slot.width), flat.narrow(1, at, slot.width))


def _flat_read(b: Buffers, product: Product) -> Tensor:
    """[rows, width] of an input at all steps, or of its table."""
    x = b.reads[str(product.source[1])]
    return _columns(x if x.dim() == 2 else x.reshape(-1, x.shape[-1]), product.start, product.width)


def _columns(x: Tensor, start: int, width: int) -> Tensor:
    """Some columns of a matrix; itself when these are all."""
    return x if width == x.shape[1] else x.narrow(1, start, width)


def _arriving(b: Buffers, d: Gradients, product: Product) -> Tensor:
    """[rows, size]: the gradient of a product's result; for a table, summed for each of its rows."""
    flat = _columns(d.slots.view(b.steps * b.batch, b.plan.columns), product.offset, product.size)
    kind, name = product.source
    if kind != "read" or name not in b.tokens:
        return flat
    key = (str(name), product.offset)
    if key not in d.tables:
        b.multiply.finish()
        table = flat.new_zeros(len(b.reads[str(name)]), product.size)
        d.tables[key] = add_rows(table, b.tokens[str(name)], flat)
    return d.tables[key]


def _flat_source(b: Buffers, product: Product) -> Tensor:
    kind, key = product.source
    if kind == "read":
        return _flat_read(b, product)
    whole = b.read_states(str(key)) if kind == "state" else b.sources[int(key)]
    return _columns(whole.reshape(b.steps * b.batch, whole.shape[2]), product.start, product.width)


def weight_gradients(
    b: Buffers, d: Gradients, weights: Mapping[str, Tensor], wanted: Mapping[str, bool]
) -> dict[str, Tensor]:
    """Gradient of every wanted weight: one product over all steps for each product of the plan."""
    found: dict[str, Tensor] = {}
    every = (*b.plan.projections, *(p for stage in b.plan.stages for p in stage.products))
    products = [p for p in every if any(wanted[piece.weight] for piece in p.pieces)]
    shared = _together(b, d, products) if b.multiply.shares else {}
    for product in products:
        part = shared.get(id(product))
        if part is None:
            part = b.multiply(_arriving(b, d, product).t(), _flat_source(b, product))
        for piece, own in zip(product.pieces, _pieces(part, product), strict=True):
            if not wanted[piece.weight]:
                continue
            weight = weights[piece.weight]
            if piece.weight not in found and own.shape == weight.shape:
                found[piece.weight] = own
                continue
            if piece.weight not in found:
                found[piece.weight] = torch.zeros_like(weight)
            b.multiply.then(partial(block(found[piece.weight], piece.rows, piece.columns).add_, own))
    return found


def _pieces(part: Tensor, product: Product) -> Sequence[Tensor]:
    """Its rows, for each piece of the product's weight."""
    if len(product.pieces) == 1:
        return (part,)
    return torch.split(part, [piece.rows[1] - piece.rows[0] for piece in product.pieces])


def _together(b: Buffers, d: Gradients, products: Sequence[Product]) -> dict[int, Tensor]:
    """Gradients of stacked weights by the product's id: all that the same gradients reach, at once.

    Columns of the pre-activations are cut where products begin and end.
    """
    flat = d.slots.view(b.steps * b.batch, b.plan.columns)
    own = [p for p in products if p.source[1] not in b.tokens]
    found = {id(p): flat.new_empty(p.size, p.width) for p in own}
    sources = {id(p): _flat_source(b, p) for p in own}
    cuts = sorted({at for p in own for at in (p.offset, p.offset + p.size)})
    groups = []
    for first, last in pairwise(cuts):
        inside = [p for p in own if p.offset <= first and last <= p.offset + p.size]
        factors = [(sources[id(p)], _rows(found[id(p)], first - p.offset, last - first)) for p in inside]
        if factors:
            groups.append((_columns(flat, first, last - first).t(), factors))
    b.multiply.several(groups)
    return found


def _rows(x: Tensor, start: int, count: int) -> Tensor:
    return x if count == x.shape[0] else x.narrow(0, start, count)


def read_gradients(
    b: Buffers, d: Gradients, weights: Mapping[str, Tensor], wanted: Mapping[str, bool], stacks: Stacks
) -> None:
    """Adds to d.reads what reaches the inputs through their linear maps."""
    for product in b.plan.projections:
        name = str(product.source[1])
        if not wanted[name]:
            continue
        weight, columns = stacks.of(product, weights), _arriving(b, d, product)
        whole = b.reads[name]
        if name not in d.reads and product.width == whole.shape[-1]:
            d.reads[name] = b.multiply(columns, weight).view(whole.shape)
            continue
        if name not in d.reads:
            d.reads[name] = torch.zeros_like(whole)
        target = d.reads[name].view(-1, whole.shape[-1])
        b.multiply(columns, weight, _columns(target, product.start, product.width), add=True)


def bias_gradients(
    b: Buffers, d: Gradients, biases: Mapping[str, Tensor], wanted: Mapping[str, bool], stacks: Stacks
) -> list[Tensor | None]:
    if not any(wanted.values()):
        return [None] * len(biases)
    total = d.bias
    if total is None:
        b.multiply.finish()
        flat = d.slots.view(b.steps * b.batch, b.plan.columns)
        total = torch.mm(flat.new_ones(1, len(flat)), flat)[0]  # faster than a sum over rows
    found: dict[str, Tensor] = {}
    for some, part in zip(stacks.biases, torch.split(total, stacks.widths), strict=True):
        for i, (path, first, last) in enumerate(some):
            if not wanted[path]:
                continue
            if path not in found and last - first == biases[path].shape[0]:
                found[path] = part
                if i:  # no two gradients share memory
                    found[path] = torch.empty_like(part)
                    b.multiply.sum_rows(part.view(1, -1), found[path])
                continue
            if path not in found:
                found[path] = torch.zeros_like(biases[path])
            b.multiply.then(partial(found[path][first:last].add_, part))
    return [found.get(path) for path in biases]
