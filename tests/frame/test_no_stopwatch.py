"""No test asks how fast the machine is: figures are printed by `make bench`, and waits end with the suite's limit."""

import ast
from collections.abc import Iterator

import pytest

CLOCKS = {"perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "process_time", "thread_time", "time"}
MAY = {
    "tests/leaks.py": "gives threads and processes a moment to end before it says that they were left behind",
    "tests/patience.py": "takes the limits away",
    "tests/training/test_trainer.py": "puts a clock of its own in the place of the trainer's",
}
WAITS = ("waitSignal", "waitSignals", "waitUntil", "waitCallback", "waitActive", "waitExposed", "run", "communicate")


def _wrong(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS and isinstance(node.value, ast.Name):
            if node.value.id == "time":
                yield f"line {node.lineno} reads time.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (f"line {node.lineno} imports {name.name}" for name in node.names if name.name in CLOCKS)
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in WAITS and any(word.arg == "timeout" for word in node.keywords):
                yield f"line {node.lineno} waits with a limit of its own"


def test_no_test_measures_time_or_waits_with_a_limit(pytestconfig: pytest.Config) -> None:
    root = pytestconfig.rootpath
    found = []
    for path in sorted([*root.glob("tests/**/*.py"), *root.glob("plugins/**/tests/*.py")]):
        name = path.relative_to(root).as_posix()
        if name not in MAY and not name.startswith(("tests/bench/", "tests/soak/")):
            found += [f"{name}, {what}" for what in _wrong(ast.parse(path.read_text("utf-8")))]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "start = time.monotonic()",
        "from time import perf_counter",
        "qtbot.waitUntil(done, timeout=5000)",
        "subprocess.run(command, timeout=60)",
    ],
)
def test_a_stopwatch_is_found(text: str) -> None:
    assert list(_wrong(ast.parse(text)))
