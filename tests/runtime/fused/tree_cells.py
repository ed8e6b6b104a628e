"""Drawn cells over trees, and trees, that the tests of fused tree loops and the benchmark use."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler.compile import compile_design
from rnnstudio.compiler.program import Program
from rnnstudio.design.design import CellDefinition, Design, frozen
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from rnnstudio.design.signals import Axis
from rnnstudio.runtime.forest import Forest

from .cells import AT, Draw

Parents = list[int]
"""A tree: each node's parent, −1 at the root."""


def tree_program(cell: str | Draw, units: int, inputs: int = 3, outputs: int = 2, words: int = 0) -> Program:
    """Features at every node → a loop over the tree → linear readout → squared error at every node.

    words: size of a vocabulary; every node then has a word in place of features, and `inputs` is its embedding's width.
    """
    s = Sketch()
    if words:
        s.add("word", "TokenInput", at=AT, params={"field": "inputs", "axis": "tree", "size": words})
        s.add("x", "Embedding", at=AT, params={"units": inputs}, input="word")
    else:
        s.add("x", "FeatureInput", at=AT, params={"field": "inputs", "axis": "tree"})
    if isinstance(cell, str):
        s.add("cell", "cell", at=AT, params={"cell": cell, "units": units}, x="x")
        out = "cell.h"
    else:
        out = cell(s, units)
    s.add("readout", "Linear", at=AT, params={"units": outputs}, input=out)
    s.add("y", "FeatureTarget", at=AT, params={"field": "targets", "axis": "tree"})
    s.add("loss", "MeanSquaredError", at=AT, prediction="readout", target="y")
    cells = standard().cells
    used = {str(n.params["cell"]) for n in s._nodes.values() if n.kind == "cell"}
    given = FieldSpec("inputs", "tokens", words, "tree") if words else FieldSpec("inputs", "real", inputs, "tree")
    fields = (given, FieldSpec("targets", "real", outputs, "tree"))
    recipe = DataRecipe("csv", "", {}, (0.8, 0.1, 0.1), fields)
    design = Design(
        name="t",
        graph=s.graph(),
        cells=frozen({k: for_any_tree(c) for k, c in cells.items() if k in used}),
        axes=frozen({"tree": Axis("tree", "tree")}),
        data=recipe,
    )
    return compile_design(design, standard())


def for_any_tree(cell: CellDefinition) -> CellDefinition:
    """The cell without its refusal of trees whose nodes have more children than it reads."""
    nodes = {
        key: node.replace(params=frozen({**node.params, "beyond": "left out"})) if node.kind == "Children" else node
        for key, node in cell.graph.nodes.items()
    }
    return cell.replace(graph=cell.graph.replace(nodes=frozen(nodes)))


def random_trees(count: int, fewest: int, most: int, children: int, rng: random.Random) -> list[Parents]:
    """Trees of fewest … most nodes, of at most so many children each; of 2: every inner node has both."""
    return [_random_tree(rng.randint(fewest, most), children, rng) for _ in range(count)]


def _random_tree(size: int, children: int, rng: random.Random) -> Parents:
    """Grown from the root: a random leaf gets children until there are `size` nodes (or, of pairs, one more)."""
    parents = [-1]
    leaves = [0]
    while len(parents) < size:
        node = leaves.pop(rng.randrange(len(leaves)))
        for _ in range(2 if children == 2 else rng.randint(1, children)):
            if children != 2 and len(parents) >= size:
                break
            leaves.append(len(parents))
            parents.append(node)
    return parents


def chain(size: int) -> Parents:
    return list(range(-1, size - 1))


def star(size: int) -> Parents:
    return [-1] + [0] * (size - 1)


def padded(trees: Sequence[Parents]) -> tuple[torch.Tensor, torch.Tensor]:
    """(parents [batch, nodes] with −9 as padding, lengths [batch])."""
    size = max(len(tree) for tree in trees)
    rows = [tree + [-9] * (size - len(tree)) for tree in trees]
    return torch.tensor(rows), torch.tensor([len(tree) for tree in trees])


def forest_of(trees: Sequence[Parents]) -> Forest:
    return Forest(*padded(trees))


def children(s: Sketch, name: str, source: str, how: str = "sum", **more: object) -> str:
    return s.add(name, "Children", at=AT, params={"how": how, "beyond": "left out", **more}, input=source)


def _linear(s: Sketch, name: str, units: int, *sources: str) -> str:
    ports = {f"input{i + 1}" if i else "input": source for i, source in enumerate(sources)}
    return s.add(name, "Linear", at=AT, params={"units": units, "terms": len(sources)}, **ports)


def learned_missing(s: Sketch, units: int) -> str:
    """Weights of their own stand for each child that is not there."""
    left = children(s, "left", "h", "slot", slot=0, initial="learned", axis="tree", width=units)
    right = children(s, "right", "h", "slot", slot=1, initial="learned", axis="tree", width=units)
    gate = s.add("gate", "Sigmoid", at=AT, input=_linear(s, "gate_sum", units, "x", left, right))
    new = s.add("new", "Tanh", at=AT, input=_linear(s, "new_sum", units, "x", left))
    kept = s.add("kept", "Multiply", at=AT, a=gate, b=right)
    return s.add("h", "Add", at=AT, a=new, b=kept)


def judged_by_the_sum(s: Sketch, units: int) -> str:
    """Each child's gate sees the child, the sum of all and the node's input; what passes is averaged."""
    total = children(s, "total", "h", axis="tree", width=units)
    each = children(s, "each", "h", "each", axis="tree", width=units)
    gate = s.add("gate", "Sigmoid", at=AT, input=_linear(s, "gate_sum", units, each, total, "x"))
    passed = s.add("passed", "Multiply", at=AT, a=gate, b=each)
    mean = s.add("mean", "Mean", at=AT, input=passed)
    return s.add("h", "Tanh", at=AT, input=_linear(s, "h_sum", units, "x", mean))


def asked_twice(s: Sketch, units: int) -> str:
    """Children are summed, the sum goes to each child, and what they answer is summed again."""
    each = children(s, "each", "h", "each", axis="tree", width=units)
    first = s.add("first", "Sigmoid", at=AT, input=_linear(s, "first_sum", units, each))
    once = s.add("once", "Sum", at=AT, input=first)
    asked = s.add("asked", "Tanh", at=AT, input=_linear(s, "asked_sum", units, "x", once))
    answer = s.add("answer", "Multiply", at=AT, a=asked, b=_linear(s, "answer_sum", units, each))
    twice = s.add("twice", "Sum", at=AT, input=s.add("squashed", "Tanh", at=AT, input=answer))
    return s.add("h", "Tanh", at=AT, input=_linear(s, "h_sum", units, "x", twice))


def reset(s: Sketch, units: int) -> str:
    """A gated cell of two products one after the other, with a weight vector and normalisation."""
    total = children(s, "total", "h", axis="tree", width=units)
    z = s.add("z", "Sigmoid", at=AT, input=_linear(s, "z_sum", units, "x", total))
    r = s.add("r", "Sigmoid", at=AT, input=_linear(s, "r_sum", units, "x", total))
    passed = s.add("passed", "Multiply", at=AT, a=r, b=total)
    scale = s.add("scale", "Weights", at=AT, params={"units": units, "spread": 0.5})
    scaled = s.add("scaled", "Multiply", at=AT, a=scale, b=_linear(s, "n_sum", units, "x", passed))
    n = s.add("n", "Tanh", at=AT, input=s.add("normal", "LayerNorm", at=AT, input=scaled))
    back = s.add("back", "Subtract", at=AT, a=total, b=n)
    return s.add("h", "Add", at=AT, a=n, b=s.add("part", "Multiply", at=AT, a=z, b=back))


def weighted_children(s: Sketch, units: int) -> str:
    """A weight vector inside what each child gives, and a softmax over its numbers."""
    each = children(s, "each", "h", "each", axis="tree", width=units)
    scale = s.add("scale", "Weights", at=AT, params={"units": units, "spread": 0.5})
    chosen = s.add("chosen", "Softmax", at=AT, input=_linear(s, "chosen_sum", units, each))
    scaled = s.add("scaled", "Multiply", at=AT, a=s.add("some", "Multiply", at=AT, a=chosen, b=each), b=scale)
    total = s.add("total", "Sum", at=AT, input=scaled)
    return s.add("h", "Tanh", at=AT, input=s.add("both", "Add", at=AT, a=total, b=_linear(s, "h_sum", units, "x")))


def _bilinear(s: Sketch, name: str, units: int, a: str, b: str, *, bias: bool = False) -> str:
    return s.add(name, "Bilinear", at=AT, params={"units": units, "bias": bias}, a=a, b=b)


def tensors_everywhere(s: Sketch, units: int) -> str:
    """Bilinear maps of the input, of places, of sums and of each child, with biases, side by side and cut apart."""
    left = children(s, "left", "h", "slot", slot=0, initial="learned", axis="tree", width=units)
    right = children(s, "right", "h", "slot", slot=1, axis="tree", width=units)
    total = children(s, "total", "h", axis="tree", width=units)
    each = children(s, "each", "h", "each", axis="tree", width=units)
    known = s.add("known", "Concat", at=AT, a="x", b=right)
    pair = _bilinear(s, "pair", units + 2, known, left, bias=True)
    own = _bilinear(s, "own", 2, s.add("shown", "Tanh", at=AT, input=_linear(s, "own_sum", 3, total)), "x")
    squashed = s.add("squashed", "Concat", at=AT, a=each, b=total)
    met = _bilinear(s, "met", units, squashed, "x")
    again = _bilinear(s, "again", units, met, squashed, bias=True)
    square = _bilinear(s, "square", units, squashed, squashed)
    judged = s.add("judged", "Sigmoid", at=AT, input=s.add("both", "Add", at=AT, a=again, b=square))
    kept = s.add("kept", "Sum", at=AT, input=s.add("passed", "Multiply", at=AT, a=judged, b=each))
    part = s.add("part", "Slice", at=AT, params={"start": 1, "stop": units + 1}, input=pair)
    whole = s.add("whole", "Add", at=AT, params={"terms": 3}, a=part, b=kept, c=_linear(s, "out", units, own))
    return s.add("h", "Tanh", at=AT, input=whole)


def counted(s: Sketch, units: int) -> str:
    """What a node says is added once for each of its children: leaves make nothing of it, and no gradient of it."""
    each = children(s, "each", "h", "each", axis="tree", width=units)
    known = s.add("known", "Linear", at=AT, params={"units": units}, input="x")
    squared = _bilinear(s, "squared", units, known, known)
    beside = s.add("beside", "Concat", at=AT, a=squared, b=each)
    part = s.add("part", "Slice", at=AT, params={"start": 0, "stop": units}, input=beside)
    total = s.add("total", "Sum", at=AT, input=part)
    kept = s.add("kept", "Mean", at=AT, input=each)
    return s.add("h", "Tanh", at=AT, input=_linear(s, "h_sum", units, total, known, kept))


def one_tensor_twice(s: Sketch, units: int) -> str:
    """Two bilinear maps share their tensor, which each folds in blocks of its own."""
    left = children(s, "left", "h", "slot", slot=0, axis="tree", width=units)
    right = children(s, "right", "h", "slot", slot=1, axis="tree", width=units)
    pair = s.add("pair", "Concat", at=AT, a=left, b=right)
    made = s.add("made", "Sigmoid", at=AT, input=_linear(s, "made_sum", 2 * units, "x", pair))
    s.add("one", "Bilinear", at=AT, params={"units": units, "bias": False}, shared="tensor", a=pair, b=pair)
    s.add("two", "Bilinear", at=AT, params={"units": units, "bias": False}, shared="tensor", a=made, b=made)
    s.add("three", "Bilinear", at=AT, params={"units": units, "bias": False}, shared="tensor", a=made, b=pair)
    whole = s.add("whole", "Add", at=AT, params={"terms": 3}, a="one", b="two", c="three")
    return s.add("h", "Tanh", at=AT, input=whole)


def pooled(s: Sketch, units: int) -> str:
    """The largest, the first and the last of what the children give, of children as they are and of maps of them."""
    each = children(s, "each", "h", "each", axis="tree", width=units)
    mapped = s.add("mapped", "Relu", at=AT, input=_linear(s, "mapped_sum", units, each, "x"))  # 0 is a common value
    most = s.add("most", "Max", at=AT, input=mapped)
    over = s.add("over", "Subtract", at=AT, a=mapped, b=most)
    least = s.add("least", "Max", at=AT, input=s.add("short", "Square", at=AT, input=over))
    first = s.add("first", "First", at=AT, input=s.add("squashed", "Tanh", at=AT, input=over))
    last = s.add("last", "Last", at=AT, input=each)
    biggest = s.add("biggest", "Max", at=AT, input=each)
    ends = _linear(s, "ends", units, "x", first, last, least)
    both = s.add("both", "Add", at=AT, params={"terms": 3}, a=ends, b=most, c=biggest)
    return s.add("h", "Tanh", at=AT, input=both)


def max_pooled(s: Sketch, units: int) -> str:
    """The largest of what each child says: the pooling aggregator of Hamilton et al. 2017, section 3.3."""
    each = children(s, "each", "h", "each", axis="tree", width=units)
    most = s.add("most", "Max", at=AT, input=s.add("said", "Relu", at=AT, input=_linear(s, "said_sum", units, each)))
    return s.add("h", "Tanh", at=AT, input=_linear(s, "h_sum", units, "x", most))


def attentive(s: Sketch, units: int) -> str:
    """A node asks its children with its input and the first child, in three ways."""
    each = children(s, "each", "h", "each", axis="tree", width=2 * units)
    first = children(s, "first", "h", "slot", slot=0, axis="tree", width=2 * units)
    query = _linear(s, "query", 2 * units, "x", first)
    s.add("looked", "Attention", at=AT, params={"units": units, "score": "additive"}, query=query, keys=each)
    s.add("dot", "Attention", at=AT, params={"score": "scaled_dot", "heads": 2}, query=query, keys=each)
    scores = s.add("scores", "Linear", at=AT, params={"units": 1, "bias": False}, input=each)  # a bias would do nothing
    chances = s.add("chances", "Softmax", at=AT, params={"axis": "tree_children"}, input=scores)
    given = s.add("given", "Multiply", at=AT, a=chances, b=each)
    mixed = s.add("mixed", "Sum", at=AT, input=given)
    total = _linear(s, "total", 2 * units, "x", "looked.out", "dot.out", mixed)
    return s.add("h", "Tanh", at=AT, input=total)


def bare_sum(s: Sketch, units: int) -> str:
    """What is read outside is nothing but the sum of the children; so is one of the memories."""
    total = children(s, "total", "h", axis="tree", width=units)
    each = children(s, "each", "h", "each", axis="tree", width=units)
    s.add("again", "Sum", at=AT, input=each)
    below = children(s, "below", "again", axis="tree", width=units)
    s.add("h", "Tanh", at=AT, input=_linear(s, "h_sum", units, "x", total, below))
    return "again"


def wide(s: Sketch, units: int) -> str:
    """Memory and output side by side in one state that is cut apart again."""
    left = children(s, "left", "state", "slot", slot=0, axis="tree", width=2 * units)
    total = children(s, "total", "state", axis="tree", width=2 * units)
    old = s.add("old", "Slice", at=AT, params={"start": 0, "stop": units}, input=total)
    shown = s.add("shown", "Slice", at=AT, params={"start": units, "stop": 2 * units}, input=left)
    new = s.add("new", "Tanh", at=AT, input=_linear(s, "new_sum", units, "x", shown))
    c = s.add("c", "Add", at=AT, a=new, b=old)
    h = s.add("h", "Sigmoid", at=AT, input=c)
    return s.add("state", "Concat", at=AT, a=c, b=h)


DRAWN: dict[str, str | Draw] = {
    "recursive net": "RecursiveNet",
    "child-sum": "ChildSumTreeLSTM",
    "binary": "BinaryTreeLSTM",
    "rntn": "RNTN",
    "learned missing": learned_missing,
    "judged by the sum": judged_by_the_sum,
    "asked twice": asked_twice,
    "reset": reset,
    "weighted children": weighted_children,
    "tensors everywhere": tensors_everywhere,
    "counted": counted,
    "one tensor twice": one_tensor_twice,
    "pooled": pooled,
    "max pooled": max_pooled,
    "attentive": attentive,
    "bare sum": bare_sum,
    "wide": wide,
}
