"""What a loop may run on where there is a GPU, beside torch.nn's kernels, and what is to be said about it.

Kernels printed for Triton and CUDA graphs have never run on a GPU: they are experimental, and serve if asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from ...compiler.program import Scan
from ..context import Context
from ..reference import run_scan
from . import contest
from .canonical import Declined
from .cuda_graphs import GraphedLoop
from .function import TimeLoop
from .serve import FusedLoop
from .torch_loop import TorchLoop
from .triton_loop import TritonLoop, declines, no_triton
from .triton_source import why_not

TORCH, REFERENCE = "torch function", "reference"
TRITON_GRAPH, TRITON, TORCH_GRAPH = "Triton, CUDA graph", "Triton", "torch function, CUDA graph"
ON_GPU = (TRITON_GRAPH, TRITON, TORCH_GRAPH)
"""Experimental lowerings, nowhere but on a GPU. TORCH is what they are compared with."""


class GpuLoops:
    """Loops of one network on a GPU. out: loop → lowering → why it cannot run or was not allowed to."""

    def __init__(self) -> None:
        self.out: dict[str, dict[str, str]] = {}
        self._made: dict[tuple[object, ...], TimeLoop | str] = {}
        self._graphs: dict[str, list[tuple[str, GraphedLoop]]] = {}
        self._trusted: dict[tuple[object, ...], bool] = {}

    def serving(self, scan: Scan, fused: FusedLoop, context: Context, chosen: str) -> dict[str, contest.Runner]:
        """What this scan could be trained on, by name; with a choice that alone, and what serves where it cannot."""
        found: dict[str, contest.Runner] = {}
        self.out.setdefault(scan.name, {})
        for name in (*ON_GPU, TORCH):
            if chosen and name not in (chosen, TORCH):
                continue
            loop = self._loop(name, scan, fused, context.device)
            if isinstance(loop, str):
                self.out[scan.name][name] = loop
            else:
                found[name] = partial(fused.run, loop)
        if not chosen:
            found[REFERENCE] = partial(run_scan, scan)
        return found

    def trusted(
        self, serving: Mapping[str, contest.Runner], scan: Scan, values: Mapping[str, Tensor], context: Context
    ) -> dict[str, contest.Runner]:
        """Those that give the numbers that the plain torch function gives: compared once for each form of a loop."""
        if TORCH not in serving:
            return dict(serving)
        form = (scan.name, scan.yields, context.ragged(scan.axis))
        new = {name: run for name, run in serving.items() if name == TORCH or (*form, name) not in self._trusted}
        if len(new) > 1:
            good, out = contest.agreeing(new, TORCH, scan, values, context)
            self._trusted |= {(*form, name): name in good for name in new}
            self.out.setdefault(scan.name, {}).update(out)
        return {name: run for name, run in serving.items() if name == TORCH or self._trusted[*form, name]}

    def settle(self, scan: Scan, winner: str) -> None:
        """The memory of those that lost is free again."""
        for name, graphed in self._graphs.get(scan.name, []):
            if name != winner:
                graphed.forget()

    def remarks(self, scan: Scan) -> str:
        """Why lowerings are out, and graphs are no more recorded; "" when there is nothing to say."""
        found = [f"no {shown(name)}: {reason}" for name, reason in self.out.get(scan.name, {}).items()]
        found += [
            f"no more CUDA graphs: {graphed.off}" for _, graphed in self._graphs.get(scan.name, []) if graphed.off
        ]
        return "; ".join(dict.fromkeys(found))

    def _loop(self, name: str, scan: Scan, fused: FusedLoop, device: torch.device) -> TimeLoop | str:
        key = (id(fused), name, device)
        if key not in self._made:
            try:
                self._made[key] = self._make(name, scan, fused, device)
            except Declined as reason:
                self._made[key] = str(reason)
        return self._made[key]

    def _make(self, name: str, scan: Scan, fused: FusedLoop, device: torch.device) -> TimeLoop:
        if name not in (TRITON_GRAPH, TORCH_GRAPH):
            return TorchLoop(fused.plan) if name == TORCH else TritonLoop(fused.plan, device)
        if device.type != "cuda":
            raise Declined("CUDA graphs are for a GPU")
        if fused.plan.form.plain is not None:
            raise Declined("some of its operations run in plain torch inside the loop")
        inner = TorchLoop(fused.plan) if name == TORCH_GRAPH else TritonLoop(fused.plan, device)
        graphed = GraphedLoop(inner)
        self._graphs.setdefault(scan.name, []).append((name, graphed))
        return graphed


def shown(name: str) -> str:
    """A lowering as people read it."""
    return f"{name} (experimental)" if name in ON_GPU else name


def outlook(fused: FusedLoop, experimental: bool) -> str:
    """What a loop would run on if there were a GPU, for a machine that may have none. experimental: see Loops."""
    reason = why_not(fused.plan) or no_triton()
    if not reason and torch.cuda.is_available():
        reason = declines(torch.device("cuda"))
    if reason:
        return f"on a GPU {TORCH} (no {shown(TRITON)}: {reason})"
    when = "where the first training step finds it faster" if experimental else "with the setting experimental_gpu"
    return f"on a GPU {TORCH} (or {shown(TRITON)}, {when})"
