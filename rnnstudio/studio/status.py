"""The right end of the status bar: the zoom, what the drawing costs, what the check found.

Costs are counted in a thread, when the person rests; the numbers before stay until the new ones are there.
"""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from ..compiler.check import Checked
from ..design.design import MAIN
from ..training.step_costs import StepCosts, step_costs
from .background import Background
from .icons import icon
from .session import Session

REST_MS, LONG_REST_MS = 120, 900
"""Before a small and a large drawing is counted: a thread takes its share of the window's time."""


class StatusParts(QWidget):
    """Signals: problemsWanted(); counted() when new costs are shown. costs: of the drawing as it was counted last."""

    problemsWanted = Signal()
    counted = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.costs: StepCosts | None = None
        self._longest: Mapping[str, int] | None = None
        self._cuttable = True
        self._closed = False
        self._checked = session.seen
        self.zoom = QLabel("100 %")
        self.cost = QLabel()
        self.cost.setObjectName("costs")
        self.cost.setMinimumWidth(40)  # a small window shows its beginning, the tip all of it
        self.check = QToolButton(autoRaise=True)
        self.check.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.check.setIconSize(QSize(16, 16))
        self.check.clicked.connect(self.problemsWanted)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 8, 0)
        row.setSpacing(12)
        for part in (self.cost, self.zoom, self.check):
            row.addWidget(part)
        self._background = Background(self)
        self._background.done.connect(self._take)
        self._rest = QTimer(self, singleShot=True)
        self._rest.timeout.connect(self._count)
        session.checkedChanged.connect(self.show_check)
        session.opened.connect(lambda: self.take_lengths(None, True))
        session.focus.selectionChanged.connect(self._show_costs)
        session.focus.trailChanged.connect(self._show_costs)
        self.show_check(self._checked)

    @property
    def busy(self) -> bool:
        """Whether what is shown is still to be counted anew."""
        return self._rest.isActive() or self._background.waiting

    def show_zoom(self, zoom: float) -> None:
        self.zoom.setText(f"{100 * zoom:.0f} %")

    def take_lengths(self, longest: Mapping[str, int] | None, cuttable: bool) -> None:
        """How long the data's examples are, by its axes; None: nobody has read it."""
        if (longest, cuttable) != (self._longest, self._cuttable):
            self._longest, self._cuttable = longest, cuttable
            self._rest.start(REST_MS)

    # What the check found

    def show_check(self, checked: Checked) -> None:
        lacking = self.session.quiet(checked)
        told = [d for d in checked.diagnostics if d not in lacking]
        errors = sum(d.severity == "error" for d in told)
        others = len(told) - errors
        if errors:
            picture, role = "error", "error"
            text = f"{errors} problem{'s' if errors > 1 else ''}"
            text += f" · {others} remark{'s' if others > 1 else ''}" if others else ""
        elif not checked.design.graph.nodes:
            picture, role, text = "hint", "muted", "empty drawing"
        elif others:
            picture, role, text = "warning", "warning", f"{others} remark{'s' if others > 1 else ''}"
        elif lacking:
            picture, role, text = "hint", "muted", "not finished"
        elif checked.design.data is None:
            picture, role, text = "hint", "muted", "no data yet"
        else:
            picture, role, text = "ok", "good", "no problems"
        self.check.setIcon(icon(picture, role))
        self.check.setText(text)
        self._checked = checked
        if not self._closed:
            self._rest.start(REST_MS if self.session.small else LONG_REST_MS)

    # What it costs

    def _count(self) -> None:
        checked, catalog = self._checked, self.session.catalog
        longest, cuttable = self._longest, self._cuttable
        self._background.ask(lambda: step_costs(checked, catalog, longest, cuttable))

    def _take(self, costs: StepCosts | None) -> None:
        self.costs = costs
        self._show_costs()
        self.counted.emit()

    def _show_costs(self) -> None:
        focus, costs = self.session.focus, self.costs
        self.cost.setVisible(costs is not None)
        if costs is None:
            return
        chosen = focus.nodes if focus.graph == MAIN else ()
        shown = costs.of(chosen) if chosen else costs
        begin = f"{len(chosen)} selected: " if chosen else ""
        self.cost.setText(f"{begin}{shown.text()}" + (" (so far)" if costs.partial else ""))
        parts = [
            f"<b>{title}</b><br>{'<br>'.join(_spaced(line) for line in of.lines())}"
            for title, of in (
                *((("Selected", shown),) if chosen else ()),
                ("The whole drawing", costs),
            )
        ]
        self.cost.setToolTip("<p>" + "</p><p>".join(parts) + "</p>")

    def shut(self) -> None:
        """The window closes."""
        self._closed = True
        self._rest.stop()
        self._background.forget()


def _spaced(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace("    ", "&nbsp;" * 4)
