"""What a plugin declares: one value that lists all it adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ..catalog.node import NodeKind
from ..data.readers import Reader
from ..design.design import CellDefinition
from ..design.recipe import DataRecipe

if TYPE_CHECKING:
    from ..runtime.network import Network

BUILT_IN_FORMATS = ("python",)
"""The formats of `rnnstudio export` that need no plugin."""

RESERVED_FORMATS = (*BUILT_IN_FORMATS, "onnx", "pt2")


class Exporter:
    """Writes a trained model to files of some format. An exporter has no state.

    name: what follows `rnnstudio export --format`; title: what people choose in the window; suffix: of the main file.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    suffix: ClassVar[str] = ""

    def export(self, network: Network, recipe: DataRecipe | None, out: Path) -> object:
        """Write the files and return the `Certificate` that compares them with `network` (rnnstudio.plugins.compare).

        recipe: vocabulary and scaling, to be written into the files. out: a file name, or a folder. Raises StudioError,
        with nothing written, when the files would not compute the same.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Plugin:
    """What a plugin adds to the studio. All of it is added, or nothing when a part is wrong.

    name: for people, unique among the plugins. nodes: instances, not classes. cells: drawn ones, or the paths of
    `.rnncell` files (`Path(__file__).with_name("mine.rnncell")`).
    """

    name: str
    version: str = ""
    nodes: Sequence[NodeKind] = ()
    cells: Sequence[CellDefinition | Path] = ()
    readers: Sequence[Reader] = ()
    exporters: Sequence[Exporter] = ()
