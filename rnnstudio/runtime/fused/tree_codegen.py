"""A plan of a loop over trees as LLVM IR: @forward and @backward run the levels of parts of the forest. Torch-free.

A part is a group of whole trees: its rows of a level are one range, and parts never wait for each other. Both functions
take a table of 64-bit numbers, as `table_of` lays it out: sizes, addresses of indices, addresses of buffers. Widths are
constants of the code.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from . import products, tree_products, vector_math
from .arithmetic import KNOWN, arithmetic
from .canonical import Declined
from .codegen import Key, Table
from .expressions import Node, reachable
from .ir import Function, Target, declarations
from .stages import Place, Store
from .team import EACH_A_SHARE, LOOPS, team_code
from .tree_form import REDUCED, TreeProduct
from .tree_inputs import Inputs
from .tree_matrices import MATRICES, groups, matvec, outer, vecmat
from .tree_plan import TreePlan, TreeStage

_READ, _FILLED = {"state": "children", "source": "source"}, {"state": "dstate", "source": "dsource"}
"""Buffers of what products multiply, and of its gradients."""


def table_of(plan: TreePlan, inputs: Inputs, backward: bool) -> Table:
    """What the argument table holds. ("row", name): numbers from one row of a buffer to the next."""
    form = plan.form
    keys: list[Key] = [("levels", 0), ("bounds", 0), ("first", 0), ("child", 0), ("parent", 0)]
    keys += [("child at", s.delay) for s in form.states if s.how == "slot"]
    keys += [("slots", 0), ("slots", 1)]
    keys += [("saved", i) for i in range(len(plan.saved))]
    keys += [("memory", i) for i in range(len(form.memories))]
    keys += [("children", delay) for delay in sorted(plan.gathered())]
    keys += [("yield", name) for name, place in plan.outputs.items() if place[0] == "yield"]
    keys += [("source", i) for i in range(len(plan.sources))]
    keys += [("read", name) for name in form.reads]
    keys += [("words", name) for name in sorted(inputs.words)]
    keys += [("table", i) for i in sorted({i for some in inputs.tables.values() for i, _ in some})]
    keys += [("bias", f"{n} {i}") for n, slot in enumerate(form.slots) for i in range(len(slot.biases))]
    keys += [("vector", name) for name in form.vectors]
    keys += [("weight", f"{level} {i}") for level, stage in enumerate(plan.stages) for i in range(len(stage.products))]
    if backward:
        keys += [("lies", 0), *(("back", s.delay) for s in form.states)]
        keys += [("dslots", 0), ("dslots", 1)]
        keys += [key for name, _ in form.yields for key in (("dout", name), ("row", f"dout {name}"))]
        keys += [("dstate", s.delay) for s in form.states]
        keys += [("carry", i) for i in range(len(plan.carries))]
        keys += [("dsource", i) for i in range(len(plan.sources))]
        keys += [("dvector", name) for name in form.vectors]
        keys += [("dread", name) for name in form.reads]
    return Table(tuple(keys))


def module(plan: TreePlan, inputs: Inputs, target: Target, *, team: bool) -> str:
    """The IR of a plan: @forward and @backward (table, first part, last part + 1, thread); team: see codegen.module.

    Biases and rows of tables are added to a pre-activation whenever it is read, see `inputs`. Raises Declined with the
    reason for what has no machine code.
    """
    reason = why_not(plan)
    if reason:
        raise Declined(reason)
    text = [vector_math.library(target), products.declared_kernels(target)]
    for backward in (False, True):
        text += _products(plan, inputs, target, backward)
        text.append(_LevelLoop(plan, inputs, target, backward).text())
    return declarations(target) + "\n".join(text) + (team_code(EACH_A_SHARE, LOOPS) if team else "")


def why_not(plan: TreePlan) -> str:
    """Why there is no machine code for a plan, or ""."""
    for node in reachable([s.node for stage in plan.stages for s in (*stage.stores, *stage.back_stores)]):
        if node.args and node.op not in KNOWN and node.op not in ("up", *REDUCED, *MATRICES):
            return f"there is none for {node.op}"
    return ""


def _name(backward: bool, level: int, numbers: Sequence[int]) -> str:
    return f"{'back' if backward else 'product'}{level}_{'_'.join(map(str, numbers))}"


def _source_width(plan: TreePlan, p: TreeProduct) -> int:
    kind, key = p.source
    if kind == "source":
        return plan.sources[int(key)][0]
    return next(s.width for s in plan.form.states if s.delay == key)


def _products(plan: TreePlan, inputs: Inputs, t: Target, backward: bool) -> Iterator[str]:
    assert plan.leaves is not None
    made: set[str] = set()
    for each in (plan, plan.leaves):
        for level, stage in enumerate(each.stages):
            for group in tree_products.groups(stage, t, backward):
                name = _name(backward, level, [i for i, _ in group])
                if name in made:
                    continue
                made.add(name)
                i, p = group[0]
                inside, stride = _source_width(plan, p), plan.strides[p.edge]
                if len(group) > 1:
                    factors = [(other.width, _source_width(plan, other)) for _, other in group]
                    yield tree_products.product_of_one(t, name, p.size, stride, factors, p.accumulate_back)
                elif backward:
                    yield products.product(t, name, p.width, p.size, stride, inside, p.accumulate_back)
                else:
                    yield products.product(t, name, p.size, p.width, inside, stride, inputs.added[level, i])


@dataclass(frozen=True, slots=True)
class _Row:
    """The row that is worked on: of a node, or of an edge, its parent and its child. Registers; part: of the forest."""

    node: str
    edge: str
    child: str
    part: str


class _LevelLoop:
    """Writes one of the two loops over levels."""

    def __init__(self, plan: TreePlan, inputs: Inputs, target: Target, backward: bool) -> None:
        self.plan = plan
        self.inputs = inputs
        self.spaces = plan.spaces
        self.t = target
        self.backward = backward
        name = "backward" if backward else "forward"
        self.f = Function(target, f"define void @{name}(ptr %table, i64 %from, i64 %to, i64 %thread) nounwind")
        self.table = table_of(plan, inputs, backward)
        self.args: dict[Key, str] = {}
        self.states = {s.delay: s for s in plan.form.states}
        self.yields = {name: node.width for name, node in plan.form.yields}
        self._rooms: dict[tuple[int, int], str] = {}

    def text(self) -> str:
        f = self.f
        for i, key in enumerate(self.table.keys):
            at = f.let(f"getelementptr i64, ptr %table, i64 {i}", "p")
            kind = "i64" if key[0] in ("levels", "row") else "ptr"
            self.args[key] = f.let(f"load {kind}, ptr {at}, align 8", "g")
        levels, leaves = self.args["levels", 0], self.plan.leaves
        assert leaves is not None
        with f.loop("%from", "%to") as part:
            if not self.backward:
                self._level(leaves, part, "0")
            with f.loop("1", levels) as u:
                self._level(self.plan, part, f.let(f"sub nsw i64 {levels}, {u}") if self.backward else u)
            if self.backward:
                self._level(leaves, part, "0")
        f.emit("ret void")
        return f.text()

    def number(self, key: Key, index: str) -> str:
        """An entry of an index table."""
        at = self.f.let(f"getelementptr i64, ptr {self.args[key]}, i64 {index}", "p")
        return self.f.let(f"load i64, ptr {at}, align 8")

    def _level(self, plan: TreePlan, part: str, level: str) -> None:
        f = self.f
        place = f.mul(f.add(f.mul(part, self.args["levels", 0]), level), 2)
        nodes = (self.number(("bounds", 0), place), self.number(("bounds", 0), f.add(place, "1")))
        edges = (self.number(("first", 0), nodes[0]), self.number(("first", 0), nodes[1]))
        if not self.backward:
            for delay in sorted(plan.gathered()):
                self._gather(delay, edges if delay in self.spaces.each else nodes)
            for number, stage in enumerate(plan.stages):
                self._multiply(number, stage, edges if stage.edge else nodes)
                for store in stage.stores:
                    if self.across(store) and not store.largest:
                        self._clear(store.place, store.start, store.node.width, nodes)
                self._stores(plan, stage.stores, edges if stage.edge else nodes, part, number)
            return
        for delay in plan.zeroed:
            self._clear(("dstate", delay), 0, self.states[delay].width, edges if delay in self.spaces.each else nodes)
        for number, stage in reversed(list(enumerate(plan.stages))):
            for place_, start, width in stage.cleared:
                self._clear(place_, start, width, edges if plan.edge_place(place_) else nodes)
            self._stores(plan, stage.back_stores, edges if stage.edge else nodes, part, number)
            self._multiply(number, stage, edges if stage.edge else nodes)

    def across(self, store: Store) -> bool:
        """Whether a store sums over the edges of a node."""
        return self.spaces.edge(store.node) and not self.plan.edge_place(store.place)

    def _gather(self, delay: str, rows: tuple[str, str]) -> None:
        """What nodes read of their children, side by side: summed, of one place, or each."""
        f, t, state = self.f, self.t, self.states[delay]
        with f.loop(*rows) as r:
            into = self.at(("children", delay), r, 0)
            if state.how == "sum":
                edges = (self.number(("first", 0), r), self.number(("first", 0), f.add(r, "1")))
                for j, mask in self.columns(state.width):
                    with j as column:
                        total = f.place()
                        f.emit(f"store {t.vector} zeroinitializer, ptr {total}")
                        with f.loop(*edges) as e:
                            row = self.at(("memory", state.memory), self.number(("child", 0), e), 0)
                            value = f.load(f.address(row, column), mask)
                            before = f.let(f"load {t.vector}, ptr {total}")
                            f.emit(f"store {t.vector} {f.op('fadd', before, value)}, ptr {total}")
                        f.store(f.let(f"load {t.vector}, ptr {total}"), f.address(into, column), mask)
                return
            key: Key = ("child", 0) if state.how == "each" else ("child at", delay)
            source = self.at(("memory", state.memory), self.number(key, r), 0)
            for j, mask in self.columns(state.width):
                with j as column:
                    f.store(f.load(f.address(source, column), mask), f.address(into, column), mask)

    def columns(self, width: int) -> Iterator[tuple[_Columns, str]]:
        """Loops over the columns of a row, vector by vector: (loop, mask)."""
        whole = width // self.t.lanes * self.t.lanes
        if whole:
            yield _Columns(self.f, whole), ""
        if width % self.t.lanes:
            yield _Columns(self.f, whole, once=True), self.t.first_lanes(width % self.t.lanes)

    def room(self, width: int, number: int) -> str:
        """The address of a row to work in, on the stack; the same for the same arguments."""
        if (width, number) not in self._rooms:
            self._rooms[width, number] = self.f.room(width)
        return self._rooms[width, number]

    def _clear(self, place: Place, start: int, width: int, rows: tuple[str, str]) -> None:
        f = self.f
        with f.loop(*rows) as r:
            to = self.at(place, r, start)
            f.emit(f"call void @llvm.memset.p0.i64(ptr {to}, i8 0, i64 {width * self.t.size}, i1 false)")

    def _multiply(self, number: int, stage: TreeStage, rows: tuple[str, str]) -> None:
        """The products of a stage, or on the way back their transposes."""
        first = rows[0]
        count = self.f.let(f"sub nsw i64 {rows[1]}, {first}")
        for group in tree_products.groups(stage, self.t, self.backward):
            name = _name(self.backward, number, [i for i, _ in group])
            p = group[0][1]
            weights = [self.args["weight", f"{number} {i}"] for i, _ in group]
            sources = [self._source(other, first) for _, other in group]
            pre = self._pre("dslots" if self.backward else "slots", p.edge, first, p.offset)
            if len(group) > 1:
                factors = "".join(f", ptr {w}, ptr {c}" for w, c in zip(weights, sources, strict=True))
                self.f.emit(f"call void @{name}(ptr {pre}, i64 {count}{factors})")
                continue
            a, c = (pre, sources[0]) if self.backward else (sources[0], pre)
            turn = ", i64 0" if self.t.tiles else ""
            self.f.emit(f"call void @{name}(ptr {a}, ptr {weights[0]}, i64 {count}, ptr {c}{turn})")

    def _source(self, p: TreeProduct, row: str) -> str:
        """The address of what a product multiplies, or of its gradient."""
        kind, key = p.source
        return self.at(((_FILLED if self.backward else _READ)[kind], key), row, p.start)

    def _pre(self, kind: str, edge: bool, row: str, column: int) -> str:
        """The address of a column of pre-activations, or of their gradients."""
        f = self.f
        return f.address(self.args[kind, int(edge)], f.add(f.mul(row, self.plan.strides[edge]), str(column)))

    def at(self, place: Key, row: str, start: int) -> str:
        """The address of column `start` of a row of a buffer."""
        f, plan = self.f, self.plan
        kind, key = place
        if kind in ("slot", "dslot"):
            return self._pre(f"{kind}s", plan.spaces.slots[int(key)], row, plan.offsets[int(key)] + start)
        if kind in ("saved", "source", "carry", "dsource"):
            widths = {"saved": plan.saved, "carry": plan.carries}.get(kind, plan.sources)
            width = widths[int(key)][0]
        elif kind == "memory":
            width = plan.form.memories[int(key)].width
        elif kind in ("children", "dstate"):
            width = self.states[str(key)].width
        elif kind in ("read", "dread"):
            width = plan.form.reads[str(key)]
        else:
            width = self.yields[str(key)]
        return f.address(self.args[kind, key], f.add(f.mul(row, width), str(start)))

    def _stores(self, plan: TreePlan, stores: Sequence[Store], rows: tuple[str, str], part: str, number: int) -> None:
        """All results of a stage, row by row, vector by vector; results of one width share the loop."""
        if not stores:
            return
        f, edge = self.f, plan.stages[number].edge
        with f.loop(*rows) as r:
            node = self.number(("parent", 0), r) if edge else r
            row = _Row(node, r if edge else "", self.number(("child", 0), r) if edge else "", part)
            for group in groups(stores):
                _Group(self, plan, group, group[0].node.width, number).emit(row)


class _Columns:
    """One loop over the columns of a row, or the last few columns once."""

    def __init__(self, f: Function, whole: int, *, once: bool = False) -> None:
        self.whole = whole
        self.loop = None if once else f.loop("0", str(whole), str(f.target.lanes))

    def __enter__(self) -> str:
        return str(self.whole) if self.loop is None else self.loop.__enter__()

    def __exit__(self, *error: object) -> None:
        if self.loop is not None:
            self.loop.__exit__(None, None, None)


class _Group:
    """The stores of one width in one stage: loads, arithmetic, stores, for one row."""

    def __init__(self, loop: _LevelLoop, plan: TreePlan, stores: Sequence[Store], width: int, stage: int) -> None:
        self.loop = loop
        self.plan = plan
        self.ready = plan.stored_before(stage)
        self.f, self.t = loop.f, loop.t
        self.stores = stores
        self.width = width
        self.nodes = reachable([s.node for s in stores], self._given)
        self._rooms = 0
        self._first = ""
        """Whether this row of edges is a node's first."""

    def _given(self, node: Node) -> bool:
        if node.op in REDUCED:
            return True
        return node.number in self.plan.held and (self.loop.backward or node.number in self.ready)

    def _leaf(self, node: Node) -> bool:
        return node.op != "const" and (self._given(node) or not node.args)

    def emit(self, row: _Row) -> None:
        f, lanes = self.f, self.t.lanes
        places = {n.number: self._places(n, row) for n in self.nodes if self._leaf(n)}
        known: dict[int, str] = {}
        for node in self.nodes:
            if self._leaf(node) and node.width == 1:
                known[node.number] = f.broadcast(self._scalar(places[node.number]))
        for node in self.nodes:
            if node.number in places:
                continue
            if node.op in ("total", "top"):
                known[node.number] = self._along(node, places, known)
            elif node.op in ("matvec", "vecmat"):
                places[node.number] = [self._matrix(node, places, known)]
                if node.width == 1:
                    known[node.number] = f.broadcast(self._scalar(places[node.number]))
        targets = [self._target(s, row) for s in self.stores]
        if any(store.largest for store in self.stores):
            self._first = f.let(f"icmp eq i64 {row.edge}, {self.loop.number(('first', 0), row.node)}")
        for store, target in zip(self.stores, targets, strict=True):
            if store.node.op == "outer":
                a, b = (self._in_memory(arg, places, known) for arg in store.node.args)
                sizes = [arg.width for arg in store.node.args]
                outer(f, a, b, sizes[0], sizes[1], target, add=store.add or self.loop.across(store))
        if all(store.node.op == "outer" for store in self.stores):
            return
        whole = self.width // lanes * lanes
        if whole:
            with f.loop("0", str(whole), str(lanes)) as j:
                self._body(places, known, targets, j, "")
        if self.width % lanes:
            self._body(places, known, targets, str(whole), self.t.first_lanes(self.width % lanes))

    def _scalar(self, places: Sequence[str]) -> str:
        total = ""
        for place in places:
            value = self.f.load_scalar(place)
            total = self.f.let(f"fadd {self.t.scalar} {total}, {value}") if total else value
        return total or self.t.number(0.0)

    def _under(
        self, nodes: Sequence[Node], places: Mapping[int, Sequence[str]], known: Mapping[int, str]
    ) -> list[Node]:
        """What is to be computed for some nodes, down to what is there."""
        return reachable(nodes, lambda n: self._given(n) or n.number in known or n.number in places)

    def _room(self, width: int) -> str:
        self._rooms += 1
        return self.loop.room(width, self._rooms)

    def _matrix(self, node: Node, places: Mapping[int, Sequence[str]], known: Mapping[int, str]) -> str:
        """The address of the product of a row that is a matrix with a vector, made in a row of its own."""
        into = self._room(node.width)
        a, b = (self._in_memory(arg, places, known) for arg in node.args)
        if node.op == "matvec":
            matvec(self.f, a, b, node.width, node.args[1].width, into)
        else:
            vecmat(self.f, a, b, node.args[0].width, node.width, into)
        return into

    def _in_memory(self, node: Node, places: Mapping[int, Sequence[str]], known: Mapping[int, str]) -> str:
        """The address of a value: where it is, or, if that is nowhere, in a row made for it."""
        own = places.get(node.number, ())
        if len(own) == 1:
            return own[0]
        f, into = self.f, self._room(node.width)
        under = self._under([node], places, known)
        for columns, mask in self.loop.columns(node.width):
            with columns as j:
                f.store(self._values(under, places, known, j, mask)[node.number], f.address(into, j), mask)
        return into

    def _along(self, node: Node, places: Mapping[int, Sequence[str]], known: Mapping[int, str]) -> str:
        """The sum or the largest of a row, in all lanes."""
        f, t, arg = self.f, self.t, node.args[0]
        nothing = t.splat(0.0 if node.op == "total" else -math.inf)
        under = self._under([arg], places, known)
        place = f.place()
        f.emit(f"store {t.vector} {nothing}, ptr {place}")

        def gather(j: str, mask: str) -> None:
            value = self._values(under, places, known, j, mask)[arg.number]
            if mask:
                value = f.let(f"select {t.bools} {mask}, {t.vector} {value}, {t.vector} {nothing}")
            before = f.let(f"load {t.vector}, ptr {place}")
            if node.op == "total":
                value = f.op("fadd", before, value)
            else:
                value = f.select("ogt", before, value, before, value)
            f.emit(f"store {t.vector} {value}, ptr {place}")

        whole = arg.width // t.lanes * t.lanes
        if whole:
            with f.loop("0", str(whole), str(t.lanes)) as j:
                gather(j, "")
        if arg.width % t.lanes:
            gather(str(whole), t.first_lanes(arg.width % t.lanes))
        lanes = f.let(f"load {t.vector}, ptr {place}")
        name = f"@llvm.vector.reduce.{'fadd' if node.op == 'total' else 'fmax'}.{t.suffix}"
        start = f"{t.scalar} {t.number(0.0)}, " if node.op == "total" else ""
        flag = "reassoc " if node.op == "total" else ""
        return f.broadcast(f.let(f"call {flag}{t.scalar} {name}({start}{t.vector} {lanes})"))

    def _values(
        self,
        nodes: Sequence[Node],
        places: Mapping[int, Sequence[str]],
        known: Mapping[int, str],
        j: str,
        mask: str,
    ) -> dict[int, str]:
        """Registers of some nodes, arguments first, at columns j …; known: those that are the same in every column."""
        f = self.f
        values = dict(known)
        for node in nodes:
            if node.number in values:
                continue
            if node.number in places:
                total = ""
                for place in places[node.number]:
                    value = f.load(f.address(place, j), mask)
                    total = f.op("fadd", total, value) if total else value
                values[node.number] = total or self.t.splat(0.0)
            elif node.op == "up":
                values[node.number] = values[node.args[0].number]
            else:
                values[node.number] = arithmetic(f, node, [values[a.number] for a in node.args])
        return values

    def _body(
        self,
        places: Mapping[int, Sequence[str]],
        known: Mapping[int, str],
        targets: Sequence[str],
        j: str,
        mask: str,
    ) -> None:
        f = self.f
        stores = [(s, target) for s, target in zip(self.stores, targets, strict=True) if s.node.op != "outer"]
        above = self._under([s.node for s, _ in stores], places, known)
        values = self._values(above, places, known, j, mask)
        ready = []
        for store, target in stores:
            place, value = f.address(target, j), values[store.node.number]
            if store.largest:
                value = self._larger(f.load(place, mask), value)
            elif store.add or self.loop.across(store):
                value = f.op("fadd", f.load(place, mask), value)
            ready.append((value, place))
        for value, place in ready:
            f.store(value, place, mask)

    def _larger(self, before: str, value: str) -> str:
        """The largest so far of what a node's edges hold: NaN where one is."""
        f, v = self.f, self.t.vector
        larger = f.select("uno", before, before, before, f.select("ogt", before, value, before, value))
        return f.let(f"select i1 {self._first}, {v} {value}, {v} {larger}")

    def _row(self, row: _Row, *, edge: bool) -> str:
        return row.edge if edge else row.node

    def _places(self, node: Node, row: _Row) -> list[str]:
        """Addresses whose numbers, summed, are the first column of a leaf, or of a kept value, in this row."""
        loop, f = self.loop, self.f
        own = self._row(row, edge=loop.spaces.edge(node))
        if self._given(node):
            place, start = self.plan.held[node.number]
            return [loop.at(place, own, start)]
        name, start = node.data
        if node.op == "state":
            return [self._child(name, row, start)]
        if node.op == "vector":
            return [f.address(loop.args["vector", name], str(start))]
        if node.op == "din":
            delays = [s.delay for s in loop.plan.form.states if s.memory == name]
            return [loop.at(("dstate", d), loop.number(("back", d), row.node), start) for d in delays]
        if node.op == "dout":
            lies = loop.number(("lies", 0), row.node)
            at = f.add(f.mul(lies, loop.args["row", f"dout {name}"]), str(start))
            return [f.address(loop.args["dout", name], at)]
        if node.op == "slot":
            return self._pre_activation(int(name), own, start)
        return [loop.at((node.op, name), own, start)]

    def _pre_activation(self, slot: int, row: str, start: int) -> list[str]:
        """Addresses of the parts of a pre-activation: what products have made, rows of tables, biases."""
        loop, f, plan = self.loop, self.f, self.loop.plan
        found = [loop.at(("slot", slot), row, start)] if loop.inputs.in_memory(slot, self.plan) else []
        for i, first in loop.inputs.tables.get(slot, ()):
            product = plan.projections[i]
            word = loop.number(("words", product.source[1]), row)
            at = f.add(f.mul(word, product.size), str(first + start))
            found.append(f.address(loop.args["table", i], at))
        biases = range(len(plan.form.slots[slot].biases))
        return [*found, *(f.address(loop.args["bias", f"{slot} {i}"], str(start)) for i in biases)]

    def _child(self, delay: str, row: _Row, start: int) -> str:
        state = self.loop.states[delay]
        if state.how == "sum":
            return self.loop.at(("children", delay), row.node, start)
        child = row.child if state.how == "each" else self.loop.number(("child at", delay), row.node)
        return self.loop.at(("memory", state.memory), child, start)

    def _target(self, store: Store, row: _Row) -> str:
        loop, f = self.loop, self.f
        if store.place[0] == "dvector":
            name = str(store.place[1])
            whose = f.mul(row.part, loop.plan.form.vectors[name])
            return f.address(loop.args["dvector", name], f.add(whose, str(store.start)))
        return loop.at(store.place, self._row(row, edge=loop.plan.edge_place(store.place)), store.start)
