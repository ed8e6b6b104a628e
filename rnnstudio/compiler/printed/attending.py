"""The printed form of attention's parts: padding made harmless, scores, softmax over an axis, weighted sums."""

from __future__ import annotations

from ...catalog.primitives import Op, contract_equation, match_equation
from .writer import Form, Writer, one

HELPERS = {
    "blanked": '''\
def blanked(x, fill, *masks):
    """x with `fill` at padding."""
    for mask in masks:
        x = x if mask is None else x.masked_fill(~mask, fill)
    return x
''',
    "softmax_over": '''\
def softmax_over(x, dim, mask):
    """Softmax over an axis; padding gets the weight 0."""
    if mask is None:
        return torch.softmax(x, dim)
    return torch.softmax(x.masked_fill(~mask, torch.finfo(x.dtype).min), dim).masked_fill(~mask, 0.0)
''',
}


def masks(w: Writer, op: Op, like: str) -> str:
    """The masks of the axes `over` as further arguments of a call."""
    return "".join(f", {w.own(axis, op.attrs['axes'], like)}" for axis in op.attrs["over"])


def _blank(w: Writer, op: Op, a: list[str]) -> str:
    w.helpers.add("blanked")
    return f"blanked({a[0]}, {op.attrs['fill']!r}{masks(w, op, a[0])})"


def _softmax_axis(w: Writer, op: Op, a: list[str]) -> str:
    w.helpers.add("softmax_over")
    axes, axis = op.attrs["axes"], op.attrs["axis"]
    return f"softmax_over({a[0]}, {axes.index(axis)}, {w.own(axis, axes, a[0])})"


def _match(w: Writer, op: Op, a: list[str]) -> str:
    equation = match_equation(op.attrs["axes"], op.attrs["axes2"], op.signal.axes)
    query, keys = (f"{x}.unflatten(-1, ({op.attrs['heads']}, -1))" for x in a)
    return f'torch.einsum("{equation}", {query}, {keys})'


def _contract(w: Writer, op: Op, a: list[str]) -> str:
    equation = contract_equation(op.attrs["axes"], op.attrs["axes2"], op.signal.axes)
    return f'torch.einsum("{equation}", {a[0]}, {a[1]}.unflatten(-1, ({op.attrs["heads"]}, -1))).flatten(-2)'


PRINTED: dict[str, Form] = {
    "blank": one(_blank),
    "softmax_axis": one(_softmax_axis),
    "match": one(_match),
    "contract": one(_contract),
}
