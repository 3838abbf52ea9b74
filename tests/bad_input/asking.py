"""A bad request, and what AWS answers it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import unescape

from s3api.errors import CODES
from tests.fuzz.texts import header_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from tests.fuzz.world import Reply, World

OBJECT: Final = "/alpha/plain"
NEW: Final = "/alpha/new"
BUCKET: Final = "/alpha"
UPLOAD: Final = "/alpha/up?uploadId=<<upload>>"


@dataclass(frozen=True)
class Bad:
    """One request and its refusal: the code, and the message unless it is the code's usual one.

    `<<upload>>` and the like stand for ids of the store.
    """

    method: str
    target: str
    code: str
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    argument: str = ""  # ArgumentName

    def send(self, world: World, method: str = "") -> Reply:
        """Sign the request and send it."""
        target = world.word(self.target)
        lines = {"host": "s4.test"}
        for name, text in self.headers.items():
            lines[name] = header_bytes(world.word(text)).decode("latin-1")
        body = world.word(self.body.decode("latin-1")).encode("latin-1")
        digest = hashlib.sha256(body).hexdigest()
        signed = world.signers["owner"].sign(method or self.method, target, lines, digest)
        items = [(name.encode(), text.encode("latin-1")) for name, text in signed.headers.items()]
        items.append((b"content-length", b"%d" % len(body)))
        reply = world.ask(method or self.method, target, items, [body])
        assert reply is not None
        return reply

    def check(self, world: World) -> None:
        """Insist on status, code and message, and on a store that holds what it held."""
        reply = self.send(world)
        status, usual = CODES[self.code]
        found = (reply.status, reply.code, element(reply, "Message"))
        assert found == (status, self.code, self.message or usual)
        if self.argument:
            assert element(reply, "ArgumentName") == self.argument
        world.insist_unchanged()

    def check_head(self, world: World) -> None:
        """Insist on the same status, and on no body, where HEAD is asked instead of GET."""
        reply = self.send(world, "HEAD")
        assert (reply.status, reply.body) == (CODES[self.code][0], b"")
        world.insist_unchanged()


def element(reply: Reply, name: str) -> str:
    """Read an element of a refusal."""
    match = re.search(rb"<%b>([^<]*)</%b>" % (name.encode(), name.encode()), reply.body)
    return unescape(match[1].decode(), {"&quot;": '"'}) if match else ""


def check_all(world: World, subtests: pytest.Subtests, requests: Iterable[Bad]) -> None:
    """Insist that each of these is refused as it says."""
    for bad in requests:
        headers = ", ".join(f"{name}: {text[:60]}" for name, text in bad.headers.items())
        body = bad.body[:80].decode("latin-1")
        with subtests.test(f"{bad.method} {bad.target[:80]} {headers} {body}"):
            try:
                bad.check(world)
            finally:
                world.settle()  # one that is taken must not spoil the others
