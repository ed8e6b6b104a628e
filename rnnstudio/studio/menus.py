"""The menu bar and the tool bar of the window: which command stands where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QToolBar, QToolButton

from .keys.table import COMMANDS, WALK
from .windows import windows

if TYPE_CHECKING:
    from .window import MainWindow

LINE = ""
"""A separator."""
FILE = (
    *("new", "new_window", "open", "open_in_window", "recent>", "examples>", LINE),
    *("save", "save_as", LINE, "export", "picture", LINE, "close", "quit"),
)
EDIT = (
    *("undo", "redo", LINE, "cut", "copy", "paste", "paste_wired", "copy_picture", "duplicate", "delete", LINE),
    *("select_all", "find", "add", LINE, "rename", "replace", "wire", "disconnect", "frame", LINE),
    *("mute", "collapse", "hide_wires", "show_wires", LINE, "tidy", "tidy_before", "tidy_behind", "align>"),
)
CELL = (
    *("new_cell", "group", "ungroup", LINE, "open_cell", "leave_cell", "rename_cell", "make_editable", "unique"),
    *("restore_cell", LINE, "save_own_cell", "own_cells"),
)
VIEW = (
    *("fit", "frame_selection", "zoom_in", "zoom_out", "real_size", LINE, "unroll", "minimap", "theme", LINE),
    *("panels>", "go>", "walk>", "reset_layout"),
)
TRAIN = ("train", "pause", "stop")
WINDOW = ("new_window", "close", "next_window", LINE, "windows>")
HELP = ("help", "shortcuts", "hands", "about")
TOOLS = (
    *("new", "open", "save", LINE, "undo", "redo", LINE, "fit", "tidy", LINE),
    *("train", "pause", "stop", LINE, "export"),
)
TOLD = ("train", "export")
"""Their buttons have words beside the picture."""
GO = ("to_", "next_panel", "previous_panel")


def fill_menu_bar(window: MainWindow) -> None:
    bar = window.menuBar()
    for title, names in (
        *(
            ("&File", FILE),
            ("&Edit", EDIT),
            ("&Cell", CELL),
            ("&View", VIEW),
            ("&Train", TRAIN),
            ("&Window", WINDOW),
            ("&Help", HELP),
        ),
    ):
        _fill(window, bar.addMenu(title), names)


def _fill(window: MainWindow, menu: QMenu, names: tuple[str, ...]) -> None:
    for name in names:
        if name == LINE:
            menu.addSeparator()
        elif name.endswith(">"):
            _deeper(window, menu, name)
        else:
            menu.addAction(window.acts[name])


def _deeper(window: MainWindow, menu: QMenu, name: str) -> None:
    if name == "recent>":
        window.recent_menu = menu.addMenu("Open &recent")
        window.recent_menu.aboutToShow.connect(window.fill_recent)
    elif name == "examples>":
        window.examples_menu = menu.addMenu("&Examples")
        window.examples_menu.aboutToShow.connect(window.fill_examples)
    elif name == "windows>":
        lines = menu.actions()
        menu.aboutToShow.connect(lambda: _list_windows(window, menu, lines))
    elif name == "align>":
        aligned = menu.addMenu("&Align")
        aligned.addActions(window.align_actions)
        aligned.addSeparator()
        aligned.addActions(window.distribute_actions)
    elif name == "panels>":
        panels = menu.addMenu("&Panels")
        for dock in window.docks.values():
            panels.addAction(dock.toggleViewAction())
    elif name == "go>":
        go = menu.addMenu("&Go to")
        go.addActions([window.acts[key] for key in COMMANDS if key.startswith(GO) and key in window.acts])
    elif name == "walk>":
        walk = menu.addMenu("&Walk on the canvas")
        walk.addActions([window.acts[c.name] for c in COMMANDS.values() if c.group == WALK])


def _list_windows(window: MainWindow, menu: QMenu, above: list[QAction]) -> None:
    """Every window by its title, below what the menu always has."""
    for old in menu.actions():
        if old not in above:
            menu.removeAction(old)
            old.deleteLater()
    for other in sorted(windows().open, key=lambda found: found.number):
        entry = menu.addAction(other.told_title())
        entry.setCheckable(True)
        entry.setChecked(other is window)
        entry.triggered.connect(other.come_forward)


def tool_bar(window: MainWindow) -> QToolBar:
    bar = QToolBar("Tools", window)
    bar.setObjectName("tools")
    bar.setMovable(False)
    bar.setIconSize(QSize(20, 20))
    for name in TOOLS:
        if name == LINE:
            bar.addSeparator()
            continue
        bar.addAction(window.acts[name])
        button = bar.widgetForAction(window.acts[name])
        if name in TOLD and isinstance(button, QToolButton):
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    return bar
