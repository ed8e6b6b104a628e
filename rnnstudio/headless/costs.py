"""`rnnstudio show FILE --costs`: parameters, multiply-adds and the memory of a training step, counted."""

from __future__ import annotations

from ..cli import DONE, print_json
from ..compiler.check import check
from ..data.preview import inspect
from ..design.errors import StudioError
from ..loading import load_plugins
from ..training.step_costs import step_costs
from .design_file import read_design


def show_costs(name: str, json: bool) -> int:
    """Print what a design costs, of its sound part where something is wrong. Returns the exit code.

    Raises StudioError where nothing of it can be counted.
    """
    file = read_design(name)
    catalog = load_plugins().catalog
    seen = None
    if file.design.data is not None:
        seen = inspect(file.design.data, file.folder, rows=0).statistics
    longest = {axis: found.most for axis, found in seen.lengths.items()} if seen is not None else None
    checked = check(file.design, catalog)
    found = step_costs(checked, catalog, longest, seen is None or seen.cuttable)
    if found is None:
        raise StudioError(
            "Nothing of this design can be counted yet",
            where=name,
            remedy=checked.errors[0].message if checked.errors else "Add a node first.",
        )
    print("\n".join(found.lines()))
    if json:
        print_json(found.as_json())
    return DONE
