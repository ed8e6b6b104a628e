"""What is drawn: the nodes with their ports and parameters, and which wire feeds which input."""

from __future__ import annotations

from collections.abc import Mapping

from ...catalog.catalog import CELL, REROUTE
from ...catalog.node import Port, Signals
from ...design.design import MAIN, CellDefinition, Graph, Node, Var
from ..bounds import bounded_params
from ..resolve import Variables, cell_ports, resolve
from ..whole import cells_within
from .memory import Drawn, Plan, Settled
from .order import late_inputs
from .run import Run


def draw(
    run: Run, name: str, scope: str, graph: Graph, variables: Variables, inside: tuple[str, ...]
) -> dict[str, Drawn]:
    drawn: dict[str, Drawn] = {}
    for node in graph.nodes.values():
        if node.kind == CELL:
            item = _cell(run, name, scope, node, variables, inside)
        else:
            item = _plain(run, name, scope, node, variables, inside)
        if item is not None:
            drawn[node.id] = item
    return drawn


def _known(run: Run, scope: str, node: Node, variables: Variables) -> Plan | None:
    """The plan of a node that has not changed since it was made."""
    plan = run.memory.plans.get((scope, node.id))
    if plan is None or plan.node is not node or plan.context is not run.context:
        return None
    return plan if plan.variables is variables or plan.variables == variables else None


def set_at(run: Run, graph: str, node: Node, param: str, inside: tuple[str, ...]) -> tuple[str, Node, str]:
    """Where a parameter gets its value: a node that reads its cell's variable has it from the node that is the cell.

    inside: the way to `graph`, see Settled. Returns the graph, the node there and its parameter.
    """
    while inside and isinstance(read := node.params.get(param), Var) and read.name in run.design.cells[graph].params:
        graph, key, param = inside[-1], inside[-2].removeprefix(f"{inside[-1]}:"), read.name
        node, inside = run.design.graph_of(graph).nodes[key], inside[:-2]
    return graph, node, param


def wrong_parameters(run: Run, graph: str, plan: Plan, inside: tuple[str, ...]) -> None:
    """Report a node's parameters that do not fit, each where its value is set."""
    for problem in plan.problems:
        where, node, param = set_at(run, graph, plan.node, problem.param, inside)
        text = problem.text.replace(f"“{problem.param}”", f"“{param}”")
        run.report("WrongParameter", "error", f"{node.label}: {text}", where, (node.id,), param=param)


def _plain(run: Run, graph: str, scope: str, node: Node, variables: Variables, inside: tuple[str, ...]) -> Drawn | None:
    kind = run.catalog.of(node)
    if kind is None:
        run.report(
            "UnknownKind",
            "error",
            f"{node.label} is a “{node.kind}”, which this studio does not know: is a plugin missing?",
            graph,
            (node.id,),
        )
        return None
    plan = _known(run, scope, node, variables)
    if plan is None:
        params, problems = resolve(node, kind.params, variables)
        ports = kind.input_ports(params), kind.output_ports(params)
        plan = Plan(node, variables, run.context, {}, *ports, params, problems, kind.late_ports)
        run.memory.plans[scope, node.id] = plan
    wrong_parameters(run, graph, plan, inside)
    if graph == MAIN and kind.family == "Cell":
        run.report(
            "BoundaryOutsideCell",
            "error",
            f"{node.label} belongs inside a cell's drawing: delete it here",
            graph,
            (node.id,),
        )
    return Drawn(node, plan.inputs, plan.outputs, plan.params, plan.late, plan)


def _cell(run: Run, graph: str, scope: str, node: Node, variables: Variables, inside: tuple[str, ...]) -> Drawn | None:
    wanted = str(node.params.get("cell", ""))
    cell = run.design.cells.get(wanted)
    if cell is None:
        run.report(
            "UnknownCell",
            "error",
            f"the design has no cell called “{wanted}”: choose one it has, or take it from the library",
            graph,
            (node.id,),
        )
        return None
    if wanted == graph or wanted in inside:
        run.report(
            "CellInItself",
            "error",
            f"the cell “{wanted}” contains itself: delete it from its own drawing",
            graph,
            (node.id,),
        )
        return None
    if wanted not in run.within:
        run.within[wanted] = cells_within(run.design, wanted)
    within = run.within[wanted]
    plan = _known(run, scope, node, variables)
    if plan is None or not _same_cells(plan.within, within):
        params, problems = resolve(node, bounded_params(cell, run.catalog, run.design.cells), variables)
        late = late_inputs(cell, run.design, run.catalog, run.late)
        plan = Plan(node, variables, run.context, within, *cell_ports(cell), params, problems, late)
        run.memory.plans[scope, node.id] = plan
    return Drawn(node, plan.inputs, plan.outputs, {}, plan.late, plan, cell)


def _same_cells(one: Mapping[str, CellDefinition], other: Mapping[str, CellDefinition]) -> bool:
    return one.keys() == other.keys() and all(cell is other[name] for name, cell in one.items())


def feeds_itself(run: Run, place: Settled) -> None:
    """Report a Feedback that gives back what it gave a step before, however that is handed round: nothing predicts."""
    graph = run.design.graph_of(place.graph)
    for key, item in place.drawn.items():
        if item.node.kind != "Feedback":
            continue
        seen, source = set[str](), item.feeds.get("prediction")
        while source is not None and source[0] not in seen:
            seen.add(source[0])
            source = _handed_on(run, place.drawn[source[0]])
        if key in seen:
            wires = [wire for wire in graph.wires_into(key) if wire.target.port == "prediction"]
            text = f"“prediction” of {item.node.label} is its own output, so nothing is predicted"
            remedy = "connect what the network says of the target"
            run.report("FeedsItself", "error", f"{text}: {remedy}", place.graph, (key,), wires, "prediction")


def _handed_on(run: Run, item: Drawn) -> tuple[str, str] | None:
    """What a node hands on as it came in; None where it computes something, or puts several things together."""
    kind = run.catalog.of(item.node)
    if kind is None:
        return None
    if item.node.kind == "Feedback":
        return item.feeds.get("prediction")
    named = {port: (port,) for port in item.feeds}
    ports = set(kind.handed_on(named, item.params))
    return item.feeds[ports.pop()] if len(ports) == 1 else None


def _those(ports: tuple[Port, ...]) -> str:
    return f": it has {', '.join(f'“{port.name}”' for port in ports)}" if ports else ": it has none"


def connect(run: Run, graph_name: str, graph: Graph, drawn: dict[str, Drawn], given: Signals) -> None:
    told = _nothing_passes(run, graph_name, drawn)
    absent = _absent(graph_name, graph, drawn, given)
    for wire in graph.wires:
        source, target = drawn.get(wire.source.node), drawn.get(wire.target.node)
        if source is None or target is None:
            told.add((wire.target.node, wire.target.port))
            continue
        if wire.source.port not in source.plan.output_names:
            text = f"{source.node.label} has no output “{wire.source.port}”{_those(source.outputs)}"
            run.report("UnknownPort", "error", text, graph_name, (wire.source.node,), (wire,))
            told.add((wire.target.node, wire.target.port))
        elif wire.target.port not in target.plan.input_names:
            text = f"{target.node.label} has no input “{wire.target.port}”{_those(target.inputs)}"
            run.report("UnknownPort", "error", text, graph_name, (wire.target.node,), (wire,))
        elif wire.target.port in target.feeds:
            text = f"“{wire.target.port}” of {target.node.label} is fed twice: delete one of the wires"
            run.report("DoublyFed", "error", text, graph_name, (wire.target.node,), (wire,), wire.target.port)
        elif source.node.id in absent:
            continue  # an optional input that stays unconnected outside: its wires do not exist
        else:
            target.feeds[wire.target.port] = (wire.source.node, wire.source.port)
    for item in drawn.values():
        if item.node.id in absent:
            continue
        for port in item.inputs:
            if port.name not in item.feeds and not port.optional:
                item.broken = True
                if (item.node.id, port.name) not in told:
                    text = f"“{port.name}” of {item.node.label} is not connected: draw a wire to it"
                    run.report("Unconnected", "error", text, graph_name, (item.node.id,), port=port.name)


def _nothing_passes(run: Run, graph_name: str, drawn: Mapping[str, Drawn]) -> set[tuple[str, str]]:
    """Report inputs that read a muted node into which nothing comes that could go out."""
    told: set[tuple[str, str]] = set()
    for wire in run.muting.open.get(graph_name, ()):
        item = drawn.get(wire.target.node)
        port = next((p for p in item.inputs if p.name == wire.target.port), None) if item is not None else None
        if item is None or port is None or port.optional:
            continue  # what may stay open stays open, as without the muted node
        text = f"“{port.name}” of {item.node.label} gets nothing, as {wire.source.node} is muted and nothing passes it"
        remedy = "unmute it, or draw another wire"
        run.report("NothingPasses", "error", f"{text}: {remedy}", graph_name, (item.node.id,), (wire,), port.name)
        told.add((item.node.id, port.name))
    return told


def _absent(graph_name: str, graph: Graph, drawn: Mapping[str, Drawn], given: Signals) -> set[str]:
    """A cell's inputs that stay unconnected outside, and the reroute points that they run through."""
    if graph_name == MAIN:
        return set()
    found = {key for key, item in drawn.items() if item.node.kind == "CellInput" and key not in given}
    points = {key for key, item in drawn.items() if item.node.kind == REROUTE}
    grown = bool(found and points)
    while grown:
        more = {w.target.node for w in graph.wires if w.source.node in found and w.target.node in points} - found
        found |= more
        grown = bool(more)
    return found
