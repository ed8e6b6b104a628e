"""The inspector's form of nodes: what matters first, the rest folded; of several nodes what they have in common."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFormLayout, QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from ...catalog.catalog import CELL
from ...catalog.families import CHILDREN, MOST, set_children
from ...catalog.node import Param
from ...catalog.trees import CHILDREN as OF_CHILDREN
from ...compiler.bounds import bounded_params
from ...compiler.resolve import ports, variables_of
from ...design.design import MAIN, Node, Pin, Var
from ...design.edits import Compound, Edit, RenameNode, SetParam, SetShared, SetTitle, check_name
from ...design.errors import StudioError
from ...design.owning import used_by
from .. import theme
from ..session import Session
from ..subscripts import html
from .fields import MIXED, BoolField, ChoiceField, Field, ListField, NumberField, TextField, Variables, shown
from .forms import Fold
from .layout import form_layout


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
            return bounded_params(cell, session.catalog, session.design.cells)
        doc = "how many ordered children a node has; the cell is drawn anew for another number"
        own = bounded_params(cell, session.catalog, session.design.cells)
        return (*own, Param(CHILDREN, "int", drawn[1], doc, minimum=1, maximum=MOST))
    kind = session.catalog.of(node)
    return kind.params if kind is not None else ()


ONLY_AXIS = "the only axis"
"""What an axis that is left open is called."""


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
    here, signals = session.focus.graph, session.seen.signals
    found = {a for (graph, _, _), s in signals.items() if graph == here for a in s.axes}
    named = {a for a in found if not a.endswith(OF_CHILDREN)}
    return tuple(sorted(named | set(session.design.axes)))


def common(sets: list[tuple[Param, ...]]) -> tuple[Param, ...]:
    """What nodes have in common: parameters of one name and type, within what all of them take."""
    first, *rest = sets
    found = []
    for param in first:
        others = [next((p for p in other if p.name == param.name and p.type == param.type), None) for other in rest]
        same = [p for p in others if p is not None]
        if len(same) != len(rest) or any(p.choices != param.choices for p in same):
            continue
        lows = [p.minimum for p in (param, *same) if p.minimum is not None]
        highs = [p.maximum for p in (param, *same) if p.maximum is not None]
        zero = param.zero if all(p.zero == param.zero for p in same) else ""
        found.append(replace(param, minimum=max(lows, default=None), maximum=min(highs, default=None), zero=zero))
    return tuple(found)


def shown_default(param: Param) -> str:
    """A default as a person reads it."""
    return param.zero if param.zero and param.default == 0 else shown(param.default) or "empty"


def range_of(param: Param) -> str:
    """The numbers that a parameter takes, in short: “0 … 1”, “≥ 1”; "" where any will do."""
    low, high = param.minimum, param.maximum
    if low is not None and high is not None and high <= 1000:
        return f"{low:g} … {high:g}"
    return f"≥ {low:g}" if low is not None else f"≤ {high:g}" if high is not None else ""


def heading(text: str) -> QLabel:
    label = QLabel(text, wordWrap=True)
    label.setProperty("role", "section")
    return label


class NodeForm(QWidget):
    """One node, or the parameters several have in common."""

    def __init__(self, session: Session, graph: str, keys: tuple[str, ...], *, more: bool = False) -> None:
        """more: whether what is seldom set is unfolded."""
        super().__init__()
        self.session = session
        self.graph = graph
        self.keys = keys
        self.fields: dict[str, Field] = {}
        self.labels: dict[str, QLabel] = {}
        self._rows: dict[str, QFormLayout] = {}
        self.params = common([params_of(session, n) for n in self._nodes()])
        box = QVBoxLayout(self)
        box.setContentsMargins(12, 12, 12, 12)
        box.setSpacing(10)
        box.addLayout(self._header())
        self.more = Fold("More", is_open=more)
        first = form_layout()
        one = len(keys) == 1
        if one:
            self.name = TextField(self._check_name)
            self.name.changed.connect(self._rename)
            self.name.setToolTip("Names the node's parameters everywhere: panels, checkpoints, exports.")
            first.addRow("Name", self.name)
        for param in self.params:
            self._add(self.more.form if param.minor else first, param)
        box.addLayout(first)
        if not self.fields and not one:
            box.addWidget(QLabel("They have no parameters in common.", wordWrap=True))
        if one:
            self._add_seldom()
        if self.more.form.rowCount():
            box.addWidget(self.more)
        else:
            self.more.setParent(self)
            self.more.hide()
        self.ports = QLabel(self, textFormat=Qt.TextFormat.RichText, wordWrap=True)
        self.ports.setVisible(one)
        self.ports.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        if one:
            box.addWidget(heading("Ports"))
            box.addWidget(self.ports)
            self._about(box)
        box.addStretch(1)
        self.refresh()

    def _add(self, form: QFormLayout, param: Param) -> None:
        field = field_for(param, self.session)
        label = QLabel(param.label)
        # The label stands beside the editor, also when a reason is shown below it.
        label.setMinimumHeight(field.sizeHint().height())
        for widget in (label, field):
            widget.setToolTip(self._tip(param))
        field.changed.connect(lambda value, stepped, name=param.name: self._set(name, value, stepped))
        field.resetWanted.connect(lambda name=param.name: self._reset(name))
        self.fields[param.name] = field
        self.labels[param.name] = label
        self._rows[param.name] = form
        form.addRow(label, field)

    def _add_seldom(self) -> None:
        """What names and sharing a node has, among what is seldom set."""
        session, key, graph = self.session, self.keys[0], self.graph
        self.title = TextField(hint="shown instead of the name")
        self.title.changed.connect(lambda text, _: session.do(SetTitle(key, text, graph)))
        self.more.form.addRow("Title", self.title)
        if self._has_weights():
            self.shared = TextField(hint="no sharing")
            self.shared.setToolTip("Nodes of one kind with the same weights name use the same parameters.")
            self.shared.changed.connect(lambda text, _: session.do(SetShared(key, text, graph)))
            self.more.form.addRow("Weights", self.shared)
            self.sharing = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
            self.sharing.setProperty("role", "muted")
            self.more.form.addRow("", self.sharing)
            if self._nodes()[0].shared:
                self.more.set_open(True)

    @staticmethod
    def _tip(param: Param) -> str:
        parts = [param.doc, f"Default: {shown_default(param)}"]
        if bounds := range_of(param):
            parts.append(f"Takes {bounds} {param.unit}".rstrip())
        return "<br>".join(escape(part) for part in parts if part)

    def _nodes(self) -> list[Node]:
        nodes = self.session.design.graph_of(self.graph).nodes
        return [nodes[k] for k in self.keys if k in nodes]

    def _kind_title(self, node: Node) -> str:
        kind = self.session.catalog.of(node)
        if kind is not None:
            return kind.title
        return f"Cell {node.params.get('cell', '')}" if node.kind == CELL else f"unknown kind “{node.kind}”"

    def _header(self) -> QVBoxLayout:
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
        box = QVBoxLayout()
        box.setSpacing(4)
        box.addLayout(row)
        self.definition = QLabel(self, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.definition.setProperty("role", "muted")
        self.definition.hide()
        if len(nodes) == 1 and nodes[0].kind == CELL:
            button = QToolButton()
            button.setText("Open drawing")
            button.clicked.connect(self._enter)
            row.addWidget(button)
            box.addWidget(self.definition)
        return box

    def _enter(self) -> None:
        cell = str(self._nodes()[0].params.get("cell", ""))
        if cell in self.session.design.cells and all(step.graph != cell for step in self.session.focus.trail):
            self.session.focus.enter(cell, self.keys[0])

    def _has_weights(self) -> bool:
        node = self._nodes()[0]
        kind = self.session.catalog.of(node)
        return node.kind == CELL or (kind is not None and kind.family == "Layers" and kind.name != "Dropout")

    def _about(self, box: QVBoxLayout) -> None:
        node = self._nodes()[0]
        kind = self.session.catalog.of(node)
        cell = self.session.design.cells.get(str(node.params.get("cell", ""))) if node.kind == CELL else None
        about = kind or cell
        if about is None:
            return
        if about.formula:
            box.addWidget(heading("Formula"))
            lines = "<br>".join(html(line) for line in about.formula.splitlines())
            formula = QLabel(lines, wordWrap=True, textFormat=Qt.TextFormat.RichText)
            formula.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            formula.setFont(theme.monospace())
            formula.setObjectName("formula")
            box.addWidget(formula)
        for text in (about.doc, about.source):
            if text:
                label = QLabel(text, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
                label.setProperty("role", "muted")
                box.addWidget(label)

    def forget(self) -> None:
        """What was typed and not taken goes: undo went past it."""
        names = [getattr(self, name) for name in ("name", "title", "shared") if hasattr(self, name)]
        for field in (*self.fields.values(), *names):
            field.forget()

    def refresh(self) -> None:
        """Show what the document says now."""
        nodes = self._nodes()
        if len(nodes) != len(self.keys):
            return
        variables = variables_in(self.session, self.graph)
        if len(nodes) == 1:
            self._refresh_names(nodes[0])
            self._show_ports(nodes[0])
        idle = self._idle(nodes)
        changed = 0
        for param in self.params:
            field, label = self.fields[param.name], self.labels[param.name]
            self._rows[param.name].setRowVisible(field, param.name not in idle)
            values = [n.params.get(param.name, self._default(n, param)) for n in nodes]
            same = all(v == values[0] and type(v) is type(values[0]) for v in values)
            field.show_value(values[0] if same else MIXED, variables)
            kind = self.session.catalog.of(nodes[0])
            label.setText(kind.label_of(param, nodes[0].params) if kind is not None else param.label)
            own = any(n.params.get(param.name, self._default(n, param)) != self._default(n, param) for n in nodes)
            own = own and param.name not in (CELL, CHILDREN)
            field.offer_reset(self._default(nodes[0], param), own)
            label.setProperty("role", "" if own else "muted")
            label.style().unpolish(label)
            label.style().polish(label)
            field.say(self._note(param, values[0], variables) if same else range_of(param))
            changed += own and param.minor and param.name not in idle
        self.more.set_title(f"More ({changed} changed)" if changed else "More")

    def _refresh_names(self, node: Node) -> None:
        self.name.show_value(node.id, {})
        self.title.show_value(node.title, {})
        if hasattr(self, "shared"):
            self.shared.show_value(node.shared, {})
            text = self._sharing_text(node)
            self.sharing.setText(text)
            self.sharing.setVisible(bool(text))
        cell = str(node.params.get(CELL, "")) if node.kind == CELL else ""
        if cell in self.session.design.cells:
            whose = "of the library" if self.session.is_fixed(cell) else "of this design"
            self.definition.setText(f"A cell {whose}, {used_by(self.session.design, cell)}")
            self.definition.show()

    def _default(self, node: Node, param: Param) -> Any:
        """What a node has where nothing is set: of several nodes each its own."""
        return next((p.default for p in params_of(self.session, node) if p.name == param.name), param.default)

    def _note(self, param: Param, value: Any, variables: Variables) -> str:
        """What stands behind the editor: a variable's number, what 0 stands for, the unit or the range."""
        design = self.session.design
        if isinstance(value, Var):
            if value.name not in variables:
                return ""
            given = self.graph == MAIN and value.name not in design.variables
            return f"= {variables[value.name]}" + (", from the data" if given else "")
        if param.zero and value == 0 and not isinstance(value, bool):
            size = self._size_of_data(param)
            return f"{size}, from the data" if size else param.zero
        return param.unit or range_of(param)

    def _size_of_data(self, param: Param) -> int | None:
        """The size that the data gives the selected input or target."""
        data = self.session.design.data
        fields = {n.params.get("field", self._default_field(n)) for n in self._nodes()}
        if param.name != "size" or data is None or len(fields) != 1:
            return None
        spec = data.readable.get(str(next(iter(fields))))
        return spec.size if spec is not None else None

    def _default_field(self, node: Node) -> Any:
        return next((p.default for p in params_of(self.session, node) if p.name == "field"), "")

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
        param = next(p for p in self.params if p.name == name)
        edits: list[Edit] = []
        for node in self._nodes():
            default = self._default(node, param)
            new = None if value == default and type(value) is type(default) and name != "cell" else value
            if node.params.get(name) != new and (new is not None or name in node.params):
                edits.append(SetParam(node.id, name, new, self.graph))
        self._do(edits, name, merge)

    def _reset(self, name: str) -> None:
        """Back to the default, each node to its own."""
        edits: list[Edit] = [SetParam(n.id, name, None, self.graph) for n in self._nodes() if name in n.params]
        self._do(edits, name, "")

    def _do(self, edits: list[Edit], name: str, merge: str) -> None:
        if edits:
            many = len(edits) > 1
            self.session.do(Compound(tuple(edits), f"Set {name} of {len(edits)} nodes") if many else edits[0], merge)
