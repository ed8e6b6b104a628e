"""Drawing with the mouse: every change of the drawing is an edit of the document, and undoes."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from rnnstudio.design.design import Pin, Wire
from tests.studio.window.hands import CTRL, LEFT, MIDDLE, SHIFT, Hands


def wire(source: str, target: str) -> Wire:
    return Wire(Pin(*source.split(".")), Pin(*target.split(".")))


def nothing(hands: Hands) -> QPoint:
    """A place on the canvas where nothing is."""
    rect = hands.view.canvas.bounds()
    return hands.where(QPointF(rect.center().x() - 40, rect.bottom() + 60))


def test_a_node_dropped_from_the_palette_lands_under_the_pointer(hands):
    at = nothing(hands)
    hands.drop("kind:Linear", at)
    node = hands.graph.nodes["linear"]
    assert node.kind == "Linear"
    assert (hands.where(QPointF(node.x, node.y)) - at).manhattanLength() < 15
    assert hands.session.focus.nodes == ("linear",)
    hands.window.undo_action.trigger()
    assert "linear" not in hands.graph.nodes
    assert "linear" not in hands.view.canvas.nodes


def test_a_palette_entry_is_added_by_double_click(hands):
    tree = hands.window.palette_panel.tree
    section = tree.topLevelItem(1)
    item = section.child(0)
    tree.itemDoubleClicked.emit(item, 0)
    assert "linear" in hands.graph.nodes
    assert tree.mimeData([item]).hasFormat("application/x-rnnstudio-offer")


def test_a_node_dropped_at_the_edge_is_seen_whole(hands):
    area = hands.view.viewport().rect()
    hands.drop("kind:Dropout", area.bottomRight() - QPoint(3, 3))
    there = hands.view.mapFromScene(hands.view.canvas.nodes["dropout"].sceneBoundingRect()).boundingRect()
    assert area.contains(there)


def test_a_delay_in_a_cell_does_not_name_the_cells_parameter(hands):
    hands.session.focus.enter("LSTM", "lstm")
    assert hands.view.canvas.nodes["c_before"].shape_.caption == "cₜ₋₁"


def test_the_palette_searches_other_names_too(hands):
    panel = hands.window.palette_panel
    panel.edit.setText("perplexity")
    assert panel.tree.topLevelItem(0).text(0) == "Cross-entropy"
    chosen = []
    panel.chosen.connect(chosen.append)
    panel.edit.setFocus()
    hands.key(Qt.Key.Key_Return)
    assert [offer.name for offer in chosen] == ["CrossEntropy"]


def test_a_wire_is_drawn_from_output_to_input_and_back_again(hands):
    hands.drop("kind:Dropout", nothing(hands))
    hands.drag(hands.port("lstm.h", False), hands.port("dropout.input", True))
    assert wire("lstm.h", "dropout.input") in hands.graph.wires
    # From an input to an output.
    hands.window.undo_action.trigger()
    hands.drag(hands.port("dropout.input", True), hands.port("lstm.c", False))
    assert wire("lstm.c", "dropout.input") in hands.graph.wires


def test_a_new_wire_takes_the_place_of_the_old_one(hands):
    hands.drag(hands.port("lstm.c", False), hands.port("readout.input", True))
    into = [w for w in hands.graph.wires if w.target == Pin("readout", "input")]
    assert into == [wire("lstm.c", "readout.input")]


def test_ports_that_cannot_take_a_wire_say_why(hands):
    target = hands.port("loss.target", True)
    before = hands.graph.wires
    hands.drag(hands.port("lstm.h", False), target, release=False)
    gesture = hands.view.gesture
    assert "tokens" in gesture.reason
    assert hands.view.canvas.nodes["embedding"].refused
    hands.release(target)
    assert hands.graph.wires == before
    assert hands.view.canvas.nodes["embedding"].refused is None


def test_a_wire_let_go_on_nothing_offers_what_fits_and_connects_it(hands):
    hands.drag(hands.port("characters.out", False), nothing(hands))
    popup = hands.view.quick_add
    assert popup is not None
    offered = {popup.list.item(i).text() for i in range(popup.list.count())}
    assert "Embedding" in offered
    assert "Linear" not in offered
    hands.type("embed")
    hands.key(Qt.Key.Key_Return)
    assert wire("characters.out", "embedding2.input") in hands.graph.wires
    hands.window.undo_action.trigger()
    assert "embedding2" not in hands.graph.nodes


def test_the_end_of_a_wire_is_taken_elsewhere_or_off(hands):
    hands.drop("kind:Dropout", nothing(hands))
    hands.drag(hands.port("readout.input", True), hands.port("dropout.input", True))
    assert wire("lstm.h", "dropout.input") in hands.graph.wires
    assert wire("lstm.h", "readout.input") not in hands.graph.wires
    hands.drag(hands.port("dropout.input", True), nothing(hands) + QPoint(200, 20))
    assert wire("lstm.h", "dropout.input") not in hands.graph.wires
    assert hands.view.quick_add is None


def test_escape_cancels_a_drag_and_leaves_no_step(hands):
    before = hands.session.design
    hands.drag(hands.node("embedding"), hands.node("embedding") + QPoint(0, 120), release=False)
    assert hands.view.canvas.nodes["embedding"].y() != before.graph.nodes["embedding"].y
    hands.key(Qt.Key.Key_Escape)
    assert hands.view.canvas.nodes["embedding"].y() == before.graph.nodes["embedding"].y
    hands.release(hands.node("embedding"))
    assert hands.session.design is before
    hands.drag(hands.port("lstm.h", False), nothing(hands), release=False)
    hands.key(Qt.Key.Key_Escape)
    assert hands.session.design is before
    assert hands.view.canvas.nodes["lstm"].refused is None


def test_a_drag_moves_all_that_is_selected_in_one_step(hands):
    hands.click(hands.node("readout"))
    hands.click(hands.node("target"), keys=SHIFT)
    assert set(hands.session.focus.nodes) == {"readout", "target"}
    before = {k: n.y for k, n in hands.graph.nodes.items()}
    hands.drag(hands.node("readout"), hands.node("readout") + QPoint(0, 150))
    after = {k: n.y for k, n in hands.graph.nodes.items()}
    assert after["readout"] - before["readout"] == after["target"] - before["target"] > 50
    assert after["readout"] == round(after["readout"])
    assert after["lstm"] == before["lstm"]
    hands.window.undo_action.trigger()
    assert {k: n.y for k, n in hands.graph.nodes.items()} == before
    hands.window.redo_action.trigger()
    assert {k: n.y for k, n in hands.graph.nodes.items()} == after
    item = hands.view.canvas.nodes["readout"]
    assert item.y() == after["readout"]


def test_a_box_selects_nodes_and_delete_removes_them_with_their_wires(hands):
    rect = hands.view.canvas.bounds(["readout", "target", "loss"])
    hands.drag(hands.where(rect.topLeft() - QPointF(12, 12)), hands.where(rect.bottomRight() + QPointF(12, 12)))
    assert set(hands.session.focus.nodes) == {"readout", "target", "loss"}
    hands.key(Qt.Key.Key_Delete)
    assert set(hands.graph.nodes) == {"characters", "embedding", "lstm"}
    assert len(hands.graph.wires) == len(hands.view.canvas.wires) == 2
    hands.key(Qt.Key.Key_Z, CTRL)
    assert len(hands.graph.nodes) == 6
    assert len(hands.view.canvas.wires) == 5


def test_a_wire_is_selected_by_a_click_and_deleted(hands):
    line = hands.view.canvas.wires[wire("lstm.h", "readout.input")]
    hands.click(hands.where(line.path.pointAtPercent(0.5)))
    assert hands.session.focus.wires == (wire("lstm.h", "readout.input"),)
    hands.key(Qt.Key.Key_Delete)
    assert wire("lstm.h", "readout.input") not in hands.graph.wires


def test_a_node_dropped_on_a_wire_goes_in_between(hands):
    line = hands.view.canvas.wires[wire("lstm.h", "readout.input")]
    hands.drop("kind:Dropout", hands.where(line.path.pointAtPercent(0.5)))
    assert wire("lstm.h", "dropout.input") in hands.graph.wires
    assert wire("dropout.out", "readout.input") in hands.graph.wires
    assert wire("lstm.h", "readout.input") not in hands.graph.wires
    hands.window.undo_action.trigger()
    assert "dropout" not in hands.graph.nodes
    assert wire("lstm.h", "readout.input") in hands.graph.wires


def test_a_node_without_wires_is_moved_into_a_wire(hands):
    hands.drop("kind:Dropout", nothing(hands))
    line = hands.view.canvas.wires[wire("lstm.h", "readout.input")]
    middle = hands.where(line.path.pointAtPercent(0.5))
    item = hands.view.canvas.nodes["dropout"]
    grip = hands.node("dropout") - hands.where(item.pos())
    hands.drag(hands.node("dropout"), middle + grip)
    assert wire("lstm.h", "dropout.input") in hands.graph.wires
    assert wire("dropout.out", "readout.input") in hands.graph.wires


def test_tab_finds_a_node_by_another_name(hands):
    hands.view.setFocus()
    hands.key(Qt.Key.Key_Tab)
    hands.type("memory")
    hands.key(Qt.Key.Key_Return)
    assert hands.graph.nodes["delay"].kind == "Delay"
    assert hands.view.quick_add is None
    assert hands.view.hasFocus()


def test_a_double_click_on_nothing_searches_and_escape_closes(hands):
    hands.double_click(nothing(hands))
    assert hands.view.quick_add is not None
    before = hands.session.design
    hands.key(Qt.Key.Key_Escape)
    assert hands.view.quick_add is None
    assert hands.session.design is before


def test_a_library_cell_brings_its_drawing_along_once(hands):
    hands.drop("cell:GRU", nothing(hands))
    hands.drop("cell:GRU", nothing(hands) + QPoint(220, 0))
    assert set(hands.session.design.cells) == {"LSTM", "GRU"}
    assert hands.graph.nodes["gru2"].params["cell"] == "GRU"
    hands.window.undo_action.trigger()
    hands.window.undo_action.trigger()
    assert set(hands.session.design.cells) == {"LSTM"}


def test_a_cell_is_entered_edited_inside_and_left(hands):
    hands.double_click(hands.node("lstm"))
    assert hands.session.focus.graph == "LSTM"
    assert "f" in hands.view.canvas.nodes
    assert [b.text() for b in hands.window.breadcrumbs.buttons] == ["model", "lstm (LSTM)"]
    QTest.mouseClick(hands.window.cell_bar.editable, LEFT)
    x = hands.graph.nodes["shown"].x
    hands.click(hands.node("shown"))
    hands.key(Qt.Key.Key_Right)
    assert hands.session.design.cells["LSTM_2"].graph.nodes["shown"].x == x + 10
    hands.key(Qt.Key.Key_Escape)
    hands.key(Qt.Key.Key_Escape)
    assert hands.session.focus.graph == ""
    assert hands.session.focus.nodes == ("lstm",)
    assert "characters" in hands.view.canvas.nodes


def test_copy_paste_and_duplicate_keep_the_wires_between(hands):
    hands.click(hands.node("readout"))
    hands.click(hands.node("loss"), keys=SHIFT)
    hands.key(Qt.Key.Key_C, CTRL)
    hands.key(Qt.Key.Key_V, CTRL)
    assert wire("readout2.out", "loss2.prediction") in hands.graph.wires
    assert not any(w.target == Pin("readout2", "input") for w in hands.graph.wires)
    assert set(hands.session.focus.nodes) == {"readout2", "loss2"}
    hands.key(Qt.Key.Key_D, CTRL)
    assert wire("readout3.out", "loss3.prediction") in hands.graph.wires
    hands.key(Qt.Key.Key_V, CTRL | SHIFT)
    assert wire("lstm.h", "readout4.input") in hands.graph.wires


def test_what_was_cut_is_pasted_into_another_design_with_its_cell_and_variables(hands):
    hands.click(hands.node("lstm"))
    hands.key(Qt.Key.Key_X, CTRL)
    assert "lstm" not in hands.graph.nodes
    hands.session.new()
    hands.view.setFocus()
    hands.key(Qt.Key.Key_V, CTRL)
    assert hands.graph.nodes["lstm"].kind == "cell"
    assert "LSTM" in hands.session.design.cells
    assert hands.session.design.variables["hidden"] == 32


def test_pasting_other_text_changes_nothing(hands):
    QApplication.clipboard().setText('{"not": "a design"}')
    before = hands.session.design
    hands.view.setFocus()
    hands.key(Qt.Key.Key_V, CTRL)
    assert hands.session.design is before
    assert hands.window.banner.isVisible()


def test_the_wheel_zooms_at_the_pointer(hands):
    at = hands.port("lstm.h", False)
    fixed, zoom = hands.view.at(at), hands.view.zoom
    place = QPointF(at)
    event = QWheelEvent(
        place, hands.screen.mapToGlobal(place), QPoint(), QPoint(0, 240), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(hands.screen, event)
    assert hands.view.zoom > 1.2 * zoom
    assert (hands.view.at(at) - fixed).manhattanLength() < 3


def test_the_middle_button_and_space_pan(hands):
    begin = nothing(hands)
    before = hands.view.at(QPoint(0, 0))
    hands.drag(begin, begin + QPoint(60, 30), button=MIDDLE)
    after = hands.view.at(QPoint(0, 0))
    assert abs((before - after).x() * hands.view.zoom - 60) < 3
    from PySide6.QtTest import QTest

    QTest.keyPress(hands.view, Qt.Key.Key_Space)
    hands.drag(begin, begin + QPoint(-60, -30))
    QTest.keyRelease(hands.view, Qt.Key.Key_Space)
    assert (hands.view.at(QPoint(0, 0)) - before).manhattanLength() < 4
    assert hands.session.focus.nodes == ()


def test_f_frames_the_selection_and_then_everything(hands):
    hands.click(hands.node("loss"))
    hands.key(Qt.Key.Key_F)
    middle = hands.view.middle()
    assert abs(middle.x() - hands.graph.nodes["loss"].x) < 10
    hands.key(Qt.Key.Key_Escape)
    hands.key(Qt.Key.Key_F)
    assert hands.screen.rect().contains(hands.node("characters"))
    assert hands.screen.rect().contains(hands.node("loss"))


def test_arrows_nudge_and_undo_as_one(hands):
    hands.click(hands.node("loss"))
    x = hands.graph.nodes["loss"].x
    for _ in range(3):
        hands.key(Qt.Key.Key_Right)
    assert hands.graph.nodes["loss"].x == x + 30
    hands.window.undo_action.trigger()
    assert hands.graph.nodes["loss"].x == x


def test_tidy_puts_every_reader_right_of_what_it_reads(hands):
    hands.session.focus.enter("LSTM", "lstm")
    hands.window.tidy_action.trigger()
    graph = hands.graph
    for w in graph.wires:
        if graph.nodes[w.target.node].kind != "Delay":
            assert graph.nodes[w.source.node].x < graph.nodes[w.target.node].x, w
    boxes = [item.body() for item in hands.view.canvas.nodes.values()]
    assert not any(a.intersects(b) for i, a in enumerate(boxes) for b in boxes[:i])
    hands.window.undo_action.trigger()


def test_wires_that_run_back_cross_no_node(hands):
    hands.session.focus.enter("LSTM", "lstm")
    canvas = hands.view.canvas
    for line, item in canvas.wires.items():
        if canvas.graph.nodes[line.target.node].kind == "Delay" and line.target.port == "input":
            apart = [n for k, n in canvas.nodes.items() if k not in (line.source.node, line.target.node)]
            points = [item.path.pointAtPercent(i / 400) for i in range(401)]
            assert not any(n.contains_point(point) for n in apart for point in points), line


def test_shapes_are_written_and_errors_are_marked(hands):
    canvas = hands.view.canvas
    assert canvas.wires[wire("lstm.h", "readout.input")].text == "[batch, time, 32]"
    assert canvas.nodes["loss"].severity == ""
    hands.drag(hands.port("readout.input", True), nothing(hands))
    canvas.take(hands.session.checked)
    assert canvas.nodes["readout"].severity == "missing", "a quiet mark before one asks to train"
    hands.window.train_action.trigger()
    assert canvas.nodes["readout"].severity == "error"
    hands.window.undo_action.trigger()
    canvas.take(hands.session.checked)
    assert canvas.nodes["readout"].severity == ""


def test_a_drawing_with_unknown_nodes_and_broken_wires_is_shown(hands):
    from rnnstudio.design.design import Node
    from rnnstudio.design.edits import AddNode, Connect, SetParam

    session = hands.session
    session.do(AddNode(Node("strange", "Wormhole", x=0, y=300)))
    session.do(Connect(wire("strange.left", "readout.nowhere")))
    session.do(SetParam("lstm", "cell", "Gone"))
    session.do(SetParam("readout", "terms", "many"))
    canvas = hands.view.canvas
    canvas.take(session.checked)
    hands.window.grab()
    assert canvas.nodes["strange"].severity == "error"
    for key in list(canvas.nodes):
        hands.click(hands.node(key))
        hands.view.tool_tip(canvas.hit(hands.view.at(hands.node(key)), 10))
    hands.drag(hands.port("strange.left", False), nothing(hands))
    hands.key(Qt.Key.Key_Escape)
    hands.window.grab()
