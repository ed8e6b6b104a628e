"""Of two axes one is cut in chunks: what runs along it goes on, what runs along the other one begins anew."""

from __future__ import annotations

import pytest
import torch

import rnnstudio
from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import compile_design
from rnnstudio.compiler.carrying import states_that_go_on
from rnnstudio.runtime.stepper import Stepper
from tests.conformance.running import answer_of_source, assert_same, network_of


def translator(cut: str = "") -> rnnstudio.Drawing:
    """A GRU reads "source"; along "time" a Delay and another GRU, which reads what the first one ended with."""
    design = rnnstudio.new("translator")
    source = design.add("FeatureInput", "source", field="source", size=3, axis="source")
    read = design.add("GRU", "encoder", units=4, x=design.add("Delay", "before", k=2, input=source))
    design.add("Last", "thought", input=read)
    x = design.add("FeatureInput", "x", field="x", size=3, axis="time")
    late = design.add("Delay", "late", k=3, input=x)
    both = design.add("Concat", "both", a=late, b="thought")
    top = design.add("GRU", "decoder", units=4, x=both)
    design.add("Output", "out", input=top)
    if cut:
        design.axis(cut, chunk=4)
    return design


def fields() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {
        "source": torch.randn(2, 5, 3, generator=generator, dtype=torch.float64),
        "x": torch.randn(2, 12, 3, generator=generator, dtype=torch.float64),
    }


@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize(
    "design", [translator(), translator(cut="time")], ids=["told by the output", "told by the axis"]
)
def test_an_encoder_of_another_axis_begins_anew_in_every_chunk(design: rnnstudio.Drawing, reference: bool) -> None:
    program = design.program()
    network = network_of(program, reference=reference)
    given = fields()
    whole = network(given)
    assert set(whole.state) == {"decoder.h_before", "late"}
    state, parts = None, []
    for first in range(0, 12, 4):
        chunk = given | {"x": given["x"][:, first : first + 4]}
        result = network(chunk, None, state)
        printed = answer_of_source(program, network.weights, chunk, state=state)
        assert_same(result.outputs, printed.outputs)
        assert_same(result.state, printed.state)
        state = result.state
        parts.append(result.outputs["out"])
    assert state is not None
    assert_same({"out": torch.cat(parts, 1)}, whole.outputs)
    assert_same(state, whole.state)


def test_the_axis_that_is_cut_is_the_one_whose_settings_say_so() -> None:
    program = translator(cut="source").program()
    assert states_that_go_on(program) == {"encoder.h_before", "before"}
    assert states_that_go_on(program, "time") == {"decoder.h_before", "late"}
    network = network_of(program)
    assert set(network(fields()).state) == {"encoder.h_before", "before"}


def test_a_state_of_another_axis_that_is_handed_in_is_not_read() -> None:
    network = network_of(translator().program())
    strange = {"encoder.h_before": torch.full((1, 2, 4), 9.0, dtype=torch.float64)}
    assert_same(network(fields(), None, strange).outputs, network(fields()).outputs)


def test_a_state_at_each_step_of_the_cut_axis_does_not_go_on() -> None:
    """A loop along "height" that runs at every step of time; the last chunk is shorter."""
    design = rnnstudio.new("pictures")
    x = design.add("FeatureInput", "x", field="x", size=3, axis="time")
    y = design.add("FeatureInput", "y", field="y", size=3, axis="height")
    design.add("GRU", "column", units=4, x=design.add("Add", "place", a=x, b=y), axis="height")
    design.add("Last", "seen", input="column.h", axis="height")
    design.add("Output", "out", input=design.add("GRU", "memory", units=4, x="seen", axis="time"))
    design.axis("time", chunk=4)
    network = network_of(design.program())
    x, y = torch.randn(2, 7, 3, dtype=torch.float64), torch.randn(2, 5, 3, dtype=torch.float64)
    first = network({"x": x[:, :4], "y": y})
    assert set(first.state) == {"memory.h_before"}
    second = network({"x": x[:, 4:], "y": y}, None, first.state)
    assert_same({"out": torch.cat([first.outputs["out"], second.outputs["out"]], 1)}, network({"x": x, "y": y}).outputs)


def test_a_decoder_that_reads_its_source_anew_at_every_step_writes_what_it_computes_at_once() -> None:
    """Step by step, the loop along the source that runs at each step of the target begins anew each time."""
    design = rnnstudio.new("reader")
    source = design.add("FeatureInput", "source", field="source", size=3, axis="source")
    target = design.add("TokenTarget", "target", field="target", size=5, axis="target")
    design.add("Feedback", "fed")
    written = design.add("Embedding", "written", units=3, input="fed")
    decoder = design.add("GRU", "decoder", units=3, x=written)
    reader = design.add("GRU", "reader", units=4, x=design.add("Add", "both", a=decoder, b=source), axis="source")
    scores = design.add("Linear", "scores", units=5, input=design.add("Last", "read", input=reader, axis="source"))
    design.connect(scores, "fed.prediction")
    design.connect(target, "fed.target")
    design.add("CrossEntropy", "loss", prediction=scores, target=target)
    network = network_of(compile_design(design.design, standard(), "forced"))
    x = torch.randn(1, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    tokens = torch.tensor([[3, 1, 4, 2]])
    at_once = network.losses({"source": x, "target": tokens}).predictions["loss"]
    stepper = Stepper(network)
    stepper.start({"source": x})
    with torch.no_grad():
        steps = [stepper.step(last) for last in (None, *tokens[:, :-1].T)]
    assert_same({"scores": torch.stack(steps, 1)}, {"scores": at_once})
