"""Text that a language model writes after a prompt, whatever the text is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch

from .generate import Choice, write
from .network import Network
from .stepper import plan


class Words(Protocol):
    """How a text becomes token numbers and back; the data's Vocabulary is one."""

    @property
    def numbers(self) -> Mapping[str, int]: ...

    @property
    def line_end(self) -> str: ...

    def encode(self, text: str) -> Any: ...

    def following(self, prompt: str, numbers: Sequence[int]) -> str: ...


def beginning(vocabulary: Words, prompt: str) -> list[int]:
    """The tokens of a prompt. An empty one stands for a line end, or the vocabulary's first entry.

    Raises StudioError when the prompt has something that the vocabulary neither has nor can call unknown.
    """
    return [int(number) for number in vocabulary.encode(prompt)] or [vocabulary.numbers.get(vocabulary.line_end, 0)]


def write_text(
    network: Network,
    vocabulary: Words,
    prompt: str,
    length: int,
    choice: Choice,
    seed: int,
    stop: Callable[[], bool] = lambda: False,
) -> str:
    """`length` tokens as text that follows `prompt`, shorter when `stop` said so. The same for the same seed.

    An empty prompt is nothing to a network that reads what its Feedback gives back: that begins with its own token.
    Raises StudioError when the network cannot write or the prompt cannot be read. Touches no random state but its own.
    """
    own = not prompt and plan(network.program).fed is None
    start = torch.tensor([[] if own else beginning(vocabulary, prompt)], dtype=torch.int64)
    generator = torch.Generator().manual_seed(seed)
    written: list[int] = []
    for token in write(network, start, choice, generator):
        written.append(token)
        if len(written) >= length or stop():
            break
    return vocabulary.following(prompt, written)
