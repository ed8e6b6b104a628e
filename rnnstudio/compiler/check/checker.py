"""Checks one design again and again while it is edited: each part of the check in its order."""

from __future__ import annotations

import threading
from types import MappingProxyType
from typing import TypeVar

from ...catalog.catalog import Catalog
from ...catalog.node import Context
from ...design.design import MAIN, Design
from ..diagnostics import Checked
from ..fixes import Remedies
from ..muting import unmuted
from ..resolve import variables_of
from .axes import along_axes
from .children import children_have_places
from .memory import Memory
from .run import Run
from .shapes import conclude, infer_graph
from .size import fits
from .whole_design import as_a_whole, whole_design
from .widths import fields_agree, fits_the_machine, widths_that_say_nothing


def check(design: Design, catalog: Catalog) -> Checked:
    """Check a design from scratch. An editor keeps a Checker instead, which is faster after small edits."""
    return Checker(catalog).check(design)


class Checker:
    """Remembers what it found for each node, so that checking again after one edit costs little.

    Several threads may ask; one after the other is answered.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.memory = Memory(catalog)
        self._one = threading.Lock()

    def check(self, design: Design) -> Checked:
        with self._one:
            return self._check(design)

    def _check(self, design: Design) -> Checked:
        memory = self.memory
        fields = design.data.readable if design.data is not None else {}
        # Equal values stay the same object, so that what was found before is recognised at a glance.
        memory.context = _kept(memory.context, Context(fields, design.axes))
        memory.variables = _kept(memory.variables, variables_of(design))
        remedies = Remedies(self.check, memory.catalog)
        muting = unmuted(design, memory.catalog)
        run = Run(memory, muting, remedies)
        if fits(run):
            infer_graph(run, MAIN, run.design.graph, memory.variables, {}, ())
            conclude(run)
            whole_design(run)
            fields_agree(run)
            as_a_whole(run)
        if not any(d.severity == "error" for d in run.diagnostics):
            along_axes(run)
            children_have_places(run)
            widths_that_say_nothing(run)
            fits_the_machine(run)
        if len(memory.plans) > 4 * len(run.last) + 1000:
            memory.plans.clear()  # most are of nodes that are gone
        found = tuple(muting.told(diagnostic, design) for diagnostic in run.diagnostics)
        checked = Checked(design, MappingProxyType(muting.signals(run.signals)), found)
        remedies.checked = checked
        return checked


_Kept = TypeVar("_Kept")


def _kept(old: _Kept, new: _Kept) -> _Kept:
    return old if old == new else new
