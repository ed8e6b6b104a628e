"""A trained model as Python source and safetensors: two files that need torch and safetensors alone."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from .. import __version__
from ..compiler.printed.forms import HELPERS
from ..compiler.program import Program
from ..compiler.source import class_name, parameter_names, source
from ..design.errors import StudioError
from ..design.recipe import DataRecipe
from ..design.storage import write_atomically
from ..runtime import Network
from .alone import Alone
from .certificate import TOLERANCE, Certificate
from .functions import LOAD, Numbers, Texts, described, offered
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
    facts = describe(program, recipe)
    names = parameter_names(program)
    weights = {names[path]: t.detach().cpu().contiguous().clone() for path, t in network.weights.items()}
    offer = offered(program, recipe)
    text = _module(program, offer)
    folder = Path(tempfile.mkdtemp(prefix="rnnstudio-export-"))
    try:
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
        suffixes = {".safetensors": tensors.read_bytes(), ".py": code.read_bytes(), ".certificate.json": proof}
        _publish({target.with_suffix(suffix): content for suffix, content in suffixes.items()})
    except (OSError, SafetensorError) as error:
        raise StudioError(f"Cannot write the export: {error}", where=str(folder), remedy="Free some space.") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return certificate


def _publish(files: dict[Path, bytes]) -> None:
    """Write all files of an export, in a folder that is made for them, or none. Raises StudioError."""
    parent = next(iter(files)).parent
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    new = [path for path in files if not path.exists()]
    try:
        for path in files:
            if path.is_dir():
                raise StudioError("A folder has that name", where=str(path), remedy="Choose another name.")
        try:
            parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StudioError(
                f"Cannot make the folder: {error.strerror}", where=str(parent), remedy="Choose another place."
            ) from None
        for path, content in files.items():
            write_atomically(path, content)
    except StudioError:
        for path in new:
            path.unlink(missing_ok=True)
        for folder in made:
            if folder.is_dir():
                folder.rmdir()
        raise


def describe(program: Program, recipe: DataRecipe | None) -> dict[str, Any]:
    """What a user of the model must know of its data: vocabulary, columns and scaling of each field."""
    fields = dict(described(program, recipe))
    return {"design": program.name, "studio": __version__, "fields": fields, "outputs": list(program.outputs)}


def _module(program: Program, offer: Texts | Numbers | None) -> str:
    text = source(program)
    head, _, body = text.partition("import torch\n")
    needed = ["json", *(["re"] if isinstance(offer, Texts) and offer.vocabulary.level == "words" else [])]
    imports = "".join(f"import {name}\n" for name in needed)
    text = f"{head}{imports}from pathlib import Path\n\nimport torch\n{body}"
    text = text.replace("from torch import nn\n", "from safetensors import safe_open\nfrom torch import nn\n", 1)
    text += LOAD.format(name=class_name(program))
    return text if offer is None else text + offer.source()


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
