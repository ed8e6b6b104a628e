"""Small files of vectors and arrays for tests: digits of 8 × 8 points, flowers, frames with unaligned labels."""

from __future__ import annotations

import json
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


def wave(folder: Path) -> Path:
    """Two columns of a series, in one array."""
    t = np.arange(300)
    np.save(folder / "wave.npy", np.stack([np.sin(t / 5), np.cos(t / 7)], 1).astype(np.float32))
    return folder / "wave.npy"


def moves(folder: Path) -> Path:
    """Sequences of different lengths, padded, with a class each: whether they rise or fall."""
    pick = np.random.default_rng(3)
    lengths, kinds = pick.integers(5, 12, 80), pick.integers(0, 2, 80)
    inputs = np.full((80, 12, 2), np.nan)
    for row, (length, kind) in enumerate(zip(lengths, kinds, strict=True)):
        inputs[row, :length] = (2 * kind - 1) * np.arange(length)[:, None] / 10 + pick.normal(0, 0.1, (length, 2))
    np.savez(folder / "moves.npz", inputs=inputs, lengths=lengths, label=np.array(["falls", "rises"])[kinds])
    return folder / "moves.npz"


def morse(count: int = 200) -> list[tuple[list[list[float]], str]]:
    """Words in Morse code as a noisy signal: a dot is one or two frames, a dash four or five, a pause between."""
    pick = np.random.default_rng(7)
    code = {"e": ".", "t": "-", "a": ".-", "n": "-."}
    made = []
    for _ in range(count):
        word = "".join(pick.choice(list(code), int(pick.integers(1, 5))))
        signal: list[float] = []
        for letter in word:
            for mark in code[letter]:
                signal += [1.0] * int(pick.integers(1, 3) if mark == "." else pick.integers(4, 6)) + [0.0]
            signal += [0.0] * int(pick.integers(3, 5))
        noisy = np.array(signal) + pick.normal(0, 0.05, len(signal))
        made.append(([[round(float(value), 3)] for value in noisy], word))
    return made


def morse_arrays(folder: Path) -> Path:
    """Padded signals and padded letters, each with its lengths."""
    examples = morse()
    frames, letters = [len(signal) for signal, _ in examples], [len(word) for _, word in examples]
    inputs = np.zeros((len(examples), max(frames), 1))
    labels = np.full((len(examples), max(letters)), "", "U1")
    for row, (signal, word) in enumerate(examples):
        inputs[row, : len(signal)] = signal
        labels[row, : len(word)] = list(word)
    np.savez(folder / "morse.npz", inputs=inputs, lengths=frames, labels=labels, label_lengths=letters)
    return folder / "morse.npz"


def morse_lines(folder: Path) -> Path:
    """An object a line: the signal and what it says."""
    path = folder / "morse.jsonl"
    path.write_text("".join(json.dumps({"inputs": signal, "labels": word}) + "\n" for signal, word in morse()))
    return path


def morse_rows(folder: Path) -> Path:
    """A row each: what is said, then the signal; rows are as long as their signals."""
    path = folder / "morse.csv"
    rows = (",".join([word, *(str(step[0]) for step in signal)]) for signal, word in morse())
    path.write_text("\n".join(rows) + "\n")
    return path
