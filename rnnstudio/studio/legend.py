"""What the colours and marks of wires and nodes mean, for the help."""

from __future__ import annotations

from . import theme

WIRES = (
    ("real", "features: numbers, as many as the wire says"),
    ("tokens", "tokens: words, letters, classes"),
    ("state", "the state of a loop, from step to step"),
    ("loss", "a loss"),
    ("any", "not known yet"),
)
MARKS = (
    ("dashed and hatched", "a muted node: what comes in goes out along the line through it"),
    ("two named ends", "a hidden wire: click on one to go to the other"),
    ("a title alone", "a collapsed node"),
)


def legend() -> str:
    """A table in the colours of the theme worn now."""
    t = theme.current()
    rows = [
        f"<tr><td style='color: {t.color(role).name()}'><b>━━━</b></td><td>{what}</td></tr>" for role, what in WIRES
    ]
    rows += [f"<tr><td><b>{mark}</b></td><td>{what}</td></tr>" for mark, what in MARKS]
    return f"<h4>Wires and marks</h4><table cellpadding='3'>{''.join(rows)}</table>"
