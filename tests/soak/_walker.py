"""What a person's hands may do with the window, drawn by chance: each step is one gesture or a few keys.

A step is a name and a seed: what it does depends on these two and on what is there, so that a list of steps can be done
again, or a part of it. Nothing here opens a file, trains, or asks a question.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QKeySequence, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QMenu, QMessageBox, QPushButton, QWidget

from rnnstudio.studio.canvas.node_item import NodeItem
from rnnstudio.studio.keys.keymap import keymap
from rnnstudio.studio.keys.table import CANVAS, CELL, COMMANDS, EDIT, VIEW, WALK
from rnnstudio.studio.offers import offers
from rnnstudio.studio.panels.fields import NumberEdit
from rnnstudio.studio.window import MainWindow
from tests.studio.window.hands import CTRL, LEFT, MIDDLE, NONE, SHIFT, Hands

ALT, RIGHT = Qt.KeyboardModifier.AltModifier, Qt.MouseButton.RightButton
MANY = 45
"""From so many nodes of a graph on, more is deleted than added."""
NOT_KEYS = {"theme", "shortcuts", "copy_picture", "minimap", "reset_layout"}
"""Commands that open what would lie before the canvas, or change nothing of it."""
NOT_ENTRIES = {"picture", "copy_picture", "help", "shortcuts", "own_cells"}
WORDS = (
    "lstm",
    "gru",
    "linear",
    "add",
    "tanh",
    "delay",
    "dropout",
    "concat",
    "output",
    "embed",
    "mult",
    "last",
    "zzz",
    "",
)
NAMES = ("a", "gate", "W x + b", "lstm", "x1", "", "  ", "_hidden", "h′", "readout")
NUMBERS = ("1", "3", "32", "0", "-5", "hidden", "nobody", "1e3", "", "2.5", "7")


class Step(NamedTuple):
    name: str
    seed: int

    def __str__(self) -> str:
        return f"{self.name}:{self.seed}"


class Walker(Hands):
    """One person at one window; `told` is what the last step did, in words."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.chance = random.Random(0)
        self.told = ""

    def do(self, step: Step) -> bool:
        """Whether the step could be done here."""
        self.chance = random.Random(f"{step.name} {step.seed}")
        self.told = ""
        done = STEPS[step.name](self)
        self._leave_what_is_open()
        QApplication.processEvents()
        return done is not False

    def choose(self, weigh: random.Random) -> Step:
        """The next step, by how usual it is, and by how full the canvas is."""
        full = len(self.graph.nodes) > MANY or len(self.session.design.cells) > 12
        weights = [
            WEIGHTS[name] * (6.0 if full and name in EMPTIES else 0.2 if full and name in FILLS else 1.0)
            for name in STEPS
        ]
        return Step(weigh.choices(list(STEPS), weights)[0], weigh.randrange(1_000_000))

    def _leave_what_is_open(self) -> None:
        while isinstance(menu := QApplication.activePopupWidget(), QWidget):
            menu.close()
            QApplication.processEvents()
        for box in self.window.findChildren(QMessageBox):
            box.close()

    # Places

    def any_node(self) -> NodeItem | None:
        items = list(self.view.canvas.nodes.values())
        return self.chance.choice(items) if items else None

    def any_port(self) -> tuple[NodeItem, bool, str] | None:
        item = self.any_node()
        ports = (
            []
            if item is None
            else [(True, p.name) for p in item.look.inputs] + [(False, p.name) for p in item.look.outputs]
        )
        return (item, *self.chance.choice(ports)) if item is not None and ports else None

    def in_view(self, at: QPointF) -> QPoint:
        """Where a point of the scene is, with all of the drawing brought into view when it is not seen."""
        if not self.screen.rect().adjusted(4, 4, -4, -4).contains(self.where(at)):
            self.view.frame_all()
        return self.where(at)

    def on(self, item: NodeItem) -> QPoint:
        rect = item.shape_.rect.translated(item.pos())
        inside = QPointF(
            rect.left() + rect.width() * self.chance.uniform(0.05, 0.95),
            rect.top() + rect.height() * self.chance.uniform(0.05, 0.95),
        )
        return self.in_view(inside)

    def anywhere(self) -> QPoint:
        area = self.screen.rect()
        return QPoint(self.chance.randrange(5, area.width() - 5), self.chance.randrange(5, area.height() - 5))

    def on_wire(self) -> QPoint | None:
        items = list(self.view.canvas.wires.values())
        return self.in_view(self.chance.choice(items).path.pointAtPercent(self.chance.random())) if items else None

    def on_frame(self) -> QPoint | None:
        frames = list(self.view.canvas.frames.values())
        if not frames:
            return None
        rect = self.chance.choice(frames).rect()
        corners = (
            rect.topLeft() + QPointF(30, 8),
            rect.bottomRight(),
            rect.topRight(),
            QPointF(rect.right(), rect.center().y()),
        )
        return self.in_view(self.chance.choice(corners))

    def place(self) -> QPoint:
        """Somewhere that matters."""
        item = self.any_node()
        ways: list[Callable[[], QPoint | None]] = [self.anywhere, self.on_wire, self.on_frame, self.port_place]
        if item is not None:
            ways.append(lambda: self.on(item))
        return self.chance.choice(ways)() or self.anywhere()

    def port_place(self) -> QPoint | None:
        found = self.any_port()
        return self.in_view(found[0].port_place(found[1], found[2])) if found is not None else None

    def held(self, *keys: Qt.KeyboardModifier) -> Qt.KeyboardModifier:
        return self.chance.choice((NONE, NONE, *keys))

    def put(self, text: str) -> None:
        """Typed into the field that has the keyboard; without one nothing is typed."""
        field = self.window.focusWidget()
        if isinstance(field, QLineEdit) and not text.isascii():
            field.insert(text)  # as an input method does: QTest has no keys for it
        elif isinstance(field, QLineEdit | NumberEdit):
            QTest.keyClicks(field, text)

    def press_key(self, key: str) -> None:
        combined = QKeySequence(key)[0]  # type: ignore[index]
        self.key(combined.key(), combined.keyboardModifiers())

    def take_or_leave(self) -> None:
        """Of a search that is open: type a word, go down a little, take what is there or leave."""
        for _ in range(3):
            if self.view.quick_add is None:
                return
            if self.chance.random() < 0.7:
                self.put(self.chance.choice(WORDS))
            for _ in range(self.chance.choice((0, 0, 1, 3))):
                self.key(Qt.Key.Key_Down)
            self.key(self.chance.choice((Qt.Key.Key_Return, Qt.Key.Key_Return, Qt.Key.Key_Escape)))
        if self.view.quick_add is not None:
            self.key(Qt.Key.Key_Escape)


def click(w: Walker) -> None:
    at = w.place()
    w.told = f"click at {at.toTuple()}"
    w.click(at, keys=w.held(SHIFT, CTRL, ALT))


def click_node(w: Walker) -> bool | None:
    item = w.any_node()
    if item is None:
        return False
    w.told = f"click on {item.key}"
    w.click(w.on(item), keys=w.held(SHIFT, CTRL))
    return None


def double_click(w: Walker) -> None:
    at = w.place()
    w.told = f"double-click at {at.toTuple()}"
    w.double_click(at)
    w.take_or_leave()
    type_name(w)


def type_name(w: Walker) -> None:
    field = w.window.focusWidget()
    if isinstance(field, QLineEdit) and field.objectName() == "renameField":
        name = w.chance.choice(NAMES)
        w.told += f", type {name!r}"
        w.put(name)
        w.key(w.chance.choice((Qt.Key.Key_Return, Qt.Key.Key_Return, Qt.Key.Key_Escape)))


def rename(w: Walker) -> bool | None:
    item = w.any_node()
    if item is None:
        return False
    w.session.focus.select((item.key,))
    w.told = f"F2 on {item.key}"
    w.view.setFocus()
    w.key(Qt.Key.Key_F2)
    type_name(w)
    return None


def drag(w: Walker) -> None:
    """From anywhere to anywhere, with any button and key; sometimes something happens on the way."""
    begin, end = w.place(), w.place()
    button = w.chance.choice((LEFT, LEFT, LEFT, RIGHT, MIDDLE))
    keys = w.held(SHIFT, CTRL, ALT)
    w.told = f"drag with {button.name}, {keys.name} from {begin.toTuple()} to {end.toTuple()}"
    w.drag(begin, end, button, keys, release=False)
    interrupt(w)
    w.release(end, button, keys)
    w.take_or_leave()


def interrupt(w: Walker) -> None:
    """While a button is held."""
    if w.chance.random() < 0.75:
        return
    what = w.chance.choice(
        (
            "Esc",
            "Del",
            "Ctrl+Z",
            "Ctrl+Shift+Z",
            "Ctrl+D",
            "Ctrl+A",
            "Tab",
            "Right",
            "Home",
            "F2",
            "Alt+Right",
            "click",
            "focus",
            "Backspace",
            "W",
            "Ctrl+L",
            "Ctrl+G",
            "wheel",
        )
    )
    w.told += f", {what} meanwhile"
    if what == "click":
        at = w.anywhere()
        w.press(at, RIGHT)
        w.release(at, RIGHT)
        w._leave_what_is_open()
    elif what == "focus":
        w.window.palette_panel.edit.setFocus()
        w.move(w.anywhere())
    elif what == "wheel":
        turn(w)
    else:
        w.press_key(what)
        if w.chance.random() < 0.5:
            w.move(w.anywhere())


def drag_node(w: Walker) -> bool | None:
    item = w.any_node()
    if item is None:
        return False
    begin = w.in_view(item.pos())
    end = w.chance.choice((w.anywhere, w.place))()
    keys = w.held(ALT)
    w.told = f"drag {item.key} to {end.toTuple()} with {keys.name}"
    w.drag(begin, end, keys=keys, release=False)
    interrupt(w)
    w.release(end, keys=keys)
    return None


def draw_wire(w: Walker) -> bool | None:
    one, other = w.any_port(), w.any_port()
    if one is None or other is None:
        return False
    begin = w.in_view(one[0].port_place(*one[1:]))
    end = w.in_view(other[0].port_place(*other[1:])) if w.chance.random() < 0.8 else w.anywhere()
    begin = w.where(one[0].port_place(*one[1:]))
    w.told = f"draw a wire from {one[0].key}.{one[2]} to {other[0].key}.{other[2]}"
    w.drag(begin, end, release=False)
    interrupt(w)
    w.release(end)
    w.take_or_leave()
    return None


def box(w: Walker) -> None:
    w.view.frame_all()
    begin, end = w.anywhere(), w.anywhere()
    keys = w.held(SHIFT, CTRL)
    w.told = f"box from {begin.toTuple()} to {end.toTuple()} with {keys.name}"
    w.drag(begin, end, keys=keys)
    w.take_or_leave()


def stroke(w: Walker) -> None:
    begin, end, keys = w.anywhere(), w.anywhere(), w.chance.choice((SHIFT, CTRL))
    w.told = f"stroke with {keys.name} from {begin.toTuple()} to {end.toTuple()}"
    w.drag(begin, end, RIGHT, keys)


def drop(w: Walker) -> None:
    among = offers(w.session.catalog, w.session.design, w.session.focus.graph)
    offer, at = w.chance.choice(among), w.place()
    w.told = f"drop {offer.key} at {at.toTuple()}"
    w.drop(offer.key, at)


def add(w: Walker) -> None:
    w.view.setFocus()
    w.move(w.anywhere())
    w.key(Qt.Key.Key_Tab)
    w.told = "Tab"
    w.take_or_leave()


def wire_by_keys(w: Walker) -> bool | None:
    item = w.any_node()
    if item is None:
        return False
    w.session.focus.select((item.key,))
    w.told = f"W on {item.key}"
    w.view.setFocus()
    w.key(Qt.Key.Key_W)
    for _ in range(4):
        if w.view.quick_add is None:
            break
        for _ in range(w.chance.choice((0, 0, 1, 2, 5))):
            w.key(Qt.Key.Key_Down)
        w.key(w.chance.choice((*(Qt.Key.Key_Return,) * 5, Qt.Key.Key_Escape, Qt.Key.Key_Backspace)))
    if w.view.quick_add is not None:
        w.key(Qt.Key.Key_Escape)
    return None


KEYS = [
    name
    for name, command in COMMANDS.items()
    if command.keys and name not in NOT_KEYS and command.group in (EDIT, CELL, VIEW, CANVAS, WALK)
]


def key(w: Walker) -> None:
    name = w.chance.choice(KEYS)
    w.view.setFocus()
    pressed = w.chance.choice(keymap().keys(name))
    w.told = f"{pressed} ({name})"
    w.press_key(pressed)
    w.take_or_leave()
    type_name(w)


def command(w: Walker) -> None:
    """One without a key, from the menu bar."""
    names = [
        n
        for n, c in COMMANDS.items()
        if c.group in (EDIT, CELL) and not c.keys and n not in NOT_ENTRIES and w.window.acts[n].isEnabled()
    ]
    if names:
        w.told = w.chance.choice(names)
        w.window.acts[w.told].trigger()


def menu(w: Walker) -> None:
    at = w.place()
    w.told = f"right click at {at.toTuple()}"
    w.press(at, RIGHT)
    w.release(at, RIGHT)
    found = QApplication.activePopupWidget()
    if not isinstance(found, QMenu):
        return
    entries = [
        a
        for top in found.actions()
        for a in (top.menu().actions() if top.menu() is not None else [top])
        if a.isEnabled() and not a.isSeparator() and a.objectName() not in NOT_ENTRIES
    ]
    if entries:
        entry = w.chance.choice(entries)
        w.told += f", “{entry.text()}”"
        found.close()
        entry.trigger()
        QApplication.processEvents()
    w.take_or_leave()
    type_name(w)


def undo(w: Walker) -> None:
    times = w.chance.choice((1, 1, 2, 5))
    w.told = f"Ctrl+Z {times} times"
    for _ in range(times):
        w.press_key("Ctrl+Z")


def redo(w: Walker) -> None:
    times = w.chance.choice((1, 1, 2, 5))
    w.told = f"Ctrl+Shift+Z {times} times"
    for _ in range(times):
        w.press_key("Ctrl+Shift+Z")


def parameter(w: Walker) -> bool | None:
    """A field of the inspector."""
    item = w.any_node()
    if item is not None and w.chance.random() < 0.9:
        w.session.focus.select((item.key,))
    QApplication.processEvents()
    w.window.show_dock("inspector")
    fields = [f for f in w.window.inspector.findChildren(NumberEdit) if f.isVisible() and f.isEnabled()]
    choices = [f for f in w.window.inspector.findChildren(QComboBox) if f.isVisible() and f.isEnabled() and f.count()]
    if not fields and not choices:
        return False
    field = w.chance.choice([*fields, *choices])
    if isinstance(field, QComboBox):
        at = w.chance.randrange(field.count())
        w.told = f"choose {field.itemText(at)!r} in the inspector"
        field.setCurrentIndex(at)
        field.activated.emit(at)
        return None
    number = w.chance.choice(NUMBERS)
    w.told = f"type {number!r} in the inspector"
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, number)
    QTest.keyClick(field, w.chance.choice((Qt.Key.Key_Return, Qt.Key.Key_Escape, Qt.Key.Key_Up)))
    w.view.setFocus()
    return None


def fix(w: Walker) -> bool | None:
    """A fix that the problems offer."""
    w.window.show_dock("problems")
    QTest.qWait(20)
    buttons = [
        b for row in w.window.problems.rows for b in row.findChildren(QPushButton) if b.isVisible() and b.isEnabled()
    ]
    if not buttons:
        return False
    button = w.chance.choice(buttons)
    w.told = f"fix: {button.text()}"
    button.click()
    return None


def enter(w: Walker) -> bool | None:
    cells = [k for k, n in w.graph.nodes.items() if n.kind == "cell"]
    if not cells:
        return False
    chosen = w.chance.choice(cells)
    w.told = f"Enter on {chosen}"
    w.session.focus.select((chosen,))
    w.view.setFocus()
    w.key(Qt.Key.Key_Return)
    return None


def leave(w: Walker) -> None:
    w.view.setFocus()
    w.told = "Esc, Esc"
    w.key(Qt.Key.Key_Escape)
    w.key(Qt.Key.Key_Escape)


def crumb(w: Walker) -> None:
    button = w.chance.choice(w.window.breadcrumbs.buttons)
    w.told = f"breadcrumb {button.text()}"
    button.click()


def group(w: Walker) -> None:
    keys = list(w.graph.nodes)
    w.session.focus.select(w.chance.sample(keys, min(len(keys), w.chance.choice((1, 2, 3, 4)))))
    w.view.setFocus()
    w.told = f"Ctrl+G on {w.session.focus.nodes}"
    w.key(Qt.Key.Key_G, CTRL)


def ungroup(w: Walker) -> bool | None:
    cells = [k for k, n in w.graph.nodes.items() if n.kind == "cell"]
    if not cells:
        return False
    w.session.focus.select((w.chance.choice(cells),))
    w.told = f"Ctrl+Shift+G on {w.session.focus.nodes}"
    w.view.setFocus()
    w.key(Qt.Key.Key_G, CTRL | SHIFT)
    return None


def frame(w: Walker) -> None:
    keys = list(w.graph.nodes)
    w.session.focus.select(w.chance.sample(keys, min(len(keys), w.chance.choice((1, 2, 3)))))
    w.told = f"a frame around {w.session.focus.nodes}"
    w.view.setFocus()
    w.key(Qt.Key.Key_F, CTRL | SHIFT)
    type_name(w)


def drag_frame(w: Walker) -> bool | None:
    begin = w.on_frame()
    if begin is None:
        return False
    end = w.anywhere()
    w.told = f"drag a frame from {begin.toTuple()} to {end.toTuple()}"
    w.drag(begin, end, keys=w.held(ALT))
    return None


def delete(w: Walker) -> None:
    keys = list(w.graph.nodes)
    w.session.focus.select(w.chance.sample(keys, min(len(keys), w.chance.choice((1, 2, 5, 12)))))
    w.told = f"Del on {w.session.focus.nodes}"
    w.view.setFocus()
    w.key(Qt.Key.Key_Delete)


def turn(w: Walker) -> None:
    at, by = w.anywhere(), w.chance.choice((-600, -240, -120, 120, 240, 600))
    w.told += f" wheel {by}"
    event = QWheelEvent(
        QPointF(at),
        QPointF(w.screen.mapToGlobal(at)),
        QPoint(),
        QPoint(0, by),
        Qt.MouseButton.NoButton,
        w.held(SHIFT),
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(w.screen, event)


def panels(w: Walker) -> None:
    w.told = w.chance.choice(("F6", "Shift+F6", "Ctrl+1", "Ctrl+2", "Ctrl+3", "Ctrl+4"))
    w.press_key(w.told)


def resize(w: Walker) -> None:
    width, height = w.chance.randrange(800, 1300), w.chance.randrange(600, 900)
    w.told = f"the window is {width} × {height}"
    w.window.resize(width, height)


WEIGHTS: dict[str, float] = {
    "click": 4,
    "click_node": 6,
    "double_click": 3,
    "rename": 2,
    "drag": 6,
    "drag_node": 6,
    "draw_wire": 8,
    "box": 3,
    "stroke": 2,
    "drop": 5,
    "add": 5,
    "wire_by_keys": 4,
    "key": 14,
    "command": 3,
    "menu": 6,
    "undo": 5,
    "redo": 4,
    "parameter": 4,
    "fix": 1,
    "enter": 2,
    "leave": 2,
    "crumb": 1,
    "group": 2,
    "ungroup": 2,
    "frame": 2,
    "drag_frame": 2,
    "delete": 2,
    "turn": 2,
    "panels": 1,
    "resize": 0.3,
}
STEPS: dict[str, Callable[[Walker], bool | None]] = {name: globals()[name] for name in WEIGHTS}
EMPTIES, FILLS = {"delete", "undo"}, {"drop", "add", "ungroup", "key"}
