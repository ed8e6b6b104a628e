"""What is said of a value under the mouse, and how strong a wire is that carries it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..looking import Seen
from .steps import ONCE, Link, Part

Floats = npt.NDArray[np.float32]
LARGEST, A_LINE = 10, 5
"""Units that are listed, of the largest magnitude, and how many in a line."""


def value_at(value: Floats, step: int) -> Floats | None:
    """The value at a step: a vector; None where it has none there, or tokens."""
    if step == ONCE:
        return value.ravel() if value.ndim == 1 else None
    return value[step].ravel() if value.ndim >= 2 and step < len(value) else None


def told(what: str, value: Floats) -> str:
    """Size, norm, mean, the shares below 0.1 and above 0.9, the largest units: a line each. value: [units]."""
    lines = [what, f"[{len(value)}]   norm {np.linalg.norm(value):.4g}   mean {value.mean():.4g}"]
    if len(value) > 1:
        lines.append(f"{np.mean(value < 0.1):.0%} below 0.1   {np.mean(value > 0.9):.0%} above 0.9")
        order = np.argsort(-np.abs(value), kind="stable")[:LARGEST]
        named = [f"{unit}: {value[unit]:.3g}" for unit in order.tolist()]
        lines += ["largest units", *(",  ".join(named[at : at + A_LINE]) for at in range(0, len(named), A_LINE))]
    return "\n".join(lines)


class Strengths:
    """How strong each link is, 0 to 1, as far as it is known.

    Of an attention the weight of the step it reads; of any other the norm of what it carries, as a share of the largest
    norm that any part has. Tokens have none.
    """

    def __init__(self, seen: Seen | None, table: Mapping[str, Floats], parts: Mapping[str, Part]) -> None:
        self._weights = seen.weights if seen is not None else {}
        self._parts = parts
        self._norms = {
            part.value: np.linalg.norm(value.reshape(1 if value.ndim == 1 else len(value), -1), axis=-1)
            for part in parts.values()
            if (value := table.get(part.value)) is not None and value.ndim == (2 if part.axis else 1) and len(value)
        }
        self._most = max((float(np.nanmax(norms)) for norms in self._norms.values()), default=0.0)

    def of(self, link: Link) -> float | None:
        if link.kind == "attention" and (weights := self._weights.get(link.target)) is not None:
            at = max(link.target_step, 0), max(link.source_step, 0)
            return float(weights[at]) if at[0] < weights.shape[0] and at[1] < weights.shape[1] else None
        part = self._parts.get(link.source)
        norms = self._norms.get(part.value) if part is not None else None
        if norms is None or not self._most:
            return None
        place = max(link.source_step, 0)
        return float(norms[place]) / self._most if place < len(norms) else None
