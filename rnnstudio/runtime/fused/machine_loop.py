"""The time loops as generated machine code on the CPU: packs weights, fills argument tables, shares rows out."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable
from functools import cached_property, lru_cache, partial

import torch
from torch import Tensor

from . import checked, products
from .buffers import Buffers, Gradients
from .codegen import Key, module, module_by_columns, table_of
from .in_place import in_place
from .ir import Target
from .jit import Code, compile_ir, host, openmp, product_kernels
from .job_products import JobProducts
from .jobs import address_of
from .multiply import BY_TORCH, Multiply
from .packing import COLUMNS, ROWS, packer_name
from .plain_code import stages_of
from .plain_machine import stage_runs
from .plan import Plan
from .team import LOOPS, RANGE, TEAM, share_out
from .tile_machine import tile_code
from .tile_products import TileProducts, lay_out
from .vector_products import VectorProducts

_PACKER = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 3, ctypes.c_void_p)

_NUMBERS = frozenset({"steps", "batch", "row", "step", "later"})
"""Keys of tables that are no addresses."""

_FEW, _HEAVY = 4, 1 << 19
"""Up to so many rows, and from so many bytes of weights a step on, threads share columns out, not rows."""


class MachineLoop:
    """Compiled loops of a plan for one type of number. Raises Declined where there is no machine code for it.

    target: this machine's vectors, when none is given. team: rows are shared out to torch's own OpenMP threads where
    they can be entered, else to plain threads. few: up to so many rows, the team shares out columns instead.
    """

    name = "machine code"
    adds_bias = True

    def __init__(self, plan: Plan, dtype: torch.dtype, target: Target | None = None, *, team: bool = True) -> None:
        self.plan = plan
        self.in_place = in_place(plan)
        self.target: Target = target or host(dtype == torch.float64)
        self._dtype = torch.float64 if self.target.double else torch.float32
        symbols = openmp() if team else {}
        self._symbols = symbols
        self.code = self.compiled(module(plan, self.target, team=bool(symbols)))
        self.multiply = products_at_once(self.target, team=team)
        self._tables = (table_of(plan, False), table_of(plan, True))
        self._kinds = ["".join("i" if kind in _NUMBERS else "p" for kind, _ in table.keys) for table in self._tables]
        self._plain = stages_of(plan.form)
        self._ranges = [self.code.function(name, RANGE) for name in ("forward", "backward")]
        put_off = isinstance(self.multiply, JobProducts)
        self._addresses = [self.code.address(name) for name in ("forward", "backward")] if put_off else []
        teams = LOOPS if symbols else ()
        self._teams = [self.code.function(name, TEAM) for name in teams]
        inside = [p for stage in plan.stages for p in stage.products]
        heavy = sum(p.width * p.size for p in inside) * self.target.size >= _HEAVY
        self.few = _FEW if teams and heavy and not self.target.tiles else 0

    def compiled(self, text: str) -> Code:
        """Code of a module that calls the products' micro-kernels."""
        return compile_ir(text, self.target, {**self._symbols, **product_symbols(self.target)})

    def packed(self, weight: Tensor, way: str, work: Multiply) -> Tensor:
        """A weight as the products read it."""
        if isinstance(work, JobProducts):
            return work.pack(weight, turned=way == ROWS)
        return (pack_columns if way == COLUMNS else pack_rows)(self.target, weight)

    @cached_property
    def _by_columns(self) -> tuple[Code, list[Callable[[int, int, int], None]]]:
        code = self.compiled(module_by_columns(self.plan, self.target))
        return code, [code.function(name, TEAM) for name in LOOPS]

    def room(self, like: Tensor, *shape: int) -> Tensor:
        """Zeros for the loops to work in."""
        return like.new_zeros(shape)

    def forward(self, b: Buffers) -> None:
        packed = {key: self.packed(w, COLUMNS, b.multiply) for key, w in b.weights.items()}
        self._run(0, b, self._common(b, packed), packed)

    def backward(self, b: Buffers, d: Gradients) -> None:
        plan, form, batch = self.plan, self.plan.form, b.batch
        packed = {key: self.packed(w, ROWS, b.multiply) for key, w in b.weights.items()}
        numbers = self._common(b, packed)
        if checked.CHECKING:
            checked.loop_back(b, d, self._dtype)
        numbers["dslots", 0] = d.slots.data_ptr()
        numbers["later", 0] = keep = int(d.later is not None)
        missing = [node.width for name, node in form.yields if d.douts[name] is None]
        zeros = self.room(b.slots, max(missing)) if missing else None
        for name, node in form.yields:
            out = d.douts[name]
            whole = zeros if out is None else out
            assert whole is not None
            numbers["dout", name] = whole.data_ptr()
            numbers["step", f"dout {name}"] = 0 if out is None else batch * node.width
            numbers["row", f"dout {name}"] = 0 if out is None else node.width
        turns = {s.delay: b.steps + s.k if keep else s.k + 1 for s in form.states}
        rings = {s.delay: self.room(b.slots, turns[s.delay], batch, s.width) for s in form.states}
        scratch = [self.room(b.slots, batch, width) for width in (*plan.carries, *plan.sources)]
        numbers |= {("ring", delay): ring.data_ptr() for delay, ring in rings.items()}
        for i, buffer in enumerate(scratch):
            n = len(plan.carries)
            numbers[("carry", i) if i < n else ("dsource", i - n)] = buffer.data_ptr()
        threads = self._threads(batch)
        row = -(-plan.columns // 16) * 16
        dbias = self.room(b.slots, threads, 2, row)
        numbers["dbias", 0], numbers["row", "dbias"] = dbias.data_ptr(), row
        sums: dict[str, Tensor] = {}
        for name, width in form.vectors.items():
            shared = b.vectors[name].dim() == 1
            buffer = self.room(b.slots, threads, width) if shared else d.vectors[name]
            if shared:
                sums[name] = buffer
            numbers["dvector", name] = buffer.data_ptr()
            numbers["row", f"dvector {name}"] = 0 if shared else width
            numbers["step", f"dvector {name}"] = width if shared else 0
        numbers |= {("dread", name): d.reads[name].data_ptr() if name in d.reads else 0 for name in form.reads}
        looks = b.plain.machine if b.plain is not None else []
        for look in looks:
            numbers |= look.backward(threads)
        self._run(1, b, numbers, (packed, zeros, scratch, rings, d))
        if looks or keep or any(s.k > 1 for s in form.states):
            b.multiply.finish()
        for look in looks:
            look.finish()
        d.bias = self._total(b, dbias[:, 1], plan.columns)[0]
        for name, parts in sums.items():
            d.vectors[name] = self._total(b, parts, parts.shape[1])
        for s in form.states:
            at = [(b.steps - 1 - j + s.k) % turns[s.delay] for j in range(s.k)]
            ring = rings[s.delay]
            d.initial[s.delay] = ring[at[0] : at[0] + 1] if s.k == 1 else ring[at if form.forward else at[::-1]]
            if d.later is not None:
                later = rings[s.delay][: b.steps]
                d.later[s.delay] = later.flip(0) if form.forward else later

    def _common(self, b: Buffers, packed: dict[tuple[int, int], Tensor]) -> dict[Key, int]:
        if checked.CHECKING:
            checked.loop(b, self._dtype)
        numbers: dict[Key, int] = {("steps", 0): b.steps, ("batch", 0): b.batch, ("slots", 0): b.slots.data_ptr()}
        numbers["bias", 0] = 0 if b.bias is None else b.bias.data_ptr()
        numbers |= {("saved", i): x.data_ptr() for i, x in enumerate(b.saved)}
        numbers |= {("state", name): x.data_ptr() for name, x in b.states.items()}
        numbers |= {("yield", name): x.data_ptr() for name, x in b.yields.items()}
        numbers |= {("source", i): x.data_ptr() for i, x in enumerate(b.sources)}
        numbers |= {("read", name): x.data_ptr() for name, x in b.reads.items()}
        for name, x in b.vectors.items():
            numbers["vector", name] = x.data_ptr()
            numbers["row", name] = 0 if x.dim() == 1 else x.shape[1]
        if b.valid is not None:
            numbers["valid", 0] = b.valid.data_ptr()
        numbers |= {("weight", f"{level} {i}"): x.data_ptr() for (level, i), x in packed.items()}
        if b.plain is not None:
            stage_runs(self._plain, b.plain, self.target.lanes, b.steps, b.batch, self.room)
            for look in b.plain.machine:
                numbers |= look.forward()
        return numbers

    def _total(self, b: Buffers, parts: Tensor, width: int) -> Tensor:
        """[1, width]: what all threads have summed up, once it is there."""
        if len(parts) == 1:
            return parts.narrow(1, 0, width)
        total = parts.new_empty(1, width)
        b.multiply.sum_rows(parts.narrow(1, 0, width), total[0])
        return total

    def _threads(self, batch: int) -> int:
        return max(1, min(torch.get_num_threads(), batch))

    def _run(self, which: int, b: Buffers, numbers: dict[Key, int], kept: object) -> None:
        """kept: what the numbers name, if nothing else keeps it."""
        ordered = [numbers[key] for key in self._tables[which].keys]
        threads = self._threads(b.batch)
        few = b.batch <= self.few and torch.get_num_threads() > 1
        if isinstance(b.multiply, JobProducts) and not few:
            table = b.multiply.jobs.table(self._kinds[which], ordered)
            b.multiply.jobs.put(self._addresses[which], table, b.batch, threads, (b, kept))
            return
        table = array("q", ordered)
        address = address_of(table)
        if few:
            b.multiply.then(partial(self._share_columns, which, b, table, kept))
        elif threads == 1:
            self._ranges[which](address, 0, b.batch, 0)
        elif self._teams:
            self._teams[which](address, b.batch, threads)
        else:
            share_out(self._ranges[which], address, b.batch, threads)

    def _share_columns(self, which: int, b: Buffers, table: array[int], kept: object) -> None:
        self._by_columns[1][which](address_of(table), b.batch, torch.get_num_threads())


def product_symbols(t: Target) -> dict[str, int]:
    """Addresses of what products call."""
    return tile_code(t).symbols if t.tiles else product_kernels(t)[0]


def products_at_once(t: Target, *, team: bool = True) -> Multiply:
    """For products over all steps. team: see MachineLoop."""
    if t.tiles:
        return TileProducts(t)
    return VectorProducts(t, team=team) if t.at_once == 1 and t.lanes * t.size >= 32 else BY_TORCH


def pack_columns(t: Target, weight: Tensor) -> Tensor:
    """W [columns, depth] of y = W x as panels [columns / panel, depth, panel], filled up with zeros; or as tiles."""
    return _packed(t, weight, weight.shape[0], weight.shape[1], COLUMNS)


def pack_rows(t: Target, weight: Tensor) -> Tensor:
    """W [depth, columns] of gx = gy W, likewise."""
    return _packed(t, weight, weight.shape[1], weight.shape[0], ROWS)


def _packed(t: Target, weight: Tensor, columns: int, depth: int, way: str) -> Tensor:
    if t.tiles:
        return lay_out(t, weight, turned=way == ROWS)
    if weight.stride(1) != 1:
        weight = weight.contiguous()
    if checked.CHECKING:
        checked.lies("a weight", weight, torch.float64 if t.double else torch.float32)
    packed = weight.new_empty(products.packed_size(t, columns, depth))
    _packer(t, way)(weight.data_ptr(), weight.stride(0), columns, depth, packed.data_ptr())
    return packed


@lru_cache(maxsize=4)
def _packer(t: Target, way: str) -> Callable[[int, int, int, int, int], None]:
    return _PACKER(product_kernels(t)[0][packer_name(t, way)])
