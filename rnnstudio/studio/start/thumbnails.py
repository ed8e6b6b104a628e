"""Small pictures of drawings, made one by one while the person rests, and kept on the disk by fingerprint.

A drawing is made (its data read) in a thread; items and pixels are Qt's and are made on the window's thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import platformdirs
from PySide6.QtCore import QBuffer, QIODevice, QObject, QRectF, QSize, QTimer, Signal
from PySide6.QtGui import QImage, QPainter

from ...catalog.catalog import Catalog
from ...compiler.check import check
from ...design.design import MAIN, Design
from ...design.edits import MoveNodes
from ...design.errors import StudioError
from ...design.storage import write_atomically
from ...loading import Loaded
from .. import theme
from ..arrange import tidied
from ..background import Background
from ..pictures import Picture, picture, scene_of_design

REST_MS = 15
"""Between two pictures: a key or a press comes first."""
MARGIN = 20.0
"""Around a drawing, in units of the scene."""
LARGEST = 0.8
"""No drawing is shown larger than so many pixels a unit: a single node would fill its card."""
NARROW, TALL = 0.72, 1.4


@dataclass(frozen=True)
class Drawn:
    """A design, the folder that its data is read from, and whether it is still to be laid out."""

    design: Design
    base: Path
    lay_out: bool = True


@dataclass(frozen=True)
class Subject:
    """What a picture is of. stamp: changes whenever the drawing would; make: draws it, in a thread, without Qt."""

    key: str
    stamp: str
    make: Callable[[Catalog], Drawn]


class Thumbnails(QObject):
    """Signal: ready(key, QImage), at once for what the disk keeps, else later; None where it cannot be drawn."""

    ready = Signal(str, object)

    def __init__(self, plugins: Loaded, size: QSize, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.size = size
        self.plugins = plugins
        self.drawn: dict[str, Drawn] = {}
        """By key: what was drawn, laid out, so that it opens at once."""
        self._ratio = 1.0
        self._todo: list[Subject] = []
        self._now: Subject | None = None
        self._background = Background(self)
        self._background.done.connect(self._made)
        self._background.failed.connect(self._failed)
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self._next)

    @property
    def busy(self) -> bool:
        return self._now is not None or bool(self._todo)

    def ask(self, subjects: list[Subject], ratio: float) -> None:
        """Show these, in this order; what was asked before and is not made yet is forgotten. ratio: pixels a unit."""
        self._ratio = ratio
        self.stop()
        for subject in subjects:
            image = QImage(str(self._file(subject)))
            if image.isNull():
                self._todo.append(subject)
            else:
                image.setDevicePixelRatio(ratio)
                self.ready.emit(subject.key, image)
        self._rest.start()

    def stop(self) -> None:
        self._rest.stop()
        self._todo.clear()
        self._background.forget()
        self._now = None

    def _next(self) -> None:
        if self._now is None and self._todo:
            self._now = subject = self._todo.pop(0)
            catalog = self.plugins.catalog
            self._background.ask(lambda: subject.make(catalog))

    def _made(self, drawn: Drawn) -> None:
        assert self._now is not None
        subject, self._now = self._now, None
        self.drawn[subject.key] = laid = laid_out(drawn, self.plugins.catalog)
        shown = compact(laid) if drawn.lay_out else laid
        image = picture_of(shown, self.plugins, self.size, self._ratio)
        if image is not None:
            _keep(image, self._file(subject))
        self.ready.emit(subject.key, image)
        self._rest.start()

    def _failed(self, _error: StudioError) -> None:
        assert self._now is not None
        subject, self._now = self._now, None
        self.ready.emit(subject.key, None)
        self._rest.start()

    def _file(self, subject: Subject) -> Path:
        told = (subject.key, subject.stamp, code_stamp(), theme.current().name, self.size.width(), self._ratio)
        return folder() / f"{hashlib.sha256(repr(told).encode()).hexdigest()[:32]}.png"


def laid_out(drawn: Drawn, catalog: Catalog) -> Drawn:
    """The same with every node where a tidy layout puts it, as large as nodes are drawn."""
    if not drawn.lay_out:
        return drawn
    design = drawn.design
    places = tidied(design, check(design, catalog), catalog, MAIN, tuple(design.graph.nodes))
    return Drawn(MoveNodes(places, MAIN).apply(design), drawn.base, lay_out=False)


def compact(drawn: Drawn) -> Drawn:
    """The same for a small picture: columns nearer to each other, as no labels are read, and rows further apart."""
    design = drawn.design
    places = {key: (node.x * NARROW, node.y * TALL) for key, node in design.graph.nodes.items()}
    return Drawn(MoveNodes(places, MAIN).apply(design), drawn.base, lay_out=False)


def picture_of(drawn: Drawn, plugins: Loaded, size: QSize, ratio: float) -> QImage | None:
    """The drawing in the middle of a transparent picture of this size. None where there is nothing to be seen."""
    with scene_of_design(drawn.design, plugins, drawn.base) as scene:
        try:
            made = picture(scene, margin=MARGIN)
        except StudioError:
            return None
        return _fitted(made, size, ratio)


def _fitted(made: Picture, size: QSize, ratio: float) -> QImage:
    image = QImage(size * ratio, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(0)
    scale = min(size.width() / made.area.width(), size.height() / made.area.height(), LARGEST)
    painter = QPainter(image)
    painter.scale(ratio, ratio)
    painter.translate((size.width() - made.area.width() * scale) / 2, (size.height() - made.area.height() * scale) / 2)
    painter.scale(scale, scale)
    painter.setClipRect(QRectF(0, 0, made.area.width(), made.area.height()))
    made.paint(painter, background=False)
    painter.end()
    image.setDevicePixelRatio(ratio)
    return image


def folder() -> Path:
    """Where pictures are kept: they can be deleted at any time."""
    made = Path(platformdirs.user_cache_dir("rnnstudio", appauthor=False)) / "pictures"
    made.mkdir(parents=True, exist_ok=True)
    return made


@cache
def code_stamp() -> int:
    """Changes with the studio: how it draws is part of a picture's fingerprint."""
    here = Path(__file__).parents[2]
    return max(path.stat().st_mtime_ns for path in here.rglob("*.py"))


def _keep(image: QImage, file: Path) -> None:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    try:
        write_atomically(file, bytes(buffer.data().data()))
    except StudioError:
        return  # a full disk: the picture is made again next time
