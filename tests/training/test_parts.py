"""The parts of training one by one: outbox, optimisers and schedules, checkpoints, run folders, evaluation."""

import json
import math
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from rnnstudio.design.design import Design
from rnnstudio.design.errors import StudioError
from rnnstudio.training import checkpoints
from rnnstudio.training.checkpoints import Checkpoint
from rnnstudio.training.evaluate import evaluate, forecast_on, generate_text, load_trained
from rnnstudio.training.events import Event, Paused, Probed, StepDone, Validated
from rnnstudio.training.history import History
from rnnstudio.training.optim import make_optimiser, named_state, rate_factor
from rnnstudio.training.outbox import Outbox
from rnnstudio.training.runs import Run, list_runs
from rnnstudio.training.saved import step_of
from rnnstudio.training.settings import settings_from
from tests.training.designs import forecaster, language_model, self_fed, settings, text_file, trainer
from tests.training.series import series_file


def _step(number: int) -> StepDone:
    return StepDone(number, number / 10, 1, 2.5, 0.01, 1.5, False, 80, 1000.0)


def _picture(number: int) -> Probed:
    return Probed(number, number / 10, {"gate": np.zeros((2, 3), np.float32)}, ("gate",), {})


# --- outbox


def test_the_outbox_keeps_history_in_order_and_only_the_newest_picture() -> None:
    box = Outbox()
    box.put(_step(1), _picture(1), _step(2), _picture(2), Paused(2, 0.2), _step(3))
    assert [(type(event), event.step) for event in box.drain()] == [
        *[(StepDone, 1), (StepDone, 2), (Probed, 2), (Paused, 2), (StepDone, 3)]
    ]
    assert box.drain() == []
    assert box.thinned == 0


def test_an_outbox_that_nobody_drains_stays_small_and_keeps_everything_rare() -> None:
    box = Outbox(steps_kept=100)
    for number in range(10_000):
        box.put(_step(number))
        if number % 1000 == 0:
            box.put(Paused(number, 0.0))
    events = box.drain()
    steps = [event.step for event in events if isinstance(event, StepDone)]
    assert len(steps) <= 100
    assert len(steps) + box.thinned == 10_000
    assert steps == sorted(steps)
    assert steps[-1] == 9_999
    gaps = np.diff(steps)
    assert steps[0] < 2 * gaps.max()
    assert gaps.max() <= 256  # all of the run, evenly
    assert sum(isinstance(event, Paused) for event in events) == 10


# --- optimisers and schedules


@pytest.mark.parametrize(
    ("schedule", "torchs"),
    [
        ("linear", lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.0, 40)),
        ("cosine", lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 40)),
        ("step", lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [20, 30])),
        ("constant", lambda o: torch.optim.lr_scheduler.ConstantLR(o, 1.0)),
    ],
)
def test_schedules_are_those_of_torch(schedule: str, torchs) -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1)
    theirs = torchs(optimiser)
    ours = settings(schedule=schedule)
    for step in range(40):
        assert 0.1 * rate_factor(ours, step, 40) == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        optimiser.step()
        theirs.step()


def test_warm_up_rises_from_nothing_to_the_full_rate() -> None:
    ours = settings(schedule="linear", warmup=4)
    assert [rate_factor(ours, step, 14) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rate_factor(ours, 13, 14) == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop", "adagrad"])
def test_the_fast_forms_of_optimisers_do_what_the_plain_ones_do(name: str) -> None:
    plain = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop", "adagrad": "Adagrad"}
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.linspace(-1, 1, 7)) for _ in range(2))
    fast = make_optimiser(settings(optimiser=name, weight_decay=0.01), [ours])
    momentum = {"momentum": 0.9} if name in ("sgd", "rmsprop") else {}
    slow = getattr(torch.optim, plain[name])([theirs], 0.01, weight_decay=0.01, foreach=False, **momentum)
    for _ in range(5):
        gradient = torch.randn(7)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        fast.step()
        slow.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


def test_settings_that_do_not_fit_are_all_named() -> None:
    with pytest.raises(StudioError, match=r"learning_rate.*chunk|chunk.*learning_rate"):
        settings_from({"learning_rate": -1, "chunk": 0})
    with pytest.raises(StudioError, match="no_such"):
        settings_from({}, no_such=3)


# --- checkpoints


def _checkpoint(step: int) -> Checkpoint:
    weight = torch.nn.Parameter(torch.randn(3, 2))
    optimiser = torch.optim.Adam([weight])
    weight.grad = torch.ones(3, 2)
    optimiser.step()
    body = {"place": {"step": step}, "value": 0.1 + 0.2}
    weights = {"a.weight": weight}
    return Checkpoint(weights, named_state(optimiser, weights), None, checkpoints.random_state(), body)


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path: Path) -> None:
    random.seed(5)
    random.gauss(0, 1)  # leaves a spare number in Python's generator, and in numpy's
    np.random.seed(5)
    np.random.randn()
    saved = _checkpoint(7)
    checkpoints.save(tmp_path / "last.safetensors", saved)
    expected = (random.gauss(0, 1), random.random(), np.random.randn(3).tolist(), torch.rand(3).tolist())
    found = checkpoints.load(tmp_path / "last.safetensors")
    checkpoints.restore_random(found.random)
    assert (random.gauss(0, 1), random.random(), np.random.randn(3).tolist(), torch.rand(3).tolist()) == expected
    assert torch.equal(found.weights["a.weight"], saved.weights["a.weight"])
    assert found.carried is None
    assert found.body["place"] == {"step": 7}
    assert found.body["value"] == 0.1 + 0.2
    for name, value in saved.optimiser["state"]["a.weight"].items():
        assert torch.equal(found.optimiser["state"]["a.weight"][name], value)
    assert found.optimiser["param_groups"] == saved.optimiser["param_groups"]
    assert json.loads((tmp_path / "last.json").read_text())["place"] == {"step": 7}
    checkpoints.copy(tmp_path / "last.safetensors", tmp_path / "best.safetensors")
    checkpoints.save(tmp_path / "last.safetensors", _checkpoint(9))
    assert step_of(tmp_path / "best.safetensors") == 7
    assert step_of(tmp_path / "last.safetensors") == 9
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *["best.json", "best.safetensors", "last.json", "last.safetensors"]
    ]


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_damaged_checkpoint_is_a_clear_error(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "last.safetensors"
    checkpoints.save(path, _checkpoint(1))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StudioError, match="damaged"):
        checkpoints.load(path)
    with pytest.raises(StudioError, match="no such checkpoint"):
        checkpoints.load(tmp_path / "best.safetensors")


# --- run folders


def test_folders_that_are_no_runs_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="no such run"):
        Run.open(tmp_path / "nothing")
    with pytest.raises(StudioError, match="not a run"):
        Run.open(tmp_path)
    for text, words in (("{", "line 1"), ("[]", "not a JSON object"), ("{}", "no format"), ("\xff", "UTF-8")):
        (tmp_path / "run.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(StudioError, match=words):
            Run.open(tmp_path)
    (tmp_path / "run.json").write_text('{"state": "running", "format": 1, "pid": 999999999}')
    run = Run.open(tmp_path)
    assert run.state == "interrupted"
    for read in (run.design, run.settings, run.steps, run.validations, lambda: run.checkpoint("best")):
        with pytest.raises(StudioError):
            read()
    (tmp_path / "history.sqlite").write_bytes(b"no database at all, but long enough to be read as one" * 50)
    with pytest.raises(StudioError, match="history cannot be used"):
        run.steps()


def test_runs_are_listed_newest_first_and_damaged_ones_passed_over(tmp_path: Path) -> None:
    for name, started in (("a", "2026-01-01T00:00:00"), ("b", "2026-01-02T00:00:00")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps({"format": 1, "state": "finished", "started": started}))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "run.json").write_text("{")
    assert [run.name for run in list_runs(tmp_path)] == ["b", "a"]
    assert list(list_runs(tmp_path / "none")) == []


def test_the_history_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite")
    (tmp_path / "run.json").write_text('{"format": 1, "state": "running"}')
    run = Run.open(tmp_path)
    events: list[Event] = [_step(1), Validated(1, 0.1, "validation", 1, 2.0, None, None, True), _step(2)]
    for event in events:
        history.record(event)
    history.flush()
    assert run.steps().step.tolist() == [1, 2]
    assert run.steps(after=1).step.tolist() == [2]
    assert run.validations() == [events[1]]
    history.record(_step(3))
    history.close()
    assert len(run.steps()) == 3
    with sqlite3.connect(tmp_path / "history.sqlite") as connection:  # what a newer studio may add is passed over
        connection.execute("INSERT INTO events VALUES (3, 0.3, 'Novelty', '{}')")
    connection.close()
    assert run.events() == [events[1]]


def test_what_the_window_imports_brings_no_torch() -> None:
    names = ("events", "settings", "runs", "history", "outbox", "requests", "client", "worker")
    script = (
        f"import sys; {'; '.join(f'import rnnstudio.training.{name}' for name in names)}; print(sorted(sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert "'torch'" not in done.stdout
    assert "PySide6" not in done.stdout


# --- trained runs


def test_a_trained_run_is_evaluated_and_writes(tmp_path: Path) -> None:
    design = language_model(text_file(tmp_path))
    one = trainer(design, tmp_path, steps=60, validate_every=20)
    list(one.events())
    run = Run.open(tmp_path / "run")
    best = run.best()
    assert best is not None
    result = evaluate(run)
    assert result["loss"] == best.loss
    assert result["perplexity"] == pytest.approx(math.exp(best.loss))
    assert result["accuracy"] == best.accuracy
    assert result["step"] == best.step
    assert evaluate(run.folder, "test")["places"] > 0
    trained = load_trained(run, "last")
    for path, weight in one.network.weights.items():
        assert torch.equal(trained.network.weights[path], weight)
    text = generate_text(run, "the sea", 50, temperature=0.5, seed=3)
    assert len(text) == 50
    assert text == generate_text(run, "the sea", 50, temperature=0.5, seed=3)
    assert text != generate_text(run, "the sea", 50, temperature=0.5, seed=4)
    assert generate_text(run, "the", 5, temperature=0) == generate_text(run, "the", 5, temperature=0, seed=9)
    with pytest.raises(StudioError, match="vocabulary"):
        generate_text(run, "Ω", 5)
    (tmp_path / "sea.txt").write_text("another text " * 500)
    with pytest.raises(StudioError):
        evaluate(run)


@pytest.mark.parametrize("drawn", [forecaster, self_fed])
def test_a_series_goes_on_in_the_units_of_its_file(drawn: Callable[[Path], Design], tmp_path: Path) -> None:
    """Whether its own numbers come in by an input or by a Feedback."""
    list(trainer(drawn(series_file(tmp_path)), tmp_path, steps=300, batch_size=16, learning_rate=0.02).events())
    field, rows = forecast_on(Run.open(tmp_path / "run"), 8)
    columns = list(field.columns)
    wanted = [3 + math.sin(t / 3) + 0.3 * math.sin(t / 7) for t in range(300, 308)]
    assert columns == ["wave"]
    assert np.abs(np.array(rows)[:, 0] - wanted).mean() < 0.3


def test_a_forecaster_cannot_write(tmp_path: Path) -> None:
    design = forecaster(series_file(tmp_path))
    list(trainer(design, tmp_path, steps=5).events())
    result = evaluate(tmp_path / "run", "test", "last")
    assert result["perplexity"] is None
    with pytest.raises(StudioError, match="cannot write"):
        generate_text(tmp_path / "run", "a", 5)
