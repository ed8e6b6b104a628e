"""The inspector's form of a frame."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QComboBox, QPlainTextEdit, QVBoxLayout, QWidget

from ...catalog.catalog import FAMILIES
from ...design.design import Frame
from ...design.edits import SetFrames
from ..session import Session
from .fields import TextField
from .layout import form_layout, form_title


class FrameForm(QWidget):
    """Title, colour and note of a frame."""

    def __init__(self, session: Session, graph: str, key: str) -> None:
        super().__init__()
        self.session = session
        self.graph = graph
        self.key = key
        box = QVBoxLayout(self)
        box.setContentsMargins(12, 12, 12, 12)
        box.setSpacing(10)
        box.addWidget(form_title("Frame"))
        form = form_layout()
        self.title = TextField()
        self.title.changed.connect(lambda text, _: self._put(title=text))
        form.addRow("Title", self.title)
        self.color = QComboBox()
        self.color.setAccessibleName("colour of the frame")
        for family in ("", *FAMILIES[:6]):
            self.color.addItem(family or "none", family)
        self.color.activated.connect(lambda _: self._put(color=self.color.currentData()))
        form.addRow("Colour", self.color)
        box.addLayout(form)
        self.note = QPlainTextEdit(placeholderText="A note, shown in the frame")
        self.note.setAccessibleName("note in the frame")
        self.note.setTabChangesFocus(True)
        self.note.setFixedHeight(5 * self.fontMetrics().lineSpacing() + 12)
        self.note.installEventFilter(self)
        box.addWidget(self.note)
        box.addStretch(1)
        self.refresh()

    @property
    def _frame(self) -> Frame | None:
        return next((f for f in self.session.design.graph_of(self.graph).frames if f.id == self.key), None)

    def refresh(self) -> None:
        frame = self._frame
        if frame is None:
            return
        self.title.show_value(frame.title, {})
        self.color.setCurrentIndex(max(self.color.findData(frame.color), 0))
        if not self.note.hasFocus():
            self.note.setPlainText(frame.note)

    def commit_note(self) -> None:
        self._put(note=self.note.toPlainText())

    def _put(self, **changes: str) -> None:
        frame = self._frame
        if frame is not None and frame.replace(**changes) != frame:
            frames = self.session.design.graph_of(self.graph).frames
            after = tuple(frame.replace(**changes) if f is frame else f for f in frames)
            self.session.do(SetFrames(after, self.graph))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.note and event.type() == QEvent.Type.FocusOut:
            self.commit_note()
        return super().eventFilter(watched, event)
