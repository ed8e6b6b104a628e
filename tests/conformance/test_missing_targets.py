"""Targets of which some values are missing: loss, gradients and scores are those of plain torch over what is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import check
from rnnstudio.design.design import Design
from rnnstudio.design.edits import SetParam
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from tests.conformance.running import (
    Tensors,
    answer,
    answer_of_source,
    assert_same_answers,
    gradients_of,
    network_of,
    printed,
    program_of,
)
from tests.conformance.test_nodes_losses import TOKENS, WEIGHTS, classified, regressed

SMALL = {"rtol": 1e-9, "atol": 1e-9}
LENGTHS = {"time": torch.tensor([4, 1, 6])}


def with_gaps(drawing: Design, *, missing: int = 5) -> Design:
    """The drawing with data whose target has gaps; the input is called as in the drawing."""
    fields = []
    for node in drawing.graph.nodes.values():
        if node.kind in ("FeatureInput", "FeatureTarget"):
            role = "target" if node.kind == "FeatureTarget" else "input"
            size = int(node.params.get("size", 0)) or 3
            gaps = missing if role == "target" else 0
            fields.append(FieldSpec(str(node.params["field"]), "real", size, role=role, missing=gaps))
        if node.kind == "TokenTarget":
            names = tuple("abcde"[:TOKENS])
            fields.append(
                FieldSpec(str(node.params["field"]), "tokens", TOKENS, vocabulary=names, role="target", missing=missing)
            )
    return drawing.replace(data=DataRecipe("csv", "t.csv", fields=tuple(fields)))


def batch(drawing: Design, gaps: bool = True) -> Tensors:
    generator = torch.Generator().manual_seed(5)
    assert drawing.data is not None
    found: Tensors = {}
    for spec in drawing.data.fields:
        if spec.content == "tokens":
            values = torch.randint(TOKENS, (3, 6), generator=generator)
            hide = torch.rand((3, 6), generator=generator) < 0.4
            found[spec.name] = values.masked_fill(hide, -1) if gaps else values
        else:
            real = torch.rand((3, 6, spec.size), generator=generator, dtype=torch.float64)
            hide = torch.rand(real.shape, generator=generator) < 0.4
            found[spec.name] = real.masked_fill(hide, torch.nan) if spec.role == "target" and gaps else real
    return found


def valid() -> Tensor:
    """[3, 6]: the steps of the examples of LENGTHS."""
    return torch.arange(6) < LENGTHS["time"][:, None]


Reference = Callable[[Tensor, Tensor], Tensor]

LOSSES: list[tuple[str, dict[str, float], Reference]] = [
    ("MeanSquaredError", {}, F.mse_loss),
    ("MeanAbsoluteError", {}, F.l1_loss),
    ("Huber", {"delta": 0.3}, lambda p, y: F.huber_loss(p, y, delta=0.3)),
    ("BinaryCrossEntropy", {}, F.binary_cross_entropy_with_logits),
]


@pytest.mark.parametrize(("kind", "params", "of"), LOSSES, ids=[kind for kind, _, _ in LOSSES])
@pytest.mark.parametrize("padded", [False, True])
def test_a_loss_of_numbers_is_torchs_over_what_is_known(
    kind: str, params: dict[str, float], of: Reference, padded: bool
) -> None:
    drawing = with_gaps(regressed(kind, **params))
    program = program_of(drawing)
    network = network_of(program)
    fields = batch(drawing)
    lengths = LENGTHS if padded else None
    losses = network.losses(fields, lengths)
    name = next(iter(program.outputs))
    prediction = network(fields, lengths).outputs[name]
    known = ~fields["truth"].isnan() & (valid()[..., None] if padded else torch.tensor(True))
    wanted = of(prediction[known], fields["truth"][known])
    assert torch.allclose(losses.total, wanted, **SMALL)
    found = gradients_of(network, losses.total)
    right = torch.autograd.grad(wanted, [network.weights[path] for path in found])
    assert all(torch.allclose(a, b, **SMALL) for a, b in zip(found.values(), right, strict=True))
    assert losses.places == int(known.any(-1).sum())
    if padded:  # in an evaluation the count is what the mean was divided by
        assert float(losses.counts["loss"]) == int(known.sum())


def test_a_likelihood_is_torchs_over_what_is_known() -> None:
    drawing = with_gaps(regressed("GaussianLikelihood"))
    program = program_of(drawing)
    network = network_of(program)
    fields = batch(drawing)
    outputs = network(fields).outputs
    known = ~fields["truth"].isnan()
    spread = outputs["log_variance"][known].exp()
    wanted = F.gaussian_nll_loss(outputs["mean"][known], fields["truth"][known], spread, full=True, eps=1e-12)
    assert torch.allclose(network.losses(fields).total, wanted, **SMALL)


@pytest.mark.parametrize("params", [{}, {"class_weights": WEIGHTS}, {"smoothing": 0.1}])
@pytest.mark.parametrize("padded", [False, True])
def test_a_loss_of_classes_is_torchs_over_what_is_known(params: dict[str, object], padded: bool) -> None:
    drawing = with_gaps(classified(**params))
    program = program_of(drawing)
    network = network_of(program)
    fields = batch(drawing)
    lengths = LENGTHS if padded else None
    losses = network.losses(fields, lengths)
    scores = network(fields, lengths).outputs[next(iter(program.outputs))]
    known = (fields["label"] >= 0) & (valid() if padded else torch.tensor(True))
    weight = torch.tensor(WEIGHTS, dtype=torch.float64) if "class_weights" in params else None
    smoothing = float(str(params.get("smoothing", 0.0)))
    wanted = F.cross_entropy(scores[known], fields["label"][known], weight, label_smoothing=smoothing)
    assert torch.allclose(losses.total, wanted, **SMALL)
    found = gradients_of(network, losses.total)
    right = torch.autograd.grad(wanted, [network.weights[path] for path in found])
    assert all(torch.allclose(a, b, **SMALL) for a, b in zip(found.values(), right, strict=True))
    assert losses.places == int(known.sum())
    assert losses.correct is not None
    assert int(losses.correct) == int((scores[known].argmax(-1) == fields["label"][known]).sum())


@pytest.mark.parametrize("kind", ["MeanSquaredError", "Huber", "BinaryCrossEntropy", "classes", "weighted"])
def test_a_padded_batch_equals_each_example_alone(kind: str) -> None:
    weights = {"class_weights": WEIGHTS} if kind == "weighted" else {}
    drawing = with_gaps(classified(**weights) if kind in ("classes", "weighted") else regressed(kind))
    network = network_of(program_of(drawing))
    fields = batch(drawing)
    whole = network.losses(fields, LENGTHS)
    sums, counts = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for row, steps in enumerate(LENGTHS["time"].tolist()):
        alone = network.losses({name: x[row : row + 1, :steps] for name, x in fields.items()})
        sums = sums + alone.total * alone.counts["loss"]
        counts = counts + alone.counts["loss"]
    assert torch.allclose(whole.total, sums / counts, **SMALL)
    together = gradients_of(network, whole.total)
    assert all(
        torch.allclose(together[path], gradient, **SMALL)
        for path, gradient in gradients_of(network, sums / counts).items()
    )


@pytest.mark.parametrize("kind", [*(kind for kind, _, _ in LOSSES), "classes", "weighted"])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "padded"])
def test_the_printed_source_leaves_out_the_same(kind: str, lengths: Tensors | None) -> None:
    weights = {"class_weights": WEIGHTS} if kind == "weighted" else {}
    drawing = with_gaps(classified(**weights) if kind in ("classes", "weighted") else regressed(kind))
    program = program_of(drawing)
    network = network_of(program)
    fields = batch(drawing)
    own = answer(network, fields, lengths)
    assert_same_answers(program, own, answer_of_source(program, network.weights, fields, lengths), lengths)


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "padded"])
def test_the_printed_likelihood_leaves_out_the_same(lengths: Tensors | None) -> None:
    drawing = with_gaps(regressed("GaussianLikelihood"))
    program = program_of(drawing)
    network = network_of(program)
    fields = batch(drawing)
    outputs = network(fields, lengths).outputs
    module = printed(program, network.weights)
    found = module.loss(outputs["mean"], outputs["log_variance"], fields["truth"], lengths=lengths)
    assert torch.allclose(found, network.losses(fields, lengths).total, **SMALL)


@pytest.mark.parametrize("drawing", [regressed("MeanSquaredError"), classified(class_weights=WEIGHTS)])
def test_where_nothing_is_missing_the_loss_is_what_it_was(drawing: Design) -> None:
    whole, gaps = with_gaps(drawing, missing=0), with_gaps(drawing)
    fields = batch(whole, gaps=False)
    one, other = (network_of(program_of(d)).losses(fields, LENGTHS).total for d in (whole, gaps))
    assert torch.allclose(one, other, **SMALL)
    assert not any(op.kind == "known" for region in program_of(whole).regions for op in getattr(region, "ops", ()))


@pytest.mark.parametrize("drawing", [regressed("MeanSquaredError"), classified(class_weights=WEIGHTS)])
def test_a_batch_in_which_nothing_is_known_asks_for_nothing(drawing: Design) -> None:
    drawing = with_gaps(drawing)
    network = network_of(program_of(drawing))
    fields = batch(drawing)
    target = "truth" if "truth" in fields else "label"
    fields[target] = torch.full_like(fields[target], torch.nan if target == "truth" else -1)
    losses = network.losses(fields, LENGTHS)
    assert float(losses.total) == 0.0
    assert losses.places == 0
    assert all(not gradient.any() for gradient in gradients_of(network, losses.total).values())


def test_a_missing_value_that_no_loss_may_leave_out_is_still_told() -> None:
    """Without gaps in the data's own words −1 is no token, and NaN in a target makes the loss NaN."""
    drawing = with_gaps(regressed("MeanSquaredError"), missing=0)
    fields = batch(with_gaps(regressed("MeanSquaredError")))
    assert math.isnan(float(network_of(program_of(drawing)).losses(fields).total))


@pytest.mark.parametrize(
    ("reader", "wire"), [("Feedback", "target"), ("Ctc", "target"), ("Output", "input"), ("Tanh", "input")]
)
def test_who_cannot_leave_out_what_is_missing_is_told(reader: str, wire: str) -> None:
    from rnnstudio.design.design import Node, Pin, Wire
    from rnnstudio.design.edits import AddNode, Connect

    drawing = with_gaps(regressed("MeanSquaredError"))
    for edit in (AddNode(Node("reads", reader)), Connect(Wire(Pin("truth", "out"), Pin("reads", wire)))):
        drawing = edit.apply(drawing)
    told = [found for found in check(drawing, standard()).diagnostics if found.code == "TargetHasGaps"]
    assert [found.nodes[0] for found in told] == ["reads"]
    assert "“truth” has missing values" in told[0].message
    assert drawing.data is not None
    full = tuple(replace(spec, missing=0) for spec in drawing.data.fields)
    filled = drawing.replace(data=drawing.data.replace(fields=full))
    assert "TargetHasGaps" not in {found.code for found in check(filled, standard()).diagnostics}


def test_an_input_node_that_reads_the_target_is_told() -> None:
    drawing = SetParam("x", "field", "truth").apply(with_gaps(regressed("MeanSquaredError")))
    assert "TargetHasGaps" in {found.code for found in check(drawing, standard()).diagnostics}
