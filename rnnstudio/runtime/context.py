"""What one run of a program shares among its operations: sizes, lengths, masks, joined weights, dropout masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor

from ..catalog.primitives import Op
from ..compiler.program import Scan, State
from ..design.signals import Signal, Tokens
from .forest import Forest
from .transfer import to_device

Weights = Mapping[str, Tensor]

Watch = list[Callable[[], dict[str, Tensor]]]
"""What the backward pass of fused loops leaves for a look at gradients through time: each tells ‖∂L/∂h_t‖ of a loop's
states, [time, batch] by delay. To be asked before the weights change."""


@dataclass(frozen=True, slots=True)
class Done:
    """One operation of a run, as it was done: what it read and gave, and the step of each loop around it (from 0; of a
    loop over a tree, the height above the leaves)."""

    op: Op
    inputs: tuple[Tensor, ...]
    value: Tensor
    steps: Mapping[str, int]
    context: Context


class Looking(Protocol):
    """What a look does to the values of a run; see runtime/looking.py."""

    def reads(self, op: Op, values: Mapping[str, Tensor], context: Context) -> tuple[Tensor, ...] | None: ...

    def held(self, op: Op, value: Tensor, context: Context) -> Tensor: ...

    def read(self, state: State, value: Tensor, context: Context) -> Tensor: ...


class Context:
    """Lives for one forward pass.

    sizes: length of each axis in this batch; lengths: valid steps of each example, [batch] int64 on the CPU (so that
    asking whether a batch is ragged never waits for a GPU); an axis without lengths is full.
    keep_state: whether the loops' final states are wanted.
    forests: the trees of each tree axis. progress: training steps so far, for what changes while training.
    depth: how many loops the operations run inside of; states are carried over for the outermost alone.
    watch: filled by the backward pass, see Watch.
    done: where every operation is wanted as it was done, in order.
    record: in a probe, values by op name: a tensor, or one a step for what is inside a loop.
    """

    def __init__(
        self,
        weights: Weights,
        sizes: Mapping[str, int],
        lengths: Mapping[str, Tensor],
        batch: int,
        *,
        training: bool,
        state: Mapping[str, Tensor],
        device: torch.device,
        dtype: torch.dtype,
        keep_state: bool = True,
        record: dict[str, list[Tensor]] | None = None,
        forests: Mapping[str, Forest] | None = None,
        progress: int = 0,
        watch: Watch | None = None,
    ) -> None:
        self.weights = weights
        self.sizes = dict(sizes)
        self.lengths = lengths
        self.batch = batch
        self.training = training
        self.state = state
        self.keep_state = keep_state
        self.final: dict[str, Tensor] = {}
        self.device = device
        self.dtype = dtype
        self.record = record
        self.forests = dict(forests or {})
        self.progress = progress
        self.watch = watch
        self.done: list[Done] | None = None
        self.looking: Looking | None = None
        """Where one looks at every value: what is done to values besides."""
        self.depth = 0
        self.dropout_masks: dict[str, Tensor] = {}
        self.steps: dict[str, int] = {}
        """Inside a loop: the present step of its axis."""
        self.heights: dict[str, int] = {}
        """Inside a loop over a tree: the present height above its leaves."""
        self.drawn: dict[str, Tensor] = {}
        """Inside a fused loop: what operations have drawn for the present step."""
        self.above: tuple[Context, Tensor] | None = None
        """In a loop over a tree: the context around it, and the example there of each node that is the batch here."""
        self.run_loop: Callable[[Scan, dict[str, Tensor], Context], bool] | None = None
        """Runs a loop that is inside another one by a faster lowering; False where the reference has to."""
        self._joined: dict[tuple[str, ...], Tensor] = {}
        self._masks: dict[str, Tensor] = {}
        self._ragged: dict[str, bool] = {}
        self._lengths: dict[str, Tensor] = {}

    def level(
        self, axis: str, forest: Forest, first: int, last: int, children: Mapping[str, tuple[Tensor, Tensor]]
    ) -> Context:
        """The context of the nodes `first` … `last` − 1 of a forest, which are the batch there.

        children: axis along a node's children → (table, arity), see Forest.children_of.
        """
        example = forest.example[first:last].cpu()
        sizes = {name: size for name, size in self.sizes.items() if name != axis}
        lengths = {name: own[example] for name, own in self.lengths.items() if name != axis}
        for name, (table, arity) in children.items():
            if name:
                sizes[name], lengths[name] = table.shape[1], arity
        inner = Context(
            self.weights,
            sizes,
            lengths,
            last - first,
            training=self.training,
            state={},
            device=self.device,
            dtype=self.dtype,
            keep_state=False,
            record=self.record,
            progress=self.progress,
        )
        inner._joined = self._joined
        inner.done = self.done
        inner.looking = self.looking
        inner.heights = {**self.heights, axis: [level for level, _ in forest.levels].index(first)}
        inner.depth = self.depth + 1
        inner.run_loop = self.run_loop
        inner.steps = self.steps
        inner.above = (self, forest.example[first:last])
        return inner

    def forest(self, axis: str) -> Forest:
        """The trees of an axis, one for each example of the batch."""
        if axis not in self.forests and self.above is not None:
            around, example = self.above
            self.forests[axis] = around.forest(axis).of(example)
        return self.forests[axis]

    def one_mask(self, name: str, rate: float, like: Tensor) -> Tensor:
        """[batch, width]: the dropout mask of an operation that is the same at all steps and at all nodes of a tree."""
        if name not in self.dropout_masks:
            if self.above is None:
                self.dropout_masks[name] = F.dropout(like.new_ones(self.batch, like.shape[-1]), rate)
            else:
                around, example = self.above
                self.dropout_masks[name] = around.one_mask(name, rate, like).index_select(-2, example)
        return self.dropout_masks[name]

    def draw_shared_masks(self, scan: Scan) -> None:
        """Draw the dropout masks that all steps of a loop share, before it and what else it draws: in any lowering, and
        in the printed source, the same random numbers come in the same order.
        """
        if self.depth or not self.training:
            return  # those of a loop inside another were drawn before the outer one
        for op in scan.ops():
            if op.kind == "dropout" and not op.attrs["every_step"] and op.attrs["rate"]:
                like = torch.empty(0, op.signal.width, dtype=self.dtype, device=self.device)
                self.one_mask(op.name, op.attrs["rate"], like)

    def carried(self, delay: str) -> Tensor | None:
        """The state that a loop goes on from. A loop inside another begins anew each time."""
        return self.state.get(delay) if self.depth == 0 else None

    @property
    def ends(self) -> bool:
        """Whether the final states of the loop that runs now are wanted."""
        return self.keep_state and self.depth == 0

    def shape_of(self, signal: Signal) -> tuple[int, ...]:
        """The shape of a value: [*axes, batch, width], or [*axes, batch] for tokens."""
        inner = () if isinstance(signal.content, Tokens) else (signal.content.width,)
        return (*(self.sizes[axis] for axis in signal.axes), self.batch, *inner)

    def weight(self, paths: str | Sequence[str]) -> Tensor:
        """A parameter, or several stacked along their rows (once a run)."""
        if isinstance(paths, str):
            return self.weights[paths]
        key = tuple(paths)
        if key not in self._joined:
            self._joined[key] = torch.cat([self.weights[path] for path in key])
        return self._joined[key]

    def bias(self, paths: str | Sequence[str | None] | None, rows: Sequence[int]) -> Tensor | None:
        """A bias, or several side by side with zeros (`rows` of them) where a map has none."""
        if paths is None or isinstance(paths, str):
            return None if paths is None else self.weights[paths]
        if all(path is None for path in paths):
            return None
        key = ("bias", *(str(path) for path in paths))
        if key not in self._joined:
            parts = [
                self.weights[path] if path is not None else torch.zeros(n, device=self.device, dtype=self.dtype)
                for path, n in zip(paths, rows, strict=True)
            ]
            self._joined[key] = torch.cat(parts)
        return self._joined[key]

    def ragged(self, axis: str) -> bool:
        """Whether some example is shorter than the axis is long."""
        if axis not in self._ragged:
            lengths = self.lengths.get(axis)
            self._ragged[axis] = lengths is not None and bool((lengths < self.sizes[axis]).any())
        return self._ragged[axis]

    def mask(self, axis: str) -> Tensor:
        """[axis, batch] bool: whether a step is the example's own."""
        if axis not in self._masks:
            steps = torch.arange(self.sizes[axis], device=self.device)
            self._masks[axis] = steps[:, None] < self.lengths_of(axis)[None, :]
        return self._masks[axis]

    def lengths_of(self, axis: str) -> Tensor:
        """[batch] int64 on the device."""
        if axis not in self._lengths:
            lengths = self.lengths.get(axis)
            self._lengths[axis] = (
                torch.full((self.batch,), self.sizes[axis], device=self.device)
                if lengths is None
                else to_device(lengths, self.device)
            )
        return self._lengths[axis]

    def mask_like(self, axis: str, axes: Sequence[str], *, content: bool = True) -> Tensor:
        """The mask of `axis` shaped to broadcast over a value with these axes, [*axes, batch, width]."""
        shape = [1] * len(axes) + [self.batch]
        shape[list(axes).index(axis)] = self.sizes[axis]
        return self.mask(axis).reshape([*shape, 1] if content else shape)

    def own(self, axis: str, axes: Sequence[str]) -> Tensor | None:
        """Which places of a value [*axes, batch, width] are valid along `axis`; None: all are.

        `axis` may be that of a loop around the value, which then has it no more: its present step counts.
        """
        if axis in axes:
            return self.mask_like(axis, axes) if self.ragged(axis) else None
        if axis in self.steps and self.ragged(axis):
            return self.mask(axis)[self.steps[axis]][:, None]
        return None

    def flipped_index(self, axis: str) -> Tensor:
        """[axis, batch] int64: for each step the step to read so that each example's own steps run backward."""
        size = self.sizes[axis]
        steps = torch.arange(size, device=self.device)[:, None]
        if not self.ragged(axis):
            return (size - 1 - steps).expand(size, self.batch)
        lengths = self.lengths_of(axis)[None, :]
        return torch.where(steps < lengths, lengths - 1 - steps, steps)
