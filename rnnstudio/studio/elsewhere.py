"""The open design's file was changed by somebody else: reload, compare, keep mine, or save under another name.

Nothing is overwritten or let go but by its name. What comes to nothing is asked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt

from ..design import storage
from ..design.errors import StudioError
from .dialogs.compare import CompareDialog
from .session import Elsewhere

if TYPE_CHECKING:
    from .window import MainWindow


class ElsewhereOffer(QObject):
    """Of one window. dialog: the comparison that is open, or was open last."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.dialog: CompareDialog | None = None

    def offer(self, what: Elsewhere) -> None:
        choices = [("Keep mine", self.keep_mine), ("Save as…", self.save_as)]
        if what.found.there:
            choices = [("Reload", self.reload), ("Compare", self.compare), *choices]
        happened = "was changed by another program or window" if what.found.there else "is no longer there"
        effect = "“Keep mine” saves over it." if what.found.there else "“Keep mine” saves it there again."
        self.window.elsewhere_strip.offer(f"“{what.path.name}” {happened}", f"{what.told} {effect}", *choices)

    def compare(self) -> None:
        """Show both; closed without a choice, the question comes again."""
        session = self.window.session
        path = session.path
        try:
            theirs = storage.load(path) if path is not None else None
        except StudioError as error:
            session.failed.emit(error)
            theirs = None
        if path is None or theirs is None:
            session.tell_again()
            return
        self.dialog = dialog = CompareDialog(session, theirs, path, self.window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.reloadWanted.connect(self.reload)
        dialog.keepWanted.connect(self.keep_mine)
        dialog.rejected.connect(session.tell_again)
        dialog.open()

    def reload(self) -> None:
        path = self.window.session.path
        if path is not None and self.window.may_drop():
            self.window.session.open(path)
        else:
            self.window.session.tell_again()

    def keep_mine(self) -> None:
        session = self.window.session
        if session.path is not None and not session.save_as(session.path, over=True):
            session.tell_again()

    def save_as(self) -> None:
        if not self.window.save_as():
            self.window.session.tell_again()
