"""Distinct tokens are numbered: those of the later rows first, and each once."""

from __future__ import annotations

import torch

from rnnstudio.runtime.fused.distinct import Distinct


def test_each_token_has_one_number_and_later_rows_come_first() -> None:
    distinct = Distinct(50)
    g = torch.Generator().manual_seed(0)
    for n, first in ((40, 25), (1, 0), (7, 7), (300, 1)):
        tokens = torch.randint(0, 50, (2 * n,), generator=g)
        places = torch.randperm(2 * n, generator=g)[:n]
        found = distinct(tokens, places, first)
        assert found is not None
        present, numbers, later = found
        own = tokens[places]
        assert torch.equal(present[numbers], own)
        assert len(present) == len(set(own.tolist()))
        assert set(present[:later].tolist()) == set(own[first:].tolist())


def test_a_token_out_of_range_is_refused_and_leaves_nothing_behind() -> None:
    distinct, places = Distinct(5), torch.arange(4)
    for bad in (5, -1, 10**12):
        assert distinct(torch.tensor([3, 1, bad, 2]), places, 2) is None
        found = distinct(torch.tensor([3, 1, 3, 2]), places, 2)
        assert found is not None
        assert found[0].tolist() == [3, 2, 1]
        assert found[1].tolist() == [0, 2, 0, 1]
