"""torch's optimisers as the settings ask for them, and how the learning rate moves over a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

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
