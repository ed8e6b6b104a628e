"""Which lowering each loop of a network runs on, and why: the one place where that is decided.

`LOWERINGS` is the order in which they are tried. Where both torch.nn's kernel and machine code serve, a contest on the
first training step decides what training runs on; on a GPU, and outside of training, torch.nn's kernel is taken. So an
evaluation gives the same bits in the process that trained and in another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ...compiler.program import Program, Region, Scan, region_ops
from ...design.errors import StudioError
from ...design.signals import Signal
from ..context import Context
from ..kernels import declines, run_kernel
from . import contest
from .canonical import Declined, canonical
from .codegen import why_not
from .jit import CannotCompile
from .machine_loop import MachineLoop
from .plan import plan
from .serve import FusedLoop
from .torch_loop import TorchLoop

KERNEL, MACHINE, TORCH, REFERENCE = "torch.nn", "machine code", "torch function", "reference"

LOWERINGS = (MACHINE, KERNEL, TORCH, REFERENCE)
"""The switch: leave one out and no loop runs on it (the reference always serves)."""

_KERNELS = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN (tanh)", "rnn_relu": "RNN (ReLU)"}


class Loops:
    """The loops of one program. choices: loop → lowering in training, by contest or given."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._signals = dict(_signals(program.regions, program.signals))
        ops = list(region_ops(program.regions))
        self.parameters = {op.name: str(op.attrs["weight"]) for op in ops if op.kind == "parameter"}
        self.embeds = {op.name: op for op in ops if op.kind == "embed"}
        self.choices: dict[str, str] = {}
        self.served: dict[str, str] = {}
        """Loop → what it ran on last."""
        self._times: dict[str, dict[str, float]] = {}
        self._no_compiler = ""
        self._fused: dict[tuple[object, ...], FusedLoop | str] = {}
        self._loops: dict[tuple[int, str], TorchLoop | MachineLoop | str] = {}

    def choose(self, choices: Mapping[str, str]) -> None:
        """Take these lowerings where they serve, without a contest. Raises StudioError for a name that is none."""
        for loop, name in choices.items():
            if name not in (KERNEL, MACHINE, TORCH, REFERENCE):
                raise StudioError(f"“{name}” is no lowering", where=loop, remedy=f"There are {', '.join(LOWERINGS)}.")
        self.choices |= choices

    def run(self, scan: Scan, values: dict[str, Tensor], context: Context) -> bool:
        """Run a scan by the lowering that serves; False when the reference loop has to."""
        if context.record is not None or scan.tree:
            return False
        chosen = self.choices.get(scan.name, "") if context.training else ""
        serving = self._serving(scan, context, chosen)
        name = chosen
        if name != REFERENCE and name not in serving:
            name = next(iter(serving), REFERENCE)
            if len(serving) > 1 and not chosen and torch.is_grad_enabled():
                name = self.choices[scan.name] = self._winner(serving, scan, values, context)
        self.served[scan.name] = name
        if name == REFERENCE:
            return False
        serving[name](values, context)
        return True

    def _serving(self, scan: Scan, context: Context, chosen: str) -> dict[str, contest.Runner]:
        """The lowerings that could run this scan now, in the order of preference."""
        found: dict[str, contest.Runner] = {}
        if KERNEL in LOWERINGS and scan.kernel is not None and not declines(scan, context):
            kernel = scan.kernel
            found[KERNEL] = lambda values, context: run_kernel(scan, kernel, values, context)
            if context.device.type != "cpu" or not context.training:
                return found
        traced = torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        if traced or torch.is_autocast_enabled(context.device.type):
            return found  # tracing and mixed precision need operations of torch's own
        if context.sizes[scan.axis] == 1 and not torch.is_grad_enabled():
            return found  # one step, as when generating: nothing to be gained, and a kernel would have to be compiled
        if chosen in found:
            return found
        for name in (MACHINE, TORCH):
            if name not in LOWERINGS:
                continue
            made = self._made(name, scan, context)
            if not isinstance(made, str):
                found[name] = made
                if chosen != TORCH:
                    break
        return {name: found[name] for name in LOWERINGS if name in found}

    def _made(self, name: str, scan: Scan, context: Context) -> contest.Runner | str:
        """The runner of a fused lowering, or why there is none."""
        if name == MACHINE:
            if context.device.type != "cpu":
                return "machine code is for the processor, not for a GPU"
            if context.dtype not in (torch.float32, torch.float64):
                return f"there is no machine code for {context.dtype}"
        fused = self.fused(scan, ragged=context.ragged(scan.axis), training=context.training)
        if isinstance(fused, str):
            return fused
        key = (id(fused), f"{name} {context.dtype}")
        if key not in self._loops:
            try:
                self._loops[key] = TorchLoop(fused.plan) if name == TORCH else MachineLoop(fused.plan, context.dtype)
            except Declined as reason:
                self._loops[key] = str(reason)
            except CannotCompile as reason:
                self._loops[key] = self._no_compiler = f"LLVM says: {reason}"
        loop = self._loops[key]
        if isinstance(loop, str):
            return loop
        ready = loop
        return lambda values, context: fused.run(ready, values, context)

    def fused(self, scan: Scan, *, ragged: bool, training: bool) -> FusedLoop | str:
        """The loop in canonical form, or why it has none."""
        key = (scan.name, scan.yields, ragged, training)
        if key not in self._fused:
            try:
                signals = self._signals[scan.name]
                form = canonical(scan, signals, self.parameters, training)
                self._fused[key] = FusedLoop(scan, plan(form, ragged=ragged), self.embeds, signals)
            except Declined as reason:
                self._fused[key] = str(reason)
        return self._fused[key]

    def _winner(
        self, serving: Mapping[str, contest.Runner], scan: Scan, values: Mapping[str, Tensor], context: Context
    ) -> str:
        steps = context.sizes[scan.axis]
        key = contest.key_of(f"{sorted(serving)} {scan}", context, steps)
        before = contest.recall(key)
        if before in serving:
            return before
        times = self._times[scan.name] = contest.fastest(serving, scan, values, context)
        winner = next(iter(times))
        contest.remember(key, winner)
        return winner

    def lines(self, *, reference: bool) -> tuple[str, ...]:
        """One line a loop: what it runs on, and why."""
        return tuple(f"{scan.name}: {self._line(scan, reference)}" for scan in self.program.scans())

    def _line(self, scan: Scan, reference: bool) -> str:
        if scan.tree:
            return "level by level, all trees of the batch at once"
        if reference:
            return "reference loop (asked for)"
        named = f"torch.nn's {_KERNELS[scan.kernel.kind]} kernel" if scan.kernel else ""
        fused = self.fused(scan, ragged=False, training=False)
        if isinstance(fused, str):
            if named:
                return f"{named} (recognised by its structure)"
            return f"reference loop (no layer of torch.nn: {scan.why_not}; not fused: {fused})"
        without = why_not(fused.plan) or self._no_compiler
        own = MACHINE if MACHINE in LOWERINGS and not without else TORCH
        why = f"; no {MACHINE}: {without}" if without else ""
        if not named:
            rest = "" if own == TORCH else f", on a GPU {TORCH}"
            return f"{own}{rest} (no layer of torch.nn: {scan.why_not}{why})"
        chosen = self.choices.get(scan.name, "")
        if not chosen:
            return f"{own} or {named} (recognised by its structure; the first training step times both{why})"
        times = self._times.get(scan.name, {})
        took = "; ".join(f"{named if name == KERNEL else name} {s * 1000:.1f} ms" for name, s in times.items())
        return f"{named if chosen == KERNEL else chosen} ({took or 'chosen before'})"


def _signals(regions: tuple[Region, ...], signals: Mapping[str, Signal]) -> Iterator[tuple[str, Mapping[str, Signal]]]:
    """For each loop the signals as seen inside the loops around it: without their axes."""
    for region in regions:
        if isinstance(region, Scan):
            yield region.name, signals
            yield from _signals(region.body, {name: _without(signal, region.axis) for name, signal in signals.items()})


def _without(signal: Signal, axis: str) -> Signal:
    return Signal(tuple(a for a in signal.axes if a != axis), signal.content) if axis in signal.axes else signal
