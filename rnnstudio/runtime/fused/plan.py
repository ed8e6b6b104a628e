"""What one step does forward and backward, stage by stage: products, then stores of pointwise results.

Torch-free, and the same for every lowering. A value that is kept for the way back is either where it is anyway (states,
sources of products) or the result of a transcendental function, which takes the place of a pre-activation that nobody
needs any more; everything else is computed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .backward import Backward
from .canonical import Form, Piece
from .expressions import COSTLY, LEAVES, Graph, Node, parts, reachable
from .stages import Place, Product, Stage, Store, Total


@dataclass(frozen=True, slots=True)
class Plan:
    """A loop ready to be lowered. Widths of everything are known; steps and batch are not.

    offsets: slot number → first column of the pre-activations, which are `columns` wide.
    held: node number → (place, first column) of what is kept. saved, sources, carries: widths of those buffers.
    zeroed: states whose gradient starts a step at zero.
    outputs: yield → ("state", delay) when it is a state's new value, ("prev", delay) when it is the delayed one, else
    ("yield", name). ragged: whether rows end at different steps.
    """

    form: Form
    ragged: bool
    offsets: Mapping[int, int]
    columns: int
    projections: tuple[Product, ...]
    stages: tuple[Stage, ...]
    held: Mapping[int, tuple[Place, int]]
    saved: tuple[int, ...]
    sources: tuple[int, ...]
    carries: tuple[int, ...]
    outputs: Mapping[str, Place]
    zeroed: tuple[str, ...]
    totals: tuple[Total, ...]
    """The gradients of the states of `form.apart`, which `through_time` reads."""
    copied: Mapping[int, int] = field(default_factory=dict)
    """What plain stages read, by the node's number: where it is among `sources`."""

    @property
    def graph(self) -> Graph:
        return self.form.graph

    @property
    def stride(self) -> int:
        """Numbers from one row of the pre-activations to the next.

        Rows whose length is a power of two would all fall into one set of the cache."""
        return self.columns + 16 if self.columns % 512 == 0 else self.columns

    @property
    def floating(self) -> frozenset[int]:
        """Slots whose bias a loop may add when it reads them, instead of finding it there: with hoisted pieces."""
        slots = enumerate(self.form.slots)
        return frozenset(n for n, slot in slots if slot.biases and any(piece.hoisted for piece in slot.pieces))


def plan(form: Form, *, ragged: bool) -> Plan:
    """The plan of a loop. ragged: rows have lengths, and at padded steps a state stays what it was."""
    return _Planner(form, ragged).plan()


class _Planner:
    def __init__(self, form: Form, ragged: bool) -> None:
        self.form = form
        self.graph = form.graph
        self.ragged = ragged
        self._levels: dict[int, int] = {}
        self.nexts = {s.delay: s.source for s in form.states}
        self.outputs: dict[str, Place] = {name: self._output(name, node) for name, node in form.yields}
        computed = {p.source.number: p.source for s in form.slots for p in s.pieces if not _leaf_source(p.source)}
        copies = [n for stage in form.plain.stages for _, nodes in stage.inputs for n in nodes] if form.plain else []
        computed |= {node.number: node for node in copies}
        self.plain_at: list[int] = []
        self._plain_levels: dict[str, int] = {}
        self._place_plain()
        self.sources = sorted(computed.values(), key=lambda n: n.number)
        self.source_number = {n.number: i for i, n in enumerate(self.sources)}
        self.roots: list[tuple[Place, int, Node]] = []
        for i, node in enumerate(self.sources):
            self.roots.append((("source", i), 0, node))
        for state in form.states:
            for start, part in parts(state.source):
                self.roots.append((("state", state.delay), start, self._kept(state.delay, start, part)))
        for name, node in form.yields:
            if self.outputs[name][0] == "yield":
                self.roots += [(("yield", name), start, part) for start, part in parts(node)]
        self.nodes = reachable(node for _, _, node in self.roots)
        self.depth = 1 + max([*(self.level(node) for node in self.nodes), *self.plain_at])

    def _output(self, name: str, node: Node) -> Place:
        for state in self.form.states:
            if node is state.source and not self.ragged and node.op != "state":
                return ("state", state.delay)
            if node.op == "state" and node.data == (state.delay, 0) and node.width == state.width:
                return ("prev", state.delay)
        return ("yield", name)

    def level(self, node: Node) -> int:
        """The stage in which a node can be computed."""
        found = self._levels.get(node.number)
        if found is None:
            if node.op == "slot":
                pieces = self.form.slots[node.data[0]].pieces
                found = max((0 if _leaf_source(p.source) else self.level(p.source) + 1 for p in pieces), default=0)
            elif node.op == "plain":
                found = self._plain_levels[node.data[0]]
            else:
                found = max((self.level(a) for a in node.args), default=0)
            self._levels[node.number] = found
        return found

    def _place_plain(self) -> None:
        """The stage in which each plain stage runs, in their order, so that its results are there."""
        last = 0
        for stage in self.form.plain.stages if self.form.plain else ():
            last = max([last, *(self.level(node) + 1 for _, nodes in stage.inputs for node in nodes)])
            self._plain_levels |= {name: last for name, _ in stage.outputs}
            self.plain_at.append(last)

    def plan(self) -> Plan:
        offsets, order = self._layout()
        projections, products = self._products(order, offsets)
        back = Backward(self.form, self.nodes, self.level, self.depth, self.ragged)
        back.seed(self.nexts, self.outputs, self.sources)
        back.run(products)
        held, saved = self._held([s.node for stage in back.stores.values() for s in stage])
        stores = self._stores(held)
        stages = []
        for level in range(self.depth):
            inside = tuple(back.products[level])
            plain = tuple(number for number, at in enumerate(self.plain_at) if at == level)
            stages.append(Stage(inside, tuple(stores[level]), tuple(back.stores[level]), plain))
        return Plan(
            form=self.form,
            ragged=self.ragged,
            offsets=offsets,
            columns=sum(s.width for s in self.form.slots),
            projections=projections,
            stages=tuple(stages),
            held=held,
            saved=saved,
            sources=tuple(n.width for n in self.sources),
            carries=tuple(back.carries),
            outputs=self.outputs,
            zeroed=back.zeroed,
            totals=tuple(back.totals),
            copied={n.number: self.source_number[n.number] for n in self.sources if n.op == "copy"},
        )

    def _slot_level(self, number: int) -> int:
        return self.level(self.graph.node("slot", (), self.form.slots[number].width, (number, 0)))

    def _layout(self) -> tuple[dict[int, int], list[int]]:
        """Slots in columns: stage by stage, [input only | shared | recurrent only], by source and use."""

        readers: dict[int, set[str]] = {}
        for node in self.nodes:
            for arg in node.args:
                if arg.op == "slot":
                    readers.setdefault(arg.data[0], set()).add(node.op)

        def key(number: int) -> tuple[int, int, tuple[int, ...], list[str], int]:
            pieces = self.form.slots[number].pieces
            hoisted = any(p.hoisted for p in pieces)
            inside = tuple(p.source.number for p in pieces if not p.hoisted)
            kind = 0 if hoisted and not inside else 1 if hoisted else 2
            return self._slot_level(number), kind, inside, sorted(readers.get(number, ())), number

        order = sorted(range(len(self.form.slots)), key=key)
        offsets, at = {}, 0
        for number in order:
            offsets[number] = at
            at += self.form.slots[number].width
        return offsets, order

    def _products(
        self, order: list[int], offsets: Mapping[int, int]
    ) -> tuple[tuple[Product, ...], dict[int, list[Product]]]:
        """Maps of one source whose slots lie side by side are one product, within a stage."""
        runs: dict[tuple[int, int, int], list[list[int]]] = {}
        pieces: dict[tuple[int, int, int], dict[int, Piece]] = {}
        for place, number in enumerate(order):
            seen: dict[int, int] = {}
            for piece in self.form.slots[number].pieces:
                again = seen[piece.source.number] = seen.get(piece.source.number, -1) + 1
                level = -1 if piece.hoisted else self._slot_level(number)
                key = (level, piece.source.number, again)
                sides = runs.setdefault(key, [])
                if sides and order[place - 1] == sides[-1][-1]:
                    sides[-1].append(number)
                else:
                    sides.append([number])
                pieces.setdefault(key, {})[number] = piece
        filled: set[int] = set()
        biased = {n for n, slot in enumerate(self.form.slots) if slot.biases}
        projections: list[Product] = []
        inside: dict[int, list[Product]] = {level: [] for level in range(self.depth)}
        for key in sorted(runs, key=lambda k: (k[0], k[2], k[1])):
            for run in runs[key]:
                for chunk in _same(run, filled | (set() if key[0] < 0 else biased)):
                    source = pieces[key][chunk[0]].source
                    product = Product(
                        source=self._place(source),
                        start=source.data[1] if source.op in ("state", "read") else 0,
                        width=source.width,
                        offset=offsets[chunk[0]],
                        size=sum(self.form.slots[n].width for n in chunk),
                        pieces=tuple(pieces[key][n] for n in chunk),
                        accumulate=chunk[0] in filled or (key[0] >= 0 and chunk[0] in biased),
                    )
                    (projections if key[0] < 0 else inside[key[0]]).append(product)
                filled |= set(run)
        return tuple(projections), inside

    def _place(self, source: Node) -> Place:
        if source.op in ("state", "read"):
            return source.op, source.data[0]
        return "source", self.source_number[source.number]

    def _kept(self, delay: str, start: int, node: Node) -> Node:
        """The new value of a state: at padded steps the old one."""
        if not self.ragged:
            return node
        g = self.graph
        old = g.node("state", (), node.width, (delay, start))
        return g.node("choose", (g.node("mask"), node, old), node.width)

    def _held(self, wanted: list[Node]) -> tuple[dict[int, tuple[Place, int]], tuple[int, ...]]:
        """Where backward finds what it needs; transcendental results get a free slot or a buffer of their own."""
        own = {node.number for node in self.nodes}
        held: dict[int, tuple[Place, int]] = {}
        for place, start, node in self.roots:
            if node.op not in LEAVES and node.op != "choose":
                held.setdefault(node.number, (place, start))

        def kept(node: Node) -> bool:
            return node.number in held or (node.op in COSTLY and node.number in own)

        needed = reachable(wanted, kept)
        raw = {node.data[0] for node in needed if node.op == "slot"}
        keep = [node for node in needed if kept(node) and node.number not in held]
        homeless: list[Node] = []
        for node in keep:
            held[node.number] = (("saved", len(homeless)), 0)
            homeless.append(node)
        taken: set[int] = set()
        for node in keep:
            slot = self._free_slot(node, raw | taken, held)
            if slot is not None:
                taken.add(slot)
                held[node.number] = (("slot", slot), 0)
                homeless.remove(node)
        for i, node in enumerate(homeless):
            held[node.number] = (("saved", i), 0)
        return held, tuple(node.width for node in homeless)

    def _free_slot(self, node: Node, occupied: set[int], held: Mapping[int, tuple[Place, int]]) -> int | None:
        """A pre-activation under `node` that nothing reads once `node` is there."""
        level = self.level(node)
        stored = [n for n in self.nodes if n.number in held] + [n for _, _, n in self.roots]
        for leaf in reachable(node.args, lambda n: n.number in held):
            if leaf.op != "slot" or leaf.data[0] in occupied or leaf.width != node.width:
                continue
            if all(self._spares(leaf, other, level, held) for other in stored if self.level(other) >= level):
                return int(leaf.data[0])
        return None

    def _spares(self, leaf: Node, other: Node, level: int, held: Mapping[int, tuple[Place, int]]) -> bool:
        """Whether computing `other` does not read a slot that was overwritten in stage `level`."""
        when = self.level(other)
        reads = reachable([other], lambda n: n.number in held and self.level(n) < when)
        return leaf not in reads or (when == level and other.width == leaf.width)

    def _stores(self, held: Mapping[int, tuple[Place, int]]) -> dict[int, list[Store]]:
        stores: dict[int, list[Store]] = {level: [] for level in range(self.depth)}
        for place, start, node in self.roots:
            stores[self.level(node)].append(Store(place, start, node))
        for node in self.nodes:
            place, start = held.get(node.number, (("", 0), 0))
            if place[0] in ("saved", "slot"):
                stores[self.level(node)].append(Store(place, start, node))
        return stores


def _same(run: list[int], filled: set[int]) -> list[list[int]]:
    """A run of slots cut where what is already in them changes."""
    chunks: list[list[int]] = []
    for number in run:
        if chunks and (number in filled) == (chunks[-1][-1] in filled):
            chunks[-1].append(number)
        else:
            chunks.append([number])
    return chunks


def _leaf_source(source: Node) -> bool:
    return source.op in ("state", "read")
