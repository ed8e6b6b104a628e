"""Reads a person's file as text, or says why it cannot be: missing, a folder, empty, binary, wrongly encoded.

Everything here works block by block, so that a file of 100 MB costs the memory of a few blocks.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rnnstudio.data.encodings import MARKS, guessed, without_mark
from rnnstudio.data.packed import Entry, Inside, beside
from rnnstudio.data.problems import listed
from rnnstudio.data.progress import step
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import is_made

BLOCK_BYTES = 1 << 20
"""Read at once: some milliseconds of work, after which a reading that was called off ends."""
_AROUND = 1 << 12
"""Bytes before and behind one that cannot be decoded, which tell the encoding rather than the file's beginning."""

# The beginnings of files that people drop in by mistake, and what to do instead.
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive, as Excel, Word and LibreOffice files are", "Save it as CSV or plain text first."),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file", "Save it as CSV or plain text first."),
    (b"%PDF", "a PDF", "Save its text as a plain text file first."),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "Unpack it first."),
    (b"\x89PNG", "a PNG picture", "Choose a text or CSV file."),
    (b"\xff\xd8\xff", "a JPEG picture", "Choose a text or CSV file."),
    (b"GIF8", "a GIF picture", "Choose a text or CSV file."),
    (b"SQLite format 3", "an SQLite database", "Export the table as CSV first."),
    (b"PAR1", "a Parquet file", "Save it as CSV first."),
    (b"\x7fELF", "a program", "Choose a text or CSV file."),
)
_CONTROL = bytes(set(range(32)) - {0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x1B})


@dataclass(frozen=True)
class FileFacts:
    """What one pass over a readable text file found: size in bytes, SHA-256, number of lines, number of characters."""

    size: int
    digest: str
    lines: int
    characters: int


def resolve(path: str, base: Path) -> Path:
    """The file a recipe means: absolute as it is, `~` expanded, else relative to `base`. A task's name stays."""
    if is_made(path):
        return Path(path)
    wanted = Path(path).expanduser()
    return wanted if wanted.is_absolute() else base / wanted


def outside(path: str, base: Path) -> bool:
    """Whether a recipe's path leaves the folder `base`: such a file is opened only after asking the person."""
    return not is_made(path) and not resolve(path, base).resolve().is_relative_to(base.resolve())


def check_encoding(name: str) -> str:
    """The name again if Python knows it as a text encoding. Raises StudioError otherwise."""
    try:
        "".encode(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError) as error:
        raise StudioError(
            f"there is no text encoding called {name!r}",
            where="option encoding",
            remedy="Use for example utf-8, utf-16, cp1252, cp1251 (Windows), gb18030, shift_jis or latin-1.",
        ) from error
    return name


def _wide(encoding: str) -> bool:
    return codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))


def _unreachable(error: OSError, shown: str) -> StudioError:
    """A folder above it may not be looked into, or itself."""
    return StudioError(
        f"the file cannot be reached: {error.strerror}", where=shown, remedy="Check the permissions of its folders."
    )


def is_folder(path: Entry, shown: str) -> bool:
    """Whether it is a folder. Raises StudioError where that cannot be known."""
    try:
        return path.is_dir()
    except OSError as error:
        raise _unreachable(error, shown) from error


def entries_of(path: Entry, shown: str) -> list[Entry]:
    """What lies in a folder, by name, a packed file as what it holds. Raises StudioError: it may not be looked into."""
    try:
        if isinstance(path, Inside):
            return sorted(path.iterdir(), key=lambda entry: entry.name)
        return [beside(entry) for entry in sorted(path.iterdir())]
    except OSError as error:
        raise _unreachable(error, shown) from error


def size_of(path: Entry) -> int:
    """Of a file in bytes, 0 where it cannot be known: who opens it will say why. Of a long packed one an estimate."""
    try:
        return path.size if isinstance(path, Inside) else path.stat().st_size
    except OSError:
        return 0


def opened(path: Entry, shown: str) -> io.BufferedReader:
    """The file's bytes, unpacked. Raises StudioError for what is missing, a folder, a device, or not to be read."""
    try:
        there = path.exists()
    except OSError as error:
        raise _unreachable(error, shown) from error
    if not there:
        raise StudioError("the file does not exist", where=shown, remedy="Check the path, or choose another file.")
    if path.is_dir():
        raise folder_error(path, shown)
    if not path.is_file():
        raise StudioError(
            "this is a device or a pipe, not a file", where=shown, remedy="Save its data as a file, and choose that."
        )
    try:
        return path.open("rb")
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise StudioError(
            f"the file cannot be opened: {why}", where=shown, remedy="Check its permissions, or copy it elsewhere."
        ) from error


def folder_error(path: Entry, shown: str) -> StudioError:
    """What is told where a file is wanted, and this is a folder."""
    if not isinstance(path, Inside):
        return StudioError("this is a folder, not a file", where=shown, remedy="Choose a file in it.")
    assert path.archive is not None
    names = listed(map(str, path.archive.data_files()), 8)
    what = "this is an archive of several files, not one"
    return StudioError(what, where=shown, remedy=f"Set the option member to one of them: {names}.")


def text_of(path: Entry, shown: str, encoding: str) -> io.TextIOWrapper:
    """A file as a stream of text from its first character behind a mark, every line end as "\\n"."""
    stream = opened(path, shown)
    takes = codecs.lookup(encoding).name in _TAKE_MARKS
    written = b"" if takes else "\ufeff".encode(encoding, "ignore")
    if written and stream.peek(len(written)).startswith(written):
        stream.read(len(written))
    return io.TextIOWrapper(stream, encoding)


_TAKE_MARKS = ("utf-16", "utf-32", "utf-8-sig")
"""Codecs that leave a byte-order mark out by themselves."""


def head_of(path: Entry, shown: str, size: int = 1 << 16) -> bytes:
    """The file's first bytes. Raises StudioError for a file that is missing, a folder, unreadable or empty."""
    with opened(path, shown) as stream:
        head = stream.read(size)
    if not head:
        raise StudioError("the file is empty", where=shown, remedy="Choose a file with data in it.")
    return head


def check_text(head: bytes, shown: str, encoding: str) -> None:
    """Raises StudioError when a file that begins with `head` is binary, or is in UTF-16 or UTF-32 unlike `encoding`."""
    for signature, what, remedy in _SIGNATURES:
        if head.startswith(signature):
            raise StudioError(f"this is {what}, not a text file", where=shown, remedy=remedy)
    if _wide(encoding):
        return
    for mark, name in MARKS:
        if head.startswith(mark) and name != "utf-8":
            raise StudioError(
                f"the file is not in {encoding}: it begins with the mark of {name}",
                where=f"{shown}, line 1, column 1",
                remedy=f'Set the encoding option to "{name}".',
            )
    if 0 in head:
        wide = without_mark(head)
        if wide is not None:
            raise StudioError(
                f"the file is not in {encoding}: it has zero bytes as {wide} has them",
                where=f"{shown}, line 1, column 1",
                remedy=f'Set the encoding option to "{wide}".',
            )
    if 0 in head or len(head) - len(head.translate(None, _CONTROL)) > 0.02 * len(head):
        raise StudioError("the file is binary, not text", where=shown, remedy="Choose a plain text or CSV file.")


def _working_encoding(path: Entry, shown: str, around: bytes) -> str | None:
    """An encoding that reads the whole file, the likeliest by the bytes around a place first."""
    for name in dict.fromkeys((guessed(around, False), "utf-8", "cp1252", "latin-1")):
        decoder = codecs.getincrementaldecoder(name)()
        with opened(path, shown) as stream:
            try:
                while block := stream.read(BLOCK_BYTES):
                    decoder.decode(block)
                decoder.decode(b"", True)
            except UnicodeDecodeError:
                continue
        return name
    return None


def survey(path: Entry, shown: str, encoding: str) -> FileFacts:
    """Reads the file once, only to know that it can be read as `encoding`. Raises StudioError with line and column."""
    reading = Reading(path, shown, encoding)
    for _ in reading:
        pass
    return reading.facts()


class Reading:
    """One pass over a file: iterate for its text, then ask for `facts()`.

    The text comes some megabytes at a time, without a byte-order mark, every line end as "\\n". shown: the path as the
    person knows it, for messages. Iterating raises StudioError with line and column. most: bytes after which it ends,
    with the last whole line of them; 0: never. cut: whether it did.
    """

    def __init__(self, path: Entry, shown: str, encoding: str, most: int = 0) -> None:
        self.path = path
        self.shown = shown
        self.encoding = check_encoding(encoding)
        self.most = most
        self.cut = False
        self._sha = hashlib.sha256()
        self._size = 0
        self._line = 1
        self._column = 1
        self._characters = 0

    @property
    def done(self) -> int:
        """Bytes read so far."""
        return self._size

    def facts(self) -> FileFacts:
        """The facts of the part read so far."""
        lines = self._line - 1 + (self._column > 1)
        return FileFacts(self._size, self._sha.hexdigest(), lines, self._characters)

    def __iter__(self) -> Iterator[str]:
        check_text(head_of(self.path, self.shown), self.shown, self.encoding)
        decoder = codecs.getincrementaldecoder(self.encoding)()
        newlines = io.IncrementalNewlineDecoder(None, translate=True)
        total = min(size_of(self.path), self.most or sys.maxsize)
        with opened(self.path, self.shown) as stream:
            while True:
                step("reading", self._size, total)
                raw = stream.read(min(BLOCK_BYTES, self.most - self._size) if self.most else BLOCK_BYTES)
                self.cut = bool(raw) and self._size + len(raw) == self.most and bool(stream.peek(1))
                self._sha.update(raw)
                try:
                    piece = decoder.decode(raw, not raw)
                except UnicodeDecodeError as error:
                    raise self._undecodable(error, newlines) from error
                except UnicodeError as error:  # of utf-16 and utf-32 alone
                    raise StudioError(
                        f"the file does not begin with the mark of {self.encoding}",
                        where=self._place(),
                        remedy=f'Set the encoding option to "{self.encoding}-le" or "{self.encoding}-be".',
                    ) from error
                piece = newlines.decode(piece, final=not raw)
                if not self._size:
                    piece = piece.removeprefix("\ufeff")
                self._size += len(raw)
                if "\x00" in piece:
                    self._advance(piece[: piece.index("\x00")])
                    raise StudioError(
                        "there is a zero character: the file is binary or damaged",
                        where=self._place(),
                        remedy="Choose a plain text or CSV file.",
                    )
                if self.cut:
                    piece = piece[: piece.rfind("\n") + 1] or piece
                if piece:
                    self._advance(piece)
                    yield piece
                if not raw or self.cut:
                    return

    def _advance(self, piece: str) -> None:
        self._characters += len(piece)
        self._line += piece.count("\n")
        last = piece.rfind("\n")
        self._column = self._column + len(piece) if last < 0 else len(piece) - last

    def _place(self) -> str:
        return f"{self.shown}, line {self._line}, column {self._column}"

    def _undecodable(self, error: UnicodeDecodeError, newlines: io.IncrementalNewlineDecoder) -> StudioError:
        good = error.object[: error.start].decode(self.encoding, "ignore")
        self._advance(newlines.decode(good, final=True))
        found = " ".join(f"0x{byte:02x}" for byte in error.object[error.start : error.end][:4])
        what = f"the file is not in {self.encoding}: it has the byte {found}"
        around = error.object[max(error.start - _AROUND, 0) : error.start + _AROUND]
        if self.encoding == "utf-8" and guessed(around, False) == "utf-8":
            remedy = "What stands around it is UTF-8: correct this place, or save the file as UTF-8 again."
            return StudioError(what, where=self._place(), remedy=remedy)
        works = _working_encoding(self.path, self.shown, around)
        remedy = f'Set the encoding option to "{works}", which reads the whole file, or s' if works else "S"
        return StudioError(what, where=self._place(), remedy=f"{remedy}ave the file as UTF-8.")
