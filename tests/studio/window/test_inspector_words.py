"""The inspector says first what matters, in the words of the field, and marks defaults, units and ranges."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check
from rnnstudio.design.design import Design, Var, frozen
from rnnstudio.design.edits import SetParam, SetVariable
from rnnstudio.gallery import example
from rnnstudio.studio.panels.fields import MIXED, ChoiceField, NumberField
from rnnstudio.studio.panels.node_form import NodeForm
from tests.studio.window.hands import CTRL, LEFT, SHIFT, Hands, language_model


def form(hands: Hands) -> NodeForm:
    found = hands.window.inspector.form
    assert isinstance(found, NodeForm)
    return found


def number(hands: Hands, name: str) -> NumberField:
    field = form(hands).fields[name]
    assert isinstance(field, NumberField)
    return field


def typed(edit, text: str, *, enter: bool = True) -> None:
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, text)
    if enter:
        QTest.keyClick(edit, Qt.Key.Key_Return)
    QApplication.processEvents()


def drawing(kind: str, **params: object) -> Design:
    s = Sketch()
    s.add("node", kind, at=(0, 0), params=params)
    return Design(graph=s.graph())


def shown(hands: Hands, kind: str, **params: object) -> NodeForm:
    hands.session.new(drawing(kind, **params))
    hands.session.focus.select(("node",))
    return form(hands)


def test_what_matters_is_seen_and_the_rest_is_folded(hands: Hands) -> None:
    hands.click(hands.node("readout"))
    found = form(hands)
    assert not found.more.is_open
    for name in ("units", "terms", "bias", "init"):
        assert found.fields[name].isVisible()
    for name in ("gain", "fan", "frozen"):
        assert not found.fields[name].isVisible()
    assert not found.title.isVisible()
    QTest.mouseClick(found.more._button, LEFT)
    assert found.fields["frozen"].isVisible()
    assert found.title.isVisible()
    hands.click(hands.node("embedding"))
    assert form(hands).more.is_open  # as the person left it


def test_the_fold_says_how_much_in_it_is_set(hands: Hands) -> None:
    hands.click(hands.node("readout"))
    assert form(hands).more._button.text() == "More"
    hands.session.do(SetParam("readout", "frozen", True))
    assert form(hands).more._button.text() == "More (1 changed)"


def test_the_words_are_those_of_the_field() -> None:
    words = {"terms": "Terms", "gain": "Gain", "gain2": "Gain, others", "fan": "Fan", "over": "Over", "first": "First"}
    for kind in standard().kinds.values():
        for param in kind.params:
            assert param.label not in words.values(), f"{kind.name}.{param.name}"


@pytest.mark.parametrize(("start", "label"), [("uniform", "Scale of W"), ("spectral_radius", "Spectral radius")])
def test_a_scale_is_called_the_spectral_radius_where_it_is_one(hands: Hands, start: str, label: str) -> None:
    assert shown(hands, "Linear", init=start).labels["gain"].text() == label


def test_defaults_are_marked_and_one_click_goes_back_to_them(hands: Hands) -> None:
    hands.click(hands.node("readout"))
    field = number(hands, "units")
    assert field.reset.isVisible()
    assert field.reset.toolTip() == "Back to the default: 128"
    assert form(hands).labels["units"].property("role") == ""
    assert not form(hands).fields["bias"].reset.isVisible()
    assert form(hands).labels["bias"].property("role") == "muted"
    QTest.mouseClick(field.reset, LEFT)
    assert "units" not in hands.graph.nodes["readout"].params
    assert field.edit.text() == "128"
    assert not field.reset.isVisible()


@pytest.mark.parametrize(
    ("kind", "name", "note"),
    [
        ("Dropout", "rate", "0 … 0.99"),
        ("Delay", "k", "steps"),
        ("Linear", "units", "≥ 1"),
        ("Linear", "fan", "the input's width"),
        ("Feedback", "probability", "0 … 1"),
        ("Attention", "units", "the query's"),
        ("TokenInput", "size", "from the data"),
    ],
)
def test_units_ranges_and_what_zero_stands_for_are_said(hands: Hands, kind: str, name: str, note: str) -> None:
    assert shown(hands, kind).fields[name].note.text() == note


def test_a_range_and_a_default_are_in_the_tool_tip(hands: Hands) -> None:
    tip = shown(hands, "Feedback", schedule="linear").fields["over"].toolTip()
    assert "Default: 1000" in tip
    assert "training steps" in tip


def test_sizes_that_come_from_the_data_say_so(hands: Hands) -> None:
    hands.session.open_example(example("char-lm").path)
    hands.session.focus.select(("text",))
    data = hands.session.design.data
    assert data is not None
    size = data.readable["text"].size
    assert number(hands, "size").note.text() == f"{size}, from the data"
    hands.session.focus.select(("readout",))
    assert number(hands, "units").note.text() == f"= {data.readable['next'].size}, from the data"
    hands.session.focus.select(("embedding",))
    assert number(hands, "units").note.text() == f"= {hands.session.design.variables['embedding']}"


def test_a_field_that_means_nothing_under_the_schedule_is_not_shown(hands: Hands) -> None:
    found = shown(hands, "Feedback")
    assert found.fields["schedule"].isVisible()
    assert not found.fields["end"].isVisible()
    assert not found.fields["over"].isVisible()
    hands.session.do(SetParam("node", "schedule", "linear"))
    assert form(hands).fields["end"].isVisible()
    assert form(hands).fields["over"].isVisible()


def test_parameters_of_one_name_are_edited_together(hands: Hands) -> None:
    hands.click(hands.node("embedding"))
    hands.click(hands.node("lstm"), keys=SHIFT)
    field = number(hands, "units")
    assert field.value is MIXED
    typed(field.edit, "24")
    assert hands.graph.nodes["embedding"].params["units"] == 24
    assert hands.graph.nodes["lstm"].params["units"] == 24
    hands.window.undo_action.trigger()
    assert hands.session.design == language_model()


def test_each_of_several_goes_back_to_its_own_default(hands: Hands) -> None:
    hands.click(hands.node("embedding"))
    hands.click(hands.node("lstm"), keys=SHIFT)
    typed(number(hands, "units").edit, "24")
    QTest.mouseClick(number(hands, "units").reset, LEFT)
    assert "units" not in hands.graph.nodes["embedding"].params
    assert "units" not in hands.graph.nodes["lstm"].params


def test_typing_one_nodes_default_writes_it_for_the_other(hands: Hands) -> None:
    hands.click(hands.node("embedding"))
    hands.click(hands.node("lstm"), keys=SHIFT)
    typed(number(hands, "units").edit, "64")  # the Embedding's default, not the LSTM's
    assert "units" not in hands.graph.nodes["embedding"].params
    assert hands.graph.nodes["lstm"].params["units"] == 64


# What cannot be


@pytest.mark.parametrize("text", ["-5", "0"])
def test_units_that_cannot_be_are_refused_at_a_cells_field(hands: Hands, text: str) -> None:
    hands.click(hands.node("lstm"))
    before = hands.session.design
    field = number(hands, "units")
    typed(field.edit, text)
    assert hands.session.design is before
    assert field.reason.text() == f"“Units” must be at least 1, not {text}"


def test_units_that_cannot_be_are_told_once() -> None:
    design = SetParam("lstm", "units", -5).apply(language_model())
    (told,) = check(design, standard()).errors
    assert told.message == "lstm: “units” must be at least 1, not -5"
    assert (told.nodes, told.param) == (("lstm",), "units")
    by_variable = SetVariable("hidden", -5).apply(language_model())
    assert len(check(by_variable, standard()).errors) == 1


def test_a_cell_in_a_cell_hands_its_bounds_on(hands: Hands) -> None:
    hands.session.new(Design())
    hands.view.add_offer(next(o for o in hands.window.palette_panel.offers() if o.key == "cell:StackedLSTM"))
    typed(number(hands, "dropout").edit, "2")
    assert "at most 0.99" in number(hands, "dropout").reason.text()


def test_a_wrong_value_does_not_survive_escape(hands: Hands) -> None:
    hands.click(hands.node("readout"))
    field = number(hands, "units")
    typed(field.edit, "-3")
    assert field.reason.isVisible()
    QTest.keyClick(field.edit, Qt.Key.Key_Escape)
    assert field.edit.text() == "27"
    assert not field.reason.isVisible()


def test_a_wrong_value_does_not_survive_undo(hands: Hands) -> None:
    hands.click(hands.node("readout"))
    typed(number(hands, "units").edit, "64")
    typed(number(hands, "units").edit, "-3")
    hands.window.undo_action.trigger()
    field = number(hands, "units")
    assert field.edit.text() == "27"
    assert not field.reason.isVisible()


def test_undo_in_a_field_takes_back_its_own_typing_and_then_the_drawing(hands: Hands, qtbot) -> None:
    hands.window.activateWindow()
    hands.click(hands.node("readout"))
    typed(number(hands, "units").edit, "64")
    field = number(hands, "units")
    line = field.edit.lineEdit()
    line.setFocus()
    line.end(False)
    QTest.keyClicks(line, "5")
    assert line.text() == "645"
    QTest.keyClick(field.edit, Qt.Key.Key_Z, CTRL)
    assert line.text() == "64"
    assert hands.graph.nodes["readout"].params["units"] == 64
    QTest.keyClick(field.edit, Qt.Key.Key_Z, CTRL)
    assert hands.graph.nodes["readout"].params["units"] == 27
    assert number(hands, "units").edit.text() == "27"
    QTest.keyClick(number(hands, "units").edit, Qt.Key.Key_Z, CTRL | SHIFT)
    assert hands.graph.nodes["readout"].params["units"] == 64


def test_the_only_axis_is_no_name_and_a_new_one_may_be_typed(hands: Hands) -> None:
    found = shown(hands, "Delay", axis="time")
    field = found.fields["axis"]
    assert isinstance(field, ChoiceField)
    place = field.box.findData("")
    assert field.box.itemText(place) == "the only axis"
    field.box.setCurrentIndex(place)
    field.box.activated.emit(place)
    assert "axis" not in hands.graph.nodes["node"].params
    line = form(hands).fields["axis"].box.lineEdit()
    typed(line, "depth")
    assert hands.graph.nodes["node"].params["axis"] == "depth"


def test_the_axes_listed_are_those_a_person_knows(hands: Hands) -> None:
    s = Sketch()
    x = s.add("x", "FeatureInput", at=(0, 0), params={"field": "x", "size": 4, "axis": "tree"})
    s.add("net", "cell", at=(2, 0), params={"cell": "ChildSumTreeLSTM", "units": 4}, x=x)
    cells = {"ChildSumTreeLSTM": standard().cells["ChildSumTreeLSTM"]}
    hands.session.new(Design(graph=s.graph(), cells=frozen(cells)))
    hands.session.focus.select(("net",))
    field = form(hands).fields["axis"]
    assert isinstance(field, ChoiceField)
    assert [field.box.itemData(i) for i in range(field.box.count())] == ["", "tree"]


def test_a_library_cells_fields_are_grey(hands: Hands) -> None:
    hands.double_click(hands.node("lstm"))
    hands.session.focus.select(("W_f",))
    assert not number(hands, "units").isEnabled()
    assert not form(hands).name.isEnabled()
    QTest.mouseClick(hands.window.cell_bar.editable, LEFT)
    assert number(hands, "units").isEnabled()


def test_a_cells_form_says_whose_it_is_and_who_follows(hands: Hands) -> None:
    hands.click(hands.node("lstm"))
    assert form(hands).definition.text() == "A cell of the library, used by 1 node"
    hands.key(Qt.Key.Key_D, CTRL)
    hands.session.focus.select(("lstm",))
    assert form(hands).definition.text() == "A cell of the library, used by 2 nodes"


def test_a_variable_of_the_cell_is_read_inside(hands: Hands) -> None:
    hands.double_click(hands.node("lstm"))
    hands.session.focus.select(("W_f",))
    assert number(hands, "units").value == Var("units")
    assert number(hands, "units").note.text() == "= 128"


def test_several_nodes_without_anything_in_common_say_so(hands: Hands) -> None:
    hands.drop("kind:Tanh", hands.where(hands.view.canvas.bounds().center() + QPointF(0, 260)))
    hands.click(hands.node("tanh"))
    hands.click(hands.node("readout"), keys=SHIFT)
    assert not form(hands).fields
