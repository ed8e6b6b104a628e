"""How parameters start. Every initialiser fills a tensor in place, from a generator of its own seed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Generator, Tensor

from ..catalog.primitives import Parameter
from ..compiler.machine import gigabytes, machine_memory
from ..design.errors import StudioError, lacks_memory

FLOAT = 4
"""Bytes of a number as weights start."""


def _uniform(w: Tensor, g: Generator, bound: float = 0.1) -> None:
    w.uniform_(-bound, bound, generator=g)


def _normal(w: Tensor, g: Generator, spread: float = 1.0) -> None:
    w.normal_(0.0, spread, generator=g)


def _zero(w: Tensor, g: Generator, *_: float) -> None:
    w.zero_()


def _constant(w: Tensor, g: Generator, value: float = 0.0) -> None:
    w.fill_(value)


def _around(w: Tensor, g: Generator, value: float = 0.0, spread: float = 0.0) -> None:
    w.fill_(value)
    if spread:
        w.add_(torch.empty_like(w).uniform_(-spread, spread, generator=g))


def _xavier(w: Tensor, g: Generator, gain: float = 1.0) -> None:
    """Glorot and Bengio 2010: U(−a, a), a = gain √(6 / (fan_in + fan_out))."""
    bound = gain * (6.0 / (w.shape[0] + w.shape[-1])) ** 0.5
    w.uniform_(-bound, bound, generator=g)


def _he(w: Tensor, g: Generator, gain: float = 1.0) -> None:
    """He et al. 2015: N(0, 2 / fan_in)."""
    w.normal_(0.0, gain * (2.0 / w.shape[-1]) ** 0.5, generator=g)


def _orthogonal(w: Tensor, g: Generator, gain: float = 1.0) -> None:
    """Saxe et al. 2014: orthonormal rows or columns, from the QR decomposition of a Gaussian matrix."""
    torch.nn.init.orthogonal_(w, gain, generator=g)


def _identity(w: Tensor, g: Generator, gain: float = 1.0) -> None:
    """Le et al. 2015 (IRNN)."""
    w.zero_()
    w.fill_diagonal_(gain)


def _spectral_radius(w: Tensor, g: Generator, radius: float = 1.0, density: float = 1.0) -> None:
    """Jaeger 2001: U(−1, 1) with a share of entries kept, scaled so that the largest |eigenvalue| is `radius`."""
    for _ in range(100):
        w.uniform_(-1.0, 1.0, generator=g)
        w.mul_(torch.rand(w.shape, generator=g) < density)
        largest = float(torch.linalg.eigvals(w.double()).abs().max())
        if largest > 1e-3:
            w.mul_(radius / largest)
            return
    raise StudioError(
        f"A matrix of {w.shape[0]} units with a share of {density:g} entries has no loop to scale",
        remedy="Give the recurrent matrix more units, or a higher density.",
    )


def _even(w: Tensor, g: Generator, first: float = 0.0, last: float = 1.0, *_: float) -> None:
    w.copy_(torch.linspace(first, last, w.shape[-1]))


def _geometric(w: Tensor, g: Generator, first: float = 1.0, last: float = 10.0, *_: float) -> None:
    w.copy_(first * (last / first) ** torch.linspace(0, 1, w.shape[-1]))


INITIALISERS: dict[str, Callable[..., None]] = {
    "uniform": _uniform,
    "normal": _normal,
    "zero": _zero,
    "constant": _constant,
    "around": _around,
    "xavier": _xavier,
    "he": _he,
    "orthogonal": _orthogonal,
    "identity": _identity,
    "spectral_radius": _spectral_radius,
    "even": _even,
    "geometric": _geometric,
}


def refuse_too_many(parameters: Sequence[Parameter]) -> None:
    """Raise StudioError, with the node that has most, when these weights alone are more than the machine can hold."""
    by_node: dict[str, int] = {}
    for parameter in parameters:
        node = parameter.path.rpartition(".")[0]
        by_node[node] = by_node.get(node, 0) + FLOAT * prod(parameter.shape)
    needed, there = sum(by_node.values()), machine_memory()
    if needed > there:
        most = max(by_node, key=by_node.__getitem__)
        raise StudioError(
            f"The weights take {gigabytes(needed)}, {gigabytes(by_node[most])} of them here, but this machine has "
            f"{gigabytes(there)} of memory",
            where=most,
            remedy="Give it fewer units.",
        )


def initialise(parameter: Parameter, seed: int) -> Tensor:
    """A new float32 tensor. Depends on the seed and the parameter's path alone, not on what else is in the network.

    Raises StudioError when there is no memory for it.
    """
    digest = hashlib.sha256(f"{seed}:{parameter.path}".encode()).digest()
    generator = Generator().manual_seed(int.from_bytes(digest[:7], "little"))
    try:
        tensor = torch.empty(parameter.shape)
        INITIALISERS[parameter.init.name](tensor, generator, *parameter.init.args)
    except (RuntimeError, MemoryError) as error:
        if not lacks_memory(error):
            raise
        size = " × ".join(map(str, parameter.shape))
        raise StudioError(
            f"There is no memory left for weights of {size}", where=parameter.path, remedy="Give it fewer units."
        ) from error
    return tensor
