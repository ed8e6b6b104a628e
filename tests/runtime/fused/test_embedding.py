"""An embedding in front of a loop: its table is multiplied once, and everything stays the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler.compile import compile_design
from rnnstudio.compiler.program import Program
from rnnstudio.design.design import Design, frozen
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from rnnstudio.runtime.fused.loops import MACHINE, TORCH
from rnnstudio.runtime.network import Network

from .cells import AT, CELLS, network

TOKENS = 11


def language_model(cell: str, units: int, *, shared: bool = False) -> Program:
    """Tokens → embedding → loop → scores of the next token; shared: the embedding is read elsewhere too."""
    s = Sketch()
    s.add("text", "TokenInput", at=AT, params={"field": "text"})
    s.add("x", "Embedding", at=AT, params={"units": 5}, input="text")
    out = CELLS[cell](s, units)
    if shared:
        out = s.add("beside", "Concat", at=AT, a=out, b="x")
    s.add("readout", "Linear", at=AT, params={"units": TOKENS}, input=out)
    s.add("next", "TokenTarget", at=AT, params={"field": "next"})
    s.add("loss", "CrossEntropy", at=AT, prediction="readout", target="next")
    words = tuple(f"w{i}" for i in range(TOKENS))
    fields = (FieldSpec("text", "tokens", TOKENS, "time", words), FieldSpec("next", "tokens", TOKENS, "time", words))
    used = {str(n.params["cell"]) for n in s._nodes.values() if n.kind == "cell"}
    cells = frozen({name: c for name, c in standard().cells.items() if name in used})
    recipe = DataRecipe("text", "", {}, (0.8, 0.1, 0.1), fields)
    return compile_design(Design(name="t", graph=s.graph(), cells=cells, data=recipe), standard())


def answer(net: Network, fields: dict[str, Tensor]) -> dict[str, Tensor]:
    found = net.losses(fields)
    found.total.backward()
    return {"loss": found.total.detach(), **{p: w.grad for p, w in net.weights.items() if w.grad is not None}}


@pytest.mark.parametrize("lowering", [MACHINE, TORCH])
@pytest.mark.parametrize("cell", ["lstm", "gru", "reset before", "concat"])
@pytest.mark.parametrize("shared", [False, True])
def test_values_and_gradients_are_the_references(cell: str, lowering: str, shared: bool) -> None:
    made = language_model(cell, 6, shared=shared)
    g = torch.Generator().manual_seed(0)
    fields = {name: torch.randint(0, TOKENS, (4, 9), generator=g) for name in ("text", "next")}
    wanted = answer(network(made, torch.float64, reference=True), fields)
    net = network(made, torch.float64)
    net.set_lowering_choices({scan.name: lowering for scan in made.scans()})
    found = answer(net, fields)
    assert set(found) == set(wanted)
    for name, x in found.items():
        torch.testing.assert_close(x, wanted[name], rtol=1e-9, atol=1e-11)


def rows_made(net: Network, fields: dict[str, Tensor]) -> list[str]:
    """Which embeddings a run looks up row by row, once the lowerings have been tried on all values."""
    wanted = tuple(name for loss in net.program.losses for name in (loss.value, loss.prediction))
    net._run(fields, None, None, wanted)
    values, _ = net._run(fields, None, None, wanted)
    tables = {op.name for op in net.loops.embeds.values()}
    return sorted(tables & dict.keys(values))


@pytest.mark.parametrize(("shared", "steps", "made"), [(False, 9, []), (True, 9, ["x"]), (False, 3, ["x"])])
def test_rows_that_nobody_reads_are_not_looked_up(shared: bool, steps: int, made: list[str]) -> None:
    """They are where something else reads them, or the batch has fewer steps than the table rows."""
    program = language_model("lstm", 6, shared=shared)
    net = network(program, torch.float64)
    net.set_lowering_choices({scan.name: MACHINE for scan in program.scans()})
    fields = {name: torch.randint(0, TOKENS, (4, steps)) for name in ("text", "next")}
    assert rows_made(net, fields) == made


@pytest.mark.parametrize("token", [-1, TOKENS])
def test_a_token_that_the_table_lacks_is_refused(token: int) -> None:
    program = language_model("lstm", 6)
    net = network(program, torch.float64)
    net.set_lowering_choices({scan.name: MACHINE for scan in program.scans()})
    fields = {name: torch.zeros(4, 9, dtype=torch.int64) for name in ("text", "next")}
    fields["text"][2, 5] = token
    with pytest.raises(StudioError, match=f"“text” has the token {token}"):
        net.losses(fields)
