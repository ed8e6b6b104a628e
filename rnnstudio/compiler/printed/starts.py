"""The printed form of parameters: where each tensor starts before it is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...catalog.primitives import Parameter
from .writer import Writer

HELPERS = {
    "spectral": '''\
def spectral(n, radius, density):
    """An n × n matrix with a share of entries that are not 0, scaled to a spectral radius."""
    w = torch.rand(n, n) * 2 - 1
    w *= torch.rand(n, n) < density
    return w * (radius / torch.linalg.eigvals(w).abs().max().clamp(min=1e-9))
''',
}

_FILLS: dict[str, Callable[[tuple[float, ...]], str]] = {
    "uniform": lambda a: f".uniform_({-a[0]:.6g}, {a[0]:.6g})",
    "normal": lambda a: f".normal_(0.0, {a[0]:g})",
    "zero": lambda a: ".zero_()",
    "constant": lambda a: f".fill_({a[0]:g})",
    "even": lambda a: f".copy_(torch.linspace({a[0]!r}, {a[1]!r}, {int(a[2])}))",
    "geometric": lambda a: f".copy_({a[0]!r} * {a[1] / a[0]!r} ** torch.linspace(0, 1, {int(a[2])}))",
    "around": lambda a: f".uniform_({a[0] - a[1]:g}, {a[0] + a[1]:g})" if a[1] else f".fill_({a[0]:g})",
}
"""What is called on an empty tensor."""

_CALLS = {
    "xavier": "nn.init.xavier_uniform_({0}, {1:g})",
    "he": "{0}.normal_(0.0, {1:g} * (2 / {2}) ** 0.5)",
    "orthogonal": "nn.init.orthogonal_({0}, {1:g})",
    "identity": "torch.eye({3}, {2}).mul_({1:g})",
}
"""Of the empty tensor, the gain, the number of columns and that of rows."""


def print_parameter(w: Writer, p: Parameter) -> Iterator[str]:
    """The line of `__init__` that declares a parameter."""
    name = w.parameters[p.path]
    shape = ", ".join(map(str, p.shape))
    empty = f"torch.empty({shape})"
    if p.init.name == "spectral_radius":
        w.helpers.add("spectral")
        value = f"spectral({p.shape[0]}, {', '.join(f'{a!r}' for a in p.init.args)})"
    elif p.init.name in _FILLS:
        value = empty + _FILLS[p.init.name](p.init.args or (0.1,))
    else:
        gain = p.init.args[0] if p.init.args else 1.0
        value = _CALLS[p.init.name].format(empty, gain, p.shape[-1], p.shape[0])
    if p.trainable:
        yield f"self.{name} = nn.Parameter({value})"
    else:
        yield f'self.register_buffer("{name}", {value})'
