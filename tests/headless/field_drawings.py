"""Small drawings of the field's patterns, each bound to data that shows what the pattern is for."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rnnstudio
from rnnstudio.design.design import Var
from tests.data.sequence_files import midi, vowels

Draw = Callable[[Path], rnnstudio.Drawing]


def _reading(source: str | Path, **options: Any) -> rnnstudio.Drawing:
    design = rnnstudio.new("row")
    design.read(source, **options)
    return design


def _mackey_glass() -> rnnstudio.Drawing:
    design = _reading("task:mackey-glass", steps=800, washout=200)
    design.add("FeatureInput", "x")
    return design


def _squared(design: rnnstudio.Drawing, prediction: str, **target: Any) -> rnnstudio.Drawing:
    design.add("FeatureTarget", "truth", **target)
    design.add("MeanSquaredError", "loss", prediction=prediction, target="truth")
    return design


def _classes(design: rnnstudio.Drawing, features: str, size: str = "targets", **target: Any) -> rnnstudio.Drawing:
    design.add("Linear", "scores", units=Var(f"{size}_size"), input=features)
    design.add("TokenTarget", "truth", **({"field": size} | target))
    design.add("CrossEntropy", "loss", prediction="scores", target="truth")
    return design


def _tokens(source: str | Path, field: str = "inputs", units: int = 8, **options: Any) -> rnnstudio.Drawing:
    design = _reading(source, **options)
    design.add("TokenInput", "x", field=field)
    design.add("Embedding", "embedded", units=units, input="x")
    return design


def taps(folder: Path) -> rnnstudio.Drawing:
    """Row 2: x_{t+1} of x_t … x_{t−4}, linear: an autoregression."""
    rows = [1.0, 0.8]
    pick = random.Random(1)
    for _ in range(300):
        rows.append(1.6 * rows[-1] - 0.8 * rows[-2] + pick.gauss(0, 0.1))
    path = folder / "waves.csv"
    path.write_text("t,x\n" + "".join(f"{t},{x:.5f}\n" for t, x in enumerate(rows)))
    design = _reading(path)
    design.add("FeatureInput", "x")
    design.add("Taps", "last", taps=4, input="x")
    design.add("Linear", "said", units=1, input="last")
    return _squared(design, "said")


def state_only(folder: Path) -> rnnstudio.Drawing:
    """Row 3: a loop from which nothing is read but the state itself."""
    design = _mackey_glass()
    design.add("RNN", "state", units=1, x="x")
    return _squared(design, "state")


def polyphonic(folder: Path) -> rnnstudio.Drawing:
    """Row 4: music, 88 keys a step, each down or not in the next."""
    design = _reading(midi(folder), steps=2)
    design.add("FeatureInput", "x")
    design.add("GRU", "memory", units=24, x="x")
    design.add("Linear", "scores", units=88, input="memory")
    design.add("FeatureTarget", "truth")
    design.add("BinaryCrossEntropy", "loss", prediction="scores", target="truth")
    return design


def tagging(folder: Path) -> rnnstudio.Drawing:
    """Row 4: an answer at every step, of a state that goes on: the depth of brackets."""
    design = _tokens("task:brackets", examples=200, depth=3, pairs=6)
    design.add("GRU", "memory", units=16, x="embedded")
    return _classes(design, "memory")


def output_to_hidden(folder: Path) -> rnnstudio.Drawing:
    """Row 5: the only way from step to step leads from the output to the hidden layer, the truth put in its place."""
    design = _mackey_glass()
    design.add("FeatureTarget", "truth")
    design.add("Feedback", "before", target="truth")
    design.add("Concat", "both", terms=2)
    design.connect("x", "both.a")
    design.connect("before", "both.b")
    design.add("Linear", "mixed", units=12, input="both")
    design.add("Tanh", "hidden", input="mixed")
    design.add("Linear", "said", units=1, input="hidden")
    design.connect("said", "before.prediction")
    design.add("MeanSquaredError", "loss", prediction="said", target="truth")
    return design


def many_to_one(folder: Path) -> rnnstudio.Drawing:
    """Row 6: series of two dimensions and of many lengths, with one class each."""
    design = _reading(vowels(folder))
    design.add("FeatureInput", "x")
    design.add("GRU", "memory", units=12, x="x")
    design.add("Last", "end", input="memory")
    return _classes(design, "end", "label", axis="")


def conditioned(folder: Path) -> rnnstudio.Drawing:
    """Row 8: what was read of one sequence goes into every step of another."""
    design = _translator("task:reversal", letters=3, longest=4, examples=400)
    design.add("Repeat", "told", input="thought", along="written")
    design.add("Concat", "both", terms=2)
    design.connect("written", "both.a")
    design.connect("told", "both.b")
    design.add("GRU", "decoder", units=24, x="both")
    return _said(design)


def both_ways(folder: Path) -> rnnstudio.Drawing:
    """Row 9: the tag of a word is told by the word behind it, and in a part before it."""
    pick = random.Random(4)
    lines: list[str] = []
    for _ in range(80):
        words = [pick.choice("abcd") for _ in range(pick.randint(3, 8))]
        behind = [*words[1:], "end"]
        lines += [f"{word} {'X' if after in 'ab' else 'Y'}" for word, after in zip(words, behind, strict=True)] + [""]
    path = folder / "behind.conll"
    path.write_text("\n".join(lines))
    design = _tokens(path, "text")
    design.add("BidirectionalLSTM", "memory", units=8, x="embedded")
    return _classes(design, "memory", "tags")


def _translator(source: str, **options: Any) -> rnnstudio.Drawing:
    design = _reading(source, **options)
    design.add("TokenInput", "source", field="source", axis="source")
    design.add("Embedding", "read", units=8, input="source")
    design.add("GRU", "encoder", units=24, x="read")
    design.add("Last", "thought", input="encoder")
    design.add("TokenTarget", "truth", field="target", axis="target")
    design.add("Feedback", "before", target="truth")
    design.add("Embedding", "written", units=8, input="before")
    return design


def _said(design: rnnstudio.Drawing, features: str = "decoder") -> rnnstudio.Drawing:
    design.add("Linear", "scores", units=Var("target_size"), input=features)
    design.connect("scores", "before.prediction")
    design.add("CrossEntropy", "loss", prediction="scores", target="truth")
    return design


def encoder_decoder(folder: Path) -> rnnstudio.Drawing:
    """Row 10: digits in, digits out, of other lengths."""
    design = _translator("task:addition", digits=1, examples=400)
    design.add("GRU", "decoder", units=24, x="written", h0="thought")
    return _said(design)


def attending(folder: Path) -> rnnstudio.Drawing:
    """Row 16: at each letter it writes, it looks at all that it read."""
    design = _translator("task:reversal", letters=4, longest=5, examples=400)
    design.add("GRU", "decoder", units=24, x="written", h0="thought")
    design.add("Attention", "looked", query="decoder", keys="encoder", values="encoder")
    design.add("Concat", "both", terms=2)
    design.connect("decoder", "both.a")
    design.connect("looked", "both.b")
    return _said(design, "both")


def deep(folder: Path) -> rnnstudio.Drawing:
    """Row 11: a deep way in, two layers of states, a deep way out, and a skip around the second layer."""
    design = _tokens("task:autocomplete", examples=400)
    design.add("Linear", "in", units=16, input="embedded")
    design.add("Tanh", "deep_in", input="in")
    design.add("GRU", "first", units=16, x="deep_in")
    design.add("GRU", "second", units=16, x="first")
    design.add("Add", "skip", terms=2)
    design.connect("first", "skip.a")
    design.connect("second", "skip.b")
    design.add("Linear", "out", units=24, input="skip")
    design.add("Tanh", "deep_out", input="out")
    return _classes(design, "deep_out")


def gated(folder: Path, cell: str = "LSTM") -> rnnstudio.Drawing:
    """Row 13: the adding problem."""
    design = _reading("task:adding", steps=10, examples=600)
    design.add("FeatureInput", "x")
    design.add(cell, "memory", units=16, x="x")
    design.add("Last", "end", input="memory.h")
    design.add("Linear", "said", units=1, input="end")
    return _squared(design, "said", axis="")


def peephole(folder: Path) -> rnnstudio.Drawing:
    return gated(folder, "PeepholeLSTM")


def slow(folder: Path) -> rnnstudio.Drawing:
    """Row 14: a layer of leaky units, a state three steps back, and units that are computed every second step."""
    design = _reading("task:sines", series=30, steps=60)
    design.add("FeatureInput", "x")
    design.add("Leaky", "leaky", units=12, alpha=0.5, x="x")
    design.add("Linear", "mixed", units=12, terms=2)
    design.connect("leaky", "mixed.input")
    design.add("Tanh", "hidden", input="mixed")
    design.add("Delay", "third", k=3, input="hidden")
    design.connect("third", "mixed.input2")
    design.add("ClockworkRNN", "clocked", units=8, x="hidden")
    design.add("Linear", "said", units=1, input="clocked")
    return _squared(design, "said")


def echo_state(folder: Path) -> rnnstudio.Drawing:
    """Row 15: a frozen reservoir; the readout in closed form."""
    design = _reading("task:mackey-glass", steps=1500, washout=200)
    design.add("FeatureInput", "x")
    design.add("EchoState", "echo", units=80, x="x")
    design.add("Linear", "said", units=1, input="echo")
    return _squared(design, "said")


def carried(folder: Path) -> rnnstudio.Drawing:
    """Row 18: one long text in short chunks, the state carried from each to the next."""
    path = folder / "story.txt"
    path.write_text("the cat sat on the mat, and the dog lay by the door.\n" * 60)
    design = _tokens(path, "text")
    design.add("GRU", "memory", units=24, x="embedded")
    return _classes(design, "memory", "next")


def regularised(folder: Path) -> rnnstudio.Drawing:
    """Row 19: dropout with one mask for all steps, layer normalisation; weight decay is a setting."""
    design = _tokens("task:parity", steps=6, examples=300)
    design.add("Dropout", "dropped", rate=0.1, every_step=False, input="embedded")
    design.add("LayerNormLSTM", "memory", units=16, x="dropped")
    design.add("LayerNorm", "even", input="memory.h")
    return _classes(design, "even")


def initialised(folder: Path) -> rnnstudio.Drawing:
    """Row 20: a ReLU network whose recurrent matrix begins as the identity, on the copy task."""
    design = _tokens("task:copy", steps=4, symbols=4, length=2, examples=400)
    design.add("IRNN", "memory", units=32, x="embedded")
    return _classes(design, "memory")


def over_trees(folder: Path) -> rnnstudio.Drawing:
    """Row 12: the value of an expression, from its leaves up."""
    design = _reading("task:expressions", operations="+-", depth=2, answer="value", examples=400)
    design.axis("tree", kind="tree")
    design.add("TokenInput", "x", field="symbols", axis="tree")
    design.add("Embedding", "embedded", units=8, input="x")
    design.add("BinaryTreeLSTM", "net", units=24, x="embedded")
    design.add("Root", "top", input="net.h")
    design.add("Linear", "said", units=1, input="top")
    return _squared(design, "said", axis="")


def unaligned(folder: Path) -> rnnstudio.Drawing:
    """Row 17: a signal, and the letters that were sent, without a word on when."""
    design = _reading("task:morse", letters="ETA", longest=3, examples=300)
    design.add("FeatureInput", "x")
    design.add("BidirectionalGRU", "memory", units=16, x="x")
    size = design.design.data.field("targets").size  # type: ignore[union-attr]
    design.add("Linear", "scores", units=size + 1, input="memory")
    design.add("TokenTarget", "truth", field="targets", axis="labels")
    design.add("Ctc", "loss", prediction="scores", target="truth")
    return design
