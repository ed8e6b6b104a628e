"""Holds every function of an exported file against the studio's own, on inputs that the studio never saw.

The file runs in a process of its own; texts with unknown and folded words, rows of any length and with large offsets,
states that go on, draws with a seed: each is asked of both.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..compiler.program import Program, parents_field
from ..compiler.prune import needs
from ..compiler.source import class_name, loss_arguments
from ..design.errors import StudioError
from ..design.signals import Tokens
from ..runtime import Network
from ..runtime.generate import Choice
from ..runtime.series import Forecaster, scaled, unscaled
from ..runtime.stepper import Stepper
from ..runtime.texts import beginning, write_text
from .alone import DATA, MODEL, Alone, Refused
from .certificate import TOLERANCE, Comparison, compare, differs, of_values
from .certificate import Tensors as Fields
from .functions import Numbers, Texts

NEVER_SEEN = (
    "",
    " ",
    "\n",
    "Anna, who (once) said: “No!”",
    "zebra ÀÉÎ ß İstanbul ΣΑΣ 🦓 \u2047",
    "  two  spaces,\ta tab\nand 1,000.5 l'eau_de-vie…",
)
"""Prompts of no particular text: nothing, spaces, capitals, punctuation, letters of other scripts."""

LENGTH = 12
"""Tokens that are written for a comparison."""

SAMPLED = Choice(0.8)
SEED = 7
AHEAD = 5


def compare_all(
    alone: Alone, network: Network, weights: Fields, facts: Mapping[str, Any], offer: Texts | Numbers | None
) -> Iterator[Comparison]:
    """A comparison or more for each function of the file. Raises StudioError at the first that differs."""
    network.eval()
    loaded = alone.call("load")
    if loaded["data"] != facts or loaded["weights"].keys() != weights.keys():
        raise differs("load gives other weights or another description", 1, 1, "the file's weights")
    yield of_values("load", 1, 1, "weights", [(loaded["weights"][name], value) for name, value in weights.items()])
    yield from compare(network, runner(alone, network.program))
    yield from _losses(alone, network)
    if isinstance(offer, Texts):
        yield from _texts(alone, network, offer)
    elif isinstance(offer, Numbers):
        yield from _numbers(alone, network, offer, facts["fields"])


def uncovered(code: Path, program: Program, comparisons: Iterable[Comparison], helpers: Iterable[str]) -> list[str]:
    """The functions of a file that no comparison names. helpers: what only the network itself calls."""
    named = {comparison.function for comparison in comparisons}
    found: list[str] = []
    for item in ast.parse(code.read_text(encoding="utf-8")).body:
        if isinstance(item, ast.FunctionDef) and item.name not in helpers:
            found.append(item.name)
        elif isinstance(item, ast.ClassDef) and item.name == class_name(program):
            found += [one.name for one in item.body if isinstance(one, ast.FunctionDef) and one.name != "__init__"]
    return [name for name in found if name not in named]


def runner(alone: Alone, program: Program) -> Any:
    """Calls the file's network as `compare` does the live one."""
    needed = needs(program, program.outputs.values())
    order = [item.field for item in needed.inputs] + [parents_field(program.axes[axis]) for axis in needed.trees]

    def run(
        fields: Fields, lengths: Fields | None, state: Fields | None, steps: Mapping[str, int]
    ) -> tuple[Fields, Fields]:
        given = (*(fields[name] for name in order), *(steps[axis] for axis in needed.free))
        results, final = alone.call("forward", given, torch.initial_seed(), lengths=lengths, state=state)
        values = (results,) if len(program.outputs) == 1 else results
        return dict(zip(program.outputs, values, strict=True)), final

    return run


def _losses(alone: Alone, network: Network) -> Iterator[Comparison]:
    program = network.program
    arguments = loss_arguments(program)
    if arguments is None:
        return
    results, targets = arguments
    fed = {item.name: item for item in program.inputs}
    call = runner(alone, program)
    needed = needs(program, program.outputs.values())
    for batch, length in ((1, 1), (3, 8)):
        generator = torch.Generator().manual_seed(length)
        fields = {item.field: _random(item.signal, batch, length, generator) for item in program.inputs}
        for axis in needed.trees:
            fields[parents_field(program.axes[axis])] = torch.arange(-1, length - 1).repeat(batch, 1)
        own = torch.arange(batch) * (length - 1) // max(batch - 1, 1) + 1
        for what, lengths in (("whole batch", None), ("different lengths", dict.fromkeys(program.axes.values(), own))):
            if lengths is not None and (batch == 1 or not lengths):
                continue
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                torch.manual_seed(length)
                live = network.losses(fields, lengths).total
                torch.manual_seed(length)
                outputs, _ = call(fields, lengths, None, dict.fromkeys(needed.free, length))
            by_value = {value: outputs[name] for name, value in program.outputs.items()}
            given = [*(by_value[name] for name in results), *(fields[fed[name].field] for name in targets)]
            loss = alone.call("loss", given, lengths=lengths)
            yield of_values("loss", batch, length, what, [(loss, live)])


def _random(signal: Any, batch: int, length: int, generator: torch.Generator) -> Tensor:
    """Values of a field. Numbers lie between 0 and 1, as losses of probabilities need them."""
    shape = (batch, *(length for _ in signal.axes))
    if isinstance(signal.content, Tokens):
        return torch.randint(0, signal.content.size, shape, generator=generator)
    return torch.rand(*shape, signal.content.width, generator=generator)


def _texts(alone: Alone, network: Network, offer: Texts) -> Iterator[Comparison]:
    vocabulary = offer.vocabulary
    random = np.random.default_rng(len(vocabulary))
    known = vocabulary.decode(random.integers(0, len(vocabulary), LENGTH))
    prompts = dict.fromkeys((*NEVER_SEEN, vocabulary.entries[-1], known, known.upper(), known.swapcase() + " "))
    for prompt in prompts:
        what = f"prompt {prompt if len(prompt) <= 24 else prompt[:24] + '…'!r}"
        pieces = vocabulary.tokens(prompt)
        joined = vocabulary.glue(pieces)
        yield _same(
            "pieces", alone.call("pieces", [prompt, DATA] if offer.by_merges else [prompt]), pieces, what, len(pieces)
        )
        yield _same("join", alone.call("join", [pieces]), joined, what, len(pieces))
        try:
            start = beginning(vocabulary, prompt)
            numbers = vocabulary.encode(prompt).tolist()
        except StudioError:
            for function, arguments in (("encode", [prompt, DATA]), ("write", [prompt, 1]), ("main", [["--", prompt]])):
                yield _refused(alone, function, arguments, what)
            continue
        encoded = alone.call("encode", [prompt, DATA])
        yield _same("encode", (encoded.shape[0], encoded[0].tolist()), (1, numbers), what, len(numbers))
        some = random.integers(0, len(vocabulary), LENGTH).tolist()
        behind = alone.call("following", [prompt, some, DATA])
        yield _same("following", behind, vocabulary.following(prompt, some), what, LENGTH)
        for how, choice in (("greedy", Choice(0.0)), (f"seed {SEED}", SAMPLED)):
            named = f"{what}, {how}"
            length = len(start)
            written = alone.call("generate", [MODEL, torch.tensor([start]), LENGTH, choice.temperature, SEED])
            if not _may_be_written(network, start, written, choice):
                raise differs("generate writes other tokens", 1, length, named)
            yield Comparison(1, length, named, 0.0, 1.0, "generate")
            text = alone.call("write", [prompt, LENGTH, choice.temperature, SEED])
            live = prompt + write_text(network, vocabulary, prompt, LENGTH, choice, SEED)
            # At a tie, of which only rounding decides, the text follows the tokens that were found right.
            right = live if text == live else prompt + vocabulary.following(prompt, written)
            yield _same("write", text, right, named, length)
            options = ["--length", str(LENGTH), "--temperature", str(choice.temperature), "--seed", str(SEED)]
            yield _same("main", alone.call("main", [[*options, "--", prompt]]), text, named, length)


def _may_be_written(network: Network, start: list[int], written: list[int], choice: Choice) -> bool:
    """Whether the live model writes these tokens, but for ties that a difference within the tolerance decides."""
    stepper = Stepper(network)
    stepper.start()
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        logits = stepper.read(torch.tensor([start]))
        for token in written:
            before = generator.get_state()
            if int(choice.draw(logits, generator)) != token:
                nearly = logits.clone().double()
                nearly[0, token] += TOLERANCE * max(1.0, float(logits.abs().max()))
                generator.set_state(before)
                if int(choice.draw(nearly, generator)) != token:
                    return False
            logits = stepper.step(torch.tensor([token]))
    return True


def _refused(alone: Alone, function: str, arguments: list[Any], what: str) -> Comparison:
    try:
        alone.call(function, arguments)
    except Refused as refusal:
        if refusal.kind == "ValueError":
            return Comparison(1, 0, f"{what}, refused", 0.0, 1.0, function)
    raise differs(f"{function} does not refuse what the vocabulary lacks", 1, 0, what)


def _same(function: str, found: object, live: object, what: str, length: int) -> Comparison:
    if found != live:
        raise differs(f"{function} gives {found!r}, the studio {live!r}", 1, length, what)
    return Comparison(1, length, what, 0.0, 1.0, function)


def _numbers(alone: Alone, network: Network, offer: Numbers, fields: Mapping[str, Any]) -> Iterator[Comparison]:
    live = Forecaster(network, offer.given, offer.wanted, offer.loss)
    given, wanted = fields[offer.given.name], fields[offer.wanted.name]
    mean, std = (torch.tensor(given[key], dtype=torch.float64) for key in ("mean", "std"))
    unit = torch.tensor(wanted["std"], dtype=torch.float64)
    finest = float((torch.tensor(wanted["mean"], dtype=torch.float64).abs() / unit).max()) * 2**-50
    generator = torch.Generator().manual_seed(1)
    for length, what, far in (
        (1, "one row", 0.0),
        (2, "two rows", 0.0),
        (17, "some rows", 0.0),
        (150, "many rows", 0.0),
        (17, "rows far from the file's", 100.0),
    ):
        rows = mean + std * (torch.randn(length, len(mean), generator=generator, dtype=torch.float64) + far)
        inside = scaled(rows, offer.given)
        yield of_values("scaled", 1, length, what, [(alone.call("scaled", [rows.tolist(), given]), inside)])
        values = torch.randn(length, len(unit), generator=generator) + far
        outside = alone.call("unscaled", [values, wanted])
        pairs = [(outside / unit, unscaled(values, offer.wanted) / unit)]
        yield of_values("unscaled", 1, length, what, pairs, finest)
        said = torch.tensor(alone.call("forecast", [rows.tolist()]), dtype=torch.float64)
        yield _in_units("forecast", length, what, said, live.each(rows), offer, unit, finest)
        if offer.ahead and not far:
            said = torch.tensor(alone.call("forecast_ahead", [rows.tolist(), AHEAD]), dtype=torch.float64)
            how = f"{what}, {AHEAD} steps ahead"
            yield _in_units("forecast_ahead", length, how, said, live.ahead(rows, AHEAD), offer, unit, finest)


def _in_units(
    function: str, length: int, what: str, said: Tensor, live: Tensor, offer: Numbers, unit: Tensor, finest: float
) -> Comparison:
    """Numbers of the file compared as the network sees them, so that an offset hides no difference."""
    mean = torch.tensor(offer.wanted.mean or (0.0,) * offer.wanted.size, dtype=torch.float64)
    return of_values(function, 1, length, what, [((said - mean) / unit, (live - mean) / unit)], finest)
