"""The keyboard's way from the canvas to the panels and back, and the line around the area that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QApplication, QDockWidget, QWidget

from . import theme

if TYPE_CHECKING:
    from .window import MainWindow

CANVAS = "canvas"


class Going(QObject):
    """Each panel remembers the field one was in. The line is there from a key to a press of the mouse."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.ring = FocusRing(window)
        self._fields: dict[str, QWidget] = {}
        QApplication.instance().focusChanged.connect(self._changed)  # type: ignore[union-attr]

    def to_canvas(self) -> None:
        self._give(self.window.view, self.window.view)

    def to_panel(self, key: str) -> None:
        """Show a panel and give it the keyboard."""
        self.window.show_dock(key)
        dock = self.window.docks[key]
        field = self._fields.get(key)
        self._give(field if field is not None and _takes_keys(field) else _first_field(dock), dock)

    def step(self, by: int) -> None:
        """Go to the next area that is seen (1), or to the one before (-1); behind the last one comes the canvas."""
        areas = [CANVAS, *(key for key, dock in self.window.docks.items() if _seen(dock))]
        here = self.where()
        to = areas[(areas.index(here) + by) % len(areas)] if here in areas else CANVAS
        self.to_canvas() if to == CANVAS else self.to_panel(to)

    def where(self) -> str:
        """The panel that has the keyboard, or the canvas; "" when something else has it."""
        return self._of(self.window.focusWidget())

    def _of(self, widget: QWidget | None) -> str:
        if widget is None:
            return ""
        if self.window.view in (widget, widget.parentWidget()):
            return CANVAS
        return next((key for key, dock in self.window.docks.items() if dock.isAncestorOf(widget)), "")

    def _give(self, widget: QWidget, area: QWidget) -> None:
        widget.activateWindow()
        widget.setFocus(Qt.FocusReason.OtherFocusReason)
        self.ring.around(area)

    def _changed(self, _before: QWidget | None, now: QWidget | None) -> None:
        key = self._of(now)
        if now is not None and key not in ("", CANVAS):
            self._fields[key] = now
            now.destroyed.connect(lambda *_, key=key: self._fields.pop(key, None))
        area = self.window.view if key == CANVAS else self.window.docks.get(key)
        if self.ring.isVisible() and area is not self.ring.area:
            self.ring.around(area)


class FocusRing(QWidget):
    """A line around the area that has the keyboard."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.area: QWidget | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hide()

    def around(self, area: QWidget | None) -> None:
        if self.area is not None:
            self.area.removeEventFilter(self)
        QApplication.instance().removeEventFilter(self)  # type: ignore[union-attr]
        self.area = area
        if area is None or (isinstance(area, QDockWidget) and area.isFloating()):
            self.hide()  # a panel that floats has a frame of its own
            return
        area.installEventFilter(self)
        QApplication.instance().installEventFilter(self)  # type: ignore[union-attr]
        self._follow()
        self.show()
        self.raise_()

    def _follow(self) -> None:
        if self.area is not None:
            corner = self.area.mapTo(self._window, self.area.rect().topLeft())
            self.setGeometry(QRect(corner, self.area.size()))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.area and event.type() in (QEvent.Type.Resize, QEvent.Type.Move):
            self._follow()
        elif event.type() == QEvent.Type.MouseButtonPress or (
            watched is self.area and event.type() == QEvent.Type.Hide
        ):
            self.around(None)
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(QPen(theme.current().color("accent"), 2))
        painter.drawRect(self.rect().adjusted(1, 1, -1, -1))


def _seen(dock: QDockWidget) -> bool:
    """Whether a panel is shown, and not behind another one's tab."""
    widget = dock.widget()
    return dock.isVisible() and widget is not None and not widget.visibleRegion().isEmpty()


def _takes_keys(widget: QWidget) -> bool:
    return widget.isVisible() and widget.isEnabled() and bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)


def _first_field(dock: QDockWidget) -> QWidget:
    """The first widget of a panel that takes keys; the panel itself where there is none.

    Not by nextInFocusChain: PySide then takes the next widget, of another panel, for a part of this one, and for
    deleted when this one is.
    """
    panel = dock.widget() or dock
    for found in panel.findChildren(QWidget):
        if _takes_keys(found):
            return found
    panel.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return panel
