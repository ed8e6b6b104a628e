"""Fine-tuning: a new run begins with the weights of another, bit for bit where they fit, each row with its word."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import rnnstudio
from rnnstudio import data
from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler.flatten import flatten
from rnnstudio.compiler.numbering import Side, sides_of
from rnnstudio.data.vocabulary import UNKNOWN
from rnnstudio.design.design import Design, Var
from rnnstudio.design.errors import StudioError
from rnnstudio.training import checkpoints
from rnnstudio.training import events as ev
from rnnstudio.training.runs import Run
from rnnstudio.training.settings import settings_from
from rnnstudio.training.trainer import Trainer
from rnnstudio.training.warm_start import WarmStart, transfer, weights_of
from tests.headless import field_drawings as draw

CATS = "the cat sat on the mat and the dog sat on the log. " * 40
FOXES = "the zebra sat on the mat, and the fox sat on a box! " * 40


def speller(file: Path, *, cell: str = "GRU", units: int = 6, **options: Any) -> Design:
    design = rnnstudio.new("speller")
    design.read(data.guess(file), **options)
    text, following = design.add("TokenInput", "text"), design.add("TokenTarget", "next")
    design.add("Embedding", "embedding", units=4, input=text)
    design.add(cell, "memory", units=units, x="embedding")
    design.add("Linear", "readout", units=Var("next_size"), input="memory")
    design.add("CrossEntropy", "loss", prediction="readout", target=following)
    return design.design


def forecaster(file: Path, units: int = 5, **options: Any) -> Design:
    design = rnnstudio.new("forecaster")
    design.read(data.guess(file), **options)
    design.add("FeatureInput", "x")
    design.add("RNN", "memory", units=units, x="x")
    design.add("Linear", "said", units=Var("targets_size"), input="memory")
    design.add("FeatureTarget", "truth")
    design.add("MeanSquaredError", "loss", prediction="said", target="truth")
    return design.design


def ran(design: Design, folder: Path, warm: WarmStart | None = None, **values: Any) -> Trainer:
    """A trainer whose training is over."""
    trainer = begun(design, folder, warm, **values)
    assert isinstance(list(trainer.events())[-1], ev.Finished)
    return trainer


def begun(design: Design, folder: Path, warm: WarmStart | None = None, **values: Any) -> Trainer:
    assert design.data is not None
    inherited = warm.inherited() if warm is not None else None
    dataset = data.open(design.data, folder.parent, inherited=inherited)
    settings = settings_from({"steps": 6, "batch_size": 4, "chunk": 20, "sample_length": 0, "threads": 1, **values})
    return Trainer(design, dataset, settings, folder, base_folder=folder.parent, warm=warm)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def saved(run: Path, which: Any = "best") -> dict[str, Tensor]:
    return checkpoints.load(Run.open(run).checkpoint(which)).weights


def equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and bool((one == other).all())


def test_on_the_same_data_it_goes_on_at_the_same_validation_loss(tmp_path: Path) -> None:
    design = speller(written(tmp_path, "a.txt", CATS))
    ran(design, tmp_path / "one")
    best = Run.open(tmp_path / "one").best()
    assert best is not None
    trainer = begun(design, tmp_path / "two", WarmStart(str(tmp_path / "one")))
    assert trainer.transfer is not None
    assert trainer.transfer.summary() == "13 of 13 weights kept"
    assert all(equal(trainer.network.weights[name], weight) for name, weight in saved(tmp_path / "one").items())
    first = next(event for event in trainer.events() if isinstance(event, ev.Validated))
    assert (first.step, first.loss, first.accuracy) == (0, best.loss, best.accuracy)


def test_rows_move_with_their_words_and_new_words_begin_as_initialised(tmp_path: Path) -> None:
    first = ran(speller(written(tmp_path, "a.txt", CATS)), tmp_path / "one")
    design = speller(written(tmp_path, "b.txt", FOXES))
    fresh = {name: w.clone() for name, w in begun(design, tmp_path / "fresh").network.weights.items()}
    trainer = begun(design, tmp_path / "two", WarmStart(str(tmp_path / "one"), words="drop"))
    assert trainer.transfer is not None
    old, new = saved(tmp_path / "one"), trainer.network.weights
    before, now = (one.dataset.recipe.field("text").vocabulary for one in (first, trainer))
    assert before != now
    for name in ("embedding.weight", "readout.weight", "readout.bias"):
        for row, word in enumerate(now):
            if word in before:
                assert equal(new[name][row], old[name][before.index(word)]), (name, word)
            else:
                assert equal(new[name][row], fresh[name][row]), (name, word)
    others = [name for name in new if name.startswith("memory.")]
    assert all(equal(new[name], old[name]) for name in others)
    (told,) = trainer.transfer.words
    assert set(told.new) == set(now) - set(before) == set("z,fx!br") - set(before)
    assert set(told.dropped) == set(before) - set(now)
    assert {fate.path for fate in trainer.transfer.of("in part")} == {
        "embedding.weight",
        "readout.weight",
        "readout.bias",
    }


def test_words_that_no_longer_occur_are_kept_where_they_are(tmp_path: Path) -> None:
    first = ran(speller(written(tmp_path, "a.txt", CATS)), tmp_path / "one")
    design = speller(written(tmp_path, "b.txt", FOXES))
    trainer = begun(design, tmp_path / "two", WarmStart(str(tmp_path / "one")))
    before, now = (one.dataset.recipe.field("text").vocabulary for one in (first, trainer))
    assert now[: len(before)] == before
    old, new = saved(tmp_path / "one"), trainer.network.weights
    assert equal(new["embedding.weight"][: len(before)], old["embedding.weight"])
    assert equal(new["readout.bias"][: len(before)], old["readout.bias"])
    assert trainer.transfer is not None
    (told,) = trainer.transfer.words
    assert set(told.absent) == set(CATS) - set(FOXES)
    assert "of which do not occur here" in told.text()
    recipe = Run.open(tmp_path / "two").design().data
    assert recipe is not None
    assert recipe.field("next").vocabulary == now


def test_new_words_are_refused_where_that_is_asked_for(tmp_path: Path) -> None:
    ran(speller(written(tmp_path, "a.txt", CATS)), tmp_path / "one")
    warm = WarmStart(str(tmp_path / "one"), words="refuse")
    with pytest.raises(StudioError, match=r"does not know '!', ',', 'b', 'f', 'r' and 2 more of “text”"):
        begun(speller(written(tmp_path, "b.txt", FOXES)), tmp_path / "two", warm)
    same = begun(speller(written(tmp_path, "c.txt", CATS[::-1])), tmp_path / "three", warm)
    assert same.transfer is not None
    assert same.transfer.summary() == "13 of 13 weights kept"


def test_characters_are_no_words_of_one_letter(tmp_path: Path) -> None:
    ran(speller(written(tmp_path, "a.txt", "a I o a I a o. " * 60)), tmp_path / "one")
    design = speller(tmp_path / "a.txt", level="words")
    trainer = begun(design, tmp_path / "two", WarmStart(str(tmp_path / "one")))
    assert trainer.transfer is not None
    assert {fate.path for fate in trainer.transfer.of("new")} == {"embedding.weight", "readout.weight", "readout.bias"}
    assert "are not merged" in trainer.transfer.words[0].text()
    assert UNKNOWN in trainer.dataset.recipe.field("text").vocabulary
    with pytest.raises(StudioError, match="other pieces"):
        begun(design, tmp_path / "three", WarmStart(str(tmp_path / "one"), words="refuse"))


def test_a_tokeniser_that_was_learned_stays_the_runs(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="the extra bpe is not installed")
    options: dict[str, Any] = {"level": "byte-pair", "size": 280}
    first = ran(speller(written(tmp_path, "a.txt", CATS), **options), tmp_path / "one")
    design = speller(written(tmp_path, "b.txt", FOXES), **options)
    trainer = begun(design, tmp_path / "two", WarmStart(str(tmp_path / "one")))
    merges = [one.dataset.recipe.options["merges"] for one in (first, trainer)]
    assert design.data is not None
    assert merges[0] == merges[1] != design.data.options["merges"]
    before, now = (one.dataset.recipe.field("text").vocabulary for one in (first, trainer))
    assert now[: len(before)] == before
    assert equal(
        trainer.network.weights["embedding.weight"][: len(before)], saved(tmp_path / "one")["embedding.weight"]
    )


def table(folder: Path, name: str, columns: Sequence[str], offset: float) -> Path:
    waves = np.sin(np.arange(200)[:, None] / np.arange(4, 4 + len(columns))) + offset
    rows = "".join(",".join(f"{value:.4f}" for value in row) + "\n" for row in waves)
    return written(folder, name, ",".join(columns) + "\n" + rows)


def test_columns_keep_the_runs_scaling_and_move_with_their_names(tmp_path: Path) -> None:
    one = forecaster(table(tmp_path, "a.csv", ["p", "q"], 5.0), inputs=["p", "q"], targets=["p", "q"])
    first = ran(one, tmp_path / "one")
    path = table(tmp_path, "b.csv", ["r", "q", "p"], 50.0)
    design = forecaster(path, inputs=["r", "q", "p"], targets=["r", "q", "p"])
    fresh = {name: w.clone() for name, w in begun(design, tmp_path / "fresh").network.weights.items()}
    trainer = begun(design, tmp_path / "two", WarmStart(str(tmp_path / "one")))
    old, new = saved(tmp_path / "one"), trainer.network.weights
    matrix = next(name for name in new if tuple(new[name].shape) == (5, 3))
    assert equal(new[matrix][:, [2, 1]], old[matrix])
    assert equal(new[matrix][:, 0], fresh[matrix][:, 0])
    assert equal(new["said.weight"][[2, 1]], old["said.weight"])
    assert equal(new["said.bias"][[2, 1]], old["said.bias"])
    was, now = (trained.dataset.recipe.field("inputs") for trained in (first, trainer))
    assert (now.mean[2], now.std[2]) == (was.mean[0], was.std[0])
    assert now.mean[0] == pytest.approx(50, abs=1)
    assert trainer.transfer is not None
    assert trainer.transfer.notes == (
        "Scaling of 'q', 'p' is the run's; --scaling data takes this data's",
        "Scaling of 'r' is this data's: the run has no such columns, or scaled them in another way",
    )
    own = begun(design, tmp_path / "three", WarmStart(str(tmp_path / "one"), scaling="data"))
    assert all(mean == pytest.approx(50, abs=1) for mean in own.dataset.recipe.field("inputs").mean)


def test_a_scaling_that_a_person_chose_is_not_the_runs(tmp_path: Path) -> None:
    path = table(tmp_path, "a.csv", ["p"], 5.0)
    ran(forecaster(path), tmp_path / "one")
    design = forecaster(path, scaling={"p": "none"})
    trainer = begun(design, tmp_path / "two", WarmStart(str(tmp_path / "one")))
    assert trainer.dataset.recipe.field("inputs").mean == (0.0,)


def test_another_series_takes_the_place_of_the_first_one(tmp_path: Path) -> None:
    ran(forecaster(table(tmp_path, "a.csv", ["p"], 5.0)), tmp_path / "one")
    design = forecaster(table(tmp_path, "b.csv", ["spots"], 50.0))
    trainer = begun(design, tmp_path / "two", WarmStart(str(tmp_path / "one")))
    assert trainer.transfer is not None
    assert not trainer.transfer.of("new")
    assert trainer.dataset.recipe.field("inputs").mean[0] == pytest.approx(50, abs=1)


def test_after_an_edit_weights_stay_by_path_and_shape(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", CATS)
    ran(speller(path), tmp_path / "one")
    old = saved(tmp_path / "one")
    edited = begun(speller(path, cell="LSTM", units=9), tmp_path / "two", WarmStart(str(tmp_path / "one")))
    found = edited.transfer
    assert found is not None
    assert {fate.path for fate in found.of("kept")} == {"embedding.weight", "readout.bias"}
    assert "readout.weight" in {fate.path for fate in found.of("new")}
    assert {fate.path for fate in found.of("dropped")} == {n for n in old if n.startswith("memory")} - {
        fate.path for fate in found.fates if fate.how != "dropped"
    }
    assert found.summary().startswith("2 of ")
    assert any(line.strip().startswith("dropped  memory.") for line in found.lines())
    wider = begun(speller(path, units=9), tmp_path / "three", WarmStart(str(tmp_path / "one"), widened=True))
    assert wider.transfer is not None
    assert not wider.transfer.of("new")
    for name, weight in old.items():
        now = wider.network.weights[name]
        assert equal(now[tuple(slice(size) for size in weight.shape)], weight), name
    fresh = begun(speller(path, units=9), tmp_path / "four").network.weights
    assert equal(wider.network.weights["readout.weight"][:, 6:], fresh["readout.weight"][:, 6:])
    assert "readout.weight [" in "\n".join(wider.transfer.lines())


def test_nothing_that_fits_is_told(tmp_path: Path) -> None:
    ran(speller(written(tmp_path, "a.txt", CATS)), tmp_path / "one")
    with pytest.raises(StudioError, match="No weight of the run one fits this design"):
        begun(forecaster(table(tmp_path, "t.csv", ["p"], 1.0)), tmp_path / "two", WarmStart(str(tmp_path / "one")))
    assert not (tmp_path / "two").exists()


def test_a_fine_tuned_run_goes_on_by_itself(tmp_path: Path) -> None:
    """It is a run like others: it notes where it came from, and resumes with its own words, bit for bit."""
    ran(speller(written(tmp_path, "a.txt", CATS)), tmp_path / "one")
    design = speller(written(tmp_path, "b.txt", FOXES))
    warm = WarmStart(str(tmp_path / "one"))
    whole = ran(design, tmp_path / "whole", warm, steps=10)
    ran(design, tmp_path / "two", warm, steps=5)
    run = Run.open(tmp_path / "two")
    assert run.info["warm_start"]["run"] == str((tmp_path / "one").resolve())
    recipe = run.design().data
    assert recipe is not None
    dataset = data.open(recipe, tmp_path, fit=False)
    settings = run.settings().model_copy(update={"steps": 10})
    resumed = Trainer(run.design(), dataset, settings, run.folder, resume=True, base_folder=tmp_path)
    assert isinstance(list(resumed.events())[-1], ev.Finished)
    assert all(equal(resumed.network.weights[name], w) for name, w in whole.network.weights.items())


def test_what_was_worse_than_the_beginning_is_not_the_best(tmp_path: Path) -> None:
    design = speller(written(tmp_path, "a.txt", CATS))
    ran(design, tmp_path / "one", steps=60)
    ran(design, tmp_path / "two", WarmStart(str(tmp_path / "one")), steps=3, learning_rate=5.0, clip_norm=0)
    assert all(equal(saved(tmp_path / "two")[name], w) for name, w in saved(tmp_path / "one").items())


def test_a_damaged_checkpoint_is_told_before_anything_begins(tmp_path: Path) -> None:
    design = speller(written(tmp_path, "a.txt", CATS))
    ran(design, tmp_path / "one")
    path = Run.open(tmp_path / "one").checkpoint("best")
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(StudioError, match="damaged"):
        begun(design, tmp_path / "two", WarmStart(str(tmp_path / "one")))
    assert not (tmp_path / "two").exists()


# Which sides go by the data


def sides(design: rnnstudio.Drawing) -> dict[str, dict[int, Side]]:
    return {path: dict(own) for path, own in sides_of(flatten(design.design, standard())).items()}


def test_embeddings_readouts_and_columns_go_by_their_fields(tmp_path: Path) -> None:
    tagging = sides(draw.both_ways(tmp_path))
    assert tagging["embedded.weight"] == {0: Side("text")}
    assert tagging["scores.weight"] == tagging["scores.bias"] == {0: Side("tags")}
    assert set(tagging) == {"embedded.weight", "scores.weight", "scores.bias"}
    taps = sides(draw.taps(tmp_path))
    assert taps["said.weight"][0] == Side("targets")
    translator = sides(draw.encoder_decoder(tmp_path))
    assert translator["read.weight"] == {0: Side("source")}
    assert translator["written.weight"] == {0: Side("target")}


def test_the_blank_of_ctc_stays_the_blank(tmp_path: Path) -> None:
    design = draw.unaligned(tmp_path)
    found = sides(design)
    (readout,) = (own[0] for path, own in found.items() if 0 in own and own[0].extra and path.endswith("weight"))
    assert readout.extra == 1
    ran(design.design, tmp_path / "one")
    trainer = begun(design.design, tmp_path / "two", WarmStart(str(tmp_path / "one")))
    assert trainer.transfer is not None
    assert not trainer.transfer.of("new") + trainer.transfer.of("in part")
    recipe = trainer.dataset.recipe
    field = next(spec for spec in recipe.fields if spec.name == readout.field)
    turned = dataclasses.replace(field, vocabulary=field.vocabulary[::-1], counts=field.counts[::-1])
    fields = tuple(turned if spec.name == field.name else spec for spec in recipe.fields)
    again = trainer.design.replace(data=recipe.replace(fields=fields))
    fates = {fate.path: fate for fate in transfer(WarmStart(str(tmp_path / "one")), again, standard()).fates}
    path = next(path for path, own in found.items() if own.get(0) == readout and path.endswith("weight"))
    labels = list(range(field.size))[::-1]
    assert fates[path].how == "kept"
    places = fates[path].places[0]
    assert places is not None
    assert list(places) == ([0, *(place + 1 for place in labels)] if readout.first else [*labels, field.size])


def test_weights_are_listed_without_reading_them(tmp_path: Path) -> None:
    ran(speller(written(tmp_path, "a.txt", CATS)), tmp_path / "one")
    shapes, step = weights_of(Run.open(tmp_path / "one").checkpoint("last"))
    assert step == 6
    assert shapes == {name: tuple(w.shape) for name, w in saved(tmp_path / "one", "last").items()}
    assert torch.is_tensor(saved(tmp_path / "one")["readout.bias"])
