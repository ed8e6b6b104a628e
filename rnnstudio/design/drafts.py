"""Drafts: the temporary names under which files are written before they get their own. One that a killed process left
is swept away when the same file is written again; one of a living process never is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import re
import secrets
import zlib
from pathlib import Path

from .errors import StudioError

_HOST = f"{zlib.crc32(platform.node().encode()):08x}"
"""Folders may be shared by machines, and only its own machine knows whether a process lives."""

_DRAFT = re.compile(rf"\.(?P<name>.+)\.{_HOST}-(?P<pid>[0-9]{{1,9}})-[0-9a-f]{{8}}\.draft", re.DOTALL)
_LONGEST = 200
"""Bytes of a file's name that its draft repeats: names of more than 255 bytes are refused by most disks."""


def draft_of(path: Path) -> Path:
    """A new name beside `path` to write to, which says who writes. For a folder as well as for a file."""
    name = path.name.encode("utf-8", "surrogateescape")[:_LONGEST].decode("utf-8", "ignore")
    return path.with_name(f".{name}.{_HOST}-{os.getpid()}-{secrets.token_hex(4)}.draft")


def abandoned(folder: Path, name: str = "") -> list[Path]:
    """The drafts in `folder` whose writers are gone; of the file `name` alone, when it is given."""
    wanted = name.encode("utf-8", "surrogateescape")[:_LONGEST].decode("utf-8", "ignore")
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:  # a folder that cannot be listed has none for us
        for entry in entries:
            match = _DRAFT.fullmatch(entry.name)
            if match and wanted in ("", match["name"]) and not alive(int(match["pid"])):
                found.append(Path(entry.path))
    return found


def sweep(folder: Path, name: str = "") -> None:
    """Remove the files among the abandoned drafts."""
    for draft in abandoned(folder, name):
        with contextlib.suppress(OSError):  # another process swept it, or it is not ours to remove
            draft.unlink()


def alive(pid: object) -> bool:
    """Whether a process of this machine has that number."""
    if isinstance(pid, bool) or not isinstance(pid, int) or not 0 < pid < 2**31:
        return False
    if os.name != "posix":
        return True  # asking would end the process there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def cannot_write(path: Path, error: OSError, what: str = "Cannot write the file") -> StudioError:
    """The error for people: which file or folder, why, and what would help."""
    why = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StudioError(f"{what}: {why}", where=str(path), remedy="Free some space on that disk.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        folder = path if path.is_dir() else path.parent
        return StudioError(
            f"{what}: the folder {folder} is read-only ({why})",
            where=str(path),
            remedy="Choose another folder, or allow writing in this one.",
        )
    return StudioError(f"{what}: {why}", where=str(path), remedy="Choose another folder.")
