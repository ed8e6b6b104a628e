"""Dropout with one mask for all steps, inside a loop, is one mask in the printed source too."""

from __future__ import annotations

import pytest
import torch

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import compile_design, source
from rnnstudio.compiler.source import class_name
from rnnstudio.design.design import Design


@pytest.mark.parametrize("every_step", [False, True])
def test_one_mask_holds_for_all_steps_of_a_loop(every_step: bool) -> None:
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"field": "x", "size": 40})
    s.add("sum", "Add", at=(1, 0), a="x", b="before")
    s.add("drop", "Dropout", at=(2, 0), params={"rate": 0.5, "every_step": every_step}, input="sum")
    s.add("small", "Scale", at=(3, 0), params={"scale": 0.1}, input="drop")
    s.add("gain", "Weights", at=(3, 1), params={"units": 40, "value": 1.0})
    s.add("state", "Multiply", at=(4, 0), a="small", b="gain")
    s.add("before", "Delay", at=(1, 1), input="state")
    s.add("out", "Output", at=(5, 0), input="state")
    program = compile_design(Design(name="drop", graph=s.graph()), standard())
    names: dict[str, type[torch.nn.Module]] = {}
    exec(source(program), names)
    model = names[class_name(program)]().train()
    torch.manual_seed(0)
    result, _ = model(torch.ones(1, 6, 40))
    gone = result[0] == 0
    assert 5 < int(gone[0].sum()) < 35
    assert bool((gone == gone[0]).all()) is not every_step
