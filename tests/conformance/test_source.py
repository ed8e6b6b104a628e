"""The printed source, the reference loop and the kernels give the same numbers, for every kind of drawing."""

from __future__ import annotations

import pytest

from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import check
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


@pytest.mark.parametrize("name", DRAWINGS)
def test_source_and_kernel_equal_the_reference(name: str) -> None:
    drawn = DRAWINGS[name]()
    assert [d.text() for d in check(drawn, standard()).diagnostics] == []
    program = program_of(drawn)
    reference, kernel = network_of(program, reference=True), network_of(program)
    fields, one_step = batch_of(program), batch_of(program, size=1, steps=1)
    state: Tensors = reference(fields).state
    for what, lengths, before in (
        (fields, None, None),
        (fields, ragged(program), None),
        (fields, None, state),
        (one_step, None, None),
    ):
        wanted = answer(reference, what, lengths, before)
        assert_same_answers(program, answer(kernel, what, lengths, before), wanted, lengths)
        printed = answer_of_source(program, reference.weights, what, lengths, before)
        assert_same_answers(program, printed, wanted, lengths)
        assert printed.loss is not None
