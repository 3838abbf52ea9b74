"""Signed forms: AWS's own example passes, and every claim that does not hold is refused."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

import pytest

from s3api.auth import authenticate_form, check_policy, refuse_other_claims
from tests.s3api.auth.clients import ACCESS_KEY, CREDENTIAL, KEYRING, SECRET_KEY, Client
from tests.s3api.http.requests import make_request
from tests.s3api.refusals import code_of, refusal_of

if TYPE_CHECKING:
    from s3api.auth import Identity
    from s3api.errors import S3Error

NOW = 1_451_390_400.0  # 29 December 2015, noon
SCOPE = "20151229/us-east-1/s3/aws4_request"
# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html, its lines ended by CRLF.
POLICY = """{ "expiration": "2015-12-30T12:00:00.000Z",
  "conditions": [
    {"bucket": "sigv4examplebucket"},
    ["starts-with", "$key", "user/user1/"],
    {"acl": "public-read"},
    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},
    ["starts-with", "$Content-Type", "image/"],
    {"x-amz-meta-uuid": "14365123651274"},
    {"x-amz-server-side-encryption": "AES256"},
    ["starts-with", "$x-amz-meta-tag", ""],

    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},
    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
    {"x-amz-date": "20151229T000000Z" }
  ]
}""".replace("\n", "\r\n")
SIGNATURE = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"
VERSION_4 = {
    "policy": b64encode(POLICY.encode()).decode(),
    "x-amz-credential": f"{ACCESS_KEY}/{SCOPE}",
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-date": "20151229T000000Z",
    "x-amz-signature": SIGNATURE,
}
EXAMPLE = VERSION_4 | {
    "key": "user/user1/photo.jpg",
    "acl": "public-read",
    "success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html",
    "content-type": "image/jpeg",
    "x-amz-meta-uuid": "14365123651274",
    "x-amz-server-side-encryption": "AES256",
    "x-amz-meta-tag": "",
}
VERSION_2 = {
    "policy": "cG9saWN5",
    "awsaccesskeyid": ACCESS_KEY,
    "signature": b64encode(hmac.digest(SECRET_KEY.encode(), b"cG9saWN5", "sha1")).decode(),
}


def verify(fields: dict[str, str], *, allows: bool = True) -> Identity:
    """Authenticate as the server does on the day of AWS's example."""
    return authenticate_form(fields, KEYRING, region="us-east-1", now=NOW, allows_version_2=allows)


def refused(fields: dict[str, str], **options: Any) -> S3Error:
    """Answer the refusal of fields that must not pass."""
    refusal = refusal_of(verify, fields, **options)
    assert refusal is not None
    return refusal


def test_the_example_of_aws_passes() -> None:
    """Its signature is the signer's, and its policy allows its fields."""
    assert verify(EXAMPLE).credential is CREDENTIAL
    sizes = check_policy(EXAMPLE["policy"], EXAMPLE, "sigv4examplebucket", NOW)
    assert sizes == (0, 2**63 - 1)


def test_a_form_without_a_claim_is_anonymous() -> None:
    """A policy that nobody signed makes nobody out of the browser."""
    assert verify({"key": "k"}).credential is None
    assert verify({"key": "k", "policy": "cG9saWN5"}).credential is None


@pytest.mark.parametrize(
    ("given", "left_out", "named"),
    [
        (VERSION_4, {"x-amz-signature"}, "X-Amz-Signature"),
        (VERSION_4, {"x-amz-algorithm", "x-amz-credential"}, "X-Amz-Algorithm"),
        (VERSION_4, {"x-amz-credential", "x-amz-date"}, "X-Amz-Credential"),
        (VERSION_4, {"x-amz-date"}, "X-Amz-Date"),
        (VERSION_4, {"policy"}, "Policy"),
        (VERSION_2, {"signature"}, "Signature"),
        (VERSION_2, {"awsaccesskeyid"}, "AWSAccessKeyId"),
        (VERSION_2, {"policy"}, "Policy"),
    ],
)
def test_half_a_claim_is_refused(given: dict[str, str], left_out: set[str], named: str) -> None:
    """The first field that is missing is named as S3 names it."""
    fields = {name: value for name, value in given.items() if name not in left_out}
    refusal = refused(fields)
    assert refusal.code == "InvalidArgument"
    assert refusal.message == (
        f"Bucket POST must contain a field named '{named}'.  "
        "If it is specified, please check the order of the fields."
    )
    assert refusal.detail == {"ArgumentName": named, "ArgumentValue": ""}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("x-amz-algorithm", "AWS4-HMAC-SHA1", 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"'),
        ("x-amz-credential", f"/{SCOPE}", "a non-empty Access Key (AKID) must be provided in"),
        ("x-amz-credential", ACCESS_KEY, "the Credential is mal-formed; expecting"),
        ("x-amz-credential", f"a/{SCOPE}".replace("2015", "x"), 'incorrect date format "x1229".'),
        ("x-amz-credential", f"a/{SCOPE}".replace("s3", "ec2"), 'incorrect service "ec2".'),
        ("x-amz-credential", f"a/{SCOPE}5", 'incorrect terminal "aws4_request5".'),
        ("x-amz-credential", f"a/{SCOPE}".replace("1229", "1228"), "Invalid credential date."),
        ("x-amz-date", "2015-12-29T00:00:00Z", "X-Amz-Date must be formated via ISO8601 Long"),
    ],
)
def test_a_malformed_claim_is_refused(name: str, value: str, message: str) -> None:
    """Each part of it is told in S3's words, with the field as it came."""
    refusal = refused(VERSION_4 | {name: value})
    assert refusal.code == "InvalidArgument"
    assert refusal.message.startswith(message)
    assert refusal.detail["ArgumentName"].lower() == name
    assert refusal.detail["ArgumentValue"] == value


def test_another_region_is_refused_with_the_right_one() -> None:
    """A client can learn the region from the reply."""
    refusal = refused(VERSION_4 | {"x-amz-credential": f"a/{SCOPE}".replace("east-1", "west-1")})
    assert refusal.message == "the region 'us-west-1' is wrong; expecting 'us-east-1'"
    assert refusal.detail["Region"] == "us-east-1"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        (VERSION_4 | {"x-amz-signature": SIGNATURE[::-1]}, "SignatureDoesNotMatch"),
        (VERSION_4 | {"x-amz-signature": "é"}, "SignatureDoesNotMatch"),
        (VERSION_4 | {"policy": VERSION_4["policy"][:-2]}, "SignatureDoesNotMatch"),
        (VERSION_4 | {"x-amz-credential": f"UNKNOWN/{SCOPE}"}, "InvalidAccessKeyId"),
        (VERSION_4 | {"x-amz-security-token": "token"}, "InvalidToken"),
        (VERSION_2 | {"signature": VERSION_2["signature"][::-1]}, "SignatureDoesNotMatch"),
        (VERSION_2 | {"policy": "cG9saWN6"}, "SignatureDoesNotMatch"),
        (VERSION_2 | {"awsaccesskeyid": "UNKNOWN"}, "InvalidAccessKeyId"),
        (VERSION_2 | {"x-amz-security-token": "token"}, "InvalidToken"),
    ],
)
def test_a_claim_that_does_not_hold_is_refused(fields: dict[str, str], code: str) -> None:
    """It is refused with S3's code, and never taken for an anonymous one."""
    assert refused(fields).code == code


def test_a_mismatch_shows_what_was_signed() -> None:
    """The string to sign is the policy as it came, before anything was decoded."""
    refusal = refused(VERSION_4 | {"x-amz-signature": "0"})
    policy = VERSION_4["policy"]
    assert list(refusal.detail.items()) == [
        ("AWSAccessKeyId", ACCESS_KEY),
        ("StringToSign", policy),
        ("SignatureProvided", "0"),
        ("StringToSignBytes", policy.encode().hex(" ")),
    ]
    assert b64decode(policy) == POLICY.encode()


def test_version_2_needs_the_setting() -> None:
    """Without it the form is refused, as a request is."""
    assert verify(VERSION_2).credential is CREDENTIAL
    refusal = refused(VERSION_2, allows=False)
    assert refusal.code == "InvalidRequest"
    assert refusal.message.endswith("Please use AWS4-HMAC-SHA256.")


def test_a_form_is_signed_nowhere_else() -> None:
    """A signature in the header or in the query of a form covers none of its fields."""
    signed = [
        Client("POST", path="/b").sign(),
        Client("POST", path="/b").presign(),
        make_request("POST", b"/b", b"AWSAccessKeyId=a&Signature=b&Expires=1"),
        make_request("POST", b"/b", headers={"authorization": "Bearer x"}),
    ]
    assert {code_of(refuse_other_claims, request) for request in signed} == {"InvalidArgument"}
    assert code_of(refuse_other_claims, make_request("POST", b"/b")) is None
