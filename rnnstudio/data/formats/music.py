"""Music: MIDI files and ABC tunes as a piano roll of 88 keys, or as tokens of keys struck and released."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rnnstudio.data.examples import Examples, later, numbers, tokens
from rnnstudio.data.files import entries_of, head_of, is_folder, size_of
from rnnstudio.data.formats.abc_tune import notes_of_tune
from rnnstudio.data.formats.midi import Note, notes_of
from rnnstudio.data.options import encoding_option, option
from rnnstudio.data.problems import Problems
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import Sample, Source
from rnnstudio.design.errors import StudioError

LOWEST, KEYS = 21, 88
NAMES = tuple(
    f"{('C', 'C#', 'D', 'D#', 'E', 'F', 'F#', 'G', 'G#', 'A', 'A#', 'B')[pitch % 12]}{pitch // 12 - 1}"
    for pitch in range(LOWEST, LOWEST + KEYS)
)
"""The keys of a piano, A0 to C8."""
MOST_STEPS = 100_000
LARGEST_FILE = 1 << 26
WAIT = "."
_MIDI = (".mid", ".midi")
_TOGETHER = (*_MIDI, ".abc")


@dataclass(frozen=True)
class MusicOptions:
    """Pieces of music."""

    form: str = option(
        "piano roll", "88 numbers a step, 1 where a key is down; or tokens", choices=("piano roll", "tokens")
    )
    steps: int = option(4, "steps of one beat (a quarter note)", title="steps a beat", minimum=1)
    encoding: str = encoding_option()


class MusicReader(Reader):
    """Piano roll: the fields `inputs`, 88 keys along time, and `targets`, the same one step later (Boulanger-
    Lewandowski et al. 2012). Tokens: `text`, and `next`, the token after: "+C4" a key struck, "-C4" released, "." a
    step of waiting (after Oore et al. 2018)."""

    name = "music"
    title = "music (MIDI, ABC)"
    what = "music"
    together = True
    suffixes = _TOGETHER
    Options = MusicOptions
    parts = (0.8, 0.1, 0.1)
    portable = ("form", "steps")

    def guess(self, sample: Sample) -> Guess | None:
        if sample.folder:
            found = [entry for entry in sample.entries if entry.suffix.lower() in _TOGETHER]
            return (
                Guess(0.7, MusicOptions(), self.parts, f"{len(found)} pieces of music in a folder") if found else None
            )
        if sample.head.startswith(b"MThd"):
            return Guess(0.95, MusicOptions(), self.parts, "it begins as a MIDI file does")
        if any(line.startswith("X:") for line in sample.lines) and any(line.startswith("K:") for line in sample.lines):
            return Guess(0.85, MusicOptions(encoding=sample.encoding), self.parts, "tunes in ABC notation")
        return None

    def read(self, source: Source, options: MusicOptions, problems: Problems) -> Examples:
        pieces = [piece for file in _files(source, problems) for piece in _pieces(file, options, problems)]
        pieces = [(name, line, _on_the_piano(name, notes, problems)) for name, line, notes in pieces]
        pieces = [piece for piece in pieces if piece[2]]
        if not pieces:
            problems.raise_first()
            raise StudioError("there is no note in it", where=source.shown, remedy="Choose another file.")
        names, lines = [name for name, _, _ in pieces], [line for _, line, _ in pieces]
        lines = lines if all(lines) else []
        rolls = [piano_roll(notes, options.steps, source.shown) for _, _, notes in pieces]
        excerpt = " ".join(tokens_of(rolls[0])[:200])
        if options.form == "tokens":
            told = tokens("text", [tokens_of(roll) for roll in rolls])
            found = (told, later("next", "text"))
            return Examples(found, names, lines, options=options, unit="tokens", excerpt=excerpt)
        return Examples(
            (
                numbers("inputs", rolls, NAMES, scaling="none"),
                numbers("targets", rolls, NAMES, role="target", scaling="none", shift=1),
            ),
            names,
            lines,
            options=options,
            unit="steps",
        )


def piano_roll(notes: Sequence[Note], steps: int, shown: str) -> npt.NDArray[np.float64]:
    """[steps, 88], 1 where a key is down: from the step nearest to a note's start to that nearest to its end, one at
    least. Raises StudioError for a piece that is too long."""
    last = max(note.end for note in notes) * steps
    if last > MOST_STEPS:
        raise StudioError(
            f"a piece has {last:,.0f} steps, more than {MOST_STEPS:,}",
            where=shown,
            remedy="Take fewer steps a beat, or leave it out.",
        )
    roll = np.zeros((max(round(last), 1) + 1, KEYS))
    end = 1
    for note in notes:
        first = math.floor(note.start * steps + 0.5)
        until = max(math.floor(note.end * steps + 0.5), first + 1)
        roll[first:until, note.pitch - LOWEST] = 1.0
        end = max(end, until)
    return roll[:end]


def tokens_of(roll: npt.NDArray[np.float64]) -> list[str]:
    """What changes at each step, the lowest key first, releases before strokes; then a token of waiting."""
    found: list[str] = []
    before = np.zeros(KEYS)
    for row in (*roll, np.zeros(KEYS)):
        change = row - before
        found += [f"-{NAMES[key]}" for key in np.flatnonzero(change < 0).tolist()]
        found += [f"+{NAMES[key]}" for key in np.flatnonzero(change > 0).tolist()]
        found.append(WAIT)
        before = row
    return found[:-1]


_Piece = tuple[str, int, tuple[Note, ...]]


def _files(source: Source, problems: Problems) -> list[Source]:
    if not is_folder(source.path, source.shown):
        return [source]
    entries = entries_of(source.path, source.shown)
    others = [entry for entry in entries if entry.suffix.lower() not in _TOGETHER]
    if others:
        problems.ignore(f"{len(others)} other entries of the folder", others[0].name)
    music = [entry for entry in entries if entry.suffix.lower() in _TOGETHER and entry.is_file()]
    return [source.inner(entry, f"{source.shown}/{entry.name}") for entry in music]


def _pieces(file: Source, options: MusicOptions, problems: Problems) -> list[_Piece]:
    """Name, line and notes of each piece in a file."""
    name = Path(file.shown).stem
    data = _bytes(file)
    if data.startswith(b"MThd") or file.path.suffix.lower() in _MIDI:
        played = notes_of(data, file.shown)
        if played.drums:
            problems.ignore(f"{played.drums:,} drums of channel 10", name)
        return [(name, 0, played.notes)]
    found: list[_Piece] = []
    lines = Source(file.path, file.shown).lines(options.encoding)
    begins = [number for number, line in enumerate(lines) if line.startswith("X:")]
    for number, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        tune = lines[number:end]
        title = next((line[2:].strip() for line in tune if line.startswith("T:")), name)
        found.append((title, number + 1, notes_of_tune(tune)))
    return found


def _bytes(file: Source) -> bytes:
    if size_of(file.path) > LARGEST_FILE:
        raise StudioError("the file is too large for music", where=file.shown, remedy="Choose a MIDI or ABC file.")
    return head_of(file.path, file.shown, LARGEST_FILE)


def _on_the_piano(name: str, notes: tuple[Note, ...], problems: Problems) -> tuple[Note, ...]:
    kept = tuple(note for note in notes if LOWEST <= note.pitch < LOWEST + KEYS)
    if len(kept) < len(notes):
        problems.ignore(f"{len(notes) - len(kept):,} notes that no piano has", name)
    return kept
