"""The proof that an export equals the trained model: the largest difference at several shapes of input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ..compiler.program import Program, parents_field
from ..compiler.prune import needs
from ..design.errors import StudioError
from ..design.signals import Tokens
from ..runtime import Network

SHAPES = ((1, 1), (1, 17), (3, 8), (4, 33))
"""(batch, length) at which an export is compared."""

TOLERANCE = 1e-5
"""Largest difference allowed, relative to the largest output (float32)."""

Answer = tuple[dict[str, Tensor], dict[str, Tensor]]
"""Outputs by name and final states."""

Tensors = dict[str, Tensor]
Run = Callable[[Tensors, Tensors | None, Tensors | None, Mapping[str, int]], Answer]
"""Calls an exported model: fields, lengths, state, steps along axes that no field has → outputs, state."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison. difference: largest, absolute, NaN when one side is; of texts, how many tokens differ.

    function: of the exported file. batch, length, what: its input, for people ("different lengths", "going on from a
    state", a prompt). scale: the largest value that was compared; differences and it are in units of the network.
    """

    batch: int
    length: int
    what: str
    difference: float
    scale: float
    function: str = "forward"

    @property
    def fits(self) -> bool:
        return self.difference <= TOLERANCE * max(1.0, self.scale)


@dataclass(frozen=True, slots=True)
class Certificate:
    """All comparisons of one export, with what was compared."""

    format: str
    files: tuple[str, ...]
    design: str
    tolerance: float
    comparisons: tuple[Comparison, ...]
    torch: str

    @property
    def largest(self) -> float:
        return max(c.difference for c in self.comparisons)

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions of the file that were compared."""
        return tuple(dict.fromkeys(c.function for c in self.comparisons))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(network: Network, run: Run) -> tuple[Comparison, ...]:
    """Compare an exported model with the live one. Raises StudioError at the first shape where they differ."""
    program = network.program
    network = network.eval()
    found = []
    for batch, length in SHAPES:
        fields = dict(_fields(program, batch, length))
        steps = dict.fromkeys(needs(program, program.outputs.values()).free, length)
        for what, lengths, state in _cases(network, fields, batch, length, steps):
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                torch.manual_seed(length)
                live = network(fields, lengths, state, steps)
                torch.manual_seed(length)
                outputs, final = run(fields, lengths, state, steps)
            if set(outputs) != set(live.outputs):
                raise StudioError(f"The export has the outputs {sorted(outputs)}, the model {sorted(live.outputs)}")
            pairs = [
                (_valid(outputs[n], n, program, lengths), _valid(v, n, program, lengths))
                for n, v in live.outputs.items()
            ]
            if set(final) != set(live.state):
                raise StudioError(f"The export has the states {sorted(final)}, the model {sorted(live.state)}")
            pairs += [(final[name], value) for name, value in live.state.items()]
            found.append(of_values("forward", batch, length, what, pairs))
    return tuple(found)


def of_values(
    function: str, batch: int, length: int, what: str, pairs: Iterable[tuple[Tensor, Tensor]], resolution: float = 0.0
) -> Comparison:
    """The comparison of (exported, live) values. resolution: what one unit in the last place may make, if that is more.

    Raises StudioError when they differ.
    """
    pairs = [(a.double(), b.double()) for a, b in pairs if b.numel()]
    if any(a.shape != b.shape for a, b in pairs):
        raise differs(f"{function} gives another shape", batch, length, what)
    gaps = [torch.where(a == b, 0.0, (a - b).abs()).max() for a, b in pairs]
    difference = float(torch.stack(gaps).max()) if gaps else 0.0
    sizes = [b[b.isfinite()].abs().max() for _, b in pairs if b.isfinite().any()]
    scale = max(float(torch.stack(sizes).max()) if sizes else 0.0, resolution / TOLERANCE)
    comparison = Comparison(batch, length, what, difference, scale, function)
    if not comparison.fits:
        raise differs(f"{function} differs by {difference:.2e}", batch, length, what)
    return comparison


def differs(how: str, batch: int, length: int, what: str) -> StudioError:
    """Why nothing is saved."""
    return StudioError(
        f"The export differs from the trained model: {how} ({what})",
        where=f"batch {batch}, length {length}",
        remedy="Nothing was saved; please report this design.",
    )


def _cases(
    network: Network, fields: Mapping[str, Tensor], batch: int, length: int, steps: Mapping[str, int]
) -> Iterator[tuple[str, dict[str, Tensor] | None, dict[str, Tensor] | None]]:
    yield "whole batch", None, None
    axes = set(network.program.axes.values())
    if axes and batch > 1 and length > 1:
        own = torch.arange(batch) * (length - 1) // (batch - 1) + 1
        yield "different lengths", dict.fromkeys(axes, own), None
    with torch.no_grad():
        state = network(fields, steps=steps).state
    if state:
        yield "going on from a state", None, state


def _fields(program: Program, batch: int, length: int) -> Iterator[tuple[str, Tensor]]:
    """What the outputs are computed from, at random."""
    generator = torch.Generator().manual_seed(batch * 1000 + length)
    needed = needs(program, program.outputs.values())
    for axis in needed.trees:
        above = [torch.randint(0, max(node, 1), (batch, 1), generator=generator) for node in range(length)]
        above[0] = torch.full((batch, 1), -1)
        yield parents_field(program.axes[axis]), torch.cat(above, 1)
    for item in needed.inputs:
        shape = (batch, *(length for _ in item.signal.axes))
        if isinstance(item.signal.content, Tokens):
            yield item.field, torch.randint(0, item.signal.content.size, shape, generator=generator)
        else:
            yield item.field, torch.randn(*shape, item.signal.content.width, generator=generator)


def _valid(x: Tensor, name: str, program: Program, lengths: Mapping[str, Tensor] | None) -> Tensor:
    """The values of an output at valid places; padding holds nothing that is promised."""
    signal = program.signals[program.outputs[name]]
    if not lengths or not signal.axes:
        return x
    mask = torch.ones(x.shape[: 1 + len(signal.axes)], dtype=torch.bool)
    for place, axis in enumerate(signal.axes):
        own = lengths[program.axes[axis]]
        steps = torch.arange(x.shape[place + 1])
        shape = [x.shape[0]] + [1] * len(signal.axes)
        shape[place + 1] = x.shape[place + 1]
        mask &= (steps[None, :] < own[:, None]).reshape(shape)
    return x[mask]
