"""Rows of a table that perhaps nobody reads: a fused loop behind an embedding multiplies the table itself, and needs no
row for each step. They are put off until they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from torch import Tensor

from ..catalog.primitives import Op
from ..compiler.program import Map, Region, Scan, region_ops
from .context import Context
from .primitives import run_op


class Values(dict[str, Tensor]):
    """The values of a run by name; what was put off is made when it is read."""

    def __init__(self, known: Mapping[str, Tensor]) -> None:
        super().__init__(known)
        self._later: dict[str, Callable[[], Tensor]] = {}

    def put_off(self, name: str, make: Callable[[], Tensor]) -> None:
        """Make this value by `make` when it is first read."""
        self._later[name] = make

    def __missing__(self, name: str) -> Tensor:
        if name not in self._later:
            raise KeyError(name)
        self[name] = made = self._later.pop(name)()
        return made

    def make_all(self) -> None:
        """Make everything that was put off: somebody goes over all values."""
        for name in tuple(self._later):
            self[name] = self._later.pop(name)()


def split(regions: Iterable[Region], wanted: Iterable[str]) -> tuple[tuple[Region, tuple[Op, ...]], ...]:
    """Each region without the embeddings that nothing but loops read, a row a step; and those embeddings."""
    regions = tuple(regions)
    loops = [region for region in regions if isinstance(region, Scan)]
    steps = {read.name for loop in loops for read in loop.reads}
    steps |= {name for loop in loops for op in loop.projections for name in op.inputs}
    elsewhere = {*wanted, *(name for loop in loops for name in loop.constants)}
    elsewhere |= {state.given for loop in loops for state in loop.states if state.given is not None}
    maps = tuple(region for region in regions if isinstance(region, Map))
    elsewhere |= {name for op in region_ops(maps) for name in op.inputs}
    found: list[tuple[Region, tuple[Op, ...]]] = []
    for region in regions:
        later: tuple[Op, ...] = ()
        if isinstance(region, Map):
            later = tuple(op for op in region.ops if op.kind == "embed" and op.name in steps - elsewhere)
            region = Map(tuple(op for op in region.ops if op not in later))
        found.append((region, later))
    return tuple(found)


def look_up_later(embeddings: Iterable[Op], values: Values, context: Context) -> None:
    """Put these embeddings off; one with a token that its table lacks is looked up at once, which tells."""
    for op in embeddings:
        tokens = values[op.inputs[0]]
        make = partial(run_op, op, (tokens,), context)
        least, most = tokens.aminmax() if tokens.numel() else (0, 0)
        if int(least) >= 0 and int(most) < len(context.weight(op.attrs["weight"])):
            values.put_off(op.name, make)
        else:
            values[op.name] = make()
