"""Matrix products as LLVM IR: C (+)= A · B with B packed in panels two vectors wide, k after k. Torch-free.

The micro-kernel keeps `rows` × 2 vectors of C in registers. Nothing outside of C's columns is touched: the last panel's
loads and stores of C are masked, and the packed B is filled up with zeros.
"""

from __future__ import annotations

from . import tiles
from .ir import Function, Target


def panel(t: Target) -> int:
    """Columns of a packed panel."""
    return 2 * t.lanes


def packed_size(t: Target, columns: int, depth: int) -> int:
    """Numbers in a packed B of `depth` × `columns`."""
    return -(-columns // panel(t)) * panel(t) * depth


def kernel_names(t: Target) -> list[str]:
    """Of all micro-kernels, full panels and edges."""
    return [_kernel_name(t, rows, edge) for rows in range(1, t.rows + 1) for edge in (False, True)]


def _kernel_name(t: Target, rows: int, edge: bool) -> str:
    return f"rnn_{t.scalar}_{'edge' if edge else 'kernel'}{rows}"


def _kernel_type(t: Target, edge: bool) -> str:
    return "ptr, i64, ptr, i64, ptr, i64, i1" + (f", {t.bools}, {t.bools}" if edge else "")


def kernels(t: Target) -> str:
    """The micro-kernels (A, lda, B, depth, C, ldc, add) for 1 … t.rows rows; edges take two masks besides.

    They are the same for every loop, and so a module of their own.
    """
    return "\n".join(_kernel(t, rows, edge).text() for rows in range(1, t.rows + 1) for edge in (False, True))


def declared_kernels(t: Target) -> str:
    """Declarations of what products call."""
    if t.tiles:
        return tiles.declared()
    every = ((rows, edge) for rows in range(1, t.rows + 1) for edge in (False, True))
    lines = [f"declare void @{_kernel_name(t, rows, edge)}({_kernel_type(t, edge)})" for rows, edge in every]
    return "\n".join([*lines, ""])


def _kernel(t: Target, rows: int, edge: bool) -> Function:
    v = t.vector
    masks = f", {t.bools} %m0, {t.bools} %m1" if edge else ""
    name = _kernel_name(t, rows, edge)
    args = f"ptr noalias %A, i64 %lda, ptr noalias %B, i64 %depth, ptr noalias %C, i64 %ldc, i1 %add{masks}"
    f = Function(t, f"define void @{name}({args}) nounwind")
    mask = ("%m0", "%m1") if edge else ("", "")
    a_rows, c_places = [], []
    for m in range(rows):
        a_rows.append(f.address("%A", f.mul("%lda", m) if m else "0"))
        first = f.address("%C", f.mul("%ldc", m) if m else "0")
        c_places.append((first, f.address(first, str(t.lanes))))
    f.emit("br i1 %add, label %old, label %ready")
    f.block("old")
    old = [f.load(p, k) for pair in c_places for p, k in zip(pair, mask, strict=True)]
    for first, _ in c_places:  # what the next panel adds to is far away: rows are long
        for j in range(2):
            f.prefetch(f.address(first, str(panel(t) + j * t.lanes)))
    f.emit("br label %ready")
    f.block("ready")
    sums = [f.let(f"phi {v} [ zeroinitializer, %entry ], [ {x}, %old ]") for x in old]
    k, before = "0", "ready"
    for count in (t.at_once, 1) if t.at_once > 1 else (1,):
        k, sums, before = _steps(f, count, k, sums, before, a_rows)
    for m in range(rows):
        for j in range(2):
            f.store(sums[2 * m + j], c_places[m][j], mask[j])
    f.emit("ret void")
    return f


def _steps(
    f: Function, count: int, first: str, start: list[str], before: str, a_rows: list[str]
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
    for m, a_row in enumerate(a_rows):
        at = f.address(a_row, k)
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
            _rows(f, height, packed, first, depth, lda, ldc, add, 0)
    if columns % width:
        with f.when(edge):
            packed = f.address("%B", str(full * width * depth))
            _rows(f, height, packed, str(full * width), depth, lda, ldc, add, columns % width)
    f.emit("br label %nothing")
    f.block("nothing")
    f.emit("ret void")
    return f.text()


def _rows(
    f: Function, height: str, packed: str, first: str, depth: int, lda: int, ldc: int, add: bool, rest: int
) -> None:
    t = f.target
    with f.loop("0", "%rows", height) as r:
        left = f.let(f"sub nsw i64 %rows, {r}")
        less = f.let(f"icmp slt i64 {left}, {height}")
        count = f.let(f"select i1 {less}, i64 {left}, i64 {height}")
        a, c = f.address("%A", f.mul(r, lda)), f.address("%C", f.add(f.mul(r, ldc), first))
        end = f.label("end")
        labels = [f.label("rows") for _ in range(t.rows)]
        cases = " ".join(f"i64 {i + 1}, label %{label}" for i, label in enumerate(labels[:-1]))
        f.emit(f"switch i64 {count}, label %{labels[-1]} [ {cases} ]")
        for i, label in enumerate(labels):
            f.block(label)
            args = f"ptr {a}, i64 {lda}, ptr {packed}, i64 {depth}, ptr {c}, i64 {ldc}, i1 {str(add).lower()}"
            if rest:
                low = f"{t.bools} {t.first_lanes(rest)}"
                name = _kernel_name(t, i + 1, True)
                f.emit(f"call void @{name}({args}, {low}, {t.bools} {t.first_lanes(rest - t.lanes)})")
            else:
                f.emit(f"call void @{_kernel_name(t, i + 1, False)}({args})")
            f.emit(f"br label %{end}")
        f.block(end)
