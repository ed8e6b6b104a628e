"""Quiet beginnings: what is only not there yet is no error, empty panels take no room, choices are remembered."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QSettings, QSize, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from rnnstudio.compiler.lacking import MISSING
from rnnstudio.design.design import Design, Pin, Wire
from rnnstudio.design.edits import Connect, SetParam
from rnnstudio.studio.window import MainWindow
from tests.studio.window.hands import CTRL, Hands, language_model

KEY = Qt.Key


@pytest.fixture
def own(window: MainWindow, qapp) -> Hands:
    """A person before an empty drawing of their own."""
    window.session.new(Design("mine"))
    window.show_dock("problems")
    qapp.processEvents()
    return Hands(window)


def settle(hands: Hands, qtbot) -> None:
    """What is told follows the drawing a moment later."""
    with qtbot.waitSignal(hands.session.checkedChanged):
        hands.session._check_timer.start()
    QApplication.processEvents()


def add(hands: Hands, name: str, qtbot) -> None:
    hands.view.setFocus()
    hands.key(KEY.Key_Tab)
    hands.type(name)
    hands.key(KEY.Key_Return)
    settle(hands, qtbot)


@pytest.mark.parametrize("name", ["Linear", "LSTM", "Characters", "Cross-entropy", "PeepholeLSTM", "Tree-LSTM"])
def test_a_node_just_added_is_no_error(own, qtbot, name):
    add(own, name, qtbot)
    (item,) = own.view.canvas.nodes.values()
    assert item.severity == MISSING
    assert {row.severity for row in own.window.problems.rows} == {MISSING}
    assert own.window.status.check.text() == "not finished"
    assert own.window.docks["problems"].windowTitle() == "Problems"


def test_train_tells_what_is_missing_as_an_error_until_it_is_there(own, qtbot):
    add(own, "Linear", qtbot)
    own.window.train_action.trigger()
    QApplication.processEvents()
    (item,) = own.view.canvas.nodes.values()
    assert item.severity == "error"
    assert "problem" in own.window.status.check.text()
    assert "error" in {row.severity for row in own.window.problems.rows}
    add(own, "Tanh", qtbot)
    assert own.view.canvas.nodes["tanh"].severity == "error", "the person asked to train"
    own.session.new(language_model())
    settle(own, qtbot)
    own.session.new(Design("another"))
    add(own, "Linear", qtbot)
    assert own.view.canvas.nodes["linear"].severity == MISSING


def test_a_finished_wire_that_cannot_be_is_told_at_once(own, qtbot):
    for name in ("Feature input", "Linear", "Add"):
        add(own, name, qtbot)
    own.session.do(SetParam("feature_input", "size", 3))
    own.session.do(Connect(Wire(Pin("feature_input", "out"), Pin("linear", "input"))))
    own.session.do(Connect(Wire(Pin("linear", "out"), Pin("add", "a"))))
    own.session.do(Connect(Wire(Pin("feature_input", "out"), Pin("add", "b"))))
    settle(own, qtbot)
    assert own.view.canvas.nodes["add"].severity == "error"
    assert any(row.severity == "error" for row in own.window.problems.rows)
    assert "problem" in own.window.status.check.text()


def test_that_it_can_be_trained_is_not_said_where_there_is_no_data(own, qtbot):
    own.session.new(language_model())
    settle(own, qtbot)
    panel = own.window.problems
    assert panel.rows == []
    assert "can be trained" not in panel.nothing.text()
    assert "Data panel" in panel.nothing.text()
    assert own.window.status.check.text() == "no data yet"
    own.window.train_action.trigger()
    assert "no data" in own.window.banner.what.text()


def test_live_panels_without_a_run_take_no_room(own):
    window = own.window
    window.show_plots()
    assert any(window.docks[key].isVisible() for key in window.live.plots)
    window.begin()
    assert not any(window.docks[key].isVisible() for key in window.live.plots)


@pytest.mark.parametrize("size", [(1432, 860), (1144, 690), (952, 560), (712, 410)])
def test_the_drawing_has_half_of_the_first_screen(qapp, size):
    """A screen of 1440 × 900 at 100, 125, 150 and 200 %: half of what lies between tool bar and status bar."""
    QSettings().clear()
    made = MainWindow()
    try:
        made.resize(*size)
        made.reset_layout()
        made.show()
        qapp.processEvents()
        made.live.fill()
        qapp.processEvents()
        assert (made.width(), made.height()) == size, "no panel makes the window larger"
        room = made.width() * (made.statusBar().y() - made.tools.geometry().bottom())
        assert made.view.width() * made.view.height() >= 0.5 * room * 0.9
        assert made.centralWidget().width() >= made.width() / 2
    finally:
        made.close()
        made.deleteLater()


def test_a_layout_of_another_scale_does_no_harm(qapp, qtbot):
    """Left on a large screen, opened on one that is half as large in each direction."""
    QSettings().clear()
    large = MainWindow()
    large.resize(1432, 860)
    large.reset_layout()
    large.show()
    large.docks["palette"].show()
    qapp.processEvents()
    large.close()
    large.deleteLater()
    assert QSettings().value("layoutFor") == "wide, high"
    QSettings().remove("geometry")
    rooms = {"now": QSize(712, 410)}

    class Small(MainWindow):
        def _room(self) -> QSize:
            return rooms["now"]

    small = Small()
    try:
        small.show()
        qapp.processEvents()
        assert (small.width(), small.height()) == (712, 410)
        assert not small.docks["palette"].isVisible(), "its own first layout"
        assert small.centralWidget().width() >= small.width() / 2
    finally:
        small.close()
        small.deleteLater()
    assert QSettings().value("layoutFor") == "narrow, low"


def test_the_minimap_is_remembered(window, qapp):
    window.minimap_action.trigger()
    assert not window.minimap.wanted
    again = MainWindow()
    try:
        assert not again.minimap_action.isChecked()
        assert not again.minimap.wanted
        again.minimap_action.trigger()
        assert again.minimap.wanted
    finally:
        again.close()
        again.deleteLater()


def test_a_search_that_is_open_closes_when_the_live_panels_come(hands):
    hands.key(KEY.Key_Tab)
    assert hands.view.quick_add is not None
    hands.window.train_action.trigger()
    assert hands.view.quick_add is None


def test_after_new_nothing_of_the_last_run_is_left(window, qtbot, tmp_path):
    from rnnstudio.design.edits import SetTraining
    from rnnstudio.gallery import draw_pattern, pattern
    from rnnstudio.studio.session import Session

    assert isinstance(window.session, Session)
    window.session.show(draw_pattern(pattern("one-to-one"), window.session.catalog), tmp_path)
    window.session.do(SetTraining({"epochs": 1, "steps": 3, "threads": 1, "batch_size": 8}))
    live = window.live.fill()
    window.train_action.trigger()
    qtbot.waitUntil(lambda: len(live.curves) >= 3 and live.state == "idle")
    assert any(window.docks[key].isVisible() for key in window.live.plots)
    QTest.keyClick(window.view, KEY.Key_N, CTRL)
    QApplication.processEvents()
    assert len(live.curves) == 0
    assert live.run_folder is None
    assert not any(window.docks[key].isVisible() for key in window.live.plots)
    window.start.hide()
    panel = window.docks["training"].widget()
    assert "Done" not in " ".join(label.text() for label in panel.findChildren(type(window.problems.nothing)))


# --- wires and words


def test_a_taker_of_tokens_is_not_offered_what_gives_features(own, qtbot):
    add(own, "Embedding", qtbot)
    hands = own
    hands.drag(hands.port("embedding.input", True), hands.port("embedding.input", True) + QPoint(-160, 60))
    offered = {o.key for o in hands.view.quick_add._among}
    assert "kind:TokenInput" in offered
    assert not {"cell:RNN", "cell:LSTM", "kind:Linear"} & offered
    hands.key(KEY.Key_Escape)


def test_a_giver_of_tokens_is_not_offered_what_takes_features(own, qtbot):
    add(own, "Token input", qtbot)
    hands = own
    start = hands.port("token_input.out", False)
    hands.drag(start, start + QPoint(160, 60))
    offered = {o.key for o in hands.view.quick_add._among}
    assert "kind:Embedding" in offered
    assert not {"cell:RNN", "cell:LSTM", "kind:Linear"} & offered
    hands.key(KEY.Key_Escape)


def test_a_wire_is_judged_by_its_content_before_any_size_is_known(own, qtbot):
    for name in ("Token input", "LSTM", "Reroute", "Linear"):
        add(own, name, qtbot)
    graph = own.view.canvas
    own.session.do(Connect(Wire(Pin("token_input", "out"), Pin("reroute", "input"))))
    settle(own, qtbot)
    assert ("", "token_input", "out") not in own.session.checked.signals, "no size is known"
    for source in (Pin("token_input", "out"), Pin("reroute", "out")):
        reasons = graph.reasons(source, False)
        assert "Embedding" in reasons["lstm"][True, "x"], source
        assert "Embedding" in reasons["linear"][True, "input"], source
    before = own.graph.wires
    own.drag(own.port("token_input.out", False), own.port("lstm.x", True))
    assert own.graph.wires == before
    assert "put an Embedding in between" in own.window.statusBar().currentMessage()


@pytest.mark.parametrize(
    ("typed", "first"), [("lst", "LSTM"), ("lstm", "LSTM"), ("ent", "Cross-entropy"), ("gate", "GateOfMine")]
)
def test_search_goes_from_exact_to_part_own_cells_too(own, qtbot, typed, first):
    from rnnstudio.design.design import CellDefinition, Graph
    from rnnstudio.design.edits import SetCell

    own.session.do(SetCell(CellDefinition("GateOfMine", Graph())))
    settle(own, qtbot)
    own.view.setFocus()
    own.key(KEY.Key_Tab)
    own.type(typed)
    titles = [own.view.quick_add.list.item(row).text() for row in range(own.view.quick_add.list.count())]
    assert titles[0] == first
    wanted = typed.lower()
    ranks = [
        0 if t.lower() == wanted else 1 if t.lower().startswith(wanted) else 2 if f" {wanted}" in t.lower() else 3
        for t in titles
        if wanted in t.lower()
    ]
    assert ranks == sorted(ranks)
    own.key(KEY.Key_Escape)


def test_the_only_axis_is_no_name_and_a_new_one_may_be_typed(hands, qtbot):
    from rnnstudio.studio.panels.fields import ChoiceField

    hands.click(hands.node("characters"))
    hands.session.focus.select(("lstm",))
    QApplication.processEvents()
    field = next(f for f in hands.window.inspector.findChildren(ChoiceField) if f.box.isEditable())
    assert "new axis" in field.box.toolTip()
    row = field.box.findText("the only axis")
    assert row >= 0
    field.box.setCurrentIndex(row)
    field.box.activated.emit(row)
    assert hands.graph.nodes["lstm"].params.get("axis", "") == ""
    field.box.lineEdit().setFocus()
    field.box.lineEdit().selectAll()
    QTest.keyClicks(field.box, "time")
    QTest.keyClick(field.box, KEY.Key_Return)
    assert hands.graph.nodes["lstm"].params["axis"] == "time"


def test_the_axes_of_the_inside_of_a_cell_are_not_listed_outside(window, qapp):
    from rnnstudio.gallery import draw_pattern, pattern
    from rnnstudio.studio.panels.node_form import _axes

    design = draw_pattern(pattern("12"), window.session.catalog)
    design = design.replace(
        graph=design.graph.replace(
            nodes={
                k: (n.replace(params={**n.params, "cell": "ChildSumTreeLSTM"}) if k == "net" else n)
                for k, n in design.graph.nodes.items()
            }
        ),
        cells=window.session.catalog.definitions_for("ChildSumTreeLSTM"),
    )
    window.session.show(design, window.session.base_folder)
    assert window.session.checked.ok
    assert any("children" in axis for s in window.session.checked.signals.values() for axis in s.axes)
    assert _axes(window.session) == ("tree",)


def test_an_axis_called_tree_that_is_none_is_made_one_by_its_error(window, qtbot, qapp):
    from rnnstudio.design.design import frozen
    from rnnstudio.gallery import draw_pattern, pattern

    design = draw_pattern(pattern("12"), window.session.catalog).replace(axes=frozen({}))
    window.session.show(design, window.session.base_folder)
    window.show_dock("problems")
    panel = window.problems

    def offered():
        return [row for row in panel.rows if row.button is not None and row.button.text() == "Make tree a tree"]

    qtbot.waitUntil(lambda: len(offered()) == len([r for r in panel.rows if r.diagnostic.code == "NoTree"]) > 1)
    QTest.mouseClick(offered()[0].button, Qt.MouseButton.LeftButton)
    assert window.session.design.axis("tree").kind == "tree"
    assert window.session.checked.ok
