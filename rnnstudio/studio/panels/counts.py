"""Histograms below the examples: how long they are, how often each class occurs, and the vocabulary with its counts."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from rnnstudio.data.preview import visible
from rnnstudio.data.statistics import Lengths, Occurrences, Statistics

from ..theme import current
from .examples import colour_of

BARS = 12
"""Classes or tokens that get a bar; the rest is told as a number."""


class CountsPicture(QWidget):
    """Painted; follows width, font and theme. told: what it says in words, a line for each picture."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._statistics: Statistics | None = None
        self.told: list[str] = []
        self._tips: list[tuple[QRectF, str]] = []
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Histograms of lengths, classes and tokens")

    def put(self, statistics: Statistics | None) -> None:
        self._statistics = statistics
        self.told = []
        if statistics is not None:
            self.told += [_of_lengths(axis, found) for axis, found in statistics.lengths.items() if _differ(found)] + [
                _of_tokens(name, found) for name, found in statistics.tokens.items()
            ]
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
        line = self.fontMetrics().height()
        height = 0.0
        if self._statistics is not None:
            for found in self._statistics.lengths.values():
                height += line * 5.4 if _differ(found) else 0
            for counted in self._statistics.tokens.values():
                height += line * (1.6 + 1.15 * min(len(counted.entries), BARS))
        self.setFixedHeight(round(height))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._statistics is None:
            return
        painter = QPainter(self)
        self._tips = []
        line = QFontMetricsF(self.font()).height()
        y = 0.0
        for axis, lengths in self._statistics.lengths.items():
            if _differ(lengths):
                self._words(painter, y, _of_lengths(axis, lengths))
                self._bars(painter, QRectF(0, y + line * 1.2, self.width() - 1, line * 2.6), lengths, axis)
                y += line * 5.4
        for name, counted in self._statistics.tokens.items():
            self._words(painter, y, _of_tokens(name, counted))
            y = self._rows(painter, y + line * 1.2, counted) + line * 0.4
        painter.end()

    def _words(self, painter: QPainter, y: float, text: str) -> None:
        metrics = QFontMetricsF(self.font())
        painter.setPen(current().color("muted"))
        box = QRectF(0, y, self.width(), metrics.height())
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, box.width())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, shown)
        self._tips.append((box, text))

    def _bars(self, painter: QPainter, box: QRectF, lengths: Lengths, axis: str) -> None:
        """Upright bars, one for each range of lengths, with the least and the greatest below."""
        theme = current()
        most = max(lengths.counts, default=1) or 1
        wide = box.width() / len(lengths.counts)
        for place, count in enumerate(lengths.counts):
            tall = box.height() * count / most
            low, high = lengths.edges[place], lengths.edges[place + 1] - 1
            span = f"{low}" if low == high else f"{low} to {high}"
            whole = QRectF(box.left() + place * wide, box.top(), wide, box.height())
            self._tips.append((whole, f"{count:,} examples of {span} steps along {axis}"))
            if count:
                bar = QRectF(whole.left() + 0.5, box.bottom() - max(tall, 1), max(wide - 1, 1), max(tall, 1))
                painter.fillRect(bar, theme.color("real", 0.8))
        painter.setPen(theme.color("border"))
        painter.drawLine(box.bottomLeft(), box.bottomRight())
        painter.setPen(theme.color("muted"))
        below = QRectF(box.left(), box.bottom() + 1, box.width(), QFontMetricsF(self.font()).height())
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, f"{lengths.least:,}")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"{lengths.most:,}")

    def _rows(self, painter: QPainter, y: float, counted: Occurrences) -> float:
        """A lying bar for each of the first entries: its text, its bar, its count."""
        theme, metrics = current(), QFontMetricsF(self.font())
        line = metrics.height() * 1.15
        shown = counted.entries[:BARS]
        most = max((count for _, count in shown), default=1) or 1
        left = min(
            max((metrics.horizontalAdvance(visible(text)) for text, _ in shown), default=0) + 8, self.width() / 3
        )
        right = max((metrics.horizontalAdvance(f"{count:,}") for _, count in shown), default=0) + 8
        room = max(self.width() - left - right, 10)
        for place, (text, count) in enumerate(shown):
            box = QRectF(0, y, left - 6, line)
            name = metrics.elidedText(visible(text), Qt.TextElideMode.ElideRight, box.width())
            painter.setPen(theme.color("text"))
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, name)
            bar = QRectF(left, y + line * 0.2, max(room * count / most, 1), line * 0.6)
            painter.fillRect(bar, QColor(colour_of(place, "class")) if counted.classes else theme.color("tokens", 0.8))
            painter.setPen(theme.color("muted"))
            number = QRectF(bar.right() + 5, y, right + room, line)
            painter.drawText(number, Qt.AlignmentFlag.AlignVCenter, f"{count:,}")
            share = count / counted.rows if counted.rows else 0.0
            self._tips.append((QRectF(0, y, self.width(), line), f"{visible(text)}: {count:,} ({share:.1%})"))
            y += line
        return y


def _differ(lengths: Lengths) -> bool:
    return lengths.least < lengths.most


def _of_lengths(axis: str, found: Lengths) -> str:
    return f"Lengths along {axis}: {found.least:,} to {found.most:,}, {found.mean:.1f} on average"


def _of_tokens(name: str, found: Occurrences) -> str:
    what = "classes" if found.classes else "different tokens"
    more = f", the {BARS} most frequent" if found.distinct > BARS and not found.classes else ""
    more = f", the first {BARS}" if found.distinct > BARS and found.classes else more
    rare = f"; unknown {found.unknown / found.rows:.1%}" if found.unknown and found.rows else ""
    of = f" (of the first {found.rows:,} of {found.total:,} rows)" if found.sampled else ""
    return f"{name}: {found.distinct:,} {what}{more}{rare}{of}"
