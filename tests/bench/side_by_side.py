"""Timing of several ways to do one thing: interleaved, so that a busy machine slows all of them alike."""

from __future__ import annotations

import atexit
import ctypes
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

ROUNDS = 7

_CALM, _TRIES, _PAUSE = 1.2, 6, 0.2
"""A measurement counts when a fixed piece of work, done before and after it, took at most so many times its best. Else
it is repeated, so often at most, after so many seconds: on a shared machine others slow some ways down more than
others."""


def medians(ways: Mapping[str, Callable[[], object]], seconds: float = 0.03) -> dict[str, float]:
    """Seconds per call: the median of 7 rounds, in each of which every way runs for at least `seconds`.

    Before that it runs once untimed, so that it pays for nothing that the way before it has left behind: cold caches,
    and thousands of small pieces of memory that the next one to free a large piece has to join.
    """
    calls = {}
    for name, way in ways.items():
        way()
        way()
        started = time.perf_counter()
        way()
        calls[name] = max(1, min(200, int(seconds / max(time.perf_counter() - started, 1e-7))))
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            found[name].append(_undisturbed(way, calls[name]))
    return {name: statistics.median(times) for name, times in found.items()}


def _undisturbed(way: Callable[[], object], calls: int) -> float:
    """Seconds per call. The quickest of all tries, where the machine never was calm."""
    times = []
    for _ in range(_TRIES):
        calm = _pulse.calm()
        way()
        started = time.perf_counter()
        for _ in range(calls):
            way()
        times.append((time.perf_counter() - started) / calls)
        if calm and _pulse.calm():
            return times[-1]
        time.sleep(_PAUSE)
    _pulse.restless += 1
    return min(times)


class _Pulse:
    """Products of two matrices, a millisecond: how fast the machine is now. In float32 and in bfloat16, since a matrix
    unit that cores share is slowed down by others' work more than vectors are.
    """

    def __init__(self) -> None:
        self._best: dict[tuple[int, torch.dtype], float] = {}
        self.restless = 0

    def calm(self) -> bool:
        return self._is_calm(torch.float32) and self._is_calm(torch.bfloat16)

    def _is_calm(self, dtype: torch.dtype) -> bool:
        matrix, times = torch.ones(384, 384, dtype=dtype), []
        for _ in range(3):
            started = time.perf_counter()
            torch.mm(matrix, matrix)
            times.append(time.perf_counter() - started)
        key = (torch.get_num_threads(), dtype)
        self._best[key] = min(self._best.get(key, times[0]), *times)
        return min(times) <= _CALM * self._best[key]


_pulse = _Pulse()


@atexit.register
def _tell() -> None:
    if _pulse.restless:
        print(f"{_pulse.restless} measurements were made while others worked on the machine: do not rely on them")


def machine() -> str:
    """One line: processor, cores, load, torch."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{name}, {os.cpu_count()} cores{load}, torch {torch.__version__}, float32"


def keep_memory() -> None:
    """As the training worker does: freed memory stays with the process (glibc; elsewhere nothing happens)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(-4, 0)
    mallopt(-1, 2**31 - 1)
