"""What holds for every test of tests/ and plugins/: no screen, no file of the user's, nothing left running."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

pytest_plugins = ["pytester", "tests.leaks"]

# Before anything imports Qt. A developer who wants to watch sets QT_QPA_PLATFORM=xcb.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# The networks of the tests are small: a second thread costs more than it brings (a third of the time of all tests).
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Settings, caches and run lists go where these say (platformdirs, QSettings and torch all follow them).
_home = Path(tempfile.mkdtemp(prefix="rnnstudio-tests-"))
for _kind in ("CONFIG", "CACHE", "DATA", "STATE"):
    os.environ[f"XDG_{_kind}_HOME"] = str(_home / _kind.lower())


@pytest.fixture(autouse=True)
def fresh_user_folders() -> Path:
    """The folder that holds the user's config, cache, data and state: empty when a test begins."""
    for folder in _home.iterdir():
        shutil.rmtree(folder)
    return _home


def pytest_unconfigure() -> None:
    shutil.rmtree(_home, ignore_errors=True)
