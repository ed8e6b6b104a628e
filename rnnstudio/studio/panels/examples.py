"""The first examples as the model will see them, painted: tokens as chips, padding, windows, tags, curves, trees."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QHelpEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from rnnstudio.data.preview import ExampleView

from ..theme import current
from .example_parts import EXAMPLES, Chip, Curve, Line, Picture, Words, picture_of

GOLDEN = 0.618033988749895
"""Steps of this size around the circle of hues lie as far from each other as they can."""


class ExamplePicture(QWidget):
    """Follows the width it is given, the font and the theme. picture: what is painted."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._examples: Sequence[ExampleView] = ()
        self._window = 0
        self.picture = Picture()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("First examples")

    def put(self, examples: Sequence[ExampleView], window: int) -> None:
        """window: steps of a training window; 0: examples stay whole."""
        self._examples, self._window = examples, window
        told = (
            f"{e.name}: " + "; ".join(f"{v.spec.name} {' '.join(v.pieces[:40])}" for v in e.fields)
            for e in examples[:EXAMPLES]
        )
        self.setAccessibleDescription("\n".join(told))
        self._arrange()

    def sizeHint(self) -> QSize:
        return QSize(300, round(self.picture.height) + 2)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._arrange()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and hasattr(self, "picture"):
            self._arrange()
        if event.type() == QEvent.Type.PaletteChange:
            self.update()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            under = [p for p in self.picture.parts if isinstance(p, Chip) and p.rect.contains(QPointF(event.pos()))]
            if under:
                QToolTip.showText(event.globalPos(), under[-1].tip, self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)

    def _arrange(self) -> None:
        metrics = QFontMetricsF(self.font())
        width = max(self.width() - 2, 120)
        self.picture = picture_of(self._examples, width, metrics.height(), metrics.horizontalAdvance, self._window)
        self.setFixedHeight(round(self.picture.height) + 2)
        self.updateGeometry()
        self.update()

    # --- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(1, 1)
        seen = QRectF(event.rect()).translated(-1, -1)
        for part in self.picture.parts:
            if isinstance(part, Chip):
                if part.rect.intersects(seen):
                    self._paint_chip(painter, part)
            elif isinstance(part, Words):
                self._paint_words(painter, part)
            elif isinstance(part, Line):
                self._paint_line(painter, part)
            else:
                self._paint_curve(painter, part)
        painter.end()

    def _paint_chip(self, painter: QPainter, chip: Chip) -> None:
        theme = current()
        radius = min(4.0, chip.rect.height() / 4)
        if chip.kind == "padding":
            painter.setPen(QPen(theme.color("faint"), 1, Qt.PenStyle.DotLine))
            painter.setBrush(QColor(Qt.GlobalColor.transparent))
            painter.drawRoundedRect(chip.rect, radius, radius)
            painter.setPen(QPen(theme.color("faint", 0.6), 1))
            painter.drawLine(chip.rect.bottomLeft(), chip.rect.topRight())
            return
        tint = colour_of(chip.number, chip.kind)
        painter.setPen(QPen(tint, 1.2) if chip.kind == "class" else Qt.PenStyle.NoPen)
        fill = QColor(tint)
        fill.setAlphaF(0.10 if chip.kind == "class" else 0.34 if theme.dark else 0.26)
        painter.setBrush(fill)
        painter.drawRoundedRect(chip.rect, radius, radius)
        painter.setPen(theme.color("text"))
        metrics = QFontMetricsF(painter.font())
        text = chip.text
        if metrics.horizontalAdvance(text) > chip.rect.width():
            text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, chip.rect.width() - 2)
        painter.drawText(chip.rect, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_words(self, painter: QPainter, words: Words) -> None:
        theme = current()
        series = words.role.startswith("series ")
        if series:
            place = int(words.role.removeprefix("series "))
            painter.setPen(theme.color("text"))
            mark = QRectF(words.rect.left(), words.rect.center().y() - 1, 8, 2.5)
            painter.fillRect(mark, QColor(theme.series[place % len(theme.series)]))
        else:
            painter.setPen(theme.color(words.role))
        font = QFont(self.font())
        font.setBold(words.strong)
        painter.setFont(font)
        box = words.rect.adjusted(12, 0, 0, 0) if series else words.rect
        text = QFontMetricsF(font).elidedText(words.text, Qt.TextElideMode.ElideRight, box.width() + 1)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
        painter.setFont(self.font())

    def _paint_line(self, painter: QPainter, line: Line) -> None:
        theme = current()
        role, width = {"branch": ("muted", 1.2), "window": ("accent", 1.6), "rule": ("border", 1.0)}[line.kind]
        painter.setPen(QPen(theme.color(role), width))
        painter.drawLine(line.start, line.end)

    def _paint_curve(self, painter: QPainter, curve: Curve) -> None:
        theme = current()
        painter.setPen(QPen(theme.color("border"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(curve.rect)
        good = [value for value in curve.values if value == value]
        if not good:
            return
        low, high = min(good), max(good)
        room = (high - low) or 1.0
        inner = curve.rect.adjusted(1, 3, -1, -3)
        path, going = QPainterPath(), False
        for step, value in enumerate(curve.values):
            if value != value:  # a gap where a value is missing
                going = False
                continue
            at = QPointF(
                inner.left() + inner.width() * step / max(curve.steps - 1, 1),
                inner.bottom() - inner.height() * (value - low) / room,
            )
            if going:
                path.lineTo(at)
            else:
                path.moveTo(at)
            going = True
        colour = QColor(theme.series[curve.place % len(theme.series)])
        style = Qt.PenStyle.DashLine if curve.dashed else Qt.PenStyle.SolidLine
        painter.setPen(QPen(colour, 1.4, style))
        painter.drawPath(path)


def colour_of(number: int, kind: str) -> QColor:
    """A colour that stays with a token, wherever it occurs."""
    theme = current()
    if kind == "class":
        return QColor(theme.series[number % len(theme.series)])
    return QColor.fromHsvF(number * GOLDEN % 1.0, 0.55, 0.95 if theme.dark else 0.8)
