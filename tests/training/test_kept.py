"""Nothing of a training is lost: checkpoints and history agree, and what is damaged, full or read-only is told."""

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import torch

from rnnstudio.design.design import Design
from rnnstudio.design.errors import StudioError
from rnnstudio.export import export_python
from rnnstudio.training import checkpoints
from rnnstudio.training.client import TrainingClient
from rnnstudio.training.evaluate import evaluate, load_trained
from rnnstudio.training.events import CheckpointSaved, Failed, Finished, Log, Sampled, StepDone, Validated
from rnnstudio.training.runs import Run
from rnnstudio.training.saved import Damaged, step_of
from rnnstudio.training.trainer import Trainer
from tests.full_disk import full_disk
from tests.read_only import read_only_folder
from tests.soak import runs as spoiled_runs
from tests.soak._apart import held
from tests.training.designs import data_of, language_model, settings, steps_of, text_file, trainer

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has neither these limits nor these permissions")


@pytest.fixture
def language(tmp_path: Path) -> Design:
    return language_model(text_file(tmp_path, 2000), hidden=6)


@pytest.fixture
def trained(language: Design, tmp_path: Path) -> Path:
    list(trainer(language, tmp_path, steps=9, validate_every=3, sample_every=3).events())
    return tmp_path / "run"


def _checkpoint(run: Path, which: str) -> Path:
    return run / "checkpoints" / f"{which}.safetensors"


def _saved(events: list[object]) -> list[int]:
    return [event.step for event in events if isinstance(event, CheckpointSaved) and not event.best]


@posix
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", ["kills", "full"])
def test_some_trials_of_the_soak(name: str) -> None:
    score = held(name, 5, 0.02)
    assert score.failures == []
    assert score.done > 2


def test_some_damaged_runs_of_the_soak() -> None:
    assert spoiled_runs.trials(25, 5) == (25, [])


# --- when checkpoints are made


def test_there_is_a_checkpoint_before_the_first_step(language: Design, tmp_path: Path) -> None:
    events = trainer(language, tmp_path, steps=5).events()
    for event in events:
        if isinstance(event, StepDone):
            break
        assert event.step == 0
    assert Run.open(tmp_path / "run").step_to_resume() == 0
    events.close()
    again = list(trainer(language, tmp_path, steps=5, resume=True).events())
    whole = list(trainer(language, tmp_path, "whole", steps=5).events())
    assert [step.loss for step in steps_of(again)] == [step.loss for step in steps_of(whole)]


def test_a_run_without_a_checkpoint_promises_no_resume(language: Design, tmp_path: Path) -> None:
    trainer(language, tmp_path).run.hold.release()  # ended before it began
    run = Run.open(tmp_path / "run")
    assert run.state == "interrupted"
    assert run.step_to_resume() is None
    with pytest.raises(StudioError, match=r"ended before its first checkpoint.*Start a new run"):
        trainer(language, tmp_path, resume=True)


@pytest.mark.parametrize(("seconds", "steps"), [(1e-9, [0, 1, 2, 3, 4]), (0, [0, 4]), (1e9, [0, 4])])
def test_checkpoints_are_made_by_time(language: Design, tmp_path: Path, seconds: float, steps: list[int]) -> None:
    events = list(trainer(language, tmp_path, steps=4, validate_every=100, checkpoint_seconds=seconds).events())
    assert _saved(events) == steps
    (end,) = (event for event in events if isinstance(event, Finished))
    assert end.summary["checkpoints"] >= len(steps)
    assert end.summary["checkpoint_seconds"] > 0


def test_checkpoints_that_take_much_of_the_time_are_told_once(language: Design, tmp_path: Path) -> None:
    one = trainer(language, tmp_path, steps=20, validate_every=100, checkpoint_every=1)
    one.keeper.cost = 1e6  # as on a very slow disk
    told = [event.text for event in one.events() if isinstance(event, Log)]
    assert len(told) == 1
    assert "Checkpoints take" in told[0]
    assert "checkpoint_seconds" in told[0]


def test_the_history_has_what_a_checkpoint_stands_for_before_it_is_there(language: Design, tmp_path: Path) -> None:
    path = tmp_path / "run" / "history.sqlite"
    for event in trainer(language, tmp_path, steps=12, validate_every=4, sample_every=3, checkpoint_every=2).events():
        if isinstance(event, CheckpointSaved):
            body = checkpoints.load(Path(event.path)).body
            with closing(sqlite3.connect(path)) as connection:
                steps = [row[0] for row in connection.execute("SELECT step FROM steps ORDER BY step")]
                (last,) = connection.execute("SELECT max(rowid) FROM events").fetchone()
            assert steps[: body["place"]["step"]] == list(range(1, body["place"]["step"] + 1))
            assert last >= body["history"]


def test_a_best_one_that_is_newer_than_the_last_is_gone_on_from(language: Design, tmp_path: Path) -> None:
    """As a process leaves it that is killed between the two."""
    events = trainer(language, tmp_path, steps=9, validate_every=3, checkpoint_every=100).events()
    for event in events:
        if isinstance(event, CheckpointSaved) and event.step == 0:
            for suffix in (".safetensors", ".json"):
                shutil.copy(_checkpoint(tmp_path / "run", "last").with_suffix(suffix), tmp_path / f"first{suffix}")
    whole = Run.open(tmp_path / "run")
    best, steps, scores = whole.best(), whole.steps().loss.tolist(), whole.validations()
    assert best is not None
    for suffix in (".safetensors", ".json"):
        shutil.copy(tmp_path / f"first{suffix}", _checkpoint(tmp_path / "run", "last").with_suffix(suffix))
    again = list(trainer(language, tmp_path, steps=9, validate_every=3, checkpoint_every=100, resume=True).events())
    assert again[0].step == best.step
    run = Run.open(tmp_path / "run")
    assert run.steps().loss.tolist() == steps
    assert [(one.step, one.loss) for one in run.validations()] == [(one.step, one.loss) for one in scores]


def test_a_sample_that_a_stop_cuts_short_is_written_whole_by_the_resumed_run(language: Design, tmp_path: Path) -> None:
    same = {"steps": 8, "sample_every": 4, "validate_every": 100}
    whole = [event for event in trainer(language, tmp_path, "whole", **same).events() if isinstance(event, Sampled)]
    one = trainer(language, tmp_path, **same)
    write = one.writer.write

    def stopped_meanwhile(*arguments: object) -> str:
        one.request("stop")
        return write(*arguments)

    one.writer.write = stopped_meanwhile
    assert list(one.events())[-1].step == 4
    assert Run.open(tmp_path / "run").samples() == []
    list(trainer(language, tmp_path, resume=True, **same).events())
    found = Run.open(tmp_path / "run").samples()
    assert [(one.step, one.text) for one in found] == [(one.step, one.text) for one in whole]
    assert (tmp_path / "run" / "samples.txt").read_text(encoding="utf-8").count("────") == 2


# --- who trains


def test_a_run_is_alive_as_long_as_a_trainer_holds_it(language: Design, tmp_path: Path) -> None:
    events = trainer(language, tmp_path).events()
    next(events)
    assert Run.open(tmp_path / "run").state == "running"
    with pytest.raises(StudioError, match="being trained by this process"):
        trainer(language, tmp_path, resume=True)
    events.close()
    assert Run.open(tmp_path / "run").state == "interrupted"


@posix
def test_the_number_of_a_process_that_is_given_again_does_not_keep_a_run_alive(trained: Path) -> None:
    body = json.loads((trained / "run.json").read_text())
    (trained / "run.json").write_text(json.dumps({**body, "state": "running", "pid": os.getppid()}))
    assert Run.open(trained).state == "interrupted"


# --- damaged


def test_any_byte_of_a_checkpoint_that_changes_is_found(trained: Path) -> None:
    path = _checkpoint(trained, "last")
    content = path.read_bytes()
    for place in range(0, len(content), len(content) // 60):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with pytest.raises(
            Damaged, match=r"The checkpoint is damaged: .*last\.safetensors.*best \(step \d\), is whole"
        ):
            checkpoints.load(path)


def test_a_damaged_checkpoint_names_the_one_to_use(trained: Path) -> None:
    _checkpoint(trained, "best").write_bytes(b"no checkpoint")
    with pytest.raises(StudioError, match=r"best\.safetensors\).*last \(step 9\), is whole: use --checkpoint last"):
        evaluate(trained)
    assert evaluate(trained, which="last")["step"] == 9


def test_resume_goes_on_from_the_best_where_the_last_is_damaged_and_says_so(
    trained: Path, language: Design, tmp_path: Path
) -> None:
    best = step_of(_checkpoint(trained, "best"))
    _checkpoint(trained, "last").write_bytes(b"no checkpoint")
    same = {"steps": 9, "validate_every": 3, "sample_every": 3}
    before = Run.open(trained).steps().loss.tolist()
    events = list(trainer(language, tmp_path, resume=True, **same).events())
    assert events[0].step == best
    (log,) = (event.text for event in events if isinstance(event, Log))
    assert "damaged" in log
    assert f"“best”, step {best}" in log
    assert Run.open(trained).steps().loss.tolist() == before


@posix
@pytest.mark.parametrize("name", ["run.json", "settings.json", "run.lock"])
def test_a_pipe_among_the_files_of_a_run_is_not_waited_for(trained: Path, name: str) -> None:
    (trained / name).unlink()
    os.mkfifo(trained / name)
    if name == "run.lock":
        evaluate(trained)
        return
    with pytest.raises(StudioError, match="no plain file but a pipe or a device"):
        evaluate(trained)


@posix
def test_a_pipe_in_the_place_of_a_checkpoint_is_a_damaged_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "last.safetensors")
    with pytest.raises(Damaged, match="damaged: it is no plain file but a pipe or a device"):
        step_of(tmp_path / "last.safetensors")


def test_two_hundred_thousand_tensors_are_no_checkpoint(trained: Path) -> None:
    path = _checkpoint(trained, "last")
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    del header["__metadata__"]["digest"]
    many = {f"weights/{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(200_000)}
    text = json.dumps(header | many).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])
    with pytest.raises(Damaged, match="tensors"):
        checkpoints.load(path)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("PRAGMA user_version=9", "format 9.*Update"),
        ("UPDATE events SET body = '{\"loss\": \"x\"}' WHERE kind = 'Validated'", "damaged.*stands where float"),
        ("DROP TABLE events", "no such table"),
    ],
)
def test_a_history_that_cannot_be_read_is_one_clear_error(trained: Path, command: str, words: str) -> None:
    with closing(sqlite3.connect(trained / "history.sqlite")) as connection, connection:
        connection.execute(command)
    with pytest.raises(StudioError, match=words) as caught:
        Run.open(trained).validations()
    assert "history.sqlite" in str(caught.value)
    assert evaluate(trained)["step"]  # the model is there all the same


# --- no room, or no leave to write


@pytest.fixture
def client() -> Iterator[TrainingClient]:
    with TrainingClient(in_thread=True) as made:
        yield made


@posix
def test_a_full_disk_under_the_client_leaves_no_run_running(
    language: Design, tmp_path: Path, client: TrainingClient
) -> None:
    client.start(language, tmp_path, settings(steps=100_000, checkpoint_every=5, validate_every=1000), tmp_path / "run")
    events: list[object] = []
    while not any(isinstance(event, StepDone) for event in events):
        client.wait()
        events += client.drain()
    with full_disk(9000):  # run.json fits, a checkpoint does not
        while client.alive:
            client.wait(0.1)
        events += client.drain()
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert str(tmp_path / "run") in failed.where
    assert "space" in failed.remedy or "full" in failed.remedy
    run = Run.open(tmp_path / "run")
    assert run.state == "failed"
    steps = (run.step_to_resume() or 0) + 5
    client.start(language, tmp_path, settings(steps=steps), tmp_path / "run", resume=True)
    while client.alive:
        client.wait(0.1)
    assert client.state == "finished"
    assert Run.open(tmp_path / "run").steps().step.tolist() == list(range(1, steps + 1))


@posix
def test_a_folder_for_runs_or_exports_that_is_read_only_is_named(
    trained: Path, language: Design, tmp_path: Path
) -> None:
    model, data = load_trained(trained), data_of(language, tmp_path)
    with read_only_folder() as folder:
        for out in (folder / "net", folder / "new" / "net"):
            with pytest.raises(StudioError, match=f"Cannot write the export: the folder {folder} is read-only"):
                export_python(model.network, model.recipe, out)
        with pytest.raises(StudioError, match=f"The run's folder cannot be made: the folder {folder} is read-only"):
            Trainer(language, data, settings(), folder / "run")


@posix
def test_a_read_only_run_is_told_when_it_is_resumed_and_serves_to_read(
    trained: Path, language: Design, tmp_path: Path
) -> None:
    data = data_of(language, tmp_path)
    with read_only_folder(trained) as folder:
        load_trained(folder)
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        with pytest.raises(StudioError, match=str(folder)) as caught:
            Trainer(language, data, settings(steps=20), folder, resume=True)
        assert "read" in str(caught.value)
        assert "writing in" in caught.value.remedy
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_best_is_of_the_lowest_validation(trained: Path) -> None:
    run = Run.open(trained)
    best = run.best()
    assert isinstance(best, Validated)
    assert checkpoints.load(_checkpoint(trained, "best")).body["place"]["best_step"] == best.step
    assert torch.isfinite(torch.tensor(best.loss))
