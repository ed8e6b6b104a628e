"""Names that are typed where they stand: of nodes, and titles of frames."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF
from PySide6.QtWidgets import QWidget

from ..session import Session
from .dropping import Dropping
from .frame_item import TITLE_HEIGHT
from .rename import RenameField
from .shape import HEADER


class Naming(Dropping):
    """`renaming` is the field that is open, one at a time."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.renaming: RenameField | None = None

    def rename_selected(self) -> None:
        nodes, frames = self.session.focus.nodes, self.session.focus.frames
        if len(nodes) == 1:
            self.rename(nodes[0])
        elif len(frames) == 1 and not nodes:
            self.rename_frame(frames[0])
        else:
            self.session.message.emit("Select one node to rename it")

    def rename(self, key: str) -> RenameField | None:
        """Type a node's name where it stands; a library cell does not let it begin."""
        if self.session.refuses():
            return None
        self.reveal()
        item, node = self.canvas.nodes[key], self.canvas.graph.nodes[key]
        rect = item.shape_.rect.translated(item.pos())
        line = QRectF(rect.left(), rect.bottom() if item.shape_.compact else rect.top(), rect.width(), HEADER)
        return self._name_field(node.title or node.id, line, lambda text: self.commands.rename(key, text))

    def rename_frame(self, key: str) -> RenameField | None:
        """Type a frame's title where it stands; a library cell does not let it begin."""
        if self.session.refuses():
            return None
        frame = self.canvas.frames[key].frame
        width = min(frame.width, 200.0)
        line = QRectF(frame.x, frame.y, width, TITLE_HEIGHT)
        return self._name_field(frame.title, line, lambda text: self.commands.arrange.rename_frame(key, text))

    def _name_field(self, text: str, over: QRectF, take: Callable[[str], object]) -> RenameField:
        """One at a time; the one before takes its name as if one had clicked elsewhere."""
        if self.renaming is not None:
            self.renaming.take()
        self.renaming = RenameField(self, text, over, take)
        return self.renaming
