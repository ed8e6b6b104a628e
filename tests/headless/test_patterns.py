"""Every pattern of the field is drawn without a remark, compiles, and is trained at once, from the command line."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from rnnstudio.catalog.catalog import standard
from rnnstudio.cli import main
from rnnstudio.compiler import check, compile_design
from rnnstudio.design import storage
from rnnstudio.gallery import draw_pattern
from rnnstudio.proposals.patterns import PATTERNS, Pattern

IDS = [item.name for item in PATTERNS]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Any:
    """The command line's last line, of JSON."""

    def ask(*arguments: object) -> Any:
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert code == 0, printed.err
        return json.loads(printed.out.strip().splitlines()[-1])

    return ask


def test_every_row_of_the_field_has_one(told: Any) -> None:
    assert [item.row for item in PATTERNS] == list(range(1, 21))
    assert len(set(IDS)) == 20
    assert all(item.says.endswith(".") for item in PATTERNS)
    listed = told("new", "--patterns", "--json")["patterns"]
    assert [item["name"] for item in listed] == IDS


@pytest.mark.parametrize("item", PATTERNS, ids=IDS)
def test_it_is_drawn_without_a_remark_and_compiles(item: Pattern) -> None:
    design = draw_pattern(item, standard())
    assert check(design, standard()).diagnostics == ()
    assert compile_design(design, standard()).losses
    assert storage.dumps(storage.loads(storage.dumps(design))) == storage.dumps(design)
    nodes = list(design.graph.nodes.values())
    assert len({(node.x, node.y) for node in nodes}) == len(nodes), "no node on another"


@pytest.mark.parametrize("item", PATTERNS, ids=IDS)
def test_it_is_trained_at_once(item: Pattern, tmp_path: Path, told: Any) -> None:
    drawn = told("new", "--pattern", item.name, tmp_path / "mine", "--json")
    assert drawn["pattern"] == item.name
    file = Path(drawn["design"])
    assert file == tmp_path / "mine.rnn"
    ridge = item.training.get("optimiser") == "ridge"
    steps = () if ridge else ("--steps", 1)
    trained = told("train", file, "--run", tmp_path / "run", *steps, "--set", "threads=1", "--json")
    assert trained["state"] == "finished"
    assert math.isfinite(trained["validation_loss"])


def test_a_pattern_is_found_by_its_row_and_an_unknown_one_is_told(
    tmp_path: Path, told: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told("new", "--pattern", "16", tmp_path / "a", "--json")["pattern"] == "attention"
    assert main(["new", "--pattern", "transformer", str(tmp_path / "b")]) == 2
    assert "Patterns: one-to-one, delay-taps" in capsys.readouterr().err
    assert not (tmp_path / "b.rnn").exists()
    assert main(["new"]) == 2
    assert "new --patterns" in capsys.readouterr().err
    assert main(["new", "--pattern", "16", str(tmp_path / "a")]) == 2
    assert "already" in capsys.readouterr().err


def test_costs_are_shown_with_their_parts(tmp_path: Path, told: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = told("new", "--pattern", "gated-cells", tmp_path / "mine", "--json")["design"]
    found = told("show", file, "--costs", "--json")
    products = 4 * 32 * (2 + 32) + 3 * 32  # the LSTM, at each step; the readout once
    assert found["multiply_adds_by_axes"] == {"time": products, "": 32}
    assert found["lengths"] == {"time": 20}
    assert found["multiply_adds"] == 20 * products + 32
    assert found["parameters"] == 4 * 32 * (2 + 32 + 1) + 33
    memory = found["memory"]
    assert memory["total"] == sum(memory[part] for part in ("parameters", "gradients", "optimiser", "activations"))
    assert memory["optimiser"] == 2 * memory["gradients"] == 8 * found["trained"]
    assert main(["show", file, "--costs"]) == 0
    assert "values kept for the way back" in capsys.readouterr().out
    assert main(["show", file, "--source", "--json"]) == 2
