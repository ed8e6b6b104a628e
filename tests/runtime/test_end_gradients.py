"""‖∂L_T/∂h_t‖ of the last step's loss is torch's own, for every kind of loop, each example at its own last step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler.program import Map, Scan, region_ops
from rnnstudio.design.design import Design
from rnnstudio.runtime import Network
from tests.conformance.drawings import backward, bidirectional, many_to_one, recurrent, stacked, with_params
from tests.conformance.running import batch_of, network_of, program_of
from tests.runtime.test_trees import batch as tree_batch
from tests.runtime.test_trees import network_of as tree_network
from tests.runtime.test_trees import tree_net

CELLS = standard().cells

DRAWN: dict[str, Callable[[], Design]] = {
    "lstm": lambda: recurrent("LSTM"),
    "gru": lambda: recurrent("GRU"),
    "plain": lambda: recurrent("RNN"),
    "two steps back": lambda: recurrent(with_params(CELLS["RNN"], "Delay", "Rnn2", k=2)),
    "reversed lstm": lambda: recurrent(backward(CELLS["LSTM"])),
    "stacked": stacked,
    "bidirectional": bidirectional,
}


def by_hand(network: Network, fields: dict[str, Tensor], row: int, steps: int) -> dict[str, Tensor]:
    """[time] by path, of one example cut to its own steps: autograd of the squared error of one step, over its number
    of steps: of the last for a forward loop, of the first for a reversed one."""
    alone = {name: x[row : row + 1, :steps] for name, x in fields.items()}
    record: dict[str, list[Tensor]] = {}
    (loss,) = network.program.losses
    values, _ = network._run(alone, {}, None, (loss.value, loss.prediction), record=record, training=False)
    nodes = {op.name: op.node for op in region_ops(network.program.regions)}
    found = {}
    for scan in network.program.regions:
        if not isinstance(scan, Scan):
            continue
        end = steps - 1 if scan.forward else 0
        own = F.mse_loss(values[loss.prediction][end, 0], alone["targets"][0, end]) / steps
        inside = {op.name for region in scan.body if isinstance(region, Map) for op in region.ops}
        for state in scan.states:
            if state.source in inside:
                in_order = record[state.source] if scan.forward else record[state.source][::-1]
                grads = torch.autograd.grad(own, in_order, retain_graph=True, allow_unused=True, materialize_grads=True)
                found[nodes[state.source]] = torch.stack([grad.norm() for grad in grads])
    return found


def same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert found.keys() == wanted.keys()
    for path, x in wanted.items():
        torch.testing.assert_close(found[path], x, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("row", [0, 1])
def test_it_is_autograds_at_each_examples_own_last_step(name: str, row: int) -> None:
    network = network_of(program_of(DRAWN[name]()), reference=True)
    fields, lengths = batch_of(network.program), torch.tensor([4, 6, 1])
    own = {key: x[row:] for key, x in fields.items()}
    found = network.probe(own, {"time": lengths[row:]}).end_gradients
    assert found
    same(found, by_hand(network, fields, row, int(lengths[row])))


@pytest.mark.parametrize("name", DRAWN)
def test_the_fused_loops_show_the_same(name: str) -> None:
    program = program_of(DRAWN[name]())
    fields = batch_of(program)
    same(
        network_of(program).probe(fields).end_gradients, network_of(program, reference=True).probe(fields).end_gradients
    )


def test_a_loop_by_hand() -> None:
    network = network_of(program_of(recurrent("RNN")))
    fields, w = batch_of(network.program), network.weights
    x, y = fields["inputs"][:1], fields["targets"][:1]
    h, states = torch.zeros(1, 4, dtype=torch.float64), []
    for t in range(6):
        h = torch.tanh(x[:, t] @ w["rec.total.weight"].T + h @ w["rec.total.weight2"].T + w["rec.total.bias"])
        states.append(h)
    last = ((h @ w["readout.weight"].T + w["readout.bias"] - y[:, 5]) ** 2).mean() / 6
    grads = torch.autograd.grad(last, states)
    same(network.probe(fields).end_gradients, {"rec.state": torch.stack([g.norm() for g in grads])})


def test_without_a_way_back_nothing_comes_back_though_the_total_stays() -> None:
    network = network_of(program_of(recurrent("RNN")))
    with torch.no_grad():
        network.weights["rec.total.weight2"].zero_()
    probe = network.probe(batch_of(network.program))
    assert (probe.state_gradients["rec.state"] > 1e-3).all()
    assert (probe.end_gradients["rec.state"][:-1] == 0).all()
    assert probe.end_gradients["rec.state"][-1] == pytest.approx(float(probe.state_gradients["rec.state"][-1]))


def test_a_label_for_the_whole_sequence_has_no_last_step_of_its_own() -> None:
    """Its L_T is L: the total says it all, and the watcher shows it as both."""
    network = network_of(program_of(many_to_one()))
    probe = network.probe(batch_of(network.program))
    assert probe.end_gradients == {}
    assert probe.state_gradients


def test_the_end_of_a_tree_is_its_root() -> None:
    """Levels from the leaves to the root; the loss of the root's own label, over the number of nodes."""
    network = tree_network(tree_net("ChildSumTreeLSTM", every_node=True)).eval()
    fields = tree_batch(slice(0, 1))
    fields["label"] = torch.tensor([[0, 2, 1, 1, 0]])
    found = network.probe(fields).end_gradients
    record: dict[str, list[Tensor]] = {}
    (loss,) = network.program.losses
    network.reference = True
    values, _ = network._run(fields, {}, None, (loss.value, loss.prediction), record=record, training=False)
    root = F.cross_entropy(values[loss.prediction][0], fields["label"][:, 0]) / 5
    nodes = {op.name: op.node for op in region_ops(network.program.regions)}
    (scan,) = network.program.scans()
    for state in scan.states:
        levels = record[state.source]
        grads = torch.autograd.grad(root, levels, retain_graph=True, allow_unused=True, materialize_grads=True)
        torch.testing.assert_close(found[nodes[state.source]], torch.stack([grad.norm() for grad in grads]))
    assert len(levels) == 3
    root_level = {path: x[-1] for path, x in found.items()}
    assert all(float(x) > 0 for x in root_level.values())
