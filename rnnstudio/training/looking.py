"""A look into a run: one example of its data, or a text that somebody typed, at one of its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..compiler.program import parents_field
from ..data.batches import Batches
from ..data.split import Part
from ..data.vocabulary import vocabulary_of
from ..design.errors import StudioError
from ..runtime.cutting import Cut
from ..runtime.looking import Asked, Hold, Look, look
from .evaluate import Trained, load_trained, open_data
from .runs import Run, Which


@dataclass(frozen=True, slots=True)
class Seen:
    """look: what is inside; tokens: input field → its tokens as text, one for each step; step: of the checkpoint."""

    look: Look
    tokens: Mapping[str, tuple[str, ...]]
    examples: int
    """How many examples the part has; 0 for a text that was typed."""
    predicted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of a loss whose scores tell a token: its node → what is likeliest at each place, with its probability."""
    parents: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Of trees: axis → the parent of each node, −1 at the root."""
    free: Look | None = None
    """The same example with nothing held or cut, without gradients; None where nothing is."""
    predicted_free: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Looker:
    """Looks at a run again and again. It keeps the network of one checkpoint, and the data, until they change."""

    def __init__(self) -> None:
        self._trained: tuple[object, Trained] | None = None
        self._batches: tuple[object, Batches] | None = None

    def look(
        self,
        run: Run | Path | str,
        example: int = 0,
        *,
        part: Part = "validation",
        text: str = "",
        which: Which = "best",
        double: bool = False,
        gradients: bool = True,
        of: Asked | None = None,
        holds: Sequence[Hold] = (),
        cuts: Sequence[Cut] = (),
    ) -> Seen:
        """Look at an example of the run's data, by its number in the order of the file, or at a text.

        A long text's examples are its chunks, each from a state of nothing. double: in float64. Where something is held
        or cut, the same example comes without it as well. Raises StudioError for an example, a path, a wire, a unit or
        a step that is not there, and for a text where the network reads more than one.
        """
        run = run if isinstance(run, Run) else Run.open(run)
        trained = self._network(run, which, double)
        count = 0
        if text:
            fields, lengths = _typed(trained, text)
        else:
            batches = self._data(run, part)
            count = len(batches)
            if not 0 <= example < count:
                raise StudioError(f"The {part} part has the examples 0 to {count - 1}, and no example {example}")
            batch = batches.batch(0, example)
            fields, lengths = dict(batch.fields), dict(batch.lengths)
        if double:
            fields = {name: x.double() if x.is_floating_point() else x for name, x in fields.items()}
        own = trained.network.own_lengths(lengths)
        seen = look(trained.network, fields, own, gradients=gradients, of=of, holds=holds, cuts=cuts)
        free = look(trained.network, fields, own, gradients=False) if holds or cuts else None
        words, parents = _words(trained, fields, lengths), _parents(trained, fields, lengths)
        told = _predicted(trained, free) if free is not None else {}
        return Seen(seen, words, count, _predicted(trained, seen), parents, free, told)

    def _network(self, run: Run, which: Which, double: bool) -> Trained:
        path = run.checkpoint(which)
        stands = path.stat()
        key = (path, stands.st_mtime_ns, stands.st_size, stands.st_ino, double)
        if self._trained is None or self._trained[0] != key:
            trained = load_trained(run, which)
            if double:
                trained.network.double()
            self._trained = (key, trained)
        return self._trained[1]

    def _data(self, run: Run, part: Part) -> Batches:
        key = (run.folder.resolve(), part)
        if self._batches is None or self._batches[0] != key:
            chunk = run.settings().chunk
            self._batches = (key, Batches(open_data(run), part, 1, chunk, False, context=0, shuffle=False))
        return self._batches[1]


def _predicted(trained: Trained, seen: Look) -> dict[str, tuple[str, ...]]:
    """The likeliest token at each place of a loss over classes, and its probability."""
    found: dict[str, tuple[str, ...]] = {}
    targets = {item.name: item.field for item in trained.program.inputs if item.target}
    specs = {spec.name: spec for spec in trained.recipe.fields}
    for loss in trained.program.losses:
        spec = specs.get(targets.get(loss.target, ""))
        if not loss.classes or spec is None or not spec.vocabulary:
            continue
        chance = torch.softmax(seen.predictions[loss.node].double(), -1)
        best, which = chance.reshape(-1, chance.shape[-1]).max(-1)
        found[loss.node] = tuple(
            f"{spec.vocabulary[token]} {share:.0%}" for token, share in zip(which.tolist(), best.tolist(), strict=True)
        )
    return found


def _parents(
    trained: Trained, fields: Mapping[str, Tensor], lengths: Mapping[str, Tensor]
) -> dict[str, tuple[int, ...]]:
    """Tree axis of the drawing → the parent of each node of the example."""
    found: dict[str, tuple[int, ...]] = {}
    for axis in trained.program.trees:
        own = trained.program.axes[axis]
        if (table := fields.get(parents_field(own))) is not None:
            length = int(lengths[own][0]) if own in lengths else table.shape[1]
            found[axis] = tuple(table[0, :length].tolist())
    return found


def _typed(trained: Trained, text: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The fields of a text that a network reads as its one sequence, its next tokens as what it has to predict."""
    inputs = [item for item in trained.program.inputs if not item.target]
    specs = {spec.name: spec for spec in trained.recipe.fields}
    own = [item for item in inputs if specs[item.field].content == "tokens" and specs[item.field].axis]
    targets = [item for item in trained.program.inputs if item.target]
    follows = all(specs[item.field].shift_of == inputs[0].field for item in targets)
    if len(inputs) != 1 or not own or not follows:
        raise StudioError(
            "This network reads, or is told, more than one text", remedy="Give the number of an example of its data."
        )
    numbers = torch.from_numpy(vocabulary_of(trained.recipe, own[0].field).encode(text, "the text"))[None]
    ahead = max((specs[item.field].shift for item in targets), default=0)
    if numbers.shape[1] <= ahead:
        raise StudioError(f"A text of {numbers.shape[1]} tokens is too short to predict {ahead} ahead")
    steps = numbers.shape[1] - ahead
    fields = {own[0].field: numbers[:, :steps]}
    for item in targets:
        shift = specs[item.field].shift
        fields[item.field] = numbers[:, shift : shift + steps]
    axis = specs[own[0].field].axis
    return fields, {axis: torch.tensor([steps])} if axis else {}


def _words(trained: Trained, fields: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> dict[str, tuple[str, ...]]:
    """The tokens of each input as text."""
    found: dict[str, tuple[str, ...]] = {}
    specs = {spec.name: spec for spec in trained.recipe.fields}
    for item in trained.program.inputs:
        spec = specs.get(item.field)
        if spec is None or spec.content != "tokens" or item.field not in fields:
            continue
        row = fields[item.field][0].reshape(-1).tolist()
        length = lengths.get(trained.program.axes[item.signal.axes[0]]) if item.signal.axes else None
        found[item.field] = tuple(
            spec.vocabulary[token] for token in row[: int(length[0]) if length is not None else None]
        )
    return found


def arrays(seen: Seen, wanted: Sequence[str] = ()) -> dict[str, npt.NDArray[np.generic]]:
    """What `look --out` writes: “value/PATH”, “total/PATH”, “direct/PATH”, “loss/NODE” and “tokens/FIELD”;
    where something is held or cut, “free-loss/NODE” and “free/PATH” too: without it.

    wanted: the paths; none: all. Raises StudioError for a path that is not there.
    """
    look = seen.look
    for path in wanted:
        if path not in look.values:
            near = ", ".join(list(look.values)[:6])
            raise StudioError(f"There is no value “{path}” in this run", remedy=f"There are {near} …")
    paths = wanted or tuple(look.values)
    found: dict[str, npt.NDArray[np.generic]] = {}
    for kind, table in (("value", look.values), ("total", look.total), ("direct", look.direct)):
        found |= {f"{kind}/{path}": table[path].detach().cpu().numpy() for path in paths if path in table}
    found |= {f"loss/{node}": x.detach().cpu().numpy() for node, x in look.steps.items()}
    if seen.free is not None:
        found |= {f"free/{path}": seen.free.values[path].detach().cpu().numpy() for path in paths}
        found |= {f"free-loss/{node}": x.detach().cpu().numpy() for node, x in seen.free.steps.items()}
    found |= {f"tokens/{name}": np.array(words) for name, words in seen.tokens.items()}
    return found
