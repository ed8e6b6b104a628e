"""Frames: drawn from the file, made around a selection, renamed, removed, undone."""

from __future__ import annotations

from PySide6.QtCore import QPointF

from rnnstudio.design.design import Frame
from rnnstudio.design.edits import SetFrames
from rnnstudio.studio import theme


def test_a_frame_of_the_document_is_drawn_behind_the_nodes(hands, qapp):
    hands.session.do(SetFrames((Frame("a", "read", -300.0, -200.0, 260.0, 120.0),)))
    item = hands.view.canvas.frames["a"]
    assert item.zValue() < min(n.zValue() for n in hands.view.canvas.nodes.values())
    hands.view.frame_all()
    qapp.processEvents()
    assert hands.view.viewport().rect().contains(hands.where(item.rect().topLeft()))
    inside = hands.where(QPointF(-170.0, -120.0))
    image = hands.screen.grab().toImage()
    assert image.pixelColor(inside * image.devicePixelRatio()) != theme.current().color("canvas")
    hands.session.undo()
    assert not hands.view.canvas.frames


def test_a_selection_is_framed_renamed_and_unframed(hands):
    hands.session.focus.select(("embedding", "lstm"))
    asked = []
    answers = iter(["encoder", "reader", ""])
    hands.window.ask_title = lambda before: asked.append(before) or next(answers)
    for title in ("encoder", "reader"):
        hands.window.frame_action.trigger()
        (frame,) = hands.graph.frames
        assert frame.title == title
        item = next(iter(hands.view.canvas.frames.values()))
        for key in ("embedding", "lstm"):
            node = hands.view.canvas.nodes[key]
            assert item.rect().contains(node.shape_.rect.translated(node.pos()))
    hands.window.frame_action.trigger()
    assert not hands.graph.frames
    assert asked == ["", "encoder", "reader"]
    hands.session.undo()
    assert hands.graph.frames[0].title == "reader"


def test_no_frame_without_a_selection_or_a_title(hands):
    hands.session.focus.select()
    assert not hands.window.frame_action.isEnabled()
    assert not hands.view.commands.arrange.frame("x")
    hands.session.focus.select(("lstm",))
    assert not hands.view.commands.arrange.frame("  ")
    assert not hands.graph.frames
