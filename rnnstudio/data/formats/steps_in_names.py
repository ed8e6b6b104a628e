"""Columns that are the steps of a sequence, told by their names: t0_a t0_b t1_a …, a_0 b_0 a_1 …, a_0 a_1 … b_0 b_1 …

Where each row of a table holds a sequence, a column holds one feature of one step. Its name says which.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rnnstudio.data.options import FEATURE_BY_FEATURE, STEP_BY_STEP

VALUE = "value"
"""What the one feature of a step is called."""

_TIME = "t|time|step|day|week|month|hour|minute|frame|lag|year|tick"
_FIRST = re.compile(rf"(?:(?:{_TIME})[_ .-]?)?(\d{{1,9}})[_ .:-]+(\D.*)", re.IGNORECASE)
_LAST = re.compile(rf"(.*?\D)[_ .:[(-]+(?:(?:{_TIME})[_ .-]?)?(\d{{1,9}})[\])]?", re.IGNORECASE)
_BARE = re.compile(r"(.*?\D)(\d{1,9})")
_CLOCK = re.compile(rf"(?:{_TIME})[_ .-]?", re.IGNORECASE)
_LEAST = 3
"""Steps that a sequence has."""


@dataclass(frozen=True)
class Steps:
    """columns: step after step, those of one step in the order of `features`. arrangement: how the file has them."""

    columns: tuple[str, ...]
    features: tuple[str, ...]
    arrangement: str
    clocked: bool
    """Whether the names say that it is time that counts: t0, step1, not x0."""


def parted(name: str) -> tuple[str, int] | None:
    """The feature and the step that a column's name tells; the feature is "" in t0, which names none."""
    for how in (_FIRST, _LAST, _BARE):
        match = how.fullmatch(name)
        if match is not None:
            step, feature = match.groups() if how is _FIRST else match.groups()[::-1]
            feature = "" if how is not _FIRST and _CLOCK.fullmatch(feature) else feature.strip(" _.:[(-")
            return feature, int(step)
    return None


def steps_of(names: Sequence[str]) -> Steps | None:
    """The columns among these that are steps: of each feature equally many, which count on; None where there are none.

    Other columns stand before or behind all of them.
    """
    every = [(place, told) for place, name in enumerate(names) if (told := parted(name)) is not None]
    counted: dict[str, list[int]] = {}
    for _, (feature, step) in every:
        counted.setdefault(feature, []).append(step)
    # Features of other steps than most columns have are no features: label1, label2.
    steps_by = {feature: tuple(sorted(own)) for feature, own in counted.items()}
    columns_of: Counter[tuple[int, ...]] = Counter()
    for own in steps_by.values():
        columns_of[own] += len(own)
    common = max(columns_of, key=columns_of.__getitem__, default=())
    features_of = {feature for feature, own in steps_by.items() if own == common}
    found = [(place, told) for place, told in every if told[0] in features_of]
    places = [place for place, _ in found]
    if not found or places != list(range(places[0], places[-1] + 1)):
        return None
    columns: dict[tuple[int, str], str] = {}
    for place, (feature, step) in found:
        columns.setdefault((step, feature), names[place])
    steps = sorted({step for step, _ in columns})
    features = list(dict.fromkeys(feature for _, (feature, _) in found))
    count_on = steps == list(range(steps[0], steps[0] + len(steps))) and len(steps) >= _LEAST
    if not count_on or len(columns) != len(found) or len(found) != len(steps) * len(features):
        return None
    by_step = [(step, feature) for step in steps for feature in features]
    by_feature = [(step, feature) for feature in features for step in steps]
    order = [(step, feature) for _, (feature, step) in found]
    arrangement = FEATURE_BY_FEATURE if len(features) > 1 and order == by_feature else STEP_BY_STEP
    chosen = by_feature if arrangement == FEATURE_BY_FEATURE else by_step
    clocked = any(_says_time(name) for name in names[places[0] : places[-1] + 1])
    return Steps(tuple(columns[key] for key in chosen), tuple(features), arrangement, clocked)


def _says_time(name: str) -> bool:
    return re.search(rf"(?:^|[^A-Za-z])(?:{_TIME})[_ .-]?\d", name, re.IGNORECASE) is not None


def feature_names(columns: Sequence[str], features: int, arrangement: str) -> tuple[str, ...]:
    """What the features of a step are called. columns: all of them, as they are arranged."""
    if features == 1:
        return (VALUE,)
    named: list[str] = []
    for feature in range(features):
        told = {_feature(name) for name in _of_feature(columns, feature, features, arrangement)}
        named.append((told.pop() if len(told) == 1 else "") or f"{VALUE}{feature + 1}")
    return tuple(named) if len(set(named)) == features else tuple(f"{VALUE}{n + 1}" for n in range(features))


def first_columns(columns: Sequence[str], features: int, arrangement: str) -> tuple[str, ...]:
    """The first step of each feature."""
    return tuple(_of_feature(columns, feature, features, arrangement)[0] for feature in range(features))


def _of_feature(columns: Sequence[str], feature: int, features: int, arrangement: str) -> Sequence[str]:
    if arrangement == STEP_BY_STEP:
        return columns[feature::features]
    steps = len(columns) // features
    return columns[feature * steps : (feature + 1) * steps]


def _feature(name: str) -> str:
    told = parted(name)
    return told[0] if told is not None else ""
