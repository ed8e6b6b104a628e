"""The one kind of error that is written for people: what is wrong, where, and what to do."""

from __future__ import annotations


class StudioError(Exception):
    """Bad input from a person or a file. `str()` is one clear line: "what (where). remedy".

    Anything else that is raised is a bug in the studio and is reported as one.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what.rstrip(". ")
        self.where = where
        self.remedy = remedy
        place = f" ({where})" if where else ""
        advice = f" {remedy}" if remedy else ""
        super().__init__(" ".join(f"{self.what}{place}.{advice}".splitlines()))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.where, self.remedy)


def _rebuild(kind: type[StudioError], what: str, where: str, remedy: str) -> StudioError:
    return kind(what, where=where, remedy=remedy)


def shortened(value: object, most: int = 80) -> str:
    """A value of a file in a message, its beginning where it is long: a line is read, a megabyte is not."""
    if isinstance(value, str):
        return repr(value) if len(value) <= most else f"{value[:most]!r}…"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 4 * most:
        return "a number of many digits"
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested very deep; a number in it of more digits than Python prints
        return f"a {type(value).__name__} that is too large to be shown"
    return text if len(text) <= most else f"{text[:most]}…"


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that no memory was left: each system and each kind of device has words of its own."""
    words = ("not enough memory", "out of memory", "allocate memory")
    return isinstance(error, MemoryError) or any(said in str(error) for said in words)
