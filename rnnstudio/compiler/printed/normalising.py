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
}


def _layer_norm(w: Writer, op: Op, a: list[str]) -> str:
    weight, bias = (w.parameter(path) if path else "None" for path in (op.attrs["weight"], op.attrs["bias"]))
    return f"F.layer_norm({a[0]}, ({op.signal.width},), {weight}, {bias}, {op.attrs['epsilon']!r})"


def _batch_norm(w: Writer, op: Op, name: str, a: list[str]) -> Iterator[str]:
    w.helpers.add("batch_normal")
    at = op.attrs
    numbers = f"{at['epsilon']!r}, {at['momentum']!r}, self.training{masks(w, op, a[0])}"
    yield f"{name} = batch_normal({a[0]}, {w.parameter(at['mean'])}, {w.parameter(at['variance'])}, {numbers})"
    if at["weight"]:
        yield f"{name} = {name} * {w.parameter(at['weight'])}"
    if at["bias"]:
        yield f"{name} = {name} + {w.parameter(at['bias'])}"


PRINTED: dict[str, Form] = {"layer_norm": one(_layer_norm), "batch_norm": _batch_norm}
