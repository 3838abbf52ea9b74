"""The pipe that wakes the courier."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from iam.audit import bell

if TYPE_CHECKING:
    from pathlib import Path

LONG = 30.0


def test_ringing_wakes_who_waits(tmp_path: Path) -> None:
    """Who waits sleeps until it rings, and any number of strokes wakes him once."""
    with bell.hung_up(tmp_path) as waiting:
        ringer = threading.Timer(0.1, lambda: [bell.ring(tmp_path) for _ in range(3)])
        begun = time.monotonic()
        ringer.start()
        waiting.wait(LONG)
        assert 0.05 < time.monotonic() - begun < LONG / 2
        ringer.join()
        waiting.wait(0)
        begun = time.monotonic()
        waiting.wait(0.05)
        assert time.monotonic() - begun >= 0.04


def test_a_stroke_before_the_wait_is_heard(tmp_path: Path) -> None:
    """What rings while the listener is at work wakes him as soon as he waits."""
    with bell.hung_up(tmp_path) as waiting:
        bell.ring(tmp_path)
        begun = time.monotonic()
        waiting.wait(LONG)
        assert time.monotonic() - begun < LONG / 2


def test_nobody_is_held_up(tmp_path: Path) -> None:
    """Ringing returns at once where nobody listens, ever did, or listens so long to no avail."""
    bell.ring(tmp_path)
    bell.ring(tmp_path / "nowhere")
    with bell.hung_up(tmp_path):
        for _ in range(bell.STROKES_MAX + 1):
            bell.ring(tmp_path)
    bell.ring(tmp_path)


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    """A file of the pipe's name is not taken for the pipe."""
    (tmp_path / bell.NAME).write_text("")
    with pytest.raises(FileExistsError, match="named pipe"), bell.hung_up(tmp_path):
        raise AssertionError("it must not hang there")
