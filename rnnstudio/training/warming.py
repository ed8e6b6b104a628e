"""Puts another run's weights into a network that is about to be trained: bit for bit where they fit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ..catalog.catalog import Catalog
from ..data.dataset import Dataset
from ..data.learning import counts
from ..design.design import Design
from ..design.errors import StudioError
from ..runtime import Network
from . import checkpoints
from .runs import Run
from .warm_start import Fate, Transfer, WarmStart, transfer


def begin_with(network: Network, start: WarmStart, design: Design, dataset: Dataset, catalog: Catalog) -> Transfer:
    """Give a network the weights of a run that fit. Returns what was kept, what is new and what was dropped.

    Raises StudioError when nothing fits, or the run has no whole checkpoint.
    """
    found = transfer(start, design, catalog, occurring(dataset))
    if not found.fits:
        raise StudioError(
            f"No weight of the run {found.run} fits this design",
            where=start.run,
            remedy="Weights fit by their path and shape; start afresh, or take a run of a like design.",
        )
    put(network.weights, checkpoints.load(Run.open(start.run).checkpoint(start.which)).weights, found.fates)
    return found


def put(weights: Mapping[str, Tensor], saved: Mapping[str, Tensor], fates: tuple[Fate, ...]) -> None:
    """Copy what is kept into `weights`, in place."""
    with torch.no_grad():
        for fate in fates:
            if fate.how in ("kept", "in part"):
                target = weights[fate.path]
                if all(own is None for own in fate.places):
                    target.copy_(saved[fate.path])
                    continue
                ours, theirs = _grid(fate)
                target[ours] = saved[fate.path][theirs].to(target)


def _grid(fate: Fate) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The places of the new weight that are filled, and those of the old one that fill them, as an open mesh."""
    ours: list[np.ndarray] = []
    theirs: list[np.ndarray] = []
    for size, own in zip(fate.shape, fate.places, strict=True):
        places = np.arange(size) if own is None else np.array(own, np.int64)
        ours.append(np.flatnonzero(places >= 0))
        theirs.append(places[places >= 0])
    mesh = (tuple(map(torch.from_numpy, np.ix_(*side))) for side in (ours, theirs))
    return next(mesh), next(mesh)


def occurring(dataset: Dataset) -> dict[str, frozenset[str]]:
    """By field, the words that the data has."""
    found = {}
    for spec in dataset.fields:
        if spec.content == "tokens":
            seen = np.flatnonzero(counts(dataset.tracks[spec.name].values, spec.size)).tolist()
            found[spec.name] = frozenset(spec.vocabulary[place] for place in seen)
    return found
