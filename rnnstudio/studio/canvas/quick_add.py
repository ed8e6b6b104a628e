"""The search that opens where one wants a node: on Tab, Shift+A, double-click, or where a wire was let go.

Ctrl+F opens it over the nodes that are there already, W over ports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QFrame, QLabel, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from .. import theme
from ..offers import Offer, search
from ..panels.swatch import offer_icon

WIDTH, ROWS = 320, 9
_ELSEWHERE = (Qt.FocusReason.MouseFocusReason, Qt.FocusReason.TabFocusReason, Qt.FocusReason.ShortcutFocusReason)


class QuickAdd(QFrame):
    """A small window inside the canvas. `chosen` gives the offer; `closed` comes after it, or alone.

    refused: why an offer cannot be chosen, by its key; such offers come last and only tell. `pointed` gives the offer
    that Enter would choose, `back` comes where there is nothing left for the Backspace key to delete.
    """

    chosen = Signal(object)
    closed = Signal()
    pointed = Signal(object)
    back = Signal()

    def __init__(
        self,
        parent: QWidget,
        among: Sequence[Offer],
        hint: str,
        at: QPoint,
        refused: Mapping[str, str] | None = None,
        placeholder: str = "Search nodes…",
    ) -> None:
        super().__init__(parent)
        self._refused = refused or {}
        self.setObjectName("quickAdd")
        self.setProperty("role", "card")
        self._among = among
        self._done = False
        self.edit = QLineEdit(placeholderText=placeholder, clearButtonEnabled=True)
        self.edit.textChanged.connect(self._search)
        self.edit.installEventFilter(self)
        self.list = QListWidget()
        self.list.setIconSize(QSize(20, 20))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.itemClicked.connect(self._choose)
        self.doc = QLabel(wordWrap=True)
        self.doc.setProperty("role", "muted")
        self.doc.setMinimumHeight(2 * self.fontMetrics().height() + 4)
        self.doc.setAlignment(Qt.AlignmentFlag.AlignTop)
        box = QVBoxLayout(self)
        box.setContentsMargins(10, 10, 10, 8)
        box.setSpacing(6)
        if hint:
            label = QLabel(hint)
            label.setProperty("role", "muted")
            box.addWidget(label)
        box.addWidget(self.edit)
        box.addWidget(self.list)
        box.addWidget(self.doc)
        self.list.currentItemChanged.connect(self._describe)
        self._search("")
        self.list.setFixedHeight(ROWS * max(self.list.sizeHintForRow(0), 24) + 4)
        self.setFixedWidth(WIDTH)
        self.adjustSize()
        area = parent.rect()
        x = min(max(at.x() - 20, 8), max(area.width() - self.width() - 8, 8))
        y = min(max(at.y() - 20, 8), max(area.height() - self.height() - 8, 8))
        self.move(x, y)
        self.show()
        self.raise_()
        self.edit.setFocus()

    def _search(self, text: str) -> None:
        self.list.clear()
        colors = theme.current()
        for offer in sorted(search(text, self._among), key=lambda offer: offer.key in self._refused):
            item = QListWidgetItem(offer_icon(offer, colors), offer.title)
            item.setData(Qt.ItemDataRole.UserRole, offer)
            if offer.key in self._refused:
                item.setForeground(colors.color("faint"))
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        if self.list.count() == 0:
            self.doc.setText("Nothing is called so. Try another word: “gate”, “loss”, “memory” …")

    def _describe(self, item: QListWidgetItem | None, _before: QListWidgetItem | None) -> None:
        if item is not None:
            offer: Offer = item.data(Qt.ItemDataRole.UserRole)
            self.doc.setText(self._refused.get(offer.key) or offer.doc)
        self.pointed.emit(item.data(Qt.ItemDataRole.UserRole) if item is not None else None)

    def point(self) -> None:
        """Tell once more what Enter would choose: whoever asked for this window could not hear it before."""
        self._describe(self.list.currentItem(), None)

    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is not None and not self._done:
            offer = item.data(Qt.ItemDataRole.UserRole)
            if offer.key in self._refused:
                return  # the reason is written below
            self._finish(lambda: self.chosen.emit(offer))

    def dismiss(self) -> None:
        self._finish(lambda: None)

    def _finish(self, act: Callable[[], None]) -> None:
        if not self._done:
            self._done = True
            self.hide()
            act()
            self.closed.emit()
            self.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            key = event.key()
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: ROWS, Qt.Key.Key_PageUp: -ROWS}
            if key in step:
                row = min(max(self.list.currentRow() + step[Qt.Key(key)], 0), self.list.count() - 1)
                self.list.setCurrentRow(row)
                return True
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab):
                self._choose(self.list.currentItem())
                return True
            if key == Qt.Key.Key_Backspace and not self.edit.text():
                self.back.emit()
                return True
            if key == Qt.Key.Key_Escape:
                self.dismiss()
                return True
        if isinstance(event, QFocusEvent) and event.type() == QEvent.Type.FocusOut and event.reason() in _ELSEWHERE:
            self.dismiss()
        return super().eventFilter(watched, event)
