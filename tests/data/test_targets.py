"""What a target may be: never an input of what it labels, and 0 … 1 as in the file where a loss means probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import rnnstudio
from rnnstudio import data
from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler.check import check
from rnnstudio.compiler.units import unscaled
from rnnstudio.data.examples import Examples, numbers
from rnnstudio.data.files import FileFacts
from rnnstudio.data.making import dataset_of
from rnnstudio.data.problems import Problems
from rnnstudio.design.edits import SetData
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.design.storage import dumps, loads
from rnnstudio.training import events as ev
from rnnstudio.training.runs import Run
from rnnstudio.training.settings import settings_from
from rnnstudio.training.trainer import Trainer

HERE = Path(__file__).parent
EVENTS = HERE / "rare-event.csv"
LABELS = HERE / "label-at-the-end.csv"
OF_EVENTS = {"targets": ["fault"], "inputs": ["alarm"], "horizon": 0, "window": 100}


def classifier(loss: str = "BinaryCrossEntropy") -> rnnstudio.Drawing:
    design = rnnstudio.new("classifier")
    x = design.add("FeatureInput", "x")
    design.add("Linear", "score", units=1, input=x)
    y = design.add("FeatureTarget", "y")
    design.add(loss, "loss", prediction="score", target=y)
    return design


def codes(design: rnnstudio.Drawing) -> list[str]:
    return [d.code for d in design.check() if d.severity == "error"]


def trained(design: rnnstudio.Drawing, dataset: data.Dataset, folder: Path, **settings: object) -> Trainer:
    trainer = Trainer(design.design, dataset, settings_from(settings), folder)
    assert isinstance(list(trainer.events())[-1], ev.Finished)
    return trainer


# Losses of probabilities


def test_a_rare_event_gets_the_probability_it_has_in_the_file(tmp_path: Path) -> None:
    design = classifier()
    dataset = design.read(EVENTS, **OF_EVENTS)
    settings = {"epochs": 60, "batch_size": 4, "chunk": 100, "learning_rate": 0.05, "seed": 3}
    trainer = trained(design, dataset, tmp_path / "run", **settings)
    spec = trainer.dataset.recipe.field("targets")
    assert (spec.mean, spec.std, spec.low, spec.high) == ((0.0,), (1.0,), (0.0,), (1.0,))
    assert set(np.unique(trainer.dataset.tracks["targets"].values)) == {0.0, 1.0}
    inputs = trainer.dataset.scale("inputs", np.array([[1.0], [0.0]]))
    with torch.no_grad():
        scores = trainer.network({"inputs": torch.from_numpy(inputs)[None]}).outputs["loss"]
    alarm, quiet = torch.sigmoid(scores[0, :, 0]).tolist()
    table = np.genfromtxt(EVENTS, delimiter=",", names=True)
    assert alarm == pytest.approx(table["fault"][table["alarm"] == 1].mean(), abs=0.04)
    assert quiet == pytest.approx(table["fault"][table["alarm"] == 0].mean(), abs=0.015)
    losses = [event.loss for event in Run.open(trainer.run.folder).events() if isinstance(event, ev.Validated)]
    assert min(losses) > 0


@pytest.mark.parametrize("order", ["the data first", "the loss first"])
def test_what_a_binary_loss_predicts_stays_as_in_the_file_whatever_came_first(order: str) -> None:
    design = rnnstudio.new() if order == "the data first" else classifier()
    dataset = design.read(EVENTS, **OF_EVENTS)
    if order == "the data first":
        assert dataset.recipe.field("targets").std != (1.0,)
        x, y = design.add("FeatureInput", "x"), design.add("FeatureTarget", "y")
        design.add("Linear", "score", units=1, input=x)
        design.add("BinaryCrossEntropy", "loss", prediction="score", target=y)
    assert design.design.data is not None
    assert design.design.data.field("targets").std == (1.0,)
    assert design.design.data.field("inputs").std != (1.0,)
    assert codes(design) == []
    assert design.undo()
    assert design.design.data is None or design.design.data.field("targets").std != (1.0,)


def test_a_dataset_that_was_read_before_the_loss_was_drawn_is_bound_to_it_by_the_trainer(tmp_path: Path) -> None:
    read = rnnstudio.new().read(EVENTS, **OF_EVENTS)
    assert read.recipe.field("targets").is_scaled(0)
    trainer = trained(classifier(), read, tmp_path / "run", epochs=1)
    assert set(np.unique(trainer.dataset.tracks["targets"].values)) == {0.0, 1.0}
    assert not trainer.design.data.field("targets").is_scaled(0)


def test_a_design_file_with_a_scaled_binary_target_is_refused_with_a_fix() -> None:
    design = classifier()
    scaled = rnnstudio.new().read(EVENTS, **OF_EVENTS).recipe
    drawn = loads(dumps(SetData(scaled).apply(design.design)), "test")
    (problem,) = check(drawn, standard()).errors
    assert problem.code == "ScaledTarget"
    assert "“fault” is scaled" in problem.message
    assert problem.fix is not None
    assert problem.fix_title == "Leave “fault” as in the file"
    assert check(problem.fix.apply(drawn), standard()).errors == ()


def test_a_column_beyond_0_and_1_is_refused_for_a_binary_loss_with_a_fix() -> None:
    design = classifier()
    design.read(EVENTS, targets=["minute"], inputs=["alarm"], horizon=0)
    (problem,) = [d for d in design.check() if d.severity == "error"]
    assert problem.code == "TargetOutOfRange"
    assert "“minute” goes from 0 to" in problem.message
    assert problem.fix_title == "Make it a Mean squared error"
    assert problem.fix is not None
    assert check(problem.fix.apply(design.design), standard()).errors == ()


def test_the_loss_decides_for_each_feature_through_nodes_that_hand_values_on() -> None:
    design = rnnstudio.new()
    x, y = design.add("FeatureInput", "x"), design.add("FeatureTarget", "y")
    design.add("Linear", "score", units=1, input=x)
    design.add("Linear", "level", units=1, input=x)
    design.add("Reverse", "backward", input=y)
    design.add("Slice", "fault", start=1, stop=2, input="backward")
    design.add("Slice", "load", start=0, stop=1, input="backward")
    design.add("BinaryCrossEntropy", "probable", prediction="score", target="fault")
    design.add("MeanSquaredError", "near", prediction="level", target="load")
    design.read(EVENTS, targets=["load", "fault"], inputs=["alarm"], horizon=0)
    assert design.design.data is not None
    spec = design.design.data.field("targets")
    assert (spec.is_scaled(0), spec.is_scaled(1)) == (True, False)
    assert codes(design) == []


def test_what_is_computed_of_a_target_is_not_looked_through() -> None:
    design = rnnstudio.new()
    x, y = design.add("FeatureInput", "x"), design.add("FeatureTarget", "y")
    design.add("Linear", "score", units=1, input=x)
    design.add("Sigmoid", "between", input=y)
    design.add("BinaryCrossEntropy", "loss", prediction="score", target="between")
    design.read(EVENTS, **OF_EVENTS)
    assert unscaled(design.design, standard()) == {}
    assert codes(design) == []


def test_a_field_and_its_shift_are_one_column_and_have_one_unit(tmp_path: Path) -> None:
    design = classifier()
    dataset = design.read(EVENTS, targets=["fault"], inputs=["fault"], horizon=1)
    inputs, targets = dataset.fields
    assert targets.shift_of == "inputs"
    assert not inputs.is_scaled(0)
    assert not targets.is_scaled(0)
    assert dataset.tracks["inputs"].values is dataset.tracks["targets"].values
    assert set(np.unique(dataset.tracks["inputs"].values)) == {0.0, 1.0}


def test_labels_of_whole_sequences_stay_as_in_the_file(tmp_path: Path) -> None:
    rows = "".join(f"{n % 7},{n % 3},{n % 2}\n" for n in range(60))
    (tmp_path / "t.csv").write_text("a,b,ill\n" + rows)
    design = rnnstudio.new()
    x, y = design.add("FeatureInput", "x"), design.add("FeatureTarget", "y", axis="")
    design.add("GRU", "memory", units=3, x=x)
    design.add("Last", "end", input="memory")
    design.add("Linear", "score", units=1, input="end")
    design.add("BinaryCrossEntropy", "loss", prediction="score", target=y)
    dataset = design.read(tmp_path / "t.csv", mode="row_is_sequence", targets=["ill"])
    assert set(np.unique(dataset.statics["targets"])) == {0.0, 1.0}
    assert codes(design) == []


# A label is no input


def of_rows(**options: object) -> data.Dataset:
    return data.open(DataRecipe("csv", LABELS.name, {"mode": "row_is_sequence", **options}, (0.8, 0.1, 0.1)), HERE)


def test_the_label_of_a_row_is_not_its_last_step(tmp_path: Path) -> None:
    design = rnnstudio.new()
    x, y = design.add("FeatureInput", "x"), design.add("FeatureTarget", "y", axis="")
    design.add("GRU", "memory", units=8, x=x)
    design.add("Last", "end", input="memory")
    design.add("Linear", "guess", units=1, input="end")
    design.add("MeanSquaredError", "loss", prediction="guess", target=y)
    dataset = design.read(LABELS, mode="row_is_sequence", targets=["label"])
    assert dataset.recipe.options["inputs"] == ["t0", "t1", "t2", "t3", "t4", "t5"]
    assert dataset.sequences == len(LABELS.read_text().splitlines()) - 1
    assert set(np.diff(dataset.offsets)) == {6}
    trainer = trained(design, dataset, tmp_path / "run", epochs=5, seed=1)
    losses = [event.loss for event in Run.open(trainer.run.folder).events() if isinstance(event, ev.Validated)]
    assert min(losses) > 0.6  # noise: nothing can be learnt of it, in units of its own variance


def test_a_target_that_is_asked_for_as_an_input_of_its_own_sequence_is_refused() -> None:
    with pytest.raises(StudioError, match="the column 'label' is an input and the target of the same sequence") as told:
        of_rows(inputs=["t0", "t1", "label"], targets=["label"])
    assert "Take 'label' out of inputs" in told.value.remedy
    with pytest.raises(StudioError, match="'t1' is an input and the target"):
        of_rows(inputs=["t0", "t1"], targets=["label", "t1"])


def test_several_targets_of_a_row_are_no_steps_of_it() -> None:
    dataset = of_rows(targets=["t5", "label"])
    assert dataset.recipe.options["inputs"] == ["t0", "t1", "t2", "t3", "t4"]
    assert dataset.statics["targets"].shape[1] == 2


def test_at_the_same_step_the_targets_are_no_inputs_either() -> None:
    recipe = DataRecipe("csv", EVENTS.name, {"horizon": 0, "targets": ["fault", "load"], "order": "minute"})
    dataset = data.open(recipe, HERE)
    assert dataset.recipe.field("inputs").columns == ("alarm",)
    with pytest.raises(StudioError, match="'fault' is an input and, at horizon 0, its own target"):
        data.open(recipe.replace(options={**recipe.options, "inputs": ["alarm", "fault"]}), HERE)
    later = data.open(recipe.replace(options={**recipe.options, "horizon": 1}), HERE)
    assert later.recipe.field("inputs").columns == ("alarm", "load", "fault")


def test_numbers_of_any_reader_at_the_same_step_are_held_to_the_same() -> None:
    steps = np.arange(40.0).reshape(20, 2)
    found = Examples((numbers("inputs", [steps], ("a", "b")), numbers("targets", [steps[:, 1:]], ("b",))))
    with pytest.raises(StudioError, match="'b' is an input and, at horizon 0, its own target"):
        dataset_of(DataRecipe("mine", "t.bin"), found, FileFacts(0, "", 0, 0), Problems("t.bin"), True)


@pytest.mark.parametrize(
    ("chosen", "inputs", "targets"),
    [
        ({"mode": "row_is_sequence", "targets": ["label"]}, ["t0", "t1", "t2", "t3", "t4", "t5"], ["label"]),
        ({"mode": "row_is_sequence"}, ["t0", "t1", "t2", "t3", "t4", "t5", "label"], []),
        ({"horizon": 0, "targets": ["label"]}, ["t0", "t1", "t2", "t3", "t4", "t5"], ["label"]),
        ({"targets": ["label"]}, ["t0", "t1", "t2", "t3", "t4", "t5", "label"], ["label"]),
        ({"targets": "label", "order": "t0"}, ["t1", "t2", "t3", "t4", "t5", "label"], "label"),
        ({"group": "t0"}, ["t1", "t2", "t3", "t4", "t5", "label"], ["t1", "t2", "t3", "t4", "t5", "label"]),
    ],
)
def test_a_chosen_role_takes_a_column_out_of_the_roles_that_were_proposed(
    chosen: dict[str, object], inputs: list[str], targets: object
) -> None:
    guessed = data.guess(LABELS)
    names = ["t0", "t1", "t2", "t3", "t4", "t5", "label"]
    all_of_them = {**guessed.options, "mode": "row_is_step", "inputs": names, "targets": names}
    recipe = data.choose(guessed.replace(options=all_of_them), chosen)
    assert recipe.options["inputs"] == inputs
    assert recipe.options["targets"] == targets
