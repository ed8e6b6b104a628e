"""What holds of every drawing as it is shown: each returns what breaks it, for a test to be empty.

Measured on the scene's own items by plain geometry, not by what places wires and labels.
"""

from __future__ import annotations

from itertools import combinations, pairwise

from PySide6.QtCore import QLineF, QRectF

from rnnstudio.studio.canvas.scene import CanvasScene
from rnnstudio.studio.canvas.wire_item import WireItem

Found = list[tuple[str, str]]


def wires_behind_nodes(scene: CanvasScene) -> Found:
    """Wires that run behind a node that is not theirs."""
    return [
        (str(wire), key)
        for wire, item in scene.wires.items()
        for key, node in scene.nodes.items()
        if key not in (wire.source.node, wire.target.node)
        and runs_through(item, node.shape_.rect.translated(node.pos()))
    ]


def labels_on_labels(scene: CanvasScene) -> Found:
    return [(str(a.wire), str(b.wire)) for a, b in combinations(_labelled(scene), 2) if _box(a).intersects(_box(b))]


def labels_on_nodes(scene: CanvasScene) -> Found:
    return [
        (str(item.wire), key)
        for item in _labelled(scene)
        for key, node in scene.nodes.items()
        if _box(item).intersects(node.body())
    ]


def labels_on_titles(scene: CanvasScene) -> Found:
    """Labels that lie on the title of a frame."""
    return [
        (str(item.wire), key)
        for item in _labelled(scene)
        for key, frame in scene.frames.items()
        if _box(item).intersects(frame.title_box())
    ]


def labels_on_wires(scene: CanvasScene) -> Found:
    """Labels that lie on a wire, their own too: it would be cut in two."""
    return [
        (str(item.wire), str(wire))
        for item in _labelled(scene)
        for wire, other in scene.wires.items()
        if not other.hidden and runs_through(other, _box(item))
    ]


def runs_through(item: WireItem, rect: QRectF) -> bool:
    """Whether a wire has a point in a rectangle: an end of a straight piece in it, or a piece that crosses a side."""
    rect = rect.adjusted(0.5, 0.5, -0.5, -0.5)
    points = [point for polygon in item.path.toSubpathPolygons() for point in polygon.toList()]
    if any(rect.contains(point) for point in points):
        return True
    corners = [rect.topLeft(), rect.topRight(), rect.bottomRight(), rect.bottomLeft()]
    sides = [QLineF(a, b) for a, b in zip(corners, corners[1:] + corners[:1], strict=True)]
    kind = QLineF.IntersectionType.BoundedIntersection
    return any(QLineF(a, b).intersects(side)[0] == kind for a, b in pairwise(points) for side in sides)


def _labelled(scene: CanvasScene) -> list[WireItem]:
    return [item for item in scene.wires.values() if item.label(1.0)]


def _box(item: WireItem) -> QRectF:
    return item.label_box(item.label(1.0))
