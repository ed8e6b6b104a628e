"""A trained model as Python source and safetensors: two files that need torch and safetensors alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from .. import __version__
from ..compiler.printed.forms import HELPERS
from ..compiler.program import Program
from ..compiler.source import class_name, parameter_names, source
from ..design.errors import StudioError
from ..design.recipe import DataRecipe
from ..runtime import Network
from .alone import Alone
from .certificate import TOLERANCE, Certificate
from .functions import LOAD, Numbers, Texts, described, offered
from .placing import CERTIFICATE, placed
from .uses import compare_all, uncovered


def export_python(network: Network, recipe: DataRecipe | None, out: Path) -> Certificate:
    """Write `<out>.py` and `<out>.safetensors`, and `<out>.certificate.json` that proves them equal to `network`.

    out: a file name (with or without .py), or a folder, where the files get the design's name. Before they take their
    names the files are loaded in a process that has torch and safetensors alone, and each of their functions is
    compared with the studio's. Raises StudioError, with nothing written, when one differs or the place cannot be
    written.
    """
    program = network.program
    target = _target(out, program)
    offer = offered(program, recipe)
    text, mark = _module(program, offer)
    facts = {**describe(program, recipe, offer), "source": mark}
    names = parameter_names(program)
    weights = {names[path]: t.detach().cpu().contiguous().clone() for path, t in network.weights.items()}
    with placed(target) as folder:
        code, tensors = folder / target.name, folder / target.with_suffix(".safetensors").name
        code.write_text(text, encoding="utf-8")
        save_file(weights, tensors, {"rnnstudio": json.dumps(facts, ensure_ascii=False)})
        with Alone(code) as alone:
            comparisons = tuple(compare_all(alone, _on_cpu(network), weights, facts, offer))
        if missed := uncovered(code, program, comparisons, HELPERS):
            raise StudioError(
                f"Nothing proves that the exported {' and '.join(missed)} are right",
                remedy="Nothing was saved; please report this design.",
            )
        files = (target.name, target.with_suffix(".safetensors").name)
        certificate = Certificate("python", files, program.name, TOLERANCE, comparisons, str(torch.__version__))
        proof = json.dumps(certificate.to_json(), indent=1).encode() + b"\n"
        (folder / target.with_suffix(CERTIFICATE).name).write_bytes(proof)
    return certificate


def describe(program: Program, recipe: DataRecipe | None, offer: Texts | Numbers | None = None) -> dict[str, Any]:
    """What a user of the model must know of its data: vocabulary, columns and scaling of each field."""
    fields = dict(described(program, recipe, offer))
    return {"design": program.name, "studio": __version__, "fields": fields, "outputs": list(program.outputs)}


def _module(program: Program, offer: Texts | Numbers | None) -> tuple[str, str]:
    """The code, and the mark by which it knows weights that were exported with it: a killed export may leave others."""
    text = source(program)
    head, _, body = text.partition("import torch\n")
    needed = ["json", *(offer.spelling.imports if isinstance(offer, Texts) else ())]
    imports = "".join(f"import {name}\n" for name in needed)
    text = f"{head}{imports}from pathlib import Path\n\nimport torch\n{body}"
    text = text.replace("from torch import nn\n", "from safetensors import safe_open\nfrom torch import nn\n", 1)
    functions = "" if offer is None else offer.source()
    mark = hashlib.sha256((text + functions).encode()).hexdigest()[:16]
    return text + LOAD.format(name=class_name(program), source=mark) + functions, mark


def _target(out: Path, program: Program) -> Path:
    if out.is_dir() or str(out).endswith(("/", "\\")):
        safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in program.name) or "network"
        out = out / f"{safe}.py"
    return out if out.suffix == ".py" else out.with_name(out.name + ".py")


def _on_cpu(network: Network) -> Network:
    """A float32 copy on the CPU: exports are compared where they will most often run."""
    copy = Network(network.program)
    copy.load_weights({path: tensor.detach().float().cpu() for path, tensor in network.weights.items()})
    return copy
