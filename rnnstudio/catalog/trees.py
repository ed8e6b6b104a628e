"""The wire through a tree: Children makes recursion, as a Delay makes recurrence."""

from __future__ import annotations

from collections.abc import Mapping

from ..design.signals import Signal
from .node import Context, Mistake, NodeKind, Param, Params, Port, Signals, need_real
from .primitives import Builder, Init, Value


def tree_axis(signal: Signal, params: Params, context: Context | None) -> str:
    """The tree axis a node acts on. Raises Mistake when the input has none. (While lowering, context is None.)"""
    axis: str = params["axis"]
    if axis and axis not in signal.axes:
        raise Mistake("MixedAxes", f"the input {signal.text()} has no axis “{axis}”", "input")
    if context is None:
        return axis or next(a for a in reversed(signal.axes) if not a.endswith(CHILDREN))
    trees = [a for a in signal.axes if a in context.axes and context.axes[a].kind == "tree"]
    if axis and axis not in trees:
        raise Mistake("NoTree", f"the axis “{axis}” is no tree: set its kind to “tree” in the design's axes", "input")
    if not axis and len(trees) != 1:
        raise Mistake(
            "NoTree",
            f"the input {signal.text()} runs over no tree: set the kind of its axis to “tree” in the design's axes",
            "input",
        )
    return axis or trees[0]


CHILDREN = "_children"
"""An axis called so runs over the children of a node of the tree axis in front."""


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
        Param("axis", "axis", "", "the tree's axis; empty: the input's only tree"),
        Param("width", "int", 0, "width of the state where nothing else tells; 0: the input's", minimum=0),
    )
    symbol = "▲"
    late_ports = ("input",)
    words = ("tree", "recursive", "recursion", "child-sum", "n-ary", "subtree")

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = inputs["input"]
        if signal is None:
            return {"out": None}
        content = need_real(signal, "input")
        axis = tree_axis(signal, params, context)
        axes = (axis + CHILDREN, *signal.axes) if params["how"] == "each" else signal.axes
        return {"out": Signal(axes, content)}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        axis = tree_axis(value.signal, params, None)
        how = params["how"]
        weight = None
        if params["initial"] == "learned" and how == "slot":
            weight = builder.parameter("initial", (value.signal.width,), Init("zero"))
        axes = (axis + CHILDREN, *value.signal.axes) if how == "each" else value.signal.axes
        signal = Signal(axes, value.signal.content)
        return {
            "out": builder.op("children", (value,), signal, axis=axis, how=how, slot=int(params["slot"]), weight=weight)
        }


class Root(NodeKind):
    name = title = "Root"
    family = "Trees"
    doc = "The value at the tree's root: a vector for the whole tree."
    formula = "y = x_root"
    inputs = (Port("input", "a value at every node of the tree"),)
    params = (Param("axis", "axis", "", "the tree's axis; empty: the input's only tree"),)
    words = ("tree", "top", "sentence")

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = inputs["input"]
        if signal is None:
            return {"out": None}
        content = need_real(signal, "input")
        axis = tree_axis(signal, params, context)
        return {"out": Signal(tuple(a for a in signal.axes if a != axis), content)}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        axis = tree_axis(value.signal, params, None)
        signal = Signal(tuple(a for a in value.signal.axes if a != axis), value.signal.content)
        return {"out": builder.op("root", (value,), signal, axis=axis, axes=value.signal.axes)}


KINDS: tuple[NodeKind, ...] = (Children(), Root())
