"""Hands in the run: values that are held and wires that are cut while one looks, and the list of them.

Nothing of it touches the model or the design: each look is asked with them, and comes with and without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QGridLayout,
    QMenu,
    QPushButton,
    QSpinBox,
    QToolButton,
    QWidget,
)

from .steps import ONCE, Part, Unrolled

IN_A_ROW = 4
LARGE = 1e6


@dataclass(frozen=True, slots=True)
class Hold:
    """The value at `path` is `value`: at `unit` and at `step`; None: everywhere."""

    path: str
    value: float
    unit: int | None = None
    step: int | None = None

    def __str__(self) -> str:
        return f"{self.path}{'' if self.unit is None else f'[{self.unit}]'}{_at(self.step)} = {self.value:g}"


@dataclass(frozen=True, slots=True)
class Cut:
    """Nothing comes from `source` to `target`, at `step`; None: everywhere."""

    source: str
    target: str
    step: int | None = None

    def __str__(self) -> str:
        same = self.source == self.target
        return f"{self.source} forgets{_at(self.step)}" if same else f"{self.source} ✂ {self.target}{_at(self.step)}"


@dataclass(frozen=True, slots=True)
class Asked:
    """The output whose gradient is looked at in place of the loss."""

    path: str
    unit: int | None = None
    step: int | None = None

    def __str__(self) -> str:
        return f"{self.path}{'' if self.unit is None else f'[{self.unit}]'}{_at(self.step)}"


class Hands(QWidget):
    """The list of what is held and cut, each with a ✕. Signal: changed() when another look is wanted."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.all: list[Hold | Cut] = []
        self.buttons: list[QToolButton] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(6)
        self._show()

    def put(self, done: Hold | Cut) -> None:
        """Hold or cut this, too. The same place held again is held at the new value."""
        same = [x for x in self.all if _place(x) != _place(done)]
        self.all = [*same, done]
        self._show()
        self.changed.emit()

    def let_go(self, done: Hold | Cut) -> None:
        self.all.remove(done)
        self._show()
        self.changed.emit()

    def clear(self) -> None:
        """Let go of everything, without a word: of another drawing, or another run."""
        self.all = []
        self._show()

    def question(self) -> dict[str, Any]:
        """What a look is asked with."""
        holds = [{"path": x.path, "value": x.value, "unit": x.unit, "step": x.step} for x in _of(self.all, Hold)]
        cuts = [{"source": x.source, "target": x.target, "step": x.step} for x in _of(self.all, Cut)]
        return {"holds": holds, "cuts": cuts}

    def _show(self) -> None:
        for button in self.buttons:
            self._grid.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = []
        for n, done in enumerate(self.all):
            button = QToolButton(autoRaise=True)
            button.setText(f"{done}  ✕")
            button.setToolTip("Let it go: look at the run without it")
            button.setAccessibleName(f"let go of {done}")
            button.clicked.connect(lambda _=False, done=done: self.let_go(done))
            self._grid.addWidget(button, n // IN_A_ROW, n % IN_A_ROW, Qt.AlignmentFlag.AlignLeft)
            self.buttons.append(button)
        self.setVisible(bool(self.all))


class HoldForm(QFrame):
    """Hold a number, at one unit or at all of them, at one step or at all of them. Enter holds, Esc leaves."""

    def __init__(self, path: str, units: int, step: int | None, held: Callable[[Hold], None], parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._path, self._step, self._held = path, step, held
        self.value = QDoubleSpinBox(minimum=-LARGE, maximum=LARGE, decimals=3, singleStep=0.1)
        self.value.setAccessibleName("value")
        self.unit = QSpinBox(minimum=-1, maximum=max(units - 1, -1), value=-1)
        self.unit.setSpecialValueText("every unit")
        self.unit.setAccessibleName("unit")
        self.every = QCheckBox("at every step")
        self.every.setChecked(step is None)
        self.every.setEnabled(step is not None)
        self.button = QPushButton("Hold", default=True)
        self.button.clicked.connect(self._done)
        rows = QFormLayout(self)
        rows.addRow(f"Hold {path} at", self.value)
        rows.addRow("of", self.unit)
        rows.addRow(self.every)
        rows.addRow(self.button)

    def keyPressEvent(self, event: Any) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._done()
        else:
            super().keyPressEvent(event)

    def _done(self) -> None:
        unit = self.unit.value() if self.unit.value() >= 0 else None
        step = None if self.every.isChecked() else self._step
        self.close()
        self._held(Hold(self._path, self.value.value(), unit, step))

    def show_at(self, where: QPoint) -> None:
        """Beside the mouse, the number ready to be typed."""
        self.move(where)
        self.show()
        self.value.setFocus()
        self.value.selectAll()


def box_menu(
    part: Part,
    step: int,
    units: int,
    unrolled: Unrolled,
    tokens: frozenset[str],
    hands: Hands,
    ask: Callable[[Asked], None],
    where: QPoint,
    parent: QWidget,
) -> QMenu:
    """What can be done to a box at a step. units: of its value, 0 where it has none that can be held.

    tokens: parts that give tokens; their wires cannot be cut.
    """
    menu = QMenu(parent)
    here = None if step == ONCE else step
    place = part.path + ("" if here is None else f" at {part.axis} {step}")
    menu.addAction(place).setEnabled(False)
    menu.addSeparator()
    scopes: list[tuple[str, int | None]] = [("", None)] if here is None else [("here", here), ("at every step", None)]
    if units:
        for word, at in scopes:
            for number in (0.0, 1.0):
                menu.addAction(
                    f"Hold at {number:g} {word}".rstrip(),
                    partial(hands.put, Hold(part.value, number, None, at)),
                )
        menu.addAction(
            "Hold a number, or one unit…", lambda: HoldForm(part.value, units, here, hands.put, parent).show_at(where)
        )
    for source in _sources(part, step, unrolled, tokens):
        what = "Forget what it remembers" if source == part.path else f"Cut the wire from {source}"
        for word, at in scopes:
            menu.addAction(f"{what} {word}".rstrip(), partial(hands.put, Cut(source, part.path, at)))
    if units:
        menu.addSeparator()
        menu.addAction("What it listened to: ∂ of it", lambda: ask(Asked(part.value, None, here)))
    if len(menu.actions()) == 2:
        menu.addAction("Nothing here can be held").setEnabled(False)
    return menu


def _sources(part: Part, step: int, unrolled: Unrolled, tokens: frozenset[str]) -> tuple[str, ...]:
    """The parts whose wires come in, each once."""
    found = (
        link.source for link in unrolled.links if link.target == part.path and link.target_step == step and link.source
    )
    return tuple(dict.fromkeys(source for source in found if source not in tokens))


def _of(done: list[Hold | Cut], kind: type[Any]) -> list[Any]:
    return [x for x in done if isinstance(x, kind)]


def _place(done: Hold | Cut) -> tuple[object, ...]:
    if isinstance(done, Hold):
        return ("hold", done.path, done.unit, done.step)
    return ("cut", done.source, done.target, done.step)


def _at(step: int | None) -> str:
    return "" if step is None else f" @ {step}"
