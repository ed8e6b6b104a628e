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
