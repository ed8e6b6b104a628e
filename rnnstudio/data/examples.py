"""What a reader found in a file, before anything is learned from it: fields of tokens, classes, numbers and trees.

A reader makes its fields with `tokens`, `labels`, `numbers`, `tree` and `later`, one line each, and hands them to
`Examples`. Vocabularies, scaling, class counts, splits and warnings are the foundation's work (`making.py`): they are
the same for every reader, and are learned from the training part alone.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from rnnstudio.data.files import FileFacts
from rnnstudio.data.split import Ints
from rnnstudio.data.texts import taken
from rnnstudio.data.vocabulary import IntArray
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import Role, parents_field

Scaling: TypeAlias = Literal["standard", "min-max", "robust", "none"]
Splitting: TypeAlias = Literal["auto", "sequence", "time"]
"""Whole examples are dealt to the parts, or each is cut in three; "auto": dealt out from 20 examples on."""


@dataclass(frozen=True)
class Learning:
    """How a vocabulary is learned from the training part.

    order: "sorted", "frequency" (most frequent first) or "natural" (numbers by value, then texts).
    unknown: whether the vocabulary has the unknown token: "always", or where it is "needed": something outside of the
    training part does not occur in it. least: entries seen less often are unknown. classes: keep the counts.
    """

    order: Literal["sorted", "frequency", "natural"] = "frequency"
    unknown: Literal["always", "needed"] = "always"
    least: int = 1
    classes: bool = False


@dataclass(frozen=True)
class TokenField:
    """Tokens or classes. numbers: [rows], each a place in `entries`, the pieces as the file has them.

    shares: the name of another field, with which it has one vocabulary. causal: see FieldSpec. missing: [rows], where
    there is no value; None = nowhere.
    """

    name: str
    numbers: IntArray
    entries: tuple[str, ...]
    axis: str | None
    offsets: Ints | None
    role: Role | Literal[""] = ""
    learning: Learning = Learning()
    shift: int = 0
    shares: str = ""
    causal: bool = False
    missing: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class NumberField:
    """Numbers in the file's units. values: [rows, columns] float64, or of a type that it holds exactly; NaN = missing.

    What is missing of a target counts for nothing; of an input it is the mean of its column in the training part.
    scaling: of each column. fill: what is missing of a target becomes that mean, too, and it is told how many are.
    """

    name: str
    values: npt.NDArray[np.float64]
    columns: tuple[str, ...]
    axis: str | None
    offsets: Ints | None
    role: Role | Literal[""] = ""
    scaling: tuple[Scaling, ...] = ()
    shift: int = 0
    fill: bool = False


@dataclass(frozen=True)
class TreeField:
    """How the nodes of an axis hang together. parents: [rows], node numbers of each example from 0, -1 at its root."""

    axis: str
    parents: Ints
    offsets: Ints

    @property
    def name(self) -> str:
        return parents_field(self.axis)


@dataclass(frozen=True)
class LaterField:
    """The field `of`, `shift` steps later. values: numbers of its own, NaN where they are missing; None = as `of`."""

    name: str
    of: str
    shift: int
    role: Role | Literal[""] = "target"
    values: npt.NDArray[np.float64] | None = None


Found: TypeAlias = TokenField | NumberField | TreeField | LaterField


@dataclass(frozen=True)
class Examples:
    """All of a file. Fields of one axis have the same lengths in every example; fields without an axis one row each.

    names, lines: of each example, for people; row_lines, steps, raw, columns: of each row of the main axis (see
    Dataset). options: the settled options, None = as they were given. split_by: see Splitting. unit: what a row of the
    main axis is called in messages. facts: None = the file's bytes. excerpt: the beginning of a text.
    keys, row_keys: cells of columns that may say how examples are divided, of each example, or of each row of the main
    axis (see Source.wants). sources: [examples], of which file each is, as a place in PARTS; None = of the first.
    """

    fields: Sequence[Found]
    names: Sequence[str] = ()
    lines: Sequence[int] = ()
    row_lines: Ints | None = None
    steps: Sequence[str] = ()
    raw: npt.NDArray[np.float64] | None = None
    columns: tuple[str, ...] = ()
    options: Any = None
    split_by: Splitting = "auto"
    unit: str = "rows"
    facts: FileFacts | None = None
    excerpt: str = ""
    keys: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    row_keys: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    sources: Ints | None = None

    def axes(self) -> dict[str, Ints]:
        """Axis → [examples + 1]. Raises StudioError where two fields of an axis are not equally long."""
        found: dict[str, Ints] = {}
        for item in self.fields:
            axis, offsets = getattr(item, "axis", None), getattr(item, "offsets", None)
            if axis is None:
                continue
            if offsets is None or not np.array_equal(found.setdefault(axis, offsets), offsets):
                raise StudioError(f"the fields along {axis!r} are not equally long: {item.name!r} differs")
        counts = {axis: len(offsets) - 1 for axis, offsets in found.items()}
        counts |= {f.name: len(_rows(f)) for f in self.fields if not isinstance(f, LaterField) and f.axis is None}
        if len(set(counts.values())) > 1:
            raise StudioError(f"the fields hold different numbers of examples: {counts}")
        return found

    def only(self, kept: npt.NDArray[np.bool_]) -> Examples:
        """The examples that are `kept`, [examples]."""
        axes = self.axes()
        rows = {axis: np.repeat(kept, np.diff(offsets)) for axis, offsets in axes.items()}
        ends = {axis: _offsets(np.diff(offsets)[kept]) for axis, offsets in axes.items()}
        fields: list[Found] = []
        for item in self.fields:
            if isinstance(item, LaterField):
                axis = next((getattr(f, "axis", None) for f in self.fields if f.name == item.of), None)
                own = item.values
                fields.append(item if own is None or axis is None else replace(item, values=own[rows[axis]]))
            elif isinstance(item, TreeField):
                fields.append(replace(item, offsets=ends[item.axis], parents=item.parents[rows[item.axis]]))
            else:
                chosen = kept if item.axis is None else rows[item.axis]
                own_ends = None if item.axis is None else ends[item.axis]
                if isinstance(item, TokenField):
                    missing = None if item.missing is None else item.missing[chosen]
                    fields.append(replace(item, offsets=own_ends, numbers=item.numbers[chosen], missing=missing))
                else:
                    fields.append(replace(item, offsets=own_ends, values=item.values[chosen]))
        main = rows[next(iter(axes))] if axes else kept
        places = np.flatnonzero(kept).tolist()
        return replace(
            self,
            fields=tuple(fields),
            names=[self.names[i] for i in places] if self.names else (),
            lines=[self.lines[i] for i in places] if len(self.lines) else (),
            row_lines=None if self.row_lines is None else self.row_lines[main],
            steps=taken(self.steps, np.flatnonzero(main)) if self.steps else (),
            raw=None if self.raw is None else self.raw[main],
            keys={name: [cells[i] for i in places] for name, cells in self.keys.items()},
            row_keys={
                name: [cell for cell, keep in zip(cells, main.tolist(), strict=True) if keep]
                for name, cells in self.row_keys.items()
            },
            sources=None if self.sources is None else self.sources[kept],
        )


def _rows(item: TokenField | NumberField | TreeField) -> npt.NDArray[Any]:
    if isinstance(item, TokenField):
        return item.numbers
    return item.values if isinstance(item, NumberField) else item.parents


def _offsets(lengths: Sequence[int] | Ints) -> Ints:
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)


def offsets_of(sequences: Sequence[Sequence[Any]] | Sequence[npt.NDArray[Any]]) -> Ints:
    """[examples + 1]: where each begins when they lie end to end."""
    return _offsets([len(sequence) for sequence in sequences])


def numbered(pieces: Sequence[str]) -> tuple[IntArray, tuple[str, ...]]:
    """Each piece's number, by first appearance, and the pieces."""
    ids: defaultdict[str, int] = defaultdict(count().__next__)
    numbers = np.fromiter(map(ids.__getitem__, pieces), np.int32, len(pieces))
    return numbers, tuple(ids)


def tokens(
    name: str,
    sequences: Sequence[Sequence[str]],
    axis: str = "time",
    *,
    role: Role | Literal[""] = "",
    learning: Learning | None = None,
    shares: str = "",
) -> TokenField:
    """A field of tokens: a list of texts for each example."""
    numbers_, entries = numbered([token for sequence in sequences for token in sequence])
    return TokenField(name, numbers_, entries, axis, offsets_of(sequences), role, learning or Learning(), shares=shares)


def labels(name: str, classes: Sequence[str], *, role: Role | Literal[""] = "target") -> TokenField:
    """A field of one class for each example."""
    numbers_, entries = numbered(classes)
    return TokenField(name, numbers_, entries, None, None, role, CLASSES)


def tags(
    name: str,
    sequences: Sequence[Sequence[str]],
    axis: str = "time",
    *,
    role: Role | Literal[""] = "target",
    causal: bool = False,
) -> TokenField:
    """A field of one class for each step, or each node of a tree. causal: see FieldSpec."""
    return replace(tokens(name, sequences, axis, role=role, learning=CLASSES), causal=causal)


def numbers(
    name: str,
    examples: Sequence[npt.NDArray[Any]],
    columns: Sequence[str] = (),
    axis: str | None = "time",
    *,
    role: Role | Literal[""] = "",
    scaling: Scaling | Sequence[Scaling] = "standard",
    shift: int = 0,
) -> NumberField:
    """A field of numbers, in the file's units: [steps, columns] for each example, or [columns] where axis is None."""
    width = len(columns) or int(np.shape(examples[0])[-1])
    rows = [np.asarray(example, np.float64).reshape(-1, width) for example in examples]
    values = np.concatenate(rows) if rows else np.zeros((0, width))
    named = tuple(columns) or tuple(f"{name}{place + 1}" for place in range(width))
    each = (scaling,) * width if isinstance(scaling, str) else tuple(scaling)
    offsets = None if axis is None else offsets_of(rows)
    return NumberField(name, values, named, axis, offsets, role, each, shift)


def tree(parents: Sequence[Sequence[int]], axis: str = "tree") -> TreeField:
    """The trees over an axis: for each example the parent of each node, -1 at the root; nodes are in any order."""
    flat = [parent for example in parents for parent in example]
    return TreeField(axis, np.array(flat, np.int64), offsets_of(parents))


def later(name: str, of: str, shift: int = 1, *, role: Role | Literal[""] = "target") -> LaterField:
    """A field that is another one, `shift` steps later: what a language model is to say."""
    return LaterField(name, of, shift, role)


CLASSES = Learning("natural", "needed", classes=True)
