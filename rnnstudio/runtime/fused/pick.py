"""A token that a step chooses for the next one, recognised among plain operations: the most likely, or the true one.

Torch-free. What the next step reads are rows of tables; the token itself passes no gradient on.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...catalog.primitives import Op
from .canonical import Declined
from .plain_form import Plain, PlainStage, fused


@dataclass(frozen=True, slots=True)
class Pick:
    """scores: number of the node it copies, `count` wide. own: name of the most likely token; token: of the chosen one.

    choice: the operation that takes the true token `target` now and then, or None. tables: (result, path, width).
    """

    scores: int
    count: int
    own: str
    token: str
    choice: Op | None
    target: str
    tables: tuple[tuple[str, str, int], ...]


def pick(stage: PlainStage, plain: Plain) -> Pick:
    """A plain stage as the choice of a token. Raises Declined where it is another."""
    ops = list(stage.ops)
    first = ops.pop(0)
    given = dict(stage.inputs)
    if first.kind != "pick" or first.attrs["sample"] or len(given) != 1 or len(given[first.inputs[0]]) != 1:
        other = next((op for op in stage.ops if not fused(op, training=True)), first)
        raise Declined(f"{other.node} ({other.kind}) is run by torch at every step")
    choice = ops.pop(0) if ops and ops[0].kind == "choose" else None
    token, target = first.name, ""
    if choice is not None:
        true, own = choice.inputs
        if own != first.name or true not in plain.outside:
            raise Declined(f"{choice.node} chooses between other tokens than the true and the most likely one")
        token, target = choice.name, true
    for op in ops:
        if op.kind != "embed" or op.inputs != (token,):
            raise Declined(f"{op.node} is a {op.kind} of a chosen token")
    if first.signal.axes or (first.name in plain.yields and choice is not None):
        raise Declined(f"{first.node} is read outside of the loop")
    (node,) = given[first.inputs[0]]
    tables = tuple((op.name, str(op.attrs["weight"]), op.signal.width) for op in ops)
    return Pick(node.number, node.width, first.name, token, choice, target, tables)
