"""A titled rectangle behind nodes: it says what belongs together, and means nothing to the compiler."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from ...design.design import Frame
from .. import theme
from ..theme import RADIUS
from .node_item import NO_TEXT_BELOW
from .shape import TITLE_SIZE, elided, font

TITLE_HEIGHT = 24.0
"""Room a frame leaves for its title, above what it surrounds."""
MARGIN = 18.0


class FrameItem(QGraphicsItem):
    """Lies below wires and nodes, and takes no mouse."""

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        self.frame = frame
        self.setZValue(-1)
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)

    def rect(self) -> QRectF:
        """In scene units; a frame's x, y is its upper left corner."""
        return QRectF(self.frame.x, self.frame.y, self.frame.width, self.frame.height)

    def boundingRect(self) -> QRectF:
        return self.rect().adjusted(-2, -2, 2, 2)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        t, rect = theme.current(), self.rect()
        painter.setPen(QPen(t.color("border"), 1.2))
        painter.setBrush(t.color("surface", 0.6))
        painter.drawRoundedRect(rect, RADIUS + 3, RADIUS + 3)
        if painter.worldTransform().m11() < NO_TEXT_BELOW:
            return
        painter.setFont(font(TITLE_SIZE, True))
        painter.setPen(t.color("muted"))
        words = QRectF(rect.left() + 12, rect.top(), rect.width() - 24, TITLE_HEIGHT)
        title = elided(self.frame.title, TITLE_SIZE, True, words.width())
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, title)
