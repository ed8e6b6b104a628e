"""Drawings nobody drew: nodes of every kind of the catalogue, wired at random to what suits them, without an error.

A kind that is new in the catalogue takes part without a line here; what cannot is named, with the reason.
"""

from __future__ import annotations

import random as randomness
from collections.abc import Mapping, Sequence
from typing import Any

from rnnstudio.catalog.catalog import CELL, standard
from rnnstudio.catalog.node import NodeKind, Param
from rnnstudio.catalog.trees import CHILDREN
from rnnstudio.compiler import Checker
from rnnstudio.design.design import Design, Node, Pin, Value, Wire, frozen
from rnnstudio.design.edits import AddNode, Connect, RemoveNodes
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from rnnstudio.design.signals import Axis, Signal, Tokens
from tests.conformance.drawings import FIELDS, TARGETS, WIDTH
from tests.runtime.fused.tree_cells import for_any_tree

CATALOG = standard()

TREES = ("tree", "bush")
ALL_FIELDS = (
    *FIELDS,
    FieldSpec("switches", "real", TARGETS),
    FieldSpec("flags", "real", TARGETS, axis=None),
    FieldSpec("word", "tokens", 6, axis="tree"),
    FieldSpec("leaf", "real", WIDTH, axis="tree"),
    FieldSpec("tag", "tokens", 4, axis="tree"),
    FieldSpec("score", "real", TARGETS, axis="tree"),
    FieldSpec("twig", "real", WIDTH, axis="bush"),
    FieldSpec("marks", "tokens", 3, axis="marks"),
)
"""What the data of a random drawing has: sequences of three lengths, two trees, vectors; switches, flags: 0 … 1."""

LAST = 40
"""Nodes of a drawing at most."""

LEFT_OUT: Mapping[str, str] = {
    "CellInput": "stands in cells alone; every cell of the library has them",
    "CellOutput": "stands in cells alone; every cell of the library has them",
}
"""Kinds that are not drawn, each with the reason."""

INPUTS = tuple(k.name for k in CATALOG.kinds.values() if k.family == "Data" and k.outputs)
LOSSES = tuple(k.name for k in CATALOG.kinds.values() if k.family == "Losses")
OPEN = tuple(k.name for k in CATALOG.kinds.values() if k.late_ports)
"""Kinds a loop can run through: drawn with an open end, that is closed when something follows."""
KINDS = tuple(sorted(k for k in CATALOG.kinds if k not in (*INPUTS, *LOSSES, *LEFT_OUT)))
CELLS = tuple(sorted(CATALOG.cells))

GUARDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("Log", "input"): ("Sigmoid", "Scale"),
    ("Divide", "b"): ("Sigmoid", "Scale"),
    **{(kind, "input"): ("Tanh",) for kind in ("Exp", "Square", "LayerNorm", "BatchNorm")},
    **{(kind, port): ("Tanh",) for kind in ("Multiply", "Bilinear") for port in ("a", "b", "c")},
}
"""What stands in front of a port so that its numbers stay within bounds, or keep clear of 0."""

FIXED: Mapping[tuple[str, str], tuple[Value, ...]] = {
    ("Scale", "offset"): (0.5,),
    ("Ctc", "skip_impossible"): (True,),
    ("Weights", "value"): (0.5,),
    ("CrossEntropy", "class_weights"): ((), (0.5, 1.0, 2.0, 0.1), (1.0, 0.5, 0.25, 2.0, 1.0)),
    ("Clock", "periods"): ((), (), (1, 3)),
    ("Match", "causal"): (False,),  # a hidden place holds the lowest number, for a Softmax alone
}
"""Parameters whose values decide whether all is finite or fits, with what they may be."""


class Pen:
    """Draws node after node, each wired to earlier ones that suit it; what then has an error is taken out again."""

    def __init__(self, seed: int) -> None:
        self.rng = randomness.Random(seed)
        self.checker = Checker(CATALOG)
        cells = {k: for_any_tree(c) for name in CELLS for k, c in CATALOG.definitions_for(name).items()}
        data = DataRecipe("csv", "nowhere.csv", fields=ALL_FIELDS)
        axes = {name: Axis(name, "tree") for name in TREES}
        self.design = Design(cells=frozen(cells), data=data, axes=frozen(axes), name="random")
        self.signals: dict[Pin, Signal] = {}
        self.count = 0
        self.late: list[str] = []
        """Nodes with an open end."""
        self.room = 8
        """Nodes that are kept for the ends."""

    @property
    def full(self) -> bool:
        return len(self.design.graph.nodes) >= LAST - self.room

    def add(self, kind: str, params: Mapping[str, Value], wires: Mapping[str, Pin]) -> str:
        """The node's name, or "" when the drawing has an error with it."""
        if self.full:
            return ""
        self.count += 1
        name = f"{kind.lower()}{self.count}"
        drawn = AddNode(Node(name, kind, frozen(params))).apply(self.design)
        for port, source in wires.items():
            drawn = Connect(Wire(source, Pin(name, port))).apply(drawn)
        return name if self.take(drawn, name) else ""

    def take(self, drawn: Design, *late: str) -> bool:
        """Go on with a changed drawing when it has no error (what a loop runs through may be open still)."""
        checked = self.checker.check(drawn)
        waiting = {n.id for n in drawn.graph.nodes.values() if n.kind in OPEN and n.id in (*self.late, *late)}
        if any(d.code != "Unconnected" or not set(d.nodes) <= waiting for d in checked.errors):
            return False
        self.design = drawn
        self.late = sorted({key for d in checked.errors for key in d.nodes})
        self.signals = {Pin(n, p): s for (g, n, p), s in checked.signals.items() if g == ""}
        return True

    def source(self, content: str, axes: Sequence[str] = ()) -> Pin | None:
        """Something drawn before, rather one of the last; axes: of which it has to have one."""
        fits = [
            pin
            for pin, s in self.signals.items()
            if content in ("any", "tokens" if isinstance(s.content, Tokens) else "real")
            and (not axes or set(axes) & set(s.axes))
        ]
        if self.rng.random() < 0.4:  # rather what a loop will run through
            begun = {key for name in self.late for key in self.after(name)}
            fits = [pin for pin in fits if pin.node in begun] or fits
        return self.rng.choice(fits[-16:]) if fits else None

    def _along(self, kind: NodeKind) -> Sequence[str]:
        """Of which axes the inputs of a node rather have one."""
        if kind.family == "Trees":
            return TREES
        crosses = any(p.type == "axis" for p in kind.params) and self.rng.random() < 0.8
        return sorted({a for s in self.signals.values() for a in s.axes}) if crosses else ()

    def some(self, kind: str, param: Param, axes: Sequence[str]) -> Any:
        """A value for a parameter; axes: those of what the node reads."""
        if (kind, param.name) in FIXED:
            return self.rng.choice(FIXED[kind, param.name])
        if param.type == "choice":
            return self.rng.choice(param.choices)
        if param.type == "bool":
            return self.rng.random() < 0.5
        if param.type == "axis":
            return self.rng.choice(("", *axes, *axes))
        low, high = param.minimum, param.maximum
        if param.type in ("int", "float"):
            options = (1, 2, 3, 4, -1, -2) if param.type == "int" else (0.5, 0.25, 1.0)
            fits = [x for x in options if (low is None or x >= low) and (high is None or x <= high)]
            return self.rng.choice(fits)
        return param.default

    def params(self, kind: str, axes: Sequence[str]) -> dict[str, Value]:
        made: dict[str, Value] = {}
        for param in CATALOG.kinds[kind].params:
            large = param.type == "int" and abs(param.default) > 8
            if large or (kind, param.name) in FIXED or self.rng.random() < (0.7 if param.type == "axis" else 0.4):
                made[param.name] = self.some(kind, param, axes)
        return made

    def guarded(self, kind: str, port: str, pin: Pin) -> Pin:
        for guard in GUARDS.get((kind, port), ()):
            made = self.add(guard, {"offset": 0.5} if guard == "Scale" else {}, {"input": pin})
            pin = Pin(made, "out") if made else pin
        return pin

    def any_node(self) -> None:
        kind = self.rng.choice((*KINDS, *(4 * (CELL,)), *(3 * OPEN), "Linear", "Linear", "Add", "Root", "Children"))
        if kind == CELL:
            self._cell() or self._cell() or self._cell()
        elif kind in OPEN and self.rng.random() < 0.6:
            self.open_node(kind)
        else:
            self._node(CATALOG.kinds[kind]) or self._node(CATALOG.kinds[kind])

    def _node(self, kind: NodeKind) -> str:
        params = {p.name: p.default for p in kind.params} | self.params(kind.name, ())
        ports = [p for p in kind.input_ports(params) if not p.optional or self.rng.random() < 0.3]
        along = self._along(kind)
        wires = {p.name: pin for p in ports if (pin := self.source(p.content, along)) is not None}
        axes = [axis for pin in wires.values() for axis in self.signals[pin].axes]
        chosen = {p.name: self.some(kind.name, p, axes) for p in kind.params if p.type == "axis"}
        chosen = {name: axis for name, axis in chosen.items() if self.rng.random() < 0.7}
        children = [axis for axis in axes if axis.endswith(CHILDREN)]
        if children and "axis" in params and self.rng.random() < 0.8:
            chosen["axis"] = children[0]
        wires = {port: self.guarded(kind.name, port, pin) for port, pin in wires.items()}
        own = {name: value for name, value in params.items() if name not in ("axis", "field")}
        return self.add(kind.name, {**own, **chosen}, wires)

    def _cell(self) -> str:
        name = self.rng.choice(CELLS)
        cell = CATALOG.cells[name]
        units = {"units": self.rng.choice((1, 2, 4))} if "units" in cell.params else {}
        wires = {}
        for node in cell.graph.nodes.values():
            optional = bool(node.params.get("optional", False))
            if node.kind == "CellInput" and (not optional or self.rng.random() < 0.2):
                pin = self.source(self.rng.choice(("real", "real", "real", "any")), self.rng.choice(AXES))
                if pin is not None:
                    wires[node.id] = pin
        return self.add(CELL, {"cell": name, **units}, wires)

    def open_node(self, kind: str) -> None:
        """A node that a loop can run through: its end is closed at last."""
        if kind == "Feedback":
            field = self.rng.choice(("next", "targets"))
            target = self.add("TokenTarget" if field == "next" else "FeatureTarget", {"field": field}, {})
            if target:
                params = {n: v for n, v in self.params(kind, ()).items() if n != "axis"}
                self.add(kind, {**params, "first": 1}, {"target": Pin(target, "out")})
            return
        width = self.rng.choice((2, 4))
        tokens = kind == "Delay" and self.rng.random() < 0.1
        if kind == "Children":
            axis: str = self.rng.choice([a for a in TREES if any(a in s.axes for s in self.signals.values())] or TREES)
            params = {"how": self.rng.choice(("sum", "slot", "each")), "slot": self.rng.choice((0, 1, 3))}
            params |= {"initial": self.rng.choice(("zero", "learned")), "beyond": "left out"}
            self.add(kind, {**params, "axis": axis, "width": width}, {})
            return
        if tokens:
            self._node(CATALOG.kinds[kind])
            return
        along = sorted({a for s in self.signals.values() for a in s.axes if a not in TREES})
        axis = self.rng.choice(("time", "time", "time", *along))
        k = self.rng.choice((1, 1, 2, -1, -1, -3))
        initial = self.rng.choice(("zero", "learned"))
        self.add(kind, {"axis": axis, "width": width, "k": k, "initial": initial}, {})

    def close_loops(self) -> None:
        """Feed each open node from what it leads to, through a Linear of its width; else it is taken out."""
        for name in list(self.late):
            if name not in self.design.graph.nodes or name not in self.late:
                continue
            node = self.design.graph.nodes[name]
            after = self.after(name)
            target = next((w.source for w in self.design.graph.wires_into(name) if w.target.port == "target"), None)
            axis = str(node.params.get("axis", ""))
            here = self.signals.get(Pin(name, "out"))
            fits = [p for p in self.signals if p.node in after]
            self.rng.shuffle(fits)
            for pin in fits[:12]:
                if here is None or not self._closed(name, pin, target, axis, here):
                    continue
                break
            else:
                self.take(RemoveNodes(tuple(self.after(name))).apply(self.design))
        while errors := self.checker.check(self.design).errors:  # an open end hides what only the whole tells
            if (key := errors[0].nodes[0]) not in self.design.graph.nodes:
                key = self.rng.choice(list(self.design.graph.nodes))
            self.design = RemoveNodes(tuple(self.after(key))).apply(self.design)
        self.take(self.design)

    def _closed(self, name: str, pin: Pin, target: Pin | None, axis: str, here: Signal) -> bool:
        """Close a loop from `pin`. It may take in something else on the way: the state then runs over its axes, too."""
        before = self.design, self.late, self.signals
        end = self._fitting(pin, target, axis, here)
        port = "prediction" if target is not None else "input"
        if end and self.take(Connect(Wire(Pin(end, "out"), Pin(name, port))).apply(self.design)):
            return True
        self.design, self.late, self.signals = before
        return False

    def _fitting(self, pin: Pin, target: Pin | None, axis: str, here: Signal) -> str:
        """A node that makes of `pin` what a loop needs at its end, or ""."""
        if isinstance(self.signals[pin].content, Tokens):
            made = self.add("Embedding", {"units": 2}, {"input": pin})
            if not made:
                return ""
            pin = Pin(made, "out")
        children = [a for a in self.signals[pin].axes if a.endswith(CHILDREN)]
        if children:
            pool = self.rng.choice(("Sum", "Max", "Mean", "Last", "First"))
            made = self.add(pool, {"axis": children[0]}, {"input": pin})
            if not made:
                return ""
            pin = Pin(made, "out")
        wanted = self.signals[target] if target is not None else None
        axes = self.signals[pin].axes
        if (set(axes) != set(wanted.axes)) if wanted is not None else (axis not in axes):
            return ""
        units = here.width if wanted is None else getattr(wanted.content, "size", 0) or wanted.width
        other = self.source("real") if wanted is None and self.rng.random() < 0.6 else None
        wires = {"input": pin, "input2": other} if other is not None else {"input": pin}
        last = self.add("Linear", {"units": units, "terms": len(wires)}, wires)
        return self.add("Tanh", {}, {"input": Pin(last, "out")}) if last else ""

    def after(self, name: str) -> set[str]:
        """A node and all that it leads to."""
        found: set[str] = set()
        todo = [name]
        while todo:
            key = todo.pop()
            if key not in found:
                found.add(key)
                todo += [w.target.node for w in self.design.graph.wires_from(key)]
        return found

    def ends(self) -> None:
        """Losses of every kind, and Outputs, for up to five ends of the drawing."""
        read = {w.source for w in self.design.graph.wires}
        ends = [p for p in self.signals if p not in read]
        self.rng.shuffle(ends)
        looped = {key for n in self.design.graph.nodes.values() if n.kind in OPEN for key in self.after(n.id)}
        ends.sort(key=lambda pin: pin.node not in looped)
        self.room = 0
        for pin in ends[:5]:
            if self.rng.random() < 0.15:
                self.add("Output", {}, {"input": pin})
            elif not isinstance(self.signals[pin].content, Tokens):
                self._loss(self.rng.choice(LOSSES), pin)

    def _loss(self, kind: str, pin: Pin) -> None:
        """Pools until one axis is left that data has targets for, then a readout and the loss."""
        wanted = self.rng.choice((("time",), ("tree",), ("time",), ("tree",), ()))
        while True:
            extra = [a for a in self.signals[pin].axes if a not in wanted]
            if not extra:
                break
            root = extra[-1] in TREES and self.rng.random() < 0.6
            pool = "Root" if root else self.rng.choice(("Mean", "Max", "Last", "Sum", "First"))
            axis = next((a for a in extra if a.endswith(CHILDREN)), extra[-1])
            made = self.add("Mean" if axis.endswith(CHILDREN) else pool, {"axis": axis}, {"input": pin})
            if not made:
                return
            pin = Pin(made, "out")
        axes = self.signals[pin].axes
        tokens = kind in ("CrossEntropy", "Ctc")
        names = [f.name for f in ALL_FIELDS if (f.content == "tokens") == tokens and self._suits(kind, f, axes)]
        if not names:
            return
        field = self.rng.choice(sorted(names))
        spec = next(f for f in ALL_FIELDS if f.name == field)
        node = self.add("TokenTarget" if tokens else "FeatureTarget", {"field": field, "axis": spec.axis or ""}, {})
        if not node:
            return
        wires = {"target": Pin(node, "out")}
        for port in CATALOG.kinds[kind].inputs:
            if port.name != "target":
                units = spec.size + (kind == "Ctc")
                readout = self.add("Linear", {"units": units}, {"input": pin})
                if not readout:
                    return
                wires[port.name] = Pin(readout, "out")
        params = self.params(kind, ())
        self.add(kind, params, wires) or self.add(kind, {}, wires)

    def _suits(self, kind: str, field: FieldSpec, axes: Sequence[str]) -> bool:
        """Whether a field is a target for this loss of a value with these axes."""
        if kind == "Ctc":
            return field.name == "marks" and axes == ("time",)
        if kind == "BinaryCrossEntropy":
            return field.name in ("switches", "flags") and axes == ((field.axis,) if field.axis else ())
        return axes == ((field.axis,) if field.axis else ())


AXES: tuple[tuple[str, ...], ...] = (("time",), ("time",), ("tree",), TREES, ())

BEGINNINGS: tuple[tuple[str, Mapping[str, Value]], ...] = (
    ("FeatureInput", {"field": "inputs"}),
    ("TokenInput", {"field": "text"}),
    ("FeatureInput", {"field": "vector"}),
    ("FeatureInput", {"field": "other", "axis": "source"}),
    ("FeatureInput", {"field": "leaf", "axis": "tree"}),
    ("TokenInput", {"field": "word", "axis": "tree"}),
    ("FeatureInput", {"field": "twig", "axis": "bush"}),
)


def random_drawing(seed: int, size: int) -> Design:
    """A drawing of about `size` nodes (LAST at most) without an error; the same one for the same numbers."""
    pen = Pen(seed)
    for kind, params in pen.rng.sample(BEGINNINGS, pen.rng.choice((2, 3, 4, 5))):
        assert pen.add(kind, dict(params), {})
    for _ in range(pen.rng.choice((1, 2, 2, 3))):
        pen.open_node(pen.rng.choice(OPEN))
    while len(pen.design.graph.nodes) < size and pen.count < 3 * size:
        pen.any_node()
    pen.close_loops()
    pen.ends()
    return pen.design


def begun(design: Design) -> bool:
    """Whether a drawing leads to anything."""
    return any(n.kind == "Output" or n.kind in LOSSES for n in design.graph.nodes.values())
