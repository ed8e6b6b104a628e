"""The time loops on a GPU: products by cuBLAS, each pointwise stage by a kernel that Triton compiles from our source.

Triton comes with torch's builds for CUDA and is no dependency: without it `TritonLoop` declines. Where TRITON_INTERPRET
is 1 in the environment, Triton runs the same kernels on the CPU: so they are tested where there is no GPU.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import linecache
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .buffers import Buffers, Gradients
from .canonical import Declined
from .multiply import BY_TORCH, Multiply
from .plan import Plan
from .stages import Product
from .triton_source import Kernel, Key, backward_kernels, forward_kernels, text_of, why_not

_NUMBERS = 1024
"""How many numbers of each value one program holds: 4 for each of 256 threads."""
_BLOCK = 256
"""Columns of a block, where a stage can be cut into such."""


@functools.cache
def interpreted() -> bool:
    """Whether Triton runs kernels on the CPU, step by step. Raises ImportError where there is no Triton."""
    return bool(importlib.import_module("triton").knobs.runtime.interpret)


@functools.cache
def no_triton() -> str:
    """Why Triton cannot be used, or "". Asked once in a process: importing it takes a second."""
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed; torch's builds for CUDA bring it"
    try:
        importlib.import_module("triton.language.extra.libdevice")
    except ImportError as error:
        return f"Triton cannot be imported: {error}"
    return ""


def declines(device: torch.device) -> str:
    """Why the kernels cannot run on a device, or ""."""
    missing = no_triton()
    if missing:
        return missing
    if device.type == "cpu":
        return "" if interpreted() else "Triton is for a GPU"
    if device.type != "cuda":
        return f"there are no Triton kernels for {device.type}"
    major, minor = torch.cuda.get_device_capability(device)
    return "" if major >= 7 else f"Triton needs a GPU of compute capability 7.0, and this one has {major}.{minor}"


@dataclass(frozen=True, slots=True)
class _Ready:
    """A compiled kernel, the grid's second dimension, and what it is called with beside the buffers."""

    kernel: Kernel
    function: Any
    rows: int
    blocks: int
    options: Mapping[str, int]

    def launch(self, t: int, j: int, batch: int, buffers: Sequence[Tensor]) -> None:
        grid = (-(-batch // self.rows), self.blocks)
        self.function[grid](t, j, batch, *buffers, **self.options)


class TritonLoop:
    """Kernels of a plan. Holds no tensors; one serves all calls. Raises Declined where they cannot be made."""

    name = "Triton"
    adds_bias = False
    in_place = False
    multiply: Multiply = BY_TORCH

    def __init__(self, plan: Plan, device: torch.device) -> None:
        reason = declines(device) or why_not(plan)
        if reason:
            raise Declined(reason)
        self.plan = plan
        self._forward = _ready(forward_kernels(plan))
        self._backward: dict[frozenset[str], list[_Ready | None]] = {}

    def forward(self, b: Buffers) -> None:
        """Fill states, saved values and yields. `b.slots` holds the hoisted products and biases."""
        plan, steps = self.plan, b.steps
        slots, weights = b.slots.unbind(0), {key: w.t() for key, w in b.weights.items()}
        sources = {p.source: _source(b, p).unbind(0) for stage in plan.stages for p in stage.products}
        tables = [_tables(ready, lambda key: _kept(key, b)) for ready in self._forward]
        for j in range(steps):
            t = j if plan.form.forward else steps - 1 - j
            for level, stage in enumerate(plan.stages):
                for i, p in enumerate(stage.products):
                    target = slots[t].narrow(1, p.offset, p.size)
                    source = sources[p.source][t].narrow(1, p.start, p.width)
                    if p.accumulate:
                        target.addmm_(source, weights[level, i])
                    else:
                        torch.mm(source, weights[level, i], out=target)
                ready = self._forward[level]
                if ready is not None:
                    ready.launch(t, j, b.batch, tables[level])

    def backward(self, b: Buffers, d: Gradients) -> None:
        """Fill d.slots, d.initial, d.vectors, d.reads from d.douts. What forward kept is read, never changed."""
        plan, steps, states = self.plan, b.steps, self.plan.form.states
        missing = frozenset(name for name, out in d.douts.items() if out is None)
        if missing not in self._backward:
            self._backward[missing] = _ready(backward_kernels(plan, missing))
        kernels = self._backward[missing]
        # Gradients of states: step j leaves in row j mod (k + 1) what step j + k takes.
        rings = {s.delay: b.slots.new_zeros(s.k + 1, b.batch, s.width) for s in states}
        scratch: dict[Key, Tensor] = {
            ("carry", i): b.slots.new_empty(b.batch, width) for i, width in enumerate(plan.carries)
        }
        scratch |= {("dsource", i): b.slots.new_empty(b.batch, width) for i, width in enumerate(plan.sources)}
        scratch |= {("ring", name): ring for name, ring in rings.items()}
        tables = [_tables(ready, lambda key: _gradient(key, b, d, scratch)) for ready in kernels]
        slots = d.slots.unbind(0)
        if d.later is not None:
            d.later.update((s.delay, b.slots.new_empty(steps, b.batch, s.width)) for s in states)
        for j in range(steps):
            t = steps - 1 - j if plan.form.forward else j
            if d.later is not None:
                for s in states:
                    d.later[s.delay][t].copy_(rings[s.delay][(j + 1) % (s.k + 1)])
            going = {s.delay: rings[s.delay][j % (s.k + 1)] for s in states}
            for delay in plan.zeroed:
                going[delay].zero_()
            for level in range(len(plan.stages) - 1, -1, -1):
                ready = kernels[level]
                if ready is not None:
                    ready.launch(t, j, b.batch, tables[level])
                for i, p in enumerate(plan.stages[level].products):
                    kind, key = p.source
                    whole = going[str(key)] if kind == "state" else scratch["dsource", key]
                    target, gradient = whole.narrow(1, p.start, p.width), slots[t].narrow(1, p.offset, p.size)
                    if p.accumulate_back:
                        target.addmm_(gradient, b.weights[level, i])
                    else:
                        torch.mm(gradient, b.weights[level, i], out=target)
        for s in states:
            order = range(s.k) if plan.form.forward else range(s.k - 1, -1, -1)
            d.initial[s.delay] = torch.stack([rings[s.delay][(steps - 1 - i) % (s.k + 1)] for i in order])


def _ready(kernels: Sequence[Kernel | None]) -> list[_Ready | None]:
    functions = load(text_of(kernels, interpreted=interpreted()))
    return [None if k is None else _sized(k, functions[k.name]) for k in kernels]


def _sized(kernel: Kernel, function: Any) -> _Ready:
    """A kernel with the shape of its blocks."""
    if kernel.columns:
        block = min(_BLOCK, 1 << (kernel.columns - 1).bit_length())
        rows = max(1, _NUMBERS // 4 // block)
        options = {"R": rows, "C": block, "num_warps": 2}
        return _Ready(kernel, function, rows, -(-kernel.columns // block), options)
    block = 1 << (kernel.widest - 1).bit_length()
    rows = max(1, _NUMBERS // 2 // block)
    return _Ready(kernel, function, rows, 1, {"R": rows, "num_warps": min(8, max(1, rows * block // 128))})


@functools.lru_cache(maxsize=256)
def load(text: str) -> Mapping[str, Callable[..., Any]]:
    """The functions of a printed module by name. Triton reads their source again, from where tracebacks do."""
    file = f"<rnnstudio kernels {hashlib.sha256(text.encode()).hexdigest()[:16]}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names: dict[str, Any] = {"__name__": "rnnstudio_kernels"}
    exec(compile(text, file, "exec"), names)
    return names


def _source(b: Buffers, product: Product) -> Tensor:
    kind, key = product.source
    return b.read_states(str(key)) if kind == "state" else b.sources[int(key)]


def _tables(ready: _Ready | None, tensor: Callable[[Key], Tensor]) -> list[Tensor]:
    return [tensor(key) for key in ready.kernel.buffers] if ready is not None else []


def _kept(key: Key, b: Buffers) -> Tensor:
    kind, which = key
    match kind:
        case "slots":
            return b.slots
        case "valid":
            assert b.valid is not None
            return b.valid
        case "saved":
            return b.saved[int(which)]
        case "source":
            return b.sources[int(which)]
    named: Mapping[str, Mapping[str, Tensor]]
    named = {"state": b.states, "yield": b.yields, "read": b.reads, "vector": b.vectors}
    return named[kind][str(which)]


def _gradient(key: Key, b: Buffers, d: Gradients, scratch: Mapping[Key, Tensor]) -> Tensor:
    kind, which = key
    if key in scratch:
        return scratch[key]
    if kind == "dslots":
        return d.slots
    if kind == "dout":
        out = d.douts[str(which)]
        assert out is not None
        return out
    if kind == "dvector":
        return d.vectors[str(which)]
    return d.reads[str(which)] if kind == "dread" else _kept(key, b)
