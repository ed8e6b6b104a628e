"""Weights that let rare classes count as much as frequent ones: proposed from counts, put into a loss on request.

Each class counts N / (K n) for n of N examples in K classes, so that all classes together count alike (King and Zeng
2001); of yes or no a yes counts as often as there is a no for it. Nothing is weighted unless somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..catalog.catalog import Catalog
from ..design.design import Design, Pin
from ..design.edits import Compound, Edit, SetParam
from ..design.recipe import FieldSpec
from .binding import field_of

CLASSES, YES = "class_weights", "positive_weight"
"""The parameters of losses that hold weights."""
UNEVEN = 1.5
"""From so many times as many examples of one class as of another on, weights are offered."""


@dataclass(frozen=True)
class Weighing:
    """A loss whose classes can be weighted. counts: in the training part, of each name; weights: proposed ones;
    now: those it has, () = none. parameter: where they stand."""

    loss: str
    parameter: str
    names: tuple[str, ...]
    counts: tuple[int, ...]
    weights: tuple[float, ...]
    now: tuple[float, ...]

    @property
    def uneven(self) -> bool:
        seen = [count for count in self.counts if count]
        return len(seen) > 1 and max(seen) >= UNEVEN * min(seen)

    def told(self, most: int = 6) -> str:
        """The weights it has, or the shares of the classes, in words."""
        if self.now:
            pairs = sorted(zip(self.names, self.now, strict=True), key=lambda pair: -pair[1])
            listed = ", ".join(f"{name} × {weight:.3g}" for name, weight in pairs[:most])
            return f"{self.loss} weighs classes: {listed}{', …' if len(pairs) > most else ''}"
        total = sum(self.counts) or 1
        shares = sorted(zip(self.names, self.counts, strict=True), key=lambda pair: -pair[1])
        listed = ", ".join(f"{name} {count / total:.1%}" for name, count in shares[:most])
        return f"{self.loss} counts all examples alike: {listed}{', …' if len(shares) > most else ''}"

    def edit(self, *, on: bool) -> Edit:
        """Put the proposed weights in, or take all weights out."""
        value: tuple[float, ...] | float = self.weights if on else ()
        if self.parameter == YES:
            value = self.weights[1] / self.weights[0] if on else 1.0
        title = "Weigh rare classes" if on else "Count all classes alike"
        return Compound((SetParam(self.loss, self.parameter, value),), title)


def balanced(counts: Sequence[int]) -> tuple[float, ...]:
    """For each class N / (K n), to four digits; 1 for a class that the training part has none of."""
    seen = [count for count in counts if count]
    total = sum(seen) / max(len(seen), 1)
    return tuple(float(f"{total / count:.4g}") if count else 1.0 for count in counts)


def weighings(
    design: Design, catalog: Catalog, yes_or_no: Mapping[str, tuple[int, int]] | None = None
) -> tuple[Weighing, ...]:
    """The losses of the main drawing whose classes can be weighted.

    yes_or_no: of fields of numbers that are 0 or 1, how often each occurs in the training part.
    """
    return tuple(_weighings(design, catalog, yes_or_no or {}))


def _weighings(design: Design, catalog: Catalog, yes_or_no: Mapping[str, tuple[int, int]]) -> Iterator[Weighing]:
    fields = design.data.readable if design.data is not None else {}
    feeds = {wire.target: wire.source.node for wire in design.graph.wires}
    for node in design.graph.nodes.values():
        kind = catalog.of(node)
        names = {param.name for param in kind.params} if kind is not None else set()
        target = design.graph.nodes.get(feeds.get(Pin(node.id, "target"), ""))
        spec = fields.get(field_of(target, catalog)) if target is not None else None
        if spec is None:
            continue
        if CLASSES in names and spec.content == "tokens" and (counts := _counts(spec, fields)):
            now = node.params.get(CLASSES) or ()
            own = tuple(float(str(weight)) for weight in now) if isinstance(now, tuple) else ()
            own = own if len(own) == spec.size else ()
            yield Weighing(node.id, CLASSES, spec.vocabulary, counts, balanced(counts), own)
        elif YES in names and spec.name in yes_or_no and spec.size == 1:
            counts = yes_or_no[spec.name]
            weight = node.params.get(YES, 1.0)
            given = float(weight) if isinstance(weight, int | float) else 1.0
            yield Weighing(node.id, YES, ("no", "yes"), counts, balanced(counts), () if given == 1 else (1.0, given))


def _counts(spec: FieldSpec, fields: Mapping[str, FieldSpec]) -> tuple[int, ...]:
    """Of a field of classes, or of the one that it is later read of."""
    return spec.counts or (fields[spec.shift_of].counts if spec.shift_of in fields else ())
