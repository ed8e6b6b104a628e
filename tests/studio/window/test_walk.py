"""A short random walk of gestures and keys in the real window; `python -m tests.soak walk` takes the long ones."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rnnstudio.studio.canvas.scene import CanvasScene
from rnnstudio.studio.commands import Commands
from tests.soak import walk as walks
from tests.soak._walker import STEPS, Step
from tests.soak.walk import main, replayed, shrunk, trials, walk


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_hundred_steps_break_nothing_and_are_undone_byte_for_byte(qapp, seed):
    done, fault, _ = walk(100, seed)
    assert (done, fault) == (100, "")


def test_the_same_seed_takes_the_same_steps(qapp):
    _, _, first = walk(12, 4)
    _, _, again = walk(12, 4)
    assert first == again
    assert {step.name for step in first} <= set(STEPS)


def test_a_fault_is_told_by_the_steps_that_lead_there(qapp, monkeypatch, capsys):
    """A command that raises in a slot of Qt is heard, and so is a scene that does not show what is selected."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(Commands, "add", broken)
    fault = replayed([Step("drop", 5)])
    monkeypatch.setattr(walks, "walk", lambda count, seed: (1, f"drop: {fault}", [Step("turn", 2), Step("drop", 5)]))
    _, (failure,) = trials(2, 0)
    assert "drop:5  drop " in failure
    assert failure.endswith("python -m tests.soak.walk drop:5")
    assert main(["drop:5"]) == 1
    assert "planted" in capsys.readouterr().out
    monkeypatch.undo()
    monkeypatch.setattr(CanvasScene, "mark_selection", lambda scene: None)
    assert "looks selected" in replayed([Step("click_node", 3)])


def test_a_list_of_steps_is_made_as_short_as_still_goes_wrong():
    steps = [Step("key", i) for i in range(300)]

    def fails(some: Sequence[Step]) -> str:
        seeds = [step.seed for step in some]
        return f"node {len(seeds)} is gone" if {17, 203} <= set(seeds) else "something else" if 5 in seeds else ""

    assert shrunk(steps, "node 300 is gone", fails) == [Step("key", 17), Step("key", 203)]


def test_what_undo_does_not_bring_back_is_a_fault(qapp, monkeypatch):
    from rnnstudio.design.history import Document

    monkeypatch.setattr(Document, "undo", lambda document: bool(document._done and document._done.pop()))
    assert "undoing all" in replayed([Step("drop", 5)])
