"""Fixes of parameters: the nearest allowed value, the choice, name or variable that was meant, or the default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from math import isfinite
from typing import Any

from ...catalog.families import MOST as MOST_CHILDREN
from ...catalog.families import set_children
from ...catalog.node import Param
from ...design.design import MAIN, Pin, Value, Var, frozen
from ...design.edits import Compound, SetCell, SetVariable
from ...design.signals import Real
from ..diagnostics import Fix
from .place import Place


def wrong_parameter(place: Place) -> Iterator[Fix]:
    name = place.diagnostic.param
    params = place.params(place.node)
    param = params.get(name)
    value = place.node.params.get(name)
    if param is None:
        yield from _unknown(place, name, params)
        return
    if isinstance(value, Var):
        yield from _variable(place, param, value)
    else:
        nearest = near(param, value)
        if nearest is not None and nearest != param.default:
            yield place.set(name, nearest), f"Set {name} to {shown(nearest)}"
        if param.type == "bool":
            yield from ((place.set(name, v), f"Set {name} to {shown(v)}") for v in (param.default, not param.default))
    yield place.set(name, None), f"Set {name} to its default, {shown(param.default)}"


def idle_width(place: Place) -> Iterator[Fix]:
    """The default: what the node reads tells its width."""
    yield place.set(place.diagnostic.param, None), "Leave the width to what it reads"
    signal = place.signal(Pin(place.node.id, "out"))
    if signal is not None and isinstance(signal.content, Real):
        yield place.set(place.diagnostic.param, signal.width), f"Set the width to {signal.width}"


def more_children(place: Place) -> Iterator[Fix]:
    """The same cell for as many children as nodes of the data have, where the library draws it for any number."""
    cell = place.design.cells.get(str(place.node.params.get("cell", "")))
    drawn = place.catalog.family_of(cell) if cell is not None else None
    data = place.design.data
    most = max((spec.children for spec in data.fields), default=0) if data is not None else 0
    if drawn is not None and 0 < most <= MOST_CHILDREN:
        yield set_children(place.design, place.name, place.node, drawn[0], most), f"Read {most} children"


def reset(place: Place) -> Iterator[Fix]:
    """The default of the parameter that a shape rule complains of."""
    param = place.params(place.node).get(place.diagnostic.param)
    if param is not None:
        yield place.set(param.name, None), f"Set {param.name} to its default, {shown(param.default)}"


def _unknown(place: Place, name: str, params: dict[str, Param] | Any) -> Iterator[Fix]:
    free = [p for p in params if p not in place.node.params]
    for meant in get_close_matches(name, free, 1, 0.6):
        edits = (place.set(meant, place.node.params[name]), place.set(name, None))
        yield Compound(edits, f"Rename {name}"), f"Call it {meant}"
    yield place.set(name, None), f"Remove {name}"


def _variable(place: Place, param: Param, value: Var) -> Iterator[Fix]:
    """A variable that is not there, or whose value does not fit."""
    known = place.variables
    cell = place.design.cells.get(place.name) if place.name != MAIN else None
    own = place.design.variables if cell is None else cell.params
    if value.name in known:
        nearest = near(param, known[value.name])
        wanted = nearest if nearest is not None else param.default
        if cell is None and value.name in own and isinstance(wanted, int | float):
            yield SetVariable(value.name, wanted), f"Set {value.name} to {shown(wanted)}"
        return
    fitting = [name for name, there in known.items() if param.problem(there) is None]
    for name in get_close_matches(value.name, fitting, 1, 0.6):
        yield place.set(param.name, Var(name)), f"Read {name}"
    if isinstance(param.default, int | float) and not isinstance(param.default, bool):
        title = f"Add the variable {value.name} = {shown(param.default)}"
        if cell is None:
            yield SetVariable(value.name, param.default), title
        else:
            yield SetCell(cell.replace(params=frozen({**cell.params, value.name: param.default}))), title


def near(param: Param, value: Any) -> Value:
    """The allowed value nearest to a wrong one, or None."""
    found: Value = None
    if param.type in ("int", "float"):
        found = _number(param, value)
    elif param.type == "bool":
        found = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False}.get(
            str(value).lower()
        )
    elif param.type == "choice":
        lowered = {choice.lower(): choice for choice in param.choices}
        close = get_close_matches(str(value).lower(), list(lowered), 1, 0.5)
        found = lowered[close[0]] if close else None
    elif param.type in ("field", "axis") and isinstance(value, str):
        found = re.sub(r"\W+", "_", value).strip("_")
    elif param.type in ("ints", "floats"):
        found = value if isinstance(value, tuple) else (value,)
    return found if found is not None and param.problem(found) is None else None


def _number(param: Param, value: Any) -> int | float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if isinstance(value, bool) or not isfinite(number):
        return None
    if param.minimum is not None:
        number = max(number, param.minimum)
    if param.maximum is not None:
        number = min(number, param.maximum)
    return round(number) if param.type == "int" else number


def shown(value: Value) -> str:
    """A value as a button names it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    return "empty" if value in ("", ()) else str(value)
