"""NumPy's files: what is in them by their headers alone, and their arrays; Python objects are never read."""

from __future__ import annotations

import shutil
import struct
import sys
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from rnnstudio.data.files import opened, size_of
from rnnstudio.data.packed import Entry, Inside
from rnnstudio.design.errors import StudioError

MAGIC = b"\x93NUMPY"
MOST_BYTES = 1 << 32
"""An archive that says it unpacks to more is not unpacked: a large array belongs in a .npy, which stays on disk."""

_BLOCK = 1 << 20
_BROKEN = (
    ValueError,
    TypeError,
    KeyError,
    SyntaxError,
    RecursionError,
    OSError,
    EOFError,
    RuntimeError,
    OverflowError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Shape:
    """What a header says of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        return len(self.shape)


class Arrays:
    """The arrays of a .npy (one, called inputs) or a .npz, by their headers. A context, in which they can be read.

    Raises StudioError: broken, too large, of Python objects.
    """

    def __init__(self, path: Entry, shown: str) -> None:
        self.path, self.shown = path, shown
        self.shapes: dict[str, Shape] = {}
        self._archive: zipfile.ZipFile | None = None
        self._open = ExitStack()
        with _told(shown), self._open:
            with opened(path, shown) as stream:
                alone = stream.peek(len(MAGIC)).startswith(MAGIC)
                if alone:
                    exact = not isinstance(path, Inside) or path.archive is not None
                    self.shapes["inputs"] = _header(stream, size_of(path) if exact else sys.maxsize, shown)
            if not alone:
                file = self._open.enter_context(_seekable(path, shown))
                self._archive = self._open.enter_context(zipfile.ZipFile(file))
                self._read_headers(self._archive)
            self._open = self._open.pop_all()  # nothing was wrong: it stays open

    def __enter__(self) -> Arrays:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _read_headers(self, archive: zipfile.ZipFile) -> None:
        members = [item for item in archive.infolist() if item.filename.endswith(".npy")]
        if sum(item.file_size for item in members) > MOST_BYTES:
            raise StudioError(
                f"the archive unpacks to more than {MOST_BYTES >> 30} GiB",
                where=self.shown,
                remedy="Save the large array alone with numpy.save.",
            )
        for item in members:
            name = item.filename.removesuffix(".npy")
            with archive.open(item) as inner:
                self.shapes[name] = _header(inner, item.file_size, f"{self.shown}, array {name!r}")

    @contextmanager
    def _bytes(self, name: str) -> Iterator[IO[bytes]]:
        with _told(self.shown):
            if self._archive is None:
                with opened(self.path, self.shown) as stream:
                    yield stream
            else:
                with self._archive.open(f"{name}.npy") as inner:
                    yield inner

    def load(self, name: str) -> npt.NDArray[Any]:
        """The whole array, of its own type, in memory: a map of it would end the process when the file is cut."""
        with self._bytes(name) as stream:
            loaded = _whole(stream)
        return loaded.astype(np.float64) if loaded.dtype == np.longdouble else loaded

    def beginning(self, name: str, rows: int) -> npt.NDArray[Any] | None:
        """The first rows of an array; None of one that is stored column by column."""
        with self._bytes(name) as stream:
            shape, by_column, dtype = _read_header(stream)
            if by_column and len(shape) > 1:
                return None
            rows = min(rows, *shape[:1])
            size = rows * prod(shape[1:]) * dtype.itemsize
            return np.frombuffer(stream.read(size), dtype).reshape(rows, *shape[1:])


def _whole(stream: IO[bytes]) -> npt.NDArray[Any]:
    """The array of a .npy, read into its own memory: numpy.load makes a second copy of what comes from a stream."""
    shape, by_column, dtype = _read_header(stream)
    made = np.empty(shape, dtype, order="F" if by_column else "C")
    flat = made.reshape(-1, order="A").view(np.uint8) if made.size and dtype.itemsize else np.empty(0, np.uint8)
    done = 0
    while done < len(flat):
        block = stream.read(min(_BLOCK, len(flat) - done))
        if not block:
            raise EOFError
        flat[done : done + len(block)] = np.frombuffer(block, np.uint8)
        done += len(block)
    stream.read(1)  # an archive's check sum is looked at behind the last byte
    return made


@contextmanager
def _seekable(path: Entry, shown: str) -> Iterator[IO[bytes]]:
    """The file's bytes, in any order. What is packed is written to a file without a name, which is gone behind it."""
    with opened(path, shown) as stream:
        if not isinstance(path, Inside):
            yield stream
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(stream, copy, _BLOCK)
            copy.seek(0)
            yield copy


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, by_column, dtype = read(stream)
    return shape, by_column, dtype


def _header(stream: IO[bytes], size: int, where: str) -> Shape:
    shape, _, dtype = _read_header(stream)
    if dtype.hasobject:
        raise StudioError(
            "the array holds Python objects, which could run a program when they are read",
            where=where,
            remedy="Save numbers or texts: pad sequences of different lengths, and save their lengths beside them.",
        )
    if prod(shape) * dtype.itemsize > size:
        raise StudioError(
            f"the file ends before its array of {list(shape)} does", where=where, remedy="Save or fetch it again."
        )
    return Shape(shape, dtype)


@contextmanager
def _told(shown: str) -> Iterator[None]:
    try:
        yield
    except StudioError:
        raise
    except _BROKEN as error:
        raise StudioError(
            "the file holds no arrays that could be read",
            where=shown,
            remedy="Save numbers or texts with numpy.save or numpy.savez.",
        ) from error
