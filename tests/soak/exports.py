"""Exports that are killed (SIGKILL) while their files take their names, over an export of another network.

Afterwards what can be loaded is one of the two exports, whole: code and weights of different ones tell so themselves,
and a certificate lies beside its own files alone. The next export is whole, and nothing is left of the killed one.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
from functools import partial
from pathlib import Path

from rnnstudio.design.drafts import abandoned
from rnnstudio.export import export_python
from rnnstudio.export.placing import CERTIFICATE
from rnnstudio.training.trainer import Trainer
from tests.export.test_free_running import imported
from tests.soak.kills import apart, at_touch
from tests.training.designs import forecaster, trainer
from tests.training.series import series_file

COUNT = 100
TOUCHES = ("os.rename", "os.link", "os.remove")
"""What Python tells of a process that gives files their names (its audit events)."""


def trials(count: int, seed: int) -> tuple[int, list[str]]:
    if not hasattr(os, "fork"):
        return 0, []
    pick, failures = random.Random(seed), []
    with tempfile.TemporaryDirectory(prefix="rnnstudio-exports-") as name:
        folder = Path(name)
        path = series_file(folder)
        before, after = (trainer(forecaster(path, squash=kind), folder, kind, steps=1) for kind in ("Tanh", "Sigmoid"))
        whole = {}
        for kind, made in (("before", before), ("after", after)):
            _export(made, folder / kind)
            whole[kind] = _files(folder / kind)
        for number in range(count):
            touch = pick.randint(1, 12)
            shutil.rmtree(folder / "out", ignore_errors=True)
            shutil.copytree(folder / "before", folder / "out")
            problem = _trial(after, folder / "out", touch, whole["before"], whole["after"])
            if problem:
                failures.append(f"trial {number}, seed {seed}, killed at touch {touch}: {problem}")
    return count, failures


def main() -> None:
    done, failures = trials(COUNT, 0)
    print(f"{done} trials, {len(failures)} failures", *failures, sep="\n")


def _trial(made: Trainer, out: Path, touch: int, before: dict[str, bytes], after: dict[str, bytes]) -> str:
    code, told = apart(partial(_export, made, out), at_touch(touch, TOUCHES))
    if code not in (0, -signal.SIGKILL):
        return f"the export ended with {code}: {told}"
    found = _files(out)
    certified = next((name for name in found if name.endswith(CERTIFICATE)), None)
    if certified is not None and found not in (before, after):
        return "a certificate lies beside files of another export"
    rest = [{name: one[name] for name in one if not name.endswith(CERTIFICATE)} for one in (found, before, after)]
    if rest[0] not in rest[1:]:
        try:
            imported(next(out.glob("*.py"))).load()
        except ValueError as error:
            if "another export" not in str(error):
                return f"it was told otherwise: {error}"
        else:
            return "code and weights of two exports were loaded as one"
    _export(made, out)
    if _files(out) != after:
        return "the next export is not whole"
    left = [draft.name for draft in abandoned(out)]
    return f"drafts are left: {left}" if left else ""


def _export(made: Trainer, out: Path) -> None:
    out.mkdir(exist_ok=True)
    export_python(made.network, made.dataset.recipe, out / "net")


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


if __name__ == "__main__":
    main()
