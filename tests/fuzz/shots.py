"""Requests of every operation: rightly addressed and signed, so that they get deep, then bent.

A request is drawn from AWS's model: its method, path and sub-resource, some of its parameters and
headers with values that fit more often than not, a body of its kind in one of the forms bodies
come in. What it names in this store stands as `<<upload>>` and the like until it is sent.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from base64 import b64encode
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from hypothesis import strategies as st

from s3api.auth.sigv2 import SIGNED_PARAMETERS
from s3api.operations.registry import HANDLERS
from s3api.protocol.model import Level, is_streamed
from s3api.protocol.quirks import CHECKSUM_DEMANDED
from tests.e2e.signing import (
    SIGNED_CHUNKS,
    SIGNED_CHUNKS_TRAILER,
    UNSIGNED,
    UNSIGNED_CHUNKS_TRAILER,
    split,
    stamp_at,
    unsigned_frames,
)
from tests.fuzz import texts
from tests.fuzz.documents import MODELS, WITH_DOCUMENT, documents
from tests.fuzz.wiring import HEADER_NAMES, HEADERS, encode, value

if TYPE_CHECKING:
    from s3api.protocol.model import OperationModel
    from tests.fuzz.world import Reply, World

BUCKETS: Final = ["alpha", "alpha", "alpha", "beta", "foreign", "versioned", "locked", "nobucket"]
NEW_BUCKETS: Final = ["new-bucket", "alpha", "foreign", "ab", "Upper", "a..b", "192.168.1.1"]
KEYS: Final = ["plain", "dir/one", "large", "parts", "up", "new", "ü#?%", "none", "dir/", "a//b"]
OFFERED: Final = sorted(set(HANDLERS) & set(MODELS))
EVERY: Final = sorted(MODELS)
FORMS: Final = [UNSIGNED, SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, UNSIGNED_CHUNKS_TRAILER]
SIGNED: Final = "signed"
USERS: Final = [
    *("owner", "old", "old", "other", "reader", "anonymous", "liar", "stranger"),
    *("narrowed", "narrowed", "grouped", "custom"),
]


# Who may do most of what is drawn: by his role, by policies, with what his key leaves him.
ENTITLED: Final = ["owner", "owner", "owner", "narrowed", "custom"]


@dataclass(frozen=True)
class Shot:
    """One request, before it is signed; `form` is how its body is sent and signed."""

    operation: str
    method: str
    host: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    body: bytes
    form: str
    user: str
    trailer: str
    spoils: tuple[tuple[str, int], ...]  # changes of the body after it was signed
    cuts: tuple[int, ...]
    is_presigned: bool
    is_cut: bool

    def send(self, world: World) -> Reply | None:
        """Sign the request for that store and send it."""
        query = [(name, world.word(text)) for name, text in self.query]
        target = self.path
        lines: dict[str, str] = {"host": self.host}
        for name, text in self.headers:
            lines[name] = texts.header_bytes(world.word(text)).decode("latin-1")
        body = self.body
        if b"<<" in body:
            body = world.word(body.decode("utf-8", "surrogateescape")).encode(
                "utf-8", "surrogateescape"
            )
        if self.operation in CHECKSUM_DEMANDED and body:
            digest = hashlib.md5(body, usedforsecurity=False).digest()
            lines.setdefault("content-md5", b64encode(digest).decode())
        if self.is_presigned:
            return self._send_presigned(world, query, lines, body)
        if query:
            target += "?" + encode(query).decode()
        items, body = self._signed(world, target, lines, body)
        return self._give(world, target, items, body)

    def _give(self, world: World, target: str, lines: dict[str, str], body: bytes) -> Reply | None:
        items = [(name.encode(), text.encode("latin-1")) for name, text in lines.items()]
        if self.method in {"PUT", "POST"} or body:
            items.append((b"content-length", b"%d" % len(body)))
        edges = [0, *sorted(place % (len(body) + 1) for place in self.cuts), len(body)]
        pieces = [body[a:b] for a, b in pairwise(edges)]
        if self.is_cut:
            pieces = pieces[:-1]
        return world.ask(self.method, target, items, pieces, is_cut=self.is_cut)

    def _signed(
        self, world: World, target: str, lines: dict[str, str], body: bytes
    ) -> tuple[dict[str, str], bytes]:
        """Sign by header and write the body in its form."""
        form = self.form
        digest = hashlib.sha256(body).hexdigest() if form == SIGNED else form
        if form not in {SIGNED, UNSIGNED}:
            lines.setdefault("x-amz-decoded-content-length", str(len(body)))
        trailers = None
        if form in {SIGNED_CHUNKS_TRAILER, UNSIGNED_CHUNKS_TRAILER} and self.trailer:
            lines["x-amz-trailer"] = "x-amz-checksum-crc32"
            trailers = {"x-amz-checksum-crc32": self.trailer}
        if self.user == "anonymous":
            lines["x-amz-content-sha256"] = digest
            return lines, spoil(body, self.spoils)
        if self.user == "old":
            return self._signed_by_version_2(world, target, lines), spoil(body, self.spoils)
        signer = world.signers.get(self.user, world.signers["owner"])
        if self.user == "liar":
            signer = type(signer)(signer.access_key, "another")
        elif self.user == "stranger":
            signer = type(signer)("S4AKNOBODY", "another")
        signed = signer.sign(self.method, target, lines, digest)
        if form in {SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER}:
            body = b"".join(signer.signed_frames(signed, split(body, 8192), trailers))
        elif form == UNSIGNED_CHUNKS_TRAILER:
            body = b"".join(unsigned_frames(split(body, 8192), trailers or {}))
        return signed.headers, spoil(body, self.spoils)

    def _signed_by_version_2(
        self, world: World, target: str, lines: dict[str, str]
    ) -> dict[str, str]:
        """Sign as clients of old do (RESTAuthentication)."""
        path, _, query = target.partition("?")
        lines["x-amz-date"] = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
        amz = "".join(f"{name}:{lines[name]}\n" for name in sorted(lines) if name[:6] == "x-amz-")
        pairs = sorted(pair.partition("=") for pair in query.split("&") if pair)
        signed = "&".join(
            unquote("".join(pair)) for pair in pairs if unquote(pair[0]) in SIGNED_PARAMETERS
        )
        resource = path + (f"?{signed}" if signed else "")
        places = [lines.get("content-md5", ""), lines.get("content-type", ""), ""]
        text = "\n".join((self.method, *places, amz + resource))
        signer = world.signers["owner"]
        digest = hmac.digest(signer.secret_key.encode(), text.encode(), "sha1")
        signature = b64encode(digest).decode()
        return lines | {"authorization": f"AWS {signer.access_key}:{signature}"}

    def _send_presigned(
        self,
        world: World,
        query: list[tuple[str, str]],
        lines: dict[str, str],
        body: bytes,
    ) -> Reply | None:
        """Sign by query, the headers of S3 hoisted into it as SDKs do."""
        signer = world.signers.get(self.user, world.signers["owner"])
        stamp = stamp_at(time.time())
        hoisted = [(name, text) for name, text in lines.items() if name.startswith("x-amz-")]
        kept = {name: text for name, text in lines.items() if not name.startswith("x-amz-")}
        pairs = [
            *query,
            *((name, text.encode("latin-1").decode("utf-8", "replace")) for name, text in hoisted),
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", f"{signer.access_key}/{signer.scope(stamp)}"),
            ("X-Amz-Date", stamp),
            ("X-Amz-Expires", "60"),
            ("X-Amz-SignedHeaders", "host"),
        ]
        signed = sorted((quote(n, safe="~"), quote(t, safe="~")) for n, t in pairs)
        text = "&".join(f"{name}={part}" for name, part in signed)
        canonical = "\n".join(
            (self.method, self.path, text, f"host:{self.host}", "", "host", UNSIGNED)
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        scope = signer.scope(stamp)
        signature = signer._signature(stamp, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}")
        target = f"{self.path}?{text}&X-Amz-Signature={signature}"
        return self._give(world, target, kept, spoil(body, self.spoils))


def spoil(body: bytes, spoils: tuple[tuple[str, int], ...]) -> bytes:
    """Change a body behind the back of its signature."""
    for how, place in spoils:
        at = place % (len(body) + 1)
        if how == "flip" and body:
            at = place % len(body)
            body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        elif how == "cut":
            body = body[:at]
        elif how == "double":
            body += body[at:]
        else:
            body = body[:at] + how.encode() + body[at:]
    return body


@dataclass(frozen=True)
class Bent:
    """Which sides of a request are not as they should be; most requests have one such side."""

    sides: frozenset[str]

    def has(self, side: str) -> bool:
        """Tell whether a side is bent."""
        return side in self.sides


SIDES: Final = ["user", "path", "values", "more", "body", "spoil", "method", "cut", "query"]


@st.composite
def bends(draw: st.DrawFn) -> Bent:
    """Draw no bent side as often as one, and now and then several."""
    count = draw(st.sampled_from([0, 0, 0, 1, 1, 1, 2, 3]))
    return Bent(frozenset(draw(st.sampled_from(SIDES)) for _ in range(count)))


OF_UPLOAD: Final = {
    *("UploadPart", "UploadPartCopy", "ListParts"),
    *("CompleteMultipartUpload", "AbortMultipartUpload"),
}
METHODS: Final = ["GET", "PUT", "DELETE", "POST", "HEAD", "OPTIONS", "PATCH"]
PRESIGNED_SHARE: Final = 12
VIRTUAL_SHARE: Final = 15


def path_of(draw: st.DrawFn, model: OperationModel, bent: Bent) -> tuple[str, str]:
    """Draw host and path of a request."""
    if model.level is Level.SERVICE:
        return "s4.test", "/"
    bucket, key = "alpha", ""
    if model.level is Level.OBJECT:
        key = "up" if model.name in OF_UPLOAD else draw(st.sampled_from(KEYS))
    if model.name == "CreateBucket":
        bucket = "new-bucket"
    elif model.name not in OF_UPLOAD:
        bucket = draw(st.sampled_from(["alpha", "alpha", "alpha", "beta", "versioned"]))
    if bent.has("path"):
        bucket = draw(st.one_of(st.sampled_from(BUCKETS + NEW_BUCKETS), texts.anything))
        if key:
            key = draw(st.one_of(st.sampled_from(KEYS), texts.anything))
    escaped = quote(key, safe="/~", errors="ignore")
    if bucket == "alpha" and not draw(st.integers(0, VIRTUAL_SHARE)):
        return "alpha.s3.test", "/" + escaped
    path = "/" + quote(bucket, safe="~", errors="ignore")
    return "s4.test", f"{path}/{escaped}" if key else path


def _named(draw: st.DrawFn, model: OperationModel, bent: Bent) -> tuple[Pairs, dict[str, str]]:
    """Draw parameters and headers: what the operation needs, and a few of the others."""
    query: Pairs = [(name, "") for name in model.flags] + list(model.values)
    headers: dict[str, str] = {}
    wired = [
        member
        for member in (model.input.members if model.input else ())
        if member.location in {"querystring", "header"} and member.wire not in UNDRAWN
    ]
    required = model.input.required if model.input else frozenset()
    needed = [member for member in wired if member.name in required]
    others = [member for member in wired if member.name not in required]
    if others:
        most = 5 if bent.has("values") else 2
        needed += draw(st.lists(st.sampled_from(others), max_size=most, unique=True))
    for member in needed:
        text = draw(value(member.wire, member, is_wild=bent.has("values")))
        if member.location == "querystring":
            query.append((member.wire, text))
        else:
            headers[member.wire.lower()] = text
    if model.name == "OptionsObject":
        for name in ("origin", "access-control-request-method"):
            headers[name] = draw(value(name))
    if bent.has("more"):
        for name in draw(st.lists(st.sampled_from(HEADER_NAMES), min_size=1, max_size=3)):
            headers[name] = draw(value(name, HEADERS.get(name)))
    if bent.has("query"):
        query.append((draw(texts.anything), draw(texts.anything)))
    return query, {name: text for name, text in headers.items() if name not in UNDRAWN}


@st.composite
def shots(draw: st.DrawFn) -> Shot:
    """Draw one request."""
    operation = draw(st.sampled_from(OPERATIONS))
    model, bent = MODELS[operation], draw(bends())
    host, path = path_of(draw, model, bent)
    query, headers = _named(draw, model, bent)
    return Shot(
        operation=operation,
        method=draw(st.sampled_from(METHODS)) if bent.has("method") else model.method,
        host=host,
        path=path,
        query=tuple(query),
        headers=tuple(headers.items()),
        body=draw(body_of(operation, model, is_wild=bent.has("body"))),
        form=draw(st.sampled_from([SIGNED, SIGNED, SIGNED, *FORMS])),
        user=draw(st.sampled_from(USERS if bent.has("user") else ENTITLED)),
        trailer=draw(st.sampled_from(["AAAAAA==", "NhCmhg==", "x", ""])),
        spoils=draw(SPOILS) if bent.has("spoil") else (),
        cuts=tuple(draw(st.lists(st.integers(0, 100_000), max_size=3))),
        is_presigned=not draw(st.integers(0, PRESIGNED_SHARE)),
        is_cut=bent.has("cut"),
    )


Pairs = list[tuple[str, str]]
OPERATIONS: Final = OFFERED * (10 * len(EVERY) // len(OFFERED)) + EVERY
UNDRAWN: Final = {"Content-Length", "x-amz-content-sha256", "x-amz-date", "x-amz-trailer"}
SPOILS: Final = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "double", "x", "\r\n", "0\r\n", "0\r\n\r\n"]),
        st.integers(0, 100_000),
    ),
    min_size=1,
    max_size=2,
).map(tuple)
BODIES: Final = st.sampled_from([b"", b"hello", b"x" * 40_000, b"y" * 90_000, b"z" * 8192])


def body_of(operation: str, model: OperationModel, *, is_wild: bool) -> st.SearchStrategy[bytes]:
    """Draw a body of the operation's kind, or of another."""
    if operation in WITH_DOCUMENT:
        right = documents(operation, is_wild=is_wild)
        return texts.mostly(right, BODIES) if is_wild else right
    if is_streamed(model.input) or is_wild:
        return BODIES
    return st.just(b"")
