"""The derivative of one step, stage by stage from the last one: what is stored, what is multiplied back. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from .canonical import Form
from .expressions import Node, derivative, parts
from .stages import Place, Product, Store, Total

_OUTER = ("state", "read", "vector")


class Backward:
    """Fills `stores` and `products` by stage. din: gradient of a state's new value, from the steps after; dout: of a
    yield; dsource: of what a product reads, made by the products of later stages; carry: what a later stage of the
    same step leaves for an earlier one.
    """

    def __init__(
        self, form: Form, nodes: Sequence[Node], level: Callable[[Node], int], depth: int, ragged: bool
    ) -> None:
        self.graph = form.graph
        self.form = form
        self.nodes = {node.number: node for node in nodes}
        self.level = level
        self.depth = depth
        self.ragged = ragged
        self.stores: dict[int, list[Store]] = {}
        self.products: dict[int, list[Product]] = {}
        self.carries: list[int] = []
        self.zeroed: tuple[str, ...] = ()
        self.totals: list[Total] = []
        self._states: dict[int, list[tuple[str, int]]] = {}
        self._adjoint: dict[int, Node] = {}
        self._seeds: dict[int, tuple[Node, Node]] = {}
        self._sources: dict[int, Node] = {}
        self._written: set[Place] = set()
        self._constants = {f"{op.name}/mask" for op in form.masks}

    def seed(self, nexts: Mapping[str, Node], outputs: Mapping[str, Place], sources: Sequence[Node]) -> None:
        """Gradients that come from outside the step."""
        g = self.graph
        for delay, source in nexts.items():
            for start, part in parts(source):
                if delay in self.form.apart:
                    self._states.setdefault(part.number, []).append((delay, start))
                coming = g.node("din", (), part.width, (delay, start))
                if self.ragged:
                    own = g.multiply(g.node("mask"), coming)
                    old = g.node("state", (), part.width, (delay, start))
                    self._reach(old, g.subtract(coming, own), self._seeds)
                    coming = own
                self._reach(part, coming, self._seeds)
        for name, source in self.form.yields:
            for start, part in parts(source):
                self._reach(part, g.node("dout", (), part.width, (name, start)), self._seeds)
        for i, node in enumerate(sources):
            self._sources[node.number] = g.node("dsource", (), node.width, (i, 0))

    def run(self, products: Mapping[int, Sequence[Product]]) -> None:
        """All stages. Raises ValueError when a pre-activation gets no gradient (nothing is made of it)."""
        self._zero_partial(products)
        carried: dict[int, Node] = {}
        for level in range(self.depth - 1, -1, -1):
            stores: list[Store] = []
            outer = self._seeds if level == 0 else {}
            touched = self._stage(level, stores, outer)
            for number in sorted(touched):
                node = self.nodes[number]
                if number not in carried:
                    carried[number] = self.graph.node("carry", (), node.width, (len(self.carries), 0))
                    self.carries.append(node.width)
                stores.append(Store(("carry", carried[number].data[0]), 0, self._adjoint[number]))
                self._adjoint[number] = carried[number]
            for leaf, total in outer.values():
                self._outer_store(leaf, total, stores)
            self.stores[level] = stores
            self.products[level] = []
            for product in products[level]:
                target: Place = ("d" + product.source[0], product.source[1])
                self.products[level].append(replace(product, accumulate_back=target in self._written))
                self._written.add(target)
        done = {s.place for stores in self.stores.values() for s in stores}
        for number in range(len(self.form.slots)):
            if ("dslot", number) not in done:
                raise ValueError(f"pre-activation {number} has no gradient")
        unwritten = [s.delay for s in self.form.states if ("dstate", s.delay) not in self._written]
        self.zeroed = tuple(sorted({*self.zeroed, *unwritten}))

    def _stage(self, level: int, stores: list[Store], outer: dict[int, tuple[Node, Node]]) -> set[int]:
        """The nodes of one stage, results first. Returns the nodes of earlier stages whose gradient grew."""
        touched: set[int] = set()
        for number in sorted(self.nodes, reverse=True):
            node = self.nodes[number]
            if self.level(node) != level or number not in self._adjoint | self._sources:
                continue
            total = self._adjoint.pop(number, None)
            if number in self._sources:  # there only now: products of later stages have made it
                made = self._sources[number]
                total = made if total is None else self.graph.add(total, made)
            assert total is not None
            for delay, start in self._states.get(number, ()):
                self.totals.append(Total(level, delay, start, node.width, total))
            if node.op in ("slot", "plain"):
                stores.append(Store(("d" + node.op, node.data[0]), node.data[1], total, node.op == "plain"))
                continue
            for arg, part in derivative(self.graph, node, total):
                self._reach(arg, part, outer)
                if arg.op not in _OUTER and self.level(arg) < level:
                    touched.add(arg.number)
        return touched

    def _reach(self, node: Node, part: Node, outer: dict[int, tuple[Node, Node]]) -> None:
        if node.op in _OUTER:
            if node.op == "read" and node.data[0] in self._constants:
                return
            if node.op == "vector" and node.data[0] in self._constants:
                return
            before = outer.get(node.number)
            outer[node.number] = (node, self.graph.add(before[1], part) if before else part)
        elif node.op not in ("const", "mask"):
            before_it = self._adjoint.get(node.number)
            self._adjoint[node.number] = self.graph.add(before_it, part) if before_it else part

    def _outer_store(self, leaf: Node, total: Node, stores: list[Store]) -> None:
        name, start = leaf.data
        place: Place = (f"d{leaf.op}", name)
        add = leaf.op != "state" or place in self._written
        self._written.add(place)
        stores.append(Store(place, start, total, add))

    def _zero_partial(self, products: Mapping[int, Sequence[Product]]) -> None:
        """States of which only some columns are read somewhere start each step with a gradient of zero."""
        widths = {s.delay: s.width for s in self.form.states}
        leaves = [n for n in self.nodes.values() if n.op == "state"]
        leaves += [leaf for leaf, _ in self._seeds.values() if leaf.op == "state"]
        read = [(n.data[0], n.width) for n in leaves]
        read += [(str(p.source[1]), p.width) for ps in products.values() for p in ps if p.source[0] == "state"]
        self.zeroed = tuple(sorted({delay for delay, width in read if width != widths[delay]}))
        self._written |= {("dstate", delay) for delay in self.zeroed}
