"""What tasks share: a reader without a file, and the fingerprint of what it made."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from rnnstudio.data.examples import Examples, NumberField, TokenField, TreeField
from rnnstudio.data.files import FileFacts
from rnnstudio.data.options import option
from rnnstudio.data.problems import Problems
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import Sample, Source


class Task(Reader):
    """Makes examples of its options alone. `make` draws from one generator, seeded by the option `seed`."""

    made: ClassVar[bool] = True
    parts = (0.8, 0.1, 0.1)

    def guess(self, sample: Sample) -> Guess | None:
        """No file is a task's."""
        return None

    def read(self, source: Source, options: Any, problems: Problems) -> Examples:
        found = self.make(options, np.random.default_rng(options.seed))
        return replace(found, options=options, facts=_facts(found))

    def make(self, options: Any, pick: np.random.Generator) -> Examples:
        """The examples. Raises StudioError for options that contradict each other."""
        raise NotImplementedError


def examples_option(default: int) -> Any:
    return option(default, "how many examples are made, for all parts together", minimum=20)


def seed_option() -> Any:
    return option(1, "another seed makes other examples of the same kind", minimum=0)


def _facts(found: Examples) -> FileFacts:
    """The fingerprint of what was made. Numbers count to single precision: the last bit of a sine is the machine's."""
    sha, size = hashlib.sha256(), 0
    for item in found.fields:
        parts: list[Any] = [getattr(item, "offsets", None)]
        if isinstance(item, TokenField):
            sha.update("\0".join(item.entries).encode())
            parts.append(item.numbers.astype(np.int64))
        elif isinstance(item, NumberField):
            parts.append(item.values.astype(np.float32))
        elif isinstance(item, TreeField):
            parts.append(item.parents)
        sha.update(item.name.encode())
        for part in parts:
            if part is not None:
                sha.update(np.ascontiguousarray(part).tobytes())
                size += part.nbytes
    return FileFacts(size, sha.hexdigest(), 0, 0)
