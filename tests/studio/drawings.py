"""Every drawing that the studio brings along: library cells, examples, patterns, and what is proposed for data."""

from __future__ import annotations

from collections.abc import Iterator

from rnnstudio.catalog.catalog import CELL, standard
from rnnstudio.design.design import MAIN, Design, Graph, Node, Pin, Wire, frozen
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from rnnstudio.design.signals import Axis
from rnnstudio.design.storage import load
from rnnstudio.gallery import draw_pattern
from rnnstudio.proposals import Amount, propose
from rnnstudio.proposals.patterns import PATTERNS
from rnnstudio.proposals.style import USUAL, Style
from rnnstudio.studio.places import gallery

WORD = FieldSpec("word", "tokens", 3, "time", ("a", "b", "c"), role="input", counts=(1, 1, 1))
TAG = FieldSpec("tag", "tokens", 3, "time", ("a", "b", "c"), role="target", counts=(1, 1, 1))
KIND = FieldSpec("kind", "tokens", 3, None, ("a", "b", "c"), role="target", counts=(1, 1, 1))
FRAMES = FieldSpec("frames", "real", 2, "source", columns=("p", "q"), role="input")
SERIES = FieldSpec("series", "real", 2, "time", columns=("p", "q"), role="input")
LATER = FieldSpec("later", "real", 2, "time", columns=("p", "q"), role="target", shift_of="series", shift=1)
WHOLE = FieldSpec("whole", "real", 2, None, columns=("p", "q"), role="input")
WRITTEN = FieldSpec("written", "tokens", 3, "letters", ("a", "b", "c"), role="target", counts=(1, 1, 1))
PARENTS = FieldSpec("tree_parents", "parents", 0, "tree")
LEAVES = FieldSpec("leaves", "tokens", 3, "tree", ("a", "b", "c"), role="input", counts=(1, 1, 1))

MIXTURES = (
    *((WORD, TAG), (WORD, KIND), (WORD, SERIES, TAG, KIND), (SERIES, LATER), (FRAMES, WRITTEN), (WHOLE, KIND)),
    *((WHOLE, WRITTEN), (WORD, WHOLE, KIND), (WORD, FRAMES, TAG), (PARENTS, LEAVES, KIND), (PARENTS, LEAVES, WRITTEN)),
)
STYLES = (USUAL, Style(depth=3, both_ways=True))


def with_inputs(name: str) -> Design:
    """A design that uses a cell of the library, with features at all inputs that need one: so shapes are known."""
    catalog = standard()
    cells = catalog.definitions_for(name)
    cell = cells[name]
    tree = any(node.kind == "Children" for node in cell.graph.nodes.values())
    axis = "tree" if tree else "time"
    others = {"Decoder": {"given": ""}, "AttentionDecoder": {"memory": "source"}}.get(name, {})
    nodes = {"c": Node("c", CELL, frozen({CELL: name, "units": 32} if "units" in cell.params else {CELL: name}))}
    wires = []
    for node in cell.graph.nodes.values():
        if node.kind == "CellInput" and (not node.params.get("optional") or node.id in others):
            key = f"{node.id}_in"
            along = others.get(node.id, axis)
            nodes[key] = Node(key, "FeatureInput", frozen({"size": 32, "axis": along}), x=-300.0, y=80.0 * len(nodes))
            wires.append(Wire(Pin(key, "out"), Pin("c", node.id)))
    axes = {"tree": Axis("tree", "tree")} if tree else {}
    return Design(graph=Graph(frozen(nodes), tuple(wires)), cells=frozen(cells), axes=frozen(axes))


def all_drawings() -> Iterator[tuple[str, Design, str]]:
    """Title, design, and the graph of it that is meant."""
    for name in standard().cells:
        yield f"cell {name}", with_inputs(name), name
    for path in gallery():
        design = load(path)
        for graph in (MAIN, *design.cells):
            yield f"example {path.parent.name} {graph}".strip(), design, graph
    for pattern in PATTERNS:
        yield f"pattern {pattern.name}", draw_pattern(pattern, standard()), MAIN
    for fields in MIXTURES:
        for style in STYLES:
            recipe = DataRecipe("text", "some.txt", fields=fields)
            design = propose(recipe, Amount(100, 5_000), standard(), style=style)
            title = "+".join(spec.name for spec in fields)
            yield f"proposal {title}{'' if style is USUAL else f', {style.depth} deep'}", design, MAIN
