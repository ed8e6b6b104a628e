"""The files of the documentation's pictures are taken for what the pictures are to show."""

from __future__ import annotations

from pathlib import Path

from rnnstudio import data
from scripts.screens.data import files

KINDS = {
    "text": "text",
    "long-form": "csv",
    "labelled-text": "labelled",
    "conll-u": "tagged",
    "pairs": "pairs",
    "trees": "trees",
}


def test_each_file_is_read_as_its_kind(tmp_path: Path) -> None:
    found = files(tmp_path)
    assert {kind: data.guess(path).reader for kind, path in found.items()} == KINDS
    assert all(data.inspect(data.guess(path)).usable for path in found.values())
