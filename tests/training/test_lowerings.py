"""What a loop runs on is part of a run: a resumed run computes on the same, and so the same bits."""

from __future__ import annotations

import shutil
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from rnnstudio.headless.progress import Progress
from rnnstudio.headless.train import follow
from rnnstudio.runtime.fused.jit import cache_folder
from rnnstudio.runtime.fused.loops import KERNEL, MACHINE
from rnnstudio.training.events import Compiling, Event, Started, StepDone
from rnnstudio.training.settings import TrainingSettings
from tests.training.designs import language_model, steps_of, text_file, trainer


@pytest.mark.parametrize("lowering", [KERNEL, MACHINE])
def test_a_resumed_run_goes_on_with_the_lowering_it_had(tmp_path: Path, lowering: str) -> None:
    design = language_model(text_file(tmp_path))

    def run(name: str, steps: int, *, resume: bool = False):
        one = trainer(design, tmp_path, run=name, resume=resume, steps=steps)
        if not resume:
            loops = [scan.name for scan in one.network.program.scans()]
            one.network.set_lowering_choices(dict.fromkeys(loops, lowering))
        events = steps_of(list(one.events()))
        assert set(one.network.lowering_choices().values()) == {lowering}
        return [event.loss for event in events]

    whole = run("whole", 6)
    first = run("parts", 3)
    folder = cache_folder()
    assert folder is not None
    shutil.rmtree(folder / "winners", ignore_errors=True)
    rest = run("parts", 6, resume=True)
    assert first + rest == whole


@pytest.mark.usefixtures("no_machine_code")
def test_machine_code_that_is_being_made_is_told_at_once_and_that_it_is_there(tmp_path: Path) -> None:
    design = language_model(text_file(tmp_path))
    heard: list[Event] = []
    one = trainer(design, tmp_path, steps=2)
    one.tell = heard.append
    for event in one.events():
        heard.append(event)
    first = next(i for i, event in enumerate(heard) if isinstance(event, StepDone))
    before = [event for event in heard[:first] if isinstance(event, Compiling)]
    assert isinstance(heard[0], Started)
    assert before
    assert [event.loop for event in before] == ["lstm", ""] * (len(before) // 2)
    assert [event.loop for event in heard if isinstance(event, Compiling)][-1] == ""

    again: list[Event] = []
    two = trainer(design, tmp_path, run="again", steps=2)
    two.tell = again.append
    list(two.events())
    assert not again  # it lies on the disk


@pytest.mark.usefixtures("no_machine_code")
def test_without_a_terminal_a_line_says_that_machine_code_is_being_made(tmp_path: Path) -> None:
    out = StringIO()
    console = Console(file=out, force_terminal=False, width=200, highlight=False)
    follow(trainer(language_model(text_file(tmp_path)), tmp_path, steps=2), console)
    assert out.getvalue().count("Making machine code for lstm …") == 1


def test_the_bar_of_a_terminal_no_longer_says_it_afterwards() -> None:
    with Progress(Console(file=StringIO(), force_terminal=True)) as progress:
        progress.show(Started(0, 0.0, "run", "cpu", 1, 10, 10, {}, ()))
        progress.show(Compiling(0, 0.0, "lstm"))
        (task,) = progress.bar.tasks
        assert task.fields["state"] == "making machine code for lstm …"
        progress.show(Compiling(0, 0.5, ""))
        assert task.fields["state"] == ""


@pytest.mark.parametrize("asked", [False, True])
def test_the_setting_for_what_is_experimental_on_a_gpu_reaches_the_loops(tmp_path: Path, asked: bool) -> None:
    design = language_model(text_file(tmp_path))
    one = trainer(design, tmp_path, steps=1, experimental_gpu=asked)
    assert one.network.loops.experimental_gpu is asked


def test_what_is_experimental_is_off_unless_asked_for_and_says_so_in_the_form() -> None:
    field = TrainingSettings.model_fields["experimental_gpu"]
    assert TrainingSettings().experimental_gpu is False
    assert "Experimental" in str(field.title)
