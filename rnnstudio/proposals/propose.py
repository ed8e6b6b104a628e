"""Which drawing fits which fields: a trunk for each axis that inputs run along, a head for each target."""

from __future__ import annotations

from ..catalog.catalog import Catalog
from ..compiler.units import as_in_file, unscaled
from ..design.design import Design, frozen
from ..design.errors import StudioError
from ..design.recipe import DataRecipe
from ..design.signals import Axis
from . import sizes
from .drawing import Drawing
from .sizes import Amount
from .style import USUAL, Style


def propose(
    recipe: DataRecipe, amount: Amount, catalog: Catalog, name: str = "untitled", style: Style = USUAL
) -> Design:
    """A trainable design for this data. recipe: completed, with its fields. style: what a person asks for beyond it.

    Raises StudioError where nothing is given or nothing is to be predicted.
    """
    fields = tuple(recipe.readable.values())
    inputs = [spec for spec in fields if spec.role == "input"]
    targets = [spec for spec in fields if spec.role == "target"]
    for found, what, remedy in (
        (inputs, "the data has no field to read", "Choose a column as input."),
        (targets, "the data has no field to be predicted", "Choose a column as target."),
    ):
        if not found:
            raise StudioError(what, where=recipe.path, remedy=remedy)
    trees = tuple(dict.fromkeys(str(spec.axis) for spec in recipe.fields if spec.content == "parents"))
    drawing = Drawing(inputs, trees, amount, catalog, style)
    for target in targets:
        drawing.head(target)
    drawn = Design(
        name=name,
        doc=f"{drawing.what[:1].upper()}{drawing.what[1:]}, drawn for the data.",
        variables=frozen(_variables(drawing, amount)),
        graph=drawing.pen.graph(),
        cells=frozen(dict(sorted(drawing.pen.cells.items()))),
        axes=frozen({axis: Axis(axis, "tree") for axis in trees}),
        data=recipe,
        training=frozen(sizes.training(amount, carry=drawing.causal)),
    )
    return drawn.replace(data=as_in_file(recipe, unscaled(drawn, catalog)))


def _variables(drawing: Drawing, amount: Amount) -> dict[str, int]:
    found = {"hidden": sizes.hidden(amount), **drawing.variables}
    if drawing.embedded:
        found["embedding"] = sizes.embedding(drawing.embedded)
    return found
