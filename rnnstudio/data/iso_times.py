"""Times written as ISO 8601 has them, in eight bytes each: the times of a long table need no text for every row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnstudio.data.texts import Texts

Moments = npt.NDArray[np.datetime64]

_FORMS: dict[tuple[int, bytes], tuple[str, str]] = {
    (10, b""): ("D", ""),
    **{(16, mark): ("m", mark.decode()) for mark in (b"T", b" ")},
    **{(19, mark): ("s", mark.decode()) for mark in (b"T", b" ")},
}
"""Bytes, and what parts day and hour: the last part that is written, and what parts them again."""
_MARKS = {4: b"-", 7: b"-", 13: b":", 16: b":"}


@dataclass(frozen=True)
class Form:
    """How all times of a column are written: to the day, minute or second; between: what parts day and hour."""

    unit: str
    between: str


class IsoTimes(Texts):
    """values: [times] datetime64[s]. As a sequence the very texts that were read."""

    def __init__(self, values: Moments, form: Form) -> None:
        super().__init__(values)
        self.form = form

    def take(self, places: npt.NDArray[np.int64]) -> IsoTimes:
        return IsoTimes(self.values[places], self.form)

    def seconds(self) -> npt.NDArray[np.float64]:
        """[times] since 1970, by the clock."""
        found: npt.NDArray[np.float64] = self.values.astype(np.int64).astype(np.float64)
        return found

    def texts(self, values: npt.NDArray[Any]) -> list[str]:
        return written(values, self.form)


def written(values: Moments, form: Form) -> list[str]:
    """The texts of some times."""
    texts: list[str] = np.datetime_as_string(values, unit=form.unit).tolist()  # type: ignore[call-overload]
    return [text.replace("T", " ") for text in texts] if form.between == " " else texts


def parsed(values: npt.NDArray[Any]) -> tuple[Moments, Form] | None:
    """Some texts, as Texts packs them, as times; None unless all are ISO's, of one form, and in the calendar."""
    width = values.dtype.itemsize
    if values.dtype.kind != "S" or not len(values):
        return None
    signs = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), width)
    form = _FORMS.get((width, bytes(signs[0, 10:11])))
    if form is None:
        return None
    marks = {**_MARKS, 10: signs[0, 10:11].tobytes()}
    for place in range(width):
        mark = marks.get(place)
        column = signs[:, place]
        if not (column == mark[0] if mark else (column >= 48) & (column <= 57)).all():
            return None
    moments = _moments(signs - np.uint8(48))
    return None if moments is None else (moments, Form(*form))


def _moments(digits: npt.NDArray[np.uint8]) -> Moments | None:
    """[times] of the digits at their places; None where one is not in the calendar.

    By hand: numpy's own reading of texts that are no dates ends the process (2.4.6).
    """

    def part(first: int, count: int = 2) -> npt.NDArray[np.int64]:
        if first >= digits.shape[1]:
            return np.zeros(len(digits), np.int64)
        number = np.zeros(len(digits), np.int64)
        for place in range(first, first + count):
            number = number * 10 + digits[:, place]
        return number

    year, month, day, hour, minute, second = part(0, 4), part(5), part(8), part(11), part(14), part(17)
    if not ((year > 0) & (month > 0) & (month < 13) & (day > 0) & (hour < 24) & (minute < 60) & (second < 60)).all():
        return None
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    if not (days.astype("datetime64[M]") == months).all():
        return None  # a 31st of February
    seconds: Moments = days.astype("datetime64[s]") + ((hour * 60 + minute) * 60 + second)
    return seconds


def joined(pieces: Sequence[Moments], form: Form) -> IsoTimes:
    """The pieces end to end."""
    return IsoTimes(np.concatenate(pieces), form)
