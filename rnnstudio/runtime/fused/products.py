"""Matrix products as LLVM IR: C (+)= A · B with B packed in panels two vectors wide, k after k. Torch-free.

The micro-kernel keeps `rows` × 2 vectors of C in registers. Nothing outside of C's columns is touched: the last panel's
loads and stores of C are masked, and the packed B is filled up with zeros.
"""

from __future__ import annotations

from . import tiles
from .ir import Function, Target

_IN_A_ROW = 256
"""Terms of a sum. Measured: with so many, sums of 6400 terms are about as near to float64's as torch.mm's."""


def panel(t: Target) -> int:
    """Columns of a packed panel."""
    return 2 * t.lanes


def packed_size(t: Target, columns: int, depth: int) -> int:
    """Numbers in a packed B of `depth` × `columns`."""
    return -(-columns // panel(t)) * panel(t) * depth


def kernel_names(t: Target) -> list[str]:
    """Of all micro-kernels, full panels and edges."""
    return [_kernel_name(t, rows, edge) for rows in range(1, t.rows + 1) for edge in (False, True)]


def _kernel_name(t: Target, rows: int, edge: bool, turned: bool = False) -> str:
    return f"rnn_{t.scalar}_{'turned_' if turned else ''}{'edge' if edge else 'kernel'}{rows}"


def _kernel_type(t: Target, edge: bool) -> str:
    return "ptr, i64, ptr, i64, ptr, i64, i1" + (", i64" if edge else "")


def kernels(t: Target, *, turned: bool = False) -> str:
    """The micro-kernels (A, lda, B, depth, C, ldc, add) for 1 … t.rows rows; edges take how many columns there are.

    They are the same for every loop, and so a module of their own. turned: A is given as [depth, lda], t.rows at most.
    """
    every = ((rows, edge) for rows in range(1, t.rows + 1) for edge in (False, True))
    return "\n".join(_kernel(t, rows, edge, turned).text() for rows, edge in every)


def declared_kernels(t: Target) -> str:
    """Declarations of what products call."""
    if t.tiles:
        return tiles.declared()
    every = ((rows, edge) for rows in range(1, t.rows + 1) for edge in (False, True))
    lines = [f"declare void @{_kernel_name(t, rows, edge)}({_kernel_type(t, edge)})" for rows, edge in every]
    return "\n".join([*lines, ""])


def _kernel(t: Target, rows: int, edge: bool, turned: bool) -> Function:
    columns = ", i64 %columns" if edge else ""
    name = _kernel_name(t, rows, edge, turned)
    args = f"ptr noalias %A, i64 %lda, ptr noalias %B, i64 %depth, ptr noalias %C, i64 %ldc, i1 %add{columns}"
    f = Function(t, f"define void @{name}({args}) nounwind")
    a_rows, c_places = [], []
    for m in range(rows):
        a_rows.append(f.address("%A", str(m) if turned else f.mul("%lda", m) if m else "0"))
        first = f.address("%C", f.mul("%ldc", m) if m else "0")
        c_places.append((first, f.address(first, str(t.lanes))))
    for pair in c_places:  # they are far away, and there when they are read or written
        for place in pair:
            f.prefetch(place)
    sums = ["zeroinitializer"] * (2 * rows)
    k, before = "0", "entry"
    for count in (t.at_once, 1) if t.at_once > 1 and not turned else (1,):
        k, sums, before = _steps(f, count, k, sums, before, a_rows, turned)
    mask = ("", "")
    if edge:  # masks are made now, as there are no registers left for them before
        mask = f.lanes_below("%columns"), f.lanes_below(f.let(f"sub nsw i64 %columns, {t.lanes}"))
    f.emit("br i1 %add, label %more, label %alone")
    places = [(place, some) for pair in c_places for place, some in zip(pair, mask, strict=True)]
    f.block("more")  # old results come last: with many of them in a row sums would lose digits
    for total, (place, some) in zip(sums, places, strict=True):
        f.store(f.op("fadd", f.load(place, some), total), place, some)
    f.emit("ret void")
    f.block("alone")
    for total, (place, some) in zip(sums, places, strict=True):
        f.store(total, place, some)
    f.emit("ret void")
    return f


def _steps(
    f: Function, count: int, first: str, start: list[str], before: str, a_rows: list[str], turned: bool
) -> tuple[str, list[str], str]:
    """A loop over the depth from `first` on, `count` at a time, as long as so many are left: (k, sums, its last block).

    Where count > 1, one load brings as many numbers of a row of A, and each multiplies from its lane: NEON's products
    take one lane of a register at no cost, while a load into all lanes keeps one of the multiplying units busy.
    """
    t, v = f.target, f.target.vector
    test, body, done = f.label("test"), f.label("body"), f.label("done")
    k, later, sums = f.fresh("k"), f.fresh("k"), [f.fresh("s") for _ in start]
    new = list(sums)
    f.emit(f"br label %{test}")
    f.block(test)
    place = len(f.lines)
    more = f.let(f"icmp sle i64 {k}, {f.let(f'sub nsw i64 %depth, {count}')}")
    f.emit(f"br i1 {more}, label %{body}, label %{done}")
    f.block(body)
    row = f.address("%B", f.mul(k, panel(t)))
    b = [f.load(f.address(row, str(i * t.lanes)) if i else row) for i in range(2 * count)]
    along = f.mul(k, "%lda") if turned else k
    for m, a_row in enumerate(a_rows):
        at = f.address(a_row, along)
        some = "" if count == 1 else f.let(f"load <{count} x {t.scalar}>, ptr {at}, align {t.size}")
        for i in range(count):
            a = f.spread(some, count, i) if some else f.broadcast(f.load_scalar(at))
            for j in range(2):
                new[2 * m + j] = f.fma(a, b[2 * i + j], new[2 * m + j])
    f.emit(f"{later} = add nsw i64 {k}, {count}")
    f.emit(f"br label %{test}")
    heads = [f"  {k} = phi i64 [ {first}, %{before} ], [ {later}, %{body} ]"]
    heads += [f"  {s} = phi {v} [ {x}, %{before} ], [ {n}, %{body} ]" for s, x, n in zip(sums, start, new, strict=True)]
    f.lines[place:place] = heads
    f.block(done)
    return k, sums, done


def product(t: Target, name: str, columns: int, depth: int, lda: int, ldc: int, add: bool, part: bool = False) -> str:
    """@name(A, B, rows, C): C[rows, columns] (+)= A[rows, depth] · B, with fixed row lengths lda and ldc.

    Rows are split evenly over the micro-kernels, panel after panel. part: @name(A, B, rows, C, i, n) makes the i-th of
    n parts of the panels only. On the matrix unit B is in tiles, and there are no parts.
    """
    if t.tiles:
        return tiles.product(t, name, columns, depth, lda, ldc, add)
    more = ", i64 %i, i64 %n" if part else ""
    f = Function(t, f"define internal void @{name}(ptr %A, ptr %B, i64 %rows, ptr %C{more}) noinline nounwind")
    width = panel(t)
    full = columns // width
    start, stop, edge = "0", str(full), "true"
    if part:
        panels = -(-columns // width)
        start = f.let(f"sdiv i64 {f.mul('%i', panels)}, %n")
        end = f.let(f"sdiv i64 {f.mul(f.add('%i', '1'), panels)}, %n")
        edge = f.let(f"icmp sgt i64 {end}, {full}")
        whole = f.let(f"icmp slt i64 {end}, {full}")
        edge = f.let(f"and i1 {edge}, {f.let(f'icmp sgt i64 {end}, {start}')}")
        stop = f.let(f"select i1 {whole}, i64 {end}, i64 {full}")
    blocks = f.let(f"sdiv i64 {f.add('%rows', str(t.rows - 1))}, {t.rows}")
    some = f.let("icmp sgt i64 %rows, 0")
    f.emit(f"br i1 {some}, label %work, label %nothing")
    f.block("work")
    padded = f.let(f"sub nsw i64 {f.add('%rows', blocks)}, 1")
    height = f.let(f"sdiv i64 {padded}, {blocks}")
    if full:
        with f.loop(start, stop) as p:
            packed, first = f.address("%B", f.mul(p, width * depth)), f.mul(p, width)
            _rows(f, height, packed, first, depth, lda, ldc, add, "")
    if columns % width:
        with f.when(edge):
            packed = f.address("%B", str(full * width * depth))
            _rows(f, height, packed, str(full * width), depth, lda, ldc, add, str(columns % width))
    f.emit("br label %nothing")
    f.block("nothing")
    f.emit("ret void")
    return f.text()


def _rows(
    f: Function,
    height: str,
    packed: str,
    first: str,
    depth: int,
    lda: int,
    ldc: int,
    add: bool,
    columns: str,
) -> None:
    with f.loop("0", str(depth), str(part_of(depth))) as k:
        deep = f.least(f.let(f"sub nsw i64 {depth}, {k}"), str(part_of(depth)))
        more = "true" if add else f.let(f"icmp sgt i64 {k}, 0")
        b, start = f.address(packed, f.mul(k, panel(f.target))), f.address("%A", k)
        with f.loop("0", "%rows", height) as r:
            count = f.least(f.let(f"sub nsw i64 %rows, {r}"), height)
            a, c = f.address(start, f.mul(r, lda)), f.address("%C", f.add(f.mul(r, ldc), first))
            call_kernel(f, count, f"ptr {a}, i64 {lda}, ptr {b}, i64 {deep}, ptr {c}, i64 {ldc}, i1 {more}", columns)


def part_of(depth: int, most: int = _IN_A_ROW) -> int:
    """So many products are added up in one row: even parts of a depth, so that the sum of all keeps its digits."""
    return -(-depth // -(-depth // min(most, _IN_A_ROW)))


def call_kernel(f: Function, count: str, args: str, columns: str = "", *, turned: bool = False) -> None:
    """Call the micro-kernel for so many rows, 1 … t.rows. columns: how many there are, if fewer than a panel's."""
    t = f.target
    end = f.label("end")
    labels = [f.label("rows") for _ in range(t.rows)]
    cases = " ".join(f"i64 {i + 1}, label %{label}" for i, label in enumerate(labels[:-1]))
    f.emit(f"switch i64 {count}, label %{labels[-1]} [ {cases} ]")
    more = f", i64 {columns}" if columns else ""
    for i, label in enumerate(labels):
        f.block(label)
        f.emit(f"call void @{_kernel_name(t, i + 1, bool(columns), turned)}({args}{more})")
        f.emit(f"br label %{end}")
    f.block(end)
