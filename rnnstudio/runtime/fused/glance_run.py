"""The tensors of attention in the generated time loops: laid out for them, and their gradients taken back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from . import checked
from .glance import Glance
from .glance_code import Key
from .plain import PlainRun

Room = Callable[..., Tensor]
"""(like, *shape) → zeros."""


class GlanceRun:
    """One attention in one run of a loop. lanes: numbers in a vector; room: gives memory."""

    def __init__(
        self, number: int, glance: Glance, plain: PlainRun, lanes: int, steps: int, batch: int, room: Room
    ) -> None:
        self.number, self.glance, self.plain, self.room = number, glance, plain, room
        keys, values = plain.constants[glance.keys], plain.constants[glance.values]
        self.places = keys.shape[0]
        self.keys = room(keys, batch, self.places, glance.units).copy_(keys.transpose(0, 1))
        same = glance.values == glance.keys
        self.values = self.keys if same else room(keys, batch, self.places, glance.width).copy_(values.transpose(0, 1))
        self.pad = -(-self.places // lanes) * lanes
        self.weights = room(keys, steps, batch, glance.heads, self.pad)
        plain.outputs[glance.out] = room(keys, steps, batch, glance.width)
        lengths = plain.context.lengths_of(glance.axis) if plain.context.ragged(glance.axis) else None
        self.lengths = torch.full((batch,), self.places) if lengths is None else lengths.to(torch.int64).contiguous()
        self.score = plain.weights[glance.score].detach().contiguous() if glance.score is not None else self.keys

    def forward(self) -> dict[Key, int]:
        """What the forward loop is given."""
        if checked.CHECKING:
            checked.all_plain(self._buffers(), self.keys.dtype)
            checked.numbers("lengths", self.lengths, self.places + 1)
        own = {
            "places": self.places,
            "pad": self.pad,
            "lengths": self.lengths.data_ptr(),
            "keys": self.keys.data_ptr(),
            "values": self.values.data_ptr(),
            "score": self.score.data_ptr(),
            "weights": self.weights.data_ptr(),
        }
        numbers: dict[Key, int] = {(what, f"glance {self.number}"): value for what, value in own.items()}
        numbers["plain", self.glance.out] = self.plain.outputs[self.glance.out].data_ptr()
        if self.glance.weights in self.plain.plain.yields:
            looked = self.weights[..., : self.places].permute(0, 3, 1, 2)
            self.plain.filled[self.glance.weights] = looked.movedim(0, self.plain.scan.dims[self.glance.weights])
        return numbers

    def _buffers(self) -> dict[str, Tensor]:
        own = ("lengths", "keys", "values", "score", "weights")
        return {name: getattr(self, name) for name in own} | {"out": self.plain.outputs[self.glance.out]}

    def backward(self, threads: int) -> dict[Key, int]:
        """What the backward loop is given; gradients start at zero."""
        g = self.glance
        new, batch = partial(self.room, self.keys), len(self.keys)
        self.dkeys, self.dvalues = new(*self.keys.shape), new(*self.values.shape)
        self.dscore, self.change = new(threads, g.units), new(batch, g.heads, self.pad)
        self.arriving, self.dweights = new(batch, g.width), new(*self.weights.shape)
        given = self.plain.arrived(g.weights)
        if given is not None:
            self.dweights[..., : self.places] = given.permute(0, 2, 3, 1)
        own = {name: getattr(self, name) for name in ("dkeys", "dvalues", "dscore", "dweights", "change")}
        numbers: dict[Key, int] = {(what, f"glance {self.number}"): x.data_ptr() for what, x in own.items()}
        numbers["dplain", g.out] = self.arriving.data_ptr()
        return self.forward() | numbers

    def finish(self) -> None:
        """Leaves the gradients where those of plain stages are."""
        self.plain.add(self.glance.keys, self.dkeys.transpose(0, 1))
        self.plain.add(self.glance.values, self.dvalues.transpose(0, 1))
        if self.glance.score is not None:
            self.plain.add(self.glance.score, self.dscore.sum(0, keepdim=True))
        if self.glance.bias is not None:
            self.plain.add(self.glance.bias, self.dscore.new_zeros(1))
