"""U shows the drawing unrolled: every part at every step, read only, with the values of a run; U folds it again."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QHelpEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolTip

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.cli import main
from rnnstudio.compiler.check import check
from rnnstudio.design.design import Design, Node, Pin, Wire, frozen
from rnnstudio.design.edits import AddNode, Connect
from rnnstudio.studio.looking import Looks, Seen
from rnnstudio.studio.unrolled.places import place, shown_steps, visible
from rnnstudio.studio.unrolled.steps import ONCE, Link, unroll
from rnnstudio.studio.unrolled.told import Strengths
from tests.conformance.drawings import bidirectional, many_to_one, recurrent, stacked, with_params
from tests.runtime.test_trees import tree_net

from .hands import Hands

CELLS = standard().cells
WHEEL = (Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False)


def of(design, opened=(), **sizes):
    return unroll(check(design, standard()), standard(), sizes, opened)


def joined(found, kind):
    return {(x.source, x.source_step, x.target, x.target_step) for x in found.links if x.kind == kind}


def test_a_state_joins_each_step_with_the_next_and_begins_before_the_first() -> None:
    found = of(recurrent("LSTM"), time=4)
    assert joined(found, "state") == {("rec", t, "rec", t + 1) for t in range(3)}
    assert {(x.target, x.target_step) for x in found.links if x.kind == "start"} == {("rec", 0)}
    (names,) = {x.names for x in found.links if x.kind == "state"}
    assert set(names) == {"h", "c"}


def test_an_opened_cell_stands_as_its_drawing_and_its_delays_are_links() -> None:
    found = of(recurrent("LSTM"), ("rec",), time=3)
    paths = {part.path for part in found.parts}
    assert "rec.f" in paths
    assert "rec.h_before" not in paths
    assert ("rec.memory", 0, "rec.kept", 1) in joined(found, "state")
    assert ("rec.memory", 1, "rec.kept", 1) not in joined(found, "state")


def test_a_delay_of_two_bridges_two_steps() -> None:
    found = of(recurrent(with_params(CELLS["RNN"], "Delay", "Rnn2", k=2)), time=5)
    assert joined(found, "state") == {("rec", t, "rec", t + 2) for t in range(3)}


def test_both_directions_run_against_each_other() -> None:
    found = of(bidirectional(), time=3)
    forward = {(s, t) for _, s, _, t in joined(found, "state")}
    assert {(0, 1), (1, 2), (1, 0), (2, 1)} <= forward


def test_what_reads_all_steps_stands_once_behind_them() -> None:
    found = of(many_to_one(), time=4)
    pooled = {x.source_step for x in found.links if x.kind == "pool"}
    assert pooled == {3}, "the last step alone"
    places = place(found)
    once = [box.x for (_, step), box in places.boxes.items() if step == ONCE]
    assert max(once) > max(x for _, x in places.columns["time"])


def test_stacked_layers_are_rows_and_parts_lie_on_nothing() -> None:
    found = of(stacked(), time=3)
    places = place(found)
    boxes = list(places.boxes.items())
    for i, (key, a) in enumerate(boxes):
        for other, b in boxes[i + 1 :]:
            apart = abs(a.x - b.x) >= (a.width + b.width) / 2 or abs(a.y - b.y) >= (a.height + b.height) / 2
            assert apart, (key, other)
    rows = {path: {box.y for (p, _), box in boxes if p == path} for path in {p for (p, _), _ in boxes}}
    assert all(len(ys) == 1 for ys in rows.values())


def test_a_tree_stands_with_its_leaves_below() -> None:
    found = unroll(check(tree_net("ChildSumTreeLSTM"), standard()), standard(), {}, (), {"tree": (2, 2, 4, 4, -1)})
    assert joined(found, "child") == {
        ("net", 0, "net", 2),
        ("net", 1, "net", 2),
        ("net", 2, "net", 4),
        ("net", 3, "net", 4),
    }
    places = place(found)
    heights = [places.boxes["net", node].y for node in range(5)]
    assert heights[4] < heights[2] < heights[0] == heights[1] == heights[3]


def test_of_many_steps_those_about_the_cursor_are_shown() -> None:
    assert shown_steps(5, 0, 10) == (0, 1, 2, 3, 4)
    assert shown_steps(100, 50, 5) == (48, 49, 50, 51, 52)
    assert shown_steps(100, 0, 10)[-1] == 99
    found = of(recurrent("GRU"), time=60)
    places = place(found, 30, 7)
    assert sum(count for _, _, count in places.more) == 60 - 7
    assert all((x.target, x.target_step) in places.boxes for x in visible(found.links, places))


@pytest.fixture
def example(hands: Hands) -> Hands:
    """An LSTM on numbers, without data."""
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"size": 3})
    s.add("lstm", "cell", at=(1, 0), params={"cell": "LSTM", "units": 4}, x="x")
    s.add("readout", "Linear", at=(2, 0), params={"units": 2}, input="lstm.h")
    s.add("y", "FeatureTarget", at=(2, 1), params={"size": 2})
    s.add("loss", "MeanSquaredError", at=(3, 0), prediction="readout", target="y")
    hands.session.new(Design(graph=s.graph(), cells=frozen(standard().definitions_for("LSTM"))))
    QApplication.processEvents()
    return hands


def test_u_shows_it_and_u_folds_it_again(example: Hands) -> None:
    view = example.window.view
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_U)
    pane = example.window.unrolling.pane
    assert pane is not None
    assert pane.isVisible()
    assert {step for path, step in pane.boxes if path == "lstm"} == {0, 1, 2, 3}
    before = example.session.design
    QTest.keyClick(pane, Qt.Key.Key_Right)
    assert pane.cursor_step == 1
    box = pane.boxes["readout", 2]
    at = pane.mapFromScene(box.pos())
    QTest.mouseClick(pane.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert example.session.focus.nodes == ("readout",)
    assert pane.cursor_step == 2
    assert example.session.design is before, "it is read only"
    QTest.keyClick(pane, Qt.Key.Key_U)
    assert not pane.isVisible()
    assert not example.window.unrolling.action.isChecked()


def test_a_double_click_opens_a_cell_at_every_step_and_closes_it(example: Hands) -> None:
    example.window.unrolling.toggle()
    pane = example.window.unrolling.pane
    assert pane is not None
    at = pane.mapFromScene(pane.boxes["lstm", 0].pos())
    QTest.mouseDClick(pane.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert ("lstm.f", 0) in pane.boxes
    pane.toggle_cell("lstm")
    assert ("lstm", 0) in pane.boxes


def test_values_of_a_run_come_from_a_process_and_stand_in_the_boxes(hands: Hands, tmp_path: Path, qtbot) -> None:
    text = tmp_path / "letters.txt"
    text.write_text("the cat sat on the mat.\n" * 60)
    assert main(["new", "--data", str(text), str(tmp_path / "mine")]) == 0
    (design,) = tmp_path.glob("**/*.rnn")
    run = tmp_path / "run"
    assert main(["train", str(design), "--run", str(run), "--steps", "2", "--set", "threads=1"]) == 0
    hands.session.open(design)
    QApplication.processEvents()
    hands.window.unrolling.toggle()
    pane = hands.window.unrolling.pane
    assert pane is not None
    pane.set_run(run)
    pane.values.text.setText("the cat")
    pane.ask()
    qtbot.waitUntil(lambda: pane.seen is not None and pane.seen.examples == 0)
    assert pane.unrolled is not None
    assert pane.unrolled.sizes["time"] == 6
    read = [pane.boxes["text", step].text for step in range(4)]
    assert read == ["t", "h", "e", "␣"]
    said = [box.text for box in pane.boxes.values() if box.text.endswith("%")]
    assert said
    assert all(" " in text for text in said), "a token and its probability"
    state = next(part for part in pane.unrolled.parts if part.node.kind == "cell")
    assert all(pane.boxes[state.path, step].strip is not None for step in range(4))
    pane.values.shown.setCurrentIndex(1)
    assert pane.values.kind == "total"
    assert pane.boxes[state.path, 1].strip is not None


def test_a_muted_node_is_not_there() -> None:
    design = recurrent("LSTM")
    wire = next(w for w in design.graph.wires if w.source.node == "rec")
    between = AddNode(Node("between", "Tanh", muted=True))
    for edit in (
        between,
        Connect(Wire(wire.source, Pin("between", "input"))),
        Connect(Wire(Pin("between", "out"), wire.target)),
    ):
        design = edit.apply(design)
    found = of(design, time=2)
    assert "between" not in {part.path for part in found.parts}
    assert any((x.source, x.target) == ("rec", wire.target.node) for x in found.links)


def seen_of(tokens: str, path: str, values) -> Seen:
    axes = {path: ("time",)}
    return Seen({path: values}, {}, {}, {}, {}, axes, frozenset(), 1.0, {"text": tuple(tokens)}, {}, {}, 0)


def test_a_later_look_at_the_same_steps_leaves_the_view_where_it_is(example: Hands) -> None:
    example.window.unrolling.toggle()
    pane = example.window.unrolling.pane
    assert pane is not None
    pane._take(seen_of("abc", "readout", np.ones((3, 2), np.float32)))
    assert pane.unrolled is not None
    assert pane.unrolled.sizes["time"] == 3
    pane.wheelEvent(QWheelEvent(QPointF(200, 200), QPointF(200, 200), QPoint(), QPoint(0, 240), *WHEEL))
    zoom = pane.zoom
    pane._take(seen_of("abc", "readout", np.zeros((3, 2), np.float32)))
    assert pane.zoom == zoom
    pane._take(seen_of("abcd", "readout", np.zeros((4, 2), np.float32)))
    assert pane.unrolled.sizes["time"] == 4


def test_what_a_plugin_prints_is_no_answer(tmp_path: Path) -> None:
    code = "import rnnstudio.training.looker as x; x.answer = lambda looker, asked: print('hello') or asked; x.main()"
    asked = '{"number": 7}\n'
    done = subprocess.run([sys.executable, "-c", code], input=asked, capture_output=True, text=True, check=True)
    assert done.stdout == asked
    assert "hello" in done.stderr


CLOSING = """
import sys
import torch
from PySide6.QtCore import QTimer
from rnnstudio.studio import app
from rnnstudio.studio.background import Background
app.SECONDS_TO_END = 0.2
window = app.application()
slow = Background()
slow.ask(lambda: [torch.ones(3_000_000).sort() for _ in range(10**9)])  # mostly in foreign code
QTimer.singleShot(300, window.quit)
sys.exit(app.main())
"""


def test_a_window_that_is_closed_while_something_is_read_ends_in_order(tmp_path: Path) -> None:
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("CONFIG", "CACHE", "DATA", "STATE")}
    environment = {**os.environ, **homes, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run([sys.executable, "-c", CLOSING], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_run_without_a_checkpoint_is_told(hands: Hands, tmp_path: Path) -> None:
    hands.window.unrolling.toggle()
    pane = hands.window.unrolling.pane
    assert pane is not None
    pane.set_run(tmp_path)
    assert "No checkpoint" in pane.values.said.text()


def test_what_cannot_be_looked_at_is_told_and_the_next_question_is_answered(tmp_path: Path, qtbot) -> None:
    looks = Looks()
    with qtbot.waitSignal(looks.failed) as told:
        looks.ask(tmp_path / "nowhere")
    assert "no such run" in told.args[0]
    looks.close()
    looks.close()


def test_a_value_under_the_mouse_is_told_with_its_largest_units(example: Hands) -> None:
    example.window.unrolling.toggle()
    pane = example.window.unrolling.pane
    assert pane is not None
    values = np.array([[0.05, -3.0, 0.95, 0.5], [0.0, 0.0, 0.0, 1.0]], np.float32)
    pane._take(seen_of("ab", "readout", values))
    box = pane.boxes["readout", 0]
    at = pane.mapFromScene(box.pos())
    event = QHelpEvent(QEvent.Type.ToolTip, at, pane.viewport().mapToGlobal(at))
    QApplication.sendEvent(pane.viewport(), event)
    assert QToolTip.text().split("\n") == [
        "readout, values at time 0",
        "[4]   norm 3.187   mean -0.375",
        "50% below 0.1   25% above 0.9",
        "largest units",
        "1: -3,  2: 0.95,  3: 0.5,  0: 0.05",
    ]
    assert pane.told_of(next(other for (path, _), other in pane.boxes.items() if path != "readout")) == ""
    QToolTip.hideText()


def test_a_wire_is_as_strong_as_what_it_carries_and_an_attention_as_its_weight(example: Hands) -> None:
    example.window.unrolling.toggle()
    pane = example.window.unrolling.pane
    assert pane is not None
    source = next(link for link in pane.links if link.link.source).link.source
    value = pane.unrolled.part(source).value
    pane._take(seen_of("abc", value, np.array([[4.0, 3.0], [0.0, 0.0], [0.0, 1.0]], np.float32)))
    found = {item.link.source_step: item.strength for item in pane.links if item.link.source == source}
    assert found == {0: 1.0, 1: 0.0, 2: pytest.approx(0.2)}
    tokens = replace(seen, values={"x": np.array([3, 1, 2], np.float32)}) if (seen := pane.seen) else None
    assert tokens is not None
    link = next(item.link for item in pane.links if item.link.source == "x")
    assert Strengths(tokens, tokens.values, {"x": pane.unrolled.part("x")}).of(link) is None, "tokens have no norm"
    strongest = next(item for item in pane.links if item.strength == 1.0)
    assert strongest.pen().widthF() == pytest.approx(3.6)
    seen = replace(seen_of("abc", value, np.ones((3, 2), np.float32)), weights={"looked": np.eye(3, dtype=np.float32)})
    strengths = Strengths(seen, seen.values, {})
    assert strengths.of(Link("encoder", 1, "out", "looked", 1, "keys", "attention")) == 1.0
    assert strengths.of(Link("encoder", 0, "out", "looked", 1, "keys", "attention")) == 0.0
