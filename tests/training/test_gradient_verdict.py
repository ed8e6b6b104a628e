"""What the gradient panel says of a training whose gradients are known: from the step's look to the panel's words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rnnstudio.studio.plots.gradients import verdict
from rnnstudio.training.events import Probed
from tests.training.designs import forecaster, language_model, text_file, trainer
from tests.training.series import series_file


def looked_at(folder: Path, factor: float, k: int = 1) -> Probed:
    """A net that stays at 0, where tanh is the identity: W_hh is `factor` times a rotation, a loss at every step."""
    one = trainer(forecaster(series_file(folder), k=k), folder, steps=1, chunk=60, batch_size=2, probe_seconds=10)
    turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(2)))[0]
    with torch.no_grad():
        for path, weight in one.network.weights.items():
            if path.startswith("hidden."):
                weight.zero_()
        one.network.weights["hidden.weight2"].copy_(factor * turn)
    (probe,) = (event for event in one.events() if isinstance(event, Probed))
    return probe


@pytest.mark.parametrize("k", [1, -1])
@pytest.mark.parametrize(
    ("factor", "kind", "head", "said"),
    [
        (0.0, "vanishes", "The gradient vanishes:", "reaches the last step alone"),
        (0.5, "vanishes", "The gradient vanishes:", "a factor of 0.500 a step"),
        (1.0, "steady", "The gradient arrives:", "a factor of 1.000 a step"),
        (1.4, "explodes", "The gradient explodes:", "a factor of 1.400 a step"),
    ],
)
def test_the_verdict_is_of_what_comes_back_through_the_steps(
    factor: float, kind: str, head: str, said: str, k: int, tmp_path: Path
) -> None:
    probe = looked_at(tmp_path, factor, k)
    assert probe.backward == (("state",) if k < 0 else ())
    last = probe.end_gradients["state"]
    found, (start, rest) = verdict(last[::-1] if k < 0 else last)
    assert (found, start) == (kind, head)
    assert said in rest
    if factor == 0:  # what the total hides: every step's own loss reaches it directly
        assert (probe.state_gradients["state"] > 0).all()


def test_the_end_is_that_of_the_example_that_is_shown(tmp_path: Path) -> None:
    """Read from the step by machine code or found by the probe: at its last step the total has no more than L_T."""
    one = trainer(language_model(text_file(tmp_path)), tmp_path, steps=1, probe_seconds=10)
    one.network.set_lowering_choices({scan.name: "machine code" for scan in one.network.program.scans()})
    (probe,) = (event for event in one.events() if isinstance(event, Probed))
    assert set(probe.end_gradients) == set(probe.state_gradients)
    assert probe.batch_gradients
    for path, last in probe.end_gradients.items():
        total = probe.state_gradients[path]
        assert last.shape == total.shape
        assert last[-1] == pytest.approx(total[-1], rel=1e-4)
