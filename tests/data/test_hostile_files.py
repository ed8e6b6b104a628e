"""Some trials of `make soak` on data files, and files that are large in one way, under a limit of memory that holds."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

READ = """
import sys
from pathlib import Path
from rnnstudio import data
from rnnstudio.data import readers
from rnnstudio.design.errors import StudioError
from tests.soak._limited import memory_limited

path = Path(sys.argv[1])
with memory_limited(int(sys.argv[2])):
    for reader in readers.every():
        if reader.made:
            continue
        try:
            print(reader.name, data.open(data.guess_with(reader, path, str(path))).rows)
        except StudioError as error:
            assert "\\n" not in str(error) and "fit into memory" not in error.what, str(error)
            print(reader.name, "told", error.what[:80])
"""


def python(pytestconfig: pytest.Config, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=pytestconfig.rootpath, env=environment, capture_output=True, text=True
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a limit of memory")
def test_some_data_files_of_the_soak(pytestconfig: pytest.Config) -> None:
    done = python(pytestconfig, "-m", "tests.soak", "files", "--scale", "0.03", "--seed", "9")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a limit of memory")
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_one_line_of_many_megabytes_is_read_or_told_in_bounded_memory(
    pytestconfig: pytest.Config, tmp_path: Path, suffix: str
) -> None:
    """text8 is one line: as text it opens, and whoever takes lines apart says that this is none."""
    line, size = b"the quick brown fox jumps over the lazy dog ", 18_000_000
    content = line * (size // len(line))
    path = tmp_path / f"line.txt{suffix}"
    path.write_bytes(gzip.compress(content, 1) if suffix else content)
    done = python(pytestconfig, "-c", READ, str(path), "400")
    assert done.returncode == 0, done.stdout + done.stderr
    told = dict(text.split(" ", 1) for text in done.stdout.splitlines())
    assert int(told["text"]) == len(content)
    for name in ("tagged", "pairs", "trees", "signals", "ts"):
        assert told[name] == f"told the line has {len(content):,} characters, more than 16,777,216"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a limit of memory")
@pytest.mark.parametrize("shape", [(150_000, 100), (1500, 100, 100)], ids=["series", "sequences"])
def test_an_array_takes_no_more_than_twice_its_size(
    pytestconfig: pytest.Config, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    """Its own numbers, and what the network reads: 60 MB each, and some blocks on the way."""
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=shape).astype(np.float32))
    read = READ.replace("readers.every()", "(readers.find('arrays'),)")
    done = python(pytestconfig, "-c", read, str(tmp_path / "a.npy"), "190")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["arrays", "150000"]
