"""What a cell's drawing is, said above it: the library's and read-only, or the design's own, and who follows it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from ..design.design import MAIN
from ..design.owning import used_by, users
from . import theme
from .cell_commands import CellCommands
from .icons import icon
from .session import Session


class CellBar(QFrame):
    """Shown while a cell is entered. An edit that a library cell refuses makes it light up for a moment."""

    LIT_MS = 900

    def __init__(self, session: Session, commands: CellCommands, parent: QWidget) -> None:
        super().__init__(parent)
        self.session = session
        self.commands = commands
        self.setObjectName("cellBar")
        self.mark = QLabel()
        self.what = QLabel(textFormat=Qt.TextFormat.PlainText)
        self.what.setObjectName("what")
        self.more = QLabel(textFormat=Qt.TextFormat.PlainText)
        self.more.setProperty("role", "muted")
        self.more.setMinimumWidth(1)  # the buttons come first where there is little room
        self.editable = self._button("Make editable", self.commands.make_editable)
        self.alone = self._button("", lambda: self.commands.make_editable(alone=True))
        self.unique = self._button("", self._make_unique)
        self.restore = self._button("", lambda: self.commands.restore(self.session.focus.graph))
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 8, 4)
        row.setSpacing(8)
        row.addWidget(self.mark)
        row.addWidget(self.what)
        row.addWidget(self.more, 1)
        for button in (self.restore, self.unique, self.alone, self.editable):
            row.addWidget(button)
        self._dark = QTimer(self, singleShot=True, interval=self.LIT_MS)
        self._dark.timeout.connect(lambda: self._light(False))
        self._shown: object = None
        session.designChanged.connect(self.refresh)
        session.focus.trailChanged.connect(self.refresh)
        session.readOnly.connect(self._refused)
        theme.changes().changed.connect(self._redress)
        self.refresh()

    def _button(self, words: str, do: Callable[[], object]) -> QToolButton:
        button = QToolButton()
        button.setText(words)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.clicked.connect(lambda _=False: do())
        return button

    def refresh(self) -> None:
        focus, design = self.session.focus, self.session.design
        name = focus.graph
        if name == MAIN or name not in design.cells:
            self._shown = None
            self.hide()
            return
        fixed = self.session.is_fixed(name)
        count = len(users(design, name))
        through = focus.trail[-1].node
        origin = self.commands.origin(name)
        wanted = (name, fixed, count, through, origin.name if origin else "")
        if wanted != self._shown:
            self._shown = wanted
            self._say(name, fixed, count, through, origin.name if origin else "")
        self.show()

    def _say(self, name: str, fixed: bool, count: int, through: str, origin: str) -> None:
        used = used_by(self.session.design, name)
        if fixed:
            self.what.setText(f"{name} is a cell of the library")
            self.more.setText(f"{used} · read-only, the same in every design")
        else:
            self.what.setText(f"{name} is a cell of this design")
            self.more.setText(used + (" · they all follow this drawing" if count > 1 else ""))
        several = count > 1 and bool(through)
        self.editable.setVisible(fixed)
        self.editable.setToolTip("A copy with a name of its own takes its place in this design, and may be changed")
        self.alone.setVisible(fixed and several)
        self.alone.setText(f"Only for “{through}”")
        self.alone.setToolTip("The other nodes keep the library's cell")
        self.unique.setVisible(not fixed and several)
        self.unique.setText(f"Make unique for “{through}”")
        self.unique.setToolTip("A copy for this node, which the others do not follow")
        self.restore.setVisible(bool(origin))
        self.restore.setText(f"Show today's {name}" if fixed else f"Restore {origin}")
        same = "The library draws it otherwise today; it computes the same"
        self.restore.setToolTip(same if fixed else "The library's drawing takes the place of this one")
        self._redress()

    def _make_unique(self) -> None:
        trail = self.session.focus.trail
        if len(trail) > 1 and trail[-1].node:
            self.commands.unique_in(trail[-2].graph, trail[-1].node)

    def _refused(self, name: str) -> None:
        self.session.message.emit(f"“{name}” is a cell of the library: make it editable to change it")
        self._light(True)
        self._dark.start()

    def _light(self, on: bool) -> None:
        self.setProperty("lit", on)
        self.style().unpolish(self)
        self.style().polish(self)

    def _redress(self) -> None:
        fixed = bool(self.session.focus.graph) and self.session.is_fixed(self.session.focus.graph)
        self.mark.setPixmap(icon("lock" if fixed else "cell", "muted").pixmap(18, 18))
