"""What the machine gives to a training: device, threads, allocator; and what ran, for run.json."""

from __future__ import annotations

import ctypes
import platform

import numpy
import torch

from .. import __version__
from ..design.errors import StudioError

TORCH_THREADS = torch.get_num_threads()
"""What torch takes by itself: a thread for each physical core it may use."""


def choose_device(name: str) -> torch.device:
    """auto: the GPU where torch can use one. Raises StudioError for a GPU that is not there."""
    if name == "cuda" and not torch.cuda.is_available():
        raise StudioError(
            "There is no GPU that torch can use", where="setting device", remedy="Set device to auto or cpu."
        )
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


def device_name(device: torch.device) -> str:
    """cpu, or the GPU by its maker's name."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def set_precision(wanted: str) -> None:
    """How a GPU multiplies float32: exactly, or, for "tf32", inputs rounded to 10 bits.

    Said for each of its libraries: torch by itself lets cuDNN's recurrent layers round, and products of matrices not.
    """
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = wanted == "tf32"


def set_threads(wanted: int, window: bool) -> int:
    """Threads of torch's CPU work. 0: all, but one for the window: two threads on a busy core are slower than one."""
    threads = wanted or max(1, TORCH_THREADS - 1 if window else TORCH_THREADS)
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return threads


def versions() -> dict[str, str]:
    return {
        "rnnstudio": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "system": f"{platform.system()} {platform.machine()}",
    }


def tune_allocator() -> bool:
    """Keep large blocks instead of giving them back to the kernel at every step. Before a process first trains.

    Measured with glibc: sequences of 400 steps train 1.3–1.7 × faster. False where the C library is another one.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    m_mmap_max, m_trim_threshold = -4, -1  # of <malloc.h>
    return bool(mallopt(m_mmap_max, 0)) and bool(mallopt(m_trim_threshold, 2**31 - 1))


def release_memory() -> None:
    """Give freed blocks back after a run, as a tuned allocator keeps them."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
