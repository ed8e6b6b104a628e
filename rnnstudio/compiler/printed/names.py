"""Names in the printed source: of its class, its parameters, and what may stand in a docstring."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata

from ..program import Program

RESERVED = {
    *("self", "torch", "math", "F", "nn", "state", "lengths", "final", "batch", "forward", "loss", "size", "steps"),
    *("own", "_"),
    *dir(builtins),
}
"""Names that the source itself uses in its functions."""


def identifier(path: str) -> str:
    """The name of a parameter in the source: its path with underscores."""
    return "".join(c if f"a{c}".isidentifier() else "_" for c in unicodedata.normalize("NFKC", path))


def class_name(program: Program) -> str:
    words = re.findall(r"[A-Za-z0-9]+", program.name) or ["network"]
    name = "".join(word[:1].upper() + word[1:] for word in words)
    taken = keyword.iskeyword(name) or name in ("F", "Path") or not name[0].isalpha()
    return f"Net{name}" if taken else name


def parameter_names(program: Program) -> dict[str, str]:
    """Path of each parameter → its attribute in the source (two paths never share one)."""
    names: dict[str, str] = {}
    for parameter in program.parameters:
        name = identifier(parameter.path)
        while name in names.values():
            name += "_"
        names[parameter.path] = name
    return names


def plain(text: str) -> str:
    """A text of the design as one line that cannot end the docstring it stands in."""
    return " ".join(text.replace("\\", "/").replace('"', "'").split())
