"""Colours of the plots, taken from the window's theme, so that they follow it from light to dark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtGui import QColor

from ..theme import current


@dataclass(frozen=True)
class Look:
    """What a plot is drawn with. `series`: colours of lines, in order."""

    dark: bool
    background: QColor
    text: QColor
    faint: QColor
    grid: QColor
    bad: QColor
    good: QColor
    series: tuple[QColor, ...]

    def colour(self, index: int) -> QColor:
        return self.series[index % len(self.series)]

    @property
    def gates(self) -> pg.ColorMap:
        """0 … 1: closed gates near the background's end of the scale, open ones bright."""
        return pg.ColorMap(np.linspace(0, 1, 9), _VIRIDIS)

    @property
    def states(self) -> pg.ColorMap:
        """−1 … 1: blue below zero, red above; zero is the background's own shade."""
        middle = (38, 40, 44) if self.dark else (247, 247, 247)
        low, high = ((110, 190, 255), (255, 130, 110)) if self.dark else ((5, 80, 160), (178, 24, 43))
        lower = tuple((a + b) // 2 for a, b in zip(low, middle, strict=True))
        upper = tuple((a + b) // 2 for a, b in zip(high, middle, strict=True))
        return pg.ColorMap(np.linspace(0, 1, 5), [low, lower, middle, upper, high])


# Nine samples of viridis (S. van der Walt and N. Smith, public domain): evenly spaced in lightness.
_VIRIDIS = [
    (68, 1, 84),
    (71, 45, 123),
    (59, 82, 139),
    (44, 114, 142),
    (33, 145, 140),
    (40, 174, 128),
    (94, 201, 98),
    (173, 220, 48),
    (253, 231, 37),
]


def current_look() -> Look:
    """The look that goes with the window's theme."""
    theme = current()
    background, text = theme.color("surface"), theme.color("text")
    return Look(
        dark=theme.dark,
        background=background,
        text=text,
        faint=theme.color("muted"),
        grid=mixed(text, background, 0.2),
        bad=theme.color("error"),
        good=theme.color("good"),
        series=tuple(QColor(name) for name in theme.series),
    )


def mixed(one: QColor, other: QColor, share: float) -> QColor:
    """`share` of one colour with the rest of the other, opaque."""
    parts = ((one.red(), other.red()), (one.green(), other.green()), (one.blue(), other.blue()))
    return QColor(*(round(share * a + (1 - share) * b) for a, b in parts))
