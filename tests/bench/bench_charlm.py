"""A whole training step of a character model, drawn, against expert PyTorch: model, loss, clipping, Adam.

The expert's has nn.Embedding, nn.LSTM time first, one readout product, clip_grad_norm_ and the fused Adam.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses
from torch import Tensor, nn

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler.compile import compile_design
from rnnstudio.design.design import Design, frozen
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from rnnstudio.runtime.network import Network
from tests.bench.side_by_side import keep_memory, machine, medians
from tests.runtime.fused.cells import AT, CELLS

SIZES = ((32, 100, 192, 48, 65), (50, 50, 128, 128, 65), (64, 100, 256, 256, 65), (64, 100, 512, 512, 65))
"""Batch, steps, hidden, embedding, characters; the first is the gallery's language model."""


class Expert(nn.Module):
    def __init__(self, hidden: int, embedding: int, tokens: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, embedding)
        self.lstm = nn.LSTM(embedding, hidden)
        self.readout = nn.Linear(hidden, tokens)

    def forward(self, text: Tensor, following: Tensor) -> Tensor:
        out, _ = self.lstm(self.embedding(text.t()))
        return F.cross_entropy(self.readout(out).flatten(0, 1), following.t().flatten())


def drawn(cell: str, hidden: int, embedding: int, tokens: int) -> Network:
    s = Sketch()
    s.add("text", "TokenInput", at=AT, params={"field": "text"})
    s.add("x", "Embedding", at=AT, params={"units": embedding}, input="text")
    s.add("readout", "Linear", at=AT, params={"units": tokens}, input=CELLS[cell](s, hidden))
    s.add("next", "TokenTarget", at=AT, params={"field": "next"})
    s.add("loss", "CrossEntropy", at=AT, prediction="readout", target="next")
    words = tuple(chr(i + 32) for i in range(tokens))
    fields = (FieldSpec("text", "tokens", tokens, "time", words), FieldSpec("next", "tokens", tokens, "time", words))
    used = {str(node.params["cell"]) for node in s._nodes.values() if node.kind == "cell"}
    cells = frozen({name: made for name, made in standard().cells.items() if name in used})
    recipe = DataRecipe("text", "", {}, (0.8, 0.1, 0.1), fields)
    return Network(compile_design(Design(name="t", graph=s.graph(), cells=cells, data=recipe), standard()))


def step(module: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3, fused=True)

    def run() -> None:
        optimiser.zero_grad()
        loss().backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()

    return run


def main() -> None:
    keep_memory()
    print(machine())
    print("whole training step as a ratio to the expert's; median of 7 interleaved rounds")
    heads = f"{'threads':>7} {'B':>3} {'T':>4} {'H':>4} {'E':>4} {'V':>3} {'ms of expert':>13}"
    print(f"{heads} {'lstm':>6} {'invented':>9}  runs on")
    threads = torch.get_num_threads()
    try:
        for count in sorted({1, min(2, threads)}):
            torch.set_num_threads(count)
            for batch, steps, hidden, embedding, tokens in SIZES:
                text = torch.randint(0, tokens, (batch, steps + 1))
                fields = {"text": text[:, :-1].contiguous(), "next": text[:, 1:].contiguous()}
                expert = Expert(hidden, embedding, tokens)
                nets = {cell: drawn(cell, hidden, embedding, tokens) for cell in ("lstm", "invented")}

                def ours(net: Network, fields: dict[str, Tensor] = fields) -> Tensor:
                    return net.losses(fields).total

                ways = {"expert": step(expert, lambda e=expert, f=fields: e(f["text"], f["next"]))}
                ways |= {cell: step(net, lambda net=net: ours(net)) for cell, net in nets.items()}
                times = medians(ways)
                ratios = [times[cell] / times["expert"] for cell in nets]
                on = ", ".join(str(next(iter(net.loops.served.values()))) for net in nets.values())
                sizes = f"{batch:>3} {steps:>4} {hidden:>4} {embedding:>4} {tokens:>3} {times['expert'] * 1000:>13.1f}"
                print(f"{count:>7} {sizes} {ratios[0]:>6.2f} {ratios[1]:>9.2f}  {on}", flush=True)
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
