"""What must hold of every drawing without an error: it runs, in every way alike, and padding changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from rnnstudio.compiler import Program, compile_design
from rnnstudio.compiler.program import parents_field, region_ops
from rnnstudio.compiler.prune import needs, prune
from rnnstudio.compiler.source import parameter_names
from rnnstudio.design.design import Design
from rnnstudio.design.errors import StudioError
from rnnstudio.design.signals import Tokens
from rnnstudio.runtime import Network
from rnnstudio.runtime.stepper import Stepper
from tests.conformance.catalogue import network, own_part, own_values, weighted
from tests.conformance.running import Tensors, assert_same, printed, program_of
from tests.properties.pen import CATALOG, TREES

SIZES = {"time": 6, "source": 5, "tree": 6, "bush": 4, "marks": 2}
LENGTHS = {
    "time": torch.tensor([4, 1, 6]),
    "source": torch.tensor([2, 5, 1]),
    "tree": torch.tensor([6, 1, 4]),
    "bush": torch.tensor([2, 4, 3]),
    "marks": torch.tensor([1, 1, 2]),
}
UNIT = ("switches", "flags")
"""Fields whose values lie in 0 … 1."""


def fields_of(
    program: Program, seed: int, sizes: Mapping[str, int], lengths: Tensors | None, longest: Tensors = LENGTHS
) -> Tensors:
    """A random batch of three examples. The padding is random, too; parents there are no nodes at all.

    longest: the lengths of all axes, where `lengths` says that the batch is padded.
    """
    generator = torch.Generator().manual_seed(seed)
    fields: Tensors = {}
    for item in program.inputs:
        places = [sizes[program.axes[axis]] for axis in item.signal.axes]
        if isinstance(item.signal.content, Tokens):
            fields[item.field] = torch.randint(item.signal.content.size, (3, *places), generator=generator)
        else:
            make = torch.rand if item.field in UNIT else torch.randn
            shape = (3, *places, item.signal.content.width)
            fields[item.field] = make(shape, generator=generator, dtype=torch.float64)
    for axis in TREES:
        own = longest[axis] if lengths is not None else torch.full((3,), sizes[axis])
        fields[parents_field(axis)] = _parents(own, sizes[axis], generator)
    return fields


def _parents(lengths: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Random trees, their nodes in random order: node i of an order hangs from one before it."""
    parents = torch.full((len(lengths), size), -9)
    for example, count in enumerate(lengths.tolist()):
        order = torch.randperm(count, generator=generator)
        parents[example, order[0]] = -1
        for i in range(1, count):
            parents[example, order[i]] = order[int(torch.randint(i, (1,), generator=generator))]
    return parents


def axis_lengths(program: Program) -> Tensors:
    return {axis: LENGTHS[axis] for axis in set(program.axes.values())}


def total_of(program: Program, outputs: Tensors, lengths: Tensors | None) -> Tensor:
    """A number that depends on every real output at its own places."""
    parts: Tensors = {}
    for name, value in outputs.items():
        if not value.is_floating_point():
            continue
        if lengths is None:
            parts[name] = value
        else:
            examples = range(value.shape[0])
            parts[name] = torch.cat([own_values(program, name, value, lengths, i).flatten() for i in examples])
    return weighted(parts)


def own_outputs(program: Program, outputs: Tensors, lengths: Tensors | None) -> Tensors:
    """The outputs at their own places, flat."""
    if lengths is None:
        return {name: value.detach() for name, value in outputs.items()}
    return {
        name: torch.cat([own_values(program, name, x, lengths, i).flatten() for i in range(x.shape[0])]).detach()
        for name, x in outputs.items()
    }


def own_state(program: Program, state: Tensors, lengths: Tensors | None) -> Tensors:
    """The final states with zeros at padded places of the axes that they run along themselves."""
    axes = {s.delay: s.signal.axes for scan in program.scans() for s in scan.states}
    for op in region_ops(program.regions):
        if op.kind == "delay":
            axes[op.name] = tuple(axis for axis in op.signal.axes if axis != op.attrs["axis"])
    kept: Tensors = {}
    for name, value in state.items():
        own = axes.get(name, ())
        for place, axis in enumerate(own):
            if lengths is not None:
                shape = [1] * value.dim()
                shape[place + 1], shape[len(own) + 1] = value.shape[place + 1], value.shape[len(own) + 1]
                valid = torch.arange(shape[place + 1])[:, None] < lengths[program.axes[axis]][None, :]
                value = value.masked_fill(~valid.reshape(shape), 0.0)
        kept[name] = value
    return kept


def gradients(weights: Mapping[str, Tensor], total: Tensor) -> Tensors:
    """By name; zeros where nothing arrives."""
    trained = {name: w for name, w in weights.items() if w.requires_grad}
    if not trained or not total.requires_grad:
        return {name: torch.zeros_like(w) for name, w in trained.items()}
    found = torch.autograd.grad(total, list(trained.values()), allow_unused=True, retain_graph=True)
    return {n: g if g is not None else torch.zeros_like(trained[n]) for n, g in zip(trained, found, strict=True)}


class Run:
    """One run of a network over a batch, and of the printed source over the same: outputs, loss, gradients of both."""

    def __init__(self, made: Network, fields: Tensors, lengths: Tensors | None, state: Tensors | None = None) -> None:
        program = made.program
        result = made(fields, lengths, state, _free(program))
        self.state = own_state(program, result.state, lengths)
        self.outputs = own_outputs(program, result.outputs, lengths)
        total = total_of(program, result.outputs, lengths)
        self.total = float(total.detach())
        self.gradients = gradients(made.weights, total)
        self.loss: dict[str, Tensor] = {}
        self.loss_gradients: Tensors = {}
        if program.losses and not _free(program):
            losses = made.losses(fields, lengths, state)
            self.loss = {"loss": losses.total.detach()}
            self.loss_gradients = gradients(made.weights, losses.total)

    def everything(self) -> Iterator[tuple[str, Tensor]]:
        yield from self.outputs.items()
        yield from self.loss.items()
        yield from self.gradients.items()
        yield from self.loss_gradients.items()


def _free(program: Program) -> dict[str, int]:
    """How long the axes are that nothing else tells (a network left to itself writes along them)."""
    return {axis: SIZES[program.axes[axis]] for axis in needs(program, program.outputs.values()).free}


def assert_equal(one: Run, other: Run) -> None:
    assert_same(one.outputs, other.outputs)
    assert_same(one.state, other.state)
    assert_same(one.loss, other.loss)
    assert_same(one.gradients, other.gradients)
    assert_same(one.loss_gradients, other.loss_gradients)


def assert_the_source_gives(wanted: Run, made: Network, fields: Tensors, lengths: Tensors | None) -> None:
    """The printed source gives the same outputs, states, losses and gradients."""
    program = made.program
    model = printed(program, made.weights)
    needed = needs(program, program.outputs.values())
    arguments = [
        *(fields[i.field] for i in needed.inputs),
        *(fields[parents_field(program.axes[axis])] for axis in needed.trees),
        *_free(program).values(),
    ]
    if not needed.inputs and not needed.trees:
        return  # nothing that it reads tells how many examples there are
    results, final = model(*arguments, lengths=lengths)
    outputs = dict(zip(program.outputs, (results,) if len(program.outputs) == 1 else results, strict=True))
    assert_same(own_outputs(program, outputs, lengths), wanted.outputs)
    assert_same(own_state(program, final, lengths), wanted.state)
    own = {
        path: model.get_parameter(name) for path, name in parameter_names(program).items() if path in wanted.gradients
    }
    assert_same(gradients(own, total_of(program, outputs, lengths)), wanted.gradients)
    if not hasattr(model, "loss") or not wanted.loss:
        return
    by_value = {value: outputs[name] for name, value in program.outputs.items()}
    by_value |= {i.name: fields[i.field] for i in program.inputs}
    loss = model.loss(*(by_value[name] for name in _compared(program)), lengths=lengths)
    assert_same({"loss": loss.detach()}, wanted.loss)
    assert_same(gradients(own, loss), wanted.loss_gradients)


def _compared(program: Program) -> list[str]:
    """What the printed loss takes: outputs first, then fields, in the order in which losses read them."""

    nodes = {loss.node for loss in program.losses}
    regions = prune(program.regions, [loss.value for loss in program.losses])
    ops = [op for op in region_ops(regions) if op.node in nodes]
    made = {op.name for op in ops}
    read = dict.fromkeys(name for op in ops for name in op.inputs if name not in made)
    outputs = set(program.outputs.values())
    return [*(n for n in read if n in outputs), *(n for n in read if n not in outputs)]


def assert_finite(run: Run) -> None:
    for name, value in run.everything():
        assert bool(value.isfinite().all()), f"{name} is not finite"


def assert_padding_counts_not(
    made: Network,
    fields: Tensors,
    lengths: Tensors,
    wanted: Run,
    one: int,
    sizes: Mapping[str, int] = SIZES,
    longest: Tensors = LENGTHS,
) -> None:
    """Other numbers in the padding change nothing; example `one` by itself gives what it gives in the batch."""
    program = made.program
    if not program.inputs:
        return  # nothing tells how many examples there are
    other = fields_of(program, 99, sizes, lengths, longest)
    for item in program.inputs:
        x = fields[item.field]
        own = torch.ones(x.shape[: 1 + len(item.signal.axes)], dtype=torch.bool)
        for place, axis in enumerate(item.signal.axes):
            steps = torch.arange(x.shape[place + 1]) < lengths[program.axes[axis]][:, None]
            own &= steps.reshape(3, *(-1 if i == place else 1 for i in range(len(item.signal.axes))))
        mask = own if x.dim() == own.dim() else own[..., None]
        other[item.field] = torch.where(mask, x, other[item.field])
    for axis in TREES:
        other[parents_field(axis)] = fields[parents_field(axis)]
    assert_equal(Run(made, other, lengths), wanted)
    alone = own_part(program, fields, lengths, one)
    for axis in TREES:
        alone[parents_field(axis)] = fields[parents_field(axis)][one : one + 1, : int(longest[axis][one])]
    if _free(program):
        return
    whole = made(fields, lengths).outputs
    inside = {name: own_values(program, name, value, lengths, one) for name, value in whole.items()}
    outputs = made(alone).outputs
    for name, value in outputs.items():
        scale = max(1.0, float(value.detach().abs().max()))
        difference = float((inside[name] - value).detach().abs().max())
        assert difference <= 1e-10 * scale, f"{name} of example {one} differs by {difference:.1e}"
    mine = {name: x for name, x in inside.items() if x.is_floating_point()}
    theirs = {name: x for name, x in outputs.items() if x.is_floating_point()}
    assert_same(gradients(made.weights, weighted(mine)), gradients(made.weights, weighted(theirs)))


def assert_steps_are_the_whole(made: Network, fields: Tensors) -> None:
    """A network that generates gives step by step what it gives for all steps at once (fed with the same)."""
    try:
        stepper = Stepper(made)
    except StudioError:
        return
    program, plan = made.program, stepper.plan
    target = next(i for i in program.inputs if i.name == plan.loss.target)
    losses = made.losses(fields)
    wanted = losses.predictions[plan.loss.node]
    others = {i.field: fields[i.field] for i in plan.others}
    others |= {parents_field(axis): fields[parents_field(axis)] for axis in TREES}
    stepper.start(others)
    with torch.no_grad():
        for t in range(4):
            fed = fields[plan.fed.field][:, t] if plan.fed is not None else None
            if plan.fed is None and t:
                fed = fields[target.field][:, t - 1]
            assert_same({"step": stepper.step(fed)}, {"step": wanted[:, t]})


def assert_all_laws(drawn: Design, *, thorough: bool = True) -> None:
    """Every law, for a drawing that check passes. Raises AssertionError, or whatever went wrong."""
    program = program_of(drawn)
    reference, made = network(program, reference=True), network(program)
    lengths = axis_lengths(program)
    for own, sizes in ((None, SIZES), (lengths, SIZES), (None, dict.fromkeys(SIZES, 1))):
        fields = fields_of(program, 11, sizes, own)
        wanted = Run(reference, fields, own)
        assert_finite(wanted)
        assert_equal(Run(made, fields, own), wanted)
        assert_the_source_gives(wanted, reference, fields, own)
        if own is not None:
            assert_padding_counts_not(reference, fields, own, wanted, 0)
            assert_padding_counts_not(made, fields, own, wanted, 2)
            reference.probe(fields, own)
            reference.first_non_finite(fields, own) if program.losses else None
    if not thorough:
        return
    kinds = {n.kind for n in drawn.graph.nodes.values()}
    fields = fields_of(program, 12, SIZES, lengths)
    made.train()
    made.progress = 500
    if program.losses:
        for found in gradients(made.weights, made.losses(fields, lengths).total).values():
            assert bool(found.isfinite().all())
    if "Feedback" in kinds:
        assert_free_and_forced_runs_agree(drawn)
    forced = network(_in_mode(drawn, "forced"))
    assert_steps_are_the_whole(forced, fields_of(forced.program, 13, SIZES, None))


def _in_mode(drawn: Design, mode: str) -> Program:

    return compile_design(drawn, CATALOG, mode)


def assert_free_and_forced_runs_agree(drawn: Design) -> None:
    """In the modes "free" and "forced" every way to run it agrees, too."""
    for mode in ("free", "forced"):
        try:
            program = _in_mode(drawn, mode)
        except StudioError:
            assert mode == "free"  # a prediction that reads its whole sequence can be forced, but not live on itself
            continue
        reference = network(program, reference=True)
        if any(op_samples(program)):
            continue
        lengths = axis_lengths(program)
        for own in (None, lengths):
            fields = fields_of(program, 14, SIZES, own)
            wanted = Run(reference, fields, own)
            assert_finite(wanted)
            assert_equal(Run(network(program), fields, own), wanted)
            assert_the_source_gives(wanted, reference, fields, own)


def op_samples(program: Program) -> Iterator[bool]:
    """Whether each operation draws at random."""

    return (bool(op.attrs.get("sample")) for op in region_ops(program.regions))
