"""A program as readable plain PyTorch: what the code panel shows and "Export Python" writes.

The source needs torch alone. Its time loop is the reference that every faster lowering must equal.
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence

from ..catalog.primitives import Op, Parameter
from ..catalog.trees import CHILDREN
from ..design.signals import Real, Signal, Tokens
from .printed import HELPERS, PRINTED
from .program import Input, Map, Program, Region, Scan, State, parents_field, region_ops
from .prune import needs, prune

_RESERVED = {
    *("self", "torch", "F", "nn", "state", "lengths", "final", "batch", "forward", "loss", "size", "steps", "own", "_"),
    *dir(builtins),
}
"""Names that the source itself uses in its functions."""

_INIT: dict[str, Callable[[tuple[float, ...]], str]] = {
    "uniform": lambda a: f".uniform_({-a[0]:.6g}, {a[0]:.6g})",
    "normal": lambda a: f".normal_(0.0, {a[0]:g})",
    "zero": lambda a: ".zero_()",
    "constant": lambda a: f".fill_({a[0]:g})",
    "even": lambda a: f".copy_(torch.linspace({a[0]!r}, {a[1]!r}, {int(a[2])}))",
    "geometric": lambda a: f".copy_({a[0]!r} * {a[1] / a[0]!r} ** torch.linspace(0, 1, {int(a[2])}))",
    "around": lambda a: f".uniform_({a[0] - a[1]:g}, {a[0] + a[1]:g})" if a[1] else f".fill_({a[0]:g})",
}

_INIT_CALLS = {
    "xavier": "nn.init.xavier_uniform_({0}, {1:g})",
    "he": "{0}.normal_(0.0, {1:g} * (2 / {2}) ** 0.5)",
    "orthogonal": "nn.init.orthogonal_({0}, {1:g})",
    "identity": "torch.eye({3}, {2}).mul_({1:g})",
}

_HELPERS = {
    "valid_steps": '''\
def valid_steps(lengths, axis, size, like):
    """[size, batch] bool: which steps are an example's own; None when all are."""
    if lengths is None or axis not in lengths or bool((lengths[axis] >= size).all()):
        return None
    return torch.arange(size, device=like.device)[:, None] < lengths[axis].to(like.device)[None, :]
''',
    "own_length": '''\
def own_length(lengths, axis, size, batch, like):
    """[batch]: how many steps of the axis each example has."""
    if lengths is None or axis not in lengths:
        return torch.full((batch,), size, device=like.device)
    return lengths[axis].to(like.device)
''',
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
    "side_by_side": '''\
def side_by_side(*values):
    """Features of several values joined; axes that one of them lacks are repeated."""
    dims = max(x.dim() for x in values)
    values = [x.reshape((1,) * (dims - x.dim()) + x.shape) for x in values]
    shape = [max(x.shape[i] for x in values) for i in range(dims - 1)]
    return torch.cat([x.expand(*shape, x.shape[-1]) for x in values], -1)
''',
    "Forest": '''\
class Forest:
    """Trees of a batch by parents [batch, nodes] (-1: root); nodes are ordered by height, leaves first."""

    def __init__(self, parents, lengths):
        self.batch, self.size = parents.shape
        count = [self.size] * self.batch if lengths is None else lengths.tolist()
        up = [row[:n] for row, n in zip(parents.tolist(), count)]
        height = [[0] * n for n in count]
        for example, row in enumerate(up):
            for node in range(len(row)):
                above, steps = row[node], 1
                while above >= 0:
                    height[example][above] = max(height[example][above], steps)
                    above, steps = row[above], steps + 1
        order = sorted((h, e, n) for e, row in enumerate(height) for n, h in enumerate(row))
        rank = {(e, n): i for i, (_, e, n) in enumerate(order)}
        self.below = [[] for _ in order]
        for e, row in enumerate(up):
            for n, above in enumerate(row):
                if above >= 0:
                    self.below[rank[e, above]].append(rank[e, n])
        heights = [h for h, _, _ in order]
        cuts = [i for i, h in enumerate(heights) if i == 0 or h != heights[i - 1]] + [len(order)]
        self.levels = list(zip(cuts, cuts[1:]))
        device = parents.device
        self.example = torch.tensor([e for _, e, _ in order], device=device)
        self.place = torch.tensor([n * self.batch + e for _, e, n in order], device=device)
        self.roots = torch.tensor([row.index(-1) * self.batch + e for e, row in enumerate(up)], device=device)

    def most(self, first, last):
        """The largest number of children among some nodes, at least 1."""
        return max(1, *(len(kids) for kids in self.below[first:last]))

    def lengths(self, lengths, first, last, axis):
        """Lengths for a run in which some nodes are the batch: those of their examples, and their children."""
        own = {k: v[self.example[first:last].cpu()] for k, v in (lengths or {}).items() if k != axis}
        return {**own, axis + "_children": torch.tensor([len(kids) for kids in self.below[first:last]])}

    def by_height(self, x, dim):
        """[..., nodes, batch, width] with nodes at dim -> [..., ranks, width]."""
        x = x.movedim(dim, x.dim() - 3).flatten(-3, -2)
        return x.index_select(x.dim() - 2, self.place)

    def by_node(self, x, dim):
        """[..., ranks, width] -> [..., nodes, batch, width] with nodes at dim; padding holds zeros."""
        at = x.dim() - 2
        whole = x.new_zeros(*x.shape[:at], self.size * self.batch, x.shape[-1]).index_copy(at, self.place, x)
        return whole.reshape(*x.shape[:at], self.size, self.batch, x.shape[-1]).movedim(at, dim)

    def children(self, done, first, last, missing, slot=None):
        """What the children of some nodes gave, [children, n, width], or of one child [n, width]."""
        below = torch.cat([*done, missing[None].to(done[0].dtype) if done else missing[None]])
        empty, most = len(below) - 1, self.most(first, last)
        rows = [kids + [empty] * (most - len(kids)) for kids in self.below[first:last]]
        table = torch.tensor(rows, device=below.device)
        if slot is None:
            return below[table.T]
        return below[table[:, slot]] if slot < most else missing.expand(last - first, -1)

    def root(self, x, dim):
        """The value at each tree's root, [..., batch, width]."""
        x = x.movedim(dim, x.dim() - 3).flatten(-3, -2)
        return x.index_select(x.dim() - 2, self.roots)
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


def identifier(path: str) -> str:
    """The name of a parameter in the source: its path with underscores."""
    return "".join(c if f"a{c}".isidentifier() else "_" for c in unicodedata.normalize("NFKC", path))


def class_name(program: Program) -> str:
    words = re.findall(r"[A-Za-z0-9]+", program.name) or ["network"]
    name = "".join(word[:1].upper() + word[1:] for word in words)
    taken = keyword.iskeyword(name) or name in ("F", "Path") or not name[0].isalpha()
    return f"Net{name}" if taken else name


def parameter_names(program: Program) -> dict[str, str]:
    """Path of each parameter → its attribute in the source (two paths never share one)."""
    names: dict[str, str] = {}
    for parameter in program.parameters:
        name = identifier(parameter.path)
        while name in names.values():
            name += "_"
        names[parameter.path] = name
    return names


def source(program: Program) -> str:
    """The source of a module that computes the program's outputs (and its loss, from the outputs)."""
    return _Writer(program).module()


class _Writer:
    def __init__(self, program: Program) -> None:
        self.program = program
        self._batch, self._lengths = "batch", "lengths"
        self.parameters = parameter_names(program)
        self.names: dict[str, str] = {}
        self.helpers: set[str] = set()
        self.axes: dict[str, str] = {}
        self.loops: dict[str, tuple[str, str]] = {}
        self.arguments: list[str] = []
        for axis in (*program.axes, *(axis + CHILDREN for axis in program.trees)):
            self.axes[axis] = self._name(f"axis {axis}", f"{axis}_size")
        for axis in program.trees:
            self._name(f"parents of {axis}", parents_field(program.axes[axis]))
        for item in program.inputs:
            self._name(item.name, item.field)

    def _name(self, value: str, wanted: str | None = None) -> str:
        """The variable that holds a value."""
        if value not in self.names:
            name = identifier((wanted or value).replace("/", "_"))
            name = name if not name[0].isdigit() else f"v{name}"
            if keyword.iskeyword(name) or name in _RESERVED or name in _HELPERS or name in HELPERS:
                name += "_"
            while name in self.names.values():
                name += "_"
            self.names[value] = name
        return self.names[value]

    def module(self) -> str:
        forward = list(self._forward())
        loss = list(self._loss())
        parameters = [line for p in self.program.parameters for line in self._parameter(p)]
        lines = [
            f'"""{_plain(self.program.name)}: a network drawn in rnnstudio, as plain PyTorch."""',
            "",
            "import torch",
            "import torch.nn.functional as F",
            "from torch import nn",
            "",
            "",
        ]
        for name, text in (_HELPERS | HELPERS).items():
            if name in self.helpers:
                lines += [*text.rstrip().splitlines(), "", ""]
        lines += [
            f"class {class_name(self.program)}(nn.Module):",
            "    def __init__(self):",
            "        super().__init__()",
        ]
        lines += [f"        {line}" for line in parameters]
        lines += ["", *(f"    {line}".rstrip() for line in forward)]
        if loss:
            lines += ["", *(f"    {line}".rstrip() for line in loss)]
        return "\n".join(lines) + "\n"

    def _parameter(self, p: Parameter) -> Iterator[str]:
        name = self.parameters[p.path]
        shape = ", ".join(map(str, p.shape))
        empty = f"torch.empty({shape})"
        if p.init.name == "spectral_radius":
            self.helpers.add("spectral")
            value = f"spectral({p.shape[0]}, {', '.join(f'{a!r}' for a in p.init.args)})"
        elif p.init.name in _INIT:
            value = empty + _INIT[p.init.name](p.init.args or (0.1,))
        else:
            gain = p.init.args[0] if p.init.args else 1.0
            value = _INIT_CALLS[p.init.name].format(empty, gain, p.shape[-1], p.shape[0])
        if p.trainable:
            yield f"self.{name} = nn.Parameter({value})"
        else:
            yield f'self.register_buffer("{name}", {value})'

    def _forward(self) -> Iterator[str]:
        outputs = self.program.outputs
        regions = prune(self.program.regions, outputs.values())
        needed = needs(self.program, outputs.values())
        inputs, trees = needed.inputs, needed.trees
        self.arguments = [self.names[i.name] for i in inputs]
        names = self.arguments + [self.names[f"parents of {axis}"] for axis in trees]
        names += [self.axes[axis] for axis in needed.free]
        arguments = "".join(f"{name}, " for name in names)
        yield f"def forward(self, {arguments}lengths=None, state=None):"
        yield f'    """{_describe(inputs)}'
        yield ""
        for axis in needed.free:
            yield f"    {self.axes[axis]}: how many steps to run along {axis}, on the network's own output."
        yield "    lengths: {axis: [batch] valid steps}, None: all."
        yield "    state: what the call before returned, to go on from there; None: from the beginning."
        yield f"    Returns ({_results(self.program)}, state)."
        yield '    """'
        body = ["state, final = state or {}, {}", *self._sizes(inputs)]
        for axis in trees:
            self.helpers.add("Forest")
            own = f'(lengths or {{}}).get("{self.program.axes[axis]}")'
            body.append(f"{self._forest(axis)} = Forest({self.names[f'parents of {axis}']}, {own})")
        body += self._regions(regions)
        yield from (f"    {line}" for line in body)
        results = ", ".join(self._output(value) for value in outputs.values())
        yield f"    return {results if len(outputs) == 1 else f'({results})'}, final"

    def _sizes(self, inputs: Sequence[Input]) -> Iterator[str]:
        known: set[str] = set()
        if not inputs:
            yield "batch = 1"
        for i, item in enumerate(inputs):
            name = self.names[item.name]
            dims = ["batch" if i == 0 else "_"]
            for axis in item.signal.axes:
                dims.append("_" if axis in known else self.axes[axis])
                known.add(axis)
            if any(d != "_" for d in dims):
                yield f"{', '.join(dims)}{',' if len(dims) == 1 else ''} = {name}.shape[:{len(dims)}]"
            if item.signal.axes:
                yield f"{name} = {name}.movedim(0, {len(item.signal.axes)})  # {_layout(item.signal)}"

    def _output(self, value: str) -> str:
        axes = self.program.signals[value].axes
        return f"{self._name(value)}.movedim({len(axes)}, 0)" if axes else self._name(value)

    def _loss(self) -> Iterator[str]:
        losses = self.program.losses
        outputs = set(self.program.outputs.values())
        fields = {i.name: i for i in self.program.inputs}
        regions = prune(self.program.regions, [loss.value for loss in losses])
        needed = [op for op in region_ops(regions) if op.node in {loss.node for loss in losses}]
        made = {op.name for op in needed}
        read = [name for op in needed for name in op.inputs if name not in made]
        if not losses or any(name not in outputs and name not in fields for name in read):
            return
        results = list(dict.fromkeys(name for name in read if name in outputs))
        targets = list(dict.fromkeys(name for name in read if name in fields))
        yield f"def loss(self, {', '.join(map(self._name, (*results, *targets)))}, lengths=None):"
        yield '    """The mean loss over all valid places; arguments batch first, as forward takes and gives them."""'
        first = True
        known: set[str] = set()
        for name in (*results, *targets):
            axes = self.program.signals[name].axes
            for place, axis in enumerate(axes):
                if axis not in known:
                    known.add(axis)
                    yield f"    {self.axes[axis]} = {self._name(name)}.shape[{place + 1}]"
            if first:
                yield f"    batch = {self._name(name)}.shape[0]"
                first = False
            if axes:
                yield f"    {self._name(name)} = {self._name(name)}.movedim(0, {len(axes)})"
        for op in needed:
            yield from (f"    {line}" for line in self._op(op))
        total = " + ".join(
            (f"{loss.weight:g} * " if loss.weight != 1 else "") + self._name(loss.value) for loss in losses
        )
        yield f"    return {total}"

    def _regions(self, regions: Sequence[Region]) -> Iterator[str]:
        for i, region in enumerate(regions):
            if isinstance(region, Map):
                yield from self._ops(region.ops)
            else:
                yield ""
                yield from self._tree(region) if region.tree else self._scan(region)
                if i + 1 < len(regions) and isinstance(regions[i + 1], Map):
                    yield ""

    def _ops(self, ops: Sequence[Op]) -> Iterator[str]:
        i = 0
        while i < len(ops):
            run = _slices_of_one(ops[i:])
            if len(run) > 1:
                names = ", ".join(self._name(op.name) for op in run)
                sizes = ", ".join(str(op.signal.width) for op in run)
                yield f"{names} = {self._name(run[0].inputs[0])}.split([{sizes}], -1)"
                i += len(run)
                continue
            yield from self._op(ops[i])
            i += 1

    def _scan(self, scan: Scan) -> Iterator[str]:
        size = self.axes[scan.axis]
        yield f"# the loop {scan.name} over {scan.axis}, {'forward' if scan.forward else 'backward'}"
        yield from self._ops(scan.projections)
        for op in region_ops(scan.body):
            if op.kind == "linear" and isinstance(op.attrs["weight"], tuple):
                yield from self._join(op)
        some = self.names.get(scan.reads[0].name) if scan.reads else None
        like = some or f"self.{next(iter(self.parameters.values()))}"
        valid = self._name(f"valid {scan.name}", f"{scan.name}_valid")
        self.helpers.add("valid_steps")
        yield f'{valid} = valid_steps({self._lengths}, "{self._data_axis(scan.axis)}", {size}, {like})'
        for state in scan.states:
            yield from self._start(scan, state, like)
        for op in region_ops(scan.body):
            if op.kind == "dropout" and not op.attrs["every_step"] and self._mask_of(op) not in self.names:
                shape = ", ".join((*("1" for _ in op.signal.axes), self._batch, str(op.signal.width)))
                ones = f"torch.ones({shape}, dtype={self._dtype()}, device={like}.device)"
                mask = self._name(self._mask_of(op), f"{op.name}_mask")
                yield f"{mask} = F.dropout({ones}, {op.attrs['rate']:g}, self.training)  # one for all steps"
        for name in scan.yields:
            yield f"{self._collected(scan, name)} = []"
        t = self._name(f"step of {scan.axis}", "t" if not self._inner(scan) else f"t_{scan.axis}")
        yield f"for {t} in {f'range({size})' if scan.forward else f'reversed(range({size}))'}:"
        body = list(self._body(scan, t, valid))
        yield from (f"    {line}".rstrip() for line in body)
        # A Delay that is read outside gets all its steps under the name that now holds its last one.
        if scan.forward and not self._inner(scan):
            for state in scan.states:
                past = self._past(state)
                value = f"torch.stack({past})" if abs(state.k) > 1 else f"{past}[None]"
                yield f'final["{state.delay}"] = {value}'
        for name in scan.yields:
            steps = self._collected(scan, name)
            order = steps if scan.forward else f"{steps}[::-1]"
            yield f"{self._name(name)} = torch.stack({order}, {scan.dims[name]})"

    def _collected(self, scan: Scan, name: str) -> str:
        """The list of a value's steps in one loop (a loop around it collects the same value once more)."""
        return self._name(f"steps of {name} over {scan.axis}", f"{name}_steps")

    def _data_axis(self, axis: str) -> str:
        return self.program.axes.get(axis, axis)

    def _forest(self, axis: str) -> str:
        return self._name(f"forest of {axis}", axis)

    def _tree(self, scan: Scan) -> Iterator[str]:
        """A loop over a tree: inside it, the batch is all nodes of one height."""
        forest = self._forest(scan.axis)
        yield f"# the loop {scan.name} over {scan.axis}, from the leaves to the root, all nodes of one height at once"
        yield from self._ops(scan.projections)
        for op in region_ops(scan.body):
            if op.kind == "linear" and isinstance(op.attrs["weight"], tuple):
                yield from self._join(op)
        ranks: dict[str, str] = {}
        for read in scan.reads:
            ranks[read.name] = self._name(f"ranks of {read.name}", f"{read.name}_by_height")
            yield f"{ranks[read.name]} = {forest}.by_height({self._name(read.name)}, {read.dim})"
        kept = list(dict.fromkeys([*(state.source for state in scan.states), *scan.yields]))
        lists = {name: self._name(f"levels of {name}", f"{name}_levels") for name in kept}
        for steps in lists.values():
            yield f"{steps} = []"
        yield f"for first, last in {forest}.levels:"
        yield from (f"    {line}".rstrip() for line in self._level(scan, forest, ranks, lists))
        for name in scan.yields:
            yield f"{self._name(name)} = {forest}.by_node(torch.cat({lists[name]}, -2), {scan.dims[name]})"

    def _level(self, scan: Scan, forest: str, ranks: Mapping[str, str], lists: Mapping[str, str]) -> Iterator[str]:
        saved, outer = dict(self.names), (self._batch, self._lengths)
        self._batch, self._lengths = "last - first", f"{forest}_lengths"
        children = self.axes[scan.axis + CHILDREN]
        yield f"{children} = {forest}.most(first, last)"
        yield f'{self._lengths} = {forest}.lengths(lengths, first, last, "{self._data_axis(scan.axis)}")'
        for name, variable in ranks.items():
            inner = self.names[name] = f"{self.names[name]}_n"
            yield f"{inner} = {variable}[..., first:last, :]"
        for name, dim in scan.constants.items():
            inner = f"{self.names[name]}_n"
            yield f"{inner} = {self.names[name]}.index_select({dim}, {forest}.example[first:last])"
            self.names[name] = inner
        for state in scan.states:
            width = state.signal.width
            missing = f"self.{self.parameters[state.weight]}" if state.weight else f"{self._zeros(width)}"
            call = f"{forest}.children({lists[state.source]}, first, last, {missing}"
            how = {"sum": ").sum(0)", "slot": f", {state.slot})", "each": ")"}[state.how]
            yield f"{self._name(state.delay)} = {call}{how}"
        yield from self._regions(scan.body)
        for name, steps in lists.items():
            yield f"{steps}.append({self.names[name]})"
        self._batch, self._lengths = outer
        for name in (*ranks, *scan.constants):
            self.names[name] = saved[name]

    def _zeros(self, width: int) -> str:
        some = f"self.{next(iter(self.parameters.values()))}"
        return f"{some}.new_zeros({width})"

    def _inner(self, scan: Scan) -> bool:
        return all(scan is not region for region in self.program.regions)

    def _past(self, state: State) -> str:
        """The variable of what a state remembers: the value one step back, or the list of the last k."""
        return self._name(f"past of {state.delay}", state.delay if abs(state.k) == 1 else f"{state.delay}_past")

    def _start(self, scan: Scan, state: State, like: str) -> Iterator[str]:
        past = self._past(state)
        tokens = isinstance(state.signal.content, Tokens)
        inner = () if tokens else (str(state.signal.width),)
        shape = ", ".join((*(self.axes[a] for a in state.signal.axes), self._batch, *inner))
        if state.given is not None:
            first = f"{self._name(state.given)}.expand({shape})"
        elif state.weight is not None:
            first = f"self.{self.parameters[state.weight]}.expand({shape})"
        elif tokens:
            first = f"torch.full(({shape},), {state.first}, device={like}.device)"
        else:
            first = f"torch.zeros({shape}, dtype={self._dtype()}, device={like}.device)"
        k = abs(state.k)
        value = first if k == 1 else f"[{first}] * {k}"
        yield f"{past} = {value}"
        if scan.forward and not self._inner(scan):
            yield f'if "{state.delay}" in state:'
            carried = f'state["{state.delay}"]'
            yield f"    {past} = {carried + '[0]' if k == 1 else f'list({carried})'}"

    def _dtype(self) -> str:
        return f"self.{next(iter(self.parameters.values()))}.dtype" if self.parameters else "torch.get_default_dtype()"

    def _body(self, scan: Scan, t: str, valid: str) -> Iterator[str]:
        saved = dict(self.names)
        for read in scan.reads:
            outer = self.names[read.name]
            inner = f"{outer}_t"
            while inner in self.names.values():
                inner += "_"
            self.names[read.name] = inner
            yield f"{inner} = {outer}[{t}]" if read.dim == 0 else f"{inner} = {outer}.select({read.dim}, {t})"
        for state in scan.states:
            past = self._past(state)
            if abs(state.k) == 1:
                self.names[state.delay] = past
            else:
                yield f"{self._name(state.delay)} = {past}[0]"
        inside = {read.name for read in scan.reads}
        self.loops[scan.axis] = (t, valid)
        yield from self._regions(scan.body)
        del self.loops[scan.axis]
        for name in scan.yields:
            yield f"{self._collected(scan, name)}.append({self.names[name]})"
        yield f"own = None if {valid} is None else {valid}[{t}][:, None]"
        targets, values = [], []
        for state in scan.states:
            past, new = self._past(state), self._name(state.source)
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
        for name in inside:
            self.names[name] = saved[name]

    def _join(self, op: Op) -> Iterator[str]:
        name = self._name(f"weight of {op.name}", f"{op.name}_weight")
        yield f"{name} = torch.cat([{', '.join(f'self.{self.parameters[p]}' for p in op.attrs['weight'])}])"
        if any(op.attrs["bias"]):
            yield f"{self._name(f'bias of {op.name}', f'{op.name}_bias')} = {self._joined_bias(op)}"

    def _joined_bias(self, op: Op) -> str:
        parts = []
        shapes = {p.path: p.shape for p in self.program.parameters}
        for path, weight in zip(op.attrs["bias"], op.attrs["weight"], strict=True):
            like = f"self.{self.parameters[weight]}"
            parts.append(f"self.{self.parameters[path]}" if path else f"{like}.new_zeros({shapes[weight][0]})")
        return f"torch.cat([{', '.join(parts)}])"

    def _op(self, op: Op) -> Iterator[str]:
        name = self._name(op.name)
        args = [self._name(i) for i in op.inputs]
        if op.kind == "linear" and isinstance(op.attrs["weight"], tuple):
            if f"weight of {op.name}" not in self.names:
                yield from self._join(op)
            bias = self.names.get(f"bias of {op.name}")
            weight = self.names[f"weight of {op.name}"]
            yield f"{name} = F.linear({args[0]}, {weight}{f', {bias}' if bias else ''})"
            return
        if op.kind == "delay":
            yield from self._shift(op, name, args)
            return
        if op.kind == "average":
            yield from self._average(op, name, args)
            return
        if op.kind in PRINTED:
            yield from PRINTED[op.kind](self, op, name, args)
            return
        if op.kind == "pool" and op.attrs["how"] in ("mean", "max", "sum"):
            yield from self._pool(op, name, args[0])
            return
        yield f"{name} = {self._expression(op, args)}"

    def _expression(self, op: Op, a: list[str]) -> str:
        attrs = op.attrs
        weight = f"self.{self.parameters[attrs['weight']]}" if isinstance(attrs.get("weight"), str) else ""
        match op.kind:
            case "sigmoid" | "tanh" | "relu" | "exp" | "log" | "abs" | "square":
                return f"torch.{op.kind}({a[0]})"
            case "softplus":
                return f"F.softplus({a[0]})"
            case "add" | "subtract" | "multiply" | "divide":
                sign = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}[op.kind]
                return f"{a[0]} {sign} {a[1]}"
            case "maximum" | "minimum":
                return f"torch.{op.kind}({a[0]}, {a[1]})"
            case "affine":
                return _affine(a[0], attrs["scale"], attrs["offset"])
            case "parameter":
                return f"{weight}.expand({self._batch}, -1)"
            case "embed":
                return f"F.embedding({a[0]}, {weight})"
            case "linear":
                bias = f", self.{self.parameters[attrs['bias']]}" if attrs["bias"] else ""
                return f"F.linear({a[0]}, {weight}{bias})"
            case "concat":
                if not self._uneven(op):
                    return f"torch.cat([{', '.join(a)}], -1)"
                self.helpers.add("side_by_side")
                return f"side_by_side({', '.join(a)})"
            case "slice":
                return f"{a[0]}[..., {attrs['start']}:{attrs['stop']}]"
            case "align":
                return self._aligned(op, a[0])
            case "dropout":
                return self._dropout(op, a[0])
            case "softmax":
                return f"torch.softmax({a[0]}, -1)"
            case "repeat":
                return f"{a[0]}.unsqueeze(0).expand({self.axes[attrs['axis']]}, *{a[0]}.shape)"
            case "root":
                return f"{self._forest(attrs['axis'])}.root({a[0]}, {attrs['axes'].index(attrs['axis'])})"
            case "children":
                return self._children(op, a[0])
            case "bilinear":
                bias = f" + self.{self.parameters[attrs['bias']]}" if attrs["bias"] else ""
                return f'torch.einsum("...i,kij,...j->...k", {a[0]}, {weight}, {a[1]}){bias}'
            case "pick":
                if not attrs["sample"]:
                    return f"{a[0]}.argmax(-1)"
                flat = f"torch.softmax({a[0]}.flatten(0, -2), -1)"
                return f"torch.multinomial({flat}, 1).reshape({a[0]}.shape[:-1])"
            case "choose":
                return (
                    a[0] + "  # always the true one: teacher forcing with a schedule belongs to training in the studio"
                )
            case "reverse":
                self.helpers |= {"reversed_steps", "own_length"}
                dim = op.signal.axes.index(attrs["axis"])
                return f"reversed_steps({a[0]}, {dim}, {len(op.signal.axes)}, {self._length(attrs['axis'], a[0])})"
            case "pool":
                dim = attrs["axes"].index(attrs["axis"])
                if attrs["how"] == "first":
                    return f"{a[0]}.select({dim}, 0)"
                self.helpers |= {"take_steps", "own_length"}
                places = f"{self._length(attrs['axis'], a[0])}[None, :] - 1"
                return f"take_steps({a[0]}, {dim}, {len(attrs['axes'])}, {places}).squeeze({dim})"
        raise ValueError(f"the primitive {op.kind} has no printed form")

    def _children(self, op: Op, x: str) -> str:
        """Children outside of every loop."""
        axis, how = op.attrs["axis"], op.attrs["how"]
        forest, dim = self._forest(axis), op.signal.axes.index(axis)
        missing = f"self.{self.parameters[op.attrs['weight']]}" if op.attrs["weight"] else self._zeros(op.signal.width)
        call = f"{forest}.children([{forest}.by_height({x}, {dim})], 0, len({forest}.place), {missing}"
        call += {"sum": ").sum(0)", "slot": f", {op.attrs['slot']})"}[how]
        return f"{forest}.by_node({call}, {dim})"

    def _length(self, axis: str, like: str) -> str:
        return f'own_length({self._lengths}, "{self._data_axis(axis)}", {self.axes[axis]}, {self._batch}, {like})'

    def _uneven(self, op: Op) -> bool:
        """Whether the inputs of a join lack axes of one another."""
        axes = {self.program.signals[i].axes for i in op.inputs if i in self.program.signals}
        return len(axes) > 1

    def _aligned(self, op: Op, x: str) -> str:
        wanted = op.signal.axes
        present = [axis for axis in op.attrs["present"] if axis in wanted]
        order = [present.index(axis) for axis in wanted if axis in present]
        if order != sorted(order):
            content = [len(order) + i for i in range(2 if isinstance(op.signal.content, Real) else 1)]
            x = f"{x}.permute({', '.join(map(str, order + content))})"
        missing = [axis for axis in wanted if axis not in present]
        for axis in missing:
            x = f"{x}.unsqueeze({wanted.index(axis)})"
        sizes = [self.axes[axis] if axis in missing else "-1" for axis in wanted]
        rest = ["-1"] * (2 if isinstance(op.signal.content, Real) else 1)
        return f"{x}.expand({', '.join(sizes + rest)})" if missing else x

    def _dropout(self, op: Op, x: str) -> str:
        rate = op.attrs["rate"]
        if op.attrs["every_step"]:
            return f"F.dropout({x}, {rate:g}, self.training)"
        if self._mask_of(op) in self.names:
            return f"{x} * {self.names[self._mask_of(op)]}"
        ones = f"{x}.new_ones({'1, ' * len(op.signal.axes)}*{x}.shape[-2:])"
        return f"{x} * F.dropout({ones}, {rate:g}, self.training)  # one mask for all steps"

    def _mask_of(self, op: Op) -> str:
        return f"one mask of {op.name}"

    def _shift(self, op: Op, name: str, args: list[str]) -> Iterator[str]:
        axis, k = op.attrs["axis"], op.attrs["k"]
        dim, x = op.signal.axes.index(axis), args[0]
        size = self.axes[axis]
        first = self._name(f"first of {op.name}", f"{op.name}_first")
        like = f"{x}.select({dim}, 0)"
        if op.attrs["initial"] == "wire":
            yield f"{first} = {args[1]}.expand_as({like})"
        elif op.attrs["initial"] == "learned":
            yield f"{first} = self.{self.parameters[op.attrs['weight']]}.expand_as({like})"
        else:
            yield f"{first} = torch.zeros_like({like})"
        self.helpers |= {"own_length", "take_steps"}
        length = self._length(axis, x)
        if k > 0:
            past = self._name(f"past of {op.name}", f"{op.name}_past")
            yield f"{past} = torch.stack([{first}] * {k}, {dim})"
            yield f'if "{op.name}" in state:'
            yield f'    {past} = state["{op.name}"].movedim(0, {dim})'
            yield f"{past} = torch.cat([{past}, {x}], {dim})"
            places = f"torch.arange({k}, device={x}.device)[:, None] + {length}[None, :]"
            batch_dim = len(op.signal.axes)
            yield f'final["{op.name}"] = take_steps({past}, {dim}, {batch_dim}, {places}).movedim({dim}, 0)'
            yield f"{name} = {past}.narrow({dim}, 0, {size})"
            return
        ahead = self._name(f"ahead of {op.name}", f"{op.name}_ahead")
        own = self._name(f"own of {op.name}", f"{op.name}_own")
        yield f"{ahead} = min({-k}, {size})"
        yield f"{name} = torch.cat([{x}.narrow({dim}, {ahead}, {size} - {ahead}), " + (
            f"torch.stack([{first}] * {ahead}, {dim})], {dim})"
        )
        yield f"{own} = torch.arange({size}, device={x}.device)[:, None] + {-k} < {length}[None, :]"
        shape = ["1"] * len(op.signal.axes) + [self._batch, "1"]
        shape[dim] = size
        yield f"{name} = torch.where({own}.reshape({', '.join(shape)}), {name}, {first}.unsqueeze({dim}))"

    def _mask(self, axis: str, axes: Sequence[str], like: str) -> tuple[str, str]:
        """The call that gives the mask of an axis, and the shape that lets it broadcast over a value with `axes`."""
        self.helpers.add("valid_steps")
        shape = ["1"] * len(axes) + [self._batch, "1"]
        shape[list(axes).index(axis)] = self.axes[axis]
        return f'valid_steps({self._lengths}, "{self._data_axis(axis)}", {self.axes[axis]}, {like})', ", ".join(shape)

    def _pool(self, op: Op, name: str, x: str) -> Iterator[str]:
        axis, how, axes = op.attrs["axis"], op.attrs["how"], op.attrs["axes"]
        dim = axes.index(axis)
        valid = self._name(f"valid of {op.name}", f"{op.name}_valid")
        call, shape = self._mask(axis, axes, x)
        yield f"{valid} = {call}"
        yield f"{name} = {x}"
        yield f"if {valid} is not None:"
        blank = 'float("-inf")' if how == "max" else "0.0"
        yield f"    {name} = {name}.masked_fill(~{valid}.reshape({shape}), {blank})"
        if how == "max":
            yield f"{name} = {name}.amax({dim})"
            if axis.endswith(CHILDREN):
                yield f'{name} = {name}.masked_fill({name} == float("-inf"), 0.0)'
            return
        yield f"{name} = {name}.sum({dim})"
        if how == "mean":
            self.helpers.add("own_length")
            least = ".clamp(min=1)" if axis.endswith(CHILDREN) else ""
            yield f"{name} = {name} / {self._length(axis, x)}{least}[:, None]"

    def _average(self, op: Op, name: str, args: Sequence[str]) -> Iterator[str]:
        axes, x = op.attrs["axes"], args[0]
        mask = self._name(f"mask of {op.name}", f"{op.name}_mask")
        yield f"{mask} = torch.ones_like({x}, dtype=torch.bool)"
        for axis in axes:
            valid = self._name(f"valid of {op.name} {axis}", f"{op.name}_{axis}_valid")
            call, shape = self._mask(axis, axes, x)
            yield f"{valid} = {call}"
            yield f"if {valid} is not None:"
            yield f"    {mask} = {mask} & {valid}.reshape({shape})"
        count = f"{args[1]}.masked_fill(~{mask}, 0.0)" if len(args) == 2 else mask
        yield f"{name} = {x}.masked_fill(~{mask}, 0.0).sum() / {count}.sum()"

    def own(self, axis: str, axes: Sequence[str], like: str) -> str:
        """An expression: the mask of an axis over a value with `axes`, or None where everything is valid."""
        if axis in axes:
            call, shape = self._mask(axis, axes, like)
            self.helpers.add("shaped")
            return f"shaped({call}, {shape})"
        if axis in self.loops:
            t, valid = self.loops[axis]
            return f"None if {valid} is None else {valid}[{t}][:, None]"
        return "None"

    def length(self, axis: str, like: str) -> str:
        """An expression: [batch] own lengths of an axis."""
        self.helpers.add("own_length")
        return self._length(axis, like)

    def parameter(self, path: str) -> str:
        return f"self.{self.parameters[path]}"

    def variable(self, key: str, wanted: str) -> str:
        return self._name(key, wanted)

    def size(self, axis: str) -> str:
        return self.axes[axis]

    def anything(self) -> str:
        """A tensor on the network's device: a parameter, or an argument of `forward`."""
        return f"self.{next(iter(self.parameters.values()))}" if self.parameters else self.arguments[0]

    def dtype(self) -> str:
        return self._dtype()


def _plain(text: str) -> str:
    """A text of the design as one line that cannot end the docstring it stands in."""
    return " ".join(text.replace("\\", "/").replace('"', "'").split())


def _affine(x: str, scale: float, offset: float) -> str:
    if scale == -1.0:
        return f"{offset:g} - {x}"
    left = x if scale == 1.0 else f"{scale!r} * {x}"
    return left if offset == 0.0 else f"{left} + {offset!r}"


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


def _layout(signal: Signal) -> str:
    tail = () if isinstance(signal.content, Tokens) else (str(signal.content.width),)
    return "[" + ", ".join((*signal.axes, "batch", *tail)) + "]"


def _describe(inputs: Sequence[Input]) -> str:
    return "; ".join(f"{i.field}: {i.signal.text()}" for i in inputs) + "."


def _results(program: Program) -> str:
    shapes: Mapping[str, Signal] = program.signals
    return ", ".join(f"{name} {shapes[value].text()}" for name, value in program.outputs.items())
