"""Training itself: it learns, obeys, counts right, and looking at it changes nothing."""

import dataclasses
import math
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from rnnstudio.data import Dataset
from rnnstudio.design.design import Design
from rnnstudio.design.errors import StudioError
from rnnstudio.training import checkpoints, timing
from rnnstudio.training.events import (
    CheckpointSaved,
    Event,
    Failed,
    Finished,
    Forecast,
    Log,
    LoopsChosen,
    ParameterNorms,
    Paused,
    Probed,
    Resumed,
    Sampled,
    SettingChanged,
    Started,
    StepDone,
    Validated,
)
from rnnstudio.training.requests import Request, interrupt_stops
from rnnstudio.training.runs import Run
from rnnstudio.training.trainer import Trainer
from rnnstudio.training.validation import CONTEXT, evaluation_batches, looks_back_only, validate
from tests.training.designs import data_of, forecaster, kinds_of, language_model, settings, steps_of, text_file, trainer
from tests.training.series import series_file


@pytest.fixture
def language(tmp_path: Path) -> Design:
    return language_model(text_file(tmp_path))


@pytest.fixture
def series(tmp_path: Path) -> Design:
    return forecaster(series_file(tmp_path))


def _find(events: list[Event], kind: type) -> list:
    return [event for event in events if isinstance(event, kind)]


def _all_weights(one: Trainer) -> torch.Tensor:
    return torch.cat([w.detach().flatten() for w in one.network.weights.values()])


def test_a_language_model_learns_its_text(language: Design, tmp_path: Path) -> None:
    events = list(trainer(language, tmp_path, steps=250, batch_size=8, validate_every=125).events())
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "done"
    steps = steps_of(events)
    assert [step.step for step in steps] == list(range(1, 251))
    assert abs(steps[0].loss - math.log(19)) < 0.5  # nothing known: all of some twenty characters alike
    first, second = _find(events, Validated)
    assert second.loss < first.loss
    assert second.loss < 1.9
    assert second.perplexity == pytest.approx(math.exp(second.loss))
    assert 0.3 < second.accuracy < 1
    assert second.best
    samples = _find(events, Sampled)
    assert samples
    assert all(len(sample.text) == 20 for sample in samples)


def test_a_forecast_comes_in_the_units_of_the_file(series: Design, tmp_path: Path) -> None:
    events = list(trainer(series, tmp_path, steps=150, batch_size=16, learning_rate=0.02).events())
    last = _find(events, Forecast)[-1]
    rows = [line.split(",") for line in (tmp_path / "wave.csv").read_text().split()[1:]]
    truth = {year: float(value) for year, value in rows}
    assert last.columns == ("wave",)
    assert last.truth.shape == last.prediction.shape == (45, 1)
    assert last.labels[0] == "1910"
    for label, value in zip(last.labels, last.truth[:, 0], strict=True):
        assert truth[label] == pytest.approx(float(value), abs=1e-4)
    assert float(abs(last.prediction - last.truth).mean()) < 0.3
    assert all(v.perplexity is None and v.accuracy is None for v in _find(events, Validated))


def test_the_history_holds_what_was_told(language: Design, tmp_path: Path) -> None:
    events = list(trainer(language, tmp_path, steps=15, validate_every=5, probe_seconds=0.001).events())
    run = Run.open(tmp_path / "run")
    told = steps_of(events)
    stored = run.steps()
    for item in dataclasses.fields(StepDone):
        assert getattr(stored, item.name).tolist() == [getattr(step, item.name) for step in told]
    kept = [event for event in events if not isinstance(event, StepDone | Probed)]
    assert run.events() == kept
    assert run.validations() == _find(events, Validated)
    assert run.best() == min(_find(events, Validated), key=lambda event: event.loss)
    assert run.samples() == _find(events, Sampled)
    assert run.state == "finished"
    assert run.result() == events[-1]
    for sample in run.samples():
        assert sample.text in (tmp_path / "run" / "samples.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("batch_size", [1, 3, 8])
@pytest.mark.parametrize("carry", [True, False])
def test_validation_counts_each_place_once_whatever_the_batch_size(
    language: Design, tmp_path: Path, batch_size: int, carry: bool
) -> None:
    one = trainer(language, tmp_path, chunk=15)
    data = data_of(language, tmp_path)
    wanted = settings(chunk=15, batch_size=batch_size, carry=carry)
    batches = evaluation_batches(data, "validation", wanted, one.network.program)
    score = validate(one.network, batches, torch.device("cpu"))
    assert score is not None
    assert score.places == data.split("validation").steps
    alone = evaluation_batches(data, "validation", settings(chunk=15, batch_size=1), one.network.program)
    other = validate(one.network, alone, torch.device("cpu"))
    assert other is not None
    assert score.loss == pytest.approx(other.loss, rel=2e-3)  # streams know one chunk before them, not the whole text


def test_validation_equals_reading_the_whole_part_at_once(language: Design, tmp_path: Path) -> None:
    one = trainer(language, tmp_path)
    data = data_of(language, tmp_path)
    batches = evaluation_batches(data, "validation", settings(chunk=7, batch_size=1), one.network.program)
    score = validate(one.network, batches, torch.device("cpu"))
    assert score is not None
    spans = data.split("validation").spans
    begin, end = int(spans.first[0]), int(spans.end[0])
    text = torch.from_numpy(data.tracks["text"].values.astype("int64"))
    context = max(begin - CONTEXT, 0)
    one.network.eval()
    with torch.no_grad():
        state = one.network.losses(
            {"text": text[None, context:begin], "next": text[None, context + 1 : begin + 1]}
        ).state
        whole = one.network.losses({"text": text[None, begin:end], "next": text[None, begin + 1 : end + 1]}, {}, state)
    assert score.loss == pytest.approx(float(whole.total), rel=1e-5)
    assert whole.correct is not None
    assert score.accuracy == pytest.approx(int(whole.correct) / (end - begin))


@pytest.mark.parametrize("k", [1, -1])
def test_a_network_that_looks_ahead_is_scored_without_context(tmp_path: Path, k: int) -> None:
    design = forecaster(series_file(tmp_path), k=k)
    one = trainer(design, tmp_path, carry=False)
    assert looks_back_only(one.network.program) == (k > 0)
    assert one.validation is not None
    assert any(one.validation.batch(0, index).skip for index in range(len(one.validation))) == (k > 0)
    score = validate(one.network, one.validation, torch.device("cpu"))
    assert score is not None
    assert score.places == one.dataset.split("validation").steps == 45
    assert np.isfinite(score.forecasts["targets"].prediction).all()


def test_clipping_cuts_the_gradient_and_says_so(language: Design, tmp_path: Path) -> None:
    limit = 0.01
    events = list(trainer(language, tmp_path, steps=3, clip_norm=limit, optimiser="sgd", momentum=0).events())
    assert all(step.clipped and step.gradient_norm > limit for step in steps_of(events))
    free = list(trainer(language, tmp_path, "free", steps=3, clip_norm=0).events())
    assert not any(step.clipped for step in steps_of(free))

    cut = trainer(language, tmp_path, "cut", steps=1, clip_norm=limit, optimiser="sgd", momentum=0, learning_rate=1)
    before = _all_weights(cut).clone()
    list(cut.events())
    assert float((_all_weights(cut) - before).norm()) == pytest.approx(limit, rel=1e-3)


def test_looking_inside_changes_no_bit(tmp_path: Path) -> None:
    design = language_model(text_file(tmp_path), dropout=0.3)
    blind = trainer(design, tmp_path, "blind", steps=25)
    blind_events = list(blind.events())
    watched = trainer(design, tmp_path, "watched", steps=25, probe_seconds=1e-9)
    watched.watcher.budget.share = 1e9  # at every step
    events = list(watched.events())
    assert len(_find(events, Probed)) == len(_find(events, ParameterNorms)) == 25
    assert [step.loss for step in steps_of(events)] == [step.loss for step in steps_of(blind_events)]
    assert torch.equal(_all_weights(blind), _all_weights(watched))


def test_a_look_shows_gates_states_and_updates(language: Design, tmp_path: Path) -> None:
    events = list(trainer(language, tmp_path, steps=1, probe_seconds=10).events())
    (probe,) = _find(events, Probed)
    assert probe.values["lstm.f"].shape == (20, 16)
    assert "lstm.f" in probe.gates
    assert ((probe.values["lstm.f"] > 0) & (probe.values["lstm.f"] < 1)).all()
    assert probe.state_gradients["lstm.state"].shape == (20,)
    assert "".join(probe.tokens) == (tmp_path / "sea.txt").read_text()[:20]
    (norms,) = _find(events, ParameterNorms)
    assert set(norms.gradient) == set(events[0].parameters)
    total = math.sqrt(sum(value**2 for value in norms.gradient.values()))
    assert total == pytest.approx(steps_of(events)[0].gradient_norm, rel=1e-5)
    assert 0 < norms.update_ratio["readout.weight"] < 1


def test_the_first_and_the_last_step_of_a_short_training_are_looked_at(language: Design, tmp_path: Path) -> None:
    events = list(trainer(language, tmp_path, steps=7, probe_seconds=1000).events())
    assert [norms.step for norms in _find(events, ParameterNorms)] == [1, 7]
    assert [probe.step for probe in _find(events, Probed)] == [1, 7]


def test_the_last_look_is_at_a_whole_chunk(language: Design, tmp_path: Path) -> None:
    one = trainer(language, tmp_path, steps=0, epochs=1, chunk=23, probe_seconds=1000)
    count = len(one.batches)
    assert [one.batches.whole(i) for i in range(count)] == [True] * (count - 1) + [False]
    looks = _find(list(one.events()), Probed)
    assert [look.step for look in looks] == [1, count - 1]
    assert {len(x) for look in looks for x in look.state_gradients.values()} == {23}


def test_gradients_through_time_are_read_from_the_step_itself(language: Design, tmp_path: Path) -> None:
    """Of the whole batch, where the loop runs fused; of the first example they are what its probe finds."""
    found = {}
    for lowering in ("machine code", "reference"):
        one = trainer(language, tmp_path, lowering, steps=1, probe_seconds=10)
        one.network.set_lowering_choices({scan.name: lowering for scan in one.network.program.scans()})
        (found[lowering],) = _find(list(one.events()), Probed)
    fused, probed = found["machine code"], found["reference"]
    assert probed.batch_gradients == {}
    assert len(fused.state_gradients) == 2
    for state in fused.state_gradients:
        np.testing.assert_allclose(fused.state_gradients[state], probed.state_gradients[state], rtol=1e-4)
        low, middle, high = fused.batch_gradients[state]
        assert ((low < middle) & (middle < high)).all()
        assert middle.shape == (20,)


def test_the_first_looks_follow_each_other_sooner(
    language: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = trainer(language, tmp_path, probe_seconds=1).watcher
    looks = []
    for tick in range(500):
        monkeypatch.setattr(timing.time, "perf_counter", lambda tick=tick: tick / 100)
        if watcher.due(1.0, last=False):
            with watcher.budget.spending():
                looks.append(tick)
    assert looks == pytest.approx([0, 20, 60, 140, 240, 340, 440], abs=6)


def test_looks_take_a_bounded_share_of_the_time(language: Design, tmp_path: Path) -> None:
    one = trainer(language, tmp_path, steps=150, probe_seconds=1e-9)
    assert 1 < len(_find(list(one.events()), Probed)) < 30


def test_pause_step_set_resume_and_stop(language: Design, tmp_path: Path) -> None:
    one = trainer(language, tmp_path, steps=100)
    answers: dict[int, list[Request]] = {
        3: ["pause"],
        5: [("set", "learning_rate", 0.5), ("set", "no_such", 1.0), ("set", "clip_norm", -1.0), "resume"],
        8: ["stop"],
    }
    events = []
    for event in one.events():
        events.append(event)
        if isinstance(event, StepDone):
            for request in answers.get(event.step, []):
                one.request(request)
        elif isinstance(event, Paused):
            for request in {3: ["step"], 4: ["pause", "step"]}.get(event.step, []):  # a pause in a pause is none
                one.request(request)
    beside = ("CheckpointSaved", "Probed", "ParameterNorms", "LoopsChosen")
    told = [kind for kind in kinds_of(events) if kind not in beside]
    assert told == [
        *["Started", "StepDone", "StepDone", "StepDone", "Paused", "StepDone", "Paused", "StepDone", "Paused"],
        *["SettingChanged", "Log", "Log", "Resumed", "StepDone", "StepDone", "StepDone", "Finished"],
    ]
    assert steps_of(events)[4].learning_rate == 0.01
    assert steps_of(events)[5].learning_rate == 0.5
    (changed,) = _find(events, SettingChanged)
    assert (changed.name, changed.value) == ("learning_rate", 0.5)
    assert "clip_norm" in _find(events, Log)[1].text
    assert events[-1].reason == "stopped"
    run = Run.open(tmp_path / "run")
    assert run.state == "stopped"
    assert run.settings().learning_rate == 0.5
    assert _find(events, Resumed)[0].seconds == pytest.approx(_find(events, Paused)[-1].seconds, abs=1e-3)


def test_a_step_asked_for_before_a_validation_is_a_step(language: Design, tmp_path: Path) -> None:
    one = trainer(language, tmp_path, steps=3, validate_every=1)
    one.request("pause")
    events = []
    for event in one.events():
        events.append(event)
        if isinstance(event, Paused):
            one.request("step")
    told = [kind for kind in kinds_of(events) if kind in ("StepDone", "Paused", "Validated")]
    assert told[:6] == ["Paused", "StepDone", "Paused", "Validated", "StepDone", "Paused"]
    assert len(_find(events, Probed)) == 3  # who steps by hand wants to look


def test_ctrl_c_ends_the_step_and_saves(language: Design, tmp_path: Path) -> None:
    one = trainer(language, tmp_path, steps=1000)
    events = []
    with interrupt_stops(one.requests):
        for event in one.events():
            events.append(event)
            if isinstance(event, StepDone) and event.step == 5:
                signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert kinds_of(events)[-2:] == ["CheckpointSaved", "Finished"]
    assert Run.open(tmp_path / "run").info["step"] == 5


def test_a_loss_that_no_parameter_reaches_is_a_clear_error(tmp_path: Path) -> None:
    design = forecaster(series_file(tmp_path))
    graph = design.graph
    nodes = {**graph.nodes, "readout": graph.nodes["readout"].replace(params={"units": 1, "frozen": True})}
    nodes["hidden"] = nodes["hidden"].replace(params={**nodes["hidden"].params, "frozen": True})
    frozen_design = design.replace(graph=graph.replace(nodes=nodes))
    with pytest.raises(StudioError, match="no parameter to train"):
        trainer(frozen_design, tmp_path)


def test_a_checkpoint_that_cannot_be_written_is_told(language: Design, tmp_path: Path) -> None:
    one = trainer(language, tmp_path, steps=50, checkpoint_every=10)
    events = one.events()
    while next(events).step < 5:
        pass
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    with pytest.raises(StudioError, match="last"):
        list(events)
    assert Run.open(tmp_path / "run").state == "failed"
    assert len(Run.open(tmp_path / "run").steps()) >= 9


def test_no_progress_stops_early(language: Design, tmp_path: Path) -> None:
    events = list(trainer(language, tmp_path, steps=500, validate_every=2, patience=2, learning_rate=5).events())
    assert events[-1].reason == "early"
    best = [event.best for event in _find(events, Validated)]
    assert best[-2:] == [False, False]
    assert best[-3]


def test_epochs_end_with_a_validation(language: Design, tmp_path: Path) -> None:
    one = trainer(language, tmp_path, steps=0, epochs=2, batch_size=16, chunk=50)
    events = list(one.events())
    per_epoch = events[0].steps_per_epoch
    assert events[0].steps_total == 2 * per_epoch == len(steps_of(events))
    assert [(event.step, event.epoch) for event in _find(events, Validated)] == [(per_epoch, 1), (2 * per_epoch, 2)]
    steps = steps_of(events)
    assert [step.epoch for step in steps] == [1] * per_epoch + [2] * per_epoch
    assert [step.carried for step in steps] == [step.step % per_epoch != 1 for step in steps]


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd", "rmsprop", "adagrad"])
def test_a_resumed_run_goes_on_bit_for_bit(tmp_path: Path, optimiser: str) -> None:
    design = language_model(text_file(tmp_path), dropout=0.2)
    same = {"optimiser": optimiser, "schedule": "cosine", "warmup": 5, "validate_every": 8, "weight_decay": 0.01}
    whole = trainer(design, tmp_path, "whole", steps=30, **same)
    at_once = list(whole.events())

    half = trainer(design, tmp_path, "halves", steps=30, **same)
    first = []
    for event in half.events():
        first.append(event)
        if isinstance(event, StepDone) and event.step == 15:
            half.request("stop")
    torch.manual_seed(99)  # another process would have drawn other numbers meanwhile
    rest = trainer(design, tmp_path, "halves", resume=True, steps=30, **same)
    second = list(rest.events())

    assert second[0].resumed
    together = steps_of(first) + steps_of(second)
    assert [step.loss for step in together] == [step.loss for step in steps_of(at_once)]
    assert [step.learning_rate for step in together] == [step.learning_rate for step in steps_of(at_once)]
    assert torch.equal(_all_weights(whole), _all_weights(rest))
    scores = [(event.step, event.loss) for event in Run.open(tmp_path / "halves").validations()]
    assert scores == [(event.step, event.loss) for event in _find(at_once, Validated)]


def test_resume_forgets_what_came_after_the_checkpoint(language: Design, tmp_path: Path) -> None:
    one = trainer(language, tmp_path, steps=30, checkpoint_every=10)
    events = one.events()
    for event in events:
        if event.step == 17:
            break
    events.close()  # as if the process had died: nothing is saved
    assert Run.open(tmp_path / "run").state == "interrupted"
    assert len(Run.open(tmp_path / "run").steps()) == 17
    again = list(trainer(language, tmp_path, resume=True, steps=30, checkpoint_every=10).events())
    assert steps_of(again)[0].step == 11
    assert Run.open(tmp_path / "run").steps().step.tolist() == list(range(1, 31))


def test_resume_refuses_what_does_not_fit(language: Design, tmp_path: Path) -> None:
    list(trainer(language, tmp_path, steps=3).events())
    with pytest.raises(StudioError, match="batch_size = 4, not 5"):
        trainer(language, tmp_path, resume=True, batch_size=5)
    with pytest.raises(StudioError, match="not empty"):
        trainer(language, tmp_path)
    with pytest.raises(StudioError, match="no such run"):
        trainer(language, tmp_path, "other", resume=True)
    (tmp_path / "sea.txt").write_text((tmp_path / "sea.txt").read_text().replace("ship", "boat"))
    with pytest.raises(StudioError, match="not the one"):
        trainer(language, tmp_path, resume=True)


WILD = {"optimiser": "sgd", "learning_rate": 100, "clip_norm": 0, "momentum": 0, "chunk": 50, "steps": 100}


def test_infinite_gradients_never_reach_the_optimiser(tmp_path: Path) -> None:
    design = forecaster(series_file(tmp_path), squash="Relu")
    one = trainer(design, tmp_path, validate_every=1000, **WILD)
    events = list(one.events())
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert failed.step < 20
    assert failed.where == f"step {failed.step + 1}"
    assert "infinite or NaN" in failed.what or "first value that is not finite" in failed.what
    assert any(name in failed.what for name in ("hidden", "state", "readout"))
    assert "learning rate below 100 and clip" in failed.remedy
    assert isinstance(events[-2], CheckpointSaved)
    run = Run.open(tmp_path / "run")
    assert run.state == "failed"
    assert run.result() == failed
    kept = checkpoints.load(run.checkpoint("last"))
    assert kept.body["place"]["step"] == failed.step
    assert all(bool(torch.isfinite(weight).all()) for weight in kept.weights.values())


def test_an_infinite_validation_loss_ends_the_run(tmp_path: Path) -> None:
    design = forecaster(series_file(tmp_path), squash="Relu")
    failed = list(trainer(design, tmp_path, validate_every=1, **WILD).events())[-1]
    assert isinstance(failed, Failed)
    assert "validation loss is" in failed.what
    assert "clip" in failed.remedy


def test_infinity_in_the_data_is_named(series: Design, tmp_path: Path) -> None:
    data = data_of(series, tmp_path)
    track = data.tracks["inputs"]
    values = track.values.copy()
    values[12:] = math.inf
    tracks = {**data.tracks, "inputs": dataclasses.replace(track, values=values)}
    spoiled: Dataset = dataclasses.replace(data, tracks=tracks)
    events = list(Trainer(series, spoiled, settings(), tmp_path / "run").events())
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert "“inputs”" in failed.what
    assert "step 1, example" in failed.where


def test_a_gpu_that_is_not_there_is_a_clear_error(language: Design, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(StudioError, match="no GPU"):
        trainer(language, tmp_path, device="cuda")


def test_two_runs_with_one_seed_are_the_same(language: Design, tmp_path: Path) -> None:
    losses = [
        [step.loss for step in steps_of(list(trainer(language, tmp_path, name, seed=seed, carry=False).events()))]
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_what_the_loops_run_on_is_said_once_it_is_settled(tmp_path: Path) -> None:
    """The gallery's LSTM is timed on torch's kernel and on machine code in the first step."""
    events = list(trainer(language_model(text_file(tmp_path)), tmp_path, steps=6).events())
    started = next(e for e in events if isinstance(e, Started))
    chosen = [e for e in events if isinstance(e, LoopsChosen)]
    assert "times them" in started.lowerings[0]
    assert len(chosen) == 1
    assert "times them" not in chosen[0].lowerings[0]
    assert Run.open(tmp_path / "run").events()[-1] == events[-1]
    assert chosen[0] in Run.open(tmp_path / "run").events()
