"""What readers are given: a bounded sample of a file, to guess from, and the file itself, to read."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from rnnstudio.data.encodings import guessed, marked
from rnnstudio.data.files import (
    BLOCK_BYTES,
    FileFacts,
    Reading,
    check_text,
    entries_of,
    folder_error,
    head_of,
    is_folder,
    opened,
    resolve,
    size_of,
)
from rnnstudio.data.packed import Entry, Inside, located
from rnnstudio.design.errors import StudioError

SAMPLE_BYTES = 1 << 19
"""A guess looks at so much of a file, however long the file or its lines are."""

LINES = 2000

GROUP_NAMES = frozenset(
    (
        *("group", "series", "sequence", "id", "series_id", "unique_id", "subject", "store", "sensor", "symbol"),
        *("subject_id", "user", "user_id", "speaker", "speaker_id", "patient", "patient_id", "person", "author"),
        *("session", "session_id", "customer", "customer_id", "document", "doc_id", "recording", "device", "writer"),
    )
)
"""What columns are called whose values tell what belongs together."""

LONG_ROWS, _FEW_LINES = 1 << 23, 8
"""Of a table whose rows are so long that the sample holds few of them, so many bytes are looked at, or lines."""


@dataclass(frozen=True)
class Sample:
    """The beginning of a file, or the names in a folder.

    path: the file or folder, unpacked; shown: the path as the person knows it. head: its first bytes ("" of a folder).
    size: of the file, in bytes; of a packed one about. entries: of a folder. given: the encoding, where it is known.
    """

    path: Entry
    shown: str
    head: bytes
    size: int
    entries: tuple[Entry, ...] = ()
    given: str = ""

    @classmethod
    def of(cls, path: Entry, shown: str, encoding: str = "") -> Sample:
        """encoding: of the text, "" = found. Raises StudioError for a file that is missing, unreadable or empty."""
        if isinstance(path, Path):
            path = located(path, shown)
        if is_folder(path, shown):
            return cls(path, shown, b"", 0, tuple(entries_of(path, shown)[:LINES]), given=encoding)
        head = head_of(path, shown, SAMPLE_BYTES)
        size = len(head) if len(head) < SAMPLE_BYTES else size_of(path)
        if len(head) == SAMPLE_BYTES and head.count(b"\n") < _FEW_LINES and _like_rows(head):
            head = _lines_of(head_of(path, shown, LONG_ROWS))
        return cls(path, shown, head, size, given=encoding)

    @property
    def folder(self) -> bool:
        return self.path.is_dir()

    @property
    def suffix(self) -> str:
        return self.path.suffix.lower()

    @property
    def whole(self) -> bool:
        """Whether the sample is the whole file."""
        return len(self.head) >= self.size

    @cached_property
    def why_not(self) -> StudioError | None:
        """Why this is no text, or None."""
        if self.folder:
            return folder_error(self.path, self.shown)
        try:
            check_text(self.head, self.shown, self.encoding)
        except StudioError as error:
            return error
        return None

    @cached_property
    def encoding(self) -> str:
        """As given; by its mark or its zeros; UTF-8 where it fits; else a guess. Of a folder: of its first texts."""
        if self.given:
            return self.given
        if self.folder:
            return _encoding_of_folder(self.entries, self.shown)
        return marked(self.head) or guessed(self.head, self.whole)

    @cached_property
    def text(self) -> str:
        """The sample as text, every line end as "\\n", without a byte-order mark; "" where it is none."""
        if self.why_not is not None:
            return ""
        decoded = codecs.getincrementaldecoder(self.encoding)("replace").decode(self.head, self.whole)
        return decoded.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The first lines with their line ends: none cut off at the sample's end, unless it is the only one."""
        lines = _lines(self.text)
        if not self.whole and len(lines) > 1 and not lines[-1].endswith("\n"):
            lines = lines[:-1]
        return tuple(lines[:LINES])

    @property
    def count(self) -> int:
        """How many lines the file has; where the sample is not the whole of it, an estimate."""
        here = self.text.count("\n") + (not self.text.endswith("\n"))
        return here if self.whole else int(here * self.size / max(len(self.head), 1))


_FILES = 200
"""So many files of a folder are asked for its encoding; all have one."""


def _encoding_of_folder(entries: tuple[Entry, ...], shown: str) -> str:
    """The encoding of the first texts of a folder that are not UTF-8, taken together."""
    waiting, heads = list(entries[::-1]), []
    for _ in range(_FILES):
        if not waiting:
            break
        entry = waiting.pop()
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            waiting += entries_of(entry, shown)[:LINES][::-1]
            continue
        try:
            head = head_of(entry, shown, SAMPLE_BYTES // _FILES)
            check_text(head, shown, "utf-8")
        except StudioError:
            continue  # no text, or one that the reader will tell of
        if guessed(head, False) != "utf-8":
            heads.append(head)
    return guessed(b"\n".join(heads), False) if heads else "utf-8"


def _like_rows(head: bytes) -> bool:
    """Whether bytes look like cells between delimiters, or numbers between spaces."""
    marks = max(map(head.count, (b",", b"\t", b";", b"|")))
    digits = len(head) - len(head.translate(None, b"0123456789"))
    return marks * 64 > len(head) or (digits * 3 > len(head) and head.count(b" ") * 64 > len(head))


def _lines_of(head: bytes) -> bytes:
    """The first lines, as many as are enough to guess from."""
    end = 0
    for _ in range(_FEW_LINES):
        end = head.find(b"\n", end) + 1
        if not end:
            return head
    return head[:end]


def _lines(text: str) -> list[str]:
    """Lines as a file has them: split at line feeds alone."""
    pieces = text.split("\n")
    ended = [f"{piece}\n" for piece in pieces[:-1]]
    return [*ended, pieces[-1]] if pieces[-1] else ended


LONGEST_LINE = 1 << 24
"""Characters of a line that is taken apart: what it is in pieces needs some thirty times as much memory."""


def lines_of(text: str, shown: str) -> list[str]:
    """The lines of a text, the last one behind the last line feed. Raises StudioError for one that is too long."""
    lines = text.split("\n")
    if len(text) > LONGEST_LINE:
        long = next((number for number, line in enumerate(lines, 1) if len(line) > LONGEST_LINE), None)
        if long is not None:
            raise StudioError(
                f"the line has {len(lines[long - 1]):,} characters, more than {LONGEST_LINE:,}",
                where=f"{shown}, line {long}",
                remedy="Break it into lines, or read the file as text.",
            )
    return lines


@dataclass
class Source:
    """A file that is being read. Owner: one call of a reader's `read`. Remembers what was read, for the fingerprint.

    path: the file or folder, unpacked: asked like a path where it lies in an archive; shown: as the person knows it.
    column: the one that the split goes by, "" = none. kept: cells of each example, by column; see keeper.
    most: bytes of a text that are read, 0 = all; what is read then ends with a line. shortened: set by a reader that
    leaves a part out in a way of its own.
    """

    path: Entry
    shown: str
    most: int = 0
    column: str = ""
    kept: dict[str, list[str]] = field(default_factory=dict)
    shortened: bool = field(default=False, kw_only=True)
    _readings: list[Reading] = field(default_factory=list)
    _others: list[Entry] = field(default_factory=list)

    def reading(self, encoding: str = "utf-8") -> Reading:
        """The text in pieces of some megabytes, every line end as "\\n"; see Reading for errors."""
        made = Reading(self.path, self.shown, encoding, self.most)
        self._readings.append(made)
        return made

    def text(self, encoding: str = "utf-8") -> str:
        """The whole text. Raises StudioError with line and column: it is missing, empty, binary or wrongly encoded."""
        return "".join(self.reading(encoding))

    def lines(self, encoding: str = "utf-8") -> list[str]:
        """The lines of the text, without their ends. Raises StudioError for one that is too long to be taken apart."""
        lines = lines_of(self.text(encoding), self.shown)
        return lines[:-1] if lines and not lines[-1] else lines

    def wants(self, name: str) -> bool:
        """Whether a column tells which examples belong together, or to which part: its cells are kept."""
        return name == self.column or name.lower() in GROUP_NAMES

    def keeper(self, names: Sequence[str]) -> Callable[[Sequence[str]], None]:
        """What takes the row of each example that is read and keeps what the split may go by. names: of the columns."""
        wanted = [(place, self.kept.setdefault(name, [])) for place, name in enumerate(names) if self.wants(name)]

        def keep(row: Sequence[str]) -> None:
            for place, cells in wanted:
                cells.append(row[place] if place < len(row) else "")

        return keep

    def beside(self, path: str) -> Source:
        """Another file that belongs to this one, relative to its folder: it counts for the fingerprint, too."""
        folder = self.path.parent
        return self.inner(folder / path if isinstance(folder, Inside) else located(resolve(path, folder), path), path)

    def inner(self, entry: Entry, shown: str) -> Source:
        """A file of this folder, as `entries_of` lists it: it counts for the fingerprint, too."""
        other = Source(entry, shown, self.most, _readings=self._readings)
        self._others.append(entry)
        return other

    def bytes(self) -> bytes:
        """All of the file, unpacked."""
        with opened(self.path, self.shown) as stream:
            return stream.read()

    @property
    def cut(self) -> bool:
        """Whether a part of the file was left out, as `most` says."""
        return self.shortened or any(reading.cut for reading in self._readings)

    def facts(self) -> FileFacts:
        """Size, fingerprint, lines and characters of all that was read."""
        if len(self._readings) == 1 and not self._others:
            return self._readings[0].facts()
        if self._readings:
            facts = [reading.facts() for reading in self._readings]
            digest = hashlib.sha256("".join(f.digest for f in facts).encode()).hexdigest()
            lines, characters = sum(f.lines for f in facts), sum(f.characters for f in facts)
            return FileFacts(sum(f.size for f in facts), digest, lines, characters)
        sha, size = hashlib.sha256(), 0
        folder = is_folder(self.path, self.shown)
        for name, path in _files_below(self.path) if folder else [("", self.path)]:
            if folder:
                sha.update(name.encode())
            with opened(path, self.shown) as stream:
                while block := stream.read(BLOCK_BYTES):
                    sha.update(block)
                    size += len(block)
        return FileFacts(size, sha.hexdigest(), 0, 0)


def _files_below(folder: Entry) -> list[tuple[str, Entry]]:
    """All files of a folder, each with its name from there on, by name."""
    if isinstance(folder, Inside):
        return [(str(entry.inner.relative_to(folder.inner)), entry) for entry in folder.walk()]
    return [(path.relative_to(folder).as_posix(), path) for path in sorted(folder.rglob("*")) if path.is_file()]
