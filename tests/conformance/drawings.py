"""Drawings that many tests run: one of each pattern that the primitives can express, small and without a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.design.design import CellDefinition, Design, Node, frozen
from rnnstudio.design.recipe import DataRecipe, FieldSpec

TOKENS, WIDTH, TARGETS = 5, 3, 2

FIELDS = (
    FieldSpec("text", "tokens", TOKENS, vocabulary=tuple("abcde")),
    FieldSpec("next", "tokens", TOKENS, vocabulary=tuple("abcde"), shift_of="text", shift=1),
    FieldSpec("inputs", "real", WIDTH),
    FieldSpec("targets", "real", TARGETS),
    FieldSpec("other", "real", WIDTH, axis="source"),
    FieldSpec("vector", "real", WIDTH, axis=None),
    FieldSpec("label", "tokens", 4, axis=None),
    FieldSpec("amount", "real", TARGETS, axis=None),
)
"""Every field a drawing of the tests may name."""


def recipe(*names: str) -> DataRecipe:
    """A recipe of some of FIELDS; its file is never opened."""
    return DataRecipe("csv", "nowhere.csv", fields=tuple(f for f in FIELDS if f.name in names))


def design(
    sketch: Sketch,
    *fields: str,
    cells: Iterable[CellDefinition] = (),
    variables: Mapping[str, Any] | None = None,
    name: str = "drawn",
) -> Design:
    """The design of a sketch, with the library's cells and these fields as data."""
    all_cells = {**standard().cells, **{cell.name: cell for cell in cells}}
    graph = sketch.graph()
    used: dict[str, CellDefinition] = {}
    todo = list(graph.nodes.values())
    while todo:
        node = todo.pop()
        key = str(node.params.get("cell"))
        if node.kind == "cell" and key in all_cells and key not in used:
            used[key] = all_cells[key]
            todo += all_cells[key].graph.nodes.values()
    return Design(
        name=name,
        graph=graph,
        cells=frozen(used),
        variables=frozen(variables or {}),
        data=recipe(*fields) if fields else None,
    )


def with_params(cell: CellDefinition, kind: str, name: str = "", **params: Any) -> CellDefinition:
    """A copy of a cell in which every node of a kind has these parameters too."""

    def changed(node: Node) -> Node:
        return node.replace(params=frozen({**node.params, **params})) if node.kind == kind else node

    nodes = {key: changed(node) for key, node in cell.graph.nodes.items()}
    return cell.replace(name=name or cell.name, graph=cell.graph.replace(nodes=frozen(nodes)))


def backward(cell: CellDefinition) -> CellDefinition:
    return with_params(cell, "Delay", f"{cell.name}_back", k=-1)


def features(s: Sketch) -> str:
    return s.add("inputs", "FeatureInput", at=(0, 0))


def regression(s: Sketch, source: str, *, vector: bool = False) -> None:
    """A linear readout of `source` and a squared error against “targets” (a vector: “amount”)."""
    field, axis = ("amount", "") if vector else ("targets", "time")
    s.add("readout", "Linear", at=(8, 0), params={"units": TARGETS}, input=source)
    s.add("truth", "FeatureTarget", at=(8, 1), params={"field": field, "axis": axis})
    s.add("loss", "MeanSquaredError", at=(9, 0), prediction="readout", target="truth")


def recurrent(cell: CellDefinition | str, units: int = 4, **params: Any) -> Design:
    """features → one cell → readout → squared error."""
    definition = standard().cells[cell] if isinstance(cell, str) else cell
    s = Sketch()
    features(s)
    s.add("rec", "cell", at=(1, 0), params={"cell": definition.name, "units": units, **params}, x="inputs")
    regression(s, "rec.h")
    return design(s, "inputs", "targets", cells=[definition])


def language_model(cell: str = "LSTM") -> Design:
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 3}, input="text")
    s.add("rec", "cell", at=(2, 0), params={"cell": cell, "units": 4}, x="embedding")
    s.add("readout", "Linear", at=(3, 0), params={"units": TOKENS}, input="rec.h")
    s.add("next", "TokenTarget", at=(3, 1))
    s.add("loss", "CrossEntropy", at=(4, 0), prediction="readout", target="next")
    return design(s, "text", "next")


def attending_text() -> Design:
    """A language model whose layer attends to the text so far, by the library's cell."""
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 8}, input="text")
    s.add("looks", "cell", at=(2, 0), params={"cell": "SelfAttention", "units": 8, "causal": True}, x="embedding")
    s.add("readout", "Linear", at=(3, 0), params={"units": TOKENS}, input="looks.h")
    s.add("next", "TokenTarget", at=(3, 1))
    s.add("loss", "CrossEntropy", at=(4, 0), prediction="readout", target="next")
    drawn = design(s, "text", "next")
    assert drawn.data is not None
    return drawn.replace(data=drawn.data.replace(long=True))


def stacked() -> Design:
    s = Sketch()
    features(s)
    s.add("low", "cell", at=(1, 0), params={"cell": "LSTM", "units": 4}, x="inputs")
    s.add("dropout", "Dropout", at=(2, 0), params={"rate": 0.5}, input="low.h")
    s.add("high", "cell", at=(3, 0), params={"cell": "GRU", "units": 3}, x="dropout")
    s.add("skip", "Concat", at=(4, 0), a="high.h", b="low.h")
    regression(s, "skip")
    return design(s, "inputs", "targets")


def bidirectional(cell: str = "GRU") -> Design:
    definition = standard().cells[cell]
    s = Sketch()
    features(s)
    s.add("ahead", "cell", at=(1, 0), params={"cell": cell, "units": 4}, x="inputs")
    s.add("back", "cell", at=(1, 1), params={"cell": f"{cell}_back", "units": 3}, x="inputs")
    s.add("both", "Concat", at=(2, 0), a="ahead.h", b="back.h")
    regression(s, "both")
    return design(s, "inputs", "targets", cells=[backward(definition)])


def many_to_one(pool: str = "Last", cell: str = "LSTM") -> Design:
    s = Sketch()
    features(s)
    s.add("rec", "cell", at=(1, 0), params={"cell": cell, "units": 4}, x="inputs")
    s.add("pool", pool, at=(2, 0), input="rec.h")
    s.add("readout", "Linear", at=(3, 0), params={"units": 4}, input="pool")
    s.add("label", "TokenTarget", at=(3, 1), params={"field": "label", "axis": ""})
    s.add("loss", "CrossEntropy", at=(4, 0), prediction="readout", target="label")
    return design(s, "inputs", "label")


def delayed(k: int, initial: str = "zero") -> Design:
    """A Delay outside of every loop."""
    s = Sketch()
    features(s)
    s.add("late", "Delay", at=(1, 0), params={"k": k, "initial": initial}, input="inputs")
    s.add("both", "Concat", at=(2, 0), a="inputs", b="late")
    regression(s, "both")
    return design(s, "inputs", "targets")


def delayed_from_wire(k: int) -> Design:
    s = Sketch()
    features(s)
    s.add("vector", "FeatureInput", at=(0, 1), params={"field": "vector"})
    s.add("late", "Delay", at=(1, 0), params={"k": k}, input="inputs", initial="vector")
    regression(s, "late")
    return design(s, "inputs", "targets", "vector")


def skipping(k: int, initial: str = "zero") -> Design:
    """A loop that looks k steps back (or ahead)."""
    return recurrent(with_params(standard().cells["RNN"], "Delay", "Skipping", k=k, initial=initial))


def two_speeds() -> Design:
    """One loop with two states, one step and three steps back, and a state read outside at its Delay."""
    s = Sketch()
    features(s)
    s.add("mix", "Linear", at=(2, 0), params={"units": 4, "terms": 3}, input="inputs", input2="one", input3="three")
    s.add("state", "Tanh", at=(3, 0), input="mix")
    s.add("one", "Delay", at=(2, 1), params={"initial": "learned"}, input="state")
    s.add("three", "Delay", at=(2, 2), params={"k": 3}, input="state")
    s.add("both", "Concat", at=(4, 0), a="state", b="three")
    regression(s, "both")
    return design(s, "inputs", "targets")


def delay_chain() -> Design:
    """Two steps back, drawn as two Delays one after the other."""
    s = Sketch()
    features(s)
    s.add("mix", "Linear", at=(2, 0), params={"units": 4, "terms": 2}, input="inputs", input2="second")
    s.add("state", "Tanh", at=(3, 0), input="mix")
    s.add("first", "Delay", at=(2, 1), input="state")
    s.add("second", "Delay", at=(1, 1), input="first")
    regression(s, "state")
    return design(s, "inputs", "targets")


def loop_in_a_loop() -> Design:
    """A cell within a loop of the main drawing: the output is fed back into the cell's input."""
    s = Sketch()
    features(s)
    s.add("joined", "Concat", at=(1, 0), a="inputs", b="back")
    s.add("rec", "cell", at=(2, 0), params={"cell": "GRU", "units": 4}, x="joined")
    s.add("back", "Delay", at=(2, 1), params={"axis": "time", "width": 4}, input="rec.h")
    regression(s, "rec.h")
    return design(s, "inputs", "targets")


def cell_behind_a_delay() -> Design:
    """A cell whose input's shape is known only when the loop around it has been gone round once."""
    inner = Sketch()
    inner.add("x", "CellInput", at=(0, 0))
    inner.add("map", "Linear", at=(1, 0), params={"units": 4}, input="x")
    inner.add("squash", "Tanh", at=(2, 0), input="map")
    inner.add("y", "CellOutput", at=(3, 0), input="squash")
    block = inner.cell("Block", {}, "A layer.", "y = tanh(W x + b)")
    s = Sketch()
    features(s)
    s.add("begin", "Linear", at=(1, 0), params={"units": 4}, input="inputs")
    s.add("block", "cell", at=(1, 1), params={"cell": "Block"}, x="before")
    s.add("state", "Add", at=(2, 0), a="begin", b="block.y")
    s.add("before", "Delay", at=(2, 1), input="state")
    regression(s, "state")
    return design(s, "inputs", "targets", cells=[block])


def learned_states(cell: str) -> Design:
    return recurrent(with_params(standard().cells[cell], "Delay", f"{cell}_learned", initial="learned"))


def states_from_wires(cell: str) -> Design:
    """The initial states are maps of a vector of each example."""
    s = Sketch()
    features(s)
    s.add("vector", "FeatureInput", at=(0, 1), params={"field": "vector"})
    s.add("begin", "Linear", at=(1, 1), params={"units": 4}, input="vector")
    wires = {"h0": "begin"}
    if cell == "LSTM":
        s.add("begin_c", "Linear", at=(1, 2), params={"units": 4}, input="vector")
        wires["c0"] = "begin_c"
    s.add("rec", "cell", at=(2, 0), params={"cell": cell, "units": 4}, x="inputs", **wires)
    regression(s, "rec.h")
    return design(s, "inputs", "targets", "vector")


def reads_the_memory() -> Design:
    """An LSTM whose memory is read too, so that no kernel serves."""
    s = Sketch()
    features(s)
    s.add("rec", "cell", at=(1, 0), params={"cell": "LSTM", "units": 4}, x="inputs")
    s.add("both", "Concat", at=(2, 0), a="rec.h", b="rec.c")
    regression(s, "both")
    return design(s, "inputs", "targets")


def pooled() -> Design:
    """Every pool of one loop, side by side."""
    s = Sketch()
    features(s)
    s.add("rec", "cell", at=(1, 0), params={"cell": "RNN", "units": 3}, x="inputs")
    for i, kind in enumerate(("Last", "First", "Mean", "Max", "Sum")):
        s.add(kind.lower(), kind, at=(2, i), input="rec.h")
    s.add("all", "Concat", at=(3, 0), params={"terms": 5}, a="last", b="first", c="mean", d="max", e="sum")
    regression(s, "all", vector=True)
    return design(s, "inputs", "amount")


def reversed_twice() -> Design:
    """A backward loop drawn as Reverse, a forward loop, Reverse."""
    s = Sketch()
    features(s)
    s.add("flip", "Reverse", at=(1, 0), input="inputs")
    s.add("rec", "cell", at=(2, 0), params={"cell": "LSTM", "units": 4}, x="flip")
    s.add("flop", "Reverse", at=(3, 0), input="rec.h")
    regression(s, "flop")
    return design(s, "inputs", "targets")


def one_to_many() -> Design:
    """A vector repeated along a second input's axis, and used in a loop."""
    s = Sketch()
    features(s)
    s.add("vector", "FeatureInput", at=(0, 1), params={"field": "vector"})
    s.add("repeat", "Repeat", at=(1, 1), input="vector", along="inputs")
    s.add("sum", "Add", at=(2, 0), a="inputs", b="repeat")
    s.add("rec", "cell", at=(3, 0), params={"cell": "GRU", "units": 4}, x="sum")
    regression(s, "rec.h")
    return design(s, "inputs", "vector", "targets")


def along_the_target() -> Design:
    """A vector repeated along the target: the length is known from the target alone."""
    s = Sketch()
    s.add("vector", "FeatureInput", at=(0, 1), params={"field": "vector"})
    s.add("truth", "FeatureTarget", at=(0, 2))
    s.add("repeat", "Repeat", at=(1, 1), input="vector", along="truth")
    s.add("rec", "cell", at=(2, 0), params={"cell": "GRU", "units": 4}, x="repeat")
    s.add("readout", "Linear", at=(3, 0), params={"units": TARGETS}, input="rec.h")
    s.add("loss", "MeanSquaredError", at=(4, 0), prediction="readout", target="truth")
    return design(s, "vector", "targets")


def one_to_one() -> Design:
    """No axis at all: a feed-forward classifier."""
    s = Sketch()
    s.add("vector", "FeatureInput", at=(0, 0), params={"field": "vector"})
    s.add("layer", "Linear", at=(1, 0), params={"units": 6}, input="vector")
    s.add("active", "Relu", at=(2, 0), input="layer")
    s.add("readout", "Linear", at=(3, 0), params={"units": 4}, input="active")
    s.add("label", "TokenTarget", at=(3, 1), params={"field": "label"})
    s.add("loss", "CrossEntropy", at=(4, 0), prediction="readout", target="label")
    return design(s, "vector", "label")


def two_losses() -> Design:
    """One loop, a next-value loss of half weight at every step and a class at the end; two outputs."""
    s = Sketch()
    features(s)
    s.add("rec", "cell", at=(1, 0), params={"cell": "LSTM", "units": 4}, x="inputs")
    s.add("forecast", "Linear", at=(2, 0), params={"units": TARGETS}, input="rec.h")
    s.add("truth", "FeatureTarget", at=(2, 1))
    s.add("each", "MeanAbsoluteError", at=(3, 0), params={"weight": 0.5}, prediction="forecast", target="truth")
    s.add("last", "Last", at=(2, 2), input="rec.h")
    s.add("class_", "Linear", at=(3, 2), params={"units": 4}, input="last")
    s.add("label", "TokenTarget", at=(3, 3), params={"field": "label"})
    s.add("end", "CrossEntropy", at=(4, 2), prediction="class_", target="label")
    return design(s, "inputs", "targets", "label")


def attention() -> Design:
    """Two axes at once: a loop over time whose state is compared with every place of a second sequence."""
    s = Sketch()
    features(s)
    s.add("other", "FeatureInput", at=(0, 1), params={"field": "other", "axis": "source"})
    s.add("keys", "Linear", at=(1, 1), params={"units": 4}, input="other")
    s.add("query", "Linear", at=(1, 0), params={"units": 4, "terms": 2}, input="inputs", input2="before")
    s.add("pair", "Add", at=(2, 0), a="query", b="keys")
    s.add("score", "Tanh", at=(3, 0), input="pair")
    s.add("side", "Concat", at=(4, 0), a="score", b="keys")
    s.add("read", "Mean", at=(5, 0), params={"axis": "source"}, input="side")
    s.add("state", "Linear", at=(6, 0), params={"units": 4}, input="read")
    s.add("before", "Delay", at=(3, 2), input="state")
    regression(s, "state")
    return design(s, "inputs", "other", "targets")


def grid() -> Design:
    """Two axes, a loop over each, one inside the other: h_ts = tanh(x_t + y_s + U h_{t-1,s} + V h_{t,s-1})."""
    s = Sketch()
    features(s)
    s.add("other", "FeatureInput", at=(0, 1), params={"field": "other", "axis": "source"})
    s.add("plane", "Add", at=(1, 0), a="inputs", b="other")
    s.add("sum", "Linear", at=(2, 0), params={"units": 3, "terms": 3}, input="plane", input2="up", input3="left")
    s.add("state", "Tanh", at=(3, 0), input="sum")
    s.add("up", "Delay", at=(2, 1), params={"axis": "time"}, input="state")
    s.add("left", "Delay", at=(2, 2), params={"axis": "source"}, input="state")
    s.add("read", "Last", at=(4, 0), params={"axis": "source"}, input="state")
    regression(s, "read")
    return design(s, "inputs", "other", "targets")


def side_by_side() -> Design:
    """Two sequences of different lengths joined along both axes, each lacking the other's."""
    s = Sketch()
    features(s)
    s.add("other", "FeatureInput", at=(0, 1), params={"field": "other", "axis": "source"})
    s.add("plane", "Concat", at=(1, 0), params={"terms": 3}, a="inputs", b="other", c="pair")
    s.add("pair", "Multiply", at=(0, 2), a="other", b="inputs")
    s.add("mix", "Linear", at=(2, 0), params={"units": 3, "terms": 3}, input="inputs", input2="other", input3="pair")
    s.add("sum", "Add", at=(2, 1), params={"terms": 3}, a="inputs", b="other", c="pair")
    s.add("late", "Delay", at=(3, 1), params={"axis": "time", "k": 2}, input="sum")
    s.add("all", "Concat", at=(3, 0), params={"terms": 3}, a="plane", b="mix", c="late")
    s.add("read", "Max", at=(4, 0), params={"axis": "source"}, input="all")
    regression(s, "read")
    return design(s, "inputs", "other", "targets")


def vectors_first() -> Design:
    """A sum in a loop whose first terms have no axis, as a product and as a plain sum."""
    s = Sketch()
    features(s)
    s.add("vector", "FeatureInput", at=(0, 1), params={"field": "vector"})
    s.add("p", "Weights", at=(0, 2), params={"units": 4, "spread": 0.5})
    terms = {"input": "vector", "input2": "vector", "input3": "before"}
    s.add("sum", "Linear", at=(1, 0), params={"units": 4, "terms": 3}, **terms)
    s.add("more", "Add", at=(2, 0), params={"terms": 4}, a="p", b="p", c="sum", d="from_x")
    s.add("from_x", "Linear", at=(1, 1), params={"units": 4}, input="inputs")
    s.add("state", "Tanh", at=(3, 0), input="more")
    s.add("before", "Delay", at=(2, 1), params={"axis": "time"}, input="state")
    regression(s, "state")
    return design(s, "inputs", "vector", "targets")


def loop_over_the_other() -> Design:
    """A loop over one axis that reads, at every step, a value that has only the other axis."""
    s = Sketch()
    features(s)
    s.add("other", "FeatureInput", at=(0, 1), params={"field": "other", "axis": "source"})
    s.add("map", "Linear", at=(1, 1), params={"units": 3}, input="before")
    s.add("sum", "Add", at=(2, 0), params={"terms": 3}, a="inputs", b="map", c="other")
    s.add("state", "Tanh", at=(3, 0), input="sum")
    s.add("before", "Delay", at=(2, 1), params={"axis": "source"}, input="state")
    s.add("read", "Last", at=(4, 0), params={"axis": "source"}, input="state")
    regression(s, "read")
    return design(s, "inputs", "other", "targets")


def passed_on() -> Design:
    """A pre-activation that goes into one state and, as it is, into the map of another; a width of 1 is spread."""
    s = Sketch()
    features(s)
    s.add("one", "Delay", at=(2, 1), params={"axis": "time", "width": 4}, input="state")
    s.add("far", "Delay", at=(2, 2), params={"axis": "time", "width": 4}, input="state2")
    s.add("join", "Concat", at=(1, 1), a="one", b="far")
    s.add("w", "Weights", at=(0, 2), params={"units": 1, "spread": 0.5})
    s.add("less", "Subtract", at=(1, 2), a="w", b="join")
    s.add("mix", "Linear", at=(2, 0), params={"units": 4}, input="less")
    s.add("from_x", "Linear", at=(1, 0), params={"units": 4}, input="inputs")
    s.add("sum", "Add", at=(3, 0), a="mix", b="from_x")
    s.add("state", "Tanh", at=(4, 0), input="sum")
    s.add("mix2", "Linear", at=(3, 1), params={"units": 4}, input="mix")
    s.add("state2", "Tanh", at=(4, 1), input="mix2")
    regression(s, "one")
    return design(s, "inputs", "targets")


def pointwise() -> Design:
    """Every elementwise node in one feed-forward chain along time."""
    s = Sketch()
    features(s)
    s.add("lin", "Linear", at=(1, 0), params={"units": 4}, input="inputs")
    previous = "lin"
    for i, kind in enumerate(("Tanh", "Exp", "Sigmoid", "Softplus", "Relu", "Softmax", "OneMinus")):
        s.add(kind.lower(), kind, at=(2 + i, 0), input=previous)
        previous = kind.lower()
    s.add("scale", "Scale", at=(10, 0), params={"scale": 1.5, "offset": -0.25}, input=previous)
    s.add("p", "Weights", at=(10, 1), params={"units": 4, "value": 0.5, "spread": 0.25})
    s.add("product", "Multiply", at=(11, 0), params={"terms": 3}, a="scale", b="p", c="lin")
    s.add("less", "Subtract", at=(12, 0), a="product", b="tanh")
    s.add("more", "Maximum", at=(13, 0), a="less", b="p")
    s.add("some", "Slice", at=(14, 0), params={"start": 1, "stop": 3}, input="more")
    s.add("sum", "Add", at=(15, 0), params={"terms": 3}, a="some", b="some", c="half")
    s.add("half", "Slice", at=(14, 1), params={"start": 0, "stop": 1}, input="more")
    regression(s, "sum")
    return design(s, "inputs", "targets")


def tied() -> Design:
    """Two layers that share their parameters by name."""
    s = Sketch()
    features(s)
    s.add("one", "Linear", at=(1, 0), params={"units": 3}, shared="same", input="inputs")
    s.add("squash", "Tanh", at=(2, 0), input="one")
    s.add("two", "Linear", at=(3, 0), params={"units": 3}, shared="same", input="squash")
    regression(s, "two")
    return design(s, "inputs", "targets")


DRAWINGS: dict[str, Callable[[], Design]] = {
    "rnn": lambda: recurrent("RNN"),
    "lstm": lambda: recurrent("LSTM"),
    "gru": lambda: recurrent("GRU"),
    "rnn backward": lambda: recurrent(backward(standard().cells["RNN"])),
    "lstm backward": lambda: recurrent(backward(standard().cells["LSTM"])),
    "gru backward": lambda: recurrent(backward(standard().cells["GRU"])),
    "rnn, one unit": lambda: recurrent("RNN", 1),
    "language model": language_model,
    "stacked": stacked,
    "bidirectional": bidirectional,
    "bidirectional lstm": lambda: bidirectional("LSTM"),
    "last": lambda: many_to_one("Last"),
    "every pool": pooled,
    "delay 1": lambda: delayed(1),
    "delay 3, learned": lambda: delayed(3, "learned"),
    "delay -2": lambda: delayed(-2),
    "delay -2, learned": lambda: delayed(-2, "learned"),
    "delay 2 from a wire": lambda: delayed_from_wire(2),
    "delay -3 from a wire": lambda: delayed_from_wire(-3),
    "loop of 3": lambda: skipping(3),
    "loop of -2, learned": lambda: skipping(-2, "learned"),
    "two speeds": two_speeds,
    "delay chain": delay_chain,
    "loop in a loop": loop_in_a_loop,
    "cell behind a delay": cell_behind_a_delay,
    "learned states, rnn": lambda: learned_states("RNN"),
    "learned states, lstm": lambda: learned_states("LSTM"),
    "learned states, gru": lambda: learned_states("GRU"),
    "states from wires, lstm": lambda: states_from_wires("LSTM"),
    "states from wires, gru": lambda: states_from_wires("GRU"),
    "memory read": reads_the_memory,
    "reversed": reversed_twice,
    "one to many": one_to_many,
    "along the target": along_the_target,
    "one to one": one_to_one,
    "two losses": two_losses,
    "attention": attention,
    "grid": grid,
    "side by side": side_by_side,
    "vectors first": vectors_first,
    "passed on": passed_on,
    "loop over the other": loop_over_the_other,
    "pointwise": pointwise,
    "tied": tied,
}
"""Name → a function that draws it."""
