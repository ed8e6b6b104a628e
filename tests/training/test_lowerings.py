"""What a loop runs on is part of a run: a resumed run computes on the same, and so the same bits."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnnstudio.runtime.fused.jit import cache_folder
from rnnstudio.runtime.fused.loops import KERNEL, MACHINE
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
    (folder / "winners.json").unlink(missing_ok=True)
    rest = run("parts", 6, resume=True)
    assert first + rest == whole
