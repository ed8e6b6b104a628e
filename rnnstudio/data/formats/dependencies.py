"""Sentences of CoNLL-U as dependency trees: each word hangs below its head, the head 0 is the root."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rnnstudio.data.problems import Problems
from rnnstudio.data.progress import going

COLUMNS = ("upos", "xpos", "deprel")
_PLACE = {"upos": 3, "xpos": 4, "deprel": 7}


@dataclass
class Sentence:
    """Words in their order. heads: the place of each word's head, -1 at the root. line: of its first word."""

    words: list[str]
    labels: list[str]
    heads: list[int]
    line: int


@dataclass(frozen=True)
class _Row:
    line: int
    number: str
    word: str
    label: str
    head: str


def sentences(lines: Sequence[str], label: str, repair: bool, problems: Problems) -> Iterator[Sentence]:
    """The sentences whose heads make one tree. label: one of COLUMNS.

    repair: what makes no tree is mended: a further root and a word of a circle hang below the first root. Else such
    sentences are left out. Both are told with the line.
    """
    here: list[_Row] = []
    broken = False
    skipped: dict[str, int] = {}
    for number, line in enumerate(going([*lines, ""]), 1):
        if not line.strip():
            made = _tree(here, repair, problems) if here and not broken else None
            if made is not None:
                yield made
            here, broken = [], False
            continue
        if line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != 10:
            problems.error(
                f"the line has {len(cells)} columns, and CoNLL-U has 10",
                line=number,
                remedy="Separate ten columns by tabs; _ stands for nothing.",
            )
            broken = True
            continue
        if not cells[0].isdecimal():
            what = "ranges" if "-" in cells[0] else "empty nodes"
            skipped[what] = skipped.get(what, 0) + 1
            continue
        here.append(_Row(number, cells[0], cells[1].strip(), cells[_PLACE[label]].strip() or "_", cells[6].strip()))
    for what, count in skipped.items():
        problems.ignore(f"{count} lines of {what}", "they have no place in the tree")


def _tree(rows: list[_Row], repair: bool, problems: Problems) -> Sentence | None:
    """The sentence, or None where its heads make no tree and are not to be mended."""
    place = {row.number: at for at, row in enumerate(rows)}
    heads: list[int] = []
    for row in rows:
        if row.head != "0" and row.head not in place:
            problems.error(
                f"the head {row.head[:40]!r} is no word of the sentence",
                line=row.line,
                column="7",
                remedy="Write the number of another word, or 0 at the root.",
            )
            return None
        heads.append(-1 if row.head == "0" else place[row.head])
    wrong = _mend(heads)
    if wrong:
        at, why = wrong[0]
        done = "it hangs below the root now" if repair else "the sentence is left out"
        problems.warn(
            f"{why}: {done}",
            line=rows[at].line,
            column="7",
            remedy="" if repair else "Mend the heads, or set bad_heads to repair.",
        )
        if not repair:
            return None
    return Sentence([row.word for row in rows], [row.label for row in rows], heads, rows[0].line)


def _mend(heads: list[int]) -> list[tuple[int, str]]:
    """Makes one tree of the heads, in place; which words had to be moved, and why."""
    moved: list[tuple[int, str]] = []
    roots = [at for at, head in enumerate(heads) if head < 0]
    for at in roots[1:]:
        heads[at] = roots[0]
        moved.append((at, f"the sentence has {len(roots)} roots"))
    state = [0] * len(heads)  # 0: not seen, 1: on the way up, 2: hangs below a root
    for start in range(len(heads)):
        way: list[int] = []
        at = start
        while at >= 0 and state[at] == 0:
            state[at] = 1
            way.append(at)
            at = heads[at]
        if at >= 0 and state[at] == 1:
            circle = way[way.index(at) :]
            if roots:
                heads[at] = roots[0]
            else:
                heads[at] = -1
                roots.append(at)
            moved.append((at, f"the heads of {len(circle)} word{'s' * (len(circle) != 1)} go round in a circle"))
        for one in way:
            state[one] = 2
    return sorted(moved)
