"""Reads tunes in ABC notation: an example of a plugin that adds a data format. The reader is all it takes.

All of rnnstudio that a plugin imports comes from rnnstudio.plugins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rnnstudio.plugins import (
    Examples,
    Plugin,
    Problems,
    Reader,
    Source,
    StudioError,
    encoding_option,
    later,
    option,
    tokens,
)

from .notation import END, Tune, text_of, tokens_of, tunes_of

SAMPLE = Path(__file__).with_name("sample.abc")
"""Fourteen tunes to try it with."""


@dataclass(frozen=True)
class AbcOptions:
    """How tunes are read. The form in the data panel, `--set data.remarks=true` and the help are made of it."""

    encoding: str = encoding_option()
    remarks: bool = option(False, 'keep chord symbols and annotations ("Am") as tokens')


class AbcReader(Reader):
    """One sequence of tokens for each tune; the fields `text`, and `next`, the token after."""

    name = "abc"  # what recipes in design files call it: never change it
    title = "tunes (ABC notation)"
    suffixes = (".abc",)
    Options = AbcOptions
    parts = (0.8, 0.1, 0.1)

    def read(self, source: Source, options: AbcOptions, problems: Problems) -> Examples:
        # `source.text` says it all about missing, binary and wrongly encoded files, and counts lines for the panel.
        text = source.text(options.encoding)
        tunes = tunes_of(text, remarks=options.remarks)
        if not tunes:
            raise StudioError(
                "no tune begins in this file: ABC tunes begin with a line such as X:1",
                where=f"{source.shown}, line 1",
                remedy="Choose a file in ABC notation, or read this one as text.",
            )
        usable = [tune for tune in tunes if _usable(tune, problems)]
        if not usable:
            problems.raise_first()
            raise StudioError("no tune has a note", where=source.shown, remedy="Choose another file.")
        return Examples(
            (tokens("text", [tune.tokens for tune in usable]), later("next", "text")),
            names=[tune.title or f"tune {tune.number}" for tune in usable],
            lines=[tune.line for tune in usable],
            options=options,
            # A tune is learned from as a whole, or kept for testing as a whole; a single one is cut in three.
            split_by="sequence" if len(usable) > 2 else "time",
            excerpt=text,
        )

    def split(self, text: str) -> list[str]:
        return tokens_of(text)

    def join(self, tokens: Sequence[str]) -> str:
        return text_of(tokens)


def _usable(tune: Tune, problems: Problems) -> bool:
    """Whether a tune can be learned from; what is wrong with it goes to `problems`, at its line and column."""
    for fault in tune.faults:
        problems.error(fault.what, line=fault.line, column=str(fault.column or ""), remedy=fault.remedy)
    if not tune.notes and not tune.faults:
        problems.warn(f"tune {tune.number or '?'} has no note and is left out", line=tune.line)
    return tune.notes > 0


plugin = Plugin("abc", "1.0", readers=[AbcReader()])

__all__ = ["END", "SAMPLE", "AbcReader", "plugin"]
