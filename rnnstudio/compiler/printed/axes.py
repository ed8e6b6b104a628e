"""The printed form of what moves along an axis or crosses it: delays outside loops, pools, clocks, other orders."""

from __future__ import annotations

from collections.abc import Iterator

from ...catalog.primitives import Op
from ...catalog.trees import CHILDREN
from ...design.signals import Real, Tokens
from .writer import Form, Writer, one

HELPERS = {
    "reversed_steps": '''\
def reversed_steps(x, dim, batch_dim, length):
    """Each example's own steps in the opposite order; padding stays."""
    size = x.shape[dim]
    step = torch.arange(size, device=x.device)[:, None]
    index = torch.where(step < length[None, :], length[None, :] - 1 - step, step)
    shape = [1] * x.dim()
    shape[dim], shape[batch_dim] = index.shape
    return x.gather(dim, index.reshape(shape).expand_as(x))
''',
    "take_steps": '''\
def take_steps(x, dim, batch_dim, places):
    """Of each example the steps `places` [n, batch] along dim."""
    shape = [1] * x.dim()
    shape[dim], shape[batch_dim] = places.shape
    wanted = list(x.shape)
    wanted[dim] = places.shape[0]
    return x.gather(dim, places.reshape(shape).expand(wanted))
''',
}


def _aligned(w: Writer, op: Op, a: list[str]) -> str:
    x, wanted = a[0], op.signal.axes
    present = [axis for axis in op.attrs["present"] if axis in wanted]
    order = [present.index(axis) for axis in wanted if axis in present]
    if order != sorted(order):
        content = [len(order) + i for i in range(2 if isinstance(op.signal.content, Real) else 1)]
        x = f"{x}.permute({', '.join(map(str, order + content))})"
    missing = [axis for axis in wanted if axis not in present]
    for axis in missing:
        x = f"{x}.unsqueeze({wanted.index(axis)})"
    sizes = [w.axes[axis] if axis in missing else "-1" for axis in wanted]
    rest = ["-1"] * (2 if isinstance(op.signal.content, Real) else 1)
    return f"{x}.expand({', '.join(sizes + rest)})" if missing else x


def _delay(w: Writer, op: Op, name: str, a: list[str]) -> Iterator[str]:
    axis, k = op.attrs["axis"], op.attrs["k"]
    dim, x = op.signal.axes.index(axis), a[0]
    size = w.axes[axis]
    first = w.variable(f"first of {op.name}", f"{op.name}_first")
    like = f"{x}.select({dim}, 0)"
    if op.attrs["initial"] == "wire":
        yield f"{first} = {a[1]}.expand_as({like})"
    elif op.attrs["initial"] == "learned":
        yield f"{first} = {w.parameter(op.attrs['weight'])}.expand_as({like})"
    elif isinstance(op.signal.content, Tokens):
        yield f"{first} = torch.full_like({like}, {op.attrs['first']})"
    else:
        yield f"{first} = torch.zeros_like({like})"
    w.helpers |= {"own_length", "take_steps"}
    length = w.length(axis, x)
    if k > 0:
        past = w.variable(f"past of {op.name}", f"{op.name}_past")
        yield f"{past} = torch.stack([{first}] * {k}, {dim})"
        carried = not w.inside and op.name in w.going_on
        if carried:
            yield f'if "{op.name}" in state:'
            yield f'    {past} = state["{op.name}"].movedim(0, {dim})'
        yield f"{past} = torch.cat([{past}, {x}], {dim})"
        if carried:
            places = f"torch.arange({k}, device={x}.device)[:, None] + {length}[None, :]"
            taken = f"take_steps({past}, {dim}, {len(op.signal.axes)}, {places})"
            yield f'final["{op.name}"] = {taken}.movedim({dim}, 0)'
        yield f"{name} = {past}.narrow({dim}, 0, {size})"
        return
    ahead = w.variable(f"ahead of {op.name}", f"{op.name}_ahead")
    own = w.variable(f"own of {op.name}", f"{op.name}_own")
    yield f"{ahead} = min({-k}, {size})"
    yield f"{name} = torch.cat([{x}.narrow({dim}, {ahead}, {size} - {ahead}), " + (
        f"torch.stack([{first}] * {ahead}, {dim})], {dim})"
    )
    yield f"{own} = torch.arange({size}, device={x}.device)[:, None] + {-k} < {length}[None, :]"
    shape = ["1"] * len(op.signal.axes) + [w.batch, *(() if isinstance(op.signal.content, Tokens) else ("1",))]
    shape[dim] = size
    yield f"{name} = torch.where({own}.reshape({', '.join(shape)}), {name}, {first}.unsqueeze({dim}))"


def _pool(w: Writer, op: Op, name: str, a: list[str]) -> Iterator[str]:
    axis, how, axes, x = op.attrs["axis"], op.attrs["how"], op.attrs["axes"], a[0]
    dim = axes.index(axis)
    if how in ("first", "last") and axis.endswith(CHILDREN):  # a leaf has no child, and gives zeros
        own = w.variable(f"own of {op.name}", f"{op.name}_own")
        w.helpers.add("blanked")
        yield f"{own} = blanked({x}, 0.0, {w.own(axis, axes, x)})"
        x = own
    if how == "first":
        yield f"{name} = {x}.select({dim}, 0)"
        return
    if how == "last":
        w.helpers.add("take_steps")
        least = ".clamp(min=1)" if axis.endswith(CHILDREN) else ""
        places = f"{w.length(axis, x)}{least}[None, :] - 1"
        yield f"{name} = take_steps({x}, {dim}, {len(axes)}, {places}).squeeze({dim})"
        return
    valid = w.variable(f"valid of {op.name}", f"{op.name}_valid")
    call, shape = w.mask(axis, axes, x)
    yield f"{valid} = {call}"
    yield f"{name} = {x}"
    yield f"if {valid} is not None:"
    blank = 'float("-inf")' if how == "max" else "0.0"
    yield f"    {name} = {name}.masked_fill(~{valid}.reshape({shape}), {blank})"
    if how == "max":
        yield f"{name} = {name}.amax({dim})"
        if axis.endswith(CHILDREN):
            yield f"{name} = {name}.masked_fill(({w.length(axis, x)} == 0)[:, None], 0.0)"
        return
    yield f"{name} = {name}.sum({dim})"
    if how == "mean":
        least = ".clamp(min=1)" if axis.endswith(CHILDREN) else ""
        yield f"{name} = {name} / {w.length(axis, x)}{least}[:, None]"


def _reverse(w: Writer, op: Op, a: list[str]) -> str:
    w.helpers.add("reversed_steps")
    axis, axes = op.attrs["axis"], op.signal.axes
    return f"reversed_steps({a[0]}, {axes.index(axis)}, {len(axes)}, {w.length(axis, a[0])})"


def _repeat(w: Writer, op: Op, a: list[str]) -> str:
    return f"{a[0]}.unsqueeze(0).expand({w.axes[op.attrs['axis']]}, *{a[0]}.shape)"


def _clock(w: Writer, op: Op, name: str, a: list[str]) -> Iterator[str]:
    axis, periods = op.attrs["axis"], op.attrs["periods"]
    start, step = w.variable(f"start of {name}", f"{name}_start"), w.variable(f"step of {name}", f"{name}_step")
    own = w.length(axis, w.anything())
    yield f"{start} = {own}.new_zeros(batch, 1)"
    if op.name in w.going_on:
        yield f'if "{op.name}" in state:'
        yield f'    {start} = state["{op.name}"][0].round().long()'
    yield f"{step} = torch.arange({w.size(axis)}, device={start}.device)[:, None, None] + {start}"
    if op.name in w.going_on:
        yield f'final["{op.name}"] = ({start} + {own}[:, None]).to({w.dtype()})[None]'
    group = op.signal.width // len(periods)
    every = f"torch.tensor({list(periods)}, device={start}.device)"
    every += f".repeat_interleave({group})" if group > 1 else ""
    yield f"{name} = ({step} % {every} == 0).to({w.dtype()})"


def _step_number(w: Writer, op: Op, name: str, a: list[str]) -> Iterator[str]:
    axis = op.attrs["axis"]
    start = w.variable(f"start of {op.name}", f"{op.name}_start")
    own = w.length(axis, w.anything())
    yield f"{start} = torch.zeros(1, {w.batch}, 1, dtype={w.dtype()}, device={w.anything()}.device)"
    if op.name in w.going_on:
        yield f'if "{op.name}" in state:'
        yield f'    {start} = state["{op.name}"]'
        yield f'final["{op.name}"] = {start} + {own}[None, :, None].to({w.dtype()})'
    yield f"{name} = {start} + torch.arange({w.size(axis)}, device={start}.device)[:, None, None].to({w.dtype()})"


PRINTED: dict[str, Form] = {
    "align": one(_aligned),
    "delay": _delay,
    "pool": _pool,
    "reverse": one(_reverse),
    "repeat": one(_repeat),
    "clock": _clock,
    "step_number": _step_number,
}
