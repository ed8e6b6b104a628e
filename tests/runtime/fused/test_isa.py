"""Older processors, on this one: code limited to SSE2, to AVX2 and to AVX-512 gives the reference's numbers.

`make test-isa` runs all tests that depend on the processor under each limit.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from rnnstudio.design.errors import StudioError
from rnnstudio.runtime.context import Context
from rnnstudio.runtime.fused import isa, winners
from rnnstudio.runtime.fused.jit import vectors

from .cells import CELLS, batch, network, program
from .test_against_reference import compare, run, same
from .test_trees import RAGGED
from .test_trees import compare as compare_trees
from .tree_cells import DRAWN, tree_program

X86 = "x86_64-unknown-linux-gnu"
ALL = dict.fromkeys([*isa.LIMITS["avx512"], "amx-tile", "amx-bf16", "avx512bf16"], True)


def in_a_process() -> None:
    """What test_every_limit_gives_the_references_numbers runs under each; prints how wide the vectors are."""
    from rnnstudio.runtime.fused.jit import host
    from rnnstudio.runtime.fused.loops import KERNEL, MACHINE, TORCH
    from rnnstudio.runtime.fused.tile_machine import matrix_unit

    for lowering in (MACHINE, TORCH, KERNEL):
        compare(program(CELLS["lstm"], 21), lowering, torch.float32, 9, 6)
    compare(program(CELLS["invented"], 7), MACHINE, torch.float64, 4, 6, ragged=True)
    compare_trees(tree_program(DRAWN["child-sum"], 7), MACHINE, torch.float32, RAGGED)
    fields, made = batch(3, 2, 4, 5, torch.float32), program(CELLS["lstm"], 21)
    wanted, _ = run(network(made, torch.float32, reference=True), fields, None, None)
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = run(network(made, torch.float32), fields, None, None)
    same({key: x if x is None else x.float() for key, x in found.items()}, wanted, 0.05)
    print(host(False).lanes, torch.backends.cpu.get_cpu_capability(), matrix_unit())


@pytest.mark.parametrize("limit", isa.LIMITS)
def test_every_limit_gives_the_references_numbers(limit: str) -> None:
    environment = {**os.environ, isa.VARIABLE: limit, **isa.TORCH[limit]}
    code = "from tests.runtime.fused.test_isa import in_a_process; in_a_process()"
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    lanes, capability, unit = answer.stdout.strip().split(maxsplit=2)
    most = {"sse2": 4, "avx2": 8, "avx512": 16}[limit]
    assert int(lanes) <= most
    assert limit in unit  # the matrix unit is left out, and it is said why
    if limit == "sse2":
        assert (int(lanes), capability) == (4, "DEFAULT")


@pytest.mark.parametrize(("limit", "lanes"), [("sse2", 4), ("avx2", 8), ("avx512", 16), ("", 16)])
def test_a_limit_leaves_out_what_is_newer(limit: str, lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(isa.VARIABLE, limit)
    target = vectors(X86, *isa.limited(X86, "sapphirerapids", ALL), False)
    assert target.lanes == lanes
    assert ("amx-tile" in target.features) == (limit == "")


def test_a_limit_adds_nothing_that_the_processor_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(isa.VARIABLE, "avx512")
    older = {**ALL, **{name: False for name in ALL if "512" in name or "amx" in name}}
    assert vectors(X86, *isa.limited(X86, "znver3", older), False).lanes == 8


def test_other_processors_know_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(isa.VARIABLE, "sse2")
    assert isa.limited("aarch64-unknown-linux-gnu", "apple-m1", {"neon": True}) == ("apple-m1", {"neon": True})


def test_code_and_winners_are_kept_for_each_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for limit in isa.LIMITS:
        monkeypatch.setenv(isa.VARIABLE, limit)
        made.append(vectors(X86, *isa.limited(X86, "znver4", ALL), False))
    assert len({(target.cpu, target.features) for target in made}) == len(made)
    context = Context({}, {}, {}, 4, training=True, state={}, device=torch.device("cpu"), dtype=torch.float32)
    keys = set()
    for limit in isa.LIMITS:
        for name, value in isa.TORCH[limit].items():
            monkeypatch.setenv(name, value)
        keys.add(winners.key_of("loop", context, 5))
    assert len(keys) == len(isa.LIMITS)


def test_an_unknown_limit_is_told_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(isa.VARIABLE, "mmx")
    with pytest.raises(StudioError, match="“mmx” limits machine code to nothing that is known") as told:
        isa.asked()
    assert "sse2, avx2, avx512" in str(told.value.remedy)
