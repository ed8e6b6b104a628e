"""`rnnstudio data`: what a file is taken for, its fields and first examples as a model sees them, and every warning."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from .. import data
from ..cli import BAD_INPUT, DONE, print_json
from ..data import readers
from ..data.dividing import FRACTIONS, Dividing
from ..data.options import FileOptions, describe
from ..data.packed import is_packed
from ..data.preview import ExampleView, FieldView, Preview
from ..data.problems import listed
from ..data.split import TITLES
from ..data.statistics import PartSize, Statistics
from ..design.recipe import DataRecipe, FieldSpec
from .design_file import options_of
from .waiting import read_with_a_bar

SHOWN = 60
"""Characters of a field of an example."""
LISTED = 40
"""Names of columns that an option is printed with."""


def show_data(options: argparse.Namespace) -> int:
    """Guess, read, and print. Returns the exit code: bad input where the file could not be trained on."""
    chosen = options_of(options.set)
    found = data.guesses(options.file, chosen)
    _, recipe, why = data.of_options(found, chosen)
    if options.reader:
        recipe = data.guess_with(readers.find(options.reader), options.file, str(options.file), chosen)
        why = "as you say"
    recipe = data.choose(recipe, chosen)
    most = 0 if options.whole else data.bytes_of_a_look(recipe)
    preview = read_with_a_bar(lambda: data.inspect(recipe, rows=options.examples, most=most))
    if options.json:
        others = [{"reader": other.reader, "confidence": sure, "why": seen} for sure, other, seen in found]
        print_json({"why": why, "guesses": others, **_as_json(preview)})
    else:
        _print(preview, why, [other for _, other, _ in found])
    return DONE if preview.usable else BAD_INPUT


def _print(preview: Preview, why: str, found: list[DataRecipe]) -> None:
    recipe = preview.recipe
    print(f"{recipe.path}: {readers.find(recipe.reader).title} ({why})")
    others = [readers.find(other.reader) for other in found if other.reader != recipe.reader]
    if others:
        print("It could also be read as " + ", ".join(f"{other.title} (--reader {other.name})" for other in others))
    if preview.summary:
        print(preview.summary + ("" if preview.whole else "; --whole reads it to its end"))
    for spec in recipe.fields:
        print(f"  {_spec_line(spec)}")
    if preview.statistics is not None:
        print(f"Parts: {preview.statistics.divided}")
        for own in preview.statistics.parts:
            print(f"  {part_line(own, preview.statistics)}")
        if preview.statistics.padding:
            print(sentence(preview.statistics.padding))
    if preview.examples:
        print("First examples:")
    for example in preview.examples:
        print(f"  {example.name or 'all of it'}" + (f" (line {example.line})" if example.line else ""))
        for field in example.fields:
            print(f"    {field.spec.name}: {_short(field)}")
    for problem in preview.problems:
        print(f"{problem.severity}: {problem}")
    print("Options (--set data.NAME=VALUE):")
    print(f"  {FRACTIONS} = {','.join(f'{share:g}' for share in recipe.split)}    the shares of the three parts")
    kinds = [(Dividing, recipe.dividing), (readers.find(recipe.reader).Options, recipe.options)]
    if is_packed(data.resolve(recipe.path, Path())):
        kinds.append((FileOptions, recipe.options))
    for kind, chosen in kinds:
        for item in (known for known in describe(kind) if not known.learned):
            print(f"  {item.name} = {_option(chosen.get(item.name, item.default))}    {item.help}")


def sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def part_line(own: PartSize, statistics: Statistics) -> str:
    """One part for people: its size, and the shares of its classes."""
    many = own.examples > 1 or statistics.examples > 1
    much = [f"{own.examples:,} {'sequences' if statistics.cuttable else 'examples'}"] if many else []
    much += [f"{own.predicted:,} steps predicted"] if own.predicted != own.examples else []
    shares = f": {own.shares()}" if own.classes else ""
    return f"{TITLES[own.part]}: {', '.join(much)}{shares}"


def _spec_line(spec: FieldSpec) -> str:
    along = f" along {spec.axis}" if spec.axis else ", one for each example"
    along += f", {spec.missing:,} missing" if spec.missing else ""
    if spec.content == "parents":
        return f"{spec.name}: the tree over {spec.axis}"
    if spec.counts:
        counted = zip(spec.vocabulary, spec.counts, strict=True)
        shown = ", ".join(f"{name} {many:,}" for name, many in list(counted)[:8])
        return f"{spec.name}: {spec.role}, {spec.size} classes{along}: {shown}{', …' if spec.size > 8 else ''}"
    if spec.content == "tokens":
        return f"{spec.name}: {spec.role}, {spec.size} tokens{along}"
    shown = ", ".join(spec.columns[:8]) + (", …" if len(spec.columns) > 8 else "")
    return f"{spec.name}: {spec.role}, {spec.size} number{'s' * (spec.size != 1)}{along}: {shown}"


def _short(field: FieldView) -> str:
    tokens = field.spec.content == "tokens"
    between = "" if tokens and all(len(piece) == 1 for piece in field.pieces) else " " if tokens else "; "
    text = between.join(field.pieces)
    cut = len(text) > SHOWN or field.length > len(field.pieces)
    return text[:SHOWN] + (" …" if cut else "")


def _option(value: object) -> str:
    if isinstance(value, list | tuple):
        return listed(map(str, value), LISTED, ",") if value else "(none)"
    return (
        "(none)" if value in ("", None) else repr(value) if isinstance(value, str) and not value.strip() else str(value)
    )


def _as_json(preview: Preview) -> dict[str, Any]:
    recipe = preview.recipe
    return {
        "path": recipe.path,
        "reader": recipe.reader,
        "options": dict(recipe.options),
        "split": list(recipe.split),
        "dividing": dict(recipe.dividing),
        "padding": preview.statistics.padding if preview.statistics else "",
        "parts": [dataclasses.asdict(own) for own in preview.statistics.parts] if preview.statistics else [],
        "usable": preview.usable,
        "summary": preview.summary,
        "whole": preview.whole,
        "fields": [
            {
                "name": spec.name,
                "role": spec.role,
                "content": spec.content,
                "size": spec.size,
                "axis": spec.axis,
                "columns": list(spec.columns),
                "counts": dict(zip(spec.vocabulary, spec.counts, strict=True)) if spec.counts else {},
            }
            for spec in recipe.fields
        ],
        "examples": [_example(example) for example in preview.examples],
        "problems": [dataclasses.asdict(problem) for problem in preview.problems],
    }


def _example(example: ExampleView) -> dict[str, Any]:
    fields = {
        field.spec.name: {"pieces": list(field.pieces), "numbers": field.values.tolist(), "length": field.length}
        for field in example.fields
    }
    return {"name": example.name, "line": example.line, "fields": fields}
