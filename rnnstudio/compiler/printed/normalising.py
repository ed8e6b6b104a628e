"""The printed form of layer and batch normalisation."""

from __future__ import annotations

from collections.abc import Iterator

from ...catalog.primitives import Op
from .attending import masks
from .writer import Form, Writer, one

HELPERS = {
    "batch_normal": '''\
def batch_normal(x, mean, variance, epsilon, momentum, training, *masks):
    """Each feature with mean 0 and variance 1 over its valid places; training moves `mean` and `variance` there."""
    if not training:
        return (x - mean) * torch.rsqrt(variance + epsilon)
    own = torch.ones(*x.shape[:-1], 1, dtype=torch.bool, device=x.device)
    for mask in masks:
        own = own if mask is None else own & mask
    places = tuple(range(x.dim() - 1))
    count = own.sum().to(x.dtype)
    center = x.masked_fill(~own, 0.0).sum(places) / count.clamp(min=1)
    spread = (x - center).square().masked_fill(~own, 0.0).sum(places) / count.clamp(min=1)
    with torch.no_grad():
        rate = momentum * (count > 1).to(x.dtype)
        mean += rate * (center - mean)
        variance += rate * (spread * count / (count - 1).clamp(min=1) - variance)
    return (x - center) * torch.rsqrt(spread + epsilon)
''',
    "batch_normal_steps": '''\
def batch_normal_steps(x, number, dim, mean, variance, epsilon, momentum, training, *masks):
    """As batch_normal, with statistics of its own for each step along dim (None: x is one step of a loop).

    number: the steps' numbers; a later one than `mean` has rows uses the last row and moves none.
    """
    x = x[None] if dim is None else x.movedim(dim, 0)
    row = number[..., 0].round().to(torch.int64).reshape(x.shape[0], -1)
    between = [1] * (x.dim() - 3)
    if training:
        own = torch.ones(*x.shape[:-1], 1, dtype=torch.bool, device=x.device)
        for mask in masks:
            if mask is not None:
                own = own & (mask.movedim(dim, 0) if dim is not None and mask.dim() == x.dim() else mask)
        places = tuple(range(1, x.dim() - 1))
        count = own.sum(places).to(x.dtype)
        center = x.masked_fill(~own, 0.0).sum(places) / count.clamp(min=1)
        apart = x - center.reshape(len(center), *between, 1, -1)
        spread = apart.square().masked_fill(~own, 0.0).sum(places) / count.clamp(min=1)
        with torch.no_grad():
            each = own.sum((*places[:-1], -1)).to(x.dtype)
            here = row[..., None] == torch.arange(len(mean), device=x.device)
            share = (here.to(x.dtype) * each[..., None]).sum(1) / count.clamp(min=1)
            rate = (momentum * share * (count > 1)).T
            unbiased = spread * count / (count - 1).clamp(min=1)
            mean += rate @ center - rate.sum(1, keepdim=True) * mean
            variance += rate @ unbiased - rate.sum(1, keepdim=True) * variance
        y = apart * torch.rsqrt(spread + epsilon).reshape(len(center), *between, 1, -1)
    else:
        row = row.clamp(max=len(mean) - 1)
        center, spread = (table[row].reshape(*row.shape[:1], *between, row.shape[1], -1) for table in (mean, variance))
        y = (x - center) * torch.rsqrt(spread + epsilon)
    return y[0] if dim is None else y.movedim(0, dim)
''',
}


def _layer_norm(w: Writer, op: Op, a: list[str]) -> str:
    weight, bias = (w.parameter(path) if path else "None" for path in (op.attrs["weight"], op.attrs["bias"]))
    return f"F.layer_norm({a[0]}, ({op.signal.width},), {weight}, {bias}, {op.attrs['epsilon']!r})"


def _batch_norm(w: Writer, op: Op, name: str, a: list[str]) -> Iterator[str]:
    at = op.attrs
    function, values = "batch_normal", a[0]
    if op.kind == "batch_norm_steps":
        dim = at["axes"].index(at["along"]) if at["along"] in at["axes"] else None
        function, values = "batch_normal_steps", f"{a[0]}, {a[1]}, {dim}"
    w.helpers.add(function)
    running = f"{w.parameter(at['mean'])}, {w.parameter(at['variance'])}"
    numbers = f"{at['epsilon']!r}, {at['momentum']!r}, self.training{masks(w, op, a[0])}"
    yield f"{name} = {function}({values}, {running}, {numbers})"
    if at["weight"]:
        yield f"{name} = {name} * {w.parameter(at['weight'])}"
    if at["bias"]:
        yield f"{name} = {name} + {w.parameter(at['bias'])}"


PRINTED: dict[str, Form] = {
    "layer_norm": one(_layer_norm),
    "batch_norm": _batch_norm,
    "batch_norm_steps": _batch_norm,
}
