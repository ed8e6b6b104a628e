"""Two states of a design beside each other: both drawn in one picture, what differs marked, and listed in words.

Nothing is changed here but by a button's name: take theirs, or save mine over it.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRectF, Qt, Signal, SignalInstance
from PySide6.QtGui import QPainter, QPen, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFrame,
    QGraphicsItem,
    QGraphicsRectItem,
    QGraphicsView,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from ...design.comparing import Difference, DrawingDifference, compare, compare_drawings, united
from ...design.design import MAIN, CellDefinition, Design, Graph, frozen
from .. import theme
from ..canvas.scene import CanvasScene
from ..session import Session

ADDED, REMOVED, CHANGED, MOVED = "good", "error", "warning", "hint"
"""Roles of the theme's colours."""
WORDS = ((ADDED, "only in the file"), (REMOVED, "only here"), (CHANGED, "changed"), (MOVED, "moved"))
RADIUS = 6.0


class CompareDialog(QDialog):
    """mine: as it is open here; theirs: as the file holds it. Signals: reloadWanted(), keepWanted()."""

    reloadWanted = Signal()
    keepWanted = Signal()

    def __init__(self, session: Session, theirs: Design, path: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Compare with {path.name}")
        self.mine, self.theirs = session.design, theirs
        self.found: Difference = compare(self.mine, theirs)
        self._apart = Session(session.plugins)
        self._apart.base_folder = session.base_folder
        self._apart.new(self._both())
        self.scene = CanvasScene(self._apart)
        self._apart.checkedChanged.disconnect(self.scene.take)  # both in one is no drawing to be judged
        self.view = QGraphicsView(self.scene)
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        self.view.setDragMode(QGraphicsView.DragMode.ScrollHandDrag)
        self.view.setTransformationAnchor(QGraphicsView.ViewportAnchor.AnchorUnderMouse)
        self.view.setInteractive(False)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setBackgroundBrush(theme.current().color("canvas"))
        self.view.setAccessibleName("both drawings in one")
        self.marks: dict[str, QGraphicsRectItem] = {}
        """Node → the mark around it, in the drawing that is shown."""
        self._painted: list[QGraphicsItem] = []
        self.drawings = QComboBox()
        for name in self._drawings():
            self.drawings.addItem(name or "the design", name)
        self.drawings.activated.connect(lambda _: self.show_drawing(str(self.drawings.currentData())))
        self.list = QListWidget()
        self.list.setWordWrap(True)
        self.list.itemClicked.connect(self._go)
        self.list.itemActivated.connect(self._go)
        self._lay_out(path)
        self.show_drawing(str(self.drawings.currentData()))

    def _lay_out(self, path: Path) -> None:
        title = QLabel(f"What “{path.name}” differs by from what is open here")
        title.setProperty("role", "heading")
        legend = QLabel("   ".join(_legend(role, words) for role, words in WORDS))
        top = QHBoxLayout()
        top.addWidget(title)
        top.addStretch(1)
        top.addWidget(legend)
        self.settings = QLabel("\n".join(self._of_the_whole()), wordWrap=True)
        self.settings.setProperty("role", "muted")
        self.settings.setVisible(bool(self.settings.text()))
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        self.drawings.setVisible(self.drawings.count() > 1)
        column.addWidget(self.drawings)
        column.addWidget(self.list, 1)
        column.addWidget(self.settings)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self.view)
        split.addWidget(side)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 1)
        split.setSizes([660, 260])
        self.reload_button = QPushButton("Reload: take the file's")
        self.reload_button.clicked.connect(lambda _=False: self._choose(self.reloadWanted))
        self.keep_button = QPushButton("Keep mine: save over it")
        self.keep_button.clicked.connect(lambda _=False: self._choose(self.keepWanted))
        self.close_button = QPushButton("Close")
        self.close_button.setDefault(True)
        self.close_button.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.addWidget(self.reload_button)
        buttons.addWidget(self.keep_button)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        box = QVBoxLayout(self)
        box.setSpacing(10)
        box.addLayout(top)
        box.addWidget(split, 1)
        box.addLayout(buttons)
        screen = self.screen().availableSize()
        self.resize(min(960, screen.width() - 60), min(620, screen.height() - 80))

    def _choose(self, wanted: SignalInstance) -> None:
        self.accept()
        wanted.emit()

    # Both in one

    def _both(self) -> Design:
        cells: dict[str, CellDefinition] = {**self.mine.cells, **self.theirs.cells}
        for name, cell in self.theirs.cells.items():
            if name in self.mine.cells:
                cells[name] = cell.replace(graph=united(self.mine.cells[name].graph, cell.graph))
        return self.theirs.replace(graph=united(self.mine.graph, self.theirs.graph), cells=frozen(cells))

    def _drawings(self) -> list[str]:
        differing = (*self.found.drawings, *self.found.cells_added, *self.found.cells_removed)
        return [MAIN, *(name for name in differing if name != MAIN)]

    def _difference(self, name: str) -> DrawingDifference:
        if name in self.found.cells_added:
            return compare_drawings(Graph(), self.theirs.cells[name].graph)
        if name in self.found.cells_removed:
            return compare_drawings(self.mine.cells[name].graph, Graph())
        return self.found.drawings.get(name, DrawingDifference())

    def _of_the_whole(self) -> list[str]:
        told = [f"cell {name} only in the file" for name in self.found.cells_added]
        told += [f"cell {name} only here" for name in self.found.cells_removed]
        return [*told, *self.found.settings]

    def show_drawing(self, name: str) -> None:
        """Show the design's drawing (MAIN) or a cell's, with what differs in it."""
        for item in self._painted:
            self.scene.removeItem(item)
        self._painted = []
        self._apart.focus.show(name)
        for node in self.scene.nodes.values():
            node.mark(severity="")
        for line in self.scene.wires.values():
            line.mark(severity="")
        found = self._difference(name)
        self.marks = {}
        roles = {
            **dict.fromkeys(found.moved, MOVED),
            **dict.fromkeys(found.changed, CHANGED),
            **dict.fromkeys(found.removed, REMOVED),
            **dict.fromkeys(found.added, ADDED),
        }
        for key, role in roles.items():
            if key in self.scene.nodes:
                self.marks[key] = self._mark(self.scene.nodes[key].body().adjusted(-7, -7, 7, 7), role)
        for wires, role in ((found.wires_added, ADDED), (found.wires_removed, REMOVED)):
            for wire in wires:
                if wire in self.scene.wires:
                    item = self.scene.addPath(self.scene.wires[wire].path, QPen(theme.current().color(role, 0.75), 4))
                    item.setZValue(-0.5)
                    self._painted.append(item)
        self.list.clear()
        words = {" added": " only in the file", " removed": " only here"}
        for text, key in found.lines():
            for end, said in words.items():
                text = text.removesuffix(end) + said if text.endswith(end) else text
            item_ = QListWidgetItem(text)
            item_.setData(Qt.ItemDataRole.UserRole, key)
            self.list.addItem(item_)
        if not self.list.count():
            self.list.addItem("This drawing is the same.")
        self._fit()

    def _mark(self, area: QRectF, role: str) -> QGraphicsRectItem:
        color = theme.current().color(role)
        pen = QPen(color, 2.5, Qt.PenStyle.DashLine if role == REMOVED else Qt.PenStyle.SolidLine)
        pen.setCosmetic(True)
        fill = theme.current().color(role, 0.10)
        mark = self.scene.addRect(area, pen, fill)
        mark.setData(0, role)
        mark.setZValue(50)
        self._painted.append(mark)
        return mark

    def _fit(self) -> None:
        area = self.scene.bounds()
        if not area.isEmpty():
            self.view.setSceneRect(area.adjusted(-60, -60, 60, 60))
            self.view.fitInView(area.adjusted(-30, -30, 30, 30), Qt.AspectRatioMode.KeepAspectRatio)

    def _go(self, item: QListWidgetItem) -> None:
        key = str(item.data(Qt.ItemDataRole.UserRole) or "")
        if key in self.scene.nodes:
            self.scene.session.focus.select((key,))
            self.view.centerOn(self.scene.nodes[key])

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fit()

    def done(self, result: int) -> None:
        self._apart.close()
        super().done(result)


def _legend(role: str, words: str) -> str:
    return f"<span style='color:{theme.current().color(role).name()}'>■</span> {words}"
