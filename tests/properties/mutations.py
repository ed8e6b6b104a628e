"""Inputs of networks with something wrong, or unusual, about them: what a caller or a file could give.

`python -m tests.properties.mutations FIRST LAST` tries so many seeds, beyond those of the tests.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler.program import Program, parents_field
from rnnstudio.design.errors import StudioError
from rnnstudio.design.signals import Tokens
from rnnstudio.runtime import Network
from rnnstudio.runtime.fused.loops import MACHINE
from tests.conformance.drawings import attention, delayed, design, features, grid, language_model, stacked
from tests.conformance.running import program_of
from tests.runtime.fused import decoders
from tests.runtime.fused.cells import AT, CELLS, program
from tests.runtime.fused.tree_cells import tree_program

SIZES = {"time": 5, "source": 4, "tree": 5}
BATCH = 3


def running_sum() -> Program:
    """s = s_before + x: a network without parameters."""
    s = Sketch()
    features(s)
    s.add("sum", "Add", at=AT, a="inputs", b="before")
    s.add("before", "Delay", at=AT, params={"axis": "time", "width": 3}, input="sum")
    s.add("out", "Output", at=AT, input="sum")
    return program_of(design(s, "inputs"))


PROGRAMS: dict[str, Callable[[], Program]] = {
    "LSTM": lambda: program(CELLS["lstm"], 5),
    "GRU": lambda: program(CELLS["gru"], 8),
    "invented": lambda: program(CELLS["invented"], 7),
    "two lags": lambda: program(CELLS["two lags"], 5),
    "wired start": lambda: program(CELLS["wired start"], 5),
    "language model": lambda: program_of(language_model()),
    "bidirectional": lambda: program_of(stacked()),
    "delay outside of loops": lambda: program_of(delayed(2)),
    "grid": lambda: program_of(grid()),
    "attention": lambda: program_of(attention()),
    "decoder": lambda: decoders.attending(5),
    "forced writer": lambda: decoders.writing(5, probability=0.0),
    "tree": lambda: tree_program("ChildSumTreeLSTM", 5),
    "tree of words": lambda: tree_program("BinaryTreeLSTM", 5, words=4),
    "no parameters": running_sum,
}


@cache
def made(name: str) -> Program:
    return PROGRAMS[name]()


@dataclass
class Case:
    """A call of a network. weights: what happens to those of the network before it, by path."""

    program: Program
    fields: dict[Any, Any]
    lengths: dict[Any, Any]
    state: dict[Any, Any] = field(default_factory=dict)
    steps: dict[Any, Any] = field(default_factory=dict)
    weights: dict[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)


def right(program: Program, rng: random.Random) -> Case:
    """Nothing is wrong: float32, sometimes with lengths, sometimes going on from a state."""
    g = torch.Generator().manual_seed(rng.randrange(1 << 30))
    fields: dict[str, Tensor] = {}
    for item in program.inputs:
        shape = [BATCH, *(SIZES[program.axes[axis]] for axis in item.signal.axes)]
        if isinstance(item.signal.content, Tokens):
            fields[item.field] = torch.randint(item.signal.content.size, shape, generator=g)
        else:
            fields[item.field] = torch.randn([*shape, item.signal.width], generator=g)
    lengths = {}
    if rng.random() < 0.5 and not program.trees:
        lengths = {a: torch.randint(1, SIZES[a] + 1, (BATCH,), generator=g) for a in set(program.axes.values())}
    for axis in program.trees:
        data = program.axes[axis]
        fields[parents_field(data)] = torch.tensor([[-1, 0, 0, 1, 1], [2, 2, 4, 4, -1], [-1, 0, 0, 2, 2]])
        if rng.random() < 0.5:
            lengths[data] = torch.tensor([5, 5, 3])
    return Case(program, fields, lengths)


def network(case: Case, *, reference: bool, training: bool) -> Network:
    net = Network(case.program, 1, reference=reference).train(training)
    if training and not reference:
        net.set_lowering_choices({scan.name: MACHINE for scan in case.program.scans()})
    for path, change in case.weights.items():
        weight = net.weights[path]
        weight.data = change(weight.data)
    return net


# ── what can be wrong with a tensor

DTYPES = (
    *(torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8),
    *(torch.bool, torch.complex64, torch.float32),
)


def _resized(x: Tensor, rng: random.Random) -> Tensor:
    """One place shorter or longer somewhere, or empty there."""
    if not x.dim():
        return x[None]
    dim = rng.randrange(x.dim())
    n = rng.choice([0, 1, max(x.shape[dim] - 1, 0), x.shape[dim] + 1, 2 * x.shape[dim] + 1])
    return torch.cat([x, *[x.narrow(dim, 0, 1)] * n], dim).narrow(dim, 0, n) if x.shape[dim] else x


def _of_other_axes(x: Tensor, rng: random.Random) -> Tensor:
    ways = [lambda: x[None], lambda: x[..., None], lambda: x.flatten(), lambda: x.sum(), lambda: x.unsqueeze(1)]
    if x.dim() >= 2:
        ways += [lambda: x.select(1, 0), lambda: x.transpose(0, 1), lambda: x.movedim(-1, 0)]
    return rng.choice(ways)()


def _lying_otherwise(x: Tensor, rng: random.Random) -> Tensor:
    """The same numbers (or one of them everywhere), elsewhere in memory."""
    if not x.dim():
        return x
    dim = rng.randrange(x.dim())
    every = x.repeat_interleave(2, dim)
    ways = [
        lambda: x.transpose(0, -1).contiguous().transpose(0, -1),
        lambda: every[(slice(None),) * dim + (slice(None, None, 2),)],
        lambda: x.narrow(dim, 0, 1).expand(x.shape) if x.shape[dim] else x,
        lambda: torch.cat([x.flatten()[:1], x.flatten()])[1:].view(x.shape) if x.numel() else x,
    ]
    if x.is_floating_point():
        ways.append(lambda: torch._neg_view(-x))
        ways.append(lambda: x.clone().requires_grad_())
    return rng.choice(ways)()


def _with_other_numbers(x: Tensor, rng: random.Random) -> Tensor:
    x = x.detach().clone()
    if not x.numel() or x.device.type == "meta":
        return x
    number: Any = rng.choice([-1, 0, 1, 3, 4, 5, 6, 7, 30, 127, -128, 10**12, -(2**62)])
    if x.dtype.is_floating_point:
        number = rng.choice([float("nan"), float("inf"), 0.0, 100.0])
    elif x.dtype != torch.int64:
        number = int(number) % 100
    x.view(-1)[rng.randrange(x.numel())] = number
    return x


def _no_tensor(x: Tensor, rng: random.Random) -> object:
    plain = x.detach()
    ways: list[Callable[[], object]] = [lambda: None, lambda: 3, lambda: plain.to("meta")]
    if x.dim() >= 1 and x.device.type == "cpu" and not x.dtype.is_complex:
        ways += [lambda: plain.resolve_neg().tolist(), lambda: plain.to_sparse()]
        ways.append(lambda: plain.resolve_neg().float().numpy())
    return rng.choice(ways)()


def _tensor(x: object, rng: random.Random) -> object:
    if not isinstance(x, Tensor) or x.layout is not torch.strided:
        return x
    ways: list[Callable[[Tensor, random.Random], object]] = [
        *[_resized] * 3,
        *[_lying_otherwise] * 3,
        *[_with_other_numbers] * 3,
        _of_other_axes,
        lambda x, rng: x.to(rng.choice(DTYPES)),
        lambda x, rng: x.to(rng.choice(DTYPES)),
        _no_tensor,
    ]
    try:
        return rng.choice(ways)(x, rng)
    except RuntimeError:  # torch has no such form of it
        return x


# ── what can be wrong with a call


def _names(given: dict[Any, Any], rng: random.Random) -> None:
    if not given:
        given["sourse"] = torch.ones(BATCH, dtype=torch.int64)
        return
    name = rng.choice(list(given))
    way = rng.randrange(3)
    if way == 0:
        del given[name]
    elif way == 1:
        given[f"{name}x"] = given.pop(name)
    else:
        given[rng.choice([f"{name}_2", "", 3])] = given[name]


def _values(given: dict[Any, Any], rng: random.Random) -> None:
    if given:
        name = rng.choice(list(given))
        given[name] = _tensor(given[name], rng)


def _examples(case: Case, rng: random.Random) -> None:
    """All fields of a call have another batch, or an axis of another length."""
    rows = rng.choice([0, 1, 2])
    for name, x in case.fields.items():
        if isinstance(x, Tensor) and x.layout is torch.strided and x.dim():
            case.fields[name] = x[:rows]


def _some_state(case: Case, rng: random.Random) -> None:
    """A right state, from another run."""
    fields, net = right(case.program, rng).fields, Network(case.program, 1)
    with torch.no_grad():
        case.state = dict(net(fields).state)


def _lengths(case: Case, rng: random.Random) -> None:
    for axis in set(case.program.axes.values()):
        n = SIZES[axis]
        case.lengths[axis] = torch.tensor([rng.choice([1, n, n - 1, n, n + 1, 0, -1, 9, 10**9]) for _ in range(BATCH)])


def _weights(case: Case, rng: random.Random) -> None:
    paths = [parameter.path for parameter in case.program.parameters]
    if not paths:
        return
    some = paths if rng.random() < 0.3 else rng.sample(paths, rng.randint(1, min(3, len(paths))))
    dtype = rng.choice([torch.float64, torch.float64, torch.bfloat16, torch.float32])
    changes: list[Callable[[Tensor], Tensor]] = [
        lambda w: w.to(dtype),
        lambda w: w.t().contiguous().t() if w.dim() == 2 else w,
        lambda w: w.repeat_interleave(2, 0)[::2],
        lambda w: w[:1].expand(w.shape),
        lambda w: w[..., :-1],
        lambda w: torch.cat([w, w[:1]]),
        lambda w: w.flatten(),
        lambda w: w.t() if w.dim() == 2 else w,
        lambda w: torch.cat([w, w], -1)[..., : w.shape[-1]],
        lambda w: torch.empty(0),
    ]
    change = rng.choice(changes)
    for path in some:
        case.weights[path] = change


def _steps(case: Case, rng: random.Random) -> None:
    case.steps[rng.choice(["time", "source", "tme", *case.program.axes])] = rng.choice([-1, 0, 1, 5, 4, 2.5, True, "5"])


def _parents(case: Case, rng: random.Random) -> None:
    for axis in case.program.trees:
        name = parents_field(case.program.axes[axis])
        if isinstance(case.fields.get(name), Tensor):
            case.fields[name] = torch.tensor([[rng.randint(-2, 5) for _ in range(5)] for _ in range(BATCH)])


MUTATIONS: dict[str, Callable[[Case, random.Random], None]] = {
    "field names": lambda case, rng: _names(case.fields, rng),
    "field values": lambda case, rng: _values(case.fields, rng),
    "more field values": lambda case, rng: _values(case.fields, rng),
    "examples": _examples,
    "lengths": _lengths,
    "length names": lambda case, rng: _names(case.lengths, rng),
    "length values": lambda case, rng: _values(case.lengths, rng),
    "state": _some_state,
    "state names": lambda case, rng: (_some_state(case, rng), _names(case.state, rng))[0],
    "state values": lambda case, rng: (_some_state(case, rng), _values(case.state, rng))[0],
    "weights": _weights,
    "steps": _steps,
    "parents": _parents,
}


def mutated(name: str, kinds: list[str], rng: random.Random) -> Case:
    case = right(made(name), rng)
    for kind in kinds:
        MUTATIONS[kind](case, rng)
        case.did.append(kind)
    return case


# ── what must hold


Found = dict[str, Tensor] | StudioError


def asked(case: Case, *, reference: bool, training: bool, backward: bool) -> Found:
    """What a network says to a call: its numbers, or that the call is wrong."""
    torch.manual_seed(5)
    net = network(case, reference=reference, training=training)
    try:
        if not backward or not case.program.losses:
            with torch.no_grad():
                result = net(case.fields, case.lengths, case.state, case.steps)
            outputs = {name: _own(x, name, case) for name, x in result.outputs.items()}
            return {**outputs, **{f"state {n}": x for n, x in result.state.items()}}
        losses = net.losses(case.fields, case.lengths, case.state)
        if losses.total.requires_grad:
            losses.total.backward()
        gradients = {p: w.grad for p, w in net.weights.items() if w.grad is not None}
        return {"total": losses.total.detach(), **{f"state {n}": x for n, x in losses.state.items()}, **gradients}
    except StudioError as error:
        return error


def _own(x: Tensor, name: str, case: Case) -> Tensor:
    """An output without its padding, which nobody promises anything of."""
    for place, axis in enumerate(case.program.signals[case.program.outputs[name]].axes):
        own = case.lengths.get(case.program.axes[axis])
        if own is not None:
            mask = torch.arange(x.shape[place + 1]) < own.long()[:, None]
            shape = [1] * x.dim()
            shape[0], shape[place + 1] = x.shape[0], x.shape[place + 1]
            x = torch.where(mask.view(shape), x, 0)
    return x


def _finite(case: Case) -> bool:
    given = [*case.fields.values(), *case.state.values()]
    return all(bool(x.isfinite().all()) for x in given if isinstance(x, Tensor) and x.device.type == "cpu")


def hold(name: str, kinds: list[str], seed: int) -> str:
    """The kernels give the reference's numbers, or both refuse in the same words. Returns which."""
    rng = random.Random(seed)
    case = mutated(name, kinds, rng)
    training, backward = rng.random() < 0.5, rng.random() < 0.7
    wanted = asked(case, reference=True, training=training, backward=backward)
    found = asked(case, reference=False, training=training, backward=backward)
    if isinstance(wanted, StudioError) or isinstance(found, StudioError):
        assert str(found) == str(wanted)
        assert str(found).count("\n") == 0
        return "refused"
    assert set(found) == set(wanted)
    precise = all(x.dtype in (torch.float32, torch.float64) for x in wanted.values() if x.is_floating_point())
    precise = precise and _finite(case)
    for key, x in wanted.items() if precise else ():
        size = float(x[x.isfinite()].abs().max()) if x.is_floating_point() and x.isfinite().any() else 1.0
        torch.testing.assert_close(found[key], x, rtol=2e-3, atol=2e-4 * max(1.0, size), equal_nan=True, msg=key)
    return "equal"


def any_case(seed: int) -> tuple[str, list[str]]:
    rng = random.Random(seed)
    return rng.choice(list(PROGRAMS)), rng.choices(list(MUTATIONS), k=rng.choice([1, 1, 2, 3]))


def main(first: int, last: int) -> int:
    counts: Counter[str] = Counter()
    for seed in range(first, last):
        name, kinds = any_case(seed)
        print(f"{seed} {name} {kinds}", file=sys.stderr, flush=True)
        try:
            counts[hold(name, kinds, seed)] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the search goes on
            counts["FAILED"] += 1
            print(f"{seed}: {name}, {kinds}: {type(error).__name__}: {str(error)[:300]}", flush=True)
    print(dict(counts))
    return counts["FAILED"]


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]), int(sys.argv[2]))))
