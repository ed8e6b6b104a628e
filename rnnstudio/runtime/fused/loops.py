"""Which lowering each loop of a network runs on, and why: the one place where that is decided."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ...compiler.program import Program, Scan, region_ops
from ...design.signals import Signal
from ..context import Context
from ..kernels import declines, run_kernel
from .canonical import Declined, canonical
from .machine_loop import MachineLoop
from .plan import plan
from .serve import FusedLoop
from .torch_loop import TorchLoop


class Loops:
    """The loops of one program. `forced`: a lowering's name that every loop has to take where it can."""

    def __init__(self, program: Program) -> None:
        self.signals: Mapping[str, Signal] = program.signals
        ops = region_ops(program.regions)
        self.parameters = {op.name: str(op.attrs["weight"]) for op in ops if op.kind == "parameter"}
        self.forced = ""
        self.served: dict[str, str] = {}
        self._fused: dict[tuple[object, ...], FusedLoop | str] = {}
        self._torch: dict[int, TorchLoop] = {}
        self._machines: dict[tuple[int, torch.dtype], MachineLoop] = {}

    def run(self, scan: Scan, values: dict[str, Tensor], context: Context) -> bool:
        """Run a scan by the lowering that serves; False when none does and the reference loop has to."""
        if context.record is not None or context.depth:
            return False
        if self.forced:
            fused = self.fused(scan, context)
            if isinstance(fused, str):
                return False
            loop = self._torch_loop(fused) if self.forced == "torch" else self._machine(fused, context)
            fused.run(loop, values, context)
            self.served[scan.name] = self.forced
            return True
        if scan.kernel is not None and not declines(scan, context):
            run_kernel(scan, scan.kernel, values, context)
            return True
        return False

    def fused(self, scan: Scan, context: Context) -> FusedLoop | str:
        """The loop in canonical form, or why it has none."""
        ragged = context.ragged(scan.axis)
        key = (scan.name, scan.yields, ragged, context.training)
        if key not in self._fused:
            try:
                form = canonical(scan, self.signals, self.parameters, context.training)
                self._fused[key] = FusedLoop(scan, plan(form, ragged=ragged))
            except Declined as reason:
                self._fused[key] = str(reason)
        return self._fused[key]

    def _torch_loop(self, fused: FusedLoop) -> TorchLoop:
        if id(fused) not in self._torch:
            self._torch[id(fused)] = TorchLoop(fused.plan)
        return self._torch[id(fused)]

    def _machine(self, fused: FusedLoop, context: Context) -> MachineLoop:
        key = (id(fused), context.dtype)
        if key not in self._machines:
            self._machines[key] = MachineLoop(fused.plan, context.dtype)
        return self._machines[key]
