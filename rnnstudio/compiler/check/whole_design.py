"""What only the whole drawing tells: losses, dead nodes, leaking targets, loops that cannot run, clashing weights."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from ...catalog.catalog import CELL
from ...catalog.trees import CHILDREN
from ...design.design import MAIN, Node
from ..copies import DifferentSteps, Renaming, roots
from ..leaks import leaks
from ..loops import ImpossibleLoop
from ..missing import readers_of_gaps
from ..reach import reached
from ..sharing import Clash
from ..units import Bound, bounds
from .run import Run

RENAME = "RenameAxis"
WEIGHTLESS_FAMILIES = frozenset(("Data", "Cell", "Pointwise", "Losses"))
WEIGHTLESS = frozenset(
    ("Dropout", "Feedback", "Taps", "Clock", "Blend", "Zoneout", "Last", "First", "Mean", "Max", "Sum", "Reverse")
) | {"Repeat", RENAME, "Match", "WeightedSum", "Root"}
"""Families and kinds of nodes that have no weights of their own."""


LONGEST_WAY = 10
"""So many nodes of a way are named; of a longer one its two ends."""


def whole_design(run: Run) -> None:
    """What only the whole drawing can tell: a loss to train on, and nodes that lead nowhere."""
    graph = run.design.graph
    families = {n.id: k.family for n in graph.nodes.values() if (k := run.catalog.of(n)) is not None}
    losses = [key for key, family in families.items() if family == "Losses"]
    ends = {*losses, *(n.id for n in graph.nodes.values() if n.kind == "Output")}
    if not losses:
        text = (
            "there is nothing to train: add a loss (Cross-entropy, Mean squared error)"
            if graph.nodes
            else "the drawing is empty: add a node from the palette, or open an example"
        )
        run.report("NoLoss", "warning", text, MAIN)
    feeding: dict[str, list[str]] = {}
    for wire in graph.wires:
        feeding.setdefault(wire.target.node, []).append(wire.source.node)
    run.live |= reached(ends, feeding)
    if ends:
        for node in graph.nodes.values():
            if node.id not in run.live:
                text = f"{node.label} leads to no loss and no output, so it is not computed: connect it, or delete it"
                run.report("DeadNode", "hint", text, MAIN, (node.id,))
    for key in losses:
        before = reached([key], feeding) - {key}
        if before and not any(_may_learn(run, graph.nodes[other]) for other in before):
            text = f"nothing that is trained leads to {graph.nodes[key].label}: put a layer before it, or delete it"
            run.report("UnreachableLoss", "warning", text, MAIN, (key,))
    for bound in bounds(run.design, run.catalog):
        _values_mean_something(run, bound)
    for reader, target, field in readers_of_gaps(run.design, run.catalog):
        label = graph.nodes[reader].label
        text = (
            f"“{field}” has missing values, which only losses can leave out, and {label} reads it: fill them in the "
            "data (empty cells: repeat the value before), or leave these rows out"
        )
        run.report("TargetHasGaps", "error", text, MAIN, (reader, target))
    for leak in leaks(graph, run.design, run.catalog, run.main, run.signals):
        names = [graph.nodes[key].label for key in leak.path]
        if len(names) > LONGEST_WAY:
            names = [*names[: LONGEST_WAY // 2], "…", *names[-LONGEST_WAY // 2 :]]
        way = " → ".join(names)
        if leak.whole:
            text = (
                f"“{leak.field}” is what is predicted and what is read as a whole, by {way}: right in an autoencoder, "
                "not where what comes next should be predicted"
            )
            run.report("ReadsItsTarget", "hint", text, MAIN, (leak.loss, *leak.path))
            continue
        if leak.ahead:
            text = (
                f"what is predicted is to be told from what stands before it, but later steps of “{leak.field}” are "
                f"read, by {way}: use cells that read one way"
            )
            run.report("ReadsAhead", "warning", text, MAIN, (leak.loss, *leak.path))
            continue
        meant = "" if leak.later else "; ignore this in an autoencoder that reproduces each step from itself"
        text = f"the prediction reads what it should predict, “{leak.field}”, by {way}: use Feedback or a Delay{meant}"
        run.report("TargetLeaks", "warning", text, MAIN, (leak.loss, *leak.path))


def _values_mean_something(run: Run, bound: Bound) -> None:
    """Report data that a loss of probabilities cannot mean: columns beyond 0 … 1, or scaled ones."""
    label = run.design.graph.nodes[bound.node].label
    least, most = bound.port.within or (-inf, inf)
    beyond, scaled = [], []
    for field, feature in bound.columns:
        spec = run.context.fields[field]
        name = f"“{spec.columns[feature]}”" if spec.columns else f"feature {feature} of “{field}”"
        if spec.low and not least <= spec.low[feature] <= spec.high[feature] <= most:
            beyond.append(f"{name} goes from {spec.low[feature]:.6g} to {spec.high[feature]:.6g}")
        elif spec.is_scaled(feature):
            scaled.append(name)
    if beyond:
        text = (
            f"{label} is a loss of values from {least:g} to {most:g}, but {beyond[0]}: use another loss (mean squared "
            f"error), or choose a column of {least:g} … {most:g}"
        )
        run.report("TargetOutOfRange", "error", text, MAIN, (bound.node,), port=bound.port.name)
    elif scaled:
        text = (
            f"{label} is a loss of values from {least:g} to {most:g}, but {scaled[0]} is scaled to mean 0 and "
            "deviation 1: leave it as it is in the file"
        )
        run.report("ScaledTarget", "error", text, MAIN, (bound.node,), port=bound.port.name)


def _may_learn(run: Run, node: Node, within: tuple[str, ...] = ()) -> bool:
    """Whether a node has weights that are trained, or is of a kind that could have some. within: cells around it."""
    if node.kind == CELL:
        name = str(node.params.get("cell", ""))
        cell = run.design.cells.get(name)
        if cell is None or name in within:
            return True
        return any(_may_learn(run, inner, (*within, name)) for inner in cell.graph.nodes.values())
    kind = run.catalog.of(node)
    if kind is None:
        return True
    if any(param.name == "frozen" for param in kind.params):
        return node.params.get("frozen", False) is not True
    if kind.name in ("Delay", "Children"):
        return "learned" in node.params.values()
    return kind.family not in WEIGHTLESS_FAMILIES and kind.name not in WEIGHTLESS


def as_a_whole(run: Run) -> None:
    """What only the flattened drawing can tell: axes without data, loops that cannot run, weights that clash."""
    if any(d.severity == "error" for d in run.diagnostics):
        return
    graphs = {MAIN: run.design.graph, **{name: cell.graph for name, cell in run.design.cells.items()}}
    nodes = {(graph, key): graphs[graph].nodes[key] for graph, key, _ in run.signals}
    given = {
        axis
        for (graph, key, _), signal in run.signals.items()
        if (kind := run.catalog.of(nodes[graph, key])) is not None and kind.family == "Data"
        for axis in signal.axes
    }
    given |= _new_names(run)
    for place in sorted(run.settled.values(), key=lambda place: place.graph != MAIN):
        for (inner, _), signal in place.found.items():
            unknown = [axis for axis in signal.axes if axis.removesuffix(CHILDREN) not in given] if signal else []
            if unknown and place.drawn[inner].node.kind in ("Delay", "Children"):
                does = "steps along" if place.drawn[inner].node.kind == "Delay" else "goes down"
                outer, key = run.around_library(place, inner)
                label = outer.drawn[key].node.label
                text = f"{label} {does} “{unknown[0]}”, which no input has: choose an axis that one has"
                run.report("UnknownAxis", "error", text, outer.graph, (key,))
                return
    if any(node.kind == RENAME for node in nodes.values()) and _one_name_for_two_lengths(run):
        return
    kinds = {run.catalog.of(node) for node in nodes.values()}
    if not any(node.shared for node in nodes.values()) and not any(kind.late_ports for kind in kinds if kind):
        return
    place = run.settled[MAIN]
    feeds = {key: item.feeds for key, item in place.drawn.items()}
    given_by = (run.live, run.memory.variables, run.context)
    error = run.memory.proofs.problem(run.design, place.found, feeds, *given_by)
    if error is not None:
        code = str(getattr(error, "code", "SharedShapes"))
        paths = error.nodes if isinstance(error, ImpossibleLoop) else (error.where,)
        graph, keys = _place(run, paths)
        remedy = error.remedy.rstrip(".")
        run.report(code, "error", f"{error.what}: {remedy[:1].lower()}{remedy[1:]}", graph, keys)
        return
    for clash in run.memory.proofs.clashes:
        _shared_settings(run, clash)


def _shared_settings(run: Run, clash: Clash) -> None:
    """Report nodes that share weights and set them differently, and say what holds."""
    graph, keys = _place(run, clash.nodes)
    nodes = run.design.graph_of(graph).nodes
    labels = [nodes[key].label for key in keys]
    said = []
    if clash.frozen:
        frozen = {key for path in clash.frozen for key in keys if key in path.split(".")}
        them = " and ".join(nodes[key].label for key in keys if key in frozen)
        said.append(f"only {them} freeze{'s' * (len(frozen) == 1)} them, so they are not trained")
    if clash.starts:
        said.append(f"start them differently, so they start as {labels[0]} says")
    text = f"{' and '.join(labels)} share weights, but {' and '.join(said)}: set them alike"
    run.report("SharedSettings", "warning", text, graph, keys)


def _one_name_for_two_lengths(run: Run) -> bool:
    """Report a Rename axis whose new name is that of an axis of other data; whether there is one."""
    given: dict[str, str] = {}
    renamings: list[Renaming] = []
    places: list[tuple[str, str]] = []
    for place in run.settled.values():
        for key, item in place.drawn.items():
            signal = place.found.get((key, "out"))
            kind = run.catalog.of(item.node)
            if signal is None or kind is None:
                continue
            if kind.family == "Data":
                spec = run.context.fields.get(str(item.params["field"]))
                given |= {axis: (spec.axis if spec is not None and spec.axis else axis) for axis in signal.axes}
            elif item.node.kind == RENAME and (before := place.found.get(item.feeds["input"])) is not None:
                changed = [(a, b) for a, b in zip(before.axes, signal.axes, strict=True) if a != b]
                renamings += [Renaming(a, b, str(len(places))) for a, b in changed]
                places.append((place.graph, key))
    try:
        roots(given, renamings)
    except DifferentSteps as error:
        graph, key = places[int(error.where)]
        run.report("DifferentAxes", "error", f"{error.what}: choose another name", graph, (key,))
        return True
    return False


def _new_names(run: Run) -> set[str]:
    """The axes that nodes have given a second name."""
    found: set[str] = set()
    for place in run.settled.values():
        for key, item in place.drawn.items():
            if item.node.kind == RENAME:
                after, before = (place.found.get(pin) for pin in ((key, "out"), item.feeds["input"]))
                found.update(set(after.axes) - set(before.axes) if after and before else ())
    return found


def _place(run: Run, paths: Iterable[str]) -> tuple[str, list[str]]:
    """The innermost graph, none of the library's, that holds all nodes with these paths, and their names in it."""
    parts = [path.split(".") for path in paths]
    name, graph = MAIN, run.design.graph
    while all(len(p) > 1 for p in parts) and len({p[0] for p in parts}) == 1:
        inner = str(graph.nodes[parts[0][0]].params["cell"])
        if run.of_library(inner):
            break
        name = inner
        graph = run.design.cells[name].graph
        parts = [p[1:] for p in parts]
    return name, list(dict.fromkeys(p[0] for p in parts))
