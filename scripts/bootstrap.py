"""Makes everything rnnstudio needs on a machine that has only python3 and make: `make setup`, before `run` and `test`.

In order: a Python of a version we support, the system libraries and a font (with apt where there is apt), a virtual
environment in .venv, the packages of pyproject.toml (on Linux without an NVIDIA driver with torch's CPU build, which is
gigabytes smaller), and a proof that Qt opens. A stamp in .venv records for what this
was done, so that the next call answers at once. Standard library only, and any Python from 3.7 can read it, so that an
old one says what is wrong.

    python3 scripts/bootstrap.py            for tests and for a machine without a display
    python3 scripts/bootstrap.py --window   also what a real window needs, if there is a display

RNNSTUDIO_NO_APT=1 forbids installing system packages: what is missing is only listed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnnstudio.system import Display

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 11), (3, 13)
EXTRAS = "test,dev"
PACKAGES_ONLY = "packages"  # in a stamp's list: .venv is complete, whatever the system libraries
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CPU_INDEX_SECONDS = 3.0
CUDA_GIGABYTES = 3  # what torch's build for CUDA brings with its libraries, downloaded; twice that on the disk
APT_ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}


class SetupError(Exception):
    """Set-up cannot go on; the text says what is wrong and what to do."""


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


# ---------------------------------------------------------------- which Python


def suitable(version: tuple[int, int]) -> bool:
    return OLDEST <= version <= NEWEST


def version_of(python: str | Path) -> tuple[int, int] | None:
    """(major, minor) of an interpreter, None if it does not run (a dangling link, a launcher without that version)."""
    probe = "import sys; print(*sys.version_info[:2])"
    try:
        answer = subprocess.run([str(python), "-c", probe], capture_output=True, text=True, timeout=60, check=True)
        major, minor = answer.stdout.split()
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return int(major), int(minor)


def find_python() -> str:
    """The interpreter to build the environment with: this one if its version serves, else another on PATH."""
    if suitable(sys.version_info[:2]):
        return sys.executable
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and version_of(found) == (3, minor):
            return found
    here = ".".join(map(str, sys.version_info[:2]))
    raise SetupError(
        f"rnnstudio needs Python 3.{OLDEST[1]} to 3.{NEWEST[1]}, and this one is {here} ({sys.executable}). "
        f"Install one of them beside it, with its venv module (on Debian and Ubuntu: apt install python3.{OLDEST[1]} "
        f"python3.{OLDEST[1]}-venv), or name it: make PYTHON=/path/to/python3.{OLDEST[1]}"
    )


def has_ensurepip(python: str) -> bool:
    """Debian packs this half of venv apart; without it an environment is made without pip."""
    return subprocess.run([python, "-c", "import venv, ensurepip"], capture_output=True).returncode == 0


# ---------------------------------------------------------------- system packages


class Apt:
    """Installs Debian packages: as root, or with sudo. `available` is False where it may not or cannot."""

    def __init__(self) -> None:
        self.prefix: list[str] = []
        self.updated = False
        self.available = bool(shutil.which("apt-get") and shutil.which("apt-cache"))
        if os.environ.get("RNNSTUDIO_NO_APT"):
            self.available = False
        elif self.available and os.geteuid() != 0:
            self.available = shutil.which("sudo") is not None
            # With nobody at a terminal to type a password, sudo must refuse at once and not wait.
            self.prefix = ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]

    def install(self, wanted: Sequence[tuple[str, ...]]) -> bool:
        """Installs one package of each tuple of alternative names; True if apt says that all went well."""
        if not all(self._choose(names) for names in wanted):
            self._update()
        chosen = [self._choose(names) for names in wanted]
        if None in chosen:  # apt refuses the whole line for one name it does not know
            unknown = [names[-1] for names, name in zip(wanted, chosen, strict=True) if not name]
            say("apt does not know " + ", ".join(unknown))
        names = list(dict.fromkeys(name for name in chosen if name))
        if not names:
            return False
        command = ["install", "-y", "--no-install-recommends", *names]
        if self._run(*command):
            return None not in chosen
        # Stale lists ask the mirror for files that it no longer has.
        return not self.updated and self._update() and self._run(*command) and None not in chosen

    def _update(self) -> bool:
        self.updated = True
        return self._run("update")

    def _run(self, *arguments: str) -> bool:
        variables = [f"{name}={value}" for name, value in APT_ENVIRONMENT.items()]  # sudo drops the environment
        command = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", *arguments]
        say(" ".join([*self.prefix, *command]))
        return subprocess.run([*self.prefix, "env", *variables, *command], cwd="/").returncode == 0

    @staticmethod
    def _choose(names: tuple[str, ...]) -> str | None:
        """The first of the names that this release can install (libglib2.0-0 is libglib2.0-0t64 since Ubuntu 24.04)."""
        for name in names:
            policy = subprocess.run(
                ["apt-cache", "policy", name], capture_output=True, text=True, env={**os.environ, **APT_ENVIRONMENT}
            ).stdout
            if re.search(r"^\s*Candidate: (?!\(none\))", policy, re.MULTILINE):
                return name
        return None


def prepare_system(python: str, display: Display, no_venv: bool) -> bool:
    """Installs what is missing outside the virtual environment; True if now nothing is.

    Fatal only if without it no environment can be made: training in the terminal needs none of Qt's libraries.
    """
    from rnnstudio import system

    libraries = system.missing(system.needed(display))
    # Without fontconfig there is nobody to ask, and a bare machine that lacks it has no font either.
    no_font = not system.font_count() and sys.platform.startswith("linux")
    venv_package = ("python{}.{}-venv".format(*version_of(python) or OLDEST),)
    wanted = [*system.packages(libraries), *[system.FONT_PACKAGES] * no_font, *[venv_package] * no_venv]
    if wanted:
        say("this machine lacks " + ", ".join(names[-1] for names in wanted))
        apt = Apt()
        if apt.available:
            apt.install(wanted)
    if no_venv and not has_ensurepip(python):
        raise SetupError(
            f"{python} has no venv module with pip, so no environment can be made. "
            f"On Debian and Ubuntu: sudo apt-get install {venv_package[0]}"
        )
    libraries = system.missing(libraries)
    no_font = no_font and not system.font_count()
    if libraries:
        say("the window needs these system libraries, and they could not be installed here:")
        print(system.describe(libraries), flush=True)
        say(f"on Debian and Ubuntu: {system.remedy(libraries)}")
        say("going on without them: training in the terminal works, the window and its tests do not")
    if no_font:
        package = system.FONT_PACKAGES[0]
        say(f"there is no font, so a window shows no text; on Debian and Ubuntu: sudo apt-get install {package}")
    return not libraries and not no_font


# ---------------------------------------------------------------- the environment


def environment_python(root: Path) -> Path:
    return root / ".venv" / "bin" / "python"


def has_environment(root: Path) -> bool:
    """Is there a .venv whose Python runs, is of a version we support and has pip?"""
    inside = environment_python(root)
    if not suitable(version_of(inside) or (0, 0)):
        return False
    return subprocess.run([str(inside), "-m", "pip", "-V"], capture_output=True).returncode == 0


def make_environment(root: Path, python: str) -> None:
    say(f"making the virtual environment {root / '.venv'} with {python}")
    if subprocess.run([python, "-m", "venv", "--clear", str(root / ".venv")]).returncode != 0:
        raise SetupError(f"{python} could not make {root / '.venv'}. Its message is above")


def nvidia_driver(machine: Path = Path("/")) -> bool:
    """Is there an NVIDIA driver: the kernel's own, Windows' seen from its Linux, or a Jetson's? machine: its root."""
    places = ("proc/driver/nvidia/version", "usr/lib/wsl/lib/libcuda.so.1")
    return any((machine / place).exists() for place in places) or any(machine.glob("usr/lib/*/tegra*/libcuda.so.1"))


def answers(index: str, seconds: float) -> bool:
    """Does a package index offer torch, and say so in time? In a thread: looking up a name knows no time limit."""
    found = []

    def ask() -> None:
        try:
            request = urllib.request.Request(f"{index}/torch/", method="HEAD")
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                found.append(answer.status == 200)
        except (OSError, ValueError):  # urllib's errors are OSErrors; ValueError: no address at all
            pass

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return found == [True]


def wanted_torch(root: Path) -> str:
    """The line of pyproject.toml that names torch; "" if there is none."""
    found = re.search(r'"(torch==[^"]+)"', (root / "pyproject.toml").read_text(encoding="utf-8"))
    return found.group(1) if found else ""


def has_torch(root: Path, wanted: str) -> bool:
    """Is it installed, whichever build?"""
    probe = "from importlib.metadata import version; print(version('torch'))"
    answer = subprocess.run([str(environment_python(root)), "-c", probe], capture_output=True, text=True, cwd=root)
    return answer.stdout.strip().split("+")[0] == wanted.split("==")[1]


def found_torch(root: Path, wanted: str) -> str:
    """The version of torch that pip would install as it is configured; "" when it finds none, or not soon."""
    command = [str(environment_python(root)), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    command += ["--dry-run", "--no-deps", "--retries", "0", "--timeout", "5", "--report", "-", wanted]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=root)
        return str(json.loads(answer.stdout)["install"][0]["metadata"]["version"])
    except (OSError, ValueError, LookupError, subprocess.SubprocessError):
        return ""


def prefer_cpu_torch(root: Path, index: str = CPU_INDEX, seconds: float = CPU_INDEX_SECONDS) -> None:
    """Installs torch's CPU build, unless pip finds one anyway (--find-links, an index of one's own).

    Torch alone comes from that index, all other packages from where pip is configured to take them. Where the index
    does not answer, it is told what comes instead.
    """
    wanted = wanted_torch(root)
    if not wanted or has_torch(root, wanted):
        return
    found = found_torch(root, wanted)
    if "+" in found:
        return
    if answers(index, seconds):
        say("no NVIDIA driver here: installing torch's CPU build")
        command = [str(environment_python(root)), "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]
        if subprocess.run([*command, "--index-url", index, wanted], cwd=root).returncode == 0:
            return
        say(f"torch's CPU build could not be installed from {index}")
    elif found:
        say(f"no NVIDIA driver here, and {index}, which has torch's CPU build, does not answer")
    if found:
        say(f"so torch's build for CUDA comes, about {CUDA_GIGABYTES} gigabytes. To avoid that: Ctrl+C, and try again")
        say(
            "when that address answers, or with PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS naming a place with the CPU build"
        )


def install_packages(root: Path) -> None:
    # Elsewhere what PyPI has is the build for the CPU.
    if sys.platform.startswith("linux") and platform.machine() == "x86_64" and not nvidia_driver():
        prefer_cpu_torch(root)
    say("installing the Python packages; the first time this downloads PyTorch and Qt and takes some minutes")
    command = [str(environment_python(root)), "-m", "pip", "install", "--disable-pip-version-check"]
    if subprocess.run([*command, "-e", f"{root}[{EXTRAS}]"], cwd=root).returncode != 0:
        raise SetupError("pip could not install the packages. Its message is above; if it names the network, try again")


def prove(root: Path) -> None:
    """Qt opens offscreen and torch computes. Without Qt the terminal still serves, so that is only told."""
    python = str(environment_python(root))
    qt = "import sys; from PySide6.QtWidgets import QApplication; QApplication(sys.argv)"
    offscreen = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    answer = subprocess.run([python, "-c", qt], env=offscreen, cwd=root, capture_output=True, text=True)
    if answer.returncode != 0:
        say("Qt does not open here: " + (answer.stderr.strip().splitlines() or ["no message"])[-1])
    torch = "import torch; assert (torch.ones(2, 2) @ torch.ones(2, 2)).sum() == 8"
    answer = subprocess.run([python, "-c", torch], cwd=root, capture_output=True, text=True)
    if answer.returncode != 0:
        raise SetupError("PyTorch does not run here: " + (answer.stderr.strip().splitlines() or ["no message"])[-1])


# ---------------------------------------------------------------- doing it once


def stamp_path(root: Path) -> Path:
    return root / ".venv" / "rnnstudio-setup.json"


def digest(root: Path) -> str:
    """Of all that decides what gets installed: a moved folder, another pyproject.toml or another set-up starts anew."""
    parts = [str(root).encode(), (root / "pyproject.toml").read_bytes(), Path(__file__).read_bytes()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def read_stamp(root: Path) -> list[str]:
    """For which displays this machine is ready ("offscreen", "x11", ...); empty if .venv is to be made or renewed."""
    try:
        stamp = json.loads(stamp_path(root).read_text(encoding="utf-8"))
        valid = stamp["digest"] == digest(root) and version_of(environment_python(root)) is not None
        return [PACKAGES_ONLY, *stamp["ready"]] if valid else []
    except (OSError, ValueError, TypeError, KeyError):  # no stamp yet, or one cut short
        return []


def write_stamp(root: Path, ready: Sequence[str]) -> None:
    stamp = {"digest": digest(root), "ready": sorted({*ready} - {PACKAGES_ONLY})}
    stamp_path(root).write_text(json.dumps(stamp), encoding="utf-8")


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """One set-up at a time: two `make` in one folder would install over each other."""
    import fcntl

    with (root / "pyproject.toml").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another set-up is at work in this folder; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_up(root: Path, window: bool) -> None:
    """Brings the machine and .venv to the state that pyproject.toml asks for; at once if it was there already."""
    from rnnstudio import system

    display = system.display() if window else ""
    kind = display or "offscreen"
    if kind in read_stamp(root):
        return
    with alone(root):
        ready = read_stamp(root)  # again: who held the lock before us may have done it
        if kind in ready:
            return
        reuse = has_environment(root)
        python = sys.executable if reuse else find_python()
        if python != sys.executable:  # so that libraries are sought the way that Python will seek them
            say(f"continuing with {python}")
            os.execv(python, [python, *sys.argv])
        complete = prepare_system(python, display, no_venv=not reuse and not has_ensurepip(python))
        if not ready:
            if not reuse:
                make_environment(root, python)
            install_packages(root)
            prove(root)
        # What could not be installed is looked for again next time, and then costs no more than the look.
        write_stamp(root, [*ready, kind] if complete else ready)
        say("done")


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes .venv and installs all that rnnstudio needs.")
    parser.add_argument("--window", action="store_true", help="also what a real window needs, if there is a display")
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    try:
        set_up(ROOT, arguments.window)
    except SetupError as error:
        print(f"setup: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: interrupted; the next call goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
