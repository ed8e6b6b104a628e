"""The status bar counts the whole and the selection, with something wrong elsewhere or not."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rnnstudio.design.design import Design, Node, Pin, Wire, frozen
from rnnstudio.design.edits import AddNode, Compound, Connect, SetParam
from rnnstudio.gallery import draw_pattern, pattern
from tests.studio.window.hands import SHIFT, Hands

LSTM = 4 * 32 * (16 + 32 + 1)
"""Parameters of the language model's: 16 features in, 32 units."""
WHOLE = 27 * 16 + LSTM + 27 * 33


def counted(hands: Hands, qtbot: QtBot, *edits) -> str:
    """What the bar says after edits."""
    status = hands.window.status
    with qtbot.waitSignal(hands.session.checkedChanged):
        assert hands.session.do(Compound(tuple(edits))) if edits else True
        hands.session._check_timer.start()
    qtbot.waitUntil(lambda: not status.busy)
    QApplication.processEvents()
    return status.cost.text()


def test_the_whole_is_counted(hands, qtbot):
    text = counted(hands, qtbot)
    assert text.startswith(f"{WHOLE:,} parameters · ")
    products = 4 * 32 * (16 + 32) + 3 * 32 + 27 * 32
    assert hands.window.status.costs.per_step == products
    assert "7.10 k multiply-adds a step" in text
    tip = hands.window.status.cost.toolTip()
    assert f"Multiply-adds, forward, a step: {products:,}" in tip
    for part in ("parameters", "gradients", "adam", "values kept for the way back", "Batch 32", "chunk length"):
        assert part in tip


def test_the_selection_is_counted_by_mouse(hands, qtbot):
    counted(hands, qtbot)
    hands.click(hands.node("lstm"))
    text = hands.window.status.cost.text()
    assert text.startswith(f"1 selected: {LSTM:,} parameters")
    assert "The whole drawing" in hands.window.status.cost.toolTip()
    hands.click(hands.node("readout"), SHIFT)
    assert f"2 selected: {LSTM + 27 * 33:,} parameters" in hands.window.status.cost.text()
    hands.session.focus.select(())
    assert hands.window.status.cost.text().startswith(f"{WHOLE:,} parameters")


def test_what_is_wrong_elsewhere_does_not_hide_what_can_be_counted(hands, qtbot):
    """Two widths that do not fit, and a node that is not wired yet, beside the language model."""
    text = counted(
        hands,
        qtbot,
        AddNode(Node("x", "FeatureInput", frozen({"size": 3}))),
        AddNode(Node("wide", "Linear", frozen({"units": 5}))),
        AddNode(Node("sum", "Add")),
        AddNode(Node("open", "Linear", frozen({"units": 900}))),
        Connect(Wire(Pin("x", "out"), Pin("wide", "input"))),
        Connect(Wire(Pin("wide", "out"), Pin("sum", "a"))),
        Connect(Wire(Pin("x", "out"), Pin("sum", "b"))),
    )
    assert not hands.session.checked.ok
    # The sound part of what leads nowhere is counted, too.
    assert text.startswith(f"{WHOLE + 5 * 4:,} parameters")
    assert text.endswith("(so far)")
    hands.session.focus.select(("wide",))
    assert "1 selected: 20 parameters" in hands.window.status.cost.text()


def test_a_drawing_without_a_loss_is_counted(hands, qtbot):
    hands.session.new(Design("begun"))
    text = counted(
        hands,
        qtbot,
        AddNode(Node("x", "FeatureInput", frozen({"size": 3}))),
        AddNode(Node("wide", "Linear", frozen({"units": 5}))),
        Connect(Wire(Pin("x", "out"), Pin("wide", "input"))),
    )
    assert text.startswith("20 parameters · 15 multiply-adds a step")
    hands.session.new(Design("empty"))
    counted(hands, qtbot)
    assert not hands.window.status.cost.isVisible()


def test_the_data_tells_how_long_a_step_is(window, qtbot):
    window.live.fill()
    panel = window.docks["data"].widget()
    with qtbot.waitSignal(panel.looked):
        window.session.show(draw_pattern(pattern("attention"), window.session.catalog), window.session.base_folder)
    qtbot.waitUntil(lambda: window.status.costs is not None and window.status.costs.known)
    assert dict(window.status.costs.lengths) == {"target": 7, "source": 6}
    assert "multiply-adds an example" in window.status.cost.text()


@pytest.mark.parametrize("units", [64, 128])
def test_an_edit_is_counted_anew(hands, qtbot, units):
    counted(hands, qtbot)
    text = counted(hands, qtbot, SetParam("lstm", "units", units))
    assert text.startswith(f"{27 * 16 + 4 * units * (16 + units + 1) + 27 * (units + 1):,} parameters")
