"""A titled rectangle behind nodes: it says what belongs together, and means nothing to the compiler."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from ...design.design import Frame
from .. import theme
from ..theme import RADIUS
from .node_item import NO_TEXT_BELOW
from .shape import LABEL_SIZE, TITLE_SIZE, fitted, font, words_width
from .words import draw_words

TITLE_HEIGHT = 24.0
"""Room a frame leaves for its title, above what it surrounds."""
MARGIN = 18.0
SMALLEST = 60.0
"""No side of a frame is shorter."""


class FrameItem(QGraphicsItem):
    """Lies below wires and nodes. It is held by its title and its border; within it the canvas is the canvas."""

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        self.frame = frame
        self.selected = False
        self.hovered = False
        self.setZValue(-1)
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)

    def rect(self) -> QRectF:
        """Where the document has it, in scene units."""
        return QRectF(self.frame.x, self.frame.y, self.frame.width, self.frame.height)

    def title_box(self) -> QRectF:
        """Where the title is written."""
        rect = self.rect()
        wide = min(words_width(self.frame.title, TITLE_SIZE, True), rect.width() - 24)
        return QRectF(rect.left() + 12, rect.top() + 4, max(wide, 0.0), TITLE_HEIGHT - 8)

    def mark(self, **values: Any) -> None:
        for name, value in values.items():
            if getattr(self, name) != value:
                setattr(self, name, value)
                self.update()

    def preview(self, frame: Frame) -> None:
        """Show another place or size, until the document says so or the scene settles."""
        self.prepareGeometryChange()
        self.frame = frame
        self.update()

    def edges_at(self, at: QPointF, reach: float) -> tuple[int, int] | None:
        """Which edges a point is on: −1 left or top, 1 right or bottom, (0, 0) the title; None: not held there."""
        rect = self.rect()
        if not rect.adjusted(-reach, -reach, reach, reach).contains(at):
            return None
        x = -1 if at.x() - rect.left() < reach else 1 if rect.right() - at.x() < reach else 0
        y = -1 if at.y() - rect.top() < reach else 1 if rect.bottom() - at.y() < reach else 0
        if x or y:
            return x, y
        return (0, 0) if at.y() < rect.top() + TITLE_HEIGHT else None

    def boundingRect(self) -> QRectF:
        return self.rect().adjusted(-3, -3, 3, 3)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        t, rect = theme.current(), self.rect()
        colour = t.family(self.frame.color) if self.frame.color else None
        border = (
            t.color("accent") if self.selected else t.color("muted") if self.hovered else colour or t.color("border")
        )
        painter.setPen(QPen(border, 2.0 if self.selected else 1.2))
        fill = t.color("surface", 0.6)
        if colour is not None:
            fill = type(colour)(colour)
            fill.setAlphaF(0.13 if t.dark else 0.09)
        painter.setBrush(fill)
        painter.drawRoundedRect(rect, RADIUS + 3, RADIUS + 3)
        if painter.worldTransform().m11() < NO_TEXT_BELOW:
            return
        words = QRectF(rect.left() + 12, rect.top(), rect.width() - 24, TITLE_HEIGHT)
        painter.setPen(t.color("text") if self.selected else colour or t.color("muted"))
        title = fitted(self.frame.title, TITLE_SIZE, True, words.width())
        draw_words(painter, words, Qt.AlignmentFlag.AlignLeft, title, TITLE_SIZE, True)
        if self.frame.note:
            painter.setFont(font(LABEL_SIZE))
            painter.setPen(t.color("muted"))
            below = QRectF(words.left(), words.bottom() - 2, words.width(), rect.bottom() - words.bottom() - 4)
            flags = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap
            painter.drawText(below, flags, self.frame.note)
