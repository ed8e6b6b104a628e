"""Nested brackets of any depth, with the place of each: what treebanks and expressions are written in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rnnstudio.data.problems import Problems
from rnnstudio.data.progress import going

_PIECES = {"(": re.compile(r"[()]|[^\s()]+"), "[": re.compile(r"[\[\]]|[^\s\[\]]+")}
_CLOSE = {"(": ")", "[": "]"}
_VALUE_FIRST = re.compile(r"\s*([^\s()\[\]]+)\t\s*(?=[(\[])")


@dataclass
class Bracket:
    """One pair of brackets. items: what stands in it, in order: texts and brackets. line, column: where it is opened.

    after: what follows on the line where an outermost bracket is closed, or stands before it with a tab between them.
    """

    line: int
    column: int
    items: list[str | Bracket] = field(default_factory=list)
    after: str = ""

    @property
    def texts(self) -> list[str]:
        return [item for item in self.items if isinstance(item, str)]

    @property
    def inner(self) -> list[Bracket]:
        return [item for item in self.items if isinstance(item, Bracket)]


def opening(lines: Sequence[str], comment: str = "") -> str:
    """Which brackets a file is written in: "[" where the first one is, else "("."""
    for line in lines:
        if line.strip() and not (comment and line.startswith(comment)):
            value = _VALUE_FIRST.match(line)
            return "[" if line[value.end() if value else 0 :].lstrip().startswith("[") else "("
    return "("


def brackets(lines: Sequence[str], problems: Problems, comment: str = "") -> Iterator[Bracket]:
    """The outermost brackets of a file, round or square. What is wrong goes to `problems` with its place.

    A bracket at the beginning of a line begins a new outermost one: so one that is never closed spoils itself alone.
    comment: lines that begin so are no part of the file; "" = there are none.
    """
    mark = opening(lines, comment)
    close, pieces = _CLOSE[mark], _PIECES[mark]
    stack: list[Bracket] = []
    for number, line in enumerate(going(lines), 1):
        if comment and line.startswith(comment):
            continue
        value = None if stack else _VALUE_FIRST.match(line)
        if stack and line.startswith(mark):
            _never_closed(stack, close, problems)
        done: Bracket | None = None
        for found in pieces.finditer(line, value.end() if value else 0):
            piece, column = found.group(), found.start() + 1
            if done is not None and not stack and piece != mark:
                if piece == close:
                    _never_opened(number, column, mark, problems)
                    done = None
                    break
                done.after = line[found.start() :].strip()
                break
            if piece == mark:
                if not stack and done is not None:
                    yield done
                    done = None
                opened = Bracket(number, column, after=value[1] if value and not stack else "")
                if stack:
                    stack[-1].items.append(opened)
                stack.append(opened)
            elif piece == close:
                if not stack:
                    _never_opened(number, column, mark, problems)
                    break
                closed = stack.pop()
                done = None if stack else closed
            elif stack:
                stack[-1].items.append(piece)
            else:
                problems.error(
                    f"{_short(piece)!r} stands outside of brackets",
                    line=number,
                    column=str(column),
                    remedy="Put each tree in brackets.",
                )
                break
        if done is not None:
            yield done
    _never_closed(stack, close, problems)


def _never_closed(stack: list[Bracket], close: str, problems: Problems) -> None:
    if stack:
        inner = stack[-1]
        problems.error(
            "a bracket is opened and never closed",
            line=inner.line,
            column=str(inner.column),
            remedy=f"Close it with “{close}”.",
        )
        stack.clear()


def _never_opened(line: int, column: int, mark: str, problems: Problems) -> None:
    remedy = f"Take it out, or open it with “{mark}”."
    problems.error("a bracket is closed and was never opened", line=line, column=str(column), remedy=remedy)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
