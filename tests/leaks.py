"""A pytest plugin that fails a test which leaves a thread, process, timer, animation or top-level widget behind.

What a test leaves behind runs on inside the tests after it, and they fail for it, at random. So after each test (and
its fixtures) this looks at what is alive, compares with before, gives it a moment and a garbage collection to end, and
then names what is left. A test that failed by itself is not looked at: its traceback keeps its objects alive.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Internals of libraries that live as long as the process, by name, each with the reason why it may.
ALLOWED_THREADS = {
    "pydevd": "a debugger's own threads",
    "SubprocPool": "torch.compile keeps its pool of compiler processes for the next compilation",
    "pytest_timeout": "watches this very test",
}
ALLOWED_PROCESSES = {
    "multiprocessing.resource_tracker": "Python's own, one for the whole session, ends with it",
    "multiprocessing.forkserver": "Python's own, one for the whole session, ends with it",
    "torch/_inductor/compile_worker": "torch.compile keeps its compilers for the next compilation",
}
ALLOWED_WIDGETS = {
    "QTipLabel": "Qt's one tool tip, which it hides and shows again",
}

Found = dict[Any, str]  # identity -> what to tell

_settled: weakref.WeakSet[Any] = weakref.WeakSet()
"""Those of Qt's objects that gc.get_objects() no longer gives."""

_MANY = 50_000


def threads() -> Found:
    """Python's threads, and foreign ones (a QThread) that run Python code just now or did and are alive."""
    found: Found = {}
    for thread in threading.enumerate():
        if thread is threading.main_thread() or any(name in thread.name for name in ALLOWED_THREADS):
            continue
        if isinstance(thread, threading._DummyThread) and not _is_running(thread.native_id):
            continue  # Python's record of a foreign thread outlives the thread
        found["thread", thread.ident, thread.name] = f"thread {thread.name!r}{' (daemon)' if thread.daemon else ''}"
    known = {thread.ident for thread in threading.enumerate()}
    for ident in sys._current_frames().keys() - known:
        found["thread", ident, ""] = f"a foreign thread running Python code (ident {ident})"
    return found


def _is_running(native_id: int | None) -> bool:
    return native_id is not None and Path(f"/proc/self/task/{native_id}").exists()


def processes() -> Found:
    """Child processes that have not ended, whoever started them."""
    multiprocessing.active_children()  # collects those that have
    found: Found = {}
    if not _has_children():
        return found
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # pid (name with any characters) state parent ...
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) != os.getpid() or state == "Z":
                continue
            words = (stat.parent / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended while we looked
        command = b" ".join(words).decode(errors="replace").strip()
        if not any(name in command for name in ALLOWED_PROCESSES):
            found["process", stat.parent.name] = f"process {stat.parent.name}: {command[:100]}"
    return found


def _has_children() -> bool:
    """Whether a look through /proc is worth its milliseconds: asked twice a test. Collects no child that has ended."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def qt_objects() -> Found:
    """Running timers, threads and animations that Python holds, and parentless widgets, which Qt lists itself."""
    found: Found = {}
    core = sys.modules.get("PySide6.QtCore")
    if core is None:
        return found
    import shiboken6

    found |= _running(core, shiboken6.isValid)
    widgets = sys.modules.get("PySide6.QtWidgets")
    if widgets is not None and widgets.QApplication.instance() is not None:
        for widget in widgets.QApplication.topLevelWidgets():
            # One with a parent is listed with its window, and goes with it.
            if widget.parent() is None and widget.metaObject().className() not in ALLOWED_WIDGETS:
                found["widget", shiboken6.getCppPointer(widget)[0]] = f"top-level widget {_name(widget)}"
    return found


def _running(core: Any, is_valid: Callable[[Any], bool]) -> Found:
    running: dict[type, Callable[[Any], bool]] = {
        core.QTimer: lambda timer: timer.isActive(),
        core.QThread: lambda thread: thread.isRunning() and thread is not core.QThread.currentThread(),
        core.QAbstractAnimation: lambda animation: animation.state() == core.QAbstractAnimation.State.Running,
    }
    candidates = [*gc.get_objects(), *_settled]
    types = set(map(type, candidates))  # few, and nearly always none of them is Qt's
    kinds = {made: next((kind for kind in running if kind in made.__mro__), None) for made in types}
    if not any(kinds.values()):
        return {}
    found: Found = {}
    for candidate in candidates:
        kind = kinds[type(candidate)]
        if kind is not None and is_valid(candidate) and running[kind](candidate):
            found[kind.__name__, id(candidate)] = f"running {_name(candidate)}"
    return found


def _name(thing: Any) -> str:
    title = thing.windowTitle() if hasattr(thing, "windowTitle") else ""
    named = thing.objectName() or title
    return f"{type(thing).__module__}.{type(thing).__qualname__}" + (f" {named!r}" if named else "")


def alive() -> Found:
    return threads() | processes() | qt_objects()


def _let_end() -> None:
    """Gives what is ending its chance: reference cycles, deleteLater, queued signals."""
    gc.collect()
    core = sys.modules.get("PySide6.QtCore")
    if core is not None and core.QCoreApplication.instance() is not None:
        core.QCoreApplication.processEvents()
        core.QCoreApplication.sendPostedEvents(None, core.QEvent.Type.DeferredDelete.value)
    time.sleep(0.02)


def left_behind(before: Found, grace: float) -> list[str]:
    """What is alive now, was not before, and does not end within `grace` seconds."""
    deadline = time.monotonic() + grace
    while True:
        extra = alive()
        left = [text for key, text in extra.items() if key not in before]
        if not left or time.monotonic() > deadline:
            return left
        _let_end()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("leak_grace", "seconds a test's threads and processes have to end in", default="3")


_failed = pytest.StashKey[bool]()
_shared = pytest.StashKey[Found]()  # what fixtures of a module or of the session opened: theirs to close, later


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_shared] = {}


def settle() -> None:
    """Takes what is alive out of gc.get_objects(), which is looked through twice a test.

    Importing torch and the tests leaves half a million objects there: to look at them was a third of all tests' time.
    """
    gc.collect()
    core = sys.modules.get("PySide6.QtCore")
    if core is not None:
        _settled.update(x for x in gc.get_objects() if issubclass(type(x), core.QObject))
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    settle()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Iterator[None]:
    """A test may be the first to ask for a wider fixture; what that one opens is not the test's leak.

    It must be there when the fixture's set-up returns: a worker that comes up later is taken for the test's own.
    """
    if fixturedef.scope == "function":
        return (yield)
    before = alive()
    try:
        return (yield)
    finally:
        request.config.stash[_shared].update((key, text) for key, text in alive().items() if key not in before)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Wider fixtures have ended by now, and what they opened with them."""
    shared = session.config.stash[_shared]
    others = {key: text for key, text in alive().items() if key not in shared}
    left = left_behind(others, grace=float(session.config.getini("leak_grace"))) if shared else []
    if left:
        print("\nfixtures of a module or of the session left behind:\n  " + "\n  ".join(left))
        session.exitstatus = exitstatus or pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    item.stash[_failed] = item.stash.get(_failed, False) or report.failed
    return report


@pytest.fixture(autouse=True)
def leaves_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set up first of the function's fixtures and so ended last, when they have closed what they opened."""
    if len(gc.get_objects()) > _MANY:
        settle()
    before = alive()
    yield
    if request.node.stash.get(_failed, False):
        return
    before |= request.config.stash[_shared]
    left = left_behind(before, grace=float(request.config.getini("leak_grace")))
    if left:
        pytest.fail("the test left behind:\n  " + "\n  ".join(left), pytrace=False)
