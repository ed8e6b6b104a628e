"""Which build of torch the set-up fetches, by a real pip: the CPU's, without a driver and where its index answers.

The indexes are HTTP servers of this machine, and the wheels are empty packages of torch's name.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="elsewhere PyPI has torch's CPU build alone"
)

CUDA, CPU = "2.13.0", "2.13.0+cpu"


@pytest.fixture(scope="module")
def bootstrap(pytestconfig: pytest.Config) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", pytestconfig.rootpath / "scripts" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(bootstrap: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that wants torch, with an environment of its own."""
    root = tmp_path_factory.mktemp("project")
    (root / "pyproject.toml").write_text('[project]\ndependencies = [\n    "torch==2.13.0",\n]\n')
    bootstrap.make_environment(root, sys.executable)
    return root


@pytest.fixture
def project(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project without torch, and a pip that nobody has configured, which finds nothing."""
    pip(made, "uninstall", "--yes", "torch")
    for name in ("EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "CONSTRAINT"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return made


def pip(root: Path, *arguments: str) -> None:
    subprocess.run([root / ".venv" / "bin" / "python", "-m", "pip", "--quiet", *arguments], check=True)


def installed(root: Path) -> str:
    probe = "from importlib.metadata import version; print(version('torch'))"
    answer = subprocess.run([root / ".venv" / "bin" / "python", "-c", probe], capture_output=True, text=True)
    return answer.stdout.strip()


def wheel(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    info = f"torch-{version}.dist-info"
    with zipfile.ZipFile(folder / f"torch-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


class Mute(Quiet):
    """Takes the question and says nothing until it may."""

    may = threading.Event()

    def do_HEAD(self) -> None:
        self.may.wait()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of an index that has torch's CPU build. A folder's listing is what pip reads."""
    wheel(tmp_path / "index" / "torch", CPU)
    yield from served(partial(Quiet, directory=str(tmp_path / "index")))


@pytest.fixture
def mute() -> Iterator[str]:
    Mute.may.clear()
    yield from served(Mute)


def served(handler: object) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Mute.may.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_index_answers_when_it_has_torch_and_says_so(bootstrap: ModuleType, index: str) -> None:
    assert bootstrap.answers(index, 60.0)
    assert not bootstrap.answers(f"{index}/elsewhere", 60.0)
    assert not bootstrap.answers("http://127.0.0.1:9", 60.0)
    assert not bootstrap.answers("no address", 60.0)


def test_an_index_that_says_nothing_is_not_waited_for(bootstrap: ModuleType, mute: str) -> None:
    assert not bootstrap.answers(mute, 0.2)


def test_where_the_index_answers_torchs_cpu_build_comes_from_it(
    bootstrap: ModuleType, project: Path, index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel(tmp_path / "pypi", CUDA)))
    bootstrap.prefer_cpu_torch(project, index, 60.0)
    assert installed(project) == CPU
    assert bootstrap.has_torch(project, "torch==2.13.0")
    pip(project, "install", "torch==2.13.0")  # as the packages' set-up does
    assert installed(project) == CPU


def test_where_it_does_not_it_is_told_how_much_comes_and_how_to_avoid_it(
    bootstrap: ModuleType,
    project: Path,
    mute: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel(tmp_path / "pypi", CUDA)))
    bootstrap.prefer_cpu_torch(project, mute, 0.2)
    told = capfd.readouterr().out
    assert f"{mute}, which has torch's CPU build, does not answer" in told
    assert "about 3 gigabytes. To avoid that: Ctrl+C" in told
    assert "PIP_FIND_LINKS" in told
    assert installed(project) == ""  # what comes is the packages' set-up's to fetch


@pytest.mark.parametrize("offline", [False, True])
def test_a_cpu_build_that_pip_finds_by_itself_is_left_to_it(
    bootstrap: ModuleType,
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    offline: bool,
) -> None:
    wheel(tmp_path / "wheels", CUDA)
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel(tmp_path / "wheels", CPU)))
    if offline:
        monkeypatch.setenv("PIP_NO_INDEX", "1")
    bootstrap.prefer_cpu_torch(project, "http://127.0.0.1:9", 60.0)
    assert capfd.readouterr().out == ""
    pip(project, "install", "torch==2.13.0")
    assert installed(project) == CPU
    bootstrap.prefer_cpu_torch(project, "http://127.0.0.1:9", 60.0)  # a second set-up asks nobody
    assert capfd.readouterr().out == ""


def test_with_neither_pip_itself_says_what_is_wrong(
    bootstrap: ModuleType, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bootstrap.prefer_cpu_torch(project, "http://127.0.0.1:9", 60.0)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    "place",
    ["proc/driver/nvidia/version", "usr/lib/wsl/lib/libcuda.so.1", "usr/lib/aarch64-linux-gnu/tegra/libcuda.so.1"],
)
def test_a_driver_is_seen_where_it_lies(bootstrap: ModuleType, tmp_path: Path, place: str) -> None:
    assert not bootstrap.nvidia_driver(tmp_path)
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).touch()
    assert bootstrap.nvidia_driver(tmp_path)


def test_the_torch_that_is_wanted_is_the_projects(bootstrap: ModuleType, pytestconfig: pytest.Config) -> None:
    assert bootstrap.wanted_torch(pytestconfig.rootpath) == "torch==2.13.0"
