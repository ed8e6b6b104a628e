"""Everything that is wrong with the drawing: a click goes there, a button puts it right."""

from __future__ import annotations

from time import perf_counter

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from ...compiler.check import Checked
from ...compiler.diagnostics import Diagnostic
from ...compiler.lacking import MISSING
from ...design.design import MAIN, Design
from .. import theme
from ..background import Background
from ..canvas.room import do_with_room
from ..icons import icon
from ..session import Session
from .forms import sentence

_ORDER = {"error": 0, "warning": 1, "hint": 2, MISSING: 3}
MOST = 200
"""Rows shown; a drawing with more problems has one cause."""

LONGEST = 44
"""Letters on a button."""


class ProblemRow(QFrame):
    """One diagnostic. Clicked, or Enter: the canvas shows its place."""

    dataWanted = Signal()

    def __init__(self, session: Session, diagnostic: Diagnostic, severity: str) -> None:
        super().__init__()
        self.session = session
        self.diagnostic = diagnostic
        self.severity = severity
        self.setObjectName("problem")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        mark = QLabel()
        role = {"error": "error", "warning": "warning"}.get(severity, "hint")
        mark.setPixmap(icon(role, "muted" if severity == MISSING else role).pixmap(18, 18))
        mark.setAlignment(Qt.AlignmentFlag.AlignTop)
        said = _sentence(diagnostic, session.design)
        text = QLabel(breakable(said), wordWrap=True)
        self.setAccessibleName(said)
        text.setTextFormat(Qt.TextFormat.PlainText)
        words = QVBoxLayout()
        words.setSpacing(3)
        words.addWidget(text)
        if place := _place(diagnostic, session.design):
            where = QLabel(breakable(place), wordWrap=True)
            where.setProperty("role", "muted")
            where.setTextFormat(Qt.TextFormat.PlainText)
            words.addWidget(where)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 8, 8, 8)
        row.setSpacing(9)
        row.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        self._words = words
        self.button: QPushButton | None = None
        self.load: QPushButton | None = None
        if diagnostic.code == "NoData":
            self.load = self._button()
            self.load.setText("Load data…")
            self.load.clicked.connect(self.dataWanted)

    def _button(self) -> QPushButton:
        button = QPushButton()
        button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._words.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        return button

    def seek(self) -> None:
        """Find out whether there is a fix, and show its button."""
        title = self.diagnostic.fix_title
        if self.button is None and title:
            self.button = self._button()
            self.button.clicked.connect(self.fix)
        if self.button is not None:
            self.button.setVisible(bool(title))
            self.button.setText(short(title))
            self.button.setToolTip(title if short(title) != title else "")

    def go(self) -> None:
        d = self.diagnostic
        if d.nodes or d.wires or d.graph:
            self.session.focus.show(d.graph, d.nodes, d.wires)

    def fix(self) -> None:
        if self.diagnostic.fix is not None:
            do_with_room(self.session, self.diagnostic.fix)

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
    """Errors first, then warnings (of plugins too) and hints.

    Fixes are sought by trying them on the drawing, some milliseconds each: when the person rests, a few at a time; of
    a large drawing beside the window's thread.
    """

    dataWanted = Signal()

    REST_MS = 30
    SLICE_S = 0.012

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.rows: list[ProblemRow] = []
        self._shown: tuple[tuple[Diagnostic, str], ...] | None = None
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
        self._rest = QTimer(self, singleShot=True)
        self._rest.timeout.connect(self._seek)
        self._open: list[ProblemRow] = []
        self._seeking = Background(self)
        self._seeking.done.connect(self._found)
        session.checkedChanged.connect(self.take)
        theme.changes().changed.connect(self._redress)
        self.take(session.checked)

    def _redress(self) -> None:
        self._shown = None
        self.take(self.session.checked)

    def take(self, checked: Checked) -> None:
        quiet = self.session.quiet(checked)
        every = (*checked.diagnostics, *self.session.warnings)
        diagnostics = tuple((d, self.session.severity(d, quiet)) for d in every)
        found = sorted(diagnostics, key=lambda told: _ORDER.get(told[1], 3))[:MOST]
        self._say_nothing(checked)
        if diagnostics == self._shown:
            for row, (diagnostic, _) in zip(self.rows, found, strict=True):
                row.diagnostic = diagnostic  # its fix is one of the drawing as it is now
        else:
            self._rebuild(found)
        self._shown = diagnostics
        self._open = list(self.rows)
        self._seeking.forget()
        self._rest.start(self.REST_MS)

    def _seek(self) -> None:
        if self._open and not self.session.small:
            diagnostic = self._open[0].diagnostic
            self._seeking.ask(lambda: diagnostic.fix_title)
            return
        until = perf_counter() + self.SLICE_S
        while self._open and perf_counter() < until:
            self._open.pop(0).seek()
        if self._open:
            self._rest.start(0)

    def _found(self, _title: str) -> None:
        """The fix of one more row of a large drawing is known."""
        self._open.pop(0).seek()
        self._seek()

    def _say_nothing(self, checked: Checked) -> None:
        """What stands there when nothing is wrong: whether the drawing can be trained."""
        if not checked.design.graph.nodes:
            self.nothing.setText("Nothing is drawn yet.")
        elif checked.design.data is None:
            self.nothing.setText("No problems in the drawing. To train it, load data in the Data panel.")
        else:
            self.nothing.setText("No problems. The drawing can be trained.")

    def _rebuild(self, found: list[tuple[Diagnostic, str]]) -> None:
        for row in self.rows:
            row.hide()
            self._box.removeWidget(row)
            row.deleteLater()
        self.rows = [ProblemRow(self.session, d, severity) for d, severity in found]
        for i, row in enumerate(self.rows):
            row.dataWanted.connect(self.dataWanted)
            self._box.insertWidget(i, row)
        self.nothing.setVisible(not self.rows)


def breakable(text: str) -> str:
    """A text whose long names may be broken over lines, so that a narrow panel shows all of it."""
    return text.replace("_", "_\u200b").replace(".", ".\u200b")


def short(title: str) -> str:
    """A title that fits on a button: a long node's name does not."""
    return title if len(title) <= LONGEST else f"{title[: LONGEST - 1].rstrip()}…"


def _titles(d: Diagnostic, design: Design) -> dict[str, str]:
    """Of its nodes."""
    graph = design.graph_of(d.graph) if d.graph in (MAIN, *design.cells) else None
    return {n: graph.nodes[n].title for n in d.nodes if graph is not None and n in graph.nodes}


def _sentence(d: Diagnostic, design: Design) -> str:
    """The message with a capital at its beginning, but never a node's own name or title changed."""
    names = (*d.nodes, *filter(None, _titles(d, design).values()))
    return d.message if d.message.startswith(names) else sentence(d.message)


def _place(d: Diagnostic, design: Design) -> str:
    """Where it is; a node with a title by this, too, as the canvas shows it."""
    titles = _titles(d, design)
    names = ", ".join(f"{n} ({titles[n]})" if titles.get(n) else n for n in d.nodes[:4]) + (
        " …" if len(d.nodes) > 4 else ""
    )
    if d.port and len(d.nodes) == 1:
        names = f"{names} · {d.port}" if titles.get(d.nodes[0]) else f"{names}.{d.port}"
    return f"cell {d.graph} › {names}".rstrip(" ›") if d.graph else names
