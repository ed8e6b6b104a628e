"""Which processes live: a number alone does not say, since the system gives it again to another."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def started(pid: int) -> str:
    """When a process began, in words only good for comparing; "" when there is none or it cannot be known."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        if stat.parent.parent.joinpath("self").exists():
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
            # The name, in brackets, may hold anything; the 22nd field counts from before it.
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            return f"{boot} {fields[19]}"
        if os.name == "posix":
            told = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
            return told.stdout.strip()
    except (OSError, IndexError):
        return ""
    return ""


def lives(pid: int, since: str) -> bool:
    """Whether the process that had this number and began at `since` still runs ("" : any of that number)."""
    if pid == os.getpid():
        return since in ("", started(pid))
    if os.name == "nt":
        return _lives_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OverflowError:
        return False  # a number no process can have
    except OSError:
        pass  # it is there, and another user's
    return since in ("", started(pid)) and not _is_dead_child(pid)


def _is_dead_child(pid: int) -> bool:
    """A process that ended and was not asked about by its parent still has its number."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return False
    return bool(fields) and fields[0] in ("Z", "X")


def _lives_on_windows(pid: int) -> bool:
    told = subprocess.run(
        ["tasklist", "/FI", f"PID eq {pid}", "/NH", "/FO", "CSV"], capture_output=True, text=True, check=False
    )
    return f'"{pid}"' in told.stdout
