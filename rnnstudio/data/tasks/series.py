"""Series of numbers that are made: Mackey-Glass, and mixtures of sines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnstudio.data.examples import Examples, numbers
from rnnstudio.data.options import option
from rnnstudio.data.tasks.task import Task, seed_option

Floats = npt.NDArray[np.float64]


def _horizon() -> Any:
    return option(1, "how many steps ahead the target lies", title="predict", minimum=1)


@dataclass(frozen=True)
class MackeyGlassOptions:
    """The Mackey-Glass series."""

    delay: int = option(17, "τ, how far the equation looks back; chaotic from 17 on", title="delay (τ)", minimum=1)
    steps: int = option(5000, "how many values are made", minimum=50)
    washout: int = option(1000, "values at the beginning that are thrown away", minimum=0)
    horizon: int = _horizon()
    seed: int = seed_option()


EULER = 10
"""Steps of the integration in one step of the series: 0.1 each."""


class MackeyGlass(Task):
    """dy/dt = 0.2 y(t − τ) / (1 + y(t − τ)^10) − 0.1 y(t), by Euler's method with steps of 0.1, every tenth value kept,
    then tanh(y − 1). Before the beginning y is 1.2 and a uniform ±0.1 that depends on the seed.

    Mackey & Glass 1977; so made in Jaeger 2001, The "echo state" approach, GMD report 148, section 3.2 and figure 5.
    The tenth power is made of products alone: the orbit is the same on every machine.
    """

    name = "task:mackey-glass"
    title = "task: Mackey-Glass"
    what = "the Mackey-Glass series"
    parts = (0.6, 0.2, 0.2)
    Options = MackeyGlassOptions

    def make(self, options: MackeyGlassOptions, pick: np.random.Generator) -> Examples:
        back = options.delay * EULER
        history = (1.2 + 0.2 * (pick.random(back + 1) - 0.5)).tolist()
        orbit = mackey_glass(history, options.washout + options.steps)
        values = np.tanh(np.array(orbit[options.washout :]) - 1.0)[:, None]
        return _forecast([values], ("y",), options.horizon, ("",))


def mackey_glass(history: list[float], count: int) -> list[float]:
    """y at t = 1, 2, … count, of its values at t = −τ, −τ + 0.1, … 0."""
    line = list(history)
    back = len(history) - 1
    for place in range(count * EULER):
        before, now = line[place], line[place + back]
        square = before * before
        fourth = square * square
        line.append(now + 0.1 * (0.2 * before / (1.0 + fourth * fourth * square) - 0.1 * now))
    return line[back + EULER :: EULER]


@dataclass(frozen=True)
class SineOptions:
    """Mixtures of sines."""

    sines: int = option(2, "sines in each mixture", minimum=1)
    series: int = option(40, "how many mixtures are made", minimum=1)
    steps: int = option(100, "the length of each", minimum=10)
    shortest: float = option(8.0, "the shortest period, in steps", minimum=2)
    longest: float = option(40.0, "the longest period, in steps", minimum=2)
    noise: float = option(0.0, "the standard deviation of what is added to each value", minimum=0)
    horizon: int = _horizon()
    seed: int = seed_option()


class Sines(Task):
    """x_t = (1/K) Σ_k sin(2π (t / p_k + φ_k)) + noise, t = 0, 1, …: for each series K periods p_k, uniform between the
    shortest and the longest, and phases φ_k, uniform in [0, 1). K sines without noise follow a linear recurrence of
    order 2 K, so that a few states foretell them exactly (Prony 1795).
    """

    name = "task:sines"
    title = "task: mixtures of sines"
    what = "mixtures of sines"
    Options = SineOptions

    def make(self, options: SineOptions, pick: np.random.Generator) -> Examples:
        low, high = sorted((options.shortest, options.longest))
        size = (options.series, 1, options.sines)
        periods, phases = low + (high - low) * pick.random(size), pick.random(size)
        time = np.arange(options.steps)[None, :, None]
        values = np.sin(2 * math.pi * (time / periods + phases)).mean(2)
        values = values + options.noise * pick.standard_normal(values.shape)
        names = tuple(f"series {number + 1}" for number in range(options.series))
        return _forecast([row[:, None] for row in values], ("x",), options.horizon, names)


def _forecast(series: list[Floats], columns: tuple[str, ...], horizon: int, names: tuple[str, ...]) -> Examples:
    return Examples(
        (
            numbers("inputs", series, columns, scaling="none"),
            numbers("targets", series, columns, role="target", scaling="none", shift=horizon),
        ),
        names=names,
        unit="steps",
    )
