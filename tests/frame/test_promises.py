"""Each promise of ARCHITECTURE.md names a test that is there."""

import ast
import re

import pytest


def test_every_promise_has_its_test(pytestconfig: pytest.Config) -> None:
    text = (pytestconfig.rootpath / "ARCHITECTURE.md").read_text("utf-8")
    rows = re.findall(r"^\| .* \| `(tests/[^`:]+)::(test_\w+)` \|$", text, re.MULTILINE)
    assert len(rows) > 25
    missing = []
    for file, name in rows:
        tree = ast.parse((pytestconfig.rootpath / file).read_text("utf-8"))
        if name not in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}:
            missing.append(f"{file}::{name}")
    assert missing == []
