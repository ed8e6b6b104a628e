"""“Draw a network for this data”: the proposal as one edit of the design that is open, laid out as it is drawn here."""

from __future__ import annotations

from rnnstudio.data import Preview
from rnnstudio.design.bringing import bring, node_renamed
from rnnstudio.design.design import MAIN, Design, frozen
from rnnstudio.design.edits import Compound, Edit, MoveNodes, Restore
from rnnstudio.design.errors import StudioError
from rnnstudio.proposals import Amount, propose

from .arrange import tidied
from .session import Session

TITLE = "Draw a network for this data"


def drawn_for(preview: Preview, session: Session) -> Edit:
    """The edit that puts a drawing for this data in the place of the design's own; invented cells stay.

    Raises StudioError where no drawing fits.
    """
    seen = preview.statistics
    if seen is None or not preview.usable:
        raise StudioError("The data cannot be learned from yet", remedy="Correct what the data panel tells.")
    window = int(str(preview.recipe.options.get("window") or 0))
    amount = Amount(1 if seen.long else seen.examples, seen.rows, seen.cuttable, window, seen.longest)
    before = session.design
    made = propose(preview.recipe, amount, session.catalog, before.name)
    # A cell of the same name that a person changed stays; the library's then comes under another one.
    brought = bring(made.cells, before)
    nodes = {key: node_renamed(node, brought.renamed, {}) for key, node in made.graph.nodes.items()}
    added = {cell.name: cell for cell in brought.cells.values()}
    design: Design = before.replace(
        doc=made.doc if before.graph.nodes or not before.doc else before.doc,
        variables=made.variables,
        graph=made.graph.replace(nodes=frozen(nodes)),
        cells=frozen({**before.cells, **added}),
        axes=made.axes,
        data=made.data,
        training=frozen({**before.training, **made.training}),
    )
    checked = session.trial(design)
    if checked.errors:
        raise StudioError(
            f"The studio knows no drawing that fits this data: {checked.errors[0].message}",
            remedy="Choose other columns, or draw one by hand.",
        )
    places = tidied(design, checked, session.catalog, MAIN, tuple(design.graph.nodes))
    return Compound((Restore(design), MoveNodes(places, MAIN)), TITLE)
