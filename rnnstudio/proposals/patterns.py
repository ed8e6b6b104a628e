"""The field's patterns, each a small drawing that can be trained at once on data that it makes itself.

`PATTERNS` lists them in the order of the textbook. A pattern is drawn by one function, what comes in on the left, the
loss on the right. No torch, no Qt, no data read here: `rnnstudio.gallery` brings drawing and data together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..catalog.catalog import Catalog
from ..compiler.units import as_in_file, unscaled
from ..design.design import Design, Value, Var, frozen
from ..design.recipe import DataRecipe
from ..design.signals import Axis
from .pen import Pen

HIDDEN, EMBEDDING = Var("hidden"), Var("embedding")
Options = Mapping[str, int | float | str]
NONE: Options = MappingProxyType({})

TRAINING: Mapping[str, int | float | str | bool] = MappingProxyType(
    {"epochs": 20, "batch_size": 32, "learning_rate": 0.01, "schedule": "cosine", "carry": False}
)
"""Settings of a pattern that says no others: a loss that falls within seconds on the small data of a task."""


@dataclass(frozen=True)
class Pattern:
    """title: the field's name for it; says: one sentence. row: its place in the list. data: the task it is trained on.

    draw: puts the nodes down; training: settings beside TRAINING; sizes: the design's variables.
    """

    row: int
    title: str
    says: str
    data: str
    draw: Callable[[Pen], None]
    options: Options = field(default_factory=lambda: NONE)
    training: Mapping[str, int | float | str | bool] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=lambda: {"hidden": 32})

    @property
    def name(self) -> str:
        """Without spaces, for the command line and for file names."""
        plain = self.title.lower().replace("–", "-").replace(" ", "-").replace("→", "to")
        return "".join(letter for letter in plain if letter.isalnum() or letter == "-")

    def recipe(self) -> DataRecipe:
        """How its data is made; the fields are known once it was opened."""
        return DataRecipe(self.data, self.data, options=frozen(dict(self.options)))

    def design(self, recipe: DataRecipe, catalog: Catalog) -> Design:
        """The drawing. recipe: its own, completed."""
        pen = Pen(catalog)
        self.draw(pen)
        trees = tuple(dict.fromkeys(str(spec.axis) for spec in recipe.fields if spec.content == "parents"))
        drawn = Design(
            name=self.name,
            doc=f"{self.title[:1].upper()}{self.title[1:]}. {self.says}",
            variables=frozen(dict(self.sizes)),
            graph=pen.graph(),
            cells=frozen(dict(sorted(pen.cells.items()))),
            axes=frozen({axis: Axis(axis, "tree") for axis in trees}),
            data=recipe,
            training=frozen({**TRAINING, **self.training}),
        )
        return drawn.replace(data=as_in_file(recipe, unscaled(drawn, catalog)))


# --- what many of them begin and end with


def _numbers(pen: Pen, axis: str = "time") -> str:
    return pen.node("FeatureInput", "x", {"field": "inputs", "axis": axis})


def _tokens(pen: Pen, field: str = "inputs", axis: str = "time", units: Value = EMBEDDING) -> str:
    read = pen.node("TokenInput", "x" if field == "inputs" else field, {"field": field, "axis": axis})
    return pen.node("Embedding", "embedding", {"units": units}, input=read)


def _linear(pen: Pen, name: str, units: Value, input: str, **params: Value) -> str:
    return pen.node("Linear", name, {"units": units, **params}, input=input)


def _joined(pen: Pen, *parts: str) -> str:
    ports = {"abcdef"[place]: part for place, part in enumerate(parts)}
    return pen.node("Concat", "both" if len(parts) == 2 else "all", {"terms": len(parts)}, inputs=ports)


def _classes(pen: Pen, features: str, axis: str = "time", **scores: Value) -> None:
    """A readout o_t, and its cross-entropy with the classes of the data."""
    said = _linear(pen, "o", Var("targets_size"), features, **scores)
    column, row = pen.place_of(said)
    truth = pen.node("TokenTarget", "y", {"field": "targets", "axis": axis}, at=(column, row + 1))
    pen.node("CrossEntropy", "loss", prediction=said, target=truth)


def _squares(pen: Pen, features: str, axis: str = "time", readout: bool = True) -> None:
    """A readout, and its mean squared error."""
    said = _linear(pen, "o", Var("targets_size"), features) if readout else features
    column, row = pen.place_of(said)
    truth = pen.node("FeatureTarget", "y", {"field": "targets", "axis": axis}, at=(column, row + 1))
    pen.node("MeanSquaredError", "loss", prediction=said, target=truth)


def _loop(pen: Pen, x: str, units: Value = HIDDEN, name: str = "h", **total: Value) -> str:
    """h_t = tanh(W_xh x_t + W_hh h_{t−1} + b), drawn: the Delay stands under the loop. Elman 1990."""
    made: dict[str, Value] = {"units": units, "terms": 2, "fan": units, **total}
    summed = pen.node("Linear", f"{name}_sum", made, title="W x + U h + b", input=x)
    state = pen.node("Tanh", name, input=summed)
    column, row = pen.place_of(summed)
    before = pen.node("Delay", f"{name}_before", title=f"{name} before", at=(column, row + 1), input=state)
    pen.wire(before, f"{summed.partition('.')[0]}.input2")
    return state


def _cell(pen: Pen, kind: str, x: str, name: str = "memory", *, title: str = "", **sources: str) -> str:
    return pen.node(kind, name, {"units": HIDDEN}, title=title or kind, out="h", inputs={"x": x, **sources})


def _written(pen: Pen, field: str = "target", axis: str = "target", row: int = 2) -> tuple[str, str, str]:
    """A decoder's beginning: the target, the token before (the truth while it learns), and that token's vector."""
    truth = pen.node("TokenTarget", "y", {"field": field, "axis": axis}, at=(0, row))
    before = pen.node("Feedback", "y_before", title="y before", target=truth)
    return truth, before, pen.node("Embedding", "written", {"units": EMBEDDING}, input=before)


def _said(pen: Pen, truth: str, before: str, features: str, field: str = "target") -> None:
    """A decoder's end: scores, which it also reads itself when it writes freely."""
    scores = _linear(pen, "o", Var(f"{field}_size"), features)
    pen.wire(scores, f"{before.partition('.')[0]}.prediction")
    pen.node("CrossEntropy", "loss", prediction=scores, target=truth)


# --- the rows


def one_to_one(pen: Pen) -> None:
    x = pen.node("FeatureInput", "x", {"field": "inputs", "axis": ""})
    first = pen.node("Relu", "active", input=_linear(pen, "layer", HIDDEN, x))
    second = pen.node("Relu", "active2", input=_linear(pen, "layer2", HIDDEN, first))
    _classes(pen, second, "")


def delay_taps(pen: Pen) -> None:
    taps = pen.node("Taps", "taps", {"taps": 9}, title="x now and 8 before", input=_numbers(pen))
    _squares(pen, taps)


def state_only(pen: Pen) -> None:
    _squares(pen, _loop(pen, _numbers(pen), Var("targets_size")), readout=False)


def output_at_every_step(pen: Pen) -> None:
    _classes(pen, _loop(pen, _tokens(pen)))


def output_to_hidden(pen: Pen) -> None:
    x = _numbers(pen)
    truth = pen.node("FeatureTarget", "y", {"field": "targets", "axis": "time"}, at=(0, 1))
    before = pen.node("Feedback", "y_before", title="y before", target=truth)
    summed = pen.node("Linear", "h_sum", {"units": HIDDEN, "terms": 2}, title="W x + R y + b", input=x, input2=before)
    said = _linear(pen, "o", Var("targets_size"), pen.node("Tanh", "h", input=summed))
    pen.wire(said, "y_before.prediction")
    pen.node("MeanSquaredError", "loss", prediction=said, target=truth)


def many_to_one(pen: Pen) -> None:
    states = _cell(pen, "GRU", _tokens(pen))
    _classes(pen, pen.node("Last", "end", input=states), "")


def vector_to_sequence(pen: Pen) -> None:
    x = pen.node("FeatureInput", "x", {"field": "inputs", "axis": ""})
    seed = pen.node("Tanh", "seed", input=_linear(pen, "layer", HIDDEN, x))
    truth, before, written = _written(pen, "targets")
    told = pen.node("Repeat", "told", input=seed, along=written)
    _said(pen, truth, before, _cell(pen, "GRU", _joined(pen, written, told), "writer"), "targets")


def conditioned(pen: Pen) -> None:
    thought = pen.node("Last", "thought", input=_cell(pen, "GRU", _tokens(pen, "source", "source"), "reader"))
    truth, before, written = _written(pen)
    told = pen.node("Repeat", "told", input=thought, along=written)
    _said(pen, truth, before, _cell(pen, "GRU", _joined(pen, written, told), "writer"))


def bidirectional(pen: Pen) -> None:
    x = _tokens(pen)
    ahead = _cell(pen, "GRU", x, "forward", title="GRU →")
    turned = pen.node("Reverse", "turned", at=(pen.place_of(x)[0] + 1, 1), input=x)
    back = pen.node("Reverse", "back", input=_cell(pen, "GRU", turned, "backward", title="GRU ←"))
    _classes(pen, _joined(pen, ahead, back))


def encoder_decoder(pen: Pen) -> None:
    thought = pen.node("Last", "thought", input=_cell(pen, "GRU", _tokens(pen, "source", "source"), "encoder"))
    truth, before, written = _written(pen)
    _said(pen, truth, before, _cell(pen, "GRU", written, "decoder", h0=thought))


def deep(pen: Pen) -> None:
    way_in = pen.node("Tanh", "deep_in", input=_linear(pen, "way_in", HIDDEN, _tokens(pen)))
    first = _cell(pen, "GRU", way_in, "layer1", title="GRU 1")
    second = _cell(pen, "GRU", first, "layer2", title="GRU 2")
    both = pen.node("Add", "skip", {"terms": 2}, a=second, b=first)
    _classes(pen, pen.node("Tanh", "deep_out", input=_linear(pen, "way_out", HIDDEN, both)))


def over_a_tree(pen: Pen) -> None:
    x = _tokens(pen, "symbols", "tree")
    net = _cell(pen, "BinaryTreeLSTM", x, "net", title="Tree-LSTM")
    _classes(pen, pen.node("Root", "root", input=net), "")


def gated_cells(pen: Pen) -> None:
    states = _cell(pen, "LSTM", _numbers(pen))
    _squares(pen, pen.node("Last", "end", input=states), "")


def time_scales(pen: Pen) -> None:
    x = _numbers(pen)
    leaky = pen.node("Leaky", "leaky", {"units": HIDDEN, "alpha": 0.9}, title="Leaky units", out="h", x=x)
    clocked = pen.node("ClockworkRNN", "clocked", {"units": 8}, title="Clockwork RNN", out="h", x=x)
    older = pen.node("Delay", "older", {"k": 3}, title="3 steps back", at=(1, 2), input=x)
    _squares(pen, _joined(pen, leaky, clocked, older))


def echo_state_network(pen: Pen) -> None:
    _squares(pen, pen.node("EchoState", "echo", {"units": HIDDEN}, title="Echo state", out="h", x=_numbers(pen)))


def attention(pen: Pen) -> None:
    encoder = _cell(pen, "GRU", _tokens(pen, "source", "source"), "encoder")
    thought = pen.node("Last", "thought", input=encoder)
    truth, before, written = _written(pen)
    decoder = _cell(pen, "GRU", written, "decoder", h0=thought)
    looked = pen.node("Attention", "context", title="Attention", query=decoder, keys=encoder, values=encoder)
    _said(pen, truth, before, _joined(pen, decoder, looked))


def unaligned_labels(pen: Pen) -> None:
    states = _cell(pen, "BidirectionalGRU", _numbers(pen), title="GRU, both ways")
    said = _linear(pen, "o", Var("with_blank"), states)
    column, row = pen.place_of(said)
    truth = pen.node("TokenTarget", "y", {"field": "targets", "axis": "labels"}, at=(column, row + 1))
    pen.node("Ctc", "loss", prediction=said, target=truth)


def carried_state(pen: Pen) -> None:
    _squares(pen, _cell(pen, "LSTM", _numbers(pen)))


def regularised(pen: Pen) -> None:
    read = pen.node("TokenInput", "x", {"field": "inputs", "axis": "time"})
    vectors = pen.node("Embedding", "embedding", {"units": EMBEDDING}, input=read)
    dropped = pen.node("Dropout", "dropped", {"rate": 0.1, "every_step": False}, title="one mask", input=vectors)
    states = _cell(pen, "LayerNormLSTM", dropped, title="LayerNorm LSTM")
    _classes(pen, pen.node("LayerNorm", "even", input=states))


def initialised(pen: Pen) -> None:
    states = _loop(pen, _tokens(pen), init="xavier", init2="orthogonal")
    _classes(pen, states, init="xavier")


TOKENS: Mapping[str, int] = MappingProxyType({"hidden": 32, "embedding": 8})
FEW: Mapping[str, int | float | str | bool] = MappingProxyType({"epochs": 40, "batch_size": 4})
"""Of few examples."""
PATTERNS: tuple[Pattern, ...] = (
    Pattern(
        1, "one to one", "A vector in, layers, a class out: no time at all.", "task:led", one_to_one,
        options={"answer": "digit"},
    ),
    Pattern(
        2, "delay taps", "The next value of a series, from now and the steps before: an autoregression.",
        "task:sines", delay_taps, sizes={}, training=FEW,
    ),
    Pattern(
        3, "state only", "A recurrent loop of which nothing is read but the state itself.", "task:sines", state_only,
        sizes={}, training=FEW,
    ),
    Pattern(
        4, "output at every step", "A state goes on from step to step, and is read at each: tagging, a language model.",
        "task:brackets", output_at_every_step, sizes=TOKENS,
    ),
    Pattern(
        5, "output to hidden", "Steps are tied by the output alone, which feeds the hidden layer; while it learns the "
        "truth does so: teacher forcing.",
        "task:sines", output_to_hidden, training=FEW,
    ),
    Pattern(
        6, "many to one", "A sequence is read to its end, then told in one word: sentiment, topic.",
        "task:parity", many_to_one, options={"answer": "end", "steps": 8}, sizes=TOKENS,
    ),
    Pattern(
        7, "vector to sequence", "A vector is repeated at every step of what is written, beside the letter before: "
        "captions, music from a seed.",
        "task:led", vector_to_sequence, options={"answer": "name"}, sizes=TOKENS,
    ),
    Pattern(
        8, "conditioned sequence", "What was read of one sequence goes into every step of another.",
        "task:reversal", conditioned, options={"letters": 6, "longest": 5}, sizes={"hidden": 48, "embedding": 8},
    ),
    Pattern(
        9, "bidirectional", "One loop from the beginning, one from the end, side by side: what comes later tells, too.",
        "task:brackets", bidirectional, options={"answer": "partner", "pairs": 5}, sizes=TOKENS,
    ),
    Pattern(
        10, "encoder–decoder", "One loop reads a sequence, its last state begins another, which writes one of another "
        "length.",
        "task:addition", encoder_decoder, options={"digits": 1, "examples": 2000},
        sizes={"hidden": 64, "embedding": 16},
    ),
    Pattern(
        11, "deep", "Layers before the state, two states one upon the other, layers behind them, and a skip that "
        "shortens the way.",
        "task:autocomplete", deep, sizes=TOKENS,
    ),
    Pattern(
        12, "recursive over a tree", "The state of a node is made of its children's, from the leaves up to the root.",
        "task:expressions", over_a_tree, options={"depth": 3, "modulus": 3}, sizes={"hidden": 48, "embedding": 16},
    ),
    Pattern(
        13, "gated cells", "LSTM, GRU and their kin: a cell opens with a double click, and every gate in it can be "
        "changed.",
        "task:adding", gated_cells, options={"steps": 20},
    ),
    Pattern(
        14, "time scales", "Leaky units, a delay over three steps, and units that are updated every k-th step.",
        "task:sines", time_scales, training=FEW,
    ),
    Pattern(
        15, "echo state network", "A frozen reservoir; only what reads it learns, in closed form by ridge regression.",
        "task:mackey-glass", echo_state_network, options={"steps": 3000, "washout": 200},
        training={"optimiser": "ridge", "weight_decay": 1e-7, "washout": 100, "batch_size": 1, "carry": True},
        sizes={"hidden": 200},
    ),
    Pattern(
        16, "attention", "At each step that it writes, the decoder looks along all that was read, for what it needs.",
        "task:reversal", attention, options={"letters": 8, "longest": 6}, sizes={"hidden": 48, "embedding": 16},
    ),
    Pattern(
        17, "CTC", "Labels that nobody aligned with the signal, as in speech: the loss sums over all alignments.",
        "task:morse", unaligned_labels, options={"letters": "ETA", "longest": 3},
        sizes={"hidden": 24, "with_blank": 4},
    ),
    Pattern(
        18, "truncated back-propagation", "One long series in chunks: the state is carried from each to the next, the "
        "gradient ends at its beginning.",
        "task:mackey-glass", carried_state, options={"steps": 5000, "washout": 200},
        training={"chunk": 50, "carry": True, "batch_size": 16},
    ),
    Pattern(
        19, "regularisation", "Dropout with one mask for all steps, layer normalisation in the loop and behind it, and "
        "weight decay.",
        "task:brackets", regularised, training={"optimiser": "adamw", "weight_decay": 0.01}, sizes=TOKENS,
    ),
    Pattern(
        20, "initialisation", "Each matrix begins as it is told: the recurrent one orthogonal, the others by Xavier.",
        "task:copy", initialised, options={"steps": 10, "length": 3, "symbols": 4},
        sizes={"hidden": 64, "embedding": 8},
    ),
)  # fmt: skip
"""In the order of the textbook: see `Pattern.row`."""
