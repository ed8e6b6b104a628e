"""What training makes small. A loss is the mean over all valid places of the batch; padding never counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..design.signals import Real, Signal, Tokens
from .node import Context, Mistake, NodeKind, Param, Params, Port, Signals, need_real, need_tokens
from .primitives import Builder, Value

SCALAR = Signal((), Real(1))


class PairLoss(NodeKind):
    """A loss that compares a prediction with a target; a subclass names its primitive."""

    family = "Losses"
    outputs = ()
    params: ClassVar[tuple[Param, ...]] = (
        Param(
            "weight",
            "float",
            1.0,
            "factor of this loss in the sum of all losses",
            minimum=0.0,
            title="Weight in the sum",
        ),
    )
    primitive = ""
    link: ClassVar[str] = ""
    masks: ClassVar[bool] = True

    def attrs(self, params: Params) -> Mapping[str, object]:
        """What the primitive needs to know."""
        return {}

    def _pair(self, inputs: Signals) -> tuple[Signal, Signal] | None:
        prediction, target = inputs["prediction"], inputs["target"]
        if prediction is None or target is None:
            return None
        if set(prediction.axes) != set(target.axes):
            raise Mistake(
                "MixedAxes",
                f"the prediction is {prediction.text()} but the target {target.text()}: "
                "both need the same axes (Last or Mean turns a sequence into a vector)",
                "target",
            )
        return prediction, target

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        prediction, target = inputs["prediction"], inputs["target"]
        axes, (p, t) = builder.broadcast((prediction, target))
        each = builder.op(self.primitive, (p, t), Signal(axes, Real(1)), name="each", **self.attrs(params))
        value = builder.op("average", (each,), SCALAR, name="loss", axes=axes)
        builder.loss(value, float(params["weight"]), prediction, target, link=self.link)
        return {}


class CrossEntropy(PairLoss):
    name = "CrossEntropy"
    title = "Cross-entropy"
    doc = "How surprised the prediction is by the true token: the loss of classifiers and language models."
    formula = (
        "L = −(1/τ) Σ_t log softmax(o_t)[y_t];  perplexity e^L, bits L / ln 2\n"
        "class weights w: L = −Σ_t w_{y_t} log softmax(o_t)[y_t] / Σ_t w_{y_t}"
    )
    inputs = (
        Port("prediction", "a score for each token (logits)"),
        Port("target", "the true tokens", "tokens"),
    )
    params = (
        *PairLoss.params,
        Param("class_weights", "floats", (), "how much each token counts; empty: all the same"),
        Param(
            "smoothing",
            "float",
            0.0,
            "part of the truth spread evenly over all tokens",
            minimum=0.0,
            maximum=0.99,
            title="Label smoothing",
        ),
    )
    source = "label smoothing: Szegedy et al. 2016"
    primitive = "cross_entropy"
    words = ("nll", "softmax", "classification", "language model", "perplexity")

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        if (pair := self._pair(inputs)) is None:
            return {}
        width = need_real(pair[0], "prediction").width
        size = need_tokens(pair[1], "target").size
        if width != size:
            raise Mistake(
                "WidthClash",
                f"the prediction scores {width} tokens but the target has {size}: set the readout's units to {size}",
                "prediction",
            )
        weights = params["class_weights"]
        if weights and len(weights) != size:
            raise Mistake(
                "WidthClash",
                f"there are {len(weights)} class weights for {size} tokens: give one for each, or none",
                "target",
                "class_weights",
            )
        if weights and (min(weights) < 0 or max(weights) <= 0):
            raise Mistake(
                "WrongParameter",
                "class weights must not be negative, nor all 0: give others, or none",
                param="class_weights",
            )
        return {}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        prediction, target = inputs["prediction"], inputs["target"]
        weights = tuple(float(w) for w in params["class_weights"])
        axes, (p, t) = builder.broadcast((prediction, target))
        one = Signal(axes, Real(1))
        attrs = {"smoothing": float(params["smoothing"]), "class_weights": weights}
        parts = [builder.op(self.primitive, (p, t), one, name="each", **attrs)]
        if weights:
            parts.append(builder.op("class_weight", (t,), one, name="counts", class_weights=weights))
        value = builder.op("average", parts, SCALAR, name="loss", axes=axes)
        builder.loss(value, float(params["weight"]), prediction, target, classes=True)
        return {}


class Regression(PairLoss):
    """A loss of real features."""

    inputs: ClassVar[tuple[Port, ...]] = (Port("prediction", "features"), Port("target", "the true features"))

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        if (pair := self._pair(inputs)) is None:
            return {}
        prediction, target = pair
        if isinstance(target.content, Tokens):
            raise Mistake("TokensWhereFeaturesBelong", "the target holds tokens: use a Cross-entropy loss", "target")
        width = need_real(prediction, "prediction").width
        if width != target.width:
            raise Mistake(
                "WidthClash",
                f"the prediction has width {width} but the target {target.width}: "
                f"set the readout's units to {target.width}",
                "prediction",
            )
        return {}


class MeanSquaredError(Regression):
    name = "MeanSquaredError"
    title = "Mean squared error"
    doc = "The loss of forecasts: the average squared distance from the truth."
    formula = "L = (1/τ) Σ_t mean((ŷ_t − y_t)²)"
    primitive = "squared_error"
    words = ("mse", "l2", "regression", "forecast")


class MeanAbsoluteError(Regression):
    name = "MeanAbsoluteError"
    title = "Mean absolute error"
    doc = "Like the squared error, but calmer about outliers."
    formula = "L = (1/τ) Σ_t mean(|ŷ_t − y_t|)"
    primitive = "absolute_error"
    words = ("mae", "l1", "regression", "forecast")


KINDS: tuple[NodeKind, ...] = (CrossEntropy(), MeanSquaredError(), MeanAbsoluteError())
