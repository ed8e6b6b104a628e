"""The printed source, the reference loop and the kernels give the same numbers, for every kind of drawing."""

from __future__ import annotations

import pytest

from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import check
from rnnstudio.runtime import Network
from tests.conformance.drawings import DRAWINGS
from tests.conformance.running import (
    Tensors,
    answer,
    answer_of_source,
    assert_same_answers,
    batch_of,
    network_of,
    program_of,
    ragged,
)


@pytest.fixture(params=DRAWINGS)
def pair(request: pytest.FixtureRequest) -> tuple[Network, Network]:
    """The same network twice: by the reference and by kernels."""
    program = program_of(DRAWINGS[request.param]())
    return network_of(program, reference=True), network_of(program)


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_of_the_tests_has_nothing_wrong(name: str) -> None:
    assert [d.text() for d in check(DRAWINGS[name](), standard()).diagnostics] == []


@pytest.mark.parametrize("padded", [False, True], ids=["full", "padded"])
def test_source_and_kernel_equal_the_reference(pair: tuple[Network, Network], padded: bool) -> None:
    reference, kernel = pair
    program = reference.program
    fields, lengths = batch_of(program), ragged(program) if padded else None
    wanted = answer(reference, fields, lengths)
    assert_same_answers(program, answer(kernel, fields, lengths), wanted, lengths)
    printed = answer_of_source(program, reference.weights, fields, lengths)
    assert_same_answers(program, printed, wanted, lengths)
    assert printed.loss is not None


def test_all_go_on_from_a_state_alike(pair: tuple[Network, Network]) -> None:
    reference, kernel = pair
    program = reference.program
    first, second = batch_of(program), batch_of(program, steps=4)
    state: Tensors = reference(first).state
    wanted = answer(reference, second, None, state)
    assert_same_answers(program, answer(kernel, second, None, state), wanted)
    assert_same_answers(program, answer_of_source(program, reference.weights, second, None, state), wanted)


def test_one_step_of_one_example_is_no_special_case(pair: tuple[Network, Network]) -> None:
    reference, kernel = pair
    program = reference.program
    fields = batch_of(program, size=1, steps=1)
    wanted = answer(reference, fields)
    assert_same_answers(program, answer(kernel, fields), wanted)
    assert_same_answers(program, answer_of_source(program, reference.weights, fields), wanted)
