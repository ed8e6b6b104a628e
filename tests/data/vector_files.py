"""Small files of vectors and arrays for tests: digits of 8 × 8 points, flowers, frames with unaligned labels."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

DIGITS = {
    "0": ("..###...", ".#...#..", ".#...#..", ".#...#..", ".#...#..", ".#...#..", "..###...", "........"),
    "1": ("...#....", "..##....", "...#....", "...#....", "...#....", "...#....", "..###...", "........"),
    "2": ("..###...", ".#...#..", ".....#..", "....#...", "...#....", "..#.....", ".#####..", "........"),
    "7": (".#####..", ".....#..", "....#...", "....#...", "...#....", "...#....", "..#.....", "........"),
}
NAMES = {"0": "zero", "1": "one", "2": "two", "7": "seven"}
"""Pictures of 8 × 8 points, and what they are called."""


def digits(folder: Path, count: int = 160) -> Path:
    """Noisy pictures of digits, shifted by a point: 64 grey values from 0 to 16, and the digit."""
    pick = np.random.default_rng(5)
    rows = [",".join([*(f"p{n}" for n in range(64)), "digit"])]
    for _ in range(count):
        digit = str(pick.choice(list(DIGITS)))
        picture = np.array([[16.0 * (point == "#") for point in row] for row in DIGITS[digit]])
        picture = np.roll(picture, int(pick.integers(-1, 2)), axis=1) + pick.normal(0, 1, (8, 8))
        rows.append(",".join([*(f"{value:.1f}" for value in picture.clip(0, 16).reshape(-1)), digit]))
    path = folder / "digits.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def flowers(folder: Path) -> Path:
    """Four measures and a species, without names of columns."""
    pick = random.Random(2)
    rows = []
    for _ in range(90):
        kind = pick.randrange(3)
        rows.append(";".join([*(f"{pick.gauss(kind + part, 0.2):.2f}" for part in range(4)), f"kind {'abc'[kind]}"]))
    path = folder / "flowers.data"
    path.write_text("\n".join(rows) + "\n")
    return path
