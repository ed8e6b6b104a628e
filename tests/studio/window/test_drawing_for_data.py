"""From a file to a training in one window: the drawing in view, fields dragged onto the canvas, the first steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rnnstudio.design.design import Design
from rnnstudio.design.edits import SetTraining
from rnnstudio.studio.window import MainWindow
from tests.data.sequence_files import pairs, reviews
from tests.studio.window.hands import Hands


def looked_at(window: MainWindow, qtbot: QtBot, path: Path) -> Any:
    window.session.new(Design("mine"))
    window.live.fill()
    window.show_dock("data")
    panel = window.docks["data"].widget()
    with qtbot.waitSignal(panel.looked):
        panel.open_file(path)
    return panel


def test_from_a_file_to_the_first_steps(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    panel = looked_at(window, qtbot, pairs(tmp_path))
    qtbot.mouseClick(panel.draw_button, Qt.MouseButton.LeftButton)
    QApplication.processEvents()
    assert window.session.checked.diagnostics == ()
    seen = window.view.viewport().rect()
    hands = Hands(window)
    assert all(seen.contains(hands.node(key)) for key in hands.graph.nodes)
    assert window.session.do(SetTraining({**window.session.design.training, "threads": 1}))
    assert window.session.save_as(tmp_path / "mine.rnn")
    live = window.live.fill()
    window.train_action.trigger()
    qtbot.waitUntil(lambda: len(live.curves) >= 5)
    window.stop_action.trigger()
    qtbot.waitUntil(lambda: live.state == "idle")


def test_a_field_dragged_onto_the_canvas_makes_a_node_or_is_bound(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    panel = looked_at(window, qtbot, reviews(tmp_path))
    assert window.session.design.data is None
    assert panel.fields.count() == 2
    items = [panel.fields.item(row) for row in range(2)]
    carried = [bytes(panel.fields.mimeData([item]).data("application/x-rnnstudio-offer").data()) for item in items]
    assert carried == [b"field:text", b"field:label"]
    assert panel._in_use()  # as a drag begins, the design gets the data
    assert window.session.design.data is not None
    hands = Hands(window)
    centre = window.view.viewport().rect().center()
    hands.drop("field:text", centre)
    hands.drop("field:label", centre + QPoint(0, 120))
    nodes = hands.graph.nodes
    assert {(key, node.kind) for key, node in nodes.items()} == {("text", "TokenInput"), ("label", "TokenTarget")}
    assert nodes["label"].params["axis"] == ""
    assert [d.code for d in window.session.checked.diagnostics if d.code in ("UnknownField", "WrongContent")] == []
    hands.drop("kind:TokenTarget", centre + QPoint(-200, 120))
    other = next(key for key in hands.graph.nodes if key not in ("text", "label"))
    before = dict(hands.graph.nodes)
    hands.drop("field:text", hands.node(other))
    assert hands.graph.nodes.keys() == before.keys()  # bound, nothing added
    assert hands.graph.nodes[other].params["field"] == "text"
    window.session.undo()
    assert hands.graph.nodes[other] == before[other]
    hands.drop("kind:FeatureInput", centre + QPoint(-200, -120))
    numbers = next(key for key, node in hands.graph.nodes.items() if node.kind == "FeatureInput")
    many = len(hands.graph.nodes)
    hands.drop("field:text", hands.node(numbers))  # tokens are no features: a node of its own
    assert len(hands.graph.nodes) == many + 1
