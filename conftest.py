"""What holds for every test of tests/ and plugins/: no screen, no file of the user's, nothing left running."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester", "tests.leaks", "tests.patience"]

# How long an example takes says how busy the machine is.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# Before anything imports Qt. A developer who wants to watch sets QT_QPA_PLATFORM=xcb.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# The networks of the tests are small: a second thread costs more than it brings (a third of the time of all tests).
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Every buffer is checked before machine code gets its address (runtime/fused/checked.py).
os.environ.setdefault("RNNSTUDIO_CHECK", "1")

# Settings, caches and run lists go where these say (platformdirs, QSettings and torch all follow them).
_home = Path(tempfile.mkdtemp(prefix="rnnstudio-tests-"))
for _kind in ("CONFIG", "CACHE", "DATA", "STATE"):
    os.environ[f"XDG_{_kind}_HOME"] = str(_home / _kind.lower())
_kernels = _home / "cache" / "rnnstudio" / "kernels"
_kept = _home.with_name(f"{_home.name}-kernels")


@pytest.fixture(autouse=True)
def fresh_user_folders(request: pytest.FixtureRequest) -> Path:
    """The folder that holds the user's config, cache, data and state: empty when a test begins.

    But for machine code, which is found by a hash of what it was made from: the tests make each loop's once. A test of
    the making itself asks for `no_machine_code`.
    """
    if _kernels.exists() and not _kept.exists():
        _kernels.rename(_kept)
    for folder in _home.iterdir():
        shutil.rmtree(folder)
    if _kept.exists() and "no_machine_code" not in request.fixturenames:
        _kernels.parent.mkdir(parents=True)
        _kept.rename(_kernels)
        shutil.rmtree(_kernels / "winners", ignore_errors=True)
    return _home


@pytest.fixture
def no_machine_code(fresh_user_folders: Path) -> None:
    """Nothing that other tests have compiled is at hand."""


def pytest_unconfigure() -> None:
    for folder in (_home, _kept):
        shutil.rmtree(folder, ignore_errors=True)
