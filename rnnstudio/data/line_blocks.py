"""A text in pieces that end where a line does, as UTF-8: what readers of large files of lines work on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

BLOCK = 1 << 19
"""Bytes of a piece, about: an array for each of its bytes and cells fits into the processor's caches."""


def line_blocks(pieces: Iterable[str]) -> Iterator[bytes]:
    """The text of `pieces`, whose line ends are "\\n"; a last line without one gets it. A longer line is one piece."""
    waiting: list[bytes] = []
    for piece in pieces:
        raw = piece.encode("utf-8", "surrogatepass")
        start = 0
        while start < len(raw):
            end = raw.rfind(b"\n", start, start + BLOCK) + 1 or raw.find(b"\n", start + BLOCK) + 1
            if not end:
                break
            yield b"".join((*waiting, raw[start:end]))
            waiting = []
            start = end
        if start < len(raw):
            waiting.append(raw[start:])
    if waiting:
        yield b"".join((*waiting, b"\n"))
