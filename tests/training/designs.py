"""Small designs and real little files that the tests of training share."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.data import open_dataset
from rnnstudio.data.dataset import Dataset
from rnnstudio.design.design import Design
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.training.events import Event, StepDone
from rnnstudio.training.settings import TrainingSettings, settings_from
from rnnstudio.training.trainer import Trainer
from tests.training.series import design_of

SENTENCE = "the sea sees the sun and the sun sets in the sea; a ship sails on, and on it goes at dawn"


def text_file(folder: Path, characters: int = 6000) -> Path:
    """English-looking text with structure that a small network can learn."""
    pick = random.Random(1)
    words = SENTENCE.split()
    lines, length = [], 0
    while length < characters:
        line = " ".join(pick.choice(words) for _ in range(8)) + "\n"
        lines.append(line)
        length += len(line)
    path = folder / "sea.txt"
    path.write_text("".join(lines)[:characters], encoding="utf-8")
    return path


def language_model(path: Path, hidden: int = 16, dropout: float = 0.0) -> Design:
    """Characters → embedding → LSTM → dropout → scores of the next character."""
    recipe = open_dataset(DataRecipe("text", path.name, split=(0.8, 0.1, 0.1)), path.parent).recipe
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0), params={"field": "text"})
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 8}, input="text")
    s.add("lstm", "cell", at=(2, 0), params={"cell": "LSTM", "units": hidden}, x="embedding")
    s.add("dropout", "Dropout", at=(3, 0), params={"rate": dropout}, input="lstm.h")
    s.add("readout", "Linear", at=(4, 0), params={"units": recipe.field("text").size}, input="dropout")
    s.add("next", "TokenTarget", at=(4, 1), params={"field": "next"})
    s.add("loss", "CrossEntropy", at=(5, 0), prediction="readout", target="next")
    return design_of("language", s, recipe, "LSTM")


def forecaster(path: Path, hidden: int = 8, squash: str = "Tanh", k: int = 1) -> Design:
    """Numbers → RNN → the next number. With squash="Relu" it diverges at a large learning rate; k=-1 runs backward."""
    recipe = DataRecipe("csv", path.name, options={"order": "year"}, split=(0.7, 0.15, 0.15))
    recipe = open_dataset(recipe, path.parent).recipe
    s = Sketch()
    s.add("inputs", "FeatureInput", at=(0, 0))
    s.add("hidden", "Linear", at=(1, 0), params={"units": hidden, "terms": 2}, input="inputs", input2="before")
    s.add("state", squash, at=(2, 0), input="hidden")
    s.add("before", "Delay", at=(1, 1), params={"axis": "time", "width": hidden, "k": k}, input="state")
    s.add("readout", "Linear", at=(3, 0), params={"units": 1}, input="state")
    s.add("targets", "FeatureTarget", at=(3, 1))
    s.add("loss", "MeanSquaredError", at=(4, 0), prediction="readout", target="targets")
    return design_of("forecast", s, recipe)


def self_fed(path: Path, hidden: int = 8) -> Design:
    """The next number from those before it, by a Feedback alone."""
    recipe = open_dataset(DataRecipe("csv", path.name, options={"order": "year"}, split=(0.7, 0.15, 0.15)), path.parent)
    s = Sketch()
    s.add("targets", "FeatureTarget", at=(0, 1))
    s.add("feedback", "Feedback", at=(1, 1), prediction="readout", target="targets")
    s.add("hidden", "Linear", at=(2, 0), params={"units": hidden, "terms": 2}, input="feedback", input2="before")
    s.add("state", "Tanh", at=(3, 0), input="hidden")
    s.add("before", "Delay", at=(2, 1), params={"axis": "time", "width": hidden}, input="state")
    s.add("readout", "Linear", at=(4, 0), params={"units": 1}, input="state")
    s.add("loss", "MeanSquaredError", at=(5, 0), prediction="readout", target="targets")
    return design_of("self fed", s, recipe.recipe)


def copier(path: Path, hidden: int = 24) -> Design:
    """An encoder reads a stretch of characters, a decoder writes it down again, fed with what it wrote."""
    recipe = open_dataset(DataRecipe("text", path.name, split=(0.8, 0.1, 0.1)), path.parent).recipe
    s = Sketch()
    s.add("source", "TokenInput", at=(0, 0), params={"field": "text", "axis": "source"})
    s.add("read", "Embedding", at=(1, 0), params={"units": 8}, input="source")
    s.add("encoder", "cell", at=(2, 0), params={"cell": "GRU", "units": hidden}, x="read")
    s.add("thought", "Last", at=(3, 0), input="encoder.h")
    s.add("target", "TokenTarget", at=(0, 2), params={"field": "text", "axis": "target"})
    s.add("feedback", "Feedback", at=(1, 2), prediction="readout", target="target")
    s.add("embedding", "Embedding", at=(2, 2), params={"units": 8}, input="feedback")
    s.add("decoder", "cell", at=(4, 1), params={"cell": "GRU", "units": hidden}, x="embedding", h0="thought")
    s.add("readout", "Linear", at=(5, 1), params={"units": recipe.field("text").size}, input="decoder.h")
    s.add("loss", "CrossEntropy", at=(6, 1), prediction="readout", target="target")
    return design_of("copier", s, recipe, "GRU")


def data_of(design: Design, folder: Path) -> Dataset:
    assert design.data is not None
    return open_dataset(design.data, folder)


def settings(**changes: Any) -> TrainingSettings:
    """Quick ones: 20 steps, small batches, one thread, no looks inside."""
    quick: dict[str, Any] = {
        "steps": 20,
        "batch_size": 4,
        "chunk": 20,
        "learning_rate": 0.01,
        "threads": 1,
        "device": "cpu",
        "sample_length": 20,
        "probe_seconds": 0,
    }
    return settings_from(quick, **changes)


def trainer(design: Design, folder: Path, run: str = "run", resume: bool = False, **changes: Any) -> Trainer:
    """A trainer of a design whose data lies in `folder`, with its run in `folder`/`run`."""
    return Trainer(
        design, data_of(design, folder), settings(**changes), folder / run, base_folder=folder, resume=resume
    )


def steps_of(events: list[Event]) -> list[StepDone]:
    return [event for event in events if isinstance(event, StepDone)]


def kinds_of(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]
