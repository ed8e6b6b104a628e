"""The whole way from a design to its program."""

from __future__ import annotations

from collections.abc import Iterable

from ..catalog.catalog import Catalog
from ..design.design import Design
from ..design.errors import StudioError
from .check import check
from .copies import Renaming, roots
from .flatten import Flat, flatten
from .merged import merged
from .missing import masked
from .program import Program
from .schedule import schedule


def compile_design(design: Design, catalog: Catalog, mode: str = "train") -> Program:
    """The program of a design. Raises StudioError naming the first problems when the design does not pass check.

    mode: what a Feedback gives: "train", "forced" or "free", see Builder. All have the same parameters.
    """
    errors = check(design, catalog).errors
    if errors:
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        remedy = f"{first.fix_title}." if first.fix_title else "Change the drawing there."
        raise StudioError(f"The design cannot be compiled: {first.message}{more}", where=first.elsewhere, remedy=remedy)
    flat = masked(merged(flatten(design, catalog, mode)), design)
    if not flat.outputs:
        raise StudioError(
            "The design cannot be compiled: nothing leads to a loss or an output",
            remedy="Connect the network to a loss, or to an Output node.",
        )
    axes = _data_axes(design, flat)
    trees = [name for name in axes if design.axis(name).kind == "tree"]
    renamings = (Renaming(op.attrs["axis"], op.attrs["to"], op.node) for op in flat.ops if op.kind == "rename")
    copies = roots(axes, renamings)
    cut = _cut(design, flat, axes)
    return schedule(design.name, flat, axes | {name: axes[root] for name, root in copies.items()}, trees, copies, cut)


def _data_axes(design: Design, flat: Flat) -> dict[str, str]:
    """The drawing's axes, each with the data's axis that gives its lengths."""
    specs = design.data.readable if design.data is not None else {}
    axes: dict[str, str] = {}
    for item in flat.inputs:
        spec = specs.get(item.field)
        for axis in item.signal.axes:
            axes.setdefault(axis, (spec.axis if spec is not None and spec.axis else axis))
    return axes


def _cut(design: Design, flat: Flat, axes: Iterable[str]) -> str:
    """The axis whose settings say that it comes in chunks; else the one along which the network is told what is right,
    or answers."""
    for name in axes:
        axis = design.axis(name)
        if axis.kind == "sequence" and (axis.chunk or axis.carry is not None):
            return name
    signals = {i.name: i.signal for i in flat.inputs} | {op.name: op.signal for op in flat.ops}
    ends = (*(loss.target for loss in flat.losses), *flat.outputs.values())
    along = (axis for name in ends for axis in signals[name].axes if design.axis(axis).kind == "sequence")
    return next(along, next(iter(axes), ""))
