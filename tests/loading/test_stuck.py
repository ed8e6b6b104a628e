"""A plugin that never returns from its import, and what is no file at all, keep nobody from the studio for good."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnstudio.loading import discover, plugin_folder
from rnnstudio.loading.stuck import notes_folder

LIST = "from rnnstudio.loading import stuck; stuck.PATIENCE = 0.1; from rnnstudio.cli import main; import sys; "
HANGS = "import threading\nfrom rnnstudio.plugins import *\nthreading.Event().wait()\nplugin = Plugin('hangs')\n"
SLOW = "import time\nfrom rnnstudio.plugins import *\ntime.sleep(0.5)\nplugin = Plugin('hangs')\n"
GOOD = "from rnnstudio.plugins import *\nplugin = Plugin('good')\n"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    for kind in ("DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    found = plugin_folder()
    found.mkdir(parents=True)
    (found / "good.py").write_text(GOOD)
    return found


def start(*arguments: str) -> subprocess.Popen[str]:
    """`rnnstudio plugins`, where a plugin is named after a tenth of a second."""
    code = f"{LIST}sys.exit(main(['plugins', *{list(arguments)}]))"
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True)


def killed_while_it_hangs(*arguments: str) -> str:
    """The line that named the plugin, before the start was killed."""
    process = start(*arguments)
    assert process.stderr is not None
    # On a busy machine a plugin that returns is named, too, before the one that does not.
    named = next(line for line in process.stderr if "“hangs”" in line)
    process.kill()
    process.communicate()
    return named


def test_a_plugin_that_never_returns_is_named_and_passed_over_by_the_next_start(folder):
    (folder / "hangs.py").write_text(HANGS)
    named = killed_while_it_hangs()
    assert str(folder / "hangs.py") in named
    told, _ = start().communicate()
    assert "good" in told
    assert 'rnnstudio plugins --enable "hangs"' in told, "the way back is told"
    assert killed_while_it_hangs("--enable", "hangs"), "it is tried again"
    (folder / "hangs.py").write_text(GOOD.replace("good", "hangs now no more"))
    told, _ = start().communicate()
    assert "hangs now no more" in told, "a changed plugin is tried again by itself"


def test_a_slow_plugin_is_named_and_taken_in(folder):
    (folder / "hangs.py").write_text(SLOW)
    process = start()
    told, named = process.communicate()
    assert "“hangs”" in named
    assert "was not loaded" not in told
    assert not list(notes_folder().glob("*")), "nothing is held against it"


def test_enabling_what_was_not_passed_over_is_told(folder):
    process = start("--enable", "good")
    told, _ = process.communicate()
    assert "No plugin “good” was passed over" in told
    assert process.returncode == 1


@pytest.mark.parametrize("name", ["pipe.py", "pipe.rnncell", "package/__init__.py"])
def test_a_pipe_in_the_plugin_folder_is_passed_over(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    (tmp_path / "good.py").write_text(GOOD)
    loaded = discover(tmp_path, [])
    assert [found.plugin.name for found in loaded.plugins] == ["good"]
    assert [problem.reason for problem in loaded.problems] == [f"{path.name} is no regular file."]


def test_a_device_and_a_broken_link_are_passed_over(tmp_path):
    (tmp_path / "device.py").symlink_to("/dev/zero")
    (tmp_path / "gone.py").symlink_to(tmp_path / "nothing")
    loaded = discover(tmp_path, [])
    assert [problem.name for problem in loaded.problems] == ["device", "gone"]
