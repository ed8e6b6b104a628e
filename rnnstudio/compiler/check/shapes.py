"""The signal on every wire, and what shape rules complain of.

Inference runs in passes: a Delay's output takes its input's signal of the pass before, until nothing changes.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...catalog.catalog import REROUTE
from ...catalog.node import Mistake, Signals
from ...catalog.trees import refuse_orphans
from ...design.design import MAIN, CellDefinition, Graph
from ...design.signals import Signal
from ..reach import reached
from ..resolve import Variables
from .memory import Drawn, Inside, Plan, Remembered, Settled
from .order import order_of
from .run import Run
from .wiring import connect, draw, feeds_itself, set_at, wrong_parameters

VARIANTS = 4
"""Inputs that are remembered for a node: in a loop it is asked more than once in every check."""


def infer_graph(
    run: Run, name: str, graph: Graph, variables: Variables, given: Signals, inside: tuple[str, ...]
) -> dict[str, Signal | None]:
    """Infer one graph. `given`: signals at its CellInputs. Returns the signals at its CellOutputs."""
    scope = "/".join((*inside, name))
    drawn = draw(run, name, scope, graph, variables, inside)
    if name == MAIN:
        run.main = {key: item.plan.params for key, item in drawn.items()}
    connect(run, name, graph, drawn, given)
    order = order_of(run, name, graph, drawn)
    found: dict[tuple[str, str], Signal | None] = {}
    readers: dict[str, list[str]] = {key: [] for key in drawn}
    for key, item in drawn.items():
        for source, _ in item.feeds.values():
            readers[source].append(key)
    changed: dict[str, None] = {}
    stale = set(order)
    passes = 0
    while stale and passes <= len(drawn) + 2:
        changed = {}
        passes += 1
        for key in order:
            if key not in stale:
                continue
            stale.discard(key)
            item = drawn[key]
            inputs = {
                port.name: found.get(item.feeds[port.name]) if port.name in item.feeds else None
                for port in item.inputs
                if port.name in item.feeds or not port.optional
            }
            for port_name, signal in _infer(run, name, scope, item, inputs, given, inside).items():
                if found.get((key, port_name)) != signal:
                    found[key, port_name] = signal
                    changed[key] = None
            if key in changed:
                stale.update(readers[key])
    restless = tuple(changed) if passes > len(drawn) + 2 else ()
    outside = ("/".join((*inside[:-2], inside[-1])), inside[-2].removeprefix(f"{inside[-1]}:")) if inside else None
    run.settle(scope, Settled(name, drawn, found, restless, outside, inside))
    return {
        key: found.get(item.feeds.get("input", ("", "")))
        for key, item in drawn.items()
        if item.node.kind == "CellOutput"
    }


def _infer(
    run: Run,
    graph: str,
    scope: str,
    item: Drawn,
    inputs: dict[str, Signal | None],
    given: Signals,
    inside: tuple[str, ...],
) -> Mapping[str, Signal | None]:
    node, plan = item.node, item.plan
    if node.kind == "CellInput":
        return {"out": given.get(node.id)}
    if item.cell is not None:
        return _inside(run, graph, item.cell, plan, inputs, inside)
    found = next((old for old in plan.found if old.inputs == inputs), None)
    if found is None:
        try:
            outputs = run.catalog.kinds[node.kind].infer(inputs, plan.params, run.context)
            if None not in inputs.values():
                refuse_orphans(outputs)
            found = Remembered(inputs, outputs)
        except Mistake as mistake:
            found = Remembered(inputs, {port.name: mistake.outputs.get(port.name) for port in plan.outputs}, mistake)
        plan.found.insert(0, found)
        del plan.found[VARIANTS:]
    run.remember((scope, node.id), found)
    return found.outputs


def _inside(
    run: Run, graph: str, cell: CellDefinition, plan: Plan, inputs: dict[str, Signal | None], inside: tuple[str, ...]
) -> Mapping[str, Signal | None]:
    """What a cell's outputs carry. Its inside is checked once for the same inputs, and then told again."""
    wrong_parameters(run, graph, plan, inside)
    known = next((old for old in plan.runs if old.inputs == inputs), None)
    if known is not None:
        for report in known.reports:
            run.report(*report)
        for key, found in known.last.items():
            run.remember(key, found)
        for scope, place in known.settled.items():
            run.settle(scope, place)
        return known.outputs
    tape = Inside(inputs)
    run.tapes.append(tape)
    where = (*inside, f"{graph}:{plan.node.id}", graph)
    tape.outputs = infer_graph(run, cell.name, cell.graph, plan.params, inputs, where)
    run.tapes.pop()
    plan.runs.insert(0, tape)
    del plan.runs[VARIANTS:]
    return tape.outputs


def conclude(run: Run) -> None:
    """Report what stands when all inference has settled, the design's own graph first, and keep the signals."""
    settled = sorted(run.settled.items(), key=lambda item: item[1].graph != MAIN)
    for scope, place in settled:
        _mistakes(run, scope, place)
        feeds_itself(run, place)
        for (key, port), signal in place.found.items():
            if signal is not None:
                run.signals.setdefault((place.graph, key, port), signal)
    if not any(d.severity == "error" for d in run.diagnostics):
        for _, place in settled:
            _shapeless(run, place)


def _mistakes(run: Run, scope: str, place: Settled) -> None:
    for key, item in place.drawn.items():
        old = run.last.get((scope, key))
        if old is not None and old.mistake is not None:
            item.broken = True
            _blame(run, place, item, old.mistake)


def _blame(run: Run, place: Settled, item: Drawn, mistake: Mistake) -> None:
    """Report a mistake where it is made: at the node, where a cell's variable is set, or at the wire into a cell."""
    graph, node, param = set_at(run, place.graph, item.node, mistake.param, place.inside)
    if node is not item.node and not run.of_library(graph):
        run.report(mistake.code, "error", f"{node.label}: {mistake.message}", graph, (node.id,), param=param)
        return
    here, at, port = place, item, mistake.port
    while here.outside is not None and (entry := _entry(run, here, at, port, mistake.code)) is not None:
        scope, key = here.outside
        here, port = run.settled[scope], entry
        at = here.drawn[key]
    wires = [w for w in run.design.graph_of(here.graph).wires_into(at.node.id) if port and w.target.port == port]
    if at is item:
        text = f"{item.node.label}: {mistake.message}"
        run.report(mistake.code, "error", text, here.graph, (item.node.id,), wires, port, mistake.param)
        return
    quoted = f"“{mistake.port}”"
    if port and quoted in mistake.message:
        text = f"{at.node.label}: {mistake.message.replace(quoted, f'“{port}”')}"
    else:
        text = f"{at.node.label}, {f'“{port}”' if port else f'its “{item.node.label}”'}: {mistake.message}"
    run.report(mistake.code, "error", text, here.graph, (at.node.id,), wires, port)


def _entry(run: Run, place: Settled, item: Drawn, port: str, code: str) -> str | None:
    """The input of a cell by which a mistake at a node inside comes in, "" where it cannot be told; None: it is made
    inside. A cell as the library draws it makes none; nor does any cell that gets no steps.
    """
    source = item.feeds.get(port)
    if source is not None and place.drawn[source[0]].node.kind == "CellInput":
        return source[0]
    library = run.of_library(place.graph)
    if not library and code != "NoAxis":
        return None
    feeding = {key: [before for before, _ in drawn.feeds.values()] for key, drawn in place.drawn.items()}
    first = [source[0]] if source is not None else feeding[item.node.id]
    before = [place.drawn[key].node for key in sorted(reached(first, feeding))]
    entries = [node for node in before if node.kind == "CellInput"]
    needed = [node for node in entries if not node.params.get("optional")] or entries
    if len(needed) == 1:
        return needed[0].id
    return "" if library else None


def _shapeless(run: Run, place: Settled) -> None:
    """A node without a shape is reported where the trouble begins, when nothing else explains it."""
    drawn = place.drawn
    inputs = {key for key, item in drawn.items() if item.node.kind == "CellInput"}
    inputs |= {key for key, item in drawn.items() if item.node.kind == REROUTE and not item.feeds}
    if place.restless:
        names = ", ".join(drawn[k].node.label for k in place.restless[:5])
        text = f"the shape of {names} grows at every step: put a Linear into the loop, so that its width is fixed"
        _report_shapeless(run, place, "EndlessShape", text, list(place.restless))
        return
    unknown = {k for k, item in drawn.items() if any(place.found.get((k, p.name)) is None for p in item.outputs)}
    lost = sorted(unknown - inputs)
    if not lost:
        return
    names = ", ".join(drawn[k].node.label for k in lost[:5])
    text = f"the shape of {names} cannot be told: give a Delay in the loop an axis and a width"
    _report_shapeless(run, place, "UnknownShape", text, lost)


def _report_shapeless(run: Run, place: Settled, code: str, text: str, keys: list[str]) -> None:
    """Report it there; of what the library draws, at the cell, if it is not said of the loop around it."""
    outer, key = run.around_library(place, keys[0])
    if outer is place:
        run.report(code, "error", text, place.graph, keys)
    elif not any(found.code == code for found in run.diagnostics):
        run.report(code, "error", f"{outer.drawn[key].node.label}: {text}", outer.graph, (key,))
