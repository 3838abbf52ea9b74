"""The life of the server's processes: start, reload, death of a part, and an orderly end."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest

from s4project.server import CannotListenError, listen
from tests.s4project.probing import Probe, Wire, probe, request, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLEEPER = (sys.executable, "-c", "import signal; signal.pause()")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Probe]:
    """A server with two workers and a jobs process that does nothing."""
    mark = {"PROBE_MARK": str(tmp_path / "mark")}
    with probe(tmp_path / "log", mark, workers=2, jobs=SLEEPER) as running:
        wait_for(lambda: jobs_of(running))
        yield running


def jobs_of(server: Probe) -> list[int]:
    """List the jobs processes: those that are another program than the server."""
    return [pid for pid in server.children() if "probe_server" not in command_of(pid)]


def workers_of(server: Probe) -> list[int]:
    """List the workers."""
    return [pid for pid in server.children() if "probe_server" in command_of(pid)]


def command_of(pid: int) -> str:
    """Read the command line of a process; "" when it is gone."""
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:  # noqa: PTH123  # short
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_each_connection_knows_its_port(server: Probe) -> None:
    """The application sees on which of the two sockets a request came in."""
    for is_other, port in ((False, server.port), (True, server.other_port)):
        assert server.ask("/info", other=is_other).json()["server"] == ["127.0.0.1", port]


@pytest.mark.parametrize(("host", "seen"), [("::1", "::1"), ("::", "::1"), ("localhost", None)])
def test_ipv6_and_names_can_be_listened_on(tmp_path: Path, host: str, seen: str | None) -> None:
    """The port is told apart on IPv6 and on a name as well."""
    with probe(tmp_path / "log", host=host) as server:
        facts = server.ask("/info", other=True).json()
        assert facts["server"][1] == server.other_port
        assert seen in {None, facts["server"][0]}


def test_every_address_means_both_families(tmp_path: Path) -> None:
    """Listening on [::] answers IPv4 clients too."""
    with probe(tmp_path / "log", host="::") as server, Wire(server.port, "127.0.0.1") as wire:
        wire.send(request("/info"))
        assert wire.reply().json()["server"] == ["::ffff:127.0.0.1", server.port]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_waits_for_requests_in_progress(server: Probe, tmp_path: Path, number: int) -> None:
    """A signal to end lets requests finish, closes idle connections, and leaves nobody."""
    with server.wire() as busy, server.wire() as idle, server.wire() as uploading:
        idle.send(request("/echo"))
        idle.reply()
        begun = [tmp_path / "busy", tmp_path / "uploading"]
        busy.send(request(f"/sleep?seconds=1.5&begun={begun[0]}"))
        head = request(f"/echo?begun={begun[1]}", b"", "PUT", "Content-Length: 10")
        uploading.send(head + b"01234")
        wait_for(lambda: all(path.exists() for path in begun))
        server.process.send_signal(number)
        assert idle.is_closed()
        uploading.send(b"56789")
        assert uploading.reply().body == b"0123456789"
        assert busy.reply().body == b"slept"
        assert busy.is_closed()
        assert server.process.wait(25) == 0
    assert server.processes() == []
    assert (tmp_path / "mark").read_text() == "stopped\n" * 2
    assert server.said() == ""


def test_a_signal_in_the_first_moment_is_not_lost(tmp_path: Path) -> None:
    """A signal that comes while processes are being started ends them all the same, at once."""
    for _ in range(6):
        server = Probe(tmp_path / "log", workers=2, jobs=SLEEPER)
        try:
            wait_for(lambda: len(server.children()) == 3)  # noqa: B023  # called in this turn
            assert server.end() == 0
        finally:
            server.clean_up()


def test_a_connection_that_comes_to_rest_during_the_end_is_closed(
    server: Probe, tmp_path: Path
) -> None:
    """The end waits for requests, and not for clients that keep their connections after them."""
    with server.wire() as wire, server.wire() as other:
        begun = [tmp_path / "wire", tmp_path / "other"]
        wire.send(request(f"/sleep?seconds=1&begun={begun[0]}") + request("/sleep?seconds=1"))
        other.send(request(f"/sleep?seconds=2.5&begun={begun[1]}"))
        wait_for(lambda: all(path.exists() for path in begun))
        server.process.send_signal(signal.SIGTERM)
        assert wire.reply().body == b"slept"
        assert wire.reply().body == b"slept"
        assert wire.is_closed()
        assert other.reply().body == b"slept"
        assert server.process.wait(25) == 0


def test_a_terminals_interrupt_reaches_all_and_loses_nothing(server: Probe, tmp_path: Path) -> None:
    """Ctrl-C, which every process of the terminal gets, is an orderly end too."""
    with server.wire() as wire:
        wire.send(request(f"/sleep?seconds=1&begun={tmp_path / 'begun'}"))
        wait_for((tmp_path / "begun").exists)
        for pid in (*workers_of(server), server.process.pid):
            os.kill(pid, signal.SIGINT)
        assert wire.reply().body == b"slept"
    assert server.process.wait(25) == 0


def test_a_second_interrupt_does_not_wait(server: Probe, tmp_path: Path) -> None:
    """Who insists on the end gets it, requests in progress or not."""
    with server.wire() as idle, server.wire() as wire:
        idle.send(request("/echo"))
        idle.reply()
        wire.send(request(f"/sleep?seconds=60&begun={tmp_path / 'begun'}"))
        wait_for((tmp_path / "begun").exists)
        server.process.send_signal(signal.SIGINT)
        assert idle.is_closed()  # the first has been heard: a signal that is pending comes once
        assert server.end(signal.SIGINT) == 0
    assert server.processes() == []


def test_the_graceful_time_is_an_end_too(tmp_path: Path) -> None:
    """A request that takes longer than the graceful time is not waited for."""
    with probe(tmp_path / "log", graceful_seconds=4) as server, server.wire() as wire:
        wire.send(request(f"/sleep?seconds=60&begun={tmp_path / 'begun'}"))
        wait_for((tmp_path / "begun").exists)
        begin = time.monotonic()
        assert server.end() == 0
        assert time.monotonic() - begin > 1.5


class Hammer(threading.Thread):
    """Asks on and on, on a connection each, and counts what went well and what did not."""

    def __init__(self, server: Probe) -> None:
        super().__init__()
        self.server = server
        self.is_over = threading.Event()
        self.answered = 0
        self.failed: list[Exception] = []
        self.pids: set[int] = set()

    def run(self) -> None:
        """Ask until it is over."""
        while not self.is_over.is_set():
            try:
                self.pids.add(self.server.ask("/info").json()["pid"])
                self.answered += 1
            except (OSError, EOFError) as error:
                self.failed.append(error)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.is_over.set()
        self.join()


def test_a_killed_worker_is_replaced_while_requests_go_on(server: Probe) -> None:
    """Of many requests only those the killed worker held are lost, and there are two again."""
    first, second = workers_of(server)
    with Hammer(server) as hammer:
        wait_for(lambda: hammer.answered > 20)
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: len(set(workers_of(server)) - {first}) == 2)
        answered = hammer.answered
        wait_for(lambda: hammer.answered > answered + 200)
    assert len(hammer.failed) <= 1
    assert second in workers_of(server)
    assert "Perhaps out of memory" in server.said()


def test_a_reload_replaces_the_workers_without_losing_a_request(
    server: Probe, tmp_path: Path
) -> None:
    """SIGHUP brings new workers in before the old ones go."""
    before = set(workers_of(server))
    with server.wire() as wire, Hammer(server) as hammer:
        wait_for(lambda: hammer.answered > 20)
        wire.send(request(f"/sleep?seconds=1&begun={tmp_path / 'begun'}"))
        wait_for((tmp_path / "begun").exists)
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: not before & set(workers_of(server)))
        assert wire.reply().body == b"slept"
        answered = hammer.answered
        wait_for(lambda: hammer.answered > answered + 20)
    assert hammer.pids - before
    assert len(workers_of(server)) == 2
    assert len(hammer.failed) <= 2  # those accepted by a worker in the moment it closed


def test_killing_the_main_process_ends_all(server: Probe) -> None:
    """When the main process is killed, workers and jobs go with it at once."""
    assert len(server.children()) == 3
    with server.wire() as wire:
        wire.send(request("/sleep?seconds=60"))
        time.sleep(0.2)
        server.process.kill()
        server.process.wait()
        wait_for(lambda: server.processes() == [])


def test_the_jobs_process_comes_back_each_time_later(server: Probe) -> None:
    """A jobs process that dies is started again, with a growing pause."""
    (living,) = wait_for(lambda: jobs_of(server))
    for pause in (1.0, 2.0):
        begin, gone = time.monotonic(), living
        os.kill(gone, signal.SIGKILL)
        (living,) = wait_for(lambda: [pid for pid in jobs_of(server) if pid != gone])  # noqa: B023  # called in this turn
        assert time.monotonic() - begin > pause - 0.2
    ends = [json.loads(line) for line in server.said().splitlines()]
    told = [line["starts_in"] for line in ends if line["event"] == "The jobs process ended"]
    assert told == [1.0, 2.0]
    assert server.end() == 0
    assert server.processes() == []


def test_workers_that_cannot_start_end_the_server(tmp_path: Path) -> None:
    """When the application's start-up fails, the server ends with an error instead of looping."""
    server = Probe(tmp_path / "log", {"PROBE_FAILS_TO_START": "1"}, workers=2)
    try:
        assert server.process.wait(60) == 3
        assert "the probe was told not to start" in server.said()
        assert server.processes() == []
    finally:
        server.clean_up()


def test_a_taken_port_is_refused_in_one_line() -> None:
    """Listening where somebody listens tells the address and the reason."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListenError, match=f":{port}: Address already in use"):
            listen("127.0.0.1", port)
    with pytest.raises(CannotListenError, match=r"nowhere\.invalid"):
        listen("nowhere.invalid", 1)


def test_an_idle_server_sleeps(server: Probe) -> None:
    """Nothing wakes more than about once a second when there is nothing to do."""
    pids = server.processes()

    def sleeps() -> bool:
        before = {pid: wakeups(pid) for pid in pids}
        time.sleep(3)
        return all(wakeups(pid) - before[pid] <= 12 for pid in pids)

    wait_for(sleeps)  # once its processes have come to rest, which may take them a while


def wakeups(pid: int) -> int:
    """Count how often a process went to sleep of its own accord."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:  # noqa: PTH123  # short
        lines = dict(line.split(":", 1) for line in file)
    return int(lines["voluntary_ctxt_switches"])
