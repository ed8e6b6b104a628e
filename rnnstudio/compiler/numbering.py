"""Which sides of a drawing's weights go by the words, classes or columns of a data field.

Row i of an embedding's table is that of word i, row k of a readout that of class k, column j of a first layer that of
column j of a table. When the data numbers its words otherwise, those rows have to go with their words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ..catalog.primitives import Op
from ..design.signals import Real, Signal, Tokens
from .flatten import Flat

HANDED_ON = frozenset(
    (
        *("dropout", "align", "rename", "blank", "reverse", "delay", "repeat", "pool", "children", "root"),
        *("affine", "sigmoid", "tanh", "relu", "softplus", "exp", "log", "abs", "square", "erf", "sign", "softmax"),
        *("log_softmax", "softmax_axis", "log_softmax_axis", "layer_norm", "batch_norm", "batch_norm_steps"),
        *("add", "subtract", "multiply", "divide", "maximum", "minimum", "hide_ahead"),
    )
)
"""Operations whose feature j comes of feature j of what they read."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a weight. extra: places beside the field's entries (CTC's blank), at their end or, `first`, before
    them."""

    field: str
    extra: int = 0
    first: bool = False


Sides: TypeAlias = Mapping[str, Mapping[int, Side]]
"""By the weight's path: dimension → what it goes by."""


def sides_of(flat: Flat) -> Sides:
    """The sides of all weights of a flattened drawing that go by a field of the data."""
    return _Tracing(flat).run()


class _Tracing:
    def __init__(self, flat: Flat) -> None:
        self.flat = flat
        self.ops = {op.name: op for op in flat.ops}
        self.signals: dict[str, Signal] = {item.name: item.signal for item in flat.inputs}
        self.signals |= {op.name: op.signal for op in flat.ops}
        self.fields = {item.name: item.field for item in flat.inputs}
        self.shapes = {parameter.path: parameter.shape for parameter in flat.parameters}
        self.sides: dict[str, dict[int, Side]] = {}

    def run(self) -> Sides:
        known = self._read()
        for op in self.flat.ops:
            if op.kind == "embed" and (field := self._of_tokens(op.inputs[0])):
                self._note(op.attrs["weight"], 0, Side(field))
            elif op.kind == "linear" and (side := known.get(op.inputs[0])) is not None:
                self._note(op.attrs["weight"], 1, side)
        for loss in self.flat.losses:
            self._answer(loss.prediction, self._scored(loss.prediction, loss.target))
        return self.sides

    def _read(self) -> dict[str, Side]:
        """The values that hold a field of numbers, feature by feature."""
        known = {name: Side(field) for name, field in self.fields.items() if isinstance(self._content(name), Real)}
        again = True
        while again:
            again = False
            for op in self.flat.ops:
                if op.kind not in HANDED_ON or op.name in known or not op.inputs:
                    continue
                side = known.get(op.inputs[0])
                if side is not None and self._width(op.name) == self._width(op.inputs[0]):
                    known[op.name], again = side, True
        return known

    def _scored(self, prediction: str, target: str) -> Side | None:
        """What the features of a prediction stand for."""
        content = self._content(target)
        if isinstance(content, Real):
            side = self._read().get(target)
            return side if side is not None and self._width(target) == self._width(prediction) else None
        if content is None or not content.field:
            return None
        width = self._width(prediction)
        if width == content.size:
            return Side(content.field)
        blank = next((op.attrs["blank"] for op in self.flat.ops if op.kind == "ctc" and op.inputs[1] == target), None)
        if blank is not None and width == content.size + 1:
            return Side(content.field, 1, first=blank == 0 and content.size > 0)
        return None

    def _answer(self, prediction: str, side: Side | None) -> None:
        """Follow a prediction back to the weights that make its features."""
        todo, seen = [prediction], set[str]()
        while todo and side is not None:
            name = todo.pop()
            op = self.ops.get(name)
            if op is None or name in seen:
                continue
            seen.add(name)
            if op.kind in ("linear", "bilinear"):
                self._note(op.attrs["weight"], 0, side)
                self._note(op.attrs["bias"], 0, side)
            elif op.kind == "embed":
                self._note(op.attrs["weight"], 1, side)
            elif op.kind == "parameter":
                self._note(op.attrs["weight"], 0, side)
            elif op.kind in HANDED_ON:
                for path in self._own(op):
                    self._note(path, -1, side)
                todo += [source for source in op.inputs if self._width(source) == self._width(name)]

    def _own(self, op: Op) -> list[str]:
        """The weights of an operation that has one number for each feature."""
        found = (op.attrs.get(name) for name in ("weight", "bias", "mean", "variance"))
        return [path for path in found if isinstance(path, str)]

    def _note(self, path: object, dim: int, side: Side) -> None:
        if isinstance(path, str) and path in self.shapes:
            self.sides.setdefault(path, {}).setdefault(dim % len(self.shapes[path]), side)

    def _content(self, name: str) -> Real | Tokens | None:
        return self.signals[name].content if name in self.signals else None

    def _of_tokens(self, name: str) -> str:
        content = self._content(name)
        return content.field if isinstance(content, Tokens) else ""

    def _width(self, name: str) -> int:
        content = self._content(name)
        return content.width if isinstance(content, Real) else -1
