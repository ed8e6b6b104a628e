"""Products over all nodes of all trees at once: of the inputs before the loop, of all gradients after it.

Inner nodes often share one token that says that they have no word; a table of embeddings is therefore multiplied once
for each token that occurs, and nodes take its rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from .table_rows import add_rows, take_rows
from .together import Stacks, block
from .tree_buffers import TreeBuffers, TreeGradients
from .tree_form import TreeProduct
from .tree_inputs import Inputs
from .tree_plan import TreePlan


def _first(b: TreeBuffers, product: TreeProduct) -> int:
    """The first row that has a product."""
    return 0 if product.edge or product.leaves else b.rows.leaves


def _slot_bias(plan: TreePlan, number: int, biases: Mapping[str, Tensor], like: Tensor) -> Tensor:
    slot = plan.form.slots[number]
    total: Tensor | None = None
    for path, first, last in slot.biases:
        part = block(biases[path], (first, last), (0, 0))
        total = part if total is None else total + part
    return like.new_zeros(slot.width) if total is None else total


def project(b: TreeBuffers, weights: Mapping[str, Tensor], biases: Mapping[str, Tensor], stacks: Stacks) -> None:
    """The linear maps of all inputs at all nodes, and the biases, into the pre-activations.

    For a loop that adds biases and tables itself (b.inputs), products of tables stay apart.
    """
    plan = b.plan
    if b.inputs is not None:
        _project_apart(b, b.inputs, weights, stacks)
        return
    filled: set[int] = set()
    for product in plan.projections:
        first, slots = _first(b, product), list(product.slots)
        target = b.slots[0][first:].narrow(1, product.offset, product.size)
        weight, source = stacks.of(product, weights).t(), source_rows(b, product)
        bias = None
        if not product.accumulate and any(plan.form.slots[n].biases for n in slots):
            bias = torch.cat([_slot_bias(plan, n, biases, target) for n in slots])
        words = b.words.get(str(product.source[1]))
        if words is not None:
            rows = b.multiply(source, weight, bias=bias)
            if product.accumulate:
                target.add_(rows.index_select(0, words.rows[first:]))
            else:
                take_rows(rows, words.rows[first:], target)
        else:
            b.multiply(source, weight, target, bias=bias, add=product.accumulate)
        filled |= set(slots)
    for number, slot in enumerate(plan.form.slots):
        if slot.biases and number not in filled:
            b.whole(("slot", number)).copy_(_slot_bias(plan, number, biases, b.slots[0]))
    for stage in plan.stages:
        for product in stage.products:
            if not product.accumulate and (first := _first(b, product)):
                b.slots[0][:first].narrow(1, product.offset, product.size).zero_()


def _project_apart(b: TreeBuffers, inputs: Inputs, weights: Mapping[str, Tensor], stacks: Stacks) -> None:
    for number in inputs.zeroed:
        b.whole(("slot", number)).zero_()
    for number in inputs.empty:
        b.whole(("slot", number))[: b.rows.leaves].zero_()
    for i, product in enumerate(b.plan.projections):
        weight, source = stacks.of(product, weights).t(), source_rows(b, product)
        if product.source[1] in inputs.words:
            b.tables[i] = b.multiply(source, weight)
            continue
        target = _part(b.slots[0], (_first(b, product), None), product.offset, product.size)
        b.multiply(source, weight, target, add=inputs.added[-1, i])


def _rows(b: TreeBuffers, product: TreeProduct) -> tuple[int, int | None]:
    """(first, last + 1 if not all) of the rows of a product's source: of nodes or edges, or of a table."""
    first = _first(b, product)
    kind, key = product.source
    if kind == "read" and key in b.words:
        return 0, b.words[str(key)].inner if first else None
    return first, None


def _part(x: Tensor, rows: tuple[int, int | None], start: int, width: int) -> Tensor:
    """Some rows and columns."""
    first, last = rows
    if first or last is not None:
        x = x[first:last]
    return x if width == x.shape[1] else x.narrow(1, start, width)


def source_rows(b: TreeBuffers, product: TreeProduct) -> Tensor:
    """[rows, width]: what a product multiplies."""
    kind, key = product.source
    if kind == "read":
        whole = b.reads[str(key)]
    else:
        whole = b.children[str(key)] if kind == "state" else b.sources[int(key)]
    return _part(whole, _rows(b, product), product.start, product.width)


def _arriving_key(b: TreeBuffers, product: TreeProduct) -> tuple[str, bool, int, int, int]:
    """Tells the gradients of products' results apart: table ("" for none), whether of edges, first row, columns."""
    kind, name = product.source
    of_table = kind == "read" and name in b.words
    return str(name) if of_table else "", product.edge, _first(b, product), product.offset, product.size


def _arriving(b: TreeBuffers, d: TreeGradients, product: TreeProduct) -> Tensor:
    """[rows, size]: the gradient of a product's result; for a table, summed for each of its rows."""
    key = _arriving_key(b, product)
    if key not in d.arriving:
        name, edge, first, offset, size = key
        own = _part(d.slots[edge], (first, None), offset, size)
        if name:
            words = b.words[name]
            table = own.new_zeros(words.inner if first else len(b.reads[name]), size)
            own = add_rows(table, words.rows[first:] if first else words.rows, own)
        d.arriving[key] = own
    return d.arriving[key]


def weight_gradients(
    b: TreeBuffers, d: TreeGradients, weights: Mapping[str, Tensor], wanted: Mapping[str, bool]
) -> dict[str, Tensor]:
    """Gradient of every wanted weight: one product over all nodes for each product of the plan.

    Those that the same gradients reach are made together.
    """
    together: dict[object, list[TreeProduct]] = {}
    for product in (*b.plan.projections, *(p for stage in b.plan.stages for p in stage.products)):
        if any(wanted[piece.weight] for piece in product.pieces):
            together.setdefault(_arriving_key(b, product), []).append(product)
    found: dict[str, Tensor] = {}
    for some in together.values():
        arriving = _arriving(b, d, some[0])
        parts = [arriving.new_empty(product.size, product.width) for product in some]
        b.multiply.several([(arriving.t(), [(source_rows(b, p), part) for p, part in zip(some, parts, strict=True)])])
        for product, part in zip(some, parts, strict=True):
            _hand_out(product, part, weights, wanted, found)
    return found


def _hand_out(
    product: TreeProduct,
    part: Tensor,
    weights: Mapping[str, Tensor],
    wanted: Mapping[str, bool],
    found: dict[str, Tensor],
) -> None:
    """Adds the gradient of a product's weights, one below the other, to those of the weights."""
    heights = [piece.rows[1] - piece.rows[0] for piece in product.pieces]
    for piece, own in zip(product.pieces, part.split_with_sizes(heights), strict=True):
        if not wanted[piece.weight]:
            continue
        weight = weights[piece.weight]
        if piece.weight not in found and own.shape == weight.shape:
            found[piece.weight] = own
            continue
        if piece.weight not in found:
            found[piece.weight] = torch.zeros_like(weight)
        block(found[piece.weight], piece.rows, piece.columns).add_(own)


def read_gradients(
    b: TreeBuffers, d: TreeGradients, weights: Mapping[str, Tensor], wanted: Mapping[str, bool], stacks: Stacks
) -> None:
    """Adds to d.reads what reaches the inputs through their linear maps."""
    for product in b.plan.projections:
        name = str(product.source[1])
        if not wanted[name]:
            continue
        whole = b.reads[name]
        weight, columns = stacks.of(product, weights), _arriving(b, d, product)
        if name not in d.reads and columns.shape[0] == len(whole) and product.width == whole.shape[1]:
            d.reads[name] = b.multiply(columns, weight)
            continue
        if name not in d.reads:
            d.reads[name] = torch.zeros_like(whole)
        target = _part(d.reads[name], _rows(b, product), product.start, product.width)
        b.multiply(columns, weight, target, add=True)


def bias_gradients(
    b: TreeBuffers, d: TreeGradients, biases: Mapping[str, Tensor], wanted: Mapping[str, bool]
) -> dict[str, Tensor]:
    """Gradient of every wanted bias: the sum of its slots' gradients over all their rows."""
    found: dict[str, Tensor] = {}
    for rows in _bias_rows(b.plan, frozenset(b.words)):
        some = [each for each in rows.biases if wanted[each[0]]]
        if not some:
            continue
        if rows.table is not None:
            flat = _arriving(b, d, b.plan.projections[rows.table])  # summed for each word already
        else:
            first = (b.rows.leaves if rows.inner else 0, None)
            flat = _part(d.slots[rows.edge], first, rows.start, rows.stop - rows.start)
        total = flat[0] if len(flat) == 1 else torch.mm(flat.new_ones(1, len(flat)), flat)[0]  # faster than a sum
        for path, first_row, last_row, at in some:
            part = total[at : at + last_row - first_row]
            if path not in found and len(part) == len(biases[path]) and not rows.shared:
                found[path] = part
                continue
            if path not in found:
                found[path] = torch.zeros_like(biases[path])
            found[path][first_row:last_row] += part
    return found


@dataclass(slots=True)
class _BiasRows:
    """Rows whose sum holds the gradients of some biases: of a projection's table, or columns start … stop − 1 of the
    pre-activations of nodes (without leaves if inner) or edges. biases: (path, its first row, its last row + 1, first
    column). shared: whether some columns belong to several biases.
    """

    table: int | None
    edge: bool
    inner: bool
    start: int
    stop: int
    shared: bool
    biases: list[tuple[str, int, int, int]]


@lru_cache(maxsize=64)
def _bias_rows(plan: TreePlan, words: frozenset[str]) -> list[_BiasRows]:
    tables = {n: i for i, p in enumerate(plan.projections) if p.source[1] in words for n in p.slots}
    groups: dict[tuple[int | None, bool, bool], list[int]] = {}
    for number, slot in enumerate(plan.form.slots):
        if slot.biases:
            key = (tables.get(number), plan.spaces.slots[number], number in plan.inner)
            groups.setdefault(key, []).append(number)
    found = []
    for (table, edge, inner), numbers in groups.items():
        slots = [(plan.offsets[n], plan.form.slots[n]) for n in numbers]
        start = min(at for at, _ in slots) if table is None else plan.projections[table].offset
        stop = max(at + slot.width for at, slot in slots)
        biases = [(path, first, last, at - start) for at, slot in slots for path, first, last in slot.biases]
        shared = any(len(slot.biases) > 1 for _, slot in slots)
        found.append(_BiasRows(table, edge, inner, start, stop, shared, biases))
    return found
