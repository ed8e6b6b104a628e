"""A plan as LLVM IR: @forward and @backward run the time loops over a range of the batch's rows. Torch-free.

Both take a table of 64-bit numbers, as `Table` lays it out: sizes, then addresses. Widths are constants of the code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from . import plain_code, products, vector_math
from .arithmetic import KNOWN, arithmetic
from .canonical import Declined
from .expressions import Node, reachable
from .glance import Glance
from .ir import Function, Target, declarations
from .plan import Plan
from .stages import Product, Store
from .team import EACH_A_SHARE, EACH_THE_WHOLE, LOOPS, team_code

Key = tuple[str, int | str]


@dataclass(frozen=True, slots=True)
class Table:
    """What the numbers of an argument table mean, in order."""

    keys: tuple[Key, ...]

    def place(self, key: Key) -> int:
        return self.keys.index(key)


def table_of(plan: Plan, backward: bool) -> Table:
    """("steps", 0), ("batch", 0), then buffers by kind and name; ("step", name) and ("row", name) are strides."""
    form = plan.form
    keys: list[Key] = [("steps", 0), ("batch", 0), ("slots", 0), ("bias", 0)]
    keys += [("saved", i) for i in range(len(plan.saved))]
    keys += [("state", s.delay) for s in form.states]
    keys += [("yield", name) for name, place in plan.outputs.items() if place[0] == "yield"]
    keys += [("source", i) for i in range(len(plan.sources))]
    keys += [("read", name) for name in form.reads]
    keys += [key for name in form.vectors for key in (("vector", name), ("row", name))]
    keys += [("valid", 0)] if plan.ragged else []
    numbers = [(level, i) for level, stage in enumerate(plan.stages) for i in range(len(stage.products))]
    keys += [("weight", f"{level} {i}") for level, i in numbers]
    plain = plain_code.stages_of(form)
    keys += [key for i, stage in enumerate(plain) for key in plain_code.keys_of(i, stage, backward)]
    if backward:
        keys += [("dslots", 0), ("later", 0), ("dbias", 0), ("row", "dbias")]
        for name, _ in form.yields:
            keys += [("dout", name), ("step", f"dout {name}"), ("row", f"dout {name}")]
        keys += [("ring", s.delay) for s in form.states]
        for name in form.vectors:
            keys += [("dvector", name), ("row", f"dvector {name}"), ("step", f"dvector {name}")]
        keys += [("dread", name) for name in form.reads]
        keys += [("carry", i) for i in range(len(plan.carries))]
        keys += [("dsource", i) for i in range(len(plan.sources))]
    return Table(tuple(keys))


def module(plan: Plan, target: Target, *, team: bool) -> str:
    """The IR of a plan: @forward and @backward (table, first row, last row + 1, thread), and with `team`, for when
    GNU's OpenMP can be entered, @forward_team and @backward_team (table, batch, threads).

    Raises Declined with the reason for what has no machine code.
    """
    reason = why_not(plan)
    if reason:
        raise Declined(reason)
    plain = plain_code.declared(target, plain_code.stages_of(plan.form))
    text = [vector_math.library(target), products.declared_kernels(target), plain]
    for backward in (False, True):
        text += _products(plan, target, backward)
        text.append(_TimeLoop(plan, target, backward).text())
    return declarations(target) + "\n".join(text) + (team_code(EACH_A_SHARE, LOOPS) if team else "")


def module_by_columns(plan: Plan, target: Target) -> str:
    """The IR of a plan for batches of few rows: @forward_team and @backward_team (table, batch, threads).

    Every thread goes through all steps with all rows and makes some columns of every product; the first one does the
    rest, and they wait for each other. Each thread's part of the weights stays in its own cache.
    """
    plain = plain_code.declared(target, plain_code.stages_of(plan.form))
    text = [vector_math.library(target), products.declared_kernels(target), plain]
    for backward in (False, True):
        text += _products(plan, target, backward, part=True)
        text.append(_TimeLoop(plan, target, backward, columns=True).text())
    return declarations(target) + "declare void @GOMP_barrier()\n" + "\n".join(text) + team_code(EACH_THE_WHOLE, LOOPS)


def why_not(plan: Plan) -> str:
    """Why there is no machine code for a plan, or ""."""
    try:
        plain_code.stages_of(plan.form)
    except Declined as reason:
        return str(reason)
    for node in reachable([s.node for stage in plan.stages for s in (*stage.stores, *stage.back_stores)]):
        if node.args and node.op not in KNOWN:
            return f"there is none for {node.op}"
    return ""


def _name(backward: bool, level: int, i: int) -> str:
    return f"{'back' if backward else 'product'}{level}_{i}"


def _products(plan: Plan, t: Target, backward: bool, part: bool = False) -> Iterator[str]:
    for level, stage in enumerate(plan.stages):
        for i, p in enumerate(stage.products):
            inside = _source_width(plan, p)
            name = _name(backward, level, i)
            if backward:
                yield products.product(t, name, p.width, p.size, plan.stride, inside, p.accumulate_back, part)
            else:
                yield products.product(t, name, p.size, p.width, inside, plan.stride, p.accumulate, part)


def _source_width(plan: Plan, p: Product) -> int:
    kind, key = p.source
    if kind == "source":
        return plan.sources[int(key)]
    return next(s.width for s in plan.form.states if s.delay == key)


class _TimeLoop:
    """Writes one of the two time loops. columns: as `module_by_columns` says."""

    def __init__(self, plan: Plan, target: Target, backward: bool, columns: bool = False) -> None:
        self.plan = plan
        self.t = target
        self.backward = backward
        name = "backward" if backward else "forward"
        more = ", i64 %threads" if columns else ""
        self.f = Function(target, f"define void @{name}(ptr %table, i64 %from, i64 %to, i64 %thread{more}) nounwind")
        self.columns = columns
        self.first = self.turn = ""
        self.table = table_of(plan, backward)
        self.args: dict[Key, str] = {}
        self.states = {s.delay: s for s in plan.form.states}
        self.yields = {name: node.width for name, node in plan.form.yields}
        self.levels = {s.node.number: i for i, stage in enumerate(plan.stages) for s in stage.stores}
        self.floating = plan.floating
        self.copied = dict(plan.copied)
        self.plain = plain_code.stages_of(plan.form)
        self.plain_widths = plain_code.widths_of(self.plain)
        self.dbias = ""

    def text(self) -> str:
        f = self.f
        for i, key in enumerate(self.table.keys):
            at = f.let(f"getelementptr i64, ptr %table, i64 {i}", "p")
            kind = "i64" if key[0] in (*plain_code.NUMBERS, "steps", "batch", "step", "row", "later") else "ptr"
            self.args[key] = f.let(f"load {kind}, ptr {at}, align 8", "g")
        count = f.let("sub nsw i64 %to, %from")
        if self.columns:
            self.first = f.let("icmp eq i64 %thread, 0")
        if self.backward:
            whose = f.mul("%thread", f.mul(self.args["row", "dbias"], 2))
            self.dbias = f.address(self.args["dbias", 0], whose)
        steps = self.args["steps", 0]
        with f.loop("0", steps) as u:
            last = f.let(f"sub nsw i64 {steps}, 1")
            upward = self.plan.form.forward != self.backward
            step = u if upward else f.let(f"sub nsw i64 {last}, {u}")
            self.step(step, u, count)
        f.emit("ret void")
        return f.text()

    def step(self, t: str, u: str, count: str) -> None:
        plan = self.plan
        self.turn = u
        rows = self.f.mul(t, self.args["batch", 0])
        rings = self._rings(u) if self.backward else {}
        if not self.backward:
            for level, stage in enumerate(plan.stages):
                for i, p in enumerate(stage.products):
                    a = self._at(self._source(p), self.f.add(rows, "%from"), p.start)
                    c = self._at(("slots", 0), self.f.add(rows, "%from"), p.offset)
                    self._multiply(False, level, i, a, c, count)
                with self._alone():
                    for number in stage.plain:
                        plain_code.forward(self, number, self.plain[number], rows)
                    self._stores(stage.stores, rows, t, rings, level)
            return
        for level in range(len(plan.stages) - 1, -1, -1):
            stage = plan.stages[level]
            with self._alone():
                if level == len(plan.stages) - 1:
                    for delay in plan.zeroed:
                        self._zero(rings["out", delay], self.states[delay].width)
                    for look in self.plain:
                        if isinstance(look, Glance):
                            self._zero(self.args["dplain", look.out], look.width)
                self._stores(stage.back_stores, rows, t, rings, level)
                for number in reversed(stage.plain):
                    plain_code.backward(self, number, self.plain[number], rows)
                if level == 0 and any(slot.biases for slot in plan.form.slots):
                    self._gather_bias()
            for i, p in enumerate(stage.products):
                a = self._at(("dslots", 0), self.f.add(rows, "%from"), p.offset)
                kind, key = p.source
                if kind == "state":
                    width, base = self.states[str(key)].width, rings["out", str(key)]
                else:
                    width, base = plan.sources[int(key)], self.args["dsource", key]
                c = self.f.address(base, self.f.add(self.f.mul("%from", width), str(p.start)))
                self._multiply(True, level, i, a, c, count)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """What is done by the first thread while the others wait, when they share columns out, not rows."""
        if not self.columns:
            yield
            return
        self.f.emit("call void @GOMP_barrier()")
        with self.f.when(self.first):
            yield
        self.f.emit("call void @GOMP_barrier()")

    def _gather_bias(self) -> None:
        """Sums over the rows of this step go to the sums over all steps: two levels, for the sake of accuracy."""
        f, t = self.f, self.t
        row = self.args["row", "dbias"]
        total = f.address(self.dbias, row)
        with f.loop("0", row, str(t.lanes)) as j:
            part, place = f.address(self.dbias, j), f.address(total, j)
            f.store(f.op("fadd", f.load(place), f.load(part)), place)
            f.store(t.splat(0.0), part)

    def _multiply(self, backward: bool, level: int, i: int, a: str, c: str, count: str) -> None:
        weight = self.args["weight", f"{level} {i}"]
        part = ", i64 %thread, i64 %threads" if self.columns else f", i64 {self.turn}" if self.t.tiles else ""
        self.f.emit(f"call void @{_name(backward, level, i)}(ptr {a}, ptr {weight}, i64 {count}, ptr {c}{part})")

    def _source(self, p: Product) -> Key:
        return ("before", p.source[1]) if p.source[0] == "state" else p.source

    def _rings(self, u: str) -> dict[Key, str]:
        """Where the gradients of a state's new and old values lie: a ring of k + 1 steps, [k + 1, batch, width], or,
        when they are to be kept, one row after the other, [steps + k, batch, width].
        """
        f = self.f
        kept = f.let(f"icmp ne i64 {self.args['later', 0]}, 0")
        found: dict[Key, str] = {}
        for delay, state in self.states.items():
            size = f.mul(self.args["batch", 0], state.width)
            for what, ahead in (("in", 0), ("out", state.k)):
                place = f.add(u, str(ahead))
                turn = f.let(f"srem i64 {place}, {state.k + 1}")
                turn = f.let(f"select i1 {kept}, i64 {place}, i64 {turn}")
                found[what, delay] = f.address(self.args["ring", delay], f.mul(turn, size))
        return found

    def _zero(self, base: str, width: int) -> None:
        f = self.f
        first, size = f.mul("%from", width), f.mul(f.let("sub nsw i64 %to, %from"), width * self.t.size)
        f.emit(f"call void @llvm.memset.p0.i64(ptr {f.address(base, first)}, i8 0, i64 {size}, i1 false)")

    def _at(self, key: Key, row: str, start: int) -> str:
        """The address of column `start` of row t · batch + r of a buffer with time."""
        f = self.f
        kind, name = key
        if kind in ("before", "after", "state"):
            state = self.states[str(name)]
            shift = 0 if (kind == "before") == self.plan.form.forward else state.k
            row = f.add(row, f.mul(self.args["batch", 0], shift)) if shift else row
            return f.address(self.args["state", name], f.add(f.mul(row, state.width), str(start)))
        widths: dict[str, Callable[[], int]] = {
            "slots": lambda: self.plan.stride,
            "dslots": lambda: self.plan.stride,
            "saved": lambda: self.plan.saved[int(name)],
            "source": lambda: self.plan.sources[int(name)],
            "yield": lambda: self.yields[str(name)],
            "read": lambda: self.plan.form.reads[str(name)],
            "dread": lambda: self.plan.form.reads[str(name)],
            "plain": lambda: self.plain_widths[str(name)],
            "dplain": lambda: self.plain_widths[str(name)],
        }
        return f.address(self.args[key], f.add(f.mul(row, widths[kind]()), str(start)))

    def _stores(self, stores: Sequence[Store], rows: str, t: str, rings: Mapping[Key, str], level: int) -> None:
        """All results of a stage, row by row, vector by vector; results of one width share the loop."""
        if not stores:
            return
        f = self.f
        with f.loop("%from", "%to") as r:
            row = f.add(rows, r)
            for width in sorted({self._width(s) for s in stores}, reverse=True):
                group = [s for s in stores if self._width(s) == width]
                _Group(self, group, width, level).emit(row, r, t, rings)

    def _width(self, store: Store) -> int:
        return store.node.width


class _Group:
    """The stores of one width in one stage: loads, arithmetic, stores, for one row."""

    def __init__(self, loop: _TimeLoop, stores: Sequence[Store], width: int, level: int) -> None:
        self.loop = loop
        self.stores = stores
        self.width = width
        self.level = level
        self.nodes = reachable([s.node for s in stores], self._given)
        self.biases: dict[int, str] = {}

    def _given(self, node: Node) -> bool:
        if node.number not in self.loop.plan.held:
            return False
        return self.loop.backward or self.loop.levels.get(node.number, self.level) < self.level

    def emit(self, row: str, r: str, t: str, rings: Mapping[Key, str]) -> None:
        f, lanes = self.loop.f, self.loop.t.lanes
        places = {n.number: self._place(n, row, r, t, rings) for n in self.nodes if self._leaf(n)}
        self.biases = {n.number: self._bias(n) for n in self.nodes if self._floats(n)}
        known: dict[int, str] = {}
        for node in self.nodes:
            if self._leaf(node) and node.width == 1:
                one = f.load_scalar(places[node.number])
                if node.number in self.biases:
                    one = f.let(f"fadd {self.loop.t.scalar} {one}, {f.load_scalar(self.biases[node.number])}")
                known[node.number] = f.broadcast(one)
        for node in self.nodes:
            if node.op in ("total", "top") and node.number not in known:
                known[node.number] = self._along(node, places, known)
        targets = [self._target(s, row, r, rings) for s in self.stores]
        self.sums = {i: self._sum(s) for i, s in enumerate(self.stores) if s.place[0] == "dslot" and self._biased(s)}
        whole = self.width // lanes * lanes
        if whole:
            with f.loop("0", str(whole), str(lanes)) as j:
                self._body(places, known, targets, j, "")
        if self.width % lanes:
            self._body(places, known, targets, str(whole), self.loop.t.first_lanes(self.width % lanes))

    def _leaf(self, node: Node) -> bool:
        return node.op != "const" and (self._given(node) or not node.args)

    def _along(self, node: Node, places: Mapping[int, str], known: Mapping[int, str]) -> str:
        """The sum or the largest of a row, in all lanes."""
        f, t, arg = self.loop.f, self.loop.t, node.args[0]
        nothing = t.splat(0.0 if node.op == "total" else -math.inf)
        under = reachable([arg], lambda n: self._given(n) or n.number in known)
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
        self, nodes: Sequence[Node], places: Mapping[int, str], known: Mapping[int, str], j: str, mask: str
    ) -> dict[int, str]:
        """Registers of some nodes, arguments first, at columns j …; known: those that are the same in every column."""
        f = self.loop.f
        values = dict(known)
        for node in nodes:
            if node.number in values:
                continue
            if node.number in places:
                value = f.load(f.address(places[node.number], j), mask)
                if node.number in self.biases:
                    value = f.op("fadd", value, f.load(f.address(self.biases[node.number], j), mask))
                values[node.number] = value
            else:
                values[node.number] = arithmetic(f, node, [values[a.number] for a in node.args])
        return values

    def _body(
        self, places: Mapping[int, str], known: Mapping[int, str], targets: Sequence[str], j: str, mask: str
    ) -> None:
        f = self.loop.f
        above = reachable([s.node for s in self.stores], lambda n: self._given(n) or n.number in known)
        values = self._values(above, places, known, j, mask)
        ready = []
        for store, target in zip(self.stores, targets, strict=True):
            place, value = f.address(target, j), values[store.node.number]
            if store.add:
                value = f.op("fadd", f.load(place, mask), value)
            ready.append((value, place))
        for value, place in ready:
            f.store(value, place, mask)
        for i, base in self.sums.items():
            place = f.address(base, j)
            f.store(f.op("fadd", f.load(place, mask), ready[i][0]), place, mask)

    def _floats(self, node: Node) -> bool:
        return node.op == "slot" and node.data[0] in self.loop.floating and not self._given(node)

    def _bias(self, node: Node) -> str:
        """The address of a pre-activation's bias, which is not in it yet."""
        number, start = node.data
        return self.loop.f.address(self.loop.args["bias", 0], str(self.loop.plan.offsets[number] + start))

    def _biased(self, store: Store) -> bool:
        return bool(self.loop.plan.form.slots[int(store.place[1])].biases)

    def _sum(self, store: Store) -> str:
        """Where a gradient of pre-activations is summed over the rows of a step."""
        return self.loop.f.address(self.loop.dbias, str(self.loop.plan.offsets[int(store.place[1])] + store.start))

    def _place(self, node: Node, row: str, r: str, t: str, rings: Mapping[Key, str]) -> str:
        """The address of a leaf's, or a kept value's, first column in this row."""
        loop, f = self.loop, self.loop.f
        if node.number in loop.plan.held and self._given(node):
            place, start = loop.plan.held[node.number]
            return self._held(place, start, row)
        if node.op == "mask":
            return f.address(loop.args["valid", 0], row)
        name, start = node.data
        if node.op == "slot":
            return loop._at(("slots", 0), row, loop.plan.offsets[name] + start)
        if node.op == "state":
            return loop._at(("before", name), row, start)
        if node.op in ("read", "plain"):
            return loop._at((node.op, name), row, start)
        if node.op == "vector":
            return f.address(loop.args["vector", name], f.add(f.mul(r, loop.args["row", name]), str(start)))
        if node.op == "din":
            base, width = rings["in", name], loop.states[name].width
        elif node.op == "dout":
            steps = f.mul(t, loop.args["step", f"dout {name}"])
            at = f.add(steps, f.mul(r, loop.args["row", f"dout {name}"]))
            return f.address(loop.args["dout", name], f.add(at, str(start)))
        elif node.op == "carry":
            base, width = loop.args["carry", name], loop.plan.carries[name]
        else:
            base, width = loop.args["dsource", name], loop.plan.sources[name]
        return f.address(base, f.add(f.mul(r, width), str(start)))

    def _held(self, place: Key, start: int, row: str) -> str:
        kind, key = place
        if kind == "slot":
            return self.loop._at(("slots", 0), row, self.loop.plan.offsets[int(key)] + start)
        return self.loop._at(("after", key) if kind == "state" else place, row, start)

    def _target(self, store: Store, row: str, r: str, rings: Mapping[Key, str]) -> str:
        loop, f = self.loop, self.loop.f
        kind, key = store.place
        if kind in ("slot", "saved", "state", "yield", "source"):
            return self._held(store.place, store.start, row)
        if kind == "dslot":
            return loop._at(("dslots", 0), row, loop.plan.offsets[int(key)] + store.start)
        if kind == "dread":
            return loop._at(store.place, row, store.start)
        if kind == "dplain":
            return plain_code.arriving(loop, loop.plain, str(key), row, r, store.start)
        if kind == "dstate":
            base, width = rings["out", str(key)], loop.states[str(key)].width
        elif kind == "carry":
            base, width = loop.args["carry", key], loop.plan.carries[int(key)]
        else:
            whose = f.mul("%thread", loop.args["step", f"dvector {key}"])
            each = f.mul(r, loop.args["row", f"dvector {key}"])
            return f.address(loop.args["dvector", key], f.add(f.add(whose, each), str(store.start)))
        return f.address(base, f.add(f.mul(r, width), str(store.start)))
