"""rnnstudio: draw a recurrent network, train it, look inside it. Kept light: importing this loads nothing heavy.

`new`, `load`, `build`, `look`, `kinds`, `Var` and the classes are those of rnnstudio.api, loaded when asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import Drawing, DrawingError, StudioError, Var, build, kinds, load, look, new

__version__ = "0.1.0"

__all__ = ["Drawing", "DrawingError", "StudioError", "Var", "build", "kinds", "load", "look", "new"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("rnnstudio.api"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
