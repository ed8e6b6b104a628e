"""NumPy's files: what is in them by their headers alone, and their arrays; Python objects are never read."""

from __future__ import annotations

import shutil
import struct
import sys
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
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


def shapes_of(path: Entry, shown: str) -> dict[str, Shape]:
    """The arrays of a .npy (one, called inputs) or .npz by name. Raises StudioError: broken, too large, of objects."""
    with _told(shown):
        with opened(path, shown) as stream:
            if stream.peek(len(MAGIC)).startswith(MAGIC):
                exact = not isinstance(path, Inside) or path.archive is not None
                return {"inputs": _header(stream, size_of(path) if exact else sys.maxsize, shown)}
        found: dict[str, Shape] = {}
        with _seekable(path, shown) as file, zipfile.ZipFile(file) as archive:
            members = [item for item in archive.infolist() if item.filename.endswith(".npy")]
            if sum(item.file_size for item in members) > MOST_BYTES:
                raise StudioError(
                    f"the archive unpacks to more than {MOST_BYTES >> 30} GiB",
                    where=shown,
                    remedy="Save the large array alone with numpy.save.",
                )
            for item in members:
                name = item.filename.removesuffix(".npy")
                with archive.open(item) as inner:
                    found[name] = _header(inner, item.file_size, f"{shown}, array {name!r}")
        return found


def load(path: Entry, shown: str, names: Collection[str]) -> dict[str, npt.NDArray[Any]]:
    """These arrays, in memory and of their own type. Raises StudioError."""
    with _told(shown):
        with opened(path, shown) as stream:
            if stream.peek(len(MAGIC)).startswith(MAGIC):
                return {"inputs": npy.read_array(stream, allow_pickle=False)}
        with _seekable(path, shown) as file, np.load(file, allow_pickle=False) as loaded:
            return {name: loaded[name] for name in loaded.files if name in names}


@contextmanager
def _seekable(path: Entry, shown: str) -> Iterator[IO[bytes]]:
    """The file's bytes, in any order. What is packed is written to a file without a name, which is gone behind it."""
    with opened(path, shown) as stream:
        if not isinstance(path, Inside):
            yield stream
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(stream, copy, 1 << 20)
            copy.seek(0)
            yield copy


def _header(stream: IO[bytes], size: int, where: str) -> Shape:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(stream)
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
