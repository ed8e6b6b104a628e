"""Values as colours: diverging about 0 for values and gradients, from dark to light for gates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtGui import QImage

Floats = npt.NDArray[np.float32]

BELOW = np.array((46.0, 111.0, 214.0))
ABOVE = np.array((221.0, 78.0, 62.0))
SHUT, OPEN = np.array((38.0, 42.0, 52.0)), np.array((250.0, 204.0, 92.0))
MOST = 256
"""Units that are told apart; of more, neighbours share a pixel."""


def scale_of(values: list[Floats]) -> float:
    """What is shown in full colour: the 99th percentile of the magnitudes; 1 where there is nothing."""
    flat = [np.abs(value[np.isfinite(value)]).ravel() for value in values]
    everything = np.concatenate(flat) if flat else np.zeros(0, np.float32)
    return float(np.quantile(everything, 0.99)) or 1.0 if everything.size else 1.0


def strip(value: Floats, scale: float, gate: bool, middle: tuple[int, int, int]) -> QImage:
    """One pixel a unit. middle: the colour of 0."""
    row = np.asarray(value, np.float64).ravel()
    if row.size > MOST:
        edges = np.linspace(0, row.size, MOST + 1).astype(int)[:-1]
        row = np.add.reduceat(row, edges) / np.diff([*edges, row.size])
    row = np.nan_to_num(row, nan=0.0, posinf=scale, neginf=-scale)
    if gate:
        share = np.clip(row, 0.0, 1.0)[:, None]
        colours = SHUT + (OPEN - SHUT) * share
    else:
        share = np.clip(row / scale, -1.0, 1.0)[:, None]
        share = np.sign(share) * np.sqrt(np.abs(share))  # what is a tenth of the largest is still seen
        centre = np.array(middle, float)
        colours = centre + (np.where(share < 0, BELOW, ABOVE) - centre) * np.abs(share)
    pixels = np.ascontiguousarray(np.rint(colours), dtype=np.uint8)
    return QImage(pixels.tobytes(), len(pixels), 1, 3 * len(pixels), QImage.Format.Format_RGB888).copy()
