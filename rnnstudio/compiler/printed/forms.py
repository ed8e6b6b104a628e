"""Every primitive's printed form, and every function that a printed form may call."""

from __future__ import annotations

from . import attending, axes, comparing, feedback, normalising, pointwise, starts, trees, weights, writer
from .writer import Form

PRINTED: dict[str, Form] = {
    **pointwise.PRINTED,
    **weights.PRINTED,
    **axes.PRINTED,
    **attending.PRINTED,
    **normalising.PRINTED,
    **trees.PRINTED,
    **feedback.PRINTED,
    **comparing.PRINTED,
}
"""How each primitive is written."""

HELPERS: dict[str, str] = {
    **writer.HELPERS,
    **pointwise.HELPERS,
    **axes.HELPERS,
    **attending.HELPERS,
    **normalising.HELPERS,
    **trees.HELPERS,
    **feedback.HELPERS,
    **starts.HELPERS,
}
"""Functions printed in front of the class where they are used."""
