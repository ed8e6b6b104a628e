"""Labels and wires keep off each other and off the nodes, in every drawing that the studio brings along."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rnnstudio.catalog.catalog import standard
from rnnstudio.design.design import MAIN, Design
from rnnstudio.studio.arrange import tidied
from rnnstudio.studio.canvas.scene import CanvasScene
from rnnstudio.studio.pictures import as_bytes, picture, scene_of
from rnnstudio.studio.session import Session
from tests.studio.drawings import all_drawings
from tests.studio.layout_laws import (
    labels_on_labels,
    labels_on_nodes,
    labels_on_titles,
    labels_on_wires,
    wires_behind_nodes,
)

ALL = {title: (design, graph) for title, design, graph in all_drawings()}
LAWS = (wires_behind_nodes, labels_on_labels, labels_on_nodes, labels_on_titles, labels_on_wires)


@contextmanager
def shown(design: Design, graph: str) -> Iterator[CanvasScene]:
    session = Session()
    session.new(design)
    with scene_of(session, graph) as scene:
        scene.finishing.finish()
        yield scene
    session.close()
    session.deleteLater()


def tidy(design: Design, graph: str) -> Design:
    """Every node where Tidy puts it."""
    session = Session()
    session.new(design)
    drawn = design.graph_of(graph)
    places = tidied(design, session.checked, standard(), graph, tuple(drawn.nodes))
    nodes = {key: node.replace(x=places[key][0], y=places[key][1]) for key, node in drawn.nodes.items()}
    session.close()
    session.deleteLater()
    return design.with_graph(graph, drawn.replace(nodes=nodes))


@pytest.mark.parametrize("title", ALL)
def test_nothing_lies_on_anything(title: str, qapp) -> None:
    with shown(*ALL[title]) as scene:
        for law in LAWS:
            assert law(scene) == [], law.__name__
        sources = {wire.source for wire, item in scene.wires.items() if item.text}
        written = {wire.source for wire, item in scene.wires.items() if item.written}
        assert len(written) >= 0.6 * len(sources), "most sources have room for a label"


@pytest.mark.parametrize("title", ALL)
def test_nothing_lies_on_anything_when_all_is_tidied(title: str, qapp) -> None:
    design, graph = ALL[title]
    with shown(tidy(design, graph), graph) as scene:
        for law in LAWS:
            assert law(scene) == [], law.__name__


@pytest.mark.parametrize("seed", range(5))
def test_labels_keep_off_wherever_nodes_are_dragged(seed: int, qapp) -> None:
    design, graph = ALL["cell LSTM"]
    drawn, chance = design.graph_of(graph), random.Random(seed)
    nodes = {
        key: node.replace(x=node.x + chance.uniform(-90, 90), y=node.y + chance.uniform(-90, 90))
        for key, node in drawn.nodes.items()
    }
    with shown(design.with_graph(graph, drawn.replace(nodes=nodes)), graph) as scene:
        for law in (labels_on_labels, labels_on_nodes, labels_on_wires):
            assert law(scene) == [], law.__name__


def test_the_laws_find_what_breaks_them(qapp) -> None:
    design, graph = ALL["cell LSTM"]
    with shown(design, graph) as scene:
        wire, item = next((w, i) for w, i in scene.wires.items() if i.written)
        other = next(i for w, i in scene.wires.items() if i.written and w != wire)
        item.write(item.written, other.label_box(other.written))
        assert (str(wire), str(other.wire)) in labels_on_labels(scene)
        node = next(n for k, n in scene.nodes.items() if k not in (wire.source.node, wire.target.node))
        node.setPos(item.path.pointAtPercent(0.5))
        assert (str(wire), node.key) in wires_behind_nodes(scene)
        item.write(item.written, node.body())
        assert (str(wire), node.key) in labels_on_nodes(scene)
        assert (str(wire), str(wire)) in labels_on_wires(scene)


def test_a_picture_has_its_labels(qapp) -> None:
    session = Session()
    session.new(ALL["example char-lm"][0])
    with scene_of(session, MAIN) as scene:
        assert b"time " in as_bytes(picture(scene), ".svg")
    session.close()
    session.deleteLater()
