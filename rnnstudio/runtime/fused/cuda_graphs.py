"""Time loops recorded as CUDA graphs: the GPU starts the thousands of small kernels of a loop by itself.

A graph works on fixed memory. For each shape of batch there is one set of buffers; what a run brings is copied into it,
the graph is replayed, and what the run keeps is copied out: copies at the speed of the GPU's memory, against several
microseconds of Python for each kernel otherwise.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from .buffers import Buffers, Gradients, allocate, slot_rows
from .expressions import reachable
from .function import TimeLoop
from .multiply import BY_TORCH, Multiply

KEPT = 8
"""Shapes whose graphs are kept; the one not used for longest makes room."""
MOST = 64
"""Shapes that are recorded at all: where every batch has another length, recording costs more than it saves."""

Work = Callable[[], None]
_Made = TypeVar("_Made")
_Shape = tuple[object, ...]


def record(work: Work) -> Work:
    """Work as a CUDA graph, not run yet. Runs it once before, so that kernels are compiled and cuBLAS is ready.

    Raises RuntimeError where something in it cannot be recorded.
    """
    beside, now = torch.cuda.Stream(), torch.cuda.current_stream()  # type: ignore[no-untyped-call]
    beside.wait_stream(now)
    with torch.cuda.stream(beside):
        work()
    now.wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    # Other threads (the window's, a data loader's) may go on using the GPU meanwhile.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        work()
    return graph.replay


@dataclass(slots=True)
class _Graphs:
    """The graphs of one shape and the memory they work on. backward: by the yields that get no gradient.

    holds: the run's pre-activations whose values the buffers have now; a way back that follows needs no copy of them.
    """

    buffers: Buffers
    forward: Work
    holds: int = 0
    backward: dict[frozenset[str], tuple[Gradients, Work]] = field(default_factory=dict)


class GraphedLoop:
    """Another loop, recorded when a shape is seen for the second time. Runs the loop as it is where that fails.

    recorder: see `record`. off: why nothing is recorded any more, or "".
    """

    adds_bias = False
    in_place = False
    multiply: Multiply = BY_TORCH

    def __init__(self, loop: TimeLoop, recorder: Callable[[Work], Work] = record) -> None:
        self.loop = loop
        self.name = f"{loop.name}, CUDA graph"
        self.off = ""
        self._record = recorder
        self._seen: set[_Shape] = set()
        self._recorded = 0
        self._graphs: OrderedDict[_Shape, _Graphs] = OrderedDict()

    def forward(self, b: Buffers) -> None:
        graphs = self._of(b)
        if graphs is None:
            self.loop.forward(b)
            return
        own = graphs.buffers
        _copy((*_given(own), own.slots, *_initial(own)), (*_given(b), b.slots, *_initial(b)))
        graphs.forward()
        _copy(_made(b), _made(own))
        graphs.holds = b.slots.data_ptr()

    def backward(self, b: Buffers, d: Gradients) -> None:
        graphs = self._graphs.get(_shape(b)) if d.later is None else None
        recorded = self._backward_of(graphs, d) if graphs is not None else None
        if graphs is None or recorded is None:
            self.loop.backward(b, d)
            return
        own, (gradients, replay) = graphs.buffers, recorded
        if graphs.holds != b.slots.data_ptr():
            _copy((*_given(own), *_made(own), *_initial(own)), (*_given(b), *_made(b), *_initial(b)))
            graphs.holds = b.slots.data_ptr()
        _copy(_arrived(gradients), _arrived(d))
        replay()
        d.slots = gradients.slots  # read before anything else is replayed
        d.initial = {delay: x.clone() for delay, x in gradients.initial.items()}
        _copy((*d.vectors.values(), *d.reads.values()), (*gradients.vectors.values(), *gradients.reads.values()))

    def forget(self) -> None:
        """Give the memory of all graphs back. Shapes that come again are recorded again."""
        self._graphs.clear()

    def _of(self, b: Buffers) -> _Graphs | None:
        """The graphs of this shape, recorded now if it has been seen before."""
        shape = _shape(b)
        if shape in self._graphs:
            self._graphs.move_to_end(shape)
            return self._graphs[shape]
        if self.off or shape not in self._seen:
            self._seen.add(shape)
            return None
        if self._recorded == MOST:
            self.off = f"batches have more than {MOST} different shapes"
            return None
        self._recorded += 1
        made = self._try(lambda: self._forward_graph(b))
        if made is None:
            return None
        self._graphs[shape] = made
        if len(self._graphs) > KEPT:
            self._graphs.popitem(last=False)
        return self._graphs[shape]

    def _backward_of(self, graphs: _Graphs, d: Gradients) -> tuple[Gradients, Work] | None:
        missing = frozenset(name for name, out in d.douts.items() if out is None)
        if missing not in graphs.backward:
            made = None if self.off else self._try(lambda: self._backward_graph(graphs, d))
            if made is None:
                return None
            graphs.backward[missing] = made
        return graphs.backward[missing]

    def _forward_graph(self, b: Buffers) -> _Graphs:
        own = _fixed(b)
        return _Graphs(own, self._record(lambda: self.loop.forward(own)))

    def _backward_graph(self, graphs: _Graphs, d: Gradients) -> tuple[Gradients, Work]:
        own = _fixed_gradients(graphs.buffers, d)

        def work() -> None:
            for x in (*own.vectors.values(), *own.reads.values()):
                x.zero_()
            self.loop.backward(graphs.buffers, own)

        return own, self._record(work)

    def _try(self, make: Callable[[], _Made]) -> _Made | None:
        try:
            return make()
        except RuntimeError as error:  # out of memory, too
            self.off = f"recording failed: {str(error).splitlines()[0]}"
            return None


def _shape(b: Buffers) -> _Shape:
    return b.steps, b.batch, b.slots.dtype, b.slots.device


def _given(b: Buffers) -> list[Tensor]:
    """What a run brings, other than pre-activations and initial states."""
    rest = [] if b.valid is None else [b.valid]
    return [*(b.reads[name] for name in _read_inside(b)), *b.vectors.values(), *b.weights.values(), *rest]


def _initial(b: Buffers) -> list[Tensor]:
    """The states before the first step, [k, batch, width]."""
    first = 0 if b.plan.form.forward else b.steps
    return [x.narrow(0, first, b.delays[delay]) for delay, x in b.states.items()]


def _made(b: Buffers) -> list[Tensor]:
    """What forward makes, and backward reads."""
    states = [b.new_states(delay) for delay in b.states]
    return [b.slots, *b.saved, *states, *b.yields.values(), *b.sources]


def _arrived(d: Gradients) -> list[Tensor]:
    return [out for out in d.douts.values() if out is not None]


def _copy(targets: Iterable[Tensor], sources: Iterable[Tensor]) -> None:
    """Each source into its target, in a launch for each kind of tensor rather than for each tensor."""
    pairs = list(zip(targets, sources, strict=True))
    if pairs:
        torch._foreach_copy_([a for a, _ in pairs], [b for _, b in pairs])


def _read_inside(b: Buffers) -> Sequence[str]:
    """Inputs that a loop reads step by step, and not through a product before it."""
    stores = [s.node for stage in b.plan.stages for s in (*stage.stores, *stage.back_stores)]
    used = {node.data[0] for node in reachable(stores) if node.op == "read"}
    return [name for name in b.reads if name in used]


def _fixed(b: Buffers) -> Buffers:
    """Buffers of the same shape as those of a run, that stay."""
    reads = {name: torch.zeros_like(b.reads[name]) for name in _read_inside(b)}
    vectors = {name: torch.zeros_like(x, memory_format=torch.contiguous_format) for name, x in b.vectors.items()}
    # Laid out as they come: cuBLAS may add up in another order for another layout.
    weights = {key: w.new_empty_strided(w.shape, w.stride()).zero_() for key, w in b.weights.items()}
    valid = None if b.valid is None else torch.zeros_like(b.valid)
    own = allocate(b.plan, b.steps, b.batch, b.slots, reads, vectors, weights, valid)
    for x in (own.slots, *own.states.values()):
        x.zero_()
    return own


def _fixed_gradients(own: Buffers, d: Gradients) -> Gradients:
    return Gradients(
        douts={name: None if out is None else torch.zeros_like(out) for name, out in d.douts.items()},
        slots=slot_rows(own.plan, own.steps, own.batch, own.slots),
        initial={},
        vectors={name: torch.zeros_like(x) for name, x in d.vectors.items()},
        reads={name: torch.zeros_like(x) for name, x in d.reads.items()},
    )
