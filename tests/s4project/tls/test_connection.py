"""Connections under TLS, seen from the wire: handshakes, refusals, renewal, and what HTTP needs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import ssl
import time
from typing import TYPE_CHECKING

import pytest

from s4project.tls import making
from tests.s4project.probing import Probe, Wire, memory_bytes, probe, request, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KIB, MIB = 1024, 1024 * 1024
LIMITS = {"handshake_seconds": 1.2, "handshakes": 40, "linger_seconds": 1, "stall_seconds": 2.5}


def write_pair(directory: Path, *names: str) -> list[str]:
    """Make a certificate, by the directory's authority; return its files as a plan names them."""
    ca, ca_key = directory / "authority.crt", directory / "authority.key"
    if not ca.exists():
        authority, key = making.make_authority()
        ca.write_bytes(making.certificate_text(authority))
        ca_key.write_bytes(making.key_text(key))
    issuer = making.read_authority(ca, ca_key)
    certificate, own = making.issue(making.Names(["127.0.0.1", *names]), 90, issuer)
    files = directory / "server.crt", directory / "server.key"
    files[1].write_bytes(making.key_text(own))
    files[0].write_bytes(making.certificate_text(certificate, issuer[0]))
    return [str(path) for path in files]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """One probe server under TLS for this module."""
    directory = tmp_path_factory.mktemp("tls")
    with probe(directory / "log", limits=LIMITS, tls=write_pair(directory)) as running:
        running.tls = ssl.create_default_context(cafile=directory / "authority.crt")
        yield running


def plain(server: Probe) -> Wire:
    """Connect without TLS."""
    return Wire(server.port, server.host)


def names_served(server: Probe) -> set[str]:
    """Ask a new connection for the names in its certificate."""
    with server.wire() as wire:
        assert isinstance(wire.socket, ssl.SSLSocket)
        certificate = wire.socket.getpeercert()
        assert certificate is not None
        return {value for _, value in certificate["subjectAltName"]}


def test_a_request_is_served_as_https(server: Probe) -> None:
    """The application learns of TLS, of the client and of the port that was asked."""
    with server.wire(other=True) as wire:
        wire.send(request("/info"))
        facts = wire.reply().json()
    assert (facts["scheme"], facts["client"]) == ("https", "127.0.0.1")
    assert facts["server"] == ["127.0.0.1", server.other_port]


@pytest.mark.parametrize("head", [request("/info"), b"PUT /x HTTP/1.1\r\nHost: x\r\n"])
def test_plain_http_is_told_so(server: Probe, head: bytes) -> None:
    """A client that forgot the s of https reads why nothing works, and the connection closes."""
    with plain(server) as wire:
        wire.send(head)
        reply = wire.reply()
        assert wire.is_closed()
    assert reply.status == 400
    assert b"https://" in reply.body


def test_what_is_neither_is_closed(server: Probe) -> None:
    """Bytes that are neither TLS nor HTTP get a closed connection."""
    with plain(server) as wire:
        wire.send(b"\x00\x01\x02")
        assert wire.is_closed()


@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00"])
def test_a_handshake_has_its_time(server: Probe, sent: bytes) -> None:
    """A client that does not go on with its handshake is cut after the time for it."""
    begin = time.monotonic()
    with plain(server) as wire:
        wire.send(sent)
        assert wire.is_closed()
    assert time.monotonic() - begin < 9.5


def test_handshakes_are_bounded_in_number_and_shut_nobody_out(server: Probe) -> None:
    """Of too many handshakes the oldest are cut, so that whoever means it gets through."""
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(plain(server)) for _ in range(120)]
        for wire in wires:
            with contextlib.suppress(OSError):
                wire.send(b"\x16\x03")
        with server.wire() as honest:
            honest.send(request("/echo", b"through", "PUT"))
            assert honest.reply().body == b"through"
        assert wires[0].is_closed()


def test_old_tls_is_refused(server: Probe) -> None:
    """TLS 1.1 gets an alert."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.options &= ~ssl.OP_NO_TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        pytest.raises(ssl.SSLError),
        socket.create_connection((server.host, server.port)) as tcp,
        context.wrap_socket(tcp),
    ):
        pass


def test_a_session_goes_on_in_another_connection(server: Probe) -> None:
    """A client that comes again need not shake hands in full."""
    assert server.tls is not None
    with server.wire() as first:
        first.send(request("/echo"))
        first.reply()  # tickets come with it
        assert isinstance(first.socket, ssl.SSLSocket)
        session = first.socket.session
    with (
        socket.create_connection((server.host, server.port)) as tcp,
        server.tls.wrap_socket(tcp, server_hostname=server.host, session=session) as again,
    ):
        assert again.session_reused


def test_large_uploads_keep_one_connection(server: Probe) -> None:
    """1 MiB bodies go to and fro in sequence, byte for byte."""
    with server.wire() as wire:
        for _ in range(40):
            body = os.urandom(MIB)
            wire.send(request("/echo", body, "PUT"))
            assert hashlib.sha256(wire.reply().body).digest() == hashlib.sha256(body).digest()


def test_pipelined_requests_are_answered_in_order(server: Probe) -> None:
    """Requests sent ahead, each cut anywhere by TLS's records, get their own replies."""
    bodies = [bytes([index]) * (index * 997) for index in range(60)]
    with server.wire() as wire:
        wire.send(b"".join(request("/echo", body, "PUT") for body in bodies))
        assert [wire.reply().body for _ in bodies] == bodies


def test_a_client_that_sends_on_can_read_the_refusal(server: Probe) -> None:
    """A refusal of a long upload arrives whole, with the end of TLS, before TCP is closed."""
    with server.wire() as wire:
        wire.send(request("/refuse", b"", "PUT", f"Content-Length: {1 << 34}"))
        with contextlib.suppress(ConnectionError):
            for _ in range(8):
                wire.send(b"b" * MIB)
        reply = wire.reply()
        assert (reply.status, reply.body) == (403, b"refused")
        assert wire.is_closed()


def test_a_reader_that_stalls_is_cut_off_and_costs_little(server: Probe) -> None:
    """A client that takes nothing of a large reply is cut, and the reply is not kept in memory."""
    (pid,) = server.children()
    before = memory_bytes(pid)
    with server.wire() as wire:
        wire.send(request("/big?pieces=400"))
        wait_for(wire.is_cut)
        assert memory_bytes(pid) - before < 32 * MIB
        with pytest.raises((EOFError, OSError)):
            wire.reply()


def test_bodies_wait_in_the_kernel_when_the_application_is_slow(server: Probe) -> None:
    """What the application has not asked for is not decrypted and hoarded."""
    (pid,) = server.children()
    before = memory_bytes(pid)
    with server.wire() as wire:
        wire.socket.settimeout(1)
        wire.send(request("/count?pause=0.05", b"", "PUT", f"Content-Length: {64 * MIB}"))
        with contextlib.suppress(TimeoutError):
            wire.send(b"b" * (64 * MIB))
    assert memory_bytes(pid) - before < 16 * MIB


def test_the_application_learns_that_the_client_went(server: Probe, tmp_path: Path) -> None:
    """A client that ends TLS, or just vanishes, ends the request it waits for."""
    for number, is_polite in enumerate((True, False)):
        mark = tmp_path / f"gone-{number}"
        wire = server.wire()
        wire.send(request(f"/linger?mark={mark}"))
        time.sleep(0.1)
        if is_polite:
            assert isinstance(wire.socket, ssl.SSLSocket)
            with contextlib.suppress(OSError, TimeoutError):
                wire.socket.settimeout(1)
                wire.socket.unwrap()
        wire.socket.close()
        wait_for(mark.exists)
        assert mark.read_text() == "http.disconnect"


def test_a_renewed_certificate_is_served_without_dropping_a_connection(server: Probe) -> None:
    """New connections get the new certificate, and those that exist go on, even in mid-body."""
    directory = server.log.parent
    with server.wire() as idle, server.wire() as busy:
        idle.send(request("/echo", b"before", "PUT"))
        assert idle.reply().body == b"before"
        busy.send(request("/echo", b"", "PUT", "Content-Length: 6") + b"old")
        write_pair(directory, "renewed.home.arpa")
        wait_for(lambda: "renewed.home.arpa" in names_served(server))
        idle.send(request("/echo", b"after", "PUT"))
        assert idle.reply().body == b"after"
        busy.send(b"new")
        assert busy.reply().body == b"oldnew"


def test_a_certificate_is_taken_at_once_when_told(server: Probe) -> None:
    """SIGHUP replaces the workers, and what they serve is what the files are by then."""
    before = set(server.children())
    write_pair(server.log.parent, "told.home.arpa")
    server.process.send_signal(signal.SIGHUP)

    def is_served() -> bool:
        with contextlib.suppress(OSError):  # of a worker that ends
            return "told.home.arpa" in names_served(server)
        return False

    wait_for(is_served)
    wait_for(lambda: not before & set(server.children()))


def test_a_broken_renewal_is_refused_with_one_line(server: Probe) -> None:
    """A key that does not fit is told once, and the certificate before it is served on."""
    before = names_served(server)
    key = server.log.parent / "server.key"
    content = key.read_bytes()
    key.write_bytes(making.key_text(making.make_authority()[1]))
    refusals = wait_for(lambda: [line for line in lines(server) if line["level"] == "error"])
    time.sleep(2.5)
    assert refusals == [line for line in lines(server) if line["level"] == "error"]
    assert refusals[0]["event"] == "The new certificate is refused, the old one stays"
    assert "is not the key of" in refusals[0]["reason"]
    assert names_served(server) == before
    key.write_bytes(content)


def lines(server: Probe) -> list[dict[str, str]]:
    """Read the log."""
    return [json.loads(line) for line in server.said().splitlines()]


def test_nothing_here_was_an_error_of_the_server(server: Probe) -> None:
    """The log of all the above tells of certificates alone: clients' faults are not news."""
    assert {line["event"] for line in lines(server)} == {
        "Serving TLS",
        "The certificate was renewed",
        "The new certificate is refused, the old one stays",
    }


def test_what_a_client_sends_after_the_last_reply_is_dropped(server: Probe) -> None:
    """A refusal that closes reaches a client that goes on sending: nothing resets a connection."""
    with server.wire() as wire:
        wire.send(request("/refuse", b"", "PUT", f"Content-Length: {30 * MIB}") + bytes(200 * KIB))
        assert wire.reply().status == 403
        for _ in range(5):
            wire.send(bytes(50 * KIB))
            time.sleep(0.02)
        assert wire.rest() == b""
