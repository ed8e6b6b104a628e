"""Attention at one step of a loop, recognised among plain operations: scores, softmax over places, weighted sum.

Torch-free. Additive with one head, vᵀ tanh(q + k_j) (Bahdanau et al. 2015), or by products with any number of heads,
c · qᵀ k_j (Luong et al. 2015, Vaswani et al. 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

from ...catalog.primitives import Op
from .canonical import Declined
from .plain_form import Plain, PlainStage


@dataclass(frozen=True, slots=True)
class Glance:
    """One attention. keys, values: values from outside, [places, batch, width]. query: number of the node it copies.

    score: path of v, [1, units] (additive), or None: products, times `scale`; bias: of v, which makes no difference.
    weights: name of the softmax. Every head has its share of the `units` and of the `width`.
    """

    axis: str
    query: int
    keys: str
    values: str
    units: int
    width: int
    heads: int
    score: str | None
    bias: str | None
    scale: float
    weights: str
    out: str


def glance(stage: PlainStage, plain: Plain) -> Glance:
    """A plain stage as an attention. Raises Declined with what keeps it from being one."""
    ops = {op.name: op for op in stage.ops}
    left = set(ops)

    def take(name: str, *kinds: str) -> Op:
        op = ops.get(name)
        if op is None or op.kind not in kinds or name not in left:
            raise Declined(f"{stage.ops[0].node} is run by torch at every step: it is not one attention")
        left.remove(name)
        return op

    def sides(op: Op) -> tuple[str, str]:
        """Of a sum or product of two: the one made in the step, and the one made outside."""
        given = [name for name in op.inputs if name in plain.outside]
        if len(given) != 1:
            raise Declined(f"{op.node} is run by torch at every step: it is not one attention")
        return next(name for name in op.inputs if name != given[0]), given[0]

    out = take(stage.ops[-1].name, "contract", "pool")
    if out.kind == "contract":
        chosen, values = out.inputs
    elif out.attrs["how"] == "sum":
        chosen, values = sides(take(out.inputs[0], "multiply"))
    else:
        raise Declined(f"{out.node} ({out.attrs['how']}) is run by torch at every step")
    if chosen in ops and ops[chosen].kind == "blank":  # of weights that are 0 there already
        blank = take(chosen, "blank")
        if blank.attrs["fill"] != 0.0:
            raise Declined(f"{blank.node} fills in another number than 0")
        chosen = blank.inputs[0]
    soft = take(chosen, "softmax_axis")
    scores, scale = take(soft.inputs[0], "affine", "match", "linear", "fold"), 1.0
    if scores.kind == "affine":
        scale = scores.attrs["scale"]  # what is added to all scores makes no difference
        scores = take(scores.inputs[0], "match", "fold")
    path, bias = None, None
    if scores.kind == "match":
        query, keys = scores.inputs
    else:
        if scores.kind == "linear":
            path, bias = scores.attrs["weight"], scores.attrs["bias"]
            query, keys = sides(take(take(scores.inputs[0], "tanh").inputs[0], "add"))
        else:
            product = take(scores.inputs[0], "multiply")
            query, keys = sides(product)
            scale *= 1.0 if scores.attrs["how"] == "sum" else 1.0 / product.signal.width
        query = take(query, "align").inputs[0] if query in ops else query
    if path is not None and not isinstance(path, str):
        raise Declined(f"{scores.node} has more than one matrix")
    given = dict(stage.inputs)
    (axis,) = soft.attrs["axes"]
    if left or len(given) != 1 or query not in given or len(given[query]) != 1:
        raise Declined(f"{out.node} is run by torch at every step: it is not one attention")
    heads = soft.signal.width
    if out.attrs.get("heads", 1) != heads or (path is not None and heads != 1):
        raise Declined(f"{out.node} is run by torch at every step: it is additive with several heads")
    if not {keys, values} <= set(plain.outside) or [name for name, _ in stage.outputs] not in ([out.name], []):
        raise Declined(f"{out.node} reads what is made in the loop")
    if any(name in ops and name != soft.name for name in plain.yields):
        raise Declined(f"more of {out.node} is read outside than where it looked")
    (node,) = given[query]
    return Glance(
        axis, node.number, keys, values, node.width, out.signal.width, heads, path, bias, scale, soft.name, out.name
    )
