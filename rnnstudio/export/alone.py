"""The exported file in a process of its own, as its user will have it: with torch and safetensors, and nothing of ours.

Questions and answers are lists, dicts, numbers, texts and tensors, as torch saves them, each after its length.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import torch

from ..design.errors import StudioError

NOT_THERE = ("rnnstudio", "numpy", "PySide6", "pyqtgraph", "llvmlite", "pydantic", "platformdirs", "rich")
"""What the studio needs and an exported file must not."""

_SCRIPT = """
import io, os, struct, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {not_there!r}:
            raise ModuleNotFoundError(f"an exported file must not need {{name}}", name=name)

sys.meta_path.insert(0, Missing())
sys.path += {path!r}
answers = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # what the file prints is no answer
import warnings
warnings.simplefilter("ignore")
import importlib.util
import torch

torch.set_num_threads({threads})
spec = importlib.util.spec_from_file_location("exported", {code!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
model, data = module.load()

def answer(question):
    name, arguments, named, seed = question
    if name == "load":
        return {{"weights": dict(model.state_dict()), "data": data}}
    function = getattr(model, name, None) if name in ("forward", "loss") else getattr(module, name)
    known = {{"<model>": model, "<data>": data}}
    arguments = [known.get(a, a) if isinstance(a, str) else a for a in arguments]
    if seed is not None:
        torch.manual_seed(seed)
    with torch.no_grad():
        found = function(*arguments, **named)
    return list(found) if isinstance(found, tuple) else found

while True:
    head = sys.stdin.buffer.read(8)
    if len(head) < 8:
        break
    question = torch.load(io.BytesIO(sys.stdin.buffer.read(*struct.unpack("<Q", head))), weights_only=True)
    try:
        said = {{"found": answer(question)}}
    except Exception as error:
        said = {{"error": type(error).__name__, "what": str(error)}}
    buffer = io.BytesIO()
    torch.save(said, buffer)
    answers.write(struct.pack("<Q", buffer.tell()) + buffer.getvalue())
    answers.flush()
"""


class Refused(Exception):  # noqa: N818 - it is an answer: the function raised
    """A function of the file raised. kind: the exception's class."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(f"{kind}: {what}")
        self.kind = kind
        self.what = what


MODEL, DATA = "<model>", "<data>"
"""Stand for what `load` gave, among the arguments of a call."""


class Alone:
    """A running process that has loaded the file. Used as a context; one call at a time."""

    def __init__(self, code: Path) -> None:
        paths = [path for path in sys.path if path and Path(path).is_dir()]
        script = _SCRIPT.format(not_there=NOT_THERE, path=paths, code=str(code), threads=torch.get_num_threads())
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
        )

    def call(self, function: str, arguments: Sequence[Any] = (), seed: int | None = None, **named: Any) -> Any:
        """What a function of the file gives; tuples come as lists. Raises Refused when it raises, StudioError when the
        process cannot go on (the file does not load, or needs more than torch and safetensors)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        buffer = io.BytesIO()
        torch.save([function, list(arguments), named, seed], buffer)
        try:
            self._process.stdin.write(struct.pack("<Q", buffer.tell()) + buffer.getvalue())
            self._process.stdin.flush()
        except OSError:
            raise self._ended() from None
        head = self._process.stdout.read(8)
        if len(head) < 8:
            raise self._ended()
        size = struct.unpack("<Q", head)[0]
        answer = torch.load(io.BytesIO(self._process.stdout.read(size)), weights_only=True)
        if "error" in answer:
            raise Refused(answer["error"], answer["what"])
        return answer["found"]

    def _ended(self) -> StudioError:
        code = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        why = said[-1] if said else f"the process ended with code {code}"
        return StudioError(
            f"The exported file does not run by itself: {why}", remedy="Nothing was saved; please report this design."
        )

    def __enter__(self) -> Alone:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.kill()  # it holds nothing that its own end would save
        with contextlib.suppress(OSError):  # it had ended already, and whoever called has been told why
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._errors.close()
