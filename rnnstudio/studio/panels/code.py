"""The program a drawing means and the plain PyTorch source of it, beside the drawing; read only."""

from __future__ import annotations

import re

from PySide6.QtCore import QTimer
from PySide6.QtGui import QColor, QShowEvent, QSyntaxHighlighter, QTextCharFormat, QTextDocument
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QTabBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ...compiler import compile_design, source
from ...design.errors import StudioError
from .. import theme
from ..session import Session

_WORDS = [
    "and",
    "as",
    "assert",
    "class",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "False",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "lambda",
    "None",
    "not",
    "or",
    "pass",
    "raise",
    "return",
    "self",
    "True",
    "try",
    "while",
    "with",
    "yield",
]
_RULES = (
    ("number", re.compile(r"\b\d+(\.\d+)?(e[+-]?\d+)?\b")),
    ("keyword", re.compile(r"\b(" + "|".join((*_WORDS, "map", "scan", "region", "parameters", "loop")) + r")\b")),
    ("string", re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")),
    ("muted", re.compile(r"#[^\n]*")),
)
_QUOTES = '"""'


class Highlighter(QSyntaxHighlighter):
    """Keywords, numbers, strings, comments; docstrings over several lines."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        self.dress()

    def dress(self) -> None:
        t = theme.current()
        self._formats = {role: _format(t.color(role)) for role, _ in _RULES}
        self.rehighlight()

    def highlightBlock(self, text: str) -> None:
        for role, rule in _RULES:
            for match in rule.finditer(text):
                self.setFormat(match.start(), match.end() - match.start(), self._formats[role])
        inside = self.previousBlockState() == 1
        at = 0
        while True:
            if inside:
                end = text.find(_QUOTES, at)
                stop = len(text) if end < 0 else end + 3
                self.setFormat(at, stop - at, self._formats["string"])
                if end < 0:
                    break
                at, inside = stop, False
            begin = text.find(_QUOTES, at)
            if begin < 0:
                break
            self.setFormat(begin, 3, self._formats["string"])
            at, inside = begin + 3, True
        self.setCurrentBlockState(1 if inside else 0)


def _format(color: QColor) -> QTextCharFormat:
    made = QTextCharFormat()
    made.setForeground(color)
    return made


class CodePanel(QWidget):
    """Compiles only while it is visible, and a moment after the last change."""

    AFTER_MS = 250

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.tabs = QTabBar()
        self.tabs.addTab("Python")
        self.tabs.addTab("Program")
        self.tabs.currentChanged.connect(self._stale)
        self.copy = QToolButton()
        self.copy.setText("Copy")
        self.copy.clicked.connect(self._copy)
        self.note = QLabel(wordWrap=True)
        self.note.setProperty("role", "muted")
        self.note.setContentsMargins(10, 8, 10, 8)
        self.text = QPlainTextEdit(readOnly=True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(theme.monospace())
        self.text.setObjectName("code")
        self.highlighter = Highlighter(self.text.document())
        theme.changes().changed.connect(self.highlighter.dress)
        head = QHBoxLayout()
        head.setContentsMargins(4, 0, 6, 0)
        head.addWidget(self.tabs)
        head.addStretch(1)
        head.addWidget(self.copy)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addLayout(head)
        box.addWidget(self.note)
        box.addWidget(self.text, 1)
        box.addStretch(0)
        self._fresh = False
        self._timer = QTimer(self, singleShot=True, interval=self.AFTER_MS)
        self._timer.timeout.connect(self.refresh)
        session.checkedChanged.connect(self._stale)
        session.designChanged.connect(self._stale)

    def _copy(self) -> None:
        QApplication.clipboard().setText(self.text.toPlainText())

    def _stale(self) -> None:
        self._fresh = False
        if self.isVisible():
            self._timer.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._fresh:
            self._timer.start()

    def refresh(self) -> None:
        """Write the code of the design as it is now, or say why there is none."""
        self._fresh = True
        checked = self.session.checked
        if not checked.ok or not checked.design.graph.nodes:
            lines = [f"•  {d.message}" for d in checked.errors] or ["•  the drawing is empty"]
            self._show("There is no code yet:\n" + "\n".join(lines), None)
            return
        try:
            program = compile_design(checked.design, self.session.catalog)
            self._show("", source(program) if self.tabs.currentIndex() == 0 else program.text())
        except StudioError as error:
            self._show(str(error), None)

    def _show(self, note: str, text: str | None) -> None:
        self.note.setText(note)
        self.note.setVisible(bool(note))
        self.text.setVisible(text is not None)
        self.copy.setEnabled(text is not None)
        if text is not None and text != self.text.toPlainText():
            bar = self.text.verticalScrollBar()
            at = bar.value()
            self.text.setPlainText(text)
            bar.setValue(at)
