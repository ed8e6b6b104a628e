"""rnnstudio.system tells the truth about this machine: libraries, fonts, displays."""

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import PySide6
import pytest

from rnnstudio import system
from rnnstudio.system import Library

ABSENT = Library("libnobody-has-this.so.9", ("libnobody9t64", "libnobody9"))
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sonames and X sockets are Linux's")
QT_FILES = (
    *(f"lib/libQt6{name}.so.6" for name in ("Core", "Gui", "Widgets", "DBus", "Network", "OpenGLWidgets", "Svg")),
    *(f"lib/libQt6{name}.so.6" for name in ("Test", "XcbQpa", "WaylandClient")),
    *(f"plugins/platforms/libq{name}.so" for name in ("offscreen", "xcb", "wayland")),
    "plugins/wayland-graphics-integration-client/libqt-plugin-wayland-egl.so",
)


@LINUX
def test_a_library_that_is_not_there_is_missing_and_one_that_is_there_is_not() -> None:
    assert system.missing([Library("libc.so.6", ("libc6",)), ABSENT]) == [ABSENT]


def test_the_line_to_paste_names_each_package_once_and_by_the_name_every_release_knows() -> None:
    twice = [ABSENT, Library("libnobody-else.so.1", ABSENT.packages)]
    assert system.remedy(twice) == "sudo apt-get install libnobody9"
    assert "libnobody-has-this.so.9" in system.describe(twice)


@LINUX
def test_the_tables_hold_all_that_the_installed_qt_links_to() -> None:
    known = {library.soname for library in system.needed("wayland")}
    bundled = {path.name for path in (Path(PySide6.__file__).parent / "Qt" / "lib").iterdir()}
    # Of glibc, of gcc, and in libbrotli1 beside libbrotlidec.
    always = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libresolv.so.2", "libbrotlicommon.so.1"}
    for name in QT_FILES:
        elf = (Path(PySide6.__file__).parent / "Qt" / name).read_bytes()
        # A NEEDED entry is a name in the string table; being between two zero bytes tells it from other text.
        names = {found.decode() for found in re.findall(rb"(?<=\0)lib[\w+.-]+\.so\.\d+(?=\0)", elf)}
        assert names - bundled - always <= known, name


@LINUX
def test_offscreen_needs_no_libraries_of_a_window() -> None:
    assert set(system.needed("")) < set(system.needed("x11")) < set(system.needed("wayland"))
    assert not any("xcb" in library.soname for library in system.needed(""))


def test_fonts_are_counted() -> None:
    count = system.font_count()
    assert count is None or count >= 0


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A server on a TCP port from 6000 on, as an X server over the network has."""
    with closing(socket.socket()) as server:
        for port in range(6200, 6300):
            try:
                server.bind(("127.0.0.1", port))
                break
            except OSError:
                continue  # taken
        server.listen()
        yield server


@LINUX
@pytest.mark.parametrize("name", ["", "nonsense", ":", ":x", ":98765", "nobody.invalid:0"])
def test_a_display_that_nobody_serves_is_none(name: str) -> None:
    assert system.display({"DISPLAY": name}) == ""


@LINUX
def test_no_variable_is_no_display() -> None:
    assert system.display({}) == ""


@LINUX
@pytest.mark.parametrize("name", [":98764", "unix:98764", ":98764.0"])
def test_an_x_server_here_is_found_by_its_socket(name: str) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind("\0/tmp/.X11-unix/X98764")
        server.listen()
        assert system.display({"DISPLAY": name}) == "x11"


@LINUX
def test_an_x_server_over_the_network_is_found_by_its_port(listening: socket.socket) -> None:
    number = listening.getsockname()[1] - 6000
    assert system.display({"DISPLAY": f"127.0.0.1:{number}.0"}) == "x11"


@LINUX
def test_a_wayland_session_is_found_and_a_stale_one_is_not(tmp_path: Path) -> None:
    session = {"WAYLAND_DISPLAY": "wayland-0", "XDG_RUNTIME_DIR": str(tmp_path)}
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(tmp_path / "wayland-0"))
        server.listen()
        assert system.display(session) == "wayland"
        assert system.display({"WAYLAND_DISPLAY": str(tmp_path / "wayland-0")}) == "wayland"
    assert system.display(session) == ""
