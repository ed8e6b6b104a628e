"""Plugins of packages and of the user's folder: the good are there, a failing one is told, and nothing else stops."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from rnnstudio import data, loading
from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check, compile_design
from rnnstudio.data import readers
from rnnstudio.design.cell_file import save_cell
from rnnstudio.design.design import Design, Pin, Wire
from rnnstudio.design.edits import AddNode, Connect
from rnnstudio.design.errors import StudioError
from rnnstudio.loading import Loaded, discover, plugin_folder

ALL = "from rnnstudio.plugins import *\n"

NODE = """
from rnnstudio.plugins import *

class {name}(NodeKind):
    name = title = "{name}"
    family = "Pointwise"
    doc = "Twice the input."
    inputs = (Port("input"),)
    params = (Param("times", "float", 2.0),)

    def infer(self, inputs, params, context):
        return {{"out": inputs["input"]}}

    def build(self, builder, inputs, params):
        x = inputs["input"]
        return {{"out": builder.op("affine", (x,), x.signal, scale=params["times"], offset=0.0)}}

plugin = Plugin("{plugin}", "1.2", nodes=[{name}()])
"""


def module(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.py").write_text(text, encoding="utf-8")


def node(folder: Path, name: str, plugin: str = "") -> None:
    module(folder, plugin or name.lower(), NODE.format(name=name, plugin=plugin or name.lower()))


def drawing(kind: str) -> Design:
    s = Sketch()
    s.add("x", "FeatureInput", at=(0, 0), params={"size": 3})
    s.add("mine", kind, at=(1, 0), input="x")
    s.add("out", "Output", at=(2, 0), input="mine")
    return Design(graph=s.graph())


def reasons(loaded: Loaded) -> dict[str, str]:
    return {problem.name: problem.reason for problem in loaded.problems}


def test_without_plugins_there_is_the_studios_own_catalogue(tmp_path: Path) -> None:
    loaded = discover(tmp_path / "none", [])
    assert loaded.catalog.kinds == standard().kinds
    assert (loaded.plugins, loaded.problems) == ((), ())


def test_a_module_and_a_package_in_the_users_folder_are_found(tmp_path: Path) -> None:
    node(tmp_path, "Twice")
    package = tmp_path / "thrice"
    package.mkdir()
    (package / "factors.py").write_text("FACTOR = 3.0\n")
    text = NODE.format(name="Thrice", plugin="thrice").replace("2.0", "FACTOR")
    (package / "__init__.py").write_text(text.replace("import *", "import *\nfrom .factors import FACTOR", 1))
    loaded = discover(tmp_path, [])
    assert loaded.problems == ()
    assert [found.plugin.name for found in loaded.plugins] == ["thrice", "twice"]
    assert check(drawing("Twice"), loaded.catalog).errors == ()
    (op,) = (op for region in compile_design(drawing("Thrice"), loaded.catalog).regions for op in region.ops)
    assert op.attrs["scale"] == 3.0


def test_a_cell_file_in_the_users_folder_is_in_the_library(tmp_path: Path) -> None:
    save_cell(standard().cells["GRU"].replace(name="MyGRU"), tmp_path / "mine.rnncell")
    loaded = discover(tmp_path, [])
    assert "MyGRU" in loaded.catalog.cells
    assert loaded.plugins[0].adds() == {"cells": ["MyGRU"]}


def test_an_entry_point_of_an_installed_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node(tmp_path, "Doubled", "doubled_plugin")
    info = tmp_path / "doubled-3.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: doubled\nVersion: 3.1\n")
    (info / "entry_points.txt").write_text("[rnnstudio.plugins]\ndoubled = doubled_plugin:plugin\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    loaded = discover(tmp_path / "none")
    (found,) = (f for f in loaded.plugins if f.plugin.name == "doubled_plugin")
    assert found.origin == "installed package doubled 3.1"
    assert "Doubled" in loaded.catalog.kinds
    del sys.modules["doubled_plugin"]


@pytest.mark.parametrize("name", ["rnnstudio-minimal-gated", "rnnstudio-abc"])
def test_the_example_plugins_declare_themselves_as_entry_points(name: str, pytestconfig: pytest.Config) -> None:
    folder = pytestconfig.rootpath / "plugins" / name
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    points = project["project"]["entry-points"]["rnnstudio.plugins"]
    for package in project["tool"]["setuptools"]["packages"]:
        assert (folder / package / "__init__.py").is_file()
    loaded = discover(Path("none"), [EntryPoint(key, value, "rnnstudio.plugins") for key, value in points.items()])
    assert loaded.problems == ()
    assert [f.plugin.version for f in loaded.plugins] == [project["project"]["version"]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import no_such_module_anywhere\n", "ModuleNotFoundError: No module named.*broken.py, line 1"),
        ("x = 1 +\n", "SyntaxError: invalid syntax.*broken.py, line 1"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("import sys; sys.exit(3)\n", "SystemExit: 3"),
        ("x = 1\n", "no `plugin = Plugin"),
        ("plugin = 3\n", "gives a int where a Plugin belongs"),
        ("from rnnstudio.plugins import Plugin\nplugin = Plugin\n", "gives the class Plugin where"),
        (ALL + "plugin = Plugin('')\n", "it has no name"),
        (ALL + "plugin = Plugin('p', nodes=[3])\n", "its nodes hold a int, not a NodeKind"),
        (ALL + "plugin = Plugin('p', nodes=[NodeKind])\n", "give an instance, NodeKind"),
        (ALL + "plugin = Plugin('p', nodes=[NodeKind()])\n", "NodeKind has no name"),
        (ALL + "plugin = Plugin('p', nodes=3)\n", "its nodes are a int, not a list"),
        (NODE.format(name="Tanh", plugin="p"), "a node called 'Tanh', and there is one already"),
        (NODE.format(name="Twice", plugin="p").replace('"Pointwise"', '"Data"'), "only the studio's own"),
        (NODE.format(name="Twice", plugin="p").replace("2.0", "'x'"), "a default that does not fit"),
        (NODE.format(name="Twice", plugin="p").replace('Port("input")', '"input"'), "hold a str, not a Port"),
        (NODE.format(name="Twice", plugin="p").replace("def build", "def other"), r"does not define build\(\)"),
        (
            ALL + "from pathlib import Path\nplugin = Plugin('p', cells=[Path('none.rnncell')])",
            "no such design file.*none.rnncell",
        ),
        (
            ALL + "s = Sketch()\ns.add('x', 'CellInput', at=(0, 0))\n"
            "s.add('a', 'Add', at=(0, 0), a='x', b='a')\ns.add('h', 'CellOutput', at=(0, 0), input='a')\n"
            "plugin = Plugin('p', cells=[s.cell('Loop', {}, '', '')])",
            "the cell Loop is drawn wrongly: a forms a loop within one step",
        ),
        (
            ALL + "class R(Reader):\n  name = 'csv'\n  title = 't'\nplugin = Plugin('p', readers=[R()])",
            "a reader called 'csv', and there is one already",
        ),
        (
            ALL + "class R(Reader):\n  name = 'mine'\n  title = 't'\n  suffixes = ('.csv',)\n"
            "plugin = Plugin('p', readers=[R()])",
            "wants .csv files, which have a reader already",
        ),
        (
            ALL + "class E(Exporter):\n  name = 'python'\n  title = 't'\nplugin = Plugin('p', exporters=[E()])",
            "an exporter called 'python', and there is one already",
        ),
    ],
)
def test_a_failing_plugin_is_told_by_name_and_the_others_work(text: str, told: str, tmp_path: Path) -> None:
    node(tmp_path, "After", "zz")
    node(tmp_path, "Before", "aa")
    module(tmp_path, "broken", text)
    loaded = discover(tmp_path, [])
    (problem,) = loaded.problems
    assert (problem.name, problem.origin) == ("broken", str(tmp_path / "broken.py"))
    assert re.search(told, problem.reason), problem.reason
    assert "\n" not in problem.text()
    assert {"After", "Before"} < set(loaded.catalog.kinds)
    assert set(loaded.catalog.kinds) - set(standard().kinds) == {"After", "Before"}


def test_of_two_plugins_with_one_name_or_node_the_first_stands(tmp_path: Path) -> None:
    node(tmp_path, "Same", "a")
    node(tmp_path, "Same", "b")
    module(tmp_path, "c", NODE.format(name="Other", plugin="a"))
    loaded = discover(tmp_path, [])
    assert [f.plugin.name for f in loaded.plugins] == ["a"]
    assert "'Same', and there is one already" in reasons(loaded)["b"]
    assert reasons(loaded)["c"] == "another plugin has the same name."


def test_a_plugin_with_one_bad_part_adds_nothing(tmp_path: Path) -> None:
    text = NODE.format(name="Good", plugin="p").replace("nodes=[Good()]", "nodes=[Good(), 3]")
    module(tmp_path, "p", text)
    loaded = discover(tmp_path, [])
    assert "Good" not in loaded.catalog.kinds
    assert len(loaded.problems) == 1


@pytest.mark.parametrize(
    ("infer", "told"),
    [
        ("1 / 0", "failed: ZeroDivisionError: division by zero"),
        ("return {}", "gives no signal for “out”"),
        ("return {'out': 3}", "gives no signal for “out”"),
    ],
)
def test_a_node_that_fails_while_checking_is_a_diagnostic_at_it(infer: str, told: str, tmp_path: Path) -> None:
    module(tmp_path, "p", NODE.format(name="Bad", plugin="bad one").replace('return {"out": inputs["input"]}', infer))
    loaded = discover(tmp_path, [])
    (error,) = check(drawing("Bad"), loaded.catalog).errors
    assert (error.code, error.nodes) == ("PluginFailed", ("mine",))
    assert "the plugin “bad one”" in error.message
    assert told in error.message
    assert check(drawing("Tanh"), loaded.catalog).ok


@pytest.mark.parametrize(
    ("build", "told"),
    [
        ("raise RuntimeError('no')", "the plugin “p” failed: RuntimeError: no"),
        ("return {}", "builds no value for “out”"),
        ("return {'out': builder.op('teleport', (), inputs['input'].signal)}", "teleport is no primitive"),
    ],
)
def test_a_node_that_fails_while_compiling_is_told_with_its_plugin(build: str, told: str, tmp_path: Path) -> None:
    head, _, _ = NODE.format(name="Bad", plugin="p").partition("        x = inputs")
    module(tmp_path, "p", f"{head}        {build}\n\nplugin = Plugin('p', nodes=[Bad()])\n")
    loaded = discover(tmp_path, [])
    with pytest.raises(StudioError, match=told):
        compile_design(drawing("Bad"), loaded.catalog)
    delayed = drawing("Bad").graph.nodes["mine"].replace(id="before", kind="Delay")
    design = AddNode(delayed).apply(drawing("Bad"))
    design = Connect(Wire(Pin("mine", "out"), Pin("before", "input"))).apply(design)
    (error,) = check(design, loaded.catalog).errors
    assert (error.code, error.nodes) == ("PluginFailed", ("mine",))


def test_the_process_loads_its_plugins_once_and_knows_their_readers(tmp_path: Path) -> None:
    text = (
        ALL + "class R(Reader):\n  name = 'lines'\n  title = 'Lines'\n  suffixes = ('.lines',)\n"
        "plugin = Plugin('lines', readers=[R()])"
    )
    plugin_folder().mkdir(parents=True)
    module(plugin_folder(), "lines", text)
    loading.discovery._load_once.cache_clear()
    try:
        assert loading.load_plugins() is loading.load_plugins()
        (tmp_path / "a.LINES").write_text("one\ntwo\n")
        assert data.guess(tmp_path / "a.LINES").reader == readers.find("lines").name == "lines"
    finally:
        (plugin_folder() / "lines.py").unlink()
        loading.discovery._load_once.cache_clear()
        loading.load_plugins()
