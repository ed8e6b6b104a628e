"""Everything that is wrong with the drawing: a click goes there, a button puts it right."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from ...compiler.check import Checked
from ...compiler.diagnostics import Diagnostic
from .. import theme
from ..icons import icon
from ..session import Session
from .forms import sentence

_ORDER = {"error": 0, "warning": 1, "hint": 2}
MOST = 200
"""Rows shown; a drawing with more problems has one cause."""


class ProblemRow(QFrame):
    """One diagnostic. Clicked, or Enter: the canvas shows its place."""

    def __init__(self, session: Session, diagnostic: Diagnostic) -> None:
        super().__init__()
        self.session = session
        self.diagnostic = diagnostic
        self.setObjectName("problem")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        mark = QLabel()
        role = {"error": "error", "warning": "warning"}.get(diagnostic.severity, "hint")
        mark.setPixmap(icon(role, role).pixmap(18, 18))
        mark.setAlignment(Qt.AlignmentFlag.AlignTop)
        text = QLabel(_sentence(diagnostic), wordWrap=True)
        self.setAccessibleName(text.text())
        text.setTextFormat(Qt.TextFormat.PlainText)
        words = QVBoxLayout()
        words.setSpacing(3)
        words.addWidget(text)
        if place := _place(diagnostic):
            where = QLabel(place, wordWrap=True)
            where.setProperty("role", "muted")
            where.setTextFormat(Qt.TextFormat.PlainText)
            words.addWidget(where)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 8, 8, 8)
        row.setSpacing(9)
        row.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        self.button: QPushButton | None = None
        if diagnostic.fix is not None:
            self.button = QPushButton(diagnostic.fix_title or "Fix")
            self.button.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
            self.button.clicked.connect(self.fix)
            words.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)

    def go(self) -> None:
        d = self.diagnostic
        if d.nodes or d.wires or d.graph:
            self.session.focus.show(d.graph, d.nodes, d.wires)

    def fix(self) -> None:
        if self.diagnostic.fix is not None:
            self.session.do(self.diagnostic.fix)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.go()
        super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.go()
        else:
            super().keyPressEvent(event)


class ProblemsPanel(QScrollArea):
    """Errors first, then warnings (of plugins too) and hints."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.rows: list[ProblemRow] = []
        self._shown: tuple[Diagnostic, ...] | None = None
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inside = QWidget()
        self._box = QVBoxLayout(inside)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(0)
        self.nothing = QLabel("No problems. The drawing can be trained.", wordWrap=True)
        self.nothing.setProperty("role", "muted")
        self.nothing.setContentsMargins(12, 12, 12, 12)
        self._box.addWidget(self.nothing)
        self._box.addStretch(1)
        self.setWidget(inside)
        session.checkedChanged.connect(self.take)
        theme.changes().changed.connect(self._redress)
        self.take(session.checked)

    def _redress(self) -> None:
        self._shown = None
        self.take(self.session.checked)

    def take(self, checked: Checked) -> None:
        diagnostics = (*checked.diagnostics, *self.session.warnings)
        if diagnostics == self._shown:
            return
        self._shown = diagnostics
        for row in self.rows:
            row.hide()
            self._box.removeWidget(row)
            row.deleteLater()
        found = sorted(diagnostics, key=lambda d: _ORDER.get(d.severity, 3))[:MOST]
        self.rows = [ProblemRow(self.session, d) for d in found]
        for i, row in enumerate(self.rows):
            self._box.insertWidget(i, row)
        self.nothing.setVisible(not self.rows)


def _sentence(d: Diagnostic) -> str:
    """The message with a capital at its beginning, but never a node's own name changed."""
    return d.message if d.message.startswith(d.nodes) else sentence(d.message)


def _place(d: Diagnostic) -> str:
    names = ", ".join(d.nodes[:4]) + (" …" if len(d.nodes) > 4 else "")
    if d.port and len(d.nodes) == 1:
        names = f"{names}.{d.port}"
    return f"cell {d.graph} › {names}".rstrip(" ›") if d.graph else names
