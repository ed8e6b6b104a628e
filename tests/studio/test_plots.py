"""Plots of real runs: they show what was measured, stay fast, and follow the theme."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rnnstudio.design import storage
from rnnstudio.design.edits import SetTraining
from rnnstudio.studio import theme
from rnnstudio.studio.live import Live
from rnnstudio.studio.panels.samples import SamplesPanel
from rnnstudio.studio.plots.chart import Chart, Values
from rnnstudio.studio.plots.curves import Curves, Growing, duration
from rnnstudio.studio.plots.gates import GatePlot, fractions, words_of
from rnnstudio.studio.plots.gradients import TOTAL, GradientPlot, verdict
from rnnstudio.studio.plots.loss import LossPlot
from rnnstudio.studio.session import Session
from rnnstudio.training.events import Answered, Finished, Forecast, Probed, Sampled, StepDone, Validated
from tests.training.series import continuer, series_file


@pytest.fixture(autouse=True)
def light_theme(qapp: QApplication) -> Iterator[None]:
    theme.apply(theme.LIGHT)
    yield
    theme.apply(theme.LIGHT)


def curve(steps: int, name: str = "made", folder: Path | None = None) -> Curves:
    """A run of that many steps whose loss falls from 4 towards 1."""
    curves = Curves(name, folder or Path("made"))
    for step in range(1, steps + 1):
        loss = 1 + 3 / (1 + step / 500)
        curves.take(StepDone(step, step * 0.01, 1, loss, 0.01, 0.5, step % 10 == 0, 320, 3e4))
    for step in range(100, steps + 1, max(steps // 10, 100)):
        loss = 1.1 + 3 / (1 + step / 500)
        curves.take(Validated(step, step * 0.01, "validation", 1, loss, float(np.exp(loss)), 0.4, True))
    return curves


def test_empty_plots_say_what_to_do(live: Live, qtbot: QtBot) -> None:
    samples, gradients, loss, gates = SamplesPanel(live), GradientPlot(live), LossPlot(live), GatePlot(live)
    for widget in (samples, gradients, loss, gates):
        qtbot.addWidget(widget)
        widget.show()
    for plot in (loss, gates, samples.texts, gradients.parameters):
        assert plot._empty.text().startswith("Press Train to")
        assert plot._empty.isVisible()


def test_a_trained_language_model_fills_every_plot(trained: Callable[[str], Live], live: Live, qtbot: QtBot) -> None:
    early = LossPlot(live)
    qtbot.addWidget(early)
    early.resize(600, 300)
    early.show()
    trained("char-lm")
    late, gates, gradients, samples = LossPlot(live), GatePlot(live), GradientPlot(live), SamplesPanel(live)
    for plot in (late, gates, gradients, samples):
        qtbot.addWidget(plot)
        plot.resize(600, 300)
        plot.show()
    steps = len(live.curves)
    for plot in (early, late):
        plot.grab()  # pyqtgraph finds the range when it paints
        (lines,) = plot._runs
        assert len(lines.raw.xData) == steps
        assert len(lines.validation.xData) == len(live.curves.validation_loss) > 1
        (left, right), _ = plot.chart.viewRange()
        assert left <= 1
        assert right >= steps
        assert "bits" in plot.readout._versions[0]

    nodes = [gates.chooser.itemData(place) for place in range(gates.chooser.count())]
    probe = live.curves.probes[-1]
    assert set(nodes) == set(probe.values)
    assert nodes[0] in probe.gates
    values = probe.values[nodes[0]]
    assert gates.image.image.shape == values.T.shape
    assert tuple(gates.image.levels) == (0, 1)
    closed, opened = fractions(values)
    assert f"{closed:.0%}" in gates.facts._versions[0]
    assert f"{opened:.0%}" in gates.facts._versions[0]
    state = next(node for node in nodes if node not in probe.gates)
    gates.choose(state)
    assert tuple(gates.image.levels) == (-1, 1)
    assert gates.chart.getAxis("bottom")._tickLevels, "tokens along the time axis"

    assert set(gradients.parameters._lines) == {TOTAL, *live.curves.parameters}
    gradients.grab()
    (left, right), _ = gradients.parameters.chart.viewRange()
    assert left <= 1
    assert right >= steps
    gradients.tabs.setCurrentIndex(1)
    assert "first ÷ last" in gradients.through_time.verdict._versions[0]
    assert len(gradients.through_time._lines[0].xData) == len(next(iter(probe.state_gradients.values())))
    band = {path: np.stack([x / 2, x, x * 2]) for path, x in probe.state_gradients.items()}
    state = gradients.through_time.state
    band[state][0, 0] = 0  # has no place on a logarithmic axis
    live.curves.take(dataclasses.replace(probe, batch_gradients=band))
    live.drawn.emit()
    for edge, values in zip(gradients.through_time._edges, band[state], strict=True):
        np.testing.assert_allclose(edge.getOriginalDataset()[1], values[1:])
    live.curves.take(dataclasses.replace(probe, batch_gradients={}))
    live.drawn.emit()
    assert [edge.xData for edge in gradients.through_time._edges] == [None] * 3
    assert live.curves.samples[-1].text.split("\n")[0] in samples.texts.browser.toPlainText()


@pytest.mark.parametrize(("low", "high"), [(-3.2, -1.1), (-1.7, -1.5), (-12.0, 3.0), (-0.4, 0.3)])
@pytest.mark.parametrize("size", [80.0, 150.0, 600.0])
def test_numbers_beside_a_logarithmic_axis_do_not_overlap(low: float, high: float, size: float, qtbot: QtBot) -> None:
    axis = Values("left")
    axis.setLogMode(y=True)
    levels = axis.tickValues(low, high, size)
    ticks = sorted(tick for _, some in levels for tick in some)
    assert all((b - a) / (high - low) * size >= Values.ROOM - 1e-6 for a, b in pairwise(ticks))
    assert ticks or high - low < 0.5


def test_a_narrow_chart_comes_to_rest(qtbot: QtBot) -> None:
    """Its range and the points it draws once changed each other for ever."""
    chart = Chart("value", "step")
    qtbot.addWidget(chart)
    chart.setLogMode(y=True)
    line = chart.line(0, width=2.4)
    chart.resize(120, 193)
    chart.show()
    box = chart.getViewBox()
    for steps in range(60, 200):
        line.setData(np.arange(1, steps + 1), np.where(np.arange(steps) % 2, 1.0, 1e-3))
        chart.show_all()
        seen = []
        for _ in range(30):  # what each painting does
            box._autoRangeNeedsUpdate = box._matrixNeedsUpdate = True
            box.prepareForPaint()
            line.viewRangeChanged()
            seen.append(box.viewRange()[0])
        assert seen[-1] == pytest.approx(seen[-2]), steps


def test_what_an_encoder_decoder_writes_stands_beside_the_truth(live: Live, qtbot: QtBot) -> None:
    panel = SamplesPanel(live)
    qtbot.addWidget(panel)
    panel.show()
    live.curves.take(Sampled(30, 1.0, "read <this>", "wrote that", 0.0, "wrote this"))
    live.drawn.emit()
    lines = panel.texts.browser.toPlainText().splitlines()
    assert lines[:4] == ["step 30 · most likely tokens", "read read <this>", "written wrote that", "true wrote this"]


def test_a_decoder_of_numbers_shows_its_sequences_beside_the_true_ones(
    live: Live, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    panel = SamplesPanel(live)
    qtbot.addWidget(panel)
    panel.resize(560, 300)
    panel.show()
    storage.save(continuer(series_file(tmp_path)), tmp_path / "continuer.rnn")
    assert session.open(tmp_path / "continuer.rnn")
    quick = {"steps": 20, "chunk": 8, "batch_size": 8, "carry": False, "threads": 1, "validate_every": 10}
    assert session.do(SetTraining(quick))
    assert live.train()
    qtbot.waitUntil(lambda: live.state == "idle")
    assert isinstance(live.curves.ended, Finished), live.curves.ended
    plot = panel.sequences
    assert panel.currentWidget() is plot
    newest = live.curves.answers[-1]
    assert newest.step == 20
    for example in range(3):
        plot.examples.setCurrentIndex(example)
        plot.examples.activated.emit(example)
        np.testing.assert_allclose(plot.truth.yData, newest.truth[example, :, 0])
        np.testing.assert_allclose(plot.prediction.yData, newest.prediction[example, :, 0])
    assert "after step 20 · root mean square error" in plot.facts._versions[0]
    panel.setCurrentWidget(panel.texts)
    head, read, written, true = panel.texts.browser.toPlainText().splitlines()[:4]
    assert head == "step 20 · on its own predictions"
    assert [line.count(", ") for line in (read, written, true)] == [7, 7, 7]


def test_a_forecast_that_comes_late_leaves_the_sequences_in_sight(live: Live, qtbot: QtBot) -> None:
    """While the window is busy only the newest picture of a kind reaches it: the first forecast may come last."""
    panel = SamplesPanel(live)
    qtbot.addWidget(panel)
    values = np.zeros((2, 4, 1), np.float32)
    live._take([Answered(10, 1.0, values, values, ("height",)), Forecast(20, 2.0, values[0], values[0], ("height",))])
    assert panel.currentWidget() is panel.sequences


def test_an_example_s_sequence_ends_where_its_own_steps_end(live: Live, qtbot: QtBot) -> None:
    panel = SamplesPanel(live)
    qtbot.addWidget(panel)
    panel.show()
    panel.setCurrentWidget(panel.sequences)
    truth = np.arange(8, dtype=np.float32).reshape(2, 4, 1)
    truth[1, 2:] = np.nan
    live.curves.take(Answered(10, 1.0, truth, truth + 1, ("height",)))
    live.drawn.emit()
    plot = panel.sequences
    plot.examples.setCurrentIndex(1)
    plot.examples.activated.emit(1)
    assert plot.truth.yData.tolist() == [4, 5]
    assert plot.prediction.yData.tolist() == [5, 6]


def test_a_forecaster_shows_truth_beside_prediction(trained: Callable[[str], Live], live: Live, qtbot: QtBot) -> None:
    panel = SamplesPanel(live)
    qtbot.addWidget(panel)
    panel.show()
    trained("sunspots")
    plot = panel.forecasts
    assert panel.currentWidget() is plot
    newest = live.curves.forecasts[-1]
    np.testing.assert_allclose(plot.truth.yData, newest.truth[:, 0])
    np.testing.assert_allclose(plot.prediction.yData, newest.prediction[:, 0])
    assert "root mean square error" in plot.facts._versions[0]


def test_the_newest_sample_stands_on_top(trained: Callable[[str], Live], live: Live, qtbot: QtBot) -> None:
    panel = SamplesPanel(live)
    qtbot.addWidget(panel)
    panel.show()
    trained("char-lm")
    written = panel.texts.browser.toPlainText()
    steps = [sample.step for sample in live.curves.samples]
    places = [written.index(f"step {step:,} ·") for step in steps]
    assert len(places) > 1
    assert places == sorted(places, reverse=True)


def test_the_header_reads_the_values_at_the_cursor(live: Live, qtbot: QtBot) -> None:
    live.curves = curve(1000)
    plot = LossPlot(live)
    qtbot.addWidget(plot)
    plot.resize(1100, 300)
    plot.show()
    QApplication.processEvents()  # lays the header out
    assert "<b>1,000</b>" in plot.readout.text()
    plot._point(QPointF(250.2, 1.0))
    assert "<b>251</b>" in plot.readout.text()
    assert "perplexity" in plot.readout.text()
    plot._point(None)
    assert "<b>1,000</b>" in plot.readout.text()


def test_the_legend_has_the_colour_of_the_points_before_there_are_any(live: Live, qtbot: QtBot) -> None:
    live.curves = curve(50)
    plot = LossPlot(live)
    qtbot.addWidget(plot)
    plot.show()
    (lines,) = plot._runs
    assert not len(lines.curves.validation_step)
    assert lines.validation.scatter.opts["brush"].color() == plot.chart.look.colour(1)


def test_of_a_hundred_thousand_steps_as_many_points_are_painted_as_fit(live: Live, qtbot: QtBot) -> None:
    live.curves = curve(100_000)
    plots = (LossPlot(live), GradientPlot(live))
    for plot in plots:
        qtbot.addWidget(plot)
        plot.resize(800, 320)
        plot.show()
    QApplication.processEvents()
    for plot in plots:
        for step in range(100_001, 100_006):
            live.curves.take(StepDone(step, step * 0.01, 1, 1.0, 0.01, 0.5, False, 320, 3e4))
            live.drawn.emit()
            plot.grab()
        lines = [item for chart in plot.findChildren(Chart) for item in chart.listDataItems()]
        lines = [line for line in lines if line.xData is not None and len(line.xData) > 100_000]
        assert lines, type(plot).__name__
        # What Qt has to paint follows the width of the plot, not the length of the run.
        assert max(len(line.curve.xData) for line in lines) < 8 * plot.width(), type(plot).__name__


def test_a_logarithmic_loss_axis_shows_the_same_points(live: Live, qtbot: QtBot) -> None:
    live.curves = curve(2000)
    plot = LossPlot(live)
    qtbot.addWidget(plot)
    plot.resize(600, 300)
    plot.show()
    plot.log_button.click()
    plot.chart.getViewBox().updateAutoRange()
    _, (low, high) = plot.chart.viewRange()
    assert low == pytest.approx(np.log10(live.curves.loss.min()), abs=0.1)
    assert high == pytest.approx(np.log10(live.curves.loss.max()), abs=0.1)


def test_two_runs_stand_side_by_side(live: Live, qtbot: QtBot) -> None:
    live.curves = curve(500, "net-2", Path("net-2"))
    plot = LossPlot(live)
    qtbot.addWidget(plot)
    plot.show()
    live.compare(curve(800, "net-1", Path("net-1")))
    assert [lines.curves.name for lines in plot._runs] == ["net-2", "net-1"]
    texts = [label.text for _, label in plot.legend.items]
    assert texts == ["net-2: training", "net-2: validation", "net-1: training", "net-1: validation"]
    live.forget(Path("net-1"))
    assert [lines.curves.name for lines in plot._runs] == ["net-2"]
    assert len(plot.legend.items) == 2


def test_plots_follow_the_theme(live: Live, qtbot: QtBot) -> None:
    live.curves = curve(300)
    live.curves.take(Probed(300, 3.0, {"gate": np.full((8, 4), 0.5, np.float32)}, ("gate",), {}, tuple("abcdefgh")))
    for plot in (LossPlot(live), GatePlot(live), GradientPlot(live)):
        qtbot.addWidget(plot)
        plot.resize(500, 300)
        plot.show()
        light = plot.grab().toImage()
        theme.apply(theme.DARK)
        QApplication.processEvents()
        dark = plot.grab().toImage()
        theme.apply(theme.LIGHT)
        corner = (plot.width() - 3, plot.height() - 3)
        assert light.pixelColor(*corner).lightnessF() > 0.8
        assert dark.pixelColor(*corner).lightnessF() < 0.3


@pytest.mark.parametrize(("a_step", "said"), [(0.8, "vanishes"), (1.25, "explodes"), (1.0, "steady"), (0.95, "steady")])
def test_the_verdict_on_gradients_through_time(a_step: float, said: str) -> None:
    norms = a_step ** np.arange(99, -1, -1).astype(np.float64)
    kind, words = verdict(norms)
    assert kind == said
    assert f"{a_step:.3f} a step" in words[1]


def test_the_verdict_on_gaps_ends_and_nothing() -> None:
    alone = np.zeros(1000)
    alone[-1] = 2.0
    kind, words = verdict(alone)
    assert kind == "vanishes"
    assert "reaches the last step alone" in words[1]
    cut = np.where(np.arange(100) >= 40, 0.9 ** (99 - np.arange(100)), 0.0)
    kind, words = verdict(cut)
    assert kind == "vanishes"
    assert "0 beyond 59 steps back" in words[1]
    assert "0.900 a step" in words[1]
    every_second = np.where(np.arange(100) % 2 == 1, 0.98 ** (99 - np.arange(100)), 0.0)
    kind, words = verdict(every_second)
    assert kind == "steady"
    assert "0.980 a step" in words[1]
    read_late = np.append(np.ones(50), 0.0)  # the last step's loss reads the state of the step before
    assert verdict(read_late)[0] == "steady"
    assert verdict(np.zeros(20))[0] == "none"
    assert verdict(np.ones(1))[0] == "none"
    assert verdict(np.array([np.inf, 1.0]))[0] == "explodes"


def test_gates_closed_and_open_are_counted() -> None:
    values = np.array([[0.05, 0.95], [0.5, 0.02]], np.float32)
    assert fractions(values) == (0.5, 0.25)


def test_letters_join_to_words() -> None:
    assert words_of(tuple("to be\nor"), 0, 8) == [(0, 2, "to"), (3, 5, "be"), (6, 8, "or")]
    assert words_of(("the", "fox"), 0, 2) == [(0, 1, "the"), (1, 2, "fox")]


def test_growing_tables_keep_all_rows() -> None:
    table = Growing(2)
    for value in range(1000):
        table.append(value, -value)
    table.extend(np.ones((700, 2)))
    assert len(table) == 1700
    np.testing.assert_array_equal(table.column(0)[:1000], np.arange(1000))
    table.keep(10)
    np.testing.assert_array_equal(table.column(1), -np.arange(10.0))


@pytest.mark.parametrize(("seconds", "text"), [(7.4, "7 s"), (200, "3 min 20 s"), (3900, "1 h 05 min")])
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
