"""One validation loss of one model: torch's over the whole part at once, whatever batch and chunk it was read in."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.data import open_dataset
from rnnstudio.design.design import Design
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.runtime import Network
from rnnstudio.training.comparing import baselines
from rnnstudio.training.evaluate import evaluate
from rnnstudio.training.events import StepDone, Validated
from rnnstudio.training.validation import Score, evaluation_batches, validate
from tests.conformance.running import program_of
from tests.training.designs import data_of, language_model, settings, trainer
from tests.training.series import design_of

TWO_LETTERS = Path(__file__).parents[1] / "data" / "two-letters.txt"
WEIGHTS = (1.0, 8.0)

WAYS = [(1, 5), (1, 100), (3, 7), (4, 20), (16, 11)]
"""Batch size and chunk."""


def letters(folder: Path, losses: tuple[dict[str, Any], ...]) -> Design:
    """A letter → scores of the next one, without a memory: how a part is cut cannot change its predictions."""
    path = Path(shutil.copy(TWO_LETTERS, folder))
    recipe = open_dataset(DataRecipe("text", path.name, split=(0.6, 0.3, 0.1)), folder).recipe
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    s.add("scores", "Embedding", at=(1, 0), params={"units": recipe.field("text").size}, input="text")
    s.add("next", "TokenTarget", at=(1, 1))
    for number, params in enumerate(losses):
        s.add(f"loss{number}", "CrossEntropy", at=(2, number), params=params, prediction="scores", target="next")
    return design_of("letters", s, recipe)


def score_of(network: Network, design: Design, folder: Path, batch_size: int, chunk: int) -> Score:
    data = data_of(design, folder)
    batches = evaluation_batches(data, "validation", settings(batch_size=batch_size, chunk=chunk), network.program)
    found = validate(network, batches, torch.device("cpu"))
    assert found is not None
    return found


def whole_part(network: Network, design: Design, folder: Path) -> tuple[Tensor, Tensor]:
    """Scores and targets of every step of the validation part."""
    data = data_of(design, folder)
    text = torch.from_numpy(data.tracks["text"].values.astype("int64"))
    spans = data.split("validation").spans
    begin, end = int(spans.first[0]), int(spans.end[0])
    return network.weights["scores.weight"][text[begin:end]].detach(), text[begin + 1 : end + 1]


@pytest.mark.parametrize(
    "losses",
    [
        ({"class_weights": WEIGHTS},),
        ({"class_weights": (0.0, 1.0)},),
        ({"class_weights": WEIGHTS, "smoothing": 0.1},),
        ({"class_weights": WEIGHTS, "weight": 0.5}, {"weight": 2.0}),
    ],
    ids=["1 to 8", "0 to 1", "smoothed", "two losses"],
)
def test_a_weighted_loss_is_torchs_over_the_whole_part(losses: tuple[dict[str, Any], ...], tmp_path: Path) -> None:
    design = letters(tmp_path, losses)
    network = Network(program_of(design), seed=3)
    with torch.no_grad():
        network.weights["scores.weight"].copy_(torch.tensor([[1.0, -2.0], [-0.5, 0.7]]))
    scores, target = whole_part(network, design, tmp_path)
    wanted = 0.0
    for params in losses:
        weights = torch.tensor(params["class_weights"]) if "class_weights" in params else None
        one = F.cross_entropy(scores, target, weight=weights, label_smoothing=params.get("smoothing", 0.0))
        wanted += params.get("weight", 1.0) * float(one)
    for batch_size, chunk in WAYS:
        found = score_of(network, design, tmp_path, batch_size, chunk)
        assert found.loss == pytest.approx(wanted, rel=2e-6), (batch_size, chunk)
        assert found.places == len(target)
        assert found.perplexity is None, "e to a weighted mean is no perplexity of the text"
        if len(losses) == 1:
            assert found.accuracy == pytest.approx(float((scores.argmax(-1) == target).float().mean()))


@pytest.mark.parametrize("split", [(0.8, 0.1, 0.1), (0.4, 0.4, 0.2)], ids=["one stream", "several streams"])
def test_the_loss_of_a_model_with_a_memory_depends_on_neither_batch_nor_chunk(
    split: tuple[float, float, float], tmp_path: Path
) -> None:
    """The state remembers what was read before: how much of that there is must not come from the settings."""
    path = Path(shutil.copy(TWO_LETTERS, tmp_path))
    design = language_model(path, hidden=6)
    assert design.data is not None
    design = design.replace(data=design.data.replace(split=split))
    network = Network(program_of(design), seed=3)
    with torch.no_grad():
        for weight in network.weights.values():
            weight.mul_(3.0)  # a memory that lasts
    found = [score_of(network, design, tmp_path, batch_size, chunk) for batch_size, chunk in [*WAYS, (64, 3)]]
    assert len({score.places for score in found}) == 1
    for score in found[1:]:
        assert score.loss == pytest.approx(found[0].loss, rel=2e-6)


def test_a_plain_loss_has_its_perplexity_and_a_weighted_one_has_no_baselines(tmp_path: Path) -> None:
    design = letters(tmp_path, ({},))
    network = Network(program_of(design), seed=3)
    scores, target = whole_part(network, design, tmp_path)
    wanted = float(F.cross_entropy(scores, target))
    for batch_size, chunk in WAYS:
        found = score_of(network, design, tmp_path, batch_size, chunk)
        assert found.loss == pytest.approx(wanted, rel=2e-6)
        assert found.perplexity == pytest.approx(math.exp(wanted), rel=2e-6)
    data = data_of(design, tmp_path)
    assert set(baselines(data, network.program)) == {"unigram", "bigram", "trigram"}
    for params in ({"class_weights": WEIGHTS}, {"smoothing": 0.1}, {"weight": 2.0}):
        assert baselines(data, program_of(letters(tmp_path, (params,)))) == {}


def test_training_validation_and_evaluate_tell_the_same_numbers_as_torch(tmp_path: Path) -> None:
    """The first step's loss is torch's weighted mean of its batch; the best validation is the least of all."""
    design = letters(tmp_path, ({"class_weights": WEIGHTS},))
    one = trainer(design, tmp_path, steps=12, validate_every=3, batch_size=5, chunk=9)
    batch = one.batches.batch(0, 0)
    scores = one.network.weights["scores.weight"].detach().clone()[batch.fields["text"]]
    wanted = F.cross_entropy(scores.flatten(0, 1), batch.fields["next"].flatten(), weight=torch.tensor(WEIGHTS))
    events = list(one.events())
    first = next(event for event in events if isinstance(event, StepDone))
    assert first.loss == pytest.approx(float(wanted), rel=1e-6)
    told = [event.loss for event in events if isinstance(event, Validated)]
    scores, target = whole_part(one.network, design, tmp_path)
    last = F.cross_entropy(scores, target, weight=torch.tensor(WEIGHTS))
    assert told[-1] == pytest.approx(float(last), rel=2e-6)
    assert evaluate(tmp_path / "run", "validation")["loss"] == pytest.approx(min(told), rel=2e-6)


@pytest.mark.parametrize("kind", ["CrossEntropy", "MeanSquaredError", "GaussianLikelihood", "Ctc"])
@pytest.mark.parametrize("ragged", [False, True])
def test_every_loss_tells_what_its_mean_divides_by(kind: str, ragged: bool) -> None:
    """Batches put together by their counts are the whole: the same examples in one batch or in several."""
    design, fields, lengths = _compared(kind)
    own = lengths if ragged else {}
    network = Network(program_of(design)).double().eval()
    with torch.no_grad():
        whole = network.losses(fields, own)
        total = count = 0.0
        for rows in (slice(0, 1), slice(1, 4), slice(4, 6)):
            part = {name: x[rows] for name, x in fields.items()}
            losses = network.losses(part, {axis: n[rows] for axis, n in own.items()})
            total += float(losses.parts["loss"]) * float(losses.counts["loss"])
            count += float(losses.counts["loss"])
    assert total / count == pytest.approx(float(whole.total), rel=1e-12)
    assert count == pytest.approx(float(whole.counts["loss"]), rel=1e-12)


def _compared(kind: str) -> tuple[Design, dict[str, Tensor], dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(5)
    s = Sketch()
    s.add("inputs", "FeatureInput", at=(0, 0), params={"field": "inputs", "size": 3})
    lengths = {"time": torch.tensor([7, 3, 5, 6, 4, 7])}
    fields = {"inputs": torch.randn(6, 7, 3, generator=generator, dtype=torch.float64)}
    if kind == "CrossEntropy":
        s.add("scores", "Linear", at=(1, 0), params={"units": 3}, input="inputs")
        s.add("target", "TokenTarget", at=(1, 1), params={"field": "target", "size": 3})
        s.add("loss", kind, at=(2, 0), params={"class_weights": (1.0, 0.0, 5.0)}, prediction="scores", target="target")
        fields["target"] = torch.randint(3, (6, 7), generator=generator)
    elif kind == "Ctc":
        s.add("scores", "Linear", at=(1, 0), params={"units": 4}, input="inputs")
        s.add("target", "TokenTarget", at=(1, 1), params={"field": "target", "size": 3, "axis": "labels"})
        s.add("loss", kind, at=(2, 0), prediction="scores", target="target")
        fields["target"] = torch.randint(3, (6, 2), generator=generator)
        lengths["labels"] = torch.tensor([1, 2, 1, 2, 2, 1])
    else:
        s.add("mean", "Linear", at=(1, 0), params={"units": 2}, input="inputs")
        s.add("target", "FeatureTarget", at=(1, 1), params={"field": "target", "size": 2})
        more = {}
        if kind == "GaussianLikelihood":
            s.add("spread", "Linear", at=(1, 2), params={"units": 2}, input="inputs")
            more = {"log_variance": "spread"}
        s.add("loss", kind, at=(2, 0), prediction="mean", target="target", **more)
        fields["target"] = torch.randn(6, 7, 2, generator=generator, dtype=torch.float64)
    return Design(name=kind, graph=s.graph()), fields, lengths
