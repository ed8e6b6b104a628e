"""Products by machine code of our own, put off as jobs: what those of vectors and of the matrix unit have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from . import checked, jobs, row_jobs
from .ir import Target
from .jit import Code
from .jobs import Calls, Jobs, Listener
from .multiply import BY_TORCH, Groups, Multiply, Results
from .repeated import Calling
from .team import EACH_THE_WHOLE, TEAM, team_code

_LEAST_SUM = 1 << 15
"""Fewer terms, or numbers of copies, are no work for several threads."""


@dataclass(frozen=True)
class JobCode:
    """Compiled once for all loops. jobs: addresses by name."""

    code: Code
    jobs: dict[str, int]
    calls: Calls

    def begin(self, listener: Listener | None = None) -> Jobs:
        return Jobs(self.calls, listener)


def shared_code(t: Target, *, team: bool) -> str:
    """The IR that every `JobCode` needs."""
    teams = team_code(EACH_THE_WHOLE, {jobs.TOGETHER: jobs.NAME}) if team else ""
    return "\n".join([row_jobs.code(t), jobs.all_jobs(t, team=team), jobs.fill(t), teams])


def jobs_of(code: Code, names: Iterable[str]) -> dict[str, int]:
    """Addresses of these jobs and of the shared ones."""
    return {name: code.address(name) for name in (*names, row_jobs.SUMS, row_jobs.COPIES)}


def calls_of(code: Code, *, team: bool) -> Calls:
    return Calls(
        alone=code.function(jobs.NAME, jobs.EACH),
        team=code.function(jobs.TOGETHER, TEAM) if team else None,
        fill=code.function(jobs.FILL, jobs.FILLING),
    )


class JobProducts(ABC):
    """As `Multiply` says, but for the products themselves. put_off: what is asked for is done by `finish`."""

    shares = True

    def __init__(
        self, target: Target, code: JobCode, *, put_off: bool = False, listener: Listener | None = None
    ) -> None:
        self._target = target
        self.dtype = torch.float64 if target.double else torch.float32
        self._put_off = put_off
        self.code = code
        self.jobs = code.begin(listener)
        self.calling = Calling(code.calls)

    @abstractmethod
    def listened(self, listener: Listener | None) -> JobProducts:
        """The same for one call, of which a listener hears; everything is put off."""

    @abstractmethod
    def __call__(
        self, a: Tensor, b: Tensor, out: Tensor | None = None, *, bias: Tensor | None = None, add: bool = False
    ) -> Tensor:
        """See `Multiply`."""

    @abstractmethod
    def several(self, groups: Groups) -> None:
        """See `Multiply`."""

    @abstractmethod
    def pack(self, weight: Tensor, *, turned: bool) -> Tensor:
        """A weight [columns, depth], or when turned [depth, columns], as products read it."""

    def call(
        self, key: Hashable, given: Sequence[Tensor], fixed: Sequence[Tensor], work: Callable[[Multiply], Results]
    ) -> Results:
        def listened(listener: Listener | None) -> Results:
            return work(self.listened(listener))

        return listened(None) if key is None else self.calling.call(key, given, fixed, listened)

    def sum_rows(self, parts: Tensor, out: Tensor, *, add: bool = False) -> None:
        if out.stride(0) != 1 or parts.stride(1) != 1:
            self.then(partial(BY_TORCH.sum_rows, parts, out, add=add))
            return
        rows, width = parts.shape
        if checked.CHECKING:
            checked.lies("rows to add up", parts, self.dtype)
            checked.buffer("their sum", out, self.dtype, (width,))
        numbers = (out.data_ptr(), parts.data_ptr(), rows, parts.stride(0), width, int(add))
        threads = torch.get_num_threads() if rows * width >= _LEAST_SUM else 1
        table = self.jobs.table(row_jobs.SUM, numbers)
        self.jobs.put(self.code.jobs[row_jobs.SUMS], table, -(-width // row_jobs.COLUMNS), threads, (parts, out))
        self.put()

    def spread(self, row: Tensor, out: Tensor) -> None:
        if row.stride(0) != 1 or out.stride(1) != 1:
            self.then(partial(BY_TORCH.spread, row, out))
            return
        rows, width = out.shape
        if checked.CHECKING:
            checked.lies("copies of a row", out, self.dtype)
            checked.buffer("a row to copy", row, self.dtype, (width,))
        table = self.jobs.table(row_jobs.ROW, (out.data_ptr(), row.data_ptr(), out.stride(0), width))
        threads = torch.get_num_threads() if rows * width >= _LEAST_SUM else 1
        self.jobs.put(self.code.jobs[row_jobs.COPIES], table, rows, threads, (row, out))
        self.put()

    def then(self, what: Callable[[], object]) -> None:
        self.jobs.then(what)
        self.put()

    def finish(self) -> None:
        self.jobs.run()

    def put(self) -> None:
        """What was asked for is done, unless it is put off."""
        if not self._put_off:
            self.jobs.run()
