"""Loops for 64-bit ARM: compiled and looked at everywhere, run where qemu and a cross compiler are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rnnstudio.compiler.program import Scan
from rnnstudio.runtime.fused import tree_codegen
from rnnstudio.runtime.fused.codegen import Key, module
from rnnstudio.runtime.fused.ir import Target, declarations
from rnnstudio.runtime.fused.jit import vectors
from rnnstudio.runtime.fused.packing import COLUMNS, ROWS, packer_name
from rnnstudio.runtime.fused.products import declared_kernels, kernel_names, kernels, packed_size, product
from rnnstudio.runtime.fused.table_rows import moving
from rnnstudio.runtime.fused.tree_buffers import TreeBuffers
from rnnstudio.runtime.fused.tree_inputs import tree_inputs
from rnnstudio.runtime.fused.tree_rows import TreeRows
from rnnstudio.runtime.network import Network

from . import arm, test_tree_bounds, test_vector_math
from .decoders import attending
from .test_bounds import Guarded, GuardedLoop, check, planned
from .tree_cells import DRAWN, tree_program

CPUS = (
    *((cpu, arm.LINUX) for cpu in ("generic", "cortex-a72", "cortex-a76", "neoverse-n1", "neoverse-v2")),
    *((cpu, arm.APPLE) for cpu in ("apple-m1", "apple-m4")),
)
"""Of boards, of servers, with SVE too, of Apple; generic is what is left where nothing is known."""

CELLS = ("invented", "reset before", "two lags", "normalised")
C_LIBRARY = {"memset", "memcpy"}
WIDTHS = (1, 7, 48, 65, 100, 129)
EMULATED = pytest.mark.skipif(bool(arm.why_not_here()), reason=arm.why_not_here())
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def target(dtype: torch.dtype) -> Target:
    return arm.neon(dtype == torch.float64)


@pytest.mark.parametrize(
    ("triple", "features", "bits", "rows"),
    [
        ("x86_64-unknown-linux-gnu", {"avx512f": True, "avx2": True, "fma": True}, 512, 12),
        ("x86_64-unknown-linux-gnu", {"avx512f": False, "avx2": True, "fma": True}, 256, 6),
        ("x86_64-unknown-linux-gnu", {}, 128, 6),
        ("aarch64-unknown-linux-gnu", {"neon": True, "sve": False}, 128, 12),
        ("arm64-apple-darwin24.0.0", {}, 128, 12),
    ],
)
def test_the_vectors_of_a_machine(triple: str, features: dict[str, bool], bits: int, rows: int) -> None:
    for double in (False, True):
        found = vectors(triple, "generic", features, double)
        assert (found.lanes * found.size * 8, found.rows, found.double) == (bits, rows, double)
        assert found.features == ",".join(f"{'+' if on else '-'}{name}" for name, on in sorted(features.items()))


@DTYPES
@pytest.mark.parametrize(("cpu", "triple"), CPUS)
def test_the_product_keeps_its_sums_in_registers_and_multiplies_by_lane(
    cpu: str, triple: str, dtype: torch.dtype
) -> None:
    t = arm.neon(dtype == torch.float64, cpu, triple)
    for name in (f"rnn_{t.scalar}_kernel{t.rows}", f"rnn_{t.scalar}_edge{t.rows}"):
        text = declarations(t) + arm.only(kernels(t), name)
        loops = arm.inner_loops(arm.assembly(text, t, triple), name)
        longest = max(loops, key=len)
        multiplied = [line for line in longest if line.startswith("fmla")]
        assert len(multiplied) == t.rows * 2 * t.at_once
        assert all(re.search(r"v\d+(\.[sd])?\[\d\]$", line) for line in multiplied)
        for loop in loops:
            assert not [line for line in loop if "[sp" in line or line.startswith(("mov", "fmov", "dup", "st"))], name


@DTYPES
def test_nothing_is_called_but_the_products_and_what_every_c_library_has(dtype: torch.dtype) -> None:
    t = target(dtype)
    assert arm.undefined(arm.shared(t)) <= C_LIBRARY
    assert arm.undefined(arm.compiled(test_vector_math.over_arrays(t), t)) == set()
    assert arm.undefined(arm.compiled(declarations(t) + moving(t), t)) <= C_LIBRARY
    trees = test_tree_bounds.plan_of(tree_program(DRAWN["child-sum"], 65))
    looking = attending(65)
    scan = next(region for region in looking.regions if isinstance(region, Scan))
    looks = Network(looking).loops.fused(scan, ragged=False, training=True)
    modules = [module(plan, t, team=False) for plan in (*(planned(name, 65)[0] for name in CELLS), looks.plan)]
    for text in (*modules, tree_codegen.module(trees, tree_inputs(trees, frozenset()), t, team=False)):
        found = arm.undefined(arm.compiled(text, t))
        assert found <= {*kernel_names(t), *C_LIBRARY}
        assert found & set(kernel_names(t))


def test_nor_on_a_mac() -> None:
    t = arm.neon(False, "apple-m1", arm.APPLE)
    text = arm.assembly(module(planned("two lags", 65)[0], t, team=False), t, arm.APPLE)
    named, inside = (set(re.findall(p, text, re.MULTILINE)) for p in (r"[\s,]_([a-z]\w*)", r"^_(\w+):"))
    assert {"forward", "backward"} <= inside
    assert named - inside <= {*kernel_names(t), *C_LIBRARY, "bzero"}
    assert named & set(kernel_names(t))


class Emulated:
    """A loop whose machine code, packers too, runs in the emulator, on one thread."""

    def __init__(self, plan: Any, dtype: torch.dtype, folder: Path) -> None:
        self.folder, self.indices = folder, []
        super().__init__(plan, dtype, target(dtype), team=False)

    def compiled(self, text: str) -> arm.ArmCode:
        t = self.target
        names = ["forward", "backward", *(packer_name(t, way) for way in (COLUMNS, ROWS))]
        self.program = arm.Program(self.folder, [arm.compiled(text, t), arm.shared(t)], names)
        return arm.ArmCode(self.program, self.memory, self.numbers_in_table)

    def memory(self) -> list[Tensor]:
        return [*self.guard.wholes, *(torch.from_numpy(x) for x in self.indices if isinstance(x, np.ndarray))]

    def packed(self, weight: Tensor, way: str, work: object = None) -> Tensor:
        columns, depth = weight.shape if way == COLUMNS else weight.shape[::-1]
        weight = self.guard.like(weight.detach())
        room = self.guard.like(weight.new_full((packed_size(self.target, columns, depth),), float("nan")))
        args = [weight.data_ptr(), weight.stride(0), columns, depth, room.data_ptr()]
        self.program.call(packer_name(self.target, way), args, self.guard.wholes, {})
        return room


class EmulatedLoop(Emulated, GuardedLoop):
    def numbers_in_table(self, name: str) -> int:
        return len(self._tables[name == "backward"].keys)

    def _threads(self, batch: int) -> int:
        return 1


class EmulatedTreeLoop(Emulated, test_tree_bounds.GuardedLoop):
    def numbers_in_table(self, name: str) -> int:
        return len(tree_codegen.table_of(self.plan, self.inputs(frozenset()), name == "backward").keys)

    def _parts(self, rows: TreeRows) -> int:
        return 1

    def _common(self, b: TreeBuffers, packed: dict[tuple[int, int], Tensor]) -> tuple[dict[Key, int], list[object]]:
        numbers, self.indices = super()._common(b, packed)
        return numbers, self.indices


@EMULATED
@DTYPES
@pytest.mark.parametrize("width", WIDTHS)
def test_emulated_time_loops(width: int, dtype: torch.dtype, tmp_path: Path) -> None:
    double = dtype == torch.float64
    name = CELLS[(WIDTHS.index(width) + 2 * double) % len(CELLS)]
    check(name, width, lambda form: EmulatedLoop(form, dtype, tmp_path), dtype, 1e-9 if double else 1e-5)


@EMULATED
@DTYPES
@pytest.mark.parametrize(
    ("width", "name"),
    [(7, "child-sum"), (48, "learned missing"), (65, "weighted children"), (35, "rntn"), (17, "pooled")],
)
def test_emulated_trees(name: str, width: int, dtype: torch.dtype, tmp_path: Path) -> None:
    tolerance = 1e-9 if dtype == torch.float64 else 1e-5
    test_tree_bounds.check_levels(name, width, lambda plan: EmulatedTreeLoop(plan, dtype, tmp_path), dtype, tolerance)


@EMULATED
@DTYPES
@pytest.mark.parametrize("columns", [5, 16, 23])
def test_emulated_products_of_any_number_of_rows(columns: int, dtype: torch.dtype, tmp_path: Path) -> None:
    t, depth = target(dtype), 9
    text = declarations(t) + declared_kernels(t) + product(t, "p", columns, depth, depth, columns + 3, True)
    objects = [arm.compiled(text.replace("internal ", "", 1), t), arm.shared(t)]
    program = arm.Program(tmp_path, objects, ["p", packer_name(t, COLUMNS)])
    guard = Guarded()
    w, packed = guard.like(torch.randn(columns, depth, dtype=dtype)), packed_size(t, columns, depth)
    room = guard.like(torch.full((packed,), float("nan"), dtype=dtype))
    args = [w.data_ptr(), depth, columns, depth, room.data_ptr()]
    program.call(packer_name(t, COLUMNS), args, guard.wholes, {})
    for rows in (*range(t.rows + 2), 25):
        a = guard.like(torch.randn(rows, depth, dtype=dtype))
        c = guard.like(torch.randn(rows, columns + 3, dtype=dtype))
        wanted = c.clone()
        wanted[:, :columns] += a @ w.t()
        program.call("p", [a.data_ptr(), room.data_ptr(), rows, c.data_ptr()], guard.wholes, {})
        torch.testing.assert_close(c, wanted, rtol=1e-5, atol=1e-5)
        assert torch.equal(c[:, columns:], wanted[:, columns:])
    guard.check()


@EMULATED
@DTYPES
def test_emulated_functions_are_as_accurate_as_stated(dtype: torch.dtype, tmp_path: Path) -> None:
    t, names = target(dtype), test_vector_math.NAMES
    code = arm.compiled(test_vector_math.over_arrays(t), t)
    program = arm.Program(tmp_path, [code], [f"all_{name}" for name in names])

    def emulated(name: str, x: Tensor) -> Tensor:
        y = torch.empty_like(x)
        program.call(f"all_{name}", [x.data_ptr(), y.data_ptr(), len(x)], [x, y], {})
        return y

    for name in names:
        test_vector_math.check_relative_error(name, dtype, 1 << 13, emulated)
        test_vector_math.check_far_away(name, dtype, emulated)


@EMULATED
@DTYPES
def test_emulated_rows_of_a_table(dtype: torch.dtype, tmp_path: Path) -> None:
    t = target(dtype)
    program = arm.Program(tmp_path, [arm.compiled(declarations(t) + moving(t), t)], ["add_rows", "take_rows"])
    for width in WIDTHS:
        guard, numbers = Guarded(), torch.randint(0, 5, (23,))
        table, rows = (guard.like(torch.randn(n, width, dtype=dtype)) for n in (5, 23))
        wanted = table.clone().index_add_(0, numbers, rows)
        args = [table.data_ptr(), numbers.data_ptr(), rows.data_ptr(), width, width, 23, width]
        program.call("add_rows", args, [*guard.wholes, numbers], {})
        torch.testing.assert_close(table, wanted)
        program.call("take_rows", args, [*guard.wholes, numbers], {})
        assert torch.equal(rows, table[numbers])
        guard.check()
