"""What a client claims with its signature: who, when, for which scope, over which headers.

Parses the Authorization header and the X-Amz-* query parameters; verifies nothing but their form.
The words of the refusals are those of AWS's servers.
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from s3api.auth.signed_headers import SignedHeaders
from s3api.auth.signing import ALGORITHM, SERVICE, TERMINAL
from s3api.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3api.http.query import Query

SIGNATURE_PARAMETER: Final = "X-Amz-Signature"
# One of these makes a request a presigned one; then all of _REQUIRED must be there.
_PRESIGNED: Final = ("X-Amz-Algorithm", "X-Amz-Credential", SIGNATURE_PARAMETER)
_REQUIRED: Final = (*_PRESIGNED, "X-Amz-SignedHeaders", "X-Amz-Date", "X-Amz-Expires")
_CACHED_BYTES_MAX: Final = 512  # anybody may send a claim: what is kept of each is bounded
_SIGNATURE_BYTES: Final = 64
_SCOPE_PARTS: Final = 5
_WEEK_SECONDS: Final = 604_800
_WEEK_DIGITS: Final = len(str(_WEEK_SECONDS))
_INT64_MAX: Final = 2**63 - 1
_DATE: Final = re.compile(r"[0-9]{8}")


class Claim(NamedTuple):
    """The parsed claim; `scope` is `<date>/<region>/s3/aws4_request`, ended by LF."""

    access_key: str
    date: str
    region: str
    scope: bytes
    signed_headers: SignedHeaders


def _malformed(reason: str) -> NoReturn:
    raise S3Error(
        "AuthorizationHeaderMalformed", f"The authorization header is malformed; {reason}"
    )


def _bad_parameter(reason: str) -> NoReturn:
    raise S3Error(
        "AuthorizationQueryParametersError",
        f"Error parsing the X-Amz-Credential parameter; {reason}",
    )


def _claim(credential: str, signed_headers: str, refuse: Callable[[str], NoReturn]) -> Claim:
    """Take a credential apart; `refuse` raises in the words of where it came from."""
    parts = credential.rsplit("/", _SCOPE_PARTS - 1)
    if len(parts) != _SCOPE_PARTS or not all(parts):
        refuse(
            "the Credential is mal-formed; expecting "
            '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
        )
    access_key, date, region, service, terminal = parts
    if _DATE.fullmatch(date) is None:
        refuse(
            f'incorrect date format "{date}". '
            'This date in the credential must be in the format "yyyyMMdd".'
        )
    if service != SERVICE:
        refuse(f'incorrect service "{service}". This endpoint belongs to "{SERVICE}".')
    if terminal != TERMINAL:
        refuse(f'incorrect terminal "{terminal}". This endpoint uses "{TERMINAL}".')
    scope = f"{date}/{region}/{SERVICE}/{TERMINAL}\n".encode()
    return Claim(access_key, date, region, scope, SignedHeaders(signed_headers))


@lru_cache(maxsize=2048)
def _claim_of_query(credential: str, signed_headers: str) -> Claim:
    return _claim(credential, signed_headers, _bad_parameter)


def refuse_region(region: str, expected: str, *, is_presigned: bool) -> NoReturn:
    """Refuse another region's signature; clients learn the right one from the reply."""
    reason = f"the region '{region}' is wrong; expecting '{expected}'"
    try:
        (_bad_parameter if is_presigned else _malformed)(reason)
    except S3Error as error:
        error.detail["Region"] = expected
        raise


def refuse_date(*, is_presigned: bool, claimed: str, actual: str) -> NoReturn:
    """Refuse a credential scope of another day than the request's."""
    if is_presigned:
        raise S3Error(
            "AuthorizationQueryParametersError",
            f'Invalid credential date "{claimed}". '
            f'This date is not the same as X-Amz-Date: "{actual}".',
        )
    _malformed("Invalid credential date. Date is not the same as X-Amz-Date.")


def parse_authorization(value: bytes) -> tuple[Claim, bytes]:
    """Read an Authorization header: the claim, and the signature as UTF-8.

    Raises S3Error AuthorizationHeaderMalformed, InvalidArgument, or InvalidRequest (SigV2).
    """
    head, _, signature = value.rpartition(b"Signature=")
    if len(signature) == _SIGNATURE_BYTES and len(head) <= _CACHED_BYTES_MAX and value.isascii():
        # All requests of a client on one day share everything before the signature.
        return _claim_of_head(head), signature
    components = _components(value)
    return _claim_of(components), components["Signature"].encode()


@lru_cache(maxsize=2048)
def _claim_of_head(head: bytes) -> Claim:
    return _claim_of(_components(head.rstrip(b", ") + b",Signature=" + b"0" * _SIGNATURE_BYTES))


def _claim_of(components: dict[str, str]) -> Claim:
    return _claim(components["Credential"], components["SignedHeaders"], _malformed)


def _components(value: bytes) -> dict[str, str]:
    """Split `AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...`."""
    text = value.decode("latin-1")
    algorithm, space, rest = text.strip().partition(" ")
    if not space:
        _refuse_authorization(
            "Authorization header is invalid -- one and only one ' ' (space) required.", text
        )
    if algorithm == "AWS":
        refuse_version_2()
    if algorithm != ALGORITHM:
        _refuse_authorization("Unsupported Authorization Type", text)
    pieces = rest.replace(" ", "").split(",")
    for piece in pieces:
        if "=" not in piece:
            _malformed(f'the authorization component "{piece}" is malformed.')
    components = dict(piece.split("=", 1) for piece in pieces)
    if len(pieces) != len(("Credential", "SignedHeaders", "Signature")):
        _malformed(
            "the authorization header requires three components: "
            "Credential, SignedHeaders, and Signature."
        )
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not components.get(name):
            _malformed(f"missing {name}.")
    return components


def _refuse_authorization(message: str, value: str) -> NoReturn:
    raise S3Error("InvalidArgument", message, ArgumentName="Authorization", ArgumentValue=value)


def refuse_version_2() -> NoReturn:
    """Refuse Signature Version 2."""
    raise S3Error(
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. "
        "Please use AWS4-HMAC-SHA256.",
    )


def two_mechanisms(authorization: str) -> S3Error:
    """Refuse a request that is signed in more than one place."""
    return S3Error(
        "InvalidArgument",
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature "
        "query string parameter or the Authorization header should be specified",
        ArgumentName="Authorization",
        ArgumentValue=authorization,
    )


def parse_form_credential(credential: str) -> Claim:
    """Read the X-Amz-Credential field of a form, which signs no headers.

    Raises S3Error InvalidArgument.
    """

    def refuse(reason: str) -> NoReturn:
        raise bad_field("X-Amz-Credential", credential, reason)

    if credential.startswith("/"):
        refuse("a non-empty Access Key (AKID) must be provided in the credential.")
    return _claim(credential, "", refuse)


def bad_field(name: str, value: str, reason: str) -> S3Error:
    """Refuse a field of a form."""
    return S3Error("InvalidArgument", reason, ArgumentName=name, ArgumentValue=value)


def is_presigned(query: Query) -> bool:
    """Tell whether the query claims a SigV4 signature."""
    algorithm, credential, signature = _PRESIGNED
    return signature in query or algorithm in query or credential in query


def parse_query(query: Query) -> tuple[Claim, bytes]:
    """Read a presigned URL's parameters: the claim, and the signature as UTF-8.

    Raises S3Error AuthorizationQueryParametersError.
    """
    found = [value for name in _REQUIRED if (value := query.get(name)) is not None]
    if len(found) < len(_REQUIRED):
        raise S3Error(
            "AuthorizationQueryParametersError",
            "Query-string authentication version 4 requires the X-Amz-Algorithm, "
            "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
            "X-Amz-Expires parameters.",
        )
    algorithm, credential, signature, names, *_ = found
    if algorithm != ALGORITHM:
        raise S3Error(
            "AuthorizationQueryParametersError", f'X-Amz-Algorithm only supports "{ALGORITHM}"'
        )
    is_short = len(credential) + len(names) <= _CACHED_BYTES_MAX
    read = _claim_of_query if is_short else _claim_of_query.__wrapped__
    return read(credential, names), signature.encode()


def parse_expires(value: str) -> int:
    """Read X-Amz-Expires, seconds up to a week; S3Error AuthorizationQueryParametersError."""
    if len(value) <= _WEEK_DIGITS and value.isascii() and value.isdigit():
        seconds = int(value)
        if seconds <= _WEEK_SECONDS:
            return seconds
    digits = value.removeprefix("-")
    significant = digits.lstrip("0") or "0"  # thousands of zeros are more than int() takes
    reason = None
    if not (digits.isascii() and digits.isdigit()) or int(significant[:20]) > _INT64_MAX:
        reason = "X-Amz-Expires should be a number"
    elif value.startswith("-"):
        reason = "X-Amz-Expires must be non-negative"
    elif int(significant) > _WEEK_SECONDS:
        reason = (
            "X-Amz-Expires must be less than a week (in seconds); that is, the given "
            "X-Amz-Expires must be less than 604800 seconds"
        )
    if reason is not None:
        raise S3Error("AuthorizationQueryParametersError", reason)
    return int(significant)
