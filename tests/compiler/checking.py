"""What the tests of checking share: a small drawing, and the one problem that is expected of it."""

from __future__ import annotations

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import Diagnostic, check
from rnnstudio.design.design import Design
from tests.conformance.drawings import features, regression

CATALOG = standard()


def found(drawn: Design, code: str) -> Diagnostic:
    """The one diagnostic with this code; fails when there is none or several."""
    all_found = check(drawn, CATALOG).diagnostics
    (one,) = [d for d in all_found if d.code == code]
    assert one.message
    assert one.text().startswith(f"{one.severity} {code}")
    return one


def errors(drawn: Design) -> list[str]:
    return [d.text() for d in check(drawn, CATALOG).errors]


def linear_model() -> Sketch:
    s = Sketch()
    features(s)
    s.add("layer", "Linear", at=(1, 0), params={"units": 4}, input="inputs")
    regression(s, "layer")
    return s
