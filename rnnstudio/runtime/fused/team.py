"""A loop's work shared out to threads: torch's own OpenMP team where it can be entered, else plain threads."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

RANGE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
"""A loop (table, first, last + 1, thread)."""

TEAM = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
"""The same loop in all threads of a team (table, how much there is to do, threads)."""

EACH_A_SHARE = """  %next = add i64 %i, 1
  %before = mul i64 %batch, %i
  %after = mul i64 %batch, %next
  %from = sdiv i64 %before, %n
  %to = sdiv i64 %after, %n
  call void %loop(ptr %table, i64 %from, i64 %to, i64 %i)"""
"""What there is to do (rows of the batch, say) is split over the team."""

EACH_THE_WHOLE = "  call void %loop(ptr %table, i64 0, i64 %batch, i64 %i, i64 %n)"
"""Every thread goes through all of it, and knows how many threads there are."""

LOOPS = {"forward_team": "forward", "backward_team": "backward"}


def team_code(how: str, loops: Mapping[str, str]) -> str:
    """IR of entry points (table, how much, threads), each of which calls a loop in every thread of OpenMP's team.

    how: EACH_A_SHARE or EACH_THE_WHOLE. loops: entry point → loop. The functions of `jit.openmp` are needed.
    """
    entries = (
        f"define void @{entry}(ptr %table, i64 %batch, i64 %threads) nounwind {{\n"
        f"  call void @together(ptr @{loop}, ptr %table, i64 %batch, i64 %threads)\n  ret void\n}}\n"
        for entry, loop in loops.items()
    )
    return _TOGETHER.replace("  CALL", how) + "\n".join(entries)


def share_out(loop: Callable[..., None], table: int, count: int, threads: int) -> None:
    """Run a loop over 0 … count − 1 on plain threads; machine code called through ctypes holds no lock."""
    cuts = [count * i // threads for i in range(threads + 1)]
    with ThreadPoolExecutor(threads - 1, thread_name_prefix="rnnstudio-loop") as pool:
        others = [pool.submit(loop, table, cuts[i], cuts[i + 1], i) for i in range(1, threads)]
        loop(table, 0, cuts[1], 0)
        for other in others:
            other.result()


_TOGETHER = """
declare void @GOMP_parallel(ptr, ptr, i32, i32)
declare i32 @omp_get_thread_num()
declare i32 @omp_get_num_threads()

define internal void @member(ptr %work) nounwind {
  %loop = load ptr, ptr %work
  %p1 = getelementptr i64, ptr %work, i64 1
  %table = load ptr, ptr %p1
  %p2 = getelementptr i64, ptr %work, i64 2
  %batch = load i64, ptr %p2
  %number = call i32 @omp_get_thread_num()
  %count = call i32 @omp_get_num_threads()
  %i = sext i32 %number to i64
  %n = sext i32 %count to i64
  CALL
  ret void
}

define internal void @together(ptr %loop, ptr %table, i64 %batch, i64 %threads) nounwind {
  %work = alloca [3 x i64], align 8
  store ptr %loop, ptr %work
  %p1 = getelementptr i64, ptr %work, i64 1
  store ptr %table, ptr %p1
  %p2 = getelementptr i64, ptr %work, i64 2
  store i64 %batch, ptr %p2
  %count = trunc i64 %threads to i32
  call void @GOMP_parallel(ptr @member, ptr %work, i32 %count, i32 0)
  ret void
}

"""
