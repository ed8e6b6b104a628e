"""NumPy arrays, .npy and .npz: series, vectors or sequences with classes, numbers or unaligned labels. No pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from rnnstudio.data.examples import Examples, Found, NumberField, Scaling, labels, later, tags, tokens
from rnnstudio.data.formats.numpy_files import MAGIC, Arrays, Shape
from rnnstudio.data.formats.pieces import learning_of
from rnnstudio.data.options import SCALINGS, option
from rnnstudio.data.problems import Problems
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import Sample, Source
from rnnstudio.data.split import Ints
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import Role

Array: TypeAlias = npt.NDArray[Any]
INPUTS = ("inputs", "input", "x", "X", "x_train", "features", "frames", "data", "series", "arr_0")
TARGETS = ("targets", "target", "labels", "label", "y", "Y", "y_train", "classes", "arr_1")
LENGTHS = ("lengths", "input_lengths", "x_lengths", "frame_lengths", "frames_lengths")
LABEL_LENGTHS = ("label_lengths", "target_lengths", "y_lengths", "labels_lengths")
ROWS = ("steps", "examples")
_BLOCK = 1 << 20
"""Numbers that are looked at together."""


@dataclass(frozen=True)
class ArrayOptions:
    """What the arrays of the file are, by their names; a .npy holds one, called `inputs`."""

    inputs: str = option("", "the array that is read: [examples, steps, features], or two axes, see rows; none: found")
    targets: str = option("", "the array that is to be said; none: found, else the inputs later on")
    lengths: str = option("", "the array of the examples' lengths in steps; none: found, else all are as long")
    label_lengths: str = option(
        "", "the array of the lengths of label sequences that are not aligned with the steps (CTC); none: found"
    )
    rows: str = option(
        "steps", "what the rows of an array of two axes are: the steps of a series, or examples", choices=ROWS
    )
    horizon: int = option(
        1, "without targets: how many steps ahead the inputs are to be said", title="predict", minimum=1
    )
    scaling: str = option("standard", "how each column of numbers is scaled", choices=SCALINGS)
    classes: bool = option(True, "whole numbers to be said are classes; else they are numbers")


class ArrayReader(Reader):
    """Fields `inputs`, and `targets` or `label`, or `labels` along an axis of their own where they are not aligned."""

    name = "arrays"
    title = "arrays (NumPy)"
    what = "arrays"
    suffixes = (".npy", ".npz")
    Options = ArrayOptions
    parts = (0.8, 0.1, 0.1)
    portable = ("horizon", "scaling", "classes")

    def guess(self, sample: Sample) -> Guess | None:
        if sample.folder or not (sample.head.startswith(MAGIC) or sample.suffix == ".npz"):
            return None
        try:
            with Arrays(sample.path, sample.shown) as arrays:
                made, seen = _settled(arrays, ArrayOptions(), sample.shown)
                inputs = arrays.shapes[made.inputs]
        except StudioError:
            return Guess(0.5, ArrayOptions(), self.parts, "the file is NumPy's")
        what = " × ".join(str(size) for size in inputs.shape)
        return Guess(0.95, made, self.parts, f"an array {made.inputs!r} of {what} {inputs.dtype}{seen and '; ' + seen}")

    def read(self, source: Source, options: ArrayOptions, problems: Problems) -> Examples:
        with Arrays(source.path, source.shown) as arrays:
            settled, _ = _settled(arrays, options, source.shown)
            used = {settled.inputs, settled.targets, settled.lengths, settled.label_lengths} - {""}
            for name, array in arrays.shapes.items():
                if name not in used:
                    problems.ignore(f"the array {name!r}", f"{array.dtype} {list(array.shape)}")
            if _either(arrays.shapes, settled):
                other = next(choice for choice in ROWS if choice != settled.rows)
                what = "the steps of one sequence" if settled.rows == "steps" else "examples by themselves, vectors"
                problems.hint(
                    f"each row of {settled.inputs!r} has a target of its own: rows are taken for {what}",
                    remedy=f'If they are not, set rows to "{other}".',
                )
            loaded = {name: arrays.load(name) for name in sorted(used)}
        return _Maker(loaded, settled, source.shown).make()


class _Maker:
    """Makes fields of the arrays. Raises StudioError, with the array's name, where shapes do not go together."""

    def __init__(self, arrays: Mapping[str, Array], options: ArrayOptions, shown: str) -> None:
        self.arrays, self.options, self.shown = arrays, options, shown

    def refuse(self, array: str, what: str, remedy: str = "") -> StudioError:
        return StudioError(what, where=f"{self.shown}, array {array!r}", remedy=remedy or "Choose the arrays by name.")

    def make(self) -> Examples:
        options = self.options
        inputs = self.arrays[options.inputs]
        if inputs.dtype.kind not in "fiub":
            raise self.refuse(options.inputs, f"the inputs are {inputs.dtype}, not numbers")
        if not inputs.size or inputs.ndim not in (1, 2, 3):
            raise self.refuse(options.inputs, f"the shape {list(inputs.shape)} is no series, vectors or sequences")
        if inputs.ndim == 1:
            inputs = inputs[:, None]
        if inputs.ndim == 2 and options.rows == "examples":
            rows, offsets, self.axis = inputs, np.arange(len(inputs) + 1), None
        else:
            rows, offsets = self._cut(inputs, options.inputs, options.lengths)
            self.axis = "time"
        bad = _first_not_finite(rows)
        if bad is not None:
            raise self.refuse(
                options.inputs,
                f"example {int(np.searchsorted(offsets, bad, side='right')) - 1} holds a value that is not finite",
                "Fill or leave out missing values first.",
            )
        self.examples, self.steps = len(offsets) - 1, np.diff(offsets)
        fields: list[Found] = [self._numbers("inputs", rows, offsets), *self._targets(offsets)]
        return Examples(fields, options=options, split_by="auto", unit="steps")

    def _numbers(self, name: str, rows: Array, offsets: Ints | None) -> NumberField:
        """A field of an array as it is, [rows, …]: of its own type, and no copy."""
        values = rows.reshape(len(rows), -1)
        width = values.shape[1]
        columns = tuple(f"{name}{place + 1}" for place in range(width))
        axis = None if offsets is None or self.axis is None else self.axis
        scaling = cast("tuple[Scaling, ...]", (self.options.scaling,) * width)
        role: Role | Literal[""] = "target" if name == "targets" else ""
        return NumberField(name, values, columns, axis, offsets if axis else None, role, scaling)

    def _cut(self, array: Array, name: str, lengths: str) -> tuple[Array, Ints]:
        """The sequences of an array end to end, [rows, …], and where each begins, [examples + 1].

        It holds them padded, [examples, steps, …], or end to end, [rows, …], as the lengths say.
        """
        if array.ndim == 3 and not lengths:
            return array.reshape(-1, array.shape[2]), np.arange(len(array) + 1) * array.shape[1]
        if not lengths:
            return array, np.array([0, len(array)])
        sizes = self.arrays[lengths]
        if sizes.ndim != 1 or sizes.dtype.kind not in "iu" or (len(sizes) and sizes.min() < 0):
            raise self.refuse(lengths, "lengths are whole numbers from 0, one for each example")
        offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
        padded = len(sizes) == len(array) and array.ndim >= 2 and (array.ndim == 3 or name != self.options.inputs)
        if padded:
            if len(sizes) and sizes.max() > array.shape[1]:
                raise self.refuse(
                    lengths, f"an example is {sizes.max()} long, and {name!r} has {array.shape[1]} places"
                )
            return array[np.arange(array.shape[1]) < sizes[:, None]], offsets
        if int(sizes.sum()) != len(array):
            raise self.refuse(lengths, f"the lengths make {sizes.sum()} in all, and {name!r} has {len(array)} rows")
        return array, offsets

    def _targets(self, offsets: Ints) -> list[Found]:
        options = self.options
        if not options.targets:
            if self.axis is None:
                raise self.refuse(options.inputs, "there is nothing to be said of these vectors", "Choose targets.")
            return [later("targets", "inputs", options.horizon)]
        array = self.arrays[options.targets]
        if array.dtype.kind not in "fiubUS" or not array.size:
            raise self.refuse(options.targets, f"targets of {array.dtype} {list(array.shape)} are not known")
        whole = array.dtype.kind in "bUS" or (array.dtype.kind in "iu" and options.classes)
        if options.label_lengths:
            if not whole:
                raise self.refuse(options.targets, "labels that are not aligned are whole numbers or texts")
            flat, ends = self._cut(array, options.targets, options.label_lengths)
            self._as_many(len(ends) - 1)
            cut = np.split(flat, ends[1:-1])
            learning = learning_of("characters", 1)
            made = tokens("labels", [_texts(one) for one in cut], "labels", role="target", learning=learning)
            return [made]
        if self.axis is not None and array.ndim >= 2 and self.examples == len(array) and self._along(array):
            rows = array[np.arange(array.shape[1]) < self.steps[:, None]]
        elif self.axis is not None and len(array) == offsets[-1] and (self.examples == 1 or options.lengths):
            rows = array
        else:
            self._as_many(len(array))
            if whole and array.ndim == 1:
                return [labels("label", _texts(array))]
            return [self._numbers("targets", array, None)]
        if whole and rows.ndim == 1:
            return [tags("label", [_texts(one) for one in np.split(rows, offsets[1:-1])])]
        return [self._numbers("targets", rows, offsets)]

    def _along(self, array: Array) -> bool:
        """Whether the second axis of targets is that of the steps."""
        return array.shape[1] >= self.steps.max() and (array.ndim == 3 or array.shape[1] == self._longest())

    def _longest(self) -> int:
        inputs = self.arrays[self.options.inputs]
        return inputs.shape[1] if inputs.ndim == 3 else int(self.steps.max())

    def _as_many(self, count: int) -> None:
        if count != self.examples:
            raise self.refuse(
                self.options.targets,
                f"there are {count} targets for {self.examples} examples of {self.options.inputs!r}",
                "Choose the arrays by name, and set rows to examples where the rows of two axes are.",
            )


def _texts(array: Array) -> list[str]:
    if array.dtype.kind == "S":
        return [bytes(item).decode("utf-8", "replace") for item in array.reshape(-1)]
    return [str(item) for item in array.reshape(-1).tolist()]


def _first_not_finite(rows: Array) -> int | None:
    """The first row that holds NaN or infinity, sought in blocks."""
    if rows.dtype.kind != "f":
        return None
    block = max(1, _BLOCK // max(rows[0].size, 1))
    for start in range(0, len(rows), block):
        bad = ~np.isfinite(rows[start : start + block]).reshape(-1, rows[0].size).all(axis=1)
        if bad.any():
            return start + int(np.argmax(bad))
    return None


def _settled(arrays: Arrays, options: ArrayOptions, shown: str) -> tuple[ArrayOptions, str]:
    """The options with every array that is there by name, and what rows were seen by.

    Raises StudioError for an array that is not there.
    """
    shapes = arrays.shapes
    for name in ("inputs", "targets", "lengths", "label_lengths"):
        wanted = getattr(options, name)
        if wanted and wanted not in shapes:
            listed = ", ".join(shapes) or "none"
            raise StudioError(
                f"there is no array {wanted!r}", where=f"{shown}, option {name}", remedy=f"Arrays: {listed}."
            )
    inputs = options.inputs or next((name for name in INPUTS if name in shapes), next(iter(shapes), ""))
    if not inputs:
        raise StudioError("the file holds no array", where=shown, remedy="Save some with numpy.savez.")
    settled = replace(
        options,
        inputs=inputs,
        targets=options.targets or next((name for name in TARGETS if name in shapes and name != inputs), ""),
        lengths=options.lengths or next((name for name in LENGTHS if name in shapes), ""),
        label_lengths=options.label_lengths or next((name for name in LABEL_LENGTHS if name in shapes), ""),
    )
    if options.inputs or not _either(shapes, settled):
        return settled, ""
    if _are_steps(arrays.beginning(inputs, SEEN), arrays.beginning(settled.targets, SEEN)):
        return settled, "its rows are like those before them, as steps are"
    return replace(settled, rows="examples"), "its rows are taken for examples, each with a target"


def _either(shapes: Mapping[str, Shape], options: ArrayOptions) -> bool:
    """Whether rows of the inputs may be steps or examples: each has a target of its own, and no lengths say more."""
    if not options.targets or options.lengths or options.label_lengths:
        return False
    return shapes[options.inputs].ndim == 2 and shapes[options.targets].shape[:1] == shapes[options.inputs].shape[:1]


SEEN = 2000
"""Rows that are looked at to tell steps from examples."""


def _are_steps(inputs: Array | None, targets: Array | None) -> bool:
    """Whether rows are like those before them, as they are in a series and not in a set of examples.

    Examples that are sorted by their class are alike too: there each class stands in one run.
    """
    if inputs is None or targets is None or len(inputs) < 8 or inputs.dtype.kind not in "fiub":
        return False
    if targets.ndim == 1 and targets.dtype.kind != "f":
        runs = 1 + int((targets[1:] != targets[:-1]).sum())
        if runs == len(np.unique(targets)):
            return False
    values = np.nan_to_num(inputs.astype(np.float64))
    values -= values.mean(axis=0)
    spread = (values**2).sum(axis=0)
    moving = spread > 0
    if not moving.any():
        return False
    likeness = (values[1:] * values[:-1]).sum(axis=0)[moving] / spread[moving]
    return float(np.median(likeness)) > 0.5
