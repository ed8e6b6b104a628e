"""Machine code for an older processor than this one: RNNSTUDIO_ISA=sse2|avx2|avx512 says what it may use at most.

To see on one machine what others compute. torch has limits of its own: ATEN_CPU_CAPABILITY (default, avx2, avx512) and
ONEDNN_MAX_CPU_ISA (SSE41, AVX2, AVX512_CORE). All three are read once, when a process first computes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from ...design.errors import StudioError

VARIABLE = "RNNSTUDIO_ISA"

_BY_AVX2 = (
    *("avx", "avx2", "bmi", "bmi2", "cmov", "cx16", "cx8", "f16c", "fma", "fxsr", "lzcnt", "mmx", "movbe", "popcnt"),
    *("sahf", "sse", "sse2", "sse3", "sse4.1", "sse4.2", "ssse3", "xsave"),
)
_BY_AVX512 = (*_BY_AVX2, "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")

LIMITS: Mapping[str, tuple[str, ...]] = {"sse2": (), "avx2": _BY_AVX2, "avx512": _BY_AVX512}
"""Features by limit, as LLVM names them: those of x86-64, x86-64-v3 and x86-64-v4. None has the matrix unit."""

TORCH: Mapping[str, Mapping[str, str]] = {
    "sse2": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "avx512": {"ATEN_CPU_CAPABILITY": "avx512", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
}
"""The environment that limits torch likewise."""


def asked() -> str:
    """The limit that is set, or "". Raises StudioError for another word."""
    limit = os.environ.get(VARIABLE, "").strip().lower()
    if limit and limit not in LIMITS:
        raise StudioError(
            f"“{limit[:80]}” limits machine code to nothing that is known",
            where=VARIABLE,
            remedy=f"Set it to {', '.join(LIMITS)}, or not at all.",
        )
    return limit


def limited(triple: str, cpu: str, features: Mapping[str, bool]) -> tuple[str, Mapping[str, bool]]:
    """Name and features of a processor as code may use them. Other processors than x86-64 know no limit."""
    limit = asked()
    if not limit or not triple.startswith(("x86_64", "amd64")):
        return cpu, features
    return "x86-64", {name: True for name in LIMITS[limit] if features.get(name)}


def of_torch() -> str:
    """What limits torch's own kernels, as it is set."""
    return " ".join(os.environ.get(name, "") for name in TORCH["sse2"])
