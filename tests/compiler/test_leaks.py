"""A prediction that reads its own target is told, by the way it does; one that does not is left alone."""

from __future__ import annotations

import pytest

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check
from rnnstudio.design.design import MAIN, CellDefinition, Design, Value, frozen
from rnnstudio.design.edits import SetParam
from rnnstudio.design.recipe import DataRecipe, FieldSpec

TEXT = DataRecipe(
    "text",
    "x.txt",
    fields=(
        FieldSpec("text", "tokens", 5, vocabulary=tuple("abcde")),
        FieldSpec("next", "tokens", 5, vocabulary=tuple("abcde"), shift_of="text", shift=1),
    ),
)


def language_model(*middle: tuple[str, dict[str, Value]], cells: tuple[CellDefinition, ...] = ()) -> Design:
    """text → Embedding → the nodes of `middle` → readout → loss."""
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    last = s.add("embedding", "Embedding", at=(1, 0), params={"units": 5}, input="text")
    for i, (kind, params) in enumerate(middle):
        port = "x" if kind == "cell" else "input"
        last = s.add(f"n{i}", kind, at=(2 + i, 0), params=params, **{port: last})
        last = "n0.h" if kind == "cell" else last
    s.add("readout", "Linear", at=(8, 0), params={"units": 5}, input=last)
    s.add("next", "TokenTarget", at=(8, 1))
    s.add("loss", "CrossEntropy", at=(9, 0), prediction="readout", target="next")
    return Design(graph=s.graph(), data=TEXT, cells=frozen({c.name: c for c in cells}))


def codes(design: Design) -> list[str]:
    return [d.code for d in check(design, standard()).diagnostics]


def backward(cell: CellDefinition) -> CellDefinition:
    nodes = {
        key: node.replace(params=frozen({**node.params, "k": -1})) if node.kind == "Delay" else node
        for key, node in cell.graph.nodes.items()
    }
    return cell.replace(graph=cell.graph.replace(nodes=frozen(nodes)))


def test_a_plain_language_model_does_not_leak() -> None:
    gru = standard().cells["GRU"]
    assert codes(language_model(("cell", {"cell": "GRU", "units": 4}), cells=(gru,))) == []
    assert codes(language_model(("Delay", {"k": 3}))) == []


@pytest.mark.parametrize("middle", [("Delay", {"k": -1}), ("Delay", {"k": -4}), ("Reverse", {})])
def test_looking_ahead_at_the_text_that_is_predicted_leaks(middle: tuple[str, dict[str, Value]]) -> None:
    assert codes(language_model(middle)) == ["TargetLeaks"]


def test_a_backward_cell_in_a_language_model_leaks_and_the_way_is_told() -> None:
    cell = backward(standard().cells["GRU"])
    found = check(language_model(("cell", {"cell": "GRU", "units": 4}), cells=(cell,)), standard()).diagnostics
    assert [d.code for d in found] == ["TargetLeaks"]
    assert "text → embedding → n0 → readout" in found[0].message
    assert found[0].message.endswith("use Feedback or a Delay")
    assert found[0].severity == "warning"


def test_a_delay_makes_good_what_another_one_looks_ahead() -> None:
    assert codes(language_model(("Delay", {"k": 2}), ("Delay", {"k": -2}))) == []
    assert codes(language_model(("Delay", {"k": 2}), ("Delay", {"k": -3}))) == ["TargetLeaks"]


def decoder(kind: str, **params: Value) -> Design:
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"field": "x", "size": 2})
    s.add("y", "FeatureTarget", at=(0, 1), params={"field": "y", "size": 2})
    ports = {"prediction": "readout", "target": "y"} if kind == "Feedback" else {"input": "y"}
    s.add("back", kind, at=(1, 1), params=params, **ports)
    s.add("readout", "Linear", at=(2, 0), params={"units": 2, "terms": 2}, input="x", input2="back")
    s.add("loss", "MeanSquaredError", at=(3, 0), prediction="readout", target="y")
    return Design(graph=s.graph())


def test_a_target_fed_into_its_own_prediction_leaks_unless_it_is_delayed() -> None:
    assert codes(decoder("Tanh")) == ["TargetLeaks"]
    assert codes(decoder("Delay", k=1)) == []
    assert codes(decoder("Feedback")) == []
    assert codes(decoder("Delay", k=-1)) == ["TargetLeaks"]


def test_a_bidirectional_tagger_does_not_leak() -> None:
    s = Sketch()
    s.add("word", "TokenInput", at=(0, 0), params={"field": "word", "size": 7})
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 3}, input="word")
    s.add("ahead", "Delay", at=(2, 0), params={"k": -1}, input="embedding")
    s.add("readout", "Linear", at=(3, 0), params={"units": 4}, input="ahead")
    s.add("tag", "TokenTarget", at=(3, 1), params={"field": "tag", "size": 4})
    s.add("loss", "CrossEntropy", at=(4, 0), prediction="readout", target="tag")
    assert codes(Design(graph=s.graph())) == []


def attentive(*, twisted: bool) -> Design:
    """A decoder with attention; twisted: what it has written is also the memory it looks along."""
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"field": "x", "size": 3, "axis": "source"})
    s.add("y", "FeatureTarget", at=(0, 1), params={"field": "y", "size": 3})
    s.add("back", "Feedback", at=(1, 1), prediction="readout", target="y")
    s.add("flipped", "Reverse", at=(1, 2), input="back")
    decoder = {"cell": "AttentionDecoder", "units": 4}
    s.add("decoder", "cell", at=(2, 0), params=decoder, x="flipped" if twisted else "back", memory="x")
    s.add("readout", "Linear", at=(3, 0), params={"units": 3}, input="decoder.h")
    s.add("loss", "MeanSquaredError", at=(4, 0), prediction="readout", target="y")
    return Design(graph=s.graph(), cells=frozen(standard().definitions_for("AttentionDecoder")))


def test_a_cell_that_looks_along_one_input_reads_the_others_step_by_step() -> None:
    assert "TargetLeaks" not in codes(attentive(twisted=False))
    assert "TargetLeaks" in codes(attentive(twisted=True))


def test_a_cell_that_only_delays_does_not_leak_its_own_target() -> None:
    inner = Sketch()
    inner.add("x", "CellInput", at=(0, 0))
    inner.add("late", "Delay", at=(1, 0), input="x")
    inner.add("h", "CellOutput", at=(2, 0), input="late")
    cell = inner.cell("Late", {"units": 1}, "The value before.", "y_t = x_{t-1}")
    s = Sketch()
    s.add("y", "FeatureTarget", at=(0, 1), params={"field": "y", "size": 2})
    s.add("before", "cell", at=(1, 0), params={"cell": "Late"}, x="y")
    s.add("readout", "Linear", at=(2, 0), params={"units": 2}, input="before.h")
    s.add("loss", "MeanSquaredError", at=(3, 0), prediction="readout", target="y")
    assert codes(Design(graph=s.graph(), cells=frozen({"Late": cell}))) == []


def attending_to_itself(way: str, causal: bool) -> Design:
    """A language model that looks along its own text: by the node, by its parts, or by the library's cell."""
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 4}, input="text")
    s.add("again", "RenameAxis", at=(1, 1), input="embedding")
    if way == "node":
        s.add("read", "Attention", at=(2, 0), params={"causal": causal}, query="embedding", keys="again")
    elif way == "parts":
        s.add("match", "Match", at=(2, 0), params={"causal": causal}, query="embedding", keys="again")
        s.add("soft", "Softmax", at=(3, 0), params={"axis": "time2"}, input="match")
        s.add("read", "WeightedSum", at=(4, 0), params={"causal": causal}, weights="soft", values="again")
    else:
        s.add("cell", "cell", at=(2, 0), params={"cell": "SelfAttention", "units": 4, "causal": causal}, x="embedding")
    s.add("readout", "Linear", at=(8, 0), params={"units": 5}, input="cell.h" if way == "cell" else "read")
    s.add("next", "TokenTarget", at=(8, 1))
    s.add("loss", "CrossEntropy", at=(9, 0), prediction="readout", target="next")
    cells = {"SelfAttention": standard().cells["SelfAttention"]} if way == "cell" else {}
    return Design(graph=s.graph(), data=TEXT, cells=frozen(cells), training=frozen({"carry": False}))


@pytest.mark.parametrize("way", ["node", "parts", "cell"])
def test_attention_to_one_s_own_text_leaks_when_it_looks_ahead(way: str) -> None:
    hints = ["DeadNode"] if way == "cell" else []
    assert codes(attending_to_itself(way, causal=True)) == hints
    assert codes(attending_to_itself(way, causal=False)) == [*hints, "TargetLeaks"]


def test_one_part_that_looks_ahead_is_enough() -> None:
    drawn = attending_to_itself("parts", causal=True)
    for part in ("match", "read"):
        changed = SetParam(part, "causal", False, MAIN).apply(drawn)
        assert codes(changed) == ["TargetLeaks"], part


def test_softmax_over_the_text_s_own_axis_leaks() -> None:
    assert codes(language_model(("Softmax", {"axis": "time"}))) == ["TargetLeaks"]
    assert codes(language_model(("LogSoftmax", {"axis": "time"}))) == ["TargetLeaks"]
    assert codes(language_model(("Softmax", {}))) == []


def autoencoder(*, beside: bool = False, axis: str = "time", attention: bool = False) -> Design:
    """A GRU reads a sequence, another one writes it again from its last state. beside: the decoder reads it, too."""
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"field": "x", "size": 3, "axis": axis})
    s.add("encoder", "cell", at=(1, 0), params={"cell": "GRU", "units": 2}, x="x")
    s.add("code", "Last", at=(2, 0), input="encoder.h")
    s.add("again", "FeatureTarget", at=(0, 1), params={"field": "x", "size": 3})
    s.add("back", "Feedback", at=(1, 1), prediction="readout", target="again")
    s.add("read", "Concat", at=(2, 1), a="back", b="x" if beside else "code")
    s.add("decoder", "cell", at=(3, 1), params={"cell": "GRU", "units": 2}, x="read", h0="code")
    last = "decoder.h"
    if attention:
        s.add("looked", "Attention", at=(4, 0), query="decoder.h", keys="encoder.h")
        last = s.add("both", "Concat", at=(5, 0), a="decoder.h", b="looked")
    s.add("readout", "Linear", at=(6, 1), params={"units": 3}, input=last)
    s.add("loss", "MeanSquaredError", at=(7, 1), prediction="readout", target="again")
    return Design(graph=s.graph(), cells=frozen({"GRU": standard().cells["GRU"]}))


@pytest.mark.parametrize("axis", ["time", "source"])
def test_an_autoencoder_is_not_called_a_leak(axis: str) -> None:
    (hint,) = check(autoencoder(axis=axis), standard()).diagnostics
    assert (hint.code, hint.severity) == ("ReadsItsTarget", "hint")
    assert "x → encoder → code" in hint.message
    assert "right in an autoencoder" in hint.message


def test_a_decoder_that_attends_to_what_it_writes_again_is_an_autoencoder_too() -> None:
    assert codes(autoencoder(axis="source", attention=True)) == ["ReadsItsTarget"]


def test_what_an_autoencoder_reads_step_by_step_beside_its_code_is_a_leak() -> None:
    (warning,) = check(autoencoder(beside=True), standard()).diagnostics
    assert (warning.code, warning.severity) == ("TargetLeaks", "warning")
    assert "by x → read → decoder → readout" in warning.message
    assert "use Feedback or a Delay; ignore this in an autoencoder" in warning.message


def test_a_language_model_that_reads_the_mean_of_its_whole_text_is_told() -> None:
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 4}, input="text")
    s.add("mean", "Mean", at=(2, 1), input="embedding")
    s.add("both", "Concat", at=(3, 0), a="embedding", b="mean")
    s.add("readout", "Linear", at=(4, 0), params={"units": 5}, input="both")
    s.add("next", "TokenTarget", at=(4, 1))
    s.add("loss", "CrossEntropy", at=(5, 0), prediction="readout", target="next")
    (hint,) = check(Design(graph=s.graph(), data=TEXT), standard()).diagnostics
    assert hint.code == "ReadsItsTarget"
    assert "text → embedding → mean" in hint.message
    assert "not where what comes next" in hint.message
