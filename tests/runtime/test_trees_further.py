"""Trees whose values run along further axes: against recursion written by hand, in any batch, and as printed source."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check
from rnnstudio.design.design import Design, frozen
from rnnstudio.design.signals import Axis
from rnnstudio.runtime import Network
from tests.conformance.catalogue import network
from tests.conformance.running import program_of
from tests.properties.laws import Run, assert_equal, assert_padding_counts_not, assert_the_source_gives, fields_of

SIZES = {"tree": 6, "time": 4, "source": 3, "bush": 4}
LENGTHS = {
    "tree": torch.tensor([6, 1, 4]),
    "time": torch.tensor([2, 4, 3]),
    "source": torch.tensor([3, 1, 2]),
    "bush": torch.tensor([4, 3, 1]),
}


def drawing(s: Sketch) -> Design:
    return Design(name="trees", graph=s.graph(), axes=frozen({a: Axis(a, "tree") for a in ("tree", "bush")}))


def inputs(s: Sketch, *axes: str) -> None:
    """A feature input, two wide, called like its axis, for each axis."""
    for i, axis in enumerate(axes):
        s.add(axis, "FeatureInput", at=(0, i), params={"field": f"x_{axis}", "axis": axis, "size": 2})


def everywhere(*further: str) -> Design:
    """Children of every sort, and the root, of the sum of inputs along a tree and along further axes: no loop."""
    s = Sketch()
    inputs(s, "tree", *further)
    total = "tree"
    for axis in further:
        total = s.add(f"with_{axis}", "Add", at=(1, 0), a=axis, b=total)
    on = {"axis": "tree"}
    s.add("sum", "Children", at=(2, 0), params=on, input=total)
    s.add("second", "Children", at=(2, 1), params={**on, "how": "slot", "slot": 1, "initial": "learned"}, input=total)
    s.add("ninth", "Children", at=(2, 2), params={**on, "how": "slot", "slot": 8, "initial": "learned"}, input=total)
    s.add("each", "Children", at=(2, 3), params={**on, "how": "each"}, input=total)
    s.add("meet", "Multiply", at=(3, 3), a="each", b=total)
    s.add("largest", "Max", at=(4, 3), params={"axis": "tree_children"}, input="meet")
    s.add("root", "Root", at=(3, 0), params=on, input="sum")
    for name in ("sum", "second", "ninth", "largest", "root"):
        s.add(f"out_{name}", "Output", at=(9, 0), input=name)
    return drawing(s)


def recursive(how: str, *further: str) -> Design:
    """h_n = tanh(W x_n + Σ_a V_a y_a + U children's h + b): the state of a node runs along the further axes."""
    s = Sketch()
    inputs(s, "tree", *further)
    params = {"axis": "tree", "width": 3, "how": how, "slot": 1, "beyond": "left out"}
    params["initial"] = "learned" if how == "slot" else "zero"
    s.add("kids", "Children", at=(1, 0), params=params, input="h")
    kids = "kids"
    if how == "each":
        s.add("squashed", "Sigmoid", at=(2, 0), input="kids")
        kids = s.add("all", "Sum", at=(3, 0), params={"axis": "tree_children"}, input="squashed")
    ports = {f"input{i + 3}": axis for i, axis in enumerate(further)}
    terms = {"units": 3, "terms": 2 + len(further)}
    s.add("linear", "Linear", at=(4, 0), params=terms, input="tree", input2=kids, **ports)
    s.add("h", "Tanh", at=(5, 0), input="linear")
    s.add("top", "Root", at=(6, 0), params={"axis": "tree"}, input="h")
    s.add("y", "Output", at=(7, 0), input="h")
    s.add("z", "Output", at=(7, 1), input="top")
    return drawing(s)


def time_inside_the_tree(*, tree_first: bool = True) -> Design:
    """h_(t,n) = tanh(W x_n + V y_t + U h_(t−1,n) + R last_t Σ_kids h): a loop along time at every node of a tree."""
    s = Sketch()
    inputs(s, "tree", "time")
    before = ("before", "Delay", {"axis": "time", "width": 3})
    kids = ("kids", "Children", {"axis": "tree", "width": 3})
    for name, kind, params in (kids, before) if tree_first else (before, kids):
        s.add(name, kind, at=(1, 0), params=params, input="h" if kind == "Delay" else "last")
    s.add("last", "Last", at=(6, 0), params={"axis": "time"}, input="h")
    ports = {"input": "tree", "input2": "time", "input3": "before", "input4": "kids"}
    s.add("linear", "Linear", at=(3, 0), params={"units": 3, "terms": 4}, **ports)
    s.add("h", "Tanh", at=(4, 0), input="linear")
    s.add("y", "Output", at=(7, 0), input="h")
    return drawing(s)


def tree_inside_time() -> Design:
    """h_(t,n) = tanh(W x_n + V y_t + U Σ_kids h_t + R root of h_(t−1)): a whole tree at every step of a sequence."""
    s = Sketch()
    inputs(s, "tree", "time")
    s.add("kids", "Children", at=(1, 0), params={"axis": "tree", "width": 3}, input="h")
    s.add("top", "Root", at=(5, 0), params={"axis": "tree"}, input="h")
    s.add("before", "Delay", at=(1, 1), params={"axis": "time", "width": 3, "initial": "learned"}, input="top")
    ports = {"input": "tree", "input2": "time", "input3": "kids", "input4": "before"}
    s.add("linear", "Linear", at=(3, 0), params={"units": 3, "terms": 4}, **ports)
    s.add("h", "Tanh", at=(4, 0), input="linear")
    s.add("y", "Output", at=(7, 0), input="h")
    return drawing(s)


def tree_inside_a_tree() -> Design:
    """h_(n,m) = tanh(W x_n + V y_m + U Σ_(kids of n) h + R Σ_(kids of m) h), over the nodes of two trees."""
    s = Sketch()
    inputs(s, "tree", "bush")
    s.add("kids", "Children", at=(1, 0), params={"axis": "tree", "width": 3}, input="h")
    s.add("twigs", "Children", at=(1, 1), params={"axis": "bush", "width": 3}, input="h")
    ports = {"input": "tree", "input2": "bush", "input3": "kids", "input4": "twigs"}
    s.add("linear", "Linear", at=(3, 0), params={"units": 3, "terms": 4}, **ports)
    s.add("h", "Tanh", at=(4, 0), input="linear")
    s.add("y", "Output", at=(7, 0), input="h")
    return drawing(s)


DRAWINGS: dict[str, Callable[[], Design]] = {
    "everywhere, a sequence": lambda: everywhere("time"),
    "everywhere, two sequences": lambda: everywhere("time", "source"),
    "everywhere, another tree": lambda: everywhere("bush"),
    **{f"recursive {how}": (lambda how=how: recursive(how, "time")) for how in ("sum", "slot", "each")},
    "recursive, two sequences": lambda: recursive("slot", "time", "source"),
    "recursive each, another tree": lambda: recursive("each", "bush"),
    "time inside the tree": time_inside_the_tree,
    "time inside the tree, drawn first": lambda: time_inside_the_tree(tree_first=False),
    "tree inside time": tree_inside_time,
    "tree inside a tree": tree_inside_a_tree,
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_way_to_run_it_agrees_and_padding_counts_not(name: str) -> None:
    drawn = DRAWINGS[name]()
    assert check(drawn, standard()).errors == ()
    program = program_of(drawn)
    reference, made = network(program, reference=True), network(program)
    lengths = {axis: LENGTHS[axis] for axis in program.axes.values()}
    for own in (None, lengths):
        fields = fields_of(program, 5, SIZES, own, LENGTHS)
        wanted = Run(reference, fields, own)
        assert_equal(Run(made, fields, own), wanted)
        assert_the_source_gives(wanted, reference, fields, own)
        if own is not None:
            for one in range(3):
                assert_padding_counts_not(reference, fields, own, wanted, one, SIZES, LENGTHS)


@pytest.mark.parametrize("name", DRAWINGS)
def test_gradients_equal_finite_differences(name: str) -> None:
    program = program_of(DRAWINGS[name]())
    made = network(program, reference=True)
    lengths = {axis: LENGTHS[axis] for axis in program.axes.values()}
    fields = fields_of(program, 6, SIZES, lengths, LENGTHS)
    found = Run(made, fields, lengths).gradients
    generator = torch.Generator().manual_seed(1)
    way = {n: torch.randn(g.shape, generator=generator, dtype=torch.float64) for n, g in found.items()}
    wanted = sum(float((way[n] * g).sum()) for n, g in found.items())
    step = 1e-6

    def total(factor: float) -> float:
        with torch.no_grad():
            for path, weight in made.weights.items():
                weight += factor * way[path]
        return Run(made, fields, lengths).total

    difference = (total(step) - total(-2 * step)) / (2 * step)
    assert difference == pytest.approx(wanted, rel=1e-6, abs=1e-7)


def run(made: Network) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Fields of a full batch, and the outputs there."""
    fields = fields_of(made.program, 7, SIZES, None, LENGTHS)
    return fields, {name: x.detach() for name, x in made(fields).outputs.items()}


def kids_of(parents: Tensor, node: int) -> list[int]:
    return [k for k, parent in enumerate(parents.tolist()) if parent == node]


@pytest.mark.parametrize("how", ["sum", "slot", "each"])
def test_a_state_along_two_sequences_is_its_equation(how: str) -> None:
    made = network(program_of(recursive(how, "time", "source")))
    fields, found = run(made)
    w = made.weights

    def h(example: int, n: int, t: int, j: int) -> Tensor:
        below = [h(example, k, t, j) for k in kids_of(fields["tree_parents"][example], n)]
        kids = sum(below, torch.zeros(3, dtype=torch.float64))
        if how == "slot":
            kids = below[1] if len(below) > 1 else w["kids.initial"]
        elif how == "each":
            kids = sum((torch.sigmoid(x) for x in below), torch.zeros(3, dtype=torch.float64))
        x, y, z = fields["x_tree"][example, n], fields["x_time"][example, t], fields["x_source"][example, j]
        total = w["linear.weight"] @ x + w["linear.weight2"] @ kids + w["linear.bias"]
        return torch.tanh(total + w["linear.weight3"] @ y + w["linear.weight4"] @ z)

    axes = made.program.signals[made.program.outputs["y"]].axes
    for example, n, t, j in ((0, 0, 1, 2), (1, 3, 3, 0), (2, 5, 0, 1)):
        place = {"tree": n, "time": t, "source": j}
        value = found["y"][(example, *(place[axis] for axis in axes))]
        torch.testing.assert_close(value, h(example, n, t, j).detach(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("tree_first", [True, False])
def test_a_loop_along_time_at_every_node_is_its_equation(tree_first: bool) -> None:
    made = network(program_of(time_inside_the_tree(tree_first=tree_first)))
    fields, found = run(made)
    w, last = made.weights, SIZES["time"] - 1

    def h(example: int, n: int, t: int) -> Tensor:
        zero = torch.zeros(3, dtype=torch.float64)
        before = h(example, n, t - 1) if t else zero
        kids = sum((h(example, k, last) for k in kids_of(fields["tree_parents"][example], n)), zero)
        x, y = fields["x_tree"][example, n], fields["x_time"][example, t]
        total = w["linear.weight"] @ x + w["linear.weight2"] @ y + w["linear.bias"]
        return torch.tanh(total + w["linear.weight3"] @ before + w["linear.weight4"] @ kids)

    axes = made.program.signals[made.program.outputs["y"]].axes
    for example in range(3):
        root = int((fields["tree_parents"][example] == -1).nonzero()[0])
        for t in (0, 2):
            value = found["y"][(example, *({"tree": root, "time": t}[axis] for axis in axes))]
            torch.testing.assert_close(value, h(example, root, t).detach(), rtol=0, atol=1e-12)


def test_a_state_over_two_trees_is_its_equation() -> None:
    made = network(program_of(tree_inside_a_tree()))
    fields, found = run(made)
    w = made.weights

    def h(example: int, n: int, m: int) -> Tensor:
        zero = torch.zeros(3, dtype=torch.float64)
        kids = sum((h(example, k, m) for k in kids_of(fields["tree_parents"][example], n)), zero)
        twigs = sum((h(example, n, k) for k in kids_of(fields["bush_parents"][example], m)), zero)
        x, y = fields["x_tree"][example, n], fields["x_bush"][example, m]
        total = w["linear.weight"] @ x + w["linear.weight2"] @ y + w["linear.bias"]
        return torch.tanh(total + w["linear.weight3"] @ kids + w["linear.weight4"] @ twigs)

    axes = made.program.signals[made.program.outputs["y"]].axes
    for example in range(3):
        n, m = (int((fields[f"{axis}_parents"][example] == -1).nonzero()[0]) for axis in ("tree", "bush"))
        value = found["y"][(example, *({"tree": n, "bush": m}[axis] for axis in axes))]
        torch.testing.assert_close(value, h(example, n, m).detach(), rtol=0, atol=1e-12)


def test_children_outside_of_loops_are_their_equation() -> None:
    made = network(program_of(everywhere("time")))
    fields, found = run(made)
    total = fields["x_tree"][:, :, None] + fields["x_time"][:, None]
    zero = torch.zeros(SIZES["time"], 2, dtype=torch.float64)
    for name in ("sum", "second", "ninth", "largest"):
        axes = made.program.signals[made.program.outputs[f"out_{name}"]].axes
        value = found[f"out_{name}"]
        found[f"out_{name}"] = value if axes == ("tree", "time") else value.transpose(1, 2)
    for example in range(3):
        for n in range(SIZES["tree"]):
            kids = [total[example, k] for k in kids_of(fields["tree_parents"][example], n)]
            missing = made.weights["second.initial"].detach().expand_as(zero)
            never = made.weights["ninth.initial"].detach().expand_as(zero)
            met = [kid * total[example, n] for kid in kids]
            wanted = {
                "sum": sum(kids, zero),
                "second": kids[1] if len(kids) > 1 else missing,
                "ninth": never,
                "largest": torch.stack(met).amax(0) if met else zero,
            }
            for name, value in wanted.items():
                torch.testing.assert_close(found[f"out_{name}"][example, n], value, rtol=0, atol=1e-12, msg=name)


MISTAKES = {
    "children of children": "ChildrenAxisLeft",
    "each to an output": "ChildrenAxisLeft",
    "root of each": "ChildrenAxisLeft",
    "two trees": "MixedAxes",
    "no such input": "UnknownAxis",
    "reserved name": "ReservedName",
    "sequence and tree": "SequenceAndTree",
    "pool of the loop's own tree": "WholeAxisInLoop",
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_means_nothing_is_told_while_drawing(name: str) -> None:
    s = Sketch()
    inputs(s, "tree", "bush")
    tree = {"axis": "tree"}
    s.add("each", "Children", at=(1, 0), params={**tree, "how": "each"}, input="tree")
    end = "each"
    if name == "children of children":
        end = s.add("again", "Children", at=(2, 0), params=tree, input="each")
    elif name == "root of each":
        end = s.add("root", "Root", at=(2, 0), params=tree, input="each")
    elif name == "two trees":
        s.add("both", "Add", at=(1, 0), a="tree", b="bush")
        end = s.add("which", "Children", at=(2, 0), input="both")
    elif name == "no such input":
        s.add("x", "FeatureInput", at=(0, 5), params={"field": "x", "axis": "", "size": 2})
        s.add("kids", "Children", at=(1, 0), params={"axis": "third", "width": 3}, input="h")
        s.add("linear", "Linear", at=(2, 0), params={"units": 3, "terms": 2}, input="kids", input2="x")
        end = s.add("h", "Tanh", at=(3, 0), input="linear")
    elif name == "reserved name":
        end = s.add("odd", "FeatureInput", at=(0, 0), params={"axis": "tree_children", "size": 2})
    elif name in ("sequence and tree", "pool of the loop's own tree"):
        s.add("kids", "Children", at=(1, 0), params={**tree, "width": 3}, input="h")
        other = ("Delay", {**tree, "width": 3}) if name == "sequence and tree" else ("Mean", tree)
        s.add("other", other[0], at=(1, 1), params=other[1], input="h" if other[0] == "Delay" else "kids")
        s.add("linear", "Linear", at=(2, 0), params={"units": 3, "terms": 2}, input="kids", input2="other")
        end = s.add("h", "Tanh", at=(3, 0), input="linear")
    s.add("y", "Output", at=(9, 0), input=end)
    drawn = drawing(s)
    drawn = drawn.replace(axes=frozen({**drawn.axes, "third": Axis("third", "tree")}))
    errors = check(drawn, standard()).errors
    assert MISTAKES[name] in {d.code for d in errors}, errors
