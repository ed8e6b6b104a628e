"""What a checkpoint file says of itself, read without torch: whether it is whole, and the step it was made at.

A safetensors file is 8 bytes with the length of a header, the header as JSON, and the tensors' bytes. Ours holds the
rest of the checkpoint in the header's metadata, and a digest of the whole file, in which the digest's own place is
zeros: no byte of it can change unseen.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ..design.errors import StudioError
from ..design.storage import plain

FORMAT = 2
"""1: the optimiser's state by the number of its parameter. 2: by its path."""
BODY, DIGEST = "rnnstudio", "digest"
BLANK = "0" * 32
LONGEST_HEADER = 64 << 20
MOST_TENSORS = 50_000
"""More than any network here has, with all that its optimiser keeps. Reading many more takes seconds."""


class Damaged(StudioError):  # noqa: N818 (it is what happened to a file)
    """A checkpoint is not what was written."""


def header_of(path: Path, *, helped: bool = True, digested: bool = True) -> dict[str, Any]:
    """The header of a checkpoint, checked byte by byte. Raises StudioError when it is missing, damaged or newer.

    digested: hold the whole file against its digest; without, the header alone is read.
    """
    try:
        with plain(path).open("rb") as file:
            head = file.read(8)
            size = int.from_bytes(head, "little")
            if len(head) < 8 or not 0 < size <= LONGEST_HEADER:
                raise ValueError("it has no header")
            text = file.read(size)
            header = json.loads(text)
            if not isinstance(header, dict) or not isinstance(header.get("__metadata__"), dict):
                raise ValueError("its header describes nothing")
            if len(header) > MOST_TENSORS:
                raise ValueError(f"it lists {len(header) - 1:,} tensors")
            given = header["__metadata__"].get(DIGEST)
            if given is not None and digested:  # None: made by a version that wrote none
                found = hashlib.blake2b(head, digest_size=16)
                found.update(text.replace(str(given).encode(), BLANK.encode(), 1))
                while chunk := file.read(1 << 20):
                    found.update(chunk)
                if found.hexdigest() != given:
                    raise ValueError("its bytes are not those that were written")
    except FileNotFoundError:
        raise StudioError(
            "There is no such checkpoint", where=str(path), remedy="The run ended before it was made: train it first."
        ) from None
    except PermissionError as error:
        raise StudioError(f"The checkpoint cannot be read: {error.strerror}", where=str(path)) from None
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, getattr(error, "strerror", None) or error, helped=helped) from error
    return header


def body_of(header: dict[str, Any], path: Path, *, helped: bool = True) -> dict[str, Any]:
    """The checkpoint's own description from its header. Raises StudioError when it is damaged or newer."""
    try:
        body = json.loads(header["__metadata__"][BODY])
        number, step = body["format"], body["place"]["step"]
        if not all(isinstance(value, int) and not isinstance(value, bool) for value in (number, step)):
            raise ValueError("its format or step is no number")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise damaged(path, f"it lacks {error}" if isinstance(error, KeyError) else error, helped=helped) from error
    if number > FORMAT:
        raise StudioError(f"The checkpoint has format {number}", where=str(path), remedy="Update rnnstudio.")
    found: dict[str, Any] = body
    return found


def step_of(path: Path) -> int:
    """The number of steps a checkpoint has behind it. Raises StudioError when it is not whole."""
    return int(body_of(header_of(path), path)["place"]["step"])


def step_if_whole(path: Path) -> int | None:
    """As step_of; None when there is no whole checkpoint."""
    try:
        return int(body_of(header_of(path, helped=False), path, helped=False)["place"]["step"])
    except StudioError:
        return None


def damaged(path: Path, why: object, *, helped: bool = True) -> Damaged:
    """The error for a damaged checkpoint, with what still serves. helped: look for the run's other checkpoint."""
    other = path.with_name("last.safetensors" if path.stem == "best" else "best.safetensors")
    step = step_if_whole(other) if helped and other.is_file() else None
    reason = "it is nested too deep" if isinstance(why, RecursionError) else str(why)[:160] or type(why).__name__
    if step is None:
        remedy = "The run has no other whole one: train it again, or bring back a copy."
    else:
        remedy = f"The run's other one, {other.stem} (step {step}), is whole: use --checkpoint {other.stem}."
    return Damaged(f"The checkpoint is damaged: {reason}", where=str(path), remedy=remedy)
