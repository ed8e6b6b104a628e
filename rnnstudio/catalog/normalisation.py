"""Layer and batch normalisation, outside loops and in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..design.signals import Real, Signal
from .node import Context, Mistake, NodeKind, Param, Params, Port, Signals, need_real, need_steps
from .primitives import Builder, Init, Value
from .trees import CHILDREN

_SCALE = Param("scale", "bool", True, "multiply by a trained vector γ afterwards")
_SHIFT = Param("shift", "bool", True, "add a trained vector β afterwards")
_START = Param("scale_value", "float", 1.0, "what γ starts at", title="Start of γ", minor=True)
_BEGIN = Param("shift_value", "float", 0.0, "what β starts at (a forget gate: 1)", title="Start of β", minor=True)
_EPSILON = Param("epsilon", "float", 1e-5, "keeps the division from zero", minimum=0.0, title="ε", minor=True)


class _Normal(NodeKind):
    family = "Layers"
    inputs = (Port("input", "features"),)

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        signal = inputs["input"]
        if signal is not None:
            need_real(signal, "input")
        return {"out": signal}

    def _trained(self, builder: Builder, width: int, params: Params) -> dict[str, Any]:
        """The paths of γ and β; None where there is none."""
        weight = bias = None
        if params["scale"]:
            weight = builder.parameter("weight", (width,), Init("constant", (float(params["scale_value"]),)))
        if params["shift"]:
            bias = builder.parameter("bias", (width,), Init("constant", (float(params["shift_value"]),)))
        return {"weight": weight, "bias": bias}


class LayerNorm(_Normal):
    name = "LayerNorm"
    title = "Layer normalisation"
    doc = "Gives the features of each place mean 0 and variance 1, then a trained scale and shift."
    formula = "y = γ ⊙ (x − mean(x)) / √(var(x) + ε) + β"
    source = "Ba, Kiros and Hinton 2016"
    params = (_SCALE, _SHIFT, _START, _BEGIN, _EPSILON)
    words = ("normalize", "layernorm", "standardise")

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        trained = self._trained(builder, value.signal.width, params)
        epsilon = float(params["epsilon"])
        return {"out": builder.op("layer_norm", (value,), value.signal, epsilon=epsilon, **trained)}


class BatchNorm(_Normal):
    name = "BatchNorm"
    title = "Batch normalisation"
    doc = (
        "Gives each feature mean 0 and variance 1 over all valid places of the batch, then a trained scale and shift; "
        "in a loop, over the examples that have not ended at that step. Otherwise than in training it uses the "
        "running statistics, which are saved with the weights: one for all steps, or one for each of the first steps, "
        "which a recurrent state needs while it settles."
    )
    formula = (
        "y = γ ⊙ (x − μ) / √(σ² + ε) + β;  training: μ, σ² of the batch;  else: their running averages\n"
        "with statistics per step: μ_t, σ²_t of the batch at step t;  else: the running averages of step min(t, T_max)"
    )
    source = "Ioffe and Szegedy 2015; statistics per step: Cooijmans et al. 2016, section 3"
    params = (
        _SCALE,
        _SHIFT,
        _START,
        _BEGIN,
        _EPSILON,
        Param("momentum", "float", 0.1, "how much of a new batch enters the running statistics", minimum=0, maximum=1),
        Param(
            "steps",
            "int",
            0,
            "T_max: own statistics for each of the first so many steps, later ones use the last's; 0: one for all",
            minimum=0,
            maximum=10000,
        ),
        Param("axis", "axis", "", "the axis of these steps, counted from its beginning; empty: the input's only axis"),
    )
    words = ("normalize", "batchnorm", "running mean", "standardise", "recurrent batch normalization", "bn-lstm")

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        found = super().infer(inputs, params, context)
        signal = found["out"]
        if signal is not None and params["steps"]:
            axis = self._axis(signal, params)
            if axis in context.trees or axis.endswith(CHILDREN):
                text = "a tree has no steps: set steps to 0 for one statistic of all nodes"
                raise Mistake("MixedAxes", text, "input", "steps")
        return found

    def _axis(self, signal: Signal, params: Params) -> str:
        need_steps(signal, "input")
        axis: str = params["axis"]
        if (axis and axis not in signal.axes) or (not axis and len(signal.axes) != 1):
            need = f"no axis “{axis}”" if axis else "not exactly one axis: set this node's"
            raise Mistake("MixedAxes", f"the input {signal.text()} has {need}", "input", "axis")
        return axis or signal.axes[0]

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        value = inputs["input"]
        width, axes = value.signal.width, value.signal.axes
        attrs: dict[str, Any] = dict(self._trained(builder, width, params))
        shape = (params["steps"], width) if params["steps"] else (width,)
        attrs["mean"] = builder.parameter("running_mean", shape, Init("zero"), trainable=False)
        attrs["variance"] = builder.parameter("running_variance", shape, Init("constant", (1.0,)), trainable=False)
        attrs["epsilon"], attrs["momentum"] = float(params["epsilon"]), float(params["momentum"])
        if not params["steps"]:
            return {"out": builder.op("batch_norm", (value,), value.signal, over=axes, axes=axes, **attrs)}
        along = self._axis(value.signal, params)
        number = builder.op("step_number", (), Signal((along,), Real(1)), name="number", axis=along)
        sources = (value, number)
        attrs["along"] = along
        return {"out": builder.op("batch_norm_steps", sources, value.signal, over=axes, axes=axes, **attrs)}


KINDS: tuple[NodeKind, ...] = (LayerNorm(), BatchNorm())
