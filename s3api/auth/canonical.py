"""Canonical requests: the bytes that a SigV4 signature is made over.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

from s3api.auth.claim import SIGNATURE_PARAMETER
from s3api.http import percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from s3api.auth.claim import Claim
    from s3api.http.request import Request

_DEFAULT_PORTS: Final = (b":80", b":443")


def canonical_request(request: Request, claim: Claim, payload_hash: bytes) -> bytes:
    """Build the canonical request as AWS does: whatever a client escaped, one form is signed."""
    headers = request.header_map
    lines = [name + b":" + b" ".join(headers.get(name, b"").split()) for name in claim.signed_names]
    return b"\n".join(
        (
            request.method.encode(),
            percent.encode_path(request.raw_path),
            _canonical_query(request) if request.query else b"",
            *lines,
            b"",
            claim.signed_headers,
            payload_hash,
        )
    )


def _canonical_query(request: Request) -> bytes:
    """Encode names and values afresh and sort them, leaving the signature out."""
    pairs = sorted(
        (percent.encode(name), percent.encode(value))
        for name, value in request.query.items()
        if name != SIGNATURE_PARAMETER
    )
    return b"&".join(name + b"=" + value for name, value in pairs)


def other_forms(request: Request, claim: Claim, payload_hash: bytes) -> Iterator[bytes]:
    """Build what clients sign that differs from AWS in form but not in meaning.

    Asked for only when AWS's form did not match: path and query exactly as sent, sorted or not
    (curl before version 8 neither escapes nor sorts), header bytes read as ISO 8859-1 (botocore
    signs the characters of such a value, not its bytes), the default port left out of Host or
    spelled out. Each stands for the same bucket, key, parameters and values, so none of them
    widens what a signature allows.
    """
    targets = dict.fromkeys(_target_forms(request))
    headers = dict.fromkeys(_header_forms(request, claim))
    for (path, query), lines in product(targets, headers):
        yield b"\n".join(
            (request.method.encode(), path, query, *lines, b"", claim.signed_headers, payload_hash)
        )


def _target_forms(request: Request) -> Iterator[tuple[bytes, bytes]]:
    yield percent.encode_path(request.raw_path), _canonical_query(request)
    yield request.raw_path, _query_as_sent(request)
    if SIGNATURE_PARAMETER not in request.query:
        yield request.raw_path, request.query.raw


def _query_as_sent(request: Request) -> bytes:
    """Sort the query's pairs without touching their escapes."""
    pairs = [piece.partition(b"=") for piece in request.query.raw.split(b"&") if piece]
    signature = SIGNATURE_PARAMETER.encode()
    kept = sorted((name, value) for name, _, value in pairs if name != signature)
    return b"&".join(name + b"=" + value for name, value in kept)


def _header_forms(request: Request, claim: Claim) -> Iterator[tuple[bytes, ...]]:
    for host in _hosts(request):
        headers = request.header_map | {b"host": host}
        values = [b" ".join(headers.get(name, b"").split()) for name in claim.signed_names]
        for spelled in (values, [_as_characters(value) for value in values]):
            yield tuple(
                name + b":" + value for name, value in zip(claim.signed_names, spelled, strict=True)
            )


def _as_characters(value: bytes) -> bytes:
    """Encode as UTF-8 the ISO 8859-1 characters of a value."""
    return value if value.isascii() else value.decode("latin-1").encode()


def _hosts(request: Request) -> tuple[bytes, bytes]:
    """Spell Host with and without a default port."""
    host = request.header_map.get(b"host", b"")
    for port in _DEFAULT_PORTS:
        if host.endswith(port):
            return host, host.removesuffix(port)
    return host, host + _DEFAULT_PORTS[request.scheme == "https"]
