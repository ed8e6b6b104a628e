"""Types and shapes on every wire, and all problems of a drawing at once.

A Checker remembers what it found for each node, so that checking again after one edit costs little. Inference runs in
passes: a Delay's output takes its input's signal of the pass before, until nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

import networkx as nx

from ..catalog.catalog import CELL, Catalog
from ..catalog.node import Context, Mistake, Port, Signals
from ..design.design import MAIN, CellDefinition, Design, Graph, Node, Wire
from ..design.signals import Signal
from . import fixes
from .diagnostics import Diagnostic
from .leaks import leaks
from .loops import ImpossibleLoop
from .resolve import Variables, cell_params, cell_ports, resolve, variables_of
from .whole import Proofs, cells_within

Key = tuple[str, str, str]
"""(graph, node, port): graph is MAIN or the name of a cell."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The typed design: the signal of every port that has one, and everything that is wrong."""

    design: Design
    signals: Mapping[Key, Signal]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(d for d in self.diagnostics if d.severity == "error")

    @property
    def ok(self) -> bool:
        """Whether the design compiles."""
        return not self.errors


def check(design: Design, catalog: Catalog) -> Checked:
    """Check a design from scratch. An editor keeps a Checker instead, which is faster after small edits."""
    return Checker(catalog).check(design)


class Checker:
    """Checks one design again and again while it is edited."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.plans: dict[tuple[str, str], _Plan] = {}
        self.proofs = Proofs(catalog)
        self.variables: Variables = {}
        self.context = Context({}, {})

    def check(self, design: Design) -> Checked:
        fields = {f.name: f for f in design.data.fields} if design.data is not None else {}
        # Equal values stay the same object, so that what was found before is recognised at a glance.
        self.context = _kept(self.context, Context(fields, design.axes))
        self.variables = _kept(self.variables, variables_of(design))
        run = _Run(self, design)
        run.graph(MAIN, design.graph, self.variables, {}, ())
        run.conclude()
        run.whole_design()
        run.as_a_whole()
        if len(self.plans) > 4 * len(run.last) + 1000:
            self.plans.clear()  # most are of nodes that are gone
        return Checked(design, MappingProxyType(run.signals), tuple(run.diagnostics))


_Kept = TypeVar("_Kept")


def _kept(old: _Kept, new: _Kept) -> _Kept:
    return old if old == new else new


WRONG_CONTENT = ("TokensWhereFeaturesBelong", "FeaturesWhereTokensBelong")
"""Mistakes that are the fault of what is wired, wherever it is read: in a cell, they belong to the wire outside."""

VARIANTS = 4
"""Inputs that are remembered for a node: in a loop it is asked more than once in every check."""


@dataclass(slots=True)
class _Remembered:
    """What inference of one node gave for some inputs."""

    inputs: Signals
    outputs: Mapping[str, Signal | None]
    mistake: Mistake | None = None


@dataclass(slots=True)
class _Inside:
    """All that checking the inside of a cell at one place gave for some inputs."""

    inputs: Signals
    outputs: Mapping[str, Signal | None] = field(default_factory=dict)
    reports: list[tuple[Any, ...]] = field(default_factory=list)
    settled: dict[str, _Settled] = field(default_factory=dict)
    last: dict[tuple[str, str], _Remembered] = field(default_factory=dict)


@dataclass(slots=True)
class _Plan:
    """A node at one place with its ports and parameters, and what was found for it: valid while all it read stays."""

    node: Node
    variables: Variables
    context: Context
    within: Mapping[str, CellDefinition]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    params: Mapping[str, Any]
    problems: list[str]
    late: tuple[str, ...]
    found: list[_Remembered] = field(default_factory=list)
    runs: list[_Inside] = field(default_factory=list)
    input_names: frozenset[str] = field(init=False)
    output_names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.input_names = frozenset(port.name for port in self.inputs)
        self.output_names = frozenset(port.name for port in self.outputs)


@dataclass(slots=True)
class _Drawn:
    """A node while its graph is checked."""

    node: Node
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    params: Mapping[str, Any]
    late: tuple[str, ...]
    plan: _Plan
    cell: CellDefinition | None = None
    feeds: dict[str, tuple[str, str]] = field(default_factory=dict)
    broken: bool = False


@dataclass(slots=True)
class _Settled:
    """A graph at one place, when its inference has ended; `restless`: nodes whose shapes still changed then.

    outside: the place of the graph around it and the cell node there, None for the design's own graph.
    """

    graph: str
    drawn: dict[str, _Drawn]
    found: dict[tuple[str, str], Signal | None]
    restless: tuple[str, ...]
    outside: tuple[str, str] | None = None


class _Run:
    """One check. Collects signals and diagnostics over the design's graph and every cell it uses."""

    def __init__(self, checker: Checker, design: Design) -> None:
        self.checker = checker
        self.catalog = checker.catalog
        self.design = design
        self.context = checker.context
        self.signals: dict[Key, Signal] = {}
        self.diagnostics: list[Diagnostic] = []
        self.last: dict[tuple[str, str], _Remembered] = {}
        self.tapes: list[_Inside] = []
        self.live: set[str] = set()
        self.main: Mapping[str, Mapping[str, Any]] = {}
        self.seen: set[tuple[str, str, str, str]] = set()
        self.settled: dict[str, _Settled] = {}
        self.late: dict[str, tuple[str, ...]] = {}
        self.within: dict[str, Mapping[str, CellDefinition]] = {}

    def report(
        self,
        code: str,
        severity: str,
        message: str,
        graph: str,
        nodes: Iterable[str] = (),
        wires: Iterable[Wire] = (),
        port: str = "",
        fix: fixes.Fix | None = None,
    ) -> None:
        """Add a diagnostic once: a cell used twice does not report its inside twice."""
        nodes, wires = tuple(nodes), tuple(wires)
        for tape in self.tapes:
            tape.reports.append((code, severity, message, graph, nodes, wires, port, fix))
        key = (graph, code, ",".join(nodes), port + message)
        if key in self.seen:
            return
        self.seen.add(key)
        edit, title = fix if fix is not None else (None, "")
        self.diagnostics.append(Diagnostic(code, severity, message, graph, nodes, wires, port, edit, title))

    def graph(
        self, name: str, graph: Graph, variables: Variables, given: Signals, inside: tuple[str, ...]
    ) -> dict[str, Signal | None]:
        """Infer one graph. `given`: signals at its CellInputs. Returns the signals at its CellOutputs."""
        scope = "/".join((*inside, name))
        drawn = self._draw(name, scope, graph, variables, inside)
        if name == MAIN:
            self.main = {key: item.params for key, item in drawn.items()}
        self._wire(name, graph, drawn, given)
        order = self._order(name, graph, drawn)
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
                for port_name, signal in self._infer(name, scope, item, inputs, given, inside).items():
                    if found.get((key, port_name)) != signal:
                        found[key, port_name] = signal
                        changed[key] = None
                if key in changed:
                    stale.update(readers[key])
        restless = tuple(changed) if passes > len(drawn) + 2 else ()
        outside = ("/".join((*inside[:-2], inside[-1])), inside[-2].removeprefix(f"{inside[-1]}:")) if inside else None
        self._settle(scope, _Settled(name, drawn, found, restless, outside))
        return {
            key: found.get(item.feeds.get("input", ("", "")))
            for key, item in drawn.items()
            if item.node.kind == "CellOutput"
        }

    def _draw(
        self, name: str, scope: str, graph: Graph, variables: Variables, inside: tuple[str, ...]
    ) -> dict[str, _Drawn]:
        drawn: dict[str, _Drawn] = {}
        for node in graph.nodes.values():
            if node.kind == CELL:
                item = self._cell(name, scope, node, variables, inside)
            else:
                item = self._plain(name, scope, node, variables)
            if item is not None:
                drawn[node.id] = item
        return drawn

    def _known(self, scope: str, node: Node, variables: Variables) -> _Plan | None:
        """The plan of a node that has not changed since it was made."""
        plan = self.checker.plans.get((scope, node.id))
        if plan is None or plan.node is not node or plan.context is not self.context:
            return None
        return plan if plan.variables is variables or plan.variables == variables else None

    def _plain(self, graph: str, scope: str, node: Node, variables: Variables) -> _Drawn | None:
        kind = self.catalog.of(node)
        if kind is None:
            self.report(
                "UnknownKind",
                "error",
                f"{node.label} is a “{node.kind}”, which this studio does not know: is a plugin missing?",
                graph,
                (node.id,),
            )
            return None
        plan = self._known(scope, node, variables)
        if plan is None:
            params, problems = resolve(node, kind.params, variables)
            ports = kind.input_ports(params), kind.output_ports(params)
            plan = _Plan(node, variables, self.context, {}, *ports, params, problems, kind.late_ports)
            self.checker.plans[scope, node.id] = plan
        for problem in plan.problems:
            self.report("WrongParameter", "error", f"{node.label}: {problem}", graph, (node.id,))
        if graph == MAIN and kind.family == "Cell":
            self.report(
                "BoundaryOutsideCell", "error", f"{node.label} belongs inside a cell's drawing", graph, (node.id,)
            )
        return _Drawn(node, plan.inputs, plan.outputs, plan.params, plan.late, plan)

    def _cell(self, graph: str, scope: str, node: Node, variables: Variables, inside: tuple[str, ...]) -> _Drawn | None:
        wanted = str(node.params.get("cell", ""))
        cell = self.design.cells.get(wanted)
        if cell is None:
            self.report("UnknownCell", "error", f"the design has no cell called “{wanted}”", graph, (node.id,))
            return None
        if wanted == graph or wanted in inside:
            self.report("CellInItself", "error", f"the cell “{wanted}” contains itself", graph, (node.id,))
            return None
        if wanted not in self.within:
            self.within[wanted] = cells_within(self.design, wanted)
        within = self.within[wanted]
        plan = self._known(scope, node, variables)
        if plan is None or not _same_cells(plan.within, within):
            params, problems = resolve(node, cell_params(cell), variables)
            late = late_inputs(cell, self.design, self.catalog, self.late)
            plan = _Plan(node, variables, self.context, within, *cell_ports(cell), params, problems, late)
            self.checker.plans[scope, node.id] = plan
        return _Drawn(node, plan.inputs, plan.outputs, {}, plan.late, plan, cell)

    def _wire(self, graph_name: str, graph: Graph, drawn: dict[str, _Drawn], given: Signals) -> None:
        for wire in graph.wires:
            source, target = drawn.get(wire.source.node), drawn.get(wire.target.node)
            if source is None or target is None:
                continue
            if wire.source.port not in source.plan.output_names:
                text = f"{source.node.label} has no output “{wire.source.port}”"
                self.report("UnknownPort", "error", text, graph_name, (wire.source.node,), (wire,))
            elif wire.target.port not in target.plan.input_names:
                text = f"{target.node.label} has no input “{wire.target.port}”"
                self.report("UnknownPort", "error", text, graph_name, (wire.target.node,), (wire,))
            elif wire.target.port in target.feeds:
                text = f"“{wire.target.port}” of {target.node.label} is fed twice: delete one of the wires"
                self.report("DoublyFed", "error", text, graph_name, (wire.target.node,), (wire,), wire.target.port)
            elif source.node.kind == "CellInput" and graph_name != MAIN and source.node.id not in given:
                continue  # an optional input that stays unconnected outside: its wires do not exist
            else:
                target.feeds[wire.target.port] = (wire.source.node, wire.source.port)
        for item in drawn.values():
            for port in item.inputs:
                if port.name not in item.feeds and not port.optional:
                    item.broken = True
                    text = f"“{port.name}” of {item.node.label} is not connected"
                    self.report("Unconnected", "error", text, graph_name, (item.node.id,), port=port.name)

    def _order(self, graph_name: str, graph: Graph, drawn: dict[str, _Drawn]) -> list[str]:
        """Nodes so that each comes after what it reads in the same step."""
        waiting: dict[str, int] = {}
        readers: dict[str, list[str]] = {key: [] for key in drawn}
        for key, item in drawn.items():
            sources = {source for port, (source, _) in item.feeds.items() if port not in item.late}
            waiting[key] = len(sources)
            for source in sources:
                readers[source].append(key)
        ready = [key for key, count in waiting.items() if count == 0]
        order: list[str] = []
        while ready:
            key = ready.pop()
            order.append(key)
            for reader in readers[key]:
                waiting[reader] -= 1
                if waiting[reader] == 0:
                    ready.append(reader)
        if len(order) < len(drawn):
            stuck = nx.DiGraph((s, r) for s, rs in readers.items() for r in rs)
            for group in nx.strongly_connected_components(stuck):
                if len(group) > 1 or any(stuck.has_edge(n, n) for n in group):
                    self._loop_without_delay(graph_name, graph, drawn, sorted(group))
            done = set(order)
            order += [key for key in drawn if key not in done]
        self._mixed_directions(graph_name, drawn)
        return order

    def _loop_without_delay(self, graph_name: str, graph: Graph, drawn: dict[str, _Drawn], group: list[str]) -> None:
        members = set(group)
        wires = [w for w in graph.wires if w.source.node in members and w.target.node in members]
        wires = [w for w in wires if w.target.port not in drawn[w.target.node].late]
        for key in group:
            drawn[key].broken = True
        names = ", ".join(drawn[key].node.label for key in group)
        self.report(
            "LoopWithoutDelay",
            "error",
            f"{names} form{'s' if len(group) == 1 else ''} a loop within one step: put a Delay into it",
            graph_name,
            group,
            wires,
            fix=fixes.insert_delay(graph_name, graph, wires),
        )

    def _mixed_directions(self, graph_name: str, drawn: dict[str, _Drawn]) -> None:
        delays = {key: item.params.get("k", 0) for key, item in drawn.items() if item.node.kind == "Delay"}
        if not (any(k > 0 for k in delays.values()) and any(k < 0 for k in delays.values())):
            return
        everything = nx.DiGraph((s, key) for key, item in drawn.items() for s, _ in item.feeds.values())
        for group in nx.strongly_connected_components(everything):
            both = sorted(key for key in group if key in delays)
            axes = {drawn[key].params.get("axis", "") for key in both}
            if len(axes) == 1 and {delays[key] > 0 for key in both} == {True, False}:
                text = "one loop has delays of both directions: it could run neither forward nor backward"
                self.report("MixedDirections", "error", text, graph_name, both)

    def _infer(
        self,
        graph: str,
        scope: str,
        item: _Drawn,
        inputs: dict[str, Signal | None],
        given: Signals,
        inside: tuple[str, ...],
    ) -> Mapping[str, Signal | None]:
        node, plan = item.node, item.plan
        if node.kind == "CellInput":
            return {"out": given.get(node.id)}
        if item.cell is not None:
            return self._inside(graph, item.cell, plan, inputs, inside)
        found = next((old for old in plan.found if old.inputs == inputs), None)
        if found is None:
            try:
                found = _Remembered(inputs, self.catalog.kinds[node.kind].infer(inputs, plan.params, self.context))
            except Mistake as mistake:
                found = _Remembered(inputs, {port.name: None for port in plan.outputs}, mistake)
            plan.found.insert(0, found)
            del plan.found[VARIANTS:]
        self._remember((scope, node.id), found)
        return found.outputs

    def _inside(
        self, graph: str, cell: CellDefinition, plan: _Plan, inputs: dict[str, Signal | None], inside: tuple[str, ...]
    ) -> Mapping[str, Signal | None]:
        """What a cell's outputs carry. Its inside is checked once for the same inputs, and then told again."""
        node = plan.node
        for problem in plan.problems:
            self.report("WrongParameter", "error", f"{node.label}: {problem}", graph, (node.id,))
        run = next((old for old in plan.runs if old.inputs == inputs), None)
        if run is not None:
            for report in run.reports:
                self.report(*report)
            for key, found in run.last.items():
                self._remember(key, found)
            for scope, place in run.settled.items():
                self._settle(scope, place)
            return run.outputs
        run = _Inside(inputs)
        self.tapes.append(run)
        where = (*inside, f"{graph}:{node.id}", graph)
        run.outputs = self.graph(cell.name, cell.graph, plan.params, inputs, where)
        self.tapes.pop()
        plan.runs.insert(0, run)
        del plan.runs[VARIANTS:]
        return run.outputs

    def _remember(self, key: tuple[str, str], found: _Remembered) -> None:
        self.last[key] = found
        for tape in self.tapes:
            tape.last[key] = found

    def _settle(self, scope: str, place: _Settled) -> None:
        self.settled[scope] = place
        for tape in self.tapes:
            tape.settled[scope] = place

    def conclude(self) -> None:
        """Report what stands when all inference has settled, the design's own graph first, and keep the signals."""
        settled = sorted(self.settled.items(), key=lambda item: item[1].graph != MAIN)
        for scope, place in settled:
            self._mistakes(scope, place)
            for (key, port), signal in place.found.items():
                if signal is not None:
                    self.signals.setdefault((place.graph, key, port), signal)
        if not any(d.severity == "error" for d in self.diagnostics):
            for _, place in settled:
                self._shapeless(place)

    def _mistakes(self, scope: str, place: _Settled) -> None:
        for key, item in place.drawn.items():
            old = self.last.get((scope, key))
            if old is None or old.mistake is None:
                continue
            item.broken = True
            mistake = old.mistake
            if mistake.code in WRONG_CONTENT and self._from_outside(place, item, mistake):
                continue
            wires = [w for w in self.design.graph_of(place.graph).wires_into(key) if w.target.port == mistake.port]
            fix = fixes.for_mistake(mistake, place.graph, self.design, key, item.feeds, place.found)
            text = f"{item.node.label}: {mistake.message}"
            self.report(mistake.code, "error", text, place.graph, (key,), wires, mistake.port, fix)

    def _from_outside(self, place: _Settled, item: _Drawn, mistake: Mistake) -> bool:
        """Report what comes into a cell and cannot be read there at the cell's own port. False: it arises inside."""
        port = mistake.port
        source = item.feeds.get(port)
        while source is not None and place.outside is not None and place.drawn[source[0]].node.kind == "CellInput":
            scope, key = place.outside
            place, port = self.settled[scope], source[0]
            item = place.drawn[key]
            source = item.feeds.get(port)
        if port == mistake.port and item.cell is None:
            return False
        here = Mistake(mistake.code, mistake.message.replace(f"“{mistake.port}”", f"“{port}”"), port)
        wires = [w for w in self.design.graph_of(place.graph).wires_into(item.node.id) if w.target.port == port]
        fix = fixes.for_mistake(here, place.graph, self.design, item.node.id, item.feeds, place.found)
        text = f"{item.node.label}: {here.message}"
        self.report(here.code, "error", text, place.graph, (item.node.id,), wires, port, fix)
        return True

    def _shapeless(self, place: _Settled) -> None:
        """A node without a shape is reported where the trouble begins, when nothing else explains it."""
        graph, drawn = place.graph, place.drawn
        inputs = {key for key, item in drawn.items() if item.node.kind == "CellInput"}
        if place.restless:
            names = ", ".join(drawn[k].node.label for k in place.restless[:5])
            text = f"the shape of {names} grows at every step: put a Linear into the loop, so that its width is fixed"
            self.report("EndlessShape", "error", text, graph, place.restless)
            return
        unknown = {k for k, item in drawn.items() if any(place.found.get((k, p.name)) is None for p in item.outputs)}
        lost = sorted(unknown - inputs)
        if not lost:
            return
        names = ", ".join(drawn[k].node.label for k in lost[:5])
        text = f"the shape of {names} cannot be told: give a Delay in the loop an axis and a width"
        self.report("UnknownShape", "error", text, graph, lost)

    def whole_design(self) -> None:
        """What only the whole drawing can tell: a loss to train on, and nodes that lead nowhere."""
        graph = self.design.graph
        families = {n.id: k.family for n in graph.nodes.values() if (k := self.catalog.of(n)) is not None}
        losses = [key for key, family in families.items() if family == "Losses"]
        ends = {*losses, *(n.id for n in graph.nodes.values() if n.kind == "Output")}
        if not losses:
            text = (
                "there is nothing to train: add a loss (Cross-entropy, Mean squared error)"
                if graph.nodes
                else "the drawing is empty: add a node from the palette, or open an example"
            )
            self.report("NoLoss", "warning", text, MAIN)
        feeding: dict[str, list[str]] = {}
        for wire in graph.wires:
            feeding.setdefault(wire.target.node, []).append(wire.source.node)
        live = self.live
        todo = list(ends)
        while todo:
            key = todo.pop()
            if key not in live:
                live.add(key)
                todo += feeding.get(key, [])
        if ends:
            for node in graph.nodes.values():
                if node.id not in live:
                    text = f"{node.label} leads to no loss and no output: it is not computed"
                    self.report("DeadNode", "hint", text, MAIN, (node.id,))
        for leak in leaks(graph, self.design, self.catalog, self.main):
            way = " → ".join(graph.nodes[key].label for key in leak.path)
            text = f"the prediction reads what it should predict, “{leak.field}”, by {way}: use Feedback or a Delay"
            self.report("TargetLeaks", "warning", text, MAIN, (leak.loss, *leak.path))

    def as_a_whole(self) -> None:
        """What only the flattened drawing can tell: axes without data, loops that cannot run, weights that clash."""
        if any(d.severity == "error" for d in self.diagnostics):
            return
        graphs = {MAIN: self.design.graph, **{name: cell.graph for name, cell in self.design.cells.items()}}
        nodes = {(graph, key): graphs[graph].nodes[key] for graph, key, _ in self.signals}
        given = {
            axis
            for (graph, key, _), signal in self.signals.items()
            if (kind := self.catalog.of(nodes[graph, key])) is not None and kind.family == "Data"
            for axis in signal.axes
        }
        for (graph, key, _), signal in self.signals.items():
            unknown = [axis for axis in signal.axes if axis not in given]
            if unknown and nodes[graph, key].kind == "Delay":
                text = f"{nodes[graph, key].label} steps along “{unknown[0]}”, which no input has"
                self.report("UnknownAxis", "error", text, graph, (key,))
                return
        if not any(node.shared or node.kind == "Delay" for node in nodes.values()):
            return
        place = self.settled[MAIN]
        feeds = {key: item.feeds for key, item in place.drawn.items()}
        given_by = (self.live, self.checker.variables, self.context)
        error = self.checker.proofs.problem(self.design, place.found, feeds, *given_by)
        if error is not None:
            code = str(getattr(error, "code", "SharedShapes"))
            paths = error.nodes if isinstance(error, ImpossibleLoop) else (error.where,)
            graph, keys = self._place(paths)
            self.report(code, "error", error.what, graph, keys)

    def _place(self, paths: Iterable[str]) -> tuple[str, list[str]]:
        """The innermost graph that holds all nodes with these paths, and their names in it."""
        parts = [path.split(".") for path in paths]
        name, graph = MAIN, self.design.graph
        while all(len(p) > 1 for p in parts) and len({p[0] for p in parts}) == 1:
            name = str(graph.nodes[parts[0][0]].params["cell"])
            graph = self.design.cells[name].graph
            parts = [p[1:] for p in parts]
        return name, list(dict.fromkeys(p[0] for p in parts))


def _same_cells(one: Mapping[str, CellDefinition], other: Mapping[str, CellDefinition]) -> bool:
    return one.keys() == other.keys() and all(cell is other[name] for name, cell in one.items())


def late_inputs(
    cell: CellDefinition, design: Design, catalog: Catalog, known: dict[str, tuple[str, ...]] | None = None
) -> tuple[str, ...]:
    """The inputs of a cell that reach none of its outputs within one step: a loop through them has its Delay inside.

    known: what was found for cells by name; a cell within itself counts as having no such input.
    """
    known = {} if known is None else known
    if cell.name in known:
        return known[cell.name]
    known[cell.name] = ()
    graph = cell.graph
    forward: dict[str, list[str]] = {}
    for wire in graph.wires:
        node = graph.nodes.get(wire.target.node)
        if node is None:
            continue
        late: tuple[str, ...] = ()
        if node.kind == CELL:
            inner = design.cells.get(str(node.params.get("cell", "")))
            late = late_inputs(inner, design, catalog, known) if inner is not None else ()
        elif (kind := catalog.of(node)) is not None:
            late = kind.late_ports
        if wire.target.port not in late:
            forward.setdefault(wire.source.node, []).append(wire.target.node)
    found = []
    for node in graph.nodes.values():
        if node.kind != "CellInput":
            continue
        reached, todo = set(), [node.id]
        while todo:
            key = todo.pop()
            if key not in reached:
                reached.add(key)
                todo += forward.get(key, [])
        if not any(graph.nodes[key].kind == "CellOutput" for key in reached if key in graph.nodes):
            found.append(node.id)
    known[cell.name] = tuple(found)
    return known[cell.name]
