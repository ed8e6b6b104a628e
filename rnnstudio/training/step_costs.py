"""What a training step costs, in words: for the status bar and `rnnstudio show --costs`. No torch here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..catalog.catalog import Catalog
from ..compiler.check import Checked
from ..compiler.compile import compile_design
from ..compiler.costs import Costs, Memory, cost_of
from ..compiler.sound import sound_part
from ..design.design import Design
from ..design.errors import StudioError
from .settings import TrainingSettings, along_axes, settings_from


@dataclass(frozen=True)
class StepCosts:
    """Costs at the lengths and the batch of a training step. lengths: by the drawing's axis.

    trees: the axes that are trees. known: whether the lengths are those of the data; else each is the chunk length.
    partial: something is wrong with the drawing, and only what is sound is counted.
    """

    costs: Costs
    lengths: Mapping[str, int]
    batch: int
    optimiser: str
    trees: frozenset[str] = frozenset()
    known: bool = False
    partial: bool = False

    def of(self, nodes: Collection[str]) -> StepCosts:
        """Of some nodes of the main drawing."""
        return StepCosts(
            self.costs.of(nodes), self.lengths, self.batch, self.optimiser, self.trees, self.known, self.partial
        )

    @property
    def memory(self) -> Memory:
        return self.costs.memory(self.lengths, self.batch, self.optimiser)

    @property
    def multiply_adds(self) -> int:
        """Of one way forward over one example."""
        return self.costs.multiply_adds(self.lengths)

    @property
    def unit(self) -> str:
        """What `per_step` is for: "step", "node" of a tree, or, with no axis or several, "example"."""
        own = set(self.costs.axes.values())
        if len(own) != 1:
            return "example"
        return "node" if set(self.costs.axes) & self.trees else "step"

    @property
    def per_step(self) -> float:
        """Multiply-adds of the way forward, of one example, for each `unit`."""
        if self.unit == "example":
            return self.multiply_adds
        steps = max((self.lengths.get(axis, 1) for axis in self.costs.axes), default=1)
        return self.multiply_adds / max(steps, 1)

    def text(self) -> str:
        """One line."""
        a = "an" if self.unit == "example" else "a"
        return (
            f"{self.costs.parameters:,} parameters · {short(self.per_step)} multiply-adds {a} {self.unit} · "
            f"{bytes_text(self.memory.total)} a training step"
        )

    def lines(self) -> list[str]:
        """The parts, a line each."""
        memory = self.memory
        frozen = self.costs.parameters - self.costs.trained
        found = [f"Parameters: {self.costs.parameters:,}" + (f", {frozen:,} of them frozen" if frozen else "")]
        a = "an" if self.unit == "example" else "a"
        found.append(f"Multiply-adds, forward, {a} {self.unit}: {self.per_step:,.0f}")
        for axes, products in sorted(self.costs.by_axes().items()):
            found.append(f"    {products:,} {_places(axes, self.costs.edges)}")
        whole = self.multiply_adds * self.batch
        found.append(f"Multiply-adds, forward, of a whole batch: {short(whole)}; with the way back about three times")
        found.append(
            f"Memory of a training step: {bytes_text(memory.total)} = {bytes_text(memory.parameters)} parameters + "
            f"{bytes_text(memory.gradients)} gradients + {bytes_text(memory.optimiser)} {self.optimiser} + "
            f"{bytes_text(memory.activations)} values kept for the way back"
        )
        sizes = ", ".join(f"{axis} {steps:,}" for axis, steps in self.lengths.items())
        why = "the data's longest, cut to the chunk" if self.known else "the chunk length: the data was not read"
        found.append(f"Batch {self.batch:,}" + (f"; {sizes} ({why})" if sizes else ""))
        if self.partial:
            found.append("Something is wrong with the drawing: what reads it is not counted.")
        return found

    def as_json(self) -> dict[str, object]:
        memory = self.memory
        return {
            "parameters": self.costs.parameters,
            "trained": self.costs.trained,
            "multiply_adds": self.multiply_adds,
            "multiply_adds_each": self.per_step,
            "each": self.unit,
            "multiply_adds_by_axes": {" × ".join(axes): n for axes, n in sorted(self.costs.by_axes().items())},
            "memory": {
                "total": memory.total,
                "parameters": memory.parameters,
                "gradients": memory.gradients,
                "optimiser": memory.optimiser,
                "activations": memory.activations,
            },
            "batch": self.batch,
            "lengths": dict(self.lengths),
            "partial": self.partial,
        }


def step_costs(
    checked: Checked, catalog: Catalog, longest: Mapping[str, int] | None = None, cuttable: bool = True
) -> StepCosts | None:
    """Of a checked design, of its sound part where something is wrong; None where nothing can be counted.

    longest: steps of the data's longest example, by the data's axis, the main one first; None: not known.
    cuttable: whether the main axis comes in chunks.
    """
    design = sound_part(checked, catalog)
    if design is None:
        return None
    try:
        program = compile_design(design, catalog)
    except StudioError:
        return None
    settings = _settings(design, program.axes)
    main = next(iter(longest), None) if longest else None
    lengths = {}
    for axis, own in program.axes.items():
        steps = longest.get(own) if longest else None
        if steps is None:
            steps = settings.chunk
        elif own == main and cuttable:
            steps = min(steps, settings.chunk)
        lengths[axis] = max(steps, 1)
    return StepCosts(
        cost_of(program),
        lengths,
        settings.batch_size,
        settings.optimiser,
        frozenset(program.trees),
        bool(longest),
        not checked.ok,
    )


def _settings(design: Design, axes: Mapping[str, str]) -> TrainingSettings:
    """The design's settings; the usual ones where they are wrong: that is told elsewhere."""
    try:
        return along_axes(settings_from(design.training), design, axes)
    except StudioError:
        return TrainingSettings()


def _places(axes: tuple[str, ...], edges: Mapping[str, str]) -> str:
    if not axes:
        return "an example"
    children = [axis for axis in axes if axis in edges]
    if children:
        rest = [axis for axis in axes if axis not in edges and axis not in {edges[c] for c in children}]
        return " × ".join([f"for each child in {edges[children[0]]}", *rest])
    return "for each step of " + " × ".join(axes)


def short(number: float) -> str:
    """A count in three digits: 950, 1.23 k, 45.6 M."""
    for unit, size in (("", 1.0), (" k", 1e3), (" M", 1e6), (" G", 1e9), (" T", 1e12)):
        if number < 999.5 * size or size == 1e12:
            value = number / size
            if not unit:
                return f"{value:.0f}" if value == round(value) else f"{value:.1f}"
            return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}{unit}"
    raise AssertionError


def bytes_text(count: int) -> str:
    """Bytes as people write them: 512 B, 1.23 kB, 45.6 MB."""
    return short(count).replace(" k", " kB").replace(" M", " MB").replace(" G", " GB").replace(" T", " TB") + (
        " B" if count < 1000 else ""
    )
