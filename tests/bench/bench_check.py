"""How long a large drawing takes to check, again after one edit, and to compile. Targets: 10 ms and 2 s at 500 nodes.

`flat`: long chains of LSTMs drawn node by node in the design's own graph; `cells`: the same with library cells, so that
most nodes lie inside; `wide`: no loops, a ladder of pointwise nodes. Times are of this thread's processor time, so that
what else runs on the machine does not count.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from functools import partial

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import Checker, check, compile_design, source
from rnnstudio.design.design import Design, Graph, Node, Pin, Var, Wire, frozen
from rnnstudio.design.edits import AddNode, Compound, Connect, Disconnect, Edit, MoveNodes, SetParam, SetVariable
from rnnstudio.design.recipe import DataRecipe, FieldSpec

NODES = 500
AGAIN_MS, COMPILE_S = 10.0, 2.0
REPEATS = 15


def _between(middle: Graph, first: str) -> Design:
    """A network of `middle`, which begins at the node `first`, with data, readout and loss around it."""
    s = Sketch()
    s.add("inputs", "FeatureInput", at=(-1, 0), params={"size": 16})
    s.add("readout", "Linear", at=(90, 0), params={"units": 2}, input="last")
    s.add("targets", "FeatureTarget", at=(90, 1), params={"size": 2})
    s.add("loss", "MeanSquaredError", at=(91, 0), prediction="readout", target="targets")
    ends = s.graph()
    nodes = {**ends.nodes, **middle.nodes}
    wires = (*ends.wires, *middle.wires, Wire(Pin("inputs", "out"), Pin(first, "input")))
    return Design(graph=Graph(frozen(nodes), wires), variables=frozen({"hidden": 16}))


def flat() -> Design:
    """LSTMs one after the other, each drawn into the main graph."""
    cell = standard().cells["LSTM"].graph
    ports = {node.id for node in cell.nodes.values() if node.kind in ("CellInput", "CellOutput")}
    nodes: dict[str, Node] = {}
    wires: list[Wire] = []
    before, number = "begin", 0
    nodes["begin"] = Node("begin", "Linear", frozen({"units": Var("hidden")}))
    while len(nodes) + len(cell.nodes) - len(ports) < NODES - 4:
        number += 1
        for node in cell.nodes.values():
            if node.id not in ports:
                own = {k: Var("hidden") if v == Var("units") else v for k, v in node.params.items()}
                own = {k: 1.0 if v == Var("forget_bias") else v for k, v in own.items() if v != Var("axis")}
                name = f"{node.id}_{number}"
                nodes[name] = node.replace(id=name, params=frozen(own))
        for wire in cell.wires:
            if wire.target.node in ports or wire.source.node in ports - {"x"}:
                continue
            source_ = Pin(before, "out") if wire.source.node == "x" else Pin(f"{wire.source.node}_{number}", "out")
            wires.append(Wire(source_, Pin(f"{wire.target.node}_{number}", wire.target.port)))
        before = f"state_{number}"
    nodes["last"] = Node("last", "Tanh")
    return _between(Graph(frozen(nodes), (*wires, Wire(Pin(before, "out"), Pin("last", "input")))), "begin")


def cells() -> Design:
    """The same LSTMs as nodes of the library's cell: about NODES nodes in all, most of them inside."""
    library = standard().cells["LSTM"]
    nodes = {"begin": Node("begin", "Linear", frozen({"units": Var("hidden")})), "last": Node("last", "Tanh")}
    wires = []
    before = Pin("begin", "out")
    for number in range(1, NODES // len(library.graph.nodes) + 1):
        name = f"lstm_{number}"
        nodes[name] = Node(name, "cell", frozen({"cell": "LSTM", "units": Var("hidden")}))
        wires.append(Wire(before, Pin(name, "x")))
        before = Pin(name, "h")
    wires.append(Wire(before, Pin("last", "input")))
    design = _between(Graph(frozen(nodes), tuple(wires)), "begin")
    return design.replace(cells=frozen({"LSTM": library}))


def wide() -> Design:
    """A ladder of pointwise nodes and linear maps without any loop."""
    nodes = {"begin": Node("begin", "Linear", frozen({"units": Var("hidden")}))}
    wires = []
    before = "begin"
    for number in range(1, (NODES - 6) // 2):
        gate, mix = f"gate_{number}", f"mix_{number}"
        nodes[gate] = Node(gate, "Sigmoid" if number % 5 else "Linear", frozen({} if number % 5 else {"units": 16}))
        nodes[mix] = Node(mix, "Multiply" if number % 2 else "Add")
        wires += [
            Wire(Pin(before, "out"), Pin(gate, "input")),
            Wire(Pin(gate, "out"), Pin(mix, "a")),
            Wire(Pin(before, "out"), Pin(mix, "b")),
        ]
        before = mix
    nodes["last"] = Node("last", "Tanh")
    return _between(Graph(frozen(nodes), (*wires, Wire(Pin(before, "out"), Pin("last", "input")))), "begin")


def loop() -> Design:
    """One loop of maps, each followed by tanh, that a Delay closes."""
    nodes = {
        "begin": Node("begin", "Linear", frozen({"units": Var("hidden"), "terms": 2})),
        "before": Node("before", "Delay", frozen({"axis": "time", "width": Var("hidden")})),
    }
    wires = [Wire(Pin("before", "out"), Pin("begin", "input2"))]
    last = "begin"
    for number in range(1, NODES - 6):
        name = f"step_{number}"
        plain = number % 2
        nodes[name] = Node(name, "Tanh" if plain else "Linear", frozen({} if plain else {"units": Var("hidden")}))
        wires.append(Wire(Pin(last, "out"), Pin(name, "input")))
        last = name
    nodes["last"] = Node("last", "Tanh")
    wires += [Wire(Pin(last, "out"), Pin("last", "input")), Wire(Pin("last", "out"), Pin("before", "input"))]
    return _between(Graph(frozen(nodes), tuple(wires)), "begin")


def edits(design: Design) -> dict[str, Edit]:
    """One edit of each kind a hand makes, in the middle of the drawing."""
    names = list(design.graph.nodes)
    middle = names[len(names) // 2]
    wire = next(w for w in design.graph.wires if w.target.node == middle)
    extra = Node("extra", "Tanh")
    return {
        "move a node": MoveNodes({middle: (5.0, 5.0)}),
        "set a parameter": SetParam("readout", "bias", False),
        "set one in the middle": SetParam("begin", "bias", False),
        "add a node": Compound((AddNode(extra), Connect(Wire(wire.source, Pin("extra", "input"))))),
        "delete a wire": Disconnect((wire,)),
    }


def _milliseconds(do: Callable[[], object]) -> float:
    start = time.thread_time()
    do()
    return (time.thread_time() - start) * 1000


def again(design: Design, edit: Edit) -> float:
    """Milliseconds of checking after the edit, by a Checker that knows the design before it: the best of REPEATS."""
    after = edit.apply(design)
    times = []
    checker = Checker(standard())
    for _ in range(REPEATS):
        checker.check(design)
        times.append(_milliseconds(partial(checker.check, after)))
    return min(times)


def measure(name: str, design: Design) -> list[str]:
    """Print one drawing's times; return what missed its target."""
    catalog = standard()
    inside = sum(
        len(design.cells[str(n.params["cell"])].graph.nodes) if n.kind == "cell" else 1
        for n in design.graph.nodes.values()
    )
    assert check(design, catalog).ok
    print(f"{name}: {len(design.graph.nodes)} nodes in the drawing, {inside} with those inside cells")
    missed = []

    def row(title: str, took: float, target: float = 0.0, unit: str = "ms") -> None:
        over = bool(target) and took >= target
        print(f"  {title:<32} {took:8.{1 if unit == 'ms' else 2}f} {unit}{'   over the target' if over else ''}")
        if over:
            missed.append(f"{name}, {title}")

    row("check from scratch", min(_milliseconds(partial(check, design, catalog)) for _ in range(3)))
    for title, edit in edits(design).items():
        row(f"again: {title}", again(design, edit), AGAIN_MS)
    row("again: change every width", again(design, SetVariable("hidden", 24)))
    seconds = min(_milliseconds(partial(compile_design, design, catalog)) for _ in range(3)) / 1000
    row("compile", seconds, COMPILE_S, "s")
    row("print source", _milliseconds(partial(source, compile_design(design, catalog))) / 1000, unit="s")
    return missed


def hostile() -> None:
    """What once cost the square of its size: drawings without a wire, and data of very many fields."""
    catalog = standard()
    print("hostile: twice the size, about twice the time")
    for count in (1000, 2000):
        loose = Design(graph=Graph(frozen({f"n{i}": Node(f"n{i}", "Linear") for i in range(count)})))
        print(f"  {f'check {count:,} unconnected nodes':<32} {_milliseconds(partial(check, loose, catalog)):8.1f} ms")
    for count in (16_000, 32_000):
        fields = tuple(FieldSpec(f"f{i}", "real", 1) for i in range(count))
        took = _milliseconds(partial(DataRecipe, "csv", "a.csv", fields=fields))
        print(f"  {f'a recipe of {count:,} fields':<32} {took:8.1f} ms")


DRAWINGS = {"flat": flat, "cells": cells, "wide": wide, "loop": loop}


def main() -> None:
    gc.collect()
    missed = [m for name, draw in DRAWINGS.items() for m in measure(name, draw())]
    hostile()
    print("A variable that every node reads changes every signal: that is a check from scratch, and has no target.")
    print(f"Targets: {AGAIN_MS:g} ms after an edit, {COMPILE_S:g} s to compile: " + ("; ".join(missed) or "all met"))
