"""Batches prepared ahead are the batches that come, in the same order."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rnnstudio.data.batches import Batches
from rnnstudio.training.feeding import Feed

from .designs import data_of, language_model, text_file


def batches(folder: Path) -> Batches:
    design = language_model(text_file(folder, 2000))
    return Batches(data_of(design, folder), "train", 4, 50, carry=False, seed=3)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_what_was_prepared_ahead_is_what_would_have_come(tmp_path: Path, device: str) -> None:
    """torch's meta device stands for any that is not the processor: shapes without memory."""
    made = batches(tmp_path)
    feed = Feed(made, torch.device(device))
    assert len(made) > 2
    for step in range(2 * len(made)):
        epoch, index = divmod(step, len(made))
        batch, fields = feed.take(epoch, index)
        expected = made.batch(epoch, index)
        assert all(torch.equal(batch.fields[name], x) for name, x in expected.fields.items())
        assert all(torch.equal(batch.lengths[axis], x) for axis, x in expected.lengths.items())
        assert {name: x.shape for name, x in fields.items()} == {name: x.shape for name, x in expected.fields.items()}
        assert {x.device.type for x in fields.values()} == {device}
        feed.prepare(epoch, index)


def test_a_training_that_goes_on_elsewhere_gets_its_own_batch(tmp_path: Path) -> None:
    made = batches(tmp_path)
    feed = Feed(made, torch.device("meta"))
    feed.prepare(0, 0)
    batch, _ = feed.take(1, 2)
    assert all(torch.equal(batch.fields[name], x) for name, x in made.batch(1, 2).fields.items())
