"""The minimap: there when the drawing is larger than the view, a press on it looks there, off it does nothing."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from rnnstudio.design.edits import MoveNodes
from tests.studio.window.hands import LEFT, NONE, thousand_nodes


@pytest.fixture
def far(hands, qtbot):
    """A person close to one end of a thousand nodes."""
    hands.window.session.new(thousand_nodes())
    hands.view.frame(hands.view.canvas.bounds(["x"]))
    qtbot.waitUntil(hands.window.minimap.isVisible)
    return hands


def test_it_is_there_only_when_the_drawing_is_larger_than_the_view(far, qtbot):
    far.view.frame_all()
    qtbot.waitUntil(lambda: not far.window.minimap.isVisible())
    far.view.set_zoom(1.0)
    qtbot.waitUntil(far.window.minimap.isVisible)


def test_a_press_and_a_drag_on_it_move_the_view(far):
    small, view = far.window.minimap, far.view
    target = view.canvas.nodes["n500"].pos()
    QTest.mousePress(small, LEFT, NONE, small.to_map(target).toPoint())
    assert small.seen().contains(target)
    end = view.canvas.nodes["n998"].pos()
    at = QPointF(small.to_map(end).toPoint())
    kind = QMouseEvent.Type.MouseMove
    QApplication.sendEvent(small, QMouseEvent(kind, at, QPointF(small.mapToGlobal(at)), LEFT, LEFT, NONE))
    QTest.mouseRelease(small, LEFT, NONE, at.toPoint())
    assert small.seen().contains(end)
    assert far.session.focus.nodes == ()


def test_places_on_it_are_places_of_the_drawing(far):
    small = far.window.minimap
    at = QPointF(1234.0, 567.0)
    back = small.to_scene(small.to_map(at))
    assert (back.x(), back.y()) == pytest.approx((at.x(), at.y()))


def test_the_drawing_is_painted_anew_only_when_it_is_another(far, qtbot):
    small = far.window.minimap
    small.grab()
    before = small.drawn
    for _ in range(5):
        far.view.pan(QPoint(-30, 0))
        small.grab()
    assert small.drawn == before
    far.session.do(MoveNodes({"n5": (40.0, 900.0)}))
    qtbot.waitUntil(lambda: small.grab() is not None and small.drawn == before + 1)


def test_turned_off_it_computes_nothing(far, qtbot):
    small = far.window.minimap
    far.window.minimap_action.trigger()
    assert not small.isVisible()
    before = small.drawn
    far.view.pan(QPoint(-300, 0))
    assert not small._timer.isActive()
    assert small.drawn == before
    far.window.minimap_action.trigger()
    qtbot.waitUntil(small.isVisible)
