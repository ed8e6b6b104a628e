"""What the next training begins with: the weights of a run, as far as they fit the drawing, or none.

Nothing is kept silently: what fits is settled in a thread after each edit, from the drawing and the header of the
run's checkpoint, and told before Train is pressed. Lives in the window's thread; no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from rnnstudio.catalog.catalog import Catalog
from rnnstudio.data import resolve
from rnnstudio.design.design import Design, Graph
from rnnstudio.design.errors import StudioError
from rnnstudio.design.history import Change
from rnnstudio.training.runs import Run
from rnnstudio.training.warm_start import Transfer, WarmStart, transfer

from .background import Background
from .session import Session

SETTLE_AFTER_MS = 200
"""After the last of a burst of edits."""


class Beginning(QObject):
    """Owner of the choice between a run's weights and a fresh start.

    start: the run in question and how its weights are taken; None: there is none. chosen: what a person chose, None:
    nobody did, and `by_default` holds. found: what is kept, new and dropped; None: not known (yet), and `why_not` says
    why, where something is wrong. A choice holds until the next run begins or another design is opened.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.start: WarmStart | None = None
        self.chosen: bool | None = None
        self.found: Transfer | None = None
        self.why_not = ""
        self._of: Design | None = None
        """The design of the run, as it was trained."""
        self._base = Path()
        self._settled: tuple[Design, WarmStart] | None = None
        self._timer = QTimer(self, singleShot=True, interval=SETTLE_AFTER_MS)
        self._timer.timeout.connect(self._ask)
        self._background = Background(self)
        self._background.done.connect(self._take)
        session.opened.connect(lambda: self.offer(None))
        session.designChanged.connect(self._follow)

    @property
    def by_default(self) -> bool:
        """An edited drawing keeps what fits; the same one, or one that is to learn from other data, starts afresh."""
        if self._of is None:
            return False
        design = self.session.design
        same = _source(self._of, self._base) == _source(design, self.session.base_folder)
        return same and not same_network(self._of, design)

    @property
    def keeps(self) -> bool:
        """Whether the next training begins with the run's weights, if any fit."""
        wanted = self.by_default if self.chosen is None else self.chosen
        return self.start is not None and wanted and (self.found is None or self.found.fits)

    def offer(self, folder: Path | None, *, chosen: bool | None = None) -> None:
        """From now on this run's weights are in question; None: no run's. chosen: a person asked for them already."""
        self.start, self._of, self.chosen = None, None, chosen
        self.found, self.why_not, self._settled = None, "", None
        self._background.forget()
        self._timer.stop()
        if folder is not None:
            try:
                run = Run.open(folder)
                run.checkpoint()
                self._of, self._base = run.design(), run.base_folder
                self.start = WarmStart(str(folder))
            except StudioError as error:  # it ended before anything was saved, or was deleted
                self.why_not = error.what
        if self.start is not None:
            self._ask()
        self.changed.emit()

    def choose(self, keep: bool) -> None:
        """Begin with the run's weights, or afresh."""
        self.chosen = keep
        self.changed.emit()

    def take_as(self, **how: object) -> None:
        """Other words, scaling or widened layers: see WarmStart."""
        if self.start is not None:
            self.start = replace(self.start, **how)  # type: ignore[arg-type]
            self._ask()

    def settle(self) -> WarmStart | None:
        """What the training that is about to begin takes; None: it starts afresh. What is not known yet is found now.

        Raises StudioError where weights are to be kept and cannot be: nothing begins otherwise than it was told.
        """
        if not self.keeps or self.start is None:
            return None
        design, start = self.session.design, self.start
        if self._settled != (design, start) or self.found is None:
            self._timer.stop()
            self._background.forget()
            self._take((design, start, self._work()()))
        return start if self.keeps else None

    def _follow(self, change: Change) -> None:
        if self.start is None or change.edit is None:
            return
        if not same_network(change.before, change.after) or change.before.data != change.after.data:
            self._timer.start()
            self.changed.emit()

    def _ask(self) -> None:
        assert self.start is not None
        design, start, work = self.session.design, self.start, self._work()

        def found() -> tuple[Design, WarmStart, Transfer | StudioError]:
            try:
                return design, start, work()
            except StudioError as error:
                return design, start, error

        self._background.ask(found)

    def _work(self) -> Callable[[], Transfer]:
        assert self.start is not None
        design, start, catalog, errors = self.session.design, self.start, self.session.catalog, self.session.errors
        wrong = errors[0].message if errors else ""
        return lambda: _transfer(start, design, catalog, wrong)

    def _take(self, answer: tuple[Design, WarmStart, Transfer | StudioError]) -> None:
        design, start, found = answer
        self._settled = (design, start)
        self.found = found if isinstance(found, Transfer) else None
        self.why_not = found.what if isinstance(found, StudioError) else ""
        self.changed.emit()


def _transfer(start: WarmStart, design: Design, catalog: Catalog, wrong: str) -> Transfer:
    """Runs in a thread. Raises StudioError where it cannot be told."""
    if wrong:
        raise StudioError(f"The drawing cannot be trained yet: {wrong}")
    inherited, recipe = start.inherited(), design.data
    if inherited is None or recipe is None:
        return transfer(start, design, catalog)
    occurring = {spec.name: frozenset(spec.vocabulary) for spec in recipe.fields if spec.vocabulary}
    return transfer(start, design.replace(data=inherited.adopt(recipe)), catalog, occurring)


def _source(design: Design, base: Path) -> tuple[object, ...]:
    """What a design learns from: the file or the task, and its reader."""
    recipe = design.data
    return () if recipe is None else (recipe.reader, resolve(recipe.path, base.resolve()))


def same_network(one: Design, other: Design) -> bool:
    """Whether two designs say the same to the compiler, wherever their nodes are drawn and whatever they are called."""

    def graph(found: Graph) -> tuple[object, ...]:
        nodes = {key: (node.kind, node.params, node.shared) for key, node in found.nodes.items()}
        return nodes, set(found.wires)

    def whole(design: Design) -> tuple[object, ...]:
        cells = {name: (graph(cell.graph), cell.params) for name, cell in design.cells.items()}
        split = design.data.split if design.data is not None else None
        return graph(design.graph), cells, design.variables, design.axes, split

    return whole(one) == whole(other)
