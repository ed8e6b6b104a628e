"""The map between text and token numbers, learned from the training part and carried inside the recipe.

A trained model needs only this, not the file: `vocabulary_of(recipe)` serves prompts and samples.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from rnnstudio.data.options import parse
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe

IntArray: TypeAlias = npt.NDArray[np.integer[Any]]

UNKNOWN = "\u2047"
"""The token that stands for everything the training part never showed: ⁇ (DOUBLE QUESTION MARK)."""

# A line end, a word (with inner apostrophes and hyphens), or one other character that is not a space.
WORD = re.compile(r"\n|[^\W_]+(?:['’\-][^\W_]+)*|[^\w\s]|_")
NO_SPACE_BEFORE = frozenset(".,;:!?)]}%…’\n")
NO_SPACE_AFTER = frozenset("([{\n")


def codepoints(text: str) -> npt.NDArray[np.uint32]:
    """One Unicode code point per character, [len(text)], without a Python object per character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def compact(values: IntArray, largest: int) -> IntArray:
    """The same numbers in the smallest of uint8, uint16 and int32 that holds `largest`."""
    dtype: type[np.integer[Any]] = np.uint8 if largest < 1 << 8 else np.uint16 if largest < 1 << 16 else np.int32
    return values.astype(dtype, copy=False)


def words_of(text: str) -> list[str]:
    """Words, single punctuation marks and line ends; other white space separates and is not kept."""
    return WORD.findall(text)


def join_words(words: Iterable[str]) -> str:
    """Readable text of word tokens: no space before closing or after opening punctuation."""
    pieces: list[str] = []
    glued = True
    for word in words:
        if not glued and word not in NO_SPACE_BEFORE:
            pieces.append(" ")
        pieces.append(word)
        glued = word in NO_SPACE_AFTER
    return "".join(pieces)


class Tokeniser(Protocol):
    """How the tokens of a reader become text and back."""

    def split(self, text: str) -> list[str]: ...

    def join(self, tokens: Sequence[str]) -> str: ...


@dataclass(frozen=True)
class Vocabulary:
    """entries: token number -> text. level: "characters", "words", or "tokens", which `tokeniser` splits and joins.

    lowercase: capitals are folded first. line_end: the entry of a line end, where there is one: what begins a text.
    """

    entries: tuple[str, ...]
    level: str = "characters"
    lowercase: bool = False
    tokeniser: Tokeniser | None = None
    line_end: str = "\n"

    def __len__(self) -> int:
        return len(self.entries)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Text -> token number."""
        return {entry: number for number, entry in enumerate(self.entries)}

    @property
    def unknown(self) -> int | None:
        """The number of the unknown token, or None when this vocabulary has none."""
        return self.numbers.get(UNKNOWN)

    @cached_property
    def table(self) -> npt.NDArray[np.int32]:
        """Code point -> token number, -1 where there is none; as long as the largest code point + 1."""
        points = [ord(entry) for entry in self.entries]
        table = np.full(max(points, default=0) + 1, -1, np.int32)
        table[points] = np.arange(len(points))
        return table

    def tokens(self, text: str) -> list[str]:
        """The text in the pieces that this vocabulary numbers."""
        folded = text.lower() if self.lowercase else text
        if self.tokeniser is not None:
            return list(self.tokeniser.split(folded))
        return words_of(folded) if self.level == "words" else list(folded)

    def encode(self, text: str, where: str = "prompt") -> npt.NDArray[np.int64]:
        """Token numbers, [length]. What is not in the vocabulary becomes the unknown token.

        Raises StudioError naming what is not in the vocabulary when there is no unknown token.
        """
        if self.level != "characters":
            unknown = self.unknown
            found = [self.numbers.get(word, -1 if unknown is None else unknown) for word in self.tokens(text)]
            numbers = np.array(found, np.int64)
        else:
            numbers = self._lookup(codepoints(text.lower() if self.lowercase else text)).astype(np.int64)
        if (numbers < 0).any():
            pieces = self.tokens(text)
            missing = sorted({pieces[place] for place in np.flatnonzero(numbers < 0)})
            shown = ", ".join(repr(piece) for piece in missing[:10]) + (", …" if len(missing) > 10 else "")
            raise StudioError(
                f"the vocabulary of {len(self)} {self.level} has no {shown}",
                where=where,
                remedy="Leave it out, or train on a text that has it.",
            )
        return numbers

    def _lookup(self, points: IntArray) -> npt.NDArray[np.int32]:
        unknown = -1 if self.unknown is None else self.unknown
        table = np.append(self.table, np.int32(-1))
        numbers = table[np.minimum(points, len(table) - 1)]
        return np.where(numbers < 0, np.int32(unknown), numbers)

    def decode(self, numbers: Sequence[int] | IntArray) -> str:
        """The text of token numbers; the inverse of encode for text made of known characters."""
        return self.glue([self.entries[int(number)] for number in numbers])

    def glue(self, pieces: Sequence[str]) -> str:
        """Tokens as text."""
        if self.tokeniser is not None:
            return self.tokeniser.join(pieces)
        return join_words(pieces) if self.level == "words" else "".join(pieces)

    def following(self, prompt: str, numbers: Sequence[int] | IntArray) -> str:
        """What to write behind a prompt for these tokens, with the space that belongs between them."""
        if self.level == "characters" or not prompt or prompt[-1].isspace():
            return self.decode(numbers)
        before = self.tokens(prompt)[-1:]
        joined = self.glue([*before, *(self.entries[int(number)] for number in numbers)])
        return joined.removeprefix(self.glue(before))


def vocabulary_of(recipe: DataRecipe, field: str = "text") -> Vocabulary:
    """The vocabulary of a recipe's token field. Raises StudioError when the recipe has none yet."""
    spec = recipe.field(field)
    if spec.content != "tokens" or not spec.vocabulary:
        raise StudioError(
            f"the data field {field!r} has no vocabulary", where=recipe.path, remedy="Load the data file first."
        )
    from rnnstudio.data import readers  # they make vocabularies themselves

    reader = readers.find(recipe.reader)
    return reader.vocabulary(spec, parse(reader.Options, recipe.options))
