"""Guards against the PySide6 that drops a reference to None at every call and so ends the process after a while.

It was 6.12.0 on Python < 3.12. From 3.12 on None is never freed, and there is nothing to count; the pin is held on all.
"""

import gc
import sys
import tomllib

import PySide6
import pytest
from packaging.requirements import Requirement
from PySide6.QtCore import QObject, QPointF, QTimer, Signal
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtWidgets import QGraphicsScene, QWidget
from pytestqt.qtbot import QtBot

CALLS = 1000


class _Sender(QObject):
    sent = Signal(object)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal from Python 3.12 on")
def test_qt_calls_leave_the_count_of_none_flat(qtbot: QtBot) -> None:
    widget, scene, sender, timer = QWidget(), QGraphicsScene(), _Sender(), QTimer()
    qtbot.addWidget(widget)
    sender.sent.connect(lambda value: None)
    pixmap = QPixmap(8, 8)
    painter = QPainter(pixmap)

    def round_of_calls() -> None:
        widget.update()  # returns None
        widget.setWindowTitle("x")
        widget.setParent(None)  # takes None
        widget.parentWidget()  # returns None for a null pointer
        scene.itemAt(QPointF(0, 0), painter.transform())
        scene.clear()
        painter.drawLine(0, 0, 7, 7)
        painter.save()
        painter.restore()
        sender.sent.emit(None)  # carries None
        timer.stop()

    round_of_calls()
    gc.collect()
    before = sys.getrefcount(None)
    for _ in range(CALLS):
        round_of_calls()
    after = sys.getrefcount(None)
    painter.end()
    # Some come and go by themselves (caches, a finished thread); one a call would be 1,000 and more.
    assert abs(after - before) < CALLS // 10, f"None's count went from {before} to {after} in {CALLS} rounds"


def test_the_broken_versions_of_qt_are_excluded(pytestconfig: pytest.Config) -> None:
    project = tomllib.loads((pytestconfig.rootpath / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirement = next(r for r in map(Requirement, project["dependencies"]) if r.name == "PySide6-Essentials")
    for broken in ("6.7.3", "6.11.0", "6.11.1", "6.12.0", "6.13.0"):
        assert broken not in requirement.specifier
    assert PySide6.__version__ in requirement.specifier
