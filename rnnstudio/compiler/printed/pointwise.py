"""The printed form of what acts on the features of each place alone."""

from __future__ import annotations

from ...catalog.primitives import Op
from .writer import Form, Writer, one

HELPERS = {
    "side_by_side": '''\
def side_by_side(*values):
    """Features of several values joined; axes that one of them lacks are repeated."""
    dims = max(x.dim() for x in values)
    values = [x.reshape((1,) * (dims - x.dim()) + x.shape) for x in values]
    shape = [max(x.shape[i] for x in values) for i in range(dims - 1)]
    return torch.cat([x.expand(*shape, x.shape[-1]) for x in values], -1)
''',
}


def _unary(function: str) -> Form:
    return one(lambda w, op, a: f"{function}({a[0]})")


def _binary(sign: str) -> Form:
    return one(lambda w, op, a: f"{a[0]} {sign} {a[1]}")


def _affine(w: Writer, op: Op, a: list[str]) -> str:
    scale, offset = op.attrs["scale"], op.attrs["offset"]
    if scale == -1.0:
        return f"{offset:g} - {a[0]}"
    left = a[0] if scale == 1.0 else f"{scale!r} * {a[0]}"
    return left if offset == 0.0 else f"{left} + {offset!r}"


def _concat(w: Writer, op: Op, a: list[str]) -> str:
    axes = {w.program.signals[i].axes for i in op.inputs if i in w.program.signals}
    if len(axes) <= 1:
        return f"torch.cat([{', '.join(a)}], -1)"
    w.helpers.add("side_by_side")
    return f"side_by_side({', '.join(a)})"


PRINTED: dict[str, Form] = {
    **{kind: _unary(f"torch.{kind}") for kind in ("sigmoid", "tanh", "relu", "exp", "log", "abs", "square")},
    "softplus": _unary("F.softplus"),
    "erf": _unary("torch.erf"),
    "sign": _unary("torch.sign"),
    "add": _binary("+"),
    "subtract": _binary("-"),
    "multiply": _binary("*"),
    "divide": _binary("/"),
    "maximum": one(lambda w, op, a: f"torch.maximum({a[0]}, {a[1]})"),
    "minimum": one(lambda w, op, a: f"torch.minimum({a[0]}, {a[1]})"),
    "affine": one(_affine),
    "concat": one(_concat),
    "slice": one(lambda w, op, a: f"{a[0]}[..., {op.attrs['start']}:{op.attrs['stop']}]"),
    "softmax": one(lambda w, op, a: f"torch.softmax({a[0]}, -1)"),
    "log_softmax": one(lambda w, op, a: f"torch.log_softmax({a[0]}, -1)"),
    "fold": one(lambda w, op, a: f"{a[0]}.{op.attrs['how']}(-1, keepdim=True)"),
}
