"""The printed form of what Feedback reads: the network's own token, or now and then the true one."""

from __future__ import annotations

from ...catalog.primitives import Op
from .writer import Form, Writer, one


def _pick(w: Writer, op: Op, a: list[str]) -> str:
    if not op.attrs["sample"]:
        return f"{a[0]}.argmax(-1)"
    flat = f"torch.softmax({a[0]}.flatten(0, -2), -1)"
    return f"torch.multinomial({flat}, 1).reshape({a[0]}.shape[:-1])"


def _choose(w: Writer, op: Op, a: list[str]) -> str:
    return a[0] + "  # always the true one: teacher forcing with a schedule belongs to training in the studio"


PRINTED: dict[str, Form] = {"pick": one(_pick), "choose": one(_choose)}
