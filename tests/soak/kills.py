"""Trainings that are killed (SIGKILL), at any moment or while a file is written, and resumed.

Afterwards the history, the best score, the samples and the weights are, bit for bit, those of an unbroken training.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import torch

from rnnstudio.design.design import Design
from rnnstudio.design.drafts import abandoned
from rnnstudio.training import checkpoints
from rnnstudio.training.events import Answered, Event, Forecast, Sampled, Validated
from rnnstudio.training.runs import Run
from rnnstudio.training.trainer import Trainer
from tests.training.designs import language_model, text_file, trainer

COUNT = 300

STEPS = 40
TOUCHES = ("open", "os.rename", "os.link", "os.remove")
"""What Python tells of a process that works on files (its audit events)."""


def trials(count: int, seed: int) -> tuple[int, list[str]]:
    if not hasattr(os, "fork"):
        return 0, []
    pick, failures = random.Random(seed), []
    with tempfile.TemporaryDirectory(prefix="rnnstudio-kills-") as name:
        folder = Path(name)
        design = language_model(text_file(folder, 2000), hidden=6, dropout=0.2)
        list(training(design, folder, "whole", resume=False).events())
        for number in range(count):
            failure = _trial(design, folder, pick)
            if failure:
                failures.append(f"trial {number}, seed {seed}: {failure}")
            shutil.rmtree(folder / "run", ignore_errors=True)
    return count, failures


def main() -> None:
    done, failures = trials(COUNT, 0)
    print(f"{done} trials, {len(failures)} failures", *failures, sep="\n")


def training(design: Design, folder: Path, run: str, *, resume: bool, every: int = 0) -> Trainer:
    """The one training of all trials: what it computes does not depend on when checkpoints are made."""
    changes: dict[str, Any] = {"validate_every": 6, "sample_every": 4, "checkpoint_seconds": 0.03}
    made = trainer(design, folder, run, resume=resume, steps=STEPS, sample_length=8, checkpoint_every=every, **changes)
    made.network.set_lowering_choices({scan.name: "machine code" for scan in made.network.program.scans()})
    return made


def _train(design: Design, folder: Path, resume: bool, every: int) -> None:
    for _ in training(design, folder, "run", resume=resume, every=every).events():
        pass


def _trial(design: Design, folder: Path, pick: random.Random) -> str:
    """Up to three kills of one training, then its end."""
    every, path = pick.choice((0, 3, 7)), folder / "run"
    for _ in range(pick.randint(1, 3)):
        try:
            resume = ready(path)
        except ValueError as error:
            return str(error)
        how = pick.choice((_after(pick.uniform(0, 0.4)), at_touch(pick.randint(1, 120))))
        code, told = apart(partial(_train, design, folder, resume, every), how)
        if code not in (0, -signal.SIGKILL):
            return f"the training ended with {code}: {told}"
        if code == 0:
            break
    try:
        resume = ready(path)
    except ValueError as error:
        return str(error)
    code, told = apart(partial(_train, design, folder, resume, every))
    return f"resume ended with {code}: {told}" if code else different(folder / "whole", path)


def ready(path: Path) -> bool:
    """Whether to resume. A run that was killed before it had a checkpoint promises nothing: it is taken away.

    Raises ValueError when a run promises to be alive, or that it has no checkpoint after one was there.
    """
    if not (path / "run.json").exists():
        shutil.rmtree(path, ignore_errors=True)
        return False
    run = Run.open(path)
    if run.state in ("running", "paused"):
        raise ValueError("a killed training is told to be running")
    if run.step_to_resume() is None:
        if any((path / "checkpoints").glob("*.safetensors")):
            raise ValueError("there is a checkpoint, and none to go on from")
        shutil.rmtree(path)
        return False
    return True


Kill = Callable[[int], None]


def _after(seconds: float) -> Kill:
    """Kill from outside, after some time."""

    def kill(pid: int) -> None:
        if pid:
            time.sleep(seconds)
            os.kill(pid, signal.SIGKILL)

    return kill


def at_touch(count: int, touches: Collection[str] = TOUCHES) -> Kill:
    """Kill from inside, when the process touches a file for the count-th time: before it is opened, renamed, linked."""

    def kill(pid: int) -> None:
        if pid:
            return
        left = count

        def hear(event: str, arguments: object) -> None:
            nonlocal left
            if event in touches:
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hear)

    return kill


def apart(work: Callable[[], object], kill: Kill = lambda pid: None) -> tuple[int, str]:
    """Do it in a process of its own. kill: called in both, with the child's number and with 0.

    Returns the exit code (minus the signal's number) and what was raised.
    """
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.close(read)
            kill(0)
            work()
            code = 0
        except BaseException:  # noqa: BLE001 (the child of a fork ends here, whatever happens)
            os.write(write, traceback.format_exc(limit=-4).encode()[-4000:])
        finally:
            os._exit(code)
    os.close(write)
    kill(pid)
    _, status = os.waitpid(pid, 0)
    with os.fdopen(read, "rb") as file:
        told = file.read().decode(errors="replace").replace("\n", " | ")
    return os.waitstatus_to_exitcode(status), told


def different(whole: Path, path: Path) -> str:
    """How a resumed run differs from the unbroken one; "" where it does not."""
    wanted, run = Run.open(whole), Run.open(path)
    if run.state != "finished":
        return f"its state is {run.state}"
    for name in ("step", "epoch", "loss", "learning_rate", "gradient_norm", "clipped", "tokens", "carried"):
        if getattr(run.steps(), name).tolist() != getattr(wanted.steps(), name).tolist():
            return f"the steps' {name}: {len(run.steps())} steps, {getattr(run.steps(), name).tolist()}"
    for kind in (Validated, Sampled, Forecast, Answered):
        if _of(run, kind) != _of(wanted, kind):
            return f"{kind.__name__}: {[line[:60] for line in _of(run, kind)]}"
    if _score(run) != _score(wanted):
        return f"the best is {_score(run)}, not {_score(wanted)}"
    text, right = ((one / "samples.txt").read_text(encoding="utf-8").count("────") for one in (path, whole))
    if text != right:
        return f"samples.txt has {text} samples, not {right}"
    for which in ("last", "best"):
        ours, theirs = (checkpoints.load(one.folder / "checkpoints" / f"{which}.safetensors") for one in (run, wanted))
        if ours.body["place"]["step"] != theirs.body["place"]["step"]:
            return f"{which} is of step {ours.body['place']['step']}"
        if not all(torch.equal(ours.weights[name], value) for name, value in theirs.weights.items()):
            return f"{which} has other weights"
    left = [draft.name for place in (path, path / "checkpoints") for draft in abandoned(place)]
    return f"drafts are left: {left}" if left else ""


def _of(run: Run, kind: type[Event]) -> list[str]:
    """The events of a kind, without the time they happened at."""
    return [repr((event.step, repr(event).split(", ", 2)[2])) for event in run.events() if type(event) is kind]


def _score(run: Run) -> tuple[int, float] | None:
    best = run.best()
    return (best.step, best.loss) if best else None


if __name__ == "__main__":
    main()
