"""Pictures of a drawing: SVG, PNG, PDF and TikZ, of all of it or of some nodes, in the theme the window wears.

The canvas's items paint them, copied without the marks of a hand: no selection, no errors, nothing hovered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMarginsF, QMimeData, QRect, QRectF, QSizeF
from PySide6.QtGui import QImage, QImageWriter, QPageSize, QPainter, QPdfWriter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QStyleOptionGraphicsItem

from ..design.design import MAIN, Design
from ..design.errors import StudioError
from ..design.storage import write_atomically
from ..loading import Loaded
from . import theme, tikz
from .canvas.frame_item import FrameItem
from .canvas.node_item import NodeItem
from .canvas.scene import CanvasScene
from .canvas.wire_item import WireItem
from .session import Session

FORMATS = {".svg": "SVG picture", ".png": "PNG picture", ".pdf": "PDF page", ".tex": "TikZ in a LaTeX file"}
LARGEST = 16_384
"""Pixels of a PNG's longer side: beyond, programs refuse to open it."""
MARGIN = 16.0


@dataclass(frozen=True)
class Picture:
    """Items to paint, in the order they lie, and the rectangle they fill with its margin, in scene units."""

    items: tuple[FrameItem | WireItem | NodeItem, ...]
    area: QRectF

    def paint(self, painter: QPainter, background: bool = True) -> None:
        """Paint so that the area's upper left corner comes to (0, 0), in scene units."""
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        painter.translate(-self.area.topLeft())
        if background:
            painter.fillRect(self.area, theme.current().color("canvas"))
        option = QStyleOptionGraphicsItem()
        for item in self.items:
            painter.save()
            painter.translate(item.pos())
            item.paint(painter, option)
            painter.restore()


def picture(scene: CanvasScene, *, selection: bool = False, margin: float = MARGIN) -> Picture:
    """What a scene shows, or what is selected in it: those nodes and frames, and the wires among the nodes.

    Raises StudioError where there is nothing to show.
    """
    focus = scene.session.focus
    scene.finishing.finish()
    nodes = {k: n for k, n in scene.nodes.items() if not selection or k in focus.nodes}
    items: list[FrameItem | WireItem | NodeItem] = [
        FrameItem(f.frame) for k, f in scene.frames.items() if not selection or k in focus.frames
    ]
    items += [line.plain() for w, line in scene.wires.items() if w.source.node in nodes and w.target.node in nodes]
    items += [node.plain() for node in nodes.values()]
    area = QRectF()
    for item in items:
        area = area.united(item.boundingRect().translated(item.pos()))
    if area.isEmpty():
        if selection:
            raise StudioError("nothing is selected", remedy="select nodes or frames, or take the whole drawing")
        raise StudioError("there is nothing to make a picture of", remedy="add a node first")
    return Picture(tuple(items), area.adjusted(-margin, -margin, margin, margin))


@contextmanager
def scene_of(session: Session, graph: str) -> Iterator[CanvasScene]:
    """A scene of any graph of the design, shown in no window: MAIN or a cell's name. It has no selection."""
    with scene_of_design(session.design, session.plugins, session.base_folder, graph) as scene:
        yield scene


@contextmanager
def scene_of_design(design: Design, plugins: Loaded, base: Path, graph: str = MAIN) -> Iterator[CanvasScene]:
    """The same of a design that is open nowhere. base: the folder that its data is read from."""
    apart = Session(plugins)
    apart.new(design)
    apart.base_folder = base
    apart.focus.show(graph)
    try:
        yield CanvasScene(apart)
    finally:
        apart.deleteLater()


def as_image(made: Picture, scale: float = 2.0) -> QImage:
    """Pixels, `scale` of them for each unit of the scene. Raises StudioError where there would be too many."""
    width, height = (round(side * scale) for side in (made.area.width(), made.area.height()))
    if max(width, height) > LARGEST:
        fits = LARGEST / max(made.area.width(), made.area.height())
        raise StudioError(
            f"a picture of {width} × {height} pixels is too large",
            remedy=f"choose a resolution of {fits:.2f} or less, or SVG or PDF, which have no pixels",
        )
    image = QImage(max(width, 1), max(height, 1), QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(theme.current().color("canvas"))
    image.setDotsPerMeterX(round(96 * scale / 0.0254))
    image.setDotsPerMeterY(round(96 * scale / 0.0254))
    painter = QPainter(image)
    painter.scale(scale, scale)
    made.paint(painter)
    painter.end()
    return image


def as_bytes(made: Picture, suffix: str, scale: float = 2.0, title: str = "") -> bytes:
    """The content of a file. `scale` counts for PNG alone. Raises StudioError for an ending that is none of FORMATS."""
    if suffix == ".tex":
        return tikz.document(made.items, made.area, title).encode()
    if suffix not in FORMATS:
        raise StudioError(
            f"no picture is written to “{suffix or 'a name without an ending'}”",
            remedy=f"end the name in {', '.join(FORMATS)}",
        )
    content = QByteArray()
    device = QBuffer(content)
    device.open(QIODevice.OpenModeFlag.WriteOnly)
    if suffix == ".png":
        writer = QImageWriter(device, QByteArray(b"PNG"))
        if not writer.write(as_image(made, scale)):
            raise StudioError(f"the picture cannot be made: {writer.errorString()}", remedy="choose SVG or PDF")
    elif suffix == ".svg":
        _svg(made, device, title)
    else:
        _pdf(made, device, title)
    device.close()
    return bytes(content.data())


def _svg(made: Picture, device: QBuffer, title: str) -> None:
    size = made.area.size()
    writer = QSvgGenerator()
    writer.setOutputDevice(device)
    writer.setResolution(96)
    writer.setSize(size.toSize())
    writer.setViewBox(QRect(0, 0, round(size.width()), round(size.height())))
    writer.setTitle(title)
    painter = QPainter(writer)
    made.paint(painter)
    painter.end()


def _pdf(made: Picture, device: QBuffer, title: str) -> None:
    """One page as large as the picture; a unit of the scene is 1/96 of an inch."""
    points = 72 / 96
    writer = QPdfWriter(device)
    writer.setTitle(title)
    writer.setCreator("rnnstudio")
    exact = QPageSize.SizeMatchPolicy.ExactMatch
    writer.setPageSize(QPageSize(QSizeF(made.area.size()) * points, QPageSize.Unit.Point, "", exact))
    writer.setPageMargins(QMarginsF())
    writer.setResolution(960)
    painter = QPainter(writer)
    painter.scale(10, 10)
    made.paint(painter)
    painter.end()


def write(made: Picture, path: Path, scale: float = 2.0, title: str = "") -> None:
    """Write a file of the kind its name ends in, whole or not at all. Raises StudioError."""
    write_atomically(path, as_bytes(made, path.suffix.lower(), scale, title))


def on_clipboard(made: Picture) -> QMimeData:
    """For other programs: pixels at twice the canvas's size, and lines as SVG for those that take them."""
    mime = QMimeData()
    mime.setImageData(as_image(made, min(2.0, LARGEST / max(made.area.width(), made.area.height(), 1.0))))
    mime.setData("image/svg+xml", QByteArray(as_bytes(made, ".svg")))
    return mime
