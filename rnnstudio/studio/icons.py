"""Icons of resources/icons in the theme's colours. They are drawn in black; the colour is put in here."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from . import theme
from .places import icons

_kept: dict[tuple[str, str, str], QIcon] = {}


def icon(name: str, role: str = "text") -> QIcon:
    """The icon called `name` in the colour of a theme's role; faint when disabled. Sharp at 100 and 200 %."""
    t = theme.current()
    key = (name, role, t.name)
    if key not in _kept:
        made = QIcon()
        svg = (icons() / f"{name}.svg").read_text(encoding="utf-8")
        for mode, color in ((QIcon.Mode.Normal, t.color(role)), (QIcon.Mode.Disabled, t.color("faint", 0.55))):
            for size in (16, 20, 24, 32, 40, 48):
                made.addPixmap(_pixmap(svg, color, size), mode)
        _kept[key] = made
    return _kept[key]


def _pixmap(svg: str, color: QColor, size: int) -> QPixmap:
    renderer = QSvgRenderer(QByteArray(svg.replace("#000000", color.name()).encode()))
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setOpacity(color.alphaF())
    renderer.render(painter, QRectF(0, 0, size, size))
    painter.end()
    return pixmap
