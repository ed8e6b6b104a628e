"""The form of what is selected: a node's name and parameters, several nodes' common ones, or the design itself."""

from __future__ import annotations

from html import escape
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget

from ...catalog.catalog import CELL
from ...catalog.families import CHILDREN, MOST, set_children
from ...catalog.node import Param
from ...compiler.resolve import cell_params, ports, variables_of
from ...design.design import MAIN, Node, Pin, Wire
from ...design.edits import Compound, Edit, RenameNode, SetParam, SetShared, SetTitle, check_name
from ...design.errors import StudioError
from .. import theme
from ..session import Session
from .design_form import DesignForm
from .fields import MIXED, BoolField, ChoiceField, Field, ListField, NumberField, TextField, Variables
from .frame_form import FrameForm
from .layout import form_layout, form_title

ONLY_AXIS = "the only axis"
"""What an axis that is left open is called."""


def variables_in(session: Session, graph: str) -> Variables:
    """The variables nodes of a graph can read: the design's, or the cell's own."""
    design = session.design
    if graph == MAIN:
        return variables_of(design)
    cell = design.cells.get(graph)
    return dict(cell.params) if cell is not None else {}


def params_of(session: Session, node: Node) -> tuple[Param, ...]:
    if node.kind == CELL:
        cell = session.design.cells.get(str(node.params.get("cell", "")))
        if cell is None:
            return ()
        drawn = session.catalog.family_of(cell)
        if drawn is None:
            return cell_params(cell)
        doc = "how many ordered children a node has; the cell is drawn anew for another number"
        return (*cell_params(cell), Param(CHILDREN, "int", drawn[1], doc, minimum=1, maximum=MOST))
    kind = session.catalog.of(node)
    return kind.params if kind is not None else ()


def field_for(param: Param, session: Session) -> Field:
    """The editor that suits a parameter's type."""
    if param.type in ("int", "float"):
        return NumberField(param)
    if param.type == "bool":
        return BoolField(param)
    if param.type == "choice":
        return ChoiceField(lambda: param.choices)
    if param.type == "field":
        return ChoiceField(lambda: _data_fields(session), free="a name", empty="a field of the data")
    if param.type == "axis":
        return ChoiceField(lambda: ("", *_axes(session)), free="a new axis's name", empty=ONLY_AXIS)
    if param.type == "cell":
        return ChoiceField(lambda: tuple(session.design.cells))
    if param.type in ("ints", "floats"):
        return ListField(param)
    return TextField()


def _data_fields(session: Session) -> tuple[str, ...]:
    data = session.design.data
    return tuple(data.readable) if data is not None else ()


def _axes(session: Session) -> tuple[str, ...]:
    """The axes that run in the graph that is shown, and those with settings; a new one may be typed."""
    here = session.focus.graph
    named = {a for (graph, _, _), s in session.seen.signals.items() if graph == here for a in s.axes}
    return tuple(sorted(named | set(session.design.axes)))


class InspectorPanel(QScrollArea):
    """Rebuilt when something else is selected; otherwise its fields follow the document in place."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.form: QWidget | None = None
        self._schema: Any = None
        session.designChanged.connect(self.refresh)
        session.checkedChanged.connect(self.refresh)
        session.focus.selectionChanged.connect(self.refresh)
        session.focus.trailChanged.connect(self.refresh)
        theme.changes().changed.connect(self._redress)
        self.refresh()

    def _redress(self) -> None:
        self._schema = None
        self.refresh()

    def refresh(self) -> None:
        schema = self._wanted()
        if schema != self._schema:
            self._schema = schema
            old = self.takeWidget()
            if old is not None:
                old.hide()
                old.deleteLater()
            self.form = self._build()
            self.setWidget(self.form)
        elif isinstance(self.form, NodeForm | DesignForm | WireForm | FrameForm):
            self.form.refresh()

    def _wanted(self) -> Any:
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
            return NodeForm(self.session, graph, self._schema[2])
        if what == "frame":
            return FrameForm(self.session, graph, self._schema[2])
        if what == "wire":
            return WireForm(self.session, graph, self._schema[2])
        return DesignForm(self.session, graph)


def heading(text: str) -> QLabel:
    label = QLabel(text, wordWrap=True)
    label.setProperty("role", "section")
    return label


class NodeForm(QWidget):
    """One node, or the parameters several have in common."""

    def __init__(self, session: Session, graph: str, keys: tuple[str, ...]) -> None:
        super().__init__()
        self.session = session
        self.graph = graph
        self.keys = keys
        self.fields: dict[str, Field] = {}
        box = QVBoxLayout(self)
        box.setContentsMargins(12, 12, 12, 12)
        box.setSpacing(10)
        box.addLayout(self._header())
        names = form_layout()
        if len(keys) == 1:
            self.name = TextField(self._check_name)
            self.name.changed.connect(self._rename)
            self.name.setToolTip("Names the node's parameters everywhere: panels, checkpoints, exports.")
            names.addRow("Name", self.name)
            self.title = TextField(hint="shown instead of the name")
            self.title.changed.connect(lambda text, _: session.do(SetTitle(keys[0], text, graph)))
            names.addRow("Title", self.title)
            if self._has_weights():
                self.shared = TextField(hint="no sharing")
                self.shared.setToolTip("Nodes of one kind with the same weights name use the same parameters.")
                self.shared.changed.connect(lambda text, _: session.do(SetShared(keys[0], text, graph)))
                names.addRow("Weights", self.shared)
                self.sharing = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
                self.sharing.setProperty("role", "muted")
                names.addRow("", self.sharing)
        box.addLayout(names)
        params = self._rows = form_layout()
        for param in self._common():
            field = field_for(param, session)
            label = QLabel(param.title or param.name.replace("_", " ").capitalize())
            label.setToolTip(param.doc)
            # The label stands beside the editor, also when a reason is shown below it.
            label.setMinimumHeight(field.sizeHint().height())
            field.setToolTip(param.doc)
            field.changed.connect(lambda value, stepped, name=param.name: self._set(name, value, stepped))
            self.fields[param.name] = field
            params.addRow(label, field)
        if self.fields:
            box.addWidget(heading("Parameters"))
            box.addLayout(params)
        elif len(keys) > 1:
            box.addWidget(QLabel("They have no parameters in common.", wordWrap=True))
        self.ports = QLabel(self, textFormat=Qt.TextFormat.RichText, wordWrap=True)
        self.ports.setVisible(len(keys) == 1)
        self.ports.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        if len(keys) == 1:
            box.addWidget(heading("Ports"))
            box.addWidget(self.ports)
            self._about(box)
        box.addStretch(1)
        self.refresh()

    def _nodes(self) -> list[Node]:
        nodes = self.session.design.graph_of(self.graph).nodes
        return [nodes[k] for k in self.keys if k in nodes]

    def _kind_title(self, node: Node) -> str:
        kind = self.session.catalog.of(node)
        if kind is not None:
            return kind.title
        return f"Cell {node.params.get('cell', '')}" if node.kind == CELL else f"unknown kind “{node.kind}”"

    def _header(self) -> QHBoxLayout:
        t = theme.current()
        nodes = self._nodes()
        kinds = {self._kind_title(n) for n in nodes}
        kind = self.session.catalog.of(nodes[0])
        family = "Cells" if nodes[0].kind == CELL else kind.family if kind is not None else ""
        text = f"{len(nodes)} nodes" if len(kinds) > 1 else next(iter(kinds))
        title = QLabel(f"{len(nodes)} × {text}" if len(nodes) > 1 and len(kinds) == 1 else text)
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.25)
        font.setWeight(font.Weight.DemiBold)
        title.setFont(font)
        bar = QFrame()
        bar.setFixedWidth(4)
        bar.setStyleSheet(f"background: {t.family(family).name()}; border-radius: 2px;")
        row = QHBoxLayout()
        row.setSpacing(9)
        row.addWidget(bar)
        row.addWidget(title, 1)
        if len(nodes) == 1 and nodes[0].kind == CELL:
            button = QToolButton()
            button.setText("Open drawing")
            button.clicked.connect(self._enter)
            row.addWidget(button)
        return row

    def _enter(self) -> None:
        cell = str(self._nodes()[0].params.get("cell", ""))
        if cell in self.session.design.cells and all(step.graph != cell for step in self.session.focus.trail):
            self.session.focus.enter(cell, self.keys[0])

    def _has_weights(self) -> bool:
        node = self._nodes()[0]
        kind = self.session.catalog.of(node)
        return node.kind == CELL or (kind is not None and kind.family == "Layers" and kind.name != "Dropout")

    def _common(self) -> list[Param]:
        nodes = self._nodes()
        first, *rest = [params_of(self.session, n) for n in nodes]
        return [p for p in first if all(p in other for other in rest)]

    def _about(self, box: QVBoxLayout) -> None:
        node = self._nodes()[0]
        kind = self.session.catalog.of(node)
        cell = self.session.design.cells.get(str(node.params.get("cell", ""))) if node.kind == CELL else None
        about = kind or cell
        if about is None:
            return
        if about.formula:
            box.addWidget(heading("Formula"))
            formula = QLabel(about.formula, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
            formula.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            formula.setFont(theme.monospace())
            formula.setObjectName("formula")
            box.addWidget(formula)
        for text in (about.doc, about.source):
            if text:
                label = QLabel(text, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
                label.setProperty("role", "muted")
                box.addWidget(label)

    def refresh(self) -> None:
        """Show what the document says now."""
        nodes = self._nodes()
        if len(nodes) != len(self.keys):
            return
        variables = variables_in(self.session, self.graph)
        if len(nodes) == 1:
            self.name.show_value(nodes[0].id, {})
            self.title.show_value(nodes[0].title, {})
            if hasattr(self, "shared"):
                self.shared.show_value(nodes[0].shared, {})
                text = self._sharing_text(nodes[0])
                self.sharing.setText(text)
                self.sharing.setVisible(bool(text))
            self._show_ports(nodes[0])
        idle = self._idle(nodes)
        for param in self._common():
            self._rows.setRowVisible(self.fields[param.name], param.name not in idle)
            values = [n.params.get(param.name, param.default) for n in nodes]
            same = all(v == values[0] and type(v) is type(values[0]) for v in values)
            self.fields[param.name].show_value(values[0] if same else MIXED, variables)

    def _idle(self, nodes: list[Node]) -> frozenset[str]:
        """What none of the nodes makes use of."""
        kinds = [self.session.catalog.of(node) for node in nodes]
        idle = [k.idle_params(n.params) if k is not None else frozenset() for k, n in zip(kinds, nodes, strict=True)]
        return frozenset.intersection(*idle)

    def _sharing_text(self, node: Node) -> str:
        """Who else uses the node's weights, and whose settings hold where they differ."""
        for found in self.session.seen.diagnostics:
            if found.code == "SharedSettings" and found.graph == self.graph and node.id in found.nodes:
                return found.message
        there = self.session.design.graph_of(self.graph).nodes.values()
        others = [n.label for n in there if n is not node and (n.shared or n.id) == (node.shared or node.id)]
        return f"Shared with {', '.join(others)}" if others else ""

    def _show_ports(self, node: Node) -> None:
        t = theme.current()
        found = ports(node, self.session.design, self.session.catalog.of(node))
        signals = self.session.seen.signals
        graph = self.session.design.graph_of(self.graph)
        rows = []
        inputs, outputs = found if found is not None else ((), ())
        for port in inputs:
            wire = next((w for w in graph.wires if w.target == Pin(node.id, port.name)), None)
            signal = signals.get((self.graph, wire.source.node, wire.source.port)) if wire is not None else None
            text = signal.text() if signal else "?" if wire else "optional" if port.optional else "not connected"
            rows.append(("in", port.name, text))
        for port in outputs:
            signal = signals.get((self.graph, node.id, port.name))
            rows.append(("out", port.name, signal.text() if signal else "?"))
        lines = [
            f"<tr><td style='color:{t.faint}; padding-right:8px'>{side}</td>"
            f"<td style='padding-right:14px'>{escape(name)}</td>"
            f"<td style='color:{t.muted}'>{escape(text)}</td></tr>"
            for side, name, text in rows
        ]
        self.ports.setText(f"<table cellspacing='0' cellpadding='2'>{''.join(lines)}</table>" if lines else "none")

    def _check_name(self, text: str) -> str:
        try:
            check_name(text)
        except StudioError as error:
            return str(error)
        taken = text != self.keys[0] and text in self.session.design.graph_of(self.graph).nodes
        return f"A node is called “{text}” already." if taken else ""

    def _rename(self, text: str, _stepped: bool) -> None:
        if self.session.do(RenameNode(self.keys[0], text, self.graph)):
            self.session.focus.select((text,))

    def _set_children(self, value: Any, merge: str) -> None:
        """Draw the cells of the selected nodes for another number of children."""
        before = design = self.session.design
        edits: list[Edit] = []
        for key in self.keys:
            node = design.graph_of(self.graph).nodes[key]
            drawn = self.session.catalog.family_of(design.cells[str(node.params["cell"])])
            if drawn is not None and drawn[1] != value:
                try:
                    edits.append(set_children(design, self.graph, node, drawn[0], value))
                except StudioError as error:
                    self.session.failed.emit(error)
                    return
                design = edits[-1].apply(design)
        if design is not before:
            self.session.do(edits[0] if len(edits) == 1 else Compound(tuple(edits), f"Set {CHILDREN}"), merge)

    def _set(self, name: str, value: Any, stepped: bool) -> None:
        merge = f"{self.graph}/{','.join(self.keys)}.{name}" if stepped else ""
        if name == CHILDREN and all(n.kind == CELL for n in self._nodes()):
            self._set_children(value, merge)
            return
        default = next((p.default for p in self._common() if p.name == name), None)
        new = None if value == default and type(value) is type(default) and name != "cell" else value
        edits: list[Edit] = [
            SetParam(n.id, name, new, self.graph)
            for n in self._nodes()
            if n.params.get(name) != new and (new is not None or name in n.params)
        ]
        if edits:
            many = len(edits) > 1
            self.session.do(Compound(tuple(edits), f"Set {name} of {len(edits)} nodes") if many else edits[0], merge)


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
