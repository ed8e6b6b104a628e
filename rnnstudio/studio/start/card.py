"""A card: a picture, a name, a sentence; pressed by mouse or Enter. And the grid that cards stand in."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QKeyEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from .. import theme

PICTURE = QSize(264, 118)
PAD = 12
GAP = 14
LINES = 3
"""Of the sentence; what is longer is told by the tip."""


class Card(QAbstractButton):
    """A picture on the canvas's colour, and words below it. key: what its picture is asked for by."""

    def __init__(self, key: str, title: str, says: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.key = key
        self.title = title
        self.says = says
        self._image: QImage | None = None
        self._failed = False
        self.setText(title)
        self.setAccessibleName(title)
        self.setAccessibleDescription(says)
        self.setToolTip(says)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    @property
    def image(self) -> QImage | None:
        return self._image

    def put(self, image: QImage | None) -> None:
        """Show this picture; None: there is none to be had."""
        self._image, self._failed = image, image is None
        self.update()

    def matches(self, words: list[str]) -> bool:
        """Whether every word stands in its name or its sentence."""
        text = f"{self.title} {self.says}".casefold()
        return all(word in text for word in words)

    def sizeHint(self) -> QSize:
        return QSize(PICTURE.width() + 2 * PAD, self.height_for(self.font()))

    @staticmethod
    def height_for(font: QFont) -> int:
        return round(PICTURE.height() + PAD + (LINES + 1.15) * QFontMetricsF(font).lineSpacing() + PAD)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.click()
        else:
            event.ignore()  # arrows are the screen's: Qt would take them for a group of buttons

    def focusInEvent(self, event: QEvent) -> None:
        super().focusInEvent(event)  # type: ignore[arg-type]
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme.current()
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        lit = self.underMouse() or self.hasFocus()
        painter.setPen(QPen(t.color("accent" if lit else "border"), 2 if self.hasFocus() else 1))
        painter.setBrush(t.color("raised" if self.isDown() else "surface"))
        painter.drawRoundedRect(box, 9, 9)
        shown = QRectF(box.left() + 1, box.top() + 1, box.width() - 2, PICTURE.height())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(t.color("canvas"))
        painter.save()
        painter.setClipRect(shown)
        painter.drawRoundedRect(shown.adjusted(0, 0, 0, 12), 8, 8)
        painter.restore()
        if self._image is not None:
            size = self._image.deviceIndependentSize()
            left, top = shown.center().x() - size.width() / 2, shown.center().y() - size.height() / 2
            painter.drawImage(QRectF(left, top, size.width(), size.height()), self._image)
        elif self._failed:
            painter.setPen(t.color("faint"))
            painter.drawText(shown, Qt.AlignmentFlag.AlignCenter, "no picture")
        painter.setPen(QPen(t.color("border"), 1))
        painter.drawLine(shown.bottomLeft(), shown.bottomRight())
        self._words(painter, QRectF(shown.left() + PAD, shown.bottom() + 7, shown.width() - 2 * PAD, box.height()), t)
        painter.end()

    def _words(self, painter: QPainter, room: QRectF, t: theme.Theme) -> None:
        font = QFont(self.font())
        font.setBold(True)
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        painter.setPen(t.color("text"))
        line = metrics.lineSpacing()
        head = QRectF(room.left(), room.top(), room.width(), line)
        name = metrics.elidedText(self.title, Qt.TextElideMode.ElideRight, head.width())
        painter.drawText(head, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        painter.setFont(self.font())
        painter.setPen(QColor(t.muted))
        metrics = QFontMetricsF(self.font())
        for place, text in enumerate(broken(self.says, metrics, room.width(), LINES)):
            at = QRectF(room.left(), head.bottom() + 2 + place * metrics.lineSpacing(), room.width(), line)
            painter.drawText(at, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)


def broken(text: str, metrics: QFontMetricsF, width: float, most: int) -> list[str]:
    """A text in at most so many lines of this width; the last one is cut short with … where more follows."""
    lines: list[str] = []
    words = text.split()
    while words and len(lines) < most:
        line = words.pop(0)
        while words and metrics.horizontalAdvance(f"{line} {words[0]}") <= width:
            line = f"{line} {words.pop(0)}"
        lines.append(line)
    if words and lines:
        lines[-1] = metrics.elidedText(f"{lines[-1]} {words[0]}…", Qt.TextElideMode.ElideRight, width)
    return lines


class CardGrid(QWidget):
    """Cards side by side, as many as fit, all as wide; a card that is hidden leaves its place to the next."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cards: list[Card] = []
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def put(self, cards: list[Card]) -> None:
        for old in self.cards:
            old.hide()
            old.deleteLater()
        self.cards = cards
        for card in cards:
            card.show()
        self.arrange()

    @property
    def shown(self) -> list[Card]:
        return [card for card in self.cards if not card.isHidden()]

    def columns(self, width: int = 0) -> int:
        least = PICTURE.width() + 4
        return max(1, ((width or self.width()) + GAP) // (least + GAP))

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        rows = -(-len(self.shown) // self.columns(width))
        return rows * (Card.height_for(self.font()) + GAP) - GAP if rows else 0

    def sizeHint(self) -> QSize:
        width = max(self.width(), PICTURE.width() + 4)
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        return QSize(PICTURE.width() + 4, self.heightForWidth(max(self.width(), 1)))

    def arrange(self) -> None:
        columns, tall = self.columns(), Card.height_for(self.font())
        wide = (self.width() - GAP * (columns - 1)) // columns
        for place, card in enumerate(self.shown):
            row, column = divmod(place, columns)
            card.setGeometry(QRect(column * (wide + GAP), row * (tall + GAP), wide, tall))
        self.updateGeometry()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.arrange()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and hasattr(self, "cards"):
            self.arrange()
