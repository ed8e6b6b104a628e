"""Products over all nodes of all trees at once: of the inputs before the loop, of all gradients after it.

Inner nodes often share one token that says that they have no word; a table of embeddings is therefore multiplied once
for each token that occurs, and nodes take its rows.
"""

from __future__ import annotations

from collections.abc import Mapping

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
        target = b.slots[0][_first(b, product) :].narrow(1, product.offset, product.size)
        b.multiply(source, weight, target, add=inputs.added[-1, i])


def _rows(b: TreeBuffers, product: TreeProduct) -> slice:
    """The rows of a product's source: of nodes or edges, or of a table."""
    first = _first(b, product)
    kind, key = product.source
    if kind == "read" and key in b.words:
        return slice(0, b.words[str(key)].inner) if first else slice(None)
    return slice(first, None)


def source_rows(b: TreeBuffers, product: TreeProduct) -> Tensor:
    """[rows, width]: what a product multiplies."""
    kind, key = product.source
    if kind == "read":
        whole = b.reads[str(key)]
    else:
        whole = b.children[str(key)] if kind == "state" else b.sources[int(key)]
    return whole[_rows(b, product)].narrow(1, product.start, product.width)


def _arriving(b: TreeBuffers, d: TreeGradients, product: TreeProduct) -> Tensor:
    """[rows, size]: the gradient of a product's result; for a table, summed for each of its rows."""
    first = _first(b, product)
    own = d.slots[product.edge][first:].narrow(1, product.offset, product.size)
    kind, name = product.source
    if kind != "read" or name not in b.words:
        return own
    key = (str(name), product.offset)
    if key not in d.tables:
        table = own.new_zeros(len(source_rows(b, product)), product.size)
        d.tables[key] = add_rows(table, b.words[str(name)].rows[first:], own)
    return d.tables[key]


def weight_gradients(
    b: TreeBuffers, d: TreeGradients, weights: Mapping[str, Tensor], wanted: Mapping[str, bool]
) -> dict[str, Tensor]:
    """Gradient of every wanted weight: one product over all nodes for each product of the plan."""
    found: dict[str, Tensor] = {}
    for product in (*b.plan.projections, *(p for stage in b.plan.stages for p in stage.products)):
        if not any(wanted[piece.weight] for piece in product.pieces):
            continue
        part = b.multiply(_arriving(b, d, product).t(), source_rows(b, product))
        heights = [piece.rows[1] - piece.rows[0] for piece in product.pieces]
        for piece, own in zip(product.pieces, torch.split(part, heights), strict=True):
            if not wanted[piece.weight]:
                continue
            weight = weights[piece.weight]
            if piece.weight not in found and own.shape == weight.shape:
                found[piece.weight] = own
                continue
            if piece.weight not in found:
                found[piece.weight] = torch.zeros_like(weight)
            block(found[piece.weight], piece.rows, piece.columns).add_(own)
    return found


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
        target = d.reads[name][_rows(b, product)].narrow(1, product.start, product.width)
        b.multiply(columns, weight, target, add=True)


def bias_gradients(
    b: TreeBuffers, d: TreeGradients, biases: Mapping[str, Tensor], wanted: Mapping[str, bool]
) -> dict[str, Tensor]:
    """Gradient of every wanted bias: the sum of its slots' gradients over all their rows."""
    plan = b.plan
    totals: dict[tuple[str, int], Tensor] = {}
    spans = _spans(plan)
    tables = {n: p for p in plan.projections if p.source[1] in b.words for n in p.slots}
    found: dict[str, Tensor] = {}
    for number, slot in enumerate(plan.form.slots):
        if not any(wanted[path] for path, _, _ in slot.biases):
            continue
        at, first_row = plan.offsets[number], b.rows.leaves if number in plan.inner else 0
        if number in tables:  # the rows are summed for each word already
            flat, rows = _arriving(b, d, tables[number]), "words"
            at -= tables[number].offset
        else:
            edge = plan.spaces.slots[number]
            flat, rows = d.slots[edge][first_row:, slice(*spans[edge])], "edges" if edge else "nodes"
            at -= spans[edge][0]
        key = (rows, tables[number].offset if number in tables else first_row)
        if key not in totals:
            totals[key] = torch.mm(flat.new_ones(1, len(flat)), flat)[0]  # faster than a sum over rows
        part = totals[key].narrow(0, at, slot.width)
        for path, first, last in slot.biases:
            if not wanted[path]:
                continue
            if path not in found:
                found[path] = torch.zeros_like(biases[path])
            found[path][first:last] += part
    return found


def _spans(plan: TreePlan) -> dict[bool, tuple[int, int]]:
    """(first, last + 1) of the columns among which all slots with a bias are, of nodes and of edges."""
    found: dict[bool, tuple[int, int]] = {}
    for number, slot in enumerate(plan.form.slots):
        if slot.biases:
            edge, at = plan.spaces.slots[number], plan.offsets[number]
            first, last = found.get(edge, (at, at))
            found[edge] = min(first, at), max(last, at + slot.width)
    return found
