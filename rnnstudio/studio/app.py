"""Starts the studio: the application, its looks, what is opened first, and what follows an unforeseen error."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from ..design.errors import StudioError
from . import theme
from .places import gallery, user_data
from .window import MainWindow

WARM_UP_MS = 300
"""After the window shows, the worker process starts and imports torch, so that Train answers at once."""


def application() -> QApplication:
    """The one QApplication, in our looks. Safe to call twice."""
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
        app = QApplication(sys.argv[:1])
    app.setApplicationName("rnnstudio")
    app.setOrganizationName("rnnstudio")
    app.setApplicationDisplayName("")
    if app.property("rnnstudioTheme") is None:
        theme.apply(theme.remembered())
    return app


def find_design(name: str) -> tuple[Path, bool]:
    """The file a person means, and whether it is an example. Raises StudioError when there is neither."""
    path = Path(name)
    if path.exists():
        return path, False
    for example in gallery():
        if name in (example.parent.name, example.stem):
            return example, True
    known = ", ".join(example.parent.name for example in gallery())
    raise StudioError("There is no such design", where=name, remedy=f"Give a .rnn file or one of: {known}.")


def open_window(design: str | Path | None = None) -> MainWindow:
    """A window, shown, with a design file or an example (by its name) in it, else with the start screen.

    A bad file is told in the window.
    """
    application()
    window = MainWindow()
    if design is not None:
        try:
            path, example = find_design(str(design))
            if example:
                window.open_example(path)
            else:
                window.open(path)
        except StudioError as error:
            window.show_error(error)
    window.show()
    if design is None:
        window.start.show()
    return window


def main(argv: Sequence[str] = ()) -> int:
    """Run the studio until its window is closed; `argv` may name a design or an example. Returns the exit code."""
    app = application()
    window = open_window(argv[0] if argv else None)
    sys.excepthook = _Unforeseen(window)
    QTimer.singleShot(0, window, window.offer_recovery)
    QTimer.singleShot(WARM_UP_MS, window, lambda: window.live.fill().prepare())
    return app.exec()


class _Unforeseen:
    """Exceptions nobody caught: a clear message in the window, the whole story in a log file; the document stays."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        story = "".join(traceback.format_exception(kind, error, trace))
        print(story, file=sys.stderr)
        if isinstance(error, StudioError):
            self.window.show_error(error)
            return
        log = user_data() / "errors.log"
        with log.open("a", encoding="utf-8") as file:
            file.write(story + "\n")
        self.window.autosave.write()
        self.window.show_error(
            StudioError(
                f"Something unforeseen happened: {kind.__name__}: {error}",
                where=f"the whole story is in {log}",
                remedy="Your drawing is unharmed. Save it, and report this.",
            )
        )
