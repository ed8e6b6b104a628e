"""The set-up of a bare machine: which Python, what apt is asked for, what is told when it cannot be had, and only once.

Nothing is installed here: apt-get, apt-cache and sudo are small programs that write down what they were asked.
"""

import ast
import importlib.util
import shutil
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from rnnstudio import system
from rnnstudio.system import Library

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="apt and sonames are Linux's")


@pytest.fixture
def bootstrap(pytestconfig: pytest.Config) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", pytestconfig.rootpath / "scripts" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Machine:
    """A folder that is the whole PATH, with an apt of our making."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.log = folder / "apt.log"
        self.known = folder / "known"  # what apt-cache finds a candidate for
        self.after_update = folder / "after-update"
        self.known.write_text("")
        self.after_update.write_text("")
        for tool in ("sh", "env", "grep", "cat", "cp", "rm"):
            (self.bin / tool).symlink_to(shutil.which(tool) or f"/bin/{tool}")

    def program(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def give_apt(self, on_install: str = "exit 0") -> None:
        self.program("apt-cache", f'if grep -qx "$2" {self.known}; then echo "  Candidate: 1.0"; fi')
        # Like the real one it fails for a name it does not know; "update" brings the names in after-update.
        self.program(
            "apt-get",
            f'echo "$DEBIAN_FRONTEND $*" >> {self.log}\n'
            f'case "$*" in *update*) cat {self.after_update} >> {self.known};; *install*) {on_install};; esac',
        )

    def asked(self) -> list[str]:
        """What apt-get was run for, without the options that are always there."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.replace("noninteractive -q -o DPkg::Lock::Timeout=300 ", "") for line in lines]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    monkeypatch.setenv("PATH", str(machine.bin))
    monkeypatch.delenv("RNNSTUDIO_NO_APT", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return machine


@pytest.fixture
def absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the one library that Qt is said to need: not there, until apt puts it there."""
    path = tmp_path / "libnobody.so.9"
    library = Library(str(path), ("libnobody9t64", "libnobody9"))
    monkeypatch.setattr(system, "needed", lambda display: (library,))
    monkeypatch.setattr(system, "font_count", lambda: 7)
    return path


def real_library() -> str:
    """A file that the loader opens."""
    maps = Path("/proc/self/maps").read_text().split()
    return next(word for word in maps if ".so" in word and word.startswith("/") and "libc" in word)


# ---------------------------------------------------------------- which Python


def test_an_old_python_can_read_the_script_and_say_what_is_wrong(bootstrap: ModuleType) -> None:
    ast.parse(Path(bootstrap.__file__ or "").read_text(), feature_version=(3, 7))


def test_versions_from_3_11_to_3_13_serve(bootstrap: ModuleType) -> None:
    assert [minor for minor in range(8, 16) if bootstrap.suitable((3, minor))] == [11, 12, 13]


def test_this_python_is_taken_if_it_serves(bootstrap: ModuleType) -> None:
    assert bootstrap.find_python() == sys.executable


def test_beside_an_old_python_another_one_is_found(
    bootstrap: ModuleType, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    machine.program("python3.13", "exit 127")  # a launcher without that version behind it
    machine.program("python3.12", "echo 3 12")
    assert bootstrap.find_python() == str(machine.bin / "python3.12")


def test_with_no_python_that_serves_the_message_says_which_to_install(
    bootstrap: ModuleType, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    told = r"needs Python 3\.11 to 3\.13, and this one is 3\.9.*apt install python3\.11 python3\.11-venv"
    with pytest.raises(bootstrap.SetupError, match=told):
        bootstrap.find_python()


# ---------------------------------------------------------------- system packages


def test_what_is_missing_is_installed_under_the_name_this_release_has(
    bootstrap: ModuleType, machine: Machine, absent: Path
) -> None:
    machine.known.write_text("libnobody9\nlibnobody9t64\n")
    machine.give_apt(on_install=f"cp {real_library()} {absent}")
    assert bootstrap.prepare_system(sys.executable, "", no_venv=False)
    assert machine.asked() == ["install -y --no-install-recommends libnobody9t64"]


def test_an_empty_package_list_is_updated_first(bootstrap: ModuleType, machine: Machine, absent: Path) -> None:
    machine.after_update.write_text("libnobody9\n")
    machine.give_apt(on_install=f"cp {real_library()} {absent}")
    assert bootstrap.prepare_system(sys.executable, "", no_venv=False)
    assert machine.asked() == ["update", "install -y --no-install-recommends libnobody9"]


def test_a_stale_package_list_is_updated_and_the_installation_tried_again(
    bootstrap: ModuleType, machine: Machine, absent: Path
) -> None:
    machine.known.write_text("libnobody9\n")
    machine.after_update.write_text("fresh\n")
    machine.give_apt(on_install=f"grep -q fresh {machine.known} && cp {real_library()} {absent}")
    assert bootstrap.prepare_system(sys.executable, "", no_venv=False)
    install = "install -y --no-install-recommends libnobody9"
    assert machine.asked() == [install, "update", install]


def test_a_name_apt_does_not_know_does_not_keep_it_from_the_others(
    bootstrap: ModuleType, machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.known.write_text("libknown1\n")
    machine.give_apt()
    assert not bootstrap.Apt().install([("libknown1",), ("libunknown1",)])
    assert machine.asked() == ["update", "install -y --no-install-recommends libknown1"]
    assert "apt does not know libunknown1" in capfd.readouterr().out


def test_nothing_is_asked_of_apt_when_nothing_is_missing(
    bootstrap: ModuleType, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "needed", lambda display: (Library("libc.so.6", ("libc6",)),))
    monkeypatch.setattr(system, "font_count", lambda: 1)
    machine.give_apt()
    assert bootstrap.prepare_system(sys.executable, "", no_venv=False)
    assert machine.asked() == []


@pytest.mark.parametrize("count", [0, None])
def test_a_machine_without_fonts_gets_one(
    bootstrap: ModuleType, machine: Machine, monkeypatch: pytest.MonkeyPatch, count: int | None
) -> None:
    monkeypatch.setattr(system, "needed", lambda display: ())
    monkeypatch.setattr(system, "font_count", lambda: 3 if machine.asked() else count)
    machine.known.write_text("fonts-dejavu-core\n")
    machine.give_apt()
    assert bootstrap.prepare_system(sys.executable, "", no_venv=False)
    assert machine.asked() == ["install -y --no-install-recommends fonts-dejavu-core"]


@pytest.mark.parametrize("why", ["no apt", "forbidden", "apt fails"])
def test_what_cannot_be_installed_is_listed_and_survived(
    bootstrap: ModuleType,
    machine: Machine,
    absent: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    why: str,
) -> None:
    if why != "no apt":
        machine.known.write_text("libnobody9\n")
        machine.give_apt(on_install="exit 100")
    if why == "forbidden":
        monkeypatch.setenv("RNNSTUDIO_NO_APT", "1")
    assert not bootstrap.prepare_system(sys.executable, "", no_venv=False)
    told = capfd.readouterr().out
    assert str(absent) in told
    assert "libnobody9t64 or libnobody9" in told
    assert "sudo apt-get install libnobody9\n" in told
    assert "training in the terminal works" in told
    assert bool(machine.asked()) == (why == "apt fails")


def test_who_is_not_root_uses_sudo_which_must_not_wait_for_a_password(
    bootstrap: ModuleType, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    machine.known.write_text("libknown1\n")
    machine.give_apt()
    assert not bootstrap.Apt().available  # no sudo
    machine.program("sudo", f'echo "sudo $1" >> {machine.log}\nshift\nexec "$@"')
    assert bootstrap.Apt().install([("libknown1",)])
    assert machine.asked() == ["sudo -n", "install -y --no-install-recommends libknown1"]


def test_a_python_without_venv_gets_it_from_apt_or_ends_with_the_line_to_paste(
    bootstrap: ModuleType, machine: Machine, absent: Path
) -> None:
    major, minor = sys.version_info[:2]
    package = f"python{major}.{minor}-venv"
    repaired = machine.bin.parent / "repaired"
    machine.program("python", f'case "$2" in *ensurepip*) test -e {repaired};; *) echo {major} {minor};; esac')
    shutil.copy(real_library(), absent)
    python = str(machine.bin / "python")
    with pytest.raises(bootstrap.SetupError, match=f"no venv module.*sudo apt-get install {package}"):
        bootstrap.prepare_system(python, "", no_venv=True)
    machine.known.write_text(f"{package}\n")
    machine.give_apt(on_install=f"echo > {repaired}")
    assert bootstrap.prepare_system(python, "", no_venv=True)
    assert machine.asked() == [f"install -y --no-install-recommends {package}"]


# ---------------------------------------------------------------- doing it once


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder whose .venv is said to be complete."""
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    return tmp_path


def test_a_project_never_set_up_has_no_stamp(bootstrap: ModuleType, project: Path) -> None:
    assert bootstrap.read_stamp(project) == []


def test_what_was_set_up_is_remembered_per_display(bootstrap: ModuleType, project: Path) -> None:
    bootstrap.write_stamp(project, ["offscreen"])
    assert "offscreen" in bootstrap.read_stamp(project)
    assert "x11" not in bootstrap.read_stamp(project)
    bootstrap.write_stamp(project, [*bootstrap.read_stamp(project), "x11"])
    assert {"offscreen", "x11"} < set(bootstrap.read_stamp(project))


def test_without_the_system_libraries_the_packages_still_count_as_installed(
    bootstrap: ModuleType, project: Path
) -> None:
    bootstrap.write_stamp(project, [])
    assert bootstrap.read_stamp(project) == [bootstrap.PACKAGES_ONLY]


def test_another_pyproject_makes_it_run_again(bootstrap: ModuleType, project: Path) -> None:
    bootstrap.write_stamp(project, ["offscreen"])
    with (project / "pyproject.toml").open("a") as file:
        file.write("dependencies = []\n")
    assert bootstrap.read_stamp(project) == []


def test_a_moved_folder_or_a_vanished_python_makes_it_run_again(bootstrap: ModuleType, project: Path) -> None:
    bootstrap.write_stamp(project, ["offscreen"])
    moved = project.parent / "moved"
    shutil.copytree(project, moved, symlinks=True)
    assert bootstrap.read_stamp(moved) == []
    (project / ".venv" / "bin" / "python").unlink()
    assert bootstrap.read_stamp(project) == []


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"digest": 3}'])
def test_a_damaged_stamp_makes_it_run_again(bootstrap: ModuleType, project: Path, damage: str) -> None:
    bootstrap.stamp_path(project).write_text(damage)
    assert bootstrap.read_stamp(project) == []


def test_the_second_call_asks_nobody(
    bootstrap: ModuleType, project: Path, machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.give_apt()
    bootstrap.write_stamp(project, ["offscreen"])
    bootstrap.set_up(project, window=False)
    assert machine.asked() == []
    assert capfd.readouterr().out == ""


def test_two_set_ups_in_one_folder_wait_for_each_other(
    bootstrap: ModuleType, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    order: list[str] = []

    def second() -> None:
        with bootstrap.alone(project):
            order.append("second")

    with bootstrap.alone(project):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert "another set-up is at work" in capfd.readouterr().out


def test_make_without_a_target_lists_the_commands(pytestconfig: pytest.Config) -> None:
    lines = (pytestconfig.rootpath / "Makefile").read_text().splitlines()
    described = {line.split(":")[0] for line in lines if "  ## " in line}
    assert {"setup", "run", "test", "test-isa", "check", "bench", "soak", "clean", "help"} == described
    assert ".DEFAULT_GOAL := help" in lines
