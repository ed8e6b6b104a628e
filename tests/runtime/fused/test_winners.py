"""Who won a contest is kept once for all runs on this machine, and for what it was held."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

from rnnstudio.runtime.context import Context
from rnnstudio.runtime.fused import winners
from rnnstudio.runtime.fused.jit import cache_folder, host

NAMES = ("one", "other")


def context(batch: int = 32, dtype: torch.dtype = torch.float32) -> Context:
    return Context({}, {"time": 35}, {}, batch, training=True, state={}, device=torch.device("cpu"), dtype=dtype)


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_the_first_winner_stands() -> None:
    assert winners.recall("loop", NAMES) == ""
    assert winners.remember("loop", "one", NAMES) == "one"
    assert winners.remember("loop", "other", NAMES) == "one"
    assert winners.recall("loop", NAMES) == "one"
    assert winners.recall("another loop", NAMES) == ""


def test_contests_held_at_the_same_time_end_with_one_winner() -> None:
    names = [str(i) for i in range(16)]
    with ThreadPoolExecutor(8) as pool:
        stands = set(pool.map(lambda name: winners.remember("loop", name, names), names))
    assert len(stands) == 1
    folder = cache_folder()
    assert folder is not None
    assert [file.name for file in (folder / "winners").iterdir()] == ["loop"]


@pytest.mark.parametrize("content", [b"", b"abacus", b"\xff\xfe\x00"])
def test_what_is_no_lowering_is_written_over(content: bytes) -> None:
    winners.remember("loop", "one", NAMES)
    folder = cache_folder()
    assert folder is not None
    (folder / "winners" / "loop").write_bytes(content)
    assert winners.recall("loop", NAMES) == ""
    assert winners.remember("loop", "other", NAMES) == "other"
    assert winners.recall("loop", NAMES) == "other"


def test_in_a_folder_that_others_may_enter_nothing_is_kept() -> None:
    folder = cache_folder()
    assert folder is not None
    folder.chmod(0o755)
    assert winners.remember("loop", "one", NAMES) == "one"
    assert winners.recall("loop", NAMES) == ""
    folder.chmod(0o700)
    assert winners.recall("loop", NAMES) == ""


@pytest.mark.usefixtures("threads")
def test_a_winner_is_for_the_sizes_numbers_threads_and_processor_it_won_with(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    key = winners.key_of("loop", context(), 35)
    assert key == winners.key_of("loop", context(40), 60)
    others = [winners.key_of("loop", context(64), 35), winners.key_of("loop", context(), 70)]
    others += [winners.key_of("loop", context(dtype=torch.float64), 35), winners.key_of("other", context(), 35)]
    torch.set_num_threads(2)
    others.append(winners.key_of("loop", context(), 35))
    torch.set_num_threads(1)
    monkeypatch.setattr(winners, "host", lambda double: replace(host(double), cpu="another"))
    others.append(winners.key_of("loop", context(), 35))
    assert len({key, *others}) == 7
