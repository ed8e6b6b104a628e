"""Small parts of forms: inputs that let the wheel scroll past them, a fold, icons of a player, words for an error."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal, SignalInstance
from PySide6.QtGui import QColor, QIcon, QKeyEvent, QPainter, QPixmap, QPolygonF, QWheelEvent
from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QLineEdit, QSpinBox, QToolButton, QVBoxLayout, QWidget

from ..theme import current


class Combo(QComboBox):
    """A choice whose items carry values. The wheel scrolls the form unless the list has been clicked."""

    def __init__(self, *items: tuple[str, object], tip: str = "") -> None:
        super().__init__()
        for text, value in items:
            self.addItem(text, value)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setToolTip(tip)

    def wheelEvent(self, event: QWheelEvent) -> None:
        _wheel(self, event, super().wheelEvent)

    def put(self, value: object) -> None:
        """Show a value, without a signal; one that is no item is added."""
        self.blockSignals(True)
        place = self.findData(value)
        if place < 0:
            self.addItem(str(value), value)
            place = self.count() - 1
        self.setCurrentIndex(place)
        self.blockSignals(False)


class Spin(QSpinBox):
    """A whole number. It tells of a change when the person is done typing."""

    def __init__(self, low: int, high: int, *, tip: str = "", suffix: str = "", zero: str = "") -> None:
        super().__init__()
        self.setRange(low, high)
        self.setSuffix(suffix)
        self.setSpecialValueText(zero)
        self.setKeyboardTracking(False)
        self.setMinimumHeight(QComboBox().sizeHint().height())
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setToolTip(tip)
        self.lineEdit().setTextMargins(4, 0, 0, 0)  # as the texts of other fields

    def wheelEvent(self, event: QWheelEvent) -> None:
        _wheel(self, event, super().wheelEvent)

    def put(self, value: int) -> None:
        """Show a value, without a signal."""
        self.blockSignals(True)
        self.setValue(value)
        self.blockSignals(False)

    def finish(self) -> str:
        """Take what is typed as if the field had been left; returns what is wrong with it, or ""."""
        if not self.hasAcceptableInput():
            typed = self.cleanText().strip()
            return f"“{typed}” is not a whole number from {self.minimum():,} to {self.maximum():,}"
        self.interpretText()
        return ""


def _wheel(widget: QWidget, event: QWheelEvent, turn: Callable[[QWheelEvent], None]) -> None:
    if widget.hasFocus():
        turn(event)
    else:
        event.ignore()


class Entry(QLineEdit):
    """A line whose text must pass `check` (which returns what is wrong, or ""). A wrong text changes nothing.

    Signals: entered(str) when a good text is finished; wrong(str) with the reason, "" when the text is good again.
    """

    entered = Signal(str)
    wrong = Signal(str)

    def __init__(self, check: Callable[[str], str], *, tip: str = "") -> None:
        super().__init__()
        self._check = check
        self._good = ""
        self.reason = ""
        self.setToolTip(tip)
        self.editingFinished.connect(self._finish)
        self.textEdited.connect(self._edited)

    def put(self, text: str, *, anew: bool = False) -> None:
        """Show a value from outside. What a person is typing, or typed wrong, stays until the value is another.

        anew: the value belongs to another document, and what was typed to the one before.
        """
        typing = self.hasFocus() and self.isModified()
        if not anew and (typing or (self.reason and text == self._good)):
            self._good = text
            return
        self._good = text
        self.setText(text)
        self._tell("")

    def finish(self) -> str:
        """Take what is typed as if the field had been left; returns what is wrong with it, or ""."""
        self._finish()
        return self.reason

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.text() != self._good:
            self.setText(self._good)
            self._tell("")
            return
        super().keyPressEvent(event)

    def _edited(self) -> None:
        if self.reason:
            self._tell(self._check(self.text()))

    def _finish(self) -> None:
        if self.text() == self._good:
            self._tell("")
            return
        reason = self._check(self.text())
        self._tell(reason)
        if not reason:
            self._good = self.text()
            self.setModified(False)
            self.entered.emit(self.text())

    def _tell(self, reason: str) -> None:
        if reason != self.reason:
            self.reason = reason
            self.setProperty("wrong", bool(reason))
            self.style().unpolish(self)
            self.style().polish(self)
            self.wrong.emit(reason)


class Fold(QWidget):
    """A heading that opens and closes the form below it."""

    def __init__(self, title: str, *, is_open: bool = False) -> None:
        super().__init__()
        self._button = QToolButton()
        self._button.setText(title)
        self._button.setCheckable(True)
        self._button.setChecked(is_open)
        self._button.setAutoRaise(True)
        self._button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._button.toggled.connect(self._turn)
        self.content = QWidget()
        self.form = form_of(self.content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._button)
        layout.addWidget(self.content)
        self._turn(is_open)

    @property
    def is_open(self) -> bool:
        return self._button.isChecked()

    @property
    def turned(self) -> SignalInstance:
        """Sent when it is opened or closed: whether it is open."""
        return self._button.toggled

    def set_title(self, title: str) -> None:
        self._button.setText(title)

    def set_open(self, is_open: bool) -> None:
        self._button.setChecked(is_open)

    def _turn(self, is_open: bool) -> None:
        self._button.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self.content.setVisible(is_open)


def form_of(widget: QWidget) -> QFormLayout:
    """A form whose labels stay on one line and whose fields take the rest of the width."""
    form = QFormLayout(widget)
    form.setContentsMargins(0, 0, 0, 0)
    form.setHorizontalSpacing(10)
    form.setVerticalSpacing(5)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return form


def align_labels(*forms: QFormLayout) -> None:
    """Give the labels of several forms one width, so that the fields below each other stand in one column."""
    labels = []
    for form in forms:
        for row in range(form.rowCount()):
            item = form.itemAt(row, QFormLayout.ItemRole.LabelRole)
            label = item.widget() if item is not None else None
            if label is not None:
                labels.append(label)
    widest = max((label.sizeHint().width() for label in labels), default=0)
    for label in labels:
        label.setMinimumWidth(widest)


def sentence(text: str) -> str:
    """With a capital at its beginning."""
    return text[:1].upper() + text[1:]


def note(text: str = "", role: str = "muted") -> QLabel:
    """A wrapping label in one of the theme's roles: "muted", "faint", "problem", "heading", "section"."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setProperty("role", role)
    return label


def set_role(label: QWidget, role: str) -> None:
    """Change a widget's role in the theme's style sheet."""
    if label.property("role") != role:
        label.setProperty("role", role)
        label.style().unpolish(label)
        label.style().polish(label)


class PlayerButton(QToolButton):
    """A button with one of the player's signs: play, pause, stop, step. The sign follows the theme."""

    def __init__(self, shape: str, text: str, tip: str, role: str = "text") -> None:
        super().__init__()
        self._shape = shape
        self._role = role
        self.setText(text)
        self.setToolTip(tip)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setIconSize(QSize(14, 14))
        self._paint_icon()

    def show_as(self, shape: str, text: str, tip: str) -> None:
        """Another sign and another text on the same button."""
        self._shape = shape
        self.setText(text)
        self.setToolTip(tip)
        self._paint_icon()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_shape"):
            self._paint_icon()

    def _paint_icon(self) -> None:
        theme = current()
        icon = QIcon(player_sign(self._shape, theme.color(self._role)))
        icon.addPixmap(player_sign(self._shape, theme.color("faint")), QIcon.Mode.Disabled)
        self.setIcon(icon)


def player_sign(shape: str, colour: QColor, size: int = 14) -> QPixmap:
    """▶ ‖ ■ ▶| as a pixmap, sharp up to 3 ×."""
    pixmap = QPixmap(size * 3, size * 3)
    pixmap.setDevicePixelRatio(3)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    unit = size / 14
    painter.scale(unit, unit)
    if shape == "play":
        painter.drawPolygon(QPolygonF([QPointF(3, 1.5), QPointF(12.5, 7), QPointF(3, 12.5)]))
    elif shape == "pause":
        painter.drawRoundedRect(QRectF(3, 2, 3, 10), 0.8, 0.8)
        painter.drawRoundedRect(QRectF(8, 2, 3, 10), 0.8, 0.8)
    elif shape == "stop":
        painter.drawRoundedRect(QRectF(2.5, 2.5, 9, 9), 1, 1)
    elif shape == "step":
        painter.drawPolygon(QPolygonF([QPointF(2, 2), QPointF(9, 7), QPointF(2, 12)]))
        painter.drawRoundedRect(QRectF(9.5, 2, 2.5, 10), 0.8, 0.8)
    else:
        raise ValueError(f"no sign called {shape}")
    painter.end()
    return pixmap
