"""Trees whose nodes have more children than a cell reads: the training would stop at the first of them."""

from __future__ import annotations

from ...catalog.node import Params
from ...design.design import MAIN
from .run import Run


def children_have_places(run: Run) -> None:
    """Report cells of so many children under data of more. For a drawing without errors."""
    data = run.design.data
    most = max((spec.children for spec in data.fields), default=0) if data is not None else 0
    for place in run.settled.values() if most else ():
        found = [item for item in place.drawn.values() if item.node.kind == "Children"]
        tops = {top.id: top for item in found if (top := run.outermost(place, item.node)).id in run.live}
        room = _room([item.params for item in found])
        if not tops or not 0 < room < most:
            continue
        joined = ", or set the data's option binary, which joins them two by two" if room == 2 else ""
        text = (
            f"{' and '.join(top.label for top in tops.values())} read{'s' * (len(tops) == 1)} {room} children of a "
            f"node, and nodes of the data have up to {most}: take a cell for {most} or for any number (such as "
            f"ChildSumTreeLSTM){joined}"
        )
        run.report("MoreChildren", "warning", text, MAIN, tuple(tops))


def _room(params: list[Params]) -> int:
    """How many children a cell has places for, as Scan.ordered_children says of its loop; 0: any number."""
    if any(each["how"] != "slot" or each["beyond"] != "refused" for each in params):
        return 0
    return max((int(str(each["slot"])) + 1 for each in params), default=0)
