"""The loops over levels as generated machine code on the CPU: packs weights, fills tables, shares trees out."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..forest import Ints
from . import checked
from .codegen import Key
from .ir import Target
from .jit import Code, compile_ir, host, openmp
from .machine_loop import pack_columns, pack_rows, product_symbols, products_at_once
from .packing import COLUMNS, ROWS
from .team import LOOPS, RANGE, TEAM, share_out
from .tree_buffers import TreeBuffers, TreeGradients, missing_row
from .tree_codegen import module, table_of
from .tree_in_place import tree_in_place
from .tree_inputs import Inputs, tree_inputs
from .tree_plan import TreePlan
from .tree_rows import TreeRows


@dataclass(frozen=True, slots=True)
class _LevelCode:
    """Forward and backward: what their tables hold, the loops over some parts of the forest, and by all threads."""

    code: Code
    keys: tuple[tuple[Key, ...], ...]
    ranges: tuple[Callable[..., None], ...]
    teams: tuple[Callable[..., None], ...]


class TreeMachineLoop:
    """Compiled loops of a plan for one type of number. Arguments and errors: see MachineLoop."""

    name = "machine code"

    def __init__(
        self,
        plan: TreePlan,
        dtype: torch.dtype,
        target: Target | None = None,
        *,
        team: bool = True,
        words: frozenset[str] = frozenset(),
    ) -> None:
        """words: the reads that will mostly be rows of a table."""
        self.plan = plan
        self.in_place = tree_in_place(plan)
        self.target: Target = target or host(dtype == torch.float64)
        self._dtype = torch.float64 if self.target.double else torch.float32
        self._symbols = openmp() if team else {}
        self.multiply = products_at_once(self.target, team=team)
        self._biases: list[tuple[Key, str, int]] = [
            (("bias", f"{n} {i}"), path, first * self.target.size)
            for n, slot in enumerate(plan.form.slots)
            for i, (path, first, _) in enumerate(slot.biases)
        ]
        self._inputs: dict[frozenset[str], Inputs] = {}
        self._codes: dict[frozenset[str], _LevelCode] = {}
        self._code(self.inputs(words))

    def inputs(self, words: frozenset[str]) -> Inputs:
        found = self._inputs.get(words)
        if found is None:
            found = self._inputs[words] = tree_inputs(self.plan, words)
        return found

    def _code(self, inputs: Inputs) -> _LevelCode:
        """Which reads are rows of a table is in the code; so each choice has its own."""
        found = self._codes.get(inputs.words)
        if found is None:
            found = self._codes[inputs.words] = self._compiled_levels(inputs)
        return found

    def _compiled_levels(self, inputs: Inputs) -> _LevelCode:
        code = self.compiled(module(self.plan, inputs, self.target, team=bool(self._symbols)))
        teams = LOOPS if self._symbols else ()
        return _LevelCode(
            code=code,
            keys=tuple(table_of(self.plan, inputs, backward).keys for backward in (False, True)),
            ranges=tuple(code.function(name, RANGE) for name in ("forward", "backward")),
            teams=tuple(code.function(name, TEAM) for name in teams),
        )

    def compiled(self, text: str) -> Code:
        """Code of a module that calls the products' micro-kernels."""
        return compile_ir(text, self.target, {**self._symbols, **product_symbols(self.target)})

    def packed(self, weight: Tensor, way: str) -> Tensor:
        """A weight as the products read it."""
        return (pack_columns if way == COLUMNS else pack_rows)(self.target, weight)

    def room(self, like: Tensor, *shape: int) -> Tensor:
        """Zeros for the loops to work in."""
        return like.new_zeros(shape)

    def forward(self, b: TreeBuffers) -> None:
        packed = {key: self.packed(w, COLUMNS) for key, w in b.weights.items()}
        numbers, _kept = self._common(b, packed)
        self._run(0, b, numbers)

    def backward(self, b: TreeBuffers, d: TreeGradients) -> None:
        form = self.plan.form
        packed = {key: self.packed(w, ROWS) for key, w in b.weights.items()}
        numbers, _kept = self._common(b, packed)
        if checked.CHECKING:
            checked.tree_back(b, d, self._dtype)
        numbers |= {("dslots", i): x.data_ptr() for i, x in enumerate(d.slots)}
        zeros = self.room(b.slots[0], max((node.width for _, node in form.yields), default=1))
        for name, node in form.yields:
            out = d.douts[name]
            numbers["dout", name] = (zeros if out is None else out).data_ptr()
            numbers["row", f"dout {name}"] = 0 if out is None else node.width
        numbers |= {("dstate", name): x.data_ptr() for name, x in d.children.items()}
        numbers |= {("carry", i): x.data_ptr() for i, x in enumerate(d.carries)}
        numbers |= {("dsource", i): x.data_ptr() for i, x in enumerate(d.sources)}
        parts = self._parts(b.rows)
        sums = {name: self.room(b.slots[0], parts, width) for name, width in form.vectors.items()}
        numbers |= {("dvector", name): x.data_ptr() for name, x in sums.items()}
        numbers |= {("dread", name): d.reads[name].data_ptr() if name in d.reads else 0 for name in form.reads}
        self._run(1, b, numbers)
        for name, x in sums.items():
            d.vectors[name] = x.sum(0)

    def _common(self, b: TreeBuffers, packed: dict[tuple[int, int], Tensor]) -> tuple[dict[Key, int], list[object]]:
        """The numbers that both tables begin with, and the index tables among them, which have to live as long."""
        if checked.CHECKING:
            checked.tree(b, self._dtype)
        indices, tables = self._indices(b.rows)
        numbers = dict(indices)
        numbers |= {("slots", i): x.data_ptr() for i, x in enumerate(b.slots)}
        numbers |= {("saved", i): x.data_ptr() for i, x in enumerate(b.saved)}
        numbers |= {("memory", i): x.data_ptr() for i, x in enumerate(b.memories)}
        numbers |= {("children", name): x.data_ptr() for name, x in b.children.items()}
        numbers |= {("yield", name): x.data_ptr() for name, x in b.yields.items()}
        numbers |= {("source", i): x.data_ptr() for i, x in enumerate(b.sources)}
        numbers |= {("read", name): x.data_ptr() for name, x in b.reads.items()}
        assert b.inputs is not None
        numbers |= {("words", name): b.words[name].rows.data_ptr() for name in b.inputs.words}
        numbers |= {("table", i): x.data_ptr() for i, x in b.tables.items()}
        numbers |= {key: b.biases[path].data_ptr() + start for key, path, start in self._biases}
        numbers |= {("vector", name): x.data_ptr() for name, x in b.vectors.items()}
        numbers |= {("weight", f"{level} {i}"): x.data_ptr() for (level, i), x in packed.items()}
        return numbers, [*tables, *packed.values()]

    def _indices(self, rows: TreeRows) -> tuple[dict[Key, int], list[Ints]]:
        """Addresses of the index tables of both loops, and the tables; made once for a forest."""
        plan, states, parts = self.plan, self.plan.form.states, self._parts(rows)
        found = rows.indices.get((states, parts))
        if found is None:
            tables: dict[Key, Ints] = {
                ("bounds", 0): rows.parts(parts),
                ("first", 0): rows.first,
                ("child", 0): rows.child,
                ("parent", 0): rows.parent,
                ("lies", 0): rows.lies.numpy(),
            }
            for s in states:
                table = rows.edge if s.how == "each" else rows.above
                tables["back", s.delay] = rows.parent_at(s.slot) if s.how == "slot" else table
                if s.how == "slot":
                    tables["child at", s.delay] = rows.child_at(s.slot, missing_row(plan, s.delay, rows.nodes))
            numbers: dict[Key, int] = {key: x.ctypes.data for key, x in tables.items()}
            numbers["levels", 0] = len(rows.levels)
            found = rows.indices[states, parts] = numbers, list(tables.values())
        return found

    def _parts(self, rows: TreeRows) -> int:
        return max(1, min(torch.get_num_threads(), rows.batch))

    def _run(self, which: int, b: TreeBuffers, numbers: dict[Key, int]) -> None:
        assert b.inputs is not None
        code = self._code(b.inputs)
        keys = code.keys[which]
        table = array("q", [numbers[key] for key in keys])
        address, parts = table.buffer_info()[0], self._parts(b.rows)
        if parts == 1:
            code.ranges[which](address, 0, 1, 0)
        elif code.teams:
            code.teams[which](address, parts, parts)
        else:
            share_out(code.ranges[which], address, parts, parts)
