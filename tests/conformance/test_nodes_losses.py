"""The losses against torch's own, padding left out; and what counts as accuracy."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check
from rnnstudio.design.design import Design
from rnnstudio.runtime import Network
from tests.conformance.catalogue import design, inputs, network, own_part
from tests.conformance.running import (
    Tensors,
    answer,
    answer_of_source,
    assert_same_answers,
    batch_of,
    printed,
    program_of,
    ragged,
)

SMALL = {"rtol": 1e-9, "atol": 1e-9}
TOKENS = 5
WEIGHTS = (0.5, 2.0, 1.0, 0.0, 3.0)


def classified(axis: str = "time", **params: Any) -> Design:
    s = Sketch()
    inputs(s, x=axis)
    s.add("scores", "Linear", at=(1, 0), params={"units": TOKENS}, input="x")
    s.add("label", "TokenTarget", at=(1, 1), params={"field": "label", "axis": axis, "size": TOKENS})
    s.add("loss", "CrossEntropy", at=(2, 0), params=params, prediction="scores", target="label")
    return design(s)


def regressed(kind: str, **params: Any) -> Design:
    s = Sketch()
    inputs(s, x="time")
    s.add("made", "Linear", at=(1, 0), params={"units": 3}, input="x")
    s.add("truth", "FeatureTarget", at=(1, 1), params={"field": "truth", "axis": "time", "size": 3})
    wires = {"prediction": "made", "target": "truth"}
    outputs = {}
    if kind == "GaussianLikelihood":
        s.add("spread", "Linear", at=(1, 2), params={"units": 3}, input="x")
        wires["log_variance"] = "spread"
        outputs = {"mean": "made", "log_variance": "spread"}
    s.add("loss", kind, at=(2, 0), params=params, **wires)
    return design(s, **outputs)


def aligned_by_ctc(blank: str, **params: Any) -> Design:
    s = Sketch()
    inputs(s, x="frames")
    s.add("scores", "Linear", at=(1, 0), params={"units": TOKENS + 1}, input="x")
    s.add("labels", "TokenTarget", at=(1, 1), params={"field": "labels", "axis": "source", "size": TOKENS})
    s.add("loss", "Ctc", at=(2, 0), params={"blank": blank, **params}, prediction="scores", target="labels")
    return design(s)


def made_of(drawing: Design) -> tuple[Network, Tensors]:
    program = program_of(drawing)
    return network(program), batch_of(program)


def assert_loss(made: Network, fields: Tensors, lengths: Tensors | None, wanted: Tensor) -> None:
    found = made.losses(fields, lengths).total
    torch.testing.assert_close(found.reshape(()), wanted, **SMALL)
    weights = list(made.parameters())
    for one, other in zip(torch.autograd.grad(found, weights), torch.autograd.grad(wanted, weights), strict=True):
        torch.testing.assert_close(one, other, **SMALL)


def valid(fields: Tensors, lengths: Tensors | None) -> Tensor:
    own = torch.full((3,), 6) if lengths is None else lengths["time"]
    return torch.arange(6)[None] < own[:, None]


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("weights", [(), WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_with_class_weights_and_smoothing(
    padded: bool, weights: tuple[float, ...], smoothing: float
) -> None:
    made, fields = made_of(classified(class_weights=weights, smoothing=smoothing))
    lengths = ragged(made.program) if padded else None
    own = valid(fields, lengths)
    scores = (fields["x"] @ made.weights["scores.weight"].T + made.weights["scores.bias"])[own]
    weight = torch.tensor(weights, dtype=torch.float64) if weights else None
    wanted = F.cross_entropy(scores, fields["label"][own], weight=weight, label_smoothing=smoothing)
    assert_loss(made, fields, lengths, wanted)


def test_cross_entropy_at_the_end_takes_one_label_an_example() -> None:
    made, fields = made_of(classified(axis="", class_weights=WEIGHTS))
    scores = fields["x"] @ made.weights["scores.weight"].T + made.weights["scores.bias"]
    wanted = F.cross_entropy(scores, fields["label"], weight=torch.tensor(WEIGHTS, dtype=torch.float64))
    assert_loss(made, fields, None, wanted)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("kind", ["BinaryCrossEntropy", "Huber", "GaussianLikelihood"])
def test_losses_of_features_equal_torch(kind: str, padded: bool) -> None:
    params = {"delta": 0.8} if kind == "Huber" else {}
    made, fields = made_of(regressed(kind, **params))
    if kind == "BinaryCrossEntropy":
        fields = {**fields, "truth": torch.sigmoid(fields["truth"])}
    lengths = ragged(made.program) if padded else None
    own = valid(fields, lengths)
    w = made.weights
    prediction = (fields["x"] @ w["made.weight"].T + w["made.bias"])[own]
    truth = fields["truth"][own]
    if kind == "BinaryCrossEntropy":
        wanted = F.binary_cross_entropy_with_logits(prediction, truth)
    elif kind == "Huber":
        wanted = F.huber_loss(prediction, truth, delta=0.8)
    else:
        variance = (fields["x"] @ w["spread.weight"].T + w["spread.bias"])[own].exp()
        wanted = F.gaussian_nll_loss(prediction, truth, variance, full=True, eps=1e-300)
    assert_loss(made, fields, lengths, wanted)


def _ctc_by_torch(made: Network, fields: Tensors, lengths: Tensors, blank: int) -> Tensor:
    scores = fields["x"] @ made.weights["scores.weight"].T + made.weights["scores.bias"]
    labels = fields["labels"] + (1 if blank == 0 else 0)
    return F.ctc_loss(
        F.log_softmax(scores, -1).transpose(0, 1),
        labels,
        lengths["frames"],
        lengths["source"],
        blank,
        zero_infinity=True,
    )


@pytest.mark.parametrize("blank", ["first", "last"])
def test_ctc_equals_torch_and_padding_does_not_count(blank: str) -> None:
    made, fields = made_of(aligned_by_ctc(blank))
    lengths = {"frames": torch.tensor([6, 4, 5]), "source": torch.tensor([2, 1, 2])}
    assert_loss(made, fields, lengths, _ctc_by_torch(made, fields, lengths, 0 if blank == "first" else TOKENS))
    whole = made.losses(fields, lengths).total
    alone = [made.losses(own_part(made.program, fields, lengths, i)).total for i in range(3)]
    torch.testing.assert_close(whole, torch.stack(alone).mean(0), rtol=1e-10, atol=1e-10)
    weights = list(made.parameters())
    gradients = zip(
        torch.autograd.grad(whole, weights), torch.autograd.grad(torch.stack(alone).mean(), weights), strict=True
    )
    for one, other in gradients:
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_ctc_of_too_few_frames_is_zero_or_infinite_as_chosen() -> None:
    lengths = {"frames": torch.tensor([1, 1, 1]), "source": torch.tensor([3, 3, 3])}
    for skip, wanted in ((True, 0.0), (False, math.inf)):
        made, fields = made_of(aligned_by_ctc("last", skip_impossible=skip))
        assert made.losses(fields, lengths).total.item() == wanted


def test_accuracy_is_counted_for_scores_of_classes_alone() -> None:
    made, fields = made_of(classified())
    lengths = ragged(made.program)
    best = (fields["x"] @ made.weights["scores.weight"].T + made.weights["scores.bias"]).argmax(-1)
    right = ((best == fields["label"]) & valid(fields, lengths)).sum()
    assert made.losses(fields, lengths).correct == right
    made, fields = made_of(aligned_by_ctc("last"))
    assert made.losses(fields, {"frames": torch.tensor([6, 6, 6]), "source": torch.tensor([1, 1, 1])}).correct is None


@pytest.mark.parametrize(
    "drawing",
    [
        classified(class_weights=WEIGHTS, smoothing=0.2),
        classified(axis=""),
        regressed("BinaryCrossEntropy"),
        regressed("Huber", delta=0.5),
        aligned_by_ctc("first"),
        aligned_by_ctc("last"),
    ],
    ids=["weighted", "at the end", "binary", "huber", "ctc first", "ctc last"],
)
def test_the_printed_loss_equals_the_networks(drawing: Design) -> None:
    assert check(drawing, standard()).diagnostics == ()
    made, fields = made_of(drawing)
    for lengths in (None, {**ragged(made.program)} if made.program.axes else None):
        wanted = answer(made, fields, lengths)
        found = answer_of_source(made.program, made.weights, fields, lengths)
        assert_same_answers(made.program, found, wanted, lengths)


def test_the_printed_gaussian_loss_takes_mean_and_variance_where_both_are_outputs() -> None:
    drawing = regressed("GaussianLikelihood")
    assert check(drawing, standard()).diagnostics == ()
    made, fields = made_of(drawing)
    lengths = ragged(made.program)
    model = printed(made.program, made.weights)
    (mean, spread), _ = model(fields["x"], lengths=lengths)
    found = model.loss(mean, spread, fields["truth"], lengths=lengths)
    torch.testing.assert_close(found.reshape(()), made.losses(fields, lengths).total.reshape(()), **SMALL)
