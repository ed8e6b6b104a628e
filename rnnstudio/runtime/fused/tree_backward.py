"""The derivative of what a tree's node does, stage by stage from the last one. Torch-free.

din: gradient of a memory's new value, from the parent; dout: of a yield; dsource: of what a product reads, made by the
products of later stages. A value whose gradient grows in several stages has a place for it: the column of a slot's
gradient, or a carry. What edges give to the node above them is summed there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from .expressions import Node, derivative, parts
from .stages import Place, Store
from .tree_form import TreeForm, TreeProduct, ties

_OUTER = ("state", "read", "vector")


class TreeBackward:
    """Fills `stores`, `products` and `cleared` (places that a stage sets to zero first) by stage."""

    def __init__(self, form: TreeForm, nodes: Sequence[Node], level: Callable[[Node], int], depth: int) -> None:
        self.form = form
        self.graph = form.graph
        self.spaces = form.spaces
        self.nodes = {node.number: node for node in nodes}
        self.level = level
        self.depth = depth
        self.stores: dict[int, list[Store]] = {}
        self.products: dict[int, list[TreeProduct]] = {}
        self.cleared: dict[int, list[tuple[Place, int, int]]] = {}
        self.carries: list[int] = []
        self.zeroed: tuple[str, ...] = ()
        self.unset: tuple[int, ...] = ()
        self._coming: dict[int, Node] = {}
        """Node → the part of its gradient made in this stage."""
        self._first: dict[int, Node] = {}
        """Node → the part of its gradient that comes from outside the node."""
        self._carried: dict[int, tuple[Place, int]] = {}
        self._seeds: dict[int, tuple[Node, Node]] = {}
        self._sources: dict[int, Node] = {}
        self._written: set[Place] = set()
        self._constants = form.constants()

    def seed(self, multiplied: Sequence[Node], number: Mapping[int, int]) -> None:
        """Gradients that come from outside the node. multiplied: what products read, by `number` of the source."""
        g = self.graph
        for i, memory in enumerate(self.form.memories):
            for start, part in parts(memory):
                self._begin(part, g.node("din", (), part.width, (i, start)))
        for name, node in self.form.yields:
            for start, part in parts(node):
                self._begin(part, g.node("dout", (), part.width, (name, start)))
        for node in multiplied:
            self._sources[node.number] = g.node("dsource", (), node.width, (number[node.number], 0))

    def _begin(self, node: Node, part: Node) -> None:
        if node.op in _OUTER:
            self._reach(node, part, self._seeds)
        else:
            before = self._first.get(node.number)
            self._first[node.number] = self.graph.add(before, part) if before else part

    def run(self, products: Mapping[int, Sequence[TreeProduct]]) -> None:
        self._zero_partial(products)
        for level in range(self.depth - 1, -1, -1):
            self.stores[level], self.cleared[level] = [], []
            self._stage(level, self._seeds if level == 0 else {})
            self.products[level] = []
            for product in products[level]:
                target: Place = ("d" + product.source[0], product.source[1])
                self.products[level].append(replace(product, accumulate_back=target in self._written))
                self._written.add(target)
        unwritten = [s.delay for s in self.form.states if ("dstate", s.delay) not in self._written]
        self.zeroed = tuple(sorted({*self.zeroed, *unwritten}))
        self.unset = tuple(n for n in range(len(self.form.slots)) if ("dslot", n) not in self._written)

    def _stage(self, level: int, outer: dict[int, tuple[Node, Node]]) -> None:
        """The nodes of one stage, results first; then what they give to earlier stages and to the outside."""
        summed: dict[int, tuple[Node, Node]] = {}
        for number in sorted(self.nodes, reverse=True):
            node = self.nodes[number]
            if self.level(node) != level:
                continue
            total = self._total(node)
            if total is None:
                continue
            if node.op == "slot":
                self._keep(node, total, level)
            elif node.op == "up":
                arg = node.args[0]
                if arg.op == "peak":
                    continue
                before = summed.get(arg.number)
                summed[arg.number] = (arg, self.graph.add(before[1], total) if before else total)
            elif node.op == "down":
                self._reach(node.args[0], self.graph.pointwise("up", [total]), outer)
            elif node.op == "largest":
                has, count = ties(self.graph, node)
                share = self.graph.pointwise("up", [self.graph.node("divide", (total, count))])
                self._reach(node.args[0], self.graph.multiply(share, has), outer)
            else:
                for arg, part in derivative(self.graph, node, total):
                    self._reach(arg, part, outer)
        for number in sorted(self._coming):
            node = self.nodes[number]
            if self.level(node) < level:
                self._keep(node, self._coming.pop(number), level)
        for leaf, total in outer.values():
            self._outside(leaf, total, level)
        for node, total in summed.values():
            if node.op in _OUTER:
                self._outside(node, total, level)
            elif node.op != "const":
                self._keep(node, total, level)

    def _total(self, node: Node) -> Node | None:
        """The whole gradient of a node in its own stage; of a slot what is not in its place yet."""
        found = self._coming.pop(node.number, None)
        more = [outside[node.number] for outside in (self._first, self._sources) if node.number in outside]
        if node.number in self._carried and node.op != "slot":
            place, start = self._carried[node.number]
            more.append(self.graph.node("carry", (), node.width, (place[1], start)))
        for part in more:
            found = part if found is None else self.graph.add(found, part)
        return found

    def _keep(self, node: Node, total: Node, level: int) -> None:
        """Adds to the place of a node's gradient. From edges to the node above: summed over a node's edges."""
        if node.number not in self._carried:
            if node.op == "slot":
                self._carried[node.number] = (("dslot", node.data[0]), node.data[1])
            else:
                self._carried[node.number] = (("carry", len(self.carries)), 0)
                self.carries.append(node.width)
                self.spaces.carries.append(self.spaces.edge(node))
        place, start = self._carried[node.number]
        key: Place = (f"{place[0]} {place[1]}", start)
        across = self.spaces.edge(total) and not self.spaces.edge(node)
        if across and key not in self._written:
            self.cleared[level].append((place, start, node.width))
        self.stores[level].append(Store(place, start, total, across or key in self._written))
        self._written |= {key, place}

    def _reach(self, node: Node, part: Node, outer: dict[int, tuple[Node, Node]]) -> None:
        if node.op in _OUTER:
            if node.data[0] not in self._constants:
                before = outer.get(node.number)
                outer[node.number] = (node, self.graph.add(before[1], part) if before else part)
        elif node.op != "const":
            so_far = self._coming.get(node.number)
            self._coming[node.number] = self.graph.add(so_far, part) if so_far else part

    def _outside(self, leaf: Node, total: Node, level: int) -> None:
        name, start = leaf.data
        if name in self._constants:
            return
        place: Place = (f"d{leaf.op}", name)
        across = self.spaces.edge(total) and not self.spaces.edge(leaf)
        add = leaf.op != "state" or place in self._written
        if across and not add:
            self.cleared[level].append((place, start, leaf.width))
        self._written.add(place)
        self.stores[level].append(Store(place, start, total, add or across))

    def _zero_partial(self, products: Mapping[int, Sequence[TreeProduct]]) -> None:
        """States of which only some columns are read somewhere start each level with a gradient of zero."""
        widths = {s.delay: s.width for s in self.form.states}
        leaves = [n for n in self.nodes.values() if n.op == "state"]
        leaves += [leaf for leaf, _ in self._seeds.values() if leaf.op == "state"]
        read = [(n.data[0], n.width) for n in leaves]
        read += [(str(p.source[1]), p.width) for ps in products.values() for p in ps if p.source[0] == "state"]
        self.zeroed = tuple(sorted({delay for delay, width in read if width != widths[delay]}))
        self._written |= {("dstate", delay) for delay in self.zeroed}
