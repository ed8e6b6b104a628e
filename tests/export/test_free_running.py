"""A drawing with Feedback is exported as it is used: left to itself. A drawing over trees takes the trees."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import torch

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import compile_design, source
from rnnstudio.design.design import Design, Value, frozen
from rnnstudio.design.signals import Axis
from rnnstudio.export import export_python
from rnnstudio.runtime import Network
from tests.soak._apart import held
from tests.training.designs import forecaster, trainer
from tests.training.series import series_file


def imported(code: Path) -> ModuleType:
    """The exported file, in this process."""
    spec = importlib.util.spec_from_file_location(code.stem, code)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def captioner(**feedback: Value) -> Design:
    """Row 7 of the field: a vector becomes a sequence, each letter read back."""
    s = Sketch()
    s.add("picture", "FeatureInput", at=(0, 0), params={"field": "picture", "size": 3, "axis": ""})
    s.add("letter", "TokenTarget", at=(0, 1), params={"field": "letter", "size": 5, "axis": "target"})
    s.add("feedback", "Feedback", at=(1, 1), params=feedback, prediction="readout", target="letter")
    s.add("embed", "Embedding", at=(2, 1), params={"units": 4}, input="feedback")
    s.add("repeat", "Repeat", at=(2, 0), input="picture", along="letter")
    s.add("both", "Concat", at=(3, 0), a="embed", b="repeat")
    s.add("gru", "cell", at=(4, 0), params={"cell": "GRU", "units": 6}, x="both")
    s.add("readout", "Linear", at=(5, 0), params={"units": 5}, input="gru.h")
    s.add("loss", "CrossEntropy", at=(6, 0), prediction="readout", target="letter")
    return Design(name="captioner", graph=s.graph(), cells=frozen({"GRU": standard().cells["GRU"]}))


def test_a_network_left_to_itself_is_exported_with_the_number_of_steps_as_an_argument(tmp_path: Path) -> None:
    network = Network(compile_design(captioner(), standard(), "free"), seed=4)
    assert "def forward(self, picture, target_size, lengths=None, state=None):" in source(network.program)
    certificate = export_python(network, None, tmp_path / "captioner")
    assert certificate.largest < 1e-5
    model, _ = imported(tmp_path / "captioner.py").load()
    picture = torch.randn(2, 3)
    scores, _ = model(picture, 7)
    assert scores.shape == (2, 7, 5)
    torch.testing.assert_close(scores, network({"picture": picture}, steps={"target": 7}).outputs["loss"])


def test_a_sampling_network_is_compared_with_the_same_random_numbers(tmp_path: Path) -> None:
    network = Network(compile_design(captioner(sample=True), standard(), "free"), seed=4)
    assert export_python(network, None, tmp_path / "captioner").largest < 1e-5


def test_a_tree_network_is_exported_and_takes_the_trees(tmp_path: Path) -> None:
    s = Sketch()
    s.add("word", "TokenInput", at=(0, 0), params={"field": "word", "size": 9, "axis": "tree"})
    s.add("embed", "Embedding", at=(1, 0), params={"units": 4}, input="word")
    s.add("net", "cell", at=(2, 0), params={"cell": "ChildSumTreeLSTM", "units": 5}, x="embed")
    s.add("root", "Root", at=(3, 0), input="net.h")
    s.add("result", "Output", at=(4, 0), input="root")
    cell = standard().cells["ChildSumTreeLSTM"]
    axes = frozen({"tree": Axis("tree", "tree")})
    design = Design(name="tree", graph=s.graph(), cells=frozen({cell.name: cell}), axes=axes)
    network = Network(compile_design(design, standard()), seed=2)
    assert export_python(network, None, tmp_path / "tree").largest < 1e-5
    model, _ = imported(tmp_path / "tree.py").load()
    word, parents = torch.randint(0, 9, (2, 4)), torch.tensor([[-1, 0, 1, 1], [2, 2, -1, 0]])
    live = network({"word": word, "tree_parents": parents}).outputs["result"]
    torch.testing.assert_close(model(word, parents)[0], live)


def test_code_and_weights_of_two_exports_are_told_apart(tmp_path: Path) -> None:
    """What an export that was killed between two files leaves, over one of another network with the same weights."""
    path = series_file(tmp_path)
    for kind in ("Tanh", "Sigmoid"):
        made = trainer(forecaster(path, squash=kind), tmp_path, kind, steps=1)
        export_python(made.network, made.dataset.recipe, tmp_path / f"{kind}.py")
    imported(tmp_path / "Tanh.py").load()
    shutil.copyfile(tmp_path / "Sigmoid.safetensors", tmp_path / "Tanh.safetensors")
    with pytest.raises(ValueError, match="weights of another export"):
        imported(tmp_path / "Tanh.py").load()


def test_some_killed_exports_of_the_soak() -> None:
    score = held("exports", seed=3, scale=0.03)
    assert score.done == 3
    assert not score.failures
