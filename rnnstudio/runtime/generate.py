"""Writing with a trained language model: each sampled token is the next step's input, at O(1) per token."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ..compiler.program import Input, Loss, region_ops
from ..design.errors import StudioError
from ..design.signals import Tokens
from .network import Network


def why_not(network: Network) -> str:
    """Why this network cannot write text, or "" when it can."""
    try:
        _plan(network)
    except StudioError as error:
        return str(error)
    return ""


def generate(
    network: Network, prompt: Tensor, length: int, temperature: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """`length` tokens that follow `prompt`, [1, n] int64 with n ≥ 1. Returns [length] int64 on the CPU.

    temperature: 0 takes the most likely token; otherwise tokens are drawn from softmax(logits / temperature).
    Raises StudioError when the network is no language model that can run forward step by step.
    """
    item, loss = _plan(network)
    if prompt.numel() == 0:
        raise StudioError("The prompt is empty", remedy="Give at least one token to begin with.")
    was_training = network.training
    network.eval()
    name = next(n for n, value in network.program.outputs.items() if value == loss.prediction)
    device = next(iter(network.weights.values())).device
    try:
        with torch.no_grad():
            result = network({item.field: prompt.to(device)})
            written: list[int] = []
            while True:
                token = _draw(result.outputs[name][0, -1].cpu(), temperature, generator)
                written.append(token)
                if len(written) >= length:
                    return torch.tensor(written[:length], dtype=torch.int64)
                step = torch.tensor([[token]], device=device)
                result = network({item.field: step}, state=result.state)
    finally:
        network.train(was_training)


def _draw(logits: Tensor, temperature: float, generator: Generator | None) -> int:
    if temperature <= 0:
        return int(logits.argmax())
    probabilities = torch.softmax(logits.double() / temperature, -1)
    return int(torch.multinomial(probabilities, 1, generator=generator))


def _plan(network: Network) -> tuple[Input, Loss]:
    """The input that is fed with samples and the loss whose prediction is sampled. Raises StudioError."""
    program = network.program
    inputs = [i for i in program.inputs if not i.target]
    if len(inputs) != 1 or not isinstance(inputs[0].signal.content, Tokens) or len(inputs[0].signal.axes) != 1:
        raise StudioError("Only a network that reads one sequence of tokens can write")
    item = inputs[0]
    targets = {i.name: i for i in program.inputs if i.target}
    for loss in program.losses:
        target = targets.get(loss.target)
        if target is not None and target.shift_of == item.field and target.shift == 1:
            break
    else:
        raise StudioError("No loss predicts the next token of the input")
    if loss.prediction not in program.outputs.values():
        raise StudioError("The prediction is no output", remedy="Connect an Output node to it, or remove the others.")
    for scan in program.scans():
        if not scan.forward:
            raise StudioError(f"The loop {scan.name} runs backward: it needs tokens that are not written yet")
    for op in region_ops(program.regions):
        ahead = op.kind == "delay" and op.attrs["k"] < 0
        if (ahead or op.kind in ("pool", "reverse")) and op.node != loss.node:
            raise StudioError(f"{op.node} needs the whole sequence")
    return item, loss
