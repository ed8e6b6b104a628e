"""What a GPU may round is what the settings say, for products and for cuDNN's layers alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from rnnstudio.runtime.transfer import to_device
from rnnstudio.training.machine import choose_device, device_name, set_precision


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@pytest.mark.parametrize(("wanted", "rounds"), [("float32", False), ("tf32", True), ("mixed", False)])
def test_both_libraries_round_or_neither(wanted: str, rounds: bool) -> None:
    set_precision(wanted)
    assert torch.backends.cuda.matmul.allow_tf32 is rounds
    assert torch.backends.cudnn.allow_tf32 is rounds
    assert torch.backends.cuda.matmul.fp32_precision == ("tf32" if rounds else "ieee")


def test_the_processor_is_named_plainly_and_copies_nothing() -> None:
    cpu = choose_device("cpu")
    assert device_name(cpu) == "cpu"
    x = torch.arange(5)
    assert to_device(x, cpu) is x


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_numbers_arrive_on_a_gpu() -> None:
    x = torch.arange(5)
    assert torch.equal(to_device(x, torch.device("cuda")).cpu(), x)
