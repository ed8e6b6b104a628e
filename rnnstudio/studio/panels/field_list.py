"""The fields that the data offers, to be dragged onto the canvas: a node is made for one, or a node reads it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QByteArray, QMimeData, QPoint, Qt
from PySide6.QtGui import QDrag
from PySide6.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem

from rnnstudio.design.recipe import DataRecipe, FieldSpec

from ..offers import MIME, field_offer

SHOWN = 6


class FieldList(QListWidget):
    """ready: asked before a drag; False where the design cannot have this data."""

    def __init__(self, ready: Callable[[], bool]) -> None:
        super().__init__()
        self._ready = ready
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setToolTip(
            "Drag a field onto the canvas: an input or a target is made that reads it; dropped on an input or target, "
            "that one reads it. The design then uses this data."
        )
        self.setAccessibleName("Fields of the data")

    def put(self, recipe: DataRecipe) -> None:
        self.clear()
        for spec in recipe.readable.values():
            item = QListWidgetItem(f"{'◎' if spec.role == 'target' else '→'}  {told(spec)}")
            item.setData(Qt.ItemDataRole.UserRole, spec)
            self.addItem(item)
        rows = min(max(self.count(), 1), SHOWN)
        self.setFixedHeight(rows * max(self.sizeHintForRow(0), self.fontMetrics().height()) + 2 * self.frameWidth() + 4)

    def mimeData(self, items: list[QListWidgetItem]) -> QMimeData:  # type: ignore[override]
        mime = QMimeData()
        for item in items:
            spec: FieldSpec = item.data(Qt.ItemDataRole.UserRole)
            mime.setData(MIME, QByteArray(field_offer(spec).key.encode()))
        return mime

    def startDrag(self, _actions: Qt.DropAction) -> None:
        item = self.currentItem()
        if item is None or not self._ready():
            return
        drag = QDrag(self)
        drag.setMimeData(self.mimeData([item]))
        drag.setHotSpot(QPoint(0, 0))
        drag.exec(Qt.DropAction.CopyAction)


def told(spec: FieldSpec) -> str:
    """A field in a line: name, role, how much, along what."""
    what = "classes" if spec.counts else "tokens" if spec.content == "tokens" else "numbers"
    what = what if spec.size != 1 else "number"
    along = f" along {spec.axis}" if spec.axis else ", one for each example"
    ahead = f", {spec.shift} ahead" if spec.shift else ""
    return f"{spec.name}: {spec.role}, {spec.size:,} {what}{along}{ahead}"
