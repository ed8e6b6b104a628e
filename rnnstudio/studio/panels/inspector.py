"""The form of what is selected: a node's name and parameters, several nodes' common ones, or the design itself."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ...design.design import Wire
from .. import theme
from ..session import Session
from .design_form import DesignForm
from .fields import Field
from .frame_form import FrameForm
from .layout import form_title
from .node_form import NodeForm, params_of


def lock(form: QWidget) -> None:
    """A library cell is looked at: what one types in is grey, what one reads and opens is not."""
    for kind in (Field, QLineEdit, QPlainTextEdit, QComboBox, QPushButton):
        for child in form.findChildren(kind):
            child.setEnabled(False)
    for button in form.findChildren(QToolButton):
        if button.accessibleName().startswith("remove"):
            button.setEnabled(False)


class InspectorPanel(QScrollArea):
    """Rebuilt when something else is selected; otherwise its fields follow the document in place."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.form: QWidget | None = None
        self._schema: Any = None
        self._more = False
        session.undone.connect(self._forget)
        session.designChanged.connect(self.refresh)
        session.checkedChanged.connect(self.refresh)
        session.focus.selectionChanged.connect(self.refresh)
        session.focus.trailChanged.connect(self.refresh)
        theme.changes().changed.connect(self._redress)
        self.refresh()

    def _redress(self) -> None:
        self._schema = None
        self.refresh()

    def _forget(self) -> None:
        """A wrong value that was typed does not outlive an undo."""
        if isinstance(self.form, NodeForm | DesignForm):
            self.form.forget()

    def _remember_more(self, is_open: bool) -> None:
        self._more = is_open

    def refresh(self) -> None:
        schema = self._wanted()
        if schema != self._schema:
            self._schema = schema
            old = self.takeWidget()
            if old is not None:
                old.hide()
                old.deleteLater()
            self.form = self._build()
            if schema[-1]:
                lock(self.form)
            self.setWidget(self.form)
        elif isinstance(self.form, NodeForm | DesignForm | WireForm | FrameForm):
            self.form.refresh()

    def _wanted(self) -> Any:
        return (*self._subject(), self.session.is_fixed(self.session.focus.graph))

    def _subject(self) -> tuple[Any, ...]:
        focus = self.session.focus
        graph = self.session.design.graph_of(focus.graph)
        nodes = [graph.nodes[k] for k in focus.nodes if k in graph.nodes]
        if nodes:
            shapes = tuple((n.kind, params_of(self.session, n)) for n in nodes)
            return ("nodes", focus.graph, tuple(n.id for n in nodes), shapes)
        if len(focus.frames) == 1 and any(f.id == focus.frames[0] for f in graph.frames):
            return ("frame", focus.graph, focus.frames[0])
        if len(focus.wires) == 1:
            return ("wire", focus.graph, focus.wires[0])
        return ("design", focus.graph)

    def _build(self) -> QWidget:
        what, graph = self._schema[0], self._schema[1]
        if what == "nodes":
            form = NodeForm(self.session, graph, self._schema[2], more=self._more)
            form.more.turned.connect(self._remember_more)
            return form
        if what == "frame":
            return FrameForm(self.session, graph, self._schema[2])
        if what == "wire":
            return WireForm(self.session, graph, self._schema[2])
        return DesignForm(self.session, graph)


class WireForm(QWidget):
    """What a wire joins and carries."""

    def __init__(self, session: Session, graph: str, wire: Wire) -> None:
        super().__init__()
        self.session = session
        self.graph = graph
        self.wire = wire
        box = QVBoxLayout(self)
        box.setContentsMargins(12, 12, 12, 12)
        box.setSpacing(8)
        title = form_title("Wire")
        self.text = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        box.addWidget(title)
        box.addWidget(self.text)
        box.addStretch(1)
        self.refresh()

    def refresh(self) -> None:
        source = self.wire.source
        signal = self.session.seen.signals.get((self.graph, source.node, source.port))
        shape = signal.text() if signal is not None else "shape not known yet"
        self.text.setText(f"{self.wire}\n{shape}")
