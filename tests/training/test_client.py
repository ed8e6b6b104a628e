"""Training as the window drives it: a real thread, a real worker process, and both gone afterwards."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rnnstudio.design.design import Design
from rnnstudio.design.errors import StudioError
from rnnstudio.training.client import TrainingClient
from rnnstudio.training.events import Event, Failed, Finished, Paused, Resumed, SettingChanged, Started, StepDone
from rnnstudio.training.runs import Run
from tests.training.designs import language_model, settings, steps_of, text_file

LONG = 100_000


@pytest.fixture
def language(tmp_path: Path) -> Design:
    return language_model(text_file(tmp_path))


@pytest.fixture(scope="module")
def shared_client() -> Iterator[TrainingClient]:
    """One worker for the tests that do not harm it: importing torch takes seconds."""
    with TrainingClient() as client:
        client.prepare()
        while client.worker_pid is None:
            time.sleep(0.01)
        yield client


@pytest.fixture(params=["process", "thread"])
def client(request: pytest.FixtureRequest) -> Iterator[TrainingClient]:
    if request.param == "process":
        shared: TrainingClient = request.getfixturevalue("shared_client")
        shared.drain()
        yield shared
        if shared.alive:
            shared.stop()
            _until(shared, lambda events: not shared.alive)
    else:
        with TrainingClient(in_thread=True) as own:
            yield own


def _until(client: TrainingClient, enough: Callable[[list[Event]], Any]) -> list[Event]:
    """Drain as a window does, until there is enough."""
    events: list[Event] = []
    while not enough(events):
        client.wait(0.01)
        events += client.drain()
        if events and isinstance(events[-1], Failed) and not enough(events):
            pytest.fail(f"the run failed: {events[-1]}")
    return events


def _has(kind: type[Event], count: int = 1) -> Callable[[list[Event]], bool]:
    return lambda events: sum(isinstance(event, kind) for event in events) >= count


def test_a_run_from_beginning_to_end(client: TrainingClient, language: Design, tmp_path: Path) -> None:
    client.start(language, tmp_path, settings(steps=12), tmp_path / "run", command=("the", "test"))
    assert client.state == "starting"
    events = _until(client, _has(Finished))
    assert client.state == "finished"
    assert isinstance(events[0], Started)
    assert [step.step for step in steps_of(events)] == list(range(1, 13))
    run = Run.open(tmp_path / "run")
    assert run.state == "finished"
    assert run.info["command"] == ["the", "test"]
    assert run.design().graph.nodes == language.graph.nodes
    assert len(run.steps()) == 12


def test_thread_and_process_train_the_same(shared_client: TrainingClient, language: Design, tmp_path: Path) -> None:
    shared_client.start(language, tmp_path, settings(), tmp_path / "process")
    far = steps_of(_until(shared_client, _has(Finished)))
    with TrainingClient(in_thread=True) as client:
        client.start(language, tmp_path, settings(), tmp_path / "thread")
        near = steps_of(_until(client, _has(Finished)))
    assert [step.loss for step in far] == [step.loss for step in near]


def test_pause_step_resume_set_stop(client: TrainingClient, language: Design, tmp_path: Path) -> None:
    client.start(language, tmp_path, settings(steps=LONG), tmp_path / "run")
    _until(client, _has(StepDone, 3))
    assert client.state == "running"
    client.pause()
    paused = _until(client, _has(Paused))[-1]
    assert client.state == "paused"
    time.sleep(0.05)
    assert client.drain() == []
    client.step()
    assert [event.step for event in _until(client, _has(Paused)) if isinstance(event, StepDone)] == [paused.step + 1]
    client.set("learning_rate", 0.125)
    client.resume()
    events = _until(client, lambda events: _has(Resumed)(events) and _has(StepDone, 2)(events))
    assert client.state == "running"
    assert [event.value for event in events if isinstance(event, SettingChanged)] == [0.125]
    assert all(step.learning_rate == 0.125 for step in steps_of(events))
    client.stop()
    assert client.state in ("stopping", "finished")
    end = _until(client, _has(Finished))[-1]
    assert isinstance(end, Finished)
    assert end.reason == "stopped"
    assert Run.open(tmp_path / "run").state == "stopped"


def test_a_second_run_while_one_goes_on_is_refused(client: TrainingClient, language: Design, tmp_path: Path) -> None:
    client.start(language, tmp_path, settings(steps=LONG), tmp_path / "run")
    with pytest.raises(StudioError, match="going on"):
        client.start(language, tmp_path, settings(), tmp_path / "other")
    client.stop()
    _until(client, _has(Finished))
    client.start(language, tmp_path, settings(steps=LONG), tmp_path / "run", resume=True)
    started = _until(client, _has(StepDone))[0]
    assert isinstance(started, Started)
    assert started.resumed


def test_wrong_input_is_told_and_the_next_run_starts(client: TrainingClient, language: Design, tmp_path: Path) -> None:
    client.start(language, tmp_path / "nowhere", settings(), tmp_path / "run")
    failed = _until(client, _has(Failed))[-1]
    assert isinstance(failed, Failed)
    assert "sea.txt" in failed.what + failed.where
    assert failed.remedy
    assert not failed.details
    assert client.state == "failed"
    client.start(language, tmp_path, settings(steps=2), tmp_path / "run")
    _until(client, _has(Finished))


def test_draining_never_waits(shared_client: TrainingClient, language: Design, tmp_path: Path) -> None:
    """A worker that stands still holds up nobody who drains: waiting for it would never end."""
    client = shared_client
    client.start(language, tmp_path, settings(steps=LONG, probe_seconds=0.05), tmp_path / "run")
    _until(client, _has(StepDone))
    assert client.worker_pid is not None
    os.kill(client.worker_pid, signal.SIGSTOP)
    try:
        while client.drain():  # what was on its way
            time.sleep(0.01)
        assert client.drain() == []
    finally:
        os.kill(client.worker_pid, signal.SIGCONT)
    _until(client, _has(StepDone, 20))
    client.stop()
    _until(client, _has(Finished))


def test_a_window_that_does_not_look_slows_nothing(
    shared_client: TrainingClient, language: Design, tmp_path: Path
) -> None:
    client = shared_client
    client.start(language, tmp_path, settings(steps=400, probe_seconds=0.01), tmp_path / "run")
    while client.state != "finished":
        time.sleep(0.01)
    events = client.drain()
    while not isinstance(events[-1], Finished):  # the state is told a moment before its event
        events += client.drain()
    assert [step.step for step in steps_of(events)] == list(range(1, 401))
    assert sum(type(event).__name__ == "Probed" for event in events) == 1  # pictures: only the newest


def test_a_worker_that_is_killed_is_told_clearly(language: Design, tmp_path: Path) -> None:
    with TrainingClient() as client:
        client.start(language, tmp_path, settings(steps=LONG, checkpoint_every=5), tmp_path / "run")
        _until(client, _has(StepDone, 12))
        assert client.worker_pid is not None
        os.kill(client.worker_pid, signal.SIGKILL)
        failed = _until(client, _has(Failed))[-1]
        assert isinstance(failed, Failed)
        assert "ended from outside (SIGKILL)" in failed.what
        assert "memory" in failed.remedy
        assert client.state == "failed"
        run = Run.open(tmp_path / "run")
        assert run.state == "interrupted"
        assert [event for event in run.events() if isinstance(event, Failed)] == [failed]
        assert len(run.steps()) >= 0
        client.start(language, tmp_path, settings(steps=LONG, checkpoint_every=5), tmp_path / "run", resume=True)
        events = _until(client, _has(StepDone))
        assert steps_of(events)[0].step % 5 == 1
    assert Run.open(tmp_path / "run").state == "stopped"


def test_close_leaves_nothing_even_in_the_middle(language: Design, tmp_path: Path) -> None:
    for awaited in (False, True):
        client = TrainingClient()
        client.prepare()
        while awaited and client.worker_pid is None:
            time.sleep(0.01)
        client.close()
        client.close()
        assert client.worker_pid is None
    with pytest.raises(StudioError, match="closed"):
        client.start(language, tmp_path, settings(), tmp_path / "run")


DRIVER = """
import sys, time
from pathlib import Path
from rnnstudio.training.client import TrainingClient
from rnnstudio.training.runs import Run
from rnnstudio.training.settings import settings_from
assert "torch" not in sys.modules and "PySide6" not in sys.modules
from rnnstudio.design.storage import load
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    client = TrainingClient()
    settings = settings_from({"steps": 100000, "batch_size": 4, "chunk": 20, "threads": 1, "sample_length": 0})
    client.start(load(folder / "design.rnn"), folder, settings, folder / "run")
    while client.state != "running":
        time.sleep(0.01)
    print(client.worker_pid, flush=True)
    assert "torch" not in sys.modules
    sys.stdin.read()  # until it is killed
"""


def test_a_worker_ends_and_saves_when_its_window_is_killed(language: Design, tmp_path: Path) -> None:
    from rnnstudio.design.storage import save

    save(language, tmp_path / "design.rnn")
    script = tmp_path / "window.py"
    script.write_text(DRIVER)
    command = [sys.executable, str(script), str(tmp_path)]
    window = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert window.stdout is not None
        worker = int(window.stdout.readline())
        os.kill(worker, signal.SIGINT)  # the terminal sends Ctrl+C to both: the worker leaves it to the window
        time.sleep(0.2)
        os.kill(worker, 0)
        window.kill()
        while _alive(worker):
            time.sleep(0.02)
    finally:
        window.kill()
        window.communicate()
    run = Run.open(tmp_path / "run")
    assert run.state == "stopped"
    assert run.has("last")
    assert len(run.steps()) == run.info["step"] > 0


def _alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
