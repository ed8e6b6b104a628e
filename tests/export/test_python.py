"""An exported model runs with torch and safetensors alone, gives the same numbers, and is refused when it does not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import source
from rnnstudio.design.design import Design
from rnnstudio.design.edits import RenameNode
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe, FieldSpec
from rnnstudio.design.storage import load
from rnnstudio.export import export_python
from rnnstudio.export.alone import Alone
from rnnstudio.export.certificate import SHAPES, TOLERANCE, Answer, compare
from rnnstudio.export.uses import runner
from rnnstudio.runtime import Network, generate
from tests.conformance.drawings import DRAWINGS, language_model, recurrent
from tests.conformance.drawings import design as drawing
from tests.conformance.running import (
    Tensors,
    answer,
    answer_of_source,
    assert_same_answers,
    batch_of,
    network_of,
    program_of,
    ragged,
)
from tests.full_disk import full_disk

GALLERY = Path(__file__).parents[2] / "resources" / "gallery"
SITE = Path(torch.__file__).parents[1]

PROLOGUE = f"""
import sys
class OnlyThese:
    def find_spec(self, name, path=None, target=None):
        ours = ("rnnstudio", "numpy", "networkx", "pydantic", "PySide6", "llvmlite", "sympy")
        if name.split(".")[0] in ours:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, OnlyThese())
sys.path.append({str(SITE)!r})
"""


def run_alone(folder: Path, script: str) -> str:
    """What a fresh Python prints that has torch and safetensors, and nothing of ours, run in a folder."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROLOGUE + script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def compared(network: Network, folder: Path) -> bool:
    """Whether the exported network in a folder is this one. Raises StudioError when it is not."""
    with Alone(folder / "model.py") as alone:
        return bool(compare(network, runner(alone, network.program)))


def float_network(drawn: Design, seed: int = 3) -> Network:
    return Network(program_of(drawn), seed=seed).eval()


def test_the_exported_language_model_of_the_gallery_runs_alone(tmp_path: Path) -> None:
    drawn = load(GALLERY / "char-lm" / "char-lm.rnn")
    network = float_network(drawn)
    certificate = export_python(network, drawn.data, tmp_path / "model")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.certificate.json", "model.py", "model.safetensors"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out = json.loads(
        run_alone(
            elsewhere,
            """
import json, importlib.util, torch
spec = importlib.util.spec_from_file_location("model", "../model.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
model, data = module.load()
with torch.no_grad():
    logits, state = model(torch.arange(60).reshape(2, 30))
print(json.dumps({
    "logits": logits.tolist(), "state": {k: v.tolist() for k, v in state.items()},
    "text": module.write("ROMEO.", 40, 0), "drawn": module.write("ROMEO.", 40, 0.8, seed=5),
    "modules": [m for m in sys.modules if m.split(".")[0] == "rnnstudio"], "design": data["design"],
}))
""",
        )
    )
    result = network({"text": torch.arange(60).reshape(2, 30)})
    (live,) = result.outputs.values()
    assert torch.allclose(torch.tensor(out["logits"]), live, atol=1e-5)
    for name, value in result.state.items():
        assert torch.allclose(torch.tensor(out["state"][name]), value, atol=1e-5)
    vocabulary = drawn.data.field("text").vocabulary if drawn.data is not None else ()
    prompt = torch.tensor([[vocabulary.index(c) for c in "ROMEO."]])
    written = "ROMEO." + "".join(vocabulary[i] for i in generate(network, prompt, 40, 0.0).tolist())
    sampled = generate(network, prompt, 40, 0.8, torch.Generator().manual_seed(5)).tolist()
    assert out["text"] == written
    assert out["drawn"] == "ROMEO." + "".join(vocabulary[i] for i in sampled)
    assert (out["modules"], out["design"]) == ([], "char-lm")
    assert certificate.largest <= TOLERANCE


def test_the_exported_forecaster_of_the_gallery_runs_alone_in_the_files_own_units(tmp_path: Path) -> None:
    drawn = load(GALLERY / "sunspots" / "sunspots.rnn")
    network = float_network(drawn)
    export_python(network, drawn.data, tmp_path)
    assert (tmp_path / "sunspots.py").is_file()
    rows = [[float(i * 7 % 90)] for i in range(25)]
    out = json.loads(
        run_alone(
            tmp_path,
            f"import json; sys.path.insert(0, '.'); import sunspots; print(json.dumps(sunspots.forecast({rows})))",
        )
    )
    assert drawn.data is not None
    given, wanted = drawn.data.field("inputs"), drawn.data.field("targets")
    x = (torch.tensor(rows) - torch.tensor(given.mean)) / torch.tensor(given.std)
    (live,) = network({"inputs": x[None]}).outputs.values()
    assert torch.allclose(torch.tensor(out), live[0] * torch.tensor(wanted.std) + torch.tensor(wanted.mean), atol=1e-3)


def test_the_exported_file_is_a_command(tmp_path: Path) -> None:
    drawn = language_model()
    recipe = DataRecipe("text", "a.txt", fields=drawn.data.fields if drawn.data is not None else ())
    export_python(float_network(drawn), recipe, tmp_path / "lm.py")
    script = """
import runpy
sys.argv = ["lm.py", "abc", "--length", "7", "--temperature", "0"]
runpy.run_path("lm.py", run_name="__main__")
"""
    text = run_alone(tmp_path, script)
    assert text.startswith("abc")
    assert len(text.strip()) == 10


def test_words_are_written_with_spaces(tmp_path: Path) -> None:
    words = ("the", "cat", "sat", "on", "mat")
    fields = (
        FieldSpec("text", "tokens", 5, vocabulary=words),
        FieldSpec("next", "tokens", 5, vocabulary=words, shift_of="text", shift=1),
    )
    recipe = DataRecipe("text", "a.txt", {"level": "words"}, fields=fields)
    export_python(float_network(language_model()), recipe, tmp_path / "words")
    out = run_alone(tmp_path, "sys.path.insert(0, '.'); import words; print(words.write('the cat', 4, 0))")
    assert out.startswith("the cat ")
    assert len(out.split()) == 6


def test_a_model_that_attends_to_its_past_writes_what_the_live_one_writes(tmp_path: Path) -> None:
    s = Sketch()
    s.add("text", "TokenInput", at=(0, 0))
    s.add("embedding", "Embedding", at=(1, 0), params={"units": 4}, input="text")
    params = {"cell": "SelfAttention", "units": 8, "heads": 2, "causal": True}
    s.add("look", "cell", at=(2, 0), params=params, x="embedding")
    s.add("readout", "Linear", at=(3, 0), params={"units": 5}, input="look.h")
    s.add("next", "TokenTarget", at=(3, 1))
    s.add("loss", "CrossEntropy", at=(4, 0), prediction="readout", target="next")
    drawn = drawing(s, "text", "next")
    network = network_of(program_of(drawn)).float()
    assert drawn.data is not None
    recipe = DataRecipe("text", "a.txt", {"level": "characters"}, fields=drawn.data.fields)
    export_python(network, recipe, tmp_path / "model")
    out = run_alone(tmp_path, "sys.path.insert(0, '.'); import model; print(model.write('abca', 12, 0))").strip()
    live = generate(network, torch.tensor([[0, 1, 2, 0]]), 12, temperature=0)
    assert out == "abca" + "".join("abcde"[int(token)] for token in live)


@pytest.mark.parametrize(
    "name",
    [
        "bidirectional",
        "two losses",
        "one to one",
        "attention",
        "delay 3, learned",
        "along the target",
        "every pool",
        "grid",
    ],
)
def test_every_kind_of_drawing_is_exported_with_a_certificate(tmp_path: Path, name: str) -> None:
    certificate = export_python(float_network(DRAWINGS[name]()), None, tmp_path / "model")
    stored = json.loads((tmp_path / "model.certificate.json").read_text())
    assert stored["format"] == "python"
    assert stored["files"] == ["model.py", "model.safetensors"]
    assert stored["design"] == "drawn"
    assert stored["torch"] == torch.__version__
    assert stored["tolerance"] == TOLERANCE
    compared = {(c["batch"], c["length"]) for c in stored["comparisons"]}
    assert compared == set(SHAPES)
    assert all(c["difference"] <= TOLERANCE * max(1.0, c["scale"]) for c in stored["comparisons"])
    kinds = {c.what for c in certificate.comparisons}
    assert ("different lengths" in kinds) == (name != "one to one")
    assert ("going on from a state" in kinds) == (name not in ("one to one",))


def test_the_weights_are_the_trained_ones_and_the_network_stays_as_it_is(tmp_path: Path) -> None:
    network = Network(program_of(recurrent("LSTM")), seed=1).double().train()
    export_python(network, None, tmp_path / "model")
    stored = load_file(tmp_path / "model.safetensors")
    assert stored.keys() == {k.replace(".", "_") for k in network.weights}
    for path, weight in network.weights.items():
        assert torch.equal(stored[path.replace(".", "_")].double(), weight.detach())
    assert network.training
    assert next(network.parameters()).dtype == torch.float64


def runner_of(network: Network) -> object:
    def run(fields: Tensors, lengths: Tensors | None, state: Tensors | None, steps: object = None) -> Answer:
        result = network(fields, lengths, state)
        return result.outputs, result.state

    return run


def test_the_answer_of_another_network_is_refused() -> None:
    one, other = float_network(recurrent("GRU"), 1), float_network(recurrent("GRU"), 2)
    assert compare(one, runner_of(one))  # type: ignore[arg-type]
    with pytest.raises(StudioError, match=r"differs from the trained model: forward .* \(batch 1, length 1\)"):
        compare(one, runner_of(other))  # type: ignore[arg-type]


def test_an_answer_that_is_no_number_or_lacks_a_state_is_refused() -> None:
    network = float_network(recurrent("GRU"))

    def broken(fields: Tensors, lengths: Tensors | None, state: Tensors | None, steps: object = None) -> Answer:
        result = network(fields, lengths, state)
        return result.outputs, {k: v * float("nan") for k, v in result.state.items()}

    def stateless(fields: Tensors, lengths: Tensors | None, state: Tensors | None, steps: object = None) -> Answer:
        return network(fields, lengths, state).outputs, {}

    with pytest.raises(StudioError, match="differs from the trained model: forward differs by nan"):
        compare(network, broken)
    with pytest.raises(StudioError, match="has the states"):
        compare(network, stateless)


def test_a_model_that_ignores_padding_or_its_state_is_refused() -> None:
    network = float_network(DRAWINGS["bidirectional"]())

    def careless(fields: Tensors, lengths: Tensors | None, state: Tensors | None, steps: object = None) -> Answer:
        result = network(fields, None, state)
        return result.outputs, result.state

    with pytest.raises(StudioError, match="different lengths"):
        compare(network, careless)
    forward = float_network(recurrent("RNN"))

    def forgetful(fields: Tensors, lengths: Tensors | None, state: Tensors | None, steps: object = None) -> Answer:
        result = forward(fields, lengths, None)
        return result.outputs, result.state

    with pytest.raises(StudioError, match="going on from a state"):
        compare(forward, forgetful)


def test_tampered_weights_are_found_out(tmp_path: Path) -> None:
    network = float_network(recurrent("LSTM"))
    export_python(network, None, tmp_path / "model")
    assert compared(network, tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    stored["readout_bias"][0] += 0.001
    save_file(stored, tmp_path / "model.safetensors", {"rnnstudio": "{}"})
    with pytest.raises(StudioError, match="differs"):
        compared(network, tmp_path)


@pytest.mark.parametrize(
    ("out", "made"),
    [
        ("model", "model.py"),
        ("model.py", "model.py"),
        ("model.v2", "model.v2.py"),
        ("new/deep/model", "new/deep/model.py"),
        (".", "drawn.py"),
    ],
)
def test_the_target_is_a_name_or_a_folder(tmp_path: Path, out: str, made: str) -> None:
    export_python(float_network(recurrent("RNN")), None, tmp_path / out)
    assert (tmp_path / made).is_file()
    assert (tmp_path / made).with_suffix(".safetensors").is_file()
    assert (tmp_path / made).with_suffix(".certificate.json").is_file()


def everything(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_a_place_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "taken.py").mkdir()
    (tmp_path / "half.certificate.json").mkdir()
    before = everything(tmp_path)
    for out in ("file/model", "file/deep/model", "half"):
        with pytest.raises(StudioError) as caught:
            export_python(float_network(recurrent("RNN")), None, tmp_path / out)
        assert caught.value.remedy
        assert everything(tmp_path) == before
    with pytest.raises(StudioError):
        export_python(float_network(recurrent("RNN")), None, tmp_path / "taken")
    assert everything(tmp_path) == before


def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    network = float_network(recurrent("LSTM"))
    with pytest.raises(StudioError, match="Cannot write"), full_disk(2000):
        export_python(network, None, tmp_path / "model")
    assert everything(tmp_path) == []


def test_an_export_over_an_older_one_replaces_it(tmp_path: Path) -> None:
    one, other = float_network(recurrent("GRU"), 1), float_network(recurrent("GRU"), 2)
    export_python(one, None, tmp_path / "model")
    export_python(other, None, tmp_path / "model")
    assert compared(other, tmp_path)


TRAP = '"""\nraise SystemExit("sprung")\n"""'


@pytest.mark.parametrize("name", [TRAP, "\\", '"', "none", "path", "f", "3d", "", "ﬁne ⊙ α", "true"])
def test_no_name_of_a_design_can_break_or_enter_the_source(tmp_path: Path, name: str) -> None:
    network = float_network(recurrent("RNN").replace(name=name))
    export_python(network, None, tmp_path / "model")
    assert compared(network, tmp_path)


@pytest.mark.parametrize(
    "node",
    ["range", "own", "list", "zip", "t", "lambda", "valid_steps", "torch", "state", "x_t", "ﬁ", "α", "batch", "Path"],
)
def test_any_name_of_a_node_makes_runnable_source(node: str) -> None:
    drawn = RenameNode("state", node).apply(DRAWINGS["two speeds"]())
    drawn = RenameNode("mix", f"{node}_t").apply(drawn)
    program = program_of(drawn)
    network = network_of(program, reference=True)
    fields, lengths = batch_of(program), ragged(program)
    assert_same_answers(
        program,
        answer_of_source(program, network.weights, fields, lengths),
        answer(network, fields, lengths),
        lengths,
    )
    assert source(program)
