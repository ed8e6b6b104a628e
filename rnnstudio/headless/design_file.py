"""A design as the command line names it: a file or an example, with other data and values put in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import data
from ..catalog.catalog import CELL
from ..catalog.families import CHILDREN, CellFamily, set_children
from ..compiler.binding import bind, bindings
from ..compiler.class_weights import CLASSES, weighings
from ..compiler.class_weights import YES as YES_COUNTS
from ..compiler.resolve import cell_params
from ..compiler.units import unscaled
from ..data import readers
from ..data.dataset import Dataset
from ..data.inherited import Inherited
from ..data.options import NO, YES
from ..data.statistics import yes_or_no_of
from ..design.design import MAIN, Design, Node
from ..design.edits import SetParam, SetVariable
from ..design.errors import StudioError
from ..design.recipe import JSON, DataRecipe
from ..design.storage import load
from ..gallery import example
from ..loading import load_plugins
from ..training.settings import TrainingSettings
from .waiting import read_with_a_bar


@dataclass(frozen=True, slots=True)
class DesignFile:
    """A design and the folder its data's relative path starts from. `example`: it is one of the gallery's."""

    design: Design
    folder: Path
    example: bool = False


def read_design(name: str) -> DesignFile:
    """The design of a .rnn file, or of the example called so. Raises StudioError."""
    path = Path(name)
    if not path.suffix and not path.exists():
        found = example(name)
        return DesignFile(load(found.path), found.path.parent, True)
    return DesignFile(load(path), path.resolve().parent)


def open_data(
    file: DesignFile,
    path: Path | None,
    chosen: Mapping[str, JSON] | None = None,
    inherited: Inherited | None = None,
) -> Dataset:
    """The design's data, or another file read in the design's way. chosen: reader options; inherited: what is taken
    over from a run. Raises StudioError.
    """
    recipe = file.design.data
    if path is None:
        if recipe is None:
            raise StudioError(
                f"The design “{file.design.name}” has no data",
                remedy="Give a file with --data, or load one in the studio.",
            )
        its_own = data.choose(recipe, chosen or {})
        return _bound(read_with_a_bar(lambda: data.open(its_own, file.folder, inherited=inherited)), file.design)
    guessed = data.guess(path, chosen or {})
    if recipe is not None:
        found = data.guesses(path, chosen)
        sure = found[0][0] / 2  # a table could be read as text, too: but that is not meant
        own = next((other for how, other, _ in found if other.reader == recipe.reader and how >= sure), None)
        # A task says nothing of how files are read: a drawing that was made for one takes whatever can be bound to it.
        if own is None and readers.known(recipe.reader) and not recipe.made:
            wanted, other = (readers.find(name) for name in (recipe.reader, guessed.reader))
            raise StudioError(
                f"The design “{file.design.name}” reads {wanted.what or wanted.title}, and this file is "
                f"{other.what or other.title}",
                where=str(path),
                remedy=f"Give a file of {wanted.what or wanted.title} with --data, or a design for this one "
                "(`rnnstudio examples` lists some).",
            )
        if own is not None:
            guessed = recipe if own.made else data.like(recipe, own, chosen or {})
    guessed = guessed if guessed.made else guessed.replace(path=str(path.resolve()))
    its_own = data.choose(guessed, chosen or {})
    return _bound(read_with_a_bar(lambda: data.open(its_own, path.resolve().parent, inherited=inherited)), file.design)


def _bound(dataset: Dataset, design: Design) -> Dataset:
    """The dataset for the design's losses: what a loss of probabilities takes is as in the file."""
    return dataset.as_in_file(unscaled(design.replace(data=dataset.recipe), load_plugins().catalog))


def bound_to(design: Design, recipe: DataRecipe) -> tuple[Design, tuple[str, ...]]:
    """The design with its inputs and targets bound to the fields of its data, and what was bound, for people."""
    with_data = design.replace(data=recipe)
    catalog = load_plugins().catalog
    edit = bind(with_data, catalog)
    if edit is None:
        return design, ()
    return edit.apply(with_data), tuple(found.text() for found in bindings(with_data, catalog))


def apply_values(design: Design, assignments: Sequence[str]) -> tuple[Design, dict[str, Any], dict[str, JSON]]:
    """The design with each NAME=VALUE put in, the training settings and the data options (`data.NAME`) among them.

    Raises StudioError for a name that means nothing, listing those that do.
    """
    settings: dict[str, Any] = {}
    options: dict[str, JSON] = {}
    for text in assignments:
        name, sign, written = text.partition("=")
        name = name.strip()
        if not sign or not name:
            raise StudioError(f"“{text[:80]}” is not NAME=VALUE", where="--set", remedy="For example --set hidden=256.")
        if name.startswith("data."):
            _put(options, name.removeprefix("data."), written.strip())
            continue
        value = _value(written.strip())
        if isinstance(value, int | float) and not -LARGEST <= value <= LARGEST:  # NaN is not between them either
            raise StudioError(f"“{name[:80]}” cannot be {written.strip()[:80]}", where="--set", remedy="Give a number.")
        if name in design.variables:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise StudioError(f"The variable “{name}” needs a number, not “{written[:80]}”", where="--set")
            design = SetVariable(name, value).apply(design)
        elif name in TrainingSettings.model_fields:
            settings[name] = value
        else:
            design = _set_param(design, name, value)
    return design, settings, options


BALANCED = "balanced"


def balanced_of(assignments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The losses whose classes are to be weighted by their counts ("" = all that can), and the other assignments.

    They are written class_weights=balanced, or NODE.class_weights=balanced; NODE.positive_weight=balanced.
    """
    losses, others = [], []
    for text in assignments:
        name, _, written = text.partition("=")
        node, _, parameter = name.strip().rpartition(".")
        if written.strip() == BALANCED and parameter in (CLASSES, YES_COUNTS):
            losses.append(node)
        else:
            others.append(text)
    return losses, others


def balance(design: Design, dataset: Dataset, losses: Sequence[str]) -> tuple[Design, list[str]]:
    """The design with these losses weighted by the counts of the training part, and what was weighted, in words.

    Raises StudioError for a loss that has no classes to be weighted.
    """
    catalog = load_plugins().catalog
    counts = yes_or_no_of(dataset)
    found = {weighing.loss: weighing for weighing in weighings(design.replace(data=dataset.recipe), catalog, counts)}
    wanted = [weighing for name, weighing in found.items() if "" in losses or name in losses]
    for name in losses:
        if not found or (name and name not in found):
            raise StudioError(
                f"“{name}” has no classes that could be weighted" if name else "No loss has classes to be weighted",
                where="--set",
                remedy=f"Losses of classes: {', '.join(found) or 'none'}.",
            )
    for weighing in wanted:
        design = weighing.edit(on=True).apply(design)
    after = weighings(design.replace(data=dataset.recipe), catalog, counts)
    return design, [weighing.told() for weighing in after if weighing.now]


def options_of(assignments: Sequence[str]) -> dict[str, JSON]:
    """Reader options alone, written data.NAME=VALUE or NAME=VALUE, as they are typed: only the reader knows which of
    them are numbers. Raises StudioError for what is neither."""
    found: dict[str, JSON] = {}
    for text in assignments:
        name, sign, written = text.partition("=")
        if not sign or not name.strip():
            raise StudioError(
                f"“{text}” is not NAME=VALUE", where="--set", remedy="For example --set data.level=words."
            )
        _put(found, name.strip().removeprefix("data."), written.strip())
    return found


def _put(options: dict[str, JSON], name: str, value: JSON) -> None:
    """Put an option in; `kinds.speed` is the entry “speed” of the option “kinds”."""
    whole, dot, entry = name.partition(".")
    if name.endswith("_file") and isinstance(value, str) and Path(value).is_file():
        value = str(Path(value).resolve())  # as the person sees it, wherever the design lies
    if not dot:
        options[name] = value
        return
    inner = options.setdefault(whole, {})
    if isinstance(inner, dict):
        inner[entry] = value


def _set_param(design: Design, name: str, value: Any) -> Design:
    key, _, param = name.rpartition(".")
    node = design.graph.nodes.get(key)
    if node is None or param not in _params(design, node):
        variables = ", ".join(design.variables) or "none"
        params = f"; parameters of {key}: {', '.join(_params(design, node))}" if node is not None else ""
        raise StudioError(
            f"There is no “{name[:80]}” to set",
            where="--set",
            remedy=f"Variables: {variables}{params}; training settings: {', '.join(TrainingSettings.model_fields)}.",
        )
    family = _family(design, node)
    if param == CHILDREN and family is not None:
        return set_children(design, MAIN, node, family, value).apply(design)
    kind = load_plugins().catalog.of(node)
    listed = next((p for p in kind.params if p.name == param and p.type in ("floats", "ints")), None) if kind else None
    if listed is not None:
        value = _list(name, value)
    return SetParam(key, param, value).apply(design)


def _list(name: str, value: Any) -> tuple[Any, ...]:
    """Numbers between commas; "none" and nothing are an empty list."""
    parts = [part.strip() for part in str(value).split(",")] if str(value).lower() not in ("", "none") else []
    found = [_value(part) for part in parts]
    wrong = next((part for part, one in zip(parts, found, strict=True) if isinstance(one, bool | str)), None)
    if wrong is not None:
        raise StudioError(f"“{name[:80]}” is a list of numbers, and “{wrong[:80]}” is none", where="--set")
    return tuple(found)


def _family(design: Design, node: Node) -> CellFamily | None:
    """The cells of which the node's is one, drawn for its number of children."""
    cell = design.cells.get(str(node.params.get("cell"))) if node.kind == CELL else None
    drawn = load_plugins().catalog.family_of(cell) if cell is not None else None
    return drawn[0] if drawn is not None else None


def _params(design: Design, node: Node) -> list[str]:
    if node.kind == CELL:
        cell = design.cells.get(str(node.params.get("cell")))
        own = [CHILDREN] if _family(design, node) is not None else []
        return [*own, *(p.name for p in cell_params(cell))] if cell is not None else []
    kind = load_plugins().catalog.of(node)
    return [p.name for p in kind.params] if kind is not None else []


LARGEST = 10**15
"""Of any number: floats are exact up to there, and no size or rate is larger."""


def _value(text: str) -> bool | int | float | str:
    if text.lower() in YES:
        return True
    if text.lower() in NO:
        return False
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
