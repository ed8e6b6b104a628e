"""Mutated and hostile designs, through opening, checking, fixes, compiling and saving.

Each trial takes a design of the gallery or one of the drawings of the tests as JSON and changes some of it: parts go,
come twice, change places, types or sizes, wires lead elsewhere, names are used twice. It then opens or is refused in
one clear line; what opens is checked, its fixes are tried, it is compiled when it has no errors, and saving it gives
the same bytes again.
"""

from __future__ import annotations

import copy
import json
import random
import traceback
from functools import cache
from typing import Any

from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import check, compile_design
from rnnstudio.design import storage
from rnnstudio.design.errors import StudioError
from rnnstudio.gallery import examples
from tests.conformance.drawings import DRAWINGS
from tests.soak._limited import limited

COUNT = 3000
SECONDS = 20
"""Of processor time, for one trial."""
FIXES = 4
"""So many of a drawing's fixes are sought and applied."""
ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2,
        7,
        10**9,
        -(10**9),
        10**30,
        1e308,
        -1e308,
        0.5,
        "",
        "x",
        "time",
        "a.b",
        "ü" * 200,
    ),
    *([], {}, [[]], {"variable": "hidden"}, {"variable": ""}, ["a", "b"], "Linear", "LSTM", "cell", "zero", "learned"),
)


def trials(count: int, seed: int) -> tuple[int, list[str]]:
    pick, failures = random.Random(seed), []
    for number in range(count):
        failure = _trial(pick)
        if failure:
            failures.append(f"trial {number}, seed {seed}: {failure}")
    return count, failures


def main() -> None:
    done, failures = trials(COUNT, 0)
    print(f"{done} trials, {len(failures)} failures", *failures, sep="\n")


@cache
def _bodies() -> tuple[tuple[str, str], ...]:
    """Name and file of each design that is changed."""
    shipped = [(each.name, each.path.read_text("utf-8")) for each in examples()]
    return (*shipped, *((name, storage.dumps(draw())) for name, draw in DRAWINGS.items()))


def _trial(pick: random.Random) -> str:
    name, text = pick.choice(_bodies())
    body = json.loads(text)
    done = [_change(body, pick) for _ in range(pick.choice((1, 1, 2, 3, 6)))]
    try:
        with limited(SECONDS):
            return _used(json.dumps(body, ensure_ascii=False), pick)
    except Exception:  # noqa: BLE001 (whatever it is, it is a failure)
        told = traceback.format_exc(limit=-4).strip().replace("\n", " | ")
        return f"{name}, {'; '.join(done)[:400]}: {told}"


def _used(text: str, pick: random.Random) -> str:
    try:
        design = storage.loads(text, "trial.rnn")
    except StudioError as error:
        return "" if "\n" not in str(error) and len(str(error)) < 600 else f"not one line that one reads: {error}"
    saved = storage.dumps(design)
    if storage.dumps(storage.loads(saved)) != saved:
        return "saved again it is another file"
    checked = check(design, standard())
    for found in checked.diagnostics:
        if "\n" in found.message or len(found.message) > 700:
            return f"a message of {len(found.message)} characters: {found.message[:200]}"
    for found in pick.sample(checked.diagnostics, min(FIXES, len(checked.diagnostics))):
        edit = found.fix
        if edit is not None and found in check(edit.apply(design), standard()).diagnostics:
            return f"“{found.fix_title}” does not put right: {found.message}"
    if checked.ok:
        try:
            compile_design(design, standard())
        except StudioError as error:
            # Without a loss and an output there is nothing to compile, and check says so as a warning.
            return "" if "nothing leads to a loss" in error.what else f"check was clean, but: {error}"
    return ""


def _places(body: Any) -> list[tuple[Any, Any]]:
    """Every (object or list, name or number) of a file."""
    found: list[tuple[Any, Any]] = []
    todo = [body]
    while todo:
        here = todo.pop()
        inner = here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ()
        for key, value in inner:
            found.append((here, key))
            todo.append(value)
    return found


def _change(body: Any, pick: random.Random) -> str:
    """Change something of a file; says what."""
    places = _places(body)
    if not places:
        return "nothing left to change"
    here, key = pick.choice(places)
    how = pick.choice(("odd", "odd", "drop", "twice", "swap", "number", "name", "deep", "wire", "wire", "kind"))
    value = here[key]
    if how == "drop":
        del here[key]
    elif how == "twice" and isinstance(here, list):
        here.insert(key, copy.deepcopy(value))
    elif how == "twice":
        here[f"{key}2"] = copy.deepcopy(value)
    elif how == "swap":
        there, other = pick.choice(places)
        if (
            isinstance(there, dict | list)
            and (not isinstance(there, list) or other < len(there))
            and other in _keys(there)
        ):
            here[key], there[other] = copy.deepcopy(there[other]), copy.deepcopy(value)
    elif how == "number" and isinstance(value, int | float) and not isinstance(value, bool):
        here[key] = pick.choice((-value, value + 1, value * 1000, value / 3, 0))
    elif how == "name" and isinstance(here, dict):
        here[pick.choice(("x", "time", "h", "input", str(key) + "_", "ü", "1a"))] = here.pop(key)
    elif how == "deep":
        for _ in range(pick.choice((3, 70))):
            value = [value] if pick.random() < 0.5 else {"a": value}
        here[key] = value
    elif how == "wire":
        _rewire(body, pick)
    elif how == "kind":
        _retype(body, pick)
    else:
        here[key] = copy.deepcopy(pick.choice(ODD))
    return f"{how} at {str(key)[:40]}"


def _keys(there: dict[str, Any] | list[Any]) -> Any:
    return there if isinstance(there, dict) else range(len(there))


def _graphs(body: Any) -> list[dict[str, Any]]:
    cells = body.get("cells") if isinstance(body, dict) else None
    found = [body.get("graph")] if isinstance(body, dict) else []
    found += [cell.get("graph") for cell in cells.values() if isinstance(cell, dict)] if isinstance(cells, dict) else []
    return [
        g
        for g in found
        if isinstance(g, dict) and isinstance(g.get("nodes"), dict) and isinstance(g.get("wires"), list)
    ]


def _rewire(body: Any, pick: random.Random) -> None:
    """Lead a wire elsewhere, take it away, or draw another."""
    graphs = _graphs(body)
    if not graphs:
        return
    graph = pick.choice(graphs)
    names = list(graph["nodes"]) or ["x"]
    ports = ("out", "input", "input2", "a", "b", "x", "h", "c", "h0", "initial", "prediction", "target", "along")
    ends = [f"{pick.choice(names)}.{pick.choice(ports)}" for _ in range(2)]
    if graph["wires"] and pick.random() < 0.6:
        place = pick.randrange(len(graph["wires"]))
        wire = graph["wires"][place]
        if pick.random() < 0.3 or not (isinstance(wire, list) and len(wire) == 2):
            del graph["wires"][place]
        else:
            wire[pick.randrange(2)] = pick.choice(ends)
    else:
        graph["wires"].append(ends)


def _retype(body: Any, pick: random.Random) -> None:
    """Make a node one of another kind, or of another cell."""
    graphs = [g for g in _graphs(body) if g["nodes"]]
    if not graphs:
        return
    node = pick.choice(list(pick.choice(graphs)["nodes"].values()))
    if isinstance(node, dict):
        node["kind"] = pick.choice((*standard().kinds, "cell", "cell", "Unknown"))
        if node["kind"] == "cell":
            cells = body.get("cells")
            node["params"] = {"cell": pick.choice([*(cells if isinstance(cells, dict) else ()), "LSTM", "None"])}


if __name__ == "__main__":
    main()
