"""Times the lowerings that serve a loop, once, on the shapes at hand, and remembers the winner on this machine.

Winners are remembered so that a run that is repeated computes the same bits. A trial changes nothing: it works on
detached values and weights, and the random state is put back.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ...compiler.program import Scan
from ..context import Context
from .jit import cache_folder

Runner = Callable[[dict[str, Tensor], Context], None]
"""Runs a loop: adds its yields to the values."""

_ROUNDS = 7
_SECONDS = 0.5
"""A contest ends after so many rounds, or after the first round that ends later than this."""


def key_of(plan_text: str, context: Context, steps: int) -> str:
    """What a winner is remembered for: the loop, the machine's threads, the type of numbers, sizes up to a factor 2."""
    threads = torch.get_num_threads()
    sizes = (context.batch.bit_length(), steps.bit_length())
    whole = "\0".join(map(str, (plan_text, context.dtype, threads, *sizes, torch.__version__)))
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def fastest(
    runners: Mapping[str, Runner], scan: Scan, values: Mapping[str, Tensor], context: Context
) -> dict[str, float]:
    """Seconds of forward and backward by name, the fastest first: best of several rounds, one after the other."""
    best = dict.fromkeys(runners, float("inf"))
    devices = [context.device.index or 0] if context.device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.enable_grad():
        for name, runner in runners.items():
            _trial(runner, scan, values, context)
            best[name] = float("inf")
        until = time.perf_counter() + _SECONDS
        for _ in range(_ROUNDS):
            for name, runner in runners.items():
                best[name] = min(best[name], _trial(runner, scan, values, context))
            if time.perf_counter() > until:
                break
    return dict(sorted(best.items(), key=lambda item: item[1]))


def _trial(runner: Runner, scan: Scan, values: Mapping[str, Tensor], context: Context) -> float:
    here = {name: _apart(x) for name, x in values.items()}
    weights = {path: _apart(w) for path, w in context.weights.items()}
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
        progress=context.progress,
    )
    trial.depth, trial.run_loop = context.depth, context.run_loop
    trial.steps = dict(context.steps)
    leaves = [x for x in (*here.values(), *weights.values()) if x.requires_grad]
    started = time.perf_counter()
    runner(here, trial)
    outs = [here[name] for name in scan.yields if here[name].requires_grad]
    if outs and leaves:
        torch.autograd.grad(outs, leaves, [torch.ones_like(out) for out in outs], allow_unused=True)
    if context.device.type == "cuda":
        torch.cuda.synchronize(context.device)
    return time.perf_counter() - started


def _apart(x: Tensor) -> Tensor:
    return x.detach().requires_grad_() if x.requires_grad else x


def recall(key: str) -> str:
    """The lowering that won before on this machine, or ""."""
    path = _record()
    if path is None:
        return ""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return ""
    winner = found.get(key, "") if isinstance(found, dict) else ""
    return winner if isinstance(winner, str) else ""


def remember(key: str, winner: str) -> None:
    """Keep a winner. Where nothing can be written, the next run holds its own contest."""
    path = _record()
    if path is None:
        return
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        found = {}
    whole = {**(found if isinstance(found, dict) else {}), key: winner}
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            temporary = file.name
            json.dump(whole, file, indent=1, sort_keys=True)
        os.replace(temporary, path)  # noqa: PTH105 - both names are strings here
    except OSError:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()


def _record() -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / "winners.json"
