"""AWS Signature Version 4 and the aws-chunked bodies, as a client makes them.

Written from AWS's documents alone, so that it can judge the server; test_streaming_forms.py holds
it against the examples AWS publishes before anything is judged by it.
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
SIGNED_CHUNKS: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_TRAILER: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_CHUNKS_TRAILER: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
CHUNK_BYTES: Final = 64 * 1024
STAMP: Final = "%Y%m%dT%H%M%SZ"


def stamp_at(epoch: float) -> str:
    """Write an epoch time in seconds as x-amz-date wants it."""
    return time.strftime(STAMP, time.gmtime(epoch))


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


@dataclass(frozen=True, slots=True)
class Signed:
    """Headers of a signed request, and the signature that its chunks continue."""

    headers: dict[str, str]
    signature: str
    stamp: str


@dataclass(frozen=True, slots=True)
class Signer:
    """One access key; `clock_offset` seconds make its owner's clock wrong."""

    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"
    clock_offset: float = 0

    def scope(self, stamp: str) -> str:
        """Name the credential scope of a day."""
        return f"{stamp[:8]}/{self.region}/s3/aws4_request"

    def _signature(self, stamp: str, text: str) -> str:
        key = b"AWS4" + self.secret_key.encode()
        for part in self.scope(stamp).split("/"):
            key = _hmac(key, part)
        return _hmac(key, text).hex()

    def sign(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        payload_hash: str,
        stamp: str | None = None,
    ) -> Signed:
        """Sign a request; `target` is path and query as sent, `headers` must name the host."""
        stamp = stamp or stamp_at(time.time() + self.clock_offset)
        path, _, query = target.partition("?")
        lines = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
        lines |= {"x-amz-date": stamp, "x-amz-content-sha256": payload_hash}
        names = ";".join(sorted(lines))
        canonical = "\n".join(
            (
                method,
                path,
                canonical_query(query),
                *(f"{name}:{lines[name]}" for name in sorted(lines)),
                "",
                names,
                payload_hash,
            )
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        signature = self._signature(
            stamp, f"AWS4-HMAC-SHA256\n{stamp}\n{self.scope(stamp)}\n{digest}"
        )
        authorization = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{self.scope(stamp)},"
            f"SignedHeaders={names},Signature={signature}"
        )
        return Signed(lines | {"authorization": authorization}, signature, stamp)

    def signature(self, stamp: str, text: str) -> str:
        """Sign a text of one's own making, such as the policy of a form."""
        return self._signature(stamp, text)

    def presign(  # what is signed, when and for how long
        self, method: str, target: str, headers: Mapping[str, str], stamp: str, seconds: int
    ) -> str:
        """Write a presigned URL's path and query; `headers`, with the host, must come along."""
        path, _, query = target.partition("?")
        lines = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
        names = ";".join(sorted(lines))
        signed = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.access_key}/{self.scope(stamp)}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(seconds),
            "X-Amz-SignedHeaders": names,
        }
        said = "&".join(f"{name}={quote(value, safe='~')}" for name, value in signed.items())
        query = canonical_query(f"{query}&{said}")
        written = [f"{name}:{lines[name]}" for name in sorted(lines)]
        canonical = "\n".join((method, path, query, *written, "", names, UNSIGNED))
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{self.scope(stamp)}\n{digest}"
        return f"{path}?{query}&X-Amz-Signature={self._signature(stamp, text)}"

    def chunk_signature(self, stamp: str, previous: str, chunk: bytes) -> str:
        """Sign one chunk of a body, in the chain that began with the request's signature."""
        digest = hashlib.sha256(chunk).hexdigest()
        return self._signature(
            stamp,
            f"AWS4-HMAC-SHA256-PAYLOAD\n{stamp}\n{self.scope(stamp)}\n{previous}\n"
            f"{EMPTY_SHA256}\n{digest}",
        )

    def trailer_signature(self, stamp: str, previous: str, trailers: Mapping[str, str]) -> str:
        """Sign the trailing headers of a body."""
        text = "".join(f"{name}:{trailers[name]}\n" for name in sorted(trailers))
        digest = hashlib.sha256(text.encode()).hexdigest()
        return self._signature(
            stamp,
            f"AWS4-HMAC-SHA256-TRAILER\n{stamp}\n{self.scope(stamp)}\n{previous}\n{digest}",
        )

    def signed_frames(
        self, signed: Signed, pieces: Sequence[bytes], trailers: Mapping[str, str] | None = None
    ) -> list[bytes]:
        """Encode a body in signed chunks: a frame for each piece, the last chunk, the trailer."""
        frames, previous = [], signed.signature
        for piece in (*pieces, b""):
            previous = self.chunk_signature(signed.stamp, previous, piece)
            end = b"\r\n" if piece or trailers is None else b""
            frames.append(b"%x;chunk-signature=%b\r\n" % (len(piece), previous.encode()))
            frames[-1] += piece + end
        if trailers is not None:
            last = self.trailer_signature(signed.stamp, previous, trailers)
            frames.append(trailer_lines({**trailers, "x-amz-trailer-signature": last}))
        return frames


def canonical_query(query: str) -> str:
    """Order an encoded query string's parameters; those without a value get an empty one."""
    pairs = [item.partition("=") for item in query.split("&") if item]
    return "&".join(f"{name}={value}" for name, _, value in sorted(pairs))


def trailer_lines(trailers: Mapping[str, str]) -> bytes:
    """Write the trailing headers and the line that ends a body."""
    return "".join(f"{name}:{value}\r\n" for name, value in trailers.items()).encode() + b"\r\n"


def unsigned_frames(pieces: Sequence[bytes], trailers: Mapping[str, str]) -> list[bytes]:
    """Encode a body in chunks that nobody signed, the last chunk, and the trailer."""
    frames = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    return [*frames, b"0\r\n", trailer_lines(trailers)]


def split(body: bytes, size: int = CHUNK_BYTES) -> list[bytes]:
    """Cut a body into chunks of `size` bytes, the last one perhaps shorter."""
    edges = [*range(0, len(body), size), len(body)]
    return [body[first:last] for first, last in pairwise(edges)]
