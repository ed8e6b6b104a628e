"""Laws of every drawing: padding changes nothing, and a sequence in pieces equals the sequence in one."""

from __future__ import annotations

import pytest
import torch

from rnnstudio.runtime import Network
from tests.conformance.drawings import DRAWINGS, delayed, many_to_one, skipping
from tests.conformance.running import Tensors, assert_same, at_own_steps, batch_of, gradients_of, network_of, program_of

PADDED = {
    **DRAWINGS,
    **{
        f"{pool} of {cell}": lambda pool=pool, cell=cell: many_to_one(pool, cell)
        for pool, cell in (
            ("Last", "RNN"),
            ("First", "GRU"),
            ("Mean", "LSTM"),
            ("Max", "GRU"),
            ("Sum", "RNN"),
            ("Last", "GRU"),
        )
    },
    "delay 7, longer than the sequence": lambda: delayed(7),
    "delay -7, longer than the sequence": lambda: delayed(-7),
    "loop of 7, longer than the sequence": lambda: skipping(7, "learned"),
}
LENGTHS = (4, 1, 6)


def alone(fields: Tensors, network: Network, example: int, lengths: Tensors) -> Tensors:
    """One example without its padding."""
    found: Tensors = {}
    for item in network.program.inputs:
        x = fields[item.field][example : example + 1]
        for place, axis in enumerate(item.signal.axes):
            x = x.narrow(place + 1, 0, int(lengths[network.program.axes[axis]][example]))
        found[item.field] = x
    return found


@pytest.mark.parametrize("name", PADDED)
def test_an_example_gives_the_same_alone_and_padded_among_longer_ones(name: str) -> None:
    program = program_of(PADDED[name]())
    for reference in (False, True):
        compare_alone_and_padded(network_of(program, reference=reference))


def compare_alone_and_padded(network: Network) -> None:
    """Outputs, states, loss and gradient of three examples, each alone and all in one padded batch."""
    program = network.program
    fields = batch_of(program)
    own = {"time": torch.tensor(LENGTHS), "source": torch.tensor([2, 5, 1])}
    lengths = {axis: own[axis] for axis in set(program.axes.values())}
    together = network.losses(fields, lengths)
    whole = at_own_steps(program, network(fields, lengths).outputs, lengths)
    states = network(fields, lengths).state
    shares = {"time": LENGTHS, "": (1, 1, 1)}
    gradients: list[Tensors] = []
    total = torch.zeros((), dtype=torch.float64)
    weights_of = [shares["time" if program.signals[loss.target].axes else ""] for loss in program.losses]
    for example in range(3):
        single = alone(fields, network, example, lengths)
        result = network(single)
        for output, value in result.outputs.items():
            cut = whole[output][example : example + 1]
            for place, size in enumerate(value.shape[1:-1]):
                cut = cut.narrow(place + 1, 0, size)
            assert_same({output: cut}, {output: value}, 1e-10)
        for state, value in result.state.items():
            if value.dim() > 3:
                continue  # it has a second axis, with padding of its own
            assert_same({state: states[state].narrow(value.dim() - 2, example, 1)}, {state: value}, 1e-10)
        losses = network.losses(single)
        for loss, share in zip(program.losses, weights_of, strict=True):
            total = total + losses.parts[loss.node] * loss.weight * share[example] / sum(share)
        if len(program.losses) == 1:
            found = gradients_of(network, losses.total)
            share = weights_of[0]
            gradients.append({p: g * share[example] / sum(share) for p, g in found.items()})
    assert_same({"loss": together.total}, {"loss": total}, 1e-10)
    if gradients:
        summed = {path: torch.stack([g[path] for g in gradients]).sum(0) for path in gradients[0]}
        assert_same(gradients_of(network, together.total), summed, 1e-10)


@pytest.mark.parametrize("name", ["lstm", "bidirectional", "every pool", "attention", "reversed", "delay -2"])
def test_what_stands_in_the_padding_does_not_matter(name: str) -> None:
    program = program_of(DRAWINGS[name]())
    fields = batch_of(program)
    own = {"time": torch.tensor(LENGTHS), "source": torch.tensor([2, 5, 1])}
    lengths = {axis: own[axis] for axis in set(program.axes.values())}
    other: Tensors = {}
    for item in program.inputs:
        x = fields[item.field].clone()
        for place, axis in enumerate(item.signal.axes):
            for example, n in enumerate(lengths[program.axes[axis]].tolist()):
                x[example].narrow(place, n, x.shape[place + 1] - n).fill_(50)
        other[item.field] = x
    for reference in (False, True):
        network = network_of(program, reference=reference)
        one, two = network.losses(fields, lengths), network.losses(other, lengths)
        assert_same({"loss": one.total}, {"loss": two.total}, 1e-10)
        assert_same(gradients_of(network, one.total), gradients_of(network, two.total), 1e-10)


CARRIED = [
    *("rnn", "lstm", "gru", "language model", "stacked", "delay 1", "delay 3, learned", "delay 2 from a wire"),
    *("loop of 3", "two speeds", "delay chain", "loop in a loop", "learned states, lstm", "states from wires, gru"),
    *("memory read", "attention"),
]


@pytest.mark.parametrize("name", CARRIED)
def test_a_sequence_in_chunks_equals_the_sequence_in_one_piece(name: str) -> None:
    program = program_of(DRAWINGS[name]())
    fields = batch_of(program, steps=7)
    along = {i.field for i in program.inputs if "time" in i.signal.axes}
    for reference in (False, True):
        network = network_of(program, reference=reference)
        whole = network(fields)
        for chunks in ((3, 4), (1, 1, 1, 1, 1, 1, 1), (2, 1, 4)):
            state: Tensors | None = None
            parts, at = [], 0
            for n in chunks:
                piece = {name: x[:, at : at + n] if name in along else x for name, x in fields.items()}
                result = network(piece, state=state)
                parts.append(result.outputs)
                state, at = result.state, at + n
            assert state is not None
            assert_same({k: torch.cat([p[k] for p in parts], 1) for k in whole.outputs}, whole.outputs, 1e-10)
            assert_same(state, whole.state, 1e-10)


def test_a_ragged_chunk_hands_on_each_examples_own_state() -> None:
    program = program_of(DRAWINGS["lstm"]())
    for reference in (False, True):
        network = network_of(program, reference=reference)
        fields, own = batch_of(program), torch.tensor(LENGTHS)
        state = network(fields, {"time": own}).state
        for example, n in enumerate(LENGTHS):
            single = {name: x[example : example + 1, :n] for name, x in fields.items()}
            result = network(single)
            assert_same({k: v[:, example : example + 1] for k, v in state.items()}, result.state, 1e-10)
