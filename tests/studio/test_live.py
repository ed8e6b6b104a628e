"""A run seen from the window: starts, draws, pauses, stops, fails, goes on, and never holds the event loop."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from rnnstudio.design.design import Design
from rnnstudio.design.edits import RemoveNodes, SetData, SetTraining
from rnnstudio.design.errors import StudioError
from rnnstudio.studio.live import Live, new_run_folder, runs_folder
from rnnstudio.studio.plots.curves import Curves
from rnnstudio.studio.session import Session
from rnnstudio.training.events import Finished, StepDone, Validated
from rnnstudio.training.runs import Run


def test_a_run_tells_everything_in_order_and_ends(
    live: Live, session: Session, open_example: Callable[[str], Design], qtbot: QtBot
) -> None:
    torch_was_there = "torch" in sys.modules
    open_example("char-lm")
    told: list[object] = []
    states: list[str] = []
    live.stepsArrived.connect(told.extend)
    live.validated.connect(told.append)
    live.finished.connect(told.append)
    live.stateChanged.connect(states.append)
    with qtbot.waitSignal(live.finished):
        assert live.train()
    assert states == ["starting", "running", "idle"]
    steps = [event.step for event in told if isinstance(event, StepDone)]
    total = live.curves.started.steps_total if live.curves.started else 0
    assert steps == list(range(1, total + 1))
    places = [event.step for event in told]
    assert places == sorted(places)
    assert isinstance(told[-1], Finished)
    assert any(isinstance(event, Validated) for event in told)
    assert torch_was_there or "torch" not in sys.modules
    assert list(live.curves.step) == steps
    assert live.curves.probes
    assert live.curves.parameters
    assert live.curves.samples
    assert live.curves.gives_perplexity
    assert live.run_folder == (session.path or Path()).parent / "runs" / "char-lm-1"
    stored = Curves.stored(Run.open(live.run_folder))
    np.testing.assert_array_equal(stored.loss, live.curves.loss)
    np.testing.assert_allclose(stored.smooth_loss, live.curves.smooth_loss)
    np.testing.assert_array_equal(stored.validation_loss, live.curves.validation_loss)
    session.new()
    assert live.shown_runs() == [], "the curve of a run beside another design"


def test_pause_step_resume_stop(
    live: Live, session: Session, open_example: Callable[[str], Design], qtbot: QtBot
) -> None:
    open_example("char-lm")
    session.do(SetTraining({"epochs": 2000}))
    assert live.train()
    assert not live.train(), "a second run beside the first"
    with qtbot.waitSignal(live.stepsArrived):
        pass
    live.pause()
    qtbot.waitUntil(lambda: live.state == "paused")
    qtbot.wait(100)
    before = len(live.curves)
    qtbot.wait(200)
    assert len(live.curves) == before
    live.step()
    qtbot.waitUntil(lambda: len(live.curves) == before + 1)
    qtbot.wait(200)
    assert len(live.curves) == before + 1
    session.do(SetTraining({"learning_rate": 0.0005}))
    live.resume()
    qtbot.waitUntil(lambda: len(live.curves) > before + 20)
    assert live.curves.learning_rate[-1] <= 0.0005
    with qtbot.waitSignal(live.finished) as ended:
        live.stop()
    assert ended.args is not None
    assert ended.args[0].reason == "stopped"
    assert live.state == "idle"


def test_a_stopped_run_goes_on_where_it_was(
    live: Live, session: Session, open_example: Callable[[str], Design], qtbot: QtBot
) -> None:
    open_example("char-lm")
    session.do(SetTraining({"epochs": 2000}))
    live.train()
    qtbot.waitUntil(lambda: len(live.curves) > 20)
    with qtbot.waitSignal(live.finished):
        live.stop()
    folder, reached = live.run_folder, int(live.curves.step[-1])
    assert folder is not None
    assert live.go_on(folder)
    qtbot.waitUntil(lambda: len(live.curves) > reached + 5)
    assert live.run_folder == folder
    assert list(live.curves.step) == list(range(1, len(live.curves) + 1))
    with qtbot.waitSignal(live.finished):
        live.stop()


def test_a_drawing_with_errors_leads_to_the_problems(
    live: Live, session: Session, open_example: Callable[[str], Design], qtbot: QtBot
) -> None:
    open_example("char-lm")
    session.do(RemoveNodes(("embedding",)))
    with qtbot.waitSignals([live.problemsWanted, session.failed]):
        assert not live.train()
    assert live.state == "idle"


def test_without_data_the_data_panel_is_wanted(
    live: Live, session: Session, open_example: Callable[[str], Design], qtbot: QtBot
) -> None:
    open_example("char-lm")
    session.do(SetData(None))
    with qtbot.waitSignals([live.dataWanted, session.failed]):
        assert not live.train()


def test_data_that_went_away_fails_with_one_clear_error(
    live: Live, session: Session, open_example: Callable[[str], Design], qtbot: QtBot
) -> None:
    open_example("char-lm")
    (session.base_folder / "shakespeare.txt").unlink()
    before = session.design
    with qtbot.waitSignal(session.failed) as failure:
        assert live.train()
    assert failure.args is not None
    assert isinstance(failure.args[0], StudioError)
    assert "shakespeare.txt" in str(failure.args[0])
    assert live.state == "idle"
    assert session.design is before


def test_a_killed_worker_leaves_the_window_able_to_train_again(
    live: Live, session: Session, open_example: Callable[[str], Design], qtbot: QtBot
) -> None:
    open_example("char-lm")
    session.do(SetTraining({"epochs": 2000}))
    live.train()
    qtbot.waitUntil(lambda: len(live.curves) > 5)
    assert live.worker_pid is not None
    with qtbot.waitSignal(live.failed) as failure:
        os.kill(live.worker_pid, 9)
    assert failure.args is not None
    assert "ended from outside" in failure.args[0].what
    assert live.state == "idle"
    session.do(SetTraining({"epochs": 1}))
    with qtbot.waitSignal(live.finished):
        assert live.train()


def test_the_event_loop_turns_during_training(
    live: Live, session: Session, open_example: Callable[[str], Design], qtbot: QtBot
) -> None:
    """The worker is held in the middle of a step: a window that waits for it would stand still with it."""
    open_example("char-lm")
    session.do(SetTraining({"epochs": 2000}))
    live.train()
    qtbot.waitUntil(lambda: len(live.curves) >= 2)
    assert live.worker_pid is not None
    ticks: list[int] = []
    timer = QTimer(interval=1)
    timer.timeout.connect(lambda: ticks.append(len(live.curves)))
    os.kill(live.worker_pid, signal.SIGSTOP)
    try:
        timer.start()
        qtbot.waitUntil(lambda: len(ticks) > 50)
        held = len(live.curves)
    finally:
        timer.stop()
        os.kill(live.worker_pid, signal.SIGCONT)
    qtbot.waitUntil(lambda: len(live.curves) > held)
    live.stop()
    qtbot.waitUntil(lambda: live.state == "idle")


def test_closing_in_the_middle_leaves_no_process(
    session: Session, open_example: Callable[[str], Design], qtbot: QtBot
) -> None:
    open_example("char-lm")
    session.do(SetTraining({"epochs": 2000}))
    live = Live(session)
    live.train()
    qtbot.waitUntil(lambda: len(live.curves) > 5)
    pid, folder = live.worker_pid, live.run_folder
    assert pid is not None
    assert folder is not None
    live.close()
    live.close()
    assert not Path(f"/proc/{pid}").exists()
    assert Run.open(folder).state == "stopped"
    assert Run.open(folder).has("last")
    assert not live.train()


@pytest.mark.parametrize("name", ["my net", "a/b", "…", "x"])
def test_run_folders_count_up(tmp_path: Path, name: str) -> None:
    design = tmp_path / "net.rnn"
    first = new_run_folder(design, name)
    assert first.parent == tmp_path / "runs"
    assert first.name.endswith("-1")
    first.mkdir(parents=True)
    second = new_run_folder(design, name)
    assert second.name == first.name[:-1] + "2"


def test_runs_of_an_unsaved_design_go_to_the_users_folder(fresh_user_folders: Path) -> None:
    assert runs_folder(None).is_relative_to(fresh_user_folders)
