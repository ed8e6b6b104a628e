"""The main window: canvas in the middle, docks around it, menus, tool bar, files. It owns the session and the live run.

The live panels are made after the first paint, so that the window is there at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QEvent, QPoint, QPointF, QRect, QSettings, QSize, Qt, QTimer
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QKeyEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QDockWidget,
    QFileDialog,
    QMainWindow,
    QMenu,
    QMessageBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from ..compiler.check import Checked
from ..design.cell_file import SUFFIX as CELL_SUFFIX
from ..design.errors import StudioError
from ..design.storage import SUFFIX
from ..loading import Loaded
from . import theme
from .canvas.breadcrumbs import Breadcrumbs
from .canvas.minimap import Minimap
from .canvas.overlay import Banner, EmptyState
from .canvas.scene import Hit
from .canvas.view import WAYS, CanvasView
from .canvas_menus import menu_of
from .cell_actions import CellActions
from .cell_bar import CellBar
from .dialogs.picture import PictureDialog, Wanted
from .elsewhere import ElsewhereOffer
from .field_undo import FieldUndo
from .going import Going
from .help import ABOUT, about_node, keys_and_mouse, tell
from .icons import icon
from .keys.actions import Actions
from .keys.dialog import ShortcutsDialog
from .keys.keymap import keymap
from .keys.table import COMMANDS
from .legend import legend
from .live_docks import LiveDocks
from .menus import fill_menu_bar, tool_bar
from .panels.code import CodePanel
from .panels.inspector import InspectorPanel
from .panels.palette import PalettePanel
from .panels.problems import ProblemsPanel
from .pictures import on_clipboard, picture, scene_of, write
from .places import gallery
from .recovery import Autosave, Left, left_behind, refuse
from .session import Session
from .start.over import Start
from .status import StatusParts
from .switch_actions import SwitchActions
from .unrolling import Unrolling
from .windows import windows

if TYPE_CHECKING:
    from .live import OtherDrawing

RECENT = 8
FILTER = f"Designs (*{SUFFIX})"
ASIDE = QPoint(28, 28)
"""How far from its window a new one stands."""
_NUMBERS = count(1)
FRAME = QSize(8, 40)
"""What a window manager's frame takes of the screen, about."""
NARROW, LOW = 760, 600
"""A window below these, as on a laptop's screen at 200 %, is arranged for the drawing; see _first_layout."""
LAYOUT = 2
"""Number of the arrangement of docks; an older remembered one is not restored."""
SAVE, DISCARD, CANCEL = "save", "discard", "cancel"
STOP, TRAIN_ON = "stop", "train on"

_Area = Qt.DockWidgetArea


class MainWindow(QMainWindow):
    """The `ask_…` attributes are the questions it asks; tests and scripts may answer them."""

    def __init__(self, session: Session | None = None, plugins: Loaded | None = None) -> None:
        super().__init__()
        self.session = session or Session(plugins, parent=self)
        self.number = next(_NUMBERS)
        """In the order in which windows were opened."""
        self._agreed = False
        self.setObjectName("studio")
        self.setAcceptDrops(True)
        option = QMainWindow.DockOption
        self.setDockOptions(
            option.AnimatedDocks | option.AllowNestedDocks | option.AllowTabbedDocks | option.GroupedDragging
        )
        self.setTabPosition(_Area.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        self.setCorner(Qt.Corner.BottomRightCorner, _Area.RightDockWidgetArea)
        self.setCorner(Qt.Corner.BottomLeftCorner, _Area.LeftDockWidgetArea)
        self.setIconSize(QSize(20, 20))
        self.setWindowIcon(icon("app"))
        self.ask_unsaved: Callable[[], str] = self._ask_unsaved
        self.ask_file: Callable[[bool], Path | None] = self._ask_file
        self.ask_training: Callable[[bool], str] = self._ask_training
        self.ask_drop: Callable[[], bool] = self._ask_drop
        self.ask_replace: Callable[[Path], bool] = self._ask_replace
        self.ask_picture: Callable[[], Wanted | None] = lambda: PictureDialog(self.session, self).ask()
        self.docks: dict[str, QDockWidget] = {}
        self._painted = False
        self._areas: dict[str, Qt.DockWidgetArea] = {}
        self._tabs_timer = QTimer(self, singleShot=True, interval=0)
        self._tabs_timer.timeout.connect(self._plain_tabs)
        self.view = CanvasView(self.session)
        self.minimap = Minimap(self.view)
        self.banner = Banner(self)
        self.left_strip = Banner(self)
        """What a crash left behind."""
        self.resume_strip = Banner(self)
        """That a run learned another drawing than the one on the canvas."""
        self.elsewhere_strip = Banner(self)
        """That the file was changed by somebody else."""
        self.breadcrumbs = Breadcrumbs(self.session, self.view.commands.cells.rename, self)
        self.cell_bar = CellBar(self.session, self.view.commands.cells, self)
        self.setCentralWidget(self._centre())
        self.empty = EmptyState(self.session, self.view.viewport())
        self.empty.startWanted.connect(lambda: self.start.show())
        self.palette_panel = PalettePanel(self.session)
        self.palette_panel.chosen.connect(self.view.add_offer)
        self.inspector = InspectorPanel(self.session)
        self.problems = ProblemsPanel(self.session)
        self.code = CodePanel(self.session)
        self._dock("palette", "Palette", self.palette_panel, _Area.LeftDockWidgetArea)
        self._dock("inspector", "Inspector", self.inspector, _Area.RightDockWidgetArea)
        self._dock("problems", "Problems", self.problems, _Area.RightDockWidgetArea)
        self._dock("code", "Code", self.code, _Area.RightDockWidgetArea)
        self.live = LiveDocks(self)
        self.shortcuts: ShortcutsDialog | None = None
        self.recent_menu: QMenu
        self.examples_menu: QMenu
        keymap().load()  # another process may have changed it
        self.acts = Actions(self, self.view)
        self.going = Going(self)
        self._actions()
        fill_menu_bar(self)
        self.tools = tool_bar(self)
        self.addToolBar(self.tools)
        self._status_bar()
        FieldUndo.of_application()
        self.autosave = Autosave(self.session)
        self.start: Start = Start(self)
        self.elsewhere = ElsewhereOffer(self)
        self._connect()
        self._fit_screen()
        self._first_layout()
        self._restore()
        self._show_title()
        self._show_check(self.session.checked)
        windows().add(self)

    def _fit_screen(self) -> None:
        """As large as is good, but no larger than the screen, with room for the frame that the system draws."""
        self.resize(QSize(1440, 900).boundedTo(self._room()))

    def _room(self) -> QSize:
        """The largest window that this screen shows whole."""
        screen = self.screen() or QGuiApplication.primaryScreen()
        area = screen.availableSize() - FRAME if screen is not None else QSize(1440, 900)
        return area.expandedTo(QSize(480, 320))

    def _arrangement(self) -> str:
        """Which layout fits the window's size: see _first_layout."""
        low, narrow = self.height() < LOW, self.width() < NARROW
        return f"{'narrow' if narrow else 'wide'}, {'low' if low else 'high'}"

    # Building

    def _centre(self) -> QWidget:
        middle = QWidget()
        self._middle = box = QVBoxLayout(middle)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        self.notices = QWidget()
        """The strips; the start screen borrows them while it covers this place."""
        strips = QVBoxLayout(self.notices)
        strips.setContentsMargins(0, 0, 0, 0)
        strips.setSpacing(0)
        for part in (self.left_strip, self.elsewhere_strip, self.resume_strip, self.banner):
            strips.addWidget(part)
        box.addWidget(self.breadcrumbs)
        box.addWidget(self.cell_bar)
        box.addWidget(self.notices)
        box.addWidget(self.view, 1)
        return middle

    def give_notices_back(self) -> None:
        """Put the strips back over the canvas."""
        self._middle.insertWidget(2, self.notices)

    def _dock(self, key: str, title: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(f"dock-{key}")
        dock.setWidget(widget)
        self.addDockWidget(area, dock)
        self.docks[key] = dock
        self._areas[key] = area
        dock.topLevelChanged.connect(self._tabs_timer.start)
        dock.dockLocationChanged.connect(self._tabs_timer.start)
        return dock

    def add_dock(self, key: str, title: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        """Add a panel of one's own; its place is remembered under `key`."""
        return self._dock(key, title, widget, area)

    def _first_layout(self) -> None:
        """Palette left; inspector over training right; plots below. Splits first: a tab cannot be split any more.

        A low window has training as a tab beside the inspector, a narrow one begins without the palette: the drawing
        has the room, and Tab finds every node.
        """
        docks, plots = self.docks, self.live.plots
        size = self.size()
        low, narrow = size.height() < LOW, size.width() < NARROW
        right = ("inspector", "problems", "data", "code")
        for key, dock in docks.items():
            dock.setFloating(False)
            self.addDockWidget(self._areas[key], dock)
            dock.show()
        for key in (*(k for k in docks if self._areas[k] == _Area.RightDockWidgetArea), *plots):
            self.removeDockWidget(docks[key])
        for key in ("inspector", "training"):
            self.addDockWidget(_Area.RightDockWidgetArea, docks[key])
        self.addDockWidget(_Area.BottomDockWidgetArea, docks[plots[0]])
        for first, *rest in ((*right, "training") if low else right, plots):
            for other in rest:
                self.tabifyDockWidget(docks[first], docks[other])
        for dock in docks.values():
            dock.show()
        for key in ("training", "inspector", plots[0]):
            docks[key].raise_()
        self._first_sizes()
        docks["palette"].setVisible(not narrow)
        for key in plots:
            docks[key].hide()  # nothing to show before the first run: the drawing has the room
        self.resize(size)  # while all were shown it may have grown

    def put_plots_away(self) -> None:
        """Without a run there is nothing to be seen in the live panels: the drawing has the room."""
        if self.live.live is None or not self.live.live.alive:
            for key in self.live.plots:
                self.docks[key].hide()

    def show_plots(self) -> None:
        """Bring the live panels, all of them where none is to be seen; the one in front stays in front."""
        docks = [self.docks[key] for key in self.live.plots]
        if any(dock.isVisible() for dock in docks):
            return
        for dock in docks:
            dock.show()
        docks[0].raise_()
        self._tabs_timer.start()
        self.resizeDocks(docks[:1], [self._plots_height()], Qt.Orientation.Vertical)

    def _plots_height(self) -> int:
        return max(min(260, self.height() // 2), self.height() * 3 // 10)

    def _first_sizes(self) -> None:
        docks, plot = self.docks, self.docks[self.live.plots[0]]
        width = self.width()
        inspector = min(350, width * (47 if width < NARROW else 32) // 100)
        sizes = [min(215, width * 16 // 100), inspector]
        self.resizeDocks([docks["palette"], docks["inspector"]], sizes, Qt.Orientation.Horizontal)
        self.resizeDocks([plot], [self._plots_height()], Qt.Orientation.Vertical)
        self.resizeDocks([docks["inspector"], docks["training"]], [6, 4], Qt.Orientation.Vertical)

    def _plain_tabs(self) -> None:
        """A dock that shares its place has its name on its tab; a title bar would say it twice."""
        for dock in self.docks.values():
            tabbed = bool(self.tabifiedDockWidgets(dock)) and not dock.isFloating()
            if tabbed and dock.titleBarWidget() is None:
                dock.setTitleBarWidget(QWidget(dock))
            elif not tabbed and (bar := dock.titleBarWidget()) is not None:
                dock.setTitleBarWidget(None)  # type: ignore[arg-type]
                bar.deleteLater()

    def set_picture(self, action: QAction, picture: str) -> None:
        """Give an action an icon, in the colours of the theme worn now and of those to come."""
        self.acts.picture(action, picture)

    def _actions(self) -> None:
        commands, arrange, act = self.view.commands, self.view.commands.arrange, self.acts.add
        self.new_action = act("new", self.begin)
        self.open_action = act("open", self.open)
        self.save_action = act("save", self.save)
        self.save_as_action = act("save_as", self.save_as)
        act("new_window", self.new_window)
        act("open_in_window", self.open_beside)
        act("close", self.close)
        act("next_window", self._next_window)
        self.quit_action = act("quit", windows().quit)
        self.undo_action = act("undo", self.session.undo)
        self.redo_action = act("redo", self.session.redo)
        self.cut_action = act("cut", commands.cut)
        self.copy_action = act("copy", commands.copy)
        self.paste_action = act("paste", self._paste)
        self.paste_wired_action = act("paste_wired", self._paste_wired)
        self.duplicate_action = act("duplicate", commands.duplicate)
        self.delete_action = act("delete", commands.delete)
        self.select_all_action = act("select_all", commands.select_all)
        self.tidy_action = act("tidy", arrange.tidy)
        self.frame_action = act("frame", self._frame)
        self.rename_action = act("rename", self._rename)
        self.replace_action = act("replace", self._replace)
        self.disconnect_action = act("disconnect", commands.disconnect_selected)
        self.cell_actions = CellActions(self)
        self.switch_actions = SwitchActions(self)
        self.leave_cell_action = act("leave_cell", self.session.focus.leave)
        edges = ("left", "middle", "right", "top", "centre", "bottom")
        self.align_actions = [act(f"align_{edge}", partial(arrange.align, edge)) for edge in edges]
        self.distribute_actions = [
            act("distribute_horizontally", lambda: arrange.distribute(True)),
            act("distribute_vertically", lambda: arrange.distribute(False)),
        ]
        self.add_action = act("add", self.view.open_quick_add_at_pointer)
        self.find_action = act("find", self.view.open_find)
        self.fit_action = act("fit", self.view.frame_all)
        self.frame_selection_action = act("frame_selection", self.view.frame_selection)
        self.in_action = act("zoom_in", lambda: self.view.set_zoom(self.view.zoom * 1.25))
        self.out_action = act("zoom_out", lambda: self.view.set_zoom(self.view.zoom / 1.25))
        self.real_size_action = act("real_size", lambda: self.view.set_zoom(1.0))
        self.theme_action = act("theme", self.toggle_theme, theme.current().dark)
        self.minimap_action = act("minimap", self._turn_minimap, bool(QSettings().value("minimap", True, bool)))
        self.minimap.turn(self.minimap_action.isChecked())
        self.unrolling = Unrolling(self)
        self.reset_action = act("reset_layout", self.reset_layout)
        self.train_action = act("train", self.live.train)
        self.pause_action = act("pause", self.live.pause_or_resume)
        self.stop_action = act("stop", self.live.stop)
        self.export_action = act("export", self.live.export)
        self.picture_action = act("picture", self.export_picture)
        self.copy_picture_action = act("copy_picture", self.copy_picture)
        self.live.show_state("idle")
        self.help_action = act("help", self.show_help)
        self.shortcuts_action = act("shortcuts", self.show_shortcuts)
        self.keys_action = act("hands", self.show_keys)
        self.about_action = act("about", self.about)
        act("menu", self.view.ask_menu_of_selection)
        act("wire", self.view.wire_selected)
        act("next_thing", partial(self.view.walking.next_thing, 1))
        act("previous_thing", partial(self.view.walking.next_thing, -1))
        act("to_canvas", self.going.to_canvas)
        act("next_panel", partial(self.going.step, 1))
        act("previous_panel", partial(self.going.step, -1))
        for key in self.docks:
            if f"to_{key}" in COMMANDS:
                act(f"to_{key}", partial(self.going.to_panel, key))
        for way, (dx, dy) in WAYS.items():
            act(f"walk_{way}", partial(self.view.walking.step, way))
            act(f"extend_{way}", partial(self.view.walking.step, way, keep=True))
            act(f"move_{way}", partial(self.view.move_selection, dx, dy))
            act(f"move_far_{way}", partial(self.view.move_selection, 5 * dx, 5 * dy))

    def _status_bar(self) -> None:
        bar = self.statusBar()
        bar.setSizeGripEnabled(False)
        self.status = StatusParts(self.session)
        self.status.problemsWanted.connect(lambda: self.show_dock("problems"))
        bar.addPermanentWidget(self.status)

    def _connect(self) -> None:
        session = self.session
        session.failed.connect(self.show_error)
        session.message.connect(lambda text: self.statusBar().showMessage(text, 6000))
        session.opened.connect(self.banner.hide)
        session.opened.connect(self.elsewhere_strip.hide)
        session.opened.connect(self.resume_strip.hide)
        session.pathChanged.connect(self.elsewhere_strip.hide)
        session.elsewhere.connect(self.elsewhere.offer)
        session.asBefore.connect(self.elsewhere_strip.hide)
        session.opened.connect(self.view.setFocus)
        session.opened.connect(self.put_plots_away)
        session.designChanged.connect(lambda _: self._show_title())
        session.dirtyChanged.connect(lambda _: self._show_title())
        session.pathChanged.connect(self._show_title)
        session.checkedChanged.connect(self._show_check)
        session.focus.selectionChanged.connect(self._show_selection)
        session.focus.trailChanged.connect(self._show_selection)
        self.problems.dataWanted.connect(lambda: self.show_dock("data"))
        self.view.hint.connect(self.statusBar().showMessage)
        self.view.menuWanted.connect(self._show_menu)
        self.view.zoomChanged.connect(self.status.show_zoom)
        theme.changes().changed.connect(self._redress)
        self._show_selection()

    def _redress(self) -> None:
        self.theme_action.setChecked(theme.current().dark)
        self.status.show_check(self.session.seen)

    # What is shown

    def told_title(self) -> str:
        """What the window is called in a list of windows: its file's name, or the design's."""
        path = self.session.path
        return path.name if path is not None else self.session.design.name

    def _show_title(self) -> None:
        self.setWindowTitle(f"{self.told_title()}[*] — rnnstudio")
        self.setWindowFilePath(str(self.session.path or ""))
        self.setWindowModified(self.session.dirty)
        document = self.session.document
        for action, verb, what in (
            (self.undo_action, "Undo", document.undo_title),
            (self.redo_action, "Redo", document.redo_title),
        ):
            action.setEnabled(bool(what))
            action.setText(f"&{verb} {what}".strip())
            self.acts.tip(action, f"{verb} {what}".strip())

    def _show_check(self, checked: Checked) -> None:
        quiet = self.session.quiet(checked)
        counted = sum(d not in quiet for d in checked.diagnostics) if checked.design.graph.nodes else 0
        self.docks["problems"].setWindowTitle(f"Problems ({counted})" if counted else "Problems")

    def _show_selection(self) -> None:
        focus = self.session.focus
        nodes, some = focus.nodes, bool(focus.nodes or focus.wires or focus.frames)
        if some and self.view.hasFocus() and self.docks["inspector"].isVisible():
            self.docks["inspector"].raise_()  # what was clicked on the canvas is what one wants to see
        for action in (self.cut_action, self.copy_action, self.duplicate_action, self.frame_action):
            action.setEnabled(bool(nodes))
        self.disconnect_action.setEnabled(bool(nodes))
        self.switch_actions.follow(focus)
        self.replace_action.setEnabled(len(nodes) == 1)
        self.leave_cell_action.setEnabled(len(focus.trail) > 1)
        inside = len(focus.trail) > 1 and not some
        self.rename_action.setEnabled(len(nodes) + len(focus.frames) == 1 or inside)
        for action in self.align_actions:
            action.setEnabled(len(nodes) > 1)
        for action in self.distribute_actions:
            action.setEnabled(len(nodes) > 2)
        self.delete_action.setEnabled(some)

    def show_error(self, error: StudioError) -> None:
        """Say what is wrong, above the canvas, without stopping anything."""
        self.banner.show_error(error)

    def show_dock(self, key: str) -> None:
        self.docks[key].show()
        self.docks[key].raise_()

    # Files

    def new(self) -> bool:
        if not self.may_leave():
            return False
        self.session.new()
        return True

    def begin(self) -> bool:
        """Leave the design for an empty one, with the start screen over it."""
        if not self.new():
            return False
        self.start.show()
        return True

    def open(self, path: Path | None = None) -> bool:
        """Open a design, asking for the file when none is given, then what becomes of the one that is open."""
        path = path or self.ask_file(False)
        if path is None:
            return False
        if (other := windows().showing(path)) not in (None, self):
            other.come_forward()
            return True
        if not self.may_leave() or not self.session.open(path):
            return False
        self._remember_recent(path)
        return True

    # Other windows

    def new_window(self) -> MainWindow:
        """Another window of this process, with an empty design; it stands beside this one, its panels likewise."""
        made = MainWindow(plugins=self.session.plugins)
        made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        made.restoreState(self.saveState(LAYOUT), LAYOUT)
        place = QRect(self.pos() + ASIDE, self.size() + FRAME)
        place = place.intersected(self.screen().availableGeometry())  # a little smaller rather than beyond the edge
        made.resize(place.size() - FRAME)
        made.move(place.topLeft())
        made.show()
        made.start.show()
        made.come_forward()
        return made

    def open_beside(self, path: Path | None = None) -> bool:
        """Open a design in a window of its own: the one that has it already, this one where it is empty, or a new one.

        The file is asked for when none is given.
        """
        path = path or self.ask_file(False)
        if path is None:
            return False
        if windows().showing(path) is not None or self.untouched:
            return self.open(path)
        made = self.new_window()
        if made.open(path):
            return True
        made.close()
        self.open(path)  # says here why it cannot be opened
        return False

    @property
    def untouched(self) -> bool:
        """Whether nothing was begun here: an empty design without a file."""
        session = self.session
        return session.path is None and not session.dirty and not session.design.graph.nodes

    def come_forward(self) -> None:
        """Before the other windows, with the keyboard; out of the dock when it is minimised."""
        if self.isMinimized():
            self.showNormal()
        self.show()
        self.raise_()
        self.activateWindow()
        windows().to_front(self)

    def _next_window(self) -> None:
        order = sorted(windows().open, key=lambda window: window.number)
        order[(order.index(self) + 1) % len(order)].come_forward()

    def close_as_agreed(self) -> None:
        """Close without asking: the person has agreed to what becomes of this window."""
        self._agreed = True
        self.close()

    def open_example(self, path: Path) -> bool:
        return self.may_leave() and self.session.open_example(path)

    def offer_recovery(self) -> None:
        """Offer what crashes left behind, one by one; what is put off comes again with the next start."""
        self._offer_left(left_behind())

    def _offer_left(self, found: list[Left]) -> None:
        if not found:
            return
        left, rest = found[0], found[1:]
        more = f" {len(rest)} more after this one." if rest else ""

        def recover() -> None:
            self.recover(left)._offer_left(rest)

        def refused() -> None:
            refuse(left)
            self._offer_left(rest)

        self.left_strip.offer(
            f"“{left.name}” was not saved when its window ended",
            f"{left.told()}. Your file stays as it is until you save.{more}",
            ("Recover", recover),
            ("Later", lambda: self._offer_left(rest)),
            (f"Refuse “{left.name}”", refused),
        )

    def recover(self, left: Left) -> MainWindow:
        """Take over what a crash left behind, unsaved as it is still: here where nothing was begun, else in a window of
        its own. Returns the window that has it.
        """
        keeper = self if self.untouched else self.new_window()
        keeper.autosave.take_over(left)
        return keeper

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc that nobody else wanted leads from a panel back to the canvas."""
        if event.key() == Qt.Key.Key_Escape:
            self.going.to_canvas()
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            windows().to_front(self)
            self.session.look_at_file()

    def save(self) -> bool:
        return self.save_as(self.session.path)

    def save_as(self, path: Path | None = None) -> bool:
        path = path or self.ask_file(True)
        if path is None:
            return False
        if path.suffix != SUFFIX:
            path = path.with_name(path.name + SUFFIX)
            # The file dialog asked about the name without the ending.
            if path.exists() and not self.ask_replace(path):
                return False
        if not self.session.save_as(path):
            return False
        self._remember_recent(path)
        return True

    def offer_resume(self, other: OtherDrawing) -> None:
        """A run was to go on whose drawing is not the one on the canvas."""

        def resume() -> None:
            if self.may_leave():
                self.session.show(other.design, other.base)
                self.live.go_on(other.folder)

        self.resume_strip.offer(
            f"The run “{other.folder.name}” learned another drawing than the one on the canvas",
            "What it has learned fits its own drawing alone.",
            ("Open its drawing and resume", resume),
            ("New run with this drawing", self.live.train),
        )

    def may_leave(self, closing: bool = False) -> bool:
        """Whether the document may be left: a person agreed to what becomes of a training, and nothing is unsaved, it
        was saved now, or the person lets it go. closing: the window goes too, and the training cannot go on without it.
        """
        live = self.live.live
        training = self.ask_training(closing) if live is not None and live.alive else TRAIN_ON
        if training == CANCEL:
            return False
        if self.session.dirty:
            answer = self.ask_unsaved()
            if not (self.save() if answer == SAVE else answer == DISCARD):
                return False
        if training == STOP and live is not None and not closing:  # closing stops it by itself
            live.stop()
        return True

    def _ask_training(self, closing: bool) -> str:
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setText("A training is running.")
        box.setInformativeText("When it is stopped its run is kept, and can be resumed in the panel of runs.")
        role = QMessageBox.ButtonRole
        stop = box.addButton("Stop and keep the run", role.AcceptRole)
        on = None if closing else box.addButton("Let it train on", role.AcceptRole)
        cancel = box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(cancel)
        box.exec()
        pressed = box.clickedButton()
        box.deleteLater()
        return STOP if pressed is stop else TRAIN_ON if on is not None and pressed is on else CANCEL

    def may_drop(self) -> bool:
        """Whether unsaved changes may go: there are none, or the person lets them go by name."""
        return not self.session.dirty or self.ask_drop()

    def _ask_drop(self) -> bool:
        name = self.session.path.name if self.session.path is not None else self.session.design.name
        return self._ask(f"Let go of your unsaved changes to “{name}”?", "The file's own state takes their place.")

    def _ask_replace(self, path: Path) -> bool:
        return self._ask(f"“{path.name}” is there already. Put this design in its place?", str(path.parent))

    def _ask(self, what: str, more: str) -> bool:
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setText(what)
        box.setInformativeText(more)
        button = QMessageBox.StandardButton
        box.setStandardButtons(button.Yes | button.Cancel)
        box.setDefaultButton(button.Cancel)
        answer = box.exec()
        box.deleteLater()
        return answer == button.Yes.value

    # Pictures

    def export_picture(self) -> bool:
        """Ask what of the drawing goes into which file, and write it."""
        wanted = self.ask_picture()
        if wanted is None:
            return False
        name = self.session.design.name
        try:
            if wanted.selection or wanted.graph == self.view.canvas.graph_name:
                made = picture(self.view.canvas, selection=wanted.selection, margin=wanted.margin)
                write(made, wanted.path, wanted.scale, name)
            else:
                with scene_of(self.session, wanted.graph) as scene:
                    write(picture(scene, margin=wanted.margin), wanted.path, wanted.scale, name)
        except StudioError as error:
            self.session.failed.emit(error)
            return False
        self.session.message.emit(f"The picture is in {wanted.path}")
        return True

    def copy_picture(self) -> bool:
        """Put the selection, or all that is shown where nothing is selected, on the clipboard as a picture."""
        focus = self.session.focus
        try:
            made = picture(self.view.canvas, selection=bool(focus.nodes or focus.frames))
            mime = on_clipboard(made)
        except StudioError as error:
            self.session.failed.emit(error)
            return False
        QGuiApplication.clipboard().setMimeData(mime)
        self.session.message.emit("Copied as a picture")
        return True

    def _ask_unsaved(self) -> str:
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        name = self.session.path.name if self.session.path is not None else self.session.design.name
        box.setText(f"Save the changes to “{name}”?")
        box.setInformativeText("They are lost otherwise.")
        button = QMessageBox.StandardButton
        box.setStandardButtons(button.Save | button.Discard | button.Cancel)
        box.setDefaultButton(button.Save)
        answer = box.exec()
        box.deleteLater()
        return {button.Save.value: SAVE, button.Discard.value: DISCARD}.get(answer, CANCEL)

    def _ask_file(self, saving: bool) -> Path | None:
        start = str(self.session.path or Path.cwd() / f"{self.session.design.name}{SUFFIX}")
        if saving:
            name, _ = QFileDialog.getSaveFileName(self, "Save the design", start, FILTER)
        else:
            name, _ = QFileDialog.getOpenFileName(self, "Open a design", str(Path(start).parent), FILTER)
        return Path(name) if name else None

    def _remember_recent(self, path: Path) -> None:
        path = Path(path).resolve()
        recent = [str(path), *(p for p in self._recent() if p != str(path))]
        QSettings().setValue("recent", recent[:RECENT])

    @staticmethod
    def _recent() -> list[str]:
        stored = QSettings().value("recent", [])
        if isinstance(stored, str):
            return [stored]
        return [str(p) for p in stored] if isinstance(stored, list) else []

    def recent_files(self) -> list[Path]:
        """Opened or saved last, as far as they are there, the newest first."""
        return [Path(p) for p in self._recent() if Path(p).exists()]

    def fill_recent(self) -> None:
        self._fill_menu(self.recent_menu, self.recent_files(), self.open, False)

    def fill_examples(self) -> None:
        self._fill_menu(self.examples_menu, gallery(), self.open_example, True)

    @staticmethod
    def _fill_menu(menu: QMenu, paths: list[Path], do: Callable[[Path], object], short: bool) -> None:
        menu.clear()
        for path in paths:
            action = menu.addAction(path.parent.name if short else f"{path.name}   —   {path.parent}")
            action.triggered.connect(lambda _=False, path=path: do(path))
        if not paths:
            menu.addAction("none").setEnabled(False)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._dropped(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = self._dropped(event)
        if path is None:
            return
        event.acceptProposedAction()
        if path.suffix == SUFFIX:
            self.open(path)
        elif path.suffix == CELL_SUFFIX:
            self.view.commands.bring_cell(path, self.view.mapToScene(self.view.viewport().rect().center()))
        else:
            self.live.look_at(path)

    @staticmethod
    def _dropped(event: QDropEvent) -> Path | None:
        """A design before data; None when no file is dropped."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        return next((path for path in paths if path.suffix == SUFFIX), paths[0] if paths else None)

    # Small commands

    def _show_menu(self, hit: Hit, at: QPointF, where: QPoint) -> None:
        """The menu of what lies under the pointer; it goes with its closing."""
        menu = menu_of(self, hit, at)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(where)

    def _replace(self) -> None:
        if len(self.session.focus.nodes) == 1:
            self.view.open_replace(self.session.focus.nodes[0])

    def _rename(self) -> None:
        """What is selected; the cell that is entered where nothing is."""
        focus = self.session.focus
        if len(focus.trail) > 1 and not (focus.nodes or focus.frames or focus.wires):
            self.breadcrumbs.rename_here()
        else:
            self.view.rename_selected()

    def _paste(self) -> None:
        self.view.commands.paste(self.view.pointer())

    def _paste_wired(self) -> None:
        self.view.commands.paste(self.view.pointer(), keep_incoming=True)

    def _frame(self) -> None:
        key = self.view.commands.arrange.frame()
        if key is not None:
            self.view.rename_frame(key)

    def _turn_minimap(self) -> None:
        on = self.minimap_action.isChecked()
        self.minimap.turn(on)
        QSettings().setValue("minimap", on)

    def toggle_theme(self) -> None:
        theme.apply(theme.LIGHT if theme.current().dark else theme.DARK, remember=True)

    def reset_layout(self) -> None:
        QSettings().remove("layout")
        self._first_layout()

    def about(self) -> None:
        tell(self, "rnnstudio", ABOUT)

    def show_help(self) -> None:
        """What is known of the selected node; the keys when not exactly one is selected."""
        focus = self.session.focus
        if len(focus.nodes) == 1:
            tell(self, *about_node(self.session, focus.graph, focus.nodes[0]))
        else:
            self.show_keys()

    def show_keys(self) -> None:
        tell(self, "Keys and mouse", keys_and_mouse() + legend())

    def show_shortcuts(self) -> None:
        """All keys, to look up and to change; a second press brings the same window to the front."""
        if self.shortcuts is None:
            self.shortcuts = ShortcutsDialog(self)
        self.shortcuts.appear()

    # Life

    def warm_up(self) -> None:
        """Start the worker process, which imports torch, so that Train answers at once."""
        self.live.fill().prepare()

    def _restore(self) -> None:
        """As it was left; a layout that was made at another scale, where another one fits, is not taken."""
        settings = QSettings()
        geometry, layout = settings.value("geometry"), settings.value("layout")
        if isinstance(geometry, QByteArray) and self.restoreGeometry(geometry):
            self.resize(self.size().boundedTo(self._room()))
        fits = settings.value("layoutFor") in (None, self._arrangement())
        self._remembered = fits and isinstance(layout, QByteArray) and self.restoreState(layout, LAYOUT)
        self.put_plots_away()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._painted:
            self._painted = True
            self._plain_tabs()
            self.view.setFocus()
            if not self._remembered:
                self._first_sizes()
            QTimer.singleShot(20, self, self.live.fill)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._agreed and not self.may_leave(closing=True):
            event.ignore()
            return
        windows().remove(self)
        QSettings().setValue("geometry", self.saveGeometry())
        QSettings().setValue("layout", self.saveState(LAYOUT))
        QSettings().setValue("layoutFor", self._arrangement())
        self.view.cancel()
        self.status.shut()
        self.unrolling.close()
        self.live.close()
        self.autosave.close()
        self.session.close()
        super().closeEvent(event)
