"""The guard of tests/leaks.py bites: each kind of thing left behind fails the test that left it, and only that one."""

import pytest

PLANTS = """
import subprocess, sys, threading, time
import pytest
from PySide6.QtCore import QObject, QPropertyAnimation, QThread, QTimer
from PySide6.QtWidgets import QMenu, QWidget

kept = []

def test_thread(qapp):
    stop = threading.Event()
    kept.append(threading.Thread(target=stop.wait, args=(600,), name="forgotten", daemon=True))
    kept[-1].start()

def test_thread_ends_in_time(qapp):
    threading.Thread(target=time.sleep, args=(0.3,)).start()

def test_process(qapp):
    kept.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]))

def test_process_ends_in_time(qapp):
    kept.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.3)"]))

def test_timer(qapp):
    kept.append(QTimer())
    kept[-1].setObjectName("ticker")
    kept[-1].start(1000)

def test_timer_stopped(qapp):
    timer = QTimer()
    timer.start(1000)
    timer.stop()

def test_timer_of_a_parent_python_forgot(qapp):
    parent = QObject(qapp)
    QTimer(parent, objectName="deep").start(1000)

def test_qthread(qapp):
    kept.append(QThread(objectName="loop"))
    kept[-1].start()

def test_qthread_quit(qapp):
    thread = QThread()
    thread.start()
    thread.quit()
    thread.wait()

def test_qthread_running_python_ends(qapp):
    class Worker(QThread):
        def run(self):
            threading.current_thread()
    worker = Worker()
    worker.start()
    worker.wait()

def test_animation(qapp):
    target = QWidget()
    animation = QPropertyAnimation(target, b"windowOpacity", target)
    animation.setDuration(60000)
    animation.setStartValue(0.0)
    animation.setEndValue(1.0)
    animation.start()
    kept.append(target)

def test_widget(qapp):
    kept.append(QWidget(windowTitle="open"))
    kept[-1].show()

def test_hidden_menu(qapp):
    kept.append(QMenu("hidden"))

def test_widget_in_a_cycle(qapp):
    widget = QWidget()
    widget.me = widget

def test_widget_of_qtbot(qtbot):
    kept.append(QWidget())
    qtbot.addWidget(kept[-1])

def test_delete_later(qapp):
    widget = QWidget()
    widget.deleteLater()
    kept.append(widget)

@pytest.fixture(scope="module")
def window(qapp):
    window = QWidget()
    yield window
    window.deleteLater()

def test_widget_of_a_wider_fixture(window):
    window.show()

@pytest.fixture(scope="module")
def server():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    yield
    stop.set()
    thread.join()

def test_wider_fixture_asked_for_late(request):
    request.getfixturevalue("server")

def test_failing_by_itself(qapp):
    kept.append(QTimer())
    kept[-1].start(1000)
    assert False
"""
LEAKS = {
    "thread": "thread 'forgotten' (daemon)",
    "process": "process *time.sleep(600)",
    "timer": "running PySide6.QtCore.QTimer 'ticker'",
    "timer_of_a_parent_python_forgot": "running PySide6.QtCore.QTimer 'deep'",
    "qthread": "running PySide6.QtCore.QThread 'loop'",
    "animation": "running PySide6.QtCore.QPropertyAnimation",
    "widget": "top-level widget PySide6.QtWidgets.QWidget 'open'",
    "hidden_menu": "top-level widget PySide6.QtWidgets.QMenu*",
}
ENDING = (
    "thread_ends_in_time", "process_ends_in_time", "timer_stopped", "qthread_quit", "qthread_running_python_ends",
    "widget_in_a_cycle", "widget_of_qtbot", "delete_later", "widget_of_a_wider_fixture",
    "wider_fixture_asked_for_late",
)  # fmt: skip
END = """
def pytest_sessionfinish():
    # A test of the plants: what they left must not outlive them.
    import test_plants
    for thing in test_plants.kept:
        for stop in ("kill", "quit", "wait"):
            if hasattr(thing, stop):
                getattr(thing, stop)()
"""


def test_each_kind_of_leak_fails_its_test_and_no_other(
    pytester: pytest.Pytester, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    pytester.makepyfile(test_plants=PLANTS)
    pytester.makeconftest(END)
    ending = " or ".join(f"test_{name}" for name in (*ENDING, "failing_by_itself"))
    # A leak is waited for in vain; what ends is given as long as it takes on a busy machine.
    result = pytester.runpytest_subprocess("-p", "tests.leaks", "-o", "leak_grace=0.5", "-k", f"not ({ending})")

    # Each reports from its teardown: the test itself passed, its leftovers are an error.
    for name, text in LEAKS.items():
        result.stdout.fnmatch_lines([f"*ERROR at teardown of test_{name} *", "the test left behind:", f"  {text}"])
    errors = {line.split()[5] for line in result.outlines if "ERROR at teardown of" in line}
    assert errors == {f"test_{name}" for name in LEAKS}
    result.assert_outcomes(passed=len(LEAKS), errors=len(LEAKS), deselected=len(ENDING) + 1)
    result = pytester.runpytest_subprocess("-p", "tests.leaks", "-o", "leak_grace=300", "-k", ending)
    result.assert_outcomes(passed=len(ENDING), failed=1, deselected=len(LEAKS))


FORGETFUL = """
import subprocess, sys
import pytest

kept = []

@pytest.fixture(scope="module")
def server():
    kept.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]))

def test_one(server):
    pass

def test_two(server):
    pass
"""


def test_a_wider_fixture_that_does_not_close_fails_the_session(
    pytester: pytest.Pytester, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    pytester.makepyfile(test_plants=FORGETFUL)
    pytester.makeconftest(END.replace("pytest_sessionfinish", "pytest_unconfigure"))
    result = pytester.runpytest_subprocess("-p", "tests.leaks", "-o", "leak_grace=0.5")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["fixtures of a module or of the session left behind:", "  process *time.sleep(600)"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
