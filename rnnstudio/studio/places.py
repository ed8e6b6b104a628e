"""Where things are on this machine: the gallery and icons that come with the studio, the user's own folders."""

from __future__ import annotations

from pathlib import Path

import platformdirs

RESOURCES = Path(__file__).resolve().parents[2] / "resources"


def icons() -> Path:
    return RESOURCES / "icons"


def gallery() -> list[Path]:
    """The example designs, in the order of their folders' names."""
    return sorted((RESOURCES / "gallery").glob("*/*.rnn"))


def user_data() -> Path:
    """The user's data folder of the studio, made when it is missing."""
    return Path(platformdirs.user_data_dir("rnnstudio", appauthor=False, ensure_exists=True))
