"""What is wrong with a file, cell by cell: collected while reading, shown in the preview, raised as one error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from rnnstudio.design.errors import StudioError

KEPT = 50
"""Problems kept with their place; past these only their number is counted."""


@dataclass(frozen=True)
class Problem:
    """One thing found in a file. line: from 1, 0 = the whole file. column: its name or number, "" = the row.

    counted: what lines are called: "row" in a file that has none.
    """

    what: str
    line: int = 0
    column: str = ""
    remedy: str = ""
    severity: Literal["error", "warning", "hint"] = "error"
    counted: str = "line"

    def place(self, shown: str) -> str:
        line = f", {self.counted} {self.line}" if self.line else ""
        column = f", column {self.column}" if self.column else ""
        return f"{shown}{line}{column}"

    def __str__(self) -> str:
        where = self.place("").removeprefix(", ")
        return f"{where + ': ' if where else ''}{self.what}.{' ' + self.remedy if self.remedy else ''}"


@dataclass
class Problems:
    """The problems of one reading. Owner: the reader that fills it; everybody else gets tuples.

    counted: what the lines of this file are called.
    """

    shown: str
    found: list[Problem] = field(default_factory=list)
    errors: int = 0
    counted: str = "line"

    def error(self, what: str, *, line: int = 0, column: str = "", remedy: str = "") -> None:
        self.errors += 1
        if self.errors <= KEPT:
            self.found.append(Problem(what, line, column, remedy, counted=self.counted))

    def warn(self, what: str, *, line: int = 0, column: str = "", remedy: str = "") -> None:
        self.found.append(Problem(what, line, column, remedy, "warning", self.counted))

    def hint(self, what: str, *, line: int = 0, column: str = "", remedy: str = "") -> None:
        self.found.append(Problem(what, line, column, remedy, "hint"))

    def ignore(self, what: str, cell: str) -> None:
        """Say that a part of the file is not used. what: "the column 'note'"; cell: one of its cells, for people."""
        shown = cell if len(cell) <= 40 else f"{cell[:40]}…"
        self.found.append(Problem(f"not used: {what} ({shown!r})", severity="hint"))

    def take_from(self, other: Problems) -> None:
        """The problems of another file, which are told with its name: their lines are not lines of this file."""
        known = {problem.what for problem in self.found if problem.severity == "hint"}
        for problem in other.found:
            if problem.what not in known:
                where = problem.place(other.shown)
                self.found.append(replace(problem, what=f"{where}: {problem.what}", line=0, column=""))
        self.errors += other.errors

    def raise_first(self) -> None:
        """Raises the first error, in file order, as a StudioError that says how many more there are."""
        errors = sorted((problem for problem in self.found if problem.severity == "error"), key=lambda item: item.line)
        if errors:
            first = errors[0]
            more = f"; {self.errors - 1} more like this" if self.errors > 1 else ""
            raise StudioError(first.what, where=first.place(self.shown) + more, remedy=first.remedy)


def from_error(error: StudioError) -> Problem:
    """The problem that a StudioError describes, for a list beside others."""
    return Problem(f"{error.what} ({error.where})" if error.where else error.what, remedy=error.remedy)


def listed(names: Iterable[str], most: int = 12, between: str = ", ") -> str:
    """Names for a sentence: so many at most, each of 40 characters at most, however a file has them."""
    names = list(names)
    shown = between.join(name if len(name) <= 40 else f"{name[:40]}…" for name in names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown or "none"


def quoted(cell: str, most: int = 60) -> str:
    """A cell in quotes for a sentence, its beginning where it is long."""
    return repr(cell) if len(cell) <= most else f"{cell[:most]!r}…"
