"""Every function of an exported file does what the studio does with the model, for prompts and rows nobody has seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnstudio
from rnnstudio import data
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.export import Certificate, export_python, functions
from rnnstudio.export.alone import DATA, MODEL, Alone, Refused
from rnnstudio.runtime import Network
from rnnstudio.runtime.generate import forecast
from rnnstudio.training import events as ev
from rnnstudio.training.evaluate import Trained, forecast_on, load_trained
from rnnstudio.training.runs import Run
from rnnstudio.training.settings import settings_from
from rnnstudio.training.showing import Writer
from rnnstudio.training.trainer import Trainer

CASES = Path(__file__).parents[1] / "data"
NUMBERS = {"load", "forward", "loss", "scaled", "unscaled", "forecast", "forecast_ahead"}
TEXTS = {"load", "forward", "loss", "pieces", "join", "encode", "following", "generate", "write", "main"}


def reader(loss: str = "MeanSquaredError", units: int = 6, cell: str = "GRU") -> rnnstudio.Drawing:
    design = rnnstudio.new("reader")
    x, y = design.add("FeatureInput", "x"), design.add("FeatureTarget", "y")
    design.add(cell, "memory", units=units, x=x)
    design.add("Linear", "next", units=rnnstudio.Var("targets_size"), input="memory")
    design.add(loss, "loss", prediction="next", target=y)
    return design


def speller(units: int = 6, cell: str = "GRU") -> rnnstudio.Drawing:
    design = rnnstudio.new("speller")
    text, following = design.add("TokenInput", "text"), design.add("TokenTarget", "next")
    design.add("Embedding", "embedding", units=4, input=text)
    design.add(cell, "memory", units=units, x="embedding")
    design.add("Linear", "readout", units=rnnstudio.Var("next_size"), input="memory")
    design.add("CrossEntropy", "loss", prediction="readout", target=following)
    return design


def trained(design: rnnstudio.Drawing, folder: Path, **values: Any) -> Run:
    """A short training on the design's data."""
    assert design.design.data is not None
    dataset = data.open(design.design.data, folder)
    asked = settings_from({"epochs": 1, "batch_size": 8, "seed": 2, "sample_length": 0, **values})
    trainer = Trainer(design.design, dataset, asked, folder / "run", base_folder=folder)
    assert isinstance(list(trainer.events())[-1], ev.Finished)
    return Run.open(folder / "run")


@contextmanager
def exported(run: Run, folder: Path) -> Iterator[tuple[Network, DataRecipe, Certificate, Alone]]:
    """The best model of a run, its recipe, the certificate of its export, and the file alone."""
    found = load_trained(run, mode="free")
    certificate = export_python(found.network, found.recipe, folder / "model.py")
    with Alone(folder / "model.py") as alone:
        yield found.network, found.recipe, certificate, alone


# Numbers


def read_series(folder: Path) -> tuple[np.ndarray, rnnstudio.Drawing]:
    (folder / "large-offset.csv").write_bytes((CASES / "large-offset.csv").read_bytes())
    design = reader(units=8)
    dataset = design.read(folder / "large-offset.csv")
    assert dataset.raw is not None
    return dataset.raw, design


def test_a_large_offset_costs_an_exported_forecast_no_digits(tmp_path: Path) -> None:
    rows, design = read_series(tmp_path)
    run = trained(design, tmp_path, epochs=5)
    amplitude = float(np.ptp(rows)) / 2
    with exported(run, tmp_path) as (network, recipe, certificate, alone):
        said = np.array(alone.call("forecast", [rows.tolist()]))
        given, wanted = recipe.field("inputs"), recipe.field("targets")
        x = ((rows - np.array(given.mean)) / np.array(given.std)).astype(np.float32)
        with torch.no_grad():
            (y,) = network({"inputs": torch.from_numpy(x)[None]}).outputs.values()
        live = y[0].double().numpy() * np.array(wanted.std) + np.array(wanted.mean)
        assert np.abs(said - live).max() < 1e-6 * amplitude
        ahead = np.array(alone.call("forecast_ahead", [rows.tolist(), 9]))
        for wrong in ([], [[1.0, 2.0]], [1.0, 2.0]):
            with pytest.raises(Refused, match="ValueError: rows of 1 numbers are needed: meter"):
                alone.call("forecast", [wrong])
    field, printed = forecast_on(run, 9)
    assert np.abs(ahead - np.array(printed)).max() < 1e-6 * amplitude
    assert set(certificate.functions) == NUMBERS
    told = [float(field.shown(0, row[0])) for row in printed]
    assert np.abs(np.array(told) - np.array(printed)[:, 0]).max() < 1e-3 * amplitude
    assert len(set(told)) == 9


def test_probabilities_are_forecast_as_such(tmp_path: Path) -> None:
    (tmp_path / "faults.csv").write_text("fault\n" + "".join(f"{int(n % 5 == 0)}\n" for n in range(300)))
    design = reader("BinaryCrossEntropy")
    design.read(tmp_path / "faults.csv")
    run = trained(design, tmp_path)
    rows = [[1.0], [0.0], [0.0], [0.0]]
    with exported(run, tmp_path) as (network, _, certificate, alone):
        said = torch.tensor(alone.call("forecast", [rows]))
        with torch.no_grad():
            (logits,) = network({"inputs": torch.tensor(rows)[None]}).outputs.values()
        assert torch.allclose(said, logits[0].sigmoid(), atol=1e-6)
        ahead = torch.tensor(alone.call("forecast_ahead", [rows, 6]))
        assert torch.allclose(ahead, forecast(network, torch.tensor(rows)[None], 6)[0], atol=1e-6)
    assert set(certificate.functions) == NUMBERS
    assert all(0 < row[0] < 1 for row in forecast_on(run, 4)[1])
    drawn = [event for event in run.events() if isinstance(event, ev.Forecast)][-1]
    assert 0 < drawn.prediction.min() < drawn.prediction.max() < 1


# Texts


PROMPTS = (
    "Anna, who",
    "anna , WHO",
    "zebra",
    "",
    " ",
    "\n",
    "The cat (and the dog), ",
    "über 1,000 Zebras… “so” it's well-known_",
    "\u2047 İ ß ΣΑΣ 🦓",
)


def by_words(folder: Path) -> rnnstudio.Drawing:
    (folder / "text.txt").write_bytes((CASES / "capitals-and-commas.txt").read_bytes())
    design = speller()
    design.read(data.guess(folder / "text.txt"), level="words", lowercase=True)
    return design


def test_words_with_folded_capitals_are_read_and_written_as_in_the_studio(tmp_path: Path) -> None:
    run = trained(by_words(tmp_path), tmp_path)
    with exported(run, tmp_path) as (network, recipe, certificate, alone):
        writer = Writer(network, recipe)
        assert writer.vocabulary is not None
        for prompt in PROMPTS:
            assert alone.call("encode", [prompt, DATA])[0].tolist() == writer.vocabulary.encode(prompt).tolist()
            for temperature, seed in ((0.0, 0), (0.8, 5), (1.5, 6)):
                live = prompt + writer.write(prompt, 25, temperature, seed)
                assert alone.call("write", [prompt, 25, temperature, seed]) == live
    assert set(certificate.functions) == TEXTS
    assert not any(comparison.difference for comparison in certificate.comparisons if comparison.function == "write")


def test_what_a_vocabulary_without_an_unknown_token_lacks_is_refused_by_both(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat, and the rat sat on the cat. " * 40)
    design = speller()
    design.read(tmp_path / "text.txt")
    with exported(trained(design, tmp_path), tmp_path) as (network, recipe, _, alone):
        with pytest.raises(StudioError, match="characters has no '!', 'A'"):
            Writer(network, recipe).write("Anna!", 3, 0.0, 0)
        with pytest.raises(Refused, match=r"ValueError: the vocabulary of \d+ characters has no '!', 'A'"):
            alone.call("write", ["Anna!", 3, 0.0])
        assert alone.call("write", ["", 9, 0.0]) == Writer(network, recipe).write("", 9, 0.0, 0)


def test_a_space_stands_where_a_reader_expects_one() -> None:
    words = data.Vocabulary(("⁇", "cat", ".", "(", "the"), "words")
    assert words.following("the", [1, 2]) == " cat."
    assert words.following("the cat", [2, 4]) == ". the"
    assert words.following("the ", [1, 2]) == "cat."
    assert words.following("(", [1, 2]) == "cat."
    assert words.following("", [1, 2]) == "cat."


# Whatever is asked


@given(
    rows=st.lists(st.lists(st.floats(-40, 40), min_size=2, max_size=2), min_size=1, max_size=70),
    steps=st.integers(0, 4),
)
@settings(max_examples=25, deadline=None)
def test_any_rows_give_what_the_studio_gives(
    two_columns: tuple[Network, DataRecipe, Alone], rows: list[list[float]], steps: int
) -> None:
    network, recipe, alone = two_columns
    given_, wanted = recipe.field("inputs"), recipe.field("targets")
    values = np.array(rows) * np.array(given_.std) / 10 + np.array(given_.mean)
    x = ((values - np.array(given_.mean)) / np.array(given_.std)).astype(np.float32)
    with torch.no_grad():
        (y,) = network({"inputs": torch.from_numpy(x)[None]}).outputs.values()
    said = (np.array(alone.call("forecast", [values.tolist()])) - np.array(wanted.mean)) / np.array(wanted.std)
    assert np.abs(said - y[0].double().numpy()).max() < 2e-6
    if steps:
        ahead = forecast(network, torch.from_numpy(x)[None], steps)[0].double().numpy()
        told = np.array(alone.call("forecast_ahead", [values.tolist(), steps]))
        assert np.abs((told - np.array(wanted.mean)) / np.array(wanted.std) - ahead).max() < 1e-5


@pytest.fixture(scope="module")
def two_columns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Network, DataRecipe, Alone]]:
    """A forecaster of two columns with very different offsets."""
    folder = tmp_path_factory.mktemp("numbers")
    lines = (f"{2e9 + 50 * np.sin(n / 5):.6f},{-3 + 0.001 * np.cos(n / 3):.9f}\n" for n in range(300))
    (folder / "t.csv").write_text("a,b\n" + "".join(lines))
    design = reader(cell="LSTM")
    design.read(folder / "t.csv")
    with exported(trained(design, folder), folder) as (network, recipe, _, alone):
        yield network, recipe, alone


@pytest.fixture(
    scope="module", params=["characters", "words", "words, folded", "bytes", "byte-pair", "byte-pair, folded"]
)
def writing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Writer, Alone]]:
    folder = tmp_path_factory.mktemp("texts")
    (folder / "text.txt").write_bytes((CASES / "capitals-and-commas.txt").read_bytes())
    level, _, folded = request.param.partition(", ")
    if level == "byte-pair":
        pytest.importorskip("tokenizers", reason="the extra bpe is not installed")
    design = speller()
    design.read(
        data.guess(folder / "text.txt"),
        level=level,
        lowercase=bool(folded),
        **({"size": 300} if level == "byte-pair" else {}),
    )
    with exported(trained(design, folder), folder) as (network, recipe, _, alone):
        yield Writer(network, recipe), alone


KNOWN = st.sampled_from(
    ["Anna", "anna", "who", ",", ".", " ", "\n", "(", "the", "The", "“", "zebra", "é", "'s", "1,000"]
)


@given(prompt=st.lists(KNOWN | st.characters(codec="utf-8"), max_size=12).map("".join), seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_any_prompt_is_read_and_continued_as_in_the_studio(
    writing: tuple[Writer, Alone], prompt: str, seed: int
) -> None:
    writer, alone = writing
    temperature = seed / 9
    try:
        live = prompt + writer.write(prompt, 8, temperature, seed)
    except StudioError:
        with pytest.raises(Refused, match="ValueError"):
            alone.call("write", [prompt, 8, temperature, seed])
        return
    assert alone.call("write", [prompt, 8, temperature, seed]) == live


def test_a_state_goes_on_from_call_to_call(writing: tuple[Writer, Alone]) -> None:
    writer, alone = writing
    assert writer.vocabulary is not None
    tokens = torch.arange(12)[None] % len(writer.vocabulary)
    whole, _ = alone.call("forward", [tokens])
    first, state = alone.call("forward", [tokens[:, :5]])
    second, _ = alone.call("forward", [tokens[:, 5:]], state=state)
    assert torch.allclose(torch.cat([first, second], 1), whole, atol=1e-6)
    (live,) = writer.network({"text": tokens}).outputs.values()
    assert torch.allclose(whole, live, atol=1e-6)
    assert alone.call("generate", [MODEL, tokens, 0]) == []


# A file that differs is not saved


@pytest.fixture(scope="module")
def of_words(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("words")
    return load_trained(trained(by_words(folder), folder), mode="free")


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("dtype=torch.float64)\n", "dtype=torch.float32)\n", "scaled"),
        ("return unscaled(y[0]", "return unscaled(y[0] + 0.001", "forecast differs by"),
        ("x = last", "x = x[:, -1:]", "forecast_ahead differs by"),
        ("+ torch.tensor(field", "- torch.tensor(field", "unscaled differs by"),
    ],
)
def test_a_wrong_function_of_numbers_is_not_saved(
    two_columns: tuple[Network, DataRecipe, Alone],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    right: str,
    wrong: str,
    told: str,
) -> None:
    network, recipe, _ = two_columns
    spoil(monkeypatch, right, wrong)
    with pytest.raises(StudioError, match=told):
        export_python(network, recipe, tmp_path / "out" / "model.py")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("text.lower()", "text", "pieces gives"),
        ("_WORD.findall(text.lower())", "text.lower().split()", "pieces gives"),
        ('numbers.get("\u2047")', "1", "encode gives"),
        ("argmax()", "argmin()", "generate writes other tokens"),
        ("manual_seed(seed)", "manual_seed(seed + 1)", "generate writes other tokens"),
        ("return join(written)", 'return " ".join(written)', "following gives"),
        ("print(text)\n    return text", "print(text)\n    return text + '!'", "main gives"),
        ("def main(", "def helper():\n    return 1\n\n\ndef main(", "exported helper are right"),
    ],
)
def test_a_wrong_function_of_texts_is_not_saved(
    of_words: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, right: str, wrong: str, told: str
) -> None:
    spoil(monkeypatch, right, wrong)
    with pytest.raises(StudioError, match=told):
        export_python(of_words.network, of_words.recipe, tmp_path / "out" / "model.py")
    assert not (tmp_path / "out").exists()


def spoil(monkeypatch: pytest.MonkeyPatch, right: str, wrong: str) -> None:
    """From now on the printed functions have a fault."""
    for offer in (functions.Texts, functions.Numbers):
        printed = offer.source
        monkeypatch.setattr(offer, "source", lambda self, printed=printed: printed(self).replace(right, wrong))


def test_the_certificate_names_each_function_its_inputs_and_the_largest_difference(
    of_words: Trained, tmp_path: Path
) -> None:
    export_python(of_words.network, of_words.recipe, tmp_path / "model.py")
    proof = json.loads((tmp_path / "model.certificate.json").read_text())["comparisons"]
    assert {item["function"] for item in proof} == TEXTS
    assert any(item["function"] == "write" and "Anna, who" in item["what"] for item in proof)
    assert all(item["difference"] <= 1e-5 * max(1, item["scale"]) for item in proof)
