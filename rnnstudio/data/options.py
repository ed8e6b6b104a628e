"""Options of readers as typed records: what a recipe's JSON may hold, and what forms, `--set` and help are made of.

A reader declares a frozen dataclass whose fields are made by `option`, each with its help, and where it matters its
choices, its least value, or that it names columns of the file:

    @dataclass(frozen=True)
    class PairOptions:
        source_level: str = option("characters", "what one token of the source is", choices=LEVELS)
        reverse: bool = option(False, "read the source backwards")

A field's default says its type: bool, int, float, text, a tuple of texts, a mapping of texts, or None beside an int
(`int | None`, None = found by itself). `__post_init__` may check how options go together, with a StudioError.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from rnnstudio.data.files import check_encoding
from rnnstudio.design.errors import StudioError, shortened
from rnnstudio.design.recipe import JSON

WORD_MIN_COUNT = 2
LEVELS = ("characters", "words")
TEXT_LEVELS = (*LEVELS, "bytes", "byte-pair")
ENCODINGS = (
    *("utf-8", "utf-16", "cp1252", "cp1250", "cp1251", "koi8-r", "shift_jis", "euc-jp", "gb18030", "big5", "cp949"),
    *("cp437", "latin-1"),
)
NOTHING: Mapping[str, str] = MappingProxyType({})
"""The default of an option that is a mapping."""

COLUMN_KINDS = ("number", "yes/no", "label", "text", "ignored")
STEP_BY_STEP, FEATURE_BY_FEATURE = "step by step", "feature by feature"
ARRANGEMENTS = (STEP_BY_STEP, FEATURE_BY_FEATURE)
"""How the columns of rows that are sequences stand: a_0 b_0 a_1 b_1, or a_0 a_1 b_0 b_1."""
SCALINGS = ("standard", "min-max", "robust", "none")

LARGEST = 10**12
"""Of any number among the options."""

_META = "rnnstudio"


@dataclass(frozen=True)
class Option:
    """One option for people and forms.

    kind: "yes/no", "number", "text", "texts", "mapping". choices: the values there are, () = any; `free`: others may be
    typed too. columns: it names columns of the file. automatic: None is a value: found by itself. when:
    "level=words|bytes": it means something only where that option has one of these values. learned: it is filled in
    from the training part, and nobody is asked for it. file: it is the path of a file.
    """

    name: str
    help: str
    default: Any
    kind: str
    title: str = ""
    choices: tuple[Any, ...] = ()
    free: bool = False
    minimum: float | None = None
    columns: bool = False
    automatic: bool = False
    when: str = ""
    learned: bool = False
    file: bool = False


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "yes/no"),
    (int, "number"),
    (float, "number"),
    (tuple, "texts"),
    (Mapping, "mapping"),
    (str, "text"),
)


def option(
    default: Any,
    help: str,
    *,
    title: str = "",
    choices: tuple[Any, ...] = (),
    free: bool = False,
    minimum: float | None = None,
    columns: bool = False,
    automatic: bool = False,
    when: str = "",
    learned: bool = False,
    file: bool = False,
) -> Any:
    """A field of an options record. automatic: a whole number, or None (the default then) for "found by itself"."""
    kind = "number" if automatic else next(name for of, name in _KINDS if isinstance(default, of))
    made = Option("", help, default, kind, title, choices, free, minimum, columns, automatic, when, learned, file)
    if kind == "mapping":
        return dataclasses.field(default_factory=lambda: default, metadata={_META: made})
    return dataclasses.field(default=default, metadata={_META: made})


def encoding_option() -> Any:
    """The option `encoding` that most readers have."""
    return option("utf-8", "how the file's bytes are to be read", choices=ENCODINGS, free=True)


def describe(kind: type[Any]) -> tuple[Option, ...]:
    """The options of a record, in order, each with name and title."""
    found = []
    for item in dataclasses.fields(kind):
        made: Option | None = item.metadata.get(_META)
        if made is not None:
            title = made.title or item.name.replace("_", " ")
            found.append(dataclasses.replace(made, name=item.name, title=title))
    return tuple(found)


@dataclass(frozen=True)
class NoOptions:
    """Of a reader that has nothing to choose."""


@dataclass(frozen=True)
class FileOptions:
    """Options of every file, whatever its reader: what of a packed file is read, and how much it may unpack to."""

    member: str = option("", "the file of an archive that is read; none: its only one, or all as a folder")
    unpacked_megabytes: int = option(8192, "megabytes that a packed file may unpack to", minimum=1)
    unpacked_times: int = option(
        200, "how many times its size a packed file may unpack to, beyond 64 megabytes", minimum=1
    )


@dataclass(frozen=True)
class TextOptions:
    """Plain text as one long sequence of tokens."""

    level: str = option(
        "characters",
        "what one step is: a character, a word (punctuation mark, line end), a byte, or a frequent run of bytes",
        choices=TEXT_LEVELS,
    )
    encoding: str = encoding_option()
    lowercase: bool = option(False, "fold capitals before anything else", title="fold capitals")
    min_count: int = option(
        WORD_MIN_COUNT,
        "words seen less often in the training part become the unknown word",
        title="rarest word",
        minimum=1,
        when="level=words",
    )
    size: int = option(
        1000, "how many byte pairs and bytes are tokens", title="byte pairs", minimum=257, when="level=byte-pair"
    )
    merges: tuple[str, ...] = option((), "the byte pairs that were learned", learned=True)


@dataclass(frozen=True)
class TableOptions:
    """A table as sequences, however it is written."""

    mode: str = option(
        "row_is_step",
        "whether a row is one time step, or holds one sequence, whose steps are columns",
        title="each row",
        choices=("row_is_step", "row_is_sequence"),
    )
    features: int = option(
        1,
        "how many columns make one step, where each row holds a sequence",
        title="columns a step",
        minimum=1,
        when="mode=row_is_sequence",
    )
    arrangement: str = option(
        STEP_BY_STEP,
        "whether the columns of one step stand side by side, or all steps of one feature",
        title="they stand",
        choices=ARRANGEMENTS,
        when="mode=row_is_sequence",
    )
    group: str = option("", "the column whose values tell the sequences apart", columns=True)
    order: str = option("", "the column that labels the steps; rows are put in its order", columns=True)
    dates: str = option(
        "auto",
        "the order of day, month and year in dates, where the column does not tell (03/01/2023)",
        title="order of dates",
        choices=("auto", "ymd", "dmy", "mdy"),
    )
    doubled: str = option(
        "keep",
        "rows of one sequence at the same time: keep them, or put their average in their place",
        title="doubled times",
        choices=("keep", "average"),
    )
    gaps: str = option(
        "keep",
        "a gap in the times: go on as if there were none, or begin another sequence behind it",
        title="gaps in time",
        choices=("keep", "cut"),
    )
    inputs: tuple[str, ...] = option((), "what is fed to the model; none: every column of numbers", columns=True)
    targets: tuple[str, ...] = option((), "what it must say; none: the inputs", columns=True)
    horizon: int = option(1, "how many steps ahead the targets lie; 0: the same row", title="predict", minimum=0)
    window: int = option(0, "steps of one training window; 0: the trainer's chunk", minimum=0)
    stride: int = option(0, "steps between the starts of two windows; 0: few where there are few windows", minimum=0)
    kinds: Mapping[str, str] = option(
        NOTHING,
        "what columns hold, where the guess is wrong: number, yes/no, label, text or ignored, as COLUMN: KIND",
        title="column kinds",
        columns=True,
    )
    scaling: Mapping[str, str] = option(
        NOTHING,
        "how columns are scaled: standard (else), min-max, robust or none, as COLUMN: SCALING",
        columns=True,
    )
    missing: str = option(
        "error",
        "what to do with empty cells: refuse them, repeat the value before, leave out the row, or mask them: a missing "
        "target counts for nothing, a missing input is the value before",
        title="empty cells",
        choices=("error", "previous", "drop", "mask"),
    )

    def __post_init__(self) -> None:
        for name, chosen, known in (("kinds", self.kinds, COLUMN_KINDS), ("scaling", self.scaling, SCALINGS)):
            wrong = next((column for column, value in chosen.items() if value not in known), None)
            if wrong is not None:
                raise StudioError(
                    f"{chosen[wrong]!r} is no choice for the column {wrong!r}",
                    where=f"option {name}",
                    remedy=f"Use one of: {', '.join(known)}.",
                )
        for name in ("inputs", "targets"):
            seen: set[str] = set()
            for column in getattr(self, name):
                if column in seen:
                    raise StudioError(f"the column {column!r} is listed twice", where=f"option {name}")
                seen.add(column)
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


@dataclass(frozen=True)
class CsvOptions(TableOptions):
    """A table that is written as text."""

    encoding: str = encoding_option()
    skip_lines: int | None = option(None, "lines above the table, such as titles", minimum=0, automatic=True)
    delimiter: str = option(
        "auto", "what separates the columns", choices=("auto", ",", ";", "\t", "|", "whitespace"), free=True
    )
    decimal: str = option("auto", "the decimal mark", choices=("auto", ".", ","))
    header: bool | str = option("auto", "whether the first row holds names", choices=("auto", True, False))
    skip_below: int | None = option(
        None,
        "rows below the header that are no data, such as units",
        title="rows below the header",
        minimum=0,
        automatic=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.delimiter not in ("auto", "whitespace") and (len(self.delimiter) != 1 or self.delimiter in '\r\n"'):
            raise StudioError(
                f"the delimiter {self.delimiter!r} is not one character",
                where="option delimiter",
                remedy='Use "auto", "whitespace", or one character such as "," ";" or a tab.',
            )


Options = TypeVar("Options")


def to_json(options: Any) -> dict[str, JSON]:
    """The options as a recipe holds them; empty mappings are left out, and what was not learned."""
    learned = {item.name for item in describe(type(options)) if item.learned}
    values = {item.name: getattr(options, item.name) for item in dataclasses.fields(options)}
    values = {name: value for name, value in values.items() if value or name not in learned}
    return {name: _plain(value) for name, value in values.items() if value or not isinstance(value, Mapping)}


def _plain(value: Any) -> JSON:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def parse(kind: type[Options], options: Mapping[str, JSON]) -> Options:
    """The typed options. Raises StudioError naming an unknown option, a wrong type or a value out of range."""
    known = {item.name: item for item in describe(kind)}
    values: dict[str, Any] = {}
    for name, value in options.items():
        if name not in known and name in FILE_OPTIONS:
            continue
        if name not in known:
            raise StudioError(
                f"there is no data option {name!r}",
                where="data options",
                remedy=f"Options: {', '.join(known) or 'none'}.",
            )
        values[name] = _checked(known[name], value)
    made = kind(**values)
    if hasattr(made, "encoding"):
        check_encoding(str(made.encoding))
    return made


def renamed(kind: type[Any], options: Mapping[str, JSON], old: JSON, new: JSON) -> dict[str, JSON] | None:
    """The options with the names of columns as the encoding `new` reads what `old` has read; None where it cannot."""
    named = {item.name for item in describe(kind) if item.columns}

    def read(value: JSON) -> JSON:
        if isinstance(value, list):
            return [read(item) for item in value]
        if isinstance(value, dict):
            return {str(read(name)): item for name, item in value.items()}
        return value.encode(str(old)).decode(str(new)) if isinstance(value, str) else value

    try:
        return {name: read(value) if name in named else value for name, value in options.items()}
    except (UnicodeError, LookupError):
        return None


FILE_OPTIONS = frozenset(item.name for item in dataclasses.fields(FileOptions))
"""Names of options that belong to no reader."""


def file_options(options: Mapping[str, JSON]) -> FileOptions:
    """Those of the file among a recipe's options. Raises StudioError for a wrong type or a value out of range."""
    return parse(FileOptions, {name: value for name, value in options.items() if name in FILE_OPTIONS})


YES, NO = frozenset(("true", "on", "yes")), frozenset(("false", "off", "no"))
"""How yes and no are typed."""


def as_meant(kind: type[Any], typed: Mapping[str, JSON]) -> dict[str, JSON]:
    """Options as a person types them: a text becomes a number or yes or no where the option is one, and else stays.

    What fits nothing stays a text, too, and is refused when the options are read.
    """
    known = {item.name: item for item in describe(kind)}
    return {
        name: _meant(known[name], value.strip()) if isinstance(value, str) and name in known else value
        for name, value in typed.items()
    }


def _meant(known: Option, text: str) -> JSON:
    if text in known.choices:
        return text
    for choice in known.choices:
        if isinstance(choice, bool) and text.lower() in (YES if choice else NO):
            return choice
    if known.kind == "yes/no" and text.lower() in YES | NO:
        return text.lower() in YES
    if known.kind == "number":
        try:
            return float(text) if isinstance(known.default, float) else int(text)
        except ValueError:
            return None if known.automatic and text.lower() == "auto" else text
    return text


_WANTED = {
    "yes/no": "true or false",
    "number": "a whole number",
    "texts": "a list of column names",
    "text": "a text",
    "mapping": "a mapping such as NAME: VALUE",
}


def _checked(known: Option, value: JSON) -> Any:
    """The value as the record holds it. Raises StudioError where it does not fit."""
    where = f"option {known.name}"
    if known.choices and value in known.choices and any(value is c or type(value) is type(c) for c in known.choices):
        return value
    fits, typed = _typed(known, value)
    if not fits:
        raise StudioError(f"{shortened(value)} is not {_wanted(known)}", where=where)
    if known.choices and not known.free and typed not in known.choices:
        listed = ", ".join(f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in known.choices)
        raise StudioError(f"{shortened(value)} is not a choice", where=where, remedy=f"Use one of: {listed}.")
    if known.minimum is not None and typed is not None and typed < known.minimum:
        least = f"{known.minimum:g}"
        raise StudioError(f"{shortened(typed)} is below {least}", where=where, remedy=f"Use {least} or more.")
    if isinstance(typed, int | float) and typed > LARGEST:
        raise StudioError(f"{shortened(typed)} is too large", where=where, remedy=f"Use {LARGEST:,} at most.")
    return typed


def _wanted(known: Option) -> str:
    return "a number" if isinstance(known.default, float) else _WANTED[known.kind]


def _typed(known: Option, value: JSON) -> tuple[bool, Any]:
    """Whether the value is of the option's kind, and the value of that type."""
    if known.kind == "yes/no":
        return isinstance(value, bool), value
    if known.kind == "number":
        if known.automatic and value is None:
            return True, None
        whole = isinstance(value, int) and not isinstance(value, bool)
        real = isinstance(known.default, float)
        if isinstance(value, float) and not math.isfinite(value):
            return False, value
        return whole or (real and isinstance(value, float)), float(value) if real and whole else value  # type: ignore[arg-type]
    if known.kind == "texts":
        listed = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        good = isinstance(listed, list) and all(isinstance(item, str) for item in listed)
        return good, tuple(item for item in listed if item) if isinstance(listed, list) and good else ()
    if known.kind == "mapping":
        if isinstance(value, str):  # as typed: "speed: number, note: ignored"
            pairs = (part.rpartition(":") for part in value.split(",") if part.strip())
            value = {name.strip(): chosen.strip() for name, _, chosen in pairs}
        good = isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
        return good, MappingProxyType(dict(value)) if isinstance(value, dict) else value
    return isinstance(value, str) or (value is None and known.default == ""), value or ""
