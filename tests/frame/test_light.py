"""Starting is quick because nothing heavy is loaded before it is needed: what each package loads when imported.

The contracts of test_imports.py look at single import lines; this looks at what is loaded in the end.
"""

import json
import pkgutil
import subprocess
import sys

import pytest

import rnnstudio

QT = {"PySide6", "shiboken6", "pyqtgraph"}
LIGHT = ["rnnstudio", "rnnstudio.system", "rnnstudio.cli", "rnnstudio.gallery"]
PACKAGES_WITHOUT_TORCH = ["design", "catalog", "compiler", "data", "loading", "plugins", "api"]
MODULES_WITH_TORCH = {"rnnstudio.data.batches"}
TRAINING_WITHOUT_TORCH = ["events", "settings", "runs", "history", "outbox", "requests", "client"]

LOADED = """
import importlib, json, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def modules_of(package: str) -> list[str]:
    """All modules that are there below rnnstudio.<package>, found without importing them."""
    folders = [f"{folder}/{package}" for folder in rnnstudio.__path__]
    return [f"rnnstudio.{package}", *(m.name for m in _walk(folders, f"rnnstudio.{package}."))]


def _walk(folders: list[str], prefix: str) -> list[pkgutil.ModuleInfo]:
    found = []
    for module in pkgutil.iter_modules(folders, prefix):
        found.append(module)
        if module.ispkg:
            name = module.name.rpartition(".")[2]
            found += _walk([f"{folder}/{name}" for folder in folders], module.name + ".")
    return found


def loaded_by(modules: list[str]) -> set[str]:
    """The top-level packages in memory after a new Python imported these."""
    command = [sys.executable, "-c", LOADED, json.dumps(modules)]
    return set(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))


def test_the_top_level_loads_neither_torch_nor_qt_nor_numpy() -> None:
    assert not loaded_by(LIGHT) & {"torch", "numpy", *QT}


@pytest.mark.parametrize("package", PACKAGES_WITHOUT_TORCH)
def test_a_package_without_torch_loads_neither_torch_nor_qt(package: str) -> None:
    assert not loaded_by([name for name in modules_of(package) if name not in MODULES_WITH_TORCH]) & {"torch", *QT}


def test_what_the_window_uses_of_training_loads_neither_torch_nor_qt() -> None:
    assert not loaded_by([f"rnnstudio.training.{name}" for name in TRAINING_WITHOUT_TORCH]) & {"torch", *QT}


def test_the_studio_paints_before_it_loads_torch() -> None:
    assert "torch" not in loaded_by(modules_of("studio"))


def test_the_headless_parts_load_no_qt() -> None:
    modules = [name for package in ("runtime", "training", "export") for name in modules_of(package)]
    assert not loaded_by(modules) & QT
