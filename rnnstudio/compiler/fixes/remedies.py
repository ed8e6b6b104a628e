"""The fix of a diagnostic: the first candidate that puts it right and breaks nothing, found by trying."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice

from ...catalog.catalog import Catalog
from ...design.design import Design
from ...design.errors import StudioError
from ..diagnostics import Checked, Diagnostic, Fix
from ..muting import to_unmute
from . import parameters, shapes, steps, whole, wiring
from .place import Place
from .trial import worse

MOST = 10
"""Candidates that are tried."""

CANDIDATES: Mapping[str, Callable[[Place], Iterator[Fix]]] = {
    "Unconnected": wiring.unconnected,
    "UnknownPort": wiring.unknown_port,
    "NothingPasses": wiring.nothing_passes,
    "DoublyFed": wiring.doubly_fed,
    "FeedsItself": wiring.feeds_itself,
    "LoopWithoutDelay": wiring.loop_without_delay,
    "MixedDirections": wiring.mixed_directions,
    "UnknownCell": wiring.unknown_cell,
    "CellInItself": wiring.cell_in_itself,
    "BoundaryOutsideCell": wiring.boundary_outside_cell,
    "WrongParameter": parameters.wrong_parameter,
    "TokensWhereFeaturesBelong": shapes.tokens_where_features,
    "FeaturesWhereTokensBelong": shapes.features_where_tokens,
    "WidthClash": shapes.width_clash,
    "MixedAxes": shapes.mixed_axes,
    "NoAxis": steps.no_axis,
    "FieldClash": shapes.field_clash,
    "IdleWidth": parameters.idle_width,
    "MoreChildren": parameters.more_children,
    "AxisMeetsItself": shapes.axis_meets_itself,
    "DifferentAxes": shapes.different_axes,
    "NoTree": shapes.no_tree,
    "UnknownField": shapes.unknown_field,
    "WrongContent": shapes.wrong_content,
    "DelayOfZero": shapes.delay_of_zero,
    "EmptySlice": shapes.empty_slice,
    "NoSuchToken": shapes.no_such_token,
    "EndlessShape": shapes.endless_shape,
    "UnknownShape": shapes.unknown_shape,
    "UnknownAxis": shapes.unknown_axis,
    "NoLoss": whole.no_loss,
    "DeadNode": whole.dead_node,
    "ScaledTarget": whole.scaled_target,
    "TargetOutOfRange": whole.target_out_of_range,
    "TargetLeaks": whole.target_leaks,
    "SharedShapes": whole.shared_shapes,
    "SharedSettings": whole.shared_settings,
}

WITHOUT: Mapping[str, str] = {
    "UnknownKind": "the plugin that has the node must be installed",
    "NoData": "only the person knows the data, or its size",
    "WholeAxisInLoop": "what the loop should see instead is the person's to say",
    "SequenceAndTree": "which of the two the axis is decides what the network means",
    "ChildrenAcrossSteps": "how the children are pooled is the person's to say",
    "ChildrenAxisLeft": "how the children are pooled is the person's to say",
    "ReservedName": "another name for the axis is the person's to give",
    "UnreachableLoss": "which layer should lead to it is the person's to say",
    "TreeInOrder": "what lies below a node, its top or the mean of all is the person's to say",
    "ReadsItsTarget": "only the person knows whether it is an autoencoder",
    "SeesItsChunk": "how far it should see is the person's to say",
    "CellsTooDeep": "which of the cells should go is the person's to say",
    "TooManyNodes": "which of the cells should go is the person's to say",
    "TooLarge": "what should be smaller is the person's to say",
    "ReadsAhead": "what should be read up to its own step alone is the person's to say",
    "TargetHasGaps": "whether gaps are filled or the drawing is changed is the person's to say",
    "PluginFailed": "the plugin's file must be repaired",
}
"""Codes without a fix, and why."""


class Remedies:
    """Seeks the fixes of one check's diagnostics when they are asked for, and remembers them.

    check: of the checker that found them, so that a trial costs as little as an edit. Owner: that check's diagnostics.
    """

    def __init__(self, check: Callable[[Design], Checked], catalog: Catalog) -> None:
        self.check = check
        self.catalog = catalog
        self.checked: Checked | None = None
        self._known: dict[Diagnostic, Fix | None] = {}

    def of(self, diagnostic: Diagnostic) -> Fix | None:
        if diagnostic not in self._known:
            self._known[diagnostic] = self._seek(diagnostic)
        return self._known[diagnostic]

    def _seek(self, diagnostic: Diagnostic) -> Fix | None:
        if self.checked is None:
            return None
        candidates = self._candidates(self.checked, diagnostic)
        best: tuple[tuple[int, int], Fix] | None = None
        for edit, title in islice(chain(*candidates), MOST):
            try:
                mended = edit.apply(self.checked.design)
            except StudioError:
                continue  # such as a name that is taken: it cannot be done here
            if self._changes_library(mended):
                continue
            after = self.check(mended)
            cost = worse(self.checked, after, diagnostic, self.catalog)
            if cost == (0, 0):
                return edit, title
            if cost is not None and (best is None or cost < best[0]):
                best = cost, (edit, title)
        return best[1] if best is not None else None

    def _candidates(self, checked: Checked, diagnostic: Diagnostic) -> list[Iterator[Fix]]:
        """A muted node that may be at fault works again; then what puts such a problem right."""
        own = CANDIDATES.get(diagnostic.code)
        found = [to_unmute(checked.design, diagnostic)]
        return [*found, own(Place(checked, self.catalog, diagnostic))] if own is not None else found

    def _changes_library(self, mended: Design) -> bool:
        """Whether a cell is no longer as the library draws it: whoever else uses it would get another network."""
        before = self.checked.design.cells if self.checked is not None else {}
        changed = [cell for name, cell in before.items() if mended.cells.get(name, cell) is not cell]  # one may go
        return any(mended.cells[cell.name] != cell and self.catalog.draws(cell) for cell in changed)
