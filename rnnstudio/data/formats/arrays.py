"""NumPy arrays, .npy and .npz: series, vectors or sequences with classes, numbers or unaligned labels. No pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rnnstudio.data.examples import Examples, Found, labels, later, numbers, tags, tokens
from rnnstudio.data.formats.numpy_files import Shape, load, shapes_of
from rnnstudio.data.formats.pieces import learning_of
from rnnstudio.data.options import SCALINGS, option
from rnnstudio.data.problems import Problems
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import Sample, Source
from rnnstudio.design.errors import StudioError

Array: TypeAlias = npt.NDArray[Any]
INPUTS = ("inputs", "input", "x", "X", "x_train", "features", "frames", "data", "series", "arr_0")
TARGETS = ("targets", "target", "labels", "label", "y", "Y", "y_train", "classes", "arr_1")
LENGTHS = ("lengths", "input_lengths", "x_lengths", "frame_lengths", "frames_lengths")
LABEL_LENGTHS = ("label_lengths", "target_lengths", "y_lengths", "labels_lengths")
ROWS = ("steps", "examples")


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
        if sample.folder or not (sample.head.startswith(b"\x93NUMPY") or sample.suffix == ".npz"):
            return None
        try:
            shapes = shapes_of(sample.path, sample.shown)
            made = _settled(shapes, ArrayOptions(), sample.shown)
            inputs = shapes[made.inputs]
        except StudioError:
            return Guess(0.5, ArrayOptions(), self.parts, "the file is NumPy's")
        what = " × ".join(str(size) for size in inputs.shape)
        return Guess(0.95, made, self.parts, f"an array {made.inputs!r} of {what} {inputs.dtype}")

    def read(self, source: Source, options: ArrayOptions, problems: Problems) -> Examples:
        shapes = shapes_of(source.path, source.shown)
        settled = _settled(shapes, options, source.shown)
        used = {settled.inputs, settled.targets, settled.lengths, settled.label_lengths} - {""}
        for name, array in shapes.items():
            if name not in used:
                problems.ignore(f"the array {name!r}", f"{array.dtype} {list(array.shape)}")
        arrays = load(source.path, source.shown, used)
        return _Maker(arrays, settled, source.shown).make()


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
            self.examples, axis = len(inputs), None
            steps: list[Array] = list(inputs)
        else:
            steps = self._cut(inputs, options.inputs, options.lengths)
            self.examples, axis = len(steps), "time"
        for place, one in enumerate(steps):
            if not np.isfinite(one).all():
                raise self.refuse(
                    options.inputs,
                    f"example {place} holds a value that is not finite",
                    "Fill or leave out missing values first.",
                )
        self.steps, self.axis = [len(one) for one in steps], axis
        field = numbers("inputs", steps, (), axis, scaling=options.scaling)  # type: ignore[arg-type]
        fields: list[Found] = [field, *self._targets()]
        return Examples(fields, options=options, split_by="auto", unit="steps")

    def _cut(self, array: Array, name: str, lengths: str) -> list[Array]:
        """The sequences of an array: padded, [examples, steps, …], or end to end, [rows, …], as the lengths say."""
        if array.ndim == 3 and not lengths:
            return list(array)
        if not lengths:
            return [array]
        sizes = self.arrays[lengths]
        if sizes.ndim != 1 or sizes.dtype.kind not in "iu" or (len(sizes) and sizes.min() < 0):
            raise self.refuse(lengths, "lengths are whole numbers from 0, one for each example")
        padded = len(sizes) == len(array) and array.ndim >= 2 and (array.ndim == 3 or name != self.options.inputs)
        if padded:
            if len(sizes) and sizes.max() > array.shape[1]:
                raise self.refuse(
                    lengths, f"an example is {sizes.max()} long, and {name!r} has {array.shape[1]} places"
                )
            return [one[: int(size)] for one, size in zip(array, sizes, strict=True)]
        if int(sizes.sum()) != len(array):
            raise self.refuse(lengths, f"the lengths make {sizes.sum()} in all, and {name!r} has {len(array)} rows")
        return np.split(array, np.cumsum(sizes)[:-1])

    def _targets(self) -> list[Found]:
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
            cut = self._cut(array, options.targets, options.label_lengths)
            self._as_many(len(cut))
            learning = learning_of("characters", 1)
            made = tokens("labels", [_texts(one) for one in cut], "labels", role="target", learning=learning)
            return [made]
        if self.axis is not None and array.ndim >= 2 and self.examples == len(array) and self._along(array):
            parts = [one[:size] for one, size in zip(array, self.steps, strict=True)]
        elif self.axis is not None and len(array) == sum(self.steps) and (self.examples == 1 or options.lengths):
            parts = np.split(array, np.cumsum(self.steps)[:-1])
        else:
            self._as_many(len(array))
            if whole and array.ndim == 1:
                return [labels("label", _texts(array))]
            flat = array.reshape(self.examples, -1)
            return [numbers("targets", list(flat), (), None, role="target", scaling=options.scaling)]  # type: ignore[arg-type]
        if whole and parts[0].ndim == 1:
            return [tags("label", [_texts(one) for one in parts])]
        rows = [one.reshape(len(one), -1) for one in parts]
        return [numbers("targets", rows, role="target", scaling=options.scaling)]  # type: ignore[arg-type]

    def _along(self, array: Array) -> bool:
        """Whether the second axis of targets is that of the steps."""
        return array.shape[1] >= max(self.steps) and (array.ndim == 3 or array.shape[1] == self._longest())

    def _longest(self) -> int:
        inputs = self.arrays[self.options.inputs]
        return inputs.shape[1] if inputs.ndim == 3 else max(self.steps)

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


def _settled(arrays: Mapping[str, Shape], options: ArrayOptions, shown: str) -> ArrayOptions:
    """The options with every array that is there by name. Raises StudioError for one that is not."""
    for name in ("inputs", "targets", "lengths", "label_lengths"):
        wanted = getattr(options, name)
        if wanted and wanted not in arrays:
            listed = ", ".join(arrays) or "none"
            raise StudioError(
                f"there is no array {wanted!r}", where=f"{shown}, option {name}", remedy=f"Arrays: {listed}."
            )
    inputs = options.inputs or next((name for name in INPUTS if name in arrays), next(iter(arrays), ""))
    if not inputs:
        raise StudioError("the file holds no array", where=shown, remedy="Save some with numpy.savez.")
    targets = options.targets or next((name for name in TARGETS if name in arrays and name != inputs), "")
    lengths = options.lengths or next((name for name in LENGTHS if name in arrays), "")
    label_lengths = options.label_lengths or next((name for name in LABEL_LENGTHS if name in arrays), "")
    return ArrayOptions(
        inputs,
        targets,
        lengths,
        label_lengths,
        _rows(arrays, options, inputs, targets, lengths),
        options.horizon,
        options.scaling,
        options.classes,
    )


def _rows(arrays: Mapping[str, Shape], options: ArrayOptions, inputs: str, targets: str, lengths: str) -> str:
    """Vectors where a proposal says nothing and each row of an array of two axes has a class or numbers of its own."""
    if options.inputs or options.rows == "examples" or not targets or lengths:
        return options.rows
    return (
        "examples"
        if arrays[inputs].ndim == 2 and arrays[targets].shape[:1] == arrays[inputs].shape[:1]
        else options.rows
    )
