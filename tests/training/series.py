"""A little series and a decoder of it, for tests of the window too: nothing here imports torch."""

from __future__ import annotations

import math
from pathlib import Path

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.data import open_dataset
from rnnstudio.design.design import Design, frozen
from rnnstudio.design.recipe import DataRecipe


def series_file(folder: Path, rows: int = 300, scale: float = 1.0) -> Path:
    lines = ["year,wave"]
    lines += [f"{1700 + t},{scale * (3 + math.sin(t / 3) + 0.3 * math.sin(t / 7)):.6f}" for t in range(rows)]
    path = folder / "wave.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def continuer(path: Path, hidden: int = 12) -> Design:
    """An encoder reads a stretch of a series, a decoder writes the stretch one step later, fed with what it wrote."""
    recipe = open_dataset(DataRecipe("csv", path.name, options={"order": "year"}, split=(0.7, 0.15, 0.15)), path.parent)
    s = Sketch()
    s.add("inputs", "FeatureInput", at=(0, 0), params={"axis": "source"})
    s.add("encoder", "cell", at=(1, 0), params={"cell": "GRU", "units": hidden}, x="inputs")
    s.add("thought", "Last", at=(2, 0), input="encoder.h")
    s.add("targets", "FeatureTarget", at=(0, 2), params={"axis": "target"})
    s.add("feedback", "Feedback", at=(1, 2), prediction="readout", target="targets")
    s.add("decoder", "cell", at=(3, 1), params={"cell": "GRU", "units": hidden}, x="feedback", h0="thought")
    s.add("readout", "Linear", at=(4, 1), params={"units": 1}, input="decoder.h")
    s.add("loss", "MeanSquaredError", at=(5, 1), prediction="readout", target="targets")
    return design_of("continuer", s, recipe.recipe, "GRU")


def design_of(name: str, sketch: Sketch, recipe: DataRecipe, *cells: str) -> Design:
    library = standard().cells
    return Design(name=name, graph=sketch.graph(), cells=frozen({cell: library[cell] for cell in cells}), data=recipe)
