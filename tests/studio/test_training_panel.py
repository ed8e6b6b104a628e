"""The training panel by hand: buttons, settings, readings; wrong values change nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QLineEdit
from pytestqt.qtbot import QtBot

from rnnstudio.design.design import Design
from rnnstudio.design.edits import SetTraining
from rnnstudio.studio.live import Live
from rnnstudio.studio.panels.forms import Combo, Entry
from rnnstudio.studio.panels.training import TrainingPanel
from rnnstudio.studio.plots.curves import Curves
from rnnstudio.studio.session import Session
from rnnstudio.training.events import LossGrew, Started, StepDone, Validated
from rnnstudio.training.settings import TrainingSettings
from tests.conformance.drawings import attending_text


@pytest.fixture
def panel(session: Session, live: Live, qtbot: QtBot) -> TrainingPanel:
    found = TrainingPanel(session, live)
    qtbot.addWidget(found)
    found.resize(310, 760)
    found.show()
    return found


def entry(panel: TrainingPanel, name: str) -> Entry:
    field = panel.form.inputs[name]
    assert isinstance(field, Entry)
    return field


def type_over(qtbot: QtBot, field: QLineEdit, text: str) -> None:
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, text)
    qtbot.keyClick(field, Qt.Key.Key_Return)


def test_every_setting_has_an_input_with_its_meaning(panel: TrainingPanel) -> None:
    assert set(panel.form.inputs) == set(TrainingSettings.model_fields)
    for name, info in TrainingSettings.model_fields.items():
        assert info.title
        assert panel.form.labels[name].text() == info.title
        assert (info.description or "") in panel.form.inputs[name].toolTip()


def test_a_loss_that_has_grown_stays_in_sight_until_another_run(panel: TrainingPanel, live: Live) -> None:
    assert panel.warning.isHidden()
    live.curves.take(LossGrew(3, 0.1, "The loss has grown to 900, more than a hundred times the 1 at the start."))
    live.drawn.emit()
    assert panel.warning.isVisible()
    assert "hundred times" in panel.warning.text()
    live.curves = Curves("another")
    live.curvesReplaced.emit()
    assert panel.warning.isHidden()


def test_a_typed_setting_is_an_edit_that_can_be_undone(panel: TrainingPanel, session: Session, qtbot: QtBot) -> None:
    type_over(qtbot, entry(panel, "learning_rate"), "0.01")
    assert session.design.training["learning_rate"] == 0.01
    session.undo()
    assert "learning_rate" not in session.design.training
    panel.setFocus()
    assert float(entry(panel, "learning_rate").text()) == TrainingSettings().learning_rate
    type_over(qtbot, entry(panel, "epochs"), "3")
    assert session.design.training["epochs"] == 3


def test_a_choice_and_a_tick_are_edits_too(panel: TrainingPanel, session: Session, qtbot: QtBot) -> None:
    optimiser = panel.form.inputs["optimiser"]
    assert isinstance(optimiser, Combo)
    optimiser.setFocus()
    qtbot.keyClicks(optimiser, "s")
    assert session.design.training["optimiser"] == "sgd"
    carry = panel.form.inputs["carry"]
    assert isinstance(carry, QCheckBox)
    carry.click()
    assert session.design.training["carry"] is False


def test_below_carry_state_stands_that_attention_sees_its_own_chunk_only(
    panel: TrainingPanel, session: Session, qtbot: QtBot
) -> None:
    remark, carry = panel.form.remarks["carry"], panel.form.inputs["carry"]
    assert isinstance(carry, QCheckBox)
    assert not remark.isVisible()
    session.new(attending_text())
    qtbot.waitUntil(remark.isVisible)
    assert "sees the steps of its own chunk only" in remark.text()
    carry.click()
    qtbot.waitUntil(lambda: not remark.isVisible())
    session.undo()
    qtbot.waitUntil(remark.isVisible)


def test_ridge_regression_is_offered_with_its_washout(panel: TrainingPanel, session: Session, qtbot: QtBot) -> None:
    optimiser = panel.form.inputs["optimiser"]
    assert isinstance(optimiser, Combo)
    optimiser.setFocus()
    qtbot.keyClicks(optimiser, "ri")
    assert session.design.training["optimiser"] == "ridge"
    assert "one pass" in optimiser.toolTip()
    type_over(qtbot, entry(panel, "washout"), "100")
    assert session.design.training["washout"] == 100


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("learning_rate", "-1", "greater than 0"),
        ("learning_rate", "fast", "not a number"),
        ("batch_size", "0", "greater than or equal to 1"),
        ("epochs", "1.5", "whole number"),
    ],
)
def test_a_wrong_value_shows_the_reason_and_changes_nothing(
    panel: TrainingPanel, session: Session, qtbot: QtBot, name: str, text: str, told: str
) -> None:
    before = session.design
    field = entry(panel, name)
    old = field.text()
    type_over(qtbot, field, text)
    assert session.design is before
    assert told in panel.form.reasons[name].text()
    assert panel.form.reasons[name].isVisible()
    assert field.property("wrong") is True
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert field.text() == old
    assert not panel.form.reasons[name].isVisible()


def test_train_and_stop_with_the_mouse(
    panel: TrainingPanel, session: Session, open_example: Callable[[str], Design], qtbot: QtBot
) -> None:
    open_example("char-lm")
    session.do(SetTraining({"epochs": 500}))
    assert not panel.stop_button.isEnabled()
    qtbot.mouseClick(panel.train_button, Qt.MouseButton.LeftButton)
    assert not panel.train_button.isEnabled()
    qtbot.waitUntil(lambda: panel.progress.value() > 20)
    qtbot.waitUntil(lambda: panel.readings.text("Validation") != "")
    assert "step" in panel.place.text()
    assert "left" in panel.place.text()
    assert "nats" in panel.readings.text("Loss")
    assert "bits" in panel.readings.text("Perplexity")
    assert "tokens/s" in panel.readings.text("Speed")
    assert "cpu" in panel.readings.text("Device")
    assert panel.readings.text("Accuracy").endswith("%")
    assert "lstm" in panel.lowerings.text()
    assert panel.form.hint.isVisible()
    qtbot.mouseClick(panel.pause_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.live.state == "paused")
    assert panel.pause_button.text() == "Resume"
    reached = panel.progress.value()
    qtbot.mouseClick(panel.step_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.progress.value() > reached)
    qtbot.mouseClick(panel.pause_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.live.state == "running")
    qtbot.mouseClick(panel.stop_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.live.state == "idle")
    assert panel.status.text() == "Stopped"
    assert panel.train_button.isEnabled()


def test_a_learning_rate_typed_during_training_reaches_the_run(
    panel: TrainingPanel, session: Session, open_example: Callable[[str], Design], qtbot: QtBot
) -> None:
    open_example("char-lm")
    session.do(SetTraining({"epochs": 500, "schedule": "constant"}))
    panel.live.train()
    qtbot.waitUntil(lambda: len(panel.live.curves) > 5)
    type_over(qtbot, entry(panel, "learning_rate"), "0.00025")
    qtbot.waitUntil(lambda: panel.live.curves.learning_rate[-1] == 0.00025)
    session.undo()
    qtbot.waitUntil(lambda: panel.live.curves.learning_rate[-1] == pytest.approx(0.004))
    panel.live.stop()
    qtbot.waitUntil(lambda: panel.live.state == "idle")


def test_no_text_is_cut_off(panel: TrainingPanel, qtbot: QtBot) -> None:
    panel.form.advanced.set_open(True)
    qtbot.wait(20)
    for name, label in panel.form.labels.items():
        assert label.width() >= label.sizeHint().width(), name
    for button in (panel.train_button, panel.pause_button, panel.step_button, panel.stop_button):
        assert button.width() >= button.sizeHint().width()


@pytest.mark.usefixtures("no_machine_code")
def test_the_status_says_that_machine_code_is_being_made_and_then_that_it_trains(
    panel: TrainingPanel,
    live: Live,
    open_example: Callable[[str], Design],
    qtbot: QtBot,
) -> None:
    open_example("char-lm")
    said: list[str] = []
    live.compilingChanged.connect(lambda loop: said.append(panel.status.text()))
    qtbot.mouseClick(panel.train_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(said) >= 2)
    assert said[:2] == ["Making machine code for lstm …", "Training"]
    qtbot.waitUntil(lambda: live.state == "idle")
    assert live.compiling == ""
    assert "machine code" not in panel.status.text()


def test_a_setting_that_means_nothing_beside_the_others_is_not_shown(panel: TrainingPanel, session: Session) -> None:
    form = panel.form
    form.advanced.set_open(True)

    def seen(name: str) -> bool:
        return form.inputs[name].isVisibleTo(panel)

    assert not seen("momentum")
    assert not seen("washout")
    assert seen("learning_rate")
    session.do(SetTraining({"optimiser": "sgd"}))
    assert seen("momentum")
    session.do(SetTraining({"optimiser": "ridge"}))
    assert seen("washout")
    assert not seen("learning_rate")
    assert not seen("warmup")
    session.do(SetTraining({"optimiser": None, "carry": False, "sample_length": 0}))
    assert not seen("anew")
    assert not seen("temperature")
    session.do(SetTraining({"learning_rate": "fast"}))  # as a damaged file has it
    assert all(seen(name) for name in ("learning_rate", "momentum", "washout"))


def test_label_errors_and_the_unit_of_the_speed_are_shown(panel: TrainingPanel) -> None:
    curves = Curves("run")
    started = Started(0, 0.0, "run", "cpu", 1, 10, 5, {}, (), unit="examples")
    curves.take(started)
    for step in (1, 2, 3):
        curves.take(StepDone(step, step * 0.5, 1, 1.0, 0.1, 1.0, False, 8, 16.0))
    curves.take(Validated(3, 1.5, "validation", 1, 0.5, None, None, True, 0.125))
    panel.live.curves = curves
    panel._show_progress()
    assert panel.readings.text("Label errors") == "12.5%"
    assert panel.readings.text("Speed").startswith("16 examples/s")
