"""Rows 1 to 11 of the field's table: each pattern as a small drawing that checks, compiles and learns a tiny task.

Every threshold is far from its baseline: the loss of knowing the frequencies alone (log K), or the variance.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch

from rnnstudio.catalog.catalog import standard
from rnnstudio.runtime import Network
from rnnstudio.runtime.generate import beam_search, decode
from tests.conformance.drawings import backward
from tests.conformance.patterns import (
    Example,
    Pattern,
    compiled,
    drawn_from,
    firsts,
    in_mode,
    loss_of,
    one_hot,
    songs,
    tagger,
    trained,
)

# --- 1: one to one


def exclusive_or(_number: int) -> Example:
    x = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    return {"x": x, "y": torch.tensor([0, 1, 1, 0])}, {}


@pytest.mark.parametrize("hidden", [True, False])
def test_row_1_a_classifier_without_time_learns_exclusive_or(hidden: bool) -> None:
    """And a single layer cannot: it stays at log 2."""
    s = Pattern()
    end = s.reals("x", 2, "")
    if hidden:
        end = s.add("squash", "Tanh", at=(2, 0), input=s.linear("layer", 8, end))
    s.classify(end, 2, "")
    loss = loss_of(trained(s.drawn(), exclusive_or, 150, 0.05), exclusive_or)
    assert loss < 0.05 if hidden else loss > 0.98 * math.log(2)


# --- 2: delay taps

OMEGA = 0.5


def sines(number: int) -> Example:
    phase = torch.rand(16, 1, generator=drawn_from(number)) * 2 * math.pi
    wave = torch.sin(torch.arange(61) * OMEGA + phase)[..., None]
    return {"x": wave[:, :-1], "y": wave[:, 1:]}, {}


@pytest.mark.parametrize("hidden", [False, True])
def test_row_2_taps_predict_a_sine(hidden: bool) -> None:
    """Variance 1/2. The linear one is AR(2), whose coefficients are known: x_{t+1} = 2 cos ω x_t − x_{t−1}."""
    s = Pattern()
    end = s.add("taps", "Taps", at=(1, 0), params={"taps": 2}, input=s.reals("x", 1))
    if hidden:
        end = s.add("squash", "Tanh", at=(2, 0), input=s.linear("layer", 8, end))
    s.regress(s.linear("forecast", 1, end))
    network = trained(s.drawn(), sines, 300, 0.05)
    assert loss_of(network, sines) < 0.05 * 0.5
    if not hidden:
        found = network.weights["forecast.weight"].flatten().tolist()
        assert found == pytest.approx([2 * math.cos(OMEGA), -1.0], abs=0.1)


# --- 3: state only


def test_row_3_a_loop_of_which_nothing_is_read_but_the_state() -> None:
    s = Pattern()
    s.linear("sum", 3, s.reals("x", 2), "before")
    s.add("state", "Tanh", at=(3, 0), input="sum")
    s.add("before", "Delay", at=(1, 1), input="state")
    s.add("shown", "Output", at=(4, 0), input="state")
    network = Network(compiled(s.drawn(), allowed=("NoLoss",)), seed=1)
    x = torch.randn(4, 6, 2, generator=drawn_from(0))
    w = network.weights
    h, wanted = torch.zeros(4, 3), []
    for t in range(6):
        h = torch.tanh(x[:, t] @ w["sum.weight"].T + h @ w["sum.weight2"].T + w["sum.bias"])
        wanted.append(h)
    found = network({"x": x})
    torch.testing.assert_close(found.outputs["shown"], torch.stack(wanted, 1))
    (state,) = found.state.values()
    torch.testing.assert_close(state[-1], h)


def sums(number: int) -> Example:
    generator = drawn_from(number)
    lengths = torch.randint(2, 9, (32,), generator=generator)
    x = torch.randn(32, 8, 1, generator=generator) * (torch.arange(8) < lengths[:, None])[..., None]
    return {"x": x, "y": x.sum(1)}, {"time": lengths}


def test_row_3_the_last_state_learns_to_be_the_sum() -> None:
    """Variance of the sums: about 5."""
    s = Pattern()
    s.linear("state", 1, s.reals("x", 1), "before")
    s.add("before", "Delay", at=(1, 1), input="state")
    s.regress(s.add("last", "Last", at=(5, 0), input="state"), axis="")
    assert loss_of(trained(s.drawn(), sums, 250, 0.05), sums) < 0.01


# --- 4: an output at every step


def changes(number: int) -> Example:
    """The tag of a step is x_t + x_{t−1} (mod 3)."""
    x = torch.randint(3, (16, 10), generator=drawn_from(number))
    before = torch.nn.functional.pad(x[:, :-1], (1, 0))
    return {"x": x, "y": (x + before) % 3}, {}


def test_row_4_a_tag_at_every_step() -> None:
    s = tagger()
    s.classify(s.cell("rec", "RNN", 24, x="letters"), 3)
    assert loss_of(trained(s.drawn(), changes, 200, 0.02), changes) < 0.1 * math.log(3)


def test_row_4_a_language_model() -> None:
    """Only the first few letters of each text are in doubt."""
    s = tagger()
    s.classify(s.cell("rec", "GRU", 16, x="letters"), 3)
    network = trained(s.drawn(), songs, 200, 0.02)
    fields, _ = songs(10_000)
    right = network.losses(fields).predictions["loss"].argmax(-1) == fields["y"]
    assert bool(right[:, 6:].all())


# --- 5: recurrence from the output to the hidden layer alone


def parities(number: int) -> Example:
    x = torch.randint(2, (32, 12), generator=drawn_from(number))
    return {"x": x, "y": x.cumsum(1) % 2}, {}


def test_row_5_teacher_forcing_learns_a_parity_and_runs_by_itself() -> None:
    s = Pattern()
    s.embed("bit", 4, s.tokens("x", 2))
    s.add("back", "Feedback", at=(1, 1), prediction="readout", target="y")
    s.linear("sum", 8, "bit", s.embed("parity", 4, "back"))
    s.classify(s.add("hidden", "Tanh", at=(3, 0), input="sum"), 2)
    drawing = s.drawn()
    network = trained(drawing, parities, 150, 0.05)
    assert list(network.program.scans()) == []
    assert loss_of(network, parities) < 0.05 * math.log(2)
    free = in_mode(network, drawing, "free")
    assert len(list(free.program.scans())) == 1
    fields, _ = parities(10_001)
    alone = {**fields, "y": torch.zeros_like(fields["y"])}
    assert torch.equal(free.losses(alone).predictions["loss"].argmax(-1), fields["y"])


# --- 6: many to one


@pytest.mark.parametrize("cell", ["RNN", "LSTM"])
def test_row_6_one_label_at_the_end(cell: str) -> None:
    s = tagger(4)
    s.classify(s.add("end", "Last", at=(5, 0), input=s.cell("rec", cell, 20, x="letters")), 4, "")
    assert loss_of(trained(s.drawn(), firsts, 200, 0.03), firsts) < 0.1 * math.log(4)


# --- 7: a vector to a sequence

WORDS = ("no", "yes", "left", "up")
LETTERS = sorted({letter for word in WORDS for letter in word})
STOP = len(LETTERS)


def spellings(_number: int) -> Example:
    lengths = torch.tensor([len(word) + 1 for word in WORDS])
    y = torch.full((4, 5), STOP)
    for row, word in enumerate(WORDS):
        y[row, : len(word)] = torch.tensor([LETTERS.index(letter) for letter in word])
    return {"x": torch.eye(4), "y": y}, {"time": lengths}


def test_row_7_a_vector_is_spelt_letter_by_letter() -> None:
    s = Pattern()
    s.reals("x", 4, "")
    s.add("back", "Feedback", at=(1, 1), params={"first": STOP}, prediction="readout", target="y")
    s.add("every", "Repeat", at=(1, 0), input="x", along="back")
    s.add("both", "Concat", at=(2, 0), a="every", b=s.embed("letter", 6, "back"))
    s.classify(s.cell("rec", "GRU", 16, x="both"), STOP + 1)
    drawing = s.drawn()
    network = trained(drawing, spellings, 150, 0.03)
    assert loss_of(network, spellings) < 0.05 * math.log(STOP + 1)
    written = decode(in_mode(network, drawing, "forced"), {"x": torch.eye(4)}, longest=8, stop=STOP)
    assert tuple("".join(LETTERS[token] for token in one.tokens) for one in written) == WORDS
    free = in_mode(network, drawing, "free")
    found = free({"x": torch.eye(4)}, steps={"time": 5}).outputs["loss"].argmax(-1)
    for row, word in enumerate(WORDS):
        assert [LETTERS[token] for token in found[row, : len(word)].tolist()] == list(word)


# --- 8: a sequence given a vector, or a second sequence


def shifted(number: int) -> Example:
    """y_t = x_{t−1} + c (mod 3), c one number an example."""
    generator = drawn_from(number)
    x, c = torch.randint(3, (32, 8), generator=generator), torch.randint(3, (32,), generator=generator)
    y = (torch.nn.functional.pad(x[:, :-1], (1, 0)) + c[:, None]) % 3
    return {"x": x, "c": one_hot(c, 3), "y": y}, {}


def test_row_8_a_sequence_given_a_vector() -> None:
    s = tagger()
    s.add("both", "Concat", at=(2, 0), a="letters", b=s.reals("c", 3, ""))
    s.classify(s.cell("rec", "GRU", 24, x="both"), 3)
    assert loss_of(trained(s.drawn(), shifted, 250, 0.03), shifted) < 0.1 * math.log(3)


def walks(number: int) -> Example:
    """y_t = y_{t−1} + x_{t−1} (mod 3)."""
    x = torch.randint(3, (32, 8), generator=drawn_from(number))
    return {"x": x, "y": torch.nn.functional.pad(x[:, :-1], (1, 0)).cumsum(1) % 3}, {}


def test_row_8_a_sequence_given_a_second_sequence() -> None:
    """P(y | x) with the output before in the loop; left to itself it follows another x exactly."""
    s = tagger()
    s.add("back", "Feedback", at=(1, 1), prediction="readout", target="y")
    s.add("both", "Concat", at=(2, 0), a="letters", b=s.embed("written", 6, "back"))
    s.classify(s.cell("rec", "GRU", 24, x="both"), 3)
    drawing = s.drawn()
    network = trained(drawing, walks, 250, 0.03)
    assert loss_of(network, walks) < 0.05 * math.log(3)
    fields, _ = walks(10_001)
    alone = {**fields, "y": torch.zeros_like(fields["y"])}
    found = in_mode(network, drawing, "free").losses(alone).predictions["loss"].argmax(-1)
    assert float((found == fields["y"]).float().mean()) > 0.98


# --- 9: both directions


def lookahead(number: int) -> Example:
    """The tag of a step is the next letter; of the last step, 0."""
    generator = drawn_from(number)
    x, lengths = torch.randint(3, (32, 9), generator=generator), torch.randint(4, 10, (32,), generator=generator)
    y = torch.nn.functional.pad(x[:, 1:], (0, 1))
    y[torch.arange(32), lengths - 1] = 0
    return {"x": x, "y": y}, {"time": lengths}


@pytest.mark.parametrize("both", [True, False])
def test_row_9_both_directions_know_what_one_cannot(both: bool) -> None:
    cell = standard().cells["GRU"]
    s = tagger()
    end = s.cell("ahead", "GRU", 12, x="letters")
    if both:
        end = s.add("both", "Concat", at=(4, 0), a=end, b=s.cell("behind", "GRU_back", 12, x="letters"))
    s.classify(end, 3)
    loss = loss_of(trained(s.drawn(backward(cell)), lookahead, 150, 0.03), lookahead)
    assert loss < 0.1 * math.log(3) if both else loss > 0.7 * math.log(3)


# --- 10: encoder and decoder

END = 4
STRINGS = [letters for n in (1, 2, 3) for letters in itertools.product(range(END), repeat=n)]


def reversals(_number: int) -> Example:
    """All strings of one to three of four letters, and each backward with the stop token behind it."""
    lengths = torch.tensor([len(letters) for letters in STRINGS])
    source, target = torch.zeros(len(STRINGS), 3, dtype=torch.int64), torch.full((len(STRINGS), 4), END)
    for row, letters in enumerate(STRINGS):
        source[row, : len(letters)] = torch.tensor(letters)
        target[row, : len(letters)] = torch.tensor(letters[::-1])
    return {"x": source, "y": target}, {"source": lengths, "time": lengths + 1}


def encoder_decoder(*, attention: bool) -> Pattern:
    s = Pattern()
    s.embed("letters", 8, s.tokens("x", END, "source"))
    s.add("back", "Feedback", at=(1, 1), params={"first": END}, prediction="readout", target="y")
    s.embed("written", 8, "back")
    if attention:
        s.cell("decoder", "AttentionDecoder", 20, x="written", memory=s.cell("enc", "BidirectionalGRU", 8, x="letters"))
        end = s.add("both", "Concat", at=(4, 1), a="decoder.h", b="decoder.context")
    else:
        summary = s.cell("encoder", "Encoder", 32, "summary", x="letters")
        end = s.cell("decoder", "Decoder", 32, x="written", given=summary)
    s.classify(end, END + 1)
    return s


@pytest.mark.parametrize("attention", [True, False])
def test_row_10_an_encoder_and_a_decoder_write_backward(attention: bool) -> None:
    """Every string exactly, greedily and by beam search, with the lengths in and out different."""
    drawing = encoder_decoder(attention=attention).drawn()
    network = trained(drawing, reversals, 150, 0.03)
    forced = in_mode(network, drawing, "forced")
    fields, lengths = reversals(0)
    source = {"source": lengths["source"]}
    greedy = decode(forced, {"x": fields["x"]}, source, longest=6, stop=END)
    assert [one.tokens for one in greedy] == [letters[::-1] for letters in STRINGS]
    for row in (0, 7, 40, 83):
        n = len(STRINGS[row])
        best = beam_search(forced, {"x": fields["x"][row : row + 1, :n]}, longest=6, stop=END, width=3)[0]
        assert (best.tokens, best.finished) == (STRINGS[row][::-1], True)


# --- 11: deep


def apart(number: int) -> Example:
    """The tag of a step is whether x_t and x_{t−2} differ."""
    x = torch.randint(2, (32, 10), generator=drawn_from(number))
    return {"x": x, "y": (x + torch.nn.functional.pad(x[:, :-2], (2, 0))) % 2}, {}


def layer(s: Pattern, name: str, *sources: str, units: int = 12) -> str:
    return s.add(f"{name}_squash", "Tanh", at=(4, 0), input=s.linear(name, units, *sources))


def stacked(s: Pattern) -> str:
    """States on states, and a skip from the input to the second."""
    low = s.cell("low", "RNN", 12, x="letters")
    s.add("joined", "Concat", at=(3, 0), a=low, b="letters")
    return s.cell("high", "RNN", 12, x="joined")


def deep_input(s: Pattern) -> str:
    return s.cell("rec", "RNN", 12, x=layer(s, "second", layer(s, "first", "letters")))


def deep_transition(s: Pattern) -> str:
    """Two layers from one state to the next, and a residual connection past them that shortens the way."""
    branch = layer(s, "second", layer(s, "first", "letters", "before"))
    s.add("state", "Residual", at=(5, 0), input="before", branch=branch)
    s.add("normal", "LayerNorm", at=(6, 0), input="state")
    s.add("before", "Delay", at=(2, 1), input="normal")
    return "normal"


def deep_output(s: Pattern) -> str:
    state = s.cell("rec", "RNN", 12, x="letters")
    return s.add("around", "HighwayJoin", at=(6, 0), input=state, branch=layer(s, "second", layer(s, "first", state)))


@pytest.mark.parametrize("deep", [stacked, deep_input, deep_transition, deep_output])
def test_row_11_deep_in_every_way(deep: Callable[[Pattern], str]) -> None:
    s = tagger(2)
    s.classify(deep(s), 2)
    assert loss_of(trained(s.drawn(), apart, 250, 0.02), apart) < 0.2 * math.log(2)
