"""What requests leave for the collector: nothing, so that a worker need hardly ever collect."""

from __future__ import annotations

import asyncio
import base64
import gc
import ssl
from hashlib import md5
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from uvicorn.config import Config
from uvicorn.server import ServerState

from s4project.edge import Edge, Limits
from s4project.exchange import Exchange
from s4project.forwarding import Proxies
from s4project.intake import Intake
from s4project.tls.connection import TlsConnection
from s4project.tls.keeper import Keeper
from tests.e2e.signing import UNSIGNED, Signer
from tests.fuzz.world import KEYS, SECRET, living
from tests.s4project.tls.test_certificate import write

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

REQUESTS = [
    ("PUT", "/alpha/plain", b"other", 200),
    ("GET", "/alpha/plain", b"", 200),
    ("HEAD", "/alpha/plain", b"", 200),
    ("GET", "/alpha?list-type=2", b"", 200),
    ("DELETE", "/alpha/plain", b"", 204),
    ("GET", "/alpha/none", b"", 404),
    ("POST", "/alpha?delete", b"<Delete><Object><Key>none</Key></Object></Delete>", 200),
    ("POST", "/alpha?delete", b"<Delete>" + b"x" * 100_000, 400),
    ("PUT", "/alpha?policy", b"{", 400),
    ("PUT", "/alpha/plain?uploadId=x&partNumber=1", b"part", 404),
]


@pytest.mark.django_db(transaction=True)
def test_a_request_makes_no_circles(settings: SettingsWrapper, tmp_path: Path) -> None:
    """After requests of every usual kind, also a refused one, there is nothing to collect."""
    signer = Signer(KEYS["owner"], SECRET)
    with living(settings, tmp_path) as world:

        def ask(method: str, target: str, body: bytes, status: int) -> None:
            own = {"host": "s3.test", "content-length": str(len(body))}
            if body:
                own["content-md5"] = base64.b64encode(
                    md5(body, usedforsecurity=False).digest()
                ).decode()
            signed = signer.sign(method, target, own, UNSIGNED)
            headers = [
                (name.lower().encode(), text.encode()) for name, text in signed.headers.items()
            ]
            reply = world.ask(method, target, headers, [body])
            assert reply is not None
            assert reply.status == status

        for request in REQUESTS:
            ask(*request)
        for request in REQUESTS:
            gc.collect()
            gc.disable()
            try:
                for _ in range(10):
                    ask(*request)
                found = gc.collect()
            finally:
                gc.enable()
            assert found < 10, f"{request} left {found} objects in 10 requests"


LARGE = b"PUT / HTTP/1.1\r\nHost: s3.test\r\nContent-Length: 300000\r\n\r\n"
VISITS = [
    b"GET / HTTP/1.1\r\nHost: s3.test\r\n\r\n",
    LARGE + bytes(300_000),
    LARGE + bytes(300_000) + LARGE + bytes(200_000),  # the second is broken off
]


async def answer(_scope: Any, receive: Any, send: Any) -> None:
    """Answer every request in the same way, when its body has come."""
    while (message := await receive())["type"] == "http.request":
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def edges_left_by(count: int, keeper: Keeper | None) -> int:
    """Serve connections of each kind; return how much of so many of them is still there."""
    config, state = Config(answer, log_config=None), ServerState()
    config.load()
    loop, limits = asyncio.get_running_loop(), Limits()
    trusting = None
    if keeper is not None:
        trusting = ssl.create_default_context(
            cafile=keeper.pair.certificate.with_name("authority.crt")
        )

    def speak(_protocol: str | None = None) -> Edge:
        return Edge(config, state, {}, loop, limits=limits, proxies=Proxies())

    def begin() -> asyncio.Protocol:
        return TlsConnection(keeper, limits, state, {}, speak) if keeper else speak()

    async def visit(sent: bytes) -> None:
        name = "s3.test" if trusting else None
        there = ("127.0.0.1", port)
        reader, writer = await asyncio.open_connection(*there, ssl=trusting, server_hostname=name)
        writer.write(sent)
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        for _ in range(1000):
            if not state.connections:
                break
            await asyncio.sleep(0.001)

    async with await loop.create_server(begin, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for sent in VISITS:
            await visit(sent)
        gc.collect()
        gc.disable()
        try:
            for _ in range(count):
                for sent in VISITS:
                    await visit(sent)
            # `isinstance` would ask objects of others, some of which only pretend to be one.
            kinds = (Edge, Exchange, Intake)
            return sum(issubclass(type(each), kinds) for each in gc.get_objects())
        finally:
            gc.enable()


@pytest.mark.parametrize("has_tls", [False, True], ids=["plain", "TLS"])
def test_a_connection_makes_no_circles(tmp_path: Path, *, has_tls: bool) -> None:
    """What a connection held is free when it has ended: its head has up to 64 KiB, a body more."""
    keeper = Keeper(write(tmp_path, "s3.test", days=9)) if has_tls else None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(edges_left_by(10, keeper)) < 3
