"""NumPy's files: what is in them by their headers alone, and their arrays; Python objects are never read."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

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


def shapes_of(path: Path, shown: str) -> dict[str, Shape]:
    """The arrays of a .npy (one, called inputs) or .npz by name. Raises StudioError: broken, too large, of objects."""
    with _told(shown):
        if not path.is_file():
            raise StudioError("this is no file", where=shown, remedy="Choose a .npy or .npz file.")
        with path.open("rb") as stream:
            if stream.read(len(MAGIC)) == MAGIC:
                stream.seek(0)
                return {"inputs": _header(stream, path.stat().st_size, shown)}
        found: dict[str, Shape] = {}
        with zipfile.ZipFile(path) as archive:
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


def load(path: Path, shown: str, names: Collection[str]) -> dict[str, npt.NDArray[Any]]:
    """These arrays; that of a .npy stays on disk and is read where it is looked at. Raises StudioError."""
    with _told(shown):
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"inputs": loaded}
        with loaded:
            return {name: loaded[name] for name in loaded.files if name in names}


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
