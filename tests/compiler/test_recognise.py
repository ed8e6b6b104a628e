"""Which loops are one of torch.nn's layers, however they are drawn, and which are not, with the reason in words."""

from __future__ import annotations

import pytest

from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import compile_design
from rnnstudio.compiler.program import Scan
from rnnstudio.design.design import CellDefinition, Design, Graph, Node, Pin, Wire, frozen
from tests.conformance.drawings import DRAWINGS, recurrent, with_params
from tests.conformance.running import answer, assert_same_answers, batch_of, network_of, program_of, ragged

CELLS = standard().cells
KINDS = {"RNN": "rnn_tanh", "LSTM": "lstm", "GRU": "gru"}


def loop_of(drawn: Design) -> Scan:
    (scan,) = compile_design(drawn, standard()).scans()
    return scan


def edited(
    cell: str, *, add: dict[str, Node] | None = None, cut: tuple[str, ...] = (), wires: str = ""
) -> CellDefinition:
    """A changed copy of a library cell: nodes added or put in place, "node.port" cut, wires "a.out>b.input"."""
    graph = CELLS[cell].graph
    made = tuple(
        Wire(Pin(*source.split(".")), Pin(*target.split(".")))
        for source, target in (pair.split(">") for pair in wires.split())
    )
    kept = tuple(w for w in graph.wires if str(w.target) not in cut)
    changed = Graph(frozen({**graph.nodes, **(add or {})}), (*kept, *made))
    return CELLS[cell].replace(name=f"{cell}_changed", graph=changed)


def renamed(cell: CellDefinition) -> CellDefinition:
    """Every inner node renamed, in another order, wires reversed, the inputs of sums and products swapped."""
    keep = ("CellInput", "CellOutput")
    names = {k: k if n.kind in keep else f"n{i}" for i, (k, n) in enumerate(cell.graph.nodes.items())}
    nodes = {names[k]: n.replace(id=names[k], title="") for k, n in reversed(cell.graph.nodes.items())}
    swap = {"a": "b", "b": "a"}

    def target(pin: Pin) -> Pin:
        pointwise = cell.graph.nodes[pin.node].kind in ("Add", "Multiply")
        return Pin(names[pin.node], swap[pin.port] if pointwise else pin.port)

    wires = tuple(Wire(Pin(names[w.source.node], w.source.port), target(w.target)) for w in cell.graph.wires[::-1])
    return cell.replace(name=f"{cell.name}_renamed", graph=Graph(frozen(nodes), wires))


@pytest.mark.parametrize("cell", KINDS)
def test_the_librarys_cells_are_recognised(cell: str) -> None:
    scan = loop_of(recurrent(cell))
    assert scan.kernel is not None
    assert scan.kernel.kind == KINDS[cell]
    assert scan.name == "rec"


@pytest.mark.parametrize("cell", KINDS)
def test_names_and_the_order_of_wires_do_not_matter(cell: str) -> None:
    drawn = recurrent(renamed(CELLS[cell]))
    kernel = loop_of(drawn).kernel
    assert kernel is not None
    assert kernel.kind == KINDS[cell]
    program = program_of(drawn)
    fields, lengths = batch_of(program), ragged(program)
    wanted = answer(network_of(program, reference=True), fields, lengths)
    assert_same_answers(program, answer(network_of(program), fields, lengths), wanted, lengths)


def test_a_relu_makes_the_other_plain_cell() -> None:
    cell = edited("RNN", add={"state": Node("state", "Relu")})
    kernel = loop_of(recurrent(cell)).kernel
    assert kernel is not None
    assert kernel.kind == "rnn_relu"
    program = program_of(recurrent(cell))
    fields = batch_of(program)
    assert_same_answers(
        program, answer(network_of(program), fields), answer(network_of(program, reference=True), fields)
    )


def other_mixing() -> CellDefinition:
    """h = n + z ⊙ (h before − n), the same number as z ⊙ h before + (1 − z) ⊙ n."""
    return edited(
        "GRU",
        add={"rest": Node("rest", "Subtract")},
        cut=("rest.input", "old_part.a", "old_part.b", "new_part.a", "new_part.b", "state.a", "state.b"),
        wires="h_before.out>rest.a candidate.out>rest.b z.out>old_part.a rest.out>old_part.b "
        "candidate.out>new_part.a candidate.out>new_part.b candidate.out>state.a old_part.out>state.b",
    )


def test_both_forms_of_a_grus_mixing_are_recognised_and_give_the_same_numbers() -> None:
    one, other = program_of(recurrent("GRU")), program_of(recurrent(other_mixing()))
    kernel = loop_of(recurrent(other_mixing())).kernel
    assert kernel is not None
    assert kernel.kind == "gru"
    fields = batch_of(one)
    wanted = answer(network_of(one), fields)
    assert_same_answers(other, answer(network_of(other), fields), wanted)
    assert_same_answers(other, answer(network_of(other, reference=True), fields), wanted)


def test_a_gru_that_keeps_by_one_minus_its_gate_is_another_cell() -> None:
    """h = (1 − z) ⊙ h before + z ⊙ n: torch's GRU has it the other way round."""
    cell = edited("GRU", cut=("old_part.b", "new_part.a"), wires="rest.out>old_part.b z.out>new_part.a")
    scan = loop_of(recurrent(cell))
    assert scan.kernel is None
    assert scan.why_not


def peephole() -> CellDefinition:
    return edited(
        "LSTM",
        add={
            "peep": Node("peep", "Weights", frozen({"units": 4})),
            "look": Node("look", "Multiply"),
            "more": Node("more", "Add"),
        },
        cut=("f.input",),
        wires="peep.out>look.a c_before.out>look.b look.out>more.a W_f.out>more.b more.out>f.input",
    )


def writing_twice() -> CellDefinition:
    """c = f ⊙ c before + i ⊙ g + o ⊙ g: the memory takes in a third part."""
    return edited(
        "LSTM",
        add={"more": Node("more", "Multiply"), "memory": Node("memory", "Add", frozen({"terms": 3}))},
        wires="o.out>more.a g.out>more.b more.out>memory.c",
    )


def squaring() -> CellDefinition:
    """A GRU that keeps the square of its state: h = h before ⊙ h before + (1 − z) ⊙ n."""
    return edited("GRU", cut=("old_part.a", "old_part.b"), wires="h_before.out>old_part.a h_before.out>old_part.b")


CHANGED: dict[str, tuple[CellDefinition, str]] = {
    "a memory of three parts": (writing_twice(), "its memory is not"),
    "a squared state": (squaring(), "not a mix of the old state and a candidate"),
    "a peephole": (peephole(), "not one map of the input plus one of the state"),
    "a hard gate": (edited("LSTM", add={"o": Node("o", "Relu")}), "output gate is not a sigmoid"),
    "no squashing of the memory": (edited("LSTM", add={"shown": Node("shown", "Sigmoid")}), "tanh of the other"),
    "a forget gate that is a tanh": (edited("LSTM", add={"f": Node("f", "Tanh")}), "forget gate"),
    "a candidate that is relu": (edited("LSTM", add={"g": Node("g", "Relu")}), "candidate"),
    "a GRU whose candidate is relu": (edited("GRU", add={"candidate": Node("candidate", "Relu")}), "tanh candidate"),
    "a GRU whose reset acts before U": (
        edited(
            "GRU",
            add={"early": Node("early", "Multiply")},
            cut=("U.input", "reset_h.b"),
            wires="r.out>early.a h_before.out>early.b early.out>U.input U.out>reset_h.b",
        ).replace(name="GRU_1"),
        "reset gate",
    ),
    "a plain cell with dropout on its state": (
        edited(
            "RNN",
            add={"drop": Node("drop", "Dropout")},
            cut=("total.input2",),
            wires="h_before.out>drop.input drop.out>total.input2",
        ),
        "not one map of the input plus one of the state",
    ),
    "two steps back": (with_params(CELLS["RNN"], "Delay", "RNN_2", k=2), "further back"),
    "a plain cell with two maps of its state": (
        edited(
            "RNN",
            add={"total": CELLS["RNN"].graph.nodes["total"].replace(params=frozen({"units": 4, "terms": 3}))},
            wires="h_before.out>total.input3",
        ),
        "not one map of the input plus one of the state",
    ),
    "one forget gate for all units": (
        edited("LSTM", add={"W_f": Node("W_f", "Linear", frozen({"units": 1, "terms": 2}))}),
        "width",
    ),
    "one candidate for all units": (
        edited("GRU", add={n: Node(n, "Linear", frozen({"units": 1})) for n in ("W", "U")}),
        "width",
    ),
    "one reset gate for all units": (
        edited("GRU", add={"W_r": Node("W_r", "Linear", frozen({"units": 1, "terms": 2}))}),
        "width",
    ),
}


@pytest.mark.parametrize("what", CHANGED)
def test_a_changed_cell_is_not_recognised_says_why_and_runs(what: str) -> None:
    cell, why = CHANGED[what]
    drawn = recurrent(cell)
    scan = loop_of(drawn)
    assert scan.kernel is None
    assert why in scan.why_not
    program = program_of(drawn)
    network = network_of(program)
    assert any(why in line for line in network.lowerings())
    fields = batch_of(program)
    assert_same_answers(program, answer(network, fields), answer(network_of(program, reference=True), fields))


@pytest.mark.parametrize("inside", ["rec.c", "rec.g"])
def test_a_loop_whose_inside_is_read_outside_declines(inside: str) -> None:
    drawn = DRAWINGS["memory read"]()
    if inside == "rec.g":
        cell = CELLS["LSTM"]
        wires = tuple(Wire(Pin("g", "out"), w.target) if str(w.target) == "c.input" else w for w in cell.graph.wires)
        drawn = drawn.replace(cells=frozen({"LSTM": cell.replace(graph=cell.graph.replace(wires=wires))}))
    scan = loop_of(drawn)
    assert scan.kernel is None
    assert "read outside" in scan.why_not


def test_a_delayed_state_that_is_read_outside_declines() -> None:
    cell = edited("RNN", cut=("h.input",), wires="h_before.out>h.input")
    scan = loop_of(recurrent(cell))
    assert scan.kernel is None


def test_every_loop_tells_what_it_runs_on() -> None:
    program = program_of(DRAWINGS["bidirectional"]())
    assert [scan.forward for scan in program.scans()] == [True, False]
    lines = network_of(program).lowerings()
    assert len(lines) == 2
    assert all("GRU" in line for line in lines)
    assert all("asked for" in line for line in network_of(program, reference=True).lowerings())
