"""Finds the installed plugins and those in the user's folder, and loads each so that a failing one harms nobody.

A design never loads one: it only names nodes, and a name that nobody brought is marked in the drawing.
"""

from __future__ import annotations

import importlib.util
import os
import re
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from platformdirs import user_data_path

from ..catalog.catalog import Catalog, standard
from ..data import readers
from ..design.cell_file import SUFFIX as CELL_SUFFIX
from ..design.errors import StudioError
from .judge import Stock, Unfit
from .plugin import Exporter, Plugin
from .stuck import NeverReturned, watched

GROUP = "rnnstudio.plugins"
"""The group of entry points. Each names a Plugin: `my_plugin = "my_package:plugin"`."""

ATTRIBUTE = "plugin"
"""What a module in the user's folder calls its Plugin."""

_MODULES = "rnnstudio_user_plugin_"


@dataclass(frozen=True, slots=True)
class Found:
    """A loaded plugin and where it came from."""

    plugin: Plugin
    origin: str

    def adds(self) -> dict[str, list[str]]:
        """Names of what it adds, by kind; only kinds that it has."""
        p = self.plugin
        lists: dict[str, Iterable[object]] = {
            "nodes": p.nodes,
            "cells": p.cells,
            "readers": p.readers,
            "exporters": p.exporters,
        }
        return {kind: [str(getattr(item, "name", item)) for item in items] for kind, items in lists.items() if items}


@dataclass(frozen=True, slots=True)
class Failure:
    """A plugin that is not there, and why."""

    name: str
    origin: str
    reason: str

    def text(self) -> str:
        """One line for people."""
        return f"The plugin “{self.name}” ({self.origin}) was not loaded: {self.reason}"


@dataclass(frozen=True)
class Loaded:
    """All that can be drawn, read and exported: the studio's own and that of the plugins that loaded."""

    catalog: Catalog
    readers: Mapping[str, readers.Reader]
    exporters: Mapping[str, Exporter]
    plugins: tuple[Found, ...]
    problems: tuple[Failure, ...]


def plugin_folder() -> Path:
    """The user's own plugins: *.py, packages, and *.rnncell files."""
    return user_data_path("rnnstudio", appauthor=False) / "plugins"


def load_plugins() -> Loaded:
    """The plugins of this process: found once, and their readers made known to rnnstudio.data."""
    with _lock:
        return _load_once()


_lock = threading.Lock()


@cache
def _load_once() -> Loaded:
    loaded = discover(plugin_folder())
    readers.install(loaded.readers.values())
    return loaded


def discover(folder: Path, installed: Iterable[EntryPoint] | None = None) -> Loaded:
    """Load every plugin there is, in the order of their names: installed ones, then those in `folder`.

    installed: instead of the entry points of this environment. Never raises for what a plugin does.
    """
    stock = Stock(standard(), {}, {})
    found: list[Found] = []
    problems: list[Failure] = []
    points = entry_points(group=GROUP) if installed is None else installed
    for name, origin, version, get in (*_installed(points), *_in_folder(folder)):
        try:
            with watched(name, origin, version):
                given = get()
            stock, plugin = stock.with_plugin(given)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (the border to other people's code)
            problems.append(Failure(name, origin, _reason(error)))
        else:
            found.append(Found(plugin, origin))
    return Loaded(stock.catalog, stock.readers, stock.exporters, tuple(found), tuple(problems))


Source = tuple[str, str, str, Callable[[], object]]
"""Name, origin, what changes when the plugin does, and what gets it."""


def _installed(points: Iterable[EntryPoint]) -> Iterator[Source]:
    for point in sorted(points, key=lambda p: (p.name, p.value)):
        dist = getattr(point, "dist", None)
        origin = f"installed package {dist.name} {dist.version}" if dist is not None else "installed"
        yield point.name, origin, point.value, point.load


def _in_folder(folder: Path) -> Iterator[Source]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")):
            continue
        inside = path / "__init__.py"
        if path.suffix == ".py" and not path.is_dir():
            yield path.stem, str(path), _version(path), partial(_plugin_of, path.stem, path)
        elif path.is_dir() and os.path.lexists(inside):
            yield path.name, str(path), _version(inside), partial(_plugin_of, path.name, inside)
        elif path.suffix == CELL_SUFFIX:
            yield path.stem, str(path), _version(path), partial(_cell_of, path)


def _version(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_mtime_ns} {found.st_size}"


def _regular(path: Path) -> None:
    """Raises Unfit for what cannot be read like a file: a pipe or device would keep its reader waiting for ever."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise Unfit(f"{path.name} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(mode):
        raise Unfit(f"{path.name} is no regular file")


def _cell_of(path: Path) -> object:
    _regular(path)
    return Plugin(path.stem, cells=(path,))


def _plugin_of(name: str, path: Path) -> object:
    """The Plugin that the module at `path` declares."""
    _regular(path)
    module_name = _MODULES + re.sub(r"\W", "_", name)
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise Unfit("it is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
        if not hasattr(module, ATTRIBUTE):
            raise Unfit(f"the module has no `{ATTRIBUTE} = Plugin(…)`")
    except BaseException:
        del sys.modules[module_name]
        raise
    return getattr(module, ATTRIBUTE)


def _reason(error: BaseException) -> str:
    """One line: the verdict, or the exception with the line of the plugin it came from."""
    if isinstance(error, Unfit | StudioError | NeverReturned):
        return str(error).rstrip(".") + "."
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = f" ({Path(last.tb_frame.f_code.co_filename).name}, line {last.tb_lineno})" if last is not None else ""
    if isinstance(error, SyntaxError):
        place = f" ({Path(error.filename or '').name}, line {error.lineno})"
    told = str(error.msg if isinstance(error, SyntaxError) else error).splitlines()
    return f"{type(error).__name__}: {told[0] if told else 'no message'}{place}."
