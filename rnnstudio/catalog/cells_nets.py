"""Cells made of cells: both directions, two layers, an encoder, decoders, self-attention."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..design.design import CellDefinition, Value, Var
from .cell_parts import UNITS
from .sketch import Sketch


def bidirectional(kind: str) -> CellDefinition:
    s = Sketch()
    s.add("x", "CellInput", at=(0, 1))
    cell: dict[str, Value] = {"cell": kind, "units": UNITS}
    s.add("forward", "cell", at=(2, 0), params=cell, title=f"{kind} →", x="x")
    turned = s.add("turned", "Reverse", at=(1, 2), input="x")
    s.add("backward", "cell", at=(2, 2), params=cell, title=f"{kind} ←", x=turned)
    back = s.add("back", "Reverse", at=(3, 2), input="backward.h")
    both = s.add("both", "Concat", at=(4, 1), a="forward.h", b=back)
    s.add("h", "CellOutput", at=(5, 1), input=both)
    return s.cell(
        f"Bidirectional{kind}",
        {"units": 64},
        f"Two {kind}s, one from the beginning and one from each example's own end, side by side.",
        f"h_t = [{kind}→(x_1 … x_t), {kind}←(x_τ … x_t)]",
        "Schuster and Paliwal 1997",
    )


def stacked(kind: str) -> CellDefinition:
    s = Sketch()
    s.add("x", "CellInput", at=(0, 0))
    cell: dict[str, Value] = {"cell": kind, "units": UNITS}
    s.add("first", "cell", at=(1, 0), params=cell, title=f"{kind} 1", x="x")
    dropped = s.add("between", "Dropout", at=(2, 0), params={"rate": Var("dropout")}, input="first.h")
    s.add("second", "cell", at=(3, 0), params=cell, title=f"{kind} 2", x=dropped)
    s.add("h", "CellOutput", at=(4, 0), input="second.h")
    return s.cell(
        f"Stacked{kind}",
        {"units": 128, "dropout": 0.2},
        f"Two {kind}s, the second reading the states of the first, with dropout between.",
        f"h_t = {kind}₂(dropout({kind}₁(x)))_t",
        "Graves et al. 2013; dropout between layers: Zaremba et al. 2014",
    )


def encoder() -> CellDefinition:
    s = Sketch()
    s.add("x", "CellInput", at=(0, 0))
    s.add("gru", "cell", at=(1, 0), params={"cell": "GRU", "units": UNITS}, title="GRU", x="x")
    last = s.add("last", "Last", at=(2, 0), input="gru.h")
    s.add("summary", "CellOutput", at=(3, 0), input=last)
    s.add("states", "CellOutput", at=(3, 1), input="gru.h")
    return s.cell(
        "Encoder",
        {"units": 128},
        "Reads a whole sequence: its last state sums it up, all its states are there for attention.",
        "states = GRU(x_1 … x_τ)\nsummary = states_τ",
        "Cho et al. 2014; Sutskever et al. 2014",
    )


def decoder() -> CellDefinition:
    s = Sketch()
    s.add("x", "CellInput", at=(0, 0), title="output before")
    s.add("given", "CellInput", at=(0, 1), title="vector")
    both = s.add("both", "Concat", at=(1, 0), a="x", b="given")
    bridge = s.add("bridge", "Linear", at=(1, 1), params={"units": UNITS}, title="W c + b", input="given")
    start = s.add("start", "Tanh", at=(2, 1), title="h₀", input=bridge)
    s.add("gru", "cell", at=(3, 0), params={"cell": "GRU", "units": UNITS}, title="GRU", x=both, h0=start)
    s.add("h", "CellOutput", at=(4, 0), input="gru.h")
    return s.cell(
        "Decoder",
        {"units": 128},
        "Makes a sequence from a vector: the vector starts the state and enters every step beside the output before.",
        "h_0 = tanh(W c + b)\nh_t = GRU([y_{t-1}, c], h_{t-1})",
        "Cho et al. 2014",
    )


def attention_decoder() -> CellDefinition:
    s = Sketch()
    s.add("x", "CellInput", at=(0, 0), title="output before")
    s.add("memory", "CellInput", at=(0, 1), title="encoder's states")
    s.add("h0", "CellInput", at=(0, 2), params={"optional": True})
    s.add("h_before", "Delay", at=(1, 2), title="hₜ₋₁", input="gru.h", initial="h0")
    s.add(
        "attention",
        "Attention",
        at=(2, 1),
        params={"score": "additive", "units": UNITS},
        query="h_before",
        keys="memory",
    )
    both = s.add("both", "Concat", at=(3, 0), a="x", b="attention")
    s.add("gru", "cell", at=(4, 0), params={"cell": "GRU", "units": UNITS}, title="GRU", x=both, h0="h0")
    s.add("h", "CellOutput", at=(5, 0), input="gru.h")
    s.add("context", "CellOutput", at=(5, 1), input="attention")
    s.add("weights", "CellOutput", at=(5, 2), input="attention.weights")
    return s.cell(
        "AttentionDecoder",
        {"units": 128},
        "A decoder that at every step looks along the encoder's states for what it needs.",
        "c_t = Σ_j a_tj m_j,  a_t = softmax_j(vᵀ tanh(W h_{t-1} + U m_j + b))\nh_t = GRU([y_{t-1}, c_t], h_{t-1})",
        "Bahdanau, Cho and Bengio 2015",
    )


def self_attention() -> CellDefinition:
    s = Sketch()
    s.add("x", "CellInput", at=(0, 0))
    again = s.add("again", "RenameAxis", at=(1, 1), title="x again", input="x")
    s.add(
        "attention",
        "Attention",
        at=(2.2, 0),
        params={
            "score": "scaled_dot",
            "project": True,
            "units": UNITS,
            "heads": Var("heads"),
            "causal": Var("causal"),
        },
        query="x",
        keys=again,
    )
    s.add("h", "CellOutput", at=(3.6, 0), input="attention")
    s.add("weights", "CellOutput", at=(3.6, 1), input="attention.weights")
    return s.cell(
        "SelfAttention",
        {"units": 64, "heads": 4, "causal": False},
        "Every step looks along its own sequence for what matches it; with “causal”, only back (and at itself). "
        "A recurrent net can read the result, or be read by it.",
        "q_t = W_q x_t + b_q,  k_j = W_k x_j + b_k,  v_j = W_v x_j + b_v,  for each head\n"
        "a_tj = softmax_j(q_tᵀ k_j / √n)   (causal: j ≤ t)\nh_t = W_o Σ_j a_tj v_j + b_o",
        "Vaswani et al. 2017; as torch.nn.MultiheadAttention",
    )


CELLS: tuple[Callable[[], CellDefinition], ...] = (
    *(partial(bidirectional, kind) for kind in ("LSTM", "GRU")),
    *(partial(stacked, kind) for kind in ("LSTM", "GRU")),
    encoder,
    decoder,
    attention_decoder,
    self_attention,
)
