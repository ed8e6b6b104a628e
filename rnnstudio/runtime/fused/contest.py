"""Times the lowerings that serve a loop on the shapes at hand. `winners` keeps who won.

One that raises is out, with the reason; so is, on a GPU, one that gives other numbers than one autograd function in
plain torch. A trial changes nothing: it works on detached values and weights, and the random state is put back.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ...compiler.program import Scan
from ...design.errors import StudioError
from ..context import Context

Runner = Callable[[dict[str, Tensor], Context], None]
"""Runs a loop: adds its yields to the values."""

RAISED = (StudioError, IndexError, AssertionError)
"""No reason against the lowering that met it: an error of the input, and what a check of ours finds (checked.py)."""

_ROUNDS = 7
_SECONDS = 0.5
"""A contest ends after so many rounds, or after the first round that ends later than this."""


def agreeing(
    runners: Mapping[str, Runner], oracle: str, scan: Scan, values: Mapping[str, Tensor], context: Context
) -> tuple[dict[str, Runner], dict[str, str]]:
    """Those that give the oracle's outputs and gradients, and why the others do not.

    Each runs three times, first on other numbers: what was kept from an earlier run (a recorded graph's memory, say) is
    then seen to.
    """
    with _aside(context):
        wanted = _run(runners[oracle], scan, values, context)[0]
        good, out = {oracle: runners[oracle]}, {}
        for name, runner in runners.items():
            if name == oracle:
                continue
            try:
                for share in (0.5, 0.5, 1.0):
                    found = _run(runner, scan, values, context, share)[0]
                reason = _difference(found, wanted, context.dtype)
            except RAISED:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a compiler or a driver says is the reason that is shown
                reason = said(error)
            if reason:
                out[name] = reason
            else:
                good[name] = runner
    return {name: good[name] for name in runners if name in good}, out


def _difference(found: Sequence[Tensor | None], wanted: Sequence[Tensor | None], dtype: torch.dtype) -> str:
    """Why the numbers are not the same, or "". Relative to the largest of each tensor."""
    allowed = 1e-4 if dtype == torch.float32 else 1e-8
    if torch.backends.cuda.matmul.fp32_precision == "tf32":
        allowed = max(allowed, 1e-2)  # products with 10 bits: no two ways of adding them up agree any better
    for a, b in zip(found, wanted, strict=True):
        if a is None and b is None:
            continue
        some = a if b is None else b
        assert some is not None
        x, y = (torch.zeros_like(some) if z is None else z for z in (a, b))
        error = float(((x - y).abs().max() / y.abs().max().clamp(min=1e-6)).double()) if y.numel() else 0.0
        if not error <= allowed:
            return f"differs from one torch function by {error:.1g}"
    return ""


def said(error: Exception) -> str:
    """Why a lowering is out that raised: the kind of error, and its first line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def fastest(
    runners: Mapping[str, Runner], scan: Scan, values: Mapping[str, Tensor], context: Context
) -> tuple[dict[str, float], dict[str, str]]:
    """Seconds of forward and backward by name, the fastest first: best of several rounds, one after the other. And why
    those are out that raised. Raises RAISED.
    """
    out = {name: breaks(runner, scan, values, context) for name, runner in runners.items()}
    out = {name: reason for name, reason in out.items() if reason}
    left = {name: runner for name, runner in runners.items() if name not in out}
    best = dict.fromkeys(left, float("inf"))
    with _aside(context):
        until = time.perf_counter() + _SECONDS
        for _ in range(_ROUNDS if len(left) > 1 else 1):
            for name, runner in left.items():
                best[name] = min(best[name], _run(runner, scan, values, context)[1])
            if time.perf_counter() > until:
                break
    return dict(sorted(best.items(), key=lambda item: item[1])), out


def breaks(runner: Runner, scan: Scan, values: Mapping[str, Tensor], context: Context) -> str:
    """What a lowering raises on these values, forward or backward, or "". Raises RAISED."""
    try:
        # Hooks of somebody else's (a checkpoint's) would count what is saved here: the innermost alone are called.
        with _aside(context), torch.autograd.graph.saved_tensors_hooks(_itself, _itself):
            _run(runner, scan, values, context)
    except RAISED:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a kernel says is the reason that is shown
        return said(error)
    return ""


def _itself(x: Tensor) -> Tensor:
    return x


@contextlib.contextmanager
def _aside(context: Context) -> Iterator[None]:
    """Gradients are on, and the random state is as before in the end."""
    devices = [context.device.index or 0] if context.device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.enable_grad():
        yield


def _run(
    runner: Runner, scan: Scan, values: Mapping[str, Tensor], context: Context, share: float = 1.0
) -> tuple[list[Tensor | None], float]:
    """Forward and backward: outputs and gradients, and seconds. Always with the same random numbers.

    share: of all real values that is taken, to have others.
    """
    here = {name: _apart(x, share) for name, x in values.items()}
    weights = {path: _apart(w, share) for path, w in context.weights.items()}
    weights |= {path: w.clone() for path, w in weights.items() if not w.requires_grad}  # statistics move in place
    trial = Context(
        weights,
        context.sizes,
        context.lengths,
        context.batch,
        training=context.training,
        state=context.state,
        device=context.device,
        dtype=context.dtype,
        keep_state=context.keep_state,
        forests=context.forests,
        progress=context.progress,
    )
    trial.depth, trial.run_loop, trial.above = context.depth, context.run_loop, context.above
    trial.steps = dict(context.steps)
    torch.manual_seed(0)
    leaves = [x for x in (*here.values(), *weights.values()) if x.requires_grad]
    clock = _Clock(context.device)
    runner(here, trial)
    outs = [here[name] for name in scan.yields if here[name].requires_grad]
    own = [_own_steps(name, here[name], scan, trial) for name in scan.yields]
    found: list[Tensor | None] = [here[name].detach() * valid for name, valid in zip(scan.yields, own, strict=True)]
    if outs and leaves:
        reached = [valid for name, valid in zip(scan.yields, own, strict=True) if here[name].requires_grad]
        given = [_waves(x) * valid for x, valid in zip(outs, reached, strict=True)]
        found += torch.autograd.grad(outs, leaves, given, allow_unused=True)
    return found, clock.seconds()


def _waves(like: Tensor) -> Tensor:
    """Gradients of both signs, none like its neighbours."""
    return torch.arange(like.numel(), device=like.device).to(like.dtype).cos_().view(like.shape)


def _own_steps(name: str, value: Tensor, scan: Scan, context: Context) -> Tensor:
    """1 where a yield [*axes, batch, width] is read, 0 at padded steps, where lowerings differ."""
    if scan.tree or not context.ragged(scan.axis):
        return value.new_ones(())
    shape = [1] * value.dim()
    shape[scan.dims[name]], shape[-2] = context.sizes[scan.axis], context.batch
    return context.mask(scan.axis).reshape(shape).to(value.dtype)


class _Clock:
    """Seconds since it was made; a GPU's own time, from event to event, where there is one."""

    def __init__(self, device: torch.device) -> None:
        self._events: list[torch.cuda.Event] = []
        if device.type == "cuda":
            self._events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]  # type: ignore[no-untyped-call]
            torch.cuda.synchronize(device)
            self._events[0].record()
        self._started = time.perf_counter()

    def seconds(self) -> float:
        if not self._events:
            return time.perf_counter() - self._started
        first, last = self._events
        last.record()
        last.synchronize()
        return float(first.elapsed_time(last)) / 1000


def _apart(x: Tensor, share: float) -> Tensor:
    if not x.is_floating_point():
        return x
    own = x.detach() if share == 1.0 else x.detach() * share
    return own.requires_grad_() if x.requires_grad else own
