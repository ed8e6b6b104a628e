"""Samples of encoder–decoders: what was read, what the decoder wrote by itself, and what is true."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from rnnstudio.catalog.catalog import standard
from rnnstudio.cli import main
from rnnstudio.compiler import compile_design
from rnnstudio.data.batches import Batches
from rnnstudio.design.design import Design
from rnnstudio.runtime import Network
from rnnstudio.runtime.generate import Choice
from rnnstudio.training.answering import Answerer, answerer_of
from rnnstudio.training.events import Answered, Sampled, Validated
from rnnstudio.training.runs import Run
from tests.training.designs import copier, data_of, forecaster, language_model, text_file, trainer
from tests.training.series import continuer, series_file

SMALL = {"steps": 60, "chunk": 5, "batch_size": 16, "learning_rate": 0.02, "validate_every": 30, "sample_every": 30}


@pytest.fixture
def drawn(tmp_path: Path) -> Design:
    return copier(text_file(tmp_path))


def test_a_trainer_shows_what_an_encoder_decoder_writes_beside_the_truth(drawn: Design, tmp_path: Path) -> None:
    one = trainer(drawn, tmp_path, **SMALL)
    events = list(one.events())
    samples = [event for event in events if isinstance(event, Sampled)]
    assert [event.step for event in samples] == [30] * 3 + [60] * 3
    for event in samples:
        assert event.prompt == event.truth
        assert len(event.text) == len(event.truth) == 5
    losses = [event.loss for event in events if isinstance(event, Validated)]
    assert losses[-1] < losses[0]
    run = Run.open(tmp_path / "run")
    assert [event for event in run.events() if isinstance(event, Sampled)] == samples
    assert f"written  {samples[-1].text}\ntrue     {samples[-1].truth}" in (tmp_path / "run/samples.txt").read_text()


def test_answers_are_the_most_likely_tokens_one_after_the_other(drawn: Design, tmp_path: Path) -> None:
    program = compile_design(drawn, standard())
    network = Network(program, seed=3)
    found = answerer_of(drawn, standard())
    assert found is not None
    batch = Batches(data_of(drawn, tmp_path), "validation", 2, 6, False, context=0, shuffle=False).batch(0, 0)
    answers = list(found.answers(network.weights, batch, 2))
    vocabulary = found.vocabulary
    for row, answer in enumerate(answers):
        source = batch.fields["text"][row : row + 1]
        assert answer.read == vocabulary.decode(source[0].tolist())
        written = torch.zeros_like(source)
        score = 0.0
        for t in range(6):  # the drawing itself, forced to read what was written so far
            logits, _ = network._run(
                {"text": source},
                None,
                None,
                (program.losses[0].prediction,),
                training=False,
                known={"target": written.T},
            )
            scores = logits[program.losses[0].prediction][t, 0].log_softmax(-1)
            written[0, t] = scores.argmax()
            score += float(scores.max().detach())
        assert answer.text == vocabulary.decode(written[0].tolist())
        assert answer.score == pytest.approx(score, abs=1e-4)
    beams = list(found.answers(network.weights, batch, 2, beam=8))
    assert all(beam.score >= answer.score - 1e-6 for beam, answer in zip(beams, answers, strict=True))
    sampled = [next(found.answers(network.weights, batch, 1, choice=Choice(1.0), seed=seed)).text for seed in (1, 1, 2)]
    assert sampled[0] == sampled[1] != sampled[2]


def test_generate_lets_an_encoder_decoder_write(
    drawn: Design, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    list(trainer(drawn, tmp_path, **{**SMALL, "steps": 2, "validate_every": 1}).events())

    def told(*arguments: str) -> dict[str, object]:
        assert main(["generate", str(tmp_path / "run"), "--json", *arguments]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("read     ")
        result: dict[str, object] = json.loads(lines[-1])
        return result

    two = told("--examples", "2")["answers"]
    assert isinstance(two, list)
    assert [len(answer["text"]) for answer in two] == [len(answer["truth"]) for answer in two] == [5, 5]
    (one,) = told("--prompt", "the sea", "--length", "7", "--beam", "3")["answers"]  # type: ignore[misc]
    assert (one["read"], one["truth"], len(one["text"])) == ("the sea", "", 7)
    assert told("--temperature", "1", "--seed", "5") == told("--temperature", "1", "--seed", "5")
    assert main(["generate", str(tmp_path / "run"), "--beam", "2", "--temperature", "1"]) == 2


def test_a_decoder_of_numbers_shows_its_sequences_beside_the_truth(tmp_path: Path) -> None:
    drawn = continuer(series_file(tmp_path))
    one = trainer(drawn, tmp_path, **{**SMALL, "carry": False, "chunk": 8})
    events = list(one.events())
    pictures = [event for event in events if isinstance(event, Answered)]
    samples = [event for event in events if isinstance(event, Sampled)]
    assert [event.step for event in pictures] == [30, 60]
    assert [event.step for event in samples] == [30] * 3 + [60] * 3
    assert all(event.numbers for event in samples)
    assert pictures[-1].columns == ("wave",)
    truth, prediction = pictures[-1].truth, pictures[-1].prediction
    assert truth.shape == prediction.shape == (3, 8, 1)
    dataset = data_of(drawn, tmp_path)
    batch = one.validation.batch(0, 0) if one.validation is not None else None
    assert batch is not None
    assert truth == pytest.approx(dataset.unscale("targets", batch.fields["targets"][:3].numpy()), rel=1e-6)
    assert samples[-1].truth == ", ".join(f"{x:.4g}" for x in truth[2, :, 0])
    assert samples[-1].text == ", ".join(f"{x:.4g}" for x in prediction[2, :, 0])
    kept = Run.open(tmp_path / "run").events()
    assert [event.step for event in kept if isinstance(event, Answered)] == [30, 60]
    assert [event for event in kept if isinstance(event, Sampled)] == samples


def test_numbers_are_written_on_the_decoder_s_own_predictions(tmp_path: Path) -> None:
    drawn = continuer(series_file(tmp_path))
    assert drawn.data is not None
    found = Answerer(compile_design(drawn, standard(), "forced"), drawn.data)
    network = Network(compile_design(drawn, standard()), seed=2)
    batch = Batches(data_of(drawn, tmp_path), "validation", 2, 6, False, context=0, shuffle=False).batch(0, 0)
    sequences = found.sequences(network.weights, batch, 2)
    free = Network(compile_design(drawn, standard(), "free"))
    free.load_weights(network.weights)
    with torch.no_grad():
        values = free.eval()({"inputs": batch.fields["inputs"]}, None, None, {"target": 6}).outputs["loss"]
    spec = drawn.data.field("targets")
    assert spec.std
    assert spec.mean
    assert sequences.prediction == pytest.approx(values.numpy() * spec.std[0] + spec.mean[0], rel=1e-4)


def test_generate_lets_a_decoder_of_numbers_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    list(trainer(continuer(series_file(tmp_path)), tmp_path, **{**SMALL, "steps": 2, "carry": False}).events())
    run = str(tmp_path / "run")
    assert main(["generate", run, "--json", "--examples", "2"]) == 0
    answers = json.loads(capsys.readouterr().out.splitlines()[-1])["answers"]
    assert [answer["score"] for answer in answers] == [None, None]
    assert all(len(answer["text"].split(", ")) == len(answer["truth"].split(", ")) == 5 for answer in answers)
    assert main(["generate", run, "--beam", "2"]) == 2
    assert main(["generate", run, "--prompt", "1 2 3"]) == 2
    assert "--examples" in capsys.readouterr().err


def test_what_writes_on_or_forecasts_is_no_answerer(tmp_path: Path) -> None:
    language, series = language_model(text_file(tmp_path)), forecaster(series_file(tmp_path))
    assert answerer_of(language, standard()) is None
    assert answerer_of(series, standard()) is None
    assert series.data is not None
    assert "no decoder" in Answerer(compile_design(series, standard(), "forced"), series.data).why_not
