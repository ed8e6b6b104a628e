"""The records a plan is made of: places, stores, products, stages."""

from __future__ import annotations

from dataclasses import dataclass

from .canonical import Piece
from .expressions import Node

Place = tuple[str, int | str]
"""Where rows lie, e.g. ("slot", 2), ("saved", 0), ("state", "h before"), ("yield", …), ("source", 0); in backward also
("dslot", 2), ("dstate", …), ("dvector", …), ("dread", …), ("dplain", …), ("carry", 0), ("dsource", 0)."""


@dataclass(frozen=True, slots=True)
class Store:
    """`node` goes to `place`, from column `start` on; `add`: to what is there; largest: unless that is larger."""

    place: Place
    start: int
    node: Node
    add: bool = False
    largest: bool = False


@dataclass(frozen=True, slots=True)
class Product:
    """Columns offset … offset+size of the pre-activations += W · source; back: gradient of source += gradient · W.

    source: ("state", delay), ("source", number) or, before the loop, ("read", name), from column `start`, `width` wide.
    pieces: the weights from the first column on. accumulate, accumulate_back: whether the result is added.
    """

    source: Place
    start: int
    width: int
    offset: int
    size: int
    pieces: tuple[Piece, ...]
    accumulate: bool
    accumulate_back: bool = True


@dataclass(frozen=True, slots=True)
class Total:
    """`node` is, at stage `level` of a step's derivative, the gradient of columns start … start+width of the state
    `delay`'s new value: through this step and all later ones.
    """

    level: int
    delay: str
    start: int
    width: int
    node: Node


@dataclass(frozen=True, slots=True)
class Stage:
    """Forward: products and plain stages (by number), then stores. Backward: back_stores, then the others back."""

    products: tuple[Product, ...]
    stores: tuple[Store, ...]
    back_stores: tuple[Store, ...]
    plain: tuple[int, ...] = ()
