"""Packed files, gzip, bzip2, xz and zip, read as what they hold, within bounds. Nothing is written to the disk.

`located` says what a path holds: the path itself, or an `Inside`, which is asked like a path: its name, whether it is a
file or a folder, what lies in it, and its bytes. Everything that can be wrong with a packed file is one StudioError.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, TypeAlias

from rnnstudio.design.errors import StudioError

ZIP = (b"PK\x03\x04", b"PK\x05\x06")
STREAMS: tuple[tuple[bytes, str, tuple[str, ...]], ...] = (
    (b"\x1f\x8b\x08", "gzip", (".gz", ".gzip")),
    (b"BZh", "bzip2", (".bz2",)),
    (b"\xfd7zXZ\x00", "xz", (".xz",)),
)
"""First bytes, what is called so, and its suffixes."""
SUFFIXES = tuple(suffix for _, _, suffixes in STREAMS for suffix in suffixes)
_DOCUMENTS = ("[Content_Types].xml", "mimetype", "META-INF/")
"""What the zip archives hold that are a Word, Excel or LibreOffice document, or a program."""
_LEAVE = (".npz", ".xlsx", ".docx", ".pptx", ".odt", ".ods", ".jar", ".whl", ".pt", ".apk", ".epub")
"""Zip archives that are a file of another kind."""
_ABOUT = ("readme", "license", "licence", "copying", "notice", "changelog", "citation")
FREE_BYTES = 1 << 26
"""Up to so many bytes nobody asks how many times its size a file unpacks to."""
_MOST_MEMORY = 1 << 28
"""Of a decompressor: xz -9 needs 65 MB."""
_MOST_NAMES = 1 << 25
"""Bytes of the list of names at the end of a zip archive."""
_BLOCK = 1 << 18
_READ_AHEAD = 1 << 15
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, struct.error, ValueError, RuntimeError)


@dataclass(frozen=True)
class Bounds:
    """What a packed file may unpack to: megabytes in all, and how many times its size from FREE_BYTES on."""

    megabytes: int = 8192
    times: int = 200

    def check(self, unpacked: int, packed: int, shown: str) -> None:
        """Raises StudioError where `unpacked` bytes are too many for `packed` ones."""
        if unpacked > self.megabytes * 1_000_000:
            raise StudioError(
                f"it unpacks to more than {self.megabytes:,} MB",
                where=shown,
                remedy="Set the option unpacked_megabytes to more if you trust it, or unpack it first.",
            )
        if unpacked > FREE_BYTES and unpacked > self.times * packed:
            raise StudioError(
                f"it unpacks to more than {self.times:,} times its size, as no text or table does",
                where=shown,
                remedy="Set the option unpacked_times to more if you trust it, or unpack it first.",
            )


@dataclass(frozen=True)
class Inside:
    """A file or folder in a packed file. outer: that file; shown: as the person knows it; inner: the name in there.

    kind: gzip, bzip2, xz, or zip, and then `archive`.
    """

    outer: Path
    shown: str
    inner: PurePosixPath
    kind: str
    bounds: Bounds = Bounds()
    archive: Archive | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        return self.inner.name or self.outer.stem

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> Entry:
        """The folder in the archive; that of the packed file where it holds no folders."""
        if self.archive is None:
            return self.outer.parent
        return self._other(self.inner.parent)

    def __truediv__(self, name: str) -> Entry:
        return self._other(self.inner / name)

    def __lt__(self, other: Inside) -> bool:
        return self.inner < other.inner

    def __str__(self) -> str:
        return str(self.outer) if self.archive is None else f"{self.outer}/{self.inner}"

    def _other(self, inner: PurePosixPath) -> Inside:
        shown = self.shown if self.archive is None else self.archive.shown
        name = shown if inner == PurePosixPath(".") or self.archive is None else f"{shown}/{inner}"
        return Inside(self.outer, name, inner, self.kind, self.bounds, self.archive)

    def exists(self) -> bool:
        return self.is_file() or self.is_dir()

    def is_file(self) -> bool:
        return self.archive is None or self.inner in self.archive.files

    def is_dir(self) -> bool:
        return self.archive is not None and self.inner in self.archive.folders

    def iterdir(self) -> Iterator[Inside]:
        assert self.archive is not None
        return (self._other(inner) for inner in self.archive.folders[self.inner])

    def others(self) -> list[str]:
        """The other files of its archive."""
        return (
            [] if self.archive is None else [str(inner) for inner in self.archive.data_files() if inner != self.inner]
        )

    def walk(self) -> list[Inside]:
        """All files below it, by name."""
        assert self.archive is not None
        return [self._other(inner) for inner in sorted(self.archive.files) if self.inner in inner.parents]

    @property
    def packed(self) -> int:
        """Its size in bytes as it is packed."""
        if self.archive is None:
            return self.outer.stat().st_size
        return min(self.archive.files[self.inner].compress_size, self.outer.stat().st_size)

    @cached_property
    def size(self) -> int:
        """How many bytes it unpacks to; of a long stream an estimate from its beginning."""
        if self.archive is not None:
            return self.archive.files[self.inner].file_size
        raw = self.outer.open("rb")
        with raw, io.BufferedReader(_Unpacked(_decompressor(raw, self.kind), self)) as stream:
            done = len(stream.read(1 << 21))
            return done if not stream.read(1) else max(done * self.packed // max(raw.tell(), 1), done)

    def open(self, mode: str = "rb") -> io.BufferedReader:
        """Its bytes. Raises StudioError here or where it is read: damaged, cut, too large, encrypted, packed again."""
        assert mode == "rb"
        if self.archive is not None:
            found = self.archive.open(self)
        else:
            found = _decompressor(self.outer.open("rb"), self.kind)
        stream: io.BufferedReader = io.BufferedReader(_Unpacked(found, self), _BLOCK)
        try:
            _refuse_packed(stream.peek(512), self)
        except BaseException:
            stream.close()
            raise
        return stream

    def read_bytes(self) -> bytes:
        with self.open() as stream:
            return stream.read()


Entry: TypeAlias = Path | Inside
"""A file or folder on disk, or in a packed file."""


class _Unpacked(io.RawIOBase):
    """What a decompressor gives, counted; whatever is wrong is a StudioError. Owns the decompressor."""

    def __init__(self, inner: IO[bytes], entry: Inside) -> None:
        self._inner, self._entry = inner, entry
        self._done, self._packed = 0, entry.packed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with _told(self._entry):
            data = self._inner.read(len(buffer))
        self._done += len(data)
        self._entry.bounds.check(self._done, self._packed, self._entry.shown)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._inner.close()
        super().close()


@contextmanager
def _told(entry: Inside) -> Iterator[None]:
    """In this block a damaged packed file becomes a StudioError."""
    again = "Fetch it or pack it again."
    try:
        yield
    except StudioError:
        raise
    except EOFError as error:
        what = f"the {entry.kind} file is cut: it ends before its data does"
        raise StudioError(what, where=entry.shown, remedy=again) from error
    except NotImplementedError as error:
        what = "it is packed in a way that is not known here, or needs too much memory to be unpacked"
        raise StudioError(what, where=entry.shown, remedy="Unpack it first.") from error
    except _BROKEN as error:
        why = " ".join(str(error).split())[:120]
        what = f"the {entry.kind} file is cut or damaged" + (f": {why}" if why else "")
        raise StudioError(what, where=entry.shown, remedy=again) from error


class _Xz(io.RawIOBase):
    """xz, as lzma.LZMAFile reads it, with a bound on its memory. Owns the raw stream."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._one = self._new()
        self._begun = False

    def _new(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_MEMORY)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while True:
            if self._one.eof:
                rest = (self._one.unused_data or self._raw.read(_READ_AHEAD)).lstrip(b"\x00")
                while not rest:
                    more = self._raw.read(_READ_AHEAD)
                    if not more:
                        return b""
                    rest = more.lstrip(b"\x00")
                self._one = self._new()
            elif self._one.needs_input:
                rest = self._raw.read(_READ_AHEAD)
                if not rest:
                    raise EOFError
            else:
                rest = b""
            try:
                data = self._one.decompress(rest, size)
            except lzma.LZMAError as error:
                if "emory" in str(error):
                    raise NotImplementedError from error
                raise
            if data:
                return data

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Owning(io.RawIOBase):
    """A decompressor of the standard library that closes the file below it, too."""

    def __init__(self, inner: IO[bytes], raw: IO[bytes]) -> None:
        self._inner, self._raw = inner, raw

    def read(self, size: int = -1) -> bytes:
        return self._inner.read(size)

    def close(self) -> None:
        self._inner.close()
        self._raw.close()
        super().close()


def _decompressor(raw: IO[bytes], kind: str) -> IO[bytes]:
    if kind == "xz":
        return _Xz(raw)  # type: ignore[return-value]
    inner: IO[bytes] = gzip.GzipFile(fileobj=raw) if kind == "gzip" else bz2.BZ2File(raw)  # type: ignore[assignment]
    return _Owning(inner, raw)  # type: ignore[return-value]


def _refuse_packed(head: bytes, entry: Inside) -> None:
    """Raises StudioError for a packed file in a packed file, and for an archive of tar."""
    tar = head[257:262] == b"ustar"
    again = head.startswith((*ZIP, *(sign for sign, _, _ in STREAMS))) and entry.suffix.lower() not in _LEAVE
    if tar or again:
        raise StudioError(
            "it holds an archive of tar" if tar else "it holds a file that is packed once more",
            where=entry.shown,
            remedy="Unpack it, and choose the file or folder that was in it.",
        )


class Archive:
    """The files and folders of a zip archive, by name. The file stays open as long as somebody has an Inside of it.

    Left out is what people do not see (names that begin with a dot, __MACOSX), and links.
    """

    def __init__(self, path: Path, shown: str, bounds: Bounds) -> None:
        self.path, self.shown = path, shown
        self.files: dict[PurePosixPath, zipfile.ZipInfo] = {}
        self.folders: dict[PurePosixPath, list[PurePosixPath]] = {PurePosixPath("."): []}
        with _told(Inside(path, shown, PurePosixPath("."), "zip", bounds)):
            _refuse_many_names(path, shown)
            self._zip = zipfile.ZipFile(path)
        for info in self._zip.infolist():
            self._take(info)
        if not self.files:
            raise StudioError("the archive holds no file", where=shown, remedy="Choose a file with data in it.")

    def _take(self, info: zipfile.ZipInfo) -> None:
        name = info.filename.replace("\\", "/")
        inner = PurePosixPath(name)
        if inner.is_absolute() or ".." in inner.parts or name[1:2] == ":":
            raise StudioError(
                f"the name {name[:80]!r} leaves the archive",
                where=self.shown,
                remedy="Nothing of it is read. Unpack it with care, and choose the file itself.",
            )
        linked = stat.S_ISLNK(info.external_attr >> 16)
        if info.is_dir() or linked or any(part.startswith((".", "__MACOSX")) for part in inner.parts):
            return
        if info.flag_bits & 1:
            raise StudioError(
                f"the archive is encrypted: {name[:80]!r} needs a password",
                where=self.shown,
                remedy="Unpack it with its password first.",
            )
        if inner in self.folders or any(parent in self.files for parent in inner.parents):
            raise StudioError(f"{name[:80]!r} is a file and a folder", where=self.shown, remedy="Pack it again.")
        if inner not in self.files:
            self._list(inner)
        self.files[inner] = info

    def _list(self, inner: PurePosixPath) -> None:
        """Enter a name in its folder, and that in the one above it."""
        while inner.name:
            known = inner.parent in self.folders
            self.folders.setdefault(inner.parent, []).append(inner)
            if known:
                return
            inner = inner.parent

    def open(self, entry: Inside) -> IO[bytes]:
        with _told(entry):
            return self._zip.open(self.files[entry.inner])

    def data_files(self) -> list[PurePosixPath]:
        """All files but those that only say something about the others."""
        told = [inner for inner in self.files if inner.stem.lower().startswith(_ABOUT)]
        return sorted(set(self.files) - set(told)) or sorted(self.files)

    def root(self) -> PurePosixPath:
        """The outermost folder that holds more than one folder."""
        here = PurePosixPath(".")
        while len(self.folders[here]) == 1 and self.folders[here][0] in self.folders:
            here = self.folders[here][0]
        return here


def _refuse_many_names(path: Path, shown: str) -> None:
    """Raises StudioError for an archive whose list of names would fill the memory."""
    with path.open("rb") as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(max(size - (1 << 16) - 22, 0))
        tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        return
    names = struct.unpack_from("<L", tail, at + 12)[0]
    far = tail.rfind(b"PK\x06\x06", 0, at)
    if names == 0xFFFFFFFF and far >= 0 and len(tail) >= far + 48:
        names = struct.unpack_from("<Q", tail, far + 40)[0]
    if min(names, size) > _MOST_NAMES:
        raise StudioError(
            "the archive holds too many files", where=shown, remedy="Unpack it, and choose the folder or a file in it."
        )


def located(path: Path, shown: str, bounds: Bounds = Bounds(), member: str = "") -> Entry:
    """What the path holds: itself, or what is packed in it; of an archive `member`, else its only file, else all.

    Files that look like an archive by their first bytes are: suffixes do not count. Raises StudioError.
    """
    head = _magic(path)
    kind = next((kind for sign, kind, _ in STREAMS if head.startswith(sign)), "")
    if kind:
        name = path.name
        while PurePosixPath(name).suffix.lower() in SUFFIXES:
            name = PurePosixPath(name).stem
        return Inside(path, shown, PurePosixPath(name), kind, bounds)
    if not head.startswith(ZIP) or path.suffix.lower() in _LEAVE:
        return path
    archive = Archive(path, shown, bounds)
    if any(str(name).startswith(_DOCUMENTS) for name in archive.files):
        return path
    whole = Inside(path, shown, PurePosixPath("."), "zip", bounds, archive)
    if member:
        found = whole / member
        if not found.exists():
            listed = ", ".join(map(str, archive.data_files()[:12]))
            raise StudioError(
                f"there is no {member!r} in the archive", where=f"{shown}, option member", remedy=f"It holds: {listed}."
            )
        return found
    only = archive.data_files()
    if len(only) == 1:
        return whole / str(only[0])
    total = sum(info.file_size for info in archive.files.values())
    bounds.check(total, path.stat().st_size, shown)
    root = archive.root()
    return whole if root == PurePosixPath(".") else whole / str(root)


def beside(entry: Path) -> Entry:
    """A file of a folder, by its suffix: what is packed in it, or itself."""
    kind = next((kind for _, kind, suffixes in STREAMS if entry.suffix.lower() in suffixes), "")
    return Inside(entry, str(entry), PurePosixPath(entry.stem), kind) if kind and entry.is_file() else entry


def _magic(path: Path) -> bytes:
    """The first bytes of an ordinary file that can be read; else none, and whoever opens it says why."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as stream:
            return stream.read(8)
    except OSError:
        return b""


def is_packed(path: Path) -> bool:
    """Whether it is a file of gzip, bzip2, xz or zip, by its first bytes."""
    return _magic(path).startswith((*ZIP, *(sign for sign, _, _ in STREAMS))) and path.suffix.lower() not in _LEAVE
