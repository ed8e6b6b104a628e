"""Mute, collapse and hidden wires, by keys, menu and mouse: in the document, in the file, and seen at once."""

from __future__ import annotations

import re
import shutil
import subprocess

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QMessageBox

from rnnstudio.compiler import compile_design
from rnnstudio.compiler.costs import cost_of
from rnnstudio.design import storage
from rnnstudio.design.design import MAIN, Pin, Wire
from rnnstudio.design.edits import HideWires, MoveNodes, SetCollapsed, SetMuted
from rnnstudio.studio import theme
from rnnstudio.studio.legend import WIRES
from rnnstudio.studio.pictures import as_bytes, picture
from tests.studio.window.hands import CTRL, LEFT, NONE, SHIFT, Hands

RIGHT = Qt.MouseButton.RightButton


def wire(source: str, target: str) -> Wire:
    return Wire(Pin(*source.split(".")), Pin(*target.split(".")))


def menu_at(hands: Hands, at: QPoint) -> QMenu:
    hands.press(at, RIGHT)
    hands.release(at, RIGHT)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


def choose(hands: Hands, at: QPoint, title: str, key: str) -> None:
    """An entry of the right-click menu, which shows its key."""
    menu = menu_at(hands, at)
    action = next(a for a in menu.actions() if a.text().replace("&", "") == title)
    assert action.shortcut().toString() == key
    action.trigger()
    menu.close()
    QApplication.processEvents()


def told(hands: Hands) -> str:
    return hands.window.statusBar().currentMessage()


def pixels(hands: Hands, key: str) -> object:
    """What a node looks like."""
    item = hands.view.canvas.nodes[key]
    rect = hands.view.viewportTransform().mapRect(item.sceneBoundingRect()).toRect()
    return hands.screen.grab(rect).toImage()


def own_lstm(hands: Hands) -> None:
    """Inside the LSTM, made editable."""
    hands.session.focus.enter("LSTM", "lstm")
    QTest.mouseClick(hands.window.cell_bar.editable, LEFT)
    hands.view.frame_all()


def test_a_library_cell_is_muted_in_no_part(hands):
    hands.session.focus.enter("LSTM", "lstm")
    hands.view.frame_all()
    before = hands.session.design
    hands.click(hands.node(next(k for k, n in hands.graph.nodes.items() if n.kind == "Tanh")))
    for key, held in ((Qt.Key.Key_M, NONE), (Qt.Key.Key_H, SHIFT)):
        hands.key(key, held)
        assert hands.session.design is before


def test_m_mutes_and_unmutes_what_is_selected(hands):
    own_lstm(hands)
    squash = next(k for k, n in hands.graph.nodes.items() if n.kind == "Tanh")
    hands.click(hands.node(squash))
    hands.move(QPoint(5, 5))
    before, file = pixels(hands, squash), storage.dumps(hands.session.design)
    hands.key(Qt.Key.Key_M)
    assert hands.graph.nodes[squash].muted
    assert pixels(hands, squash) != before
    assert '"muted": true' in storage.dumps(hands.session.design)
    own = hands.session.focus.graph
    assert storage.loads(storage.dumps(hands.session.design)).graph_of(own).nodes[squash].muted
    hands.key(Qt.Key.Key_M)
    assert storage.dumps(hands.session.design) == file
    hands.key(Qt.Key.Key_Z, CTRL)
    assert hands.graph.nodes[squash].muted
    hands.key(Qt.Key.Key_Z, CTRL)
    assert storage.dumps(hands.session.design) == file


def test_a_muted_node_is_seen_from_far_and_near(hands):
    hands.click(hands.node("lstm"))
    for zoom in (1.5, 1.0, 0.5, 0.25, 0.12):
        hands.view.set_zoom(zoom)
        hands.session.focus.select()
        awake = pixels(hands, "lstm")
        hands.session.do(SetMuted(("lstm",), True))
        assert pixels(hands, "lstm") != awake, zoom
        hands.session.undo()


def parameters(hands: Hands) -> int:
    return cost_of(compile_design(hands.session.design, hands.session.catalog)).parameters


def test_the_menu_mutes_with_its_key_shown_and_parameters_go(hands):
    before = parameters(hands)
    choose(hands, hands.node("lstm"), "Mute", "M")
    assert hands.graph.nodes["lstm"].muted
    checked = hands.session.checked
    assert checked.signals[MAIN, "lstm", "h"] == checked.signals[MAIN, "embedding", "out"]
    after = parameters(hands)
    assert after == 27 * 16 + 16 * 27 + 27
    assert before > after
    assert not any(name.startswith("lstm") for name in (d.message for d in checked.errors))


def test_what_cannot_pass_is_told_and_not_muted(hands):
    hands.click(hands.node("embedding"))
    hands.key(Qt.Key.Key_M)
    assert not hands.graph.nodes["embedding"].muted
    assert told(hands).startswith("Embedding takes tokens and gives features") or "takes tokens and gives" in told(
        hands
    )
    hands.click(hands.node("characters"))
    hands.key(Qt.Key.Key_M)
    assert "nothing comes into characters" in told(hands).lower()
    assert not hands.session.dirty


def test_of_several_those_are_muted_that_can_be(hands):
    hands.key(Qt.Key.Key_A, CTRL)
    hands.key(Qt.Key.Key_M)
    muted = {key for key, node in hands.graph.nodes.items() if node.muted}
    assert muted == {"lstm", "readout", "loss"}
    assert "2 more cannot be muted" in told(hands)
    hands.session.undo()
    assert not any(node.muted for node in hands.graph.nodes.values())


def test_h_collapses_a_node_to_its_title_and_its_wires_follow(hands):
    file = storage.dumps(hands.session.design)
    item = hands.view.canvas.nodes["lstm"]
    tall = item.shape_.rect.height()
    hands.click(hands.node("lstm"))
    hands.key(Qt.Key.Key_H)
    assert hands.graph.nodes["lstm"].collapsed
    assert item.shape_.rect.height() < tall / 2
    assert item.shape_.title == item.look.title
    assert set(item.shape_.inputs) == {p.name for p in item.look.inputs}
    ends = hands.view.canvas.wires[wire("lstm.h", "readout.input")].path
    assert ends.pointAtPercent(0.0) == item.port_place(False, "h")
    assert all(item.shape_.rect.adjusted(-1, -1, 1, 1).contains(p) for p in item.shape_.inputs.values())
    assert storage.loads(storage.dumps(hands.session.design)).graph.nodes["lstm"].collapsed
    hands.drag(hands.port("lstm.c", False), hands.port("readout.input", True))
    assert wire("lstm.c", "readout.input") in hands.graph.wires
    hands.session.undo()
    choose(hands, hands.where(item.pos()), "Collapse", "H")
    assert storage.dumps(hands.session.design) == file


def test_a_symbol_is_as_small_as_it_gets(hands):
    own_lstm(hands)
    before = hands.session.design
    squash = next(k for k, n in hands.graph.nodes.items() if n.kind == "Tanh")
    hands.click(hands.node(squash))
    hands.key(Qt.Key.Key_H)
    assert hands.session.design is before
    assert "as small as it gets" in told(hands)


def hidden(hands: Hands) -> Wire:
    """The wire from the LSTM to the readout, hidden by its menu."""
    line = wire("lstm.h", "readout.input")
    choose(hands, hands.where(hands.view.canvas.wires[line].path.pointAtPercent(0.5)), "Hide wires", "Shift+H")
    return line


def stub(hands: Hands, line: Wire, at_target: bool) -> QPoint:
    return hands.where(hands.view.canvas.wires[line].stubs()[at_target].center())


def test_a_hidden_wire_is_shown_by_its_named_ends_and_saved(hands):
    file = storage.dumps(hands.session.design)
    line = hidden(hands)
    hands.session.focus.select()
    hands.move(QPoint(5, 5))
    item = hands.view.canvas.wires[line]
    assert hands.graph.hidden == {line}
    assert "readout" in item.ends_named[0].lower()
    assert item.ends_named[1].lower() == "lstm.h →"
    middle = item.path.pointAtPercent(0.5)
    assert hands.view.canvas.wire_at(middle) is None
    assert storage.loads(storage.dumps(hands.session.design)).graph.hidden == {line}
    assert hands.session.checked.ok
    hands.key(Qt.Key.Key_Z, CTRL)
    assert storage.dumps(hands.session.design) == file
    assert hands.view.canvas.wire_at(middle) is item


def test_an_end_of_a_hidden_wire_lights_the_other_up(hands):
    line = hidden(hands)
    hands.session.focus.select()
    hands.move(QPoint(5, 5))
    item = hands.view.canvas.wires[line]
    far = hands.view.viewportTransform().mapRect(item.stubs()[1]).toRect()
    dark = hands.screen.grab(far).toImage()
    hands.move(stub(hands, line, False))
    assert item.hovered
    assert hands.screen.grab(far).toImage() != dark
    hands.move(QPoint(5, 5))
    assert hands.screen.grab(far).toImage() == dark
    hands.session.focus.select((), (line,))
    assert hands.screen.grab(far).toImage() != dark


def test_a_click_on_an_end_goes_to_the_other(hands):
    line = hidden(hands)
    hands.view.set_zoom(2.0)
    for at_target in (False, True):
        item = hands.view.canvas.wires[line]
        hands.view.look_at(item.stubs()[at_target].center())
        hands.session.focus.select()
        hands.click(stub(hands, line, at_target))
        assert hands.session.focus.wires == (line,)
        goal = hands.where(item.path.pointAtPercent(0.0 if at_target else 1.0))
        assert (goal - hands.screen.rect().center()).manhattanLength() <= 4
        assert line in hands.graph.wires


def test_a_drag_at_an_end_tears_nothing_off_and_a_stroke_through_the_middle_cuts_nothing(hands):
    nodes = hands.graph.nodes
    hands.session.do(MoveNodes({key: (nodes[key].x + 200, nodes[key].y) for key in ("readout", "target", "loss")}))
    hands.view.frame_all()
    line = hidden(hands)
    hands.drag(stub(hands, line, False), stub(hands, line, False) + QPoint(0, 60))
    assert line in hands.graph.wires
    middle = hands.where(hands.view.canvas.wires[line].path.pointAtPercent(0.5))
    hands.drag(middle - QPoint(0, 30), middle + QPoint(0, 30), RIGHT, CTRL)
    assert line in hands.graph.wires
    at = stub(hands, line, True)
    hands.drag(at - QPoint(0, 30), at + QPoint(0, 30), RIGHT, CTRL)
    assert line not in hands.graph.wires
    assert hands.graph.hidden == frozenset()


def test_hidden_wires_follow_names_copies_and_cells(hands):
    line = hidden(hands)
    hands.session.focus.select(("readout",))
    hands.key(Qt.Key.Key_F2)
    hands.type("scores")
    hands.key(Qt.Key.Key_Return)
    renamed = wire("lstm.h", "scores.input")
    assert hands.graph.hidden == {renamed}
    assert "scores" in hands.view.canvas.wires[renamed].ends_named[0]
    hands.session.focus.select(("lstm", "scores"))
    hands.key(Qt.Key.Key_D, CTRL)
    assert wire("lstm2.h", "scores2.input") in hands.graph.hidden
    hands.session.undo()
    hands.session.focus.select(("lstm", "scores"))
    hands.key(Qt.Key.Key_G, CTRL)
    made = hands.session.focus.nodes[0]
    cell = hands.session.design.cells[str(hands.graph.nodes[made].params["cell"])]
    assert cell.graph.hidden == {renamed}
    hands.key(Qt.Key.Key_G, CTRL | SHIFT)
    assert hands.graph.hidden == {renamed}
    assert line not in hands.graph.wires


def test_all_wires_of_a_node_are_hidden_and_shown_again(hands):
    file = storage.dumps(hands.session.design)
    hands.click(hands.node("lstm"))
    hands.key(Qt.Key.Key_H, SHIFT)
    assert hands.graph.hidden == {wire("embedding.out", "lstm.x"), wire("lstm.h", "readout.input")}
    rect = hands.view.canvas.bounds()
    empty = hands.where(QPointF(rect.center().x(), rect.bottom() + 40))
    menu = menu_at(hands, empty)
    next(a for a in menu.actions() if a.text().replace("&", "") == "Show all wires").trigger()
    menu.close()
    assert storage.dumps(hands.session.design) == file


def test_keys_of_the_canvas_do_nothing_while_a_name_is_typed(hands):
    hands.click(hands.node("lstm"))
    hands.key(Qt.Key.Key_F2)
    hands.type("mh")
    hands.key(Qt.Key.Key_Return)
    assert "mh" in hands.graph.nodes
    assert not hands.graph.nodes["mh"].muted
    assert not hands.graph.nodes["mh"].collapsed


def test_a_press_with_shift_on_an_end_adds_the_wire_to_the_selection(hands):
    line = hidden(hands)
    hands.session.focus.select(("lstm",))
    hands.press(stub(hands, line, True), LEFT, SHIFT)
    hands.release(stub(hands, line, True), LEFT, SHIFT)
    assert hands.session.focus.nodes == ("lstm",)
    assert hands.session.focus.wires == (line,)


def test_names_at_the_ends_lie_on_nothing(hands):
    own_lstm(hands)
    hands.key(Qt.Key.Key_A, CTRL)
    hands.key(Qt.Key.Key_H, SHIFT)
    canvas = hands.view.canvas
    assert hands.graph.hidden == set(hands.graph.wires)
    boxes = [box for item in canvas.wires.values() for box in item.stubs()]
    assert len(boxes) == 2 * len(canvas.wires)
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.intersects(b)]
    assert not [k for k, n in canvas.nodes.items() if any(n.body().intersects(box) for box in boxes)]


def test_pictures_show_what_is_muted_hidden_and_folded(hands, tmp_path):
    session = hands.session
    session.do(SetMuted(("lstm",), True))
    session.do(SetCollapsed(("readout",), True))
    session.do(HideWires((wire("target.out", "loss.target"),), True))
    hands.view.canvas.take(session.checked)
    made = picture(hands.view.canvas)
    text = as_bytes(made, ".tex").decode()
    assert text.count("transparency group") == 1
    assert text.count("draw[muted") == 2, "both outputs of the LSTM"
    assert text.count("target $") == 1
    assert "input" not in re.findall(r"\{(\w+)\};", text.split("readout")[1])[:2]
    assert b"loss.target" in as_bytes(made, ".svg")
    if (pdflatex := shutil.which("pdflatex")) is not None:
        (tmp_path / "it.tex").write_text(text)
        command = [pdflatex, "-interaction=nonstopmode", "-halt-on-error", "it.tex"]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
        assert run.returncode == 0, run.stdout[-2000:]


def test_the_help_has_a_legend_in_the_colours_of_the_theme(hands, qapp):
    hands.window.show_keys()
    (box,) = hands.window.findChildren(QMessageBox)
    for role, what in WIRES:
        assert theme.current().color(role).name() in box.text()
        assert what in box.text()
    assert "the state of a loop" in box.text()
    box.close()
