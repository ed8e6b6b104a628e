"""Packs files and folders in every way that is read, and in some that nobody should read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path


def zipped(files: Mapping[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of these names and contents; names are written as they are given."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", how) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, how)
    return made.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def folder_zipped(folder: Path) -> bytes:
    """A folder as file managers pack it: its name in front, and what they put in by themselves."""
    own = {str(path.relative_to(folder.parent)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return zipped({**own, f"__MACOSX/{folder.name}/._x": b"\x00\x05\x16\x07", f"{folder.name}/.DS_Store": b"\x00Bud1"})


STREAMS: Mapping[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def packed(path: Path, suffix: str) -> Path:
    """A packed file beside `path`, which goes."""
    content = path.read_bytes()
    made = path.with_name(path.name + suffix)
    made.write_bytes(zipped({path.name: content}) if suffix == ".zip" else STREAMS[suffix](content))
    path.unlink()
    return made


def encrypted(files: Mapping[str, bytes]) -> bytes:
    """An archive whose flags say that it is encrypted, as zip -e makes it."""
    content = bytearray(zipped(files))
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(sign)
        while place >= 0:
            flags = struct.unpack_from("<H", content, place + at)[0]
            struct.pack_into("<H", content, place + at, flags | 1)
            place = content.find(sign, place + 4)
    return bytes(content)


def bomb(suffix: str, megabytes: int = 300) -> bytes:
    """So many megabytes of one line again and again, in some hundred kilobytes or less."""
    piece = b"0,0\n" * (1 << 18)
    made = io.BytesIO()
    if suffix == ".zip":
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.csv", "w") as inner:
            for _ in range(megabytes):
                inner.write(piece)
        return made.getvalue()
    pack = {
        ".gz": lambda: zlib.compressobj(9, wbits=31),
        ".bz2": lambda: bz2.BZ2Compressor(),
        ".xz": lambda: lzma.LZMACompressor(preset=0),
    }[suffix]()
    for _ in range(megabytes):
        made.write(pack.compress(piece))
    made.write(pack.flush())
    return made.getvalue()


def lying(files: Mapping[str, bytes], size: int) -> bytes:
    """An archive whose list says that every file is of `size` bytes, which none is."""
    content = bytearray(zipped(files))
    place = content.find(b"PK\x01\x02")
    while place >= 0:
        struct.pack_into("<L", content, place + 24, size)
        place = content.find(b"PK\x01\x02", place + 4)
    return bytes(content)
