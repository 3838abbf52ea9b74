"""Signature Version 2: AWS's own examples pass, and whatever differs from them does not."""

from __future__ import annotations

import hmac
from base64 import b64encode
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.auth import identify
from s3api.auth.sigv2 import SIGNED_PARAMETERS
from s3api.http.target import parse_target
from s3api.protocol.router import FLAGS
from tests.s3api.auth.clients import ACCESS_KEY, CREDENTIAL, KEYRING, NOW, SECRET_KEY, Client
from tests.s3api.http.requests import make_request
from tests.s3api.refusals import refusal_of

if TYPE_CHECKING:
    from s3api.auth import Identity
    from s3api.errors import S3Error
    from s3api.http.request import Request

DAY = 1_174_953_600.0  # 27 March 2007, of AWS's examples
PUPPY = b"/photos/puppy.jpg"
DATE = "Tue, 27 Mar 2007 19:36:42 +0000"
SIGNED_AT = DAY + 19 * 3600 + 36 * 60 + 42


def verify(request: Request, now: float = SIGNED_AT, *, allows: bool = True) -> Identity:
    """Authenticate as a server that accepts Version 2 does."""
    target = parse_target(request.header("host"), request.raw_path, "s3.amazonaws.com")
    return identify(request, target, KEYRING, region="us-east-1", now=now, allows_version_2=allows)


def refused(request: Request, now: float = SIGNED_AT, **options: Any) -> S3Error:
    """Answer the refusal of a request that must not pass."""
    refusal = refusal_of(verify, request, now, **options)
    assert refusal is not None
    return refusal


def signed(text: str) -> str:
    """Sign a string."""
    return b64encode(hmac.digest(SECRET_KEY.encode(), text.encode(), "sha1")).decode()


def by_header(
    text: str,
    method: str = "GET",
    path: bytes = PUPPY,
    query: bytes = b"",
    **headers: str,
) -> Request:
    """Build a request to a virtual host under the signature of `text`."""
    sent = {"host": "johnsmith.s3.amazonaws.com", "date": DATE}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    sent.setdefault("authorization", f"AWS {ACCESS_KEY}:{signed(text)}")
    return make_request(method, path, query, sent)


# https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html, "Authentication examples"
EXAMPLES = [
    ("GET", "/photos/puppy.jpg", DATE, {}, "bWq2s1WEIj+Ydj0vQ697zp+IXMU="),
    (
        "PUT",
        "/photos/puppy.jpg",
        "Tue, 27 Mar 2007 21:15:45 +0000",
        {"content-type": "image/jpeg", "content-length": "94328"},
        "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
    ),
    (
        "GET",
        "/?prefix=photos&max-keys=50&marker=puppy",
        "Tue, 27 Mar 2007 19:42:41 +0000",
        {},
        "htDYFYduRNen8P9ZfE/s9SuKy0U=",
    ),
    ("GET", "/?acl", "Tue, 27 Mar 2007 19:44:46 +0000", {}, "c2WLPFtWHVgbEmeEG93a4cG37dM="),
    (
        "GET",
        "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re",
        "Wed, 28 Mar 2007 01:49:49 +0000",
        {"host": "s3.amazonaws.com"},
        "DNEZGsoieTZ92F3bUfSPQcbGmlM=",
    ),
    (
        "GET",
        "/",
        "Wed, 28 Mar 2007 01:29:59 +0000",
        {"host": "s3.amazonaws.com"},
        "qGdzdERIC03wnaRNKh6OqZehG9s=",
    ),
]


@pytest.mark.parametrize(("method", "url", "date", "headers", "signature"), EXAMPLES)
def test_the_examples_of_aws_pass(
    method: str, url: str, date: str, headers: dict[str, str], signature: str
) -> None:
    """Each of them is signed by whom it says, and refused when Version 2 is not allowed."""
    path, _, query = url.partition("?")
    sent = {
        "host": "johnsmith.s3.amazonaws.com",
        "date": date,
        "authorization": f"AWS {ACCESS_KEY}:{signature}",
    } | headers
    request = make_request(method, path.encode(), query.encode(), sent)
    now = parsedate_to_datetime(date).timestamp()
    assert verify(request, now).credential is CREDENTIAL
    assert refused(request, now, allows=False).code == "InvalidRequest"


def test_the_presigned_example_of_aws_passes_until_it_expires() -> None:
    """A presigned URL is good for as long as it says."""
    query = (
        f"AWSAccessKeyId={ACCESS_KEY}&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620"
    )
    headers = {"host": "johnsmith.s3.amazonaws.com"}
    request = make_request("GET", PUPPY, query.encode(), headers)
    assert verify(request, 1_175_139_620).credential is CREDENTIAL
    late = refused(request, 1_175_139_621)
    assert (late.code, late.message) == ("AccessDenied", "Request has expired")
    assert late.detail == {"Expires": "2007-03-29T03:40:20Z", "ServerTime": "2007-03-29T03:40:21Z"}
    assert refused(request, allows=False).code == "InvalidRequest"


def test_amz_headers_are_signed_sorted_and_joined() -> None:
    """The example of AWS with metadata: names in order, repeated lines as one value."""
    date = "Tue, 27 Mar 2007 21:06:08 +0000"
    lines = [
        (b"host", b"static.johnsmith.net"),
        (b"date", date.encode()),
        (b"content-type", b"application/x-download"),
        (b"content-md5", b"4gJE4saaMU4BqNR0kLY+lw=="),
        (b"x-amz-acl", b"public-read"),
        (b"x-amz-meta-reviewedby", b"joe@johnsmith.net"),
        (b"x-amz-meta-reviewedby", b"jane@johnsmith.net"),
        (b"x-amz-meta-filechecksum", b"0x02661779"),
        (b"x-amz-meta-checksumalgorithm", b"crc32"),
        (b"authorization", f"AWS {ACCESS_KEY}:ilyl83RwaSoYIEdixDQcA4OnAnc=".encode()),
    ]
    # AWS's bucket is a name that resolves to S3; here it is a path.
    request = make_request("PUT", b"/static.johnsmith.net/db-backup.dat.gz", b"", lines)
    assert verify(request, DAY + 21 * 3600 + 360).credential is CREDENTIAL
    lines[4] = (b"x-amz-acl", b"private")
    changed = make_request("PUT", b"/static.johnsmith.net/db-backup.dat.gz", b"", lines)
    assert refused(changed, DAY + 21 * 3600 + 360).code == "SignatureDoesNotMatch"


def test_an_amz_date_takes_the_place_of_the_date() -> None:
    """It is signed among the headers, and the line of the date stays empty."""
    other = "Tue, 27 Mar 2007 19:36:50 +0000"
    text = f"GET\n\n\n\nx-amz-date:{other}\n/johnsmith/photos/puppy.jpg"
    assert verify(by_header(text, x_amz_date=other)).credential is CREDENTIAL
    refusal = refused(by_header("GET", x_amz_date=other))
    assert refusal.detail["StringToSign"] == text
    assert refusal.detail["StringToSignBytes"] == text.encode().hex(" ")
    assert "CanonicalRequest" not in refusal.detail


def test_sub_resources_and_overrides_are_signed_decoded() -> None:
    """Sorted, their values decoded, other parameters left out; a lone `=` may be signed or not."""
    query = b"response-content-type=text%2Fplain&versionId=a%20b&x-id=GetObject&max-keys=3"
    text = (
        f"GET\n\n\n{DATE}\n/johnsmith/photos/puppy.jpg"
        "?response-content-type=text/plain&versionId=a b"
    )
    assert verify(by_header(text, query=query)).credential is CREDENTIAL
    for end in ("?acl", "?acl="):
        text = f"GET\n\n\n{DATE}\n/johnsmith/photos/puppy.jpg{end}"
        assert verify(by_header(text, query=b"acl=")).credential is CREDENTIAL
    plain = f"GET\n\n\n{DATE}\n/johnsmith/photos/puppy.jpg"
    for flag in (b"acl", b"retention", b"versionId=1", b"response-expires=x"):
        assert refused(by_header(plain, query=flag)).code == "SignatureDoesNotMatch"


def test_every_sub_resource_is_signed() -> None:
    """No operation can be exchanged for another one under the same signature."""
    assert FLAGS <= SIGNED_PARAMETERS
    assert "partNumber" in SIGNED_PARAMETERS


def test_characters_beyond_ascii_are_signed_as_bytes_or_characters() -> None:
    """A header in UTF-8 is signed as it is sent, or as botocore reads it."""
    name = "grün".encode().decode("latin-1")
    for spelled in ("grün", name):
        text = f"GET\n\n\n{DATE}\nx-amz-meta-colour:{spelled}\n/johnsmith/photos/puppy.jpg"
        assert verify(by_header(text, x_amz_meta_colour=name)).credential is CREDENTIAL


def presigned(text: str, *extra: str, **headers: str) -> Request:
    """Build a presigned PUT under the signature of `text`."""
    query = "&".join(
        (
            f"AWSAccessKeyId={ACCESS_KEY}",
            f"Signature={quote(signed(text), safe='')}",
            "Expires=1175139620",
            *extra,
        )
    )
    sent = {"host": "johnsmith.s3.amazonaws.com"} | headers
    return make_request("PUT", PUPPY, query.encode(), sent)


def test_parameters_of_a_presigned_url_count_as_headers() -> None:
    """x-amz-* parameters are signed like headers, and are headers from then on."""
    end = "1175139620\nx-amz-acl:public-read\n/johnsmith/photos/puppy.jpg"
    request = presigned(
        f"PUT\n\ntext/plain\n{end}", "x-amz-acl=public-read", "content-type=text/plain"
    )
    assert verify(request).credential is CREDENTIAL
    assert request.header("x-amz-acl") == "public-read"
    bare = presigned("PUT\n\n\n1175139620\n/johnsmith/photos/puppy.jpg", "x-amz-acl=public-read")
    assert refused(bare).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("value", ["AWS HAHAHA", "AWS :x", f"AWS {ACCESS_KEY}:", "AWS a:b c"])
def test_a_header_of_another_form_is_refused(value: str) -> None:
    """An access key and a signature are needed, with a colon between them."""
    refusal = refused(by_header("", authorization=value))
    assert (refusal.code, refusal.detail["ArgumentValue"]) == ("InvalidArgument", value)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"date": "Bad Date"}, "AccessDenied"),
        ({"date": ""}, "AccessDenied"),
        ({"x_amz_date": ""}, "AccessDenied"),
        ({"x_amz_date": "Tue, 07 Jul 1950 21:53:04 GMT"}, "AccessDenied"),
        ({"x_amz_date": "Tue, 07 Jul 2010 21:53:04 GMT"}, "RequestTimeTooSkewed"),
        ({"date": "Tue, 27 Mar 2007 19:21:41 +0000"}, "RequestTimeTooSkewed"),
        ({"date": "Tue, 27 Mar 2007 19:51:43 +0000"}, "RequestTimeTooSkewed"),
        ({"authorization": "AWS UNKNOWN:bWq2s1WEIj+Ydj0vQ697zp+IXMU="}, "InvalidAccessKeyId"),
        (
            {"authorization": f"AWS {ACCESS_KEY}:bWq2s1WEIj+Ydj0vQ697zp+IXM0="},
            "SignatureDoesNotMatch",
        ),
        ({"x_amz_security_token": "token"}, "InvalidToken"),
        ({"x_amz_content_sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, "InvalidRequest"),
        ({"x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}, "InvalidRequest"),
    ],
)
def test_a_claim_that_does_not_hold_is_refused(headers: dict[str, str], code: str) -> None:
    """Each refusal has AWS's code, and none makes the request an anonymous one."""
    text = f"GET\n\n\n{DATE}\n/johnsmith/photos/puppy.jpg"
    assert refused(by_header(text, **headers)).code == code


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (f"AWSAccessKeyId={ACCESS_KEY}&Signature=x", "Query-string authentication requires the"),
        (f"AWSAccessKeyId={ACCESS_KEY}&Expires=1", "Query-string authentication requires the"),
        ("AWSAccessKeyId=&Signature=x&Expires=1", "Query-string authentication requires the"),
        (f"AWSAccessKeyId={ACCESS_KEY}&Signature=x&Expires=soon", "Invalid date (should be"),
        (f"AWSAccessKeyId={ACCESS_KEY}&Signature=x&Expires=-1", "Invalid date (should be"),
        (f"AWSAccessKeyId={ACCESS_KEY}&Signature=x&Expires={'9' * 40}", "Invalid date (should be"),
        (f"AWSAccessKeyId={ACCESS_KEY}&Signature=x&Expires=1", "Request has expired"),
    ],
)
def test_a_presigned_url_needs_all_of_its_parameters(query: str, message: str) -> None:
    """What is missing or no moment is told."""
    refusal = refused(make_request("GET", PUPPY, query.encode(), {"host": "h"}))
    assert refusal.code == "AccessDenied"
    assert refusal.message.startswith(message)


def test_a_request_is_signed_in_one_place() -> None:
    """A header beside a signed query is refused, of whichever version that is."""
    text = f"GET\n\n\n{DATE}\n/johnsmith/photos/puppy.jpg"
    for query in (f"AWSAccessKeyId={ACCESS_KEY}&Signature=x&Expires=1", "X-Amz-Signature=0"):
        refusal = refused(by_header(text, query=query.encode()))
        assert refusal.code == "InvalidArgument"
        assert refusal.message.startswith("Only one auth mechanism allowed")


def test_version_4_and_nobody_pass_as_before() -> None:
    """Where Version 2 is allowed, requests without it are judged by Version 4."""
    assert verify(Client().sign(), NOW).credential is CREDENTIAL
    presigned_4 = Client(query={"x-amz-acl": "private"}).presign()
    assert verify(presigned_4, NOW).credential is CREDENTIAL
    assert presigned_4.header("x-amz-acl") == "private"
    assert verify(make_request("GET", b"/b", b"", {"host": "h"}), NOW).credential is None


LATIN = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)
PARAMETERS = st.dictionaries(
    st.sampled_from(
        ["AWSAccessKeyId", "Signature", "Expires", "x-amz-acl", "X-Amz-Signature", "acl"]
    ),
    st.one_of(st.text(max_size=12), st.just(ACCESS_KEY), st.just("9" * 14)),
)
LINES = st.dictionaries(
    st.sampled_from(["date", "x-amz-date", "content-type", "x-amz-security-token", "x-amz-meta-a"]),
    st.one_of(LATIN, st.just(DATE)),
)


@given(PARAMETERS, LINES, st.one_of(LATIN, st.just(f"{ACCESS_KEY}:x")))
def test_no_claim_passes_by_chance(
    parameters: dict[str, str], lines: dict[str, str], claim: str
) -> None:
    """Whatever is claimed is refused in S3's words, with a detail that can be written."""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
    headers = {"host": "h", "authorization": f"AWS {claim}"} | lines
    for sent in (headers, {"host": "h"} | lines):
        request = make_request("GET", b"/b", query.encode(), sent)
        if "authorization" in sent or "AWSAccessKeyId" in parameters:
            refusal = refused(request)
            assert refusal.status in {400, 403}
            assert all(value.encode() is not None for value in refusal.detail.values())
