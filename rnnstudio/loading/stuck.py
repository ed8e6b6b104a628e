"""A plugin that never returns from its import: it is named while the start waits, and passed over by the next start.

While a plugin is being imported nothing else can run in its thread, so a second thread tells. What it told is kept in a
file until the import returns: when the start is ended instead, the file stays, and the next start knows.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from platformdirs import user_state_path

from .processes import lives, started

PATIENCE = 5.0
"""Seconds after which a plugin that is still being imported is named."""


class NeverReturned(Exception):  # noqa: N818 (a verdict)
    """The plugin is passed over: the last start that imported it was ended before it returned."""


def notes_folder() -> Path:
    return user_state_path("rnnstudio", appauthor=False) / "plugins that never returned"


@contextlib.contextmanager
def watched(name: str, origin: str, version: str) -> Iterator[None]:
    """Import a plugin inside. Raises NeverReturned at once when an import of it was ended while it hung.

    version: anything that changes when the plugin does; a changed plugin is tried again.
    """
    note = _note(origin)
    if _blamed(note, version):
        raise NeverReturned(
            f"it did not return from its import, and that start was ended. To try it again: "
            f"rnnstudio plugins --enable {json.dumps(name, ensure_ascii=False)}"
        )
    returned = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(returned, note, name, origin, version), name="rnnstudio-plugin-watch", daemon=True
    )
    watcher.start()
    try:
        yield
    except Exception:
        _forget(returned, watcher, note)
        raise
    except BaseException as error:  # Ctrl+C while it hangs ends the start: the note stays
        if isinstance(error, SystemExit):
            _forget(returned, watcher, note)
        returned.set()
        raise
    else:
        _forget(returned, watcher, note)


def enable(name: str) -> bool:
    """Let the next start import the plugin again. False when it was not passed over."""
    found = [note for note in _notes() if _read(note).get("name") == name]
    for note in found:
        note.unlink(missing_ok=True)
    return bool(found)


def _watch(returned: threading.Event, note: Path, name: str, origin: str, version: str) -> None:
    if returned.wait(PATIENCE):
        return
    with contextlib.suppress(OSError):  # a state folder that cannot be written: it is named all the same
        note.parent.mkdir(parents=True, exist_ok=True)
        pid = os.getpid()
        told = {"name": name, "version": version, "pid": pid, "since": started(pid)}
        note.write_text(json.dumps(told), encoding="utf-8")
    print(
        f"rnnstudio: the plugin “{name}” ({origin}) has not returned from its import for {PATIENCE:g} s. "
        "Wait, or end this start: the next one passes it over.",
        file=sys.stderr,
        flush=True,
    )


def _forget(returned: threading.Event, watcher: threading.Thread, note: Path) -> None:
    """It returned after all. The watcher is waited for, so that it does not write the note afterwards."""
    returned.set()
    watcher.join()
    with contextlib.suppress(OSError):
        note.unlink(missing_ok=True)


def _note(origin: str) -> Path:
    return notes_folder() / f"{hashlib.sha256(origin.encode()).hexdigest()[:16]}.json"


def _notes() -> list[Path]:
    folder = notes_folder()
    return sorted(folder.glob("*.json")) if folder.is_dir() else []


def _read(note: Path) -> dict[str, object]:
    try:
        body = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


def _blamed(note: Path, version: str) -> bool:
    """A note whose process still waits blames nobody yet."""
    body = _read(note)
    pid = body.get("pid")
    if pid == os.getpid():
        return False
    if not isinstance(pid, int) or body.get("version") != version:
        return False
    return not lives(pid, str(body.get("since", "")))
