"""Where data enters a drawing, and where results leave it."""

from __future__ import annotations

from collections.abc import Mapping

from ..design.signals import Real, Signal, Tokens
from .node import Context, Mistake, NodeKind, Param, Params, Port, Signals
from .primitives import Builder, Value
from .trees import CHILDREN, refuse_children


class _Field(NodeKind):
    """A field of the data. Its signal comes from the data, or from `size` while no data is loaded."""

    family = "Data"
    tokens = False
    target = False

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        name = params["field"]
        if str(params["axis"]).endswith(CHILDREN):
            text = f"an axis called “{params['axis']}” runs over the children of a tree's node: call this one otherwise"
            raise Mistake("ReservedName", text)
        spec = context.fields.get(name)
        size = params["size"]
        if spec is None:
            if context.fields:
                known = ", ".join(f"“{f}”" for f in context.fields)
                raise Mistake("UnknownField", f"the data has no field “{name}”; it has {known}: choose one")
            if size <= 0:
                raise Mistake("NoData", f"the size of “{name}” is not known: load data, or set its size")
            axes = (params["axis"],) if params["axis"] else ()
            return {"out": Signal(axes, Tokens(size, name) if self.tokens else Real(size))}
        if (spec.content == "tokens") != self.tokens:
            holds, other = ("tokens", "Tokens") if spec.content == "tokens" else ("features", "Features")
            raise Mistake("WrongContent", f"the field “{name}” holds {holds}: use a {other} node")
        if spec.size < 1:
            what = "tokens" if self.tokens else "features"
            raise Mistake("NoData", f"the field “{name}” of the data holds no {what}: load the data again")
        axes = (params["axis"] or spec.axis,) if spec.axis else ()
        return {"out": Signal(axes, Tokens(spec.size, name) if self.tokens else Real(spec.size))}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        raise NotImplementedError("fields are lowered by the compiler, which knows their signals")


_FIELD = Param("field", "field", "", "which field of the data")
_AXIS = Param("axis", "axis", "time", "the axis its steps run along; empty: one value an example")
_SIZE = Param(
    "size", "int", 0, "width, or size of the vocabulary, while no data is loaded", minimum=0, zero="from the data"
)


class TokenInput(_Field):
    name = "TokenInput"
    title = "Token input"
    doc = "Tokens (characters, words) from the data, one at each step."
    formula = "x_t ∈ {0 … V−1}"
    outputs = (Port("out", "tokens", "tokens"),)
    params = (Param("field", "field", "text", _FIELD.doc), _AXIS, _SIZE)
    tokens = True
    words = ("text", "characters", "source")


class FeatureInput(_Field):
    name = "FeatureInput"
    title = "Feature input"
    doc = "Real features from the data, one vector at each step."
    formula = "x_t ∈ ℝⁿ"
    outputs = (Port("out", "features", "real"),)
    params = (Param("field", "field", "inputs", _FIELD.doc), _AXIS, _SIZE)
    words = ("csv", "series", "numbers", "source")


class TokenTarget(_Field):
    name = "TokenTarget"
    title = "Token target"
    doc = "The tokens to be predicted: y_t. Connect it to a loss."
    formula = "y_t ∈ {0 … V−1}"
    outputs = (Port("out", "tokens", "tokens"),)
    params = (Param("field", "field", "next", _FIELD.doc), _AXIS, _SIZE)
    tokens = True
    target = True
    words = ("label", "truth", "y")


class FeatureTarget(_Field):
    name = "FeatureTarget"
    title = "Feature target"
    doc = "The numbers to be predicted: y_t. Connect it to a loss."
    formula = "y_t ∈ ℝⁿ"
    outputs = (Port("out", "features", "real"),)
    params = (Param("field", "field", "targets", _FIELD.doc), _AXIS, _SIZE)
    target = True
    words = ("label", "truth", "y")


class Output(NodeKind):
    name = "Output"
    title = "Output"
    family = "Data"
    doc = "A named result of the network: what an exported model returns. Without one, the losses' predictions are."
    inputs = (Port("input", "what to return", "any"),)
    outputs = ()
    words = ("result", "readout")

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        if (signal := inputs["input"]) is not None:
            refuse_children(signal, "input")
        return {}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        builder.output("", inputs["input"])
        return {}


class CellInput(NodeKind):
    name = "CellInput"
    title = "Cell input"
    family = "Cell"
    doc = "A port of the cell being drawn: what is wired to it outside arrives here. Its name is the port's name."
    outputs = (Port("out", "", "any"),)
    params = (Param("optional", "bool", False, "may stay unconnected; its wires then do not exist"),)

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        return {"out": None}


class CellOutput(NodeKind):
    name = "CellOutput"
    title = "Cell output"
    family = "Cell"
    doc = "A result of the cell being drawn. Its name is the port's name."
    inputs = (Port("input", "", "any"),)
    outputs = ()

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        return {}


KINDS: tuple[NodeKind, ...] = (
    TokenInput(),
    FeatureInput(),
    TokenTarget(),
    FeatureTarget(),
    Output(),
    CellInput(),
    CellOutput(),
)
