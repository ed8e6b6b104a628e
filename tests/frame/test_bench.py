"""`make bench` runs benchmarks by name."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def benchmarks(tmp_path: Path, pytestconfig: pytest.Config) -> Path:
    """A project with the real runner and two benchmarks."""
    folder = tmp_path / "tests" / "bench"
    folder.mkdir(parents=True)
    (tmp_path / "tests" / "__init__.py").touch()
    for name in ("__init__.py", "__main__.py"):
        shutil.copy(pytestconfig.rootpath / "tests" / "bench" / name, folder)
    for name in ("one", "two"):
        (folder / f"bench_{name}.py").write_text(f"def main() -> None:\n    print('measured {name}')\n")
    return tmp_path


def bench(project: Path, *names: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.bench", *names]
    return subprocess.run(command, cwd=project, capture_output=True, text=True)


def test_all_run_without_a_name(benchmarks: Path) -> None:
    out = bench(benchmarks).stdout
    assert out.index("== one") < out.index("measured one") < out.index("== two") < out.index("measured two")


def test_one_runs_by_its_name(benchmarks: Path) -> None:
    out = bench(benchmarks, "two").stdout
    assert "measured two" in out
    assert "one" not in out


def test_an_unknown_name_is_told_with_the_names_there_are(benchmarks: Path) -> None:
    result = bench(benchmarks, "three")
    assert result.returncode == 2
    assert "no benchmark three; there are: one, two" in result.stderr
