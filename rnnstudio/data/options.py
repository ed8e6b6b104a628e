"""The options of each reader, typed, with their defaults; a recipe's JSON is checked here and nowhere else."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from rnnstudio.data.files import check_encoding
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import JSON, DataRecipe

WORD_MIN_COUNT = 2


@dataclass(frozen=True)
class TextOptions:
    """Plain text as one long sequence of tokens.

    level: "characters" or "words" (words, single punctuation marks and line ends).
    encoding: any of Python's text encodings. lowercase: fold capitals before anything else.
    min_count: words seen less often in the training part become the unknown word (words only).
    """

    level: str = "characters"
    encoding: str = "utf-8"
    lowercase: bool = False
    min_count: int = WORD_MIN_COUNT

    def __post_init__(self) -> None:
        _choice("level", self.level, ("characters", "words"))
        check_encoding(self.encoding)
        _at_least("min_count", self.min_count, 1)


@dataclass(frozen=True)
class CsvOptions:
    """A table of numbers as sequences.

    mode: "row_is_step" (a row is one time step) or "row_is_sequence" (a row holds one sequence, a column a step).
    skip_lines: lines above the table, such as titles; None = found.
    delimiter: one character, "whitespace", or "auto". decimal: ".", "," or "auto". header: True, False or "auto".
    group: the column whose values tell the sequences apart ("" = one sequence).
    order: the column that labels the steps, such as a year or a date; rows are put in its order, and it is not fed to
        the model ("" = order of the file).
    inputs, targets: column names; no inputs = every column of numbers, no targets = the inputs.
    horizon: how many steps ahead the targets lie; 0 = the same row.
    window: steps of one training window when the sequence is longer (0 = the trainer's chunk); stride: steps between
        the starts of two windows (0 = 1, or more where that would make over 10,000 windows).
    missing: what to do with empty cells: "error", "previous" (repeat the value before) or "drop" (leave out the row).
    split_by: "time" (each sequence is cut in three), "sequence" (whole sequences are dealt out), or "auto": sequence
        when there are 20 or more.
    """

    mode: str = "row_is_step"
    encoding: str = "utf-8"
    skip_lines: int | None = None
    delimiter: str = "auto"
    decimal: str = "auto"
    header: bool | str = "auto"
    group: str = ""
    order: str = ""
    inputs: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    horizon: int = 1
    window: int = 0
    stride: int = 0
    missing: str = "error"
    split_by: str = "auto"

    def __post_init__(self) -> None:
        _choice("mode", self.mode, ("row_is_step", "row_is_sequence"))
        check_encoding(self.encoding)
        if self.delimiter not in ("auto", "whitespace") and (len(self.delimiter) != 1 or self.delimiter in '\r\n"'):
            raise StudioError(
                f"the delimiter {self.delimiter!r} is not one character",
                where="option delimiter",
                remedy='Use "auto", "whitespace", or one character such as "," ";" or a tab.',
            )
        _at_least("skip_lines", self.skip_lines or 0, 0)
        _choice("decimal", self.decimal, ("auto", ".", ","))
        if not isinstance(self.header, bool):
            _choice("header", self.header, ("auto",))
        _at_least("horizon", self.horizon, 0)
        _at_least("window", self.window, 0)
        _at_least("stride", self.stride, 0)
        _choice("missing", self.missing, ("error", "previous", "drop"))
        _choice("split_by", self.split_by, ("auto", "time", "sequence"))
        if self.delimiter == self.decimal != "auto":
            raise StudioError(
                "the same character cannot separate columns and decimals",
                where="options delimiter and decimal",
                remedy="Set one of them to another character.",
            )
        for name in ("inputs", "targets"):
            columns = getattr(self, name)
            for column in columns:
                if columns.count(column) > 1:
                    raise StudioError(f"the column {column!r} is listed twice", where=f"option {name}")
        if self.mode == "row_is_sequence" and (self.group or self.order):
            raise StudioError(
                "group and order columns have no meaning when each row is a sequence",
                where="option group" if self.group else "option order",
                remedy='Clear it, or set mode to "row_is_step".',
            )
        if self.group and self.group == self.order:
            raise StudioError(f"the column {self.group!r} cannot be both group and order", where="option group")
        for name in ("group", "order"):
            column = getattr(self, name)
            if column and column in (*self.inputs, *self.targets):
                raise StudioError(
                    f"the {name} column {column!r} is also an input or a target",
                    where=f"option {name}",
                    remedy="Take it out of one of the two.",
                )


def choose(recipe: DataRecipe, chosen: Mapping[str, JSON]) -> DataRecipe:
    """The recipe with these options put in.

    Columns that `chosen` gives a role leave those roles that the recipe's own options gave them and that go not with
    it: what a file's columns are for was only proposed, or chosen for something else. Two roles that are both chosen
    stay, and are refused when the file is read.
    """
    options: dict[str, JSON] = {**recipe.options, **chosen}
    if recipe.reader == "csv":
        sequences = options.get("mode") == "row_is_sequence"
        if sequences and "mode" in chosen:
            options |= {role: "" for role in ("group", "order") if role not in chosen}
            if "targets" not in chosen and _columns(options, "targets") == _columns(options, "inputs"):
                options["targets"] = []
        if sequences and {"mode", "targets"} & set(chosen) and "split_by" not in chosen:
            options["split_by"] = "auto"  # what is settled for steps, or without labels, may not do for these
        same_step = sequences or options.get("horizon", 1) == 0
        taken = {name for role in ("group", "order") for name in _columns(options, role)}
        for role in ("targets", "inputs"):
            if role not in chosen:
                other = set(_columns(options, "targets")) if role == "inputs" and same_step else set()
                options[role] = [name for name in _columns(options, role) if name not in taken | other]
    return recipe.replace(options=options)


def _columns(options: Mapping[str, JSON], role: str) -> list[str]:
    value = options.get(role) or []
    return [value] if isinstance(value, str) else [str(name) for name in value] if isinstance(value, list) else []


Options = TypeVar("Options", TextOptions, CsvOptions)


def to_json(options: TextOptions | CsvOptions) -> dict[str, JSON]:
    """The options as a recipe holds them."""
    values = {item.name: getattr(options, item.name) for item in dataclasses.fields(options)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def parse(kind: type[Options], options: Mapping[str, JSON]) -> Options:
    """The typed options. Raises StudioError naming an unknown option, a wrong type or a value out of range."""
    known = {item.name: item for item in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for name, value in options.items():
        if name not in known:
            raise StudioError(
                f"there is no data option {name!r}", where="data options", remedy=f"Options: {', '.join(known)}."
            )
        values[name] = _typed(name, value, known[name].default)
    return kind(**values)


def _typed(name: str, value: JSON, default: object) -> object:
    if name == "header":
        good = isinstance(value, (bool, str))
    elif name == "skip_lines":
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise StudioError(f"{value!r} is not a whole number", where=f"option {name}")
    elif isinstance(default, bool):
        good = isinstance(value, bool)
    elif isinstance(default, int):
        good = isinstance(value, int) and not isinstance(value, bool)
    elif isinstance(default, tuple):
        if isinstance(value, str):
            value = [value]
        good = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if good and isinstance(value, list):
            return tuple(value)
    else:
        if value is None and default == "":
            return ""
        good = isinstance(value, str)
    if not good:
        wanted = {bool: "true or false", int: "a whole number", tuple: "a list of column names", str: "a text"}
        raise StudioError(f"{value!r} is not {wanted[type(default)]}", where=f"option {name}")
    return value


def _choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        listed = ", ".join(f'"{choice}"' for choice in choices)
        raise StudioError(f"{value!r} is not a choice", where=f"option {name}", remedy=f"Use one of: {listed}.")


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise StudioError(f"{value} is below {least}", where=f"option {name}", remedy=f"Use {least} or more.")
