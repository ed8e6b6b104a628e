"""Runs the trials: all kinds, or those named on the command line (`python -m tests.soak designs kills --scale 0.1`)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.soak._apart import Score, held

SHOWN = 10
"""So many failures of a kind are printed in full."""


def names() -> list[str]:
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"kinds of trials: {', '.join(names())}")
    parser.add_argument("--seed", type=int, default=0, help="of all trials")
    parser.add_argument("--scale", type=float, default=1.0, help="so many times the usual number of trials")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in names()]
    if unknown:
        print(f"soak: no trials {', '.join(unknown)}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    scores = []
    for name in given.names or names():
        print(f"== {name}", flush=True)
        score = held(name, given.seed, given.scale)
        scores.append(score)
        print(f"   {score.done} trials, {len(score.failures)} failures, {score.seconds:.0f} s", flush=True)
        for failure in score.failures[:SHOWN]:
            print(f"   {failure}", flush=True)
    print("\n" + scorecard(scores))
    return 1 if any(score.failures for score in scores) else 0


def scorecard(scores: list[Score]) -> str:
    """A Markdown table, as it stands in README."""
    lines = ["| trials of | trials | failures |", "|---|---|---|"]
    lines += [f"| {score.title} | {score.done:,} | {len(score.failures)} |" for score in scores]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
