"""The studio from Python: draw a network by names, check it, and build it as a torch module.

    import rnnstudio

    design = rnnstudio.new("speller")
    text = design.add("TokenInput", "text", size=65)
    design.add("Embedding", "embedding", units=32, input=text)
    design.add("LSTM", "memory", units=128, x="embedding")
    design.add("Linear", "readout", units=65, input="memory.h")
    design.add("Output", "scores", input="readout")
    network = rnnstudio.build(design)           # an nn.Module

What is drawn is the document that the window edits: `design.save("speller.rnn")`, then `rnnstudio open speller.rnn`.
Torch is loaded by `build` alone.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .catalog.catalog import CELL, Catalog
from .catalog.families import CHILDREN, set_children
from .catalog.node import Param, Port
from .catalog.sketch import Sketch
from .compiler.resolve import cell_params, ports
from .compiler.units import unscaled, with_units
from .design import storage
from .design.bringing import bring
from .design.design import MAIN, CellDefinition, Design, Graph, Node, Pin, Value, Var, Wire, frozen
from .design.edits import AddNode, Compound, Connect, Edit, SetAxis, SetCell, SetData, SetParam, SetVariable
from .design.errors import StudioError
from .design.history import Document
from .design.standing import ChangedElsewhere, Standing, standing_of
from .loading import load_plugins

if TYPE_CHECKING:
    from .compiler.diagnostics import Diagnostic
    from .compiler.program import Program
    from .data.dataset import Dataset
    from .design.recipe import DataRecipe
    from .runtime import Network
    from .training.looking import Seen

__all__ = ["Drawing", "DrawingError", "Sheet", "StudioError", "Var", "build", "kinds", "load", "look", "new"]


class DrawingError(StudioError):
    """A drawing that cannot be built. `diagnostics` holds every error; the message tells them all."""

    diagnostics: tuple[Diagnostic, ...] = ()


class Sheet:
    """One graph of a drawing: nodes are added and connected by their names. The design's own, or a cell's inside."""

    def __init__(self, document: Document, graph: str, catalog: Catalog) -> None:
        self._document = document
        self._graph = graph
        self._catalog = catalog

    def _do(self, edit: Edit) -> None:
        self._document.do(with_units(edit, self._document.design, self._catalog))

    @property
    def name(self) -> str:
        """The cell's name, or the design's."""
        return self._graph or self._document.design.name

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes drawn so far, by name."""
        return self._here.nodes

    @property
    def _here(self) -> Graph:
        return self._document.design.graph_of(self._graph)

    def add(
        self,
        kind: str,
        name: str = "",
        *,
        inputs: Mapping[str, str] | None = None,
        shared: str = "",
        title: str = "",
        at: tuple[float, float] | None = None,
        **values: Any,
    ) -> str:
        """Draw a node and return its name, which stands for its first output wherever a source is wanted.

        kind: a node of the catalogue, a cell of this design, or a cell of the library, which is copied into the design.
        A cell for N ordered children (“NaryTreeLSTM”, “RecursiveNet”, “RNTN”) takes `children=N`.
        values: parameters by name; where a name is no parameter but an input port, a source: "node" or "node.port".
        inputs: sources by port, for a port that is called like a parameter. shared: nodes with the same name here share
        their weights. at: column and row; by default to the right of what it reads.
        Raises StudioError, with nothing drawn, for an unknown kind or name.
        """
        edits: list[Edit] = []
        params: dict[str, Value] = {}
        if kind in self._catalog.kinds:
            known = self._catalog.kinds[kind].params
            node_kind = kind
        else:
            cell = self._cell(kind, edits, values)
            known = tuple(p for p in cell_params(cell) if p.name != CELL)
            node_kind, params = CELL, {"cell": cell.name}
        name = name or self._here.free_id(kind.lower())
        sources = dict(inputs or {})
        named = {p.name: p for p in known}
        for key, value in values.items():
            if key in named:
                params[key] = _value(value)
            elif isinstance(value, str):
                sources[key] = value
            else:
                raise _unknown(kind, key, named)
        design = Compound(tuple(edits)).apply(self._document.design)
        there = ports(Node(name, node_kind, frozen(params)), design, self._catalog.get(node_kind)) or ((), ())
        for port in sources:
            if all(p.name != port for p in there[0]):
                raise _unknown(kind, port, {**named, **{p.name: p for p in there[0]}})
        pins = {port: self._output(source) for port, source in sources.items()}
        x, y = at if at is not None else self._place(pin.node for pin in pins.values())
        node = Node(name, node_kind, frozen(params), x * Sketch.COLUMN, y * Sketch.ROW, title, shared)
        edits.append(AddNode(node, self._graph))
        edits += [Connect(Wire(pin, Pin(name, port)), self._graph) for port, pin in pins.items()]
        self._do(Compound(tuple(edits), f"Add {name}"))
        return name

    def connect(self, source: str, target: str) -> None:
        """Draw a wire: "node" or "node.port" at both ends. Without a port: the first output, the first free input.

        An input that is connected already is connected anew. Raises StudioError when there is no such node or port.
        """
        pin = self._output(source)
        name, _, port = target.partition(".")
        free = self._ports(name)[0]
        if not port:
            fed = {wire.target.port for wire in self._here.wires_into(name)}
            port = next((p.name for p in free if p.name not in fed), "")
            if not port:
                raise StudioError(f"“{name}” has no free input", remedy="Name the port: “node.port”.")
        elif all(p.name != port for p in free):
            raise StudioError(f"“{name}” has no input “{port}”", remedy=_listed("Inputs", (p.name for p in free)))
        self._do(Connect(Wire(pin, Pin(name, port)), self._graph))

    def set(self, node: str, **values: Any) -> None:
        """Change parameters of a node. Raises StudioError when there is no such node or parameter."""
        there = self._node(node)
        kind = self._catalog.get(there.kind)
        cell = self._document.design.cells.get(str(there.params.get("cell", "")))
        known = {p.name: p for p in (kind.params if kind else cell_params(cell) if cell else ())}
        drawn = self._catalog.family_of(cell) if cell is not None else None
        edits: list[Edit] = []
        for key, value in values.items():
            if key == CHILDREN and drawn is not None:
                edits.append(set_children(self._document.design, self._graph, there, drawn[0], value))
            elif key in known:
                edits.append(SetParam(node, key, _value(value), self._graph))
            else:
                raise _unknown(there.kind, key, known)
        self._do(Compound(tuple(edits), f"Set {node}"))

    def _cell(self, name: str, edits: list[Edit], values: dict[str, Any]) -> CellDefinition:
        """The cell of that name; `edits` bring it and what is inside it into the design.

        values: a family's number of children is taken out of them.
        """
        cells = self._document.design.cells
        family = self._catalog.families.get(name)
        if family is not None and (CHILDREN in values or name not in cells):
            drawn = family.drawn(values.pop(CHILDREN, family.default))
            if drawn.name not in cells:
                edits.append(SetCell(drawn))
            elif family.children_of(cells[drawn.name]) is None:
                remedy = "Use that one by its name, or remove it first."
                raise StudioError(f"The design has a changed cell “{drawn.name}” already", remedy=remedy)
            return drawn
        if name in cells:
            return cells[name]
        found = self._catalog.definition(name)
        if found is None:
            known = (*self._catalog.kinds, *cells, *self._catalog.cells, *self._catalog.families)
            near = difflib.get_close_matches(name, known, 3, 0.5)
            remedy = _listed("Did you mean", near) if near else "`rnnstudio.kinds()` lists what can be drawn."
            raise StudioError(f"There is no node or cell called “{name}”", remedy=remedy)
        brought = bring(self._catalog.definitions_for(name), self._document.design)
        edits += brought.edits
        return brought.cells[found.name]

    def _node(self, name: str) -> Node:
        if name not in self._here.nodes:
            remedy = _listed("Nodes", self._here.nodes)
            raise StudioError(f"There is no node called “{name}” in {self.name}", remedy=remedy)
        return self._here.nodes[name]

    def _ports(self, name: str) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
        node = self._node(name)
        return ports(node, self._document.design, self._catalog.of(node)) or ((), ())

    def _output(self, source: str) -> Pin:
        name, _, port = source.partition(".")
        there = [p.name for p in self._ports(name)[1]]
        if not there or (port and port not in there):
            what = f"“{name}” has no output “{port}”" if port else f"“{name}” has no output"
            raise StudioError(what, remedy=_listed("Outputs", there))
        return Pin(name, port or there[0])

    def _place(self, sources: Iterable[str]) -> tuple[float, float]:
        """The first free place right of the sources, in columns and rows."""
        spots = {(round(n.x / Sketch.COLUMN), round(n.y / Sketch.ROW)) for n in self._here.nodes.values()}
        read = [self._here.nodes[name] for name in sources]
        column = 1 + max((round(n.x / Sketch.COLUMN) for n in read), default=-1)
        row = min((round(n.y / Sketch.ROW) for n in read), default=0)
        while (column, row) in spots:
            row += 1
        return column, row


class Drawing(Sheet):
    """A design being drawn. Everything can be undone, as in the window."""

    def __init__(self, design: Design, path: Path | None = None, stands: Standing | None = None) -> None:
        super().__init__(Document(design, path), MAIN, load_plugins().catalog)
        self._stands = stands

    @property
    def design(self) -> Design:
        """The document as an immutable value: what the compiler, the trainer and the file take."""
        return self._document.design

    def variable(self, name: str, value: float) -> Var:
        """Set a named size, and return what a parameter takes to read it."""
        self._do(SetVariable(name, value))
        return Var(name)

    def axis(self, name: str, *, kind: str | None = None, chunk: int | None = None, carry: bool | None = None) -> str:
        """Settings of an axis, and its name; what is not given stays as it is.

        kind: "sequence" (ordered steps) or "tree" (the nodes of a tree: Children and Root cross it).
        chunk: steps that truncated back-propagation through time sees; 0: as the training settings say.
        carry: whether the state at a chunk's end begins the next chunk.
        """
        if kind not in (None, "sequence", "tree"):
            raise StudioError(f"The axis “{name}” cannot be a “{kind}”", remedy="Give “sequence” or “tree”.")
        if not name.isidentifier():
            raise StudioError(f"“{name}” is no name of an axis", remedy="Use letters, digits and _.")
        if chunk is not None and (isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 0):
            raise StudioError(f"A chunk of {chunk!r} steps cannot be", remedy="Give a whole number; 0 for no own.")
        given: dict[str, Any] = {"kind": kind, "chunk": chunk, "carry": carry}
        settings = replace(self.design.axis(name), **{key: value for key, value in given.items() if value is not None})
        self._do(SetAxis(settings))
        return name

    def define(self, name: str, *, doc: str = "", formula: str = "", source: str = "", **params: Value) -> Sheet:
        """Invent a cell: an empty drawing to fill, whose CellInput and CellOutput nodes become its ports.

        params: the cell's own variables with their defaults, which its nodes read as Var("units").
        """
        if name in self._catalog.kinds or name in self.design.cells:
            raise StudioError(f"There is a node or cell called “{name}” already", remedy="Choose another name.")
        self._do(SetCell(CellDefinition(name, Graph(), frozen(params), doc, formula, source)))
        return Sheet(self._document, name, self._catalog)

    def cell(self, name: str) -> Sheet:
        """The drawing of a cell of this design, to be changed. Raises StudioError when there is none."""
        if name not in self.design.cells:
            remedy = _listed("Cells", self.design.cells)
            raise StudioError(f"The design has no cell called “{name}”", remedy=remedy)
        return Sheet(self._document, name, self._catalog)

    def bring(self, cell: CellDefinition | str | os.PathLike[str], *others: CellDefinition) -> str:
        """Take in a cell of a `.rnncell` file or of another drawing, and return its name in this one.

        It gets another name where this design has another cell of its name, and is shared where the two are equal.
        others: definitions of the cells inside it. Raises StudioError.
        """
        from .design.cell_file import load_cell

        found = cell if isinstance(cell, CellDefinition) else load_cell(Path(cell))
        brought = bring({c.name: c for c in (*others, found)}, self.design)
        if brought.edits:
            self._do(Compound(tuple(brought.edits), f"Bring {found.name}"))
        return brought.cells[found.name].name

    def read(self, data: str | os.PathLike[str] | DataRecipe, **options: Any) -> Dataset:
        """Read a data file (or recipe) and make its fields known to the drawing. Returns the dataset.

        options: of the reader; columns they name as targets, group or order are then no inputs. A relative path starts
        from the design's folder, or the current one. What a loss of probabilities in the drawing takes as its target
        is not scaled. Raises StudioError.
        """
        from . import data as reading
        from .design.recipe import DataRecipe

        base = self._document.path.parent if self._document.path is not None else Path.cwd()
        recipe = data if isinstance(data, DataRecipe) else reading.guess(reading.resolve(str(data), base))
        if not isinstance(data, DataRecipe) and not recipe.made:
            recipe = recipe.replace(path=str(data))
        dataset = reading.open(reading.choose(recipe, options), base)
        self._do(SetData(dataset.recipe))
        return dataset.as_in_file(unscaled(self.design, self._catalog))

    def check(self) -> tuple[Diagnostic, ...]:
        """Everything that is wrong with the drawing: errors, warnings and hints."""
        from .compiler.check import check

        return check(self.design, self._catalog).diagnostics

    def program(self) -> Program:
        """What the drawing compiles to; `print(design.program().text())`. Raises DrawingError."""
        return _compiled(self.design, self._catalog)

    def source(self) -> str:
        """The network as plain PyTorch source. Raises DrawingError."""
        from .compiler.source import source

        return source(self.program())

    def undo(self) -> bool:
        """Take back the last step. False when there is none."""
        return self._document.undo()

    def save(self, path: str | os.PathLike[str] = "", *, overwrite: bool = False) -> None:
        """Write the design file (again to where it came from, without a path).

        Raises StudioError: also when its own file was changed or deleted by somebody else since it was loaded or
        saved, unless `overwrite` says that this is to take its place. A path of another file is written as it is named.
        """
        own = self._document.path
        target = Path(path) if path else own
        if target is None:
            raise StudioError("The design has no file yet", remedy="Give a path: save(“name.rnn”).")
        again = own is not None and target.resolve() == own.resolve()
        try:
            self._stands = storage.save(self.design, target, self._stands if again and not overwrite else None)
        except ChangedElsewhere as error:
            remedy = "load() it again, save(path) under another name, or save(overwrite=True)."
            raise ChangedElsewhere(error.what, where=error.where, remedy=remedy) from None
        self._document.saved(target)


def new(name: str = "untitled") -> Drawing:
    """An empty drawing."""
    return Drawing(Design(name=name))


def load(path: str | os.PathLike[str]) -> Drawing:
    """The drawing of a design file. Raises StudioError when it is missing or damaged."""
    file = Path(path)
    text = storage.read_text(file)
    return Drawing(storage.loads(text, str(file)), file, standing_of(text.encode("utf-8")))


def kinds() -> dict[str, str]:
    """What can be drawn: every node and library cell by name, with what it is."""
    catalog = load_plugins().catalog
    families = {f.name: f.drawn(f.default).doc for f in catalog.families.values()}
    return {k.name: k.doc for k in catalog.kinds.values()} | {c.name: c.doc for c in catalog.cells.values()} | families


def build(design: Drawing | Design, seed: int = 0) -> Network:
    """The network of a drawing, an nn.Module; its parameters start from `seed`. Raises DrawingError with all errors."""
    value = design.design if isinstance(design, Drawing) else design
    program = _compiled(value, load_plugins().catalog)
    from .runtime import Network

    return Network(program, seed)


def look(run: str | os.PathLike[str], example: int = 0, **how: Any) -> Seen:
    """What is inside a trained run for one example of its data: `rnnstudio.training.looking.Looker.look`."""
    from .training.looking import Looker

    return Looker().look(Path(run), example, **how)


def _compiled(design: Design, catalog: Catalog) -> Program:
    from .compiler import check, compile_design

    errors = check(design, catalog).errors
    if not errors:
        return compile_design(design, catalog)
    told = "; ".join(f"{n}) {e.message}" if len(errors) > 1 else e.message for n, e in enumerate(errors, 1))
    many = f"has {len(errors)} errors" if len(errors) > 1 else "has an error"
    fixes = "; ".join(dict.fromkeys(e.fix_title for e in errors if e.fix_title))
    problems = DrawingError(f"The design “{design.name}” {many}: {told}", remedy=f"{fixes}." if fixes else "")
    problems.diagnostics = errors
    raise problems


def _value(value: Any) -> Value:
    """A list becomes a tuple, as in a file."""
    return tuple(_value(v) for v in value) if isinstance(value, list | tuple) else value


def _unknown(kind: str, key: str, known: Mapping[str, Param | Port]) -> StudioError:
    return StudioError(f"“{kind}” has no parameter or input “{key}”", remedy=_listed("It has", known))


def _listed(what: str, names: Iterable[str]) -> str:
    return f"{what}: {', '.join(names) or 'none'}."
