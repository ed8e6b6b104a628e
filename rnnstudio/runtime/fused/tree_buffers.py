"""The tensors that a loop over trees works on. One set serves one forward and backward."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from .multiply import BY_TORCH, Multiply
from .stages import Place
from .tree_inputs import Inputs
from .tree_plan import TreePlan
from .tree_rows import TreeRows


@dataclass(frozen=True, slots=True)
class Words:
    """Which row of a table each node reads, [nodes] int64; inner nodes read the first `inner` rows alone.

    present: which rows of a larger table, that of the embedding, these are, [rows] int64.
    """

    rows: Tensor
    inner: int
    present: Tensor


@dataclass(slots=True)
class TreeBuffers:
    """Rows are nodes by rank, [nodes, width], or edges, [edges, width].

    slots: pre-activations of nodes and of edges. memories: what nodes make for their parents, and behind them the rows
    that stand for missing children: row `nodes` of zeros, then one for each weight. children: delay → what every node
    (or edge) reads, for the delays of plan.gathered(); leaves have none unless a weight stands for missing children.
    vectors: [width]. weights: W of each product of a stage, stacked, [size, width], by (stage, number).
    words: reads that are rows of a table: in `reads` stands the table, [rows, width].
    multiply: makes the products over all nodes.
    inputs: for a loop that adds biases and tables itself; then tables: projection → product of a table, [rows, size],
    biases: by path.
    """

    plan: TreePlan
    rows: TreeRows
    slots: tuple[Tensor, Tensor]
    saved: list[Tensor]
    memories: list[Tensor]
    children: dict[str, Tensor]
    yields: dict[str, Tensor]
    sources: list[Tensor]
    reads: Mapping[str, Tensor]
    vectors: Mapping[str, Tensor]
    weights: Mapping[tuple[int, int], Tensor]
    words: Mapping[str, Words]
    inputs: Inputs | None = None
    tables: dict[int, Tensor] = field(default_factory=dict)
    biases: Mapping[str, Tensor] = field(default_factory=dict)
    multiply: Multiply = BY_TORCH

    def whole(self, place: Place) -> Tensor:
        """The buffer of a place, slots without the columns of others."""
        kind, key = place
        if kind == "slot":
            slot = int(key)
            at, width = self.plan.offsets[slot], self.plan.form.slots[slot].width
            return self.slots[self.plan.spaces.slots[slot]].narrow(1, at, width)
        if kind == "yield":
            return self.yields[str(key)]
        return {"saved": self.saved, "source": self.sources, "memory": self.memories}[kind][int(key)]


@dataclass(slots=True)
class TreeGradients:
    """What the way back reads and fills. douts: of yields, [places, width], None where nothing depends on one.

    slots: like TreeBuffers.slots. children: delay → gradient of what every node (or edge) reads, and a row of zeros at
    the end, for roots. vectors: [width]; reads: [nodes, width]; both start at zero.
    """

    douts: Mapping[str, Tensor | None]
    slots: tuple[Tensor, Tensor]
    children: dict[str, Tensor]
    carries: list[Tensor]
    sources: list[Tensor]
    vectors: dict[str, Tensor]
    reads: dict[str, Tensor]
    arriving: dict[tuple[str, bool, int, int, int], Tensor] = field(default_factory=dict)
    """Gradients of the products over all nodes, by what tells them apart."""

    def whole(self, plan: TreePlan, place: Place) -> Tensor:
        """The buffer of a place, slots without the columns of others."""
        kind, key = place
        if kind == "dslot":
            slot = int(key)
            at, width = plan.offsets[slot], plan.form.slots[slot].width
            return self.slots[plan.spaces.slots[slot]].narrow(1, at, width)
        if kind == "carry":
            return self.carries[int(key)]
        return {"dvector": self.vectors, "dstate": self.children, "dread": self.reads}[kind][str(key)]


def missing_row(plan: TreePlan, delay: str, nodes: int) -> int:
    """The row of a memory that stands for a child that is not there."""
    state = next(s for s in plan.form.states if s.delay == delay)
    if state.missing is None:
        return nodes
    own = [s.delay for s in plan.form.states if s.memory == state.memory and s.missing is not None]
    return nodes + 1 + own.index(delay)


def slot_rows(plan: TreePlan, rows: TreeRows, like: Tensor) -> tuple[Tensor, Tensor]:
    """Uninitialised pre-activations of nodes and of edges, or their gradients, rows plan.strides apart."""
    made = [like.new_empty(n, wide) for n, wide in zip((rows.nodes, rows.edges), plan.strides, strict=True)]
    return made[0][:, : plan.columns[0]], made[1][:, : plan.columns[1]]


def allocate(
    plan: TreePlan,
    rows: TreeRows,
    like: Tensor,
    reads: Mapping[str, Tensor],
    vectors: Mapping[str, Tensor],
    missing: Mapping[str, Tensor],
    weights: Mapping[tuple[int, int], Tensor],
    words: Mapping[str, Words],
) -> TreeBuffers:
    """Buffers for one run; uninitialised but for the rows that stand for missing children."""
    n, counts = rows.nodes, (rows.nodes, rows.edges)
    form = plan.form
    extra = [1 + sum(s.missing is not None for s in form.states if s.memory == i) for i in range(len(form.memories))]
    memories = [like.new_empty(n + more, m.width) for m, more in zip(form.memories, extra, strict=True)]
    for memory in memories:
        memory[n].zero_()
    for state in form.states:
        if state.missing is not None:
            memories[state.memory][missing_row(plan, state.delay, n)] = missing[state.missing]
    widths = {name: node.width for name, node in form.yields}
    gathered = plan.gathered()
    return TreeBuffers(
        plan=plan,
        rows=rows,
        slots=slot_rows(plan, rows, like),
        saved=[like.new_empty(counts[edge], width) for width, edge in plan.saved],
        memories=memories,
        children={
            s.delay: like.new_empty(counts[s.how == "each"], s.width) for s in form.states if s.delay in gathered
        },
        yields={name: like.new_empty(n, widths[name]) for name, place in plan.outputs.items() if place[0] == "yield"},
        sources=[like.new_empty(counts[edge], width) for width, edge in plan.sources],
        reads=reads,
        vectors=vectors,
        weights=weights,
        words=words,
    )


def gradients(b: TreeBuffers, douts: Mapping[str, Tensor | None], *, overwrite: bool = False) -> TreeGradients:
    """What the way back fills; uninitialised but for what is added to. overwrite: slots share memory with b's."""
    plan, like = b.plan, b.slots[0]
    counts = (b.rows.nodes, b.rows.edges)
    stores = [s for stage in plan.stages for s in stage.back_stores]
    direct = {str(s.place[1]) for s in stores if s.place[0] == "dread"}
    d = TreeGradients(
        douts=douts,
        slots=b.slots if overwrite else slot_rows(plan, b.rows, like),
        children={s.delay: like.new_empty(counts[s.how == "each"] + 1, s.width) for s in plan.form.states},
        carries=[like.new_empty(counts[edge], width) for width, edge in plan.carries],
        sources=[like.new_empty(counts[edge], width) for width, edge in plan.sources],
        vectors={name: like.new_zeros(width) for name, width in plan.form.vectors.items()},
        reads={name: like.new_zeros(b.rows.nodes, plan.form.reads[name]) for name in sorted(direct)},
    )
    for child in d.children.values():
        child[-1].zero_()
    for number in plan.unset:
        at, width = plan.offsets[number], plan.form.slots[number].width
        d.slots[plan.spaces.slots[number]].narrow(1, at, width).zero_()
    return d
