"""An ASGI application that does on request what tests need to see done; served by probe_server."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

PIECE = b"x" * (256 * 1024)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Route by the first part of the path."""
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    options = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
    if "begun" in options:
        await asyncio.to_thread(Path(options["begun"]).touch)
    await ROUTES[scope["path"].split("/")[1]](scope, receive, send, options)


async def live(receive: Any, send: Any) -> None:
    """Start and stop; leave a mark of both."""
    await receive()
    if os.environ.get("PROBE_FAILS_TO_START"):
        raise RuntimeError("the probe was told not to start")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    if mark := os.environ.get("PROBE_MARK"):
        await asyncio.to_thread(note, Path(mark), "stopped\n")
    await send({"type": "lifespan.shutdown.complete"})


def note(path: Path, text: str) -> None:
    """Append to a file."""
    with path.open("a") as file:
        file.write(text)


def leave(mark: Path, text: str) -> None:
    """Write a file that is there whole or not at all: who sees it may read it."""
    part = mark.with_suffix(".part")
    part.write_text(text)
    part.rename(mark)


async def answer(send: Any, body: bytes, status: int = 200, **headers: str) -> None:
    """Send a whole reply."""
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    pairs.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


async def read(receive: Any) -> bytes:
    """Read the whole body; b"gone" when the client goes."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"gone"
        body += message["body"]
        if not message["more_body"]:
            return bytes(body)


async def info(scope: dict[str, Any], receive: Any, send: Any, options: dict[str, str]) -> None:
    """Tell what the server says about the request."""
    body = await read(receive)
    facts = {
        "method": scope["method"],
        "raw_path": scope["raw_path"].decode(),
        "query_bytes": len(scope["query_string"]),
        "server": scope["server"],
        "client": scope["client"][0],
        "scheme": scope["scheme"],
        "version": scope["http_version"],
        "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
        "body": body.decode(),
        "pid": os.getpid(),
        "ppid": os.getppid(),
    }
    await answer(send, json.dumps(facts).encode())


async def echo(scope: dict[str, Any], receive: Any, send: Any, options: dict[str, str]) -> None:
    """Read the body and send it back."""
    await answer(send, await read(receive))


async def count(scope: dict[str, Any], receive: Any, send: Any, options: dict[str, str]) -> None:
    """Read the body, slowly if told so, and send back its length."""
    length = 0
    while True:
        message = await receive()
        length += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message["more_body"]:
            break
        await asyncio.sleep(float(options.get("pause", "0")))
    await answer(send, b"%d" % length)


async def digest(scope: dict[str, Any], receive: Any, send: Any, options: dict[str, str]) -> None:
    """Read the body and send back its SHA-256."""
    await answer(send, hashlib.sha256(await read(receive)).hexdigest().encode())


async def half(scope: dict[str, Any], receive: Any, send: Any, options: dict[str, str]) -> None:
    """Answer after the first piece of the body."""
    await receive()
    await answer(send, b"enough")


async def refuse(scope: dict[str, Any], receive: Any, send: Any, options: dict[str, str]) -> None:
    """Answer without reading the body, if told so after a while."""
    await asyncio.sleep(float(options.get("seconds", "0")))
    await answer(send, b"refused", 403)


async def sleep(scope: dict[str, Any], receive: Any, send: Any, options: dict[str, str]) -> None:
    """Answer after a while."""
    await asyncio.sleep(float(options["seconds"]))
    await answer(send, b"slept")


async def big(scope: dict[str, Any], receive: Any, send: Any, options: dict[str, str]) -> None:
    """Send a large reply in pieces."""
    pieces = int(options["pieces"])
    headers = [(b"content-length", b"%d" % (pieces * len(PIECE)))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for index in range(pieces):
        more = index < pieces - 1
        await send({"type": "http.response.body", "body": PIECE, "more_body": more})


async def stream(scope: dict[str, Any], receive: Any, send: Any, options: dict[str, str]) -> None:
    """Send a reply of unknown length."""
    await send({"type": "http.response.start", "status": int(options.get("status", "200"))})
    for piece in (b"one ", b"", b"two ", b"three"):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


async def head(scope: dict[str, Any], receive: Any, send: Any, options: dict[str, str]) -> None:
    """Send a header as given, in a reply of a given length and status."""
    headers = [(b"x-probe", options.get("value", "v").encode("latin-1"))]
    headers += [(b"content-length", options["length"].encode())] if "length" in options else []
    status = int(options.get("status", "200"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": options.get("body", "").encode()})


async def linger(scope: dict[str, Any], receive: Any, send: Any, options: dict[str, str]) -> None:
    """Wait until the client goes, and leave a mark of it."""
    await read(receive)
    message = await receive()
    await asyncio.to_thread(leave, Path(options["mark"]), message["type"])


async def pour(scope: dict[str, Any], receive: Any, send: Any, options: dict[str, str]) -> None:
    """Send a reply that nobody could take whole, and leave a mark of how that ended."""
    try:
        await big(scope, receive, send, {"pieces": "1000"})
    except OSError:
        await asyncio.to_thread(leave, Path(options["mark"]), "told")
        raise


async def fail(scope: dict[str, Any], receive: Any, send: Any, options: dict[str, str]) -> None:
    """Break down."""
    raise RuntimeError("the probe was told to fail")


ROUTES = {
    "info": info,
    "echo": echo,
    "count": count,
    "digest": digest,
    "half": half,
    "refuse": refuse,
    "sleep": sleep,
    "big": big,
    "stream": stream,
    "head": head,
    "linger": linger,
    "pour": pour,
    "fail": fail,
}
