"""A warm start: a new run that begins with the weights of another, as far as they fit. No torch here.

A weight is kept where its path and its shape are the same. Sides that go by words, classes or columns of the data go
with them: each row of an embedding or a readout moves with its word, and new words begin as initialised. Everything is
settled before anything is trained, from the two drawings and the header of the checkpoint alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ..catalog.catalog import Catalog
from ..compiler.flatten import Flat, flatten
from ..compiler.merged import merged
from ..compiler.numbering import Side, sides_of
from ..data.inherited import Inherited, ScalingOf, Words, column_scales, listed, pieces_alike
from ..design.design import Design
from ..design.recipe import DataRecipe, FieldSpec
from .runs import Run, Which
from .saved import body_of, damaged, header_of

How: TypeAlias = Literal["kept", "in part", "new", "dropped"]
Shape: TypeAlias = tuple[int, ...]
SHOWN = 12
"""Weights of a kind that are listed one by one."""


@dataclass(frozen=True)
class WarmStart:
    """What a run begins with. run: the folder of the one whose weights are taken; which: its checkpoint.

    words, scaling: see Inherited. widened: a weight that has become larger or smaller keeps the part that both have.
    """

    run: str
    which: Which = "best"
    words: Words = "keep"
    scaling: ScalingOf = "run"
    widened: bool = False

    def inherited(self) -> Inherited | None:
        """What the data takes over. Raises StudioError when there is no such run."""
        recipe = Run.open(self.run).design().data
        return None if recipe is None else Inherited(recipe, self.words, self.scaling)


@dataclass(frozen=True)
class Fate:
    """What becomes of a weight. places: for each dimension, from which place of the old weight each place of the new
    one comes (-1: it is new); empty where nothing is kept, None where all stay."""

    path: str
    how: How
    shape: Shape
    before: Shape = ()
    places: tuple[tuple[int, ...] | None, ...] = ()

    def text(self) -> str:
        """One line for people."""
        size = " × ".join(map(str, self.shape or self.before))
        if self.how != "in part":
            was = f", was {' × '.join(map(str, self.before))}" if self.how == "new" and self.before else ""
            return f"{self.how:<8} {self.path} [{size}{was}]"
        kept = [
            f"{sum(place >= 0 for place in own)} of {len(own)} {'rows' if dim == 0 else 'columns'}"
            for dim, own in enumerate(self.places)
            if own is not None and -1 in own
        ]
        lost = [
            f"{old - len(set(own) - {-1})} {'rows' if dim == 0 else 'columns'} dropped"
            for dim, (own, old) in enumerate(zip(self.places, self.before, strict=True))
            if own is not None and len(set(own) - {-1}) < old
        ]
        return f"{self.how:<8} {self.path} [{size}]: {', '.join((*(f'{k} kept' for k in kept), *lost))}"


@dataclass(frozen=True)
class Vocabulary:
    """What becomes of the words (or classes) of a field. refused: why rows cannot go with them, "" = they do."""

    field: str
    kept: int
    new: tuple[str, ...]
    dropped: tuple[str, ...]
    absent: tuple[str, ...] = ()
    """Known to the run, and in the vocabulary still, though this data does not have them."""
    refused: str = ""

    def text(self) -> str:
        if self.refused:
            return f"Words of “{self.field}” are not merged: {self.refused}"
        parts = [f"{self.kept:,} kept"]
        if self.absent:
            parts[0] += f", {len(self.absent):,} of which do not occur here ({listed(self.absent)})"
        if self.new:
            parts.append(f"{len(self.new):,} new ({listed(self.new)})")
        if self.dropped:
            parts.append(f"{len(self.dropped):,} dropped ({listed(self.dropped)})")
        return f"Words of “{self.field}” are merged: {', '.join(parts)}"


@dataclass(frozen=True)
class Transfer:
    """What a warm start comes to. step: of the checkpoint; notes: what else is to be told, a line each."""

    start: WarmStart
    step: int
    fates: tuple[Fate, ...]
    words: tuple[Vocabulary, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def run(self) -> str:
        return Path(self.start.run).name

    def of(self, how: How) -> tuple[Fate, ...]:
        return tuple(fate for fate in self.fates if fate.how == how)

    @property
    def fits(self) -> bool:
        """Whether anything is kept at all."""
        return bool(self.of("kept") or self.of("in part"))

    def summary(self) -> str:
        """ "12 of 14 weights kept, 2 new"."""
        here = len(self.fates) - len(self.of("dropped"))
        parts = [f"{len(self.of('kept'))} of {here} weights kept"]
        names: tuple[How, ...] = ("in part", "new", "dropped")
        parts += [f"{len(found)} {how}" for how in names if (found := self.of(how))]
        return ", ".join(parts)

    def lines(self) -> list[str]:
        """Everything, for people."""
        found = [f"From run {self.run}, checkpoint {self.start.which} (step {self.step:,}): {self.summary()}"]
        names: tuple[How, ...] = ("in part", "new", "dropped")
        for how in names:
            own = self.of(how)
            found += [f"  {fate.text()}" for fate in own[:SHOWN]]
            if len(own) > SHOWN:
                found.append(f"  {how:<8} … and {len(own) - SHOWN} more")
        return [*found, *(item.text() for item in self.words), *self.notes]

    def to_json(self) -> dict[str, Any]:
        """The same facts for programs."""
        return {
            **dataclasses.asdict(self.start),
            "run": str(Path(self.start.run).resolve()),
            "step": self.step,
            **{how.replace(" ", "_"): [fate.path for fate in self.of(how)] for how in HOWS},
            "vocabularies": [dataclasses.asdict(item) for item in self.words],
            "notes": list(self.notes),
        }


HOWS: tuple[How, ...] = ("kept", "in part", "new", "dropped")


def transfer(
    start: WarmStart, design: Design, catalog: Catalog, occurring: Mapping[str, frozenset[str]] | None = None
) -> Transfer:
    """What of a run's weights fits a design, whose data has taken over from the run what it is to (`Inherited`).

    occurring: by field, the words that the data has; None: not known. Raises StudioError when the run, its checkpoint
    or the design is not whole.
    """
    run = Run.open(start.run)
    before = run.design()
    shapes, step = weights_of(run.checkpoint(start.which))
    old, new = (merged(flatten(item, catalog)) for item in (before, design))
    numbering = _Numbering(old, new, before.data, design.data, occurring or {})
    fates = [
        _fate(weight.path, weight.shape, shapes.get(weight.path), numbering, widened=start.widened)
        for weight in new.parameters
    ]
    here = {weight.path for weight in new.parameters}
    fates += [Fate(name, "dropped", (), shape) for name, shape in shapes.items() if name not in here]
    notes = _of_scaling(start, before.data, design.data)
    return Transfer(start, step, tuple(fates), numbering.told, notes)


def weights_of(path: Path) -> tuple[dict[str, Shape], int]:
    """The shapes of a checkpoint's weights by their paths, and its step. Raises StudioError when it is not whole."""
    header = header_of(path, digested=False)
    prefix = "weights/"
    found = {name.removeprefix(prefix): item for name, item in header.items() if name.startswith(prefix)}
    try:
        shapes = {name: tuple(int(size) for size in item["shape"]) for name, item in found.items()}
    except (TypeError, KeyError, ValueError) as error:
        raise damaged(path, f"its header describes no weights: {error}") from error
    return shapes, int(body_of(header, path)["place"]["step"])


def _fate(path: str, shape: Shape, had: Shape | None, numbering: _Numbering, *, widened: bool) -> Fate:
    if had is None or len(had) != len(shape):
        return Fate(path, "new", shape, had or ())
    places: list[tuple[int, ...] | None] = []
    whole = True
    for dim, (now, then) in enumerate(zip(shape, had, strict=True)):
        own = numbering.places(path, dim)
        if own is None and now != then and widened:
            own = tuple(place if place < then else -1 for place in range(now))
        if own is None and now == then:
            places.append(None)
            continue
        if own is None or len(own) != now or max(own, default=-1) not in range(then):
            return Fate(path, "new", shape, had)
        as_it_was = own == tuple(range(then))
        places.append(None if as_it_was else own)
        whole &= sorted(own) == list(range(then))
    return Fate(path, "kept" if whole else "in part", shape, had, tuple(places))


class _Numbering:
    """How places of the old drawing's sides become places of the new one's. told: of each vocabulary, once."""

    def __init__(
        self,
        old: Flat,
        new: Flat,
        before: DataRecipe | None,
        data: DataRecipe | None,
        occurring: Mapping[str, frozenset[str]],
    ) -> None:
        self.old, self.new = sides_of(old), sides_of(new)
        self.before, self.data = before, data
        self.occurring = occurring
        self.told: tuple[Vocabulary, ...] = ()
        self._maps: dict[tuple[Side, Side], tuple[int, ...] | None] = {}
        self._seen: list[tuple[tuple[str, ...], tuple[str, ...]]] = []

    def places(self, path: str, dim: int) -> tuple[int, ...] | None:
        """Where each place of this side comes from; None: the side goes by nothing of the data."""
        one, other = self.new.get(path, {}).get(dim), self.old.get(path, {}).get(dim)
        if one is None or other is None or self.data is None or self.before is None:
            return None
        if (one, other) not in self._maps:
            self._maps[one, other] = self._map(one, other, self.data, self.before)
        return self._maps[one, other]

    def _map(self, one: Side, other: Side, data: DataRecipe, before: DataRecipe) -> tuple[int, ...] | None:
        here, there = data.readable.get(one.field), before.readable.get(other.field)
        if here is None or there is None:
            return None
        if here.content == "real":
            if not set(here.columns) & set(there.columns):
                return None  # other names throughout: the same columns by place, as far as anybody can tell
            return tuple(there.columns.index(name) if name in there.columns else -1 for name in here.columns)
        if not here.vocabulary or not there.vocabulary:
            return None
        alike = pieces_alike(data, here.name, before, there.name, bool(here.counts and there.counts))
        shift = other.extra if other.first else 0
        known = {entry: place + shift for place, entry in enumerate(there.vocabulary)} if alike else {}
        places = [known.get(entry, -1) for entry in here.vocabulary]
        self._tell(here, there, alike=alike)
        if one.extra:  # the blank stays the blank
            blank = -1 if not other.extra else 0 if other.first else len(there.vocabulary)
            places = [blank, *places] if one.first else [*places, blank]
        return tuple(places)

    def _tell(self, here: FieldSpec, there: FieldSpec, *, alike: bool) -> None:
        if (here.vocabulary, there.vocabulary) in self._seen:
            return
        self._seen.append((here.vocabulary, there.vocabulary))
        if not alike:
            why = f"the run read “{there.name}” in other pieces, so that all of this data's begin as initialised"
            self.told += (Vocabulary(here.name, 0, here.vocabulary, there.vocabulary, refused=why),)
            return
        known, now = set(there.vocabulary), set(here.vocabulary)
        new = tuple(entry for entry in here.vocabulary if entry not in known)
        dropped = tuple(entry for entry in there.vocabulary if entry not in now)
        occurring = self.occurring.get(here.name)
        absent = () if occurring is None else tuple(e for e in here.vocabulary if e in known and e not in occurring)
        self.told += (Vocabulary(here.name, len(here.vocabulary) - len(new), new, dropped, absent),)


def _of_scaling(start: WarmStart, before: DataRecipe | None, data: DataRecipe | None) -> tuple[str, ...]:
    """Whose scaling the columns of numbers have; nothing where there are none."""
    if before is None or data is None:
        return ()
    then, now = column_scales(before), column_scales(data)
    same = [name for name, scale in now.items() if then.get(name) == scale]
    other = [name for name in now if name not in same]
    found = []
    if same:
        more = "" if start.scaling == "data" else "; --scaling data takes this data's"
        found.append(f"Scaling of {listed(same)} is the run's{more}")
    if other:
        why = "" if start.scaling == "data" else ": the run has no such columns, or scaled them in another way"
        found.append(f"Scaling of {listed(other)} is this data's{why}")
    return tuple(found)
