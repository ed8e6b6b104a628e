"""What the window's thread spends: on a large drawing, on plots of a long run, on records of the history.

Offscreen, so that it runs anywhere. What else the machine does hardly counts: the clock is the thread's own.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPEATS = 5


def milliseconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """The least of several tries, of this thread's processor time."""
    found = []
    for _ in range(repeats):
        began = time.thread_time()
        work()
        found.append(time.thread_time() - began)
    return min(found) * 1000


def main() -> None:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("CONFIG", "CACHE", "DATA", "STATE"):
            os.environ[f"XDG_{kind}_HOME"] = str(Path(folder) / kind.lower())
        rows = [*_drawing(), *_plots(), _history(Path(folder))]
    print(f"{'what the window does':58}{'ms':>9}")
    for what, spent in rows:
        print(f"{what:58}{spent:>9.3f}")


def _drawing() -> list[tuple[str, float]]:
    from PySide6.QtWidgets import QApplication

    from rnnstudio.studio.app import application
    from rnnstudio.studio.window import DISCARD, MainWindow
    from tests.studio.window.hands import thousand_nodes

    application()
    window = MainWindow()
    window.ask_unsaved = lambda: DISCARD
    window.resize(1440, 900)
    window.show()
    design = thousand_nodes()

    def opened() -> None:
        window.session.new(design)
        QApplication.processEvents()

    rows = [
        ("open 1,000 nodes and check them", milliseconds(opened, 2)),
        ("paint them", milliseconds(window.view.grab)),
    ]
    window.session.new()
    window.close()
    return rows


def _plots() -> list[tuple[str, float]]:
    from PySide6.QtWidgets import QApplication

    from rnnstudio.studio.live import Live
    from rnnstudio.studio.plots.curves import Curves
    from rnnstudio.studio.plots.gradients import GradientPlot
    from rnnstudio.studio.plots.loss import LossPlot
    from rnnstudio.studio.session import Session
    from rnnstudio.training.events import StepDone

    session = Session()
    live = Live(session)
    live.curves = Curves.of((_step(number) for number in range(1, 100_001)), "long", Path("long"))
    rows = []
    for kind in (LossPlot, GradientPlot):
        plot = kind(live)
        plot.resize(800, 320)
        plot.show()
        QApplication.processEvents()

        def drawn(plot: LossPlot | GradientPlot = plot) -> None:
            live.curves.take(StepDone(100_001, 1000.0, 1, 1.0, 0.01, 0.5, False, 320, 3e4))
            live.drawn.emit()
            plot.grab()

        rows.append((f"one more step of 100,000 in {kind.__name__}", milliseconds(drawn)))
        plot.deleteLater()
    live.close()
    session.close()
    return rows


def _step(number: int):
    from rnnstudio.training.events import StepDone

    return StepDone(number, number * 0.01, 1, 3.0 / number, 0.01, 0.5, False, 320, 3e4)


def _history(folder: Path) -> tuple[str, float]:
    from rnnstudio.training.history import History

    history, count = History(folder / "history.sqlite"), 20_000

    def recorded() -> None:
        for number in range(1, count + 1):
            history.record(_step(number))

    spent = milliseconds(recorded, 1) / count
    history.close()
    return "record a step in the history", spent
