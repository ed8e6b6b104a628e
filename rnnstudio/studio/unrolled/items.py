"""What an unrolled drawing is painted with: boxes, links, opened cells, the names of the steps."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QGraphicsItem, QGraphicsPathItem, QGraphicsRectItem, QStyleOptionGraphicsItem, QWidget

from .. import theme
from ..canvas.look import Look
from ..canvas.shape import LABEL_SIZE, SYMBOL_SIZE, TITLE_SIZE, elided, font
from ..theme import RADIUS
from .places import Block, Box, Key
from .steps import Link

STYLES: dict[str, tuple[str, Qt.PenStyle, float]] = {
    "plain": ("muted", Qt.PenStyle.SolidLine, 1.4),
    "state": ("accent", Qt.PenStyle.SolidLine, 2.4),
    "start": ("faint", Qt.PenStyle.DotLine, 1.4),
    "free": ("loss", Qt.PenStyle.SolidLine, 1.8),
    "forced": ("tokens", Qt.PenStyle.DashLine, 1.8),
    "attention": ("good", Qt.PenStyle.SolidLine, 1.0),
    "pool": ("muted", Qt.PenStyle.SolidLine, 1.0),
    "child": ("accent", Qt.PenStyle.SolidLine, 2.0),
}
"""Of each kind of link: the colour's role, the line, its width."""


class BoxItem(QGraphicsRectItem):
    """A part at one step. Its rectangle is what it may paint on; Qt reads it without asking Python."""

    def __init__(self, key: Key, look: Look, box: Box, shared: bool) -> None:
        super().__init__()
        self.key = key
        self.look = look
        self.box = box
        self.shared = shared
        self.selected = False
        self.now = False
        """Whether the cursor is at its step."""
        self.severity = ""
        self.strip: QImage | None = None
        """The value of this step, one pixel a unit."""
        self.text = ""
        """What is read, predicted or lost here."""
        self.setPen(QPen(Qt.PenStyle.NoPen))
        self.setRect(QRectF(-box.width / 2 - 6, -box.height / 2 - 6, box.width + 12, box.height + 12))
        self.setPos(box.x, box.y)
        self.setZValue(2)
        self.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)

    def body(self) -> QRectF:
        return QRectF(-self.box.width / 2, -self.box.height / 2, self.box.width, self.box.height)

    def mark(self, **values: Any) -> None:
        changed = [name for name, value in values.items() if getattr(self, name) != value]
        for name in changed:
            setattr(self, name, values[name])
        if changed:
            self.update()

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        t = theme.current()
        rect = self.body()
        family = t.family(self.look.family) if self.look.known else t.color("faint")
        radius = min(rect.height() / 2, RADIUS) if not self.look.symbol else rect.height() / 2
        if self.selected or self.severity:
            glow = t.severity(self.severity) if self.severity else t.color("accent")
            glow.setAlphaF(0.3)
            painter.setPen(QPen(glow, 5.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(rect, radius, radius)
        painter.setPen(
            QPen(t.color("accent" if self.now or self.selected else "node_border"), 1.6 if self.now else 1.0)
        )
        painter.setBrush(t.color("node"))
        painter.drawRoundedRect(rect, radius, radius)
        tint = QColor(family)
        tint.setAlphaF(0.28 if t.dark else 0.17)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(tint)
        painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), radius - 1, radius - 1)
        if self.strip is not None:
            small = rect.width() < 60
            place = rect.adjusted(6, rect.height() - (10 if small else 12), -6, -4)
            painter.drawImage(place, self.strip)
            rect = rect.adjusted(0, 1, 0, -9)
        if painter.worldTransform().m11() < 0.28:
            return
        painter.setPen(t.color("text"))
        if self.look.symbol and rect.width() < 60:
            painter.setFont(font(SYMBOL_SIZE if len(self.look.symbol) < 3 else TITLE_SIZE, True))
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, self.look.symbol)
            return
        painter.setFont(font(TITLE_SIZE, True))
        title = elided(self.look.title, TITLE_SIZE, True, rect.width() - 14)
        if not self.text:
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, title)
            return
        upper = rect.adjusted(0, 2, 0, -rect.height() / 2)
        painter.setFont(font(LABEL_SIZE))
        painter.setPen(t.color("muted"))
        painter.drawText(upper, Qt.AlignmentFlag.AlignCenter, title)
        painter.setFont(font(TITLE_SIZE, True))
        painter.setPen(t.color("text"))
        lower = rect.adjusted(0, rect.height() / 2 - 3, 0, -2)
        painter.drawText(lower, Qt.AlignmentFlag.AlignCenter, elided(self.text, TITLE_SIZE, True, rect.width() - 8))


class LinkItem(QGraphicsPathItem):
    """From a part to a part. A state runs level on top; what is read at the same step rises."""

    def __init__(self, link: Link, start: QPointF, end: QPointF, sideways: bool) -> None:
        super().__init__()
        self.link = link
        self.strength: float | None = None
        """0 to 1: the weight of an attention, or how much is carried; None where it is not known."""
        self.setPath(_sideways(start, end, link) if sideways else _upwards(start, end))
        self.setZValue(1)
        self.dress()

    def dress(self) -> None:
        """In the colours of the theme that is worn."""
        role, style, width = STYLES[self.link.kind]
        alpha = 1.0
        if self.strength is not None:
            strength = max(0.0, min(1.0, self.strength))
            alpha = max(0.06, strength) if self.link.kind == "attention" else 1.0
            width = 0.6 + 3.0 * strength
        self.setPen(QPen(theme.current().color(role, alpha), width, style, Qt.PenCapStyle.RoundCap))

    def put(self, strength: float | None) -> None:
        if strength != self.strength:
            self.strength = strength
            self.dress()


def _upwards(start: QPointF, end: QPointF) -> QPainterPath:
    path = QPainterPath(start)
    reach = max(abs(end.y() - start.y()) * 0.5, 10.0)
    path.cubicTo(QPointF(start.x(), start.y() - reach), QPointF(end.x(), end.y() + reach), end)
    return path


def _sideways(start: QPointF, end: QPointF, link: Link) -> QPainterPath:
    path = QPainterPath(start)
    if abs(link.k) > 1 and abs(start.y() - end.y()) < 2.0:  # over the steps between
        rise = 16.0 + 9.0 * abs(link.k)
        path.cubicTo(QPointF(start.x() + 20, start.y() - rise), QPointF(end.x() - 20, end.y() - rise), end)
        return path
    reach = max(min(abs(end.x() - start.x()) * 0.5, 60.0), 10.0) * (1 if end.x() >= start.x() else -1)
    path.cubicTo(QPointF(start.x() + reach, start.y()), QPointF(end.x() - reach, end.y()), end)
    return path


class BlockItem(QGraphicsRectItem):
    """The border of an opened cell at one step."""

    def __init__(self, block: Block, title: str) -> None:
        super().__init__(QRectF(block.left, block.top, block.width, block.height).adjusted(-2, -2, 2, 2))
        self.block = block
        self.title = title
        self.setPen(QPen(Qt.PenStyle.NoPen))
        self.setZValue(0)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        t = theme.current()
        rect = self.rect().adjusted(2, 2, -2, -2)
        painter.setPen(QPen(t.family("Cells"), 1.2))
        painter.setBrush(t.color("surface", 0.75))
        painter.drawRoundedRect(rect, RADIUS + 3, RADIUS + 3)
        painter.setFont(font(LABEL_SIZE, True))
        painter.setPen(t.color("muted"))
        painter.drawText(rect.adjusted(9, 4, 0, 0), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, self.title)


class StepItem(QGraphicsRectItem):
    """The name of a step below its column, and the token that is read there."""

    def __init__(self, x: float, y: float, text: str, token: str, width: float) -> None:
        super().__init__(QRectF(x - width / 2, y, width, 40.0))
        self.text, self.token = text, token
        self.now = False
        self.setPen(QPen(Qt.PenStyle.NoPen))

    def mark(self, now: bool) -> None:
        if self.now != now:
            self.now = now
            self.update()

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        t = theme.current()
        painter.setFont(font(LABEL_SIZE, self.now))
        painter.setPen(t.color("accent" if self.now else "muted"))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, self.text)
        if self.token:
            painter.setFont(font(TITLE_SIZE, True))
            painter.setPen(t.color("text"))
            painter.drawText(
                self.rect().adjusted(0, 16, 0, 0), Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, self.token
            )
