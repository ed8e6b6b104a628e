"""What a design remembers about its data: file, reader, options, split, and the fields they make.

A recipe is a value, saved inside the `.rnn` file. It holds everything a trained model needs to treat new data as it
treated its own (vocabulary, means, standard deviations) and nothing that must be looked up again; the data package
fills it in (`rnnstudio.data.open`), everybody else only reads it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from rnnstudio.design.errors import StudioError, shortened
from rnnstudio.design.file_note import FileNote, notes_of

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
Content: TypeAlias = Literal["tokens", "real", "parents"]
Role: TypeAlias = Literal["input", "target"]

CONTENTS: tuple[Content, ...] = ("tokens", "real", "parents")
ROLES: tuple[Role, ...] = ("input", "target")
TARGET_NAMES = frozenset(("next", "targets"))
"""Fields called so are targets unless they say otherwise: designs written before fields had roles read on."""
DEFAULT_SPLIT = (0.9, 0.05, 0.05)
_DIVIDED = {"time": "time", "sequence": "random"}
"""How tables were divided in the words of earlier versions, in today's."""


MADE = "task:"
"""A path that begins so names no file: a task of that name makes the examples."""


def is_made(path: str) -> bool:
    """Whether this names a task that makes examples, not a file."""
    return path.startswith(MADE)


def parents_field(data_axis: str) -> str:
    """The data field that holds the trees of an axis: [batch, nodes] int64, each node's parent, −1 at the root."""
    return f"{data_axis}_parents"


def with_digits(value: float, spread: float, digits: int = 6) -> str:
    """A number in `digits` digits, or, where its offset takes them up, in as many as tell a thousandth of its column's
    deviation (0: not known)."""
    if math.isfinite(value) and math.isfinite(spread) and abs(value) > 10 ** (digits - 3) * spread > 0:
        digits = min(max(digits, math.ceil(math.log10(abs(value) / spread)) + 4), 17)
    return f"{value:.{digits}g}"


@dataclass(frozen=True)
class FieldSpec:
    """One signal the data offers to the drawing's inputs and losses.

    name: what an Input or a loss node refers to.
    content: "tokens" (whole numbers below `size`), "real" (`size` features a step), or "parents" (the tree over `axis`:
        each node's parent, -1 at the root; no node of a drawing reads it by itself).
    size: vocabulary size or number of features; 0 while the file has not been read.
    axis: the name of the axis it runs along, or None for one value per example. Fields of one axis are equally long in
        each example, fields of two axes are not.
    vocabulary: token number -> text; empty for real fields.
    columns: the file's column of each feature, for real fields.
    mean, std: per feature, of the training part; the model sees (x - mean) / std, whatever the scaling is called. 0 and
        1: as in the file.
    fill: per feature, what stands in for a missing value: the mean of the training part; empty: there is none.
    low, high: per feature, the least and the greatest value of the whole file, in its units; empty = not known.
    shift_of, shift: this field is the field `shift_of` read `shift` steps later; "" when it is independent.
    role: "input" (given) or "target" (to be predicted); "" becomes "target" for `next` and `targets`, else "input".
    children: of parents, the most children that a node of the file has; 0: not known.
    counts: of class labels, how often each occurs in the training part; empty for other fields.
    causal: of a target: it is to be told from the steps before it and its own; who reads later ones knows the answer.
    missing: how many of its values are missing and count for nothing; of a target.
    extra: what a file said that this version does not know, saved back unchanged.
    """

    name: str
    content: Content
    size: int = 0
    axis: str | None = "time"
    vocabulary: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    fill: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    shift_of: str = ""
    shift: int = 0
    role: Role | Literal[""] = ""
    counts: tuple[int, ...] = ()
    children: int = 0
    causal: bool = False
    missing: int = 0
    extra: Mapping[str, JSON] = dataclasses.field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        where = f"data field {self.name!r}"
        if not self.role:
            object.__setattr__(self, "role", self._role_by_name())
        if self.role not in ROLES:
            raise StudioError(f"unknown role {self.role!r}", where=where, remedy='Use "input" or "target".')
        if not self.name:
            raise StudioError("a data field has no name", where="data recipe", remedy="Give the field a name.")
        if self.content not in CONTENTS:
            remedy = f"Use one of {', '.join(CONTENTS)}."
            raise StudioError(f"unknown content {self.content!r}", where=where, remedy=remedy)
        if self.size < 0:
            raise StudioError(f"the size {self.size} is negative", where=where, remedy="Sizes count from 0.")
        for label in ("columns", "mean", "std", "fill", "low", "high"):
            values = getattr(self, label)
            if values and len(values) != self.size:
                raise StudioError(f"{len(values)} values of {label} for {self.size} features", where=where)
        for label, entries in (("vocabulary entries", self.vocabulary), ("counts", self.counts)):
            if entries and len(entries) != self.size:
                raise StudioError(f"{len(entries)} {label} for {self.size} tokens", where=where)
        known = (*self.mean, *self.std, *self.fill, *self.low, *self.high)
        if not all(map(math.isfinite, known)) or any(deviation <= 0 for deviation in self.std):
            raise StudioError("the scaling is not finite, or a standard deviation is not above 0", where=where)

    def is_scaled(self, feature: int) -> bool:
        """Whether the model sees other numbers than the file holds."""
        return bool(self.std) and (self.mean[feature], self.std[feature]) != (0.0, 1.0)

    def shown(self, feature: int, value: float, digits: int = 6) -> str:
        """A number of the file's units, with the digits it needs."""
        return with_digits(value, self.std[feature] if self.is_scaled(feature) else 0.0, digits)

    def as_in_file(self, features: Collection[int]) -> FieldSpec:
        """The same field with these features left as the file has them; itself when they are already."""
        if not any(map(self.is_scaled, features)):
            return self
        mean = tuple(0.0 if place in features else value for place, value in enumerate(self.mean))
        std = tuple(1.0 if place in features else value for place, value in enumerate(self.std))
        return dataclasses.replace(self, mean=mean, std=std)

    def _role_by_name(self) -> Role:
        return "target" if self.name in TARGET_NAMES else "input"

    def to_json(self) -> dict[str, JSON]:
        """As a JSON object; what equals the default is left out, so that a saved design stays short."""
        written: dict[str, JSON] = {**self.extra, "name": self.name, "content": self.content}
        written |= {"size": self.size, "axis": self.axis}
        for label in ("vocabulary", "columns", "mean", "std", "fill", "low", "high"):
            values = getattr(self, label)
            if values:
                written[label] = list(values)
        if self.shift_of:
            written["shift_of"] = self.shift_of
            written["shift"] = self.shift
        if self.role != self._role_by_name():
            written["role"] = self.role
        if self.counts:
            written["counts"] = list(self.counts)
        if self.children:
            written["children"] = self.children
        if self.causal:
            written["causal"] = True
        if self.missing:
            written["missing"] = self.missing
        return written

    @classmethod
    def from_json(cls, value: JSON) -> FieldSpec:
        """The inverse of to_json. Raises StudioError naming the entry that is missing or of the wrong type."""
        entry = _Reader(value, "data field")
        return cls(
            name=entry.text("name"),
            content=cast(Content, entry.text("content")),
            size=entry.integer("size", 0),
            axis=None if "axis" in entry.object and entry.object["axis"] is None else entry.text("axis", "time"),
            vocabulary=entry.texts("vocabulary"),
            columns=entry.texts("columns"),
            mean=entry.numbers("mean"),
            std=entry.numbers("std"),
            fill=entry.numbers("fill"),
            low=entry.numbers("low"),
            high=entry.numbers("high"),
            shift_of=entry.text("shift_of", ""),
            shift=entry.integer("shift", 0),
            role=cast("Role | Literal['']", entry.text("role", "")),
            counts=entry.integers("counts"),
            children=entry.integer("children", 0),
            causal=entry.object.get("causal") is True,
            missing=entry.integer("missing", 0),
            extra=entry.unknown(cls),
        )


@dataclass(frozen=True)
class DataRecipe:
    """Where a design's data comes from and what is made of it.

    reader: the name of a reader, which need not be there until the file is read (a plugin may bring it).
    options: the reader's (its `Options` record).
    path: the file, absolute or relative to the design's folder; or the name of a task ("task:copy").
    split: fractions of the file for training, validation and test; they sum to 1.
    long: whether each part is a stretch of one long sequence, which is read in chunks; filled in with the fields.
    dividing: how the parts are told apart (`Dividing` of the data package); what is as usual is left out.
    fields: what the file offers; empty while it has not been read.
    digest: SHA-256 (hexadecimal) of the file's bytes when the fields were made; "" = unknown. extra: as of a FieldSpec.
    files: each file that was read then; they tell where data is, not what it is: recipes are equal without them.
    """

    reader: str
    path: str
    options: Mapping[str, JSON] = dataclasses.field(default_factory=dict)
    split: tuple[float, float, float] = DEFAULT_SPLIT
    fields: tuple[FieldSpec, ...] = ()
    digest: str = ""
    extra: Mapping[str, JSON] = dataclasses.field(default_factory=dict, hash=False)
    dividing: Mapping[str, JSON] = dataclasses.field(default_factory=dict, hash=False)
    long: bool = False
    files: tuple[FileNote, ...] = dataclasses.field(default=(), compare=False)

    def __post_init__(self) -> None:
        where = "data recipe"
        if not self.reader:
            raise StudioError("the data has no reader", where=where, remedy='Use "text" or "csv".')
        for name in ("options", "dividing"):
            own: Mapping[str, JSON] = getattr(self, name)
            object.__setattr__(self, name, {key: _json(own[key], key) for key in sorted(own)})
        ok = len(self.split) == 3 and all(math.isfinite(part) and part >= 0 for part in self.split)
        if not ok or self.split[0] <= 0 or abs(sum(self.split) - 1.0) > 1e-6:
            raise StudioError(
                f"the split {tuple(self.split)} is not three fractions that sum to 1",
                where=where,
                remedy="Give fractions for training (above 0), validation and test, for example 0.9, 0.05, 0.05.",
            )
        seen: set[str] = set()
        for spec in self.fields:
            if spec.name in seen:
                raise StudioError(f"two data fields are called {shortened(spec.name)}", where=where)
            seen.add(spec.name)

    @property
    def made(self) -> bool:
        """Whether its examples are made by a task, and no file is read."""
        return is_made(self.path)

    def field(self, name: str) -> FieldSpec:
        """The field of that name. Raises StudioError listing the fields there are."""
        for spec in self.fields:
            if spec.name == name:
                return spec
        known = ", ".join(spec.name for spec in self.fields) or "none"
        raise StudioError(f"the data has no field {name!r}", where=self.path, remedy=f"Fields: {known}.")

    @property
    def readable(self) -> dict[str, FieldSpec]:
        """The fields that a node of a drawing can read, by name: all but those that say how trees hang together."""
        return {spec.name: spec for spec in self.fields if spec.content != "parents"}

    def replace(self, **changes: Any) -> DataRecipe:
        """A copy with the given attributes changed."""
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, JSON]:
        """As a JSON object, the same bytes for equal recipes."""
        return {
            **self.extra,
            "reader": self.reader,
            "path": self.path,
            "options": dict(self.options),
            "split": list(self.split),
            **({"dividing": dict(self.dividing)} if self.dividing else {}),
            **({"long": True} if self.long else {}),
            "fields": [spec.to_json() for spec in self.fields],
            "digest": self.digest,
            **({"files": [note.to_json() for note in self.files]} if self.files else {}),
        }

    @classmethod
    def from_json(cls, value: JSON) -> DataRecipe:
        """The inverse of to_json. Raises StudioError naming the entry that is missing or of the wrong type."""
        entry = _Reader(value, "data recipe")
        split = entry.numbers("split") or DEFAULT_SPLIT
        if len(split) != 3:
            raise StudioError(f"the split has {len(split)} fractions, not 3", where="data recipe")
        options = entry.object.get("options", {})
        dividing = entry.object.get("dividing", {})
        fields = entry.object.get("fields", [])
        if not isinstance(options, dict):
            raise StudioError("'options' is not an object", where="data recipe")
        if not isinstance(dividing, dict):
            raise StudioError("'dividing' is not an object", where="data recipe")
        if "split_by" in options and entry.object.get("reader") == "csv":  # where this stood before
            before = str(options["split_by"])
            options = {name: value for name, value in options.items() if name != "split_by"}
            dividing = {**({"settled": _DIVIDED[before]} if before in _DIVIDED else {}), **dividing}
        if not isinstance(fields, list):
            raise StudioError("'fields' is not a list", where="data recipe")
        return cls(
            reader=entry.text("reader"),
            path=entry.text("path"),
            options=options,
            split=(split[0], split[1], split[2]),
            fields=tuple(FieldSpec.from_json(item) for item in fields),
            digest=entry.text("digest", ""),
            dividing=dividing,
            long=entry.object.get("long") is True,
            files=notes_of(entry.object.get("files", [])),
            extra=entry.unknown(cls),
        )


def _json(value: object, key: str) -> JSON:
    """The value in JSON's own types (tuples become lists), copied, so that a recipe shares nothing mutable."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping):
        return {str(name): _json(inner, key) for name, inner in value.items()}
    if isinstance(value, Sequence):
        return [_json(inner, key) for inner in value]
    raise StudioError(f"the option {key!r} cannot be saved: {shortened(value)}", where="data recipe")


class _Reader:
    """Typed look-ups in one JSON object, with an error that names the entry."""

    def __init__(self, value: JSON, what: str) -> None:
        if not isinstance(value, dict):
            raise StudioError(f"the {what} is not a JSON object", where=what)
        self.object: dict[str, JSON] = value
        self.what = what

    def unknown(self, known: type[FieldSpec | DataRecipe]) -> dict[str, JSON]:
        """The entries that are no field of `known`."""
        names = {item.name for item in dataclasses.fields(known)} - {"extra"}
        return {name: value for name, value in self.object.items() if name not in names}

    def text(self, name: str, default: str | None = None) -> str:
        value = self.object.get(name, default)
        if not isinstance(value, str):
            raise StudioError(f"{name!r} is {'missing' if value is None else 'not a text'}", where=self.what)
        return value

    def integer(self, name: str, default: int) -> int:
        value = self.object.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise StudioError(f"{name!r} is not a whole number", where=self.what)
        return value

    def _list(self, name: str) -> list[JSON]:
        value = self.object.get(name, [])
        if not isinstance(value, list):
            raise StudioError(f"{name!r} is not a list", where=self.what)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        values = self._list(name)
        if not all(isinstance(value, str) for value in values):
            raise StudioError(f"{name!r} holds something that is not a text", where=self.what)
        return tuple(cast("list[str]", values))

    def integers(self, name: str) -> tuple[int, ...]:
        values = self._list(name)
        if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            raise StudioError(f"{name!r} holds something that is not a whole number", where=self.what)
        return tuple(cast("list[int]", values))

    def numbers(self, name: str) -> tuple[float, ...]:
        numbers = []
        for value in self._list(name):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise StudioError(f"{name!r} holds something that is not a number", where=self.what)
            numbers.append(float(value))
        return tuple(numbers)
