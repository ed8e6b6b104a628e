"""Hypothesis strategies for designs being edited: any edit a window can make, fitting the design or not."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from rnnstudio.catalog.catalog import standard
from rnnstudio.design.design import MAIN, Design, Frame, Node, Pin, Var, Wire, frozen
from rnnstudio.design.edits import (
    AddNode,
    Compound,
    Connect,
    Disconnect,
    Edit,
    MoveNodes,
    RemoveCell,
    RemoveNodes,
    RenameNode,
    SetAxis,
    SetCell,
    SetData,
    SetFrames,
    SetName,
    SetParam,
    SetShared,
    SetTitle,
    SetTraining,
    SetVariable,
)
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from rnnstudio.design.signals import Axis

KINDS = (*sorted(standard().kinds), "cell", "FromAPlugin")
NAMES = ("a", "b", "c", "d", "h", "x")
PORTS = ("out", "input", "input2", "a", "b", "x", "h", "h0", "prediction", "target", "along", "initial")
CELLS = ("GRU", "LSTM", "RNN")

names = st.sampled_from(NAMES)
graphs = st.sampled_from((MAIN, MAIN, MAIN, *CELLS))
numbers = st.floats(-500, 500, allow_nan=False).map(lambda x: round(x, 1))
values = st.one_of(
    st.integers(-2, 9),
    st.booleans(),
    st.sampled_from(("time", "source", "", "text", "inputs", "zero", "learned", *CELLS)),
    st.sampled_from((Var("hidden"), Var("nothing"))),
    st.none(),
)
params = st.sampled_from(("units", "terms", "k", "axis", "field", "width", "cell", "initial", "rate", "unheard_of"))
pins = st.builds(Pin, names, st.sampled_from(PORTS))
wires = st.builds(Wire, st.builds(Pin, names, st.sampled_from(("out", "out", "out", "h", "c"))), pins)
nodes = st.builds(
    Node,
    names,
    st.sampled_from(KINDS),
    st.dictionaries(params, values.filter(lambda v: v is not None), max_size=2).map(frozen),
    numbers,
    numbers,
    st.sampled_from(("", "Ein Knoten: ⊙")),
    st.sampled_from(("", "", "tied")),
)
recipes = st.sampled_from(
    (
        None,
        DataRecipe("text", "a.txt", {"level": "words"}, fields=(FieldSpec("text", "tokens", 4),)),
        DataRecipe("csv", "a.csv", fields=(FieldSpec("inputs", "real", 3), FieldSpec("targets", "real", 1))),
    )
)

simple_edits: st.SearchStrategy[Edit] = st.one_of(
    st.builds(AddNode, nodes, graphs),
    st.builds(AddNode, nodes, graphs),
    st.builds(Connect, wires, graphs, st.booleans()),
    st.builds(Connect, wires, graphs, st.booleans()),
    st.builds(RemoveNodes, st.lists(names, min_size=1, max_size=2, unique=True).map(tuple), graphs),
    st.builds(Disconnect, st.lists(wires, max_size=1).map(tuple), graphs),
    st.builds(MoveNodes, st.dictionaries(names, st.tuples(numbers, numbers), min_size=1, max_size=2), graphs),
    st.builds(SetParam, names, params, values, graphs),
    st.builds(SetTitle, names, st.sampled_from(("", "Tor\n“f”")), graphs),
    st.builds(SetShared, names, st.sampled_from(("", "tied")), graphs),
    st.builds(RenameNode, names, names, graphs),
    st.builds(SetFrames, st.just((Frame("f", "Encoder", 0.0, 1.5, 20.0, 30.0),)), graphs),
    st.builds(SetVariable, st.sampled_from(("hidden", "embedding")), st.sampled_from((None, 3, 0.5))),
    st.sampled_from(CELLS).map(lambda name: SetCell(standard().cells[name])),
    st.builds(RemoveCell, st.sampled_from(CELLS)),
    st.builds(SetData, recipes),
    st.builds(SetTraining, st.dictionaries(st.sampled_from(("epochs", "seed")), st.sampled_from((None, 1, 2)))),
    st.builds(
        SetAxis,
        st.builds(
            Axis,
            st.sampled_from(("time", "source")),
            st.sampled_from(("sequence", "tree")),
            st.integers(0, 50),
            st.sampled_from((None, True, False)),
        ),
    ),
    st.builds(SetName, st.sampled_from(("one", "two")), st.sampled_from((None, "A drawing."))),
)
edits: st.SearchStrategy[Edit] = st.one_of(
    simple_edits, simple_edits, simple_edits, st.builds(Compound, st.lists(simple_edits, max_size=3).map(tuple))
)


def start() -> Design:
    """A design with something in every part, so that most edits find what they change."""
    return Design(
        name="start",
        variables=frozen({"hidden": 4}),
        cells=frozen({name: standard().cells[name] for name in CELLS}),
        graph=Design().graph.replace(
            nodes=frozen(
                {
                    "a": Node("a", "FeatureInput", frozen({"size": 3})),
                    "b": Node("b", "cell", frozen({"cell": "GRU", "units": Var("hidden")})),
                    "c": Node("c", "FromAPlugin", frozen({"strength": 2}), extra=frozen({"colour": [1, 2]})),
                }
            ),
            wires=(Wire(Pin("a", "out"), Pin("b", "x")), Wire(Pin("b", "h"), Pin("c", "input"))),
        ),
        extra=frozen({"written_by": "a later version"}),
    )


Editing = Callable[[Design], Design]
