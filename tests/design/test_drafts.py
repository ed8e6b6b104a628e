"""What a killed save leaves is swept away by the next one; what a living process writes is left alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnstudio.design.drafts import abandoned, draft_of, sweep
from rnnstudio.design.errors import StudioError
from rnnstudio.design.storage import write_atomically
from tests.read_only import read_only_folder

KILLED = """
import os, signal, sys
from pathlib import Path
from rnnstudio.design import storage
os.fsync = lambda handle: (print("writing", flush=True), os.kill(os.getpid(), getattr(signal, sys.argv[2])))
storage.write_atomically(Path(sys.argv[1]), b"half of it")
"""


def _writer(path: Path, sent: str) -> subprocess.Popen[str]:
    """A process that stops or dies with its draft written and not yet renamed."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path), sent], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_the_next_save_sweeps_what_a_killed_one_left_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "net.rnn"
    _writer(path, "SIGKILL").communicate()
    (dead,) = tmp_path.iterdir()
    alive = _writer(path, "SIGSTOP")
    try:
        (living,) = set(tmp_path.iterdir()) - {dead}
        other = draft_of(tmp_path / "other.rnn")
        other.write_text("of this process")
        foreign = tmp_path / ".net.rnn.00000000-1-00000000.draft"
        foreign.write_text("of another machine")
        write_atomically(path, b"whole")
        assert set(tmp_path.iterdir()) == {path, living, other, foreign}
    finally:
        alive.kill()
        alive.communicate()
    assert abandoned(tmp_path) == [living]
    sweep(tmp_path)
    assert set(tmp_path.iterdir()) == {path, other, foreign}


def test_a_name_as_long_as_the_disk_allows_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 127)
    write_atomically(path, b"x")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no folders that their owner cannot write")
def test_a_read_only_folder_is_told_with_its_path() -> None:
    with read_only_folder() as folder:
        with pytest.raises(StudioError) as caught:
            write_atomically(folder / "net.rnn", b"x")
        assert f"the folder {folder} is read-only" in str(caught.value)
        assert "another folder" in str(caught.value)
