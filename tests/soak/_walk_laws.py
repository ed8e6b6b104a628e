"""What holds after every step of a random walk: the scene shows the document, and nothing that is not there."""

from __future__ import annotations

from itertools import chain

from PySide6.QtCore import QPointF

from rnnstudio.design import storage
from rnnstudio.design.design import MAIN, Design
from rnnstudio.studio.canvas.frame_item import FrameItem
from rnnstudio.studio.canvas.look import look
from rnnstudio.studio.canvas.node_item import NodeItem
from rnnstudio.studio.canvas.wire_item import WireItem
from rnnstudio.studio.window import MainWindow

_read: list[Design | None] = [None]
"""The design that was last written and read again."""


def wrong(window: MainWindow) -> str:
    """What does not hold, in a line; "" when all does."""
    return next(chain(_document(window), _selection(window), _scene(window), _rest(window)), "")


def _document(window: MainWindow):
    design = window.session.design
    for name in (MAIN, *design.cells):
        graph = design.graph_of(name)
        for key, node in graph.nodes.items():
            if key != node.id:
                yield f"node {node.id} stands under {key} in {name or 'the design'}"
        for wire in graph.wires:
            for pin in (wire.source, wire.target):
                if pin.node not in graph.nodes:
                    yield f"the wire {wire} in {name or 'the design'} ends at {pin.node}, which is not there"
        targets = [wire.target for wire in graph.wires]
        if len(set(graph.wires)) != len(graph.wires):
            yield f"a wire is there twice in {name or 'the design'}"
        if len(set(targets)) != len(targets):
            yield f"an input of {name or 'the design'} is fed twice"
        if len({f.id for f in graph.frames}) != len(graph.frames):
            yield f"two frames of {name or 'the design'} have one id"
    if window.session.checked.design is not design:
        yield "the check is of another design"
    if design is not _read[0]:
        _read[0] = design
        text = storage.dumps(design)
        if storage.dumps(storage.loads(text)) != text:
            yield "what is saved is read as something else"


def _selection(window: MainWindow):
    session, focus = window.session, window.session.focus
    for step in focus.trail:
        if step.graph != MAIN and step.graph not in session.design.cells:
            yield f"the cell {step.graph} is shown and not there"
            return
    graph = session.design.graph_of(focus.graph)
    if gone := set(focus.nodes) - set(graph.nodes):
        yield f"{gone} are selected and not there"
    if gone := set(focus.wires) - set(graph.wires):
        yield f"{gone} are selected and not there"
    if gone := set(focus.frames) - {f.id for f in graph.frames}:
        yield f"the frames {gone} are selected and not there"
    for name, those in (("node", focus.nodes), ("wire", focus.wires), ("frame", focus.frames)):
        if len(set(those)) != len(those):
            yield f"a {name} is selected twice: {those}"


def _scene(window: MainWindow):
    session, canvas = window.session, window.view.canvas
    focus = session.focus
    graph = session.design.graph_of(focus.graph)
    if set(canvas.nodes) != set(graph.nodes):
        yield f"nodes shown {sorted(set(canvas.nodes) ^ set(graph.nodes))} are not those of the document"
    if set(canvas.wires) != set(graph.wires):
        yield f"wires shown are not those of the document: {set(canvas.wires) ^ set(graph.wires)}"
    if {k: f.frame for k, f in canvas.frames.items()} != {f.id: f for f in graph.frames}:
        yield "frames shown are not those of the document"
    for key, item in canvas.nodes.items():
        node = graph.nodes.get(key)
        if node is None:
            continue
        if item.pos() != QPointF(node.x, node.y):
            yield f"{key} is shown at {item.pos().toTuple()} and stands at {node.x, node.y}"
        if item.look != look(node, session.design, session.catalog, graph.wires):
            yield f"{key} looks as it did before"
        if item.selected != (key in focus.nodes):
            yield f"{key} looks selected: {item.selected}"
        if item.refused is not None or item.target_of_drop:
            yield f"{key} keeps the marks of a gesture that ended"
        if item.key != key:
            yield f"the item of {key} calls itself {item.key}"
    for wire, item in canvas.wires.items():
        if wire.source.node not in canvas.nodes or wire.target.node not in canvas.nodes:
            continue
        ends = (
            canvas.nodes[wire.source.node].port_place(False, wire.source.port),
            canvas.nodes[wire.target.node].port_place(True, wire.target.port),
        )
        if item.ends != ends:
            yield f"the wire {wire} does not end at its ports"
        if item.selected != (wire in focus.wires):
            yield f"the wire {wire} looks selected: {item.selected}"
        if not item.isVisible() or item.target_of_drop:
            yield f"the wire {wire} keeps the marks of a gesture that ended"
    for key, item in canvas.frames.items():
        if item.selected != (key in focus.frames):
            yield f"the frame {key} looks selected: {item.selected}"
    known = {*canvas.nodes.values(), *canvas.wires.values(), *canvas.frames.values()}
    for item in canvas.items():
        if item not in known and (isinstance(item, NodeItem | WireItem | FrameItem) or item.parentItem() is None):
            yield f"a {type(item).__name__} is on the canvas that nobody knows"


def _rest(window: MainWindow):
    view, session = window.view, window.session
    if view.gesture is not None:
        yield f"{type(view.gesture).__name__} goes on though no button is held"
    if view.quick_add is not None:
        yield "a search is open still"
    document = session.document
    for action, title in ((window.undo_action, document.undo_title), (window.redo_action, document.redo_title)):
        if action.isEnabled() != bool(title):
            yield f"“{action.text()}” is enabled: {action.isEnabled()}"
    if window.empty.isVisible() != (not session.design.graph.nodes and not session.design.cells):
        yield f"the empty drawing's picture is shown: {window.empty.isVisible()}"
    if [step.graph for step in session.focus.trail] and len(window.breadcrumbs.buttons) != len(session.focus.trail):
        yield "the breadcrumbs lead elsewhere"
