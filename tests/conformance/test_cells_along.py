"""A cell whose input runs along two axes loops along the one it is told, and leaves the other alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import rnnstudio
from rnnstudio.catalog.catalog import standard
from rnnstudio.runtime import Network
from tests.conformance.running import assert_same, network_of

GIVEN = {"Decoder": "given", "EchoStateFeedback": "y"}
"""Cells that read something more, with the port."""

CELLS = sorted(
    name
    for name, cell in standard().cells.items()
    if "axis" in cell.params
    and name != "AttentionDecoder"  # its memory runs along an axis of its own: tests/conformance/test_patterns_more.py
    and all(node.kind != "Children" for node in cell.graph.nodes.values())
)


def drawn(cell: str, *, two: bool) -> Network:
    """x_s, and with `two` a_t + x_s, into the cell."""
    design = rnnstudio.new("along")
    x = design.add("FeatureInput", "x", field="x", size=3, axis="source")
    if two:
        a = design.add("FeatureInput", "a", field="a", size=3, axis="time")
        x = design.add("Add", "both", a=a, b=x)
    more: dict[str, Any] = {"axis": "source"} if two else {}
    sources = {"x": x}
    if cell in GIVEN:
        sources[GIVEN[cell]] = design.add("FeatureInput", "more", field="more", size=3, axis="")
    design.add(cell, "cell", units=4, inputs=sources, **more)
    design.add("Output", "out", input="cell")
    return network_of(design.program())


@pytest.mark.parametrize("cell", CELLS)
def test_each_row_gives_what_it_gives_alone(cell: str) -> None:
    generator = torch.Generator().manual_seed(1)
    fields = {"x": torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)}
    if cell in GIVEN:
        fields["more"] = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    a = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    lengths = {"source": torch.tensor([3, 5])}
    whole, alone = drawn(cell, two=True), drawn(cell, two=False)
    axes = whole.program.signals[whole.program.outputs["out"]].axes
    found = whole({**fields, "a": a}, lengths).outputs["out"].movedim(axes.index("time") + 1, 0)
    for t in range(4):
        wanted = alone({**fields, "x": fields["x"] + a[:, t, None]}, lengths).outputs["out"]
        for example, own in enumerate(lengths["source"].tolist() if "source" in axes else (None, None)):
            assert_same({"h": found[t, example, :own]}, {"h": wanted[example, :own]})
