"""Rows 12 to 20 of the field's table: each pattern as a small drawing that checks, compiles and learns a tiny task."""

from __future__ import annotations

import math
import random

import pytest
import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.layers import WEIGHT_INITS
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.design.design import Design, Value
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from rnnstudio.runtime import Network
from rnnstudio.runtime.generate import forecast
from rnnstudio.runtime.ridge import Sums, readouts, rows_of, width_of, write
from tests.conformance.drawings import with_params
from tests.conformance.patterns import (
    Example,
    Pattern,
    compiled,
    drawn_from,
    firsts,
    loss_of,
    one_hot,
    songs,
    tagger,
    trained,
)

# --- 12: recursive nets over trees

OPERATIONS = {2: lambda a, b: a & b, 3: lambda a, b: a | b, 4: lambda a, b: a ^ b, 5: lambda a, b: (1 - a) | b}
"""Tokens of and, or, exclusive or, implies; 0 and 1 are leaves."""


def expressions(number: int, depth: int = 3, count: int = 24) -> Example:
    """Random boolean expressions with the value of every node, the root first."""
    pick = random.Random(number)
    trees = []
    for _ in range(count):
        words: list[int] = []
        values: list[int] = []
        parents: list[int] = []

        def grow(parent: int, left: int, words: list[int], values: list[int], parents: list[int]) -> int:
            here = len(words)
            words.append(pick.randrange(2) if left == 0 or pick.random() < 0.2 else pick.choice(list(OPERATIONS)))
            values.append(words[here])
            parents.append(parent)
            if words[here] > 1:
                a, b = (grow(here, left - 1, words, values, parents) for _ in range(2))
                values[here] = OPERATIONS[words[here]](a, b)
            return values[here]

        grow(-1, depth, words, values, parents)
        trees.append((words, values, parents))
    longest = max(len(words) for words, _, _ in trees)
    x, y, above = (torch.tensor([tree[i] + [0] * (longest - len(tree[i])) for tree in trees]) for i in range(3))
    lengths = torch.tensor([len(words) for words, _, _ in trees])
    return {"x": x, "y": y, "tree_parents": above}, {"tree": lengths}


@pytest.mark.parametrize("cell", ["RecursiveNet", "BinaryTreeLSTM"])
def test_row_12_a_recursive_net_values_expressions(cell: str) -> None:
    """And goes on to trees deeper than any it was trained on."""
    s = Pattern()
    s.embed("words", 8, s.tokens("x", 6, "tree"))
    s.classify(s.cell("net", cell, 16, x="words"), 2, "tree")
    network = trained(s.drawn(trees=["tree"]), expressions, 120, 0.03)
    assert loss_of(network, expressions) < 0.1 * math.log(2)
    fields, lengths = expressions(10_001, 4, 60)
    right = network.losses(fields, lengths).predictions["loss"].argmax(-1) == fields["y"]
    assert float(right[:, 0].float().mean()) > 0.85


# --- 13: cells from primitives


def test_row_13_an_invented_cell_from_primitives() -> None:
    """k = σ(W_k x + U_k h + b);  m = W x ⊙ (1 + U h);  h = max(k ⊙ h, (1 − k) ⊙ tanh m): no cell of the library."""
    s = tagger(4)
    s.add("keep", "Sigmoid", at=(3, 0), input=s.linear("keep_sum", 20, "letters", "before", bias_value=1.0))
    seen, known = s.linear("seen", 20, "letters"), s.linear("known", 20, "before", bias_value=1.0)
    s.add("new", "Tanh", at=(4, 1), input=s.add("meet", "Multiply", at=(3, 1), a=seen, b=known))
    s.add("kept", "Multiply", at=(4, 0), a="keep", b="before")
    s.add("taken", "Multiply", at=(5, 1), a=s.add("rest", "OneMinus", at=(4, 2), input="keep"), b="new")
    s.add("state", "Maximum", at=(6, 0), a="kept", b="taken")
    s.add("before", "Delay", at=(2, 1), input="state")
    s.classify(s.add("end", "Last", at=(7, 0), input="state"), 4, "")
    network = trained(s.drawn(), firsts, 200, 0.03)
    assert network.program.signals["state"].text() == "[batch, time, 20]"
    assert loss_of(network, firsts) < 0.1 * math.log(4)


@pytest.mark.parametrize("cell", ["PeepholeLSTM", "CoupledLSTM", "OriginalGRU"])
def test_row_13_relatives_of_the_gated_cells(cell: str) -> None:
    s = tagger(4)
    s.classify(s.add("end", "Last", at=(7, 0), input=s.cell("rec", cell, 16, x="letters")), 4, "")
    assert loss_of(trained(s.drawn(), firsts, 150, 0.03), firsts) < 0.1 * math.log(4)


# --- 14: several time scales


def averages(number: int) -> Example:
    """y is the average of x that forgets a fifth at each step; its variance is about 0.01."""
    x = 0.3 * torch.randn(16, 30, 1, generator=drawn_from(number))
    y, steps = torch.zeros(16, 1), []
    for t in range(30):
        y = 0.8 * y + 0.2 * x[:, t]
        steps.append(y)
    return {"x": x, "y": torch.stack(steps, 1)}, {}


@pytest.mark.parametrize("cell", ["Leaky", "LearnedLeaky", "LeakyTimes"])
def test_row_14_leaky_units_follow_a_slow_average(cell: str) -> None:
    s = Pattern()
    s.regress(s.linear("readout", 1, s.cell("rec", cell, 8, x=s.reals("x", 1))))
    fields, _ = averages(10_000)
    assert loss_of(trained(s.drawn(), averages, 150, 0.02), averages) < 0.1 * float(fields["y"].var())


def lagged(number: int) -> Example:
    """Whether x_t and x_{t−5} differ."""
    x = torch.randint(2, (32, 15), generator=drawn_from(number))
    return {"x": x, "y": (x + torch.nn.functional.pad(x[:, :-5], (5, 0))) % 2}, {}


def test_row_14_a_skip_through_time_bridges_five_steps() -> None:
    cell = with_params(standard().cells["RNN"], "Delay", "Skipping", k=5)
    s = tagger(2)
    s.classify(s.cell("rec", "Skipping", 12, x="letters"), 2)
    assert loss_of(trained(s.drawn(cell), lagged, 150, 0.03), lagged) < 0.1 * math.log(2)


def held(number: int) -> Example:
    """y is x as it was at the last step whose number 4 divides. Variance 1."""
    x = torch.randn(16, 16, 1, generator=drawn_from(number))
    return {"x": x, "y": x[:, [t - t % 4 for t in range(16)]]}, {}


def test_row_14_units_that_move_at_every_fourth_step() -> None:
    s = Pattern()
    s.linear("new", 1, s.reals("x", 1))
    s.add("state", "Clock", at=(4, 0), params={"period": 4}, new="new", old="before")
    s.add("before", "Delay", at=(2, 1), input="state")
    s.regress("state")
    assert loss_of(trained(s.drawn(), held, 150, 0.05), held) < 1e-3


def test_row_14_a_clockwork_net() -> None:
    s = Pattern()
    s.regress(s.linear("readout", 1, s.cell("rec", "ClockworkRNN", 8, x=s.reals("x", 1))))
    assert loss_of(trained(s.drawn(), held, 250, 0.02), held) < 0.1


# --- 15: echo states


def mackey_glass(steps: int, delay: int = 17) -> Tensor:
    """[1, steps, 1]: dx/dt = 0.2 x(t−τ) / (1 + x(t−τ)¹⁰) − 0.1 x, by Euler at a tenth of a step, shifted by −1."""
    fine = [1.2] * (delay * 10 + 1)
    for _ in range(10 * (steps + 100)):
        late = fine[-delay * 10 - 1]
        fine.append(fine[-1] + 0.1 * (0.2 * late / (1 + late**10) - 0.1 * fine[-1]))
    return torch.tensor(fine[-10 * steps :: 10])[None, :, None] - 1


def test_row_15_an_echo_state_network_forecasts_with_a_ridge_readout() -> None:
    """84 steps ahead, on its own predictions, with a normalised error far below 1 (the mean's)."""
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"field": "x"})
    cell: dict[str, Value] = {"cell": "EchoState", "units": 200, "spectral_radius": 0.95, "input_scaling": 1.0}
    s.add("echo", "cell", at=(1, 0), params=cell, x="x")
    s.add("readout", "Linear", at=(2, 0), params={"units": 1, "terms": 2}, input="echo.h", input2="x")
    s.add("y", "FeatureTarget", at=(2, 1), params={"field": "y"})
    s.add("loss", "MeanSquaredError", at=(3, 0), prediction="readout", target="y")
    fields = (FieldSpec("x", "real", 1), FieldSpec("y", "real", 1, shift_of="x", shift=1))
    cells = standard().definitions_for("EchoState")
    design = Design(graph=s.graph(), cells=cells, data=DataRecipe("csv", "x.csv", fields=fields))
    network = Network(compiled(design), seed=3).double().eval()
    series = mackey_glass(2200).double()
    past, future = series[:, :2000], series[:, 2000:2084]
    (readout,) = readouts(network.program)
    found = network.losses({"x": past[:, :-1], "y": past[:, 1:]}, also=readout.values)
    sums = Sums(*width_of(readout, network.weights))
    sums.add(*rows_of(readout, network.program, found.values, {}, washout=100))
    write(readout, sums.solve(1e-8, bias=True), network.weights)
    ahead = forecast(network, past, 84)
    error = float((ahead - future).square().mean().sqrt() / past.std())
    assert error < 0.1


# --- 16: attention


def questions(number: int) -> Example:
    """Four keys in any order, each with an amount: what amount has the key that is asked for?"""
    generator = drawn_from(number)
    place = torch.stack([torch.randperm(4, generator=generator) for _ in range(64)])
    keys, amounts = torch.eye(4)[place], torch.randn(64, 4, 1, generator=generator)
    wanted = torch.randint(0, 4, (64,), generator=generator)
    rows = torch.arange(64)
    return {"asked": keys[rows, wanted], "keys": keys, "amounts": amounts, "y": amounts[rows, wanted]}, {}


@pytest.mark.parametrize("score", ["dot", "general", "additive", "from primitives"])
def test_row_16_attention_learns_to_point(score: str) -> None:
    """The variance of the amounts is 1."""
    s = Pattern()
    query = s.linear("query", 4, s.reals("asked", 4, ""))
    keys, values = s.reals("keys", 4, "source"), s.reals("amounts", 1, "source")
    if score == "from primitives":
        s.add("pair", "Add", at=(2, 0), a=s.linear("from_query", 16, query), b=s.linear("from_keys", 16, keys))
        s.linear("score", 1, s.add("match", "Tanh", at=(3, 0), input="pair"))
        s.add("weights", "Softmax", at=(5, 0), params={"axis": "source"}, input="score")
        weighed = s.add("weighed", "Multiply", at=(6, 0), a="weights", b=values)
        end, weights = s.add("found", "Sum", at=(7, 0), input=weighed), "weights"
    else:
        params: dict[str, Value] = {"score": score, "units": 16}
        end = s.add("found", "Attention", at=(5, 0), params=params, query=query, keys=keys, values=values)
        weights = "found.weights"
    s.regress(end, axis="")
    s.add("where", "Output", at=(9, 2), input=weights)
    network = trained(s.drawn(), questions, 200, 0.05)
    fields, _ = questions(10_000)
    assert loss_of(network, questions) < 0.1
    looked = network(fields).outputs["where"][..., 0].argmax(1)
    place = (fields["keys"] * fields["asked"][:, None]).sum(-1).argmax(1)
    assert float((looked == place).float().mean()) > 0.95


# --- 17: labels that nobody aligned


def spoken(number: int, count: int = 32) -> Example:
    """One to three labels of three, each held for two or three noisy frames, with a silent frame between."""
    generator = drawn_from(number)
    own = torch.randint(1, 4, (count,), generator=generator)
    labels = torch.randint(0, 3, (count, 3), generator=generator)
    frames, sizes = torch.zeros(count, 12, 3), []
    for row in range(count):
        t = 0
        for label in labels[row, : int(own[row])].tolist():
            length = int(torch.randint(2, 4, (1,), generator=generator))
            frames[row, t : t + length, label] = 1.0
            t += length + 1
        sizes.append(t)
    noise = torch.randn(frames.shape, generator=generator) * 0.1
    return {"x": frames + noise, "y": labels}, {"frames": torch.tensor(sizes), "labels": own}


def test_row_17_ctc_learns_labels_without_an_alignment() -> None:
    s = Pattern()
    end = s.cell("rec", "BidirectionalGRU", 12, x=s.reals("x", 3, "frames"))
    s.label("y", 3, "labels")
    s.add("loss", "Ctc", at=(9, 0), prediction=s.linear("scores", 4, end), target="y")
    network = trained(s.drawn(), spoken, 100, 0.03)
    fields, lengths = spoken(10_000, 50)
    best = network(fields, lengths).outputs["loss"].argmax(-1)
    right = 0
    for row, (frames, labels) in enumerate(zip(lengths["frames"].tolist(), lengths["labels"].tolist(), strict=True)):
        path = torch.unique_consecutive(best[row, :frames])
        right += path[path != 3].tolist() == fields["y"][row, :labels].tolist()
    assert right >= 45


# --- 18: truncated back-propagation

CHUNK, PERIOD = 5, 10


def signs(number: int, chunks: int = 12) -> Example:
    """Every ten steps a sign, 1 or 2, and nothing (0) between; y is the last sign. Two chunks of five a sign."""
    shown = torch.randint(2, (16, chunks * CHUNK // PERIOD), generator=drawn_from(number))
    x = torch.zeros(16, chunks * CHUNK, dtype=torch.int64)
    x[:, ::PERIOD] = shown + 1
    return {"x": x, "y": shown.repeat_interleave(PERIOD, 1)}, {}


def in_chunks(network: Network, number: int, *, carry: bool, optimiser: torch.optim.Optimizer | None = None) -> float:
    """The mean loss of a long sequence read chunk by chunk, each a step of training where there is an optimiser."""
    fields, _ = signs(number)
    state, total, starts = None, 0.0, range(0, fields["x"].shape[1], CHUNK)
    for start in starts:
        part = {name: x[:, start : start + CHUNK] for name, x in fields.items()}
        losses = network.losses(part, state=state if carry else None)
        state, total = losses.state, total + float(losses.total.detach())
        if optimiser is not None:
            optimiser.zero_grad()
            losses.total.backward()
            optimiser.step()
    return total / len(starts)


@pytest.mark.parametrize("carry", [True, False])
def test_row_18_a_carried_state_remembers_beyond_a_chunk(carry: bool) -> None:
    """Without it every other chunk sees nothing: at best half of log 2 is left."""
    s = tagger(3)
    s.classify(s.cell("rec", "GRU", 12, x="letters"), 2)
    network = Network(compiled(s.drawn()), seed=1)
    optimiser = torch.optim.Adam(network.parameters(), 0.02)
    for number in range(25):
        in_chunks(network, number, carry=carry, optimiser=optimiser)
    loss = in_chunks(network.eval(), 10_000, carry=carry)
    assert loss < 0.1 * math.log(2) if carry else loss > 0.45 * math.log(2)


# --- 19: regularisation


def test_row_19_dropout_normalisation_decay_and_tying_together() -> None:
    s = Pattern()
    embedded = s.embed("read", 12, s.tokens("x", 3), shared="letters")
    normal = s.add("normal", "BatchNorm", at=(2, 0), input=embedded)
    kept = s.add("kept", "Dropout", at=(3, 0), params={"rate": 0.2, "every_step": False}, input=normal)
    state = s.cell("rec", "LayerNormLSTM", 12, x=kept)
    s.linear("written", 3, s.add("some", "Dropout", at=(5, 0), params={"rate": 0.1}, input=state), shared="letters")
    s.label("y", 3)
    s.add("loss", "CrossEntropy", at=(9, 0), prediction="written", target="y")
    network = trained(s.drawn(), songs, 200, 0.02, decay=0.01)
    assert sorted(path for path in network.weights if path.startswith("letters")) == ["letters.bias", "letters.weight"]
    fields, _ = songs(10_000)
    right = network.losses(fields).predictions["loss"].argmax(-1) == fields["y"]
    assert float(right[:, 6:].float().mean()) > 0.95


# --- 20: how weights start


@pytest.mark.parametrize("start", WEIGHT_INITS)
def test_row_20_every_start_of_a_recurrent_matrix_compiles_and_learns(start: str) -> None:
    s = tagger(4)
    s.linear("sum", 24, "letters", "before", init="xavier", init2=start, gain2=0.2 if start == "normal" else 1.0)
    s.add("state", "Tanh", at=(3, 0), input="sum")
    s.add("before", "Delay", at=(1, 1), input="state")
    s.classify(s.add("end", "Last", at=(7, 0), input="state"), 4, "")
    first = Network(compiled(s.drawn()), seed=1).weights["sum.weight2"].detach()
    if start in ("orthogonal", "identity"):
        torch.testing.assert_close(first @ first.T, torch.eye(24), rtol=0, atol=1e-5)
    if start == "spectral_radius":
        assert float(torch.linalg.eigvals(first).abs().max()) == pytest.approx(1.0, rel=1e-4)
    task = lambda number: firsts(number, 3)  # noqa: E731
    assert loss_of(trained(s.drawn(), task, 100, 0.02), task) < 0.2 * math.log(4)


def long_memory(number: int) -> Example:
    """A letter of four, then 39 steps of noise in a channel of its own."""
    generator = drawn_from(number)
    letter = torch.randint(4, (32,), generator=generator)
    x = torch.zeros(32, 40, 5)
    x[:, 0, :4] = one_hot(letter, 4)
    x[:, 1:, 4] = 0.3 * torch.randn(32, 39, generator=generator)
    return {"x": x, "y": letter}, {}


def test_row_20_an_identity_start_remembers_over_forty_steps() -> None:
    s = Pattern()
    more: dict[str, Value] = {"input_spread": 0.2}
    state = s.cell("rec", "IRNN", 24, more=more, x=s.reals("x", 5))
    s.classify(s.add("end", "Last", at=(7, 0), input=state), 4, "")
    assert loss_of(trained(s.drawn(), long_memory, 150, 0.01), long_memory) < 0.1 * math.log(4)
