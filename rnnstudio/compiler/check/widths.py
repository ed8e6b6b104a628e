"""Sizes that contradict each other or the machine: an idle width, a field of two sizes, more weights than memory."""

from __future__ import annotations

from math import prod

from ...catalog.node import NodeKind
from ...design.design import MAIN, Node
from ...design.signals import Real, Signal, Tokens
from ..flatten import parameters_of
from ..machine import gigabytes, machine_memory
from .memory import Drawn, Settled
from .run import Run
from .wiring import set_at

WIDE = 512
"""A node has many weights only where something it reads or gives is so wide: those of others are not counted."""

TRAINED = 4 * 4
"""Bytes that a weight takes in training: itself, its gradient and the two means of Adam, in float32."""

BATCH, CHUNK = 32, 100
"""How many examples and steps are counted where the design's training settings do not say."""


def fields_agree(run: Run) -> None:
    """Report nodes that read one field of data that are not there yet as different things."""
    seen: dict[str, tuple[Node, Signal]] = {}
    for place in run.settled.values():
        for key, item in place.drawn.items():
            kind, signal = run.catalog.of(item.node), place.found.get((key, "out"))
            field = str(item.params.get("field", ""))
            if (
                kind is None
                or kind.family != "Data"
                or not kind.outputs
                or signal is None
                or field in run.context.fields
            ):
                continue
            first, before = seen.setdefault(field, (item.node, signal))
            if before.content != signal.content or len(before.axes) != len(signal.axes):
                text = f"{first.label} reads “{field}” as {before.text()}, {item.node.label} as {signal.text()}"
                remedy = "give them the same size and axis, or another field"
                run.report("FieldClash", "error", f"{text}: {remedy}", place.graph, (key, first.id))


def widths_that_say_nothing(run: Run) -> None:
    """Report a width that something else tells, and tells differently. For a drawing without errors."""
    for place in run.settled.values():
        for key, item in place.drawn.items():
            width, signal = item.params.get("width"), place.found.get((key, "out"))
            kind = run.catalog.of(item.node)
            if not width or signal is None or kind is None or not kind.late_ports or signal.content == Real(width):
                continue
            graph, node, param = set_at(run, place.graph, item.node, "width", place.inside)
            told = "tokens" if isinstance(signal.content, Tokens) else str(signal.content.width)
            text = f"{item.node.label} keeps {told}, as what it reads says; its width of {width} counts for nothing"
            run.report("IdleWidth", "warning", f"{text}: set it to 0", graph, (node.id,), param=param)


def fits_the_machine(run: Run) -> None:
    """Report a drawing that training could not keep in this machine's memory. For a drawing without errors."""
    by_node: dict[str, int] = {}
    values = 0
    batch, chunk = (_whole(run, name, usual) for name, usual in (("batch_size", BATCH), ("chunk", CHUNK)))
    for scope, place in run.settled.items():
        for key, item in place.drawn.items():
            outputs = [s for port in item.outputs if (s := place.found.get((key, port.name))) is not None]
            values += sum(_width(s) * (chunk if s.axes else 1) for s in outputs if isinstance(s.content, Real))
            kind = run.catalog.of(item.node)
            if kind is not None and not _shares(run, place, item.node):
                top = run.outermost(place, item.node)
                by_node[top.id] = by_node.get(top.id, 0) + _weights(run, scope, item, kind, outputs)
    weights = sum(by_node.values())
    needed, there = weights * TRAINED + values * batch * 8, machine_memory()  # a value and its gradient
    if weights and needed > there:
        most = max(by_node, key=by_node.__getitem__)
        text = (
            f"{run.design.graph.nodes[most].label} has {by_node[most]:,} weights; training takes about "
            f"{gigabytes(needed)} (weights, gradients, optimiser {gigabytes(weights * TRAINED)}; values of a batch "
            f"{gigabytes(needed - weights * TRAINED)}), this machine has {gigabytes(there)}: give it fewer units"
        )
        run.report("TooLarge", "warning", text, MAIN, (most,))


def _weights(run: Run, scope: str, item: Drawn, kind: NodeKind, outputs: list[Signal]) -> int:
    """How many numbers the node's weights have, 0 where nothing about it is wide. Counted once for the same inputs."""
    known = run.last.get((scope, item.node.id))
    if known is None:
        return 0
    if known.weights is None:
        inputs = {port: signal for port, signal in known.inputs.items() if signal is not None}
        wide = any(_width(signal) >= WIDE for signal in (*inputs.values(), *outputs))
        computed = wide and kind.family not in ("Data", "Losses", "Cell")
        shapes = parameters_of(kind, inputs, item.params, run.context.trees) if computed else ()
        known.weights = sum(prod(parameter.shape) for parameter in shapes)
    return known.weights


def _width(signal: Signal) -> int:
    return signal.content.size if isinstance(signal.content, Tokens) else signal.content.width


def _whole(run: Run, name: str, usual: int) -> int:
    """A number of the training settings as the design has them."""
    value = run.design.training.get(name, usual)
    return value if isinstance(value, int) else usual


def _shares(run: Run, place: Settled, node: Node) -> bool:
    """Whether a node, or a cell around it, has the weights of another node."""
    return any(around.shared for around in run.around(place, node))
