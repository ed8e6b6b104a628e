"""How far a reading is, and that it can be called off: from another thread, and by Ctrl+C in a terminal."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from rnnstudio import data
from rnnstudio.data.progress import Cancelled, Watch, check, watched
from rnnstudio.design.recipe import DataRecipe
from rnnstudio.headless.waiting import read_with_a_bar


class _Kept(Watch):
    """Every share that was told."""

    def __init__(self) -> None:
        self.shares: list[tuple[str, float | None]] = []
        super().__init__()

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "total":
            self.shares.append((self.what, self.share))


def test_bytes_are_told_from_none_to_all(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("a line of a long text\n" * 200_000)
    watch = _Kept()
    with watched(watch):
        data.open(DataRecipe("text", str(path)))
    shares = [share for what, share in watch.shares if what == "reading" and share is not None]
    assert shares[0] == 0
    assert shares[-1] == 1
    assert len(shares) > 4
    assert shares == sorted(shares)


def test_another_thread_calls_it_off() -> None:
    watch, begun, ended = Watch(), threading.Event(), threading.Event()

    def read() -> None:
        try:
            with watched(watch):
                while True:
                    check()
                    begun.set()
        except Cancelled:
            ended.set()

    threading.Thread(target=read, daemon=True).start()
    begun.wait()
    watch.cancelled = True
    ended.wait()


def test_ctrl_c_ends_the_waiting_and_calls_the_reading_off() -> None:
    ended = threading.Event()

    def read() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                check()
        except Cancelled:
            ended.set()
            raise

    with pytest.raises(KeyboardInterrupt):
        read_with_a_bar(read)
    ended.wait()


def test_what_goes_wrong_while_one_waits_is_raised() -> None:
    def read() -> int:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        read_with_a_bar(read)
    assert read_with_a_bar(lambda: 7) == 7
