"""`rnnstudio new`: a network drawn for a data file, or a pattern of the field, written to a design of its own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .. import data
from ..cli import DONE, print_json
from ..compiler import check
from ..data import readers
from ..data.preview import inspect
from ..design.design import Design
from ..design.errors import StudioError
from ..design.recipe import is_made
from ..design.storage import SUFFIX, save
from ..gallery import draw_pattern, pattern
from ..loading import load_plugins
from ..proposals import Amount, propose
from ..proposals.patterns import PATTERNS
from .design_file import options_of
from .waiting import read_with_a_bar


def draw_design(options: argparse.Namespace) -> int:
    """Guess how the file is read, draw, and save. Returns the exit code. Raises StudioError, with nothing written."""
    target = _target(options, "--data FILE")
    file = options.data.absolute()
    folder = target.absolute().parent
    shown = file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)
    if is_made(str(options.data)):
        file, shown = options.data, str(options.data)
    chosen = options_of(options.set)
    if options.reader:
        recipe = data.guess_with(readers.find(options.reader), file, shown, chosen)
    else:
        recipe = data.guess(file, chosen).replace(path=shown)
    preview = read_with_a_bar(lambda: inspect(data.choose(recipe, chosen), folder, rows=0))
    for problem in preview.problems:
        print(f"{problem.severity}: {problem}", file=sys.stderr)
    if not preview.usable or preview.statistics is None:
        raise StudioError(
            "No network can be drawn, as the file cannot be learned from",
            where=str(options.data),
            remedy="Correct what is told above, or choose with --reader and --set how it is read.",
        )
    seen = preview.statistics
    window = int(str(preview.recipe.options.get("window") or 0))
    amount = Amount(1 if seen.long else seen.examples, seen.rows, seen.cuttable, window, seen.longest)
    catalog = load_plugins().catalog
    design = propose(preview.recipe, amount, catalog, target.stem)
    wrong = check(design, catalog).errors
    if wrong:
        raise StudioError(
            f"The studio knows no drawing that fits this data: {wrong[0].message}",
            where=str(options.data),
            remedy="Draw one in the studio, or choose other columns with --set.",
        )
    save(design, target)
    _tell(design, target, options, f" {preview.summary}", {"reader": preview.recipe.reader})
    return DONE


def draw_pattern_design(options: argparse.Namespace) -> int:
    """Draw a pattern of the field on the data that it makes, and save. Returns the exit code. Raises StudioError."""
    wanted = pattern(options.pattern)
    target = _target(options, "--pattern PATTERN")
    design = draw_pattern(wanted, load_plugins().catalog).replace(name=target.stem)
    save(design, target)
    _tell(design, target, options, f" Data: {wanted.data}.", {"pattern": wanted.name})
    return DONE


def list_patterns(options: argparse.Namespace) -> int:
    """Print each pattern with its sentence. Returns the exit code."""
    width = max(len(item.name) for item in PATTERNS)
    for item in PATTERNS:
        print(f"{item.row:>2}  {item.name:<{width}}  {item.says}")
    if options.json:
        found = [{"row": p.row, "name": p.name, "title": p.title, "says": p.says, "data": p.data} for p in PATTERNS]
        print_json({"patterns": found})
    else:
        print("\nDraw one with `rnnstudio new --pattern NAME FILE`.")
    return DONE


def _target(options: argparse.Namespace, what: str) -> Path:
    """The file to be written. Raises StudioError where it is there already, or cannot be."""
    target = Path(options.name)
    if target.suffix != SUFFIX:
        target = target.with_name(target.name + SUFFIX)
    if options.folder is not None:
        raise StudioError(f"“{options.folder}” is one name too many", remedy=f"Write `rnnstudio new {what} NAME`.")
    if target.exists():
        raise StudioError("There is a design of that name already", where=str(target), remedy="Give another name.")
    if not target.absolute().parent.is_dir():
        raise StudioError("There is no such folder", where=str(target.parent), remedy="Make it first.")
    return target


def _tell(design: Design, target: Path, options: argparse.Namespace, more: str, values: dict[str, str]) -> None:
    sizes = ", ".join(f"{name} = {value}" for name, value in design.variables.items())
    print(f"{design.doc}{more}" + (f"\nSizes: {sizes}" if sizes else ""))
    print(f"{target}\nTrain it with `rnnstudio train {target}`, or open it with `rnnstudio open {target}`.")
    if options.json:
        print_json({"design": str(target), "doc": design.doc, **values})
