"""The window onto the drawing: zoom, pan, the background grid, and the door through which hands reach the gestures."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil, floor
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QGraphicsItem, QGraphicsView, QToolTip, QWidget

from ...compiler.diagnostics import Diagnostic
from ...design.design import Pin, Wire
from ...design.history import Change
from .. import theme
from ..commands import Commands
from ..gestures.base import Gesture, Press
from ..gestures.connect import DrawWire
from ..gestures.cut import BreakWires, RerouteWires, StrokeWires
from ..gestures.follow import FollowWire
from ..gestures.move import MoveNodes, ResizeFrame, cursor_of
from ..gestures.pan import Pan, PanOrMenu
from ..gestures.select import BoxSelect
from ..offers import MIME, Offer, bound, content_of, find, fitting, nodes_of, offer_ports, offers
from ..session import Session
from .frame_item import TITLE_HEIGHT
from .node_item import NO_PORTS_BELOW, NodeItem
from .quick_add import QuickAdd
from .rename import RenameField
from .scene import CanvasScene, Hit
from .shape import GRID, HEADER
from .stretch import Stretch
from .walking import Walking
from .wire_by_keys import WireByKeys
from .wire_item import WireItem

GESTURES: tuple[type[Gesture], ...] = (
    *(Pan, StrokeWires, RerouteWires, PanOrMenu, BreakWires),
    *(FollowWire, DrawWire, ResizeFrame, MoveNodes, BoxSelect),
)
"""Asked in this order whether they begin at a press."""
SMALLEST, LARGEST = 0.08, 4.0
READABLE = 0.7
"""Zoom at which names can be read well; a cell opens no smaller."""
REACH = 11.0
"""How near to a port a press takes hold of it, in pixels of the screen."""
WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


class CanvasView(QGraphicsView):
    """Signals: zoomChanged(float), hint(str) for the status bar, menuWanted(Hit, scene point, point of the screen)."""

    zoomChanged = Signal(float)
    hint = Signal(str)
    menuWanted = Signal(object, object, object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.commands = Commands(session)
        self.canvas = CanvasScene(session)
        self.setScene(self.canvas)
        self.setObjectName("canvas")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.SmartViewportUpdate)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontSavePainterState, False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAcceptDrops(True)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        # Room to pan in every direction; nothing is drawn for it.
        self.setSceneRect(-100_000, -100_000, 200_000, 200_000)
        self.stretch = Stretch(self)
        self.gesture: Gesture | None = None
        self.quick_add: QuickAdd | None = None
        self.walking = Walking(self)
        self.renaming: RenameField | None = None
        self.wiring: WireByKeys | None = None
        self.space_held = False
        self._pointer = QPoint(-1, -1)
        self._hovered: Hit = Hit()
        self._reframe = True
        self._places: dict[str, tuple[float, QPointF]] = {}
        self._shown = session.focus.graph
        session.focus.renamed.connect(self._rename_place)
        session.changing.connect(self.let_go)
        session.focus.trailChanging.connect(self.let_go)
        session.focus.trailChanged.connect(self._change_graph)
        session.focus.revealRequested.connect(self.reveal)
        session.opened.connect(self._opened)
        session.designChanged.connect(self._follow)
        theme.changes().changed.connect(self._redress)

    def _redress(self) -> None:
        self.stretch.rest()
        self.canvas.update()
        self.viewport().update()

    # Where one looks

    @property
    def zoom(self) -> float:
        return self.transform().m11()

    def set_zoom(self, zoom: float, about: QPointF | None = None) -> None:
        """Zoom with the point `about` (in the viewport, its middle by default) staying where it is."""
        zoom = min(max(zoom, SMALLEST), LARGEST)
        self._reframe = False
        if zoom != self.zoom:
            self.stretch.begin()
        about = about if about is not None else QPointF(self.viewport().rect().center())
        fixed = self.at(about)
        self.resetTransform()
        self.scale(zoom, zoom)
        self._put(fixed, about)
        self.zoomChanged.emit(zoom)

    def _put(self, scene: QPointF, where: QPointF) -> None:
        """Scroll so that a point of the scene is at a point of the viewport."""
        now = self.viewportTransform().map(scene)
        self.horizontalScrollBar().setValue(self.horizontalScrollBar().value() + round(now.x() - where.x()))
        self.verticalScrollBar().setValue(self.verticalScrollBar().value() + round(now.y() - where.y()))

    def at(self, where: QPoint | QPointF) -> QPointF:
        """The point of the scene under a point of the viewport."""
        inverse, _ = self.viewportTransform().inverted()
        return inverse.map(QPointF(where))

    def pan(self, by: QPoint) -> None:
        self._reframe = False
        self.horizontalScrollBar().setValue(self.horizontalScrollBar().value() - by.x())
        self.verticalScrollBar().setValue(self.verticalScrollBar().value() - by.y())

    def middle(self) -> QPointF:
        return self.at(self.viewport().rect().center())

    def pointer(self) -> QPointF:
        """The scene point under the mouse, or the middle of the view when the mouse is elsewhere."""
        inside = self.viewport().rect().contains(self._pointer)
        return self.at(self._pointer) if inside else self.middle()

    def frame(self, rect: QRectF, largest: float = 1.25) -> None:
        """Show a rectangle of the scene, with a margin, no larger than `largest`."""
        area = self.viewport().rect()
        if rect.isEmpty() or area.width() < 40 or area.height() < 40:
            self.set_zoom(1.0)
            self._put(rect.center(), QPointF(area.center()))
            return
        rect = rect.adjusted(-40, -40, 40, 40)
        zoom = min(area.width() / rect.width(), area.height() / rect.height(), largest)
        self.set_zoom(zoom)
        self._put(rect.center(), QPointF(area.center()))

    def look_at(self, scene: QPointF) -> None:
        """Bring a point of the scene to the middle of the view, at the zoom there is."""
        self._reframe = False
        self._put(scene, QPointF(self.viewport().rect().center()))

    def frame_all(self) -> None:
        self.frame(self.canvas.bounds())

    def frame_selection(self) -> None:
        """The selected nodes, or everything when none is."""
        self.frame(self.canvas.bounds(self.session.focus.nodes))

    def reveal(self) -> None:
        """Bring the selection into view, without moving when it is there already and readable."""
        keys = self.session.focus.nodes
        keys = keys or tuple({k for w in self.session.focus.wires for k in (w.source.node, w.target.node)})
        rect = self.canvas.bounds(keys)
        seen = QRectF(self.at(QPoint(0, 0)), self.at(self.viewport().rect().bottomRight()))
        if keys and not (seen.contains(rect) and self.zoom >= 0.5):
            self.frame(rect, largest=max(min(self.zoom, 1.25), 0.8))

    def _opened(self) -> None:
        self.cancel()  # what was begun was of the design before
        self._places.clear()
        self._shown = self.session.focus.graph
        self._reframe = True

    def _follow(self, change: Change) -> None:
        self.stretch.rest()
        if change.edit is None:
            self._frame_when_laid_out()

    def _change_graph(self) -> None:
        """Each drawing remembers where it was looked at."""
        self.stretch.rest()
        self._places[self._shown] = (self.zoom, self.middle())
        self._shown = self.session.focus.graph
        if self._shown in self._places:
            zoom, middle = self._places[self._shown]
            self.set_zoom(zoom)
            self._put(middle, QPointF(self.viewport().rect().center()))
        else:
            self.frame_all()
            if self.zoom < READABLE and self.session.focus.graph:
                self._read_from_the_left()

    def _read_from_the_left(self) -> None:
        """A cell that does not fit opens at a size at which one reads it, with what comes in in view."""
        area, rect = self.viewport().rect(), self.canvas.bounds()
        self.set_zoom(READABLE)
        x = rect.left() + min(area.width() / READABLE, rect.width() + 80) / 2 - 40
        self._put(QPointF(x, rect.center().y()), QPointF(area.center()))

    def _rename_place(self, _old: str, new: str) -> None:
        """The same drawing under another name is looked at from where it was."""
        self._places[new] = (self.zoom, self.middle())

    def _frame_when_laid_out(self) -> None:
        """A drawing that was just opened fits the view, whatever size it gets, until the person looks elsewhere."""
        if self._reframe and self.isVisible() and self.canvas.nodes:
            self.frame_all()
            self._reframe = True

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._frame_when_laid_out()

    def resizeEvent(self, event: QResizeEvent) -> None:
        before = event.oldSize() if event.oldSize().isValid() else event.size()
        middle = self.at(QPointF(before.width() / 2, before.height() / 2))
        super().resizeEvent(event)
        self._put(middle, QPointF(self.viewport().rect().center()))
        self._frame_when_laid_out()

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self.stretch.paint():
            super().paintEvent(event)

    def drawBackground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        t = theme.current()
        rect = QRectF(rect)
        painter.fillRect(rect, t.color("canvas"))
        zoom = self.zoom
        step = GRID * 2
        while step * zoom < 14:
            step *= 5
        pen = QPen(t.color("grid"), 0)
        pen.setWidthF(max(1.0, 1.6 * min(zoom, 1.5)) / zoom)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        left, top = floor(rect.left() / step) * step, floor(rect.top() / step) * step
        columns, rows = ceil(rect.width() / step) + 2, ceil(rect.height() / step) + 2
        if columns * rows < 20_000:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.drawPoints(_dots(step, columns, rows).translated(left, top))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._reframe = False
        self.stretch.rest()
        if self.gesture is not None:
            return
        QToolTip.hideText()
        press = self._press(event)
        for kind in GESTURES:
            gesture = kind.begin(self, press)
            if gesture is not None:
                self.gesture = gesture
                self._cursor()
                break
        event.accept()

    def _press(self, event: QMouseEvent) -> Press:
        at = self.at(event.position())
        return Press(at, event.position().toPoint(), event.button(), event.modifiers(), self.hit(at))

    def hit(self, at: QPointF, reach: float = REACH) -> Hit:
        """What is at a point of the scene. reach: how near to a port, in pixels; one too small to be seen is none."""
        return self.canvas.hit(at, reach / self.zoom, ports=self.zoom >= NO_PORTS_BELOW)

    def select_node(self, key: str, *, adding: bool = False) -> None:
        """What a click on a node does: select it alone, or put it into the selection or out of it."""
        focus = self.session.focus
        if not adding:
            focus.select((key,))
        elif key in focus.nodes:
            focus.select([k for k in focus.nodes if k != key], focus.wires)
        else:
            focus.select((*focus.nodes, key), focus.wires)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._pointer = event.position().toPoint()
        if self.gesture is not None and not event.buttons() & self.gesture.button:
            self.cancel()  # its release went to another window
        if self.gesture is not None:
            self.gesture.move(self.at(event.position()), event)
        else:
            self._hover(self.hit(self.at(event.position())))
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        gesture = self.gesture
        if gesture is not None and event.button() == gesture.button:
            self.gesture = None
            gesture.finish(self.at(event.position()), event)
            self._cursor()
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        hit = self.hit(self.at(event.position()))
        if hit.node is not None and hit.port is None:
            self.open_node(hit.node.key)
        elif hit.wire is not None and hit.wire.wire is not None:
            self.commands.reroute({hit.wire.wire: self.at(event.position())})
        elif hit.frame is not None and hit.edges == (0, 0):
            self.rename_frame(hit.frame.frame.id)
        elif hit.node is None and hit.wire is None and hit.frame is None:
            self.open_quick_add(event.position().toPoint())
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self._pointer = QPoint(-1, -1)
        if self.gesture is None:
            self._hover(Hit())
        super().leaveEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the cursor; a touch pad's two fingers, which give pixels, pan. Shift scrolls sideways."""
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.pan(QPoint(event.angleDelta().y() or event.angleDelta().x(), 0))
        elif not event.pixelDelta().isNull() and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.pan(event.pixelDelta())
        else:
            self.set_zoom(self.zoom * 1.0015 ** event.angleDelta().y(), event.position())
        event.accept()

    def _hover(self, hit: Hit) -> None:
        if hit == self._hovered:
            return
        before, self._hovered = self._hovered, hit
        if before.node is not None and before.node.scene() is not None:
            before.node.mark(hovered=False, hovered_port=None)
        if before.wire is not None and before.wire.scene() is not None:
            before.wire.mark(hovered=False)
        if before.frame is not None and before.frame.scene() is not None:
            before.frame.mark(hovered=False)
        if hit.frame is not None:
            hit.frame.mark(hovered=True)
        if hit.node is not None:
            hit.node.mark(hovered=True, hovered_port=hit.port)
        if hit.wire is not None:
            hit.wire.mark(hovered=True)
        self._cursor()

    def _cursor(self) -> None:
        if self.gesture is not None:
            shape = self.gesture.cursor
        elif self.space_held:
            shape = Qt.CursorShape.OpenHandCursor
        elif self._hovered.port is not None:
            shape = Qt.CursorShape.CrossCursor
        elif self._hovered.frame is not None:
            shape = cursor_of(self._hovered.edges)
        else:
            shape = Qt.CursorShape.ArrowCursor
        self.viewport().setCursor(shape)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            if self.gesture is None:
                position = event.globalPos()  # type: ignore[attr-defined]
                QToolTip.showText(position, self.tool_tip(self._hovered), self.viewport())
            return True
        return super().viewportEvent(event)

    def tool_tip(self, hit: Hit) -> str:
        """What is wrong here, else what this is and carries."""
        here = self.canvas.diagnostics()
        if hit.wire is not None and hit.wire.wire is not None:
            wrong = [d for d in here if hit.wire.wire in d.wires]
            return _problems(wrong) or f"{hit.wire.wire}<br>{hit.wire.text or 'shape not known yet'}"
        if hit.node is None:
            return ""
        node = hit.node
        if hit.port is not None:
            is_input, name = hit.port
            port = next(p for p in (node.look.inputs if is_input else node.look.outputs) if p.name == name)
            signal = self.canvas.signal_at(Pin(node.key, name), is_input)
            wrong = [d for d in here if node.key in d.nodes and d.port == name]
            about = (f" — {port.doc}" if port.doc else "") + (" (optional)" if port.optional else "")
            lines = [f"<b>{name}</b>{about}"]
            lines.append(signal.text() if signal is not None else f"takes {content_of(None, port)}" if is_input else "")
            return "<br>".join(line for line in (*lines, _problems(wrong)) if line)
        wrong = [d for d in here if node.key in d.nodes]
        kind = self.session.catalog.of(self.canvas.graph.nodes[node.key])
        about = kind.doc if kind is not None else ""
        if node.look.cell:
            about = "A cell: double-click opens its drawing."
        if node.look.muted:
            about = "Muted: what comes in goes out, as if it were not there. M lets it work again."
        return "<br>".join(line for line in (f"<b>{node.look.title}</b>", about, _problems(wrong)) if line)

    # Keys

    def focusNextPrevChild(self, _next: bool) -> bool:
        return False  # Tab searches for a node

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Of the keys that no person can change; all others are shortcuts of the window's actions."""
        if event.key() == Qt.Key.Key_Escape:
            self.escape()
        elif event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.space_held = True
            self._cursor()
        else:
            super().keyPressEvent(event)
            return
        event.accept()

    def move_selection(self, columns: int, rows: int) -> None:
        """By squares of the grid; where nothing is selected, the view moves instead."""
        if self.gesture is not None:
            return
        if self.session.focus.nodes or self.session.focus.frames:
            self.commands.arrange.nudge(columns * GRID, rows * GRID)
        else:
            self.pan(QPoint(-40 * columns, -40 * rows))

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.space_held = False
            self._cursor()
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.space_held = False
        super().focusOutEvent(event)

    def escape(self) -> None:
        """Cancel what is going on; else select nothing; else leave the cell."""
        focus = self.session.focus
        if self.gesture is not None:
            self.cancel()
        elif focus.nodes or focus.wires or focus.frames:
            self.session.focus.select()
        else:
            self.session.focus.leave()

    def cancel(self) -> None:
        if self.gesture is not None:
            gesture, self.gesture = self.gesture, None
            gesture.cancel()
            self._cursor()
        if self.quick_add is not None:
            self.quick_add.dismiss()

    def let_go(self) -> None:
        """The drawing is about to change, or another to be shown: what holds on to it ends, and changes nothing."""
        self.cancel()
        if self.renaming is not None:
            self.renaming.leave()

    def enter(self, key: str) -> None:
        """Open the drawing of a cell; for another node nothing happens."""
        node = self.canvas.graph.nodes.get(key)
        if node is None or node.kind != "cell":
            return
        name = str(node.params.get("cell", ""))
        if name in self.session.design.cells and all(step.graph != name for step in self.session.focus.trail):
            self.session.focus.enter(name, key)

    def open_node(self, key: str) -> None:
        """What a double-click does: open a cell's drawing, rename another node."""
        node = self.canvas.graph.nodes.get(key)
        if node is not None and node.kind == "cell":
            self.enter(key)
        elif node is not None:
            self.rename(key)

    def rename_selected(self) -> None:
        nodes, frames = self.session.focus.nodes, self.session.focus.frames
        if len(nodes) == 1:
            self.rename(nodes[0])
        elif len(frames) == 1 and not nodes:
            self.rename_frame(frames[0])
        else:
            self.session.message.emit("Select one node to rename it")

    def rename(self, key: str) -> RenameField | None:
        """Type a node's name where it stands; a library cell does not let it begin."""
        if self.session.refuses():
            return None
        self.reveal()
        item, node = self.canvas.nodes[key], self.canvas.graph.nodes[key]
        rect = item.shape_.rect.translated(item.pos())
        line = QRectF(rect.left(), rect.bottom() if item.shape_.compact else rect.top(), rect.width(), HEADER)
        return self._name_field(node.title or node.id, line, lambda text: self.commands.rename(key, text))

    def _name_field(self, text: str, over: QRectF, take: Callable[[str], object]) -> RenameField:
        """One at a time; the one before takes its name as if one had clicked elsewhere."""
        if self.renaming is not None:
            self.renaming.take()
        self.renaming = RenameField(self, text, over, take)
        return self.renaming

    def rename_frame(self, key: str) -> RenameField | None:
        """Type a frame's title where it stands; a library cell does not let it begin."""
        if self.session.refuses():
            return None
        frame = self.canvas.frames[key].frame
        width = min(frame.width, 200.0)
        line = QRectF(frame.x, frame.y, width, TITLE_HEIGHT)
        return self._name_field(frame.title, line, lambda text: self.commands.arrange.rename_frame(key, text))

    # Menus

    def ask_menu(self, hit: Hit, at: QPointF, where: QPoint) -> None:
        """Ask for the menu of what lies at a point; that is selected then, unless it was already."""
        focus = self.session.focus
        if hit.node is not None and hit.node.key not in focus.nodes:
            focus.select((hit.node.key,))
        elif hit.wire is not None and hit.wire.wire is not None and hit.wire.wire not in focus.wires:
            focus.select((), (hit.wire.wire,))
        elif hit.frame is not None and hit.frame.frame.id not in focus.frames:
            focus.select((), (), (hit.frame.frame.id,))
        self.menuWanted.emit(hit, at, where)

    def ask_menu_of_selection(self) -> None:
        """By keyboard: the menu of the first node, wire or frame that is selected, or of the canvas."""
        focus, canvas = self.session.focus, self.canvas
        hit, at = Hit(), self.middle()
        if focus.nodes:
            hit = Hit(canvas.nodes[focus.nodes[0]])
            at = canvas.nodes[focus.nodes[0]].pos()
        elif focus.wires:
            hit = Hit(wire=canvas.wires[focus.wires[0]])
            at = canvas.wires[focus.wires[0]].path.pointAtPercent(0.5)
        elif focus.frames:
            hit = Hit(frame=canvas.frames[focus.frames[0]])
            at = canvas.frames[focus.frames[0]].rect().topLeft()
        where = self.viewport().mapToGlobal(self.viewportTransform().map(at).toPoint())
        self.menuWanted.emit(hit, at, where)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        event.accept()  # the right button's gesture and the Menu key ask for it themselves

    # Adding

    def open_quick_add(self, where: QPoint, pin: Pin | None = None, is_input: bool = False) -> QuickAdd | None:
        """Search for a node to add at a point of the viewport; with `pin`, one that fits it, wired to it.

        A library cell takes none.
        """
        session = self.session
        if session.refuses():
            return None
        among = offers(session.catalog, session.design, session.focus.graph, session.own_cells.cells)
        ports: dict[str, str] = {}
        hint = ""
        if pin is not None:
            content = self.canvas.nodes[pin.node]
            here = next(p for p in (content.look.inputs if is_input else content.look.outputs) if p.name == pin.port)
            signal = self.canvas.signal_at(pin, is_input) if not is_input else None
            carried = self.canvas.content_at(pin, is_input)
            side = {"wanted": carried} if is_input else {"carried": carried}
            ports = {o.key: port for o, port in fitting(among, session.catalog, session.design, **side)}
            among = [o for o in among if o.key in ports]
            shape = signal.text() if signal is not None else here.content
            hint = f"What gives “{pin.port}” of {content.look.title} ({shape})" if is_input else f"What takes {shape}"
        place = self.at(where)
        popup = self.search(among, hint, where)
        popup.chosen.connect(lambda o: self._add_chosen(o, place, pin, is_input, ports.get(o.key, "")))
        return popup

    def open_quick_add_at_pointer(self) -> QuickAdd | None:
        """Search for a node to add where the mouse is, or in the middle of the view."""
        inside = self.viewport().rect().contains(self._pointer)
        return self.open_quick_add(self._pointer if inside else self.viewport().rect().center())

    def open_find(self) -> QuickAdd:
        """Search among the nodes that are there, in every cell; the one chosen is selected and shown."""
        places = nodes_of(self.session.catalog, self.session.design)
        popup = self.search(list(places), "Find a node", QPoint(self.viewport().width() // 2 - 140, 28))

        def chosen(offer: Offer) -> None:
            graph, key = places[offer]
            self.session.focus.show(graph, (key,))

        popup.chosen.connect(chosen)
        return popup

    def _add_chosen(self, offer: Offer, place: QPointF, pin: Pin | None, is_input: bool, port: str) -> None:
        if pin is None:
            self.commands.add(offer, place, wire=self._splice_target(offer, place))
            return
        if is_input:
            self.commands.add(offer, place, target=pin, port=port)
        else:
            self.commands.add(offer, place, source=pin, port=port)

    def open_replace(self, key: str) -> QuickAdd | None:
        """Search for what shall stand in a node's place, its wires kept where they fit. Nothing in a library cell."""
        if self.session.refuses():
            return None
        item = self.canvas.nodes[key]
        session = self.session
        among = [
            o
            for o in offers(session.catalog, session.design, session.focus.graph, session.own_cells.cells)
            if self.commands.can_replace(key, o) and o.key != f"kind:{self.canvas.graph.nodes[key].kind}"
        ]
        place = self.viewportTransform().map(item.pos()).toPoint()
        popup = self.search(among, f"In the place of {item.look.title}", place)
        popup.chosen.connect(lambda offer: self.commands.replace(key, offer))
        return popup

    def wire_selected(self) -> None:
        """Wire a port of the selected node by keys."""
        if self.session.refuses():
            return
        if self.gesture is None and self.session.focus.nodes:
            self.wiring = WireByKeys(self, self.session.focus.nodes[-1])
        else:
            self.session.message.emit("Select a node to wire one of its ports")

    def search(self, among: list[Offer], hint: str, where: QPoint, **options: Any) -> QuickAdd:
        """Open a search among offers at a point of the viewport; one at a time."""
        if self.quick_add is not None:
            self.quick_add.dismiss()
        popup = QuickAdd(self, among, hint, where, **options)
        popup.closed.connect(lambda: self._quick_add_closed(popup))
        self.quick_add = popup
        return popup

    def _quick_add_closed(self, popup: QuickAdd) -> None:
        if self.quick_add is popup:  # else another one took its place
            self.quick_add = None
            self.setFocus()

    def add_offer(self, offer: Offer, at: QPointF | None = None) -> str | None:
        """Add a node at a point of the scene, or in the middle of the view."""
        key = self.commands.add(offer, self.commands.free_place(offer, self.middle() if at is None else at))
        self.show_whole(key)
        self.setFocus()
        return key

    def show_whole(self, key: str | None) -> None:
        """Move the view as little as shows all of a node."""
        item = self.canvas.nodes.get(key or "")
        if item is not None:
            self.show_item(item)

    def show_item(self, item: QGraphicsItem) -> None:
        """Move the view as little as shows a thing of the canvas, as much of it as there is room for."""
        self._reframe = False
        self.ensureVisible(item.sceneBoundingRect(), 12, 12)

    def _replace_target(self, offer: Offer, at: QPointF, keys: Qt.KeyboardModifier) -> str | None:
        """The node that a drop at a point replaces: one that lies there and whose wires all find a port. Alt: none."""
        node = self.canvas.hit(at, 1.0, ports=False).node
        if node is None or keys & Qt.KeyboardModifier.AltModifier:
            return None
        if offer.key.startswith("field:"):  # a field is bound to a node that reads the data, and replaces none
            there = self.canvas.graph.nodes.get(node.key)
            fits = there is not None and bound(offer, there, self.session.design) is not None
            return node.key if fits else None
        return node.key if self.commands.can_replace(node.key, offer, whole=True) else None

    def _splice_target(
        self, offer: Offer, at: QPointF, keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    ) -> Wire | None:
        """The wire that a drop at a point is put into. With Alt none."""
        item = self.canvas.wire_at(at)
        if item is None or item.wire is None or keys & Qt.KeyboardModifier.AltModifier:
            return None
        ports = offer_ports(offer, self.session.catalog, self.session.design)
        return item.wire if self.commands.into_wire("new", ports, item.wire) is not None else None

    # Drops from the palette

    def _offer_in(self, event: QDropEvent) -> Offer | None:
        if not event.mimeData().hasFormat(MIME):
            return None
        key = bytes(event.mimeData().data(MIME).data()).decode()
        session = self.session
        return find(key, session.catalog, session.design, session.focus.graph, session.own_cells.cells)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._offer_in(event) is not None:
            event.acceptProposedAction()
        else:
            event.ignore()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        offer = self._offer_in(event)
        if offer is None:
            event.ignore()
            return
        at = self.at(event.position())
        replaced = self._replace_target(offer, at, event.modifiers())
        self.show_drop_target(None if replaced else self._splice_target(offer, at, event.modifiers()), replaced)
        event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.show_drop_target(None)

    def dropEvent(self, event: QDropEvent) -> None:
        offer = self._offer_in(event)
        self.show_drop_target(None)
        if offer is None:
            event.ignore()
            return
        at, keys = self.at(event.position()), event.modifiers()
        replaced = self._replace_target(offer, at, keys)
        if replaced is not None and offer.key.startswith("field:"):
            edit = bound(offer, self.canvas.graph.nodes[replaced], self.session.design)
            if edit is not None and self.session.do(edit):
                self.session.focus.select((replaced,))
        elif replaced is not None:
            self.show_whole(self.commands.replace(replaced, offer))
        else:
            self.show_whole(self.commands.add(offer, at, wire=self._splice_target(offer, at, keys)))
        self.setFocus()
        event.acceptProposedAction()

    def show_drop_target(self, wire: Wire | None, node: str | None = None) -> None:
        """Light up the wire a node would be put into, or the node it would replace."""
        items: tuple[WireItem | NodeItem, ...] = (*self.canvas.wires.values(), *self.canvas.nodes.values())
        for item in items:
            if item.target_of_drop:
                item.mark(target_of_drop=False)
        if wire is not None and wire in self.canvas.wires:
            self.canvas.wires[wire].mark(target_of_drop=True)
        if node is not None and node in self.canvas.nodes:
            self.canvas.nodes[node].mark(target_of_drop=True)

    def temporary_wire(self) -> WireItem:
        item = WireItem(None)
        item.setZValue(4)
        self.canvas.addItem(item)
        return item


@lru_cache(maxsize=8)
def _dots(step: float, columns: int, rows: int) -> QPolygonF:
    return QPolygonF([QPointF(i * step, j * step) for i in range(columns) for j in range(rows)])


def _problems(found: list[Diagnostic]) -> str:
    marks = {"error": "✖", "warning": "▲"}
    return "<br>".join(f"{marks.get(d.severity, '●')} {d.message}" for d in found)
