"""Names on the canvas with their subscripts."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter

from ..subscripts import runs
from .shape import SMALLER, font, text_width, words_width

LOWER = 0.2
"""How far a subscript stands below the line, as a share of the text's size."""


def draw_words(
    painter: QPainter, rect: QRectF, align: Qt.AlignmentFlag, text: str, pixels: float, bold: bool = False
) -> None:
    """Write one line in a rectangle, in the middle of its height."""
    painter.setFont(font(pixels, bold))
    parts = runs(text)
    if len(parts) < 2 and not any(below for _, below in parts):
        painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter | align, text)
        return
    width = words_width(text, pixels, bold)
    x = rect.left()
    if align & Qt.AlignmentFlag.AlignHCenter:
        x += (rect.width() - width) / 2
    elif align & Qt.AlignmentFlag.AlignRight:
        x = rect.right() - width
    metrics = painter.fontMetrics()
    line = rect.center().y() + (metrics.ascent() - metrics.descent()) / 2
    for part, below in parts:
        size = pixels * (SMALLER if below else 1.0)
        painter.setFont(font(size, bold))
        painter.drawText(QPointF(x, line + (pixels * LOWER if below else 0.0)), part)
        x += text_width(part, size, bold)
