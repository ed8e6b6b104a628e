"""Delays drawn once for each reader are one state of the loop, and only those that give the same."""

from __future__ import annotations

import pytest

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.design.design import CellDefinition, Design, Graph, Pin, Wire, frozen
from tests.conformance.drawings import design, recurrent, regression
from tests.conformance.running import answer, assert_same_answers, batch_of, network_of, program_of, ragged
from tests.runtime.fused.tree_cells import tree_program

CELLS = standard().cells
KINDS = {"RNN": "rnn_tanh", "LSTM": "lstm", "GRU": "gru"}


def one_for_each_reader(cell: CellDefinition, **params: object) -> CellDefinition:
    """Every Delay drawn again for each but the first of its readers; params: of the copies."""
    nodes, wires = dict(cell.graph.nodes), list[Wire]()
    seen: set[str] = set()
    for wire in cell.graph.wires:
        name = wire.source.node
        if nodes[name].kind != "Delay" or name not in seen:
            seen.add(name)
            wires.append(wire)
            continue
        copy = f"{name}{len(nodes)}"
        node = nodes[name]
        nodes[copy] = node.replace(id=copy, params=frozen({**node.params, **params}))
        wires.append(Wire(Pin(copy, wire.source.port), wire.target))
        wires += [Wire(w.source, Pin(copy, w.target.port)) for w in cell.graph.wires if w.target.node == name]
    return cell.replace(name=f"{cell.name}_split", graph=Graph(frozen(nodes), tuple(wires)))


def assert_runs_as_the_reference(drawn: Design) -> None:
    program = program_of(drawn)
    fields, lengths = batch_of(program), ragged(program)
    wanted = answer(network_of(program, reference=True), fields, lengths)
    assert_same_answers(program, answer(network_of(program), fields, lengths), wanted, lengths)


@pytest.mark.parametrize("cell", KINDS)
def test_a_delay_for_each_gate_is_one_state(cell: str) -> None:
    split = one_for_each_reader(CELLS[cell])
    once, often = program_of(recurrent(cell)), program_of(recurrent(split))
    if cell != "RNN":  # its state has one reader
        assert len(split.graph.nodes) > len(CELLS[cell].graph.nodes)
    (scan,) = often.scans()
    assert len(scan.states) == len(next(once.scans()).states)
    assert scan.kernel is not None
    assert scan.kernel.kind == KINDS[cell]
    fields = batch_of(once)
    assert_same_answers(often, answer(network_of(often), fields), answer(network_of(once), fields))
    assert_runs_as_the_reference(recurrent(split))


@pytest.mark.parametrize(("params", "states"), [({"k": 2}, 2), ({"initial": "learned"}, 4)])
def test_delays_that_give_something_else_stay(params: dict[str, object], states: int) -> None:
    """A GRU's state has four readers; three of them read one step earlier, or each begins at a state of its own."""
    drawn = recurrent(one_for_each_reader(CELLS["GRU"], **params))
    (scan,) = program_of(drawn).scans()
    assert len(scan.states) == states
    assert_runs_as_the_reference(drawn)


def test_delays_of_delays_follow() -> None:
    """Two steps back by two Delays in a row, and that drawn twice."""
    s = Sketch()
    at = (0.0, 0.0)
    s.add("x", "FeatureInput", at=at, params={"field": "inputs"})
    for name in ("a", "b"):
        s.add(f"{name}1", "Delay", at=at, params={"axis": "time", "width": 4}, input="h")
        s.add(f"{name}2", "Delay", at=at, params={"axis": "time", "width": 4}, input=f"{name}1")
    both = {"input": "x", "input2": "a2", "input3": "b2", "input4": "b1"}
    s.add("sum", "Linear", at=at, params={"units": 4, "terms": 4}, **both)
    s.add("h", "Tanh", at=at, input="sum")
    regression(s, "h")
    drawn = design(s, "inputs", "targets")
    (scan,) = program_of(drawn).scans()
    assert [state.delay for state in scan.states] == ["a1", "a2"]
    assert_runs_as_the_reference(drawn)


def test_children_for_each_gate_are_one_state() -> None:
    def memories(s: Sketch, units: int) -> str:
        """h = tanh(W x + U Σ h) ⊙ σ(V x + R Σ h), the sum over the children drawn for each map."""
        made = []
        for name, squash in (("a", "Tanh"), ("b", "Sigmoid")):
            below = s.add(f"{name}_below", "Children", at=(0, 0), params={"width": units}, input="h")
            both = {"input": "x", "input2": below}
            total = s.add(f"{name}_sum", "Linear", at=(0, 0), params={"units": units, "terms": 2}, **both)
            made.append(s.add(name, squash, at=(0, 0), input=total))
        return s.add("h", "Multiply", at=(0, 0), a=made[0], b=made[1])

    (scan,) = tree_program(memories, 4).scans()
    assert [state.delay for state in scan.states] == ["a_below"]
