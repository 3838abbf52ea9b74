"""The door of the jobs process: asked how the jobs stand, and woken, or nobody is there."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from s4project import jobs_door
from s4project.jobs_door import NAME, Door, ask_state, wake
from tests.s4project.probing import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Rung:
    """Counts how often somebody was woken."""

    def __init__(self) -> None:
        self.count = 0
        self.news = threading.Event()

    def __call__(self) -> None:
        """Be woken."""
        self.count += 1
        self.news.set()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Make a directory whose name is longer than that of a socket may be."""
    path = tmp_path / ("long-" * 20) / ("name-" * 20)
    path.mkdir(parents=True)
    return path


@pytest.fixture
def rung(directory: Path) -> Iterator[Rung]:
    """Open a door, and close it afterwards."""
    (directory / NAME).touch()  # as one who was killed leaves it
    found = Rung()
    door = Door(directory, lambda: {"jobs": ["a"]}, found)
    door.start()
    wait_for(lambda: ask_state(directory) is not None)
    yield found
    door.stop()
    assert not (directory / NAME).exists()


def test_who_asks_is_told_and_who_wakes_is_heard(directory: Path, rung: Rung) -> None:
    """The door looks once when it opens, tells its state, and looks again when it is woken."""
    assert rung.count == 1
    assert ask_state(directory) == {"jobs": ["a"]}
    wake(directory)
    wait_for(lambda: rung.count == 2)


def test_noise_at_the_door_harms_nobody(
    directory: Path, rung: Rung, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever says nothing, or something else, or leaves, is let go of."""
    monkeypatch.setattr(jobs_door, "ANSWER_SECONDS", 0.2)
    for noise in (b"", b"state and more than that", b"no"):
        with jobs_door._socket(directory) as (caller, place):
            caller.connect(place)
            with suppress(BrokenPipeError):  # who comes too late was let go of before
                caller.sendall(noise)
            caller.shutdown(socket.SHUT_WR)
    with jobs_door._socket(directory) as (silent, place):
        silent.connect(place)
        wait_for(lambda: ask_state(directory) == {"jobs": ["a"]})
    assert rung.count == 1


def test_nobody_is_there(tmp_path: Path) -> None:
    """Without a process nothing is told, and waking goes nowhere."""
    assert ask_state(tmp_path) is None
    wake(tmp_path)
    assert ask_state(tmp_path / "nowhere") is None


def test_where_no_socket_can_be_made_it_looks_by_itself(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without sockets costs the waking, and no task."""
    monkeypatch.setattr(jobs_door, "BLIND_SECONDS", 0.01)
    (directory / NAME).mkdir()
    rung = Rung()
    door = Door(directory, dict, rung)
    door.start()
    wait_for(lambda: rung.count > 3)
    door.stop()
