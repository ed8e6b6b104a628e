"""What data takes over from a model that was trained on other data: its words, its byte pairs, its scaling.

A vocabulary that begins with the model's own, in its order, leaves every row of an embedding or a readout where it is.
Numbers that are scaled as the model's were mean to it what they meant before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from rnnstudio.data import options as data_options
from rnnstudio.data import readers
from rnnstudio.data.vocabulary import UNKNOWN, Vocabulary
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe, FieldSpec

Words: TypeAlias = Literal["keep", "drop", "refuse"]
ScalingOf: TypeAlias = Literal["run", "data"]

Scales: TypeAlias = "tuple[tuple[float, ...], tuple[float, ...]]"
"""What is subtracted from each column, and what it is then divided by."""


@dataclass(frozen=True)
class Inherited:
    """The recipe of a trained model, and what is taken over from it.

    words: "keep": the model's words, those that no longer occur too, and behind them the new ones; "drop": the data's
    words alone; "refuse": the model's words alone, and data with others is an error. scaling: "run": columns of the
    same name are scaled as the model's were; "data": by this data.
    """

    recipe: DataRecipe
    words: Words = "keep"
    scaling: ScalingOf = "run"

    def options(self, recipe: DataRecipe) -> DataRecipe | None:
        """The recipe with the options that the model learned (byte pairs), where it reads texts in the same way; None:
        they are to be learned anew, or there are none."""
        if recipe.reader != self.recipe.reader or not readers.known(recipe.reader):
            return None
        described = data_options.describe(readers.find(recipe.reader).Options)
        learned = {item.name for item in described if item.learned and item.name in self.recipe.options}
        asked = {item.name: item.default for item in described if not item.learned and item.name in _WAYS}
        if not learned or any(
            recipe.options.get(name, default) != self.recipe.options.get(name, default)
            for name, default in asked.items()
        ):
            return None
        return recipe.replace(options={**recipe.options, **{name: self.recipe.options[name] for name in learned}})

    def vocabulary(self, learned: tuple[str, ...], recipe: DataRecipe, fields: Sequence[str]) -> tuple[str, ...]:
        """The vocabulary of the fields that share one. learned: what this data would have by itself.

        Raises StudioError for a word that the model lacks, where those are refused.
        """
        before = next((spec for spec in self.recipe.fields if spec.name in fields and spec.vocabulary), None)
        if before is None or not pieces_alike(recipe, fields[0], self.recipe, before.name, bool(before.counts)):
            if self.words == "refuse" and before is not None:
                raise StudioError(
                    f"the model reads “{before.name}” in other pieces than this data is read in",
                    where=recipe.path,
                    remedy="Read the data as the model's, or do not refuse new words.",
                )
            return learned
        new = [entry for entry in learned if entry not in set(before.vocabulary)]
        if self.words == "drop":
            return learned
        if self.words == "refuse" and (told := [entry for entry in new if entry != UNKNOWN]):
            raise StudioError(
                f"the model does not know {listed(told)} of “{before.name}”",
                where=recipe.path,
                remedy="Take such words out of the data, or let new ones be added (words: keep).",
            )
        return before.vocabulary if self.words == "refuse" else (*before.vocabulary, *new)

    def adopt(self, recipe: DataRecipe) -> DataRecipe:
        """A recipe that was learned by itself, as it will be when it is read with this: what is to come, for people.

        Of byte pairs it is not known which occur before they are read: the model's are taken. Raises StudioError where
        new words are refused.
        """
        taught = self.options(recipe)
        fields = []
        for spec in recipe.fields:
            if spec.content == "tokens" and spec.vocabulary:
                own = () if taught is not None and not spec.counts else spec.vocabulary
                words = self.vocabulary(own, taught or recipe, [spec.shift_of or spec.name]) or spec.vocabulary
                spec = replace(spec, size=len(words), vocabulary=words, counts=_counts(spec, words))
            elif spec.content == "real" and spec.mean:
                mean, std = self.scales((spec.mean, spec.std), spec.columns, recipe)
                spec = replace(spec, mean=mean, std=std)
            fields.append(spec)
        return (taught or recipe).replace(fields=tuple(fields))

    def scales(self, own: Scales, columns: Sequence[str], recipe: DataRecipe) -> Scales:
        """The scaling of these columns: the model's where it has them and nobody asks for another kind."""
        if self.scaling == "data" or recipe.options.get("scaling") != self.recipe.options.get("scaling"):
            return own
        known = column_scales(self.recipe)
        pairs = [known.get(name, pair) for name, pair in zip(columns, zip(*own, strict=True), strict=True)]
        return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)


_WAYS = ("level", "lowercase", "size")
"""Options that say what a token is: what was learned with others is of no use."""


def _counts(spec: FieldSpec, words: tuple[str, ...]) -> tuple[int, ...]:
    known = dict(zip(spec.vocabulary, spec.counts, strict=True)) if spec.counts else {}
    return tuple(known.get(word, 0) for word in words) if known else ()


def column_scales(recipe: DataRecipe) -> dict[str, tuple[float, float]]:
    """By the column's name, over all fields."""
    found: dict[str, tuple[float, float]] = {}
    for spec in recipe.fields:
        if spec.content == "real" and spec.mean and spec.std:
            found |= dict(zip(spec.columns, zip(spec.mean, spec.std, strict=True), strict=False))
    return found


def pieces_alike(one: DataRecipe, field: str, other: DataRecipe, of: str, classes: bool = False) -> bool:
    """Whether entries of the two fields that look alike mean the same: characters are no words of one letter."""
    if classes:
        return True
    ways = [_way(recipe, name) for recipe, name in ((one, field), (other, of))]
    return ways[0] is not None and ways[0] == ways[1]


def _way(recipe: DataRecipe, field: str) -> object:
    """How a field's text is cut into tokens, as a value that can be compared; None where nobody can say."""
    if not readers.known(recipe.reader):
        return None
    reader = readers.find(recipe.reader)
    spec = FieldSpec(field, "tokens", 1, vocabulary=("",))
    made: Vocabulary = reader.vocabulary(spec, data_options.parse(reader.Options, recipe.options))
    own = reader.name if made.tokeniser is reader else made.tokeniser
    return made.level, own


def listed(entries: Sequence[str], most: int = 5) -> str:
    """The first few, for people."""
    return ", ".join(map(repr, entries[:most])) + (f" and {len(entries) - most:,} more" if len(entries) > most else "")
