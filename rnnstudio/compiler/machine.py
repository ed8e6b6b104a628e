"""How much memory this machine has: whoever draws a network that it cannot hold is told before it is tried."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

USUAL = 16 * 10**9
"""Bytes, where the system does not say."""

LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux says how much the processes of a container may have."""


@cache
def machine_memory() -> int:
    """Bytes of main memory: the machine's, or what this process may have of it."""
    return min([_installed(), *_limits()])


def gigabytes(count: float) -> str:
    """Bytes as people read them."""
    return f"{count / 1e9:.3g} GB" if count < 1e12 else f"{count / 1e9:,.0f} GB"


def _installed() -> int:
    if hasattr(os, "sysconf") and {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= set(os.sysconf_names):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if hasattr(ctypes, "windll"):
        kilobytes = ctypes.c_ulonglong()
        if ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes)):
            return 1024 * kilobytes.value
    return USUAL


def _limits() -> list[int]:
    found = []
    for file in LIMITS:
        try:
            text = Path(file).read_text(encoding="ascii").strip()
        except OSError:
            continue  # another system, or another version of it
        if text.isdecimal():
            found.append(int(text))
    return found
