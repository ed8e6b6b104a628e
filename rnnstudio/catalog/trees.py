"""The wire through a tree: Children makes recursion, as a Delay makes recurrence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..design.signals import Real, Signal
from .node import Context, Feature, Mistake, NodeKind, Param, Params, Port, Signals, need_real, need_steps
from .primitives import Builder, Init, Value


def tree_axis(signal: Signal, params: Params, among: Collection[str]) -> str:
    """The tree axis a node acts on; `among`: all axes that are trees. Raises Mistake when the input has none."""
    need_steps(signal, "input")
    axis: str = params["axis"]
    if axis and axis not in signal.axes:
        raise Mistake(
            "MixedAxes", f"the input {signal.text()} has no axis “{axis}”: choose one it has, or none", "input", "axis"
        )
    trees = [a for a in signal.axes if a in among]
    if axis and axis not in trees:
        raise Mistake(
            "NoTree", f"the axis “{axis}” is no tree: set its kind to “tree” in the design's axes", "input", "axis"
        )
    if not axis and len(trees) > 1:
        text = f"the input {signal.text()} runs over several trees: set its axis"
        raise Mistake("MixedAxes", text, "input", "axis")
    if not axis and not trees:
        raise Mistake(
            "NoTree",
            f"the input {signal.text()} runs over no tree: set the kind of its axis to “tree” in the design's axes",
            "input",
        )
    return axis or trees[0]


CHILDREN = "_children"
"""An axis called so runs over the children of a node of the tree axis in front."""


def refuse_children(signal: Signal, port: str) -> None:
    """Raise Mistake when a signal still runs over the children of a node: only the loop over their tree knows them."""
    if any(axis.endswith(CHILDREN) for axis in signal.axes):
        text = f"“{port}” {signal.text()} runs over each node's children: pool over them first (Sum, Max, Attention)"
        raise Mistake("ChildrenAxisLeft", text, port)


def refuse_orphans(outputs: Signals) -> None:
    """Raise Mistake when a result runs over the children of a node, but no longer over the nodes."""
    for signal in outputs.values():
        for axis in signal.axes if signal is not None else ():
            if signal is not None and axis.endswith(CHILDREN) and axis.removesuffix(CHILDREN) not in signal.axes:
                tree = axis.removesuffix(CHILDREN)
                text = f"the result {signal.text()} runs over the children of a node, but not over the tree “{tree}”"
                raise Mistake("ChildrenAxisLeft", f"{text}: pool over the children first (Sum, Max, Attention)")


class Children(NodeKind):
    name = title = "Children"
    family = "Trees"
    doc = "The values of a tree node's children. A loop through it runs from the leaves to the root."
    formula = "sum: y_n = Σ_k x_k    slot: y_n = x_(k-th child)    each: y_(k, n) = x_k;  leaves: the initial value"
    source = "Socher et al. 2011; Tai, Socher and Manning 2015"
    inputs = (Port("input", "a value at every node of the tree"),)
    params = (
        Param(
            "how", "choice", "sum", "the sum, one child by its number, or each along an axis", ("sum", "slot", "each")
        ),
        Param("slot", "int", 0, "which child (0: the first)", minimum=0, maximum=63),
        Param("initial", "choice", "zero", "what a child that is not there gives", ("zero", "learned")),
        Param(
            "beyond",
            "choice",
            "refused",
            "trees with more children than the slots that the loop reads",
            ("refused", "left out"),
        ),
        Param("axis", "axis", "", "the tree's axis; empty: the input's only tree"),
        Param(
            "width",
            "int",
            0,
            "width of the state where nothing else tells",
            minimum=0,
            title="Width of the state",
            zero="the input's",
            minor=True,
        ),
    )
    symbol = "▲"
    late_ports = ("input",)
    words = ("tree", "recursive", "recursion", "child-sum", "n-ary", "subtree")

    def idle_params(self, params: Params) -> frozenset[str]:
        slot = params.get("how", "sum") == "slot"
        return frozenset() if slot else frozenset(("slot", "beyond"))

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = inputs["input"]
        if signal is None and params["axis"] in context.trees and params["width"]:
            signal = Signal((params["axis"],), Real(params["width"]))
        if signal is None:
            return {"out": None}
        content = need_real(signal, "input")
        axis = tree_axis(signal, params, context.trees)
        if axis + CHILDREN in signal.axes:  # the children of one node are not those of another
            refuse_children(signal, "input")
        axes = (axis + CHILDREN, *signal.axes) if params["how"] == "each" else signal.axes
        return {"out": Signal(axes, content)}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        axis = tree_axis(value.signal, params, builder.trees)
        how = params["how"]
        weight = None
        if params["initial"] == "learned" and how == "slot":
            weight = builder.parameter("initial", (value.signal.width,), Init("zero"))
        axes = (axis + CHILDREN, *value.signal.axes) if how == "each" else value.signal.axes
        signal = Signal(axes, value.signal.content)
        attrs = {"how": how, "slot": int(params["slot"]), "weight": weight, "beyond": params["beyond"]}
        return {"out": builder.op("children", (value,), signal, axis=axis, **attrs)}


class Root(NodeKind):
    name = title = "Root"
    family = "Trees"
    doc = "The value at the tree's root: a vector for the whole tree."
    formula = "y = x_root"
    inputs = (Port("input", "a value at every node of the tree"),)
    params = (Param("axis", "axis", "", "the tree's axis; empty: the input's only tree"),)
    words = ("tree", "top", "sentence")

    def handed_on(self, inputs: Mapping[str, Sequence[Feature]], params: Params) -> Sequence[Feature]:
        return inputs.get("input", ())

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = inputs["input"]
        if signal is None:
            return {"out": None}
        content = need_real(signal, "input")
        axis = tree_axis(signal, params, context.trees)
        return {"out": Signal(tuple(a for a in signal.axes if a != axis), content)}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        axis = tree_axis(value.signal, params, builder.trees)
        signal = Signal(tuple(a for a in value.signal.axes if a != axis), value.signal.content)
        return {"out": builder.op("root", (value,), signal, axis=axis, axes=value.signal.axes)}


KINDS: tuple[NodeKind, ...] = (Children(), Root())
