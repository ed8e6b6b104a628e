"""The window of shortcuts: every command with its keys, found by name or by pressing a key, changed and reset."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from .. import theme
from ..icons import icon
from .key_field import KeyField
from .keymap import Keymap, keymap, native
from .table import COMMANDS, GESTURES, PRESETS

NAME = Qt.ItemDataRole.UserRole
MOUSE = "Mouse (fixed)"


class ShortcutsDialog(QDialog):
    """Beside the work, not before it: what is changed here works at once and is kept."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.keymap: Keymap = keymap()
        self.setWindowTitle("Keyboard shortcuts")
        self.setObjectName("shortcuts")
        room = self.screen().availableSize() - QSize(40, 80)
        self.resize(QSize(860, 680).boundedTo(room))
        self._rows: dict[str, QTreeWidgetItem] = {}
        self._sections: dict[str, tuple[QTreeWidgetItem, list[QTreeWidgetItem]]] = {}
        self._asked: tuple[str, str, bool] | None = None
        """The command that wants another's key, the key, and whether beside the ones it has."""
        self.search = QLineEdit(placeholderText="Search by name…", clearButtonEnabled=True)
        self.search.setAccessibleName("search by name")
        self.search.textChanged.connect(self._filter)
        self.by_key = KeyField("or press a key…")
        self.by_key.pressed.connect(self._filter)
        self.by_key.left.connect(self.forget_key)
        self.any_key = QToolButton(autoRaise=True)
        self.any_key.setAccessibleName("show all keys again")
        self.any_key.clicked.connect(self.forget_key)
        self.preset = QComboBox()
        self.preset.addItems(list(PRESETS))
        self.preset.setToolTip("Keys to begin with. Those you have chosen yourself stay.")
        self.preset.setAccessibleName("preset of keys")
        self.preset.textActivated.connect(self.keymap.use)
        self.tree = QTreeWidget(columnCount=3)
        self.tree.setHeaderLabels(["Command", "Keys", "What it does"])
        self.tree.setIndentation(12)
        self.tree.setUniformRowHeights(True)
        self.tree.setAllColumnsShowFocus(True)
        header = self.tree.header()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        self.tree.currentItemChanged.connect(lambda *_: self._show_row())
        self.tree.itemActivated.connect(lambda *_: self.new_key.setFocus())
        self._form()
        self._lay_out()
        self._fill()
        self.keymap.changed.connect(self._show_keys)
        theme.changes().changed.connect(self._show_keys)
        self._show_keys()
        self._select(next(iter(COMMANDS)))

    def _form(self) -> None:
        self.what = QLabel()
        self.what.setProperty("role", "heading")
        self.new_key = KeyField("Press its new key…")
        self.new_key.pressed.connect(lambda key: self._wanted(key, more=False))
        self.new_key.left.connect(self.tree.setFocus)
        self.more_key = KeyField("Press another key for it…")
        self.more_key.pressed.connect(lambda key: self._wanted(key, more=True))
        self.more_key.left.connect(self.tree.setFocus)
        self.none_button = QPushButton("No &key")
        self.none_button.clicked.connect(lambda: self.keymap.give(self.current(), ()))
        self.reset_button = QPushButton("&Reset")
        self.reset_button.setToolTip("The keys of the preset again")
        self.reset_button.clicked.connect(lambda: self.keymap.reset(self.current()))
        self.told = QLabel(wordWrap=True)
        self.told.setMinimumHeight(self.fontMetrics().height() + 4)
        self.take_button = QPushButton("&Take it from there")
        self.take_button.clicked.connect(self._take)
        self.take_button.hide()
        self.reset_all_button = QPushButton("Reset &all")
        self.reset_all_button.clicked.connect(self.keymap.reset_all)
        self.close_button = QPushButton("Close")
        self.close_button.clicked.connect(self.close)
        for button in (self.none_button, self.reset_button, self.take_button, self.reset_all_button, self.close_button):
            button.setAutoDefault(False)

    def _lay_out(self) -> None:
        self._dress()
        top, form, told, end = QHBoxLayout(), QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.search, 3)
        top.addWidget(self.by_key, 2)
        top.addWidget(self.any_key)
        top.addSpacing(12)
        top.addWidget(QLabel("Preset"))
        top.addWidget(self.preset, 1)
        for field in (self.new_key, self.more_key):
            form.addWidget(field, 1)
        form.addWidget(self.none_button)
        form.addWidget(self.reset_button)
        told.addWidget(self.told, 1)
        told.addWidget(self.take_button)
        note = QLabel("Kept at once. Keys that type something work on the canvas only.")
        note.setProperty("role", "muted")
        end.addWidget(note, 1)
        end.addWidget(self.reset_all_button)
        end.addWidget(self.close_button)
        box = QVBoxLayout(self)
        box.setContentsMargins(14, 14, 14, 12)
        box.setSpacing(8)
        box.addLayout(top)
        box.addWidget(self.tree, 1)
        box.addWidget(self.what)
        box.addLayout(form)
        box.addLayout(told)
        box.addLayout(end)

    def _dress(self) -> None:
        self.any_key.setIcon(icon("close", "muted"))

    def _fill(self) -> None:
        for command in COMMANDS.values():
            row = self._row(command.group, [command.plain, "", command.about])
            row.setData(0, NAME, command.name)
            self._rows[command.name] = row
        for gesture in GESTURES:
            self._row(MOUSE, [gesture.hands, "", gesture.does])
        self.tree.expandAll()

    def _row(self, group: str, texts: list[str]) -> QTreeWidgetItem:
        if group not in self._sections:
            section = QTreeWidgetItem(self.tree, [group])
            font = section.font(0)
            font.setBold(True)
            section.setFont(0, font)
            section.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self._sections[group] = (section, [])
        section, rows = self._sections[group]
        rows.append(QTreeWidgetItem(section, texts))
        return rows[-1]

    # What is shown

    def appear(self) -> None:
        self.show()
        self.raise_()
        self.activateWindow()
        self.search.setFocus()
        self.search.selectAll()

    def current(self) -> str:
        """The command that is chosen; "" for a gesture of the mouse."""
        item = self.tree.currentItem()
        return str(item.data(0, NAME) or "") if item is not None else ""

    def _select(self, name: str) -> None:
        self.tree.setCurrentItem(self._rows[name])

    def shown(self) -> list[str]:
        """The commands that the search has left, in order."""
        return [name for name, row in self._rows.items() if not row.isHidden()]

    def _show_keys(self) -> None:
        t = theme.current()
        self._dress()
        self.preset.setCurrentText(self.keymap.preset)
        for name, row in self._rows.items():
            row.setText(1, "  or  ".join(native(key) for key in self.keymap.keys(name)))
            own = self.keymap.is_own(name)
            font = row.font(1)
            font.setBold(own)
            row.setFont(1, font)
            row.setForeground(1, t.color("accent" if own else "text"))
            row.setToolTip(1, self._usual(name) if own else "")
        for _, rows in self._sections.values():
            for row in rows:
                row.setForeground(2, t.color("muted"))
        self._filter()
        self._show_row()

    def _usual(self, name: str) -> str:
        return f"The preset has: {', '.join(map(native, self.keymap.standard(name))) or 'no key'}"

    def forget_key(self) -> None:
        """Show the commands of all keys again."""
        self.by_key.show_key("")
        self._filter()
        self.search.setFocus()

    def _filter(self) -> None:
        words, key = self.search.text().lower().split(), self.by_key.key
        self.any_key.setVisible(bool(key))
        for group, (section, rows) in self._sections.items():
            for row in rows:
                text = f"{group} {row.text(0)} {row.text(1)} {row.text(2)}".lower()
                name = row.data(0, NAME)
                fits = all(word in text for word in words)
                row.setHidden(not fits or bool(key and (name is None or key not in self.keymap.keys(name))))
            section.setHidden(all(row.isHidden() for row in rows))
        now = self.tree.currentItem()
        if now is None or now.isHidden():
            first = next(iter(self.shown()), None)
            if first is not None:
                self._select(first)
        if key and not self.shown():
            self._tell(f"{native(key)} is free.")

    def _show_row(self) -> None:
        name = self.current()
        command = COMMANDS.get(name)
        self.what.setText(command.plain if command is not None else "What the mouse does cannot be changed")
        self.new_key.show_key(self.keymap.keys(name)[0] if command is not None and self.keymap.keys(name) else "")
        self.more_key.show_key("")
        for field in (self.new_key, self.more_key, self.none_button):
            field.setEnabled(command is not None)
        self.more_key.setEnabled(command is not None and bool(self.keymap.keys(name)))
        self.none_button.setEnabled(command is not None and bool(self.keymap.keys(name)))
        self.reset_button.setEnabled(command is not None and self.keymap.is_own(name))
        self._tell(self._usual(name) + "." if command is not None and self.keymap.is_own(name) else "")

    def _tell(self, text: str, asked: tuple[str, str, bool] | None = None, *, wrong: bool = False) -> None:
        self._asked = asked
        self.take_button.setVisible(asked is not None)
        self.told.setText(text)
        self.told.setProperty("role", "problem" if wrong else "muted")
        self.told.style().unpolish(self.told)
        self.told.style().polish(self.told)

    # Changing

    def _wanted(self, key: str, *, more: bool) -> None:
        """A key was pressed for the command that is chosen: it gets it, or is told who has it."""
        name = self.current()
        has = self.keymap.holder(key)
        if reason := self.keymap.why_not(key):
            self._tell(f"{reason}.", wrong=True)
        elif has == name:
            self._tell(f"It has {native(key)} already.")
        elif has is not None:
            other = COMMANDS[has]
            self._tell(f"{native(key)} is the key of “{other.plain}” ({other.group}).", (name, key, more), wrong=True)
        else:
            self._give(name, key, more)

    def _take(self) -> None:
        if self._asked is not None:
            self._give(*self._asked)

    def _give(self, name: str, key: str, more: bool) -> None:
        """The new key in the place of the first one, or behind those it has."""
        has = self.keymap.keys(name)
        self.keymap.give(name, (*has, key) if more else (key, *has[1:]))
        self._tell(f"{native(key)}: {COMMANDS[name].plain}. {self._usual(name)}.")
        self.tree.setFocus()
