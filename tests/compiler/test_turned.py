"""What runs against a sequence begins anew in every chunk of it, however it is drawn; what runs along it goes on."""

from __future__ import annotations

import torch

import rnnstudio
from tests.conformance.running import answer_of_source, assert_same, network_of


def drawing(*, above: str = "", delayed: bool = False) -> rnnstudio.Drawing:
    """A bidirectional layer, a GRU `above` it, or a Delay of two steps on the way back alone."""
    design = rnnstudio.new("turned")
    top = design.add("FeatureInput", "x", field="x", size=3)
    if delayed:
        turned = design.add("Reverse", "turned", input=top)
        top = design.add("Reverse", "back", input=design.add("Delay", "late", k=2, input=turned))
    else:
        top = design.add("BidirectionalGRU", "both", units=4, x=top)
    if above:
        top = design.add("GRU", above, units=5, x=top)
    design.add("Output", "out", input=top)
    return design


def chunk(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"x": torch.randn(2, 6, 3, generator=generator, dtype=torch.float64)}


def test_the_way_back_of_a_bidirectional_net_is_that_of_each_chunk_alone() -> None:
    network = network_of(drawing().program())
    first, second = chunk(1), chunk(2)
    state = network(first).state
    assert set(state) == {"both.forward.h_before"}
    on, alone = network(second, None, state).outputs["out"], network(second).outputs["out"]
    whole = network({"x": torch.cat([first["x"], second["x"]], 1)}).outputs["out"][:, 6:]
    assert_same({"back": on[..., 4:]}, {"back": alone[..., 4:]})
    assert_same({"forward": on[..., :4]}, {"forward": whole[..., :4]})


def test_a_state_of_an_older_run_is_not_read_on_the_way_back() -> None:
    network = network_of(drawing().program())
    strange = {"both.backward.h_before": torch.full((1, 2, 4), 9.0, dtype=torch.float64)}
    assert_same(network(chunk(1), None, strange).outputs, network(chunk(1)).outputs)


def test_a_layer_above_both_directions_goes_on() -> None:
    program = drawing(above="memory").program()
    state = network_of(program)(chunk(1)).state
    assert set(state) == {"both.forward.h_before", "memory.h_before"}


def test_a_delay_on_the_way_back_begins_anew_and_the_printed_source_agrees() -> None:
    for design in (drawing(delayed=True), drawing(delayed=True, above="memory"), drawing(above="memory")):
        program = design.program()
        network = network_of(program)
        result = network(chunk(1))
        assert "late" not in result.state
        printed = answer_of_source(program, network.weights, chunk(2), state=result.state)
        found = network(chunk(2), None, result.state)
        assert_same(found.outputs, printed.outputs)
        assert_same(found.state, printed.state)
