"""The first rows of a file as a table: wrong cells stand out, and a right click on a column asks for its menu."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from rnnstudio.data import Preview

from ..theme import current

LEAST_HEIGHT = 150


class RowTable(QTableWidget):
    """Signal: columnMenuWanted(name of the file's column, where on the screen)."""

    columnMenuWanted = Signal(str, QPoint)

    def __init__(self) -> None:
        super().__init__()
        self._columns: Collection[str] = ()
        self._titles: tuple[str, ...] = ()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.verticalHeader().hide()
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._menu_at)
        self.verticalHeader().setDefaultSectionSize(QFontMetrics(self.font()).height() + 8)
        self.setMinimumHeight(LEAST_HEIGHT)

    def put(self, preview: Preview, columns: Collection[str]) -> None:
        """columns: of the file, where it is a table: their headers have a menu."""
        theme = current()
        bad = {(str(p.line), _plain(p.column)) for p in preview.problems if p.severity == "error" and p.line}
        lines = {line for line, _ in bad}
        self._columns, self._titles = columns, preview.columns
        self.setVisible(bool(preview.rows))
        self.clear()
        self.setRowCount(len(preview.rows))
        self.setColumnCount(len(preview.columns))
        self.setHorizontalHeaderLabels(list(preview.columns))
        by_line = bool(preview.columns) and preview.columns[0] == "line"
        for row, cells in enumerate(preview.rows):
            for place, text in enumerate(cells):
                item = QTableWidgetItem(text)
                if by_line and cells[0] in lines:
                    exact = (cells[0], preview.columns[place]) in bad or (cells[0], "") in bad or place == 0
                    if exact:
                        item.setBackground(QColor(theme.error_back))
                        item.setForeground(theme.color("error"))
                self.setItem(row, place, item)
        for place, title in enumerate(preview.columns):
            if column_of(title, columns):
                tip = "Right click: what this column holds, and how it is scaled"
                header = self.horizontalHeaderItem(place)
                assert header is not None
                header.setToolTip(tip)

    def show_cell(self, line: int, column: str) -> QTableWidgetItem | None:
        """Select the cell of a line of the file, or the row's first one; None where the line is not shown."""
        if not line or not self._titles or self._titles[0] != "line":
            return None
        firsts = ((row, self.item(row, 0)) for row in range(self.rowCount()))
        row = next((row for row, first in firsts if first is not None and first.text() == str(line)), None)
        if row is None:
            return None
        name = _plain(column)
        place = next((n for n, title in enumerate(self._titles) if title == name), None)
        if place is None:
            named = (n for n, title in enumerate(self._titles) if column_of(title, (name,)))
            place = next(named, 0)
        self.setCurrentCell(row, place)
        item = self.item(row, place)
        if item is not None:
            self.scrollToItem(item)
        return item

    def _menu_at(self, at: QPoint) -> None:
        place = self.horizontalHeader().logicalIndexAt(at)
        name = column_of(self._titles[place], self._columns) if 0 <= place < len(self._titles) else ""
        if name:
            self.columnMenuWanted.emit(name, self.horizontalHeader().mapToGlobal(at))


def column_of(title: str, columns: Collection[str]) -> str:
    """The file's column that a column of the preview shows: "flow" of "targets: flow, 1 ahead"; "" = none."""
    if title in columns:
        return title
    _, colon, rest = title.partition(": ")
    if not colon:
        return ""
    return next((name for name in columns if rest == name or rest.startswith(f"{name}, ")), "")


def _plain(column: str) -> str:
    return column.strip("'\"")
