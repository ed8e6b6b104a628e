"""Which lowering each loop of a network runs on, and why: the one place where that is decided.

`LOWERINGS` is the order in which they are tried. Where several of machine code, machine code on the processor's matrix
unit and torch.nn's kernel serve, a contest on the first training step decides what training runs on. Outside of
training it is torch.nn's kernel, else machine code. So an evaluation gives the same bits in any process. On a GPU it is
torch.nn's kernel, else the torch function; what else could run there is experimental: a contest only if asked for.

Each lowering is tried before it serves. One that raises is declined with its reason, and the next one serves; when the
reference raises too, it was the input, and nothing is declined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
from torch import Tensor

from ...compiler.program import Program, Region, Scan, region_ops
from ...design.errors import StudioError
from ...design.signals import Signal
from ..context import Context
from ..kernels import declines, run_kernel
from ..put_off import Values
from ..reference import run_scan
from ..trees import run_tree
from . import contest, tree_codegen, winners
from .canonical import Declined, canonical
from .codegen import why_not
from .cuda_choice import ON_GPU, REFERENCE, TORCH, GpuLoops, outlook, shown
from .declined import Condition, Declines
from .full_precision import in_full, is_mixed
from .ir import Target
from .jit import CannotCompile, host, telling
from .machine_loop import MachineLoop
from .plan import plan
from .serve import FusedLoop
from .tile_machine import matrix_unit
from .torch_loop import TorchLoop
from .tree_form import tree_form
from .tree_machine import TreeMachineLoop
from .tree_plan import tree_plan
from .tree_serve import FusedTree
from .tree_torch import TreeTorchLoop

KERNEL, MACHINE, TILES = "torch.nn", "machine code", "machine code on the matrix unit"

LOWERINGS = (MACHINE, TILES, KERNEL, TORCH, REFERENCE)
"""The switch: leave one out and no loop runs on it (the reference always serves)."""

_NAMES = (*LOWERINGS, *ON_GPU)
"""All there are, whatever is left out."""

_ROWS, _WEIGHTS = 4, 4096
"""With fewer examples in a batch, or fewer weights in every product of a step, the matrix unit is not tried."""

_KERNELS = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN (tanh)", "rnn_relu": "RNN (ReLU)"}


class Loops:
    """The loops of one program. choices: loop → lowering in training, by contest or given.

    experimental_gpu: whether on a GPU what has never run on one (ON_GPU) may take part in the contest, or be chosen.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._signals = dict(_signals(program.regions, program.signals))
        ops = list(region_ops(program.regions))
        self.parameters = {op.name: str(op.attrs["weight"]) for op in ops if op.kind == "parameter"}
        self.embeds = {op.name: op for op in ops if op.kind == "embed"}
        self._aligned = {op.name: op for op in ops if op.kind == "align"}
        self.choices: dict[str, str] = {}
        self.experimental_gpu = False
        self.served: dict[str, str] = {}
        """Loop → what it ran on last."""
        self.on_compiling: Callable[[str, bool], None] | None = None
        """Hears of which loop machine code is being made, and when it is there. It may take seconds, once."""
        self._times: dict[str, dict[str, float]] = {}
        self._no_compiler = ""
        self._gpu = GpuLoops()
        self._declines = Declines()
        self._fused: dict[tuple[object, ...], FusedLoop | FusedTree | str] = {}
        self._runners: dict[tuple[int, str], contest.Runner | str] = {}

    def choose(self, choices: Mapping[str, str]) -> None:
        """Take these lowerings where they serve, without a contest. Raises StudioError for a name that is none."""
        for loop, name in choices.items():
            if name not in _NAMES:
                raise StudioError(f"“{name}” is no lowering", where=loop, remedy=f"There are {', '.join(_NAMES)}.")
        self.choices |= choices

    def run(self, scan: Scan, values: dict[str, Tensor], context: Context) -> bool:
        """Run a scan by the lowering that serves; False when the reference loop has to."""
        if context.record is not None:
            return False
        if self.on_compiling is None:
            return self._run(scan, values, context)
        with telling(partial(self.on_compiling, scan.name)):
            return self._run(scan, values, context)

    def _run(self, scan: Scan, values: dict[str, Tensor], context: Context) -> bool:
        before = self.choices.get(scan.name, "")
        condition = self._declines.condition(scan, context)
        new: list[str] = []
        while True:
            name, runner = self._choice(scan, values, context, condition, new)
            self.served[scan.name] = name
            if runner is None:
                break
            context.draw_shared_masks(scan)
            reason = self._declines.run(name, runner, condition, scan, values, context)
            if not reason:
                return True
            self._decline(condition, name, reason, new)
        if not new:
            return False
        try:
            (run_tree if scan.tree else run_scan)(scan, values, context)
        except Exception:  # it was no fault of theirs
            self._declines.forget(condition, new)
            if before:
                self.choices[scan.name] = before
            raise
        return True

    def _decline(self, condition: Condition, name: str, reason: str, new: list[str]) -> None:
        self._declines.add(condition, name, reason)
        new.append(name)
        if self.choices.get(condition.loop) == name:
            del self.choices[condition.loop]

    def _choice(
        self, scan: Scan, values: dict[str, Tensor], context: Context, condition: Condition, new: list[str]
    ) -> tuple[str, contest.Runner | None]:
        """The lowering of this run, and what runs it; no runner: the reference. new: gets whom a contest declines."""
        chosen = self.choices.get(scan.name, "") if context.training else ""
        if chosen in (MACHINE, TILES) and context.device.type == "cuda":
            chosen = ""  # of a run that began on a processor
        if chosen in ON_GPU and not self.experimental_gpu:
            chosen = ""
        serving = self._serving(scan, context, chosen, condition)
        name = chosen
        if name != REFERENCE and name not in serving:
            name = next(iter(serving), REFERENCE)
            if len(serving) > 1 and not chosen and torch.is_grad_enabled():
                name, out = self._winner(serving, scan, values, context, condition)
                for other, reason in out.items():
                    self._decline(condition, other, reason, new)
                self.choices[scan.name] = name
                self._gpu.settle(scan, name)
        if name in ON_GPU:
            both = {n: serving[n] for n in (name, TORCH)}
            name = name if name in self._gpu.trusted(both, scan, values, context) else TORCH
        return name, None if name == REFERENCE else serving[name]

    def _serving(self, scan: Scan, context: Context, chosen: str, condition: Condition) -> dict[str, contest.Runner]:
        """The lowerings that could run this scan now, in the order of preference; only the chosen one if it does."""
        found: dict[str, contest.Runner] = {}
        out = self._declines.of(condition)
        traced = condition.traced
        mixed = is_mixed(context.device)
        asked = chosen in (MACHINE, TILES) and chosen in LOWERINGS and chosen not in out and torch.is_grad_enabled()
        if asked and not traced and not mixed and (chosen == MACHINE or self._worth_tiles(scan, context, chosen)):
            made = self._made(chosen, scan, context)
            if not isinstance(made, str):
                return {chosen: made}
        if KERNEL in LOWERINGS and KERNEL not in out and scan.kernel is not None and not declines(scan, context):
            kernel = scan.kernel
            found[KERNEL] = lambda values, context: run_kernel(scan, kernel, values, context)
            settled = not self.experimental_gpu and chosen in ("", KERNEL)
            elsewhere = context.device.type != "cpu" and (context.device.type != "cuda" or settled)
            if elsewhere or not context.training:
                return found
        if traced or (mixed and found):
            return found  # tracing needs operations of torch's own, and its kernels know mixed precision
        if context.sizes[scan.axis] == 1 and not torch.is_grad_enabled():
            return found  # one step, as when generating: nothing to be gained, and a kernel would have to be compiled
        if chosen in found:
            return found
        on_gpu = context.device.type == "cuda" and context.training and torch.is_grad_enabled()
        if self.experimental_gpu and (chosen in ON_GPU or on_gpu) and TORCH not in out:
            fused = self.fused(scan, ragged=context.ragged(scan.axis), training=context.training)
            if isinstance(fused, FusedLoop) and fused.plan.form.plain is None:
                more = self._gpu.serving(scan, fused, context, chosen)
                more = {name: run for name, run in more.items() if name not in out}
                if context.device.type == "cuda" or chosen in more:
                    return in_full(found | more) if mixed else found | more
        for name in (MACHINE, TILES, TORCH):
            if name not in LOWERINGS or name in out or (name == TILES and not self._worth_tiles(scan, context, chosen)):
                continue
            if name == TORCH and MACHINE in found and chosen != TORCH:
                break
            made = self._made(name, scan, context)
            if not isinstance(made, str):
                found[name] = made
                if name == TORCH and not chosen and context.device.type == "cpu" and self._by_torch(scan, context):
                    found[REFERENCE] = partial(run_scan, scan)
        found = {name: found[name] for name in LOWERINGS if name in found}
        return in_full(found) if mixed else found

    def _made(self, name: str, scan: Scan, context: Context) -> contest.Runner | str:
        """The runner of a fused lowering, or why there is none."""
        if name in (MACHINE, TILES):
            if context.device.type != "cpu":
                return "machine code is for the processor, not for a GPU"
            if context.dtype not in (torch.float32, torch.float64):
                return f"there is no machine code for {context.dtype}"
        fused = self.fused(scan, ragged=context.ragged(scan.axis), training=context.training)
        if isinstance(fused, str):
            return fused
        key = (id(fused), f"{name} {context.dtype}")
        if key not in self._runners:
            try:
                self._runners[key] = _runner(name, fused, context.dtype)
            except Declined as reason:
                self._runners[key] = str(reason)
            except CannotCompile as reason:
                self._runners[key] = self._no_compiler = f"LLVM says: {reason}"
        return self._runners[key]

    def fused(self, scan: Scan, *, ragged: bool, training: bool) -> FusedLoop | FusedTree | str:
        """The loop in canonical form, or why it has none."""
        key = (scan.name, scan.yields, ragged and not scan.tree, training)
        if key not in self._fused:
            try:
                signals = self._signals[scan.name]
                if scan.tree:
                    tree = tree_form(scan, signals, self.parameters, training)
                    self._fused[key] = FusedTree(scan, tree_plan(tree), self.embeds)
                else:
                    aligned = self._aligned if signals is self.program.signals else {}
                    form = canonical(scan, signals, self.parameters, training, aligned)
                    self._fused[key] = FusedLoop(scan, plan(form, ragged=ragged), self.embeds, signals)
            except Declined as reason:
                self._fused[key] = str(reason)
        return self._fused[key]

    def _worth_tiles(self, scan: Scan, context: Context, chosen: str) -> bool:
        """Whether the matrix unit may be faster: in training, with enough rows and weights, in float32."""
        if chosen not in ("", TILES) or not context.training or not torch.is_grad_enabled():
            return False
        if context.dtype != torch.float32 or context.device.type != "cpu" or isinstance(matrix_unit(), str):
            return False
        fused = self.fused(scan, ragged=context.ragged(scan.axis), training=True)
        return chosen == TILES or (context.batch >= _ROWS and not isinstance(fused, str) and _heavy(fused))

    def _by_torch(self, scan: Scan, context: Context) -> bool:
        """Whether steps run operations of torch's own, so that the reference may be as fast."""
        fused = self.fused(scan, ragged=context.ragged(scan.axis), training=context.training)
        return isinstance(fused, FusedLoop) and fused.plan.form.plain is not None

    def _winner(
        self,
        serving: Mapping[str, contest.Runner],
        scan: Scan,
        values: Mapping[str, Tensor],
        context: Context,
        condition: Condition,
    ) -> tuple[str, dict[str, str]]:
        """The fastest, now or in a contest before; and why others are out."""
        steps = context.sizes[scan.axis]
        key = winners.key_of(f"{sorted(serving)} {scan}", context, steps)
        before = winners.recall(key, serving)
        if before:
            return before, {}
        if isinstance(values, Values):
            values.make_all()
        out: dict[str, str] = {}
        if context.device.type == "cuda" and TORCH in serving:
            out[TORCH] = contest.breaks(serving[TORCH], scan, values, context)
            if out[TORCH]:  # there is nothing to compare with
                return next((name for name in serving if name in (KERNEL, REFERENCE)), REFERENCE), out
            out.clear()
            serving = self._gpu.trusted(serving, scan, values, context)
        times, out = contest.fastest(serving, scan, values, context)
        self._times[scan.name] = times
        for name in times:
            self._declines.tried(condition, name)
        if not times:
            return REFERENCE, out
        return winners.remember(key, next(iter(times)), times), out

    def try_kernels(self, weights: Mapping[str, Tensor]) -> None:
        """Try torch.nn's kernels on small examples of zeros, so that `lines` tells which raise on this machine."""
        for region in self.program.regions:
            if not isinstance(region, Scan) or region.kernel is None:
                continue
            some = next(iter(weights.values()))
            sizes = dict.fromkeys((axis for signal in self.program.signals.values() for axis in signal.axes), 2)
            context = Context(
                weights, sizes, {}, 2, training=True, state={}, device=some.device, dtype=some.dtype, keep_state=False
            )
            names = [region.kernel.source, *(state.given for state in region.states if state.given is not None)]
            shapes = {name: context.shape_of(self.program.signals[name]) for name in names}
            values = {name: some.new_zeros(shape) for name, shape in shapes.items()}
            runner = partial(run_kernel, region, region.kernel)
            reason = contest.breaks(runner, region, values, context)
            if reason:
                self._declines.add(self._declines.condition(region, context), KERNEL, reason)

    def lines(self, *, reference: bool) -> tuple[str, ...]:
        """One line a loop: what it runs on, and why."""
        scans = self.program.scans()
        return tuple(f"{s.name}: {self._line(s, reference)}{self._declines.text(s, self._named)}" for s in scans)

    def _named(self, scan: Scan, name: str) -> str:
        """A lowering as people read it."""
        kernel = f"torch.nn's {_KERNELS[scan.kernel.kind]} kernel" if scan.kernel else name
        return kernel if name == KERNEL else shown(name)

    def _line(self, scan: Scan, reference: bool) -> str:
        if scan.tree:
            return self._tree_line(scan, reference)
        if reference:
            return "reference loop (asked for)"
        named = self._named(scan, KERNEL) if scan.kernel else ""
        fused = self.fused(scan, ragged=False, training=False)
        if isinstance(fused, str):
            if named:
                return f"{named} (recognised by its structure)"
            return f"reference loop (no layer of torch.nn: {scan.why_not}; not fused: {fused})"
        assert isinstance(fused, FusedLoop)
        without = why_not(fused.plan) or self._no_compiler
        own = MACHINE if MACHINE in LOWERINGS and not without else TORCH
        why = f"; no {MACHINE}: {without}" if without else ""
        plain = isinstance(fused, FusedLoop) and fused.plan.form.plain is not None
        if plain and own == TORCH:
            return self._timed(scan, f"{own} or {REFERENCE}", f"no layer of torch.nn: {scan.why_not}{why}")
        both, unit = self._with_tiles(fused, own)
        if not named and scan.name not in self._gpu.out:
            why = f"no layer of torch.nn: {scan.why_not}{why}{unit}"
            if own != both:
                return self._timed(scan, f"{both}, {outlook(fused, self.experimental_gpu)}", why)
            return f"{own}, {outlook(fused, self.experimental_gpu)} ({why})"
        return self._timed(scan, f"{both} or {named}", f"recognised by its structure{why}{unit}")

    def _with_tiles(self, fused: FusedLoop | FusedTree, own: str) -> tuple[str, str]:
        """Machine code with and without the matrix unit where both serve in training; else why the unit does not."""
        if own != MACHINE or TILES not in LOWERINGS or not _heavy(fused):
            return own, ""
        unit = matrix_unit()
        return (own, f"; {unit}") if isinstance(unit, str) else (f"{own}, with or without the matrix unit", "")

    def _tree_line(self, scan: Scan, reference: bool) -> str:
        how = "level by level, all trees of the batch at once"
        if reference:
            return f"reference loop, {how} (asked for)"
        fused = self.fused(scan, ragged=False, training=False)
        if not isinstance(fused, FusedTree):
            return f"reference loop, {how} (not fused: {fused})"
        without = tree_codegen.why_not(fused.plan) or self._no_compiler
        if MACHINE in LOWERINGS and not without:
            both, unit = self._with_tiles(fused, MACHINE)
            rest = f", on a GPU {TORCH}, {how}"
            if both != MACHINE:
                return self._timed(scan, f"{both}{rest}", "two ways to make the products", rest=rest)
            return f"{self.choices.get(scan.name, MACHINE)}{rest}" + (f" ({unit[2:]})" if unit else "")
        return f"{self.choices.get(scan.name, TORCH)}, {how}" + (f" (no {MACHINE}: {without})" if without else "")

    def _timed(self, scan: Scan, either: str, why: str, rest: str = "") -> str:
        """Where a contest decides: what it has decided, or that it will."""
        chosen = self.choices.get(scan.name, "")
        if not chosen:
            return f"{either} ({why}; the first training step times them)"
        times = self._times.get(scan.name, {})
        took = "; ".join(f"{self._named(scan, name)} {s * 1000:.1f} ms" for name, s in times.items())
        said = "; ".join(part for part in (took or "chosen before", self._gpu.remarks(scan)) if part)
        return f"{self._named(scan, chosen)}{rest} ({said})"


def _runner(name: str, fused: FusedLoop | FusedTree, dtype: torch.dtype) -> contest.Runner:
    """A fused loop on a lowering. Raises Declined and CannotCompile."""
    if isinstance(fused, FusedTree):
        if name == TORCH:
            return partial(fused.run, TreeTorchLoop(fused.plan))
        words = frozenset(fused.embeds)
        return partial(fused.run, TreeMachineLoop(fused.plan, dtype, _target(name, dtype), words=words))
    if name == TORCH:
        return partial(fused.run, TorchLoop(fused.plan))
    return partial(fused.run, MachineLoop(fused.plan, dtype, _target(name, dtype)))


def _target(name: str, dtype: torch.dtype) -> Target:
    unit = matrix_unit() if name == TILES else ""
    return host(dtype == torch.float64) if isinstance(unit, str) else unit


def _heavy(fused: FusedLoop | FusedTree) -> bool:
    """Whether some product of a step is large enough for the matrix unit."""
    sizes = [p.width * p.size for stage in fused.plan.stages for p in stage.products]
    return max(sizes, default=0) >= _WEIGHTS


def _signals(regions: tuple[Region, ...], signals: Mapping[str, Signal]) -> Iterator[tuple[str, Mapping[str, Signal]]]:
    """For each loop the signals as seen inside the loops around it: without their axes."""
    for region in regions:
        if isinstance(region, Scan):
            yield region.name, signals
            yield from _signals(region.body, {name: _without(signal, region.axis) for name, signal in signals.items()})


def _without(signal: Signal, axis: str) -> Signal:
    return Signal(tuple(a for a in signal.axes if a != axis), signal.content) if axis in signal.axes else signal
