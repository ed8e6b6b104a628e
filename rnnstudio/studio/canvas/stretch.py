"""While the zoom of a large drawing changes, the picture of it that stands is stretched; at rest it is painted anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QRectF, QSizeF, Qt, QTimer
from PySide6.QtGui import QPainter, QPixmap, QTransform

from .. import theme

if TYPE_CHECKING:
    from .looking import Looking

REST_MS = 110
"""How long after the last change of zoom the drawing is painted as it is."""
LARGEST = 2400.0
"""Longest side of the picture of the whole drawing, in its pixels."""


class Stretch(QObject):
    """Two pictures: what the view showed before the zoom changed, and under it the whole drawing, less sharp."""

    def __init__(self, view: Looking) -> None:
        super().__init__(view)
        self.view = view
        self._near: tuple[QPixmap, QTransform] | None = None
        self._far: tuple[tuple[int, str], QPixmap, QRectF] | None = None
        self._timer = QTimer(self, singleShot=True, interval=REST_MS)
        self._timer.timeout.connect(self.rest)

    @property
    def active(self) -> bool:
        return self._near is not None

    def begin(self) -> None:
        """The zoom is about to change."""
        if self.view.session.small or not self.view.isVisible():
            return
        if self._near is None:
            self._near = self._as_shown(), self.view.viewportTransform()
        self._timer.start()

    def rest(self) -> None:
        """Paint the drawing itself from now on."""
        self._timer.stop()
        if self._near is not None:
            self._near = None
            self.view.viewport().update()

    def paint(self) -> bool:
        """Paint the viewport. False when the drawing itself has to be painted."""
        if self._near is None:
            return False
        near, before = self._near
        far, bounds = self._whole()
        now = self.view.viewportTransform()
        painter = QPainter(self.view.viewport())
        painter.fillRect(self.view.viewport().rect(), theme.current().color("canvas"))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setTransform(now)
        painter.drawPixmap(bounds, far, QRectF(far.rect()))
        back, _ = before.inverted()
        painter.setTransform(back * now)
        painter.drawPixmap(0, 0, near)
        painter.end()
        return True

    def _pixmap(self, size: QSizeF, ratio: float) -> QPixmap:
        made = QPixmap((size * ratio).toSize())
        made.setDevicePixelRatio(ratio)
        made.fill(theme.current().color("canvas"))
        return made

    def _as_shown(self) -> QPixmap:
        """What the view shows now."""
        port = self.view.viewport().rect()
        made = self._pixmap(QSizeF(port.size()), self.view.devicePixelRatioF())
        painter = QPainter(made)
        painter.setRenderHints(self.view.renderHints())
        self.view.render(painter, QRectF(port), port, Qt.AspectRatioMode.IgnoreAspectRatio)
        painter.end()
        return made

    def _whole(self) -> tuple[QPixmap, QRectF]:
        canvas = self.view.canvas
        key = (id(canvas.graph), theme.current().name)
        if self._far is None or self._far[0] != key:
            bounds = canvas.bounds().adjusted(-20, -20, 20, 20)
            scale = min(1.0, LARGEST / max(bounds.width(), bounds.height()))
            made = self._pixmap(bounds.size() * scale, 1.0)
            painter = QPainter(made)
            painter.setRenderHints(self.view.renderHints())
            canvas.render(painter, QRectF(made.rect()), bounds, Qt.AspectRatioMode.IgnoreAspectRatio)
            painter.end()
            self._far = key, made, bounds
        return self._far[1], self._far[2]
