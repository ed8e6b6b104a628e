"""Patterns that need the catalogue's axis-crossing nodes learn a tiny task and generate: rows 10, 16 and 17."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check, compile_design
from rnnstudio.design.design import Design, frozen
from rnnstudio.runtime import Network
from rnnstudio.runtime.generate import decode
from tests.conformance.catalogue import design
from tests.conformance.running import program_of

STOP = 5


def reverser() -> Design:
    """Writes a sequence backward: encoder, decoder with attention, teacher forcing."""
    s = Sketch()
    s.add("source", "TokenInput", at=(0, 0), params={"field": "source", "axis": "source", "size": 6})
    s.add("letters", "Embedding", at=(1, 0), params={"units": 8}, input="source")
    s.add("encoder", "cell", at=(2, 0), params={"cell": "BidirectionalGRU", "units": 8}, x="letters")
    s.add("target", "TokenTarget", at=(0, 2), params={"field": "target", "axis": "target", "size": 6})
    s.add("back", "Feedback", at=(1, 1), params={"first": STOP}, prediction="readout", target="target")
    s.add("written", "Embedding", at=(2, 1), params={"units": 8}, input="back")
    decoder = {"cell": "AttentionDecoder", "units": 24}
    s.add("decoder", "cell", at=(3, 1), params=decoder, x="written", memory="encoder.h")
    s.add("both", "Concat", at=(4, 1), a="decoder.h", b="decoder.context")
    s.add("readout", "Linear", at=(5, 1), params={"units": 6}, input="both")
    s.add("loss", "CrossEntropy", at=(6, 1), prediction="readout", target="target")
    names = ("BidirectionalGRU", "AttentionDecoder")
    cells = {key: cell for name in names for key, cell in standard().definitions_for(name).items()}
    return Design(name="reverser", graph=s.graph(), cells=frozen(cells))


def reversals(count: int, seed: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Sequences of 1 to 3 letters of five, and each backward with the stop token behind it."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 4, (count,), generator=generator)
    source = torch.randint(0, STOP, (count, 3), generator=generator)
    target = torch.full((count, 4), STOP)
    for row, n in enumerate(lengths.tolist()):
        target[row, :n] = source[row, :n].flip(0)
    return {"source": source, "target": target}, {"source": lengths, "target": lengths + 1}


def learn(network: Network, batches: list[tuple[dict[str, Tensor], dict[str, Tensor]]], rate: float) -> float:
    optimiser = torch.optim.Adam(network.parameters(), rate)
    loss = float("nan")
    for fields, lengths in batches:
        total = network.losses(fields, lengths).total
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        loss = total.item()
    return loss


def test_a_decoder_with_attention_learns_to_write_backward_and_generates_it() -> None:
    drawing = reverser()
    assert check(drawing, standard()).errors == ()
    network = Network(compile_design(drawing, standard()), seed=1)
    learn(network, [reversals(32, seed) for seed in range(100)], 0.02)
    fields, lengths = reversals(40, 1000)
    network.eval()
    right = network.losses(fields, lengths).correct
    assert right is not None
    assert int(right) >= 0.95 * int(lengths["target"].sum())
    forced = Network(compile_design(drawing, standard(), "forced")).eval()
    forced.load_weights(network.weights)
    found = decode(forced, {"source": fields["source"]}, {"source": lengths["source"]}, longest=6, stop=STOP)
    wanted = [row[:n].flip(0).tolist() for row, n in zip(fields["source"], lengths["source"].tolist(), strict=True)]
    exact = sum(list(one.tokens) == other for one, other in zip(found, wanted, strict=True))
    assert exact >= 36


def test_ctc_learns_labels_that_nobody_aligned() -> None:
    s = Sketch()
    s.add("frames", "FeatureInput", at=(0, 0), params={"field": "frames", "axis": "frames", "size": 3})
    s.add("rec", "cell", at=(1, 0), params={"cell": "BidirectionalGRU", "units": 12}, x="frames")
    s.add("scores", "Linear", at=(2, 0), params={"units": 4}, input="rec.h")
    s.add("labels", "TokenTarget", at=(2, 1), params={"field": "labels", "axis": "labels", "size": 3})
    s.add("loss", "Ctc", at=(3, 0), prediction="scores", target="labels")
    network = Network(program_of(design(s)), seed=1)
    batches = [spoken(32, seed) for seed in range(120)]
    learn(network, batches, 0.02)
    fields, lengths = spoken(50, 1000)
    best = network(fields, lengths).outputs["loss"].argmax(-1)
    right = 0
    for row, (frames, labels) in enumerate(zip(lengths["frames"].tolist(), lengths["labels"].tolist(), strict=True)):
        path = torch.unique_consecutive(best[row, :frames])
        right += path[path != 3].tolist() == fields["labels"][row, :labels].tolist()
    assert right >= 45


def spoken(count: int, seed: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """One to three labels of three, each held for two or three noisy frames, with a silent frame between."""
    generator = torch.Generator().manual_seed(seed)
    own = torch.randint(1, 4, (count,), generator=generator)
    labels = torch.randint(0, 3, (count, 3), generator=generator)
    frames, sizes = torch.zeros(count, 12, 3), []
    for row in range(count):
        t = 0
        for label in labels[row, : int(own[row])].tolist():
            held = int(torch.randint(2, 4, (1,), generator=generator))
            frames[row, t : t + held, label] = 1.0
            t += held + 1
        sizes.append(t)
    noise = torch.randn(frames.shape, generator=generator) * 0.1
    return {"frames": frames + noise, "labels": labels}, {"frames": torch.tensor(sizes), "labels": own}


@pytest.mark.parametrize("score", ["dot", "scaled_dot", "general", "additive"])
def test_attention_finds_the_value_whose_key_is_asked_for(score: str) -> None:
    s = Sketch()
    s.add("query", "FeatureInput", at=(0, 0), params={"field": "query", "axis": "", "size": 4})
    s.add("keys", "FeatureInput", at=(0, 1), params={"field": "keys", "axis": "source", "size": 4})
    s.add("amounts", "FeatureInput", at=(0, 2), params={"field": "amounts", "axis": "source", "size": 1})
    s.add("asked", "Linear", at=(1, 0), params={"units": 4}, input="query")
    params = {"score": score, "units": 16}
    s.add("find", "Attention", at=(2, 0), params=params, query="asked", keys="keys", values="amounts")
    s.add("truth", "FeatureTarget", at=(2, 1), params={"field": "truth", "axis": "", "size": 1})
    s.add("loss", "MeanSquaredError", at=(3, 0), prediction="find", target="truth")
    network = Network(program_of(design(s)), seed=1)
    generator = torch.Generator().manual_seed(0)
    batches = []
    for _ in range(200):
        place = torch.stack([torch.randperm(4, generator=generator) for _ in range(64)])
        keys, amounts = torch.eye(4)[place], torch.randn(64, 4, 1, generator=generator)
        wanted = torch.randint(0, 4, (64,), generator=generator)
        fields = {"query": keys[torch.arange(64), wanted], "keys": keys, "amounts": amounts}
        batches.append(({**fields, "truth": amounts[torch.arange(64), wanted]}, {}))
    assert learn(network, batches, 0.05) < 0.05
