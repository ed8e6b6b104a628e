"""What can be added to a drawing: node kinds, library cells, the design's own cells; searching them, and making nodes.

Palette, quick add and drops all go through here, so that a node is the same whichever way it came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..catalog.catalog import CELL, FAMILIES, Catalog
from ..catalog.node import Port
from ..catalog.taking import library_cell
from ..compiler.contents import ports_of
from ..compiler.resolve import ports
from ..design.bringing import bring, with_cells_renamed
from ..design.design import MAIN, CellDefinition, Design, Node, Value, Var, frozen
from ..design.edits import AddNode, Compound, Edit, SetCell, SetParam
from ..design.recipe import FieldSpec
from ..design.signals import Signal, Tokens
from .own_cells import OwnCell

MIME = "application/x-rnnstudio-offer"
"""What a drag from the palette carries: an offer's key."""


BOTH, THERE, NEW = "both", "there", "new"
"""What becomes of an own cell whose name the design has for another: it gets another name, the design's is used in its
place, or it takes the design's place."""

IN_DESIGN, OWN = "Cells of this design", "Own cells"
"""Sections of the palette."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing to add. `key` is "kind:Linear", "cell:LSTM", or "field:label" for a field of the data.

    "cell:LSTM" is the library's cell, or the design's own where the library has none of that name; "drawn:LSTM" is the
    design's where the library has one too; "own:Mine" one of the person's own library.
    section: where the palette lists it, "" for its family. cells: what an own cell brings along.
    collision: what becomes of those whose name the design has for another cell.
    """

    key: str
    title: str
    family: str
    doc: str = ""
    formula: str = ""
    source: str = ""
    symbol: str = ""
    words: tuple[str, ...] = ()
    section: str = ""
    cells: Mapping[str, CellDefinition] = field(default_factory=dict, hash=False)
    collision: str = BOTH

    @property
    def name(self) -> str:
        return self.key.partition(":")[2]


Own = Mapping[str, OwnCell]
"""The person's own cells, by name."""


def offers(catalog: Catalog, design: Design, graph: str = MAIN, own: Own | None = None) -> list[Offer]:
    """Everything that may be added to `graph`, in the palette's order."""
    found: list[Offer] = []
    families = [*FAMILIES, *sorted({k.family for k in catalog.kinds.values()} - set(FAMILIES))]
    for family in families:
        if family == "Cells":
            found += _cells(catalog, design, graph, own or {})
        if family == "Cell" and graph == MAIN:
            continue
        found += [
            Offer(f"kind:{k.name}", k.title, k.family, k.doc, k.formula, k.source, k.symbol, (k.name, *k.words))
            for k in catalog.family(family)
        ]
    return found


def _cells(catalog: Catalog, design: Design, graph: str, own: Own) -> list[Offer]:
    """The library's cells, always as the library has them; those that the design has drawn; the person's own."""
    found = [_cell_offer(cell, catalog) for name, cell in catalog.cells.items() if name != graph]
    for name, cell in design.cells.items():
        if name == graph:
            continue
        offer = _cell_offer(cell, catalog)
        if not catalog.draws(cell):
            key = f"drawn:{name}" if name in catalog.cells else offer.key
            found.append(replace(offer, key=key, title=name, section=IN_DESIGN))
        elif name not in catalog.cells:  # of a family, for another number of children
            found.append(offer)
    for name, there in own.items():
        offer = _cell_offer(there.cell, catalog)
        found.append(replace(offer, key=f"own:{name}", title=name, section=OWN, cells=there.definitions))
    return found


def _cell_offer(cell: CellDefinition, catalog: Catalog) -> Offer:
    words: tuple[str, ...] = ("recurrent", "cell", "layer")
    title = cell.name
    drawn = catalog.family_of(cell)
    if drawn is not None:
        family, children = drawn
        words = (*words, cell.name, family.name, "tree", "children", "n-ary")
        title = family.title if children == family.default else f"{family.title}, {children} children"
    return Offer(f"cell:{cell.name}", title, "Cells", cell.doc, cell.formula, cell.source, "", words)


def field_offer(spec: FieldSpec) -> Offer:
    """A field of the data as something to add: an input or a target that reads it."""
    return Offer(f"field:{spec.name}", spec.name, "Data", f"The field “{spec.name}” of the data.")


def kind_for(spec: FieldSpec) -> str:
    """The kind of node that reads a field in its role."""
    return f"{'Token' if spec.content == 'tokens' else 'Feature'}{'Target' if spec.role == 'target' else 'Input'}"


def field_of(offer: Offer, design: Design) -> FieldSpec | None:
    """The field that an offer stands for, of the design's data; None for other offers."""
    if not offer.key.startswith("field:") or design.data is None:
        return None
    return design.data.readable.get(offer.name)


def bound(offer: Offer, node: Node, design: Design, graph: str = MAIN) -> Edit | None:
    """The edit by which a node reads the field of an offer; None where it reads no data, or of another content."""
    spec = field_of(offer, design)
    kinds = ("TokenInput", "TokenTarget") if spec and spec.content == "tokens" else ("FeatureInput", "FeatureTarget")
    if spec is None or node.kind not in kinds:
        return None
    values = (("field", spec.name), ("axis", spec.axis or ""))
    edits = tuple(SetParam(node.id, name, value, graph) for name, value in values)
    return Compound(edits, f"{node.label} reads {spec.name}")


def find(key: str, catalog: Catalog, design: Design, graph: str = MAIN, own: Own | None = None) -> Offer | None:
    if key.startswith("field:"):
        fields = design.data.readable if design.data is not None and graph == MAIN else {}
        spec = fields.get(key.removeprefix("field:"))
        return field_offer(spec) if spec is not None else None
    return next((offer for offer in offers(catalog, design, graph, own) if offer.key == key), None)


def nodes_of(catalog: Catalog, design: Design) -> dict[Offer, tuple[str, str]]:
    """Every node of the drawing and of its cells as something to search for → its graph and id.

    It is found by its name and title, by its kind or cell, and by its parameters: "units", "hidden", "units 64".
    """
    found: dict[Offer, tuple[str, str]] = {}
    for graph in (MAIN, *design.cells):
        for node in design.graph_of(graph).nodes.values():
            kind = catalog.of(node)
            cell = str(node.params.get("cell", ""))
            what = kind.title if kind is not None else f"cell {cell}" if node.kind == CELL else node.kind
            family = "Cells" if node.kind == CELL else kind.family if kind is not None else ""
            where = f"in the cell {graph}" if graph != MAIN else ""
            title = f"{node.label}  ·  {graph}" if graph != MAIN else node.label
            set_ = [f"{name} {_shown(value)}" for name, value in node.params.items() if name != CELL]
            doc = " ".join(part for part in (f"{node.id}: {what}", where) if part)
            doc += "".join(f" · {one}" for one in set_)
            symbol = kind.symbol if kind is not None else ""
            words = (node.id, what, node.kind, *set_, *(f"shares weights {node.shared}",) * bool(node.shared))
            found[Offer(f"node:{graph}/{node.id}", title, family, doc, "", "", symbol, words)] = (graph, node.id)
    return found


def _shown(value: Value) -> str:
    return value.name if isinstance(value, Var) else "on" if value is True else "off" if value is False else str(value)


def search(text: str, among: Iterable[Offer]) -> list[Offer]:
    """Those that match, best first: the whole title, its beginning, a word's beginning, a part; titles before words.

    Of equals the shorter title comes first. Only when nothing matches so, letters in order count ("lsm" finds LSTM).
    """
    wanted, among = text.strip().lower(), list(among)
    if not wanted:
        return among
    for match in (_match, _letters):
        scored = [(score, i, offer) for i, offer in enumerate(among) if (score := _score(wanted, offer, match)) > 0]
        if scored:
            return [offer for _, _, offer in sorted(scored, key=lambda item: (-item[0], len(item[2].title), item[1]))]
    return []


def _score(wanted: str, offer: Offer, match: Callable[[str, str], float]) -> float:
    title = match(wanted, offer.title.lower())
    symbol = 1.0 if offer.symbol and wanted == offer.symbol.lower() else 0.0
    words = max((match(wanted, word.lower()) for word in offer.words), default=0.0)
    family = 0.5 if offer.family.lower().startswith(wanted) else 0.0
    return max(title, symbol, 0.5 * words, 0.4 * family)


def _match(wanted: str, text: str) -> float:
    if text == wanted:
        return 1.0
    if text.startswith(wanted):
        return 0.9
    if re.search(rf"\b{re.escape(wanted)}", text):
        return 0.7
    return 0.5 if wanted in text else 0.0


def _letters(wanted: str, text: str) -> float:
    """The letters in their order, with few others between them."""
    at, gaps = -1, 0
    for letter in wanted.replace(" ", ""):
        following = text.find(letter, at + 1)
        if following < 0:
            return 0.0
        gaps += following - at - 1 if at >= 0 else 2 * following
        at = following
    return 0.3 / (1 + gaps) if gaps <= 3 else 0.0


def make(offer: Offer, catalog: Catalog, design: Design, graph: str, x: float, y: float) -> tuple[Node, list[Edit]]:
    """A new node for an offer, and the edits that add it: a library cell brings its definition along,
    and those of the cells inside it."""
    taken = design.graph_of(graph)
    if (spec := field_of(offer, design)) is not None:
        params: dict[str, Value] = {"field": spec.name, "axis": spec.axis or ""}
        node = Node(taken.free_id(id_of(spec.name)), kind_for(spec), frozen(params), x, y)
        return node, [AddNode(node, graph)]
    if offer.key.startswith("kind:"):
        first = _first_params(offer.name, catalog, design)
        node = Node(taken.free_id(id_of(offer.name)), offer.name, frozen(first), x, y)
        return node, [AddNode(node, graph)]
    name, edits = _definition(offer, catalog, design)
    node = Node(taken.free_id(id_of(name)), CELL, frozen({"cell": name}), x, y)
    return node, [*edits, AddNode(node, graph)]


def _definition(offer: Offer, catalog: Catalog, design: Design) -> tuple[str, list[Edit]]:
    """The name that an offered cell has in the design, and the edits that bring it there."""
    name = offer.name
    if offer.cells:
        if offer.collision == THERE and name in design.cells:
            return name, []
        if offer.collision == NEW and name in design.cells:
            inner = bring({k: c for k, c in offer.cells.items() if k != name}, design)
            return name, [*inner.edits, SetCell(with_cells_renamed(offer.cells[name], inner.renamed))]
        needed = dict(offer.cells)
        for cell in offer.cells.values():
            for node in cell.graph.nodes.values():
                inside = str(node.params.get("cell", "")) if node.kind == CELL else ""
                if inside not in needed and inside not in design.cells and catalog.definition(inside) is not None:
                    needed = {**catalog.definitions_for(inside), **needed}
        brought = bring(needed, design)
        return brought.renamed.get(name, name), brought.edits
    if offer.key.startswith("drawn:") or (name in design.cells and name not in catalog.cells):
        return name, []
    return name, library_cell(catalog, design, name)[0]


def cell_of(offer: Offer, catalog: Catalog, design: Design) -> CellDefinition | None:
    """The definition that an offer stands for; None where it is no cell."""
    if offer.cells and offer.collision != THERE:
        return offer.cells[offer.name]
    if offer.key.startswith(("own:", "drawn:")):
        return design.cells[offer.name]
    if not offer.key.startswith("cell:"):
        return None
    return catalog.cells.get(offer.name) or design.cells[offer.name]


def id_of(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    spaced = re.sub(r"\W", "_", spaced).lower().strip("_")
    return spaced if spaced.isidentifier() else f"node_{spaced}"


def _first_params(kind: str, catalog: Catalog, design: Design) -> dict[str, Value]:
    """An input or target begins at the field of the data that fits it, where the usual one does not exist."""
    if design.data is None or kind not in ("TokenInput", "FeatureInput", "TokenTarget", "FeatureTarget"):
        return {}
    content = "tokens" if kind.startswith("Token") else "real"
    fitting = [f for f in design.data.fields if f.content == content]
    usual = next((p.default for p in catalog.kinds[kind].params if p.name == "field"), None)
    if not fitting or any(f.name == usual for f in fitting):
        return {}
    target = kind.endswith("Target")
    best = next((f for f in fitting if (f.role == "target") == target), fitting[-1 if target else 0])
    return {"field": best.name} if best.axis == "time" else {"field": best.name, "axis": best.axis or ""}


def offer_ports(offer: Offer, catalog: Catalog, design: Design) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Input and output ports a node made from the offer will have."""
    if (cell := cell_of(offer, catalog, design)) is not None:
        return ports_of(cell, design.cells, catalog)
    if (spec := field_of(offer, design)) is not None:
        return ports(Node("new", kind_for(spec)), design, catalog.kinds[kind_for(spec)]) or ((), ())
    return ports(Node("new", offer.name), design, catalog.kinds[offer.name]) or ((), ())


def content_of(signal: Signal | None, port: Port | None) -> str:
    """ "real", "tokens", "loss" or "any": what a port carries, from its signal where that is known."""
    if signal is not None:
        return "tokens" if isinstance(signal.content, Tokens) else "real"
    return port.content if port is not None else "any"


def why_not(carried: str, wanted: str) -> str:
    """Why something of content `carried` cannot enter a port that takes `wanted`; "" when it can."""
    if "any" in (carried, wanted) or carried == wanted:
        return ""
    if carried == "tokens":
        return "needs features, but this carries tokens: put an Embedding in between"
    if wanted == "tokens":
        return "needs tokens, but this carries features"
    return f"takes {wanted}, but this carries {carried}"


def fitting(
    among: Iterable[Offer], catalog: Catalog, design: Design, *, carried: str = "", wanted: str = ""
) -> Iterator[tuple[Offer, str]]:
    """Offers with an input that takes `carried` (or an output that gives `wanted`), each with that port's name."""
    for offer in among:
        inputs, outputs = offer_ports(offer, catalog, design)
        if carried:
            port = next((p for p in inputs if not why_not(carried, p.content)), None)
        else:
            port = next((p for p in outputs if not why_not(p.content, wanted)), None)
        if port is not None:
            yield offer, port.name
