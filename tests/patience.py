"""A pytest plugin: who waits for an event in a test waits until it comes, or until the suite's own time limit.

A limit of its own made a test fail on a machine that did other work beside it, and said nothing about the code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

_NEVER = 2**31 - 1
"""Milliseconds, for what pytest-qt cannot wait without a number; longer than any limit of the suite."""


class PatientBot(QtBot):
    """pytest-qt's helper, whose waits have no limit of their own. Its `wait`, which sleeps, stays as it is."""

    def waitSignal(self, signal: Any, *, timeout: int | None = None, **options: Any) -> Any:
        return super().waitSignal(signal, timeout=timeout, **options)

    def waitSignals(self, signals: Any, *, timeout: int | None = None, **options: Any) -> Any:
        return super().waitSignals(signals, timeout=timeout, **options)

    def waitUntil(self, callback: Callable[[], bool | None], *, timeout: int = _NEVER) -> None:
        super().waitUntil(callback, timeout=timeout)

    def waitCallback(self, *, timeout: int | None = None, **options: Any) -> Any:
        return super().waitCallback(timeout=timeout, **options)

    def waitActive(self, widget: QWidget, *, timeout: int = _NEVER) -> Any:
        return super().waitActive(widget, timeout=timeout)

    def waitExposed(self, widget: QWidget, *, timeout: int = _NEVER) -> Any:
        return super().waitExposed(widget, timeout=timeout)


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> QtBot:
    """In the place of pytest-qt's own."""
    return PatientBot(request)
