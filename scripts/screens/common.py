"""What all makers of pictures share: an application in a theme, waiting for what a thread reads, small PNG files."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QImage, QImageWriter
from PySide6.QtWidgets import QApplication, QWidget

from rnnstudio.studio import theme

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "screens"
MOST_BYTES = 150_000
THEMES = {"light": theme.LIGHT, "dark": theme.DARK}


def application() -> QApplication:
    """The one application of the process."""
    found = QApplication.instance()
    return found if isinstance(found, QApplication) else QApplication([])


def wait_for(done: Callable[[], bool], seconds: float = 60.0) -> None:
    """Let events pass until it is done. Raises TimeoutError."""
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise TimeoutError("what is to be pictured did not appear")
        application().processEvents()
        time.sleep(0.005)
    application().processEvents()


def save(widget: QWidget, name: str) -> Path:
    """Write the widget as it is shown. Raises OSError for a picture that is too large to be kept."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QImageWriter(buffer, QByteArray(b"png"))
    writer.setCompression(100)
    if not writer.write(picture):
        raise OSError(f"{name}.png cannot be written: {writer.errorString()}")
    if not 0 < buffer.size() <= MOST_BYTES:
        raise OSError(f"{name}.png has {buffer.size():,} bytes; at most {MOST_BYTES:,} are kept")
    path = FOLDER / f"{name}.png"
    path.write_bytes(bytes(buffer.data().data()))
    return path
