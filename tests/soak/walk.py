"""Gestures and keys at random in the real window, undone to the file byte for byte and done again.

Every step may be anything a person's hands can do (`_walker`); after it the laws of `_walk_laws` hold, no exception was
raised and Qt warned of nothing. A walk that fails is made as short as it can be and printed as a list of steps, which
`python -m tests.soak.walk STEP …` does again.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QCoreApplication, QEvent, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from rnnstudio.design import storage
from tests.soak._walk_laws import wrong
from tests.soak._walker import Step, Walker

COUNT = 5000
OFFSCREEN = ("This plugin does not support",)
"""What the screen that is none cannot do."""


def trials(count: int, seed: int) -> tuple[int, list[str]]:
    """One walk of `count` steps. Returns how many were made, and what was wrong with the steps that lead there."""
    os.environ.pop("QT_LOGGING_RULES", None)  # here warnings are heard
    done, fault, steps = walk(count, seed)
    if not fault:
        return done, []
    short = shrunk(steps, fault)
    lines = "".join(f"\n     {line}" for line in told(short))
    again = " ".join(map(str, short))
    return done, [f"walk of seed {seed}, step {done}: {fault}{lines}\n     python -m tests.soak.walk {again}"]


def walk(count: int, seed: int) -> tuple[int, str, list[Step]]:
    """Random steps, until one fails or all are done and undone: how many, what is wrong, and which they were."""
    weigh = random.Random(f"walk {seed}")
    steps: list[Step] = []
    with _a_window() as (walker, heard, undone):
        while len(steps) < count:
            step = walker.choose(weigh)
            if fault := _done(walker, heard, step):
                return len(steps), f"{walker.told}: {fault}", [*steps, step]
            steps.append(step)
        return len(steps), undone(), steps


def replayed(steps: Sequence[Step], each: Callable[[str], None] = lambda _: None) -> str:
    """What is wrong after these steps, begun anew; "" when nothing is."""
    with _a_window() as (walker, heard, undone):
        for step in steps:
            fault = _done(walker, heard, step)
            each(walker.told)
            if fault:
                return fault
        return undone()


def told(steps: Sequence[Step]) -> list[str]:
    """The steps in words, as they happen one after the other."""
    words: list[str] = []
    replayed(steps, words.append)
    return [f"{step}  {what}" for step, what in zip(steps, words, strict=False)]


def shrunk(steps: list[Step], fault: str, fails: Callable[[Sequence[Step]], str] = replayed) -> list[Step]:
    """As few of the steps as still go wrong in the same manner: first the last ones alone, then without parts."""
    kind = _kind(fault)

    def same(some: Sequence[Step]) -> bool:
        return _kind(fails(some)) == kind

    last = 1
    while last < len(steps) and not same(steps[-last:]):
        last *= 2
    left = steps[-last:] if last < len(steps) else list(steps)
    size = max(len(left) // 2, 1)
    while True:
        at = 0
        while at < len(left):
            fewer = left[:at] + left[at + size :]
            if fewer and same(fewer):
                left = fewer
            else:
                at += size
        if size == 1:
            return left
        size = max(size // 2, 1)


def _kind(fault: str) -> str:
    """What is wrong without names and numbers: a shorter walk has others."""
    words = fault.split(": ", 1)[-1] if fault.startswith(("click", "drag")) else fault
    last = words.strip().splitlines()[-1] if words.strip() else ""
    return "".join(c for c in last.split("(")[0] if not c.isdigit())[:40]


def _done(walker: Walker, heard: list[str], step: Step) -> str:
    """Do a step: what is wrong then."""
    heard.clear()
    try:
        if not walker.do(step):
            return ""
    except Exception:  # noqa: BLE001  # whatever it is, it is what was looked for
        return traceback.format_exc(limit=-4)
    if heard:
        return "; ".join(heard)
    return wrong(walker.window)


@contextmanager
def _a_window() -> Iterator[tuple[Walker, list[str], Callable[[], str]]]:
    """A window on a design of a file; what was raised or warned of; and what undoes and does again all steps."""
    from rnnstudio.studio.app import application
    from rnnstudio.studio.window import DISCARD, STOP, MainWindow
    from tests.studio.window.hands import language_model

    application()
    heard: list[str] = []
    hook, handler = sys.excepthook, qInstallMessageHandler(lambda kind, _, text: _hear(heard, kind, text))
    sys.excepthook = lambda kind, error, trace: heard.append(_raised(kind, error, trace))
    with tempfile.TemporaryDirectory(prefix="rnnstudio-walk-") as folder:
        path = Path(folder) / "walk.rnn"
        storage.save(language_model(), path)
        window = MainWindow()
        window.ask_unsaved, window.ask_training = lambda: DISCARD, lambda closing: STOP
        window.ask_file = lambda saving: None
        cells = window.view.commands.cells
        cells.ask_over, cells.ask_which = lambda name: True, lambda name, used: None
        window.resize(1200, 760)
        window.show()
        window.open(path)
        QApplication.processEvents()
        try:
            yield Walker(window), heard, lambda: _undone(window, path, heard)
        finally:
            sys.excepthook = hook
            qInstallMessageHandler(handler)
            window.close()
            QApplication.clipboard().clear()
            window.deleteLater()
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
            QApplication.processEvents()


def _undone(window: MainWindow, path: Path, heard: list[str]) -> str:  # noqa: F821
    """Undo all: the file comes out as it was; redo all: so does the end."""
    heard.clear()
    before, session = path.read_bytes(), window.session
    while session.document.redo_title:  # the walk may have ended on its way back
        window.redo_action.trigger()
    end, edits = storage.dumps(session.design), 0
    while session.document.undo_title:
        window.undo_action.trigger()
        edits += 1
    session.save()
    if path.read_bytes() != before:
        return f"undoing all {edits} edits left {_difference(before.decode(), path.read_text())}"
    if fault := wrong(window):
        return f"after all was undone {fault}"
    while session.document.redo_title:
        window.redo_action.trigger()
    if storage.dumps(session.design) != end:
        return f"doing all {edits} edits again left {_difference(end, storage.dumps(session.design))}"
    if fault := wrong(window):
        return f"after all was done again {fault}"
    return "; ".join(heard)


def _difference(wanted: str, found: str) -> str:
    pairs = zip(wanted.splitlines(), found.splitlines(), strict=False)
    at, (a, b) = next(((i, pair) for i, pair in enumerate(pairs, 1) if pair[0] != pair[1]), (0, ("", "")))
    return f"another file: line {at} is {b.strip()!r} instead of {a.strip()!r}"


def _hear(heard: list[str], kind: QtMsgType, text: str) -> None:
    if kind in (QtMsgType.QtWarningMsg, QtMsgType.QtCriticalMsg) and not text.startswith(OFFSCREEN):
        heard.append(f"Qt warns: {text}")


def _raised(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> str:
    return "".join(traceback.format_exception(kind, error, trace, limit=-4))


def main(arguments: Sequence[str]) -> int:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    steps = [Step(name, int(seed)) for name, _, seed in (text.partition(":") for text in arguments)]
    fault = replayed(steps, lambda words: print(words, flush=True))
    print(fault or "nothing is wrong")
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
