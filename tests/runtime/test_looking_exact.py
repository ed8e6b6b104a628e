"""Looks against float64 autograd of the printed source: of every cell of the library, invented ones, attention, trees.

The printed source tells ∂L/∂weight alone. By the chain rule a map p = W x + b has ∂L/∂b = Σ_t ∂L/∂p_t and
∂L/∂W = Σ_t ∂L/∂p_t x_tᵀ, so that totals and values of a look are compared with it at every linear map of a drawing.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler.program import Program, region_ops
from rnnstudio.compiler.source import parameter_names
from rnnstudio.runtime import Network
from rnnstudio.runtime.looking import Asked, Look, look
from tests.conformance.drawings import DRAWINGS
from tests.conformance.running import Answer, Tensors, answer_of_source, batch_of, network_of, printed, program_of
from tests.conformance.test_cells_library import cell
from tests.runtime.test_trees import batch as tree_batch
from tests.runtime.test_trees import network_of as tree_network
from tests.runtime.test_trees import tree_net

TREES = ("RecursiveNet", "RNTN", "ChildSumTreeLSTM", "BinaryTreeLSTM")
CELLS = tuple(name for name in standard().cells if name not in TREES)
PORTS = {"Highway": "y", "Encoder": "states"}
DOUBLE, SINGLE = 1e-9, 1e-5


def close(found: Tensor, wanted: Tensor, tolerance: float, what: str) -> None:
    """To `tolerance` of the largest number there."""
    scale = max(float(wanted.abs().max()), 1e-3)
    assert found.shape == wanted.shape, what
    assert float((found.double() - wanted.double()).abs().max()) <= tolerance * scale, what


def alone(fields: Tensors) -> Tensors:
    return {name: x[:1] for name, x in fields.items()}


def maps_agree(program: Program, seen: Look, wanted: Tensors, tolerance: float) -> int:
    """Compare ∂L/∂b and ∂L/∂W of every map that a look tells whole; how many there were. Tied maps add up."""
    ops = {op.name: op for op in region_ops(program.regions)}
    nodes = {name: op.node for name, op in ops.items()} | {item.name: item.name for item in program.inputs}
    nodes |= {state.delay: state.delay for scan in program.scans() for state in scan.states}
    found: dict[str, list[Tensor | None]] = {}
    for op in ops.values():
        if op.kind != "linear" or op.node not in seen.total:
            continue
        paths = (op.attrs["weight"],) if isinstance(op.attrs["weight"], str) else op.attrs["weight"]
        read = seen.values.get(nodes[op.inputs[0]])
        for path in paths:
            node = path.rpartition(".")[0] if len(paths) > 1 else op.node
            total = seen.total.get(node)
            rows = total is not None and read is not None and read.is_floating_point()
            rows = rows and total.shape[:-1] == read.shape[:-1] and total.shape[-1] == wanted[path].shape[0]
            found.setdefault(path, []).append(flat(total).T @ flat(read) if rows else None)
            if (
                total is not None
                and (bias := f"{node}.bias") in wanted
                and len(paths) == 1
                and path == f"{node}.weight"
            ):
                close(flat(total).sum(0), wanted[bias], tolerance, bias)
    whole = {path: parts for path, parts in found.items() if all(part is not None for part in parts)}
    for path, parts in whole.items():
        close(torch.stack([part for part in parts if part is not None]).sum(0), wanted[path], tolerance, path)
    return len(whole)


def flat(x: Tensor) -> Tensor:
    return x.reshape(-1, x.shape[-1])


def states_agree(program: Program, seen: Look) -> int:
    """∂L/∂h_t in all = the direct part + what h_t is asked for by the steps that read it: Goodfellow et al., 10.2.2.

    Of states that lead to no other state: what leads to one is asked for by the other's later steps, too.
    """
    checked = 0
    states = [state for scan in program.scans() for state in scan.states]
    for scan in program.scans():
        for source in dict.fromkeys(state.source for state in scan.states):
            readers = [state for state in states if state.source == source]
            known = {source, *(state.delay for state in readers)} <= seen.total.keys() and source in seen.direct
            apart = all(state in scan.states for state in readers) and not _leads_on(program, source)
            if scan.tree or not known or not apart:
                continue
            total = seen.direct[source].clone()
            for state in readers:
                asked = seen.total[state.delay]
                if state.k > 0:
                    total[: -state.k] += asked[state.k :]
                else:
                    total[-state.k :] += asked[: state.k]
            close(total, seen.total[source], DOUBLE, source)
            checked += 1
    return checked


def _leads_on(program: Program, source: str) -> bool:
    reached = {source}
    for op in region_ops(program.regions):
        if reached & set(op.inputs):
            reached.add(op.name)
    return any(s.source in reached for scan in program.scans() for s in scan.states if s.source != source)


def looked(network: Network, fields: Tensors, lengths: Tensors | None = None) -> tuple[Look, Answer]:
    wanted = answer_of_source(network.program, dict(network.weights), fields, lengths)
    return look(network, fields, lengths), wanted


@pytest.mark.parametrize("name", DRAWINGS)
def test_totals_and_direct_parts_of_a_drawing_are_those_of_its_printed_source(name: str) -> None:
    network = network_of(program_of(DRAWINGS[name]()))
    seen, wanted = looked(network, alone(batch_of(network.program)))
    assert wanted.loss is not None
    assert seen.loss == pytest.approx(float(wanted.loss), rel=DOUBLE)
    assert maps_agree(network.program, seen, wanted.gradients, DOUBLE) > 0
    states_agree(network.program, seen)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "rnn backward", "loop of 3", "language model"])
def test_a_state_is_asked_for_directly_and_by_the_steps_that_read_it(name: str) -> None:
    network = network_of(program_of(DRAWINGS[name]()))
    seen = look(network, alone(batch_of(network.program)))
    assert states_agree(network.program, seen) > 0


@pytest.mark.parametrize("name", ["lstm", "gru", "attention", "stacked", "two speeds"])
def test_in_float32_it_is_the_same_to_its_precision(name: str) -> None:
    network = network_of(program_of(DRAWINGS[name]()))
    fields = alone(batch_of(network.program))
    _, wanted = looked(network, fields)
    single = look(network.float(), {n: x.float() if x.is_floating_point() else x for n, x in fields.items()})
    assert maps_agree(network.program, single, wanted.gradients, SINGLE) > 0


@pytest.mark.parametrize("name", TREES)
def test_totals_of_a_tree_are_those_of_its_printed_source(name: str) -> None:
    network = tree_network(tree_net(name))
    fields = alone(tree_batch())
    lengths = {"tree": torch.tensor([5])}
    seen = look(network, fields, lengths)
    model = printed(network.program, dict(network.weights))
    scores, _ = model(fields["word"], fields["tree_parents"], lengths=lengths)
    loss = model.loss(scores, fields["label"], lengths=lengths)
    own = dict(model.named_parameters())
    grads = dict(zip(own, torch.autograd.grad(loss, list(own.values())), strict=True))
    wanted = {path: grads[name] for path, name in parameter_names(network.program).items() if name in grads}
    assert seen.loss == pytest.approx(float(loss.detach()), rel=DOUBLE)
    assert maps_agree(network.program, seen, wanted, DOUBLE) > 0


@pytest.mark.parametrize("name", CELLS)
def test_what_an_output_of_a_cell_listened_to_is_what_autograd_of_its_printed_source_tells(name: str) -> None:
    program = program_of(cell(name, port=PORTS.get(name, "h")))
    network = network_of(program)
    fields = alone(batch_of(program))
    ops = {op.name: op.node for op in region_ops(program.regions)}
    (output,) = program.outputs.values()
    largest = look(network, fields, gradients=False).values[ops[output]].abs()  # no ReLU that is shut
    step, unit = divmod(int(largest.argmax()), largest.shape[-1])
    seen = look(network, fields, of=Asked(ops[output], unit, step))
    leaves = {item.field: fields[item.field].clone().requires_grad_() for item in program.inputs}
    made, _ = printed(program, dict(network.weights))(*(leaves[item.field] for item in program.inputs))
    close(seen.values[ops[output]], made[0].detach(), DOUBLE, "the output")
    wanted = torch.autograd.grad(made[0, step, unit], list(leaves.values()), allow_unused=True)
    listened = 0
    for item, grad in zip(program.inputs, wanted, strict=True):
        if grad is None:
            assert item.name not in seen.total or not seen.total[item.name].any()
            continue
        close(seen.total[item.name], grad[0], DOUBLE, item.name)
        listened += int(grad.any())
    assert listened
