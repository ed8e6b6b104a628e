"""Lowerings that raised: tried before they serve, and declined with the reason, so that the next one serves.

With gradients a lowering is tried on the values at hand, detached, forward and backward: once for each condition.
Without, its own run is the trial, and whatever it has changed is put back. An error of the input declines nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ...compiler.program import Scan
from ..context import Context
from ..put_off import Values
from . import contest


@dataclass(frozen=True, slots=True)
class Condition:
    """What decides whether a kernel has code for a run. mixed: what autocast rounds to, None without it."""

    loop: str
    device: str
    dtype: torch.dtype
    mixed: torch.dtype | None
    ragged: bool
    training: bool
    gradients: bool
    traced: bool


class Declines:
    """Of the loops of one network."""

    def __init__(self) -> None:
        self._why: dict[Condition, dict[str, str]] = {}
        self._tried: set[tuple[Condition, str]] = set()

    @staticmethod
    def condition(scan: Scan, context: Context) -> Condition:
        kind = context.device.type
        mixed = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
        return Condition(
            loop=scan.name,
            device=kind,
            dtype=context.dtype,
            mixed=torch.get_autocast_dtype(kind) if mixed else None,
            ragged=context.ragged(scan.axis),
            training=context.training,
            gradients=torch.is_grad_enabled(),
            traced=_traced(),
        )

    def of(self, condition: Condition) -> Mapping[str, str]:
        """Why lowerings are out, by name."""
        return self._why.get(condition, {})

    def add(self, condition: Condition, name: str, reason: str) -> None:
        self._why.setdefault(condition, {})[name] = reason

    def forget(self, condition: Condition, names: Iterable[str]) -> None:
        for name in names:
            self._why[condition].pop(name, None)

    def tried(self, condition: Condition, name: str) -> None:
        """It has run under this condition, forward and backward."""
        self._tried.add((condition, name))

    def run(
        self,
        name: str,
        runner: contest.Runner,
        condition: Condition,
        scan: Scan,
        values: dict[str, Tensor],
        context: Context,
    ) -> str:
        """Run a loop, or say what was raised, and nothing has changed. Raises RAISED, and what a lowering raises
        that has run before.
        """
        if condition.traced or (condition, name) in self._tried:
            runner(values, context)
            return ""
        if condition.gradients:
            if isinstance(values, Values):
                values.make_all()
            reason = contest.breaks(runner, scan, values, context)
        else:
            reason = _carefully(runner, values, context)
        if reason:
            return reason
        self.tried(condition, name)
        if condition.gradients:
            runner(values, context)
        return ""

    def text(self, scan: Scan, named: Callable[[Scan, str], str]) -> str:
        """What is said about lowerings that are out, to be put behind a line; named: a lowering as people read it."""
        found: dict[str, None] = {}
        for condition, out in self._why.items():
            if condition.loop == scan.name:
                how = "" if condition.mixed is None else f" in {str(condition.mixed).removeprefix('torch.')}"
                found |= {f"; no {named(scan, name)}{how}: {reason}": None for name, reason in out.items()}
        return "".join(found)


def _carefully(runner: contest.Runner, values: dict[str, Tensor], context: Context) -> str:
    """Run without gradients; when something is raised all is as before: values, states, statistics, random numbers."""
    there, final = set(values), dict(context.final)
    kept = {path: w.clone() for path, w in context.weights.items() if context.training and not w.requires_grad}
    devices = [context.device.index or 0] if context.device.type == "cuda" else []
    random = [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in devices)]
    try:
        runner(values, context)
    except contest.RAISED:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a kernel says is the reason that is shown
        for name in set(values) - there:
            del values[name]
        context.final = final
        for path, w in kept.items():
            context.weights[path].copy_(w)
        torch.set_rng_state(random[0])
        for device, state in zip(devices, random[1:], strict=True):
            torch.cuda.set_rng_state(state, device)
        return contest.said(error)
    return ""


def _traced() -> bool:
    """Whether torch looks at the operations instead of running them, or wraps tensors: a trial is then no trial."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return True
    return torch._C._functorch.peek_interpreter_stack() is not None
