"""`rnnstudio look`: the values and gradients inside one example of a trained run, as a table, and as arrays."""

from __future__ import annotations

import argparse
import io
from typing import Any

import numpy as np

from ..cli import DONE, print_json
from ..design.errors import StudioError
from ..design.storage import write_atomically
from ..runtime.cutting import Cut
from ..runtime.looking import Asked, Hold, Look
from ..training.looking import Looker, arrays

LOW, HIGH = 0.1, 0.9
"""A gate below the one is shut, above the other open."""


def look_into(options: argparse.Namespace) -> int:
    """Look, print a line for each value that was asked for (all of them otherwise), write the arrays."""
    if options.text and options.example is not None:
        raise StudioError("A text and an example are two looks", remedy="Give --text or --example.")
    seen = Looker().look(
        options.run,
        options.example or 0,
        part=options.split,
        text=options.text,
        which=options.checkpoint,
        double=options.double,
        gradients=options.gradients or bool(options.of),
        of=_asked(options.of) if options.of else None,
        holds=[_hold(text) for text in options.hold],
        cuts=[_cut(text) for text in options.cut],
    )
    wanted = tuple(name for name in options.values.split(",") if name)
    made = arrays(seen, wanted)
    rows = [_row(seen.look, path) for path in (wanted or tuple(seen.look.values))]
    print(
        f"loss {seen.look.loss:.6g}"
        + (f" (with nothing held or cut {seen.free.loss:.6g})" if seen.free is not None else "")
        + (f" of example {options.example or 0} of {seen.examples}" if seen.examples else "")
    )
    print(f"{'value':<28}{'shape':<16}{'norm':>10}{'mean':>10}{'< 0.1':>8}{'> 0.9':>8}{'‖total‖':>12}{'‖direct‖':>12}")
    for row in rows:
        shape = "×".join(map(str, row["shape"]))
        shares = "".join(f"{row[key]:>8.0%}" if row[key] is not None else f"{'':>8}" for key in ("low", "high"))
        asked = "".join(f"{row[key]:>12.4g}" if row[key] is not None else f"{'':>12}" for key in ("total", "direct"))
        print(f"{row['path']:<28}{shape:<16}{row['norm']:>10.4g}{row['mean']:>10.4g}{shares}{asked}")
    if options.out is not None:
        _write(options.out, made)
    if options.json:
        print_json(
            {
                "loss": seen.look.loss,
                "free_loss": seen.free.loss if seen.free is not None else None,
                "losses": {node: x.tolist() for node, x in seen.look.steps.items()},
                "free_losses": {n: x.tolist() for n, x in seen.free.steps.items()} if seen.free is not None else None,
                "predicted": {node: list(words) for node, words in seen.predicted.items()},
                "free_predicted": {node: list(words) for node, words in seen.predicted_free.items()},
                "examples": seen.examples,
                "tokens": {name: list(words) for name, words in seen.tokens.items()},
                "values": rows,
                "out": str(options.out) if options.out is not None else None,
            }
        )
    return DONE


def _write(out: Any, made: dict[str, Any]) -> None:
    file = io.BytesIO()
    np.savez_compressed(file, **made)
    write_atomically(out, file.getvalue())


def _row(look: Look, path: str) -> dict[str, Any]:
    value = look.values[path].double()
    gate = path in look.gates and value.numel()
    return {
        "path": path,
        "shape": list(value.shape),
        "axes": list(look.axes[path]),
        "norm": float(value.norm()),
        "mean": float(value.mean()) if value.numel() else 0.0,
        "low": float((value < LOW).double().mean()) if gate else None,
        "high": float((value > HIGH).double().mean()) if gate else None,
        "total": float(look.total[path].double().norm()) if path in look.total else None,
        "direct": float(look.direct[path].double().norm()) if path in look.direct else None,
    }


def _hold(text: str) -> Hold:
    """PATH[UNIT]@STEP=VALUE, without a unit or a step where all are meant."""
    place, equals, value = text.rpartition("=")
    try:
        if not equals:
            raise ValueError
        path, unit, step = _place(place)
        return Hold(path, float(value), unit, step)
    except ValueError:
        raise StudioError(
            f"“{text}” is no value to hold", where="--hold", remedy="Write lstm.f=0, lstm.f[3]@5=1 …"
        ) from None


def _cut(text: str) -> Cut:
    """SOURCE:TARGET@STEP, without a step where all are meant."""
    try:
        source, colon, rest = text.partition(":")
        target, unit, step = _place(rest)
        if not (colon and source and target) or unit is not None:
            raise ValueError
        return Cut(source, target, step)
    except ValueError:
        raise StudioError(
            f"“{text}” is no wire to cut", where="--cut", remedy="Write embedding:lstm, or lstm.h_before:lstm@5."
        ) from None


def _asked(text: str) -> Asked:
    try:
        return Asked(*_place(text))
    except ValueError:
        raise StudioError(
            f"“{text}” is no value to ask for", where="--of", remedy="Write readout, readout[3] or readout[3]@5."
        ) from None


def _place(text: str) -> tuple[str, int | None, int | None]:
    rest, _, step = text.partition("@")
    path, bracket, unit = rest.partition("[")
    if bracket and not unit.endswith("]"):
        raise ValueError
    return path, int(unit[:-1]) if bracket else None, int(step) if step else None
