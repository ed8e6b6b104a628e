"""Where things are on this machine: the gallery and icons that come with the studio, the user's own folders."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from ..design.storage import SUFFIX
from ..gallery import gallery_folder


def resources() -> Path:
    """The folder of icons and examples. Raises StudioError when it is missing."""
    return gallery_folder().parent


def icons() -> Path:
    return resources() / "icons"


def gallery() -> list[Path]:
    """The example designs, in the order of their folders' names."""
    return sorted(gallery_folder().glob(f"*/*{SUFFIX}"))


def user_data() -> Path:
    """The user's data folder of the studio, made when it is missing."""
    return Path(platformdirs.user_data_dir("rnnstudio", appauthor=False, ensure_exists=True))


def own_cells() -> Path:
    """The folder of the person's own cells, made when it is missing."""
    folder = user_data() / "cells"
    folder.mkdir(exist_ok=True)
    return folder
