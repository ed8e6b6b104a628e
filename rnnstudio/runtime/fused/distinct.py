"""The distinct tokens of some rows, numbered, as machine code on the CPU: numpy needs as long as a level of a tree."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from . import checked
from .ir import Function, Target
from .jit import CannotCompile, Code, compile_ir, host

_COUNT = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 5, *[ctypes.c_int64] * 4)


class Distinct:
    """Numbers the tokens 0 … size − 1 of a vocabulary. Holds a place for each; serves one call at a time."""

    def __init__(self, size: int) -> None:
        self._numbers = torch.full((size,), -1)

    def __call__(self, tokens: Tensor, places: Tensor, first: int) -> tuple[Tensor, Tensor, int] | None:
        """(the distinct tokens, the number of the token of each row, how many of them rows from `first` on have).

        Row i has the token tokens[places[i]]; those of rows from `first` on are numbered first. None: a token is out of
        range, or there is no compiler. All int64 on the CPU, without gaps.
        """
        found = _code()
        if found is None:
            return None
        count = found[1]
        n = len(places)
        if checked.CHECKING:
            checked.numbers("places of tokens", places, len(tokens))
            checked.all_plain({"tokens": tokens, "numbers": self._numbers}, torch.int64)
        present, rows = places.new_empty(n), places.new_empty(n)
        common = (tokens.data_ptr(), places.data_ptr(), self._numbers.data_ptr(), present.data_ptr(), rows.data_ptr())
        later = count(*common, first, n, 0, len(self._numbers))
        every = count(*common, 0, first, later, len(self._numbers)) if later >= 0 else -1
        if every < 0:
            self._numbers.fill_(-1)
            return None
        present = present[:every]
        self._numbers[present] = -1
        return present, rows, later


@lru_cache(maxsize=1)
def _code() -> tuple[Code, Callable[..., int]] | None:
    target = host(False)
    try:
        code = compile_ir(counting(target), target, {})
    except CannotCompile:
        return None
    return code, _COUNT(code.address("count_distinct"))


def counting(t: Target) -> str:
    """@count_distinct (tokens, places, numbers, present, rows, first row, last + 1, tokens so far, vocabulary)."""
    args = "ptr %tokens, ptr %places, ptr %numbers, ptr %present, ptr %rows, i64 %from, i64 %to, i64 %count, i64 %size"
    f = Function(t, f"define i64 @count_distinct({args}) nounwind")
    f.places.append("  %so_far = alloca i64")

    def at(base: str, index: str) -> str:
        return f.let(f"getelementptr i64, ptr {base}, i64 {index}", "p")

    def load(base: str, index: str) -> str:
        return f.let(f"load i64, ptr {at(base, index)}, align 8")

    f.emit("store i64 %count, ptr %so_far")
    with f.loop("%from", "%to") as i:
        token = load("%tokens", load("%places", i))
        with f.when(f.let(f"icmp uge i64 {token}, %size")):
            f.emit("ret i64 -1")
            f.block(f.label("never"))
        with f.when(f.let(f"icmp slt i64 {load('%numbers', token)}, 0")):
            new = f.let("load i64, ptr %so_far")
            f.emit(f"store i64 {new}, ptr {at('%numbers', token)}, align 8")
            f.emit(f"store i64 {token}, ptr {at('%present', new)}, align 8")
            f.emit(f"store i64 {f.add(new, '1')}, ptr %so_far")
        f.emit(f"store i64 {load('%numbers', token)}, ptr {at('%rows', i)}, align 8")
    f.emit(f"ret i64 {f.let('load i64, ptr %so_far')}")
    return f.text()
