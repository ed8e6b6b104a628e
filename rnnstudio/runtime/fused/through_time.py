"""‖∂L/∂h_t‖ of every state at every step, the total through all later steps, from what a backward loop leaves behind.

A loop that is asked to keeps what reaches each state from later steps (Gradients.later). What reaches it within its
own step is computed here, of all steps at once, by the plan's derivative. So a loop runs the same arithmetic whether
somebody looks or not, and its gradients are the same to the bit.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from .buffers import Buffers, Gradients
from .expressions import Node, reachable
from .stages import Store
from .torch_loop import DYNAMIC, function_of, steps_at_once, whole_of


def state_norms(b: Buffers, d: Gradients) -> dict[str, Tensor]:
    """[time, batch] by delay, of the states of `plan.form.apart`; none when the loop has left Gradients.later empty."""
    if not d.later:
        return {}
    plan = b.plan
    found: dict[str, Tensor] = {}
    widest = max((total.width for total in plan.totals), default=1)
    count = steps_at_once(b, widest)
    for first in range(0, b.steps, count):
        stretch = _Stretch(b, d, first, min(count, b.steps - first))
        for delay, squares in stretch.squares().items():
            found.setdefault(delay, b.slots.new_empty(b.steps, b.batch))[first : first + count] = squares.sqrt()
    return found


class _Stretch:
    """Some steps, stage by stage from the last one, as the loop has gone through each of them."""

    def __init__(self, b: Buffers, d: Gradients, first: int, count: int) -> None:
        self.b = b
        self.d = d
        self.first = first
        self.count = count
        self._scratch: dict[tuple[str, int], Tensor] = {}

    def squares(self) -> dict[str, Tensor]:
        """[count, batch] by delay: the squared length of the gradient of a state's new value."""
        b, plan = self.b, self.b.plan
        found: dict[str, Tensor] = {}
        until = min((total.level for total in plan.totals), default=len(plan.stages))
        for level in range(len(plan.stages) - 1, until - 1, -1):
            stage = plan.stages[level]
            totals = [total for total in plan.totals if total.level == level]
            carries: list[Store] = [s for s in stage.back_stores if s.place[0] == "carry"] if level > until else []
            values = self._values([*(t.node for t in totals), *(s.node for s in carries)])
            for total in totals:
                value = values[total.node.number].expand(self.count, b.batch, total.width)
                squares = value.square().sum(-1)
                found[total.delay] = found[total.delay] + squares if total.delay in found else squares
            for store in carries:
                self._scratch["carry", int(store.place[1])] = values[store.node.number]
            if level == until:
                break
            for i, product in enumerate(stage.products):
                if product.source[0] == "source":
                    columns = self._now(self.d.slots).narrow(2, product.offset, product.size)
                    part = torch.matmul(columns, b.weights[level, i])
                    key = ("dsource", int(product.source[1]))
                    self._scratch[key] = self._scratch[key] + part if product.accumulate_back else part
        return found

    def _values(self, wanted: Iterable[Node]) -> dict[int, Tensor]:
        held = self.b.plan.held
        values: dict[int, Tensor] = {}
        for node in reachable(wanted, lambda n: n.number in held):
            if node.number in held or not node.args:
                values[node.number] = self._leaf(node)
            else:
                values[node.number] = function_of(node)(*[values[a.number] for a in node.args])
        return values

    def _leaf(self, node: Node) -> Tensor:
        if node.number not in self.b.plan.held and node.op in DYNAMIC:
            if node.op != "din":
                return self._scratch[node.op, node.data[0]]
            assert self.d.later is not None
            return self._now(self.d.later[node.data[0]]).narrow(2, node.data[1], node.width)
        whole = whole_of(node, self.b, self.d)
        return self._now(whole) if whole.dim() == 3 else whole

    def _now(self, whole: Tensor) -> Tensor:
        return whole.narrow(0, self.first, self.count)
