"""What simple models reach stands beside the losses, in the panel and as lines in the plot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from rnnstudio.design.design import Design
from rnnstudio.design.edits import SetTraining
from rnnstudio.studio.live import Live
from rnnstudio.studio.panels.training import TrainingPanel
from rnnstudio.studio.plots.curves import Curves
from rnnstudio.studio.plots.loss import LossPlot
from rnnstudio.studio.session import Session
from rnnstudio.training.events import Baselines, StepDone, Validated
from rnnstudio.training.runs import Run

VALUES = {"unigram": 3.3, "bigram": 2.5}


def curves() -> Curves:
    made = Curves("run", Path("run"))
    for step in (1, 2, 3):
        made.take(StepDone(step, step * 0.5, 1, 4.0 - step, 0.1, 1.0, False, 8, 16.0))
    made.take(Validated(3, 1.5, "validation", 1, 2.0, None, None, True))
    made.take(Baselines(3, 1.5, VALUES, {}))
    return made


def test_they_are_lines_in_the_plot_whether_the_axis_is_logarithmic_or_not(live: Live, qtbot: QtBot) -> None:
    plot = LossPlot(live)
    qtbot.addWidget(plot)
    plot.resize(500, 300)
    plot.show()
    live.curves = curves()
    plot.draw()
    lines = plot.baselines._lines
    assert all(line.scene() is plot.chart.scene() for line in lines)
    assert [line.value() for line in lines] == [3.3, 2.5]
    assert [line.label.format for line in lines] == ["unigram 3.300", "bigram 2.500"]
    button = plot.log_button
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton, pos=QPoint(8, button.height() // 2))
    assert plot.log_button.isChecked()
    assert [line.value() for line in lines] == pytest.approx(np.log10([3.3, 2.5]))
    live.curves = Curves("another", Path("another"))
    plot.draw()
    assert plot.baselines.values == {}


def test_a_training_tells_them_once_beside_its_first_validation_and_keeps_them(
    session: Session, live: Live, open_example: Callable[[str], Design], qtbot: QtBot
) -> None:
    panel = TrainingPanel(session, live)
    qtbot.addWidget(panel)
    panel.show()
    open_example("sunspots")
    session.do(SetTraining({"epochs": 2}))
    qtbot.mouseClick(panel.train_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: live.state == "idle" and live.curves.baselines is not None)
    assert panel.readings.text("To beat").endswith("(AR(9))")
    assert live.curves.folder is not None
    told = [event for event in Run.open(live.curves.folder).events() if isinstance(event, Baselines)]
    assert [list(event.values) for event in told] == [["mean", "persistence", "AR(9)"]]
    assert Curves.stored(Run.open(live.curves.folder)).baselines == told[0]
