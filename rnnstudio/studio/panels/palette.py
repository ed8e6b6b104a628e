"""Everything that can be drawn, by family, with search: drag it onto the canvas, or double-click."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QByteArray, QEvent, QMimeData, QObject, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QDrag, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ...design.history import Change
from .. import theme
from ..icons import icon
from ..offers import MIME, Offer, offers, search
from ..session import Session
from .swatch import offer_icon

_OFFER = Qt.ItemDataRole.UserRole
_FAMILY_TITLES = {"Cell": "Cell ports", "Data": "Data"}


class PaletteTree(QTreeWidget):
    """Families as sections, offers below; an offer can be dragged out."""

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderHidden(True)
        self.setIndentation(10)
        self.setRootIsDecorated(True)
        self.setIconSize(QSize(20, 20))
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setExpandsOnDoubleClick(False)
        self.setUniformRowHeights(True)

    def mimeData(self, items: list[QTreeWidgetItem]) -> QMimeData:  # type: ignore[override]
        mime = QMimeData()
        for item in items:
            offer = item.data(0, _OFFER)
            if isinstance(offer, Offer):
                mime.setData(MIME, QByteArray(offer.key.encode()))
        return mime

    def startDrag(self, _actions: Qt.DropAction) -> None:
        item = self.currentItem()
        if item is None or not isinstance(item.data(0, _OFFER), Offer):
            return
        drag = QDrag(self)
        drag.setMimeData(self.mimeData([item]))
        drag.setPixmap(item.icon(0).pixmap(32, 32))
        drag.setHotSpot(QPoint(16, 16))
        drag.exec(Qt.DropAction.CopyAction)


class PalettePanel(QWidget):
    """`chosen` gives the offer that was double-clicked, or picked with Enter."""

    chosen = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setProperty("role", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.edit = QLineEdit(placeholderText="Search nodes", clearButtonEnabled=True)
        self._glass = self.edit.addAction(icon("search", "muted"), QLineEdit.ActionPosition.LeadingPosition)
        self.edit.textChanged.connect(self._fill)
        self.edit.installEventFilter(self)
        self.tree = PaletteTree()
        self.tree.itemDoubleClicked.connect(self._pick)
        self.tree.itemClicked.connect(self._fold)
        self.tree.installEventFilter(self)
        box = QVBoxLayout(self)
        box.setContentsMargins(theme.SPACE, theme.SPACE, theme.SPACE, 0)
        box.setSpacing(theme.SPACE)
        box.addWidget(self.edit)
        box.addWidget(self.tree)
        self._shown: list[Offer] = []
        theme.changes().changed.connect(self._redress)
        session.designChanged.connect(self._follow)
        session.focus.trailChanged.connect(self._refresh)
        session.own_cells.changed.connect(self._refresh)
        self._fill()

    def offers(self) -> list[Offer]:
        session = self.session
        return offers(session.catalog, session.design, session.focus.graph, session.own_cells.cells)

    def _follow(self, change: Change) -> None:
        if change.before.cells is not change.after.cells:
            self._refresh()

    def _refresh(self) -> None:
        if self.offers() != self._shown:
            self._fill()

    def _fill(self) -> None:
        """Sections when nothing is searched for; a ranked list otherwise."""
        self._shown = self.offers()
        wanted = self.edit.text().strip()
        self.tree.setRootIsDecorated(not wanted)
        top = [self.tree.topLevelItem(i) for i in range(self.tree.topLevelItemCount())]
        folded = {section.text(0) for section in top if section is not None and not section.isExpanded()}
        self.tree.clear()
        if wanted:
            found = [self._item(offer) for offer in search(wanted, self._shown)]
            self.tree.addTopLevelItems(found)
            if found:
                self.tree.setCurrentItem(found[0])
            return
        sections: dict[str, QTreeWidgetItem] = {}
        for offer in self._shown:
            place = offer.section or offer.family
            if place not in sections:
                section = QTreeWidgetItem([_FAMILY_TITLES.get(place, place)])
                section.setFlags(Qt.ItemFlag.ItemIsEnabled)
                font = self.tree.font()
                font.setWeight(font.Weight.DemiBold)
                section.setFont(0, font)
                section.setSizeHint(0, QSize(0, 27))
                section.setForeground(0, theme.current().color("muted"))
                self.tree.addTopLevelItem(section)
                section.setExpanded(section.text(0) not in folded)
                sections[place] = section
            sections[place].addChild(self._item(offer))

    def _item(self, offer: Offer) -> QTreeWidgetItem:
        item = QTreeWidgetItem([offer.title])
        item.setIcon(0, offer_icon(offer, theme.current()))
        item.setData(0, _OFFER, offer)
        item.setToolTip(0, _tool_tip(offer))
        item.setSizeHint(0, QSize(0, 27))
        item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsDragEnabled)
        return item

    def _pick(self, item: QTreeWidgetItem | None) -> None:
        offer = item.data(0, _OFFER) if item is not None else None
        if isinstance(offer, Offer):
            self.chosen.emit(offer)

    def _redress(self) -> None:
        self._glass.setIcon(icon("search", "muted"))
        self._fill()

    def _fold(self, item: QTreeWidgetItem) -> None:
        if item.data(0, _OFFER) is None:
            item.setExpanded(not item.isExpanded())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._pick(self.tree.currentItem())
                return True
            if watched is self.edit and event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
                self.tree.event(QKeyEvent(event.type(), event.key(), event.modifiers()))
                return True
            if watched is self.edit and event.key() == Qt.Key.Key_Escape:
                self.edit.clear()
                return True
        return super().eventFilter(watched, event)


def _tool_tip(offer: Offer) -> str:
    parts = [f"<b>{escape(offer.title)}</b>", escape(offer.doc)]
    if offer.formula:
        parts.append("<br>".join(escape(line) for line in offer.formula.splitlines()))
    if offer.source:
        parts.append(f"<i>{escape(offer.source)}</i>")
    return "<div style='max-width:320px'>" + "<br>".join(part for part in parts if part) + "</div>"
