"""What a drawing costs: parameters, multiply-adds, and the memory of a training step. Counted, never measured.

A multiply-add is one product of two numbers that are both computed, read or learned, whether it is summed or not:
W x + U h of H units has H (D + H) of them, f ⊙ c has H. Products with a constant of the drawing, sums, functions and
losses have none. Places are counted as they are: so many steps of each axis, an attention's query steps times its
source steps, in a tree one for each node, or edge. No torch: `cost_of` reads a compiled program.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from math import prod

from ..catalog.primitives import Op, Parameter
from ..design.signals import Real, Signal, Tokens
from .program import Map, Program, Region, Scan

NUMBER, TOKEN = 4, 8
"""Bytes of a float32 and of a token, which torch counts in 64 bits."""
STATES: Mapping[str, int] = {"adam": 2, "adamw": 2, "sgd": 1, "rmsprop": 2, "adagrad": 1, "ridge": 0}
"""How many numbers an optimiser keeps beside each trained one."""

_SAME = ("slice", "align", "rename", "repeat")
"""What shares its input's memory."""
_KEEPS_INPUTS = (
    *("linear", "bilinear", "match", "contract", "multiply", "divide", "maximum", "minimum"),
    *("log", "abs", "square", "softplus", "erf", "layer_norm", "batch_norm", "batch_norm_steps"),
    *("squared_error", "absolute_error", "binary_cross_entropy", "huber", "gaussian_likelihood", "embed"),
)
_KEEPS_OUTPUT = ("sigmoid", "tanh", "relu", "exp", "softmax", "log_softmax", "softmax_axis", "log_softmax_axis")
_KEEPS_LIKE_INPUT = ("cross_entropy", "ctc", "dropout")
"""Keep something as large as their first input: probabilities, a mask."""


@dataclass(frozen=True, slots=True)
class Work:
    """Multiply-adds of one node at each place of some axes, for each example."""

    node: str
    axes: tuple[str, ...]
    products: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A value that is kept for the way back: bytes at each place of its axes, for each example."""

    node: str
    axes: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Weights:
    """A parameter: the node it belongs to, how many numbers, and whether they are trained."""

    path: str
    node: str
    count: int
    trained: bool


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a training step, by what they hold."""

    parameters: int
    gradients: int
    optimiser: int
    activations: int

    @property
    def total(self) -> int:
        return self.parameters + self.gradients + self.optimiser + self.activations


@dataclass(frozen=True)
class Costs:
    """Of a whole program, or of some of its nodes. axes: the drawing's axis → the data's.

    edges: axis of a node's children → the tree's axis: together they have a place for each edge, one fewer than nodes.
    """

    work: tuple[Work, ...]
    kept: tuple[Kept, ...]
    weights: tuple[Weights, ...]
    axes: Mapping[str, str]
    edges: Mapping[str, str]

    @property
    def parameters(self) -> int:
        """How many numbers there are to learn, or frozen."""
        return sum(found.count for found in self.weights)

    @property
    def trained(self) -> int:
        return sum(found.count for found in self.weights if found.trained)

    def of(self, nodes: Collection[str]) -> Costs:
        """Of these nodes of the main drawing, and all inside of them."""
        chosen = frozenset(nodes)
        return Costs(
            tuple(part for part in self.work if top(part.node) in chosen),
            tuple(part for part in self.kept if top(part.node) in chosen),
            tuple(part for part in self.weights if top(part.node) in chosen),
            self.axes,
            self.edges,
        )

    def multiply_adds(self, lengths: Mapping[str, int]) -> int:
        """Of one way forward over one example whose axes have these lengths (an axis that is not named: 1)."""
        return sum(part.products * self._places(part.axes, lengths) for part in self.work)

    def by_axes(self) -> dict[tuple[str, ...], int]:
        """Multiply-adds at each place, by the axes whose places they are."""
        found: dict[tuple[str, ...], int] = {}
        for part in self.work:
            found[part.axes] = found.get(part.axes, 0) + part.products
        return found

    def memory(self, lengths: Mapping[str, int], batch: int, optimiser: str = "adam") -> Memory:
        """Of a training step on `batch` examples of these lengths, as the reference computes it: every value that the
        way back reads is kept once, in float32: what torch keeps is within a factor of 1.3 of it. What a fused loop
        needs for itself is not in it.
        """
        numbers, trained = self.parameters, self.trained
        kept = sum(part.size * self._places(part.axes, lengths) for part in self.kept) * batch
        return Memory(NUMBER * numbers, NUMBER * trained, NUMBER * trained * STATES.get(optimiser, 2), kept)

    def _places(self, axes: tuple[str, ...], lengths: Mapping[str, int]) -> int:
        trees = {self.edges[axis] for axis in axes if axis in self.edges}
        edges = prod(max(lengths.get(axis, 1) - 1, 0) for axis in trees)
        return edges * prod(lengths.get(axis, 1) for axis in axes if axis not in self.edges and axis not in trees)


def top(path: str) -> str:
    """The node of the main drawing that a path leads into."""
    return path.partition(".")[0]


def cost_of(program: Program) -> Costs:
    """What a compiled program costs."""
    counter = _Counter(program)
    counter.count(program.regions, ())
    weights = tuple(
        Weights(p.path, counter.owners.get(p.path, p.path.rpartition(".")[0]), prod(p.shape), p.trainable)
        for p in program.parameters
    )
    return Costs(tuple(counter.work), tuple(counter.kept.values()), weights, program.axes, counter.edges)


class _Counter:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.parameters: Mapping[str, Parameter] = {p.path: p for p in program.parameters}
        self.work: list[Work] = []
        self.kept: dict[str, Kept] = {}
        self.owners: dict[str, str] = {}
        """Parameter → the first node that uses it."""
        self.edges: dict[str, str] = {}
        self._source: dict[str, str] = {}
        """Value → the value whose memory it shares."""
        self._values: dict[str, tuple[Signal, tuple[str, ...], str]] = {
            item.name: (item.signal, item.signal.axes, "") for item in program.inputs
        }
        """Value → its signal, the axes of its places, its node."""
        self._joined: dict[str, int] = {}
        """Linear maps of several nodes in one → the width that they read."""
        self._trained: set[str] = set()
        """Values through which a gradient goes."""

    def count(self, regions: tuple[Region, ...], loops: tuple[str, ...]) -> None:
        """loops: axes of the loops around, the outermost first."""
        for region in regions:
            if isinstance(region, Map):
                for op in region.ops:
                    self._op(op, loops)
            else:
                self._scan(region, loops)

    def _scan(self, scan: Scan, loops: tuple[str, ...]) -> None:
        for op in scan.projections:
            self._op(op, loops)
        inside = (*loops, scan.axis)
        for state in scan.states:
            if state.children:
                self.edges[state.children] = scan.axis
            axes = (*inside, *(axis for axis in state.signal.axes if axis not in inside))
            self._values[state.delay] = (state.signal, axes, scan.name)
            self._trained.add(state.delay)
        self.count(scan.body, inside)

    def _op(self, op: Op, loops: tuple[str, ...]) -> None:
        axes = (*(axis for axis in loops if axis not in op.signal.axes), *op.signal.axes)
        self._values[op.name] = (op.signal, axes, op.node)
        if op.kind in _SAME:
            self._source[op.name] = op.inputs[0]
        for weight in self._weights(op):
            self.owners.setdefault(weight, op.node)
        if op.kind == "slice" and op.inputs[0] in self._joined:
            self.work.append(Work(op.node, axes, op.signal.width * self._joined[op.inputs[0]]))
        elif products := self._products(op):
            self.work.append(Work(op.node, self._places_of(op, axes), products))
        trained = any(self.parameters[w].trainable for w in self._weights(op))
        if trained or any(name in self._trained for name in op.inputs):
            self._trained.add(op.name)
            self._keep(op)

    def _weights(self, op: Op) -> Iterator[str]:
        for key in ("weight", "bias"):
            value = op.attrs.get(key)
            for path in value if isinstance(value, tuple | list) else (value,):
                if path is not None and path in self.parameters:
                    yield path

    def _products(self, op: Op) -> int:
        """At each place of `_places_of`. Joined linear maps are counted at the slices that take them apart."""
        weight = op.attrs.get("weight")
        if op.kind == "linear":
            if isinstance(weight, tuple | list):
                self._joined[op.name] = self._width(op.inputs[0])
                return 0
            return prod(self.parameters[str(weight)].shape)
        if op.kind == "bilinear":
            units, a, b = self.parameters[str(weight)].shape
            return units * b * (a + 1)
        if op.kind in ("multiply", "divide", "square"):
            return op.signal.width
        if op.kind == "match":
            return self._width(op.inputs[0])
        if op.kind == "contract":
            return self._width(op.inputs[1])
        if op.kind in ("layer_norm", "batch_norm", "batch_norm_steps"):
            return op.signal.width * (2 if weight is not None else 1)
        return 0

    def _places_of(self, op: Op, axes: tuple[str, ...]) -> tuple[str, ...]:
        """Where its products are: a sum over an axis that the result lacks has one for each of its steps."""
        if op.kind not in ("match", "contract"):
            return axes
        further = (axis for name in op.inputs for axis in self._values[name][1])
        return tuple(dict.fromkeys((*axes, *further)))

    def _width(self, name: str) -> int:
        return self._values[name][0].width

    def _keep(self, op: Op) -> None:
        if op.kind in _KEEPS_INPUTS:
            for name in op.inputs:
                self._keep_value(name)
        elif op.kind in _KEEPS_OUTPUT:
            self._keep_value(op.name)
        elif op.kind in _KEEPS_LIKE_INPUT:
            signal, axes, _ = self._values[op.inputs[0]]
            self.kept[f"{op.name} keeps"] = Kept(op.node, axes, NUMBER * signal.width)

    def _keep_value(self, name: str) -> None:
        while name in self._source:
            name = self._source[name]
        if name in self._values:
            signal, axes, node = self._values[name]
            self.kept.setdefault(name, Kept(node, axes, _bytes(signal)))


def _bytes(signal: Signal) -> int:
    if isinstance(signal.content, Tokens):
        return TOKEN
    assert isinstance(signal.content, Real)
    return NUMBER * signal.content.width
