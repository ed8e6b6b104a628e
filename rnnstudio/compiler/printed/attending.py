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
    "log_softmax_over": '''\
def log_softmax_over(x, dim, mask):
    """The logarithm of softmax over an axis; 0 at padding."""
    if mask is None:
        return torch.log_softmax(x, dim)
    return torch.log_softmax(x.masked_fill(~mask, torch.finfo(x.dtype).min), dim).masked_fill(~mask, 0.0)
''',
    "steps_along": '''\
def steps_along(x, dim):
    """The numbers of the steps along dim, shaped to broadcast over x."""
    shape = [1] * x.dim()
    shape[dim] = x.shape[dim]
    return torch.arange(x.shape[dim], device=x.device).reshape(shape)
''',
}


def _axis_function(function: str) -> Form:
    def expression(w: Writer, op: Op, a: list[str]) -> str:
        w.helpers.add(function)
        axes, axis = op.attrs["axes"], op.attrs["axis"]
        return f"{function}({a[0]}, {axes.index(axis)}, {w.own(axis, axes, a[0])})"

    return one(expression)


def _hide_ahead(w: Writer, op: Op, a: list[str]) -> str:
    w.helpers.add("steps_along")
    x, axes, until, fill = a[0], op.attrs["axes"], op.attrs["until"], op.attrs["fill"]
    here = f"steps_along({x}, {axes.index(until)})" if until in axes else w.loops[until][0]
    lowest = f"torch.finfo({x}.dtype).min" if fill is None else repr(fill)
    return f"{x}.masked_fill(steps_along({x}, {axes.index(op.attrs['axis'])}) > {here}, {lowest})"


def masks(w: Writer, op: Op, like: str) -> str:
    """The masks of the axes `over` as further arguments of a call."""
    return "".join(f", {w.own(axis, op.attrs['axes'], like)}" for axis in op.attrs["over"])


def _blank(w: Writer, op: Op, a: list[str]) -> str:
    w.helpers.add("blanked")
    return f"blanked({a[0]}, {op.attrs['fill']!r}{masks(w, op, a[0])})"


def _match(w: Writer, op: Op, a: list[str]) -> str:
    equation = match_equation(op.attrs["axes"], op.attrs["axes2"], op.signal.axes)
    query, keys = (f"{x}.unflatten(-1, ({op.attrs['heads']}, -1))" for x in a)
    return f'torch.einsum("{equation}", {query}, {keys})'


def _contract(w: Writer, op: Op, a: list[str]) -> str:
    equation = contract_equation(op.attrs["axes"], op.attrs["axes2"], op.signal.axes)
    return f'torch.einsum("{equation}", {a[0]}, {a[1]}.unflatten(-1, ({op.attrs["heads"]}, -1))).flatten(-2)'


PRINTED: dict[str, Form] = {
    "blank": one(_blank),
    "softmax_axis": _axis_function("softmax_over"),
    "log_softmax_axis": _axis_function("log_softmax_over"),
    "hide_ahead": one(_hide_ahead),
    "rename": one(lambda w, op, a: a[0]),
    "match": one(_match),
    "contract": one(_contract),
}
