"""Products of a level that multiply the same numbers: the matrix unit splits these once for all. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from .ir import Function, Target
from .tiles import PRODUCT_OF_TILES
from .tree_form import TreeProduct
from .tree_plan import TreeStage

Numbered = list[tuple[int, TreeProduct]]


def groups(stage: TreeStage, t: Target, backward: bool) -> list[Numbered]:
    """The products of a stage by their numbers, those together that are made by one call.

    On the way back, gradients of one part of the pre-activations go to several children. Vectors gain nothing by that.
    """

    def key(numbered: tuple[int, TreeProduct]) -> object:
        i, p = numbered
        return (p.offset, p.size, p.edge, p.accumulate_back) if t.tiles and backward else i

    return [list(group) for _, group in groupby(stage.numbered(), key)]


def product_of_one(t: Target, name: str, depth: int, lda: int, factors: Sequence[tuple[int, int]], add: bool) -> str:
    """@name(A, rows, B, C, B, C, …): C (+)= A[rows, depth] · B for each factor (columns of B, row length of C)."""
    places = "".join(f", ptr %B{i}, ptr %C{i}" for i in range(len(factors)))
    f = Function(t, f"define internal void @{name}(ptr %A, i64 %rows{places}) noinline nounwind")
    f.places.append(f"  %factors = alloca [{4 * len(factors)} x i64], align 8")
    for i, (columns, ldc) in enumerate(factors):
        for j, number in enumerate((f"ptr %B{i}", f"i64 {columns}", f"ptr %C{i}", f"i64 {ldc}")):
            f.emit(f"store {number}, ptr {f.byte('%factors', str(32 * i + 8 * j))}, align 8")
    sizes = f"i64 %rows, i64 {depth}, ptr %factors, i64 {len(factors)}, i64 0"
    f.emit(f"call void @{PRODUCT_OF_TILES}(ptr %A, i64 {lda}, {sizes}, i1 {str(add).lower()}, i1 false)")
    f.emit("ret void")
    return f.text()
