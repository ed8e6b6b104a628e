"""Draws the gallery's designs and writes them as .rnn files: `.venv/bin/python scripts/draw_gallery.py`.

The files are what ships; this script is how they came about, and the place to change them.
"""

from __future__ import annotations

from pathlib import Path

from rnnstudio import data
from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import check
from rnnstudio.design.design import Design, Graph, Var, frozen
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.design.storage import save

GALLERY = Path(__file__).resolve().parent.parent / "resources" / "gallery"


def char_lm() -> Design:
    """Pattern 4 of the field: an output at every step, recurrence from hidden to hidden."""
    s = Sketch(column=260)
    s.add("text", "TokenInput", at=(0, 1), title="characters")
    s.add("embedding", "Embedding", at=(1, 1), params={"units": Var("embedding"), "init": "normal"}, input="text")
    s.add("lstm", "cell", at=(2, 1), params={"cell": "LSTM", "units": Var("hidden")}, title="LSTM", x="embedding")
    s.add("readout", "Linear", at=(3, 1), params={"units": Var("next_size")}, input="lstm.h")
    s.add("next", "TokenTarget", at=(3, 2.2), title="next character")
    s.add("loss", "CrossEntropy", at=(4, 1), prediction="readout", target="next")
    return _design(
        "char-lm",
        "A character language model: it reads Shakespeare letter by letter and learns to tell the next one.",
        s.graph(),
        {"hidden": 192, "embedding": 48},
        DataRecipe("text", "shakespeare.txt", {"level": "characters"}, (0.9, 0.05, 0.05)),
        {
            "epochs": 6,
            "batch_size": 32,
            "chunk": 100,
            "carry": True,
            "optimiser": "adam",
            "learning_rate": 0.004,
            "schedule": "cosine",
            "clip_norm": 1.0,
            "validate_every": 100,
            "sample_prompt": "ROMEO.\n",
            "sample_length": 300,
        },
    )


def sunspots() -> Design:
    """Patterns 2 and 4: a series read step by step, the next value predicted at every step."""
    s = Sketch(column=260)
    s.add("inputs", "FeatureInput", at=(0, 1), title="sunspots")
    s.add("gru", "cell", at=(1, 1), params={"cell": "GRU", "units": Var("hidden")}, title="GRU", x="inputs")
    s.add("readout", "Linear", at=(2, 1), params={"units": Var("targets_size")}, input="gru.h")
    s.add("targets", "FeatureTarget", at=(2, 2.2), title="next year")
    s.add("loss", "MeanSquaredError", at=(3, 1), prediction="readout", target="targets")
    return _design(
        "sunspots",
        "A forecaster: the yearly number of sunspots since 1700, one year ahead.",
        s.graph(),
        {"hidden": 32},
        DataRecipe("csv", "sunspots.csv", {"order": "year", "inputs": ["sunspots"], "window": 40}, (0.7, 0.15, 0.15)),
        {
            "epochs": 60,
            "batch_size": 16,
            "chunk": 40,
            "carry": False,
            "optimiser": "adam",
            "learning_rate": 0.01,
            "schedule": "cosine",
            "clip_norm": 1.0,
            "patience": 25,
        },
    )


def _design(
    name: str,
    doc: str,
    graph: Graph,
    variables: dict[str, int],
    recipe: DataRecipe,
    training: dict[str, object],
) -> Design:
    used = {str(n.params["cell"]) for n in graph.nodes.values() if n.kind == "cell"}
    cells = {key: cell for name in sorted(used) for key, cell in standard().definitions_for(name).items()}
    complete = data.open(recipe, GALLERY / name).recipe
    return Design(
        name=name,
        doc=doc,
        variables=frozen(variables),
        graph=graph,
        cells=frozen(cells),
        data=complete,
        training=frozen(training),
    )


def main() -> None:
    for draw in (char_lm, sunspots):
        design = draw()
        problems = check(design, standard()).diagnostics
        if problems:
            raise SystemExit("\n".join(d.text() for d in problems))
        path = GALLERY / design.name / f"{design.name}.rnn"
        save(design, path)
        print(path.relative_to(GALLERY.parent.parent), path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
