"""The contracts of pyproject.toml hold, and each of them bites: a planted violation is found and named."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LINT = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"

# (module to plant the line in, what it imports). A module that does not exist is made.
VIOLATIONS = [
    # design <- catalog <- compiler <- runtime <- training <- studio
    ("design.planted", "rnnstudio.catalog"),
    ("catalog.planted", "rnnstudio.compiler"),
    ("compiler.planted", "rnnstudio.runtime"),
    ("runtime.planted", "rnnstudio.training"),
    ("training.planted", "rnnstudio.studio"),
    ("studio.planted", "rnnstudio.cli"),
    ("studio.planted", "rnnstudio.headless"),
    ("gallery", "rnnstudio.studio"),
    ("system", "rnnstudio.design"),
    # data and export beside training
    ("export.planted", "rnnstudio.training"),
    ("data.planted", "rnnstudio.catalog"),
    ("data.planted", "rnnstudio.compiler"),
    ("data.planted", "rnnstudio.runtime"),
    ("proposals.planted", "rnnstudio.data"),
    ("data.planted", "rnnstudio.proposals"),
    ("compiler.planted", "rnnstudio.proposals"),
    ("runtime.planted", "rnnstudio.data"),
    ("training.planted", "rnnstudio.export"),
    ("export.planted", "rnnstudio.studio"),
    # plugins: the loader serves training, and what plugins import stands above export
    ("loading.planted", "rnnstudio.training"),
    ("training.planted", "rnnstudio.plugins"),
    ("plugins", "rnnstudio.studio"),
    ("api", "rnnstudio.studio"),
    ("training.planted", "rnnstudio.api"),
    # Qt
    ("design.planted", "PySide6.QtCore"),
    ("catalog.planted", "PySide6.QtGui"),
    ("compiler.planted", "pyqtgraph"),
    ("proposals.planted", "PySide6.QtGui"),
    ("runtime.planted", "PySide6"),
    ("data.planted", "PySide6.QtCore"),
    ("training.planted", "shiboken6"),
    ("export.planted", "pyqtgraph"),
    ("system", "PySide6.QtCore"),
    ("cli", "PySide6.QtWidgets"),
    ("headless.planted", "PySide6.QtCore"),
    ("gallery", "PySide6.QtCore"),
    ("__main__", "pyqtgraph"),
    ("loading.planted", "PySide6"),
    ("plugins", "PySide6.QtCore"),
    ("api", "pyqtgraph"),
    # torch
    ("design.planted", "torch"),
    ("catalog.planted", "torch.nn"),
    ("compiler.planted", "torch"),
    ("proposals.planted", "torch"),
    ("data.planted", "torch"),
    ("studio.planted", "torch.nn"),
    ("system", "torch"),
    ("cli", "torch"),
    ("headless.planted", "torch"),
    ("gallery", "torch"),
    ("__main__", "torch"),
    ("loading.planted", "torch"),
    ("plugins", "torch"),
    ("api", "torch"),
    ("training.events", "torch"),
    ("training.settings", "torch"),
    ("training.runs", "torch.nn"),
    ("training.history", "torch"),
    ("training.outbox", "torch"),
    ("training.requests", "torch"),
    ("training.client", "torch"),
]
ALLOWED = ["data.batches", "runtime.planted", "training.planted", "export.planted"]


@pytest.fixture
def copy(tmp_path: Path, pytestconfig: pytest.Config) -> Path:
    """A folder with the project's code and its contracts, to plant in."""
    compiled = shutil.ignore_patterns("__pycache__")
    shutil.copytree(pytestconfig.rootpath / "rnnstudio", tmp_path / "rnnstudio", ignore=compiled)
    shutil.copy(pytestconfig.rootpath / "pyproject.toml", tmp_path)
    return tmp_path


def plant(folder: Path, module: str, imported: str) -> None:
    with (folder / "rnnstudio" / f"{module.replace('.', '/')}.py").open("a", encoding="utf-8") as file:
        file.write(f"\ndef planted_{imported.replace('.', '_')}():\n    import {imported}\n")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", LINT, "--no-cache"], cwd=folder, capture_output=True, text=True)


def test_the_code_keeps_the_contracts(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout + result.stderr


def test_each_planted_violation_is_named(copy: Path) -> None:
    for module, imported in VIOLATIONS:
        plant(copy, module, imported)
    result = lint(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    for module, imported in VIOLATIONS:
        target = imported if imported.startswith("rnnstudio") else imported.split(".")[0]
        assert f"rnnstudio.{module} -> {target} (l." in result.stdout, f"{module} may import {imported}"


def test_a_new_package_has_to_be_given_its_place(copy: Path) -> None:
    (copy / "rnnstudio" / "newcomer").mkdir()
    (copy / "rnnstudio" / "newcomer" / "__init__.py").touch()
    result = lint(copy)
    assert result.returncode == 1
    assert "newcomer" in result.stdout


def test_what_may_import_torch_may(copy: Path) -> None:
    for module in ALLOWED:
        plant(copy, module, "torch")
    result = lint(copy)
    assert result.returncode == 0, result.stdout + result.stderr
