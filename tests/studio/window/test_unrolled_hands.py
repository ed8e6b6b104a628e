"""Hands in the run, by mouse and keyboard: hold, cut, let go, ask of an output; nothing changes model or design."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from rnnstudio.cli import main
from rnnstudio.studio.unrolled.hands import HoldForm
from rnnstudio.studio.unrolled.pane import UnrolledPane
from rnnstudio.studio.unrolled.values import chances

from .hands import Hands

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A language model of letters and its run of a few steps."""
    folder = tmp_path_factory.mktemp("hands")
    text = folder / "letters.txt"
    text.write_text("the cat sat on the mat.\n" * 60)
    assert main(["new", "--data", str(text), str(folder / "mine")]) == 0
    (design,) = folder.glob("**/*.rnn")
    arguments = ("--run", str(folder / "run"), "--steps", "4", "--seed", "1", "--set", "threads=1")
    assert main(["train", str(design), *arguments]) == 0
    return design, folder / "run"


@pytest.fixture
def pane(hands: Hands, trained: tuple[Path, Path], qtbot) -> UnrolledPane:
    """The unrolled drawing with the values of a typed text."""
    design, run = trained
    hands.session.open(design)
    QApplication.processEvents()
    hands.window.unrolling.toggle()
    pane = hands.window.unrolling.pane
    assert pane is not None
    pane.values.text.setText("the cat")
    pane.set_run(run)
    settle(pane, qtbot)
    return pane


def settle(pane: UnrolledPane, qtbot) -> None:
    """Wait for the answer of the last question."""
    qtbot.waitUntil(lambda: not pane.looks.waiting and pane.values.said.text() != "looking …")


def at(pane: UnrolledPane, path: str, step: int) -> QPoint:
    return pane.mapFromScene(pane.boxes[path, step].pos())


def choose(pane: UnrolledPane, path: str, step: int, text: str) -> None:
    """Right-click a box and choose from its menu with the mouse."""
    where = at(pane, path, step)
    viewport = pane.viewport()
    QTest.mouseClick(viewport, Qt.MouseButton.RightButton, pos=where)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, where, viewport.mapToGlobal(where))
    QApplication.sendEvent(viewport, event)
    menu = pane.menu
    assert menu is not None
    (action,) = [action for action in menu.actions() if action.text() == text]
    QTest.mouseClick(menu, LEFT, pos=menu.actionGeometry(action).center())


def cell_of(pane: UnrolledPane) -> str:
    assert pane.unrolled is not None
    return next(part.path for part in pane.unrolled.parts if part.node.kind == "cell")


def output_of(pane: UnrolledPane) -> str:
    return next(path for own in pane._predictions.values() for path in own)


def test_a_state_held_at_a_step_changes_what_comes_after_it_and_a_cross_lets_it_go(
    pane: UnrolledPane, trained: tuple[Path, Path], qtbot
) -> None:
    design, run = trained
    stands = {path: path.read_bytes() for path in (design, *(run / "checkpoints").iterdir())}
    drawn = pane.session.design
    cell = cell_of(pane)
    assert pane.seen is not None
    free = pane.seen
    choose(pane, cell, 2, "Hold at 0 here")
    settle(pane, qtbot)
    held = pane.seen
    assert held.free == pytest.approx(free.loss)
    assert held.loss != free.loss
    value = pane.unrolled.part(cell).value if pane.unrolled is not None else ""
    assert not held.values[value][2].any()
    assert np.array_equal(held.values[value][:2], free.values[value][:2])
    assert not np.array_equal(held.values[value][3], free.values[value][3])
    assert "→" in pane.values.said.text()
    (loss,) = held.losses
    assert pane.boxes[loss, 2].text == f"{free.losses[loss][2]:.3g} → {held.losses[loss][2]:.3g}"
    (button,) = pane.hands.buttons
    assert button.text() == f"{value} @ 2 = 0  ✕"
    QTest.mouseClick(button, LEFT)
    settle(pane, qtbot)
    assert pane.seen.loss == pytest.approx(free.loss)
    assert not pane.hands.isVisible()
    assert "→" not in pane.values.said.text()
    assert pane.session.design is drawn
    assert {path: path.read_bytes() for path in stands} == stands


def test_one_unit_is_held_at_a_number_that_is_typed(pane: UnrolledPane, qtbot) -> None:
    cell = cell_of(pane)
    choose(pane, cell, 1, "Hold a number, or one unit…")
    form = next(w for w in pane.findChildren(HoldForm) if w.isVisible())
    QTest.keyClicks(form.value, "0.5")
    form.unit.setFocus()
    form.unit.selectAll()
    QTest.keyClicks(form.unit, "3")
    QTest.mouseClick(form.every, LEFT, pos=QPoint(8, form.every.height() // 2))
    QTest.mouseClick(form.button, LEFT)
    settle(pane, qtbot)
    assert pane.seen is not None
    value = pane.unrolled.part(cell).value if pane.unrolled is not None else ""
    assert np.allclose(pane.seen.values[value][:, 3], 0.5)
    assert not np.allclose(pane.seen.values[value][:, 2], 0.5)
    assert pane.hands.buttons[0].text() == f"{value}[3] = 0.5  ✕"


def test_a_wire_is_cut_and_held_again_is_one_entry(pane: UnrolledPane, qtbot) -> None:
    cell, output = cell_of(pane), output_of(pane)
    assert pane.seen is not None
    free = pane.seen
    choose(pane, output, 1, f"Cut the wire from {cell} at every step")
    settle(pane, qtbot)
    scores = pane.seen.values[output]
    assert np.allclose(scores, scores[0]), "a readout that reads nothing says the same everywhere"
    choose(pane, cell, 3, "Forget what it remembers here")
    settle(pane, qtbot)
    assert [b.text() for b in pane.hands.buttons] == [f"{cell} ✂ {output}  ✕", f"{cell} forgets @ 3  ✕"]
    choose(pane, cell, 0, "Hold at 0 here")
    choose(pane, cell, 0, "Hold at 1 here")
    settle(pane, qtbot)
    assert len(pane.hands.buttons) == 3
    assert pane.seen.free == pytest.approx(free.loss)


def test_a_click_on_an_output_asks_what_it_listened_to_and_esc_goes_back(pane: UnrolledPane, qtbot) -> None:
    output = output_of(pane)
    assert pane.seen is not None
    chosen = int(pane.seen.values[output][2].argmax())
    QTest.mouseClick(pane.viewport(), LEFT, pos=at(pane, output, 2))
    assert pane.values.of is None, "where values are shown a click asks for nothing"
    pane.values.shown.setFocus()
    QTest.keyClick(pane.values.shown, Qt.Key.Key_Down)
    assert pane.values.kind == "total"
    of_loss = pane.seen.total[output]
    QTest.mouseClick(pane.viewport(), LEFT, pos=at(pane, output, 2))
    settle(pane, qtbot)
    wanted = np.zeros_like(of_loss)
    wanted[2, chosen] = 1.0
    assert np.array_equal(pane.seen.total[output], wanted)
    assert f"∂ {output}[{chosen}] @ 2" in pane.values.said.text()
    pane.setFocus()
    QTest.keyClick(pane, Qt.Key.Key_Escape)
    settle(pane, qtbot)
    assert pane.isVisible(), "Esc goes back to the loss first"
    assert np.array_equal(pane.seen.total[output], of_loss)
    QTest.keyClick(pane, Qt.Key.Key_Escape)
    assert not pane.isVisible()


def test_a_part_of_tokens_offers_nothing_to_hold(pane: UnrolledPane) -> None:
    where = at(pane, "text", 1)
    viewport = pane.viewport()
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, where, viewport.mapToGlobal(where))
    QApplication.sendEvent(viewport, event)
    assert pane.menu is not None
    texts = [action.text() for action in pane.menu.actions() if not action.isSeparator()]
    assert texts == ["text at time 1", "Nothing here can be held"]
    pane.menu.close()


def test_a_likeliest_token_stands_apart_from_its_probability(pane: UnrolledPane) -> None:
    """Once the space between them was drawn as a token."""
    shown = [pane.boxes[output_of(pane), step].text for step in range(4)]
    assert pane.seen is not None
    (predicted,) = pane.seen.predicted.values()
    for text, told in zip(shown, predicted, strict=False):
        token, _, share = told.rpartition(" ")
        assert text == f"{token.replace(' ', '␣').replace(chr(10), '⏎')} {share}"
    same = str
    assert chances("e 18%", "e 18%", same) == "e 18%"
    assert chances("e 18%", "e 9%", same) == "e 18 → 9%"
    assert chances("e 18%", "  9%", same) == "e 18% →   9%"


def test_another_run_holds_nothing(pane: UnrolledPane, tmp_path: Path, qtbot) -> None:
    choose(pane, cell_of(pane), 2, "Hold at 1 here")
    settle(pane, qtbot)
    pane.set_run(tmp_path)
    assert not pane.hands.all
    assert not pane.hands.isVisible()
