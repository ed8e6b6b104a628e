"""Every node of the catalogue: no complaint, printed source equals the network, padding changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check
from rnnstudio.design.storage import load, save
from rnnstudio.export import export_python
from rnnstudio.runtime import Network
from tests.conformance.catalogue import (
    NODES,
    assert_padding_changes_nothing,
    design,
    drawn,
    in_chunks,
    inputs,
    network,
    valid_parts,
    weighted,
)
from tests.conformance.running import (
    answer,
    answer_of_source,
    assert_same,
    assert_same_answers,
    batch_of,
    printed,
    program_of,
    ragged,
)

CAUSAL = (
    "Taps",
    "Taps with gaps",
    "Clock",
    "Clock in groups",
    "Zoneout",
    "Blend",
    "LayerNorm in a loop",
    "Gelu in a loop",
)


@pytest.mark.parametrize("name", NODES)
def test_a_node_is_checked_printed_and_run_alike(name: str) -> None:
    design = NODES[name]()
    assert [d.text() for d in check(design, standard()).diagnostics if d.code != "NoLoss"] == []
    made = drawn(name)
    program = made.program
    fields = batch_of(program)
    for lengths in (None, ragged(program)):
        wanted = answer(made, fields, lengths)
        assert_same_answers(program, answer_of_source(program, made.weights, fields, lengths), wanted, lengths)


@pytest.mark.parametrize("name", NODES)
def test_padding_changes_nothing(name: str) -> None:
    made = drawn(name)
    assert_padding_changes_nothing(made, batch_of(made.program), ragged(made.program))


@pytest.mark.parametrize("name", CAUSAL)
def test_what_runs_forward_goes_on_between_chunks(name: str) -> None:
    made = drawn(name)
    fields = batch_of(made.program)
    for cut in (1, 3):
        assert_same(in_chunks(made, fields, cut), made(fields).outputs, 1e-12)


@pytest.mark.parametrize("name", CAUSAL)
def test_the_source_goes_on_from_a_state_too(name: str) -> None:
    made = drawn(name)
    program = made.program
    first, second = batch_of(program), batch_of(program, steps=4)
    state = made(first).state
    printed = answer_of_source(program, made.weights, second, None, state)
    assert_same_answers(program, printed, answer(made, second, None, state))


@pytest.mark.parametrize("name", NODES)
def test_the_derivative_equals_finite_differences(name: str) -> None:
    made = drawn(name)
    fields, lengths = batch_of(made.program), ragged(made.program)
    names = list(fields)

    def values(*inputs: Tensor) -> Tensor:
        return weighted(
            valid_parts(made.program, made(dict(zip(names, inputs, strict=True)), lengths).outputs, lengths)
        )

    moving = tuple(x.clone().requires_grad_() for x in fields.values())
    assert torch.autograd.gradcheck(values, moving, fast_mode=True, atol=1e-6)


@pytest.mark.parametrize("name", ["BatchNorm", "BatchNorm in a loop", "BatchNorm over two axes"])
def test_the_derivative_of_batch_normalisation_while_training(name: str) -> None:
    made = network(program_of(NODES[name]())).train()
    fields, lengths = batch_of(made.program), ragged(made.program)
    names = list(fields)

    def values(*inputs: Tensor) -> Tensor:
        return weighted(
            valid_parts(made.program, made(dict(zip(names, inputs, strict=True)), lengths).outputs, lengths)
        )

    moving = tuple(x.clone().requires_grad_() for x in fields.values())
    assert torch.autograd.gradcheck(values, moving, fast_mode=True, atol=1e-6)


def test_every_drawing_is_saved_and_opened_as_it_was(tmp_path: Path) -> None:
    for i, draw in enumerate(NODES.values()):
        save(draw(), tmp_path / f"{i}.rnn")
        found = load(tmp_path / f"{i}.rnn")
        assert found.graph.nodes == draw().graph.nodes
        assert set(found.graph.wires) == set(draw().graph.wires)
        assert found.cells.keys() == draw().cells.keys()


@pytest.mark.parametrize(
    "name", ["Clock in groups", "BatchNorm in a loop", "Attention of heads", "Decoder with attention"]
)
def test_a_network_with_these_nodes_is_exported_with_its_certificate(name: str, tmp_path: Path) -> None:
    made = Network(program_of(NODES[name]()), seed=3)
    certificate = export_python(made, None, tmp_path / "model.py")
    assert certificate.largest < 1e-5


def test_every_node_has_words_for_people() -> None:
    for kind in standard().kinds.values():
        assert kind.doc.endswith((".", "?")), kind.name
        assert kind.title, kind.name
        assert kind.formula or kind.family in ("Data", "Cell"), kind.name


def test_a_clock_in_a_network_without_parameters_is_printed_too() -> None:
    s = Sketch()
    inputs(s, v="", m="source")
    s.add("repeat", "Repeat", at=(1, 0), input="v", along="m")
    s.add("clock", "Clock", at=(2, 0), new="repeat", old="v")
    made = network(program_of(design(s, y="clock")))
    fields = batch_of(made.program)
    model = printed(made.program, {})
    found, _ = model(fields["v"], 5)
    assert_same({"y": found}, made(fields).outputs)
