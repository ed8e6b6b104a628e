"""Letters below the line: W_f, hₜ₋₁ and x_{t-1} as the textbooks print them, wherever a drawing's names are shown."""

from __future__ import annotations

import re
from html import escape
from unicodedata import normalize

Run = tuple[str, bool]
"""A piece of text, and whether it stands below the line."""

_LOWERED = "₀₁₂₃₄₅₆₇₈₉₊₋ₐₑₒₓₕₖₗₘₙₚₛₜᵢⱼᵣᵤᵥ"
_SUB = re.compile(
    rf"(?<=[{_LOWERED}])[{_LOWERED}]+|[{_LOWERED}]+"
    r"|(?<![A-Za-z0-9_])(?P<head>[A-Za-zα-ωΑ-Ω])_(?:\{(?P<long>[^{}]{1,12})\}|(?P<short>[A-Za-z0-9]{1,2})(?![A-Za-z0-9_]))"
)


def runs(text: str) -> list[Run]:
    """The text in pieces. Only one letter takes a subscript: `W_f`, but `h_before` is a name as it is."""
    found: list[Run] = []
    at = 0
    for match in _SUB.finditer(text):
        head = match["head"] or ""
        found.append((text[at : match.start()] + head, False))
        below = match["long"] or match["short"] or normalize("NFKD", match[0])
        found.append((below.replace("-", "−"), True))
        at = match.end()
    found.append((text[at:], False))
    return [run for run in found if run[0]]


def html(text: str) -> str:
    """The text for a rich label, escaped."""
    return "".join(f"<sub>{escape(part)}</sub>" if below else escape(part) for part, below in runs(text))
