"""Looks into a run for the window: asks a process of its own, and drops answers that come late.

No torch here: the process writes its numbers into a file, and the window reads that file.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, QProcess, Signal

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Seen:
    """One example from inside; see rnnstudio.runtime.looking.Look. values, total, direct: by the path of a node."""

    values: Mapping[str, Floats]
    total: Mapping[str, Floats]
    direct: Mapping[str, Floats]
    losses: Mapping[str, Floats]
    predictions: Mapping[str, Floats]
    axes: Mapping[str, tuple[str, ...]]
    gates: frozenset[str]
    loss: float
    tokens: Mapping[str, tuple[str, ...]]
    predicted: Mapping[str, tuple[str, ...]]
    parents: Mapping[str, tuple[int, ...]]
    examples: int
    weights: Mapping[str, Floats] = field(default_factory=dict)
    """Of each attention: [queries, keys]."""
    free: float = float("nan")
    """The loss with nothing held or cut; NaN where nothing is."""
    losses_free: Mapping[str, Floats] = field(default_factory=dict)
    predicted_free: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Looks(QObject):
    """Owner of the process, which starts at the first question. Signals: seen(Seen); failed(str)."""

    seen = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._number = 0
        self._rest = b""
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._waiting: dict[str, Any] | None = None
        self._asked = False

    @property
    def waiting(self) -> bool:
        return self._asked

    def ask(self, run: Path, **how: Any) -> None:
        """Look at an example: example, part, text, which, gradients, of, holds, cuts. Of several questions the last is
        answered."""
        self._number += 1
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="rnnstudio-look-")
        out = Path(self._folder.name) / f"{self._number % 4}.bin"
        request = {"number": self._number, "run": str(run), "out": str(out), **how}
        if self._asked:
            self._waiting = request  # the process answers one after the other
        else:
            self._send(request)

    def _send(self, request: dict[str, Any]) -> None:
        self._asked, self._waiting = True, None
        if self._process is None:
            self._process = QProcess(self)
            self._process.setProcessChannelMode(QProcess.ProcessChannelMode.ForwardedErrorChannel)
            self._process.readyReadStandardOutput.connect(self._read)
            self._process.finished.connect(self._ended)
            self._process.start(sys.executable, ["-m", "rnnstudio.training.looker"])
        self._process.write((json.dumps(request) + "\n").encode())

    def _read(self) -> None:
        assert self._process is not None
        self._rest += bytes(self._process.readAllStandardOutput().data())
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            self._asked = False
            answer = json.loads(line)
            if self._waiting is not None:
                self._send(self._waiting)
            elif answer["number"] == self._number:
                if "error" in answer:
                    self.failed.emit(answer["error"])
                else:
                    self.seen.emit(_read_from(answer))

    def _ended(self, code: int) -> None:
        """It ended by itself: the next question starts another one."""
        if self._process is not None:
            self._process.deleteLater()
        self._process, self._rest, self._waiting = None, b"", None
        if self._asked:
            self._asked = False
            self.failed.emit(f"The process that looks into runs ended (exit code {code}).")

    def close(self) -> None:
        """End the process. Safe to call twice."""
        process, self._process = self._process, None
        self._asked, self._waiting = False, None
        if process is not None:
            process.finished.disconnect(self._ended)
            process.closeWriteChannel()
            if not process.waitForFinished(1500):
                process.kill()
                process.waitForFinished(1500)
            process.deleteLater()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _read_from(answer: dict[str, Any]) -> Seen:
    numbers = np.fromfile(answer["file"], dtype=np.float32)
    kinds = ("value", "total", "direct", "loss", "prediction", "weights", "free")
    tables: dict[str, dict[str, Floats]] = {kind: {} for kind in kinds}
    for name, (offset, shape) in answer["arrays"].items():
        kind, _, path = name.partition("/")
        count = int(np.prod(shape)) if shape else 1
        tables[kind][path] = numbers[offset : offset + count].reshape(shape)
    loss = answer["loss"]
    return Seen(
        tables["value"],
        tables["total"],
        tables["direct"],
        tables["loss"],
        tables["prediction"],
        {path: tuple(axes) for path, axes in answer["axes"].items()},
        frozenset(answer["gates"]),
        float("nan") if loss is None else float(loss),
        {name: tuple(words) for name, words in answer["tokens"].items()},
        {node: tuple(words) for node, words in answer["predicted"].items()},
        {axis: tuple(own) for axis, own in answer["parents"].items()},
        int(answer["examples"]),
        tables["weights"],
        float("nan") if answer["free"] is None else float(answer["free"]),
        tables["free"],
        {node: tuple(words) for node, words in answer["predicted_free"].items()},
    )
