"""More losses: binary cross-entropy, Huber, Gaussian likelihood, and CTC for labels without an alignment."""

from __future__ import annotations

from collections.abc import Mapping

from ..design.signals import Real, Signal
from .losses import SCALAR, PairLoss, Regression
from .node import Context, Mistake, NodeKind, Param, Params, Port, Signals, need_real, need_tokens
from .primitives import Builder, Value


class BinaryCrossEntropy(Regression):
    name = "BinaryCrossEntropy"
    title = "Binary cross-entropy"
    doc = "For yes-or-no features, each by itself: how surprised the prediction is by the truth (0 … 1)."
    formula = "L = −(1/τ) Σ_t mean(w y log σ(o) + (1 − y) log(1 − σ(o)))"
    inputs = (
        Port("prediction", "a score for each feature (logits)"),
        Port("target", "the truth, 0 … 1", within=(0.0, 1.0)),
    )
    params = (
        *Regression.params,
        Param("positive_weight", "float", 1.0, "w: how much a yes counts beside a no", minimum=0.0),
    )
    primitive = "binary_cross_entropy"
    link = "sigmoid"
    words = ("bce", "logistic", "multi-label", "sigmoid")

    def attrs(self, params: Params) -> Mapping[str, object]:
        weight = float(params["positive_weight"])
        return {} if weight == 1 else {"positive_weight": weight}


class Huber(Regression):
    name = title = "Huber"
    doc = "Squared for small errors and linear for large ones: outliers pull less."
    formula = "L = (1/τ) Σ_t mean(e²/2 where |e| ≤ δ, else δ(|e| − δ/2)),  e = ŷ_t − y_t"
    source = "Huber 1964"
    params = (*Regression.params, Param("delta", "float", 1.0, "δ: where it becomes linear", minimum=1e-6))
    primitive = "huber"
    words = ("smooth l1", "robust", "regression")

    def attrs(self, params: Params) -> Mapping[str, object]:
        return {"delta": float(params["delta"])}


class GaussianLikelihood(Regression):
    name = "GaussianLikelihood"
    title = "Gaussian likelihood"
    doc = "For forecasts with their uncertainty: a mean and the logarithm of a variance for each feature."
    formula = "L = (1/τ) Σ_t mean((log 2π + s_t + (y_t − μ_t)² e^(−s_t)) / 2),  s = log σ²"
    source = "Nix and Weigend 1994"
    inputs = (
        Port("prediction", "the mean μ"),
        Port("log_variance", "s = log σ²"),
        Port("target", "the true features"),
    )
    primitive = "gaussian_likelihood"
    words = ("nll", "probabilistic", "uncertainty", "variance", "heteroscedastic")

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        super().infer(inputs, params, context)
        mean, spread = inputs["prediction"], inputs["log_variance"]
        if mean is None or spread is None:
            return {}
        need_real(spread, "log_variance")
        if not set(spread.axes) <= set(mean.axes):
            raise Mistake(
                "MixedAxes", f"the log-variance is {spread.text()} but the mean {mean.text()}", "log_variance"
            )
        if spread.width not in (1, mean.width):
            raise Mistake(
                "WidthClash", f"the log-variance has width {spread.width} but the mean {mean.width}", "log_variance"
            )
        return {}

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        mean, target = inputs["prediction"], inputs["target"]
        axes, parts = builder.broadcast((mean, inputs["log_variance"], target))
        each = builder.op(self.primitive, parts, Signal(axes, Real(1)), name="each")
        value = builder.op("average", (each,), SCALAR, name="loss", axes=axes)
        builder.loss(value, float(params["weight"]), mean, target)
        return {}


class Ctc(PairLoss):
    name = "Ctc"
    title = "CTC"
    doc = (
        "For label sequences shorter than the frames and not aligned with them (speech, handwriting): sums over all "
        "alignments. The prediction scores every label and one blank."
    )
    formula = "L = −mean(log P(y | x) / |y|),  P(y | x) = Σ_π Π_t softmax(o_t)[π_t] over alignments π of y"
    source = "Graves et al. 2006"
    inputs = (
        Port("prediction", "scores along the frames: each label, and the blank"),
        Port("target", "the labels, along an axis of their own", "tokens"),
    )
    params = (
        *PairLoss.params,
        Param("blank", "choice", "last", "the blank's place among the scores", ("last", "first")),
        Param("skip_impossible", "bool", True, "an example with too few frames for its labels counts 0, not infinity"),
    )
    masks = False
    words = ("speech", "unaligned", "connectionist temporal classification", "labels")

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        prediction, target = inputs["prediction"], inputs["target"]
        if prediction is not None:
            need_real(prediction, "prediction")
            self._one_axis(prediction, "prediction", "frames")
        if target is not None:
            need_tokens(target, "target")
            self._one_axis(target, "target", "labels")
        if prediction is None or target is None:
            return {}
        if prediction.axes == target.axes:
            text = f"frames and labels both run along “{target.axes[0]}”: CTC needs two axes; for aligned labels use a "
            raise Mistake("MixedAxes", text + "Cross-entropy", "target")
        size = need_tokens(target, "target").size
        if prediction.width != size + 1:
            raise Mistake(
                "WidthClash",
                f"the prediction has {prediction.width} scores, but {size} labels and the blank need {size + 1}: "
                "set the readout's units to that",
                "prediction",
            )
        return {}

    def _one_axis(self, signal: Signal, port: str, what: str) -> None:
        if len(signal.axes) != 1:
            raise Mistake("MixedAxes", f"the {port} {signal.text()} needs exactly one axis: that of the {what}", port)

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        prediction, target = inputs["prediction"], inputs["target"]
        size = prediction.signal.width - 1
        each = builder.op(
            "ctc",
            (prediction, target),
            SCALAR,
            name="each",
            frames=prediction.signal.axes[0],
            labels=target.signal.axes[0],
            blank=size if params["blank"] == "last" else 0,
            skip_impossible=bool(params["skip_impossible"]),
        )
        value = builder.op("average", (each,), SCALAR, name="loss", axes=())
        builder.loss(value, float(params["weight"]), prediction, target)
        return {}


KINDS: tuple[NodeKind, ...] = (BinaryCrossEntropy(), Huber(), GaussianLikelihood(), Ctc())
