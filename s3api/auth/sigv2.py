"""Who sends a request signed with AWS Signature Version 2, where a setting allows it.

It protects less than Version 4: HMAC-SHA1, no digest of the body, no query parameter but
sub-resources, no bound on a presigned URL's life. Knows the keyring and the request.
https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from itertools import product
from typing import TYPE_CHECKING, Final

from s3api.auth import claim as claims
from s3api.auth import signing
from s3api.auth.clock import check_clock, read_date
from s3api.auth.sigv4 import Identity, refuse_session_token
from s3api.errors import S3Error
from s3api.http import dates
from s3api.http.payload import UNSIGNED_PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam.keyring import Credential, Keyring
    from s3api.http.request import Request
    from s3api.http.target import Target

SKEW_SECONDS: Final = 900  # RESTAuthentication, "Time stamp requirement"

# Query parameters that are signed. The first are those of RESTAuthentication, the next were added
# by the SDKs as S3 grew (botocore, auth.py, QSAOfInterest), the last are signed by nobody yet: an
# operation must not be exchanged for another one under the same signature.
SIGNED_PARAMETERS: Final = frozenset(
    {
        *("acl", "lifecycle", "location", "logging", "notification", "partNumber", "policy"),
        *("requestPayment", "torrent", "uploadId", "uploads", "versionId", "versioning"),
        *("versions", "website"),
        *("response-cache-control", "response-content-disposition", "response-content-encoding"),
        *("response-content-language", "response-content-type", "response-expires"),
        *("accelerate", "analytics", "cors", "defaultObjectAcl", "delete", "inventory", "metrics"),
        *("object-lock", "replication", "restore", "select", "select-type", "storageClass"),
        "tagging",
        *("abac", "annotation", "attributes", "encryption", "intelligent-tiering", "legal-hold"),
        *("metadataAnnotationTable", "metadataConfiguration", "metadataInventoryTable"),
        *("metadataJournalTable", "metadataTable", "ownershipControls", "policyStatus"),
        *("publicAccessBlock", "renameObject", "retention", "session"),
    }
)
_HEADER: Final = re.compile(r"AWS ([^\s:]+):(\S+)")


def is_claimed(request: Request) -> bool:
    """Tell whether a request says that it is signed with Version 2, by header or by query."""
    authorization = request.header_map.get(b"authorization")
    if authorization is not None and authorization.startswith(b"AWS "):
        return True
    return "AWSAccessKeyId" in request.query and not claims.is_presigned(request.query)


def authenticate(request: Request, target: Target, keyring: Keyring, *, now: float) -> Identity:
    """Verify a request's signature; every refusal is an S3Error with AWS's code."""
    if (request.header("x-amz-content-sha256") or "").startswith("STREAMING-"):
        claims.refuse_version_2()  # its chunks are signed, if at all, with Version 4
    authorization = request.header("authorization")
    by_query = "AWSAccessKeyId" in request.query
    if authorization and (by_query or claims.is_presigned(request.query)):
        raise claims.two_mechanisms(authorization)
    if by_query:
        access_key, signature, date = _claim_of_query(request, now)
        refuse_session_token(request.query.get("x-amz-security-token"))
    else:
        access_key, signature, date = _claim_of_header(request, authorization or "", now)
    refuse_session_token(request.header("x-amz-security-token"))
    credential = find(keyring, access_key, now)
    forms = _strings_to_sign(request, target, date)
    check(credential, signature, next(forms), forms)
    return Identity(credential, UNSIGNED_PAYLOAD)


def find(keyring: Keyring, access_key: str, now: float) -> Credential:
    """Find a claimed key; S3Error InvalidAccessKeyId."""
    credential = keyring.find(access_key, now_ms=int(now * 1000))
    if credential is None:
        raise S3Error("InvalidAccessKeyId", AWSAccessKeyId=access_key)
    return credential


def check(
    credential: Credential, signature: str, text: bytes, others: Iterable[bytes] = ()
) -> None:
    """Compare a signature with that of `text`, or of `others`; S3Error SignatureDoesNotMatch."""
    secret = credential.secret_key.encode()
    for candidate in (text, *others):
        expected = b64encode(hmac.digest(secret, candidate, "sha1"))
        if hmac.compare_digest(expected, signature.encode()):
            return
    raise signing.mismatch(credential.access_key, signature, text)


def _claim_of_header(request: Request, authorization: str, now: float) -> tuple[str, str, str]:
    """Read `AWS <access key>:<signature>`, and the date to sign: none where x-amz-date is."""
    match = _HEADER.fullmatch(authorization)
    if match is None:
        raise S3Error(
            "InvalidArgument",
            "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
            ArgumentName="Authorization",
            ArgumentValue=authorization,
        )
    amz_date, date = request.header("x-amz-date"), request.header("date") or ""
    signed_at, sent = read_date(date if amz_date is None else amz_date)
    check_clock(signed_at, sent, now=now, allowed_skew=SKEW_SECONDS)
    return match[1], match[2], date if amz_date is None else ""


def _claim_of_query(request: Request, now: float) -> tuple[str, str, str]:
    """Read the three parameters of a presigned URL; its expiry is signed in place of a date."""
    access_key, signature, expires = (
        request.query.get(name) for name in ("AWSAccessKeyId", "Signature", "Expires")
    )
    if not access_key or not signature or not expires:
        raise S3Error(
            "AccessDenied",
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId "
            "parameters",
        )
    if re.fullmatch(r"[0-9]{1,15}", expires) is None:
        raise S3Error("AccessDenied", f"Invalid date (should be seconds since epoch): {expires}")
    if int(expires) < now:
        raise S3Error(
            "AccessDenied",
            "Request has expired",
            Expires=dates.format_iso(int(expires)),
            ServerTime=dates.format_iso(now),
        )
    return access_key, signature.replace(" ", "+"), expires  # a `+` that nobody escaped


def _strings_to_sign(request: Request, target: Target, date: str) -> Iterator[bytes]:
    """Build what AWS signs, then the forms of the same meaning that clients sign."""
    head = b"\n".join(
        (
            request.method.encode(),
            _positional(request, "content-md5"),
            _positional(request, "content-type"),
            date.encode(),
            b"",
        )
    )
    # As in Version 4 (`canonical.other_forms`): botocore signs the characters of a header.
    headers = _amz_headers(request)
    spelled = dict.fromkeys((headers, headers.decode("latin-1").encode()))
    for lines, resource in product(spelled, dict.fromkeys(_resources(request, target))):
        yield head + lines + resource


def _positional(request: Request, name: str) -> bytes:
    """Answer a header that is signed by its place; presigned URLs may repeat it as a parameter."""
    value = request.header_map.get(name.encode())
    return (request.query.get(name) or "").encode() if value is None else value.strip()


def _amz_headers(request: Request) -> bytes:
    """Write the x-amz-* headers, and parameters, sorted by lower-case name."""
    found = {
        name.lower().encode(): value.encode()
        for name, value in request.query.items()
        if name.lower().startswith("x-amz-")
    }
    found |= {n: value for n, value in request.header_map.items() if n.startswith(b"x-amz-")}
    return b"".join(name + b":" + found[name] + b"\n" for name in sorted(found))


def _resources(request: Request, target: Target) -> Iterator[bytes]:
    """Write the path as sent, the bucket of a virtual host before it, and the sub-resources.

    Then what clients sign that means the same: a `/` behind a bucket's name (botocore), the `=` of
    a sub-resource that was sent without a value.
    """
    path = request.raw_path
    if target.is_virtual_host:
        path = f"/{target.bucket}".encode() + path
    paths = [path] if target.key is not None or path.endswith(b"/") else [path, path + b"/"]
    pairs = sorted(pair for pair in request.query.items() if pair[0] in SIGNED_PARAMETERS)
    for end, empty in product(paths, ("", "=")):
        names = "&".join(name + (f"={value}" if value else empty) for name, value in pairs)
        yield end + (f"?{names}".encode() if names else b"")
