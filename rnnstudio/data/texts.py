"""Texts of which there are millions, such as the times of a long table: their bytes, not an object for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from rnnstudio.data.progress import check

WIDEST = 64
"""Bytes of a text; where one is longer, all stay objects."""
_AT_ONCE = 1 << 16


class Texts(Sequence[str]):
    """values: [texts], UTF-8 as numpy holds it ("S…"), or objects where one of them is long. A slice is a tuple."""

    def __init__(self, values: npt.NDArray[Any]) -> None:
        self.values = values

    @classmethod
    def joined(cls, pieces: Sequence[npt.NDArray[Any]]) -> Texts:
        """The pieces, as `packed` makes them, end to end."""
        return cls(np.concatenate(pieces) if pieces else np.zeros(0, "S1"))

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...
    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        if isinstance(place, slice):
            return tuple(self.texts(self.values[place]))
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        place %= len(self)
        return self.texts(self.values[place : place + 1])[0]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _AT_ONCE):
            check()
            yield from self[start : start + _AT_ONCE]

    def __eq__(self, other: object) -> bool:
        if type(other) is type(self):
            return np.array_equal(self.values, other.values)
        return isinstance(other, Sequence) and len(other) == len(self) and all(map(str.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment]

    def texts(self, values: npt.NDArray[Any]) -> list[str]:
        """Some of the values as texts."""
        return [value.decode("utf-8", "surrogatepass") for value in values.tolist()]

    def take(self, places: npt.NDArray[np.int64]) -> Texts:
        """Those at some places."""
        return Texts(self.values[places])


def packed(texts: Sequence[str]) -> npt.NDArray[Any]:
    """Some texts as an array that Texts can hold."""
    written = [text.encode("utf-8", "surrogatepass") for text in texts]
    if max(map(len, written), default=0) > WIDEST or any(text.endswith(b"\x00") for text in written):
        return np.array(written, object)
    return np.array(written or [b""], np.bytes_)[: len(written)]


def taken(texts: Sequence[str], places: npt.NDArray[np.int64]) -> Sequence[str]:
    """Those at some places, in that order, of the same kind of sequence."""
    return texts.take(places) if isinstance(texts, Texts) else [texts[place] for place in places.tolist()]
