"""A plan as source text for Triton: one kernel for each pointwise stage of a step, forward and backward. Torch-free.

A kernel works on the rows of one step: t counts the loop's steps, j those of the way back. A stage without sums over
rows is cut into blocks of columns, too; in any other a program holds whole rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .expressions import Node, reachable
from .plan import Plan
from .stages import Place, Store

Key = tuple[str, int | str]
"""A kernel's buffer: ("slots", 0), ("saved", i), ("state", delay), ("yield", name), ("source", i), ("read", name),
("vector", name), ("valid", 0); on the way back also ("dslots", 0), ("dout", name), ("ring", delay), ("dvector", name),
("dread", name), ("carry", i), ("dsource", i)."""

IMPORTS = """\
import triton
import triton.language as tl
"""

LIBRARY = """\
from triton.language.extra.libdevice import exp, log, log1p, rsqrt, tanh
"""
"""NVIDIA's own functions, exact to one or two units in the last place; Triton's tl.exp is an approximation."""

INTERPRETED = """\

@triton.jit
def exp(x):
    return tl.exp(x)

@triton.jit
def log(x):
    return tl.log(x)

@triton.jit
def log1p(x):
    return tl.log(1.0 + x)

@triton.jit
def rsqrt(x):
    return 1.0 / tl.sqrt(x)

@triton.jit
def tanh(x):
    return 1.0 - 2.0 / (1.0 + tl.exp(2.0 * x))
"""
"""The same names where Triton interprets a kernel on the CPU: it cannot call NVIDIA's."""

_PRINTED = {
    "copy": "{0}",
    "sigmoid": "1.0 / (1.0 + exp(-{0}))",
    "tanh": "tanh({0})",
    "relu": "tl.where({0} < 0.0, 0.0, {0})",
    "softplus": "tl.where({0} > 20.0, {0}, log1p(exp({0})))",
    "softplus_slope": "tl.where({0} > 20.0, 1.0, 1.0 / (1.0 + exp(-{0})))",
    "exp": "exp({0})",
    "log": "log({0})",
    "abs": "tl.abs({0})",
    "square": "{0} * {0}",
    "positive": "tl.where({0} > 0.0, 1.0, 0.0)",
    "sign": "tl.where({0} > 0.0, 1.0, tl.where({0} < 0.0, -1.0, 0.0))",
    "rsqrt": "rsqrt({0})",
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "maximum": "tl.where(({0} > {1}) | ({0} != {0}), {0}, {1})",
    "minimum": "tl.where(({0} < {1}) | ({0} != {0}), {0}, {1})",
    "prefer": "tl.where({0} > {1}, 1.0, tl.where({0} == {1}, 0.5, 0.0))",
    "equal": "tl.where({0} == {1}, 1.0, 0.0)",
    "erf": "tl.erf({0})",
    "choose": "tl.where({0} != 0.0, {1}, {2})",
}
"""NaN goes through all of them as it does in torch: a training that diverges must be seen to."""

_ARITHMETIC = frozenset(("add", "subtract", "multiply", "divide"))
"""Operations that take a plain number beside a value."""

PRINTED_OPS = frozenset(_PRINTED) | {"total", "top", "spread"}


@dataclass(frozen=True, slots=True)
class Kernel:
    """One printed function and the buffers it takes, in order, after (t, j, batch).

    columns: how many there are to be cut into blocks of C; 0: a program holds whole rows. widest: of all its values.
    """

    name: str
    text: str
    buffers: tuple[Key, ...]
    columns: int
    widest: int


def why_not(plan: Plan) -> str:
    """Why there is no printed form of a plan, or ""."""
    if plan.form.plain is not None:
        return "some of its operations run in plain torch inside the loop"
    for node in reachable([s.node for stage in plan.stages for s in (*stage.stores, *stage.back_stores)]):
        if node.args and node.op not in PRINTED_OPS:
            return f"there is none for {node.op}"
    return ""


def forward_kernels(plan: Plan) -> tuple[Kernel | None, ...]:
    """One kernel for each stage; None for a stage that stores nothing."""
    levels = {s.node.number: i for i, stage in enumerate(plan.stages) for s in stage.stores}

    def kernel(level: int, stores: Sequence[Store]) -> Kernel | None:
        given = {number for number in plan.held if levels.get(number, level) < level}
        return _Writer(plan, f"forward_{level}", stores, given, frozenset()).kernel() if stores else None

    return tuple(kernel(level, stage.stores) for level, stage in enumerate(plan.stages))


def backward_kernels(plan: Plan, missing: frozenset[str] = frozenset()) -> tuple[Kernel | None, ...]:
    """One kernel for each stage, to be run from the last one on. missing: yields whose gradient is zero."""
    given = set(plan.held)
    return tuple(
        _Writer(plan, f"backward_{level}", stage.back_stores, given, missing).kernel() if stage.back_stores else None
        for level, stage in enumerate(plan.stages)
    )


def text_of(kernels: Sequence[Kernel | None], *, interpreted: bool = False) -> str:
    """A module with these kernels."""
    return "\n\n".join([IMPORTS + (INTERPRETED if interpreted else LIBRARY), *(k.text for k in kernels if k)])


@dataclass(frozen=True, slots=True)
class _Address:
    """Columns start … start + width − 1 of a buffer; row: the printed number of the row, "" for the only one."""

    key: Key
    row: str
    stride: int
    start: int
    width: int

    def meets(self, other: _Address) -> bool:
        """Whether both share some numbers."""
        apart = self.start >= other.start + other.width or other.start >= self.start + self.width
        return self.key == other.key and self.row == other.row and not apart


@dataclass(slots=True)
class _Writer:
    plan: Plan
    name: str
    stores: Sequence[Store]
    given: set[int]
    missing: frozenset[str]
    nodes: list[Node] = field(init=False)
    names: dict[int, str] = field(default_factory=dict)
    buffers: dict[Key, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.nodes = reachable([s.node for s in self.stores], lambda n: n.number in self.given)

    def kernel(self) -> Kernel:
        leaves = {n.number: self._leaf(n) for n in self.nodes if self._is_leaf(n)}
        targets = [self._target(store) for store in self.stores]
        columns = self._columns([a for a in leaves.values() if a], targets)
        for target in targets:
            self._buffer(target.key)
        for node in self.nodes:
            if node.number in leaves:
                self._load(node, leaves[node.number])
        for node in self.nodes:
            if node.op == "const":
                self.names[node.number] = self._literal(node)
            elif node.number not in leaves:
                self._let(node, self._expression(node))
        self._store_all(targets, [a for a in leaves.values() if a])
        widths = sorted({n.width for n in self.nodes if n.width > 1})
        body = "\n".join(f"    {line}" for line in (*self._head(widths, columns), *self.lines))
        more = ", C: tl.constexpr" if columns else ""
        taken = "".join(f"{name}, " for name in self.buffers.values())
        text = (
            '@triton.jit(do_not_specialize=["t", "j"])\n'
            f"def {self.name}(t, j, batch, {taken}R: tl.constexpr{more}):\n{self._legend()}{body}\n"
        )
        return Kernel(self.name, text, tuple(self.buffers), columns, max(widths, default=1))

    def _legend(self) -> str:
        named = [f"{name}: {key[1]}" for key, name in self.buffers.items() if isinstance(key[1], str)]
        return "".join(f"    # {line}\n" for line in named)

    def _head(self, widths: Sequence[int], columns: int) -> list[str]:
        lines = [
            "row = tl.program_id(0) * R + tl.arange(0, R)[:, None]",
            "here = row < batch",
            "at = t.to(tl.int64) * batch + row",
        ]
        for width in widths:
            first, block = ("tl.program_id(1) * C + ", "C") if columns else ("", str(_power(width)))
            lines += [f"c{width} = {first}tl.arange(0, {block})[None, :]", f"in{width} = c{width} < {width}"]
        return lines

    def _is_leaf(self, node: Node) -> bool:
        return node.op != "const" and (node.number in self.given or not node.args)

    def _columns(self, read: Sequence[_Address], written: Sequence[_Address]) -> int:
        """The width that can be cut into blocks of columns, each on its own; 0 when there is none."""
        (width, *more) = {s.node.width for s in self.stores}
        if more or width == 1 or any(n.op in ("total", "top") or n.width not in (1, width) for n in self._computed()):
            return 0
        if any(a.width not in (1, width) for a in read):
            return 0
        for i, a in enumerate(written):
            if any(a.meets(b) for b in written[:i]) or any(a.meets(b) and a != b for b in read):
                return 0
        return width

    def _computed(self) -> list[Node]:
        return [n for n in self.nodes if n.args and n.number not in self.given]

    # --- values

    def _literal(self, node: Node) -> str:
        value = repr(float(node.data[0]))
        return f"({value})" if value.startswith("-") else value

    def _let(self, node: Node, expression: str) -> None:
        name = self.names[node.number] = f"{node.op}_{node.number}"
        self.lines.append(f"{name} = {expression}")

    def _expression(self, node: Node) -> str:
        args = [self.names[a.number] for a in node.args]
        plain = [a.op == "const" for a in node.args]
        if any(plain) and (node.op not in _ARITHMETIC or all(plain)):
            args = [self._filled(a) if a.op == "const" else name for a, name in zip(node.args, args, strict=True)]
        if node.op == "spread":
            return f"tl.broadcast_to({args[0]}, {self._shape(node.width)})"
        if node.op in ("total", "top"):
            (inner,) = node.args
            kind, rest = ("sum", "0.0") if node.op == "total" else ("max", 'float("-inf")')
            if inner.width == 1:
                return args[0]
            return f"tl.{kind}(tl.where(in{inner.width}, {args[0]}, {rest}), axis=1, keep_dims=True)"
        return _PRINTED[node.op].format(*args)

    def _filled(self, node: Node) -> str:
        return f"tl.full([1, 1], {self._literal(node)}, {self._type()})"

    def _type(self) -> str:
        return f"{next(iter(self.buffers.values()))}.dtype.element_ty"

    def _shape(self, width: int) -> str:
        return f"[R, c{width}.shape[1]]" if width > 1 else "[R, 1]"

    def _load(self, node: Node, address: _Address | None) -> None:
        if address is None:
            self._let(node, f"tl.zeros({self._shape(node.width)}, {self._type()})")
        else:
            self._let(node, self._loaded(address))

    def _loaded(self, a: _Address) -> str:
        inside = self._inside(a)
        return f"tl.load({self._pointer(a)}, mask={inside}, other=0.0)" if inside else f"tl.load({self._pointer(a)})"

    def _pointer(self, a: _Address) -> str:
        terms = [self._buffer(a.key)]
        if a.row:
            terms.append(f"{a.row} * {a.stride}" if a.stride > 1 else a.row)
        terms += [str(a.start)] if a.start else []
        terms += [f"c{a.width}"] if a.width > 1 else []
        return " + ".join(terms)

    def _inside(self, a: _Address) -> str:
        parts = (["here"] if a.row else []) + ([f"in{a.width}"] if a.width > 1 else [])
        return " & ".join(parts)

    def _buffer(self, key: Key) -> str:
        if key not in self.buffers:
            kind, which = key
            same = [k for k in self.buffers if k[0] == kind]
            number = "" if kind in ("slots", "dslots", "valid") else which if isinstance(which, int) else len(same)
            self.buffers[key] = f"{kind}{number}_ptr"
        return self.buffers[key]

    # --- places

    def _store_all(self, targets: Sequence[_Address], read: Sequence[_Address]) -> None:
        """All stores; a barrier where threads would write what others of the program read, or wrote before."""
        if any(a.meets(b) and a != b for a in targets for b in read):
            self.lines.append("tl.debug_barrier()")
        for i, (store, a) in enumerate(zip(self.stores, targets, strict=True)):
            if any(a.meets(b) for b in targets[:i]):
                self.lines.append("tl.debug_barrier()")
            node = store.node
            value = self._filled(node) if node.op == "const" else self.names[node.number]
            if store.add:
                value = f"{self._loaded(a)} + {value}"
            self.lines.append(f"tl.store({self._pointer(a)}, {value}, mask={self._inside(a)})")

    def _target(self, store: Store) -> _Address:
        kind, key = store.place
        width = store.node.width
        if kind == "dslot":
            return _Address(("dslots", 0), "at", self.plan.stride, self.plan.offsets[int(key)] + store.start, width)
        if kind == "dstate":
            k = self._states()[str(key)][0]
            return self._ring(str(key), f"(j % {k + 1})", store.start, width)
        if kind == "carry":
            return _Address(("carry", key), "row", self.plan.carries[int(key)], store.start, width)
        if kind == "dvector":
            return _Address(("dvector", key), "row", self.plan.form.vectors[str(key)], store.start, width)
        if kind == "dread":
            return _Address(("dread", key), "at", self.plan.form.reads[str(key)], store.start, width)
        return self._kept(store.place, store.start, width)

    def _kept(self, place: Place, start: int, width: int) -> _Address:
        """Where a value lies that forward keeps."""
        plan, (kind, key) = self.plan, place
        if kind == "slot":
            return _Address(("slots", 0), "at", plan.stride, plan.offsets[int(key)] + start, width)
        if kind == "saved":
            return _Address(("saved", key), "at", plan.saved[int(key)], start, width)
        if kind == "source":
            return _Address(("source", key), "at", plan.sources[int(key)], start, width)
        if kind == "yield":
            return _Address(("yield", key), "at", self._yields()[str(key)], start, width)
        return self._state(str(key), start, width, new=True)

    def _leaf(self, node: Node) -> _Address | None:
        """Where a leaf or a kept value lies; None: it is zero."""
        plan, width = self.plan, node.width
        if node.number in self.given:
            place, start = plan.held[node.number]
            return self._kept(place, start, width)
        if node.op == "mask":
            return _Address(("valid", 0), "at", 1, 0, 1)
        name, start = node.data
        match node.op:
            case "slot":
                return self._kept(("slot", name), start, width)
            case "state":
                return self._state(name, start, width, new=False)
            case "read":
                return _Address(("read", name), "at", plan.form.reads[name], start, width)
            case "vector":
                row = "" if name in plan.form.parameters else "row"
                return _Address(("vector", name), row, plan.form.vectors[name], start, width)
            case "din":
                k = self._states()[name][0]
                return self._ring(name, f"((j + 1) % {k + 1})", start, width)
            case "dout":
                if name in self.missing:
                    return None
                return _Address(("dout", name), "at", self._yields()[name], start, width)
            case "dsource":
                return _Address(("dsource", name), "row", plan.sources[name], start, width)
            case "carry":
                return _Address(("carry", name), "row", plan.carries[name], start, width)
        raise ValueError(f"no place for {node.op}")

    def _state(self, delay: str, start: int, width: int, *, new: bool) -> _Address:
        k, whole = self._states()[delay]
        shift = k if new == self.plan.form.forward else 0
        row = "at" if not shift else f"(at + {shift} * batch)" if shift > 1 else "(at + batch)"
        return _Address(("state", delay), row, whole, start, width)

    def _ring(self, delay: str, turn: str, start: int, width: int) -> _Address:
        return _Address(("ring", delay), f"({turn} * batch + row)", self._states()[delay][1], start, width)

    def _states(self) -> Mapping[str, tuple[int, int]]:
        return {s.delay: (s.k, s.width) for s in self.plan.form.states}

    def _yields(self) -> Mapping[str, int]:
        return {name: node.width for name, node in self.plan.form.yields}


def _power(width: int) -> int:
    """The next power of two, which Triton's blocks are."""
    return 1 << (width - 1).bit_length()
