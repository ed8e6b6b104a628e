"""The printed form of the primitives of attention, normalisation, clocks and losses: lines of plain PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from ..catalog.primitives import Op, contract_equation, match_equation


class Writer(Protocol):
    """What the source's writer offers to a printed form."""

    helpers: set[str]

    def own(self, axis: str, axes: Sequence[str], like: str) -> str:
        """An expression: the mask of an axis over a value with `axes`, or None where everything is valid."""
        ...

    def length(self, axis: str, like: str) -> str:
        """An expression: [batch] own lengths of an axis."""
        ...

    def parameter(self, path: str) -> str:
        """`self.name` of a parameter."""
        ...

    def variable(self, key: str, wanted: str) -> str:
        """A variable of its own, called like `wanted`."""
        ...

    def size(self, axis: str) -> str:
        """The variable that holds the length of an axis."""
        ...

    def anything(self) -> str:
        """A tensor whose device is the network's."""
        ...

    def dtype(self) -> str:
        """The network's floating type."""
        ...


Form = Callable[[Writer, Op, str, list[str]], Iterator[str]]
"""(writer, op, the variable to set, the variables of its inputs) → lines."""

HELPERS = {
    "shaped": '''\
def shaped(mask, *shape):
    """A mask reshaped to broadcast; None stays None."""
    return None if mask is None else mask.reshape(shape)
''',
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
    "spectral": '''\
def spectral(n, radius, density):
    """An n × n matrix with a share of entries that are not 0, scaled to a spectral radius."""
    w = torch.rand(n, n) * 2 - 1
    w *= torch.rand(n, n) < density
    return w * (radius / torch.linalg.eigvals(w).abs().max().clamp(min=1e-9))
''',
}
"""Functions printed in front of the class where they are used."""


def _one(expression: Callable[[Writer, Op, list[str]], str]) -> Form:
    """A form of one line."""

    def form(w: Writer, op: Op, name: str, a: list[str]) -> Iterator[str]:
        yield f"{name} = {expression(w, op, a)}"

    return form


def _masks(w: Writer, op: Op, like: str) -> str:
    return "".join(f", {w.own(axis, op.attrs['axes'], like)}" for axis in op.attrs["over"])


def _blank(w: Writer, op: Op, a: list[str]) -> str:
    w.helpers.add("blanked")
    return f"blanked({a[0]}, {op.attrs['fill']!r}{_masks(w, op, a[0])})"


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


def _fold(w: Writer, op: Op, a: list[str]) -> str:
    return f"{a[0]}.{op.attrs['how']}(-1, keepdim=True)"


def _clock(w: Writer, op: Op, name: str, a: list[str]) -> Iterator[str]:
    axis, periods = op.attrs["axis"], op.attrs["periods"]
    start, step = w.variable(f"start of {name}", f"{name}_start"), w.variable(f"step of {name}", f"{name}_step")
    own = w.length(axis, w.anything())
    yield f"{start} = {own}.new_zeros(batch, 1)"
    yield f'if "{op.name}" in state:'
    yield f'    {start} = state["{op.name}"][0].round().long()'
    yield f"{step} = torch.arange({w.size(axis)}, device={start}.device)[:, None, None] + {start}"
    yield f'final["{op.name}"] = ({start} + {own}[:, None]).to({w.dtype()})[None]'
    group = op.signal.width // len(periods)
    every = f"torch.tensor({list(periods)}, device={start}.device)"
    every += f".repeat_interleave({group})" if group > 1 else ""
    yield f"{name} = ({step} % {every} == 0).to({w.dtype()})"


def _layer_norm(w: Writer, op: Op, a: list[str]) -> str:
    weight, bias = (w.parameter(path) if path else "None" for path in (op.attrs["weight"], op.attrs["bias"]))
    return f"F.layer_norm({a[0]}, ({op.signal.width},), {weight}, {bias}, {op.attrs['epsilon']!r})"


def _batch_norm(w: Writer, op: Op, name: str, a: list[str]) -> Iterator[str]:
    w.helpers.add("batch_normal")
    at = op.attrs
    numbers = f"{at['epsilon']!r}, {at['momentum']!r}, self.training{_masks(w, op, a[0])}"
    yield f"{name} = batch_normal({a[0]}, {w.parameter(at['mean'])}, {w.parameter(at['variance'])}, {numbers})"
    if at["weight"]:
        yield f"{name} = {name} * {w.parameter(at['weight'])}"
    if at["bias"]:
        yield f"{name} = {name} + {w.parameter(at['bias'])}"


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
    "erf": _one(lambda w, op, a: f"torch.erf({a[0]})"),
    "sign": _one(lambda w, op, a: f"torch.sign({a[0]})"),
    "log_softmax": _one(lambda w, op, a: f"torch.log_softmax({a[0]}, -1)"),
    "blank": _one(_blank),
    "softmax_axis": _one(_softmax_axis),
    "match": _one(_match),
    "contract": _one(_contract),
    "fold": _one(_fold),
    "clock": _clock,
    "layer_norm": _one(_layer_norm),
    "batch_norm": _batch_norm,
    "cross_entropy": _one(_cross_entropy),
    "class_weight": _one(_class_weight),
    "squared_error": _one(lambda w, op, a: f"({a[0]} - {a[1]}).square().mean(-1, keepdim=True)"),
    "absolute_error": _one(lambda w, op, a: f"({a[0]} - {a[1]}).abs().mean(-1, keepdim=True)"),
    "binary_cross_entropy": _one(
        lambda w, op, a: f'F.binary_cross_entropy_with_logits({a[0]}, {a[1]}, reduction="none").mean(-1, keepdim=True)'
    ),
    "huber": _one(
        lambda w, op, a: (
            f'F.huber_loss({a[0]}, {a[1]}, reduction="none", delta={op.attrs["delta"]!r}).mean(-1, keepdim=True)'
        )
    ),
    "gaussian_likelihood": _one(_gaussian),
    "ctc": _ctc,
}
"""How each of these primitives is written."""
