"""Nested brackets of any depth, with the place of each: what treebanks and expressions are written in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rnnstudio.data.problems import Problems

_PIECE = re.compile(r"[()]|[^\s()]+")


@dataclass
class Bracket:
    """One pair of brackets. items: what stands in it, in order: texts and brackets. line, column: of "(", from 1.

    after: what follows on the line where an outermost bracket is closed.
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


def brackets(lines: Sequence[str], problems: Problems, comment: str = "") -> Iterator[Bracket]:
    """The outermost brackets of a file. What is wrong goes to `problems` with line and column, and is left out.

    A bracket at the beginning of a line begins a new outermost one: so one that is never closed spoils itself alone.
    comment: lines that begin so are no part of the file; "" = there are none.
    """
    stack: list[Bracket] = []
    for number, line in enumerate(lines, 1):
        if comment and line.startswith(comment):
            continue
        if stack and line.startswith("("):
            _never_closed(stack, problems)
        done: Bracket | None = None
        for found in _PIECE.finditer(line):
            piece, column = found.group(), found.start() + 1
            if done is not None and not stack and piece != "(":
                if piece == ")":
                    _never_opened(number, column, problems)
                    done = None
                    break
                done.after = line[found.start() :].strip()
                break
            if piece == "(":
                if not stack and done is not None:
                    yield done
                    done = None
                opened = Bracket(number, column)
                if stack:
                    stack[-1].items.append(opened)
                stack.append(opened)
            elif piece == ")":
                if not stack:
                    _never_opened(number, column, problems)
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
    _never_closed(stack, problems)


def _never_closed(stack: list[Bracket], problems: Problems) -> None:
    if stack:
        inner = stack[-1]
        problems.error(
            "a bracket is opened and never closed",
            line=inner.line,
            column=str(inner.column),
            remedy="Close it with “)”.",
        )
        stack.clear()


def _never_opened(line: int, column: int, problems: Problems) -> None:
    remedy = "Take it out, or open it with “(”."
    problems.error("a bracket is closed and was never opened", line=line, column=str(column), remedy=remedy)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
