"""Keeps Python's cycle collector on the window's thread.

A dropped panel and its signals form a cycle. Python collects cycles in whichever thread happens to allocate next, and a
Qt object destroyed in a foreign thread ends the process ("Timers cannot be stopped from another thread", then a
segmentation fault; seen when a file was read in a thread while a closed panel was garbage). So automatic collection is
off while a window is open, and a timer of the window's thread collects by the same thresholds.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

EVERY_MILLISECONDS = 500


class Collector(QObject):
    """Collects from its creation to `close()`. Several may be open; automatic collection returns with the last."""

    _open = 0

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._closed = False
        Collector._open += 1
        gc.disable()
        self._timer = QTimer(self, interval=EVERY_MILLISECONDS)
        self._timer.timeout.connect(collect_due)
        self._timer.start()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._timer.stop()
            Collector._open -= 1
            if not Collector._open:
                gc.enable()


def collect_due() -> int:
    """Collect the oldest generation whose threshold is passed, as Python itself would. Returns what was found."""
    for generation in (2, 1, 0):
        if gc.get_count()[generation] > gc.get_threshold()[generation]:
            return gc.collect(generation)
    return 0
