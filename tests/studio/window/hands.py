"""What a person does with the canvas, for tests: press, drag, type; places are given by node and port."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.design.design import Design, Var, frozen
from rnnstudio.studio.offers import MIME
from rnnstudio.studio.window import MainWindow

LEFT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton
NONE, CTRL, SHIFT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
)


def language_model() -> Design:
    """characters → embedding → LSTM → linear → cross-entropy, without data: sizes are set."""
    s = Sketch()
    text = s.add("characters", "TokenInput", at=(0, 0), params={"size": 27})
    vectors = s.add("embedding", "Embedding", at=(1.3, 0), params={"units": 16}, input=text)
    s.add("lstm", "cell", at=(2.6, 0), params={"cell": "LSTM", "units": Var("hidden")}, x=vectors)
    scores = s.add("readout", "Linear", at=(3.9, 0), params={"units": 27}, input="lstm.h")
    target = s.add("target", "TokenTarget", at=(3.9, 1.5), params={"size": 27})
    s.add("loss", "CrossEntropy", at=(5.2, 0), prediction=scores, target=target)
    cells = {"LSTM": standard().cells["LSTM"]}
    return Design("model", variables=frozen({"hidden": 32}), graph=s.graph(), cells=frozen(cells))


def thousand_nodes() -> Design:
    """A chain in 25 rows of 40."""
    s = Sketch()
    before = s.add("x", "FeatureInput", at=(0, 0), params={"size": 4})
    for i in range(999):
        before = s.add(f"n{i}", "Tanh", at=(1 + i % 40, i // 40), input=before)
    return Design(graph=s.graph())


class Hands:
    """One person at one window."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window
        self.view = window.view
        self.session = window.session

    @property
    def graph(self):
        return self.session.design.graph_of(self.session.focus.graph)

    @property
    def screen(self):
        return self.view.viewport()

    def where(self, scene: QPointF) -> QPoint:
        return self.view.viewportTransform().map(scene).toPoint()

    def node(self, key: str) -> QPoint:
        """A place on a node that is no port."""
        item = self.view.canvas.nodes[key]
        return self.where(item.pos() + QPointF(0, item.shape_.rect.top() + 8))

    def port(self, pin: str, is_input: bool) -> QPoint:
        key, _, name = pin.partition(".")
        return self.where(self.view.canvas.nodes[key].port_place(is_input, name))

    def move(self, to: QPoint) -> None:
        QTest.mouseMove(self.screen, to)
        QApplication.processEvents()

    def press(self, at: QPoint, button=LEFT, keys=NONE) -> None:
        QTest.mousePress(self.screen, button, keys, at)

    def release(self, at: QPoint, button=LEFT, keys=NONE) -> None:
        QTest.mouseRelease(self.screen, button, keys, at)
        QApplication.processEvents()

    def click(self, at: QPoint, keys=NONE) -> None:
        self.press(at, keys=keys)
        self.release(at, keys=keys)

    def double_click(self, at: QPoint) -> None:
        QTest.mouseDClick(self.screen, LEFT, NONE, at)
        QTest.mouseRelease(self.screen, LEFT, NONE, at)
        QApplication.processEvents()

    def drag(self, begin: QPoint, end: QPoint, button=LEFT, keys=NONE, release=True) -> None:
        self.press(begin, button, keys)
        for i in range(1, 6):
            self.move(begin + (end - begin) * i / 5)
        if release:
            self.release(end, button, keys)

    def key(self, key, keys=NONE) -> None:
        """Typed where the keyboard is: a field that is open, else the canvas."""
        focus = self.window.focusWidget() or self.view
        QTest.keyClick(focus, key, keys)
        QApplication.processEvents()

    def type(self, text: str) -> None:
        QTest.keyClicks(self.window.focusWidget(), text)
        QApplication.processEvents()

    def drop(self, offer: str, at: QPoint) -> None:
        """What a drag from the palette does when it arrives: the loop of a real drag cannot run offscreen."""
        mime = QMimeData()
        mime.setData(MIME, QByteArray(offer.encode()))
        copy = Qt.DropAction.CopyAction
        enter = QDragEnterEvent(at, copy, mime, LEFT, NONE)
        QApplication.sendEvent(self.screen, enter)
        assert enter.isAccepted()
        event = QDropEvent(QPointF(at), copy, mime, LEFT, NONE)
        QApplication.sendEvent(self.screen, event)
        assert event.isAccepted()

    def glide(self, to: QPoint, keys=NONE, button=LEFT) -> None:
        """A move with a button and keys held, which QTest.mouseMove cannot say."""
        event = QMouseEvent(
            QMouseEvent.Type.MouseMove, QPointF(to), self.screen.mapToGlobal(QPointF(to)), LEFT, button, keys
        )
        QApplication.sendEvent(self.screen, event)
        QApplication.processEvents()
