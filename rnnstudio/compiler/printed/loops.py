"""The printed form of regions: operations in order, and loops step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...catalog.primitives import Op
from ...design.signals import Tokens
from ..program import Map, Region, Scan, State, region_ops
from .forms import PRINTED
from .trees import tree_loop
from .weights import joined_weights, shared_masks
from .writer import Writer


def print_regions(w: Writer, regions: Sequence[Region]) -> Iterator[str]:
    """The lines of some regions in order."""
    for i, region in enumerate(regions):
        if isinstance(region, Map):
            yield from _ops(w, region.ops)
        else:
            yield ""
            yield from _loop(w, region)
            if i + 1 < len(regions) and isinstance(regions[i + 1], Map):
                yield ""


def print_op(w: Writer, op: Op) -> Iterator[str]:
    """The lines of one operation. Raises KeyError for a primitive that has no printed form."""
    return PRINTED[op.kind](w, op, w.variable(op.name), [w.variable(i) for i in op.inputs])


def _ops(w: Writer, ops: Sequence[Op]) -> Iterator[str]:
    i = 0
    while i < len(ops):
        run = _slices_of_one(ops[i:])
        if len(run) > 1:
            names = ", ".join(w.variable(op.name) for op in run)
            sizes = ", ".join(str(op.signal.width) for op in run)
            yield f"{names} = {w.variable(run[0].inputs[0])}.split([{sizes}], -1)"
            i += len(run)
            continue
        yield from print_op(w, ops[i])
        i += 1


def _slices_of_one(ops: Sequence[Op]) -> list[Op]:
    """The slices at the front of `ops` that cut one value into neighbours from its first column on."""
    run: list[Op] = []
    at = 0
    for op in ops:
        if op.kind != "slice" or (run and op.inputs != run[0].inputs) or op.attrs["start"] != at:
            break
        run.append(op)
        at = op.attrs["stop"]
    return run


def _loop(w: Writer, scan: Scan) -> Iterator[str]:
    """A loop with what is done for all its steps before it starts."""
    way = "forward" if scan.forward else "backward"
    if scan.tree:
        way = "from the leaves to the root, all nodes of one height at once"
    yield f"# the loop {scan.name} over {scan.axis}, {way}"
    yield from _ops(w, scan.projections)
    for op in region_ops(scan.body):
        if op.kind == "linear" and isinstance(op.attrs["weight"], tuple):
            yield from joined_weights(w, op)
    yield from tree_loop(w, scan, print_regions) if scan.tree else _steps(w, scan)


def _steps(w: Writer, scan: Scan) -> Iterator[str]:
    size = w.axes[scan.axis]
    like = (w.names.get(scan.reads[0].name) if scan.reads else None) or w.anything()
    valid = w.variable(f"valid {scan.name}", f"{scan.name}_valid")
    w.helpers.add("valid_steps")
    yield f'{valid} = valid_steps({w.lengths}, "{w.data_axis(scan.axis)}", {size}, {like})'
    for state in scan.states:
        yield from _start(w, scan, state, like)
    yield from shared_masks(w, region_ops(scan.body), like)
    for name in scan.yields:
        yield f"{_collected(w, scan, name)} = []"
    t = w.variable(f"step of {scan.axis}", "t" if not _inner(w, scan) else f"t_{scan.axis}")
    yield f"for {t} in {f'range({size})' if scan.forward else f'reversed(range({size}))'}:"
    yield from (f"    {line}".rstrip() for line in _body(w, scan, t, valid))
    # A Delay that is read outside gets all its steps under the name that now holds its last one.
    for state in scan.states:
        if _carried(w, scan, state):
            past = _past(w, state)
            value = f"torch.stack({past})" if abs(state.k) > 1 else f"{past}[None]"
            yield f'final["{state.delay}"] = {value}'
    for name in scan.yields:
        steps = _collected(w, scan, name)
        order = steps if scan.forward else f"{steps}[::-1]"
        yield f"{w.variable(name)} = torch.stack({order}, {scan.dims[name]})"


def _collected(w: Writer, scan: Scan, name: str) -> str:
    """The list of a value's steps in one loop (a loop around it collects the same value once more)."""
    return w.variable(f"steps of {name} over {scan.axis}", f"{name}_steps")


def _inner(w: Writer, scan: Scan) -> bool:
    return all(scan is not region for region in w.program.regions)


def _carried(w: Writer, scan: Scan, state: State) -> bool:
    """Whether a call goes on with the state of the call before."""
    return scan.forward and not _inner(w, scan) and state.delay in w.going_on


def _past(w: Writer, state: State) -> str:
    """The variable of what a state remembers: the value one step back, or the list of the last k."""
    return w.variable(f"past of {state.delay}", state.delay if abs(state.k) == 1 else f"{state.delay}_past")


def _start(w: Writer, scan: Scan, state: State, like: str) -> Iterator[str]:
    past = _past(w, state)
    tokens = isinstance(state.signal.content, Tokens)
    inner = () if tokens else (str(state.signal.width),)
    shape = ", ".join((*(w.axes[a] for a in state.signal.axes), w.batch, *inner))
    if state.given is not None:
        first = f"{w.variable(state.given)}.expand({shape})"
    elif state.weight is not None:
        first = f"{w.parameter(state.weight)}.expand({shape})"
    elif tokens:
        first = f"torch.full(({shape},), {state.first}, device={like}.device)"
    else:
        first = f"torch.zeros({shape}, dtype={w.dtype()}, device={like}.device)"
    k = abs(state.k)
    yield f"{past} = {first if k == 1 else f'[{first}] * {k}'}"
    if _carried(w, scan, state):
        yield f'if "{state.delay}" in state:'
        carried = f'state["{state.delay}"]'
        yield f"    {past} = {carried + '[0]' if k == 1 else f'list({carried})'}"


def _body(w: Writer, scan: Scan, t: str, valid: str) -> Iterator[str]:
    saved = dict(w.names)
    for read in scan.reads:
        outer = w.names[read.name]
        inner = w.names[read.name] = w.anew(f"{outer}_t")
        yield f"{inner} = {outer}[{t}]" if read.dim == 0 else f"{inner} = {outer}.select({read.dim}, {t})"
    for state in scan.states:
        past = _past(w, state)
        if abs(state.k) == 1:
            w.names[state.delay] = past
        else:
            yield f"{w.variable(state.delay)} = {past}[0]"
    w.loops[scan.axis] = (t, valid)
    yield from print_regions(w, scan.body)
    del w.loops[scan.axis]
    for name in scan.yields:
        yield f"{_collected(w, scan, name)}.append({w.names[name]})"
    yield f"own = None if {valid} is None else {valid}[{t}][:, None]"
    yield from _moved_on(w, scan)
    for read in scan.reads:
        w.names[read.name] = saved[read.name]


def _moved_on(w: Writer, scan: Scan) -> Iterator[str]:
    """All states one step further, at once; at padded steps they stay."""
    targets, values = [], []
    for state in scan.states:
        past, new = _past(w, state), w.variable(state.source)
        own = "own[:, 0]" if isinstance(state.signal.content, Tokens) else "own"
        targets.append(past)
        if abs(state.k) == 1:
            values.append(f"{new} if own is None else torch.where({own}, {new}, {past})")
        else:
            values.append(
                f"[new if own is None else torch.where({own}, new, old) "
                f"for new, old in zip([*{past}[1:], {new}], {past})]"
            )
    if len(targets) == 1:
        yield f"{targets[0]} = {values[0]}"
    else:
        yield f"{', '.join(targets)} = ("
        yield from (f"    {value}," for value in values)
        yield ")"
