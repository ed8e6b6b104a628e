"""What this machine offers to a window: system libraries, fonts, a display.

Qt is installed by pip, but it opens libraries of the operating system, and when they are missing its own message names
the wrong one. So the set-up and the launcher ask here first. Standard library only: this runs before anything is
installed.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Display = Literal["", "x11", "wayland", "native"]


@dataclass(frozen=True)
class Library:
    """A shared library by the name it is opened with, and its package: names on Debian and Ubuntu, newest first."""

    soname: str
    packages: tuple[str, ...]


# Read off the ELF headers (NEEDED) of Qt's Core, Gui, Widgets, Svg, Network and of its platform plugins.
OFFSCREEN = (
    Library("libstdc++.so.6", ("libstdc++6",)),
    Library("libz.so.1", ("zlib1g",)),
    Library("libzstd.so.1", ("libzstd1",)),
    Library("libglib-2.0.so.0", ("libglib2.0-0t64", "libglib2.0-0")),
    Library("libgthread-2.0.so.0", ("libglib2.0-0t64", "libglib2.0-0")),
    Library("libGL.so.1", ("libgl1",)),
    Library("libEGL.so.1", ("libegl1",)),
    Library("libX11.so.6", ("libx11-6",)),
    Library("libxkbcommon.so.0", ("libxkbcommon0",)),
    Library("libfontconfig.so.1", ("libfontconfig1",)),
    Library("libfreetype.so.6", ("libfreetype6",)),
    Library("libdbus-1.so.3", ("libdbus-1-3",)),
    Library("libgssapi_krb5.so.2", ("libgssapi-krb5-2",)),
    Library("libbrotlidec.so.1", ("libbrotli1",)),
)
X11 = (
    Library("libX11-xcb.so.1", ("libx11-xcb1",)),
    Library("libxkbcommon-x11.so.0", ("libxkbcommon-x11-0",)),
    Library("libxcb.so.1", ("libxcb1",)),
    Library("libxcb-cursor.so.0", ("libxcb-cursor0",)),
    Library("libxcb-icccm.so.4", ("libxcb-icccm4",)),
    Library("libxcb-image.so.0", ("libxcb-image0",)),
    Library("libxcb-keysyms.so.1", ("libxcb-keysyms1",)),
    Library("libxcb-randr.so.0", ("libxcb-randr0",)),
    Library("libxcb-render.so.0", ("libxcb-render0",)),
    Library("libxcb-render-util.so.0", ("libxcb-render-util0",)),
    Library("libxcb-shape.so.0", ("libxcb-shape0",)),
    Library("libxcb-shm.so.0", ("libxcb-shm0",)),
    Library("libxcb-sync.so.1", ("libxcb-sync1",)),
    Library("libxcb-util.so.1", ("libxcb-util1",)),
    Library("libxcb-xfixes.so.0", ("libxcb-xfixes0",)),
    Library("libxcb-xkb.so.1", ("libxcb-xkb1",)),
)
WAYLAND = (
    Library("libwayland-client.so.0", ("libwayland-client0",)),
    Library("libwayland-cursor.so.0", ("libwayland-cursor0",)),
    Library("libwayland-egl.so.1", ("libwayland-egl1",)),
)
FONT_PACKAGES = ("fonts-dejavu-core",)


def needed(display: Display) -> tuple[Library, ...]:
    """The libraries Qt opens for this kind of display; "" (no display) means Qt's offscreen platform."""
    if not sys.platform.startswith("linux"):
        return ()  # the wheels for Windows and macOS bring or find all they need
    # A Wayland session nearly always runs an X server too, and Qt falls back to it.
    return OFFSCREEN + {"x11": X11, "wayland": WAYLAND + X11}.get(display, ())


def missing(libraries: Iterable[Library]) -> list[Library]:
    """Those the dynamic loader cannot open. Asking it holds for every distribution, and for libraries put by hand."""
    absent = []
    for library in libraries:
        try:
            ctypes.CDLL(library.soname)
        except OSError:
            absent.append(library)
    return absent


def packages(libraries: Iterable[Library]) -> list[tuple[str, ...]]:
    """The packages to install, each once, as alternatives in order of preference."""
    return list(dict.fromkeys(library.packages for library in libraries))


def describe(libraries: Iterable[Library]) -> str:
    """A list for people, one library a line, with the package that holds it on Debian and Ubuntu."""
    return "\n".join(f"  {each.soname:<24} {' or '.join(each.packages)}" for each in libraries)


def remedy(libraries: Iterable[Library]) -> str:
    """The line to paste on Debian or Ubuntu (apt finds the newer names from the older ones, given last)."""
    return "sudo apt-get install " + " ".join(names[-1] for names in packages(libraries))


def font_count() -> int | None:
    """How many fonts fontconfig knows; None where there is no fontconfig to ask."""

    class FontSet(ctypes.Structure):  # FcFontSet of <fontconfig/fontconfig.h>
        _fields_ = (("nfont", ctypes.c_int), ("sfont", ctypes.c_int), ("fonts", ctypes.c_void_p))

    try:
        fontconfig = ctypes.CDLL("libfontconfig.so.1")
    except OSError:
        return None
    fontconfig.FcConfigGetFonts.restype = ctypes.POINTER(FontSet)
    fontconfig.FcConfigGetFonts.argtypes = [ctypes.c_void_p, ctypes.c_int]
    fonts = fontconfig.FcConfigGetFonts(None, 0)  # 0: FcSetSystem
    return int(fonts.contents.nfont) if fonts else 0


def display(environment: Mapping[str, str] | None = None) -> Display:
    """The display a window would open on, or "" if none answers.

    A set variable is not enough (a terminal multiplexer or a container keeps a stale DISPLAY): the server's socket must
    accept a connection. It is still the server that decides about authority when the window opens.
    """
    environment = os.environ if environment is None else environment
    if sys.platform in ("win32", "darwin"):
        return "native"
    if environment.get("WAYLAND_DISPLAY") and _accepts(_wayland_socket(environment)):
        return "wayland"
    if any(_accepts(address) for address in _x_sockets(environment.get("DISPLAY", ""))):
        return "x11"
    return ""


def _wayland_socket(environment: Mapping[str, str]) -> str:
    """An absolute WAYLAND_DISPLAY is the socket itself, else its name in the session's runtime folder."""
    return str(Path(environment.get("XDG_RUNTIME_DIR", "/nonexistent")) / environment["WAYLAND_DISPLAY"])


def _x_sockets(name: str) -> list[str | tuple[str, int]]:
    """The addresses behind an X display name, `[host]:number[.screen]`, in the order the X library tries them."""
    host, colon, rest = name.rpartition(":")
    number = rest.split(".")[0]
    if not colon or not number.isdigit():
        return []
    if host in ("", "unix"):
        path = f"/tmp/.X11-unix/X{number}"
        return ["\0" + path, path]
    return [(host, 6000 + int(number))]


def _accepts(address: str | tuple[str, int], seconds: float = 2.0) -> bool:
    try:
        if isinstance(address, tuple):
            socket.create_connection(address, timeout=seconds).close()
            return True
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(seconds)
            connection.connect(address)
            return True
    except OSError:
        return False
