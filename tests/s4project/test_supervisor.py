"""What a service manager hears of S4, by systemd's protocol."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

import pytest

from s4project.supervisor import Supervisor
from tests.s4project.probing import probe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    """Listen where S4 is told to speak to."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(30)
        yield listener


def hear(ear: socket.socket) -> list[str]:
    """Read the next message that is no sign of life."""
    while (lines := ear.recv(4096).decode().split("\n")) == ["WATCHDOG=1"]:
        pass
    return lines


def test_a_life_is_told(ear: socket.socket, tmp_path: Path) -> None:
    """Ready when all workers accept and not before, reloading and ready again, stopping."""
    told = {"NOTIFY_SOCKET": ear.getsockname(), "WATCHDOG_USEC": "60000000"}
    with probe(tmp_path / "log", told, workers=2) as server:
        assert hear(ear) == ["READY=1", "STATUS=Serves; worker processes: 2"]
        server.process.send_signal(signal.SIGHUP)
        reloading = hear(ear)
        assert reloading[0] == "RELOADING=1"
        assert reloading[1].startswith("MONOTONIC_USEC=")
        assert hear(ear)[0] == "READY=1"
        server.process.terminate()
        assert hear(ear)[0] == "STOPPING=1"
        assert server.process.wait(30) == 0


def test_signs_of_life_are_as_many_as_were_asked_for(ear: socket.socket) -> None:
    """A watchdog hears twice in its time; who asked for none hears nothing."""
    environ = {"NOTIFY_SOCKET": ear.getsockname(), "WATCHDOG_USEC": "60000000", "PATH": "/bin"}
    supervisor = Supervisor(environ)
    assert environ == {"PATH": "/bin"}
    for _ in range(5):
        supervisor.beat()
    assert (supervisor.beat_seconds, ear.recv(4096)) == (30, b"WATCHDOG=1")
    ear.setblocking(False)
    Supervisor({"NOTIFY_SOCKET": ear.getsockname()}).beat()
    with pytest.raises(BlockingIOError):
        ear.recv(4096)


@pytest.mark.parametrize("address", ["", "@nobody-is-there", "/nowhere/at/all"])
def test_nobody_need_listen(address: str) -> None:
    """Without a service manager, or one that is gone, S4 says what it says and goes on."""
    Supervisor({"NOTIFY_SOCKET": address} if address else {}).ready("Serves")
