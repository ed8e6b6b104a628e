"""A design as a file: sorted, diff-friendly JSON (`.rnn`). Data, never code: nothing in it is evaluated or imported."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any

from .design import CellDefinition, Design, Frame, Graph, Node, Pin, Value, Var, Wire, frozen
from .drafts import cannot_write, draft_of, sweep
from .edits import check_name
from .errors import StudioError, shortened
from .recipe import DataRecipe
from .signals import Axis
from .standing import Standing, changed_elsewhere, one_writer, standing, standing_of

FORMAT = 1
SUFFIX = ".rnn"

_NODE_KEYS = {"kind", "params", "x", "y", "title", "shared", "muted", "collapsed"}
_GRAPH_KEYS = {"nodes", "wires", "frames", "hidden"}
_FRAME_KEYS = {"title", "x", "y", "width", "height", "color", "note"}
_CELL_KEYS = {"graph", "params", "doc", "formula", "source"}
_AXIS_KEYS = {"kind", "chunk", "carry"}
_DESIGN_KEYS = {"format", "name", "doc", "variables", "graph", "cells", "axes", "data", "training"}

_OPEN_ANOTHER = "Open a .rnn file, as the studio saves them. Tables and texts to train on are loaded as data."

DEEPEST = 60
"""Levels of objects and lists in a file of ours; a design has about ten."""
LARGEST = 64 << 20
"""Bytes of a file of ours. A design of 10,000 nodes has three million."""

MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""format number → function that turns a file of that format into the next one."""


def dumps(design: Design) -> str:
    """The text of a design file. Equal designs give equal bytes, whatever the order they were drawn in."""
    body: dict[str, Any] = {
        **design.extra,
        "format": FORMAT,
        "name": design.name,
        "doc": design.doc,
        "variables": dict(design.variables),
        "graph": _graph_to_json(design.graph),
        "cells": {name: cell_to_json(cell) for name, cell in design.cells.items()},
        "axes": {a.name: _axis_to_json(a) for a in design.axes.values()},
        "data": design.data.to_json() if design.data is not None else None,
        "training": _plain(design.training),
    }
    return json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def loads(text: str, where: str = "") -> Design:
    """The design in `text`. Raises StudioError naming the place in the file when it is damaged."""
    body = read_json(text, where) if may_be_json(text) else None
    if not isinstance(body, dict) or "format" not in body:
        raise StudioError("This is not a rnnstudio design", where=where, remedy=_OPEN_ANOTHER)
    check_format(body["format"], FORMAT, where)
    for number in range(body["format"], FORMAT):
        if number not in MIGRATIONS:
            raise StudioError(f"There never was a design format {number}", where=where, remedy="Open a backup.")
        body = MIGRATIONS[number](body)
    return Reader(where).design(body)


def may_be_json(text: str) -> bool:
    """Whether it begins as what we write does: else it was never a file of ours, and no damaged one either."""
    return not text.strip() or text.lstrip().startswith("{")


def read_json(text: str, where: str) -> Any:
    """Parsed JSON. Raises StudioError with line and column when it is none, or could not be saved again."""
    try:
        body = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
        refuse_depth(body)
        if "\\u" in text:
            json.dumps(body, ensure_ascii=False).encode("utf-8")  # half a character could not be saved again
    except json.JSONDecodeError as error:
        place = f"{where or 'design'}, line {error.lineno}, column {error.colno}"
        raise StudioError(
            f"The design file is damaged: {error.msg}", where=place, remedy="Open a backup or repair that line."
        ) from None
    except (ValueError, RecursionError) as error:
        why = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise StudioError(f"The design file is damaged: {why}", where=where, remedy="Open a backup.") from None
    return body


def check_format(number: Any, newest: int, where: str) -> None:
    """Raises StudioError for a format number that this version does not know."""
    if isinstance(number, bool) or not isinstance(number, int) or number > newest:
        raise StudioError(
            f"The design has format {shortened(number)}, this studio reads up to {newest}",
            where=where,
            remedy="Update rnnstudio.",
        )


def load(path: Path) -> Design:
    """Read a design file. Raises StudioError when it is missing, unreadable or damaged."""
    return loads(read_text(path), str(path))


def read_text(path: Path) -> str:
    """The text of a file of ours. Raises StudioError when it is missing, unreadable, not UTF-8, or no plain file."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            what = "a folder" if stat.S_ISDIR(found.st_mode) else "no plain file but a pipe or a device"
            raise StudioError(f"This is {what}", where=str(path), remedy=_OPEN_ANOTHER)
        if found.st_size > LARGEST:
            raise StudioError(
                f"The file has {found.st_size / 1e6:,.0f} MB, and no design has more than {LARGEST / 1e6:,.0f}",
                where=str(path),
                remedy=_OPEN_ANOTHER,
            )
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise StudioError("There is no such design file", where=str(path), remedy="Check the name.") from None
    except UnicodeDecodeError as error:
        raise StudioError(
            f"The design file is damaged: byte {error.start} is not UTF-8 text",
            where=str(path),
            remedy="Open a .rnn file or a backup of this one.",
        ) from None
    except OSError as error:
        raise StudioError(f"The design file cannot be read: {error.strerror}", where=str(path)) from None


def plain(path: Path) -> Path:
    """The path, where reading it comes to an end. Raises OSError where a pipe or a device stands there: it may not."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "it is no plain file but a pipe or a device")
    return path


def save(design: Design, path: Path, over: Standing | None = None) -> Standing:
    """Write a design file so that a crash at any moment leaves the old file or the new one, never half of one.

    over: what the writer believes to stand there. Raises ChangedElsewhere, with nothing written, when something else
    does; without it, whatever is there is replaced. Returns what stands there now.
    """
    try:
        content = dumps(design).encode("utf-8")
    except UnicodeEncodeError as error:
        raise StudioError(
            f"The design cannot be saved: {error.object[error.start : error.end]!r} is half a character",
            where=str(path),
            remedy="Change the name or title that has it.",
        ) from None
    with one_writer(path.parent):
        if over is not None and (found := standing(path)) not in (over, standing_of(content)):
            raise changed_elsewhere(path, found)
        write_atomically(path, content)
    return standing_of(content)


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary name beside `path`, sync, rename. Raises StudioError; the old file then stands.

    A link is followed, permissions stay. A file with several names (hard links) is rewritten where it is, since a
    rename would part them: the whole draft stands beside it until that is done.
    """
    path = Path(os.path.realpath(path))
    sweep(path.parent, path.name)
    draft = draft_of(path)
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    except OSError as error:
        raise cannot_write(path, error, "Cannot write here") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        there = path.stat() if path.exists() else None
        if there is not None and there.st_nlink > 1:
            _rewrite(path, content)
            draft.unlink()
        else:
            draft.chmod(there.st_mode & 0o777 if there is not None else 0o644)
            draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise cannot_write(path, error) from None


def _rewrite(path: Path, content: bytes) -> None:
    """Put `content` into the file itself. It is made longer first: a full disk is known before any harm is done."""
    with path.open("r+b") as file:
        old = file.seek(0, os.SEEK_END)
        if len(content) > old:
            file.write(b"\n" * (len(content) - old))
            file.flush()
            os.fsync(file.fileno())
        file.seek(0)
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names stand once each: of two with one name all but the last would be lost unseen."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise ValueError(f"the name {shortened(twice)} stands twice in one object")
    return found


def refuse_depth(body: Any, deepest: int = DEEPEST) -> None:
    """Raises ValueError for what is nested deeper than anything that we write, before readers go down into it."""
    level = [body]
    for _ in range(deepest):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += value.values()
            elif isinstance(value, list):
                inner += value
        level = [value for value in inner if isinstance(value, dict | list)]
        if not level:
            return
    raise ValueError("it is nested too deep")


def value_to_json(value: Value) -> Any:
    if isinstance(value, Var):
        return {"variable": value.name}
    return _plain(value)


def value_from_json(value: Any) -> Value:
    if isinstance(value, dict) and set(value) == {"variable"} and isinstance(value["variable"], str):
        return Var(value["variable"])
    if isinstance(value, list):
        return tuple(value_from_json(v) for v in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{shortened(value)} is not a parameter value")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [value_to_json(v) for v in value]
    return value


def _axis_to_json(axis: Axis) -> dict[str, Any]:
    body: dict[str, Any] = {**axis.extra, "kind": axis.kind}
    if axis.chunk:
        body["chunk"] = axis.chunk
    if axis.carry is not None:
        body["carry"] = axis.carry
    return body


def _graph_to_json(graph: Graph) -> dict[str, Any]:
    return {
        **graph.extra,
        "nodes": {n.id: _node_to_json(n) for n in graph.nodes.values()},
        "wires": sorted([str(w.source), str(w.target)] for w in graph.wires),
        "frames": {
            f.id: {
                **f.extra,
                "title": f.title,
                "x": _place(f.x),
                "y": _place(f.y),
                "width": _place(f.width),
                "height": _place(f.height),
                **({"color": f.color} if f.color else {}),
                **({"note": f.note} if f.note else {}),
            }
            for f in graph.frames
        },
        **({"hidden": sorted([str(w.source), str(w.target)] for w in graph.hidden)} if graph.hidden else {}),
    }


def _place(value: float) -> float:
    """A place in the drawing as it is written: 3 and 3.0 are the same place."""
    return round(float(value), 2)


def _node_to_json(node: Node) -> dict[str, Any]:
    body: dict[str, Any] = {**node.extra, "kind": node.kind, "x": _place(node.x), "y": _place(node.y)}
    if node.params:
        body["params"] = {k: value_to_json(v) for k, v in node.params.items()}
    if node.title:
        body["title"] = node.title
    if node.shared:
        body["shared"] = node.shared
    if node.muted:
        body["muted"] = True
    if node.collapsed:
        body["collapsed"] = True
    return body


def cell_to_json(cell: CellDefinition) -> dict[str, Any]:
    return {
        **cell.extra,
        "graph": _graph_to_json(cell.graph),
        "params": {k: value_to_json(v) for k, v in cell.params.items()},
        "doc": cell.doc,
        "formula": cell.formula,
        "source": cell.source,
    }


def _unknown(body: Mapping[str, Any], known: set[str]) -> Mapping[str, Any]:
    """What a newer version has written there."""
    return frozen({k: v for k, v in body.items() if k not in known})


def _finite(value: Any) -> bool:
    """Whether a number fits into a finite float."""
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


class Reader:
    """Turns parsed JSON into a design; every complaint names the place in the file."""

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, place: str, what: str) -> StudioError:
        where = f"{self.where}: {place}" if self.where else place
        return StudioError(
            f"The design file is damaged: {what}", where=where, remedy="Open a backup or repair that place."
        )

    def take(self, body: Any, key: str, kind: type | tuple[type, ...], default: Any, place: str) -> Any:
        if not isinstance(body, dict):
            raise self.fail(place, "an object is expected")
        value = body.get(key, default)
        wrong_bool = isinstance(value, bool) and kind in ((int, float), int)
        if not isinstance(value, kind) or wrong_bool or (kind == (int, float) and not _finite(value)):
            raise self.fail(f"{place}.{key}" if place else key, f"{shortened(value)} cannot stand there")
        return value

    def design(self, body: dict[str, Any]) -> Design:
        variables = self.take(body, "variables", dict, {}, "")
        for name, value in variables.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
                raise self.fail(f"variables.{name}", f"{shortened(value)} is not a number")
        axes = {}
        for name, axis in self.take(body, "axes", dict, {}, "").items():
            place = f"axes.{name}"
            kind = self.take(axis, "kind", str, "sequence", place)
            if kind not in ("sequence", "tree"):
                raise self.fail(f"{place}.kind", f"{shortened(kind)} is no kind of axis")
            chunk = self.take(axis, "chunk", int, 0, place)
            carry = self.take(axis, "carry", (bool, NoneType), None, place)
            axes[name] = Axis(name, kind, max(chunk, 0), carry, _unknown(axis, _AXIS_KEYS))
        cells = {n: self.cell(n, c) for n, c in self.take(body, "cells", dict, {}, "").items()}
        data = body.get("data")
        try:
            recipe = DataRecipe.from_json(data) if data is not None else None
        except (KeyError, TypeError, ValueError) as error:
            raise self.fail("data", f"the data recipe does not fit ({error})") from None
        return Design(
            name=self.take(body, "name", str, "untitled", ""),
            doc=self.take(body, "doc", str, "", ""),
            variables=frozen(variables),
            graph=self.graph(self.take(body, "graph", dict, {}, ""), "graph"),
            cells=frozen(cells),
            axes=frozen(axes),
            data=recipe,
            training=frozen(self.take(body, "training", dict, {}, "")),
            extra=_unknown(body, _DESIGN_KEYS),
        )

    def cell(self, name: str, body: Any) -> CellDefinition:
        place = f"cells.{name}"
        params = self.take(body, "params", dict, {}, place)
        return CellDefinition(
            name=name,
            graph=self.graph(self.take(body, "graph", dict, {}, place), f"{place}.graph"),
            params=self.params(params, f"{place}.params"),
            doc=self.take(body, "doc", str, "", place),
            formula=self.take(body, "formula", str, "", place),
            source=self.take(body, "source", str, "", place),
            extra=_unknown(body, _CELL_KEYS),
        )

    def graph(self, body: dict[str, Any], place: str) -> Graph:
        nodes = {n: self.node(n, b, f"{place}.nodes.{n}") for n, b in self.take(body, "nodes", dict, {}, place).items()}
        wires = self.wires(body, "wires", nodes, place)
        hidden = self.wires(body, "hidden", nodes, place)
        frames = []
        for name, f in self.take(body, "frames", dict, {}, place).items():
            at = f"{place}.frames.{name}"
            x, y, width, height = (float(self.take(f, k, (int, float), 0.0, at)) for k in ("x", "y", "width", "height"))
            title = self.take(f, "title", str, "", at)
            color, note = (self.take(f, key, str, "", at) for key in ("color", "note"))
            frames.append(Frame(name, title, x, y, width, height, color, note, _unknown(f, _FRAME_KEYS)))
        extra = _unknown(body, _GRAPH_KEYS)
        return Graph(frozen(nodes), tuple(wires), tuple(frames), extra, frozenset(wires).intersection(hidden))

    def wires(self, body: dict[str, Any], key: str, nodes: Mapping[str, Node], place: str) -> list[Wire]:
        """A list of wires between nodes that are there."""
        wires = []
        for i, pair in enumerate(self.take(body, key, list, [], place)):
            if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(p, str) and "." in p for p in pair)):
                raise self.fail(f"{place}.{key}[{i}]", f"{shortened(pair)} is not [“node.port”, “node.port”]")
            ends = [Pin(*p.split(".", 1)) for p in pair]
            for end in ends:
                if end.node not in nodes:
                    raise self.fail(f"{place}.{key}[{i}]", f"there is no node {shortened(end.node)}")
            wires.append(Wire(*ends))
        return wires

    def node(self, name: str, body: Any, place: str) -> Node:
        try:
            check_name(name)
        except StudioError as error:
            raise self.fail(place, error.what) from None
        return Node(
            id=name,
            kind=self.take(body, "kind", str, None, place),
            params=self.params(self.take(body, "params", dict, {}, place), f"{place}.params"),
            x=float(self.take(body, "x", (int, float), 0.0, place)),
            y=float(self.take(body, "y", (int, float), 0.0, place)),
            title=self.take(body, "title", str, "", place),
            shared=self.take(body, "shared", str, "", place),
            extra=_unknown(body, _NODE_KEYS),
            muted=self.take(body, "muted", bool, False, place),
            collapsed=self.take(body, "collapsed", bool, False, place),
        )

    def params(self, body: dict[str, Any], place: str) -> Mapping[str, Value]:
        values = {}
        for key, value in body.items():
            try:
                values[key] = value_from_json(value)
            except TypeError as error:
                raise self.fail(f"{place}.{key}", str(error)) from None
        return frozen(values)
