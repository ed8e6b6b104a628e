"""Whether a loop is, by its structure and however it was drawn, an LSTM, GRU or plain RNN of torch.nn.

Sums and products are compared as sets of terms, so neither the order of wires nor the names of nodes matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..catalog.primitives import Op
from ..design.signals import Signal
from .program import Gate, Kernel, Map, Scan


class _NoMatch(Exception):  # noqa: N818 - not an error: the loop is simply another one
    """The loop is not of this kind; says where it differs."""


@dataclass(frozen=True, slots=True)
class _Loop:
    scan: Scan
    ops: Mapping[str, Op]
    before: Mapping[str, Op]

    def terms(self, name: str, kind: str) -> list[str]:
        """What a nested sum (kind "add") or product ("multiply") is made of."""
        op = self.ops.get(name)
        if op is None or op.kind != kind:
            return [name]
        return [term for source in op.inputs for term in self.terms(source, kind)]

    def inside(self, name: str, kind: str) -> str | None:
        """The argument of `name` when it is a `kind` of something."""
        op = self.ops.get(name)
        return op.inputs[0] if op is not None and op.kind == kind else None

    def rest_of(self, name: str) -> str | None:
        """What `name` is one minus of."""
        op = self.ops.get(name)
        if op is None or op.kind != "affine" or (op.attrs["scale"], op.attrs["offset"]) != (-1.0, 1.0):
            return None
        return op.inputs[0]

    def recurrent(self, name: str, state: str) -> Op | None:
        op = self.ops.get(name)
        return op if op is not None and op.kind == "linear" and op.inputs[0] == state else None


def recognise(scan: Scan, signals: Mapping[str, Signal]) -> tuple[Kernel | None, str]:
    """The kernel a scan is, or None and the reason in words."""
    try:
        return _match(scan, signals), ""
    except _NoMatch as reason:
        return None, str(reason)


def _match(scan: Scan, signals: Mapping[str, Signal]) -> Kernel:
    if scan.tree:
        raise _NoMatch("it runs over a tree")
    if len(scan.body) != 1 or not isinstance(scan.body[0], Map):
        raise _NoMatch("it has a loop inside")
    if any(abs(state.k) != 1 for state in scan.states):
        raise _NoMatch("it looks further back than one step")
    ops = {op.name: op for op in scan.body[0].ops}
    loop = _Loop(scan, ops, {op.name: op for op in scan.projections})
    if len(scan.states) == 2:
        kernel = _lstm(loop)
    elif len(scan.states) == 1:
        state = scan.states[0]
        kernel = _rnn(loop) if state.source in ops and ops[state.source].kind in ("tanh", "relu") else _gru(loop)
    else:
        raise _NoMatch(f"it has {len(scan.states)} states")
    hidden = [name for name in scan.yields if name != kernel.hidden]
    if hidden:
        raise _NoMatch(f"{ops[hidden[0]].node if hidden[0] in ops else hidden[0]} is read outside the loop")
    axes = {frozenset(signals[kernel.source].axes), *(frozenset((scan.axis, *s.signal.axes)) for s in scan.states)}
    if len(axes) != 1:
        raise _NoMatch("its input and its state have different axes")
    widths = {ops[kernel.hidden].signal.width}
    widths |= {ops[name].signal.width for name in (kernel.cell,) if name}
    paths = {path for gate in kernel.gates for path in (gate.weight_x, gate.weight_h)}
    maps = (op for op in (*ops.values(), *scan.projections) if op.kind == "linear" and op.attrs["weight"] in paths)
    widths |= {op.signal.width for op in maps}
    if len(widths) != 1:
        raise _NoMatch("its states and gates differ in width")
    return kernel


def _gate(loop: _Loop, name: str, state: str) -> tuple[Gate, str]:
    """A pre-activation that is one map of the input plus one of the state, and the input it maps."""
    found_h: Op | None = None
    found_x: Op | None = None
    for term in loop.terms(name, "add"):
        recurrent = loop.recurrent(term, state)
        if recurrent is not None and found_h is None:
            found_h = recurrent
        elif term in loop.before and found_x is None:
            found_x = loop.before[term]
        else:
            raise _NoMatch(f"{_node(loop, name)} is not one map of the input plus one of the state")
    if found_h is None or found_x is None:
        raise _NoMatch(f"{_node(loop, name)} is not one map of the input plus one of the state")
    gate = Gate(found_x.attrs["weight"], found_x.attrs["bias"], found_h.attrs["weight"], found_h.attrs["bias"])
    return gate, found_x.inputs[0]


def _kernel(kind: str, gates: list[tuple[Gate, str]], hidden: str, cell: str | None = None) -> Kernel:
    sources = {source for _, source in gates}
    if len(sources) != 1:
        raise _NoMatch("its gates read different inputs")
    return Kernel(kind, sources.pop(), tuple(gate for gate, _ in gates), hidden, cell)


def _node(loop: _Loop, name: str) -> str:
    op = loop.ops.get(name)
    return op.node if op is not None else name


def _rnn(loop: _Loop) -> Kernel:
    (state,) = loop.scan.states
    op = loop.ops[state.source]
    return _kernel(f"rnn_{op.kind}", [_gate(loop, op.inputs[0], state.delay)], state.source)


def _lstm(loop: _Loop) -> Kernel:
    a, b = loop.scan.states
    for hidden, cell in ((a, b), (b, a)):
        shown = loop.terms(hidden.source, "multiply")
        squashed = [term for term in shown if loop.inside(term, "tanh") == cell.source]
        if len(shown) == 2 and len(squashed) == 1:
            reveal = loop.inside(next(t for t in shown if t not in squashed), "sigmoid")
            break
    else:
        raise _NoMatch("no state is a gate times the tanh of the other")
    if reveal is None:
        raise _NoMatch("its output gate is not a sigmoid")
    terms = loop.terms(cell.source, "add")
    forget = write = new = None
    for term in terms:
        factors = loop.terms(term, "multiply")
        if len(factors) != 2:
            raise _NoMatch(f"{_node(loop, term)} is not a product of two")
        if cell.delay in factors and forget is None:
            factors.remove(cell.delay)
            forget = loop.inside(factors[0], "sigmoid")
        else:
            write = next((s for f in factors if (s := loop.inside(f, "sigmoid"))), None)
            new = next((s for f in factors if (s := loop.inside(f, "tanh"))), None)
    if len(terms) != 2 or forget is None or write is None or new is None:
        raise _NoMatch("its memory is not forget gate times memory plus input gate times candidate")
    gates = [_gate(loop, name, hidden.delay) for name in (write, forget, new, reveal)]
    return _kernel("lstm", gates, hidden.source, cell.source)


def _gru(loop: _Loop) -> Kernel:
    (state,) = loop.scan.states
    update, candidate = _mix(loop, state.source, state.delay)
    inner = loop.inside(candidate, "tanh")
    before = loop.inside(update, "sigmoid")
    if inner is None or before is None:
        raise _NoMatch("its state is not mixed by a sigmoid gate with a tanh candidate")
    reset = from_h = from_x = None
    for term in loop.terms(inner, "add"):
        if term in loop.before and from_x is None:
            from_x = loop.before[term]
            continue
        factors = loop.terms(term, "multiply")
        recurrent = [op for f in factors if (op := loop.recurrent(f, state.delay)) is not None]
        gates = [s for f in factors if (s := loop.inside(f, "sigmoid")) is not None]
        if len(factors) != 2 or len(recurrent) != 1 or len(gates) != 1 or from_h is not None:
            raise _NoMatch("its reset gate does not act on one map of the state")
        from_h, reset = recurrent[0], gates[0]
    if from_h is None or from_x is None or reset is None:
        raise _NoMatch("its candidate is not a map of the input plus a gated map of the state")
    new = Gate(from_x.attrs["weight"], from_x.attrs["bias"], from_h.attrs["weight"], from_h.attrs["bias"])
    gates_found = [_gate(loop, reset, state.delay), _gate(loop, before, state.delay), (new, from_x.inputs[0])]
    return _kernel("gru", gates_found, state.source)


def _mix(loop: _Loop, name: str, state: str) -> tuple[str, str]:
    """(gate z, candidate n) when `name` is z ⊙ state + (1 − z) ⊙ n, or n + z ⊙ (state − n)."""
    terms = loop.terms(name, "add")
    if len(terms) == 2:
        for old, other in (terms, terms[::-1]):
            factors = loop.terms(old, "multiply")
            others = [f for f in factors if f != state]
            if len(factors) == 2 and len(others) == 1:
                gate = others[0]
                rest = loop.terms(other, "multiply")
                gated = [f for f in rest if loop.rest_of(f) == gate]
                if len(rest) == 2 and len(gated) == 1:
                    return gate, next(f for f in rest if f not in gated)
            for gate, moved in (factors, factors[::-1]) if len(factors) == 2 else ():
                op = loop.ops.get(moved)
                if op is not None and op.kind == "subtract" and op.inputs == (state, other):
                    return gate, other
    raise _NoMatch("its state is not a mix of the old state and a candidate")
