"""The designs that ship: each loads, has nothing wrong with it, compiles, and is what its script draws."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from rnnstudio import data
from rnnstudio.catalog.catalog import standard
from rnnstudio.compiler import check, compile_design
from rnnstudio.design.storage import dumps, load
from rnnstudio.runtime import Network

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "resources" / "gallery").glob("*/*.rnn"))
LOOPS = {"char-lm": ("lstm",), "sunspots": ("gru",)}
"""What torch.nn's kernels the loops of an example are."""


def drawing_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_gallery", ROOT / "scripts" / "draw_gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_gallery_has_its_examples() -> None:
    assert set(LOOPS) <= {path.stem for path in FILES}
    assert all(path.parent.name == path.stem for path in FILES)
    assert all((path.parent / "README.md").is_file() for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_has_nothing_wrong_and_compiles(path: Path) -> None:
    design = load(path)
    assert dumps(design) == path.read_text(encoding="utf-8")
    assert [d.text() for d in check(design, standard()).diagnostics] == []
    program = compile_design(design, standard())
    assert program.losses
    if design.name in LOOPS:
        kinds = tuple(scan.kernel.kind if scan.kernel else scan.why_not for scan in program.scans())
        assert kinds == LOOPS[design.name]
    assert len(Network(program).weights) == len(program.parameters)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_knows_its_data_as_it_is(path: Path) -> None:
    design = load(path)
    assert design.data is not None
    assert (path.parent / design.data.path).is_file()
    assert data.open(design.data, path.parent).recipe == design.data


@pytest.mark.parametrize("name", LOOPS)
def test_an_example_is_what_its_script_draws(name: str) -> None:
    drawn = getattr(drawing_script(), name.replace("-", "_"))()
    assert dumps(drawn) == (ROOT / "resources" / "gallery" / name / f"{name}.rnn").read_text(encoding="utf-8")
