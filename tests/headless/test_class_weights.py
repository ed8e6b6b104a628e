"""Class weights from counts: asked for on the command line, said in words, and those of plain torch in the loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses

import rnnstudio
from rnnstudio import data
from rnnstudio.catalog.catalog import standard
from rnnstudio.cli import BAD_INPUT, main
from rnnstudio.compiler.class_weights import balanced, weighings
from rnnstudio.data.statistics import yes_or_no_of
from rnnstudio.design.design import Design
from rnnstudio.design.storage import load
from rnnstudio.training.runs import Run
from tests.conformance.running import answer, answer_of_source, assert_same_answers, network_of, program_of
from tests.data.test_dividing import patients

EVENTS = Path(__file__).parent.parent / "data" / "rare-event.csv"
QUICK = ("--steps", "3", "--set", "threads=1")


def drawn(file: Path, folder: Path) -> Path:
    assert main(["new", "--data", str(file), str(folder / "mine")]) == 0
    return folder / "mine.rnn"


def trained(design: Path, folder: Path, *sets: str) -> Design:
    assert (
        main(["train", str(design), "--run", str(folder / "run"), *QUICK, *(w for s in sets for w in ("--set", s))])
        == 0
    )
    return Run.open(folder / "run").design()


@pytest.mark.parametrize(
    ("counts", "weights"),
    [((50, 50), (1.0, 1.0)), ((90, 10), (0.5556, 5.0)), ((4, 0, 12), (2.0, 1.0, 0.6667)), ((), ())],
)
def test_all_classes_together_count_alike(counts: tuple[int, ...], weights: tuple[float, ...]) -> None:
    found = balanced(counts)
    assert found == weights
    parts = [count * weight for count, weight in zip(counts, found, strict=True) if count]
    assert all(part == pytest.approx(sum(counts) / len(parts), rel=1e-3) for part in parts)


def test_nothing_is_weighted_unless_asked_for(tmp_path: Path) -> None:
    design = trained(drawn(patients(tmp_path), tmp_path), tmp_path)
    assert "class_weights" not in design.graph.nodes["loss"].params


@pytest.mark.parametrize("name", ["class_weights", "loss.class_weights"])
def test_weights_come_from_the_counts_of_the_training_part(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    design = trained(drawn(patients(tmp_path), tmp_path), tmp_path, f"{name}=balanced")
    assert design.data is not None
    label = design.data.field("label")
    assert dict(zip(label.vocabulary, label.counts, strict=True)) == {"ill": 6, "well": 90}
    assert design.graph.nodes["loss"].params["class_weights"] == (8.0, 0.5333)
    assert "loss weighs classes: ill × 8, well × 0.533" in capsys.readouterr().err


def test_weights_can_be_typed_and_taken_out(tmp_path: Path) -> None:
    file = drawn(patients(tmp_path), tmp_path)
    assert trained(file, tmp_path, "loss.class_weights=2, 1").graph.nodes["loss"].params["class_weights"] == (2, 1)
    again = tmp_path / "again"
    again.mkdir()
    assert trained(file, again, "loss.class_weights=none").graph.nodes["loss"].params["class_weights"] == ()
    assert main(["train", str(file), *QUICK, "--set", "loss.class_weights=2,many"]) == BAD_INPUT


def test_of_yes_or_no_a_yes_counts_as_often_as_there_is_a_no_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    design = trained(drawn(EVENTS, tmp_path), tmp_path, "positive_weight=balanced")
    weight = design.graph.nodes["loss"].params["positive_weight"]
    assert design.data is not None
    no, yes = yes_or_no_of(data.open(design.data, fit=False))["targets"]
    assert weight == pytest.approx(no / yes, rel=1e-3)
    assert "loss weighs classes: yes × " in capsys.readouterr().err


def test_what_has_no_classes_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("v\n" + "".join(f"{n % 7 + n / 9}\n" for n in range(200)))
    file = drawn(tmp_path / "t.csv", tmp_path)
    assert main(["train", str(file), *QUICK, "--set", "class_weights=balanced"]) == BAD_INPUT
    assert "No loss has classes to be weighted" in capsys.readouterr().err
    assert main(["train", str(file), *QUICK, "--set", "scores.class_weights=balanced"]) == BAD_INPUT


def test_only_what_is_uneven_is_offered(tmp_path: Path) -> None:
    design = load(drawn(patients(tmp_path), tmp_path))
    (found,) = weighings(design, standard())
    assert (found.names, found.counts, found.now, found.uneven) == (("ill", "well"), (6, 90), (), True)
    assert found.told() == "loss counts all examples alike: well 93.8%, ill 6.2%"
    on = found.edit(on=True).apply(design)
    (again,) = weighings(on, standard())
    assert again.now == again.weights == (8.0, 0.5333)
    assert again.edit(on=False).apply(on).graph.nodes["loss"].params["class_weights"] == ()


def test_a_yes_is_weighted_as_torch_does() -> None:
    design = rnnstudio.new("yes")
    design.add("FeatureInput", "x", size=3)
    design.add("Linear", "score", units=2, input="x")
    design.add("FeatureTarget", "y", size=2)
    design.add("BinaryCrossEntropy", "loss", positive_weight=3.5, prediction="score", target="y")
    program = program_of(design.design)
    network = network_of(program)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn((3, 6, 3), generator=generator, dtype=torch.float64)
    fields = {"inputs": x, "targets": (torch.rand((3, 6, 2), generator=generator) < 0.5).double()}
    lengths = {"time": torch.tensor([4, 1, 6])}
    scores = next(iter(network(fields, lengths).outputs.values()))
    valid = torch.arange(6) < lengths["time"][:, None]
    wanted = F.binary_cross_entropy_with_logits(
        scores[valid], fields["targets"][valid], pos_weight=torch.tensor(3.5, dtype=torch.float64)
    )
    found = answer(network, fields, lengths)
    assert found.loss is not None
    assert torch.allclose(found.loss, wanted)
    assert_same_answers(program, found, answer_of_source(program, network.weights, fields, lengths), lengths)
