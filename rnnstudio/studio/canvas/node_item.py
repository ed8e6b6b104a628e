"""One node on the canvas. It paints itself, ports and text included, and knows nothing of edits."""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsItem, QGraphicsRectItem, QStyleOptionGraphicsItem, QWidget

from ...compiler.lacking import MISSING
from .. import theme
from ..theme import RADIUS, Theme
from . import muted
from .look import Look
from .shape import HEADER, LABEL_SIZE, PORT, SYMBOL_SIZE, TITLE_SIZE, Shape, elided, font, shape_of
from .words import draw_words

NO_TEXT_BELOW, NO_PORTS_BELOW = 0.3, 0.45
"""Zoom below which a node is drawn without text, without ports."""
FAR_NAME_FROM, FAR_SIZE = 0.18, 9.0
"""Zoom from which a box far away is filled by its name, and how large that is then, in pixels of the screen."""
STRONG = 0.6
"""Opacity of a family's colour far away, where it is all that tells nodes apart."""
FAINT = 0.28
"""Opacity of what cannot take the wire being drawn."""


class NodeItem(QGraphicsRectItem):
    """Its position is the node's middle. Set a property, and it asks to be painted again."""

    def __init__(self, key: str, look: Look) -> None:
        super().__init__()
        self.key = key
        self.look = look
        self.shape_: Shape = shape_of(look)
        self.contents: Mapping[tuple[bool, str], str] = {}
        """What each port carries, where it is known: (is input, name) → "real", "tokens" …"""
        self.severity = ""
        self.selected = False
        self.target_of_drop = False
        self.hovered = False
        self.hovered_port: tuple[bool, str] | None = None
        self.refused: Mapping[tuple[bool, str], str] | None = None
        """While a wire is drawn: the reason for each port that cannot take it; None otherwise."""
        self.setPen(QPen(Qt.PenStyle.NoPen))
        self.setRect(self._measure())
        self.setZValue(2)
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption, False)

    def take(self, look: Look) -> bool:
        """Look different from now on. Returns whether ports or size changed, so that wires must follow."""
        if look == self.look:
            return False
        before = self.shape_
        self.look = look
        self.shape_ = shape_of(look)
        self.setRect(self._measure())
        self.update()
        now = self.shape_
        return (before.rect, before.inputs, before.outputs) != (now.rect, now.inputs, now.outputs)

    def mark(self, **values: Any) -> None:
        """Set `selected`, `hovered`, `severity` …; repaints only when something changed."""
        changed = False
        for name, value in values.items():
            if getattr(self, name) != value:
                setattr(self, name, value)
                changed = True
        if changed:
            self.update()

    def plain(self) -> NodeItem:
        """The same at the same place, without the marks of a hand or of the check: for a picture."""
        made = NodeItem(self.key, self.look)
        made.contents = self.contents
        made.setPos(self.pos())
        return made

    # Geometry

    def _measure(self) -> QRectF:
        """All it may paint on; Qt reads it without asking Python, thousands of times for every picture."""
        rect = self.shape_.rect.adjusted(-9, -11, 9, 9)
        if self.shape_.caption:
            middle = rect.center().x()
            rect = rect.united(QRectF(middle - 62, rect.bottom() - 6, 184 if self.shape_.aside else 124, 18))
        return rect

    def shape(self) -> QPainterPath:
        path = QPainterPath()
        path.addRect(self.shape_.rect.adjusted(-3, -3, 3, 3))
        return path

    def body(self) -> QRectF:
        """The rectangle wires go around, in scene units; a caption counts."""
        rect = self.shape_.rect.translated(self.pos())
        return rect.adjusted(0, 0, 0, 14) if self.shape_.caption else rect

    def port_near(self, at: QPointF, reach: float) -> tuple[float, tuple[bool, str]] | None:
        """The nearest port within `reach` of a point in scene units: how far it is, and (is input, name)."""
        here = at - self.pos()
        found = [
            (hypot(here.x() - place.x(), here.y() - place.y()), (is_input, name))
            for is_input, places in self._ports()
            for name, place in places.items()
        ]
        near = [entry for entry in found if entry[0] < reach]
        return min(near) if near else None

    def contains_point(self, at: QPointF) -> bool:
        """Whether a point in scene units lies on the node's body."""
        return self.shape_.rect.translated(self.pos()).contains(at)

    def port_place(self, is_input: bool, name: str) -> QPointF:
        """Where a port is, in scene units; the node's edge for a port it does not have (any more)."""
        rect = self.shape_.rect
        places = self.shape_.inputs if is_input else self.shape_.outputs
        edge = QPointF(rect.left() if is_input else rect.right(), 0.0)
        return self.pos() + places.get(name, edge)

    # Painting

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        t = theme.current()
        zoom = painter.worldTransform().m11()
        if self.refused is not None and not any(
            (side, port) not in self.refused for side, ports in self._ports() for port in ports
        ):
            painter.setOpacity(FAINT)
        if self.look.muted:
            muted.paint_under(painter, self.shape_)
            painter.setOpacity(painter.opacity() * muted.FADED)
        family = t.family(self.look.family) if self.look.known else t.color("faint")
        if self.look.dot:
            self._paint_dot(painter, t, zoom)
            return
        if self.shape_.compact:
            self._paint_compact(painter, t, family, zoom)
        else:
            self._paint_box(painter, t, family, zoom)
        if self.look.muted:
            painter.setOpacity(painter.opacity() / muted.FADED)
            muted.paint_over(painter, self.shape_, self.look.passing, self.contents, zoom)
        if zoom >= NO_PORTS_BELOW:
            self._paint_ports(painter, t)
        if self.severity and zoom >= NO_TEXT_BELOW:
            self._paint_badge(painter, t)

    def _outline(self, t: Theme) -> QPen:
        if self.selected or self.target_of_drop:
            return QPen(t.color("accent"), 2.2)
        if self.severity in ("error", "warning"):
            return QPen(t.severity(self.severity), 1.8)
        if self.hovered:
            return QPen(t.color("muted"), 1.4)
        pen = QPen(t.color("node_border"), 1.1)
        if not self.look.known or self.look.muted:
            pen.setStyle(Qt.PenStyle.DashLine)
        return pen

    def _glow(self, painter: QPainter, t: Theme, rect: QRectF, radius: float) -> None:
        """What shows an error even on a node that is selected, and a selection at a distance."""
        if self.severity in ("error", "warning") or self.selected or self.target_of_drop:
            color = t.severity(self.severity) if self.severity in ("error", "warning") else t.color("accent")
            color.setAlphaF(0.24)
            painter.setPen(QPen(color, 6.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(rect, radius, radius)

    def _paint_box(self, painter: QPainter, t: Theme, family: QColor, zoom: float) -> None:
        rect = self.shape_.rect
        if zoom >= NO_TEXT_BELOW:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(t.color("shadow", 0.55 if t.dark else 0.45))
            painter.drawRoundedRect(rect.adjusted(0.5, 2.0, -0.5, 3.0), RADIUS, RADIUS)
        self._glow(painter, t, rect, RADIUS)
        if self.look.cell:
            painter.setPen(QPen(family, 1.2))
            painter.setBrush(t.color("node"))
            painter.drawRoundedRect(rect.adjusted(-3.5, -3.5, 3.5, 3.5), RADIUS + 3, RADIUS + 3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(t.color("node"))
        painter.drawRoundedRect(rect, RADIUS, RADIUS)
        head_height = rect.height() if self.shape_.folded else HEADER
        tint = QColor(family)
        tint.setAlphaF(STRONG if zoom < NO_TEXT_BELOW else 0.26 if t.dark else 0.16)
        painter.setBrush(tint)
        if zoom < NO_TEXT_BELOW:
            painter.drawRoundedRect(rect, RADIUS, RADIUS)
        else:
            head = QPainterPath()
            head.addRoundedRect(rect, RADIUS, RADIUS)
            strip = QPainterPath()
            strip.addRect(QRectF(rect.left(), rect.top(), rect.width(), head_height))
            painter.drawPath(head.intersected(strip))
            painter.setBrush(family)
            painter.drawRoundedRect(QRectF(rect.left() + 8, rect.top() + 8, 3, head_height - 16), 1.5, 1.5)
        painter.setPen(self._outline(t))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(rect, RADIUS, RADIUS)
        if zoom < NO_TEXT_BELOW:
            self._paint_far_name(painter, t, zoom)
            return
        title = QRectF(rect.left() + 16, rect.top(), rect.width() - 22, head_height)
        painter.setPen(t.color("text"))
        draw_words(painter, title, Qt.AlignmentFlag.AlignLeft, self.shape_.title, TITLE_SIZE, True)
        painter.setFont(font(LABEL_SIZE))
        painter.setPen(t.color("muted"))
        if self.shape_.title_value:
            end = title.adjusted(0, 0, -3, 0)
            painter.drawText(end, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, self.shape_.title_value)
        if zoom >= NO_PORTS_BELOW:
            self._paint_labels(painter, t)

    def _paint_far_name(self, painter: QPainter, t: Theme, zoom: float) -> None:
        """From afar the name fills the node, as large as can be read."""
        if zoom < FAR_NAME_FROM:
            return
        size = round(min(FAR_SIZE / zoom, 0.9 * self.shape_.rect.height()))
        rect = self.shape_.rect.adjusted(4, 0, -4, 0)
        name = elided(self.shape_.title, size, True, rect.width())
        painter.setFont(font(size, True))
        painter.setPen(t.color("text"))
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, name)

    def _paint_labels(self, painter: QPainter, t: Theme) -> None:
        rect = self.shape_.rect
        if self.shape_.folded:
            return
        for name, place in self.shape_.inputs.items():
            row = QRectF(rect.left() + 11, place.y() - 10, rect.width() - 14, 20)
            painter.drawText(row, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        for name, place in self.shape_.outputs.items():
            row = QRectF(rect.left(), place.y() - 10, rect.width() - 11, 20)
            shown = self.shape_.output_value if len(self.shape_.outputs) == 1 and name == "out" else name
            if shown and shown != name:
                painter.setPen(t.color("text"))
            painter.drawText(row, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, shown)
            painter.setPen(t.color("muted"))

    def _paint_compact(self, painter: QPainter, t: Theme, family: QColor, zoom: float) -> None:
        rect = self.shape_.rect
        radius = 5.0 if self.look.square else min(rect.width(), rect.height()) / 2
        if zoom >= NO_TEXT_BELOW:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(t.color("shadow", 0.55 if t.dark else 0.45))
            painter.drawRoundedRect(rect.adjusted(0.5, 1.5, -0.5, 2.5), radius, radius)
        self._glow(painter, t, rect, radius)
        painter.setPen(self._outline(t))
        painter.setBrush(t.color("node"))
        painter.drawRoundedRect(rect, radius, radius)
        if self.look.square:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(t.color("text"))
            painter.drawRoundedRect(rect.adjusted(6, 6, -6, -6), 2, 2)
        else:
            tint = QColor(family)
            tint.setAlphaF(STRONG if zoom < NO_TEXT_BELOW else 0.26 if t.dark else 0.16)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(tint)
            painter.drawRoundedRect(rect.adjusted(2, 2, -2, -2), radius - 2, radius - 2)
        if zoom < NO_TEXT_BELOW:
            return
        if not self.look.square:
            painter.setFont(font(SYMBOL_SIZE if len(self.look.symbol) <= 2 else TITLE_SIZE, True))
            painter.setPen(t.color("text"))
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, self.look.symbol)
        if zoom >= NO_PORTS_BELOW and self.shape_.caption:
            painter.setPen(t.color("muted"))
            draw_words(painter, *self._caption_place(), self.shape_.caption, LABEL_SIZE)

    def _caption_place(self) -> tuple[QRectF, Qt.AlignmentFlag]:
        rect = self.shape_.rect
        if self.shape_.aside:
            return QRectF(rect.center().x() + 1, rect.bottom() + 1, 120, 15), Qt.AlignmentFlag.AlignLeft
        return QRectF(rect.center().x() - 60, rect.bottom() + 2, 120, 15), Qt.AlignmentFlag.AlignHCenter

    def _paint_dot(self, painter: QPainter, t: Theme, zoom: float) -> None:
        """A point in the colour of what runs through it, and its caption where it has a name of its own."""
        color = t.color(self.contents.get((False, "out"), "any"))
        if self.severity in ("error", "warning") or self.selected or self.target_of_drop:
            self._glow(painter, t, QRectF(-6, -6, 12, 12), 6)
        painter.setPen(QPen(t.color("accent" if self.selected else "node"), 2.0))
        painter.setBrush(color)
        size = 7.0 if self.hovered or self.selected else 5.5
        draw_port(painter, QPointF(), max(size, 1.6 / max(zoom, 0.05)), self.contents.get((False, "out"), "any"))
        if self.shape_.caption and zoom >= NO_PORTS_BELOW:
            painter.setPen(t.color("muted"))
            draw_words(painter, QRectF(-60, 9, 120, 15), Qt.AlignmentFlag.AlignHCenter, self.shape_.caption, LABEL_SIZE)

    def _ports(self) -> tuple[tuple[bool, dict[str, QPointF]], tuple[bool, dict[str, QPointF]]]:
        return (True, self.shape_.inputs), (False, self.shape_.outputs)

    def _paint_ports(self, painter: QPainter, t: Theme) -> None:
        opacity = painter.opacity()
        optional = {p.name for p in self.look.inputs if p.optional}
        for is_input, places in self._ports():
            for name, place in places.items():
                here = (is_input, name)
                refused = self.refused is not None and here in self.refused
                welcome = self.refused is not None and not refused
                painter.setOpacity(FAINT if refused else opacity)
                color = t.color(self.contents.get(here, "any"))
                size = PORT - 1.5 if self.shape_.folded else PORT
                size = PORT + 1.5 if welcome or here == self.hovered_port else size
                if welcome:
                    halo = QColor(color)
                    halo.setAlphaF(0.35)
                    painter.setPen(Qt.PenStyle.NoPen)
                    painter.setBrush(halo)
                    painter.drawEllipse(place, size + 3.5, size + 3.5)
                hollow = is_input and name in optional
                painter.setPen(QPen(color if hollow else t.color("node"), 1.6))
                painter.setBrush(t.color("node") if hollow else color)
                draw_port(painter, place, size, self.contents.get(here, "any"))
        painter.setOpacity(opacity)

    def _paint_badge(self, painter: QPainter, t: Theme) -> None:
        corner = self.shape_.rect.topRight()
        if self.shape_.compact:
            corner += QPointF(-4, 4)
        if self.severity == MISSING:  # not finished: a ring, no alarm
            painter.setPen(QPen(t.color("muted"), 1.4))
            painter.setBrush(t.color("canvas"))
            painter.drawEllipse(corner, 4.0, 4.0)
            return
        if self.severity not in ("error", "warning"):
            return
        painter.setPen(QPen(t.color("canvas"), 1.5))
        painter.setBrush(t.severity(self.severity))
        painter.drawEllipse(corner, 7.5, 7.5)
        painter.setFont(font(11, True))
        painter.setPen(QColor("#ffffff" if not t.dark else "#1a1d23"))
        painter.drawText(QRectF(corner.x() - 8, corner.y() - 8, 16, 16), Qt.AlignmentFlag.AlignCenter, "!")


def draw_port(painter: QPainter, place: QPointF, size: float, content: str) -> None:
    """Features are round, tokens square, a loss a diamond; what takes anything is a smaller ring."""
    if content == "tokens":
        half = size - 0.5
        painter.drawRoundedRect(QRectF(place.x() - half, place.y() - half, 2 * half, 2 * half), 1.5, 1.5)
    elif content == "loss":
        points = [QPointF(0, -size - 1), QPointF(size + 1, 0), QPointF(0, size + 1), QPointF(-size - 1, 0)]
        painter.drawPolygon(QPolygonF([place + p for p in points]))
    else:
        painter.drawEllipse(place, size, size)
