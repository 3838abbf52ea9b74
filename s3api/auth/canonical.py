"""Canonical requests: the bytes that a SigV4 signature is made over.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

from s3api.auth.claim import SIGNATURE_PARAMETER
from s3api.http import percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from s3api.auth.claim import Claim
    from s3api.http.request import Request

_SIGNATURE: Final = SIGNATURE_PARAMETER.encode()
_SIGNATURE_PIECE: Final = _SIGNATURE + b"\0"
_VALUE_BYTES: Final = percent.UNRESERVED + b"%"
_DEFAULT_PORTS: Final = (b":80", b":443")


def canonical_request(
    request: Request, claim: Claim, payload_hash: bytes, headers: Mapping[bytes, bytes]
) -> bytes:
    """Build the canonical request as AWS does: whatever a client escaped, one form is signed.

    `headers` are those of the request; KeyError when one that was signed is not there.
    """
    return claim.signed_headers.canonical(
        request.method.encode(),
        percent.encode_path(request.raw_path),
        _canonical_query(request) if request.query.raw else b"",
        headers,
        payload_hash,
    )


def _canonical_query(request: Request) -> bytes:
    """Encode names and values afresh and sort them, leaving the signature out."""
    raw = request.query.raw
    shape = raw.translate(None, _VALUE_BYTES)
    if shape == b"=&" * (len(shape) // 2) + b"=" and not percent.has_own_escapes(raw):
        # As most clients send it. A name that another begins with sorts before it: so does NUL.
        pieces = raw.replace(b"=", b"\0").split(b"&")
        kept = sorted([piece for piece in pieces if not piece.startswith(_SIGNATURE_PIECE)])
        return b"&".join(kept).replace(b"\0", b"=")
    encoded = sorted(
        (percent.encode(name), percent.encode(value))
        for name, value in request.query.items()
        if name != SIGNATURE_PARAMETER
    )
    return b"&".join(name + b"=" + value for name, value in encoded)


def other_forms(request: Request, claim: Claim, payload_hash: bytes) -> Iterable[bytes]:
    """Build what clients sign that differs from AWS in form but not in meaning.

    Asked for only when AWS's form did not match: path and query exactly as sent, sorted or not
    (curl before version 8 neither escapes nor sorts), header bytes read as ISO 8859-1 (botocore
    signs the characters of such a value, not its bytes), the default port left out of Host or
    spelled out. Each stands for the same bucket, key, parameters and values, so none of them
    widens what a signature allows.
    """
    method, write = request.method.encode(), claim.signed_headers.canonical
    forms = product(dict.fromkeys(_target_forms(request)), _header_forms(request))
    return dict.fromkeys(
        write(method, path, query, headers, payload_hash) for (path, query), headers in forms
    )


def _target_forms(request: Request) -> Iterator[tuple[bytes, bytes]]:
    yield percent.encode_path(request.raw_path), _canonical_query(request)
    yield request.raw_path, _query_as_sent(request)
    if SIGNATURE_PARAMETER not in request.query:
        yield request.raw_path, request.query.raw


def _query_as_sent(request: Request) -> bytes:
    """Sort the query's pairs without touching their escapes."""
    pairs = [piece.partition(b"=") for piece in request.query.raw.split(b"&") if piece]
    kept = sorted((name, value) for name, _, value in pairs if name != _SIGNATURE)
    return b"&".join(name + b"=" + value for name, value in kept)


def _header_forms(request: Request) -> Iterator[dict[bytes, bytes]]:
    for host in _hosts(request):
        headers = request.header_map | {b"host": host}
        yield headers
        yield {name: _as_characters(value) for name, value in headers.items()}


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
