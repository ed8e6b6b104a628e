"""Laws of drawings nobody drew: checking never fails, what passes compiles, and every way to run it agrees."""

from __future__ import annotations

import random as randomness

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import Checker, check, compile_design
from rnnstudio.design.design import Design, Graph, Node, Pin, Value, Wire, frozen
from rnnstudio.design.edits import AddNode, Connect, RemoveNodes
from rnnstudio.design.errors import StudioError
from rnnstudio.design.signals import Signal, Tokens
from rnnstudio.design.storage import dumps, loads
from tests.conformance.drawings import FIELDS, TARGETS, recipe
from tests.conformance.running import (
    answer,
    answer_of_source,
    assert_same_answers,
    batch_of,
    network_of,
    program_of,
    ragged,
)
from tests.design.changes import nodes

CATALOG = standard()
CELLS = ("RNN", "LSTM", "GRU", "RNN", "LSTM", "GRU", "PeepholeLSTM", "Leaky")
ELSEWHERE = {"Feedback", "Children", "Root", "Ctc", "GaussianLikelihood", "BinaryCrossEntropy"}
"""Kinds that random data and random neighbours do not suit: trees, sampling, losses of special targets."""
KINDS = sorted(
    name
    for name, kind in CATALOG.kinds.items()
    if kind.family not in ("Data", "Cell", "Losses") and name not in ELSEWHERE
)
PORTS = sorted(
    {p.name for kind in CATALOG.kinds.values() for p in (*kind.inputs, *kind.outputs)} | {"a", "b", "h", "x"}
)


@st.composite
def scribbles(draw: st.DrawFn) -> Design:
    """Up to 40 nodes of any kind with any parameters, wired at random, rightly or not."""
    made = {n.id: n for n in draw(st.lists(nodes, max_size=6))}
    rng = randomness.Random(draw(st.integers(0, 10**6)))
    for i in range(draw(st.integers(0, 34))):
        kind = rng.choice([*CATALOG.kinds, "cell"])
        params: dict[str, Value] = {"cell": rng.choice(CELLS)} if kind == "cell" else {}
        if kind != "cell" and rng.random() < 0.5 and CATALOG.kinds[kind].params:
            param = rng.choice(CATALOG.kinds[kind].params)
            params[param.name] = rng.choice((0, 1, 2, -1, 3.5, "time", "", True, param.default))
        made[f"n{i}"] = Node(f"n{i}", kind, frozen(params))
    wires = []
    for _ in range(rng.randrange(2 * len(made) + 1)):
        source, target = rng.choice(list(made)), rng.choice(list(made))
        kind_of = CATALOG.kinds.get(made[target].kind)
        entries = [p.name for p in kind_of.input_ports({})] if kind_of is not None else ["x", "h0"]
        ends = rng.choice(entries or PORTS) if rng.random() < 0.9 else rng.choice(PORTS)
        wires.append(Wire(Pin(source, rng.choice(("out", "out", "out", "h"))), Pin(target, ends)))
    data = recipe(*(f.name for f in FIELDS)) if rng.random() < 0.7 else None
    return Design(graph=Graph(frozen(made), tuple(wires)), cells=CATALOG.cells, data=data)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(scribbles())
def test_checking_never_fails_and_what_passes_compiles(drawn: Design) -> None:
    checked = check(drawn, CATALOG)
    for one in checked.diagnostics:
        assert one.message
        assert all(key in drawn.graph_of(one.graph).nodes for key in one.nodes)
        if one.fix is not None:
            check(one.fix.apply(drawn), CATALOG)
    if checked.ok:
        try:
            compile_design(drawn, CATALOG)
        except StudioError as error:
            assert "nothing leads to a loss" in str(error)  # noqa: PT017 - the one thing a warning leaves to compiling
    assert check(loads(dumps(drawn)), CATALOG).ok == checked.ok


class Pen:
    """Draws node after node, each wired to earlier ones that suit it; what then has an error is taken out again."""

    def __init__(self, seed: int) -> None:
        self.rng = randomness.Random(seed)
        self.checker = Checker(CATALOG)
        cells = {k: c for name in CELLS for k, c in CATALOG.definitions_for(name).items()}
        self.design = Design(cells=frozen(cells), data=recipe(*(f.name for f in FIELDS)), name="random")
        self.signals: dict[Pin, Signal] = {}
        self.count = 0

    def add(self, kind: str, params: dict[str, Value], wires: dict[str, Pin]) -> str:
        """The node's name, or "" when the drawing has an error with it."""
        self.count += 1
        name = f"{kind.lower()}{self.count}"
        drawn = AddNode(Node(name, kind, frozen(params))).apply(self.design)
        for port, source in wires.items():
            drawn = Connect(Wire(source, Pin(name, port))).apply(drawn)
        return name if self.take(drawn) else ""

    def take(self, drawn: Design) -> bool:
        """Go on with a changed drawing when it has no error (a Delay may be open still)."""
        checked = self.checker.check(drawn)
        waiting = {n.id for n in drawn.graph.nodes.values() if n.kind == "Delay"}
        if any(d.code != "Unconnected" or not set(d.nodes) <= waiting for d in checked.errors):
            return False
        self.design = drawn
        self.signals = {Pin(n, p): s for (g, n, p), s in checked.signals.items() if g == ""}
        return True

    def source(self, content: str) -> Pin | None:
        fits = [
            pin
            for pin, s in self.signals.items()
            if content == "any" or isinstance(s.content, Tokens) == (content == "tokens")
        ]
        return self.rng.choice(fits[-12:]) if fits else None

    def any_node(self) -> None:
        kind = self.rng.choice([*KINDS, *KINDS, "cell", "cell", "cell", "Delay", "Delay", "Linear", "Add", "Concat"])
        params: dict[str, Value] = {}
        if kind == "cell":
            params = {"cell": self.rng.choice(CELLS), "units": self.rng.choice((1, 2, 4))}
            plain = [p for p, s in self.signals.items() if s.axes == ("time",) and not isinstance(s.content, Tokens)]
            self.add("cell", params, {"x": self.rng.choice(plain)})
            return
        known = {p.name: p for p in CATALOG.kinds[kind].params}
        for name, options in (
            ("units", (1, 2, 4)),
            ("terms", (2, 3)),
            ("axis", ("", "time", "source")),
            ("k", (1, 2, -1, -2)),
            ("initial", ("zero", "learned")),
            ("stop", (1, 2)),
        ):
            if name in known and self.rng.random() < 0.7:
                params[name] = self.rng.choice(options)
        if kind == "Delay" and self.rng.random() < 0.6:
            k = self.rng.choice((1, 1, 2, -1, -1, -3))
            self.add(kind, {**params, "axis": "time", "width": self.rng.choice((2, 4)), "k": k}, {})
            return
        ports = CATALOG.kinds[kind].input_ports({p.name: params.get(p.name, p.default) for p in known.values()})
        wires = {p.name: pin for p in ports if not p.optional and (pin := self.source(p.content)) is not None}
        self.add(kind, params, wires)

    def close_loops(self) -> None:
        """Feed each open Delay from what it leads to, through a Linear of its width; else it is taken out."""
        for node in list(self.design.graph.nodes.values()):
            here = node.id in self.design.graph.nodes
            if node.kind != "Delay" or not here or any(True for _ in self.design.graph.wires_into(node.id)):
                continue
            after = self.after(node.id) - {node.id}
            fits = [p for p, s in self.signals.items() if p.node in after and s.axes == ("time",)]
            self.rng.shuffle(fits)
            for pin in fits:
                units = self.signals[Pin(node.id, "out")].width
                last = self.add("Linear", {"units": units}, {"input": pin})
                squash = self.add("Tanh", {}, {"input": Pin(last, "out")}) if last else ""
                if squash and self.take(Connect(Wire(Pin(squash, "out"), Pin(node.id, "input"))).apply(self.design)):
                    break
            else:
                self.take(RemoveNodes(tuple(self.after(node.id))).apply(self.design))

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

    def losses(self) -> None:
        """A readout and a squared error for up to four ends of the drawing."""
        read = {w.source for w in self.design.graph.wires}
        ends = [p for p, s in self.signals.items() if p not in read and not isinstance(s.content, Tokens)]
        for pin in ends[-4:]:
            axes = self.signals[pin].axes
            if "source" in axes:
                pin = Pin(self.add("Mean", {"axis": "source"}, {"input": pin}), "out")
            target = self.add(
                "FeatureTarget", {"field": "targets"} if "time" in axes else {"field": "amount", "axis": ""}, {}
            )
            readout = self.add("Linear", {"units": TARGETS}, {"input": pin})
            self.add("MeanSquaredError", {}, {"prediction": Pin(readout, "out"), "target": Pin(target, "out")})


def random_drawing(seed: int, size: int) -> Design:
    pen = Pen(seed)
    for kind, params in (
        ("FeatureInput", {"field": "inputs"}),
        ("TokenInput", {"field": "text"}),
        ("FeatureInput", {"field": "vector"}),
        ("FeatureInput", {"field": "other", "axis": "source"}),
    ):
        assert pen.add(kind, dict(params), {})
    for k in (1, pen.rng.choice((1, -1, 2, -3))):
        assert pen.add("Delay", {"axis": "time", "width": 4, "k": k}, {})
    for _ in range(size):
        pen.any_node()
    pen.close_loops()
    pen.losses()
    return pen.design


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10**9), st.integers(4, 32))
def test_source_kernel_and_reference_agree_on_drawings_nobody_drew(seed: int, size: int) -> None:
    drawn = random_drawing(seed, size)
    assume(any(n.kind == "MeanSquaredError" for n in drawn.graph.nodes.values()))
    program = program_of(drawn)
    saved = program_of(loads(dumps(drawn)))
    reference, kernel = network_of(program, reference=True), network_of(program)
    for steps, padded in ((6, False), (6, True), (1, False)):
        fields = batch_of(program, steps=steps)
        lengths = ragged(program) if padded else None
        wanted = answer(reference, fields, lengths)
        tame = all(bool(x.isfinite().all()) and float(x.detach().abs().max()) < 1e6 for x in wanted.outputs.values())
        assume(tame and all(bool(g.isfinite().all()) and float(g.abs().max()) < 1e9 for g in wanted.gradients.values()))
        assert_same_answers(program, answer(kernel, fields, lengths), wanted, lengths)
        assert_same_answers(saved, answer(network_of(saved), fields, lengths), wanted, lengths)
        assert_same_answers(program, answer_of_source(program, reference.weights, fields, lengths), wanted, lengths)


def test_the_random_drawings_are_worth_their_time() -> None:
    """Most of them have losses, and together they have loops of both directions, kernels and loops without one."""
    drawings = [random_drawing(seed, 24) for seed in range(16)]
    programs = [program_of(d) for d in drawings if any(n.kind == "MeanSquaredError" for n in d.graph.nodes.values())]
    assert len(programs) >= 12
    scans = [scan for program in programs for scan in program.scans()]
    assert {scan.forward for scan in scans} == {True, False}
    assert any(scan.kernel is not None for scan in scans)
    assert any(scan.kernel is None for scan in scans)
    kinds = {n.kind for d in drawings for n in d.graph.nodes.values()}
    assert len(kinds & set(KINDS)) > len(KINDS) // 2
    assert torch.get_default_dtype() == torch.float32
