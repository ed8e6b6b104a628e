"""How large a node is and where its ports are: from its look and the fonts. A node's x, y is its middle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from math import ceil

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QFontMetricsF
from PySide6.QtWidgets import QApplication

from ..subscripts import runs
from .look import Look

GRID = 10.0
HEADER = 26.0
ROW = 20.0
RAISED = HEADER / 2 - GRID
"""How much higher than its middle a box stands, so that ports of all nodes come to lie on the grid: straight wires."""
SMALL = 40.0
"""Diameter of a node drawn as a symbol."""
DOT = 20.0
"""Side of the square in which a reroute point lies."""
PORT = 5.0
"""Radius of a port."""


@cache
def font(pixels: float, bold: bool = False) -> QFont:
    """The canvas's font; sizes are in scene units, so that text grows and shrinks with the drawing."""
    made = QFont(QApplication.font())
    made.setPixelSize(round(pixels))
    made.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    made.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    return made


@cache
def _metrics(pixels: float, bold: bool) -> QFontMetricsF:
    return QFontMetricsF(font(pixels, bold))


@lru_cache(maxsize=4096)
def text_width(text: str, pixels: float, bold: bool = False) -> float:
    return _metrics(pixels, bold).horizontalAdvance(text)


def elided(text: str, pixels: float, bold: bool, width: float) -> str:
    return _metrics(pixels, bold).elidedText(text, Qt.TextElideMode.ElideRight, width)


SMALLER = 0.74
"""Size of a subscript, as a share of the text's."""


@lru_cache(maxsize=4096)
def words_width(text: str, pixels: float, bold: bool = False) -> float:
    """Width of a text with its subscripts (canvas/words.py)."""
    return sum(text_width(part, pixels * (SMALLER if below else 1.0), bold) for part, below in runs(text))


def fitted(text: str, pixels: float, bold: bool, width: float) -> str:
    """The text, or as much of it as fits."""
    return text if words_width(text, pixels, bold) <= width else elided(text, pixels, bold, width)


TITLE_SIZE, LABEL_SIZE, SYMBOL_SIZE = 12.0, 11.0, 15.0


@dataclass(frozen=True)
class Shape:
    """Geometry of a node around (0, 0)."""

    rect: QRectF
    inputs: dict[str, QPointF]
    outputs: dict[str, QPointF]
    compact: bool
    caption: str = ""
    """Written under a compact node."""
    title: str = ""
    title_value: str = ""
    output_value: str = ""
    aside: bool = False
    """Whether the caption begins right of the middle: a wire comes in from below."""
    folded: bool = False
    """Only the title is shown, with the ports on its line."""


def shape_of(look: Look) -> Shape:
    """Boxes grow with their text up to a limit; compact nodes with their number of ports."""
    if look.dot:
        caption = look.title if look.named else ""
        half = DOT / 2
        inputs, outputs = (
            {p.name: QPointF(-half, 0) for p in look.inputs},
            {p.name: QPointF(half, 0) for p in look.outputs},
        )
        return Shape(QRectF(-half, -half, DOT, DOT), inputs, outputs, True, caption)
    if look.collapsed:
        return _folded(look)
    return _compact(look) if look.symbol else _box(look)


def _compact(look: Look) -> Shape:
    size = 34.0 if look.square else SMALL
    height = max(size, ROW * max(len(look.inputs), len(look.outputs)))
    width = height if look.square else size
    if len(look.symbol) > 2:
        width = max(size, GRID * 2 * ceil((text_width(look.symbol, TITLE_SIZE, True) + 16) / (GRID * 2)))
    rect = QRectF(-width / 2, -height / 2, width, height)
    caption = fitted(look.title, LABEL_SIZE, False, 96.0) if look.named or look.square else ""
    inputs = _column(tuple(p.name for p in look.inputs), rect.left())
    two = len(look.inputs) == 2 and not look.square
    if two:
        # What runs through runs straight through; the other comes in from below, as in the textbooks.
        first, second = (p.name for p in look.inputs)
        inputs = {first: QPointF(rect.left(), 0), second: QPointF(-GRID, rect.bottom())}
    if look.value and look.square:
        caption = f"{caption} · {look.value}" if caption else look.value
    return Shape(
        rect,
        inputs,
        _column(tuple(p.name for p in look.outputs), rect.right()),
        True,
        caption,
        aside=two,
    )


def _column(names: tuple[str, ...], x: float, apart: float = ROW) -> dict[str, QPointF]:
    top = -apart * (len(names) - 1) / 2
    return {name: QPointF(x, top + apart * i) for i, name in enumerate(names)}


def _box(look: Look) -> Shape:
    one_output = len(look.outputs) == 1 and look.outputs[0].name == "out"
    output_value = look.value if one_output else ""
    title_value = "" if one_output else look.value
    title = fitted(look.title, TITLE_SIZE, True, 170.0)
    title_width = words_width(title, TITLE_SIZE, True) + 22.0
    if title_value:
        title_value = elided(title_value, LABEL_SIZE, False, 80.0)
        title_width += text_width(title_value, LABEL_SIZE) + 12.0
    output_value = elided(output_value, LABEL_SIZE, False, 90.0)
    left = max((text_width(p.name, LABEL_SIZE) for p in look.inputs), default=0.0)
    if one_output:
        right = text_width(output_value, LABEL_SIZE)
    else:
        right = max((text_width(p.name, LABEL_SIZE) for p in look.outputs), default=0.0)
    rows = max(len(look.inputs), len(look.outputs), 1)
    width = max(title_width, left + right + 40.0, 100.0)
    width = 2 * GRID * ceil(width / (2 * GRID))
    height = HEADER + rows * ROW + 8.0
    rect = QRectF(-width / 2, -height / 2 - RAISED, width, height)
    first = rect.top() + HEADER + 4.0 + ROW / 2
    inputs = {p.name: QPointF(rect.left(), first + i * ROW) for i, p in enumerate(look.inputs)}
    outputs = {p.name: QPointF(rect.right(), first + i * ROW) for i, p in enumerate(look.outputs)}
    return Shape(rect, inputs, outputs, False, "", title, title_value, output_value)


CLOSE = 9.0
"""Distance between the ports of a folded node."""


def _folded(look: Look) -> Shape:
    """The title alone, its ports at both ends of the line; the node's middle stays where the line is."""
    title = elided(look.title, TITLE_SIZE, True, 170.0)
    width = 2 * GRID * ceil(max(text_width(title, TITLE_SIZE, True) + 30.0, 60.0) / (2 * GRID))
    most = max(len(look.inputs), len(look.outputs), 1)
    height = max(HEADER, CLOSE * (most - 1) + 2 * PORT)
    rect = QRectF(-width / 2, -height / 2, width, height)
    inputs = _column(tuple(p.name for p in look.inputs), rect.left(), CLOSE)
    outputs = _column(tuple(p.name for p in look.outputs), rect.right(), CLOSE)
    return Shape(rect, inputs, outputs, False, title=title, folded=True)
