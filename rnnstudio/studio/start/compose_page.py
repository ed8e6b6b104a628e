"""Six answers and a live picture: what comes in, what goes out, direction, cell, depth, attention. Enter draws it."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ...design.errors import StudioError
from ...gallery import compose
from ...loading import Loaded
from ...proposals.composing import (
    ASKED,
    CELLS,
    DATA,
    DEEPEST,
    GIVEN,
    TREE_CELLS,
    Composition,
    fitting,
    refused,
)
from .. import theme
from ..background import Background
from .thumbnails import Drawn, laid_out, picture_of

LETTERS = 19
"""Of the longest answers; the form never hides a part of one."""
SCROLL_BAR = 12
REST_MS = 60
"""After a choice, before it is drawn: a person who goes down a list with the arrows is not waited for."""
DIRECTIONS = (("forward", False), ("both ways", True))
ATTENTION = (("none", False), ("at every step", True))


class LivePicture(QWidget):
    """The drawing as large as there is room."""

    resized = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._image: QImage | None = None
        self.setMinimumSize(200, 140)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("the drawing so far")

    @property
    def image(self) -> QImage | None:
        return self._image

    def put(self, image: QImage | None) -> None:
        self._image = image
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(t.color("border"))
        painter.setBrush(t.color("canvas"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 9, 9)
        if self._image is not None:
            size = self._image.deviceIndependentSize()
            at = QRectF(
                (self.width() - size.width()) / 2, (self.height() - size.height()) / 2, size.width(), size.height()
            )
            painter.drawImage(at, self._image)
        painter.end()


class ComposePage(QWidget):
    """Signals: chosen(Drawn), back(). What is drawn follows each choice; what does not go together is told."""

    chosen = Signal(object)
    back = Signal()
    drew = Signal()

    def __init__(self, plugins: Loaded, parent: QWidget) -> None:
        super().__init__(parent)
        self.plugins = plugins
        self.composition = fitting(Composition())
        self.drawn: Drawn | None = None
        """The drawing of what is chosen now; None until it is there."""
        self._take_when_drawn = False
        self._background = Background(self)
        self._background.done.connect(self._made)
        self._background.failed.connect(self._failed)
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self._draw)
        self.given = self._choice("given", list(zip(GIVEN.values(), GIVEN, strict=True)))
        self.asked = self._choice("asked", list(zip(ASKED.values(), ASKED, strict=True)))
        self.direction = self._choice("both_ways", list(DIRECTIONS))
        self.cell = self._choice("cell", [(cell, cell) for cell in (*CELLS, *TREE_CELLS)])
        self.layers = self._choice("depth", [(_depth(n), n) for n in range(1, DEEPEST + 1)])
        self.attention = self._choice("attention", list(ATTENTION))
        self.note = QLabel(wordWrap=True)
        self.note.setProperty("role", "muted")
        self.says = QLabel(wordWrap=True)
        self.picture = LivePicture()
        self.picture.resized.connect(self._paint_again)
        self.draw_button = QPushButton("Draw it")
        self.draw_button.setDefault(True)
        self.draw_button.clicked.connect(self.take)
        self.back_button = QPushButton("Back")
        self.back_button.setAutoDefault(False)
        self.back_button.clicked.connect(self.back)
        self._lay_out()
        theme.changes().changed.connect(self._paint_again)
        self._show()

    def _choice(self, name: str, entries: list[tuple[str, object]]) -> QComboBox:
        box = QComboBox()
        for words, value in entries:
            box.addItem(words, value)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(LETTERS)
        box.activated.connect(lambda _: self._choose(name, box.currentData()))
        return box

    def _lay_out(self) -> None:
        title = QLabel("Compose a network")
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.7)
        font.setWeight(font.Weight.DemiBold)
        title.setFont(font)
        form = QFormLayout()
        form.setVerticalSpacing(10)
        form.setHorizontalSpacing(12)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for words, box in (
            ("What comes in", self.given),
            ("What goes out", self.asked),
            ("Direction", self.direction),
            ("Cell", self.cell),
            ("Depth", self.layers),
            ("Attention", self.attention),
        ):
            label = QLabel(words)
            label.setBuddy(box)
            box.setAccessibleName(words)
            form.addRow(label, box)
        buttons = QHBoxLayout()
        buttons.addWidget(self.back_button)
        buttons.addStretch(1)
        buttons.addWidget(self.draw_button)
        inside = QWidget()
        side = QVBoxLayout(inside)
        side.setContentsMargins(0, 0, 6, 0)
        side.setSpacing(12)
        side.addLayout(form)
        side.addWidget(self.says)
        side.addWidget(self.note)
        side.addStretch(1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setObjectName("startScroll")
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inside)
        scroll.setMinimumWidth(inside.minimumSizeHint().width() + SCROLL_BAR)
        left = QVBoxLayout()
        left.setSpacing(14)
        left.addWidget(title)
        left.addWidget(scroll, 1)
        left.addLayout(buttons)
        row = QHBoxLayout(self)
        row.setContentsMargins(28, 26, 28, 26)
        row.setSpacing(24)
        row.addLayout(left, 2)
        row.addWidget(self.picture, 5)

    @property
    def stops(self) -> list[QWidget]:
        """Where Tab goes, in order."""
        boxes = (self.given, self.asked, self.direction, self.cell, self.layers, self.attention)
        return [*boxes, self.back_button, self.draw_button]

    def begin(self) -> None:
        """The page is shown: draw what is chosen."""
        self.given.setFocus()
        self._show()
        self._draw()

    def stop(self) -> None:
        self._rest.stop()
        self._background.forget()
        self._take_when_drawn = False

    # Choosing

    def _choose(self, name: str, value: object) -> None:
        self.composition = fitting(replace(self.composition, **{name: value}))  # type: ignore[arg-type]
        self.drawn = None
        self._show()
        self._rest.start()

    def _show(self) -> None:
        """The boxes as the composition is; what cannot be is grey, and the reason stands below."""
        there = self.composition
        cells = TREE_CELLS if there.given == "tree" else CELLS
        _only(self.asked, [asked for given, asked in DATA if given == there.given])
        _only(self.cell, list(cells))
        told = []
        for name, box, words in (
            ("both_ways", self.direction, "Direction"),
            ("cell", self.cell, "Cell"),
            ("depth", self.layers, "Depth"),
            ("attention", self.attention, "Attention"),
        ):
            why = refused(there, name)
            box.setEnabled(not why)
            box.setToolTip(why)
            if why:
                told.append(f"{words}: {why}")
        for box, value in (
            (self.given, there.given),
            (self.asked, there.asked),
            (self.direction, there.both_ways),
            (self.cell, there.cell),
            (self.layers, there.depth),
            (self.attention, there.attention),
        ):
            box.setCurrentIndex(box.findData(value))
        self.note.setText("\n".join(told))

    # Drawing

    def _draw(self) -> None:
        wanted, catalog = self.composition, self.plugins.catalog
        self._background.ask(lambda: Drawn(*compose(wanted, catalog)))

    def _made(self, drawn: Drawn) -> None:
        self.drawn = laid_out(drawn, self.plugins.catalog)
        data = self.drawn.design.data
        self.says.setText(f"{drawn.design.doc.partition(',')[0]}. Data: {data.path if data is not None else 'none'}.")
        self._paint_again()
        self.drew.emit()
        if self._take_when_drawn:
            self.take()

    def _failed(self, error: StudioError) -> None:
        self.note.setText(str(error))

    def _paint_again(self) -> None:
        if self.drawn is not None and self.isVisible():
            room = self.picture.size() - QSize(16, 16)
            self.picture.put(picture_of(self.drawn, self.plugins, room, self.devicePixelRatioF()))

    def take(self) -> None:
        """Take what is chosen, as soon as it is drawn."""
        if self.drawn is None:
            self._take_when_drawn = True
            self._rest.stop()
            self._draw()
            return
        self._take_when_drawn = False
        self.chosen.emit(self.drawn)


def _depth(layers: int) -> str:
    return "one layer" if layers == 1 else f"{layers} layers"


def _only(box: QComboBox, values: list[str]) -> None:
    """Of all entries of a box, let these be chosen."""
    for row in range(box.count()):
        item = box.model().item(row)  # type: ignore[attr-defined]
        item.setEnabled(box.itemData(row) in values)
