"""Several files of one kind as one reading: training, validation and test that lie in files of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rnnstudio.data.examples import Examples, Found, LaterField, NumberField, TokenField, TreeField
from rnnstudio.data.files import FileFacts
from rnnstudio.data.learning import looked_up
from rnnstudio.data.mapped import gathered
from rnnstudio.data.split import PARTS, Ints, Part
from rnnstudio.data.vocabulary import compact
from rnnstudio.design.errors import StudioError


@dataclass(frozen=True)
class PartFile:
    """What was found in one file. part: the first file is that of the training, whatever else is cut out of it."""

    part: Part
    shown: str
    found: Examples
    facts: FileFacts


def joined(files: Sequence[PartFile]) -> tuple[Examples, FileFacts]:
    """All of them, the first file's in front. Raises StudioError where a file has other fields than the first."""
    first = files[0].found
    for file in files[1:]:
        _require_alike(files[0], file)
    fields = [_joined([file.found.fields[place] for file in files]) for place in range(len(first.fields))]
    fields = [_later(item, files) if isinstance(item, LaterField) else item for item in fields]
    numbers = [_count(file.found) for file in files]
    rows = [_rows(file.found, number) for file, number in zip(files, numbers, strict=True)]
    found = replace(
        first,
        fields=tuple(fields),
        names=[name for file, number in zip(files, numbers, strict=True) for name in _names(file, number)],
        # A line is one of the first file: what stands in another one has none.
        lines=[*first.lines, *([0] * sum(numbers[1:]))] if len(first.lines) else (),
        row_lines=None
        if first.row_lines is None
        else np.concatenate((first.row_lines, np.zeros(sum(rows[1:]), np.int64))),
        steps=tuple(step for file in files for step in file.found.steps) if _all(files, "steps") else (),
        raw=np.concatenate([file.found.raw for file in files]) if first.raw is not None else None,
        keys=_cells([file.found.keys for file in files]),
        row_keys=_cells([file.found.row_keys for file in files]),
        sources=np.repeat([PARTS.index(file.part) for file in files], numbers).astype(np.int64),
    )
    return found, _facts([file.facts for file in files])


def _require_alike(first: PartFile, other: PartFile) -> None:
    here, there = ([(type(item), item.name) for item in file.found.fields] for file in (first, other))
    what = ""
    if here != there:
        names = [", ".join(name for _, name in fields) for fields in (there, here)]
        what = f"its fields are {names[0]}, those of {Path(first.shown).name} are {names[1]}"
    elif other.found.columns != first.found.columns or any(
        isinstance(one, NumberField) and isinstance(two, NumberField) and one.columns != two.columns
        for one, two in zip(first.found.fields, other.found.fields, strict=True)
    ):
        what = f"its columns are not those of {Path(first.shown).name}"
    if what:
        raise StudioError(what, where=other.shown, remedy="Give a file that is written as the first one.")


def _joined(items: Sequence[Found]) -> Found:
    first = items[0]
    same: list[Any] = list(items)
    if isinstance(first, LaterField):
        return first
    if isinstance(first, TreeField):
        nodes = _end_to_end([item.offsets for item in same])
        return replace(first, offsets=nodes, parents=np.concatenate([item.parents for item in same]))
    offsets = None if first.offsets is None else _end_to_end([item.offsets for item in same])
    if isinstance(first, NumberField):
        return replace(first, offsets=offsets, values=np.concatenate([item.values for item in same]))
    entries = tuple(dict.fromkeys(entry for item in same for entry in item.entries))
    place = {entry: number for number, entry in enumerate(entries)}
    pieces = (
        looked_up(compact(np.array([place[entry] for entry in item.entries], np.int64), len(entries)), item.numbers)
        for item in same
    )
    numbers = gathered(pieces, any(isinstance(item.numbers, np.memmap) for item in same))
    missing = None
    if any(item.missing is not None for item in same):
        none = (np.zeros(len(item.numbers), bool) if item.missing is None else item.missing for item in same)
        missing = np.concatenate(list(none))
    return replace(first, offsets=offsets, entries=entries, numbers=numbers, missing=missing)


def _later(item: LaterField, files: Sequence[PartFile]) -> LaterField:
    """With the numbers of all files, where one of them has gaps in them."""
    pieces, own = [], False
    for file in files:
        of = next(field for field in file.found.fields if field.name == item.of)
        later = next(field for field in file.found.fields if field.name == item.name)
        if not isinstance(of, NumberField) or not isinstance(later, LaterField):
            return item
        own = own or later.values is not None
        pieces.append(of.values if later.values is None else later.values)
    return replace(item, values=np.concatenate(pieces)) if own else item


def _end_to_end(offsets: Sequence[Ints]) -> Ints:
    found = [offsets[0]]
    for own in offsets[1:]:
        found.append(own[1:] + int(found[-1][-1]))
    return np.concatenate(found)


def _count(found: Examples) -> int:
    axes = found.axes()
    if axes:
        return len(next(iter(axes.values()))) - 1
    item: Any = found.fields[0]
    return len(item.numbers if isinstance(item, TokenField) else item.values)


def _rows(found: Examples, number: int) -> int:
    axes = found.axes()
    return int(next(iter(axes.values()))[-1]) if axes else number


def _names(file: PartFile, number: int) -> list[str]:
    name = Path(file.shown).name
    given = [own for own in file.found.names if own]
    if len(given) == number:
        return [own if file.part == "train" else f"{name}: {own}" for own in given]
    return [name] if number == 1 else [f"{name}: example {place + 1}" for place in range(number)]


def _all(files: Sequence[PartFile], name: str) -> bool:
    return all(getattr(file.found, name) for file in files)


def _cells(found: Sequence[Any]) -> dict[str, list[str]]:
    common = [name for name in found[0] if all(name in own for own in found)]
    return {name: [cell for own in found for cell in own[name]] for name in common}


def _facts(found: Sequence[FileFacts]) -> FileFacts:
    digest = hashlib.sha256("".join(facts.digest for facts in found).encode()).hexdigest()
    sums = [sum(getattr(facts, name) for facts in found) for name in ("size", "lines", "characters")]
    return FileFacts(sums[0], digest, sums[1], sums[2])
