"""Runs a design in every way there is, in float64: by the reference loop, by kernels, and as its printed source."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import Program, compile_design, source
from rnnstudio.compiler.prune import needs
from rnnstudio.compiler.source import class_name, parameter_names
from rnnstudio.design.design import Design
from rnnstudio.design.signals import Tokens
from rnnstudio.runtime import Network

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Answer:
    """What a run gives: outputs by name, final states, loss, and the loss's gradient by parameter path."""

    outputs: Tensors
    state: Tensors
    loss: Tensor | None
    gradients: Tensors


def program_of(design: Design) -> Program:
    return compile_design(design, standard())


def network_of(program: Program, seed: int = 3, *, reference: bool = False) -> Network:
    """In float64, every parameter (zeros and biases too) at random values."""
    network = Network(program, reference=reference).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, weight in sorted(network.weights.items()):
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64) * 0.6)
    return network


def batch_of(program: Program, lengths: dict[str, list[int]] | None = None, size: int = 3, steps: int = 6) -> Tensors:
    """Random fields: `size` examples of `steps` steps (5 on the axis “source”), the padding random too."""
    generator = torch.Generator().manual_seed(11)
    fields: Tensors = {}
    for item in program.inputs:
        places = [5 if program.axes[axis] == "source" else steps for axis in item.signal.axes]
        if isinstance(item.signal.content, Tokens):
            fields[item.field] = torch.randint(item.signal.content.size, (size, *places), generator=generator)
        else:
            shape = (size, *places, item.signal.content.width)
            fields[item.field] = torch.randn(shape, generator=generator, dtype=torch.float64)
    return fields


def ragged(program: Program) -> Tensors:
    """Lengths of three examples for every axis; one of them is as long as the axis."""
    own = {"source": torch.tensor([2, 5, 1])}
    return {axis: own.get(axis, torch.tensor([4, 1, 6])) for axis in set(program.axes.values())}


def answer(network: Network, fields: Tensors, lengths: Tensors | None = None, state: Tensors | None = None) -> Answer:
    network.zero_grad()
    result = network(fields, lengths, state)
    if not network.program.losses:
        return Answer(result.outputs, result.state, None, {})
    losses = network.losses(fields, lengths, state)
    return Answer(result.outputs, result.state, losses.total.detach(), gradients_of(network, losses.total))


def gradients_of(network: Network, total: Tensor) -> Tensors:
    weights = {path: w for path, w in network.weights.items() if w.requires_grad}
    found = torch.autograd.grad(total, list(weights.values()), allow_unused=True)
    return {p: g if g is not None else torch.zeros_like(weights[p]) for p, g in zip(weights, found, strict=True)}


def module_of(text: str) -> ModuleType:
    """The printed source, run as a module of its own."""
    module = ModuleType("printed")
    exec(compile(text, "printed", "exec"), module.__dict__)
    return module


def printed(program: Program, weights: Tensors) -> Any:
    """An instance of the printed class with these weights, in float64."""
    model: nn.Module = getattr(module_of(source(program)), class_name(program))().double().eval()
    names = parameter_names(program)
    model.load_state_dict({names[path]: weight.detach() for path, weight in weights.items()})
    return model


def answer_of_source(
    program: Program, weights: Tensors, fields: Tensors, lengths: Tensors | None = None, state: Tensors | None = None
) -> Answer:
    """What the printed source gives; its loss where the losses compare outputs."""
    return answer_of_module(program, printed(program, weights), fields, lengths, state)


def answer_of_module(
    program: Program, model: Any, fields: Tensors, lengths: Tensors | None = None, state: Tensors | None = None
) -> Answer:
    """What an instance of the printed class gives."""
    needed = needs(program, program.outputs.values())
    sizes = {axis: fields[i.field].shape[n + 1] for i in program.inputs for n, axis in enumerate(i.signal.axes)}
    arguments = [*(fields[i.field] for i in needed.inputs), *(sizes[axis] for axis in needed.free)]
    results, final = model(*arguments, lengths=lengths, state=state)
    outputs = dict(zip(program.outputs, (results,) if len(program.outputs) == 1 else results, strict=True))
    if not hasattr(model, "loss"):
        return Answer(outputs, final, None, {})
    by_value = {value: outputs[name] for name, value in program.outputs.items()}
    by_value |= {i.name: fields[i.field] for i in program.inputs}
    predictions = dict.fromkeys(loss.prediction for loss in program.losses)
    targets = dict.fromkeys(loss.target for loss in program.losses)
    loss = model.loss(*(by_value[name] for name in (*predictions, *targets)), lengths=lengths)
    own = dict(model.named_parameters())
    found = dict(zip(own, torch.autograd.grad(loss, list(own.values()), allow_unused=True), strict=True))
    names = parameter_names(program)
    gradients = {
        path: found[name] if found[name] is not None else torch.zeros_like(own[name])
        for path, name in names.items()
        if name in own
    }
    return Answer(outputs, final, loss.detach(), gradients)


def at_own_steps(program: Program, outputs: Tensors, lengths: Tensors | None) -> Tensors:
    """The outputs with zeros at padded places, where nothing is promised."""
    kept: Tensors = {}
    for name, value in outputs.items():
        signal = program.signals[program.outputs[name]]
        for place, axis in enumerate(signal.axes):
            if lengths is not None and program.axes[axis] in lengths:
                shape = [1] * value.dim()
                shape[place + 1] = value.shape[place + 1]
                steps = torch.arange(value.shape[place + 1]).reshape(shape)
                own = lengths[program.axes[axis]].reshape(-1, *[1] * (value.dim() - 1))
                value = value.masked_fill(steps >= own, 0.0)
        kept[name] = value
    return kept


def assert_same(one: Tensors, other: Tensors, tolerance: float = 1e-9) -> None:
    """The same names, shapes and numbers, to `tolerance` of the largest number (or of 1)."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.shape == other[name].shape, name
        difference = float((value - other[name]).detach().abs().max())
        scale = max(1.0, float(other[name].detach().abs().max()))
        assert difference <= tolerance * scale, f"{name} differs by {difference:.2e}"


def assert_same_answers(program: Program, one: Answer, other: Answer, lengths: Tensors | None = None) -> None:
    assert_same(at_own_steps(program, one.outputs, lengths), at_own_steps(program, other.outputs, lengths))
    assert_same(one.state, other.state)
    if one.loss is not None and other.loss is not None:
        assert_same({"loss": one.loss}, {"loss": other.loss})
        assert_same(one.gradients, other.gradients)
