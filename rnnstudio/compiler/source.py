"""A program as readable plain PyTorch: what the code panel shows and "Export Python" writes.

The source needs torch alone. Its time loop is the reference that every faster lowering must equal. This file prints
the module around the operations; the operations and loops are printed by `printed/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..catalog.primitives import Op
from ..design.signals import Signal, Tokens
from .printed.feedback import follows_progress
from .printed.forms import HELPERS
from .printed.loops import print_op, print_regions
from .printed.names import class_name, parameter_names, plain
from .printed.starts import print_parameter
from .printed.writer import Writer
from .program import Input, Program, region_ops
from .prune import Needs, needs, prune

__all__ = ["class_name", "loss_arguments", "parameter_names", "source"]


def source(program: Program) -> str:
    """The source of a module that computes the program's outputs (and its loss, from the outputs)."""
    w = Writer(program, tuple(HELPERS))
    forward = list(_forward(w))
    loss = list(_loss(w))
    parameters = [line for p in program.parameters for line in print_parameter(w, p)]
    lines = [
        f'"""{plain(program.name)}: a network drawn in rnnstudio, as plain PyTorch."""',
        "",
        *(["import math", ""] if "forcing" in w.helpers else []),
        "import torch",
        "import torch.nn.functional as F",
        "from torch import nn",
        "",
        "",
    ]
    for name, text in HELPERS.items():
        if name in w.helpers:
            lines += [*text.rstrip().splitlines(), "", ""]
    lines += [
        f"class {class_name(program)}(nn.Module):",
        "    def __init__(self):",
        "        super().__init__()",
    ]
    lines += [f"        {line}" for line in parameters]
    if any(map(follows_progress, region_ops(program.regions))):
        lines.append("        self.progress = 0  # training steps so far: teacher forcing follows it")
    lines += ["", *(f"    {line}".rstrip() for line in forward)]
    if loss:
        lines += ["", *(f"    {line}".rstrip() for line in loss)]
    return "\n".join(lines) + "\n"


def _forward(w: Writer) -> Iterator[str]:
    outputs = w.program.outputs
    regions = prune(w.program.regions, outputs.values())
    needed = needs(w.program, outputs.values())
    inputs, trees = needed.inputs, needed.trees
    w.arguments = [w.names[i.name] for i in inputs]
    names = w.arguments + [w.names[f"parents of {axis}"] for axis in trees]
    names += [w.axes[axis] for axis in needed.free]
    arguments = "".join(f"{name}, " for name in names)
    yield f"def forward(self, {arguments}lengths=None, state=None):"
    yield f'    """{_describe(inputs)}'
    yield ""
    for axis in needed.free:
        yield f"    {w.axes[axis]}: how many steps to run along {axis}, on the network's own output."
    yield "    lengths: {axis: [batch] valid steps}, None: all."
    several = len(set(w.program.axes.values())) > 1
    where = f"along {w.program.cut}" if several else "from there"
    yield f"    state: what the call before returned, to go on {where}; None: from the beginning."
    yield f"    Returns ({_results(w.program)}, state)."
    yield '    """'
    body = ["state, final = state or {}, {}", *_sizes(w, inputs, needed)]
    for axis in trees:
        w.helpers.add("Forest")
        own = f'(lengths or {{}}).get("{w.data_axis(axis)}")'
        body.append(f"{w.forest(axis)} = Forest({w.names[f'parents of {axis}']}, {own})")
    body += print_regions(w, regions)
    yield from (f"    {line}" for line in body)
    results = ", ".join(_output(w, value) for value in outputs.values())
    yield f"    return {results if len(outputs) == 1 else f'({results})'}, final"


def _sizes(w: Writer, inputs: Sequence[Input], needed: Needs) -> Iterator[str]:
    known = set(needed.free)
    given = {axis for item in inputs for axis in item.signal.axes}
    for axis in needed.trees:
        if not inputs or axis not in given:
            known.add(axis)
            yield f"batch, {w.axes[axis]} = {w.names[f'parents of {axis}']}.shape"
    if not inputs and not needed.trees:
        yield "batch = 1"
    for i, item in enumerate(inputs):
        name = w.names[item.name]
        dims = ["batch" if i == 0 else "_"]
        for axis in item.signal.axes:
            dims.append("_" if axis in known else w.axes[axis])
            known.add(axis)
        if any(d != "_" for d in dims):
            yield f"{', '.join(dims)}{',' if len(dims) == 1 else ''} = {name}.shape[:{len(dims)}]"
        if item.signal.axes:
            yield f"{name} = {name}.movedim(0, {len(item.signal.axes)})  # {_layout(item.signal)}"
    for copy, axis in w.program.copies.items():
        if axis in known:
            yield f"{w.axes[copy]} = {w.axes[axis]}"


def _output(w: Writer, value: str) -> str:
    axes = w.program.signals[value].axes
    return f"{w.variable(value)}.movedim({len(axes)}, 0)" if axes else w.variable(value)


def loss_arguments(program: Program) -> tuple[list[str], list[str]] | None:
    """What the printed `loss` takes: values that forward returns, then inputs of the program; None where there is none
    (without a loss, or where it reads what forward does not return)."""
    outputs = set(program.outputs.values())
    fields = {item.name for item in program.inputs}
    needed = _loss_ops(program)
    made = {op.name for op in needed}
    read = [name for op in needed for name in op.inputs if name not in made]
    if not program.losses or any(name not in outputs and name not in fields for name in read):
        return None
    results = list(dict.fromkeys(name for name in read if name in outputs))
    return results, list(dict.fromkeys(name for name in read if name in fields and name not in results))


def _loss_ops(program: Program) -> list[Op]:
    regions = prune(program.regions, [loss.value for loss in program.losses])
    nodes = {loss.node for loss in program.losses}
    return [op for op in region_ops(regions) if op.node in nodes]


def _loss(w: Writer) -> Iterator[str]:
    losses = w.program.losses
    arguments = loss_arguments(w.program)
    if arguments is None:
        return
    needed = _loss_ops(w.program)
    results, targets = arguments
    yield f"def loss(self, {', '.join(map(w.variable, (*results, *targets)))}, lengths=None):"
    yield '    """The mean loss over all valid places; arguments batch first, as forward takes and gives them."""'
    first = True
    known: set[str] = set()
    for name in (*results, *targets):
        axes = w.program.signals[name].axes
        for place, axis in enumerate(axes):
            if axis not in known:
                known.add(axis)
                yield f"    {w.axes[axis]} = {w.variable(name)}.shape[{place + 1}]"
        if first:
            yield f"    batch = {w.variable(name)}.shape[0]"
            first = False
        if axes:
            yield f"    {w.variable(name)} = {w.variable(name)}.movedim(0, {len(axes)})"
    for op in needed:
        yield from (f"    {line}" for line in print_op(w, op))
    total = " + ".join((f"{loss.weight:g} * " if loss.weight != 1 else "") + w.variable(loss.value) for loss in losses)
    yield f"    return {total}"


def _layout(signal: Signal) -> str:
    tail = () if isinstance(signal.content, Tokens) else (str(signal.content.width),)
    return "[" + ", ".join((*signal.axes, "batch", *tail)) + "]"


def _describe(inputs: Sequence[Input]) -> str:
    return "; ".join(f"{i.field}: {i.signal.text()}" for i in inputs) + "."


def _results(program: Program) -> str:
    shapes: Mapping[str, Signal] = program.signals
    return ", ".join(f"{name} {shapes[value].text()}" for name, value in program.outputs.items())
