"""torch's optimisers as the settings ask for them, and how the learning rate moves over a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..design.errors import StudioError
from .settings import TrainingSettings


def make_optimiser(settings: TrainingSettings, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser in its fastest form.

    Fused kernels were measured at 0.4 of the foreach form's time (Adam, 26 small tensors, one CPU thread); RMSprop has
    none. Adagrad's is for the CPU only.
    """
    weights = list(parameters)
    rate, decay = settings.learning_rate, settings.weight_decay
    on_cpu = all(weight.device.type == "cpu" for weight in weights)
    match settings.optimiser:
        case "adam":
            return torch.optim.Adam(weights, rate, weight_decay=decay, fused=True)
        case "adamw":
            return torch.optim.AdamW(weights, rate, weight_decay=decay, fused=True)
        case "sgd":
            return torch.optim.SGD(weights, rate, momentum=settings.momentum, weight_decay=decay, fused=True)
        case "adagrad":
            fused = {"fused": True} if on_cpu else {"foreach": True}
            return torch.optim.Adagrad(weights, rate, weight_decay=decay, **fused)
        case "rmsprop":
            momentum = settings.momentum
            return torch.optim.RMSprop(weights, rate, momentum=momentum, weight_decay=decay, foreach=True)
        case "ridge":
            raise ValueError("ridge regression solves a network's readouts: see training.ridge")


def rate_factor(settings: TrainingSettings, step: int, total: int) -> float:
    """Learning rate of step `step` (from 0) of `total`, as a part of settings.learning_rate.

    The same curves as torch.optim.lr_scheduler's LinearLR, CosineAnnealingLR (Loshchilov and Hutter 2017) and
    MultiStepLR (a tenth after half of the run, a hundredth after three quarters; He et al. 2016), after a linear
    warm-up. A function of the step, no stateful scheduler, so that a resumed run and a rate changed by hand are exact.
    """
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(total - settings.warmup, 1)
    match settings.schedule:
        case "constant":
            return 1.0
        case "linear":
            return max(1.0 - done, 0.0)
        case "cosine":
            return (1.0 + math.cos(math.pi * min(done, 1.0))) / 2
        case "step":
            return 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01


def apply_settings(optimiser: torch.optim.Optimizer, settings: TrainingSettings, step: int, total: int) -> float:
    """Give the optimiser what the settings say for this step. Returns the learning rate."""
    rate = settings.learning_rate * rate_factor(settings, step, total)
    for group in optimiser.param_groups:
        group["lr"] = rate
        group["weight_decay"] = settings.weight_decay
        if "momentum" in group:
            group["momentum"] = settings.momentum
    return rate


def norms(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The Euclidean norm of each tensor, by one kernel for all of them where the device has one."""
    return list(torch._foreach_norm(list(tensors)))


def named_state(optimiser: torch.optim.Optimizer, weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """torch's state_dict with each parameter's path in the place of its number. weights: path → parameter."""
    order = _paths(optimiser, weights)
    state = optimiser.state_dict()
    groups = [{**group, "params": [order[i] for i in group["params"]]} for group in state["param_groups"]]
    return {"state": {order[i]: values for i, values in state["state"].items()}, "param_groups": groups}


def load_named_state(
    optimiser: torch.optim.Optimizer, weights: Mapping[str, Tensor], stored: Mapping[str, Any], where: str
) -> None:
    """Give every parameter the state that was stored under its path, whatever order they came in then and come in now.

    State stored by number, as before format 2, is taken in order. Raises StudioError when one parameter is without its
    state, one state without its parameter, or one of another shape; the optimiser is then as it was. where: the file.
    """
    own = _paths(optimiser, weights)
    known: list[Any] = [name for group in stored["param_groups"] for name in group["params"]]
    state = stored["state"]
    if all(isinstance(name, int) for name in known):
        if len(known) != len(own):
            raise _unfit(f"it knows {len(known)} parameters, but {len(own)} are trained here", where)
        state = {own[known.index(number)]: values for number, values in state.items()}
        known = own
    if missing := sorted(set(own) - set(known)):
        raise _unfit(f"it knows nothing of “{missing[0]}”, which is trained here", where)
    if extra := sorted(set(known) - set(own)):
        raise _unfit(f"it knows “{extra[0]}”, which is not trained here", where)
    for path, values in state.items():
        for name in _ONE_A_WEIGHT & values.keys():
            if values[name].shape != weights[path].shape:
                found = f"{list(values[name].shape)}, not {list(weights[path].shape)}"
                raise _unfit(f"“{name}” of “{path}” has shape {found}", where)
    numbers = {path: i for i, path in enumerate(own)}
    group = {**stored["param_groups"][0], "params": list(range(len(own)))}  # all parameters are in one
    optimiser.load_state_dict({"state": {numbers[path]: x for path, x in state.items()}, "param_groups": [group]})


_ONE_A_WEIGHT = frozenset({"exp_avg", "exp_avg_sq", "momentum_buffer", "square_avg", "sum"})
"""State of torch's optimisers that has one number for each number of the parameter."""


def _paths(optimiser: torch.optim.Optimizer, weights: Mapping[str, Tensor]) -> list[str]:
    """The parameters' paths in the order in which state_dict numbers them."""
    paths = {id(weight): path for path, weight in weights.items()}
    return [paths[id(weight)] for group in optimiser.param_groups for weight in group["params"]]


def _unfit(what: str, where: str) -> StudioError:
    remedy = "Resume it with the design it was trained with, or start a new run."
    return StudioError(f"The checkpoint's optimiser does not fit the design: {what}", where=where, remedy=remedy)
