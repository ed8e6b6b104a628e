"""Loops with more in a step than products and pointwise operations: decoders that attend, choose tokens, normalise."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rnnstudio.compiler.program import Program
from rnnstudio.design.design import Value
from rnnstudio.design.signals import Tokens
from rnnstudio.runtime.network import Network
from tests.conformance.drawings import design, features, regression
from tests.conformance.patterns import Pattern
from tests.conformance.running import program_of

from .cells import AT


def attending(
    units: int, /, *, apart: bool = False, looked: bool = False, parts: bool = False, **params: Value
) -> Program:
    """A GRU that at each step looks along a second sequence. params: of the Attention.

    apart: values that are no keys; looked: the loss reads where it looked, too; parts: attention drawn from its parts.
    """
    s = Pattern()
    features(s)
    s.add("other", "FeatureInput", at=AT, params={"field": "other", "axis": "source"})
    keys = s.linear("keys", units, "other", bias=not apart)  # scores by products would give it none
    values = s.linear("values", units + 3, "other") if apart else keys
    if parts:
        s.add("scores", "Match", at=AT, params=params, query="before", keys=keys)
        s.add("weights", "Softmax", at=AT, params={"axis": "source"}, input="scores")
        found, where = s.add("found", "WeightedSum", at=AT, weights="weights", values=values), "weights"
    else:
        found = s.add("found", "Attention", at=AT, params=params, query="before", keys=keys, values=values)
        where = "found.weights"
    s.linear("update_sum", units, "inputs", "before", found)
    s.add("update", "Sigmoid", at=AT, input="update_sum")
    s.add("new", "Tanh", at=AT, input=s.linear("new_sum", units, "inputs", "before", found))
    change = s.add("change", "Subtract", at=AT, a="new", b="before")
    s.add("state", "Add", at=AT, a="before", b=s.add("step", "Multiply", at=AT, a="update", b=change))
    s.add("before", "Delay", at=AT, params={"axis": "time", "width": units, "initial": "learned"}, input="state")
    if looked:
        s.add("far", "Max", at=AT, params={"axis": "source"}, input=where)
    read = {"a": "state", "b": found, **({"c": "far"} if looked else {})}
    s.add("read", "Concat", at=AT, params={"terms": len(read)}, **read)
    regression(s, "read")
    return program_of(design(s, "inputs", "other", "targets"))


def feeding(units: int) -> Program:
    """Attention with the new state as its query, whose result the next step reads (Luong et al. 2015, section 3.3)."""
    s = Pattern()
    features(s)
    s.add("other", "FeatureInput", at=AT, params={"field": "other", "axis": "source"})
    s.linear("keys", units, "other")
    s.add("state", "Tanh", at=AT, input=s.linear("sum", units, "inputs", "before", "fed"))
    s.add("before", "Delay", at=AT, params={"axis": "time", "width": units}, input="state")
    s.add("found", "Attention", at=AT, params={"score": "dot"}, query="state", keys="keys")
    s.add("joined", "Tanh", at=AT, input=s.linear("joined_sum", units, "state", "found"))
    s.add("fed", "Delay", at=AT, params={"axis": "time", "width": units}, input="joined")
    regression(s, "joined")
    return program_of(design(s, "inputs", "other", "targets"))


def _two(a: str, b: str, turned: bool) -> dict[str, str]:
    return {"a": b, "b": a} if turned else {"a": a, "b": b}


def from_primitives(units: int, *, additive: bool, turned: bool = False) -> Program:
    """Attention drawn from Add or Multiply, Softmax and Sum. turned: what has no time stands first."""
    s = Pattern()
    features(s)
    s.add("other", "FeatureInput", at=AT, params={"field": "other", "axis": "source"})
    values, keys = s.linear("values", units + 2, "other"), s.linear("from_keys", units, "other", bias=additive)
    if additive:
        s.add("pair", "Add", at=AT, **_two(s.linear("from_query", units, "before"), keys, turned))
        s.linear("score", 1, s.add("match", "Tanh", at=AT, input="pair"))
    else:
        s.add("pair", "Multiply", at=AT, **_two("before", keys, turned))
        s.add("score", "WidthSum", at=AT, input="pair")
    s.add("weights", "Softmax", at=AT, params={"axis": "source"}, input="score")
    weighed = s.add("weighed", "Multiply", at=AT, **_two("weights", values, turned))
    s.add("found", "Sum", at=AT, params={"axis": "source"}, input=weighed)
    s.add("state", "Tanh", at=AT, input=s.linear("sum", units, "inputs", "before", "found"))
    s.add("before", "Delay", at=AT, params={"axis": "time", "width": units}, input="state")
    regression(s, "state")
    return program_of(design(s, "inputs", "other", "targets"))


def writing(
    units: int,
    *,
    size: int = 5,
    probability: float = 0.5,
    sample: bool = False,
    attention: bool = False,
    dropout: bool = False,
) -> Program:
    """A decoder that reads the token it has chosen itself, or with a probability the true one. dropout: at every step,
    of what it reads and of what it passes on.
    """
    s = Pattern()
    params: dict[str, Value] = {"probability": probability, "sample": sample, "first": 2}
    s.add("back", "Feedback", at=AT, params=params, prediction="readout", target="next")
    s.embed("written", 3, "back")
    if attention:
        s.cell("rec", "AttentionDecoder", units, x="written", memory=s.reals("other", 3, "source"))
    else:
        s.cell("rec", "GRU", units, x=dropped(s, "written") if dropout else "written")
    s.classify(dropped(s, "rec.h") if dropout else "rec.h", size, name="next")
    return program_of(s.drawn())


def dropped(s: Pattern, value: str) -> str:
    return s.add(f"kept_{value.partition('.')[0]}", "Dropout", at=AT, params={"rate": 0.3}, input=value)


def answering(units: int, *, dropout: bool = False) -> Program:
    """A real output that is fed back, the true one with probability one half."""
    s = Pattern()
    features(s)
    s.add("back", "Feedback", at=AT, params={"probability": 0.5}, prediction="readout", target="truth")
    s.add("both", "Concat", at=AT, a="inputs", b="back")
    s.cell("rec", "LSTM", units, x=dropped(s, "both") if dropout else "both")
    regression(s, dropped(s, "rec.h") if dropout else "rec.h")
    return program_of(design(s, "inputs", "targets"))


def in_the_step(kind: str, units: int, **params: Value) -> Program:
    """An RNN whose new state goes through one more node."""
    s = Pattern()
    features(s)
    s.linear("sum", units, "inputs", "before")
    s.add("node", kind, at=AT, params=params, input="sum")
    s.add("state", "Tanh", at=AT, input="node")
    s.add("before", "Delay", at=AT, params={"axis": "time", "width": units}, input="state")
    regression(s, "state")
    return program_of(design(s, "inputs", "targets"))


def dividing(units: int) -> Program:
    """The state is divided by what stands at each place of a second sequence; the last place is read."""
    s = Pattern()
    features(s)
    s.add("other", "FeatureInput", at=AT, params={"field": "other", "axis": "source"})
    places = s.add("positive", "Sigmoid", at=AT, input=s.linear("places", units, "other"))
    shared = s.add("clear", "Scale", at=AT, params={"offset": 0.5}, input=places)
    s.add("divided", "Divide", at=AT, a="before", b=shared)
    last = s.add("last", "Last", at=AT, params={"axis": "source"}, input="divided")
    s.add("state", "Tanh", at=AT, input=s.linear("sum", units, "inputs", last))
    s.add("before", "Delay", at=AT, params={"axis": "time", "width": units, "initial": "learned"}, input="state")
    regression(s, "state")
    return program_of(design(s, "inputs", "other", "targets"))


def given_a_vector(units: int) -> Program:
    """Maps of a value without time, beside the state, inside the loop."""
    s = Pattern()
    features(s)
    s.add("vector", "FeatureInput", at=AT, params={"field": "vector"})
    s.add("both", "Concat", at=AT, params={"terms": 3}, a="vector", b="before", c="inputs")
    s.linear("sum", units, "both", "vector")
    s.add("state", "Tanh", at=AT, input="sum")
    s.add("before", "Delay", at=AT, params={"axis": "time", "width": units}, input="state")
    regression(s, "state")
    return program_of(design(s, "inputs", "vector", "targets"))


STEPS = {"time": 6, "source": 5}
LENGTHS = {"time": torch.tensor([6, 2, 4]), "source": torch.tensor([3, 5, 1])}


def batch(program: Program, size: int = 3, dtype: torch.dtype = torch.float64, steps: Mapping[str, int] = STEPS):
    """Random fields."""
    generator = torch.Generator().manual_seed(11)
    fields: dict[str, Tensor] = {}
    for item in program.inputs:
        shape = (size, *(steps[program.axes[axis]] for axis in item.signal.axes))
        if isinstance(item.signal.content, Tokens):
            fields[item.field] = torch.randint(item.signal.content.size, shape, generator=generator)
        else:
            x = torch.randn(*shape, item.signal.width, generator=generator, dtype=torch.float64)
            fields[item.field] = x.to(dtype)
    return fields


def answer(
    program: Program,
    lowering: str,
    fields: Mapping[str, Tensor],
    own: Mapping[str, Tensor] | None = None,
    state: Mapping[str, Tensor] | None = None,
    *,
    training: bool = True,
) -> tuple[Network, dict[str, Tensor], dict[str, Tensor]]:
    """The network; loss, prediction at valid steps and all gradients; final states."""
    dtype = torch.float32 if any(x.dtype == torch.float32 for x in fields.values()) else torch.float64
    network = Network(program, 1, reference=lowering == "reference").to(dtype).train(training)
    network.set_lowering_choices({scan.name: lowering for scan in program.scans()})
    with torch.no_grad():
        for path, tensor in network.weights.items():
            g = torch.Generator().manual_seed(sum(map(ord, path)))
            noise = torch.rand(tensor.shape, generator=g, dtype=torch.float64).to(dtype)
            tensor.add_(noise if path.endswith("variance") else noise - 0.5)
    given = {name: x.clone().requires_grad_() if x.is_floating_point() else x for name, x in fields.items()}
    torch.manual_seed(5)
    found = network.losses(given, own, state)
    found.total.backward()
    (prediction,) = found.predictions.values()
    if own is not None:
        prediction = prediction * (torch.arange(prediction.shape[1]) < own["time"][:, None])[..., None]
    # What is no parameter of the loop but moves with it (running statistics) is compared as it ends.
    grads = {path: w.grad if w.requires_grad else w for path, w in network.weights.items()}
    inputs = {f"d {name}": x.grad for name, x in given.items() if x.is_floating_point()}
    return network, {"loss": found.total.detach(), "prediction": prediction, **grads, **inputs}, found.state
