"""Who sends a request: AWS Signature Version 4, by Authorization header or by presigned URL.

Knows the keyring and the request, no bucket and no operation. A request without any claim is
anonymous; one whose claim does not hold is refused, never downgraded.
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from s3api.auth import claim as claims
from s3api.auth import signing
from s3api.auth.canonical import canonical_request, other_forms
from s3api.auth.chunks import SignedChunks
from s3api.auth.clock import check_clock, header_date
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
    from iam.keyring import Credential, Keyring
    from s3api.auth.claim import Claim
    from s3api.http.request import Request

_UNSIGNED: Final = b"UNSIGNED-PAYLOAD"
_SHA256_HEX_BYTES: Final = 64


class Identity(msgspec.Struct, frozen=True):
    """Who signed (None: nobody, the request is anonymous) and what the body is said to be."""

    credential: Credential | None
    payload: Payload


class _Proof(NamedTuple):
    """A verified signature and what continues from it."""

    credential: Credential
    key: bytes
    head: bytes  # date and credential scope, each ended by LF
    signature: bytes
    canonical: bytes


class _Terms(NamedTuple):
    """What a claim is judged by."""

    keyring: Keyring
    region: str
    now: float
    allowed_skew: int


def authenticate(
    request: Request, keyring: Keyring, *, region: str, now: float, allowed_skew: int = 900
) -> Identity:
    """Verify a request's signature; every refusal is an S3Error with AWS's code.

    `now` is epoch seconds, `allowed_skew` the seconds by which the client's clock may differ.
    The payload is only described here: its reader verifies it.
    """
    terms = _Terms(keyring, region, now, allowed_skew)
    authorization = request.header_map.get(b"authorization")
    if request.query and (claims.is_presigned(request.query) or "AWSAccessKeyId" in request.query):
        return _by_query(request, terms, authorization)
    if authorization:
        return _by_header(request, terms, authorization)
    return Identity(None, _anonymous_payload(request))


def _by_header(request: Request, terms: _Terms, authorization: bytes) -> Identity:
    claim, signature = claims.parse_authorization(authorization)
    signed_at, date_sent = header_date(request)
    check_clock(signed_at, date_sent, now=terms.now, allowed_skew=terms.allowed_skew)
    stamp = dates.format_iso_basic(signed_at)
    credential = _credential(claim, terms, stamp, is_presigned=False)
    payload_hash = request.header_map.get(b"x-amz-content-sha256")
    if not payload_hash:
        raise S3Error(
            "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"
        )
    kind = _payload_kind(payload_hash)
    refuse_session_token(request.header("x-amz-security-token"))
    proof = _verify(request, claim, credential, (stamp, signature.encode(), payload_hash))
    return Identity(credential, _payload(request, kind, payload_hash, proof))


def _by_query(request: Request, terms: _Terms, authorization: bytes | None) -> Identity:
    if authorization:
        raise claims.two_mechanisms(authorization.decode("latin-1"))
    if not claims.is_presigned(request.query):
        claims.refuse_version_2()
    claim, signature = claims.parse_query(request.query)
    stamp = request.query.get("X-Amz-Date") or ""
    _check_lifetime(request, stamp, terms)
    credential = _credential(claim, terms, stamp, is_presigned=True)
    refuse_session_token(request.query.get("X-Amz-Security-Token"))
    payload_hash = _presigned_payload_hash(request)
    _verify(request, claim, credential, (stamp, signature.encode(), payload_hash))
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


def _check_lifetime(request: Request, stamp: str, terms: _Terms) -> None:
    """Refuse a presigned URL before its date and after its expiry."""
    signed_at = dates.parse_iso_basic(stamp)
    if signed_at is None:
        raise S3Error(
            "AuthorizationQueryParametersError",
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
        )
    expires = claims.parse_expires(request.query.get("X-Amz-Expires") or "")
    if signed_at - terms.now > terms.allowed_skew:
        refusal = S3Error("AccessDenied", "Request is not yet valid")
        refusal.detail["X-Amz-Date"] = str(signed_at * 1000)
    elif signed_at + expires < terms.now:
        refusal = S3Error("AccessDenied", "Request has expired")
        refusal.detail["X-Amz-Expires"] = str(expires)
    else:
        return
    refusal.detail["Expires"] = dates.format_iso(signed_at + expires)
    refusal.detail["ServerTime"] = dates.format_iso(terms.now)
    raise refusal


def _credential(claim: Claim, terms: _Terms, stamp: str, *, is_presigned: bool) -> Credential:
    """Find the claimed key, once the scope is known to be this server's and this request's."""
    if claim.region != terms.region:
        claims.refuse_region(claim.region, terms.region, is_presigned=is_presigned)
    if not stamp.startswith(claim.date):
        claims.refuse_date(
            is_presigned=is_presigned, claimed=claim.date, actual=stamp.partition("T")[0]
        )
    credential = terms.keyring.find(claim.access_key, now_ms=int(terms.now * 1000))
    if credential is None:
        raise S3Error("InvalidAccessKeyId", AWSAccessKeyId=claim.access_key)
    return credential


def refuse_session_token(token: str | None) -> None:
    """Refuse temporary credentials: none are issued here, so a token can only be foreign."""
    if token:
        raise S3Error("InvalidToken")


def _verify(
    request: Request, claim: Claim, credential: Credential, sent: tuple[str, bytes, bytes]
) -> _Proof:
    """Check the signature; `sent` is its date, the signature and the payload hash as sent."""
    stamp, signature, payload_hash = sent
    _check_coverage(request, claim)
    key = signing.signing_key(credential.secret_key, claim.date, claim.region)
    head = f"{stamp}\n{claim.scope}\n".encode()
    canonical = canonical_request(request, claim, payload_hash)
    # A header that was signed but did not arrive must never pass for an empty one.
    if claim.signed_set <= request.header_map.keys():
        if compare_digest(signing.sign(key, _string_to_sign(head, canonical)), signature):
            return _Proof(credential, key, head, signature, canonical)
        for form in other_forms(request, claim, payload_hash):
            if compare_digest(signing.sign(key, _string_to_sign(head, form)), signature):
                return _Proof(credential, key, head, signature, form)
    raise signing.mismatch(
        claim.access_key,
        signature.decode(errors="replace"),
        _string_to_sign(head, canonical),
        canonical,
    )


def _string_to_sign(head: bytes, canonical: bytes) -> bytes:
    return b"".join((b"AWS4-HMAC-SHA256\n", head, sha256(canonical).hexdigest().encode()))


def _check_coverage(request: Request, claim: Claim) -> None:
    """Refuse a request with headers that S3 obeys but the signature does not cover."""
    signed = claim.signed_set
    loose = [
        name
        for name in request.header_map
        if name not in signed and (name == b"host" or name.startswith(b"x-amz-"))
    ]
    if loose or b"host" not in signed:
        names = b", ".join(sorted({*loose, b"host"} - signed))
        raise S3Error(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            HeadersNotSigned=names.decode("latin-1"),
        )


def _payload_kind(value: bytes) -> PayloadKind:
    """Read x-amz-content-sha256; S3Error InvalidArgument."""
    if len(value) == _SHA256_HEX_BYTES and _is_hex(value):
        return PayloadKind.SIGNED
    text = value.decode("latin-1")
    if text == PayloadKind.UNSIGNED or text in STREAMS:
        return PayloadKind(text)
    raise S3Error(
        "InvalidArgument",
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a "
        "valid sha256 value.",
        ArgumentName="x-amz-content-sha256",
        ArgumentValue=text,
    )


def _is_hex(value: bytes) -> bool:
    return not value.translate(None, b"0123456789abcdefABCDEF")


def _payload(request: Request, kind: PayloadKind, sent: bytes, proof: _Proof) -> Payload:
    """Describe the body of a request signed by header."""
    if kind is PayloadKind.SIGNED:
        return Payload(kind, sent.decode())
    if kind is PayloadKind.UNSIGNED:
        return UNSIGNED_PAYLOAD
    verifier = None
    if kind in SIGNED_STREAMS:
        verifier = SignedChunks(
            proof.key,
            proof.head,
            proof.signature,
            access_key=proof.credential.access_key,
            canonical_request=proof.canonical,
        )
    return stream_payload(request, kind, verifier)


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
