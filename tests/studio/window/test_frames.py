"""Frames: drawn from the file, made around a selection, held by title and border, carrying what stands in them."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest

from rnnstudio.design import storage
from rnnstudio.design.design import Frame
from rnnstudio.design.edits import SetFrames
from rnnstudio.studio import theme
from rnnstudio.studio.panels.inspector import FrameForm
from tests.studio.window.hands import CTRL, SHIFT


def title_of(hands, key: str) -> QPoint:
    frame = hands.view.canvas.frames[key].frame
    return hands.where(QPointF(frame.x + frame.width / 2, frame.y + 13))


def framed(hands, *keys: str) -> str:
    """A frame made by hand around nodes, and left with its first title."""
    for i, key in enumerate(keys):
        hands.click(hands.node(key), keys=SHIFT if i else Qt.KeyboardModifier.NoModifier)
    hands.key(Qt.Key.Key_F, CTRL | SHIFT)
    QTest.keyClick(hands.window.focusWidget(), Qt.Key.Key_Return)
    (key,) = hands.session.focus.frames
    return key


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


def test_a_frame_of_a_selection_fits_it_and_its_title_is_typed_in_place(hands):
    hands.click(hands.node("embedding"))
    hands.click(hands.node("lstm"), keys=SHIFT)
    hands.key(Qt.Key.Key_F, CTRL | SHIFT)
    QTest.keyClicks(hands.window.focusWidget(), "encoder")
    QTest.keyClick(hands.window.focusWidget(), Qt.Key.Key_Return)
    (frame,) = hands.graph.frames
    assert frame.title == "encoder"
    item = hands.view.canvas.frames[frame.id]
    for key in ("embedding", "lstm"):
        node = hands.view.canvas.nodes[key]
        assert item.rect().contains(node.shape_.rect.translated(node.pos()))
    assert not item.rect().intersects(hands.view.canvas.nodes["readout"].body())
    hands.double_click(title_of(hands, frame.id))
    QTest.keyClicks(hands.window.focusWidget(), "reader")
    QTest.keyClick(hands.window.focusWidget(), Qt.Key.Key_Return)
    assert hands.graph.frames[0].title == "reader"
    hands.window.undo_action.trigger()
    hands.window.undo_action.trigger()
    hands.window.undo_action.trigger()
    assert not hands.graph.frames


def test_a_frame_carries_what_stands_in_it_in_one_step(hands):
    key = framed(hands, "embedding", "lstm")
    before = storage.dumps(hands.session.design)
    places = {k: (n.x, n.y) for k, n in hands.graph.nodes.items()}
    begin = title_of(hands, key)
    hands.drag(begin, begin + QPoint(0, 90))
    after = {k: (n.x, n.y) for k, n in hands.graph.nodes.items()}
    moved = {k for k in after if after[k] != places[k]}
    assert moved == {"embedding", "lstm"}
    frame = hands.graph.frames[0]
    assert all(frame.holds(*after[k]) for k in moved)
    hands.window.undo_action.trigger()
    assert storage.dumps(hands.session.design) == before


def test_a_frame_is_resized_by_its_corner_and_leaves_its_nodes(hands):
    key = framed(hands, "lstm")
    frame = hands.graph.frames[0]
    places = {k: (n.x, n.y) for k, n in hands.graph.nodes.items()}
    corner = hands.where(QPointF(frame.x + frame.width, frame.y + frame.height))
    hands.drag(corner, corner + QPoint(60, 40))
    wider = hands.graph.frames[0]
    assert (wider.x, wider.y) == (frame.x, frame.y)
    assert wider.width > frame.width + 20
    assert wider.height > frame.height + 10
    assert {k: (n.x, n.y) for k, n in hands.graph.nodes.items()} == places
    assert hands.session.focus.frames == (key,)


def test_a_box_drawn_in_a_frame_selects_what_stands_there(hands):
    framed(hands, "embedding", "lstm")
    node = hands.view.canvas.nodes["lstm"].body().adjusted(-8, -8, 8, 8)
    hands.drag(hands.where(node.topLeft()), hands.where(node.bottomRight()))
    assert hands.session.focus.nodes == ("lstm",)
    assert hands.session.focus.frames == ()


def test_a_frame_is_selected_copied_and_deleted_like_everything_else(hands):
    key = framed(hands, "lstm")
    hands.window.select_all_action.trigger()
    assert hands.session.focus.frames == (key,)
    hands.key(Qt.Key.Key_D, CTRL)
    assert len(hands.graph.frames) == 2
    hands.click(title_of(hands, key))
    assert hands.session.focus.frames == (key,)
    assert hands.session.focus.nodes == ()
    hands.key(Qt.Key.Key_Delete)
    assert [f.id for f in hands.graph.frames] != [key]
    assert len(hands.graph.frames) == 1
    assert "lstm" in hands.graph.nodes


def test_title_colour_and_note_are_set_in_the_inspector_and_saved(hands):
    key = framed(hands, "lstm")
    form = hands.window.inspector.form
    assert isinstance(form, FrameForm)
    form.note.setPlainText("reads one letter at a time")
    form.note.clearFocus()
    form.commit_note()
    form.color.setCurrentIndex(form.color.findData("Cells"))
    form.color.activated.emit(form.color.currentIndex())
    frame = storage.loads(storage.dumps(hands.session.design), "").graph.frames[0]
    assert (frame.id, frame.note, frame.color) == (key, "reads one letter at a time", "Cells")
    hands.window.grab()


def test_no_frame_without_a_selection(hands):
    hands.session.focus.select()
    assert not hands.window.frame_action.isEnabled()
    assert hands.view.commands.arrange.frame() is None
    assert not hands.graph.frames
