"""Small files of pairs, labelled texts and tagged words, with something to be learnt in each."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

NAMES, PLACES, VERBS = ("Anna", "Ben", "Cleo"), ("Rome", "Oslo", "Bern"), ("sees", "leaves", "likes")


def pairs(folder: Path, count: int = 120) -> Path:
    """A word of a and b, and the same backwards."""
    pick = random.Random(3)
    words = ["".join(pick.choice("ab") for _ in range(pick.randint(2, 9))) for _ in range(count)]
    path = folder / "backwards.tsv"
    path.write_text("".join(f"{word}\t{word[::-1]}\n" for word in words))
    return path


def _reviews(count: int = 60) -> list[tuple[str, str]]:
    pick = random.Random(5)
    found = []
    for _ in range(count):
        good = pick.random() < 0.5
        words = [pick.choice(("the", "film", "plot", "and", "a", "story")) for _ in range(pick.randint(3, 12))]
        words.insert(pick.randrange(len(words)), "fine" if good else "dull")
        found.append((" ".join(words), "good" if good else "bad"))
    return found


def reviews(folder: Path) -> Path:
    path = folder / "reviews.csv"
    rows = [f'{7000 + 13 * n},"{text}",{label}\n' for n, (text, label) in enumerate(_reviews())]
    path.write_text("id,text,label\n" + "".join(rows))
    return path


def json_lines(folder: Path) -> Path:
    path = folder / "reviews.jsonl"
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in _reviews()))
    return path


def folders(folder: Path) -> Path:
    path = folder / "reviews"
    for number, (text, label) in enumerate(_reviews()):
        (path / label).mkdir(parents=True, exist_ok=True)
        (path / label / f"{number}.txt").write_text(text)
    return path


def tagged(folder: Path) -> Path:
    pick = random.Random(7)
    lines = ["-DOCSTART- O", ""]
    for number in range(40):
        name, verb, place = ("Anna", "sees", "Rome") if not number else map(pick.choice, (NAMES, VERBS, PLACES))
        lines += [f"{name} B-PER", f"{verb} O", f"{place} B-LOC", *["indeed O"] * (number % 3), ""]
    path = folder / "names.txt"
    path.write_text("\n".join(lines))
    return path


def conllu(folder: Path) -> Path:
    rows = [
        "# text = Va al mar.",
        "1\tVa\tir\tVERB\t_\t_\t0\troot\t_\t_",
        "2-3\tal\t_\t_\t_\t_\t_\t_\t_\t_",
        "2\tal\ta\tADP\t_\t_\t4\tcase\t_\t_",
        "3\tel\tel\tDET\t_\t_\t4\tdet\t_\t_",
        "4\tmar\tmar\tNOUN\t_\t_\t1\tobl\t_\t_",
        "4.1\tva\tir\tVERB\t_\t_\t_\t_\t_\t_",
        "5\t.\t.\tPUNCT\t_\t_\t1\tpunct\t_\t_",
        "",
    ]
    path = folder / "spanish.conllu"
    path.write_text("\n".join(rows * 40))
    return path


def vowels(folder: Path, count: int = 60) -> Path:
    """Two dimensions, lengths that differ: of class "up" they turn one way round, of class "down" the other."""
    pick = random.Random(6)
    lines = ["# made for a test", "@problemName Turns", "@timeStamps false", "@missing true", "@univariate false"]
    lines += ["@dimensions 2", "@equalLength false", "@classLabel true up down", "@data"]
    for number in range(count):
        way, label = ((1, "up"), (-1, "down"))[number % 2]
        start, steps = pick.random() * 6, pick.randint(7, 15)
        angles = [start + way * 0.7 * step for step in range(steps)]
        first = [f"{math.cos(angle):.3f}" for angle in angles]
        second = [f"{math.sin(angle) + pick.gauss(0, 0.05):.3f}" for angle in angles]
        if number % 10 == 3:
            first[2] = "?"
        lines.append(f"{','.join(first)}:{','.join(second)}:{label}")
    path = folder / "turns.ts"
    path.write_text("\n".join(lines) + "\n")
    return path


def midi(folder: Path, bars: int = 24) -> Path:
    """Chords that follow each other in a circle, one a beat, each with its fifth, in one track of a MIDI file."""
    events = bytearray()
    for beat in range(4 * bars):
        root = 48 + (0, 5, 7, 3)[beat % 4]
        events += bytes((0, 0x90, root, 64, 0, root + 7, 64))  # the second note goes on with the same status
        events += bytes((96, 0x80, root, 0, 0, root + 7, 0))
    events += b"\x00\xff\x2f\x00"
    head = b"MThd" + (6).to_bytes(4, "big") + (0).to_bytes(2, "big") + (1).to_bytes(2, "big") + (96).to_bytes(2, "big")
    path = folder / "circle.mid"
    path.write_bytes(head + b"MTrk" + len(events).to_bytes(4, "big") + bytes(events))
    return path
