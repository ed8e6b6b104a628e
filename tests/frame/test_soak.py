"""`make soak` counts trials and failures, survives a crash of the trials, and prints the scorecard."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

KINDS = {
    "calm": '"""Nothing goes wrong."""\nCOUNT = 10\n\ndef trials(count, seed):\n    return count, []\n',
    "wrong": '"""One goes wrong."""\nCOUNT = 10\n\ndef trials(count, seed):\n    return count, [f"{seed} lost"]\n',
    "crash": '"""All ends."""\nimport os\nCOUNT = 1\n\ndef trials(count, seed):\n    os.kill(os.getpid(), 9)\n',
}


@pytest.fixture
def project(tmp_path: Path, pytestconfig: pytest.Config) -> Path:
    folder = tmp_path / "tests" / "soak"
    folder.mkdir(parents=True)
    (tmp_path / "tests" / "__init__.py").touch()
    for name in ("__init__.py", "__main__.py", "_apart.py"):
        shutil.copy(pytestconfig.rootpath / "tests" / "soak" / name, folder)
    for name, text in KINDS.items():
        (folder / f"{name}.py").write_text(text)
    return tmp_path


def soak(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.soak", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True)


def test_the_scorecard_counts_trials_and_failures(project: Path) -> None:
    done = soak(project, "calm", "wrong", "--seed", "7", "--scale", "2")
    assert "| Nothing goes wrong | 20 | 0 |" in done.stdout
    assert "| One goes wrong | 20 | 1 |" in done.stdout
    assert "7 lost" in done.stdout
    assert done.returncode == 1
    assert soak(project, "calm").returncode == 0


def test_a_crash_of_the_trials_is_a_failure_of_theirs_alone(project: Path) -> None:
    done = soak(project)
    assert "the process of the trials ended: SIGKILL" in done.stdout
    assert "| Nothing goes wrong | 10 | 0 |" in done.stdout
    assert done.returncode == 1


def test_unknown_trials_are_told_with_those_there_are(project: Path) -> None:
    done = soak(project, "none")
    assert done.returncode == 2
    assert "no trials none; there are: calm, crash, wrong" in done.stderr
