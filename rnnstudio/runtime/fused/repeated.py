"""Calls that are alike: what one did is written down, and done again without its Python.

A call of a loop in machine code does two things: it allocates memory, and puts jobs whose tables name that memory.
With the same sizes it does the same again, at other addresses. So a second such call is listened to, and from then on
only memory is allocated, addresses are filled into the tables, and all jobs run. A call that does anything besides, an
operation of torch's say, is never repeated.
"""

from __future__ import annotations

import ctypes
from array import array
from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from . import checked
from .jobs import Calls, address_of

Results = list[Tensor | None]

_MOST = 32
"""So many different calls are remembered."""

_CLEARED = frozenset({"aten::zeros", "aten::new_zeros", "aten::zeros_like"})
_ALLOCATING = _CLEARED | {
    *("aten::empty.memory_format", "aten::empty_strided", "aten::empty_like"),
    *("aten::new_empty", "aten::new_empty_strided"),
}

_NOTHING, _TABLES, _FIRST = 0, 1, 2
"""Of the addresses that are filled in: none, that of the tables themselves, and from where on tensors' are."""

_LINE = 64
"""Bytes of a cache line, at which memory begins."""


class _Memory(NamedTuple):
    start: int
    stop: int
    number: int
    """Of its address among those filled in; _NOTHING: it never moves."""


class _Block(NamedTuple):
    """Memory that a call allocates."""

    tensor: Tensor
    cleared: bool


class Listening(TorchDispatchMode):
    """Writes down what one call does. given: tensors that lie elsewhere in each call. fixed: those that do not.

    why: what cannot be done again, or "".
    """

    def __init__(self, given: Sequence[Tensor], fixed: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.why = ""
        self._given = len(given)
        self._fixed = list(fixed)
        self._storages: set[int] = set()
        self._memory: list[_Memory] = []
        self._blocks: list[_Block] = []
        self._tables: list[tuple[array[int], str]] = []
        self._jobs: list[tuple[int, array[int], int, int]] = []
        for number, x in enumerate(given):
            self._storages.add(x.untyped_storage().data_ptr())
            last = sum((n - 1) * step for n, step in zip(x.shape, x.stride(), strict=True))
            self._remember(x.data_ptr(), (last + 1) * x.element_size() if x.numel() else 0, _FIRST + number)
        for at, size in {(s.data_ptr(), s.nbytes()) for s in (x.untyped_storage() for x in fixed)}:
            self._storages.add(at)
            self._remember(at, size, _NOTHING)
        own = sorted(self._memory)
        if any(a.stop > b.start for a, b in pairwise(own)):
            self.why = "inputs share memory"

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: torch would load its compiler for that, 40 MB of modules. Nothing in here is ever compiled by it."""
        return False

    def _remember(self, at: int, size: int, number: int) -> None:
        if size:
            self._memory.append(_Memory(at, at + size, number))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.name() in _ALLOCATING:
            storage = out.untyped_storage()
            self._storages.add(storage.data_ptr())
            self._remember(storage.data_ptr(), storage.nbytes(), _FIRST + self._given + len(self._blocks))
            self._blocks.append(_Block(out, func.name() in _CLEARED))
        elif func._schema.is_mutable or not all(map(self._known, out if isinstance(out, (list, tuple)) else (out,))):
            self.why = self.why or f"it runs {func.name()}"
        return out

    def _known(self, x: object) -> bool:
        """Whether it is a view of memory that was told of."""
        return isinstance(x, Tensor) and x.untyped_storage().data_ptr() in self._storages

    def told(self, table: array[int], kinds: str) -> None:
        """A table of a job; kinds: see Jobs.table."""
        self._tables.append((table, kinds))

    def put(self, function: int, table: array[int], count: int, threads: int) -> None:
        self._jobs.append((function, table, count, threads))

    def unlike(self, why: str) -> None:
        self.why = self.why or why

    def written_down(self, calls: Calls, results: Results) -> Repeated | str:
        """What makes such results again, or why nothing can."""
        most = max((threads for *_, threads in self._jobs), default=1)
        if most > 1 and calls.team is None:
            self.why = self.why or "its threads are no team"
        if self.why:
            return self.why
        starts: dict[int, int] = {}
        at = 0
        for table, _ in self._tables:
            starts[address_of(table)] = at
            at += len(table)
        numbers, whose = [], []
        placed = sorted(self._memory)
        begins = [memory.start for memory in placed]
        for table, kinds in self._tables:
            for number, kind in zip(table, kinds, strict=True):
                value, own = number, _NOTHING
                if kind == "p" and number in starts:
                    value, own = 8 * starts[number], _TABLES
                elif kind == "p" and number:
                    found = bisect_right(begins, number) - 1
                    if found < 0 or number >= placed[found].stop:
                        return "a table names memory that nobody told of"
                    memory = placed[found]
                    if memory.number != _NOTHING:
                        value, own = number - memory.start, memory.number
                numbers.append(value)
                whose.append(own)
        for function, table, count, threads in self._jobs:
            if address_of(table) not in starts:
                return "a job's table was not told of"
            numbers += [function, 8 * starts[address_of(table)], count, threads]
            whose += [_NOTHING, _TABLES, _NOTHING, _NOTHING]
        return self._repeated(calls, results, (numbers, whose, at), most)

    def _repeated(
        self, calls: Calls, results: Results, tables: tuple[list[int], list[int], int], most: int
    ) -> Repeated | str:
        """Blocks that hold results are allocated one by one, all others at once."""
        blocks = {block.tensor.untyped_storage().data_ptr(): i for i, block in enumerate(self._blocks)}
        own: dict[int, int] = {}
        made: list[_Made] = []
        views: list[Tensor | _View | None] = []
        for x in results:
            at = x.untyped_storage().data_ptr() if x is not None and x.numel() else 0
            if x is None or at in {y.untyped_storage().data_ptr() for y in self._fixed}:
                views.append(x)
                continue
            if at not in blocks:
                return "a result is no memory of its own"
            i = blocks[at]
            if i not in own:
                own[i] = len(made)
                y = self._blocks[i].tensor
                made.append(_Made(y.shape, y.stride(), y.dtype, self._blocks[i].cleared))
            whole = x.shape == made[own[i]].shape and x.stride() == made[own[i]].stride
            views.append(_View(own[i], whole, x.shape, x.stride(), int(x.storage_offset())))
        pools = [0, 0]
        first = _FIRST + self._given
        to: dict[int, tuple[int, int]] = {}
        for i, block in enumerate(self._blocks):
            if i in own:
                to[first + i] = (first + own[i], 0)
                continue
            to[first + i] = (first + len(made) + block.cleared, pools[block.cleared])
            pools[block.cleared] += -(-block.tensor.untyped_storage().nbytes() // _LINE) * _LINE
        numbers, whose, at = tables
        moved = [to.get(number, (number, 0)) for number in whose]
        return Repeated(
            calls=calls,
            fixed=self._fixed,
            made=made,
            results=views,
            pools=(pools[0], pools[1]),
            whose=array("q", [number for number, _ in moved]),
            numbers=array("q", [number + more for number, (_, more) in zip(numbers, moved, strict=True)]),
            jobs=(8 * at, len(self._jobs), most),
        )


class _Made(NamedTuple):
    shape: torch.Size
    stride: tuple[int, ...]
    dtype: torch.dtype
    cleared: bool


class _View(NamedTuple):
    """What lies in a block; whole: all of it, as it was allocated."""

    block: int
    whole: bool
    shape: torch.Size
    stride: tuple[int, ...]
    offset: int


class Repeated(NamedTuple):
    """A call without its Python. fixed: the memory that its tables name by address."""

    calls: Calls
    fixed: list[Tensor]
    made: list[_Made]
    results: list[Tensor | _View | None]
    pools: tuple[int, int]
    """Bytes of all other memory: as it comes, and cleared."""
    whose: array[int]
    numbers: array[int]
    """All tables and then the jobs: a number, and which address is added to it."""
    jobs: tuple[int, int, int]
    """Bytes from the tables' start to the jobs', how many, most threads."""

    def __call__(self, given: Sequence[Tensor]) -> Results:
        made = [torch.empty_strided(shape, stride, dtype=dtype, device="cpu") for shape, stride, dtype, _ in self.made]
        for x, one in zip(made, self.made, strict=True):
            if one.cleared:
                x.zero_()
        plain, cleared = self.pools
        count = len(self.numbers)
        some = torch.empty(plain + cleared + 8 * count, dtype=torch.uint8, device="cpu")
        start = some.data_ptr()
        if cleared:
            ctypes.memset(start + plain, 0, cleared)
        tables = start + plain + cleared
        places = array("q", [0, tables, *[x.data_ptr() for x in given], *[x.data_ptr() for x in made]])
        places.extend((start, start + plain))
        self.calls.fill(address_of(self.numbers), address_of(self.whose), address_of(places), tables, count)
        to_jobs, jobs, most = self.jobs
        self.calls.run(tables + to_jobs, jobs, most)
        found: Results = []
        for result in self.results:
            if isinstance(result, _View):
                whole = made[result.block]
                seen = whole if result.whole else whole.as_strided(result.shape, result.stride, result.offset)
                found.append(seen)
            else:
                found.append(result)
        return found


class Calling:
    """The calls of one loop. repeats: how many went without their Python."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._known: dict[Hashable, Repeated | str] = {}
        self.repeats = 0

    def call(
        self,
        key: Hashable,
        given: Sequence[Tensor],
        fixed: Sequence[Tensor],
        work: Callable[[Listening | None], Results],
    ) -> Results:
        """What `work` makes. key: all that decides what it does, besides the tensors themselves: types, shapes and
        strides of all of them, and where the fixed ones lie, are those of the call that is done again.
        """
        own = [(x.data_ptr(), x.dtype, x.shape, x.stride()) for x in fixed]
        key = (key, torch.get_num_threads(), *own, *[(x.dtype, x.shape, x.stride()) for x in given])
        known = self._known.get(key)
        if isinstance(known, Repeated):
            self.repeats += 1
            for x in given if checked.CHECKING else ():
                checked.lies("a tensor of a call done again", x, x.dtype)
            return known(given)
        if known != "":  # the first of its kind, or never to be repeated
            if known is None:
                while len(self._known) >= _MOST:
                    del self._known[next(iter(self._known))]
                self._known[key] = ""
            return work(None)
        listening = Listening(given, fixed)
        with listening:
            results = work(listening)
        self._known[key] = listening.written_down(self._calls, results)
        return results

    def refusals(self) -> list[str]:
        """Why calls are not repeated, each reason once."""
        return list(dict.fromkeys(why for why in self._known.values() if isinstance(why, str) and why))
