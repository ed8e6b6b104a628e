"""Rows of a table are added up as torch's index_add_ adds them, and nothing beyond them is touched."""

from __future__ import annotations

import pytest
import torch

from rnnstudio.runtime.fused.table_rows import add_rows

from .test_bounds import WIDTHS, Guarded


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", WIDTHS)
def test_add_rows(width: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    guard, numbers = Guarded(), torch.randint(0, 5, (23,))
    table = guard.like(torch.randn(5, width, dtype=dtype))
    rows = torch.randn(23, width + 3, dtype=dtype)[:, :width]
    wanted = table.clone().index_add_(0, numbers, rows)
    assert add_rows(table, numbers, rows) is table
    torch.testing.assert_close(table, wanted)
    guard.check()
