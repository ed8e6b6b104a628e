"""The tensors of a chosen token in the generated time loops, and the gradient of the tables it is looked up in."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from . import checked
from .glance_code import Key
from .glance_run import Room
from .pick import Pick
from .plain import PlainRun
from .table_rows import add_rows


class PickRun:
    """One choice of a token in one run of a loop. Raises IndexError for a true token that no table has."""

    def __init__(self, number: int, pick: Pick, plain: PlainRun, steps: int, batch: int, room: Room) -> None:
        self.number, self.pick, self.plain, self.room = number, pick, plain, room
        self.tokens = torch.zeros(steps, batch, dtype=torch.int64)
        self.tables = [plain.weights[path].detach().contiguous() for _, path, _ in pick.tables]
        self.true = self.taken = self.tokens
        if pick.choice is not None:
            self.taken = plain.drawn[pick.choice.name].to(torch.int64)
            self.true = torch.stack(list(plain.reads[pick.target])).contiguous()
            worst = torch.where(self.taken != 0, self.true, 0)
            if any(int(worst.min()) < 0 or int(worst.max()) >= len(table) for table in self.tables):
                raise IndexError(f"{pick.choice.node}: a token is not in the table")
        if any(pick.count > len(table) for table in self.tables):
            raise IndexError(f"{pick.own}: there are more scores than rows in the table")
        for (name, _, width), table in zip(pick.tables, self.tables, strict=True):
            plain.outputs[name] = room(table, steps, batch, width)

    def forward(self) -> dict[Key, int]:
        """What the forward loop is given."""
        if checked.CHECKING:
            checked.all_plain(self._buffers(self.plain.outputs), self.tables[0].dtype)
        name = f"pick {self.number}"
        numbers: dict[Key, int] = {("tokens", name): self.tokens.data_ptr()}
        numbers |= {("true", name): self.true.data_ptr(), ("taken", name): self.taken.data_ptr()}
        numbers |= {("table", f"{name} {i}"): table.data_ptr() for i, table in enumerate(self.tables)}
        numbers |= {("plain", n): self.plain.outputs[n].data_ptr() for n, _, _ in self.pick.tables}
        self.plain.filled[self.pick.token] = self.tokens
        return numbers

    def backward(self, threads: int) -> dict[Key, int]:
        """What the backward loop is given; gradients start at zero."""
        for name, _, _ in self.pick.tables:
            like = self.plain.outputs[name]
            self.plain.arriving[name] = self.room(like, *like.shape)
        if checked.CHECKING:
            checked.all_plain(self._buffers(self.plain.arriving), self.tables[0].dtype)
        numbers: dict[Key, int] = {("dplain", n): self.plain.arriving[n].data_ptr() for n, _, _ in self.pick.tables}
        return self.forward() | numbers

    def _buffers(self, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
        own = {"tokens": self.tokens, "true": self.true, "taken": self.taken}
        own |= {path: table for (_, path, _), table in zip(self.pick.tables, self.tables, strict=True)}
        return own | {name: rows[name] for name, _, _ in self.pick.tables}

    def finish(self) -> None:
        """Leaves the gradients where those of plain stages are."""
        for (name, path, _), table in zip(self.pick.tables, self.tables, strict=True):
            rows = self.plain.arriving[name].flatten(0, 1)
            self.plain.add(path, add_rows(torch.zeros_like(table), self.tokens.flatten(), rows))
