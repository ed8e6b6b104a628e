"""Loops with more than one axis that the tests of fused loops train: inside another loop, beside a further axis."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler.program import Program
from rnnstudio.design.design import frozen
from rnnstudio.runtime.network import Network
from tests.conformance.drawings import design, features, regression, with_params
from tests.conformance.running import gradients_of, network_of, program_of

from .cells import AT, Draw

PLANE = 3
"""Width of the plane x that the loops read, [time, source]."""


def along(draw: Draw, axis: str) -> Draw:
    """The same loop with the axis said at every Delay, as values of several axes need."""

    def placed(s: Sketch, units: int) -> str:
        out = draw(s, units)
        for name, node in list(s._nodes.items()):
            if node.kind == "Delay":
                params = {**node.params, "axis": axis}
                s._nodes[name] = type(node)(node.id, node.kind, frozen(params), node.x, node.y, node.title)
        return out

    return placed


def beside(draw: Draw, units: int) -> Program:
    """A loop along time for every place of a second axis, over which its output is then averaged."""
    s = Sketch()
    features(s)
    s.add("other", "FeatureInput", at=AT, params={"field": "other", "axis": "source"})
    s.add("x", "Linear", at=AT, params={"units": PLANE, "terms": 2}, input="inputs", input2="other")
    s.add("read", "Mean", at=AT, params={"axis": "source"}, input=along(draw, "time")(s, units))
    regression(s, "read")
    return program_of(_with_cells(s, "time", "inputs", "other", "targets"))


def inside(draw: Draw, units: int) -> Program:
    """A loop along time at every step of a loop along a second axis: its last output makes the outer state."""
    s = Sketch()
    features(s)
    s.add("other", "FeatureInput", at=AT, params={"field": "other", "axis": "source"})
    end = along(draw, "time")(s, units)
    s.add("outer_before", "Delay", at=AT, params={"axis": "source", "width": 4, "initial": "learned"}, input="outer")
    terms = {"input": "inputs", "input2": "other", "input3": "outer_before"}
    s.add("x", "Linear", at=AT, params={"units": PLANE, "terms": 3}, **terms)
    s.add("end", "Last", at=AT, params={"axis": "time"}, input=end)
    s.add("outer_sum", "Linear", at=AT, params={"units": 4, "terms": 2}, input="end", input2="outer_before")
    s.add("outer", "Tanh", at=AT, input="outer_sum")
    s.add("last", "Last", at=AT, params={"axis": "source"}, input="outer")
    regression(s, "last", vector=True)
    return program_of(_with_cells(s, "time", "inputs", "other", "amount"))


def two_dimensional_lstm(units: int) -> Program:
    """A state delayed along both axes, with a forget gate for each (Graves, Fernández and Schmidhuber 2007)."""
    s = Sketch()
    features(s)
    s.add("other", "FeatureInput", at=AT, params={"field": "other", "axis": "source"})
    s.add("x", "Linear", at=AT, params={"units": PLANE, "terms": 2}, input="inputs", input2="other")
    for axis in ("time", "source"):
        for state in "hc":
            params = {"axis": axis, "width": units}
            s.add(f"{state}_{axis}", "Delay", at=AT, params=params, input=state)
    gates = {}
    for name, squash in (("f", "Sigmoid"), ("f2", "Sigmoid"), ("i", "Sigmoid"), ("o", "Sigmoid"), ("g", "Tanh")):
        terms = {"input": "x", "input2": "h_time", "input3": "h_source"}
        total = s.add(f"{name}_sum", "Linear", at=AT, params={"units": units, "terms": 3}, **terms)
        gates[name] = s.add(name, squash, at=AT, input=total)
    kept = s.add("kept", "Multiply", at=AT, a=gates["f"], b="c_time")
    kept2 = s.add("kept2", "Multiply", at=AT, a=gates["f2"], b="c_source")
    new = s.add("new", "Multiply", at=AT, a=gates["i"], b=gates["g"])
    s.add("c", "Add", at=AT, params={"terms": 3}, a=kept, b=kept2, c=new)
    s.add("h", "Multiply", at=AT, a=gates["o"], b=s.add("shown", "Tanh", at=AT, input="c"))
    s.add("end", "Last", at=AT, params={"axis": "time"}, input="h")
    s.add("last", "Last", at=AT, params={"axis": "source"}, input="end")
    regression(s, "last", vector=True)
    return program_of(_with_cells(s, "", "inputs", "other", "amount"))


def _with_cells(s: Sketch, axis: str, *fields: str) -> object:
    used = {str(node.params["cell"]) for node in s._nodes.values() if node.kind == "cell"}
    return design(s, *fields, cells=[with_params(standard().cells[name], "Delay", axis=axis) for name in used])


def batch_of(program: Program, size: int, steps: Mapping[str, int], dtype: torch.dtype) -> dict[str, Tensor]:
    """Random fields, `steps` long by axis."""
    generator = torch.Generator().manual_seed(11)
    fields: dict[str, Tensor] = {}
    for item in program.inputs:
        shape = (size, *(steps[program.axes[axis]] for axis in item.signal.axes), item.signal.width)
        fields[item.field] = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
    return fields


def answer(program: Program, lowering: str, fields: Mapping[str, Tensor], own: Mapping[str, Tensor] | None):
    """Loss, prediction, all gradients, and the final states of one step of training, in the fields' type."""
    dtype = next(iter(fields.values())).dtype
    network = network_of(program, reference=lowering == "reference").to(dtype).train()
    network.set_lowering_choices({scan.name: lowering for scan in program.scans()})
    given = {name: x.clone().requires_grad_() for name, x in fields.items()}
    found = network.losses(given, own)
    gradients = gradients_of(network, found.total)
    (prediction,) = found.predictions.values()
    if own is not None and prediction.dim() == 3:
        valid = torch.arange(prediction.shape[1]) < own["time"][:, None]
        prediction = prediction * valid[..., None]
    inputs = torch.autograd.grad(network.losses(given, own).total, list(given.values()), allow_unused=True)
    more = {f"d {name}": g for name, g in zip(given, inputs, strict=True) if g is not None}
    return network, {"loss": found.total.detach(), "prediction": prediction, **gradients, **more}, found.state


def served(network: Network) -> dict[str, str]:
    return network.loops.served
