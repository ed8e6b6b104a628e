"""The one mutable owner of a design: it applies edits, remembers how to undo them, and tells those who watch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .design import Design, Graph, Node, Wire
from .edits import Edit


@dataclass(frozen=True, slots=True)
class Change:
    """What watchers receive: the design before and after, and the edit that led from one to the other."""

    before: Design
    after: Design
    edit: Edit | None


@dataclass(frozen=True, slots=True)
class GraphDifference:
    """What a scene must do to follow a change of one graph."""

    added: tuple[Node, ...]
    removed: tuple[Node, ...]
    changed: tuple[Node, ...]
    wires_added: tuple[Wire, ...]
    wires_removed: tuple[Wire, ...]
    frames_changed: bool
    hidden_changed: tuple[Wire, ...]
    """Wires that are there before and after, and hidden at one of both times."""

    @property
    def empty(self) -> bool:
        nodes, wires = self.added or self.removed or self.changed, self.wires_added or self.wires_removed
        return not (nodes or wires or self.frames_changed or self.hidden_changed)


def difference(before: Graph, after: Graph) -> GraphDifference:
    """Nodes and wires by which two values of a graph differ. Time: linear in the graph's size.

    What two values have in common is mostly the same object: only the rest is compared.
    """
    old, new = {id(w): w for w in before.wires}, {id(w): w for w in after.wires}
    gone = dict.fromkeys(w for i, w in old.items() if i not in new)
    come = dict.fromkeys(w for i, w in new.items() if i not in old)
    added, removed = tuple(w for w in come if w not in gone), tuple(w for w in gone if w not in come)
    return GraphDifference(
        added=tuple(n for k, n in after.nodes.items() if k not in before.nodes),
        removed=tuple(n for k, n in before.nodes.items() if k not in after.nodes),
        changed=tuple(n for k, n in after.nodes.items() if k in before.nodes and before.nodes[k] is not n),
        wires_added=added,
        wires_removed=removed,
        frames_changed=before.frames != after.frames,
        hidden_changed=tuple(before.hidden.symmetric_difference(after.hidden).difference(removed, added)),
    )


@dataclass(slots=True)
class _Step:
    edit: Edit
    inverse: Edit
    merge: str


class Document:
    """A design being edited, with undo and redo without limit.

    Used from one thread (the window's). Watchers are called after each change, in the order they subscribed.
    """

    def __init__(self, design: Design | None = None, path: Path | None = None) -> None:
        self._design = design or Design()
        self.path = path
        self._done: list[_Step] = []
        self._undone: list[_Step] = []
        self._saved: Design = self._design
        self._watchers: list[Callable[[Change], None]] = []

    @property
    def design(self) -> Design:
        return self._design

    @property
    def dirty(self) -> bool:
        """Whether the design differs from what was last saved or opened."""
        return self._design is not self._saved

    @property
    def saved_design(self) -> Design:
        """The design as it was last saved or opened."""
        return self._saved

    @property
    def undo_title(self) -> str:
        """Title of the edit that undo would take back, "" when there is none."""
        return self._done[-1].edit.title if self._done else ""

    @property
    def redo_title(self) -> str:
        return self._undone[-1].edit.title if self._undone else ""

    def subscribe(self, watcher: Callable[[Change], None]) -> Callable[[], None]:
        """Call `watcher` after every change. Returns the function that ends it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def do(self, edit: Edit, *, merge: str = "") -> None:
        """Apply an edit. Edits in a row with the same non-empty `merge` key (one drag, one typed number) undo as one.

        Raises StudioError, with nothing changed, when the edit does not fit.
        """
        before = self._design
        after = edit.apply(before)
        if after is before:
            return
        last = self._done[-1] if self._done else None
        if merge and last is not None and last.merge == merge and not self._undone:
            last.edit = edit
        else:
            self._done.append(_Step(edit, edit.inverse(before), merge))
        self._undone.clear()
        self._become(after, edit)

    def seal(self) -> None:
        """End of a gesture: the next edit starts a step of its own."""
        if self._done:
            self._done[-1].merge = ""

    def undo(self) -> bool:
        """Take back the last step. False when there is none."""
        if not self._done:
            return False
        step = self._done.pop()
        self._undone.append(_Step(step.edit, step.edit.inverse(self._design), ""))
        self._become(step.inverse.apply(self._design), step.inverse)
        return True

    def redo(self) -> bool:
        """Do again what was undone last. False when there is nothing."""
        if not self._undone:
            return False
        step = self._undone.pop()
        self._done.append(_Step(step.edit, step.edit.inverse(self._design), ""))
        self._become(step.inverse.apply(self._design), step.edit)
        return True

    def saved(self, path: Path | None = None) -> None:
        """The design as it is now stands in a file."""
        self._saved = self._design
        if path is not None:
            self.path = path

    def _become(self, design: Design, edit: Edit | None) -> None:
        before, self._design = self._design, design
        change = Change(before, design, edit)
        for watcher in tuple(self._watchers):
            watcher(change)
