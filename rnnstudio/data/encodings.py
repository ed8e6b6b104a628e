"""Which encoding a text is in, where neither a mark nor UTF-8 says so: a guess from the bytes of a bounded sample.

charset-normalizer measures every encoding that people still meet: how much noise a text would have in it ("chaos"), and
how much it looks like a language ("coherence"). A heading of three words is too short for it: encodings that it finds
equal are parted by what no text does (a capital in the middle of a word, a sign between letters, two scripts in one
word, characters that nobody uses), and those that are still equal by how common they are.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from functools import lru_cache
from itertools import islice, pairwise

MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8"),
)
"""Byte-order marks, and the encodings whose they are."""

COMMONEST = (
    *("cp1252", "cp1251", "cp932", "gb18030", "big5", "cp949", "cp1254", "cp1250", "koi8_r", "euc_jp", "cp1253"),
    *("cp1255", "cp1256", "cp1257", "cp874", "koi8_u", "iso8859_2", "cp437", "cp850", "cp866", "mac_roman"),
    *("iso8859_5", "iso8859_7"),
)
"""The encodings that a guess is made among, the most common first."""

FALLBACK = "latin-1"
"""Reads any bytes."""

_NAMES = {
    "cp932": "shift_jis",
    "koi8_r": "koi8-r",
    "koi8_u": "koi8-u",
    "euc_jp": "euc-jp",
    "mac_roman": "mac-roman",
    **{f"iso8859_{part}": f"iso8859-{part}" for part in (2, 5, 7)},
}
_TELLING = 1 << 13
"""So many bytes of lines with other than ASCII are looked at."""
_WORDS = 300
_HIGH = bytes(range(128, 256))
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "HEBREW", "ARABIC", "THAI", "HANGUL", "CJK", "HIRAGANA", "KATAKANA")
_JAPANESE = {"CJK", "HIRAGANA", "KATAKANA"}
_EASTERN = {*_JAPANESE, "HANGUL", "THAI"}
_WORD = re.compile(r"[^\W_]+(?:[^\x00-\x7f\s\w]+[^\W_]+)*")
_DOS = ("cp437", "cp850", "cp866")
_FRAME_OF_DOS = re.compile(rb"([\xc4\xcd\xdb])\1\1")
_FRAME = re.compile(rb"([\x80-\xff])\1\1+")
_LIGATURE = re.compile(r"œ(?=[^a-z]|$)|æ(?=œ)")
_FINAL_ONLY = "ςךםןףץ"
_VOWELS = set("аеёиоуыэюяіїє")
_NO_TEXT = 9.0
_STEP = 0.004
"""What one place in the order of COMMONEST counts, in units of chaos."""


def marked(head: bytes) -> str | None:
    """The encoding that a file's first bytes show: by a byte-order mark, or by the zeros of UTF-16. None: neither."""
    for mark, name in MARKS:
        if head.startswith(mark):
            return name
    return without_mark(head)


def without_mark(head: bytes) -> str | None:
    """The UTF-16 order whose zero bytes these are, or None.

    Latin text has a zero in every pair; other scripts have one in each space, digit and line end, all on one side.
    """
    if 0 not in head:
        return None
    pairs = max(len(head) // 2, 1)
    odd, even = head[1::2].count(0) / pairs, head[0::2].count(0) / pairs
    if (odd > 0.4 and even < 0.1) or (even > 0.4 and odd < 0.1):
        return "utf-16-le" if odd > even else "utf-16-be"
    if odd and even:
        return None
    name = "utf-16-le" if odd else "utf-16-be"
    text = head[: len(head) // 2 * 2].decode(name, "replace")
    readable = sum(char.isprintable() or char in "\r\n\t" for char in text) - text.count("\ufffd")
    return name if readable > 0.98 * len(text) and any(char in " \n" for char in text) else None


def guessed(head: bytes, whole: bool) -> str:
    """The encoding of bytes that have no mark and may be no UTF-8. whole: they are all of the file.

    UTF-8 is certain where it fits, and is kept where nearly all of the text is UTF-8, so that the damaged byte is told.
    """
    if _reads("utf-8", head, whole) or _nearly_utf_8(head):
        return "utf-8"
    telling = _telling(head)
    framed = 0.8 * bool(_FRAME_OF_DOS.search(head))
    telling = _FRAME.sub(b"", telling)
    possible = [name for name in COMMONEST if _reads(name, head, whole)]
    measured = {name: _measured(telling, name) for name in possible}
    worst = max((noise for noise, _ in measured.values() if noise < _NO_TEXT), default=0.0) + 0.1
    scores = {
        name: round(min(noise, worst) + oddness - framed * (name in _DOS), 4) + _STEP * COMMONEST.index(name)
        for name, (noise, oddness) in measured.items()
    }
    return _shown(min(scores, key=lambda name: scores[name]), head, whole) if scores else FALLBACK


def _measured(telling: bytes, name: str) -> tuple[float, float]:
    """How noisy a text is in an encoding by charset-normalizer, less how much of a language it is; and its oddness."""
    from charset_normalizer import from_bytes  # not before it is needed: it costs the window's start

    text = codecs.getincrementaldecoder(name)().decode(telling)  # the last character may be a part of one
    found = from_bytes(
        text.encode(name), cp_isolation=[name], threshold=0.6, preemptive_behaviour=False, enable_fallback=False
    ).best()
    return (_NO_TEXT if found is None else found.chaos - 0.25 * found.coherence), _oddness(text)


def _shown(name: str, head: bytes, whole: bool) -> str:
    """As people call it, where that reads the sample alike: shift_jis rather than Microsoft's cp932."""
    plain = _NAMES.get(name, name)
    if plain == name or (_reads(plain, head, whole) and head.decode(plain, "ignore") == head.decode(name, "ignore")):
        return plain
    return name


def _reads(name: str, head: bytes, whole: bool) -> bool:
    try:
        codecs.getincrementaldecoder(name)().decode(head, whole)
    except UnicodeDecodeError:
        return False
    return True


def _nearly_utf_8(head: bytes) -> bool:
    """Whether nine of ten high bytes stand in characters of UTF-8, and there are some of these."""
    high = len(head) - len(head.translate(None, _HIGH))
    good = "".join(char for char in head.decode("utf-8", "ignore") if char > "\x7f")
    return len(good) >= 3 and len(good.encode()) >= 0.9 * high


def _telling(head: bytes) -> bytes:
    """The lines that are not ASCII, each once, some kilobytes of them: no column of numbers outvotes a heading."""
    kept: list[bytes] = []
    room = _TELLING
    for line in dict.fromkeys(re.split(rb"[\r\n]+", head)):
        if len(line) == len(line.translate(None, _HIGH)):
            continue
        if len(line) > room:
            line = _cut(line, room)
        kept.append(line)
        room -= len(line)
        if room <= 0:
            break
    return b"\n".join(kept)


def _cut(line: bytes, room: int) -> bytes:
    """The beginning of a long line, from its first byte above ASCII to a space or mark: it cuts no character."""
    first = next(place for place, byte in enumerate(line) if byte > 127)
    piece = line[first : first + room]
    ends = [match.start() for match in re.finditer(rb"[ ,;\t.]", piece)]
    return piece[: ends[-1]] if ends and ends[-1] > room // 2 else piece


def _oddness(text: str) -> float:
    """How much in a text no text has, for each word that is not ASCII; some 0.5 for one such thing in every word."""
    words = list(islice((match for match in _WORD.finditer(text) if not match.group().isascii()), _WORDS))
    odd = [_odd(w.group(), text[max(w.start() - 1, 0) : w.start()], text[w.end() : w.end() + 1]) for w in words]
    alone = [char for char in _WORD.sub(" ", text) if char > "\x7f"]
    total = sum(odd) + sum(_odd_sign(char) for char in alone)
    return total / max(len(odd) + len(alone), 1)


def _odd(word: str, before: str, after: str) -> float:
    """How much of a word no word has. before, after: the characters beside it."""
    letters = [char for char in word if char.isalpha()]
    above = [char for char in word if char > "\x7f"]
    scripts = {_script(char) for char in letters} - {""}
    eastern = bool(scripts & _EASTERN)
    found = sum(map(_odd_sign, above)) / max(len(above), 1)
    if len(scripts) > 1 and not (scripts <= _JAPANESE or (scripts == {"LATIN", "CJK"} and len(above) > 1)):
        found += 0.5
    if not eastern:
        found += 0.7 * sum(_parts(char) for char in word[1:-1])
        cases = ["u" if char.isupper() else "l" for char in letters if char.isupper() or char.islower()]
        found += 0.5 * sum(pair == ("l", "u") for pair in pairwise(cases))
        if len(cases) > 1 and set(cases) == {"u"} and len(above) > 1:
            found += 0.15  # a word in capitals is possible, and rarer
    found += 0.3 * len(_LIGATURE.findall(word))
    found += 0.3 * sum(char in _FINAL_ONLY for char in word[:-1]) + 0.3 * word[1:].count("þ")
    if scripts == {"LATIN"} and (len(above) == len(letters) > 1 or len(above) > max(0.7 * len(letters), 3)):
        found += 0.4  # a word of accents alone
    if scripts == {"CYRILLIC"} and len(word) > 2:
        found += 0.4 * (word[0].lower() in "ьъы") + 0.4 * (not _VOWELS & set(word.lower()))
    if scripts & {"THAI", "HANGUL"} and len(letters) == 1:
        found += 0.3
    if len(letters) == 1 and word[0] > "\x7f" and (word[1:] + after)[:1].isdigit() and not eastern:
        found += 0.5  # Ł0.50 is rather £0.50
    if _narrow(word[0]) and before.isascii() and (word[1:] + after).isascii():
        found += 0.5
    return found


def _parts(char: str) -> bool:
    """Whether a sign other than ASCII parts two words."""
    return char > "\x7f" and not char.isalnum() and char not in "’–‐\u00ad" and unicodedata.category(char)[0] != "M"


def _narrow(char: str) -> bool:
    """Katakana of half width, and their marks."""
    return 0xFF61 <= ord(char) <= 0xFF9F


@lru_cache(maxsize=4096)
def _script(char: str) -> str:
    name = unicodedata.name(char, "")
    return next((script for script in _SCRIPTS if script in name), "")


@lru_cache(maxsize=4096)
def _odd_sign(char: str) -> float:
    """How seldom a character is met: 1 for none at all, such as a control character."""
    kind = unicodedata.category(char)
    if kind in ("Cc", "Co", "Cn", "Cs"):
        return 1.0
    if _narrow(char):
        return 0.5 if kind[0] == "P" else 0.3
    if 0xFF01 <= ord(char) <= 0xFF5E and char.isalnum():
        return 0.2
    if 0x3400 <= ord(char) <= 0x9FFF or 0xF900 <= ord(char) <= 0xFAFF:
        return 0.0 if _in_daily_use(char) else 0.5
    if 0xAC00 <= ord(char) <= 0xD7A3:
        return 0.0 if _in_daily_use(char) else 0.4
    if 0x2500 <= ord(char) <= 0x259F:
        return 0.1  # frames of lines
    if kind in ("Sm", "Sk", "No") and char not in "±×÷²³½¼¾µ≤≥≈":
        return 0.2
    if kind == "Po" and char in "¶§‡†‰‚":
        return 0.3
    return 0.0


def _in_daily_use(char: str) -> bool:
    """Whether a character is of the first level of GB 2312, Big5 or JIS X 0208, or a syllable of KS X 1001."""
    levels = (("gb2312", 0xB0, 0xD7), ("big5", 0xA4, 0xC6), ("euc_jp", 0xB0, 0xCF), ("euc_kr", 0xB0, 0xC8))
    for name, first, last in levels:
        try:
            written = char.encode(name)
        except UnicodeEncodeError:
            continue
        if len(written) == 2 and first <= written[0] <= last:
            return True
    return False
