"""A trained run put to use again: its network with its weights, its score on a part of the data, text it writes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..catalog.catalog import Catalog
from ..compiler import Program, compile_design
from ..data import open_dataset
from ..data.dataset import Dataset
from ..data.split import Part
from ..data.whereabouts import MissingFileError, relinked
from ..design.design import Design
from ..design.errors import StudioError
from ..design.recipe import DataRecipe, FieldSpec
from ..loading import load_plugins
from ..runtime import Network
from ..runtime.generate import forecast
from ..runtime.stepper import plan
from . import checkpoints
from .machine import choose_device, set_precision, set_threads
from .runs import Run, Which
from .saved import step_of
from .showing import Writer
from .validation import evaluation_batches, validate


class Trained(NamedTuple):
    """design, program, network (in evaluation mode, on the CPU) and the recipe with vocabulary and scaling."""

    design: Design
    program: Program
    network: Network
    recipe: DataRecipe


def load_trained(
    run: Run | Path | str, which: Which = "best", catalog: Catalog | None = None, mode: str = "train"
) -> Trained:
    """The network as it was at the run's best (or last) checkpoint. Raises StudioError when something is missing.

    mode: what a Feedback gives; "free" for a network that is to live on its own output.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    found = checkpoints.load(run.checkpoint(which))
    design = run.design()
    if design.data is None:
        raise StudioError("The run's design has no data", where=str(run.folder))
    program = compile_design(design, catalog or load_plugins().catalog, mode)
    network = Network(program, run.settings().seed)
    network.load_weights(found.weights)
    network.eval()
    return Trained(design, program, network, design.data)


def forecast_on(run: Run, steps: int, which: Which = "best") -> tuple[FieldSpec, list[list[float]]]:
    """The field that is forecast, and what comes in the `steps` steps after the run's data, in the file's units.

    The last sequence of the data is read, then the network lives on its own predictions. Raises StudioError when it
    does not go on with what it reads.
    """
    trained = load_trained(run, which, mode="forced")
    how = plan(trained.program)
    dataset = open_data(run)
    target = next(item for item in trained.program.inputs if item.name == how.loss.target)
    field = dataset.recipe.field(how.fed.field if how.fed is not None else target.field)
    track = dataset.tracks[field.name]
    past = torch.from_numpy(track.values[int(dataset.offsets[-2]) + track.shift :])[None]
    values = forecast(trained.network, past, steps)[0].double().numpy()
    rows: list[list[float]] = dataset.unscale(field.name, values).tolist()
    return field, rows


def open_data(run: Run) -> Dataset:
    """The run's data as it was trained on: its vocabulary and scaling.

    A file that moved within the folder it was in, or that of the design, is found by its content. Raises StudioError
    when it is gone, or changed.
    """
    recipe = run.design().data
    if recipe is None:
        raise StudioError("The run's design has no data", where=str(run.folder))
    try:
        dataset = open_dataset(recipe, run.base_folder, fit=False)
    except MissingFileError as gone:
        if not gone.same:
            raise StudioError(
                gone.what, where=gone.where, remedy=f"Bring it back, there or to {run.base_folder}."
            ) from None
        # Whatever is read there is held against the run's own fingerprint of all bytes, below.
        dataset = open_dataset(relinked(recipe, gone.key, gone.same[0], run.base_folder), run.base_folder, fit=False)
    if recipe.digest and dataset.recipe.digest != recipe.digest:
        raise StudioError(
            "The data file is not the one this run was trained on",
            where=str(dataset.recipe.path),
            remedy="Bring back the old file.",
        )
    return dataset


def evaluate(
    run: Run | Path | str, split: Part = "validation", which: Which = "best", device: str = "cpu"
) -> dict[str, Any]:
    """The score on train, validation or test as plain values for `rnnstudio evaluate`.

    Keys: split, loss, perplexity, accuracy, places, step (of the checkpoint), seconds, run, checkpoint; where the loss
    is CTC also label_error_rate.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    settings = run.settings()
    set_threads(settings.threads, window=False)
    where = choose_device(device)
    set_precision(settings.precision)
    trained = load_trained(run, which)
    dataset = open_data(run)
    network = trained.network.to(where)
    start = time.perf_counter()
    batches = evaluation_batches(dataset, split, settings, trained.program)
    score = validate(network, batches, where)
    assert score is not None
    path = run.checkpoint(which)
    return {
        "split": split,
        "loss": score.loss,
        "perplexity": score.perplexity,
        "accuracy": score.accuracy,
        **({} if score.label_error_rate is None else {"label_error_rate": score.label_error_rate}),
        "places": score.places,
        "step": step_of(path),
        "seconds": time.perf_counter() - start,
        "run": str(run.folder),
        "checkpoint": path.stem,
    }


def generate_text(
    run: Run | Path | str, prompt: str, length: int, temperature: float = 0.8, seed: int = 0, which: Which = "best"
) -> str:
    """`length` tokens that follow `prompt`, as text. Raises StudioError when the model cannot write."""
    trained = load_trained(run, which)
    return Writer(trained.network, trained.recipe).write(prompt, length, temperature, seed)
