"""Which lowering won a loop's contest on this machine: one small file for each contest, in the cache of machine code.

The first process that writes a winner has the last word, so that runs side by side, and all later ones, take the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Collection
from pathlib import Path

import torch

from ... import __version__
from ..context import Context
from . import isa
from .jit import cache_folder, host


def key_of(loop: str, context: Context, steps: int) -> str:
    """What a winner is remembered for: the loop, the processor (a home folder may be seen by several machines) and what
    limits its code, its threads or the GPU, the type of numbers, sizes up to a factor 2, and the versions of torch and
    of this program.
    """
    sizes = (context.batch.bit_length(), steps.bit_length())
    versions = (torch.__version__, __version__)
    whole = "\0".join(map(str, (loop, context.dtype, *_machine(context.device), *sizes, *versions)))
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def _machine(device: torch.device) -> tuple[object, ...]:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device), torch.backends.cuda.matmul.fp32_precision
    own = host(False)
    capability = torch.backends.cpu.get_cpu_capability()
    return own.cpu, own.features, capability, isa.of_torch(), torch.get_num_threads()


def recall(key: str, among: Collection[str]) -> str:
    """The one of these lowerings that won before on this machine, or ""."""
    path = _record(key)
    if path is None:
        return ""
    try:
        winner = path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return winner if winner in among else ""


def remember(key: str, winner: str, among: Collection[str]) -> str:
    """Keep a winner. Returns the one that stands: another process may have kept one while this one's contest ran.

    Where nothing can be written, the next run holds its own contest.
    """
    path = _record(key)
    if path is None:
        return winner
    temporary = ""
    try:
        path.parent.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            temporary = file.name
            file.write(winner)
        _put(Path(temporary), path, over=path.exists() and not recall(key, among))
    except OSError:
        pass
    finally:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
    return recall(key, among) or winner


def _put(file: Path, path: Path, *, over: bool) -> None:
    """Give a written file its name, unless there is one and it is not to be written over."""
    if not over:
        try:
            os.link(file, path)
        except FileExistsError:
            return
        except OSError:  # a file system without links
            over = True
    if over:
        file.replace(path)


def _record(key: str) -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / "winners" / key
