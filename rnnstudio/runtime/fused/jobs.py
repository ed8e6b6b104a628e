"""Work that is put off, then done at once: machine code in one call, with torch's operations where they are due.

Between two calls of machine code, Python finds little of its own in the processor's caches, and takes more than twice
the time (measured at 9 calls for a layer's forward and backward: 0.9 ms instead of 0.34). So all of Python comes first.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .ir import Function, Target
from .team import RANGE, share_out

NAME = "rnn_jobs"
"""(jobs, 0, how many jobs, thread, threads): all jobs, in every thread; each waits for the others after each job."""

_JOB = "ppii"
"""64-bit numbers of a job: function (table, first, last + 1, thread), table, how much there is to do, most threads."""

EACH = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 4)
TOGETHER = f"{NAME}_team"

FILL = "rnn_fill"
"""(numbers, whose, places, tables, how many): each number plus the place whose it is goes into the tables."""

FILLING = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4, ctypes.c_int64)


def all_jobs(t: Target, *, team: bool) -> str:
    """IR of the function NAME. team: OpenMP's threads can wait for each other."""
    args = "ptr %table, i64 %first, i64 %last, i64 %thread, i64 %threads"
    f = Function(t, f"define void @{NAME}({args}) nounwind")
    several = f.let("icmp sgt i64 %threads, 1")
    with f.loop("%first", "%last") as number:
        job, table, count, most = f.numbers(f.byte("%table", f.mul(number, 8 * len(_JOB))), _JOB)
        shares = f.least(most, "%threads")
        with f.when(f.let(f"icmp slt i64 %thread, {shares}")):
            cuts = [f.let(f"sdiv i64 {f.mul(count, i)}, {shares}") for i in ("%thread", f.add("%thread", "1"))]
            f.emit(f"call void {job}(ptr {table}, i64 {cuts[0]}, i64 {cuts[1]}, i64 %thread)")
        if team:
            with f.when(several):
                f.emit("call void @GOMP_barrier()")
    f.emit("ret void")
    return ("declare void @GOMP_barrier()\n" if team else "") + f.text()


def fill(t: Target) -> str:
    """IR of the function FILL."""
    f = Function(t, f"define void @{FILL}(ptr %numbers, ptr %whose, ptr %places, ptr %tables, i64 %count) nounwind")

    def entry(base: str, i: str) -> str:
        return f.let(f"load i64, ptr {f.byte(base, f.mul(i, 8))}")

    with f.loop("0", "%count") as i:
        made = f.add(entry("%numbers", i), entry("%places", entry("%whose", i)))
        f.emit(f"store i64 {made}, ptr {f.byte('%tables', f.mul(i, 8))}")
    f.emit("ret void")
    return f.text()


class _Job(NamedTuple):
    function: int
    table: array[int]
    much: int
    threads: int
    kept: object
    """What its table names."""


@dataclass(frozen=True)
class Calls:
    """Ways to run jobs. alone: the function NAME. team: the same in all threads of a team, where there is one. fill:
    the function FILL.
    """

    alone: Callable[..., None]
    team: Callable[..., None] | None
    fill: Callable[..., None]

    def run(self, jobs: int, count: int, most: int) -> None:
        """So many jobs at an address, in the form of _JOB, with up to so many threads; several need a team."""
        if most > 1:
            assert self.team is not None
            self.team(jobs, count, most)
        else:
            self.alone(jobs, 0, count, 0, 1)


class Listener(Protocol):
    """Hears of tables and jobs."""

    def told(self, table: array[int], kinds: str) -> None: ...

    def put(self, function: int, table: array[int], count: int, threads: int) -> None: ...

    def unlike(self, why: str) -> None:
        """No other call does the same again."""
        ...


class Jobs:
    """Jobs in their order."""

    def __init__(self, calls: Calls, listener: Listener | None = None) -> None:
        self._calls = calls
        self._listener = listener
        self._waiting: list[_Job | Callable[[], object]] = []

    def table(self, kinds: str, numbers: Iterable[int]) -> array[int]:
        """64-bit numbers for a job; kinds: p for addresses of tensors and tables, i, b and f for all others."""
        table = array("q", numbers)
        if self._listener is not None:
            self._listener.told(table, kinds)
        return table

    def put(self, function: int, table: array[int], count: int, threads: int, kept: object = None) -> None:
        """Machine code at an address, for 0 … count − 1, which up to so many threads share."""
        if self._listener is not None:
            self._listener.put(function, table, count, max(1, min(threads, count)))
        self._waiting.append(_Job(function, table, count, max(1, min(threads, count)), kept))

    def then(self, what: Callable[[], object]) -> None:
        if self._listener is not None:
            self._listener.unlike("it puts off what is no job")
        self._waiting.append(what)

    def run(self) -> None:
        waiting, self._waiting = self._waiting, []
        some: list[_Job] = []
        for one in waiting:
            if isinstance(one, _Job):
                some.append(one)
                continue
            self._call(some)
            some = []
            one()
        self._call(some)

    def _call(self, jobs: list[_Job]) -> None:
        if not jobs:
            return
        most = max(job.threads for job in jobs)
        if most > 1 and self._calls.team is None:
            for job in jobs:
                if job.threads > 1:
                    share_out(RANGE(job.function), address_of(job.table), job.much, job.threads)
                else:
                    RANGE(job.function)(address_of(job.table), 0, job.much, 0)
            return
        table = array("q")
        for job in jobs:
            table.extend((job.function, address_of(job.table), job.much, job.threads))
        self._calls.run(address_of(table), len(jobs), most)


def address_of(table: array[int]) -> int:
    return table.buffer_info()[0]
