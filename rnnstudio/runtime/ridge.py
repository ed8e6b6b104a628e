"""Readouts in closed form: where linear readouts under squared errors are all that is trained, least squares with a
penalty on the matrices has one answer, and no gradient is needed (echo state networks: Jaeger 2001).

Sums of products are kept in float64 while batches come; the network itself may run in float32.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..catalog.primitives import Op
from ..compiler.program import Loss, Map, Program, region_ops
from ..design.errors import StudioError

OTHERWISE = "Set “frozen” at each of these nodes, or choose another optimiser."


@dataclass(frozen=True, slots=True)
class Term:
    """One matrix of a readout, W x (+ b): paths of the parameters, and the value x."""

    weight: str
    bias: str | None
    source: str


@dataclass(frozen=True, slots=True)
class Readout:
    """A prediction Σ W_i x_i + b + offsets. offsets: values that nothing trains; target: what it is compared with."""

    loss: Loss
    terms: tuple[Term, ...]
    offsets: tuple[str, ...]

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the values the sums are made of."""
        return (*(term.source for term in self.terms), *self.offsets, self.loss.target)

    @property
    def biases(self) -> tuple[str, ...]:
        return tuple(term.bias for term in self.terms if term.bias is not None)

    @property
    def parameters(self) -> tuple[str, ...]:
        return (*(term.weight for term in self.terms), *self.biases)


def readouts(program: Program) -> tuple[Readout, ...]:
    """The readouts that ridge regression solves. Raises StudioError naming what it cannot learn."""
    reader = _Reader(program)
    found = []
    for loss in program.losses:
        if loss.prediction not in reader.learned:
            continue
        each = reader.ops[reader.ops[loss.value].inputs[0]]
        if each.kind != "squared_error":
            raise StudioError(
                "Ridge regression makes squared errors small, and this loss is another",
                where=loss.node,
                remedy="Use a Mean squared error, or another optimiser.",
            )
        if each.attrs.get("partial"):
            raise StudioError(
                "Ridge regression needs every value of its target, and some are missing",
                where=loss.node,
                remedy="Fill them (data.missing=previous) or leave their rows out (data.missing=drop).",
            )
        terms: list[Term] = []
        offsets: list[str] = []
        reader.collect(loss.prediction, terms, offsets)
        found.append(Readout(loss, tuple(terms), tuple(offsets)))
    solved = [path for readout in found for path in readout.parameters]
    others = sorted(reader.trainable - set(solved))
    if others:
        names = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        raise StudioError(f"Ridge regression learns linear readouts only, but not frozen: {names}", remedy=OTHERWISE)
    for readout in found:
        if reader.learned & {*(term.source for term in readout.terms), readout.loss.target}:
            raise StudioError(
                "Ridge regression cannot learn a readout of what another readout makes",
                where=readout.loss.node,
                remedy="Choose another optimiser.",
            )
    if not found:
        raise StudioError("Ridge regression finds no linear readout to learn", remedy="Add a Linear before the loss.")
    if twice := sorted({path for path in solved if solved.count(path) > 1}):
        raise StudioError(
            f"Ridge regression needs readouts of their own, but {twice[0]} is used twice",
            remedy="Give each loss its own readout, or choose another optimiser.",
        )
    return tuple(found)


class _Reader:
    """Finds what trained parameters reach, and takes predictions apart.

    Linear maps of one source are one product in a program, and each of them a slice of it: a slice is read as its map.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.ops = {op.name: op for op in region_ops(program.regions)}
        self.outside = {op.name for region in program.regions if isinstance(region, Map) for op in region.ops}
        self.trainable = {parameter.path for parameter in program.parameters if parameter.trainable}
        self.learned = self._learned()

    def member(self, op: Op) -> Term | None:
        """The linear map that an op is, alone or as a slice of a joined one."""
        if op.kind == "linear" and isinstance(op.attrs["weight"], str):
            return Term(op.attrs["weight"], op.attrs["bias"], op.inputs[0])
        joined = self.ops.get(op.inputs[0]) if op.kind == "slice" else None
        if joined is None or joined.kind != "linear" or isinstance(joined.attrs["weight"], str):
            return None
        heights = {parameter.path: parameter.shape[0] for parameter in self.program.parameters}
        start = 0
        for weight, bias in zip(joined.attrs["weight"], joined.attrs["bias"], strict=True):
            stop = start + heights[weight]
            if (op.attrs["start"], op.attrs["stop"]) == (start, stop):
                return Term(weight, bias, joined.inputs[0])
            start = stop
        return None

    def _paths(self, op: Op) -> Iterable[str]:
        """The parameters an op reads by itself."""
        if (term := self.member(op)) is not None:
            return [path for path in (term.weight, term.bias) if path is not None]
        if op.kind == "linear":
            return ()  # joined: its slices read them
        found = [op.attrs.get(key) for key in ("weight", "bias")]
        return [path for path in found if isinstance(path, str)]

    def _learned(self) -> set[str]:
        """Every value that depends on a trained parameter."""
        reads = {op.name: set(op.inputs) for op in self.ops.values()}
        found = {op.name for op in self.ops.values() if self.trainable & set(self._paths(op))}
        for scan in self.program.scans():
            for state in scan.states:
                reads[state.delay] = {state.source, *([state.given] if state.given else [])}
                if state.weight in self.trainable:
                    found.add(state.delay)
        readers: dict[str, list[str]] = {}
        for name, sources in reads.items():
            for source in sources:
                readers.setdefault(source, []).append(name)
        todo = list(found)
        while todo:
            for name in readers.get(todo.pop(), ()):
                if name not in found:
                    found.add(name)
                    todo.append(name)
        return found

    def collect(self, name: str, terms: list[Term], offsets: list[str]) -> None:
        """Take a sum of linear maps apart. Raises StudioError where it is none."""
        if name not in self.learned:
            offsets.append(name)
            return
        op = self.ops[name]
        if name not in self.outside:
            raise StudioError(
                "Ridge regression cannot learn a readout that is part of a loop",
                where=op.node,
                remedy="Let a Feedback be forced while training, or choose another optimiser.",
            )
        term = self.member(op)
        if term is not None:
            terms.append(term)
        elif op.kind in ("add", "align"):
            for source in op.inputs:
                self.collect(source, terms, offsets)
        else:
            raise StudioError(
                "Ridge regression learns linear readouts only: between this parameter's place and the loss lies more",
                where=op.node,
                remedy="Read the state by a Linear alone, or choose another optimiser.",
            )


class Sums:
    """HᵀH, HᵀY and ΣY² of a readout's inputs H (a last column of ones where it has a bias) and targets Y, so far.

    gram: [n, n]; moment: [n, m]; energy, rows: scalars. All float64.
    """

    def __init__(self, inputs: int, outputs: int, device: torch.device | None = None) -> None:
        self.gram = torch.zeros(inputs, inputs, dtype=torch.float64, device=device)
        self.moment = torch.zeros(inputs, outputs, dtype=torch.float64, device=device)
        self.energy = torch.zeros((), dtype=torch.float64, device=device)
        self.rows = torch.zeros((), dtype=torch.float64, device=device)

    def tensors(self) -> dict[str, Tensor]:
        return {"gram": self.gram, "moment": self.moment, "energy": self.energy, "rows": self.rows}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        for name, own in self.tensors().items():
            own.copy_(tensors[name])

    def add(self, inputs: Tensor, targets: Tensor) -> None:
        """inputs: [rows, n]; targets: [rows, m]."""
        self.gram.addmm_(inputs.T, inputs)
        self.moment.addmm_(inputs.T, targets)
        self.energy += targets.square().sum()
        self.rows += len(inputs)

    def solve(self, penalty: float, *, bias: bool) -> Tensor:
        """[n, m]: argmin ‖H W − Y‖² + λ‖W‖² = (HᵀH + λI)⁻¹ HᵀY, the bias (the last row) not penalised.

        Where columns depend on each other and λ is 0, the smallest W of all that do it (Moore–Penrose).
        """
        matrix = self.gram.clone()
        free = len(matrix) - 1 if bias else len(matrix)
        matrix.diagonal()[:free] += penalty
        factor, failed = torch.linalg.cholesky_ex(matrix)
        if not int(failed):
            solution: Tensor = torch.cholesky_solve(self.moment, factor)
        else:
            solution = torch.linalg.pinv(matrix, hermitian=True) @ self.moment
        return solution

    def squared_error(self, solution: Tensor) -> Tensor:
        """‖H W − Y‖² of everything read so far."""
        fitted = (solution * (self.gram @ solution - 2 * self.moment)).sum()
        error: Tensor = (self.energy + fitted).clamp(min=0.0)
        return error


def rows_of(
    readout: Readout, program: Program, values: Mapping[str, Tensor], lengths: Mapping[str, Tensor], washout: int = 0
) -> tuple[Tensor, Tensor]:
    """The valid places of a batch as rows: inputs [rows, n] (with the ones) and targets [rows, m], in float64.

    values: of `readout.values` as the program has them, [*axes, batch, width]. lengths: by the data's axis.
    washout: the first so many steps of the main axis (the program's first) do not count.
    """
    axes = program.signals[readout.loss.prediction].axes
    target = _spread(readout.loss.target, axes, program, values)
    shape = [1] * target.dim()
    for name in readout.values:
        part = _spread(name, axes, program, values)
        shape = [max(a, b) for a, b in zip(shape, part.shape, strict=True)]
    places = shape[:-1]

    def whole(name: str) -> Tensor:
        part = _spread(name, axes, program, values).detach().double()
        return part.expand(*places, part.shape[-1])

    counted = torch.ones(places, dtype=torch.bool, device=target.device)
    for place, axis in enumerate(axes):
        steps = torch.arange(places[place], device=target.device).reshape(-1, *[1] * (len(places) - 1 - place))
        own = lengths.get(program.axes[axis])
        if own is not None:
            counted &= steps < own.to(target.device)
        if axis == next(iter(program.axes)):
            counted &= steps >= washout
    columns = [whole(term.source)[counted] for term in readout.terms]
    if readout.biases:
        columns.append(columns[0].new_ones(len(columns[0]), 1))
    wanted = whole(readout.loss.target)[counted]
    for name in readout.offsets:
        wanted = wanted - whole(name)[counted]
    return torch.cat(columns, 1), wanted


def _spread(name: str, axes: tuple[str, ...], program: Program, values: Mapping[str, Tensor]) -> Tensor:
    """A value with its axes in this order, those it lacks one long."""
    x, own = values[name], program.signals[name].axes
    present = [axis for axis in axes if axis in own]
    x = x.permute([*(own.index(axis) for axis in present), x.dim() - 2, x.dim() - 1])
    for place, axis in enumerate(axes):
        if axis not in own:
            x = x.unsqueeze(place)
    return x


def write(readout: Readout, solution: Tensor, weights: Mapping[str, Tensor]) -> None:
    """Put a solution [n, m] into the network's parameters. Of several biases the first has it all."""
    with torch.no_grad():
        start = 0
        for term in readout.terms:
            weight = weights[term.weight]
            weight.copy_(solution[start : start + weight.shape[1]].T)
            start += weight.shape[1]
        for i, path in enumerate(readout.biases):
            weights[path].copy_(solution[start]) if i == 0 else weights[path].zero_()


def width_of(readout: Readout, weights: Mapping[str, Tensor]) -> tuple[int, int]:
    """Columns of H (with the ones) and of Y."""
    matrices = [weights[term.weight] for term in readout.terms]
    return sum(matrix.shape[1] for matrix in matrices) + bool(readout.biases), matrices[0].shape[0]
