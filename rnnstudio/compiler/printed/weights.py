"""The printed form of what has weights, or drops some of its input: linear maps, tables, dropout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...catalog.primitives import Op
from .writer import Form, Writer, one


def joined_weights(w: Writer, op: Op) -> Iterator[str]:
    """The weights of several linear maps of one source below each other, under a variable of their own."""
    name = w.variable(f"weight of {op.name}", f"{op.name}_weight")
    yield f"{name} = torch.cat([{', '.join(w.parameter(p) for p in op.attrs['weight'])}])"
    if any(op.attrs["bias"]):
        yield f"{w.variable(f'bias of {op.name}', f'{op.name}_bias')} = {_joined_bias(w, op)}"


def _joined_bias(w: Writer, op: Op) -> str:
    parts = []
    shapes = {p.path: p.shape for p in w.program.parameters}
    for path, weight in zip(op.attrs["bias"], op.attrs["weight"], strict=True):
        parts.append(w.parameter(path) if path else f"{w.parameter(weight)}.new_zeros({shapes[weight][0]})")
    return f"torch.cat([{', '.join(parts)}])"


def _linear(w: Writer, op: Op, name: str, a: list[str]) -> Iterator[str]:
    if isinstance(op.attrs["weight"], tuple):
        if f"weight of {op.name}" not in w.names:
            yield from joined_weights(w, op)
        weight, bias = w.names[f"weight of {op.name}"], w.names.get(f"bias of {op.name}")
    else:
        weight = w.parameter(op.attrs["weight"])
        bias = w.parameter(op.attrs["bias"]) if op.attrs["bias"] else None
    yield f"{name} = F.linear({a[0]}, {weight}{f', {bias}' if bias else ''})"


def _bilinear(w: Writer, op: Op, a: list[str]) -> str:
    bias = f" + {w.parameter(op.attrs['bias'])}" if op.attrs["bias"] else ""
    return f'torch.einsum("...i,kij,...j->...k", {a[0]}, {w.parameter(op.attrs["weight"])}, {a[1]}){bias}'


def one_mask(op: Op) -> str:
    """The key of the dropout mask that all steps of a loop share."""
    return f"one mask of {op.name}"


def shared_masks(w: Writer, ops: Iterable[Op], like: str) -> Iterator[str]:
    """The dropout masks that all steps of a loop share, in front of it; `like`: a tensor on the device."""
    for op in ops:
        if op.kind == "dropout" and not op.attrs["every_step"] and one_mask(op) not in w.names:
            ones = f"torch.ones({w.batch}, {op.signal.width}, dtype={w.dtype()}, device={like}.device)"
            mask = w.variable(one_mask(op), f"{op.name}_mask")
            yield f"{mask} = F.dropout({ones}, {op.attrs['rate']:g}, self.training)  # one for all steps"


def _dropout(w: Writer, op: Op, a: list[str]) -> str:
    x, rate = a[0], op.attrs["rate"]
    if op.attrs["every_step"]:
        # Laid out in order, as in the studio: where numbers lie decides which are drawn for them.
        return f"F.dropout({x}.contiguous(), {rate:g}, self.training)"
    if one_mask(op) in w.names:
        return f"{x} * {w.names[one_mask(op)]}"
    ones = f"{x}.new_ones({'1, ' * len(op.signal.axes)}*{x}.shape[-2:])"
    return f"{x} * F.dropout({ones}, {rate:g}, self.training)  # one mask for all steps"


PRINTED: dict[str, Form] = {
    "parameter": one(lambda w, op, a: f"{w.parameter(op.attrs['weight'])}.expand({w.batch}, -1)"),
    "embed": one(lambda w, op, a: f"F.embedding({a[0]}, {w.parameter(op.attrs['weight'])})"),
    "linear": _linear,
    "bilinear": one(_bilinear),
    "dropout": one(_dropout),
}
