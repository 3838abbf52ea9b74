"""Who sends a request: AWS Signature Version 4, by Authorization header or by presigned URL.

Knows the keyring and the request, no bucket and no operation. A request without any claim is
anonymous; one whose claim does not hold is refused, never downgraded.
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

import msgspec

from s3api.auth import claim as claims
from s3api.auth import signing
from s3api.auth.canonical import canonical_request, other_forms
from s3api.auth.chunks import SignedChunks
from s3api.auth.clock import check_clock, header_moment, query_moment
from s3api.errors import S3Error
from s3api.http import dates
from s3api.http.payload import (
    SIGNED_STREAMS,
    STREAMS,
    UNSIGNED_PAYLOAD,
    Payload,
    PayloadKind,
    stream_payload,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iam.keyring import Credential, Keyring
    from s3api.auth.claim import Claim
    from s3api.auth.clock import Moment
    from s3api.auth.signed_headers import SignedHeaders
    from s3api.auth.signing import SigningKey
    from s3api.http.request import Request

    # What a claim is judged by: who may sign, the region, now, the seconds clocks may differ by.
    _Terms = tuple[Keyring, str, float, int]
    # What a stream of chunks continues from: key, date and scope (each ended by LF), and what was
    # signed, only to explain a refusal.
    _Proof = tuple[SigningKey, bytes, bytes]

_UNSIGNED: Final = b"UNSIGNED-PAYLOAD"
_SHA256_HEX_BYTES: Final = 64
_HEX: Final = b"0123456789abcdefABCDEF"
_KINDS: Final = {kind.encode(): kind for kind in PayloadKind if kind is not PayloadKind.SIGNED}


class Identity(msgspec.Struct, frozen=True):
    """Who signed (None: nobody, the request is anonymous) and what the body is said to be."""

    credential: Credential | None
    payload: Payload


def authenticate(
    request: Request, keyring: Keyring, *, region: str, now: float, allowed_skew: int = 900
) -> Identity:
    """Verify a request's signature; every refusal is an S3Error with AWS's code.

    `now` is epoch seconds, `allowed_skew` the seconds by which the client's clock may differ.
    The payload is only described here: its reader verifies it.
    """
    query, authorization = request.query, request.header_map.get(b"authorization")
    terms = keyring, region, now, allowed_skew
    if query.raw and (claims.is_presigned(query) or "AWSAccessKeyId" in query):
        return _by_query(request, authorization, terms)
    if authorization:
        return _by_header(request, authorization, terms)
    return Identity(None, _anonymous_payload(request))


def _by_header(request: Request, authorization: bytes, terms: _Terms) -> Identity:
    claim, signature = claims.parse_authorization(authorization)
    moment = header_moment(request)
    check_clock(moment.epoch, moment.sent, now=terms[2], allowed_skew=terms[3])
    credential = _credential(claim, moment, terms, is_presigned=False)
    headers = request.header_map
    payload_hash = headers.get(b"x-amz-content-sha256")
    if not payload_hash:
        raise S3Error(
            "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"
        )
    kind = _payload_kind(payload_hash)
    if b"x-amz-security-token" in headers:
        refuse_session_token(request.header("x-amz-security-token"))
    proof = _verify(request, claim, credential, (moment.stamp, signature, payload_hash))
    if kind is PayloadKind.UNSIGNED:
        return Identity(credential, UNSIGNED_PAYLOAD)
    if kind is PayloadKind.SIGNED:
        return Identity(credential, Payload(kind, payload_hash.decode()))
    verifier = None
    if kind in SIGNED_STREAMS:
        key, head, canonical = proof
        verifier = SignedChunks(
            *(key, head, signature), access_key=claim.access_key, canonical_request=canonical
        )
    return Identity(credential, stream_payload(request, kind, verifier))


def _by_query(request: Request, authorization: bytes | None, terms: _Terms) -> Identity:
    query = request.query
    if authorization:
        raise claims.two_mechanisms(authorization.decode("latin-1"))
    if not claims.is_presigned(query):
        claims.refuse_version_2()
    claim, signature = claims.parse_query(query)
    moment = query_moment(query.get("X-Amz-Date") or "")
    expires = claims.parse_expires(query.get("X-Amz-Expires") or "")
    _check_lifetime(moment.epoch, expires, now=terms[2], allowed_skew=terms[3])
    credential = _credential(claim, moment, terms, is_presigned=True)
    refuse_session_token(query.get("X-Amz-Security-Token"))
    payload_hash = _presigned_payload_hash(request)
    _verify(request, claim, credential, (moment.stamp, signature, payload_hash))
    # A presigned body is never aws-chunked to AWS: any value but UNSIGNED-PAYLOAD is compared
    # with the digest of the body as it came.
    payload = UNSIGNED_PAYLOAD
    if payload_hash != _UNSIGNED:
        payload = Payload(PayloadKind.SIGNED, payload_hash.decode("latin-1"))
    return Identity(credential, payload)


def _presigned_payload_hash(request: Request) -> bytes:
    """Find what a presigned request was signed over in place of its body's digest."""
    value = request.query.get("X-Amz-Content-Sha256")
    if value:
        return value.encode()
    return request.header_map.get(b"x-amz-content-sha256") or _UNSIGNED


def _check_lifetime(signed_at: int, expires: int, *, now: float, allowed_skew: int) -> None:
    """Refuse a presigned URL before its date and after its expiry."""
    if signed_at - now > allowed_skew:
        refusal = S3Error("AccessDenied", "Request is not yet valid")
        refusal.detail["X-Amz-Date"] = str(signed_at * 1000)
    elif signed_at + expires < now:
        refusal = S3Error("AccessDenied", "Request has expired")
        refusal.detail["X-Amz-Expires"] = str(expires)
    else:
        return
    refusal.detail["Expires"] = dates.format_iso(signed_at + expires)
    refusal.detail["ServerTime"] = dates.format_iso(now)
    raise refusal


def _credential(claim: Claim, moment: Moment, terms: _Terms, *, is_presigned: bool) -> Credential:
    """Find the claimed key, once the scope is known to be this server's and this request's."""
    keyring, region, now, _ = terms
    if claim.region != region:
        claims.refuse_region(claim.region, region, is_presigned=is_presigned)
    if claim.date != moment.day:
        claims.refuse_date(is_presigned=is_presigned, claimed=claim.date, actual=moment.day)
    credential = keyring.find(claim.access_key, now_ms=int(now * 1000))
    if credential is None:
        raise S3Error("InvalidAccessKeyId", AWSAccessKeyId=claim.access_key)
    return credential


def refuse_session_token(token: str | None) -> None:
    """Refuse temporary credentials: none are issued here, so a token can only be foreign."""
    if token:
        raise S3Error("InvalidToken")


def _verify(
    request: Request, claim: Claim, credential: Credential, sent: tuple[bytes, bytes, bytes]
) -> _Proof:
    """Check the signature; `sent` is its date, the signature and the payload hash as sent."""
    stamp, signature, payload_hash = sent
    headers, signed = request.header_map, claim.signed_headers
    try:
        canonical = canonical_request(request, claim, payload_hash, headers)
    except KeyError:  # a header that was signed but did not arrive must never pass for an empty one
        canonical = None
    if canonical is None or not signed.cover(headers):
        _check_coverage(signed, headers)
    key = signing.signing_key(credential.secret_key, claim.date, claim.region)
    head = stamp + b"\n" + claim.scope
    if canonical is not None:
        if compare_digest(key.sign(_string_to_sign(head, canonical)), signature):
            return key, head, canonical
        for form in other_forms(request, claim, payload_hash):
            if compare_digest(key.sign(_string_to_sign(head, form)), signature):
                return key, head, form
    shown = canonical_request(request, claim, payload_hash, signed.without_values() | headers)
    raise signing.mismatch(
        claim.access_key, signature.decode(errors="replace"), _string_to_sign(head, shown), shown
    )


def _check_coverage(signed: SignedHeaders, headers: Mapping[bytes, bytes]) -> None:
    """Refuse a request with headers that S3 obeys but the signature does not cover."""
    if uncovered := signed.uncovered(headers):
        raise S3Error(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            HeadersNotSigned=b", ".join(uncovered).decode("latin-1"),
        )


def _string_to_sign(head: bytes, canonical: bytes) -> bytes:
    return b"AWS4-HMAC-SHA256\n" + head + sha256(canonical).hexdigest().encode()


def _payload_kind(value: bytes) -> PayloadKind:
    """Read x-amz-content-sha256; S3Error InvalidArgument."""
    if len(value) == _SHA256_HEX_BYTES and not value.translate(None, _HEX):
        return PayloadKind.SIGNED
    kind = _KINDS.get(value)
    if kind is not None:
        return kind
    raise S3Error(
        "InvalidArgument",
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a "
        "valid sha256 value.",
        ArgumentName="x-amz-content-sha256",
        ArgumentValue=value.decode("latin-1"),
    )


def _anonymous_payload(request: Request) -> Payload:
    """Describe the body of a request that nobody signed."""
    value = request.header_map.get(b"x-amz-content-sha256")
    if not value:
        return UNSIGNED_PAYLOAD
    kind = _payload_kind(value)
    if kind in SIGNED_STREAMS:
        raise S3Error(
            "InvalidRequest",
            "Anonymous requests don't support this x-amz-content-sha256 value. "
            "Please use UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER.",
        )
    if kind is PayloadKind.SIGNED:
        return Payload(kind, value.decode())
    return stream_payload(request, kind, None) if kind in STREAMS else UNSIGNED_PAYLOAD
