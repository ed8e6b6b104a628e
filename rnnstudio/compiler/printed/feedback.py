"""The printed form of what Feedback reads: the network's own output, or at random the true one (scheduled sampling)."""

from __future__ import annotations

from ...catalog.primitives import Op
from ...design.signals import Tokens
from .writer import Form, Writer, one

HELPERS = {
    "forcing": '''\
def forcing(schedule, probability, end, over, step):
    """The probability of teacher forcing after `step` training steps: linear or inverse sigmoid, `over` steps long."""
    if schedule == "linear":
        return probability + (end - probability) * min(step / max(over, 1), 1.0)
    k = max(over / 10.0, 1.0)
    decay = k / (k + math.exp(min(step / k, 700.0)))
    return end + (probability - end) * decay * (1.0 + 1.0 / k)
''',
    "drawn_token": '''\
def drawn_token(scores):
    """[..., tokens] -> [...]: a token drawn from softmax(scores)."""
    share = torch.softmax(scores.double(), -1).cumsum(-1)
    chance = torch.rand(scores.shape[:-1], dtype=torch.float64, device=scores.device)
    return (share <= chance[..., None] * share[..., -1:]).sum(-1).clamp(max=scores.shape[-1] - 1)
''',
    "true_or_own": '''\
def true_or_own(true, own, chance, places):
    """At each place the true value with this chance, else the network's own. chance: teacher forcing's; 1: always."""
    if chance >= 1.0:
        return true
    if chance <= 0.0:
        return own
    take = torch.rand(places, device=true.device) < chance
    return torch.where(take if take.dim() == true.dim() else take[..., None], true, own)
''',
}


def follows_progress(op: Op) -> bool:
    """Whether a choice changes while the network is trained."""
    return op.kind == "choose" and op.attrs["schedule"] != "constant"


def _pick(w: Writer, op: Op, a: list[str]) -> str:
    if not op.attrs["sample"]:
        return f"{a[0]}.argmax(-1)"
    w.helpers.add("drawn_token")
    return f"drawn_token({a[0]})"


def _choose(w: Writer, op: Op, a: list[str]) -> str:
    at, (true, own) = op.attrs, a
    w.helpers.add("true_or_own")
    chance = f"{float(at['probability'])!r}"
    if follows_progress(op):
        w.helpers.add("forcing")
        chance = f'forcing("{at["schedule"]}", {chance}, {float(at["end"])!r}, {at["over"]}, self.progress)'
    places = f"{true}.shape" if isinstance(op.signal.content, Tokens) else f"{true}.shape[:-1]"
    return f"true_or_own({true}, {own}, {chance} if self.training else 1.0, {places})"


PRINTED: dict[str, Form] = {"pick": one(_pick), "choose": one(_choose)}
