"""A pytest plugin: who waits for an event in a test waits until it comes, or until the one limit of all waits.

A limit of its own made a test fail on a machine that did other work beside it, and said nothing about the code. The one
limit lies far beyond what any wait takes there, and below the suite's own, which cannot interrupt Qt's loops: a test
whose event never comes fails by its name and does not take its process with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

PATIENCE = 400_000
"""Milliseconds."""


class PatientBot(QtBot):
    """pytest-qt's helper, whose waits share one limit. Its `wait`, which sleeps, stays as it is."""

    def waitSignal(self, signal: Any, *, timeout: int = PATIENCE, **options: Any) -> Any:
        return super().waitSignal(signal, timeout=timeout, **options)

    def waitSignals(self, signals: Any, *, timeout: int = PATIENCE, **options: Any) -> Any:
        return super().waitSignals(signals, timeout=timeout, **options)

    def waitUntil(self, callback: Callable[[], bool | None], *, timeout: int = PATIENCE) -> None:
        super().waitUntil(callback, timeout=timeout)

    def waitCallback(self, *, timeout: int = PATIENCE, **options: Any) -> Any:
        return super().waitCallback(timeout=timeout, **options)

    def waitActive(self, widget: QWidget, *, timeout: int = PATIENCE) -> Any:
        return super().waitActive(widget, timeout=timeout)

    def waitExposed(self, widget: QWidget, *, timeout: int = PATIENCE) -> Any:
        return super().waitExposed(widget, timeout=timeout)


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> QtBot:
    """In the place of pytest-qt's own."""
    return PatientBot(request)
