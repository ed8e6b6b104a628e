"""Byte pairs as tokens (Sennrich et al. 2016; bytes as by Radford et al. 2019), learned and applied by `tokenizers`.

A text is taken as its bytes in UTF-8, so that nothing is ever unknown to the splitting. Each byte has a character to
stand for it: printable ones their own, others one from U+0100 on (a space is Ġ). A vocabulary's entries are written in
these. What is learned is a list of merges, "t he": it stays in the recipe, and says everything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from rnnstudio.data.vocabulary import IntArray, compact
from rnnstudio.design.errors import StudioError

_PLAIN = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_OTHERS = tuple(byte for byte in range(256) if byte not in _PLAIN)
SIGNS: tuple[str, ...] = tuple(chr(byte) if byte in _PLAIN else chr(0x100 + _OTHERS.index(byte)) for byte in range(256))
"""Byte -> the character that stands for it."""
_BYTES = {sign: byte for byte, sign in enumerate(SIGNS)}

_AT_ONCE = 64
_CHARACTERS = 1 << 14


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise StudioError(
            "byte pairs need the package tokenizers, which is not installed",
            where="option level",
            remedy='Install it with: pip install "rnnstudio[bpe]", or choose another level.',
        ) from error
    return tokenizers


def learn(texts: Iterable[str], size: int) -> tuple[str, ...]:
    """The merges that make a vocabulary of `size` tokens, the 256 bytes among them: the most frequent pair first.

    Raises StudioError without the extra `bpe`.
    """
    library = _library()
    made = _bare(library, {}, [])
    trainer = library.trainers.BpeTrainer(
        vocab_size=size, show_progress=False, initial_alphabet=list(SIGNS), special_tokens=[]
    )
    made.train_from_iterator(chunks(texts), trainer=trainer)
    return tuple(" ".join(pair) for pair in json.loads(made.to_str())["model"]["merges"])


def _bare(library: Any, vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Any:
    made = library.Tokenizer(library.models.BPE(vocab=vocabulary, merges=merges))
    made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return made


@dataclass(frozen=True)
class BytePairs:
    """Splits and joins by these merges. Joining needs no library."""

    merges: tuple[str, ...]

    @cached_property
    def entries(self) -> tuple[str, ...]:
        """Every token there can be: the bytes, then what each merge makes."""
        return tuple(dict.fromkeys((*SIGNS, *(merge.replace(" ", "") for merge in self.merges))))

    @cached_property
    def _tokenizer(self) -> Any:
        pairs = [(one, other) for one, _, other in (merge.partition(" ") for merge in self.merges)]
        try:
            return _bare(_library(), {entry: place for place, entry in enumerate(self.entries)}, pairs)
        except StudioError:
            raise
        except Exception as error:  # the library raises Exception itself for merges of what is not there
            raise StudioError(
                f"the byte pairs of the recipe do not go together: {error}", where="option merges"
            ) from error

    def split(self, text: str) -> list[str]:
        """The tokens of a text. Raises StudioError without the extra `bpe`."""
        return list(self._tokenizer.encode(text).tokens)

    def join(self, tokens: Sequence[str]) -> str:
        """The text; bytes that are no UTF-8, as a model may write them, become U+FFFD."""
        return join_bytes(tokens)

    def number(self, texts: Iterable[str]) -> Iterator[IntArray]:
        """The places in `entries` of each stretch of a text."""
        largest = len(self.entries) - 1
        for batch in _batches(chunks(texts)):
            for found in self._tokenizer.encode_batch(batch):
                yield compact(np.array(found.ids, np.int64), largest)


@dataclass(frozen=True)
class SingleBytes:
    """Every byte of the text in UTF-8 is a token."""

    def split(self, text: str) -> list[str]:
        return [SIGNS[byte] for byte in text.encode("utf-8", "surrogatepass")]

    def join(self, tokens: Sequence[str]) -> str:
        return join_bytes(tokens)


def join_bytes(tokens: Sequence[str]) -> str:
    """The text whose bytes these signs stand for; what stands for none, such as the unknown token, stays as it is."""
    found: list[str] = []
    raw = bytearray()
    for sign in "".join(tokens):
        if sign in _BYTES:
            raw.append(_BYTES[sign])
        else:
            found += [raw.decode("utf-8", "replace"), sign]
            raw.clear()
    return "".join((*found, raw.decode("utf-8", "replace")))


def chunks(texts: Iterable[str]) -> Iterator[str]:
    """The same text in stretches of some thousand characters that end where a word does."""
    rest = ""
    for text in texts:
        rest += text
        start = 0
        while len(rest) - start > _CHARACTERS:
            end = start + _CHARACTERS
            cut = max(rest.rfind(" ", start + 1, end), rest.rfind("\n", start + 1, end))
            cut = cut if cut > start else end
            yield rest[start:cut]
            start = cut
        rest = rest[start:]
    if rest:
        yield rest


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
