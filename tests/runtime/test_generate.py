"""Generation from the drawing that was trained: text, decoders, beams and forecasts."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check, compile_design
from rnnstudio.compiler.program import Scan
from rnnstudio.design.design import Design, Pin, Value, Wire, frozen
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from rnnstudio.runtime import Network
from rnnstudio.runtime.generate import Choice, beam_search, decode, forecast, generate, why_not, write
from rnnstudio.runtime.primitives import forcing
from rnnstudio.training.showing import Writer

STOP, START = 1, 0
TEXT = DataRecipe(
    "text",
    "x.txt",
    fields=(
        FieldSpec("text", "tokens", 5, vocabulary=tuple("abcde")),
        FieldSpec("next", "tokens", 5, vocabulary=tuple("abcde"), shift_of="text", shift=1),
    ),
)
WITH_TOPIC = TEXT.replace(fields=(*TEXT.fields, FieldSpec("topic", "real", 2, axis="")))
SERIES = DataRecipe(
    "csv",
    "x.csv",
    fields=(FieldSpec("inputs", "real", 2), FieldSpec("targets", "real", 2, shift_of="inputs", shift=1)),
)


def seeded(design: Design, mode: str = "train") -> Network:
    network = Network(compile_design(design, standard(), mode)).double().eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for _, weight in sorted(network.weights.items()):
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return network


def language_model() -> Design:
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    s.add("before", "Delay", at=(0, 1), params={"k": 2}, input="text")
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 3}, input="text")
    s.add("older", "Embedding", at=(1, 1), params={"units": 3}, input="before")
    s.add("both", "Concat", at=(2, 0), a="embedding", b="older")
    s.add("lstm", "cell", at=(3, 0), params={"cell": "LSTM", "units": 4}, x="both")
    s.add("readout", "Linear", at=(4, 0), params={"units": 5}, input="lstm.h")
    s.add("next", "TokenTarget", at=(4, 1))
    s.add("loss", "CrossEntropy", at=(5, 0), prediction="readout", target="next")
    return Design(graph=s.graph(), cells=frozen({"LSTM": standard().cells["LSTM"]}), data=TEXT)


def decoder(**feedback: object) -> Design:
    """An encoder's last state begins a decoder that reads its own output."""
    s = Sketch()
    s.add("source", "TokenInput", at=(0, 0), params={"field": "source", "size": 6, "axis": "source"})
    s.add("embed_source", "Embedding", at=(1, 0), params={"units": 3}, input="source")
    s.add("encoder", "cell", at=(2, 0), params={"cell": "GRU", "units": 4}, x="embed_source")
    s.add("thought", "Last", at=(3, 0), input="encoder.h")
    target = {"field": "target", "size": 5, "axis": "target"}
    s.add("target", "TokenTarget", at=(0, 2), params=target)
    s.add("feedback", "Feedback", at=(1, 2), params=dict(feedback), prediction="readout", target="target")
    s.add("embed", "Embedding", at=(2, 2), params={"units": 3}, input="feedback")
    s.add("decoder", "cell", at=(4, 1), params={"cell": "GRU", "units": 4}, x="embed", h0="thought")
    s.add("readout", "Linear", at=(5, 1), params={"units": 5}, input="decoder.h")
    s.add("loss", "CrossEntropy", at=(6, 1), prediction="readout", target="target")
    return Design(graph=s.graph(), cells=frozen({"GRU": standard().cells["GRU"]}))


SOURCE = torch.tensor([[2, 3, 4, 5], [5, 2, 0, 0], [3, 3, 3, 0]])
LENGTHS = {"source": torch.tensor([4, 2, 3])}


def by_hand(network: Network, source: Tensor, tokens: tuple[int, ...]) -> Tensor:
    """[n + 1, V] log probabilities of what follows each beginning of `tokens`, all steps at once, teacher-forced."""
    target = torch.tensor([[*tokens, 0]])
    logits = network.losses({"source": source, "target": target}).predictions["loss"]
    return logits[0].log_softmax(-1)


def test_text_written_token_by_token_is_what_reading_all_of_it_at_once_would_choose() -> None:
    network = seeded(language_model())
    prompt = torch.tensor([[1, 4, 2]])
    written = generate(network, prompt, 12, temperature=0)
    read = prompt
    for token in written:
        wanted = network({"text": read}).outputs["loss"][0, -1].argmax()
        assert int(token) == int(wanted)
        read = torch.cat([read, wanted[None, None]], 1)


def test_sampling_follows_its_generator_alone() -> None:
    network = seeded(language_model())
    prompt = torch.tensor([[1]])
    first = generate(network, prompt, 30, 1.0, torch.Generator().manual_seed(4))
    torch.rand(3)
    assert torch.equal(first, generate(network, prompt, 30, 1.0, torch.Generator().manual_seed(4)))
    assert not torch.equal(first, generate(network, prompt, 30, 1.0, torch.Generator().manual_seed(5)))


def test_top_k_and_top_p_leave_out_what_is_unlikely() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).expand(400, -1)
    generator = torch.Generator().manual_seed(0)
    assert set(Choice(top_k=2).draw(logits, generator).tolist()) == {0, 1}
    assert set(Choice(top_p=0.79).draw(logits, generator).tolist()) == {0, 1}
    assert set(Choice(top_p=0.81).draw(logits, generator).tolist()) == {0, 1, 2}
    assert set(Choice(top_k=1).draw(logits, generator).tolist()) == {0}
    assert set(Choice().draw(logits, generator).tolist()) == {0, 1, 2, 3}


def test_an_empty_prompt_and_a_wrong_choice_are_refused() -> None:
    network = seeded(language_model())
    with pytest.raises(StudioError, match="prompt is empty"):
        next(write(network, torch.zeros(1, 0, dtype=torch.int64)))
    with pytest.raises(StudioError, match="top_p"):
        Choice(top_p=0)
    for temperature in (-1.0, float("nan"), float("inf")):
        with pytest.raises(StudioError, match="do not fit"):
            Choice(temperature=temperature)


def test_a_network_that_looks_ahead_cannot_write_and_says_so() -> None:
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 3}, input="text")
    s.add("ahead", "Delay", at=(2, 0), params={"k": -1}, input="embedding")
    s.add("readout", "Linear", at=(4, 0), params={"units": 5}, input="ahead")
    s.add("next", "TokenTarget", at=(4, 1))
    s.add("loss", "CrossEntropy", at=(5, 0), prediction="readout", target="next")
    with pytest.raises(StudioError, match="ahead needs the whole sequence"):
        next(write(seeded(Design(graph=s.graph(), data=TEXT)), torch.tensor([[1]])))


def test_a_forced_feedback_is_no_loop() -> None:
    program = compile_design(decoder(), standard())
    assert [scan.name for scan in program.scans()] == ["encoder", "decoder"]
    assert all(scan.kernel is not None for scan in program.scans())


def test_a_feedback_that_is_not_always_forced_runs_in_the_decoders_loop() -> None:
    design = decoder(probability=0.5)
    assert check(design, standard()).ok
    program = compile_design(design, standard())
    loop = [region for region in program.regions if isinstance(region, Scan)][-1]
    assert {"pick", "choose", "embed"} <= {op.kind for op in loop.ops()}
    network = seeded(design).train()
    fields = {"source": SOURCE, "target": torch.tensor([[2, 3, 1], [4, 1, 0], [2, 2, 1]])}
    torch.manual_seed(0)
    first = float(network.losses(fields, LENGTHS).total.detach())
    torch.manual_seed(1)
    assert float(network.losses(fields, LENGTHS).total.detach()) != first


def test_schedules_of_teacher_forcing_go_from_their_beginning_to_their_end() -> None:
    assert forcing("constant", 0.7, 0.0, 100, 50) == 0.7
    assert [forcing("linear", 1.0, 0.2, 100, step) for step in (0, 50, 100, 1000)] == pytest.approx([1, 0.6, 0.2, 0.2])
    falling = [forcing("sigmoid", 1.0, 0.0, 1000, step) for step in range(0, 3000, 100)]
    assert falling[0] == pytest.approx(1.0)
    assert all(a > b for a, b in itertools.pairwise(falling))
    assert falling[-1] < 1e-6


def test_a_network_left_to_itself_equals_decoding_step_by_step() -> None:
    design = decoder(first=START)
    forced, free = seeded(design, "forced"), seeded(design, "free")
    found = decode(forced, {"source": SOURCE}, LENGTHS, stop=-1, longest=6)
    fields = {"source": SOURCE, "target": torch.zeros(3, 6, dtype=torch.int64)}
    predictions = free.losses(fields, LENGTHS).predictions["loss"]
    assert [list(h.tokens) for h in found] == predictions.argmax(-1).tolist()


def test_decoding_stops_at_the_stop_token_and_knows_its_probability() -> None:
    network = seeded(decoder(first=START), "forced")
    found = decode(network, {"source": SOURCE}, LENGTHS, stop=STOP, longest=8)
    for row, hypothesis in enumerate(found):
        source = SOURCE[row : row + 1, : LENGTHS["source"][row]]
        log_p = by_hand(network, source, hypothesis.tokens)
        ends = (STOP,) if hypothesis.finished else ()
        score = sum(float(log_p[i, t]) for i, t in enumerate((*hypothesis.tokens, *ends)))
        assert hypothesis.score == pytest.approx(score, abs=1e-9)
        assert STOP not in hypothesis.tokens


def test_a_wide_beam_finds_the_best_of_all_sequences() -> None:
    network = seeded(decoder(first=START), "forced")
    source = SOURCE[:1]
    found = beam_search(network, {"source": source}, stop=STOP, longest=3, width=200, length_penalty=0.0)
    everything = {
        tokens: float(sum(by_hand(network, source, tokens)[i, t] for i, t in enumerate((*tokens, STOP))))
        for n in range(3)
        for tokens in itertools.product((0, 2, 3, 4), repeat=n)
    }
    best = max(everything, key=lambda tokens: everything[tokens])
    finished = [h for h in found if h.finished]
    assert finished[0].tokens == best
    assert finished[0].score == pytest.approx(everything[best], abs=1e-9)


def test_a_beam_of_one_is_greedy() -> None:
    network = seeded(decoder(first=START), "forced")
    greedy = decode(network, {"source": SOURCE[:1]}, stop=-1, longest=5)[0]
    beam = beam_search(network, {"source": SOURCE[:1]}, stop=-1, longest=5, width=1)[0]
    assert beam.tokens == greedy.tokens


def test_a_length_penalty_favours_longer_sequences() -> None:
    network = seeded(decoder(first=START), "forced")
    lengths = []
    for penalty in (0.0, 5.0):
        best = beam_search(network, {"source": SOURCE[:1]}, stop=STOP, longest=6, width=6, length_penalty=penalty)[0]
        lengths.append(len(best.tokens))
    assert lengths[1] >= lengths[0]


def test_a_forecaster_lives_on_its_own_predictions() -> None:
    s = Sketch()
    s.add("inputs", "FeatureInput", at=(0, 0))
    s.add("gru", "cell", at=(1, 0), params={"cell": "GRU", "units": 4}, x="inputs")
    s.add("readout", "Linear", at=(2, 0), params={"units": 2}, input="gru.h")
    s.add("targets", "FeatureTarget", at=(2, 1))
    s.add("loss", "MeanSquaredError", at=(3, 0), prediction="readout", target="targets")
    network = seeded(Design(graph=s.graph(), cells=frozen({"GRU": standard().cells["GRU"]}), data=SERIES))
    past = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = forecast(network, past, 4)
    read = past
    with torch.no_grad():
        for step in range(4):
            wanted = network({"inputs": read}).outputs["loss"][:, -1]
            torch.testing.assert_close(found[:, step], wanted, rtol=0, atol=1e-12)
            read = torch.cat([read, wanted[:, None]], 1)


def test_a_feedback_alone_goes_on_with_its_series() -> None:
    s = Sketch()
    s.add("targets", "FeatureTarget", at=(0, 1))
    s.add("feedback", "Feedback", at=(1, 1), prediction="readout", target="targets")
    s.add("gru", "cell", at=(2, 0), params={"cell": "GRU", "units": 4}, x="feedback")
    s.add("readout", "Linear", at=(3, 0), params={"units": 2}, input="gru.h")
    s.add("loss", "MeanSquaredError", at=(4, 0), prediction="readout", target="targets")
    network = seeded(Design(graph=s.graph(), cells=frozen({"GRU": standard().cells["GRU"]}), data=SERIES), "forced")
    past = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = forecast(network, past, 4)
    read = past
    with torch.no_grad():
        for step in range(4):
            blank = torch.zeros(3, 1, 2, dtype=torch.float64)
            wanted = network({"targets": torch.cat([read, blank], 1)}).outputs["loss"][:, -1]
            torch.testing.assert_close(found[:, step], wanted, rtol=0, atol=1e-12)
            read = torch.cat([read, wanted[:, None]], 1)


def test_recurrence_from_output_to_hidden_alone_trains_in_parallel_and_runs_free() -> None:
    """Row 5 of the field: the only way back is from the output, by teacher forcing."""
    s = Sketch()
    s.add("inputs", "FeatureInput", at=(0, 0), params={"field": "x", "size": 2})
    s.add("y", "FeatureTarget", at=(0, 1), params={"field": "y", "size": 1})
    s.add("feedback", "Feedback", at=(1, 1), prediction="readout", target="y")
    s.add("sum", "Linear", at=(2, 0), params={"units": 4, "terms": 2}, input="inputs", input2="feedback")
    s.add("hidden", "Tanh", at=(3, 0), input="sum")
    s.add("readout", "Linear", at=(4, 0), params={"units": 1}, input="hidden")
    s.add("loss", "MeanSquaredError", at=(5, 0), prediction="readout", target="y")
    design = Design(graph=s.graph())
    assert check(design, standard()).ok
    assert list(compile_design(design, standard()).scans()) == []
    free = seeded(design, "free")
    assert [scan.axis for scan in free.program.scans()] == ["time"]
    x = torch.randn(1, 3, 2, dtype=torch.float64)
    y = torch.zeros(1, 3, 1, dtype=torch.float64)
    got = free.losses({"x": x, "y": y}).predictions["loss"]
    forced = seeded(design, "forced")
    for _ in range(3):
        y = torch.cat([forced.losses({"x": x, "y": y}).predictions["loss"][:, :3]], 1)
    torch.testing.assert_close(got, y, rtol=0, atol=1e-12)


def test_some_examples_of_a_carried_state_can_begin_anew() -> None:
    network = seeded(language_model())
    text = torch.tensor([[1, 2, 3], [4, 0, 2], [3, 3, 1]])
    state = network({"text": text}).state
    anew = network.begin_anew(state, torch.tensor([False, True, False]))
    went_on = network({"text": text}, state=anew).outputs["loss"]
    torch.testing.assert_close(went_on[1], network({"text": text}).outputs["loss"][1], rtol=0, atol=1e-12)
    torch.testing.assert_close(went_on[::2], network({"text": text}, state=state).outputs["loss"][::2])


def attending_to_the_past(way: str, causal: bool = True) -> Design:
    """A language model of attention to its own past, beside a recurrent net."""
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0), params={"field": "text"})
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 4}, input="text")
    s.add("rec", "cell", at=(2, 0), params={"cell": "GRU", "units": 4}, x="embedding")
    s.add("again", "RenameAxis", at=(3, 1), input="rec.h")
    if way == "node":
        params: dict[str, Value] = {"causal": causal, "score": "dot"}
        s.add("read", "Attention", at=(4, 0), params=params, query="rec.h", keys="again")
    else:
        s.add("match", "Match", at=(4, 0), params={"causal": causal}, query="rec.h", keys="again")
        s.add("soft", "Softmax", at=(5, 0), params={"axis": "time2"}, input="match")
        s.add("read", "WeightedSum", at=(6, 0), params={"causal": causal}, weights="soft", values="again")
    s.add("both", "Concat", at=(7, 0), a="read", b="rec.h")
    s.add("readout", "Linear", at=(8, 0), params={"units": 5}, input="both")
    s.add("next", "TokenTarget", at=(8, 1))
    s.add("loss", "CrossEntropy", at=(9, 0), prediction="readout", target="next")
    return Design(graph=s.graph(), cells=frozen({"GRU": standard().cells["GRU"]}), data=TEXT)


@pytest.mark.parametrize("way", ["node", "parts"])
def test_a_network_that_attends_to_its_past_writes_what_reading_all_of_it_would_choose(way: str) -> None:
    network = seeded(attending_to_the_past(way))
    prompt = torch.tensor([[1, 4, 2]])
    written = generate(network, prompt, 8, temperature=0)
    read = prompt
    for token in written:
        wanted = network({"text": read}).outputs["loss"][0, -1].argmax()
        assert int(token) == int(wanted)
        read = torch.cat([read, wanted[None, None]], 1)


def test_one_that_looks_ahead_cannot_write() -> None:
    for way, node in (("node", "read"), ("parts", "soft")):
        assert why_not(seeded(attending_to_the_past(way, causal=False))).startswith(
            f"This network cannot generate: {node} needs the whole sequence"
        )


def decoder_that_looks_back() -> Design:
    """A decoder whose states attend to the states before them."""
    drawn = decoder()
    s = Sketch()
    s.add("again", "RenameAxis", at=(5, 2), input="decoder.h")
    params: dict[str, Value] = {"causal": True, "score": "dot"}
    s.add("look", "Attention", at=(6, 2), params=params, query="decoder.h", keys="again")
    more = s.graph()
    wires = [w for w in drawn.graph.wires if w.target != Pin("readout", "input")]
    wires += [*more.wires, Wire(Pin("look", "out"), Pin("readout", "input"))]
    graph = drawn.graph.replace(nodes=frozen({**drawn.graph.nodes, **more.nodes}), wires=tuple(wires))
    return drawn.replace(graph=graph)


def test_a_decoder_that_looks_back_writes_what_it_would_be_forced_to_write() -> None:
    network = seeded(decoder_that_looks_back())
    for row, found in enumerate(decode(network, {"source": SOURCE}, LENGTHS, stop=1, longest=7)):
        one = SOURCE[row : row + 1, : int(LENGTHS["source"][row])]
        scores = by_hand(network, one, found.tokens)
        tokens = [*found.tokens, 1] if found.finished else list(found.tokens)
        assert scores.argmax(-1)[: len(tokens)].tolist() == tokens
    one = {"source": SOURCE[:1]}
    best = beam_search(network, one, stop=1, longest=6, width=3)
    for hypothesis in best:
        tokens = [*hypothesis.tokens, 1] if hypothesis.finished else list(hypothesis.tokens)
        scores = by_hand(network, SOURCE[:1], hypothesis.tokens)
        total = sum(float(scores[i, token].detach()) for i, token in enumerate(tokens))
        assert total == pytest.approx(hypothesis.score, abs=1e-4)


def on_its_own_words(cell: str) -> Design:
    """A model of text whose only input is what a Feedback gives back."""
    s = Sketch()
    s.add("next", "TokenTarget", at=(4, 1))
    s.add("back", "Feedback", at=(0, 0), params={"first": 3}, prediction="readout", target="next")
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 4}, input="back")
    s.add("rec", "cell", at=(2, 0), params={"cell": cell, "units": 4}, x="embedding")
    s.add("readout", "Linear", at=(3, 0), params={"units": 5}, input="rec.h")
    s.add("loss", "CrossEntropy", at=(5, 0), prediction="readout", target="next")
    return Design(graph=s.graph(), cells=frozen(standard().definitions_for(cell)), data=TEXT)


@pytest.mark.parametrize("prompt", [[], [4], [2, 0, 1, 4]])
@pytest.mark.parametrize("cell", ["GRU", "LSTM", "StackedGRU"])
def test_a_model_of_its_own_words_writes_what_its_forced_run_says(cell: str, prompt: list[int]) -> None:
    network = seeded(on_its_own_words(cell))
    assert why_not(network) == ""
    written = generate(network, torch.tensor([prompt], dtype=torch.int64), 9, temperature=0).tolist()
    whole = torch.tensor([[*prompt, *written]])
    (said,) = network({"next": whole}).outputs.values()
    assert said[0].argmax(-1)[len(prompt) :].tolist() == written


def test_it_writes_text_from_a_beginning_and_from_nothing() -> None:
    writer = Writer(seeded(on_its_own_words("GRU")), TEXT)
    assert writer.why_not == ""
    for prompt in ("", "cab"):
        text = writer.write(prompt, 12, 0.0, 0)
        tokens = ["abcde".index(letter) for letter in text]
        given = torch.tensor([["abcde".index(letter) for letter in prompt]], dtype=torch.int64)
        assert tokens == generate(writer.network, given, 12, temperature=0).tolist()


def test_what_reads_something_else_too_is_told_by_its_name() -> None:
    s = Sketch()
    s.add("next", "TokenTarget", at=(4, 1))
    s.add("topic", "FeatureInput", at=(0, 1), params={"field": "topic", "size": 2, "axis": ""})
    s.add("back", "Feedback", at=(0, 0), params={"first": 3}, prediction="readout", target="next")
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 4}, input="back")
    s.add("readout", "Linear", at=(3, 0), params={"units": 5, "terms": 2}, input="embedding", input2="topic")
    s.add("loss", "CrossEntropy", at=(5, 0), prediction="readout", target="next")
    network = seeded(Design(graph=s.graph(), data=WITH_TOPIC))
    with pytest.raises(StudioError, match="It needs more than a beginning: it reads “topic” too"):
        generate(network, torch.tensor([[1]]), 2)
