"""Writing LLVM IR as text: a function with numbered registers, blocks, and the vector operations the kernels need.

Torch-free. `Target` says how wide vectors are and which type the numbers have.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Target:
    """lanes: numbers in a vector; rows: rows of the product's micro-kernel (rows × 2 vectors stay in registers);
    at_once: steps along the depth that it takes with one load of each row of A. tiles: products run on the matrix unit.
    """

    cpu: str
    features: str
    double: bool
    lanes: int
    rows: int
    at_once: int = 1
    tiles: bool = False

    @property
    def scalar(self) -> str:
        return "double" if self.double else "float"

    @property
    def integer(self) -> str:
        return "i64" if self.double else "i32"

    @property
    def vector(self) -> str:
        return f"<{self.lanes} x {self.scalar}>"

    @property
    def integers(self) -> str:
        return f"<{self.lanes} x {self.integer}>"

    @property
    def bools(self) -> str:
        return f"<{self.lanes} x i1>"

    @property
    def suffix(self) -> str:
        """Of an intrinsic's name."""
        return f"v{self.lanes}{'f64' if self.double else 'f32'}"

    @property
    def size(self) -> int:
        """Bytes of a number."""
        return 8 if self.double else 4

    @property
    def reciprocal(self) -> str:
        """The intrinsic for 1 / x to 14 bits, where there is one; else ""."""
        return "llvm.x86.avx512.rcp14.ps.512" if self.lanes == 16 and "+avx512f" in self.features else ""

    def number(self, value: float) -> str:
        if not self.double:
            value = struct.unpack("f", struct.pack("f", value))[0]
        return "0x" + struct.pack(">d", value).hex().upper()

    def splat(self, value: float) -> str:
        """A vector constant."""
        return "<" + ", ".join([f"{self.scalar} {self.number(value)}"] * self.lanes) + ">"

    def integer_splat(self, value: int) -> str:
        return "<" + ", ".join([f"{self.integer} {value}"] * self.lanes) + ">"

    def first_lanes(self, count: int) -> str:
        """A mask of the first `count` lanes."""
        return "<" + ", ".join(f"i1 {'true' if i < count else 'false'}" for i in range(self.lanes)) + ">"


@dataclass(slots=True)
class Function:
    """The text of one function while it is written. Registers are never reassigned; loops use `loop`."""

    target: Target
    head: str
    lines: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    _count: int = 0
    _block: str = "entry"

    def fresh(self, what: str = "v") -> str:
        self._count += 1
        return f"%{what}{self._count}"

    def emit(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def let(self, text: str, what: str = "v") -> str:
        name = self.fresh(what)
        self.emit(f"{name} = {text}")
        return name

    def block(self, name: str) -> None:
        self.lines.append(f"{name}:")
        self._block = name

    def label(self, what: str) -> str:
        self._count += 1
        return f"{what}{self._count}"

    def text(self) -> str:
        return "\n".join([self.head + " {", "entry:", *self.places, *self.lines, "}", ""])

    def place(self) -> str:
        """The address of one vector on the stack, for what a loop adds up (LLVM keeps it in a register)."""
        name = self.fresh("sum")
        self.places.append(f"  {name} = alloca {self.target.vector}, align {self.target.lanes * self.target.size}")
        return name

    def room(self, count: int) -> str:
        """The address of `count` numbers on the stack."""
        name = self.fresh("room")
        self.places.append(f"  {name} = alloca [{count} x {self.target.scalar}], align 64")
        return name

    @contextmanager
    def loop(self, start: str, stop: str, step: str = "1") -> Iterator[str]:
        """for (i64 i = start; i < stop; i += step)."""
        test, body, done = self.label("test"), self.label("body"), self.label("done")
        before, index = self._block, self.fresh("i")
        later = self.fresh("n")
        self.emit(f"br label %{test}")
        self.block(test)
        place = len(self.lines)
        inside = self.fresh("c")
        self.emit(f"{inside} = icmp slt i64 {index}, {stop}")
        self.emit(f"br i1 {inside}, label %{body}, label %{done}")
        self.block(body)
        yield index
        self.emit(f"{later} = add nsw i64 {index}, {step}")
        self.emit(f"br label %{test}")
        self.lines.insert(place, f"  {index} = phi i64 [ {start}, %{before} ], [ {later}, %{self._block} ]")
        self.block(done)

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """if (condition). What is made inside is not there afterwards."""
        inside, after = self.label("then"), self.label("after")
        self.emit(f"br i1 {condition}, label %{inside}, label %{after}")
        self.block(inside)
        yield
        self.emit(f"br label %{after}")
        self.block(after)

    def add(self, a: str, b: str) -> str:
        if b == "0":
            return a
        return b if a == "0" else self.let(f"add nsw i64 {a}, {b}")

    def mul(self, a: str, b: str | int) -> str:
        if str(b) == "1":
            return a
        return a if a == "0" else self.let(f"mul nsw i64 {a}, {b}")

    def address(self, base: str, index: str) -> str:
        """base + index numbers."""
        return self.let(f"getelementptr {self.target.scalar}, ptr {base}, i64 {index}", "p")

    def byte(self, base: str, index: str) -> str:
        """base + index bytes."""
        return self.let(f"getelementptr i8, ptr {base}, i64 {index}", "p")

    def numbers(self, table: str, kinds: str) -> list[str]:
        """The 64-bit numbers of a table; kinds: p for addresses, f for functions, i for numbers, b for 0 or 1."""
        found = []
        for i, kind in enumerate(kinds):
            at = self.byte(table, str(8 * i))
            value = self.let(f"load {'ptr' if kind in 'pf' else 'i64'}, ptr {at}, align 8")
            found.append(self.let(f"icmp ne i64 {value}, 0") if kind == "b" else value)
        return found

    def least(self, a: str, b: str) -> str:
        """The smaller of two i64."""
        return self.let(f"call i64 @llvm.smin.i64(i64 {a}, i64 {b})")

    def turned(self, square: Sequence[str], kind: str) -> list[str]:
        """The transpose of as many vectors of type `kind` as each has lanes."""
        rows = list(square)
        for step in self.turning(rows, len(rows), kind):
            step()
        return rows

    def turning(self, rows: list[str], lanes: int, kind: str) -> list[Callable[[], None]]:
        """What writes the transpose of `rows`, in place of them, in steps: blocks of 1, 2, 4 … change places."""

        def step(i: int, s: int) -> Callable[[], None]:
            picks = (
                [j if not j & s else lanes + j - s for j in range(lanes)],
                [lanes + j if j & s else j + s for j in range(lanes)],
            )

            def written() -> None:
                a, b = rows[i], rows[i + s]
                rows[i], rows[i + s] = (
                    self.let(f"shufflevector {kind} {a}, {kind} {b}, <{lanes} x i32> <{_picks(some)}>")
                    for some in picks
                )

            return written

        sizes = [1 << n for n in range(lanes.bit_length() - 1)]
        return [step(i, s) for s in sizes for i in range(lanes) if not i & s]

    def load(self, pointer: str, mask: str = "") -> str:
        t = self.target
        if mask:
            call = f"call {t.vector} @llvm.masked.load.{t.suffix}.p0(ptr {pointer}, i32 {t.size}, {t.bools} {mask}, "
            return self.let(f"{call}{t.vector} zeroinitializer)")
        return self.let(f"load {t.vector}, ptr {pointer}, align {t.size}")

    def store(self, value: str, pointer: str, mask: str = "") -> None:
        t = self.target
        if mask:
            name = f"@llvm.masked.store.{t.suffix}.p0"
            self.emit(f"call void {name}({t.vector} {value}, ptr {pointer}, i32 {t.size}, {t.bools} {mask})")
        else:
            self.emit(f"store {t.vector} {value}, ptr {pointer}, align {t.size}")

    def lanes_below(self, count: str) -> str:
        """A mask of the lanes whose number is less than an i64."""
        n = self.target.lanes
        one = self.let(f"insertelement <{n} x i64> poison, i64 {count}, i64 0")
        every = self.let(f"shufflevector <{n} x i64> {one}, <{n} x i64> poison, <{n} x i32> zeroinitializer")
        numbers = ", ".join(f"i64 {i}" for i in range(n))
        return self.let(f"icmp slt <{n} x i64> <{numbers}>, {every}")

    def prefetch(self, pointer: str, *, write: bool = True, second: bool = False) -> None:
        """Fetch the line at an address, which need not exist, to be written to soon, or read. second: to the second
        cache only.
        """
        self.emit(f"call void @llvm.prefetch.p0(ptr {pointer}, i32 {int(write)}, i32 {2 if second else 3}, i32 1)")

    def broadcast(self, scalar: str) -> str:
        t = self.target
        one = self.let(f"insertelement {t.vector} poison, {t.scalar} {scalar}, i64 0")
        return self.let(f"shufflevector {t.vector} {one}, {t.vector} poison, <{t.lanes} x i32> zeroinitializer")

    def spread(self, some: str, count: int, lane: int) -> str:
        """One lane of a vector of `count` numbers, in all lanes."""
        kind, lanes = f"<{count} x {self.target.scalar}>", self.target.lanes
        picks = ", ".join([f"i32 {lane}"] * lanes)
        return self.let(f"shufflevector {kind} {some}, {kind} poison, <{lanes} x i32> <{picks}>")

    def load_scalar(self, pointer: str) -> str:
        return self.let(f"load {self.target.scalar}, ptr {pointer}, align {self.target.size}")

    def op(self, name: str, a: str, b: str) -> str:
        """fadd, fsub, fmul (which may become one fused multiply-add) or fdiv of vectors."""
        return self.let(f"{name} contract {self.target.vector} {a}, {b}")

    def fma(self, a: str, b: str, c: str) -> str:
        """a · b + c, rounded once where the processor can."""
        v = self.target.vector
        return self.let(f"call {v} @llvm.fmuladd.{self.target.suffix}({v} {a}, {v} {b}, {v} {c})")

    def select(self, compare: str, a: str, b: str, yes: str, no: str) -> str:
        """yes where a ⋛ b (compare: ogt, oeq …), else no, lane by lane."""
        t = self.target
        c = self.let(f"fcmp {compare} {t.vector} {a}, {b}")
        return self.let(f"select {t.bools} {c}, {t.vector} {yes}, {t.vector} {no}")

    def call(self, name: str, args: Sequence[str]) -> str:
        v = self.target.vector
        return self.let(f"call {v} @{name}({', '.join(f'{v} {a}' for a in args)})")


def _picks(numbers: Sequence[int]) -> str:
    return ", ".join(f"i32 {n}" for n in numbers)


def declarations(t: Target) -> str:
    """The intrinsics that `Function` uses."""
    v, b, s = t.vector, t.bools, t.suffix
    return "\n".join(
        [
            f"declare {v} @llvm.masked.load.{s}.p0(ptr, i32, {b}, {v})",
            f"declare void @llvm.masked.store.{s}.p0({v}, ptr, i32, {b})",
            f"declare {v} @llvm.fmuladd.{s}({v}, {v}, {v})",
            f"declare {v} @llvm.fabs.{s}({v})",
            f"declare {v} @llvm.sqrt.{s}({v})",
            f"declare {t.scalar} @llvm.vector.reduce.fadd.{s}({t.scalar}, {v})",
            f"declare {t.scalar} @llvm.vector.reduce.fmax.{s}({v})",
            f"declare {v} @llvm.copysign.{s}({v}, {v})",
            f"declare {v} @{t.reciprocal}({v}, {v}, i16)" if t.reciprocal else "",
            "declare i64 @llvm.smin.i64(i64, i64)",
            "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)",
            "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)",
            "",
        ]
    )
