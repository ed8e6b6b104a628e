"""Starts the studio: the application, its looks, what is opened first, and what follows an unforeseen error."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QFileOpenEvent, QGuiApplication
from PySide6.QtWidgets import QApplication

from ..design.errors import StudioError
from . import theme
from .background import all_ended
from .places import gallery, user_data
from .window import MainWindow
from .windows import windows

WARM_UP_MS = 300
"""After the window shows, the worker process starts and imports torch, so that Train answers at once."""


class Application(QApplication):
    """Opens what a Mac's Finder asks it to."""

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QFileOpenEvent) and event.file() and (front := windows().front()) is not None:
            front.open_beside(Path(event.file()))
            return True
        return super().event(event)


def application() -> QApplication:
    """The one QApplication, in our looks. Safe to call twice."""
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
        app = Application(sys.argv[:1])
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
    window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
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


SECONDS_TO_END = 2.0
"""How long a file that is being read may take to come to its end when the last window has closed."""


def main(argv: Sequence[str] = ()) -> int:
    """Run the studio until its last window is closed; each of `argv` names a design or an example, for a window of its
    own. Returns the exit code.
    """
    app = application()
    window = open_window(argv[0] if argv else None)
    for further in argv[1:]:
        open_window(further)
    sys.excepthook = _unforeseen
    QTimer.singleShot(0, window, window.offer_recovery)
    QTimer.singleShot(WARM_UP_MS, window, window.warm_up)
    del window  # it goes when it is closed, others stay
    code = app.exec()
    if not all_ended(SECONDS_TO_END):
        # Python would end such a thread in the middle of foreign code, which aborts the process. All is saved by now.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _unforeseen(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An exception nobody caught: a clear message in the window, the whole story in a log file; all documents stay."""
    if issubclass(kind, KeyboardInterrupt):
        QApplication.quit()
        return
    story = "".join(traceback.format_exception(kind, error, trace))
    print(story, file=sys.stderr)
    front = windows().front()
    if isinstance(error, StudioError):
        told = error
    else:
        log = user_data() / "errors.log"
        with log.open("a", encoding="utf-8") as file:
            file.write(story + "\n")
        for window in windows().open:
            window.autosave.write()
        told = StudioError(
            f"Something unforeseen happened: {kind.__name__}: {error}",
            where=f"the whole story is in {log}",
            remedy="Your drawing is unharmed. Save it, and report this.",
        )
    if front is not None:
        front.show_error(told)
