"""Brings the start screen over a window and takes it away; what is chosen on it is opened there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QRect, Qt

from .screen import StartScreen
from .thumbnails import Drawn

if TYPE_CHECKING:
    from ..window import MainWindow


class Start(QObject):
    """The start screen of one window, made when it is first wanted. It covers canvas and panels, not the tool bar."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.screen: StartScreen | None = None
        window.session.opened.connect(self.hide)

    @property
    def visible(self) -> bool:
        return self.screen is not None and self.screen.isVisible()

    def show(self) -> None:
        window = self.window
        if self.screen is None:
            self.screen = screen = StartScreen(window.session.plugins, window.recent_files, window)
            screen.openWanted.connect(lambda: window.open())
            screen.fileChosen.connect(lambda path: window.open(path))
            screen.exampleChosen.connect(lambda path: window.open_example(path))
            screen.drawnChosen.connect(self._take)
            screen.left.connect(self._left)
            window.installEventFilter(self)
        self.screen.notices.addWidget(window.notices)
        self._cover()
        self.screen.show()
        self.screen.raise_()

    def hide(self) -> None:
        if self.screen is not None and self.screen.isVisible():
            self.screen.hide()
            self._left()

    def _left(self) -> None:
        self.window.give_notices_back()
        self.window.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _take(self, drawn: Drawn) -> None:
        if self.window.may_leave():
            self.window.session.show(drawn.design, Path(drawn.base))

    def _cover(self) -> None:
        window = self.window
        if self.screen is None:
            return
        top = window.tools.geometry().bottom() + 1 if window.tools.isVisible() else window.menuBar().height()
        bottom = window.height() - (window.statusBar().height() if window.statusBar().isVisible() else 0)
        self.screen.setGeometry(QRect(0, top, window.width(), bottom - top))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest, QEvent.Type.Show):
            self._cover()
        return super().eventFilter(watched, event)
