"""Jobs that are put off: all of them, in their order, whoever shares them out."""

from __future__ import annotations

from array import array
from functools import lru_cache

import pytest

from rnnstudio.runtime.fused import jobs
from rnnstudio.runtime.fused.ir import Function, declarations
from rnnstudio.runtime.fused.jit import Code, compile_ir, host, openmp
from rnnstudio.runtime.fused.jobs import Calls, Jobs, address_of
from rnnstudio.runtime.fused.team import EACH_THE_WHOLE, TEAM, team_code

COUNT = 1000


def job(name: str, how: str) -> str:
    """@name(table, first, last + 1, thread): numbers at the table's address become `how` them."""
    f = Function(host(True), f"define void @{name}(ptr %table, i64 %from, i64 %to, i64 %thread) nounwind")
    (numbers,) = f.numbers("%table", "p")
    with f.loop("%from", "%to") as i:
        place = f.byte(numbers, f.mul(i, 8))
        f.emit(f"store i64 {f.let(how.format(f.let(f'load i64, ptr {place}')))}, ptr {place}")
    f.emit("ret void")
    return f.text()


@lru_cache(maxsize=1)
def code() -> Code:
    team = openmp()
    text = [declarations(host(True)), job("more", "add i64 {}, 1"), job("twice", "mul i64 {}, 2")]
    text += [jobs.all_jobs(host(True), team=bool(team)), jobs.fill(host(True))]
    text += [team_code(EACH_THE_WHOLE, {jobs.TOGETHER: jobs.NAME})] if team else []
    return compile_ir("\n".join(text), host(True), team)


def made(team: bool) -> Jobs:
    if team and not openmp():
        pytest.skip("no OpenMP in this process")
    together = code().function(jobs.TOGETHER, TEAM) if team else None
    return Jobs(Calls(code().function(jobs.NAME, jobs.EACH), together, code().function(jobs.FILL, jobs.FILLING)))


@pytest.mark.parametrize("team", [True, False], ids=["team", "plain threads"])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_jobs_are_done_in_their_order(team: bool, threads: int) -> None:
    numbers = array("q", range(COUNT))
    table = array("q", [address_of(numbers)])
    more, twice = code().address("more"), code().address("twice")
    some = made(team)
    seen: list[int] = []
    some.put(more, table, COUNT, threads)
    some.put(twice, table, COUNT, 1)
    some.then(lambda: seen.append(numbers[7]))
    some.put(more, table, COUNT, threads)
    assert list(numbers) == list(range(COUNT))  # put off
    some.run()
    assert list(numbers) == [2 * (i + 1) + 1 for i in range(COUNT)]
    assert seen == [16]
    some.run()
    assert list(numbers) == [2 * (i + 1) + 1 for i in range(COUNT)]  # once


def test_no_more_threads_than_there_is_to_do() -> None:
    numbers = array("q", range(COUNT))
    some = made(False)
    some.put(code().address("twice"), array("q", [address_of(numbers)]), 2, 8)
    some.run()
    assert list(numbers) == [0, 2, *range(2, COUNT)]


def test_what_a_job_names_is_kept_until_it_is_done() -> None:
    some = made(False)
    numbers = array("q", range(COUNT))
    some.put(code().address("more"), array("q", [address_of(numbers)]), COUNT, 1, numbers)
    del numbers
    others = [array("q", [0] * COUNT) for _ in range(50)]  # would lie where the numbers were
    some.run()
    assert not any(any(x) for x in others)


@pytest.mark.parametrize("count", [0, 1, 50])
def test_tables_are_filled_in(count: int) -> None:
    places = array("q", [0, 1 << 40, -7])
    numbers, whose = array("q", range(count)), array("q", [i % 3 for i in range(count)])
    tables = array("q", [-1] * (count + 2))
    both = [address_of(numbers), address_of(whose)] if count else [0, 0]
    made(False)._calls.fill(*both, address_of(places), tables.buffer_info()[0] + 8, count)
    assert list(tables) == [-1, *[i + places[i % 3] for i in range(count)], -1]
