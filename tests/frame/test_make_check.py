"""`make check` really runs the import contracts: `python -m importlinter.cli` would end well and do nothing."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_command_that_checks_the_imports_counts_them() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ncheck:")[2].partition("\n\n")[0]
    commands = [line.strip().removeprefix("@") for line in recipe.splitlines()[1:]]
    (contracts,) = [command for command in commands if "import" in command]
    done = subprocess.run(contracts.split(), cwd=ROOT, capture_output=True, text=True, check=True)
    found = re.search(r"Contracts: (\d+) kept, 0 broken", done.stdout)
    assert found is not None, done.stdout
    assert int(found[1]) >= 5
