"""The unrolled drawing over the canvas: the same parts, once for every step. Read only; U folds it again."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import (
    QFrame,
    QGraphicsScene,
    QGraphicsView,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QToolButton,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from ...catalog.catalog import CELL
from ...compiler.binding import field_of
from ...compiler.check import Checked
from .. import theme
from ..canvas.look import look
from ..icons import icon
from ..looking import Looks, Seen
from ..session import Session
from .colours import scale_of, strip
from .items import BlockItem, BoxItem, LinkItem, StepItem
from .places import BOX, GAP_X, Places, place, visible
from .steps import ONCE, Link, Part, Unrolled, unroll
from .told import Strengths, told, value_at
from .values import KINDS, ValuesBar, checkpoint_stamp

SMALLEST, LARGEST = 0.08, 3.0
READABLE = 0.8
"""The zoom at which an unrolled drawing is read with ease."""
PLAY_MS = 450
AGAIN_MS = 3000
"""How often it is seen whether a run has a new checkpoint."""


class UnrolledPane(QGraphicsView):
    """Covers the canvas while it is shown. Signals: cursorMoved(int); shown(bool)."""

    cursorMoved = Signal(int)
    shown = Signal(bool)

    def __init__(self, session: Session, canvas: QWidget) -> None:
        super().__init__(canvas)
        self.session = session
        self.canvas = canvas
        self.setObjectName("unrolled")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.AnchorViewCenter)
        self.setSceneRect(-100_000, -100_000, 200_000, 200_000)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setScene(QGraphicsScene(self))
        self.scene().setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.opened: set[str] = set()
        self.cursor_step = 0
        self.steps: dict[str, int] = {}
        """How many steps of each axis the person asked for."""
        self.unrolled: Unrolled | None = None
        self.places = Places()
        self.boxes: dict[tuple[str, int], BoxItem] = {}
        self.links: list[LinkItem] = []
        self.step_names: dict[tuple[str, int], StepItem] = {}
        self._held: QPoint | None = None
        self._moved = False
        self.run: Path | None = None
        self.seen: Seen | None = None
        self.parents: dict[str, tuple[int, ...]] = {}
        self._stamp: object = None
        self._predictions: dict[str, set[str]] = {}
        """Loss → the parts that it takes as its prediction."""
        self.looks = Looks(self)
        self.looks.seen.connect(self._take)
        self.looks.failed.connect(lambda text: self.values.tell(text))
        self._again = QTimer(self, interval=AGAIN_MS)
        self._again.timeout.connect(self._look_again)
        self._play = QTimer(self, interval=PLAY_MS)
        self._play.timeout.connect(self._next)
        self._strip()
        canvas.installEventFilter(self)
        session.checkedChanged.connect(self._follow)
        session.opened.connect(self._begin_anew)
        session.focus.selectionChanged.connect(self._mark)
        theme.changes().changed.connect(self._redress)
        self.hide()

    def _strip(self) -> None:
        """What can be chosen, above the drawing."""
        self.strip = QFrame(self)
        self.strip.setObjectName("unrolled-strip")
        self.strip.setAutoFillBackground(True)
        rows = QVBoxLayout(self.strip)
        rows.setContentsMargins(10, 5, 8, 5)
        rows.setSpacing(4)
        row = QHBoxLayout()
        row.setSpacing(8)
        rows.addLayout(row)
        title = QLabel("Unrolled")
        title.setProperty("role", "strong")
        self.axis_name = QLabel()
        self.axis_name.setProperty("role", "muted")
        self.length = QSpinBox(minimum=1, maximum=1000)
        self.length.setAccessibleName("steps")
        self.length.setToolTip("How many steps are shown")
        self.length.valueChanged.connect(self._set_length)
        self.open_button = self._button(
            "Open the cells", "Show the drawing of every cell at each step", self.toggle_cells
        )
        self.play_button = self._button("Play", "Walk through the steps (Space)", self.toggle_play)
        self.where = QLabel()
        self.where.setProperty("role", "muted")
        close = QToolButton(autoRaise=True)
        close.setIcon(icon("close", "muted"))
        close.setToolTip("Show the folded drawing (U, Esc)")
        close.setAccessibleName("folded drawing")
        close.clicked.connect(lambda: self.turn(False))
        for widget in (title, self.axis_name, self.length, self.open_button, self.play_button, self.where, close):
            row.addWidget(widget)
        self.values = ValuesBar(self)
        self.values.changed.connect(self.ask)
        self.values.kindChanged.connect(self._colour)
        rows.addWidget(self.values)
        self.values.hide()

    # Values of a run

    def set_run(self, run: Path | None) -> None:
        """The run whose values are shown; None: none."""
        if run != self.run:
            self.run, self.seen = run, None
            self._colour()
            if self.isVisible():
                self.ask()

    def ask(self) -> None:
        """Ask for the values of the example that is chosen."""
        self.values.setVisible(self.run is not None)
        self._fit()
        if self.run is None:
            return
        self._stamp = checkpoint_stamp(self.run)
        if self._stamp is None:
            self.values.tell("No checkpoint yet")
            return
        self.values.tell("looking …")
        self.looks.ask(self.run, **self.values.question())

    def _look_again(self) -> None:
        """While a run trains, follow its checkpoints."""
        idle = self.isVisible() and self.run is not None and not self.looks.waiting
        if idle and self.run is not None and checkpoint_stamp(self.run) != self._stamp:
            self.ask()

    def _take(self, seen: Seen) -> None:
        self.seen = seen
        self.values.take(seen)
        sizes = {
            axis: size
            for path, axes in seen.axes.items()
            for axis, size in zip(axes, seen.values[path].shape, strict=False)
        }
        if {**self.steps, **sizes} != self.steps or self.parents != seen.parents:
            self.steps.update(sizes)
            self.parents = dict(seen.parents)
            self.refresh()
            self.frame_all()
        else:  # the same steps of a later checkpoint: the view stays where the person has put it
            self._colour()

    def _colour(self) -> None:
        """Put the values of every step into the boxes, as far as there are any."""
        seen, unrolled = self.seen, self.unrolled
        if unrolled is None:
            return
        parts = {part.path: part for part in unrolled.parts}
        table = self.values.table(seen)
        gates = seen.gates if seen is not None and self.values.kind == "value" else frozenset()
        shown = {part.value for part in parts.values()} & table.keys() - gates
        scale = scale_of([table[path] for path in sorted(shown)])
        colour = theme.current().color("node")
        middle = (colour.red(), colour.green(), colour.blue())
        for (path, step), item in self.boxes.items():
            part = parts[path]
            value = table.get(part.value)
            at = value_at(value, step) if value is not None else None
            item.strip = strip(at, scale, part.value in gates, middle) if at is not None else None
            item.text = self._text(part, step)
            item.update()
        strengths = Strengths(seen, table, parts)
        for line in self.links:
            line.put(strengths.of(line.link))

    def _text(self, part: Part, step: int) -> str:
        """What stands on a box besides its name: the token that is read, what is predicted, the loss."""
        if self.seen is None:
            return ""
        words = self.seen.tokens.get(field_of(part.node, self.session.catalog))
        if words is not None:
            place = step if step != ONCE else 0
            return _visible(words[place]) if place < len(words) else ""
        each = self.seen.losses.get(part.path)
        if each is not None and each.ndim == 1 and 0 <= step < len(each):
            return f"{each[step]:.3g}"
        for loss, predicted in self.seen.predicted.items():
            if part.path in self._predictions.get(loss, ()) and 0 <= step < len(predicted):
                token, _, share = predicted[step].rpartition(" ")
                return f"{_visible(token)} {share}"
        return ""

    def _button(self, text: str, tip: str, slot: object) -> QToolButton:
        button = QToolButton(autoRaise=True)
        button.setText(text)
        button.setToolTip(tip)
        button.clicked.connect(slot)
        return button

    # Showing and hiding

    def turn(self, on: bool) -> None:
        """Show the drawing unrolled, or folded again."""
        if on == self.isVisible():
            return
        if on:
            self._fit()
            self.refresh()
            self.show()
            self.raise_()
            self.setFocus()
            self.frame_all()
            self._again.start()
            self.ask()
        else:
            self._again.stop()
            self._play.stop()
            self.hide()
            self.canvas.setFocus()
        self.shown.emit(on)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.canvas and event.type() == QEvent.Type.Resize:
            self._fit()
        return super().eventFilter(watched, event)

    def _fit(self) -> None:
        self.setGeometry(self.canvas.rect())
        self.strip.adjustSize()
        self.strip.move(max((self.width() - self.strip.width()) // 2, 4), 10)

    def _follow(self, _checked: Checked) -> None:
        if self.isVisible():
            self.refresh()

    def close_looks(self) -> None:
        """End the process that looks into runs."""
        self._again.stop()
        self._play.stop()
        self.looks.close()

    def _begin_anew(self) -> None:
        self.opened.clear()
        self.steps.clear()
        self.parents.clear()
        self.seen = None
        self.cursor_step = 0

    def _redress(self) -> None:
        if self.isVisible():
            self.refresh()

    # What is shown

    def refresh(self) -> None:
        """Unroll the drawing as it is now."""
        checked = self.session.checked
        self.unrolled = unroll(checked, self.session.catalog, self.steps, self.opened, self.parents)
        self._predictions = {}
        for link in self.unrolled.links:
            if link.target_port == "prediction":
                self._predictions.setdefault(link.target, set()).add(link.source)
        self.places = place(self.unrolled, self.cursor_step, self._room())
        self._draw()
        axis = self.main_axis
        self.axis_name.setText(f"along {axis}" if axis else "nothing has steps")
        self.length.blockSignals(True)
        self.length.setValue(self.unrolled.sizes.get(axis, 1))
        self.length.blockSignals(False)
        self.length.setEnabled(bool(axis) and axis not in self.unrolled.parents)
        self.open_button.setEnabled(bool(self.unrolled.cells))
        self.open_button.setText("Close the cells" if self.opened else "Open the cells")
        self._move_cursor()
        self._fit()

    def _room(self) -> int:
        """How many steps fit at a size at which one reads them."""
        assert self.unrolled is not None
        width = place(self.unrolled, 0, 3).width + GAP_X
        axes = max(len([axis for axis in self.unrolled.order if axis not in self.unrolled.parents]), 1)
        return max(int(self.width() / READABLE / width / axes) - 1, 4)

    @property
    def main_axis(self) -> str:
        """The axis whose steps are chosen and walked through."""
        order = self.unrolled.order if self.unrolled is not None else ()
        return order[-1] if order else ""

    def _draw(self) -> None:
        assert self.unrolled is not None
        scene, design, catalog = self.scene(), self.session.design, self.session.catalog
        scene.clear()
        self.boxes, self.links, self.step_names = {}, [], {}
        for block in self.places.blocks:
            scene.addItem(BlockItem(block, block.path))
        looks = {
            part.path: look(part.node, design, catalog, design.graph_of(part.graph).wires)
            for part in self.unrolled.parts
        }
        shared = {part.path: part.shared for part in self.unrolled.parts}
        for key, box in self.places.boxes.items():
            item = BoxItem(key, looks[key[0]], box, shared[key[0]])
            scene.addItem(item)
            self.boxes[key] = item
        for link in visible(self.unrolled.links, self.places):
            line = self._line(link)
            scene.addItem(line)
            self.links.append(line)
        below = self.places.bottom + 14.0
        for axis, columns in self.places.columns.items():
            tree = axis in self.unrolled.parents
            for step, x in columns:
                name = StepItem(x, below, f"node {step}" if tree else f"{axis} {step}", "", BOX[0])
                if not tree:
                    scene.addItem(name)
                    self.step_names[axis, step] = name
        for _, x, count in self.places.more:
            middle = (self.places.top + self.places.bottom) / 2
            scene.addItem(StepItem(x, middle, f"… {count} more", "", BOX[0]))
        self._colour()
        self._mark()

    def _line(self, link: Link) -> LinkItem:
        target = self.places.boxes[link.target, link.target_step]
        if not link.source:
            end = QPointF(target.x - target.width / 2, target.y)
            return LinkItem(link, end - QPointF(26, 0), end, True)
        source = self.places.boxes[link.source, link.source_step]
        inside = self.unrolled is not None and "." in link.source and "." in link.target
        across = link.source_step != link.target_step and ONCE not in (link.source_step, link.target_step)
        if link.kind in ("state", "free", "forced") or (inside and not across and abs(target.x - source.x) > 24):
            ahead = target.x >= source.x
            start = QPointF(source.x + (source.width / 2 if ahead else -source.width / 2), source.y)
            end = QPointF(target.x - (target.width / 2 if ahead else -target.width / 2), target.y)
            return LinkItem(link, start, end, True)
        up = target.y < source.y
        start = QPointF(source.x, source.y - (source.height / 2 if up else -source.height / 2))
        end = QPointF(target.x, target.y + (target.height / 2 if up else -target.height / 2))
        return LinkItem(link, start, end, False)

    def _mark(self) -> None:
        """The same is selected as in the folded drawing, and as wrong as there."""
        if self.unrolled is None or not self.isVisible():
            return
        focus = self.session.focus
        wrong: dict[tuple[str, str], str] = {}
        for d in self.session.seen.diagnostics:
            for node in d.nodes:
                if d.severity in ("error", "warning"):
                    wrong[d.graph, node] = d.severity
        parts = {part.path: part for part in self.unrolled.parts}
        for (path, step), item in self.boxes.items():
            part = parts[path]
            item.mark(
                selected=part.graph == focus.graph and part.node.id in focus.nodes,
                severity=wrong.get((part.graph, part.node.id), ""),
                now=step == self.cursor_step and part.axis == self.main_axis,
            )

    # The cursor

    def set_cursor(self, step: int) -> None:
        """Look at a step of the main axis."""
        size = self.unrolled.sizes.get(self.main_axis, 1) if self.unrolled is not None else 1
        step = min(max(step, 0), size - 1)
        if step == self.cursor_step:
            return
        self.cursor_step = step
        if (self.main_axis, step) not in self.step_names and self.main_axis:
            self.refresh()
        self._move_cursor()
        self.cursorMoved.emit(step)

    def _move_cursor(self) -> None:
        size = self.unrolled.sizes.get(self.main_axis, 1) if self.unrolled is not None else 1
        self.cursor_step = min(self.cursor_step, size - 1)
        for (axis, step), name in self.step_names.items():
            name.mark(axis == self.main_axis and step == self.cursor_step)
        self.where.setText(f"step {self.cursor_step} of {size}" if self.main_axis else "")
        self._mark()
        self._fit()

    def toggle_play(self) -> None:
        if self._play.isActive():
            self._play.stop()
        else:
            self._play.start()
        self.play_button.setText("Stop" if self._play.isActive() else "Play")

    def _next(self) -> None:
        size = self.unrolled.sizes.get(self.main_axis, 1) if self.unrolled is not None else 1
        self.set_cursor((self.cursor_step + 1) % size if self.cursor_step + 1 < size else 0)

    def _set_length(self, steps: int) -> None:
        if self.main_axis:
            self.steps[self.main_axis] = steps
            for axis in self.unrolled.order if self.unrolled is not None else ():
                self.steps.setdefault(axis, steps)
            self.refresh()
            self.frame_all()

    def toggle_cells(self) -> None:
        """Open every cell of the design's own drawing, or close them all."""
        if self.unrolled is None:
            return
        self.opened = set() if self.opened else {path for path in self.unrolled.cells if "." not in path}
        self.refresh()
        self.frame_all()

    def toggle_cell(self, path: str) -> None:
        """Open one cell at every step, or close the one around a part."""
        if path in self.opened:
            self.opened = {p for p in self.opened if p != path and not p.startswith(f"{path}.")}
        else:
            self.opened.add(path)
        self.refresh()

    # Hands

    @property
    def zoom(self) -> float:
        return self.transform().m11()

    def frame_all(self) -> None:
        rect = self.scene().itemsBoundingRect().adjusted(-30, -30, 30, 30)
        area = self.viewport().rect().adjusted(0, self.strip.geometry().bottom(), 0, 0)
        if rect.isEmpty() or area.width() < 40:
            return
        zoom = min(area.width() / rect.width(), area.height() / rect.height(), 1.25)
        self._set_zoom(max(zoom, SMALLEST), QPointF(area.center()))
        self.centerOn(rect.center() - QPointF(0, area.top() / 2 / self.zoom))

    def _set_zoom(self, zoom: float, about: QPointF) -> None:
        zoom = min(max(zoom, SMALLEST), LARGEST)
        fixed = self.mapToScene(about.toPoint())
        self.resetTransform()
        self.scale(zoom, zoom)
        now = self.mapFromScene(fixed)
        self.horizontalScrollBar().setValue(self.horizontalScrollBar().value() + now.x() - round(about.x()))
        self.verticalScrollBar().setValue(self.verticalScrollBar().value() + now.y() - round(about.y()))

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._set_zoom(self.zoom * 1.0015 ** event.angleDelta().y(), event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._held, self._moved = event.position().toPoint(), False
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is None:
            return
        now = event.position().toPoint()
        by = now - self._held
        if self._moved or by.manhattanLength() > 4:
            self._moved = True
            self._held = now
            self.horizontalScrollBar().setValue(self.horizontalScrollBar().value() - by.x())
            self.verticalScrollBar().setValue(self.verticalScrollBar().value() - by.y())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._held is not None and not self._moved:
            self._click(self.box_at(event.position().toPoint()))
        self._held = None
        event.accept()

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            box = self.box_at(event.pos())
            QToolTip.showText(event.globalPos(), self.told_of(box) if box is not None else "", self)
            return True
        return super().viewportEvent(event)

    def told_of(self, box: BoxItem) -> str:
        """What is said of a box under the mouse; "" where it has no value."""
        if self.unrolled is None:
            return ""
        part, step = self.unrolled.part(box.key[0]), box.key[1]
        value = self.values.table(self.seen).get(part.value)
        at = value_at(value, step) if value is not None else None
        where = "" if step == ONCE else f" at {part.axis} {step}"
        return told(f"{part.path}, {KINDS[self.values.kind]}{where}", at) if at is not None and len(at) else ""

    def box_at(self, where: QPoint) -> BoxItem | None:
        at = self.mapToScene(where)
        return next((b for b in self.boxes.values() if b.body().translated(b.pos()).contains(at)), None)

    def _click(self, box: BoxItem | None) -> None:
        """Select the node in the folded drawing, and go to the step."""
        if box is None or self.unrolled is None:
            self.session.focus.select()
            return
        path, step = box.key
        part = self.unrolled.part(path)
        if part.graph == self.session.focus.graph:
            self.session.focus.select((part.node.id,))
        if step != ONCE and part.axis == self.main_axis:
            self.set_cursor(step)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        box = self.box_at(event.position().toPoint())
        if box is not None and self.unrolled is not None:
            part = self.unrolled.part(box.key[0])
            if part.node.kind == CELL:
                self.toggle_cell(part.path)
            elif part.block:
                self.toggle_cell(part.block)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Escape, Qt.Key.Key_U):
            self.turn(False)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.set_cursor(self.cursor_step + (1 if key == Qt.Key.Key_Right else -1))
        elif key == Qt.Key.Key_Space:
            self.toggle_play()
        elif key == Qt.Key.Key_Home:
            self.frame_all()
        else:
            super().keyPressEvent(event)
            return
        event.accept()

    def drawBackground(self, painter: QPainter, rect: QRectF) -> None:  # type: ignore[override]
        painter.fillRect(rect, theme.current().color("canvas"))


def _visible(token: str) -> str:
    """A token as one can see it: a space and a line end have signs."""
    return token.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")
