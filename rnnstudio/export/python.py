"""A trained model as Python source and safetensors: two files that need torch and safetensors alone."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import save_file

from .. import __version__
from ..compiler.program import Program, parents_field
from ..compiler.prune import needs
from ..compiler.source import class_name, parameter_names, source
from ..design.recipe import DataRecipe
from ..runtime import Network
from ..runtime.generate import why_not
from ..runtime.stepper import plan
from .certificate import TOLERANCE, Certificate, Tensors, compare, inputs_of
from .placing import placed

_LOAD = '''

def load(weights=None):
    """The trained model and its data's description: vocabulary and scaling of each field.

    weights: path of the .safetensors file; None: the one beside this file.
    """
    path = Path(weights) if weights else Path(__file__).with_suffix(".safetensors")
    with safe_open(path, framework="pt") as file:
        data = json.loads(file.metadata()["rnnstudio"])
        model = {name}()
        model.load_state_dict({{key: file.get_tensor(key) for key in file.keys()}})
    return model.eval(), data
'''

_TEXT = '''

def encode(text, data):
    """[1, n] token numbers of a text. Raises KeyError for what the vocabulary lacks."""
    field = data["fields"]["{field}"]
    numbers = {{token: i for i, token in enumerate(field["vocabulary"])}}
    pieces = text.split() if field["words"] else text
    return torch.tensor([[numbers[piece] for piece in pieces]])


def write(prompt, length=300, temperature=0.8, seed=0, weights=None):
    """Text the model writes after `prompt`; temperature 0 takes the most likely token."""
    model, data = load(weights)
    field = data["fields"]["{field}"]
    generator = torch.Generator().manual_seed(seed)
    tokens, state, written = encode(prompt, data), None, []
    with torch.no_grad():
        for _ in range(length):
            {read}
            last = logits[0, -1]
            if temperature <= 0:
                token = int(last.argmax())
            else:
                token = int(torch.multinomial(torch.softmax(last.double() / temperature, -1), 1, generator=generator))
            written.append(field["vocabulary"][token])
            {go_on}
    return prompt + (" " if field["words"] else "") + (" " if field["words"] else "").join(written)


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description="Write text with the trained model.")
    parser.add_argument("prompt")
    parser.add_argument("--length", type=int, default=300)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=0)
    print(write(**vars(parser.parse_args())))
'''

_STEP_BY_STEP = {
    "read": "logits, state = model(tokens, state=state)",
    "go_on": "tokens = torch.tensor([[token]])",
}
_ALL_AGAIN = {  # a model that attends to its own past needs all of it
    "read": "logits, state = model(tokens)",
    "go_on": "tokens = torch.cat([tokens, torch.tensor([[token]])], 1)",
}

_SERIES = '''

def forecast(rows, weights=None):
    """One-step forecasts for a series in the file's own units.

    rows: one list of numbers a step, in the order of the input columns. Returns a list of numbers for each step:
    what comes after it.
    """
    model, data = load(weights)
    given, wanted = data["fields"]["{field}"], data["fields"]["{target}"]
    x = torch.tensor(rows, dtype=torch.float32)
    x = (x - torch.tensor(given["mean"])) / torch.tensor(given["std"])
    with torch.no_grad():
        y, _ = model(x[None])
    return (y[0] * torch.tensor(wanted["std"]) + torch.tensor(wanted["mean"])).tolist()
'''


def export_python(network: Network, recipe: DataRecipe | None, out: Path) -> Certificate:
    """Write `<out>.py` and `<out>.safetensors`, and `<out>.certificate.json` that proves them equal to `network`.

    out: a file name (with or without .py), or a folder, where the files get the design's name. The files are loaded
    again and compared before they take their names. Raises StudioError, with nothing written, when they differ or
    the place cannot be written.
    """
    program = network.program
    target = _target(out, program)
    described = json.dumps(describe(program, recipe), ensure_ascii=False)
    names = parameter_names(program)
    weights = {names[path]: t.detach().cpu().contiguous().clone() for path, t in network.weights.items()}
    text = _module(network, recipe)
    with placed(target) as folder:
        code, tensors = folder / target.name, folder / target.with_suffix(".safetensors").name
        code.write_text(text, encoding="utf-8")
        save_file(weights, tensors, {"rnnstudio": described})
        comparisons = compare(_on_cpu(network), _runner(code, program))
        files = (target.name, target.with_suffix(".safetensors").name)
        certificate = Certificate("python", files, program.name, TOLERANCE, comparisons, str(torch.__version__))
        proof = json.dumps(certificate.to_json(), indent=1).encode() + b"\n"
        (folder / target.with_suffix(".certificate.json").name).write_bytes(proof)
    return certificate


def describe(program: Program, recipe: DataRecipe | None) -> dict[str, Any]:
    """What a user of the model must know of its data: vocabulary, columns and scaling of each field."""
    used = {item.field for item in program.inputs}
    fields: dict[str, Any] = {}
    for spec in recipe.fields if recipe is not None else ():
        if spec.name in used:
            fields[spec.name] = {
                "content": spec.content,
                "size": spec.size,
                "vocabulary": list(spec.vocabulary),
                "words": recipe is not None and (recipe.reader != "text" or recipe.options.get("level") == "words"),
                "columns": list(spec.columns),
                "mean": list(spec.mean) or [0.0] * spec.size,
                "std": list(spec.std) or [1.0] * spec.size,
            }
            if spec.content == "tokens":
                del fields[spec.name]["mean"], fields[spec.name]["std"], fields[spec.name]["columns"]
    return {"design": program.name, "studio": __version__, "fields": fields, "outputs": list(program.outputs)}


def _module(network: Network, recipe: DataRecipe | None) -> str:
    program = network.program
    text = source(program)
    head, _, body = text.partition("import torch\n")
    text = f"{head}import json\nfrom pathlib import Path\n\nimport torch\n{body}"
    text = text.replace("from torch import nn\n", "from safetensors import safe_open\nfrom torch import nn\n", 1)
    text += _LOAD.format(name=class_name(program))
    if recipe is None or len(inputs_of(program)) != 1 or len(program.outputs) != 1:
        return text
    item = inputs_of(program)[0]
    specs = {spec.name: spec for spec in recipe.fields}
    if not why_not(network):
        ways = _ALL_AGAIN if plan(program).looks_back else _STEP_BY_STEP
        text += _TEXT.format(field=item.field, **ways)
    elif program.losses and item.field in specs and specs[item.field].content == "real":
        target = next((i for i in program.inputs if i.name == program.losses[0].target), None)
        if target is not None and target.field in specs and specs[target.field].content == "real":
            text += _SERIES.format(field=item.field, target=target.field)
    return text


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


def _runner(code: Path, program: Program) -> Any:
    module = _import(code)
    model, _ = module.load()
    needed = needs(program, program.outputs.values())
    order = [item.field for item in needed.inputs] + [parents_field(program.axes[axis]) for axis in needed.trees]

    def run(
        fields: Tensors, lengths: Tensors | None, state: Tensors | None, steps: Mapping[str, int]
    ) -> tuple[Tensors, Tensors]:
        given = (*(fields[name] for name in order), *(steps[axis] for axis in needed.free))
        results, final = model(*given, lengths=lengths, state=state)
        single = len(program.outputs) == 1
        values = (results,) if single else results
        return dict(zip(program.outputs, values, strict=True)), final

    return run


def _import(code: Path) -> ModuleType:
    """Import the file just written (our own output), under a name nothing else has."""
    spec = importlib.util.spec_from_file_location(f"rnnstudio_export_{code.parent.name}", code)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
