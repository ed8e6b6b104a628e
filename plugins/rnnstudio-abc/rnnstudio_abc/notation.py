"""ABC notation taken apart: tunes, their header, and the tokens of their body (standard 2.1, sections 3 and 4).

Knows nothing of rnnstudio, so that it can be read, tested and changed alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

BEGIN = "X:"
"""Token that begins a tune."""
END = "¶"
"""Token that ends a tune: a tune's last bar line does not tell that nothing follows."""

HEADER_TOKENS = ("M", "L", "K")
"""Header fields a player needs: metre, unit length, key. They become tokens such as “K:Gmaj”; titles do not."""

_FIELD = re.compile(r"([A-Za-z+]):\s*(.*)")
_FIELDS_IN_MUSIC = "IKLMNPQRTUVWmrsw+"
"""Letters of fields that may follow the key; another letter with a colon is a note before a repeat."""

# One kind of symbol a line, in the order in which they are tried; what matches none is an error.
_SYMBOLS = re.compile(
    r"""
    (?P<skip>   \s+ | [`\\$] )                                  # blanks, beams, line continuation
  | (?P<remark> "[^"]*" )                                       # a chord symbol or annotation: "Am"
  | (?P<inline> \[ [A-Za-z] : [^\]\n]* \] )                     # a field inside the body: [K:G]
  | (?P<bar>    :*\|[\]|]?:*[0-9]? | \[\|:* | ::+ | \[[0-9] )
  | (?P<ornament> ![^!\s]+! | \+[^+\s]+\+ | [~.HLMOPSTuv] )     # !trill!, staccato, …
  | (?P<tuplet> \([2-9](?::[0-9]*){0,2} )
  | (?P<note>   (?:\^\^|\^|__|_|=)?[A-Ga-g][,']* | [zxZXy] )    # pitch or rest
  | (?P<length> [0-9]+/[0-9]* | [0-9]+ | /[0-9]+ | /+ )
  | (?P<rhythm> >+ | <+ )
  | (?P<mark>   [-(){}\[\]&] )                                  # ties, slurs, grace notes, chords, voices
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Fault:
    """Something that is not ABC. line, column: from 1."""

    what: str
    line: int
    column: int = 0
    remedy: str = ""


@dataclass
class Tune:
    """number: what follows X:; line: of that; tokens: header, body and end. `faults` keep it from being used."""

    number: str
    line: int
    title: str = ""
    tokens: list[str] = field(default_factory=list)
    notes: int = 0
    key: bool = False
    faults: list[Fault] = field(default_factory=list)


def tunes_of(text: str, *, remarks: bool = False) -> list[Tune]:
    """All tunes of a file, each from its X: to the next blank line. What stands between tunes is free text.

    remarks: keep chord symbols and annotations as tokens.
    """
    found: list[Tune] = []
    tune: Tune | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith("%"):
            continue
        line = re.split(r"(?<!\\)%", line)[0]
        if line.startswith(BEGIN):
            tune = Tune(line[2:].strip(), number, tokens=[BEGIN])
            found.append(tune)
        elif not line.strip():
            tune = None
        elif tune is not None:
            _take(tune, line, number, remarks)
    for tune in found:
        _finish(tune)
    return found


def _take(tune: Tune, line: str, number: int, remarks: bool) -> None:
    """One line of a tune: a field, or music."""
    named = _field(line, tune.key)
    if named:
        letter, value = named[1], named[2].strip()
        if letter == "T" and not tune.title:
            tune.title = value
        if letter == "K":
            tune.key = True
        if letter in HEADER_TOKENS:
            tune.tokens.append(f"{letter}:{value.replace(' ', '')}")
        return
    if not tune.key:
        what = f"music in the header of tune {tune.number or '?'}"
        tune.faults.append(Fault(what, number, 1, "The header ends with the key: put a K: line above."))
        tune.key = True
    for token, kind in symbols(line, tune.faults, number):
        if kind == "remark" and not remarks:
            continue
        tune.tokens.append(token)
        tune.notes += kind == "note"


def _field(line: str, in_music: bool) -> re.Match[str] | None:
    """The letter and the text of a field, when the line is one."""
    named = _FIELD.match(line)
    return None if named is None or (in_music and named[1] not in _FIELDS_IN_MUSIC) else named


def symbols(line: str, faults: list[Fault], number: int = 1) -> Iterator[tuple[str, str]]:
    """The symbols of a line of music, each with its kind. What is none is added to `faults` and skipped."""
    place = 0
    while place < len(line):
        match = _SYMBOLS.match(line, place)
        if match is None:
            what = f"{line[place]!r} is no ABC symbol"
            if line[place] in '"!':
                what = f"the {line[place]} that opens here is never closed"
            faults.append(Fault(what, number, place + 1, "Correct or remove it."))
            place += 1
            continue
        kind = match.lastgroup or ""
        if kind != "skip":
            yield match[0].replace(" ", ""), kind
        place = match.end()


def _finish(tune: Tune) -> None:
    if not tune.key and not tune.faults:
        what = f"tune {tune.number or '?'} has no key"
        tune.faults.append(Fault(what, tune.line, 0, "End its header with a K: line."))
    tune.tokens.append(END)


def tokens_of(text: str) -> list[str]:
    """A prompt in tokens: header fields and music, as in a file, but without an end. Unknown symbols stand for
    themselves: the vocabulary says that it lacks them."""
    tokens: list[str] = []
    key = False
    for line in text.split("\n"):
        line = line.strip()
        named = _field(line, key)
        if line.startswith(BEGIN):
            tokens.append(BEGIN)
            key = False
        elif named:
            key = key or named[1] == "K"
            tokens += [f"{named[1]}:{named[2].replace(' ', '')}"] if named[1] in HEADER_TOKENS else []
        else:
            faults: list[Fault] = []
            tokens += [token for token, _ in symbols(line, faults)]
            tokens += [line[fault.column - 1] for fault in faults]
    return tokens


def text_of(tokens: Sequence[str]) -> str:
    """Tokens as ABC that players read: each tune under a number of its own, header fields on lines of their own."""
    text = ""
    number = 0
    for token in tokens:
        if token == BEGIN:
            number += 1
            text += f"{BEGIN}{number}\n"
        elif token == END:
            text = text.rstrip() + "\n\n"
        elif _FIELD.fullmatch(token):
            text = (text.rstrip() + "\n" if text else "") + f"{token}\n"
        else:
            text += f"{token} " if "|" in token else token
    return text
