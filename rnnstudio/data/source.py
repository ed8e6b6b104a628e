"""What readers are given: a bounded sample of a file, to guess from, and the file itself, to read."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from rnnstudio.data.files import (
    BLOCK_BYTES,
    FileFacts,
    Reading,
    check_text,
    encoding_by_mark,
    entries_of,
    head_of,
    is_folder,
    resolve,
)
from rnnstudio.design.errors import StudioError

SAMPLE_BYTES = 1 << 19
"""A guess looks at so much of a file, however long the file or its lines are."""

LINES = 2000


@dataclass(frozen=True)
class Sample:
    """The beginning of a file, or the names in a folder.

    path: the file or folder; shown: the path as the person knows it. head: its first bytes ("" of a folder).
    size: of the file, in bytes. entries: of a folder. given: the encoding, where it is known.
    """

    path: Path
    shown: str
    head: bytes
    size: int
    entries: tuple[Path, ...] = ()
    given: str = ""

    @classmethod
    def of(cls, path: Path, shown: str, encoding: str = "") -> Sample:
        """encoding: of the text, "" = found. Raises StudioError for a file that is missing, unreadable or empty."""
        if is_folder(path, shown):
            return cls(path, shown, b"", 0, tuple(entries_of(path, shown)[:LINES]))
        head = head_of(path, shown, SAMPLE_BYTES)
        return cls(path, shown, head, path.stat().st_size, given=encoding)

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
            return StudioError("this is a folder, not a file", where=self.shown, remedy="Choose a file in it.")
        try:
            check_text(self.head, self.shown, self.encoding)
        except StudioError as error:
            return error
        return None

    @cached_property
    def encoding(self) -> str:
        """By its mark or its zeros; else the first of UTF-8, cp1252 and latin-1 that reads the sample."""
        marked = self.given or encoding_by_mark(self.head)
        if marked:
            return marked
        for name in ("utf-8", "cp1252"):
            try:
                codecs.getincrementaldecoder(name)().decode(self.head, self.whole)
            except UnicodeDecodeError:
                continue
            return name
        return "latin-1"

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
        if not self.whole and len(lines) > 1:
            lines = lines[:-1]
        return tuple(lines[:LINES])

    @property
    def count(self) -> int:
        """How many lines the file has; where the sample is not the whole of it, an estimate."""
        here = self.text.count("\n") + (not self.text.endswith("\n"))
        return here if self.whole else int(here * self.size / max(len(self.head), 1))


def _lines(text: str) -> list[str]:
    """Lines as a file has them: split at line feeds alone."""
    pieces = text.split("\n")
    ended = [f"{piece}\n" for piece in pieces[:-1]]
    return [*ended, pieces[-1]] if pieces[-1] else ended


@dataclass
class Source:
    """A file that is being read. Owner: one call of a reader's `read`. Remembers what was read, for the fingerprint.

    path: the file or folder; shown: the path as the person knows it.
    """

    path: Path
    shown: str
    _readings: list[Reading] = field(default_factory=list)
    _others: list[Path] = field(default_factory=list)

    def reading(self, encoding: str = "utf-8") -> Reading:
        """The text in pieces of some megabytes, every line end as "\\n"; see Reading for errors."""
        made = Reading(self.path, self.shown, encoding)
        self._readings.append(made)
        return made

    def text(self, encoding: str = "utf-8") -> str:
        """The whole text. Raises StudioError with line and column: it is missing, empty, binary or wrongly encoded."""
        return "".join(self.reading(encoding))

    def lines(self, encoding: str = "utf-8") -> list[str]:
        """The lines of the text, without their ends."""
        lines = self.text(encoding).split("\n")
        return lines[:-1] if lines and not lines[-1] else lines

    def beside(self, path: str) -> Source:
        """Another file that belongs to this one, relative to its folder: it counts for the fingerprint, too."""
        other = Source(resolve(path, self.path.parent), path, self._readings)
        self._others.append(other.path)
        return other

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
        files = sorted(p for p in self.path.rglob("*") if p.is_file()) if self.path.is_dir() else [self.path]
        for path in files:
            if self.path.is_dir():
                sha.update(path.relative_to(self.path).as_posix().encode())
            with path.open("rb") as stream:
                while block := stream.read(BLOCK_BYTES):
                    sha.update(block)
                    size += len(block)
        return FileFacts(size, sha.hexdigest(), 0, 0)
