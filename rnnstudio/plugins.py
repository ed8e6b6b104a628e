"""The only import a plugin needs: what it declares, what it derives from, and what it may use. See plugins/ for two.

    from rnnstudio.plugins import NodeKind, Plugin

    plugin = Plugin("my plugin", "1.0", nodes=[MyNode()])

A package names it as an entry point of the group "rnnstudio.plugins"; a single file goes into the user's plugin folder
(`rnnstudio plugins` says where that is). Import torch inside functions only: the window opens before torch is loaded.
`Network`, `Certificate` and `compare`, which an exporter needs, are loaded when they are asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .catalog.catalog import Catalog
from .catalog.node import (
    Context,
    Mistake,
    NodeKind,
    Param,
    Params,
    Port,
    Signals,
    joint_axes,
    joint_width,
    need_real,
    need_tokens,
)
from .catalog.primitives import PRIMITIVES, Builder, Init, Value
from .catalog.sketch import Sketch
from .compiler.program import Program
from .compiler.source import class_name, parameter_names, source
from .data.dataset import Dataset, Track
from .data.examples import Examples, Learning, labels, later, numbers, tags, tokens, tree
from .data.files import FileFacts
from .data.options import encoding_option, option
from .data.problems import Problem, Problems
from .data.readers import Guess, Reader
from .data.source import Sample, Source
from .data.split import Division, by_examples, by_sequence, by_time
from .data.vocabulary import UNKNOWN, Vocabulary
from .design.cell_file import dumps_cell, load_cell, loads_cell, save_cell
from .design.design import CellDefinition, Graph, Node, Pin, Var, Wire, frozen
from .design.errors import StudioError
from .design.recipe import JSON, DataRecipe, FieldSpec
from .design.signals import Axis, Real, Signal, Tokens
from .design.storage import write_atomically
from .loading.plugin import Exporter, Plugin

if TYPE_CHECKING:
    from .export.certificate import Certificate, Comparison, compare
    from .runtime.network import Network

_WITH_TORCH = {
    "Certificate": "export.certificate",
    "Comparison": "export.certificate",
    "compare": "export.certificate",
    "Network": "runtime.network",
}


def __getattr__(name: str) -> Any:
    if name not in _WITH_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"rnnstudio.{_WITH_TORCH[name]}"), name)


__all__ = [
    "JSON",
    "PRIMITIVES",
    "UNKNOWN",
    "Axis",
    "Builder",
    "Catalog",
    "CellDefinition",
    "Certificate",
    "Comparison",
    "Context",
    "DataRecipe",
    "Dataset",
    "Division",
    "Examples",
    "Exporter",
    "FieldSpec",
    "FileFacts",
    "Graph",
    "Guess",
    "Init",
    "Learning",
    "Mistake",
    "Network",
    "Node",
    "NodeKind",
    "Param",
    "Params",
    "Pin",
    "Plugin",
    "Port",
    "Problem",
    "Problems",
    "Program",
    "Reader",
    "Real",
    "Sample",
    "Signal",
    "Signals",
    "Sketch",
    "Source",
    "StudioError",
    "Tokens",
    "Track",
    "Value",
    "Var",
    "Vocabulary",
    "Wire",
    "by_examples",
    "by_sequence",
    "by_time",
    "class_name",
    "compare",
    "dumps_cell",
    "encoding_option",
    "frozen",
    "joint_axes",
    "joint_width",
    "labels",
    "later",
    "load_cell",
    "loads_cell",
    "need_real",
    "need_tokens",
    "numbers",
    "option",
    "parameter_names",
    "save_cell",
    "source",
    "tags",
    "tokens",
    "tree",
    "write_atomically",
]
