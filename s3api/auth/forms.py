"""Who sends a browser's form: a signature over its policy, in fields of its own.

The one operation whose signature is neither in the headers nor in the query. A form without any of
these fields is anonymous; one whose claim does not hold is refused, never downgraded. Order and
words of the refusals are those of S3, as recorded by localstack (tests/aws/services/s3/test_s3.py,
TestS3PresignedPost) and in aws-sdk-js issues 1514 and 2529.
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html
"""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from s3api.auth import claim as claims
from s3api.auth import signing, sigv2
from s3api.auth.sigv4 import Identity, refuse_session_token
from s3api.http import dates
from s3api.http.payload import UNSIGNED_PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iam.keyring import Keyring
    from s3api.errors import S3Error
    from s3api.http.request import Request

# In the order in which S3 misses them, and spelled as it does.
_VERSION_4: Final = ("X-Amz-Signature", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date")
_VERSION_2: Final = ("Signature", "AWSAccessKeyId")
_POLICY: Final = "Policy"


def authenticate_form(
    fields: Mapping[str, str],
    keyring: Keyring,
    *,
    region: str,
    now: float,
    allows_version_2: bool,
) -> Identity:
    """Verify the signature of a form's policy; every refusal is an S3Error with AWS's code.

    `fields` are by lower-case name. What the policy allows is not judged here.
    """
    if any(name.lower() in fields for name in _VERSION_4):
        _require(fields, *_VERSION_4, _POLICY)
        return _by_version_4(fields, keyring, region, now)
    if any(name.lower() in fields for name in _VERSION_2):
        _require(fields, *_VERSION_2, _POLICY)
        if not allows_version_2:
            claims.refuse_version_2()
        refuse_session_token(fields.get("x-amz-security-token"))
        credential = sigv2.find(keyring, fields["awsaccesskeyid"], now)
        sigv2.check(credential, fields["signature"], fields["policy"].encode())
        return Identity(credential, UNSIGNED_PAYLOAD)
    return Identity(None, UNSIGNED_PAYLOAD)


def refuse_other_claims(request: Request) -> None:
    """Refuse a form that is signed outside of its fields: nothing there would cover them."""
    authorization = request.header("authorization")
    if authorization or claims.is_presigned(request.query) or "Signature" in request.query:
        raise claims.bad_field(
            "Authorization", authorization or "", "Unsupported Authorization Type"
        )


def missing_field(name: str) -> S3Error:
    """Refuse a form without a field that it needs."""
    return claims.bad_field(
        name,
        "",
        f"Bucket POST must contain a field named '{name}'.  "
        "If it is specified, please check the order of the fields.",
    )


def _require(fields: Mapping[str, str], *names: str) -> None:
    for name in names:
        if name.lower() not in fields:
            raise missing_field(name)


def _by_version_4(fields: Mapping[str, str], keyring: Keyring, region: str, now: float) -> Identity:
    algorithm, stamp = fields["x-amz-algorithm"], fields["x-amz-date"]
    if algorithm != signing.ALGORITHM:
        reason = f'X-Amz-Algorithm only supports "{signing.ALGORITHM}"'
        raise claims.bad_field("X-Amz-Algorithm", algorithm, reason)
    claim = claims.parse_form_credential(fields["x-amz-credential"])
    if claim.region != region:
        reason = f"the region '{claim.region}' is wrong; expecting '{region}'"
        refusal = claims.bad_field("X-Amz-Credential", fields["x-amz-credential"], reason)
        refusal.detail["Region"] = region
        raise refusal
    if dates.parse_iso_basic(stamp) is None:
        reason = "X-Amz-Date must be formated via ISO8601 Long format"
        raise claims.bad_field("X-Amz-Date", stamp, reason)
    if not stamp.startswith(claim.date):
        reason = "Invalid credential date. Date is not the same as X-Amz-Date."
        raise claims.bad_field("X-Amz-Credential", fields["x-amz-credential"], reason)
    refuse_session_token(fields.get("x-amz-security-token"))
    credential = sigv2.find(keyring, claim.access_key, now)
    key = signing.signing_key(credential.secret_key, claim.date, claim.region)
    text, signature = fields["policy"].encode(), fields["x-amz-signature"]
    if not compare_digest(key.sign(text), signature.encode()):
        raise signing.mismatch(claim.access_key, signature, text)
    return Identity(credential, UNSIGNED_PAYLOAD)
