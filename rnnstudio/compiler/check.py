"""Types and shapes on every wire, and all problems of a drawing at once.

A Checker remembers what it found for each node, so that checking again after one edit costs little. Inference runs in
passes: a Delay's output takes its input's signal of the pass before, until nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import networkx as nx

from ..catalog.catalog import CELL, Catalog
from ..catalog.node import Context, Mistake, Port, Signals
from ..design.design import MAIN, CellDefinition, Design, Graph, Node, Wire
from ..design.errors import StudioError
from ..design.signals import Signal
from . import fixes
from .diagnostics import Diagnostic
from .flatten import flatten
from .leaks import leaks
from .loops import ImpossibleLoop
from .resolve import Variables, cell_params, cell_ports, resolve, variables_of
from .schedule import schedule

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
        self._nodes: dict[tuple[str, str], _Remembered] = {}

    def check(self, design: Design) -> Checked:
        run = _Run(self, design)
        run.graph(MAIN, design.graph, variables_of(design), {}, ())
        run.conclude()
        run.whole_design()
        run.as_a_whole()
        self._nodes = run.remembered
        return Checked(design, MappingProxyType(run.signals), tuple(run.diagnostics))


@dataclass(slots=True)
class _Remembered:
    """What inference of one node gave, and what it was given: valid as long as those are the same."""

    node: Node
    variables: Variables
    context: Context
    inputs: Signals
    outputs: Mapping[str, Signal | None]
    mistake: Mistake | None


@dataclass(slots=True)
class _Drawn:
    """A node while its graph is checked."""

    node: Node
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    params: Mapping[str, Any]
    late: tuple[str, ...]
    cell: CellDefinition | None = None
    feeds: dict[str, tuple[str, str]] = field(default_factory=dict)
    broken: bool = False


@dataclass(slots=True)
class _Settled:
    """A graph at one place, when its inference has ended; `restless`: nodes whose shapes still changed then."""

    graph: str
    drawn: dict[str, _Drawn]
    found: dict[tuple[str, str], Signal | None]
    restless: tuple[str, ...]


class _Run:
    """One check. Collects signals and diagnostics over the design's graph and every cell it uses."""

    def __init__(self, checker: Checker, design: Design) -> None:
        self.checker = checker
        self.catalog = checker.catalog
        self.design = design
        fields = {f.name: f for f in design.data.fields} if design.data is not None else {}
        self.context = Context(fields, design.axes)
        self.signals: dict[Key, Signal] = {}
        self.diagnostics: list[Diagnostic] = []
        self.remembered: dict[tuple[str, str], _Remembered] = {}
        self.main: Mapping[str, Mapping[str, Any]] = {}
        self.seen: set[tuple[str, str, str, str]] = set()
        self.settled: dict[str, _Settled] = {}
        self.late: dict[str, tuple[str, ...]] = {}

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
        nodes = tuple(nodes)
        key = (graph, code, ",".join(nodes), port + message)
        if key in self.seen:
            return
        self.seen.add(key)
        edit, title = fix if fix is not None else (None, "")
        self.diagnostics.append(Diagnostic(code, severity, message, graph, nodes, tuple(wires), port, edit, title))

    def graph(
        self, name: str, graph: Graph, variables: Variables, given: Signals, inside: tuple[str, ...]
    ) -> dict[str, Signal | None]:
        """Infer one graph. `given`: signals at its CellInputs. Returns the signals at its CellOutputs."""
        drawn = self._draw(name, graph, variables, inside)
        if name == MAIN:
            self.main = {key: item.params for key, item in drawn.items()}
        self._wire(name, graph, drawn, given)
        order = self._order(name, graph, drawn)
        found: dict[tuple[str, str], Signal | None] = {}
        scope = "/".join((*inside, name))
        changed: dict[str, None] = dict.fromkeys(order)
        passes = 0
        while changed and passes <= len(drawn) + 2:
            changed = {}
            passes += 1
            for key in order:
                item = drawn[key]
                inputs = {
                    port.name: found.get(item.feeds[port.name]) if port.name in item.feeds else None
                    for port in item.inputs
                    if port.name in item.feeds or not port.optional
                }
                for port_name, signal in self._infer(name, scope, item, inputs, variables, given, inside).items():
                    if found.get((key, port_name)) != signal:
                        found[key, port_name] = signal
                        changed[key] = None
        self.settled[scope] = _Settled(name, drawn, found, tuple(changed))
        return {
            key: found.get(item.feeds.get("input", ("", "")))
            for key, item in drawn.items()
            if item.node.kind == "CellOutput"
        }

    def _draw(self, name: str, graph: Graph, variables: Variables, inside: tuple[str, ...]) -> dict[str, _Drawn]:
        drawn: dict[str, _Drawn] = {}
        for node in graph.nodes.values():
            item = self._cell(name, node, inside) if node.kind == CELL else self._plain(name, node, variables)
            if item is not None:
                drawn[node.id] = item
        return drawn

    def _plain(self, graph: str, node: Node, variables: Variables) -> _Drawn | None:
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
        params, problems = resolve(node, kind.params, variables)
        for problem in problems:
            self.report("WrongParameter", "error", f"{node.label}: {problem}", graph, (node.id,))
        if graph == MAIN and kind.family == "Cell":
            self.report(
                "BoundaryOutsideCell", "error", f"{node.label} belongs inside a cell's drawing", graph, (node.id,)
            )
        return _Drawn(node, kind.input_ports(params), kind.output_ports(params), params, kind.late_ports)

    def _cell(self, graph: str, node: Node, inside: tuple[str, ...]) -> _Drawn | None:
        wanted = str(node.params.get("cell", ""))
        cell = self.design.cells.get(wanted)
        if cell is None:
            self.report("UnknownCell", "error", f"the design has no cell called “{wanted}”", graph, (node.id,))
            return None
        if wanted == graph or wanted in inside:
            self.report("CellInItself", "error", f"the cell “{wanted}” contains itself", graph, (node.id,))
            return None
        inputs, outputs = cell_ports(cell)
        return _Drawn(node, inputs, outputs, {}, late_inputs(cell, self.design, self.catalog, self.late), cell)

    def _wire(self, graph_name: str, graph: Graph, drawn: dict[str, _Drawn], given: Signals) -> None:
        for wire in graph.wires:
            source, target = drawn.get(wire.source.node), drawn.get(wire.target.node)
            if source is None or target is None:
                continue
            if all(p.name != wire.source.port for p in source.outputs):
                text = f"{source.node.label} has no output “{wire.source.port}”"
                self.report("UnknownPort", "error", text, graph_name, (wire.source.node,), (wire,))
            elif all(p.name != wire.target.port for p in target.inputs):
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
            f"{names} form a loop within one step: put a Delay into it",
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
        variables: Variables,
        given: Signals,
        inside: tuple[str, ...],
    ) -> Mapping[str, Signal | None]:
        node = item.node
        if node.kind == "CellInput":
            return {"out": given.get(node.id)}
        key = (scope, node.id)
        values = dict(inputs)
        if item.cell is None:
            old = self.remembered.get(key) or self.checker._nodes.get(key)
            if (
                old is not None
                and old.node is node
                and old.inputs == values
                and (old.variables is variables or old.variables == variables)
                and (old.context is self.context or old.context == self.context)
            ):
                self.remembered[key] = old
                return old.outputs
        mistake: Mistake | None = None
        outputs: Mapping[str, Signal | None]
        if item.cell is not None:
            params, problems = resolve(node, cell_params(item.cell), variables)
            for problem in problems:
                self.report("WrongParameter", "error", f"{node.label}: {problem}", graph, (node.id,))
            where = (*inside, f"{graph}:{node.id}")
            outputs = self.graph(item.cell.name, item.cell.graph, params, inputs, (*where, graph))
        else:
            kind = self.catalog.kinds[node.kind]
            try:
                outputs = kind.infer(inputs, item.params, self.context)
            except Mistake as caught:
                mistake = caught
                outputs = {port.name: None for port in item.outputs}
        if item.cell is None:
            self.remembered[key] = _Remembered(node, variables, self.context, values, outputs, mistake)
        return outputs

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
            old = self.remembered.get((scope, key))
            if old is None or old.mistake is None:
                continue
            item.broken = True
            mistake = old.mistake
            wires = [w for w in self.design.graph_of(place.graph).wires_into(key) if w.target.port == mistake.port]
            fix = fixes.for_mistake(mistake, place.graph, self.design, key, item.feeds, place.found)
            text = f"{item.node.label}: {mistake.message}"
            self.report(mistake.code, "error", text, place.graph, (key,), wires, mistake.port, fix)

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
        live: set[str] = set()
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
        try:
            schedule("", flatten(self.design, self.catalog), {}, ())
        except StudioError as error:
            code = error.code if isinstance(error, ImpossibleLoop) else "SharedShapes"
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
