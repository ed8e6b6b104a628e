"""The printed form of losses: one number a place, and its mean over all valid places."""

from __future__ import annotations

from collections.abc import Iterator

from ...catalog.primitives import Op
from .writer import Form, Writer, one


def _average(w: Writer, op: Op, name: str, a: list[str]) -> Iterator[str]:
    axes, x = op.attrs["axes"], a[0]
    mask = w.variable(f"mask of {op.name}", f"{op.name}_mask")
    yield f"{mask} = torch.ones_like({x}, dtype=torch.bool)"
    for axis in axes:
        valid = w.variable(f"valid of {op.name} {axis}", f"{op.name}_{axis}_valid")
        call, shape = w.mask(axis, axes, x)
        yield f"{valid} = {call}"
        yield f"if {valid} is not None:"
        yield f"    {mask} = {mask} & {valid}.reshape({shape})"
    count = f"{a[1]}.masked_fill(~{mask}, 0.0)" if len(a) == 2 else mask
    yield f"{name} = {x}.masked_fill(~{mask}, 0.0).sum() / {count}.sum()"


def _cross_entropy(w: Writer, op: Op, a: list[str]) -> str:
    options = ""
    if op.attrs["class_weights"]:
        options += f", weight={a[0]}.new_tensor({list(op.attrs['class_weights'])})"
    if op.attrs["smoothing"]:
        options += f", label_smoothing={op.attrs['smoothing']!r}"
    flat = f'F.cross_entropy({a[0]}.flatten(0, -2), {a[1]}.flatten(), reduction="none"{options})'
    return f"{flat}.reshape(*{a[1]}.shape, 1)"


def _class_weight(w: Writer, op: Op, a: list[str]) -> str:
    table = f"torch.tensor({list(op.attrs['class_weights'])}, device={a[0]}.device, dtype={w.dtype()})"
    return f"{table}[{a[0]}][..., None]"


def _gaussian(w: Writer, op: Op, a: list[str]) -> str:
    mean, spread, target = a
    each = f"1.8378770664093453 + {spread} + ({target} - {mean}).square() * torch.exp(-{spread})"
    return f"0.5 * ({each}).mean(-1, keepdim=True)"


def _ctc(w: Writer, op: Op, name: str, a: list[str]) -> Iterator[str]:
    at = op.attrs
    labels = f"({a[1]} + 1).T" if at["blank"] == 0 else f"{a[1]}.T"
    own = w.variable(f"labels of {name}", f"{name}_labels")
    yield f"{own} = {w.length(at['labels'], a[0])}"
    frames = w.length(at["frames"], a[0])
    options = f'{at["blank"]}, reduction="none", zero_infinity={at["skip_impossible"]}'
    yield f"{name} = F.ctc_loss(torch.log_softmax({a[0]}, -1), {labels}, {frames}, {own}, {options})"
    yield f"{name} = ({name} / {own}.clamp(min=1))[:, None]"


PRINTED: dict[str, Form] = {
    "average": _average,
    "cross_entropy": one(_cross_entropy),
    "class_weight": one(_class_weight),
    "squared_error": one(lambda w, op, a: f"({a[0]} - {a[1]}).square().mean(-1, keepdim=True)"),
    "absolute_error": one(lambda w, op, a: f"({a[0]} - {a[1]}).abs().mean(-1, keepdim=True)"),
    "binary_cross_entropy": one(
        lambda w, op, a: f'F.binary_cross_entropy_with_logits({a[0]}, {a[1]}, reduction="none").mean(-1, keepdim=True)'
    ),
    "huber": one(
        lambda w, op, a: (
            f'F.huber_loss({a[0]}, {a[1]}, reduction="none", delta={op.attrs["delta"]!r}).mean(-1, keepdim=True)'
        )
    ),
    "gaussian_likelihood": one(_gaussian),
    "ctc": _ctc,
}
