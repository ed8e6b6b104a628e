"""The menus of the right button: what can be done with a node, a port, a wire or the canvas, each with its key.

They hold the window's own actions, so that a key written here is the key that works; only what needs the point that
was clicked is made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from ..catalog.catalog import CELL, FAMILIES
from .canvas.scene import Hit
from .keys.keymap import keymap

if TYPE_CHECKING:
    from .window import MainWindow


def menu_of(window: MainWindow, hit: Hit, at: QPointF) -> QMenu:
    """The menu of what lies at a point of the scene."""
    menu = QMenu(window)
    menu.setToolTipsVisible(True)
    if hit.pin is not None:
        _of_port(window, menu, hit)
    elif hit.node is not None:
        _of_node(window, menu, hit)
    elif hit.wire is not None:
        _of_wire(window, menu, at)
    elif hit.frame is not None:
        _of_frame(window, menu, hit)
    else:
        _of_canvas(window, menu, at)
    return menu


def _entry(menu: QMenu, title: str, do: Callable[[], object], key: str = "") -> QAction:
    """An entry of this menu alone; key: the hand's way to it, shown where a shortcut would stand."""
    action = menu.addAction(f"{title}\t{key}" if key else title)
    action.triggered.connect(lambda _checked=False: do())
    return action


def _of_node(window: MainWindow, menu: QMenu, hit: Hit) -> None:
    assert hit.node is not None
    several = len(window.session.focus.nodes) > 1
    node = window.view.canvas.graph.nodes.get(hit.node.key)
    if not several:
        if node is not None and node.kind == CELL:
            menu.addActions(window.cell_actions.of_node())
            menu.addSeparator()
        menu.addActions([window.rename_action, window.replace_action])
    menu.addAction(window.cell_actions.group)
    menu.addSeparator()
    menu.addActions([window.cut_action, window.copy_action, window.duplicate_action, window.delete_action])
    menu.addAction(window.disconnect_action)
    menu.addSeparator()
    menu.addActions(window.switch_actions.for_nodes())
    menu.addSeparator()
    if several:
        aligned = menu.addMenu("Align")
        aligned.addActions(window.align_actions)
        aligned.addSeparator()
        aligned.addActions(window.distribute_actions)
        menu.addAction(window.tidy_action)
    menu.addActions([window.switch_actions.tidy_before, window.switch_actions.tidy_behind])
    menu.addAction(window.frame_action)
    if not several:
        menu.addSeparator()
        menu.addAction(window.help_action)


def _of_port(window: MainWindow, menu: QMenu, hit: Hit) -> None:
    view, pin, port = window.view, hit.pin, hit.port
    assert pin is not None
    assert port is not None
    assert hit.node is not None
    place = view.viewportTransform().map(hit.node.port_place(*port)).toPoint()
    what = "Add what gives this…" if port[0] else "Add what takes this…"
    _entry(menu, what, lambda: view.open_quick_add(place, pin, port[0]))
    wires = [w for w in view.canvas.wires if (w.target if port[0] else w.source) == pin]
    broken = _entry(menu, "Break its wires", lambda: view.commands.disconnect(wires), "Alt+Click")
    broken.setEnabled(bool(wires))
    menu.addSeparator()
    menu.addActions([window.rename_action, window.help_action])


def _of_wire(window: MainWindow, menu: QMenu, at: QPointF) -> None:
    view, focus = window.view, window.session.focus
    place = view.viewportTransform().map(at).toPoint()
    if len(focus.wires) == 1:
        wire = focus.wires[0]
        _entry(menu, "Put a node in…", lambda: view.open_quick_add(place))
        _entry(menu, "Put a reroute point in", lambda: view.commands.reroute({wire: at}), "Double-click")
        _entry(menu, "Select its ends", lambda: focus.select((wire.source.node, wire.target.node)))
    menu.addAction(window.delete_action)
    menu.addActions(window.switch_actions.for_wires())
    _entry(menu, "Cut wires with a stroke", lambda: window.session.message.emit(STROKE), "Ctrl+Right drag")
    _entry(menu, "Join wires with a stroke", lambda: window.session.message.emit(JOIN), "Shift+Right drag")


def _of_frame(window: MainWindow, menu: QMenu, hit: Hit) -> None:
    assert hit.frame is not None
    frame, arrange = hit.frame.frame, window.view.commands.arrange
    graph = window.view.canvas.graph
    inside = [k for k, n in graph.nodes.items() if frame.holds(n.x, n.y)]
    menu.addAction(window.rename_action)
    _entry(menu, "Select what stands in it", lambda: window.session.focus.select(inside))
    colours = menu.addMenu("Colour")
    for family in ("", *FAMILIES[:6]):
        entry = _entry(
            colours, family or "None", partial(arrange.put_frame, frame.replace(color=family), "Colour frame")
        )
        entry.setCheckable(True)
        entry.setChecked(frame.color == family)
    menu.addSeparator()
    menu.addActions([window.copy_action, window.delete_action])


JOIN = "Hold Shift and draw with the right button through the wires to join in a reroute point"
STROKE = "Hold Ctrl and draw with the right button through the wires to cut"


def _of_canvas(window: MainWindow, menu: QMenu, at: QPointF) -> None:
    view = window.view
    place = view.viewportTransform().map(at).toPoint()
    _entry(menu, "Add a node…", lambda: view.open_quick_add(place), keymap().shown("add"))
    menu.addAction(window.cell_actions.new)
    menu.addSeparator()
    menu.addActions([window.paste_action, window.paste_wired_action])
    menu.addActions([window.select_all_action, window.find_action])
    menu.addSeparator()
    menu.addActions([window.tidy_action, window.fit_action, window.switch_actions.show_wires])
    menu.addActions([window.copy_picture_action, window.picture_action])
    if len(window.session.focus.trail) > 1:
        menu.addSeparator()
        menu.addAction(window.leave_cell_action)
    menu.addSeparator()
    menu.addActions([window.undo_action, window.redo_action])
