"""The notes of a standard MIDI file (MIDI 1.0, Standard MIDI Files 1.1): who plays them and how loud is left out."""

from __future__ import annotations

from dataclasses import dataclass

from rnnstudio.design.errors import StudioError

DRUMS = 9
"""The channel (the tenth) on which pitches are drums."""


@dataclass(frozen=True)
class Note:
    """start, end: in beats (quarter notes), end > start. pitch: 60 is middle C."""

    start: float
    end: float
    pitch: int


@dataclass(frozen=True)
class Played:
    """notes: by start and pitch. drums: how many of channel 10 were left out."""

    notes: tuple[Note, ...]
    drums: int = 0


def notes_of(data: bytes, shown: str) -> Played:
    """All tracks together. Raises StudioError, with the byte, for what is no MIDI file or is cut off."""
    file = _File(data, shown)
    if file.take(4) != b"MThd":
        raise StudioError("this is no MIDI file: it does not begin with MThd", where=shown)
    length = file.number(4)
    if length < 6:
        raise file.wrong("its head is too short")
    kind, tracks, division = file.number(2), file.number(2), file.number(2)
    file.take(length - 6)
    if division & 0x8000 or not division:
        raise StudioError(
            "its time is in frames of a film, not in beats", where=shown, remedy="Save it with beats (ticks a quarter)."
        )
    notes: list[Note] = []
    drums = 0
    begin = 0.0
    for _ in range(tracks):
        if file.place >= len(data):
            break  # fewer tracks than its head says: those that are there are whole
        name, size = file.take(4), file.number(4)
        if name != b"MTrk":
            file.take(size)
            continue
        found, missed = _track(_File(file.take(size), shown, file.place - size), division, begin)
        notes += found
        drums += missed
        if kind == 2 and found:  # its tracks are pieces of their own, one after another
            begin = max(note.end for note in found)
    return Played(tuple(sorted(notes, key=lambda note: (note.start, note.pitch, note.end))), drums)


@dataclass
class _File:
    """Bytes that are read from the front. first: where they lie in the file, for messages."""

    data: bytes
    shown: str
    first: int = 0
    place: int = 0

    def take(self, count: int) -> bytes:
        if self.place + count > len(self.data):
            raise self.wrong("it is cut off")
        self.place += count
        return self.data[self.place - count : self.place]

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def variable(self) -> int:
        """A number of one to four bytes, seven bits each."""
        value = 0
        for _ in range(4):
            byte = self.number(1)
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value
        raise self.wrong("a number has more than four bytes")

    def wrong(self, what: str) -> StudioError:
        where = f"{self.shown}, byte {self.first + self.place + 1:,}"
        return StudioError(f"the MIDI file is damaged: {what}", where=where, remedy="Get the file once more.")


def _track(file: _File, division: int, begin: float) -> tuple[list[Note], int]:
    """The notes of a track, in beats after `begin`, and how many drums there are."""
    notes: list[Note] = []
    held: dict[tuple[int, int], list[int]] = {}
    now = status = drums = 0
    while file.place < len(file.data):
        now += file.variable()
        first = file.number(1)
        if first >= 0x80:
            status = first
        elif status < 0x80 or status >= 0xF0:
            raise file.wrong("a value stands where an event should begin")
        else:
            file.place -= 1
        if status in (0xF0, 0xF7):
            file.take(file.variable())
        elif status == 0xFF:
            what = file.number(1)
            file.take(file.variable())
            if what == 0x2F:
                break
        elif status >= 0xF0:
            raise file.wrong(f"there is no event {status:#x} in a file")
        else:
            kind, channel = status & 0xF0, status & 0x0F
            values = file.take(1 if kind in (0xC0, 0xD0) else 2)
            if max(values) >= 0x80:
                raise file.wrong("an event is too short")
            if kind not in (0x80, 0x90):
                continue
            key = (channel, values[0])
            if kind == 0x90 and values[1]:
                drums += channel == DRUMS
                held.setdefault(key, []).append(now)
            elif held.get(key):
                _end(notes, held[key].pop(0), now, key, division, begin)
    for key, starts in held.items():  # never let go: they last until the track ends
        for start in starts:
            _end(notes, start, now, key, division, begin)
    return notes, drums


def _end(notes: list[Note], start: int, end: int, key: tuple[int, int], division: int, begin: float) -> None:
    if end > start and key[0] != DRUMS:
        notes.append(Note(begin + start / division, begin + end / division, key[1]))
