"""Which operations of a step run in plain torch: attention over another axis, tokens, statistics over the batch.

Torch-free. Everything that is neither a linear map nor elementwise is gathered into plain stages. A stage reads values
of the step and gives values to it, as a product does; between two stages the step is fused as ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...catalog.primitives import POINTWISE_BINARY, POINTWISE_UNARY, Op
from ...compiler.program import Scan
from ...design.signals import Signal, Tokens
from .expressions import Node

FUSED = frozenset((*POINTWISE_UNARY, *POINTWISE_BINARY)) | {
    *("affine", "concat", "slice", "align", "linear", "dropout"),
    *("softmax", "log_softmax", "layer_norm", "fold"),
}
"""Operations that are products or part of the pointwise graph."""


@dataclass(frozen=True, slots=True)
class PlainStage:
    """Operations in order. inputs: what they read of the rest of the step, a node for each part that lies side by side.

    outputs: those results, [batch, width], that the rest of the step reads.
    """

    ops: tuple[Op, ...]
    inputs: tuple[tuple[str, tuple[Node, ...]], ...]
    outputs: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Plain:
    """All plain stages of a loop, in order. outside: what they read that is made outside of the loop.

    yields: results that are read outside of the loop as they are, with axes of their own or tokens.
    tokens: by state that is a token, the result that is its next value.
    """

    stages: tuple[PlainStage, ...]
    outside: tuple[str, ...]
    yields: tuple[str, ...]
    tokens: Mapping[str, str]

    @property
    def weights(self) -> tuple[str, ...]:
        """Paths of what they train."""
        return tuple(dict.fromkeys(path for stage in self.stages for op in stage.ops for path in weights_of(op)))


def weights_of(op: Op) -> list[str]:
    """Paths of what an operation trains."""
    found: list[str] = []
    for key in ("weight", "bias"):
        value = op.attrs.get(key)
        found += [value] if isinstance(value, str) else [path for path in value or () if path is not None]
    return found


def fused(op: Op, training: bool) -> bool:
    """Whether an operation is a product or pointwise, along whatever axes."""
    if op.kind == "choose":
        return not isinstance(op.signal.content, Tokens)
    return op.kind in FUSED or (op.kind == "batch_norm" and not training)


def crossed_axes(scan: Scan, ops: Sequence[Op], signals: Mapping[str, Signal], training: bool) -> dict[str, Op]:
    """The axes that plain operations of a step run along or cross, and the first operation that does."""
    inside = {op.name: op.signal for op in ops} | {state.delay: state.signal for state in scan.states}
    found: dict[str, Op] = {}
    for op in ops:
        if fused(op, training):
            continue
        for signal in (op.signal, *(inside.get(name, signals.get(name)) for name in op.inputs)):
            for axis in signal.axes if signal is not None else ():
                if axis != scan.axis:
                    found.setdefault(axis, op)
    return found


def numbered(ops: Sequence[Op], crossed: Mapping[str, Op], training: bool) -> dict[str, int]:
    """Every plain operation → the number of its stage. A stage reads no fused value that is made of its results."""
    plain = {op.name for op in ops if not fused(op, training) or any(axis in crossed for axis in op.signal.axes)}
    depth: dict[str, int] = {}
    for op in ops:
        behind = [depth[name] + int(op.name in plain and name not in plain) for name in op.inputs if name in depth]
        depth[op.name] = max(behind, default=0)
    numbers = {number: i for i, number in enumerate(sorted({depth[name] for name in plain}))}
    return {name: numbers[depth[name]] for name in depth if name in plain}
