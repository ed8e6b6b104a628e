"""What comes into a network from outside is looked at here, once, before any kernel is given its address.

Machine code reads as many numbers as the drawing says, of the type it was made for: a tensor of another shape or type
would be read beyond its end. So fields, lengths, states, steps and weights are what the program says behind this door,
or there is a StudioError, which is the same for the reference and for every faster way to run a loop. What means the
same in another form is brought into the program's: whole numbers of another size, and numbers of another precision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..compiler.program import Input, Map, Program, Scan, parents_field
from ..design.errors import StudioError
from ..design.signals import Signal, Tokens
from .fused.checked import CHECKING

WHOLE = frozenset({torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16, torch.uint32})
FLOATS = frozenset({torch.float32, torch.float64, torch.bfloat16, torch.float16})
NUMBERS = FLOATS | WHOLE | {torch.bool}
"""What features may come as. All are brought to the weights' type; where there are no weights, to torch's default type,
or to float64 where some field has that."""

_EXAMPLES = "Give every field, length and state the same examples."


@dataclass(frozen=True, slots=True)
class _State:
    """A state from outside is [k, *axes, batch, width], or of tokens [k, *axes, batch]; width 0: tokens."""

    k: int
    axes: tuple[str, ...]
    width: int
    size: int = 0


@dataclass(slots=True)
class Entered:
    """What has come in. values: fields by the name of their op, [*axes, batch, …]; sizes: of the drawing's axes;
    lengths: by the drawing's axis; parents: by the drawing's axis, [batch, nodes] int64.
    """

    values: dict[str, Tensor]
    sizes: dict[str, int]
    batch: int
    lengths: dict[str, Tensor]
    state: dict[str, Tensor]
    parents: dict[str, Tensor]
    dtype: torch.dtype
    device: torch.device


class Door:
    """The door of one program's networks."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._shapes = {p.path: torch.Size(p.shape) for p in program.parameters}
        self._states = dict(_states(program))
        self._inputs = [(item, *_content(item.signal)) for item in program.inputs]
        self._trees = [(axis, parents_field(program.axes[axis])) for axis in program.trees]
        self._ordered = [scan for scan in program.scans() if scan.ordered_children]
        self._along: dict[str, list[str]] = {}
        for axis, data in program.axes.items():
            self._along.setdefault(data, []).append(axis)
        self._seen: tuple[list[Any], tuple[torch.dtype, torch.device] | None] = ([], None)

    def enter(
        self,
        fields: Mapping[str, Tensor],
        lengths: Mapping[str, Tensor] | None,
        state: Mapping[str, Tensor] | None,
        steps: Mapping[str, int] | None,
        weights: Mapping[str, Tensor],
        needed: Collection[str],
    ) -> Entered:
        """needed: names of the inputs that the run reads; the others may be missing. Fields that the drawing does not
        read are passed over, as data may have more of them.
        """
        named = (("fields are", fields), ("lengths are", lengths), ("state is", state), ("steps are", steps))
        for what, values in named:
            if values is not None and values.__class__ is not dict and not isinstance(values, Mapping):
                raise StudioError(
                    f"The {what} a {type(values).__name__}, where names with their values are expected",
                    remedy="Give a dictionary: {“inputs”: tensor}, {“time”: lengths}.",
                )
        dtype, device = self.weights(weights) or self._without_weights(fields)
        found = Entered({}, {}, 0, {}, {}, {}, dtype, device)
        for item, width, size in self._inputs:
            if item.field in fields:
                found.values[item.name] = self._field(fields[item.field], item, width, size, found)
            elif item.name in needed:
                given = ", ".join(f"“{name}”" for name in sorted(map(str, fields))) or "no field"
                raise StudioError(
                    f"The data lacks the field “{item.field}”",
                    where=item.name,
                    remedy=f"Load data that has it; given is {given}.",
                )
        for axis, name in self._trees:
            if name in fields:
                found.parents[axis] = self._parents(fields[name], axis, name, found)
        found.batch = found.batch or 1
        if steps:
            self._steps(steps, found, needed)
        for copied, axis in self.program.copies.items():
            if axis in found.sizes:
                found.sizes[copied] = found.sizes[axis]
        if lengths:
            self._lengths(lengths, found)
        for scan in self._ordered:
            if scan.axis in found.parents:
                self._children(scan, found)
        if state:
            found.state = self.state(state, found.sizes, found.batch, dtype, device)
        return found

    def weights(self, weights: Mapping[str, Tensor]) -> tuple[torch.dtype, torch.device] | None:
        """The type and device that all weights have; None where there are none."""
        if not weights:
            return None
        try:
            seen = [(w.shape, w.stride(), w.dtype, w.device) for w in weights.values()]
        except RuntimeError as error:  # a layout that has no strides
            raise StudioError(f"A weight is no plain tensor: {error}", remedy="Give it plain numbers.") from error
        if seen != self._seen[0]:
            self._seen = (seen, self._same(weights))
        return self._seen[1]

    def _same(self, weights: Mapping[str, Tensor]) -> tuple[torch.dtype, torch.device]:
        first, some = next(iter(weights.items()))
        for path, w in weights.items():
            if w.shape != self._shapes[path]:
                raise StudioError(
                    f"The weight “{path}” has shape {list(w.shape)} but {list(self._shapes[path])} is expected",
                    remedy="Give it the shape that the drawing says.",
                )
            if w.dtype not in FLOATS:
                raise StudioError(f"The weight “{path}” has the type {_named(w.dtype)}", remedy="Use float32.")
            if w.dtype != some.dtype or w.device != some.device:
                raise StudioError(
                    f"The weight “{path}” is {_named(w.dtype)} on {w.device} but “{first}” is {_named(some.dtype)} "
                    f"on {some.device}",
                    remedy="Convert or move the whole network at once.",
                )
            if w.layout is not torch.strided or w.is_neg() or not _apart(w):
                raise StudioError(
                    f"The numbers of the weight “{path}” do not lie in memory of their own, one after the other",
                    remedy="Assign a contiguous copy: tensor.contiguous().",
                )
        return some.dtype, some.device

    def _without_weights(self, fields: Mapping[str, Tensor]) -> tuple[torch.dtype, torch.device]:
        dtype, device = torch.get_default_dtype(), torch.device("cpu")
        given = [(item.field, width) for item, width, _ in self._inputs if item.field in fields]
        for name, width in given:
            device = getattr(fields[name], "device", device)  # what is no tensor is told as the field it is
            if width and getattr(fields[name], "dtype", None) is torch.float64:
                dtype = torch.float64
        return dtype, device

    def _field(self, x: Tensor, item: Input, width: int, size: int, found: Entered) -> Tensor:
        axes = item.signal.axes
        what = f"The field “{item.field}”"
        _plain(x, what, item.name)
        shape = x.shape
        if len(shape) != 1 + len(axes) + bool(width) or (width and shape[-1] != width):
            raise StudioError(
                f"{what} has shape {list(shape)} but {item.signal.text()} is expected",
                where=item.name,
                remedy="Load data that fits, or change the input node.",
            )
        self._examples(shape[0], what, item.name, found)
        for axis, steps in zip(axes, shape[1:], strict=False):
            self._size(axis, steps, what, item.name, found.sizes)
        if x.device != found.device:
            _elsewhere(x, found.device, what, item.name)
        if width:
            if x.dtype is not found.dtype:
                if x.dtype not in NUMBERS:
                    _type(x, "real numbers", what, item.name)
                x = x.to(found.dtype)
            if x.is_neg():
                x = x.resolve_neg()
        else:
            x = _tokens(x, size, what, item.name, -1 if item.partial else 0)
        return x.movedim(0, len(axes)) if axes else x

    def _parents(self, x: Tensor, axis: str, name: str, found: Entered) -> Tensor:
        what = f"The field “{name}”"
        _plain(x, what, "")
        if x.dim() != 2:
            raise StudioError(
                f"{what} has shape {list(x.shape)} but [batch, {axis}] is expected", remedy="Load data of trees."
            )
        self._examples(x.shape[0], what, "", found)
        self._size(axis, x.shape[1], what, "", found.sizes)
        if x.device != found.device:
            _elsewhere(x, found.device, what, "")
        if x.dtype not in WHOLE:
            _type(x, "whole numbers (int64)", what, "")
        return x.to(torch.int64)

    def _children(self, scan: Scan, found: Entered) -> None:
        """No node may have more children than a loop has places for: it would compute without them."""
        parents, own = found.parents[scan.axis], found.lengths.get(scan.axis)
        nodes = parents.shape[1]
        real = (parents >= 0) & (parents < nodes)  # others are roots, or told when the trees are read
        if own is not None:
            real &= torch.arange(nodes, device=parents.device) < own.to(parents.device)[:, None]
        counts = torch.zeros_like(parents).scatter_add(1, parents.clamp(0, nodes - 1), real.to(torch.int64))
        most = int(counts.max())
        if most > scan.ordered_children:
            example, node = divmod(int(counts.argmax()), nodes)
            data, room = self.program.axes[scan.axis], scan.ordered_children
            raise StudioError(
                f"Node {node} of the tree “{data}” has {most} children but “{scan.name}” reads {room} of a node",
                where=f"example {example} of the batch",
                remedy=f"Use a cell for {most} children in order or for any (such as ChildSumTreeLSTM), or data "
                f"of at most {room}"
                + (" (trees become so by the data option binary)" if room == 2 else "")
                + "; or set “beyond” of its Children to “left out”.",
            )

    def _examples(self, batch: int, what: str, where: str, found: Entered) -> None:
        if batch and batch == found.batch:
            return
        if not batch:
            raise StudioError(f"{what} has no example: its batch is empty", where=where, remedy="Give one or more.")
        if found.batch:
            raise StudioError(
                f"{what} has {batch} examples but the fields before it have {found.batch}",
                where=where,
                remedy=_EXAMPLES,
            )
        found.batch = batch

    def _size(self, axis: str, steps: int, what: str, where: str, sizes: dict[str, int]) -> None:
        known = sizes.setdefault(axis, steps)
        if known != steps:
            raise StudioError(
                f"The axis “{axis}” is {known} long in one field and {steps} in another: {what} has {steps}",
                where=where,
                remedy="Give the inputs axes of different names, or every field of an axis the same length.",
            )
        if not steps:
            raise StudioError(
                f"{what} has no step along “{axis}”", where=where, remedy="Give at least one step of an axis."
            )

    def _steps(self, steps: Mapping[str, int], found: Entered, needed: Collection[str]) -> None:
        """A field that the run does not read, a target say, does not tell how long an axis is."""
        read = {a for i, _, _ in self._inputs if i.name in needed and i.name in found.values for a in i.signal.axes}
        for axis, count in steps.items():
            if axis not in self.program.axes:
                raise StudioError(
                    f"Steps are given for “{axis}”, which is no axis of the drawing", remedy=_there(self.program.axes)
                )
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise StudioError(
                    f"{count!r} steps are given for “{axis}” but 1 or more are expected", remedy="Give a whole number."
                )
            known, found.sizes[axis] = found.sizes.get(axis, count), count
            if known != count and (axis in read or axis in found.parents):
                raise StudioError(
                    f"{count} steps are given for “{axis}” but the fields have {known}",
                    remedy="Give steps for axes alone that no field has.",
                )

    def _lengths(self, lengths: Mapping[str, Tensor], found: Entered) -> None:
        for data, given in lengths.items():
            own, what, tensor = given, f"The lengths of “{data}”", f"The tensor of lengths of “{data}”"
            if data not in self._along:
                raise StudioError(
                    f"Lengths are given for “{data}”, which is no axis of the data", remedy=_there(self._along)
                )
            _plain(own, tensor, "")
            if own.dtype is not torch.int64:
                if own.dtype not in WHOLE:
                    _type(own, "whole numbers (int64)", tensor, "")
                own = own.to(torch.int64)
            if own.shape != (found.batch,):
                raise StudioError(
                    f"{what} have shape {list(own.shape)} but [{found.batch}], the batch, is expected", remedy=_EXAMPLES
                )
            if own.device.type != "cpu":
                _elsewhere(own, torch.device("cpu"), tensor, "")
            each = own.tolist()  # faster than torch's least and most, for as many as a batch has
            least, most = min(each), max(each)
            for axis in self._along[data]:
                found.lengths[axis] = own
                size = found.sizes.get(axis, most)
                if least < 1 or most > size:
                    raise StudioError(
                        f"{what} go from {least} to {most} but the axis is {size} long, so 1 … {size} are expected",
                        remedy="Lengths say how many of an example's steps are its own; leave empty examples out.",
                    )

    def state(
        self,
        state: Mapping[str, Tensor],
        sizes: Mapping[str, int],
        batch: int | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> dict[str, Tensor]:
        """States as loops go on from them. batch: None where any will do."""
        found: dict[str, Tensor] = {}
        for name, given in state.items():
            what, own = f"The state “{name}”", self._states.get(name)
            if own is None:
                raise StudioError(f"“{name}” is no state of the drawing", remedy=_there(self._states))
            x = given
            _plain(x, what, "")
            at = x.dim() - (2 if own.width else 1)
            free = x.shape[at] if batch is None and at >= 0 else batch
            wanted: list[object] = [own.k, *(sizes.get(a, a) for a in own.axes), "batch" if free is None else free]
            wanted += [own.width] if own.width else []
            told = ", ".join(map(str, wanted))
            pairs = zip(wanted, x.shape, strict=False)
            if len(wanted) != x.dim() or any(isinstance(n, int) and n != m for n, m in pairs):
                raise StudioError(f"{what} has shape {list(x.shape)} but [{told}] is expected", remedy=_EXAMPLES)
            if x.device != device:
                _elsewhere(x, device, what, "")
            if not own.width:
                found[name] = _tokens(x, own.size, what, "")
                continue
            if x.dtype not in FLOATS:
                _type(x, f"real numbers ({_named(dtype)})", what, "")
            x = x.to(dtype)
            found[name] = x.resolve_neg() if x.is_neg() else x
        return found


def _states(program: Program) -> Iterator[tuple[str, _State]]:
    for region in program.regions:
        if not isinstance(region, Map):
            for state in () if region.tree else region.states:
                yield state.delay, _State(abs(state.k), state.signal.axes, *_content(state.signal))
            continue
        for op in region.ops:
            if op.kind in ("clock", "step_number"):
                yield op.name, _State(1, (), 1)
            elif op.kind == "delay":
                axes = tuple(axis for axis in op.signal.axes if axis != op.attrs["axis"])
                yield op.name, _State(abs(op.attrs["k"]), axes, *_content(op.signal))


def _content(signal: Signal) -> tuple[int, int]:
    """(width of features or 0, size of the vocabulary or 0)."""
    content = signal.content
    return (0, content.size) if isinstance(content, Tokens) else (content.width, 0)


def _plain(x: object, what: str, where: str) -> None:
    if not isinstance(x, Tensor) or x.layout is not torch.strided:
        kind = f"a tensor of layout {x.layout}" if isinstance(x, Tensor) else f"a {type(x).__name__}"
        raise StudioError(f"{what} is {kind}, not a plain tensor", where=where, remedy="Give it as a torch.Tensor.")


def _tokens(x: Tensor, size: int, what: str, where: str, lowest: int = 0) -> Tensor:
    if x.dtype is not torch.int64:
        if x.dtype not in WHOLE:
            _type(x, "tokens (int64)", what, where)
        x = x.to(torch.int64)
    # On a GPU this would wait for it; there torch's own kernels tell, and data from files are within their vocabulary.
    if x.device.type == "cpu" or (CHECKING and x.device.type == "cuda"):
        least, most = (int(n) for n in x.aminmax())
        if least < lowest or most >= size:
            raise StudioError(
                f"{what} has the token {least if least < lowest else most} "
                f"but the vocabulary has {size}: 0 … {size - 1}",
                where=where,
                remedy="Load data of this vocabulary; padding is within it too.",
            )
    return x


def _type(x: Tensor, expected: str, what: str, where: str) -> None:
    raise StudioError(f"{what} has the type {_named(x.dtype)} but {expected} are expected", where=where)


def _elsewhere(x: Tensor, device: torch.device, what: str, where: str) -> None:
    raise StudioError(
        f"{what} is on {x.device} but {device} is expected", where=where, remedy="Move it there: tensor.to(device)."
    )


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _there(names: Collection[str]) -> str:
    return f"There is {', '.join(f'“{name}”' for name in names)}." if names else "There is none."


def _apart(w: Tensor) -> bool:
    """Whether no two numbers of a weight share memory, and those of a vector have no gaps."""
    if w.dim() == 1:
        return w.is_contiguous()
    room = 1
    for stride, n in sorted((step, n) for step, n in zip(w.stride(), w.shape, strict=True) if n > 1):
        if stride < room:
            return False
        room = stride * n
    return True


__all__: Sequence[str] = ("Door", "Entered")
