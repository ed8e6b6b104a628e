"""The printed form of losses: one number a place, and its mean over all valid places."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
    total = f"({count}.sum() or 1)" if op.attrs.get("partial") else f"{count}.sum()"
    yield f"{name} = {x}.masked_fill(~{mask}, 0.0).sum() / {total}"


def _known(w: Writer, op: Op, a: list[str]) -> str:
    if op.attrs["tokens"]:
        return f"({a[0]} >= 0)[..., None].to({w.dtype()})"
    return f"(~{a[0]}.isnan()).sum(-1, keepdim=True).to({w.dtype()})"


def _over_width(measure: Callable[[Op, list[str]], str]) -> Form:
    """A loss of features: the mean over the width, or the sum over those of it that are known."""

    def write(w: Writer, op: Op, a: list[str]) -> str:
        if not op.attrs.get("partial"):
            return f"{measure(op, a)}.mean(-1, keepdim=True)"
        known = [*a[:-1], f"{a[-1]}.nan_to_num(0.0)"]
        return f"torch.where({a[-1]}.isnan(), 0.0, {measure(op, known)}).sum(-1, keepdim=True)"

    return one(write)


def _cross_entropy(w: Writer, op: Op, a: list[str]) -> str:
    options = ""
    if op.attrs["class_weights"]:
        options += f", weight={a[0]}.new_tensor({list(op.attrs['class_weights'])})"
    if op.attrs.get("partial"):
        options += ", ignore_index=-1"
    if op.attrs["smoothing"]:
        options += f", label_smoothing={op.attrs['smoothing']!r}"
    flat = f'F.cross_entropy({a[0]}.flatten(0, -2), {a[1]}.flatten(), reduction="none"{options})'
    return f"{flat}.reshape(*{a[1]}.shape, 1)"


def _class_weight(w: Writer, op: Op, a: list[str]) -> str:
    table = f"torch.tensor({list(op.attrs['class_weights'])}, device={a[0]}.device, dtype={w.dtype()})"
    if op.attrs.get("partial"):
        return f"({table}[{a[0]}.clamp(min=0)] * ({a[0]} >= 0))[..., None]"
    return f"{table}[{a[0]}][..., None]"


def _gaussian(op: Op, a: list[str]) -> str:
    mean, spread, target = a
    return f"(0.5 * (1.8378770664093453 + {spread} + ({target} - {mean}).square() * torch.exp(-{spread})))"


def _binary(op: Op, a: list[str]) -> str:
    weight = op.attrs.get("positive_weight")
    yes = "" if weight is None else f", pos_weight={a[0]}.new_tensor({weight!r})"
    return f'F.binary_cross_entropy_with_logits({a[0]}, {a[1]}, reduction="none"{yes})'


def _huber(op: Op, a: list[str]) -> str:
    return f'F.huber_loss({a[0]}, {a[1]}, reduction="none", delta={op.attrs["delta"]!r})'


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
    "known": one(_known),
    "squared_error": _over_width(lambda op, a: f"({a[0]} - {a[1]}).square()"),
    "absolute_error": _over_width(lambda op, a: f"({a[0]} - {a[1]}).abs()"),
    "binary_cross_entropy": _over_width(_binary),
    "huber": _over_width(_huber),
    "gaussian_likelihood": _over_width(_gaussian),
    "ctc": _ctc,
}
