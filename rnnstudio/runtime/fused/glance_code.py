"""Attention inside the generated time loops: each row of the batch looks along its own places. Torch-free.

Keys and values lie as [batch, places, width]; attention weights as [time, batch, heads, pad], pad a multiple of the
vector.
Forward keeps the weights alone; the way back computes tanh(q + k) once more, which costs less than to fetch it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Protocol

from .glance import Glance
from .ir import Function, Target

Key = tuple[str, int | str]

NUMBERS = ("places", "pad")
"""Kinds of keys that are numbers, not addresses."""


class Loop(Protocol):
    """The time loop that is being written."""

    f: Function
    t: Target
    args: dict[Key, str]
    copied: dict[int, int]

    def _at(self, key: Key, row: str, start: int) -> str: ...


def keys_of(number: int, glance: Glance, backward: bool) -> Iterator[Key]:
    """What a loop is given for one attention."""
    forward = ("places", "pad", "lengths", "keys", "values", "score", "weights")
    more = ("dkeys", "dvalues", "dscore", "dweights", "change") if backward else ()
    for what in (*forward, *more):
        yield what, f"glance {number}"
    yield "plain", glance.out
    if backward:
        yield "dplain", glance.out


def along(f: Function, width: int, body: Callable[[str, str], None]) -> None:
    """body(first column, mask) for each vector of a row."""
    lanes = f.target.lanes
    whole = width // lanes * lanes
    if whole:
        with f.loop("0", str(whole), str(lanes)) as j:
            body(j, "")
    if width % lanes:
        body(str(whole), f.target.first_lanes(width % lanes))


class _Row:
    """One head of one row of the batch at one step."""

    def __init__(self, loop: Loop, number: int, glance: Glance, rows: str, r: str, head: str) -> None:
        self.f, self.t, self.glance = loop.f, loop.t, glance
        f = self.f
        self.arg = {what: value for (what, name), value in loop.args.items() if name == f"glance {number}"}
        row = f.add(rows, r)
        at = f.let(f"getelementptr i64, ptr {self.arg['lengths']}, i64 {r}", "p")
        self.own = f.let(f"load i64, ptr {at}, align 8")
        self.units, self.width = glance.units // glance.heads, glance.width // glance.heads
        self.unit, self.column = f.mul(head, self.units), f.mul(head, self.width)
        self.query = f.address(loop._at(("source", loop.copied[glance.query]), row, 0), self.unit)
        first = f.mul(r, self.arg["places"])
        self.first_key = f.add(f.mul(first, glance.units), self.unit)
        self.first_value = f.add(f.mul(first, glance.width), self.column)
        self.keys = f.address(self.arg["keys"], self.first_key)
        self.values = f.address(self.arg["values"], self.first_value)
        self.place = f.mul(f.add(f.mul(row, glance.heads), head), self.arg["pad"])
        self.weights = f.address(self.arg["weights"], self.place)
        self.row = row

    def sum(self) -> str:
        """A vector on the stack, zero."""
        place = self.f.place()
        self.f.emit(f"store {self.t.vector} {self.t.splat(0.0)}, ptr {place}")
        return place

    def held(self, place: str) -> str:
        return self.f.let(f"load {self.t.vector}, ptr {place}")

    def hold(self, value: str, place: str) -> None:
        self.f.emit(f"store {self.t.vector} {value}, ptr {place}")

    def total(self, place: str) -> str:
        """The sum of the lanes."""
        name = f"@llvm.vector.reduce.fadd.{self.t.suffix}"
        start = f"{self.t.scalar} {self.t.number(0.0)}"
        vector = f"{self.t.vector} {self.held(place)}"
        return self.f.let(f"call reassoc {self.t.scalar} {name}({start}, {vector})")

    def own_places(self, body: Callable[[str, str], None]) -> None:
        """body(first place, mask of the example's own places) for each vector of places."""
        with self.f.loop("0", self.arg["pad"], str(self.t.lanes)) as s:
            body(s, self.f.lanes_below(self.f.let(f"sub nsw i64 {self.own}, {s}")))

    def masked(self, mask: str, value: str, other: float) -> str:
        t = self.t
        return self.f.let(f"select {t.bools} {mask}, {t.vector} {value}, {t.vector} {t.splat(other)}")


def forward(loop: Loop, number: int, glance: Glance, rows: str) -> None:
    """All rows of the range at one step."""
    f = loop.f
    with f.loop("%from", "%to") as r, f.loop("0", str(glance.heads)) as head:
        row = _Row(loop, number, glance, rows, r, head)
        _scores(row)
        _softmax(row)
        out = f.address(loop.args["plain", glance.out], f.add(f.mul(row.row, glance.width), row.column))

        def weighted(j: str, mask: str) -> None:
            total = row.sum()
            with f.loop("0", row.own) as s:
                share = f.broadcast(f.load_scalar(f.address(row.weights, s)))
                value = f.load(f.address(row.values, f.add(f.mul(s, glance.width), j)), mask)
                row.hold(f.fma(share, value, row.held(total)), total)
            f.store(row.held(total), f.address(out, j), mask)

        along(f, row.width, weighted)


def _scores(row: _Row) -> None:
    f, glance = row.f, row.glance
    with f.loop("0", row.own) as s:
        key, total = f.address(row.keys, f.mul(s, glance.units)), row.sum()

        def add(j: str, mask: str) -> None:
            q, k = f.load(f.address(row.query, j), mask), f.load(f.address(key, j), mask)
            if glance.score is None:
                row.hold(f.fma(q, k, row.held(total)), total)
            else:
                v = f.load(f.address(row.arg["score"], j), mask)
                row.hold(f.fma(v, f.call("rnn_tanh", [f.op("fadd", q, k)]), row.held(total)), total)

        along(f, row.units, add)
        score = f.let(f"fmul {row.t.scalar} {row.total(total)}, {row.t.number(glance.scale)}")
        f.emit(f"store {row.t.scalar} {score}, ptr {f.address(row.weights, s)}, align {row.t.size}")


def _softmax(row: _Row) -> None:
    f, t = row.f, row.t
    largest, total = f.place(), row.sum()
    row.hold(t.splat(-math.inf), largest)

    def look(s: str, mask: str) -> None:
        value = row.masked(mask, f.load(f.address(row.weights, s)), -math.inf)
        row.hold(f.select("ogt", row.held(largest), value, row.held(largest), value), largest)

    row.own_places(look)
    top = f.let(f"call {t.scalar} @llvm.vector.reduce.fmax.{t.suffix}({t.vector} {row.held(largest)})")
    top = f.broadcast(top)

    def power(s: str, mask: str) -> None:
        place = f.address(row.weights, s)
        value = row.masked(mask, f.call("rnn_exp", [f.op("fsub", f.load(place), top)]), 0.0)
        f.store(value, place)
        row.hold(f.op("fadd", row.held(total), value), total)

    row.own_places(power)
    whole, one = f.broadcast(row.total(total)), t.splat(1.0)
    share = f.op("fdiv", one, f.select("ogt", whole, one, whole, one))  # an example without places has the sum 0

    def scale(s: str, mask: str) -> None:
        place = f.address(row.weights, s)
        f.store(f.op("fmul", f.load(place), share), place)

    row.own_places(scale)


def backward(loop: Loop, number: int, glance: Glance, rows: str) -> None:
    """All rows of the range at one step, back: from the gradient of what was found to that of the query.

    Gradients of keys, values and v are added to what is there.
    """
    f, t = loop.f, loop.t
    with f.loop("%from", "%to") as r, f.loop("0", str(glance.heads)) as head:
        row = _Row(loop, number, glance, rows, r, head)
        arriving = f.address(loop.args["dplain", glance.out], f.add(f.mul(r, glance.width), row.column))
        given = f.address(row.arg["dweights"], row.place)
        change = f.address(row.arg["change"], f.mul(f.add(f.mul(r, glance.heads), head), row.arg["pad"]))
        with f.loop("0", row.own) as s:
            total, place = row.sum(), f.mul(s, glance.width)
            value, grown = f.address(row.values, place), f.address(row.arg["dvalues"], f.add(row.first_value, place))
            share = f.broadcast(f.load_scalar(f.address(row.weights, s)))

            def meet(j: str, mask: str) -> None:
                d = f.load(f.address(arriving, j), mask)
                row.hold(f.fma(d, f.load(f.address(value, j), mask), row.held(total)), total)
                f.store(f.fma(share, d, f.load(f.address(grown, j), mask)), f.address(grown, j), mask)

            along(f, row.width, meet)
            found = f.let(f"fadd {t.scalar} {row.total(total)}, {f.load_scalar(f.address(given, s))}")
            f.emit(f"store {t.scalar} {found}, ptr {f.address(change, s)}, align {t.size}")
        _softmax_back(row, change)
        query = f.add(f.mul(r, glance.units), row.unit)
        _scores_back(row, change, f.address(loop.args["dsource", loop.copied[glance.query]], query))


def _softmax_back(row: _Row, change: str) -> None:
    f = row.f
    total = row.sum()

    def meet(s: str, mask: str) -> None:
        d = row.masked(mask, f.load(f.address(change, s)), 0.0)
        row.hold(f.fma(d, f.load(f.address(row.weights, s)), row.held(total)), total)

    row.own_places(meet)
    mean, factor = f.broadcast(row.total(total)), row.t.splat(row.glance.scale)

    def pull(s: str, mask: str) -> None:
        place = f.address(change, s)
        share = f.op("fmul", f.load(f.address(row.weights, s)), f.op("fsub", f.load(place), mean))
        f.store(row.masked(mask, f.op("fmul", factor, share), 0.0), place)

    row.own_places(pull)


def _scores_back(row: _Row, change: str, dquery: str) -> None:
    f, glance, one = row.f, row.glance, row.t.splat(1.0)
    dkeys = f.address(row.arg["dkeys"], row.first_key)
    dscore = f.address(row.arg["dscore"], f.mul("%thread", glance.units))

    def column(j: str, mask: str) -> None:
        to_query, to_score = row.sum(), row.sum()
        q = f.load(f.address(row.query, j), mask)
        v = f.load(f.address(row.arg["score"], j), mask) if glance.score is not None else ""
        with f.loop("0", row.own) as s:
            d = f.broadcast(f.load_scalar(f.address(change, s)))
            at = f.add(f.mul(s, glance.units), j)
            k, grown = f.load(f.address(row.keys, at), mask), f.address(dkeys, at)
            if v:
                m = f.call("rnn_tanh", [f.op("fadd", q, k)])
                row.hold(f.fma(d, m, row.held(to_score)), to_score)
                g = f.op("fmul", f.op("fmul", d, v), f.op("fsub", one, f.op("fmul", m, m)))
                row.hold(f.op("fadd", row.held(to_query), g), to_query)
            else:
                row.hold(f.fma(d, k, row.held(to_query)), to_query)
                g = f.op("fmul", d, q)
            f.store(f.op("fadd", f.load(grown, mask), g), grown, mask)
        f.store(row.held(to_query), f.address(dquery, j), mask)
        if v:
            place = f.address(dscore, j)
            f.store(f.op("fadd", f.load(place, mask), row.held(to_score)), place, mask)

    along(f, row.units, column)
