"""`rnnstudio new --data FILE NAME`: a network drawn for a data file, checked, and written to a design of its own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .. import data
from ..cli import DONE, print_json
from ..compiler import check
from ..data import readers
from ..data.preview import inspect
from ..design.errors import StudioError
from ..design.recipe import is_made
from ..design.storage import SUFFIX, save
from ..loading import load_plugins
from ..proposals import Amount, propose
from .design_file import options_of
from .waiting import read_with_a_bar


def draw_design(options: argparse.Namespace) -> int:
    """Guess how the file is read, draw, and save. Returns the exit code. Raises StudioError, with nothing written."""
    target = Path(options.name)
    if target.suffix != SUFFIX:
        target = target.with_name(target.name + SUFFIX)
    if options.folder is not None:
        raise StudioError(f"“{options.folder}” is one name too many", remedy="Write `rnnstudio new --data FILE NAME`.")
    if target.exists():
        raise StudioError("There is a design of that name already", where=str(target), remedy="Give another name.")
    if not target.absolute().parent.is_dir():
        raise StudioError("There is no such folder", where=str(target.parent), remedy="Make it first.")
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
    amount = Amount(seen.examples, seen.rows, seen.cuttable, window, seen.longest)
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
    sizes = ", ".join(f"{name} = {value}" for name, value in design.variables.items())
    print(f"{design.doc} {preview.summary}\nSizes: {sizes}")
    print(f"{target}\nTrain it with `rnnstudio train {target}`, or open it with `rnnstudio open {target}`.")
    if options.json:
        print_json({"design": str(target), "doc": design.doc, "reader": preview.recipe.reader})
    return DONE
