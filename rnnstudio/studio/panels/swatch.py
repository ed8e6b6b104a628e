"""The small picture of a node in lists: what its kind does, a plugin's symbol, or a card, in its family's colour."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPen, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from ..canvas.shape import font
from ..kind_glyphs import glyph
from ..offers import Offer
from ..theme import Theme

SIZE = 20
_kept: dict[tuple[str, str, str, float], QIcon] = {}


def offer_icon(offer: Offer, theme: Theme) -> QIcon:
    """Painted once for each family, symbol, theme and screen."""
    app = QApplication.instance()
    ratio = max(app.devicePixelRatio(), 2.0) if isinstance(app, QApplication) else 2.0
    drawn = glyph(offer.name) if offer.key.startswith("kind:") else None
    key = (offer.name if drawn else offer.family, offer.symbol, theme.name, ratio)
    if key not in _kept:
        pixmap = QPixmap(round(SIZE * ratio), round(SIZE * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if drawn is not None:
            colour = theme.family(offer.family).name()
            QSvgRenderer(QByteArray(drawn.replace("#000000", colour).encode())).render(
                painter, QRectF(0, 0, SIZE, SIZE)
            )
        else:
            _paint(painter, offer, theme)
        painter.end()
        made = QIcon(pixmap)
        made.addPixmap(pixmap, QIcon.Mode.Selected)
        _kept[key] = made
    return _kept[key]


def _paint(painter: QPainter, offer: Offer, theme: Theme) -> None:
    color = theme.family(offer.family)
    fill = theme.family(offer.family)
    fill.setAlphaF(0.22)
    painter.setPen(QPen(color, 1.3))
    painter.setBrush(fill)
    area = QRectF(1.5, 1.5, SIZE - 3, SIZE - 3)
    if offer.symbol == "■":
        painter.drawRoundedRect(area, 3, 3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("text"))
        painter.drawRoundedRect(QRectF(6, 6, SIZE - 12, SIZE - 12), 1, 1)
    elif offer.symbol:
        painter.drawEllipse(area)
        painter.setPen(theme.color("text"))
        painter.setFont(font({1: 12, 2: 10}.get(len(offer.symbol), 7.5 if len(offer.symbol) == 3 else 6.5), True))
        painter.drawText(QRectF(0, 0, SIZE, SIZE), Qt.AlignmentFlag.AlignCenter, offer.symbol)
    else:
        card = QRectF(1.5, 4, SIZE - 3, SIZE - 8)
        painter.drawRoundedRect(card, 3, 3)
        if offer.family == "Cells":
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(card.adjusted(2.5, 2.5, -2.5, -2.5), 1.5, 1.5)
        else:
            painter.setPen(QPen(color, 2.0))
            painter.drawLine(5, 8, 5, 12)
