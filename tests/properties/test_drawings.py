"""Laws of drawings nobody drew: checking never fails, what passes compiles, and every way to run it agrees."""

from __future__ import annotations

import random as randomness
from functools import cache

from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from rnnstudio.catalog.catalog import CELL
from rnnstudio.compiler import Program, check, compile_design
from rnnstudio.compiler.program import Scan
from rnnstudio.design.design import Design, Graph, Node, Pin, Value, Wire, frozen
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.design.signals import Axis
from rnnstudio.design.storage import dumps, loads
from tests.conformance.catalogue import network
from tests.conformance.running import program_of
from tests.design.changes import nodes
from tests.properties.laws import SIZES, Run, assert_all_laws, assert_equal, fields_of
from tests.properties.pen import ALL_FIELDS, CATALOG, CELLS, KINDS, LEFT_OUT, LOSSES, OPEN, TREES, begun, random_drawing

PORTS = sorted(
    {p.name for kind in CATALOG.kinds.values() for p in (*kind.inputs, *kind.outputs)} | {"a", "b", "h", "x"}
)


@st.composite
def scribbles(draw: st.DrawFn) -> Design:
    """Up to 40 nodes of any kind with any parameters, wired at random, rightly or not."""
    made = {n.id: n for n in draw(st.lists(nodes, max_size=6))}
    rng = randomness.Random(draw(st.integers(0, 10**6)))
    for i in range(draw(st.integers(0, 34))):
        kind = rng.choice([*CATALOG.kinds, *([CELL] * 3)])
        params: dict[str, Value] = {"cell": rng.choice(CELLS)} if kind == CELL else {}
        if kind != CELL and rng.random() < 0.5 and CATALOG.kinds[kind].params:
            param = rng.choice(CATALOG.kinds[kind].params)
            params[param.name] = rng.choice(
                (0, 1, 2, -1, 3.5, "time", "tree", "tree_children", "", True, param.default)
            )
        if "field" in params or (kind in CATALOG.kinds and CATALOG.kinds[kind].family == "Data"):
            params["field"] = rng.choice(ALL_FIELDS).name
        made[f"n{i}"] = Node(f"n{i}", kind, frozen(params))
    wires = []
    for _ in range(rng.randrange(2 * len(made) + 1)):
        source, target = rng.choice(list(made)), rng.choice(list(made))
        kind_of = CATALOG.kinds.get(made[target].kind)
        entries = [p.name for p in kind_of.input_ports({})] if kind_of is not None else ["x", "h0"]
        ends = rng.choice(entries or PORTS) if rng.random() < 0.9 else rng.choice(PORTS)
        wires.append(Wire(Pin(source, rng.choice(("out", "out", "out", "h"))), Pin(target, ends)))
    data = DataRecipe("csv", "nowhere.csv", fields=ALL_FIELDS) if rng.random() < 0.7 else None
    axes = frozen({name: Axis(name, "tree") for name in TREES if rng.random() < 0.8})
    return Design(graph=Graph(frozen(made), tuple(wires)), cells=CATALOG.cells, data=data, axes=axes)


@settings(max_examples=40, deadline=None, derandomize=True)
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


@settings(max_examples=40, deadline=None, derandomize=True, phases=(Phase.generate,))  # a smaller seed is no simpler
@given(st.integers(0, 10**9), st.integers(5, 32))
def test_all_laws_hold_of_drawings_nobody_drew(seed: int, size: int) -> None:
    """Forward and backward finite; kernels, printed source and the reference alike; padding counts not. See laws."""
    drawn = random_drawing(seed, size)
    assume(begun(drawn))
    assert_all_laws(drawn)


def test_a_saved_drawing_is_the_same_network() -> None:
    for seed in range(5):
        drawn = random_drawing(seed, 20)
        one, saved = program_of(drawn), program_of(loads(dumps(drawn)))
        assert set(saved.parameters) == set(one.parameters)
        fields = fields_of(one, 1, SIZES, None)
        assert_equal(Run(network(saved, reference=True), fields, None), Run(network(one, reference=True), fields, None))


@cache
def many_drawings() -> list[Design]:
    return [random_drawing(seed, randomness.Random(seed).randrange(8, 33)) for seed in range(150)]


def test_every_kind_of_the_catalogue_is_drawn_or_left_out_for_a_reason() -> None:
    assert set(LEFT_OUT) <= set(CATALOG.kinds)
    assert all(LEFT_OUT.values())
    drawings = many_drawings()
    seen = {n.kind for d in drawings for n in d.graph.nodes.values()}
    assert set(CATALOG.kinds) - seen == set(LEFT_OUT)
    cells = {str(n.params["cell"]) for d in drawings for n in d.graph.nodes.values() if n.kind == CELL}
    assert len(cells) > len(CELLS) // 2
    assert {*KINDS, *LOSSES, *OPEN, CELL} <= {*seen, CELL}
    assert max(len(d.graph.nodes) for d in drawings) <= 40


def test_the_random_drawings_are_worth_their_time() -> None:
    """They have loops of both directions and over trees, within each other, kernels, and states with further axes."""
    programs = [program_of(d) for d in many_drawings()[:80] if begun(d)]
    assert len(programs) > 65
    scans = [scan for program in programs for scan in program.scans()]
    assert {scan.forward for scan in scans} == {True, False}
    assert any(scan.kernel is not None for scan in scans)
    assert {state.how for scan in scans for state in scan.states} == {"", "sum", "slot", "each"}
    assert any(scan.tree and _further(scan) for scan in scans)
    assert any(isinstance(region, Scan) for scan in scans for region in scan.body)
    assert sum(map(_has_loss, programs)) > 55


def _further(scan: Scan) -> bool:
    """Whether what the loop remembers runs along more than the loop's own axis."""
    return any(set(state.signal.axes) - {state.children} for state in scan.states)


def _has_loss(program: Program) -> bool:
    return bool(program.losses)
