"""A process that looks into runs for a window: one request a line comes in, one answer a line goes out.

A request is a JSON object: number, run (a folder), out (a file to write), and what `Looker.look` is asked with. The
answer has the request's number and either error, or what is in the file: float32 numbers one after the other, and where
each array begins ("arrays": name → [offset, shape]). Run by `python -m rnnstudio.training.looker`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ..design.errors import StudioError
from ..runtime.cutting import Cut
from ..runtime.looking import Asked, Hold
from .looking import Looker, Seen


def answer(looker: Looker, request: dict[str, Any]) -> dict[str, Any]:
    """Do one request. What a person can mend comes back as "error"."""
    number = request.get("number")
    try:
        of = request.get("of")
        seen = looker.look(
            Path(request["run"]),
            int(request.get("example", 0)),
            part=request.get("part", "validation"),
            text=str(request.get("text", "")),
            which=request.get("which", "best"),
            gradients=bool(request.get("gradients", True)),
            of=Asked(**of) if of else None,
            holds=[Hold(**hold) for hold in request.get("holds", ())],
            cuts=[Cut(**cut) for cut in request.get("cuts", ())],
        )
        return {"number": number, **_written(seen, Path(request["out"]))}
    except (StudioError, OSError) as error:
        return {"number": number, "error": str(error)}


def _written(seen: Seen, out: Path) -> dict[str, Any]:
    look, offset = seen.look, 0
    arrays: dict[str, tuple[int, list[int]]] = {}
    with out.open("wb") as file:
        for kind, table in (
            *(("value", look.values), ("total", look.total), ("direct", look.direct)),
            *(("loss", look.steps), ("prediction", look.predictions), ("weights", look.weights)),
            ("free", seen.free.steps if seen.free is not None else {}),
        ):
            for path, value in table.items():
                array = np.ascontiguousarray(value.detach().cpu().numpy(), dtype=np.float32)
                arrays[f"{kind}/{path}"] = (offset, list(array.shape))
                file.write(array.tobytes())
                offset += array.size
        if not offset:
            file.write(b"\0\0\0\0")
    return {
        "file": str(out),
        "arrays": arrays,
        "axes": {path: list(axes) for path, axes in look.axes.items()},
        "gates": list(look.gates),
        "loss": look.loss if look.loss == look.loss else None,
        "free": seen.free.loss if seen.free is not None and seen.free.loss == seen.free.loss else None,
        "predicted_free": {node: list(words) for node, words in seen.predicted_free.items()},
        "tokens": {name: list(words) for name, words in seen.tokens.items()},
        "predicted": {node: list(words) for node, words in seen.predicted.items()},
        "parents": {axis: list(own) for axis, own in seen.parents.items()},
        "examples": seen.examples,
    }


def main() -> None:
    """Answer until the window closes the pipe."""
    looker, answers = Looker(), sys.stdout
    sys.stdout = sys.stderr  # what a plugin prints is no answer
    for line in sys.stdin:
        answers.write(json.dumps(answer(looker, json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
