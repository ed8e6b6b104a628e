"""The canvas as hands know it: the door through which mouse and keyboard reach the gestures."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QFocusEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QToolTip, QWidget

from ..gestures.base import Gesture, Press
from ..gestures.connect import DrawWire
from ..gestures.cut import BreakWires, RerouteWires, StrokeWires
from ..gestures.follow import FollowWire
from ..gestures.move import MoveNodes, ResizeFrame, cursor_of
from ..gestures.pan import Pan, PanOrMenu
from ..gestures.select import BoxSelect
from ..session import Session
from .naming import Naming
from .node_item import NO_PORTS_BELOW
from .scene import Hit
from .shape import GRID
from .tips import tip
from .walking import Walking
from .wire_by_keys import WireByKeys
from .wire_item import WireItem

GESTURES: tuple[type[Gesture], ...] = (
    *(Pan, StrokeWires, RerouteWires, PanOrMenu, BreakWires),
    *(FollowWire, DrawWire, ResizeFrame, MoveNodes, BoxSelect),
)
"""Asked in this order whether they begin at a press."""
REACH = 11.0
"""How near to a port a press takes hold of it, in pixels of the screen."""
WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


class CanvasView(Naming):
    """Signals: hint(str) for the status bar, menuWanted(Hit, scene point, point of the screen).

    One can look around on it (looking.py), search (searching.py), drop (dropping.py) and type names (naming.py).
    """

    hint = Signal(str)
    menuWanted = Signal(object, object, object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.gesture: Gesture | None = None
        self.walking = Walking(self)
        self.wiring: WireByKeys | None = None
        self.space_held = False
        self._hovered: Hit = Hit()
        session.changing.connect(self.let_go)
        session.focus.trailChanging.connect(self.let_go)

    def _opened(self) -> None:
        self.cancel()  # what was begun was of the design before
        super()._opened()

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
        return tip(self.canvas, hit)

    def temporary_wire(self) -> WireItem:
        item = WireItem(None)
        item.setZValue(4)
        self.canvas.addItem(item)
        return item

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

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.space_held = False
            self._cursor()
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.space_held = False
        super().focusOutEvent(event)

    def move_selection(self, columns: int, rows: int) -> None:
        """By squares of the grid; where nothing is selected, the view moves instead."""
        if self.gesture is not None:
            return
        if self.session.focus.nodes or self.session.focus.frames:
            self.commands.arrange.nudge(columns * GRID, rows * GRID)
        else:
            self.pan(QPoint(-40 * columns, -40 * rows))

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

    def wire_selected(self) -> None:
        """Wire a port of the selected node by keys."""
        if self.session.refuses():
            return
        if self.gesture is None and self.session.focus.nodes:
            self.wiring = WireByKeys(self, self.session.focus.nodes[-1])
        else:
            self.session.message.emit("Select a node to wire one of its ports")

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
