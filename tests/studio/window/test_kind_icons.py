"""One icon for each kind, which says what it does; names with letters below the line; colours that last from afar."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QByteArray
from PySide6.QtSvg import QSvgRenderer

from rnnstudio.catalog.catalog import standard
from rnnstudio.design.design import Design
from rnnstudio.studio import theme
from rnnstudio.studio.kind_glyphs import GLYPHS, glyph
from rnnstudio.studio.offers import offers
from rnnstudio.studio.panels.swatch import offer_icon
from rnnstudio.studio.subscripts import html, runs
from tests.studio.window.hands import Hands


def test_every_kind_has_a_drawing_of_its_own() -> None:
    assert set(standard().kinds) == set(GLYPHS)
    assert len(set(GLYPHS.values())) == len(GLYPHS)


@pytest.mark.parametrize("kind", sorted(GLYPHS))
def test_a_drawing_is_an_svg(qapp, kind: str) -> None:
    assert QSvgRenderer(QByteArray((glyph(kind) or "").encode())).isValid()


@pytest.mark.parametrize("worn", [theme.LIGHT, theme.DARK], ids=lambda t: t.name)
def test_no_two_kinds_look_the_same_in_the_palette(qapp, worn: theme.Theme) -> None:
    kinds = [o for o in offers(standard(), Design(), "a cell") if o.key.startswith("kind:")]
    seen = {}
    for offer in kinds:
        picture = offer_icon(offer, worn).pixmap(20, 20).toImage()
        same = [other for other, image in seen.items() if image == picture]
        assert not same, f"{offer.name} looks like {same}"
        seen[offer.name] = picture
    assert len(seen) == len(standard().kinds)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("W_f x + b", [("W", False), ("f", True), (" x + b", False)]),
        ("hₜ₋₁", [("h", False), ("t−1", True)]),
        ("x_{t-1}", [("x", False), ("t−1", True)]),
        ("h_before", [("h_before", False)]),
        ("a_long_name", [("a_long_name", False)]),
        ("W_hh", [("W", False), ("hh", True)]),
        ("", []),
    ],
)
def test_letters_below_the_line(text: str, found: list[tuple[str, bool]]) -> None:
    assert runs(text) == found


def test_a_rich_label_is_escaped() -> None:
    assert html("W_f <b>") == "W<sub>f</sub> &lt;b&gt;"


@pytest.mark.parametrize("zoom", [0.08, 0.15, 0.25])
def test_from_afar_a_node_wears_its_familys_colour(hands: Hands, zoom: float) -> None:
    view = hands.view
    view.set_zoom(zoom)
    view.centerOn(view.canvas.nodes["embedding"])
    image = view.viewport().grab().toImage()
    ratio = image.devicePixelRatio()
    item = view.canvas.nodes["embedding"]
    edge = item.shape_.rect.bottomLeft()
    at = hands.where(item.mapToScene(edge.x() + 10, edge.y() - 8))
    found = image.pixelColor(round(at.x() * ratio), round(at.y() * ratio))
    family, paper = theme.current().family("Layers"), theme.current().color("node")
    assert abs(found.red() - family.red()) < abs(found.red() - paper.red())
