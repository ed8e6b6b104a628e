"""What travels on a wire: named axes beside the batch, and a content of real features or tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Real:
    """Real features; `width` numbers at every place of the axes."""

    width: int

    def text(self) -> str:
        return str(self.width)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Integers 0 … size−1. `field` names the data field whose vocabulary they index ("" when unknown)."""

    size: int
    field: str = ""

    def text(self) -> str:
        return f"tokens({self.size})"


Content = Real | Tokens


@dataclass(frozen=True, slots=True)
class Axis:
    """A named axis of a design. Its length differs from example to example; padding never counts.

    kind: "sequence" (ordered steps) or "tree" (the nodes of a tree).
    chunk, carry: truncated back-propagation through time along this axis: how many steps it sees, and whether the loop
    state at the end of a chunk is the initial state of the next one. 0 and None: as the training settings say.
    extra: what a file said that this version does not know, saved back unchanged.
    """

    name: str
    kind: str = "sequence"
    chunk: int = 0
    carry: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), hash=False)


@dataclass(frozen=True, slots=True)
class Signal:
    """The type of a wire: [batch, *axes, content]."""

    axes: tuple[str, ...]
    content: Content

    def text(self) -> str:
        """As people write it: "[batch, time, 128]"."""
        return "[" + ", ".join(("batch", *self.axes, self.content.text())) + "]"

    @property
    def width(self) -> int:
        """Number of real features. Raises TypeError for tokens."""
        if isinstance(self.content, Real):
            return self.content.width
        raise TypeError(f"{self.text()} holds tokens, not features")
