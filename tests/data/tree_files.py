"""Small files of trees for tests: sentiment, a Penn treebank, expressions, dependencies."""

from __future__ import annotations

import random
from pathlib import Path

GOOD, BAD = ("fine", "great", "clever"), ("dull", "poor", "flat")


def sentiment(folder: Path, count: int = 120) -> Path:
    """Every node labelled 1 or 3: the feeling of its words, which “not” turns round."""
    pick = random.Random(3)

    def phrase(depth: int) -> tuple[str, int]:
        if depth == 0 or pick.random() < 0.2:
            good = pick.random() < 0.5
            return f"({3 if good else 1} {pick.choice(GOOD if good else BAD)})", 3 if good else 1
        if pick.random() < 0.5:
            below, label = phrase(depth - 1)
            return f"({4 - label} (2 not) {below})", 4 - label
        below, label = phrase(depth - 1)
        return f"({label} (2 {pick.choice(('a', 'the', 'film'))}) {below})", label

    path = folder / "feelings.txt"
    path.write_text("".join(f"{phrase(4)[0]}\n" for _ in range(count)))
    return path


def penn(folder: Path) -> Path:
    pick = random.Random(4)
    text = ""
    for _ in range(60):
        noun, verb = pick.choice(("dog", "cat", "child")), pick.choice(("barks", "sleeps"))
        text += f"( (S (NP-SBJ (DT the) (JJ old) (NN {noun}))\n     (VP (VBZ {verb})\n         (NP (-NONE- *T*-1)))\n"
        text += "     (. .)))\n"
    path = folder / "wsj.mrg"
    path.write_text(text)
    return path


def logic(folder: Path, count: int = 160) -> Path:
    """Boolean expressions; their values are computed."""
    pick = random.Random(6)

    def grow(depth: int) -> str:
        if depth == 0 or pick.random() < 0.25:
            return pick.choice(("true", "false"))
        how = pick.choice(("and", "or", "xor", "implies"))
        return f"({how} {grow(depth - 1)} {grow(depth - 1)})"

    lines = (f"({pick.choice(('and', 'or'))} {grow(2)} {grow(2)})" for _ in range(count))
    path = folder / "logic.sexp"
    path.write_text("; who is right\n" + "\n".join(lines) + "\n")
    return path


def sums(folder: Path, count: int = 160) -> Path:
    """Sums and differences of small numbers; their values are computed."""
    pick = random.Random(8)

    def grow(depth: int) -> str:
        if depth == 0 or pick.random() < 0.3:
            return str(pick.randrange(4))
        return f"({pick.choice('+-')} {grow(depth - 1)} {grow(depth - 1)})"

    path = folder / "sums.txt"
    path.write_text("".join(f"(+ {grow(2)} {grow(2)})\n" for _ in range(count)))
    return path


def heads(folder: Path) -> Path:
    """Dependency trees: what stands before a noun is its determiner, after the verb its object."""
    pick = random.Random(9)
    rows: list[str] = []
    for _ in range(60):
        one, other = pick.choice(("dog", "cat")), pick.choice(("bone", "fish"))
        words = (("the", "DET", 2, "det"), (one, "NOUN", 3, "nsubj"), ("sees", "VERB", 0, "root"))
        words += (("a", "DET", 5, "det"), (other, "NOUN", 3, "obj"))
        for number, (word, kind, head, relation) in enumerate(words, 1):
            rows.append(f"{number}\t{word}\t{word}\t{kind}\t_\t_\t{head}\t{relation}\t_\t_")
        rows.append("")
    path = folder / "heads.conllu"
    path.write_text("\n".join(rows) + "\n")
    return path
