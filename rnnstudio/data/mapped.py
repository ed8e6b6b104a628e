"""Token numbers that are too many for memory: a file without a name in the cache folder, mapped.

Whoever takes slices of the array reads those pages alone; the file is gone when the array is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from typing import IO, Any, Literal

import numpy as np
from platformdirs import user_cache_path

from rnnstudio.data.vocabulary import IntArray
from rnnstudio.design.errors import StudioError

MAPPED_BYTES = 1 << 28
"""From so many bytes of a file on, its numbers are mapped."""


def _file() -> IO[bytes]:
    folder = user_cache_path("rnnstudio") / "data"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder)
    except OSError as error:
        raise _full(error) from error


def _full(error: OSError) -> StudioError:
    folder = user_cache_path("rnnstudio") / "data"
    return StudioError(
        f"the text's numbers cannot be written: {error.strerror or error}",
        where=str(folder),
        remedy="Make room there, or set XDG_CACHE_HOME to another folder.",
    )


def gathered(pieces: Iterable[IntArray], mapped: bool) -> IntArray:
    """The pieces end to end, of the widest of their types; in memory, or mapped. Raises StudioError on a full disk.

    The types of the pieces never become narrower: what was written narrow is written again when a wider one comes.
    """
    if not mapped:
        kept = list(pieces)
        kind = max((piece.dtype for piece in kept), key=lambda dtype: dtype.itemsize, default=np.dtype(np.uint8))
        return np.concatenate([np.zeros(0, kind), *kept], dtype=kind) if kept else np.zeros(0, np.uint8)
    stream, kind, count = _file(), np.dtype(np.uint8), 0
    try:
        for piece in pieces:
            if piece.dtype.itemsize > kind.itemsize:
                stream = _widened(stream, kind, piece.dtype)
                kind = piece.dtype
            try:
                stream.write(np.ascontiguousarray(piece, kind).data)
            except OSError as error:
                raise _full(error) from error
            count += len(piece)
        return _mapped(stream, kind, count, "r")
    finally:
        stream.close()


def _mapped(stream: IO[bytes], kind: np.dtype[Any], count: int, mode: Literal["r", "r+"]) -> IntArray:
    """The file as an array, which holds the file by itself: the stream may be closed."""
    try:
        stream.flush()
    except OSError as error:
        raise _full(error) from error
    return np.memmap(stream, kind, mode, shape=(count,)) if count else np.zeros(0, kind)


_BLOCK = 1 << 24


def _widened(stream: IO[bytes], before: np.dtype[Any], after: np.dtype[Any]) -> IO[bytes]:
    wider = _file()
    try:
        stream.seek(0)
        while block := stream.read(_BLOCK):
            wider.write(np.frombuffer(block, before).astype(after).data)
    except OSError as error:
        wider.close()
        raise _full(error) from error
    stream.close()
    return wider


def like(numbers: IntArray, dtype: np.dtype[Any]) -> IntArray:
    """An empty array as long as `numbers`, mapped where that is. Raises StudioError on a full disk."""
    if not isinstance(numbers, np.memmap) or not len(numbers):
        return np.empty(len(numbers), dtype)
    with _file() as stream:
        try:
            stream.truncate(len(numbers) * dtype.itemsize)
        except OSError as error:
            raise _full(error) from error
        return _mapped(stream, dtype, len(numbers), "r+")
