"""The command line and the worker process with plugins: a reader, a cell and an exporter from the user's folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import rnnstudio
from rnnstudio.design.edits import SetData
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.training.client import TrainingClient
from rnnstudio.training.events import Failed, Finished
from rnnstudio.training.settings import TrainingSettings

EXPORTER = '''
import json
from pathlib import Path

from rnnstudio.plugins import Certificate, Exporter, Plugin, compare, write_atomically


class Numbers(Exporter):
    """All weights as JSON, computed with by the studio's own network: an export for tests."""

    name = "numbers"
    title = "Weights as JSON"
    suffix = ".json"

    def export(self, network, recipe, out):
        weights = {path: tensor.tolist() for path, tensor in network.weights.items()}

        def run(fields, lengths, state, *more):
            result = network(fields, lengths, state, *more)
            return result.outputs, result.state

        comparisons = compare(network, run)
        write_atomically(Path(out), json.dumps(weights).encode())
        return Certificate(self.name, (Path(out).name,), network.program.name, 1e-5, comparisons, "")


plugin = Plugin("numbers", "0.1", exporters=[Numbers()])
'''


@pytest.fixture
def home(tmp_path: Path, pytestconfig: pytest.Config) -> Path:
    """A user's data folder with the two example plugins, an exporter and a broken plugin."""
    folder = tmp_path / "home" / "rnnstudio" / "plugins"
    folder.mkdir(parents=True)
    for name in ("abc", "minimal-gated"):
        package = f"rnnstudio_{name.replace('-', '_')}"
        compiled = shutil.ignore_patterns("__pycache__")
        shutil.copytree(
            pytestconfig.rootpath / "plugins" / f"rnnstudio-{name}" / package, folder / package, ignore=compiled
        )
    (folder / "numbers.py").write_text(EXPORTER, encoding="utf-8")
    (folder / "broken.py").write_text("import no_such_module_anywhere\n", encoding="utf-8")
    return tmp_path / "home"


def command(home: Path, *arguments: str, rc: int = 0) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-m", "rnnstudio", *arguments],
        env={**os.environ, "XDG_DATA_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == rc, result.stderr
    return result


def last_line(result: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(result.stdout.splitlines()[-1])


def tunes(folder: Path, home: Path) -> Path:
    """A design with the plugin's reader and cell, as the window would save it."""
    shutil.copy(home / "rnnstudio" / "plugins" / "rnnstudio_abc" / "sample.abc", folder / "tunes.abc")
    design = rnnstudio.new("tunes")
    text = design.add("TokenInput", "text")
    design.add("Embedding", "embedding", units=6, input=text)
    design.add("GRU", "rec", units=8, x="embedding")
    design.add("Linear", "readout", units=rnnstudio.Var("next_size"), input="rec.h")
    design.add("TokenTarget", "next")
    design.add("CrossEntropy", "loss", prediction="readout", target="next")
    design._document.do(SetData(DataRecipe("abc", "tunes.abc", split=(0.8, 0.1, 0.1))))
    design.save(folder / "tunes.rnn")
    return folder / "tunes.rnn"


def test_the_list_tells_what_each_adds_and_what_failed(home: Path) -> None:
    result = command(home, "plugins", "--json", rc=1)
    assert "minimal-gated 1.0" in result.stdout
    assert "cells: MinimalGated, SoftMinimalGated" in result.stdout
    told = last_line(result)
    assert {p["name"]: sorted(p["adds"]) for p in told["plugins"]} == {
        "numbers": ["exporters"],
        "abc": ["readers"],
        "minimal-gated": ["cells", "nodes"],
    }
    assert [(p["name"], "no_such_module_anywhere" in p["reason"]) for p in told["problems"]] == [("broken", True)]
    assert told["folder"] == str(home / "rnnstudio" / "plugins")


def test_a_failed_plugin_is_one_warning_on_stderr_and_the_command_goes_on(home: Path) -> None:
    result = command(home, "check", "char-lm")
    assert result.stdout == "No problems.\n"
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("rnnstudio: warning: The plugin “broken”")


def test_a_design_is_trained_and_exported_with_what_plugins_bring(home: Path, tmp_path: Path) -> None:
    path = tunes(tmp_path, home)
    run, out = tmp_path / "run", tmp_path / "weights.json"
    command(home, "train", str(path), "--run", str(run), "--steps", "2")
    assert "X:" in command(home, "generate", str(run), "--prompt", "X:1\nM:4/4\nL:1/4\nK:G\n", "--length", "5").stdout
    exported = command(home, "export", str(run), "--format", "numbers", "--out", str(out), "--json")
    assert "readout.weight" in json.loads(out.read_text())
    assert last_line(exported)["format"] == "numbers"
    refused = command(home, "export", str(run), "--format", "nonsense", "--out", str(out), rc=2)
    assert "Formats: python" in refused.stderr
    assert "numbers" in refused.stderr
    without = command(tmp_path, "train", str(path), "--steps", "1", "--run", str(tmp_path / "other"), rc=2)
    assert "no data reader 'abc'" in without.stderr


def test_the_worker_process_sees_the_same_plugins(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tunes(tmp_path, home)
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    client = TrainingClient()
    try:
        settings = TrainingSettings(steps=1)
        client.start(rnnstudio.load(path).design, tmp_path, settings, tmp_path / "run", window=False)
        found: list[object] = []
        while not any(isinstance(event, Finished | Failed) for event in found):
            found += client.drain()
        assert isinstance(found[-1], Finished), found[-1]
    finally:
        client.close()
