"""Nodes of the catalogue in a loop over a tree: over the children, over another axis, and normalised."""

from __future__ import annotations

import pytest
import torch

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import Program, check
from rnnstudio.design.design import Design, frozen
from rnnstudio.design.signals import Axis
from tests.conformance.catalogue import gradients, inputs, network, weighted
from tests.conformance.running import Tensors, printed, program_of

PARENTS = torch.tensor([[2, 2, -1, -1, -1], [1, -1, -1, -1, -1], [4, 4, 4, 4, -1]])
LENGTHS = {"tree": torch.tensor([3, 2, 5]), "source": torch.tensor([2, 5, 1])}


def tree(node: str) -> Design:
    """h = tanh(W x + U node(children's h)) over a tree, read at its root."""
    s = Sketch()
    inputs(s, x="tree", m="source")
    how = "each" if node == "attention over the children" else "sum"
    s.add("kids", "Children", at=(1, 0), params={"how": how}, input="h")
    if node == "attention over the children":
        s.add("read", "Attention", at=(2, 0), query="x", keys="kids")
    elif node == "attention over a sequence":
        s.add("read", "Attention", at=(2, 0), query="kids", keys="m")
    else:
        s.add("read", node, at=(2, 0), input="kids")
    s.add("sum", "Linear", at=(3, 0), params={"units": 4, "terms": 2}, input="x", input2="read")
    s.add("h", "Tanh", at=(4, 0), input="sum")
    s.add("root", "Root", at=(5, 0), input="h")
    s.add("y", "Output", at=(6, 0), input="root")
    return Design(name="tree", graph=s.graph(), axes=frozen({"tree": Axis("tree", "tree")}))


def fields_of(program: Program) -> Tensors:
    generator = torch.Generator().manual_seed(5)
    made = {i.field: torch.randn(3, 5, 4, generator=generator, dtype=torch.float64) for i in program.inputs}
    return {**made, "tree_parents": PARENTS}


@pytest.mark.parametrize(
    "node", ["LayerNorm", "BatchNorm", "Gelu", "attention over a sequence", "attention over the children"]
)
def test_a_node_in_a_tree_is_printed_alike_and_no_padding_changes_it(node: str) -> None:
    drawing = tree(node)
    assert check(drawing, standard()).errors == ()
    program = program_of(drawing)
    made, fields = network(program), fields_of(program)
    whole = made(fields, made.own_lengths(LENGTHS)).outputs["y"]
    model = printed(program, made.weights)
    found, _ = model(*(fields[i.field] for i in program.inputs), PARENTS, lengths=LENGTHS)
    torch.testing.assert_close(found, whole, rtol=1e-9, atol=1e-9)
    for i in range(3):
        sizes = {"x": int(LENGTHS["tree"][i]), "tree_parents": int(LENGTHS["tree"][i]), "m": int(LENGTHS["source"][i])}
        alone = {name: x[i : i + 1, : sizes[name]] for name, x in fields.items()}
        one = made(alone).outputs["y"]
        torch.testing.assert_close(one, whole[i : i + 1], rtol=1e-10, atol=1e-10)
        theirs = gradients(made, weighted({"y": made(fields, made.own_lengths(LENGTHS)).outputs["y"][i : i + 1]}))
        for path, gradient in gradients(made, weighted({"y": one})).items():
            torch.testing.assert_close(gradient, theirs[path], rtol=1e-9, atol=1e-10, msg=path)
