"""How an exported file splits a text into pieces and joins them: characters, words, bytes and byte pairs, as printed
code that needs no tokeniser.

Byte pairs are merged in the order in which `tokenizers` merges them (Sennrich et al. 2016, algorithm 1), within words
as GPT-2 cuts them (Radford et al. 2019). Python's `re` knows no Unicode categories: each character is written as the
sign of its kind first, and the pattern is of kinds.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..data.bytepair import BytePairs, SingleBytes
from ..data.readers import Reader
from ..data.vocabulary import NO_SPACE_AFTER, NO_SPACE_BEFORE, WORD, Vocabulary


@dataclass(frozen=True)
class Spelling:
    """head: what stands before the functions. given: parameters of `pieces`. pieces, join: their bodies.

    spaces: whether something may belong between a prompt and what follows, so that they are joined together.
    """

    pieces: str
    join: str
    given: str = "text"
    imports: tuple[str, ...] = ()
    head: str = ""
    spaces: bool = True


def spelling_of(vocabulary: Vocabulary, field: str) -> Spelling | None:
    """The code for a vocabulary; None where a reader splits texts in a way of its own, which is in no file."""
    folded = "text.lower()" if vocabulary.lowercase else "text"
    tokeniser = vocabulary.tokeniser
    if isinstance(tokeniser, SingleBytes):
        return Spelling(_BYTES.format(text=folded), _JOIN_BYTES, head=_SIGNS)
    if isinstance(tokeniser, BytePairs):
        pieces = (CUT + _MERGE).format(text=folded, field=field)
        imports = ("re", "unicodedata")
        return Spelling(pieces, _JOIN_BYTES, "text, data", imports, _SIGNS + _KINDS)
    if tokeniser is not None:
        own = type(tokeniser)
        as_is = getattr(own, "split", None) is Reader.split and getattr(own, "join", None) is Reader.join
        return Spelling(f"    return {folded}.split()\n", '    return " ".join(pieces)\n') if as_is else None
    if vocabulary.level == "words":
        head = f"_WORD = re.compile({WORD.pattern!r})\n"
        return Spelling(f"    return _WORD.findall({folded})\n", _JOIN_WORDS, imports=("re",), head=head)
    return Spelling(f"    return list({folded})\n", '    return "".join(pieces)\n', spaces=False)


_JOIN_WORDS = f"""    written, glued = "", True
    for piece in pieces:
        written += ("" if glued or piece in {tuple(sorted(NO_SPACE_BEFORE))!r} else " ") + piece
        glued = piece in {tuple(sorted(NO_SPACE_AFTER))!r}
    return written
"""

_SIGNS = """# Byte -> the character that stands for it in the vocabulary: its own where that can be printed.
_PLAIN = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = [byte for byte in range(256) if byte not in _PLAIN]
_SIGNS = [chr(byte) if byte in _PLAIN else chr(0x100 + _OTHERS.index(byte)) for byte in range(256)]
_BYTES = {sign: byte for byte, sign in enumerate(_SIGNS)}
"""

_BYTES = """    return [_SIGNS[byte] for byte in {text}.encode("utf-8", "surrogatepass")]
"""

_JOIN_BYTES = """    raw, written = bytearray(), ""
    for sign in "".join(pieces):
        if sign in _BYTES:
            raw.append(_BYTES[sign])
        else:
            written += raw.decode("utf-8", "replace") + sign
            raw.clear()
    return written + raw.decode("utf-8", "replace")
"""

NEWER = """
    ("L", "1c89-1c8a a7cb-a7cd a7da-a7dc 105c0-105f3 10d4a-10d65 10d6f-10d85 10ec2-10ec4 1123f-11240 11380-11389 "
          "1138b-1138b 1138e-1138e 11390-113b5 113b7-113b7 113d1-113d1 113d3-113d3 11bc0-11be0 11f02-11f02 "
          "11f04-11f10 11f12-11f33 1342f-1342f 13441-13446 13460-143fa 16100-1611d 16d40-16d6c 18cff-18cff "
          "1b132-1b132 1b155-1b155 1df25-1df2a 1e030-1e06d 1e4d0-1e4eb 1e5d0-1e5ed 1e5f0-1e5f0 2b739-2b739 "
          "2ebf0-2ee5d 31350-323af"),
    ("N", "10d40-10d49 116d0-116e3 11bf0-11bf9 11f50-11f59 16130-16139 16d70-16d79 1ccf0-1ccf9 1d2c0-1d2d3 "
          "1e4f0-1e4f9 1e5f1-1e5fa"),
"""
"""Letters and numbers that Unicode has had since version 15, up to 16, which `tokenizers` goes by; Python 3.11 knows
those of version 14."""

_KINDS = f"""
# A word with the space before it, by the kinds of its characters: L letter (those of 's, 're … themselves), N number,
# _ white space other than a space, . all else.
_STRETCH = re.compile(r"'(?:[stmd]|re|ve|ll)| ?[Lstrevmld]+| ?N+| ?['.]+|[ _]+(?![^ _])|[ _]+")

# Letters and numbers that this Python may not know yet: first and last code point.
_NEWER = [(kind, *(int(end, 16) for end in pair.split("-"))) for kind, pairs in ({NEWER}) for pair in pairs.split()]
"""

CUT = """
    def kind(character):
        if character in " 'strevmld":
            return character
        category = unicodedata.category(character)
        if category == "Cn":
            return next((kind for kind, first, last in _NEWER if first <= ord(character) <= last), ".")
        space = character.isspace() and not "\\x1c" <= character <= "\\x1f"
        return category[0] if category[0] in "LN" else "_" if space else "."

    text = {text}
    words = [text[slice(*stretch.span())] for stretch in _STRETCH.finditer("".join(map(kind, text)))]
"""

_MERGE = """    merges = [tuple(merge.split(" ")) for merge in data["fields"]["{field}"]["merges"]]
    ranks = {{merge: rank for rank, merge in enumerate(merges)}}
    found = []
    for word in words:
        word = [_SIGNS[byte] for byte in word.encode("utf-8")]
        while True:
            first = min((ranks.get(pair, len(merges)) for pair in zip(word, word[1:])), default=len(merges))
            if first == len(merges):
                break
            joined, place, lower = [], 0, False
            while place < len(word) and not lower:
                both = tuple(word[place : place + 2]) == merges[first]
                joined.append(word[place] + word[place + 1] if both else word[place])
                place += 2 if both else 1
                if both:  # what it makes with its neighbours may come before it
                    beside = [*zip(joined[-2:-1], joined[-1:]), *zip(joined[-1:], word[place : place + 1])]
                    lower = any(ranks.get(pair, first) < first for pair in beside)
            word = joined + word[place:]
        found += word
    return found
"""
