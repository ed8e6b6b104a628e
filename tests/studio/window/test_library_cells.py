"""A cell has one definition, said aloud: the library's is read-only, a copy is the design's, who follows is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from rnnstudio.catalog.catalog import standard
from rnnstudio.design.design import Design, Node, frozen
from rnnstudio.design.edits import AddNode, Disconnect, SetTitle
from rnnstudio.design.storage import load
from rnnstudio.studio.offers import find
from tests.studio.window.hands import CTRL, LEFT, SHIFT, Hands, language_model

LSTM = standard().cells["LSTM"]
OLD = Path(__file__).parents[2] / "catalog" / "old_library.rnn"


def press(button) -> None:
    QTest.mouseClick(button, LEFT)
    QApplication.processEvents()


@pytest.fixture
def inside(hands: Hands) -> Hands:
    """A person who has opened the LSTM."""
    hands.double_click(hands.node("lstm"))
    assert hands.session.focus.graph == "LSTM"
    return hands


@pytest.fixture
def two(hands: Hands) -> Hands:
    """A person before a drawing with two nodes of the LSTM."""
    hands.session.do(AddNode(Node("lstm2", "cell", frozen({"cell": "LSTM"}), 300, 300)))
    hands.view.frame_all()
    QApplication.processEvents()
    return hands


def test_the_bar_says_that_it_is_the_librarys_and_how_many_use_it(two: Hands) -> None:
    bar = two.window.cell_bar
    assert not bar.isVisible()
    two.double_click(two.node("lstm"))
    assert bar.isVisible()
    assert bar.what.text() == "LSTM is a cell of the library"
    assert bar.more.text().startswith("used by 2 nodes")
    assert bar.editable.isVisible()
    assert bar.alone.text() == "Only for “lstm”"
    two.key(Qt.Key.Key_Escape)
    assert not bar.isVisible()


def drag(hands: Hands) -> None:
    hands.drag(hands.node("f"), hands.node("f") + QPoint(60, 40))


def draw_a_wire(hands: Hands) -> None:
    hands.drag(hands.port("i.out", False), hands.port("kept.b", True))


def wire_to_nothing(hands: Hands) -> None:
    hands.drag(hands.port("x.out", False), hands.port("x.out", False) + QPoint(40, 90))


def delete(hands: Hands) -> None:
    hands.click(hands.node("f"))
    hands.key(Qt.Key.Key_Delete)


def nudge(hands: Hands) -> None:
    hands.click(hands.node("f"))
    hands.key(Qt.Key.Key_Right)


def add_by_tab(hands: Hands) -> None:
    hands.key(Qt.Key.Key_Tab)


def add_by_drop(hands: Hands) -> None:
    hands.drop("kind:Tanh", QPoint(20, 20))


def rename(hands: Hands) -> None:
    hands.click(hands.node("f"))
    hands.key(Qt.Key.Key_F2)


def rename_by_double_click(hands: Hands) -> None:
    hands.double_click(hands.node("f"))


def rename_the_cell(hands: Hands) -> None:
    hands.session.focus.select()
    hands.key(Qt.Key.Key_F2)


def group(hands: Hands) -> None:
    hands.click(hands.node("f"))
    hands.key(Qt.Key.Key_G, CTRL)


def duplicate(hands: Hands) -> None:
    hands.click(hands.node("f"))
    hands.key(Qt.Key.Key_D, CTRL)


def middle_of_a_wire(hands: Hands) -> QPoint:
    line = next(item for wire, item in hands.view.canvas.wires.items() if wire.target.node == "f")
    return hands.where(line.path.pointAtPercent(0.5))


def cut_a_wire(hands: Hands) -> None:
    at = middle_of_a_wire(hands)
    hands.press(at, keys=Qt.KeyboardModifier.AltModifier)
    hands.release(at, keys=Qt.KeyboardModifier.AltModifier)


def stroke(hands: Hands) -> None:
    at = middle_of_a_wire(hands)
    hands.drag(at + QPoint(0, -30), at + QPoint(0, 30), Qt.MouseButton.RightButton, CTRL)


def tidy(hands: Hands) -> None:
    hands.key(Qt.Key.Key_L, CTRL)


def type_in_the_inspector(hands: Hands) -> None:
    hands.click(hands.node("W_f"))
    form = hands.window.inspector.form
    QTest.keyClicks(form.name.edit, "gate")
    QTest.keyClick(form.name.edit, Qt.Key.Key_Return)
    hands.session.refuses()  # a field that cannot be typed in says nothing by itself


GESTURES = (
    *(drag, draw_a_wire, wire_to_nothing, delete, nudge, add_by_tab, add_by_drop, rename, rename_by_double_click),
    *(rename_the_cell, group, duplicate, cut_a_wire, stroke, tidy, type_in_the_inspector),
)


@pytest.mark.parametrize("gesture", GESTURES, ids=lambda g: g.__name__)
def test_every_gesture_in_a_library_cell_is_refused_gently(inside: Hands, gesture) -> None:
    before = inside.session.design
    failed: list[object] = []
    inside.session.failed.connect(failed.append)
    places = {key: item.pos() for key, item in inside.view.canvas.nodes.items()}
    gesture(inside)
    assert inside.session.design is before
    assert not failed
    assert inside.view.quick_add is None
    assert inside.window.cell_bar.property("lit") is True
    assert {key: item.pos() for key, item in inside.view.canvas.nodes.items()} == places
    assert inside.session.document.undo_title == ""


def test_looking_around_in_a_library_cell_is_not_refused(inside: Hands) -> None:
    inside.click(inside.node("f"))
    assert inside.session.focus.nodes == ("f",)
    inside.key(Qt.Key.Key_C, CTRL)
    assert "Sigmoid" in QApplication.clipboard().text()
    inside.drag(QPoint(20, 20), QPoint(120, 120), Qt.MouseButton.MiddleButton)
    inside.key(Qt.Key.Key_A, CTRL)
    assert len(inside.session.focus.nodes) == len(LSTM.graph.nodes)
    assert inside.window.cell_bar.property("lit") is not True


def test_make_editable_gives_the_design_its_own_and_stays_in_the_drawing(inside: Hands) -> None:
    zoom, middle = inside.view.zoom, inside.view.middle()
    press(inside.window.cell_bar.editable)
    session = inside.session
    assert session.focus.graph == "LSTM_2"
    assert set(session.design.cells) == {"LSTM_2"}
    assert session.design.graph.nodes["lstm"].params["cell"] == "LSTM_2"
    assert inside.view.zoom == pytest.approx(zoom)
    assert (inside.view.middle() - middle).manhattanLength() < 3
    assert inside.window.cell_bar.what.text() == "LSTM_2 is a cell of this design"
    drag(inside)
    assert session.design.cells["LSTM_2"].graph.nodes["f"].x != LSTM.graph.nodes["f"].x
    inside.window.undo_action.trigger()
    inside.window.undo_action.trigger()
    assert session.design == language_model()
    assert session.focus.graph == "LSTM"
    inside.window.redo_action.trigger()
    assert session.focus.graph == "LSTM_2"


def test_all_nodes_follow_or_only_the_one_that_was_opened(two: Hands) -> None:
    two.double_click(two.node("lstm"))
    press(two.window.cell_bar.editable)
    cells = {k: n.params.get("cell") for k, n in two.session.design.graph.nodes.items() if n.kind == "cell"}
    assert cells == {"lstm": "LSTM_2", "lstm2": "LSTM_2"}
    assert two.window.cell_bar.more.text() == "used by 2 nodes · they all follow this drawing"
    two.window.undo_action.trigger()
    press(two.window.cell_bar.alone)
    cells = {k: n.params.get("cell") for k, n in two.session.design.graph.nodes.items() if n.kind == "cell"}
    assert cells == {"lstm": "LSTM_2", "lstm2": "LSTM"}


def test_one_of_several_nodes_gets_a_drawing_of_its_own(two: Hands) -> None:
    two.double_click(two.node("lstm"))
    press(two.window.cell_bar.editable)
    press(two.window.cell_bar.unique)
    assert two.session.focus.graph == "LSTM_3"
    assert two.session.design.graph.nodes["lstm2"].params["cell"] == "LSTM_2"
    assert not two.window.cell_bar.unique.isVisible()


def test_a_cell_inside_a_library_cell_is_made_editable_with_it(hands: Hands) -> None:
    hands.drop("cell:BidirectionalLSTM", QPoint(60, 60))
    hands.view.enter("bidirectional_lstm")
    hands.view.enter("forward")
    press(hands.window.cell_bar.editable)
    assert [s.graph for s in hands.session.focus.trail] == ["", "BidirectionalLSTM_2", "LSTM_2"]
    assert hands.session.design.cells["BidirectionalLSTM_2"].graph.nodes["forward"].params["cell"] == "LSTM_2"


def test_the_palettes_lstm_is_the_librarys_whatever_the_design_calls_so(hands: Hands) -> None:
    changed = language_model()
    changed = Disconnect((LSTM.graph.wires[0],), "LSTM").apply(changed)
    hands.session.new(changed)
    hands.view.frame_all()
    hands.drop("cell:LSTM", QPoint(30, 30))
    cells = hands.session.design.cells
    assert cells["LSTM"] == LSTM
    assert cells["LSTM_2"].graph == changed.cells["LSTM"].graph
    assert hands.graph.nodes["lstm"].params["cell"] == "LSTM_2"
    assert hands.graph.nodes["lstm2"].params["cell"] == "LSTM"
    assert "LSTM_2" in hands.window.statusBar().currentMessage()
    hands.window.undo_action.trigger()
    assert hands.session.design == changed


def test_a_changed_cell_of_an_old_file_opens_is_edited_and_added_as_it_is(hands: Hands) -> None:
    changed = Disconnect((LSTM.graph.wires[0],), "LSTM").apply(language_model())
    hands.session.new(changed)
    hands.view.frame_all()
    assert hands.session.design.cells["LSTM"] == changed.cells["LSTM"]
    hands.drop("drawn:LSTM", QPoint(30, 30))
    assert hands.graph.nodes["lstm2"].params["cell"] == "LSTM"
    assert set(hands.session.design.cells) == {"LSTM"}
    hands.view.enter("lstm")
    assert hands.window.cell_bar.what.text() == "LSTM is a cell of this design"
    drag(hands)
    assert hands.session.design.cells["LSTM"].graph.nodes["f"].x != LSTM.graph.nodes["f"].x
    press(hands.window.cell_bar.restore)
    assert hands.session.design.cells["LSTM"] == LSTM
    assert hands.window.cell_bar.what.text() == "LSTM is a cell of the library"


def test_an_earlier_drawing_of_the_library_can_be_shown_as_it_is_drawn_today(hands: Hands) -> None:
    old = load(OLD)
    hands.session.new(language_model().replace(cells=frozen({"LSTM": old.cells["LSTM"]})))
    hands.view.enter("lstm")
    bar = hands.window.cell_bar
    assert bar.what.text() == "LSTM is a cell of the library"
    assert bar.restore.text() == "Show today's LSTM"
    press(bar.restore)
    assert hands.session.design.cells["LSTM"] == LSTM
    assert not bar.restore.isVisible()
    assert hands.view.canvas.nodes["f"].shape_.caption == "f"


def test_a_copy_is_restored_to_the_librarys(inside: Hands) -> None:
    press(inside.window.cell_bar.editable)
    inside.session.focus.leave()
    inside.click(inside.node("lstm"))
    inside.window.cell_actions.restore.trigger()
    assert inside.session.design == language_model()


# Names


def test_f2_in_a_cell_renames_it_where_its_name_stands(inside: Hands) -> None:
    press(inside.window.cell_bar.editable)
    inside.view.setFocus()
    inside.key(Qt.Key.Key_F2)
    assert inside.window.breadcrumbs.field is not None
    assert inside.window.breadcrumbs.field.selectedText() == "LSTM_2"
    inside.type("Memory")
    inside.key(Qt.Key.Key_Return)
    session = inside.session
    assert session.focus.graph == "Memory"
    assert set(session.design.cells) == {"Memory"}
    assert session.design.graph.nodes["lstm"].params["cell"] == "Memory"
    session.focus.leave()
    assert inside.view.canvas.nodes["lstm"].shape_.title == "Memory"
    inside.window.undo_action.trigger()
    assert inside.view.canvas.nodes["lstm"].shape_.title == "LSTM_2"


@pytest.mark.parametrize(("name", "why"), [("GRU", "name of a cell of the library"), ("two words", "usable name")])
def test_a_name_that_cannot_be_says_why_and_changes_nothing(inside: Hands, name: str, why: str) -> None:
    press(inside.window.cell_bar.editable)
    before = inside.session.design
    inside.view.setFocus()
    inside.key(Qt.Key.Key_F2)
    inside.type(name)
    inside.key(Qt.Key.Key_Return)
    assert inside.session.design is before
    assert why in inside.window.banner.what.text()
    assert [b.text() for b in inside.window.breadcrumbs.buttons] == ["model", "lstm (LSTM_2)"]


def test_escape_leaves_the_name_and_a_double_click_on_the_crumb_asks_for_it(inside: Hands) -> None:
    press(inside.window.cell_bar.editable)
    crumbs = inside.window.breadcrumbs
    QTest.mouseDClick(crumbs.buttons[-1], LEFT)
    assert crumbs.field is not None
    QTest.keyClicks(crumbs.field, "Other")
    QTest.keyClick(crumbs.field, Qt.Key.Key_Escape)
    assert set(inside.session.design.cells) == {"LSTM_2"}
    assert crumbs.field is None


def test_a_cell_is_renamed_from_its_node(hands: Hands) -> None:
    hands.click(hands.node("lstm"))
    hands.window.cell_actions.editable.trigger()
    hands.click(hands.node("lstm"))
    hands.key(Qt.Key.Key_F2, SHIFT)
    hands.type("Reader")
    hands.key(Qt.Key.Key_Return)
    assert hands.graph.nodes["lstm"].params["cell"] == "Reader"
    assert hands.view.canvas.nodes["lstm"].shape_.title == "Reader"


def test_a_pasted_cell_of_another_name_shows_that_name(hands: Hands) -> None:
    hands.click(hands.node("lstm"))
    hands.key(Qt.Key.Key_C, CTRL)
    hands.session.new(Disconnect((LSTM.graph.wires[0],), "LSTM").apply(language_model()))
    hands.view.frame_all()
    hands.view.setFocus()
    hands.key(Qt.Key.Key_V, CTRL)
    (key,) = hands.session.focus.nodes
    assert hands.graph.nodes[key].params["cell"] == "LSTM_2"
    assert hands.view.canvas.nodes[key].shape_.title == "LSTM_2"


def test_a_title_of_ones_own_stays_when_its_cell_is_renamed(hands: Hands) -> None:
    hands.session.do(SetTitle("lstm", "the reader"))
    hands.click(hands.node("lstm"))
    hands.window.cell_actions.editable.trigger()
    assert hands.session.design.graph.nodes["lstm"].title == "the reader"


# The person's own library


def own_cell(hands: Hands) -> None:
    """Make the LSTM editable, call it Mine, change it, and put it into the own library."""
    hands.click(hands.node("lstm"))
    hands.window.cell_actions.editable.trigger()
    hands.window.view.commands.cells.rename("LSTM_2", "Mine")
    hands.click(hands.node("lstm"))
    hands.window.cell_actions.save.trigger()


def sections(hands: Hands) -> dict[str, list[str]]:
    tree = hands.window.palette_panel.tree
    tops = [tree.topLevelItem(i) for i in range(tree.topLevelItemCount())]
    return {top.text(0): [top.child(i).text(0) for i in range(top.childCount())] for top in tops}


def test_a_cell_is_saved_to_the_own_library_and_inserted_into_another_design(hands: Hands) -> None:
    own_cell(hands)
    assert (hands.session.own_cells.folder / "Mine.rnncell").exists()
    assert sections(hands)["Own cells"] == ["Mine"]
    assert sections(hands)["Cells of this design"] == ["Mine"]
    hands.session.new(Design())
    hands.view.setFocus()
    hands.key(Qt.Key.Key_Tab)
    hands.type("mine")
    hands.key(Qt.Key.Key_Return)
    assert hands.graph.nodes["mine"].params["cell"] == "Mine"
    assert set(hands.session.design.cells) == {"Mine"}


def test_an_own_cell_replaces_a_node_with_its_wires(hands: Hands) -> None:
    own_cell(hands)
    hands.session.new(language_model())
    hands.view.frame_all()
    hands.click(hands.node("lstm"))
    hands.key(Qt.Key.Key_R, CTRL)
    hands.type("mine")
    hands.key(Qt.Key.Key_Return)
    assert hands.graph.nodes["mine"].params["cell"] == "Mine"
    assert {(str(w.source), str(w.target)) for w in hands.graph.wires} >= {
        ("embedding.out", "mine.x"),
        ("mine.h", "readout.input"),
    }


def test_a_file_that_comes_changes_or_goes_is_noticed(hands: Hands, qtbot) -> None:
    own_cell(hands)
    shelf = hands.session.own_cells
    text = (shelf.folder / "Mine.rnncell").read_text(encoding="utf-8")
    with qtbot.waitSignal(shelf.changed):
        (shelf.folder / "Other.rnncell").write_text(text.replace('"name": "Mine"', '"name": "Other"'), encoding="utf-8")
    assert sections(hands)["Own cells"] == ["Mine", "Other"]
    with qtbot.waitSignal(shelf.changed):
        (shelf.folder / "Other.rnncell").write_text("{", encoding="utf-8")
    assert sections(hands)["Own cells"] == ["Mine"]
    assert [path.name for path in shelf.problems] == ["Other.rnncell"]
    with qtbot.waitSignal(shelf.changed):
        (shelf.folder / "Mine.rnncell").unlink()
    assert "Own cells" not in sections(hands)


@pytest.mark.parametrize("answer", ["both", "there", "new", None])
def test_an_own_cell_whose_name_the_design_has_for_another_is_asked(hands: Hands, answer: str | None) -> None:
    own_cell(hands)
    mine = hands.session.design.cells["Mine"]
    hands.session.do(Disconnect((mine.graph.wires[0],), "Mine"))
    changed = hands.session.design
    asked: list[tuple[str, str]] = []
    hands.window.view.commands.cells.ask_which = lambda name, used: asked.append((name, used)) or answer
    hands.drop("own:Mine", QPoint(30, 30))
    assert asked == [("Mine", "used by 1 node")]
    cells = hands.session.design.cells
    if answer is None:
        assert hands.session.design is changed
    elif answer == "both":
        assert cells["Mine"] == changed.cells["Mine"]
        assert set(cells["Mine_2"].graph.wires) == set(mine.graph.wires)
    elif answer == "there":
        assert cells == changed.cells
        assert hands.graph.nodes["mine"].params["cell"] == "Mine"
    else:
        assert set(cells["Mine"].graph.wires) == set(mine.graph.wires)
        assert {n.params["cell"] for n in hands.graph.nodes.values() if n.kind == "cell"} == {"Mine"}


def test_writing_over_another_own_cell_is_asked(hands: Hands) -> None:
    own_cell(hands)
    mine = hands.session.design.cells["Mine"]
    hands.session.do(Disconnect((mine.graph.wires[0],), "Mine"))
    commands = hands.window.view.commands.cells
    assert not commands.save_own("Mine")
    assert set(hands.session.own_cells.cells["Mine"].cell.graph.wires) == set(mine.graph.wires)
    commands.ask_over = lambda name: True
    assert commands.save_own("Mine")
    assert len(hands.session.own_cells.cells["Mine"].cell.graph.wires) == len(mine.graph.wires) - 1


def test_the_librarys_cell_is_not_saved_among_ones_own(hands: Hands) -> None:
    assert not hands.window.view.commands.cells.save_own("LSTM")
    assert "cell of the library" in hands.window.banner.what.text()


def test_an_own_cell_brings_the_cells_inside_of_it(hands: Hands) -> None:
    hands.drop("cell:BidirectionalLSTM", QPoint(60, 60))
    hands.view.enter("bidirectional_lstm")
    hands.view.enter("forward")
    press(hands.window.cell_bar.editable)
    hands.session.focus.leave(0)
    assert hands.window.view.commands.cells.save_own("BidirectionalLSTM_2")
    hands.session.new(Design())
    offer = find("own:BidirectionalLSTM_2", hands.session.catalog, Design(), "", hands.session.own_cells.cells)
    assert offer is not None
    hands.view.add_offer(offer)
    assert set(hands.session.design.cells) == {"BidirectionalLSTM_2", "LSTM_2"}


def test_a_group_is_one_step_and_its_cell_is_the_designs(hands: Hands) -> None:
    hands.click(hands.node("embedding"))
    hands.click(hands.node("lstm"), keys=SHIFT)
    before = hands.session.design
    hands.key(Qt.Key.Key_G, CTRL)
    assert set(hands.session.design.cells) == {"LSTM", "Cell"}
    hands.view.enter("cell")
    assert hands.window.cell_bar.what.text() == "Cell is a cell of this design"
    hands.window.undo_action.trigger()
    assert hands.session.design is before
    assert hands.session.focus.graph == ""


def test_the_lines_of_the_memory_have_a_colour_of_their_own(inside: Hands) -> None:
    held = {f"{w.source} → {w.target}" for w, item in inside.view.canvas.wires.items() if item.state}
    assert {"c_before.out → kept.a", "kept.out → memory.a", "memory.out → c_before.input"} <= held
    assert {"h_before.out → W_f.input2", "state.out → h_before.input"} <= held
    assert "x.out → W_f.input" not in held
    assert "f.out → kept.b" not in held


def test_a_cell_opens_at_a_size_at_which_one_reads_it(hands: Hands) -> None:
    hands.window.resize(1000, 620)
    QApplication.processEvents()
    hands.double_click(hands.node("lstm"))
    assert hands.view.zoom >= 0.7
    left = hands.view.canvas.nodes["x"].sceneBoundingRect().left()
    assert hands.view.at(QPoint(0, 0)).x() <= left
