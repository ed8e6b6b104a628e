"""Kills in save and in edit, two writers of one design.

A save that is killed leaves the old design or the new one. A window that is killed leaves a copy that has all that was
kept before. Two that change one file at once lose no change of the other.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rnnstudio.design import storage
from rnnstudio.design.errors import StudioError

COUNT = 60

_SAVES = """
import sys
from pathlib import Path
from rnnstudio.design import storage
from rnnstudio.design.design import Design
path, stands = Path(sys.argv[1]), None
for number in range(1_000_000):
    stands = storage.save(Design(f"save {number}", "words " * (number % 7 * 500)), path, stands)
    print(number, flush=True)
"""

_EDITS = """
import sys
from rnnstudio.studio import recovery
recovery.EVERY_MS = 5
from PySide6.QtCore import QTimer
from rnnstudio.design.edits import SetName
from rnnstudio.studio.app import application
from rnnstudio.studio.window import MainWindow
app = application()
window = MainWindow()
window.show()
done = [0]
def edit():
    done[0] += 1
    window.session.do(SetName(f"{sys.argv[1]} {done[0]}"))
window.autosave.kept.connect(lambda: print(window.session.design.name.split()[1], flush=True))
timer = QTimer(interval=1)
timer.timeout.connect(edit)
timer.start()
app.exec()
"""

_WRITER = """
import sys
from pathlib import Path
from rnnstudio.design import storage
from rnnstudio.design.standing import ChangedElsewhere, standing_of
path, who, times = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(times):
    while True:
        text = storage.read_text(path)
        design = storage.loads(text)
        mine = design.replace(variables={**design.variables, f"{who}{number}": number})
        try:
            storage.save(mine, path, standing_of(text.encode()))
            break
        except ChangedElsewhere:
            pass
"""


def trials(count: int, seed: int) -> tuple[int, list[str]]:
    """`count` trials, the kinds in turn. Returns how many were made, and a line for each that failed."""
    kinds: tuple[Callable[[random.Random, Path, int], str], ...] = (killed_save, killed_window, two_writers)
    chance = random.Random(seed)
    failures = []
    for number in range(count):
        with tempfile.TemporaryDirectory(prefix="rnnstudio-windows-") as folder:
            kind = kinds[number % len(kinds)]
            if wrong := kind(chance, Path(folder), number):
                failures.append(f"{kind.__name__.replace('_', ' ')}, trial {number} of seed {seed}: {wrong}")
    return count, failures


def killed_save(chance: random.Random, folder: Path, number: int) -> str:
    """A process that saves without a pause is killed at a random moment after a save that it told of."""
    path = folder / "design.rnn"
    last = _killed([_SAVES, str(path)], chance)
    try:
        found = int(storage.load(path).name.split()[1])
    except StudioError as error:
        return f"after save {last} the file cannot be read: {error}"
    return "" if found in (last, last + 1) else f"after save {last} the file holds save {found}"


def killed_window(chance: random.Random, folder: Path, number: int) -> str:
    """A window in which a person edits without a pause is killed; what it had kept is offered, by its name."""
    from rnnstudio.studio import recovery

    last = _killed([_EDITS, f"trial{number}"], chance)
    mine = [left for left in recovery.left_behind() if left.name.startswith(f"trial{number} ")]
    if len(mine) != 1:
        return f"{len(mine)} copies are offered"
    found = int(mine[0].name.split()[1])
    recovery.refuse(mine[0])
    if any(left.file == mine[0].file for left in recovery.left_behind()):
        return "a refused copy is still there"
    return "" if found >= last else f"edit {last} was kept, and edit {found} is offered"


def two_writers(chance: random.Random, folder: Path, number: int) -> str:
    """Two processes change one design at once; who finds another's change reads it and does its own again."""
    from rnnstudio.design.design import Design

    path, times = folder / "design.rnn", chance.randint(5, 20)
    storage.save(Design(), path)
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(path), who, str(times)]) for who in ("a", "b")]
    codes = [writer.wait() for writer in writers]
    if any(codes):
        return f"a writer ended with {codes}"
    lost = {f"{who}{n}" for who in ("a", "b") for n in range(times)} - set(storage.load(path).variables)
    return f"{len(lost)} of {2 * times} changes were overwritten" if lost else ""


def _killed(code: list[str], chance: random.Random) -> int:
    """Start a process, kill it while it goes on after a number of lines drawn by chance; the last number it told."""
    process = subprocess.Popen([sys.executable, "-c", *code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = -1
    for _ in range(chance.randint(1, 40)):
        line = process.stdout.readline()
        if not line:
            break
        told = int(line)
    for _ in range(chance.randint(0, 20_000)):  # a moment of its own in the next save
        pass
    process.kill()
    rest = process.stdout.read().split()
    process.wait()
    return int(rest[-1]) if rest else told
