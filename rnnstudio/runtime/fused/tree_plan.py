"""What a tree's node does forward and backward, stage by stage: products, then stores of pointwise results.

Torch-free, and the same for every lowering. Stages with an even number work on the rows of nodes, those with an odd one
on the rows of edges; the nodes of one height are a level, and go through all stages before the next level begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .canonical import Piece
from .expressions import COSTLY, LEAVES, Graph, Node, is_const, parts, reachable
from .plan import _same
from .stages import Place, Store
from .tree_backward import TreeBackward
from .tree_form import REDUCED, Spaces, TreeForm, TreeProduct, ties
from .tree_leaves import Leaves, leaf_plan


@dataclass(frozen=True, slots=True)
class TreeStage:
    """Forward: products, then stores. Backward: `cleared` places become zero, back_stores, the products transposed.

    A store whose value lies on edges and whose place on nodes adds to the parent's row.
    """

    edge: bool
    products: tuple[TreeProduct, ...]
    stores: tuple[Store, ...]
    back_stores: tuple[Store, ...]
    cleared: tuple[tuple[Place, int, int], ...]
    absent: frozenset[int] = frozenset()
    """Numbers of the products that are left out."""

    def numbered(self) -> list[tuple[int, TreeProduct]]:
        return [(i, p) for i, p in enumerate(self.products) if i not in self.absent]


@dataclass(frozen=True, slots=True, eq=False)
class TreePlan:
    """A loop over trees ready to be lowered. Pairs are (of nodes, of edges).

    offsets: slot number → first column of the pre-activations, which are `columns` wide. inner: slots that nothing at a
    leaf is made of. empty: sources that are zero at leaves. leaves: what leaves do, where that is less. held: node
    number → (place, first column) of what is kept. saved, sources, carries: (width, whether on edges) of those buffers.
    outputs: yield → ("memory", number) or ("yield", name). zeroed: delays whose gradient starts a level at zero; unset:
    slots that get no gradient at all.
    """

    form: TreeForm
    offsets: Mapping[int, int]
    columns: tuple[int, int]
    inner: frozenset[int]
    empty: frozenset[int]
    projections: tuple[TreeProduct, ...]
    stages: tuple[TreeStage, ...]
    held: Mapping[int, tuple[Place, int]]
    saved: tuple[tuple[int, bool], ...]
    sources: tuple[tuple[int, bool], ...]
    carries: tuple[tuple[int, bool], ...]
    outputs: Mapping[str, Place]
    zeroed: tuple[str, ...]
    unset: tuple[int, ...]
    leaves: TreePlan | None = None

    @property
    def graph(self) -> Graph:
        return self.form.graph

    @property
    def spaces(self) -> Spaces:
        return self.form.spaces

    @property
    def strides(self) -> tuple[int, int]:
        """Numbers from one row of pre-activations to the next (of powers of two all would share a set of the cache)."""
        nodes, edges = (n + 16 if n % 512 == 0 and n else n for n in self.columns)
        return nodes, edges

    def edge_place(self, place: Place) -> bool:
        kind, key = place
        if kind in ("saved", "source", "carry", "dsource"):
            table = {"saved": self.saved, "carry": self.carries}.get(kind, self.sources)
            return table[int(key)][1]
        if kind in ("slot", "dslot"):
            return self.spaces.slots[int(key)]
        return kind == "dstate" and key in self.spaces.each

    def stored_before(self, stage: int) -> frozenset[int]:
        """Numbers of the values that earlier stages have stored."""
        return frozenset(s.node.number for done in self.stages[:stage] for s in done.stores if not s.add)

    def gathered(self) -> frozenset[str]:
        """Delays of which all rows are laid side by side: sums, and what products multiply."""
        sums = {s.delay for s in self.form.states if s.how == "sum" and self.leaves is not None}
        products = [p for stage in self.stages for _, p in stage.numbered()]
        return frozenset(sums | {str(p.source[1]) for p in products if p.source[0] == "state"})


def tree_plan(form: TreeForm) -> TreePlan:
    return _Planner(form).plan()


class _Planner:
    def __init__(self, form: TreeForm) -> None:
        self.form = form
        self.graph = form.graph
        self.spaces = form.spaces
        self._levels: dict[int, int] = {}
        memory = {m.number: i for i, m in enumerate(form.memories)}
        self.outputs: dict[str, Place] = {
            name: ("memory", memory[node.number]) if node.number in memory else ("yield", name)
            for name, node in form.yields
        }
        multiplied = {p.source.number: p.source for s in form.slots for p in s.pieces if not _leaf_source(p.source)}
        ends = [*form.memories, *(node for _, node in form.yields), *multiplied.values()]
        ends += [ties(self.graph, node)[1] for node in reachable(ends) if node.op == "largest"]
        sums = {node.number: node for node in reachable(ends) if node.op in REDUCED}
        self.multiplied = frozenset(multiplied)
        self.sources = sorted((multiplied | sums).values(), key=lambda n: n.number)
        self.source_number = {n.number: i for i, n in enumerate(self.sources)}
        self.spaces.sources += [self.spaces.edge(n) for n in self.sources]
        self.roots: list[tuple[Place, int, Node]] = [(("source", i), 0, n) for i, n in enumerate(self.sources)]
        for i, node in enumerate(form.memories):
            self.roots += [(("memory", i), start, part) for start, part in parts(node)]
        for name, node in form.yields:
            if self.outputs[name][0] == "yield":
                self.roots += [(("yield", name), start, part) for start, part in parts(node)]
        self.leaves = Leaves(form)
        self.nodes = reachable(node for _, _, node in self.roots)
        self.depth = 1 + max(self.level(node) for node in self.nodes)
        self._wait()

    def level(self, node: Node) -> int:
        """The stage in which a value can be computed: even on nodes, odd on edges and for sums over edges."""
        found = self._levels.get(node.number)
        if found is None:
            found = self._levels[node.number] = self._level(node)
        return found

    def _level(self, node: Node) -> int:
        if node.op in REDUCED:
            return max(1, self.level(node.args[0]))
        if node.op == "slot":
            pieces = self.form.slots[node.data[0]].pieces
            first = max((0 if _leaf_source(p.source) else self.level(p.source) + 1 for p in pieces), default=0)
        else:
            first = max((self.level(a) + (a.op in REDUCED) for a in node.args), default=0)
        return first + (first % 2 != self.spaces.edge(node))

    def _wait(self) -> None:
        """Pointwise values are computed in the stage that needs them first, so that less is carried back to it."""
        last = self.depth - 1 - (self.depth - 1) % 2
        fixed = {node.number for node in self.sources}
        latest = {node.number: last for _, _, node in self.roots}
        for node in reversed(self.nodes):
            if not node.args:
                continue
            if node.op not in REDUCED and node.number not in fixed:
                self._levels[node.number] = latest.get(node.number, self.level(node))
            when = self.level(node) - (node.op == "up")
            for arg in node.args:
                latest[arg.number] = min(latest.get(arg.number, when), when)

    def plan(self) -> TreePlan:
        inner, empty = self._at_leaves()
        offsets, columns, order = self._layout(inner)
        projections, products = self._products(order, offsets, inner, empty)
        back = TreeBackward(self.form, self.nodes, self.level, self.depth)
        back.seed([n for n in self.sources if n.number in self.multiplied], self.source_number)
        back.run(products)
        held, saved = self._held([s.node for stage in back.stores.values() for s in stage])
        stores = self._stores(held)
        stages = tuple(
            TreeStage(
                edge=level % 2 == 1,
                products=tuple(back.products[level]),
                stores=tuple(stores[level]),
                back_stores=tuple(back.stores[level]),
                cleared=tuple(back.cleared[level]),
            )
            for level in range(self.depth)
        )
        whole = TreePlan(
            form=self.form,
            offsets=offsets,
            columns=columns,
            inner=inner,
            empty=empty,
            projections=projections,
            stages=stages,
            held=held,
            saved=saved,
            sources=tuple((n.width, self.spaces.edge(n)) for n in self.sources),
            carries=tuple(zip(back.carries, self.spaces.carries, strict=True)),
            outputs=self.outputs,
            zeroed=back.zeroed,
            unset=back.unset,
        )
        return replace(whole, leaves=leaf_plan(whole, self.leaves))

    def _at_leaves(self) -> tuple[frozenset[int], frozenset[int]]:
        """Slots that leaves do not need, and sources that are zero at leaves."""
        todo = [self.leaves.of(node) for place, _, node in self.roots if place[0] != "source"]
        empty = frozenset(i for i, node in enumerate(self.sources) if is_const(self.leaves.of(node), 0.0))
        nodes = {n for n in range(len(self.form.slots)) if not self.spaces.slots[n]}
        needed = {n for n in nodes if any(self._there(p.source, empty) for p in self.form.slots[n].pieces)}
        todo += [self.leaves.of(p.source) for n in needed for p in self.form.slots[n].pieces if not p.hoisted]
        needed |= {node.data[0] for node in reachable(todo) if node.op == "slot"}
        return frozenset(nodes - needed), empty

    def _there(self, source: Node, empty: frozenset[int]) -> bool:
        """Whether leaves multiply what this source holds inside the loop."""
        if source.op == "state":
            return source.data[0] in self.leaves.there
        return source.op != "read" and self.source_number[source.number] not in empty

    def _slot(self, number: int) -> Node:
        return self.graph.node("slot", (), self.form.slots[number].width, (number, 0))

    def _layout(self, inner: frozenset[int]) -> tuple[dict[int, int], tuple[int, int], list[int]]:
        """Slots in columns: stage by stage, input only before those shared with products, by source and use."""
        readers: dict[int, set[str]] = {}
        for node in self.nodes:
            for arg in node.args:
                if arg.op == "slot":
                    readers.setdefault(arg.data[0], set()).add(node.op)

        def key(number: int) -> tuple[bool, bool, int, int, tuple[int, ...], list[str], int]:
            pieces = self.form.slots[number].pieces
            hoisted = any(p.hoisted for p in pieces)
            inside = tuple(p.source.number for p in pieces if not p.hoisted)
            kind = 0 if hoisted and not inside else 1 if hoisted else 2
            level = self.level(self._slot(number)) if inside else -1
            edge = self.spaces.slots[number]
            return edge, number not in inner, level, kind, inside, sorted(readers.get(number, ())), number

        order = sorted(range(len(self.form.slots)), key=key)
        offsets: dict[int, int] = {}
        columns = [0, 0]
        for number in order:
            edge = self.spaces.slots[number]
            offsets[number] = columns[edge]
            columns[edge] += self.form.slots[number].width
        return offsets, (columns[0], columns[1]), order

    def _products(
        self, order: list[int], offsets: Mapping[int, int], inner: frozenset[int], empty: frozenset[int]
    ) -> tuple[tuple[TreeProduct, ...], dict[int, list[TreeProduct]]]:
        """Maps of one source whose slots lie side by side are one product, within a stage."""
        runs: dict[tuple[int, int, int, bool], list[list[int]]] = {}
        pieces: dict[tuple[int, int, int, bool], dict[int, Piece]] = {}
        for place, number in enumerate(order):
            seen: dict[int, int] = {}
            for piece in self.form.slots[number].pieces:
                again = seen[piece.source.number] = seen.get(piece.source.number, -1) + 1
                level = -1 if piece.hoisted else self.level(self._slot(number))
                key = (level, piece.source.number, again, level < 0 and number in inner)
                sides = runs.setdefault(key, [])
                if sides and order[place - 1] == sides[-1][-1]:
                    sides[-1].append(number)
                else:
                    sides.append([number])
                pieces.setdefault(key, {})[number] = piece
        filled: set[int] = set()
        biased = {n for n, slot in enumerate(self.form.slots) if slot.biases}
        projections: list[TreeProduct] = []
        inside: dict[int, list[TreeProduct]] = {level: [] for level in range(self.depth)}
        for key in sorted(runs, key=lambda k: (k[0], k[2], k[1], k[3])):
            for run in runs[key]:
                for chunk in _same(run, filled | (set() if key[0] < 0 else biased)):
                    source = pieces[key][chunk[0]].source
                    product = TreeProduct(
                        source=self._place(source),
                        start=source.data[1] if source.op in ("state", "read") else 0,
                        width=source.width,
                        offset=offsets[chunk[0]],
                        size=sum(self.form.slots[n].width for n in chunk),
                        pieces=tuple(pieces[key][n] for n in chunk),
                        accumulate=chunk[0] in filled or (key[0] >= 0 and chunk[0] in biased),
                        edge=self.spaces.slots[chunk[0]],
                        leaves=self._there(source, empty) if key[0] >= 0 else chunk[0] not in inner,
                        slots=tuple(chunk),
                    )
                    (projections if key[0] < 0 else inside[key[0]]).append(product)
                filled |= set(run)
        return tuple(projections), inside

    def _place(self, source: Node) -> Place:
        if source.op in ("state", "read"):
            return source.op, source.data[0]
        return "source", self.source_number[source.number]

    def _held(self, wanted: list[Node]) -> tuple[dict[int, tuple[Place, int]], tuple[tuple[int, bool], ...]]:
        """Where backward finds what it needs; transcendental results get a free slot or a buffer of their own."""
        own = {node.number for node in self.nodes}
        held: dict[int, tuple[Place, int]] = {}
        for place, start, node in self.roots:
            if node.op not in LEAVES and node.op != "up":
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
        return held, tuple((node.width, self.spaces.edge(node)) for node in homeless)

    def _free_slot(self, node: Node, occupied: set[int], held: Mapping[int, tuple[Place, int]]) -> int | None:
        """A pre-activation under `node`, on the same rows, that nothing reads once `node` is there."""
        level, edge = self.level(node), self.spaces.edge(node)
        stored = [n for n in self.nodes if n.number in held] + [n for _, _, n in self.roots]
        for leaf in reachable(node.args, lambda n: n.number in held):
            if leaf.op != "slot" or leaf.data[0] in occupied or leaf.width != node.width:
                continue
            if leaf.width != self.form.slots[leaf.data[0]].width or self.spaces.edge(leaf) != edge:
                continue
            if all(self._spares(leaf, other, level, held) for other in stored if self.level(other) >= level):
                return int(leaf.data[0])
        return None

    def _spares(self, leaf: Node, other: Node, level: int, held: Mapping[int, tuple[Place, int]]) -> bool:
        """Whether computing `other` does not read a slot that was overwritten in stage `level`."""
        when = self.level(other)
        reads = reachable([other], lambda n: n.number in held and self.level(n) < when)
        mine = [n for n in reads if n.op == "slot" and n.data[0] == leaf.data[0]]
        return not mine or (mine == [leaf] and when == level and other.width == leaf.width)

    def _stores(self, held: Mapping[int, tuple[Place, int]]) -> dict[int, list[Store]]:
        stores: dict[int, list[Store]] = {level: [] for level in range(self.depth)}
        for place, start, node in self.roots:
            if node.op in REDUCED and place[0] == "source":
                store = Store(place, start, node.args[0], add=True, largest=node.op != "down")
            else:
                store = Store(place, start, node)
            stores[self.level(node)].append(store)
        for node in self.nodes:
            place, start = held.get(node.number, (("", 0), 0))
            if place[0] in ("saved", "slot"):
                stores[self.level(node)].append(Store(place, start, node))
        return stores


def _leaf_source(source: Node) -> bool:
    return source.op in ("state", "read")
