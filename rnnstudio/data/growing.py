"""An array that grows row by row without ever being there twice: a table's numbers while it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

_FIRST = 1 << 12


class Growing:
    """[rows, *shape] of a dtype. Memory that nobody has written to costs nothing, so that much is asked for at once.

    expected: asked when room is needed, with how many rows there are: how many there may be in all.
    """

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike, expected: Callable[[int], int]) -> None:
        self._array = np.empty((0, *shape), dtype)
        self._expected = expected
        self.rows = 0

    def append(self, values: npt.NDArray[Any]) -> None:
        end = self.rows + len(values)
        if end > len(self._array):
            room = max(end, _FIRST, self._expected(end))
            if not self.rows:
                self._array = np.empty((room, *self._array.shape[1:]), self._array.dtype)
            else:  # moved by the system, page by page, where it is large
                self._array.resize((room, *self._array.shape[1:]), refcheck=False)
        self._array[self.rows : end] = values
        self.rows = end

    def finished(self) -> npt.NDArray[Any]:
        """The rows; nothing can be appended any more."""
        array, self._array = self._array, np.empty(0)
        array.resize((self.rows, *array.shape[1:]), refcheck=False)
        return array
