"""Attention between two axes, whole or drawn from its parts: scores (Match), Softmax over an axis, WeightedSum.

The query may run along any axes, or none; the keys run along one axis more, which attention crosses. In a decoder's
loop the query is the state, one vector a step, and the keys are the encoder's states.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from ..design.signals import Real, Signal
from .features import softmax_over
from .layers import weight_init
from .node import Context, Mistake, NodeKind, Param, Params, Port, Signals, need_real, need_steps
from .primitives import Builder, Init, Value
from .renaming import behind, own_axis

SCORES = ("scaled_dot", "dot", "general", "additive")

_SCORE = Param("score", "choice", "additive", "how well a key matches the query", SCORES)
_UNITS = Param("units", "int", 0, "width of the layer that scores (additive)", minimum=0, zero="the query's")
_HEADS = Param("heads", "int", 1, "independent attentions, each over its part of the features", minimum=1, maximum=64)
_SOURCE = Param("axis", "axis", "", "the axis of the keys that is crossed; empty: the only one the query lacks")
_CAUSAL = Param("causal", "bool", False, "no looking ahead: each step sees the steps up to its own only")

FORMULA = (
    "dot: s = qᵀk;  scaled dot: s = qᵀk / √n;  general: s = qᵀ W k;  additive: s = vᵀ tanh(W q + U k + b)\n"
    "a_j = softmax_j(s_j);  y = Σ_j a_j v_j   (causal: j up to the query's own step)"
)
SOURCE = "additive: Bahdanau et al. 2015; dot, general: Luong et al. 2015; scaled, multi-head: Vaswani et al. 2017"


def source_axis(query: Signal | None, keys: Signal, params: Params, port: str = "keys") -> str:
    """The axis attention crosses. Raises Mistake when it is not told or the query has it too."""
    need_steps(keys, port)
    axis: str = params["axis"]
    have = query.axes if query is not None else ()
    if axis:
        if axis not in keys.axes:
            raise Mistake("MixedAxes", f"the {port} {keys.text()} have no axis “{axis}”", port)
        if axis in have:
            raise Mistake("MixedAxes", f"the query runs along “{axis}” itself", "query")
        return axis
    own = [a for a in keys.axes if a not in have]
    if query is not None and keys.axes and not own:
        text = f"the {port} {keys.text()} have no axis that the query lacks: give them a second name for it"
        raise Mistake("AxisMeetsItself", text, port)
    if len(own) != 1:
        has = "no axis that the query lacks" if not own else f"the axes {', '.join(own)}"
        raise Mistake("MixedAxes", f"the {port} {keys.text()} have {has}: set this node's axis", port)
    return own[0]


def _divides(heads: int, width: int, what: str, port: str) -> None:
    if width % heads:
        raise Mistake(
            "WidthClash", f"{heads} heads do not divide the width {width} of the {what}: change either number", port
        )


def _score_check(query: Signal | None, keys: Signal, params: Params) -> None:
    """What the scores need of query and keys. Raises Mistake."""
    if query is None or params["score"] == "additive":
        return
    width = need_real(query, "query").width
    if params["score"] != "general" and width != keys.width:
        raise Mistake(
            "WidthClash",
            f"the query has width {width} but the keys {keys.width}: choose “general” or “additive”, or equal widths",
            "keys",
        )
    _divides(params["heads"], width, "query", "query")


def _projected(builder: Builder, value: Value, units: int, name: str, *, bias: bool) -> Value:
    """W x (+ b), with parameters called `name`."""
    init = weight_init("uniform", value.signal.width)
    weight = builder.parameter(f"{name}.weight", (units, value.signal.width), init)
    path = builder.parameter(f"{name}.bias", (units,), Init("zero")) if bias else None
    return builder.op("linear", (value,), Signal(value.signal.axes, Real(units)), name=name, weight=weight, bias=path)


def scores(builder: Builder, query: Value, keys: Value, params: Params) -> Value:
    """How well each key matches the query: [query's axes, keys' axis, heads]."""
    kind, heads = params["score"], params["heads"]
    if kind == "additive":
        units = params["units"] or query.signal.width
        parts = (
            _projected(builder, query, units, "from_query", bias=True),
            _projected(builder, keys, units, "from_keys", bias=False),
        )
        axes, both = builder.broadcast(parts)
        total = builder.op("add", both, Signal(axes, Real(units)), name="match_sum")
        layer = builder.op("tanh", (total,), total.signal, name="match")
        return _projected(builder, layer, heads, "score", bias=False)
    if kind == "general":
        keys = _projected(builder, keys, query.signal.width, "from_keys", bias=False)
    axes = query.signal.axes + tuple(a for a in keys.signal.axes if a not in query.signal.axes)
    sides = {"axes": query.signal.axes, "axes2": keys.signal.axes}
    found = builder.op("match", (query, keys), Signal(axes, Real(heads)), name="scores", heads=heads, **sides)
    if kind != "scaled_dot":
        return found
    scale = 1.0 / sqrt(query.signal.width / heads)
    return builder.op("affine", (found,), found.signal, name="scaled", scale=scale, offset=0.0)


def weighted_sum(builder: Builder, weights: Value, values: Value, axis: str, name: str = "") -> Value:
    """Σ over the axis of weights ⊙ values, each head its part of the features. Padding must hold 0 already."""
    axes = weights.signal.axes + tuple(a for a in values.signal.axes if a not in weights.signal.axes)
    signal = Signal(tuple(a for a in axes if a != axis), values.signal.content)
    sides = {"axes": weights.signal.axes, "axes2": values.signal.axes}
    heads = weights.signal.width
    return builder.op("contract", (weights, values), signal, name=name, axis=axis, heads=heads, **sides)


def _needs_own_axis(query: Signal | None, axis: str, params: Params, context: Context) -> None:
    """Raise Mistake when it cannot be told up to which step `axis` may be seen."""
    if params["causal"] and query is not None:
        own = own_axis(query.axes, axis, "query")
        tree = next((name for name in (own, axis) if name in context.trees), "")
        if tree:
            raise Mistake("MixedAxes", f"the nodes of the tree “{tree}” have no order: switch causal off", "query")


def _blank(builder: Builder, value: Value, axis: str, name: str) -> Value:
    return builder.op("blank", (value,), value.signal, name=name, over=(axis,), axes=value.signal.axes, fill=0.0)


class Match(NodeKind):
    name = title = "Match"
    family = "Time"
    doc = "Scores how well each key matches the query: the first part of attention. Softmax over their axis follows."
    formula = FORMULA.split("\n")[0]
    source = SOURCE
    inputs = (Port("query", "what is looked for"), Port("keys", "where it is looked for, along an axis"))
    params = (_SCORE, _UNITS, _HEADS, _CAUSAL, _SOURCE)
    words = ("attention", "alignment", "score", "energy", "bahdanau", "luong", "self-attention", "pairwise")

    def whole_ports(self, params: Params, along: str) -> tuple[str, ...]:
        return () if params.get("causal") else ("keys",)

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        query, keys = inputs["query"], inputs["keys"]
        if keys is None:
            return {"out": None}
        need_real(keys, "keys")
        _needs_own_axis(query, source_axis(query, keys, params), params, context)
        _score_check(query, keys, params)
        # A query that comes from a loop is known only after this has a width: its axes are added then.
        have = query.axes if query is not None else ()
        return {"out": Signal(have + tuple(a for a in keys.axes if a not in have), Real(params["heads"]))}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        axis = source_axis(inputs["query"].signal, inputs["keys"].signal, params)
        query, keys = inputs["query"], _blank(builder, inputs["keys"], axis, "own")
        found = scores(builder, query, keys, params)
        if params["causal"]:
            found = behind(builder, found, axis, query.signal.axes, None, "behind")
        return {"out": found}


class WeightedSum(NodeKind):
    name = "WeightedSum"
    title = "Weighted sum"
    family = "Time"
    doc = "Adds up the values along an axis, each with its weight: the last part of attention. Padding never counts."
    formula = "y = Σ_j a_j ⊙ v_j"
    inputs = (Port("weights", "one for each step (and head)"), Port("values", "features along the axis"))
    reads_axis = ("values",)
    params = (_CAUSAL, Param("axis", "axis", "", "the axis to cross; empty: the values' only axis"))
    words = ("attention", "context", "average", "expectation", "pool", "self-attention")

    def whole_ports(self, params: Params, along: str) -> tuple[str, ...]:
        return () if params.get("causal") else self.reads_axis

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        weights, values = inputs["weights"], inputs["values"]
        if values is None:
            return {"out": None}
        content = need_real(values, "values")
        axis = self._axis(values, params)
        have: tuple[str, ...] = ()
        if weights is not None:
            if axis not in weights.axes:
                raise Mistake("MixedAxes", f"the weights {weights.text()} have no axis “{axis}”", "weights")
            _divides(need_real(weights, "weights").width, content.width, "values", "values")
            have = weights.axes
            others = Signal(tuple(a for a in have if a != axis), content)
            _needs_own_axis(others, axis, params, context)
        axes = have + tuple(a for a in values.axes if a not in have)
        return {"out": Signal(tuple(a for a in axes if a != axis), content)}

    def _axis(self, values: Signal, params: Params) -> str:
        return source_axis(None, values, params, "values")

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        axis = self._axis(inputs["values"].signal, params)
        weights = _blank(builder, inputs["weights"], axis, "own_weights")
        if params["causal"]:
            weights = behind(builder, weights, axis, weights.signal.axes, 0.0, "behind")
        return {"out": weighted_sum(builder, weights, _blank(builder, inputs["values"], axis, "own"), axis)}


class Attention(NodeKind):
    name = title = "Attention"
    family = "Time"
    doc = (
        "Looks along the keys' axis for what matches the query, and returns the values there, weighted. A sequence "
        "looks along itself where its keys have a second name for its axis: put a Rename axis before them."
    )
    formula = FORMULA
    source = SOURCE
    inputs = (
        Port("query", "what is looked for: a decoder's state"),
        Port("keys", "where it is looked for: an encoder's states"),
        Port("values", "what is returned; unconnected: the keys", optional=True),
    )
    outputs = (Port("out", "the values found"), Port("weights", "where it looked"))
    reads_axis = ("keys", "values")
    params = (
        _SCORE,
        _UNITS,
        _HEADS,
        Param("project", "bool", False, "map query, keys, values and result by matrices first (multi-head attention)"),
        _CAUSAL,
        _SOURCE,
    )
    words = ("bahdanau", "luong", "multi-head", "transformer", "context", "align", "memory", "self-attention")

    def whole_ports(self, params: Params, along: str) -> tuple[str, ...]:
        return () if params.get("causal") else self.reads_axis

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        query, keys = inputs["query"], inputs["keys"]
        values = inputs.get("values", keys)
        if keys is None or values is None:
            return {"out": None, "weights": None}
        need_real(keys, "keys")
        width = need_real(values, "values").width
        axis = source_axis(query, keys, params)
        if axis not in values.axes:
            raise Mistake("MixedAxes", f"the values {values.text()} have no axis “{axis}”", "values")
        heads = params["heads"]
        _needs_own_axis(query, axis, params, context)
        if query is not None:
            need_real(query, "query")
        if params["project"]:
            width = params["units"] or (query.width if query is not None else width)
            _divides(heads, width, "projected query: set its units", "query")
        else:
            _score_check(query, keys, params)
            _divides(heads, width, "values", "values")
        # A query that comes from a loop is known only after this has a width: its axes are added then.
        have = query.axes if query is not None else ()
        weights = have + tuple(a for a in keys.axes if a not in have)
        axes = weights + tuple(a for a in values.axes if a not in weights)
        return {
            "out": Signal(tuple(a for a in axes if a != axis), Real(width)),
            "weights": Signal(weights, Real(heads)),
        }

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        query, keys = inputs["query"], inputs["keys"]
        axis = source_axis(query.signal, keys.signal, params)
        keys = _blank(builder, keys, axis, "own_keys")
        values = _blank(builder, inputs["values"], axis, "own_values") if "values" in inputs else keys
        units = params["units"] or query.signal.width
        if params["project"]:
            query = _projected(builder, query, units, "query", bias=True)
            keys, values = (
                _projected(builder, keys, units, "keys", bias=True),
                _projected(builder, values, units, "values", bias=True),
            )
        found = scores(builder, query, keys, params)
        if params["causal"]:
            found = behind(builder, found, axis, query.signal.axes, None, "behind")
        weights = softmax_over(builder, found, axis, "weights")
        out = weighted_sum(builder, weights, values, axis, "context")
        if params["project"]:
            out = _projected(builder, out, units, "out", bias=True)
        return {"out": out, "weights": weights}


KINDS: tuple[NodeKind, ...] = (Attention(), Match(), WeightedSum())
