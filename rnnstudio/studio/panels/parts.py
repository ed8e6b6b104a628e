"""Training, validation and test as bars: how much each holds, and what share of it each class has."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from rnnstudio.data.split import TITLES
from rnnstudio.data.statistics import PartSize, Statistics

from ..theme import current
from .examples import colour_of

_LINE = 1.3
_NAMED = 4
"""Classes that the legend names."""


class PartsPicture(QWidget):
    """Painted; follows width, font and theme. told: what it says in words: how, each part, and what is padded."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._statistics: Statistics | None = None
        self.told: list[str] = []
        self._tips: list[tuple[QRectF, str]] = []
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Training, validation and test")

    def put(self, statistics: Statistics | None) -> None:
        self._statistics = statistics
        self.told = []
        if statistics is not None:
            self.told = [f"{statistics.divided[:1].upper()}{statistics.divided[1:]}"]
            self.told += [_of_part(own, statistics) for own in statistics.parts]
            if statistics.padding:
                self.told.append(f"{statistics.padding[:1].upper()}{statistics.padding[1:]}")
        self.setAccessibleDescription("\n".join(self.told))
        self._fit()

    def sizeHint(self) -> QSize:
        return QSize(300, self.minimumHeight())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and hasattr(self, "told"):
            self._fit()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            at = QPointF(event.pos())
            QToolTip.showText(event.globalPos(), next((tip for box, tip in self._tips if box.contains(at)), ""), self)
            return True
        return super().event(event)

    def _fit(self) -> None:
        rows = len(self.told) + (self._legend() is not None)
        self.setFixedHeight(round(rows * self.fontMetrics().height() * _LINE))
        self.setVisible(bool(self.told))
        self.update()

    def _legend(self) -> PartSize | None:
        parts = self._statistics.parts if self._statistics is not None else ()
        return next((own for own in parts if own.classes), None)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._statistics is None:
            return
        painter = QPainter(self)
        metrics = QFontMetricsF(self.font())
        line, y = metrics.height() * _LINE, 0.0
        self._tips = []
        self._words(painter, QRectF(0, y, self.width(), line), self.told[0])
        parts = self._statistics.parts
        left = max((metrics.horizontalAdvance(TITLES[own.part]) for own in parts), default=0) + 8
        right = max((metrics.horizontalAdvance(f"{own.predicted:,}") for own in parts), default=0) + 8
        most = max((own.predicted for own in parts), default=1) or 1
        for place, own in enumerate(parts):
            y += line
            room = max(self.width() - left - right, 10)
            # Of classes the shares are to be compared, so all bars are equally long; the number says how much it is.
            share = 1.0 if own.classes else own.predicted / most
            bar = QRectF(left, y + line * 0.2, max(room * share, 2), line * 0.6)
            painter.setPen(current().color("text"))
            painter.drawText(QRectF(0, y, left - 8, line), Qt.AlignmentFlag.AlignVCenter, TITLES[own.part])
            self._bar(painter, bar, own)
            painter.setPen(current().color("muted"))
            number = QRectF(bar.right() + 6, y, right + room, line)
            painter.drawText(number, Qt.AlignmentFlag.AlignVCenter, f"{own.predicted:,}")
            self._tips.append((QRectF(0, y, self.width(), line), self.told[place + 1]))
        legend = self._legend()
        if legend is not None:
            y += line
            self._name(painter, QRectF(left, y, self.width() - left, line), legend)
        if self._statistics.padding:
            self._words(painter, QRectF(0, y + line, self.width(), line), self.told[-1])
        painter.end()

    def _words(self, painter: QPainter, box: QRectF, text: str) -> None:
        painter.setPen(current().color("muted"))
        shown = QFontMetricsF(self.font()).elidedText(text, Qt.TextElideMode.ElideRight, box.width())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, shown)
        self._tips.append((box, text))

    def _bar(self, painter: QPainter, bar: QRectF, own: PartSize) -> None:
        """One colour, or each class its own in its share."""
        total = sum(count for _, count in own.classes)
        if not total:
            painter.fillRect(bar, current().color("real", 0.8))
            return
        x = bar.left()
        for place, (_, count) in enumerate(own.classes):
            wide = bar.width() * count / total
            painter.fillRect(QRectF(x, bar.top(), wide, bar.height()), colour_of(place, "class"))
            x += wide

    def _name(self, painter: QPainter, box: QRectF, own: PartSize) -> None:
        """The classes by their colours, and the share that each has of the first part."""
        metrics = QFontMetricsF(self.font())
        square = metrics.height() * 0.55
        x = box.left()
        total = sum(count for _, count in own.classes) or 1
        for place, (name, count) in enumerate(own.classes[:_NAMED]):
            text = f"{name} {count / total:.1%}"
            wide = metrics.horizontalAdvance(text)
            if x + square + 4 + wide > box.right():
                break
            painter.fillRect(QRectF(x, box.center().y() - square / 2, square, square), colour_of(place, "class"))
            painter.setPen(current().color("muted"))
            painter.drawText(
                QRectF(x + square + 4, box.top(), wide + 2, box.height()), Qt.AlignmentFlag.AlignVCenter, text
            )
            x += square + 4 + wide + 12


def _of_part(own: PartSize, statistics: Statistics) -> str:
    much = f"{own.predicted:,} {'predictions' if own.predicted != own.examples else 'examples'}"
    if own.predicted != own.examples and statistics.examples > 1:
        much += f" in {own.examples:,} sequences"
    shares = f": {own.shares()}" if own.classes else ""
    return f"{TITLES[own.part]}: {much}{shares}"
