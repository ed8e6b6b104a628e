"""The notes of tunes in ABC notation (standard 2.1): one voice, keys, lengths, ties, chords, broken rhythm, tuplets.

Repeats are played once; ornaments, words and chord names are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from rnnstudio.data.formats.midi import Note

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SHARPS = "FCGDAEB"
_MODES = {"mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4, "loc": -5, "lyd": 1}
_ACCIDENTALS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
_TUPLETS = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}

_PIECE = re.compile(
    r"""(?P<skip>"[^"]*"|![^!\n]*!|\+[^+\n]*\+|\{[^}]*\}|\[[A-Za-z]:[^\]]*\])
    |\((?P<tuplet>[2-9])(?::\d*)*
    |(?P<bar>:*\|+[\]:0-9]*|\[\||::|\[[0-9]+)
    |(?P<chord>\[(?:(?:\^\^|\^|=|__|_)?[A-Ga-g][,']*[0-9/]*)+\])(?P<chord_length>[0-9/]*)(?P<chord_tie>-?)
    |(?P<accidental>\^\^|\^|=|__|_)?(?P<letter>[A-Ga-g])(?P<octave>[,']*)(?P<length>[0-9/]*)(?P<tie>-?)
    |(?P<rest>[zx])(?P<rest_length>[0-9/]*)
    |(?P<broken><+|>+)""",
    re.VERBOSE,
)
_IN_CHORD = re.compile(r"(\^\^|\^|=|__|_)?([A-Ga-g])([,']*)([0-9/]*)")


def notes_of_tune(lines: list[str]) -> tuple[Note, ...]:
    """The notes of one tune, its header among the lines, in beats (quarter notes) from its beginning."""
    tune = _Tune()
    for line in lines:
        text = line.partition("%")[0].strip()
        if re.match(r"[A-Za-z]:", text):
            tune.take_field(text[0], text[2:].strip())
        else:
            tune.take_music(text)
    return tuple(tune.notes)


@dataclass
class _Tune:
    unit: Fraction = Fraction(1, 8)
    unit_given: bool = False
    signature: dict[str, int] = field(default_factory=dict)
    bar: dict[tuple[str, str], int] = field(default_factory=dict)
    now: Fraction = Fraction(0)
    notes: list[Note] = field(default_factory=list)
    tied: dict[int, int] = field(default_factory=dict)
    factor: Fraction = Fraction(1)
    """What broken rhythm makes of the next length."""
    tuplet: tuple[int, Fraction] = (0, Fraction(1))
    last: tuple[int, Fraction, Fraction] = (0, Fraction(0), Fraction(0))
    """The last sound: where its notes begin in the list, when it began, how long it was."""

    def take_field(self, name: str, value: str) -> None:
        if name == "L" and (found := _fraction(value)):
            self.unit, self.unit_given = found, True
        elif name == "M" and not self.unit_given and (found := _fraction({"C": "4/4", "C|": "2/2"}.get(value, value))):
            self.unit = Fraction(1, 16) if found < Fraction(3, 4) else Fraction(1, 8)
        elif name == "K":
            self.signature = _signature(value)

    def take_music(self, text: str) -> None:
        for found in _PIECE.finditer(text):
            kind = found.lastgroup
            if found["skip"]:
                inner = re.match(r"\[([A-Za-z]):([^\]]*)\]", found["skip"])
                if inner:
                    self.take_field(inner[1], inner[2].strip())
            elif found["tuplet"]:
                count = int(found["tuplet"])
                self.tuplet = (count, Fraction(_TUPLETS.get(count, 2), count))
            elif found["bar"]:
                self.bar.clear()
            elif found["chord"]:
                each = _IN_CHORD.findall(found["chord"])
                length = _length(found["chord_length"]) * _length(each[0][3])
                self.sound([self.pitch(*one[:3]) for one in each], length, bool(found["chord_tie"]))
            elif found["letter"]:
                pitch = self.pitch(found["accidental"] or "", found["letter"], found["octave"])
                self.sound([pitch], _length(found["length"]), bool(found["tie"]))
            elif found["rest"]:
                self.sound([], _length(found["rest_length"]), False)
            elif kind == "broken":
                self.broken(found["broken"])

    def pitch(self, accidental: str, letter: str, octave: str) -> int:
        name = letter.upper()
        key = (name, octave if letter == name else f"'{octave}")
        if accidental:
            self.bar[key] = _ACCIDENTALS[accidental]
        height = 12 * (letter != name) + 12 * (octave.count("'") - octave.count(","))
        return 60 + _STEPS[name] + height + self.bar.get(key, self.signature.get(name, 0))

    def sound(self, pitches: list[int], units: Fraction, tie: bool) -> None:
        left, ratio = self.tuplet
        length = units * self.unit * 4 * self.factor * (ratio if left else 1)
        self.tuplet, self.factor = (max(left - 1, 0), ratio), Fraction(1)
        first, end = len(self.notes), self.now + length
        ties: dict[int, int] = {}
        for pitch in dict.fromkeys(pitches):
            place = self.tied.get(pitch)
            if place is None:
                place = len(self.notes)
                self.notes.append(Note(float(self.now), float(end), pitch))
            else:
                self.notes[place] = Note(self.notes[place].start, float(end), pitch)
            if tie:
                ties[pitch] = place
        self.tied = ties
        self.last = (first, self.now, length)
        self.now = end

    def broken(self, signs: str) -> None:
        """a>b: the first is half as long again and the second half as long; < the other way."""
        short = Fraction(1, 2 ** len(signs))
        mine, others = (2 - short, short) if signs[0] == ">" else (short, 2 - short)
        first, start, length = self.last
        self.now = start + length * mine
        self.factor = others
        for place in range(first, len(self.notes)):
            note = self.notes[place]
            self.notes[place] = Note(note.start, float(self.now), note.pitch)


def _length(text: str) -> Fraction:
    """ "" 1, "3" 3, "/" 1/2, "//" 1/4, "3/2" 3/2."""
    above, slash, below = text.partition("/")
    number = Fraction(int(above)) if above.isdigit() and int(above) else Fraction(1)
    if not slash:
        return number
    if below.isdigit() and int(below):
        return number / int(below)
    return number / Fraction(2 ** (1 + below.count("/")))


def _fraction(text: str) -> Fraction | None:
    found = re.match(r"(\d{1,3})\s*/\s*(\d{1,3})", text)
    return Fraction(int(found[1]), int(found[2])) if found and int(found[1]) and int(found[2]) else None


def _signature(key: str) -> dict[str, int]:
    """What a key makes of each letter: "D" raises F and C."""
    found = re.match(r"([A-G])([#b]?)\s*([A-Za-z]*)", key)
    if not found:
        return {}
    mode = found[3].lower()
    steps = _MODES.get(mode[:3] if mode != "m" else "m", 0)
    fifths = _SHARPS.index(found[1]) - 1 + 7 * (found[2] == "#") - 7 * (found[2] == "b") + steps
    fifths = max(-7, min(7, fifths))
    letters = _SHARPS[:fifths] if fifths >= 0 else _SHARPS[::-1][:-fifths]
    return dict.fromkeys(letters, 1 if fifths > 0 else -1)
