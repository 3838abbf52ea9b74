"""What s3api.auth.claim promises: every malformed claim has AWS's refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.s3api.auth.clients import (
    ACCESS_KEY,
    CREDENTIAL,
    EXAMPLE_AUTHORIZATION,
    EXAMPLE_HEADERS,
    EXAMPLE_SCOPE,
    Client,
    example,
    refused,
    verify,
)
from tests.s3api.http.requests import make_request
from tests.s3api.refusals import code_of


@pytest.mark.parametrize("separator", [", ", ",", " , "])
def test_spacing_of_the_authorization_header(separator: str) -> None:
    """The components may stand close together or apart."""
    assert verify(example(EXAMPLE_AUTHORIZATION.replace(",", separator))).credential is CREDENTIAL


def test_order_of_the_authorization_header() -> None:
    """The signature need not stand last."""
    scheme, _, rest = EXAMPLE_AUTHORIZATION.partition(" ")
    credential, names, signature = rest.split(",")
    assert verify(example(f"{scheme} {signature}, {credential}, {names}")).credential is CREDENTIAL


@pytest.mark.parametrize(
    ("authorization", "code", "message"),
    [
        (
            "HAHAHA",
            "InvalidArgument",
            "Authorization header is invalid -- one and only one ' ' (space) required.",
        ),
        ("Bearer abc", "InvalidArgument", "Unsupported Authorization Type"),
        ("AWS4-HMAC-SHA1 x", "InvalidArgument", "Unsupported Authorization Type"),
        ("AWS4-ECDSA-P256-SHA256 x", "InvalidArgument", "Unsupported Authorization Type"),
        (
            f"AWS {ACCESS_KEY}:c2lnbmF0dXJl",
            "InvalidRequest",
            (
                "The authorization mechanism you have provided is not supported. "
                "Please use AWS4-HMAC-SHA256."
            ),
        ),
        (
            "AWS4-HMAC-SHA256 HAHAHA",
            "AuthorizationHeaderMalformed",
            'the authorization component "HAHAHA" is malformed.',
        ),
        (
            "AWS4-HMAC-SHA256 Credential=HAHAHA",
            "AuthorizationHeaderMalformed",
            (
                "the authorization header requires three components: "
                "Credential, SignedHeaders, and Signature."
            ),
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a,SignedHeaders-host,Signature=b",
            "AuthorizationHeaderMalformed",
            'the authorization component "SignedHeaders-host" is malformed.',
        ),
        (
            "AWS4-HMAC-SHA256 Creds=a,SignedHeaders=host,Signature=b",
            "AuthorizationHeaderMalformed",
            "missing Credential.",
        ),
        (
            f"AWS4-HMAC-SHA256 Credential={EXAMPLE_SCOPE},Signed=host,Signature=b",
            "AuthorizationHeaderMalformed",
            "missing SignedHeaders.",
        ),
        (
            f"AWS4-HMAC-SHA256 Credential={EXAMPLE_SCOPE},SignedHeaders=host,Signature=",
            "AuthorizationHeaderMalformed",
            "missing Signature.",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/b,SignedHeaders=host,Signature=c",
            "AuthorizationHeaderMalformed",
            (
                "the Credential is mal-formed; expecting "
                '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
            ),
        ),
        (
            EXAMPLE_AUTHORIZATION.replace("20130524", "2013-05-24"),
            "AuthorizationHeaderMalformed",
            (
                'incorrect date format "2013-05-24". '
                'This date in the credential must be in the format "yyyyMMdd".'
            ),
        ),
        (
            EXAMPLE_AUTHORIZATION.replace("/s3/", "/ec2/"),
            "AuthorizationHeaderMalformed",
            'incorrect service "ec2". This endpoint belongs to "s3".',
        ),
        (
            EXAMPLE_AUTHORIZATION.replace("aws4_request", "aws_request"),
            "AuthorizationHeaderMalformed",
            'incorrect terminal "aws_request". This endpoint uses "aws4_request".',
        ),
        (
            EXAMPLE_AUTHORIZATION.replace("us-east-1", "eu-west-1"),
            "AuthorizationHeaderMalformed",
            "the region 'eu-west-1' is wrong; expecting 'us-east-1'",
        ),
        (
            EXAMPLE_AUTHORIZATION.replace("20130524", "20130523"),
            "AuthorizationHeaderMalformed",
            "Invalid credential date. Date is not the same as X-Amz-Date.",
        ),
        (
            EXAMPLE_AUTHORIZATION.replace(ACCESS_KEY, "AKIANOBODY"),
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        ),
    ],
)
def test_refusals_of_authorization_headers(authorization: str, code: str, message: str) -> None:
    """Each malformation of the header has AWS's code and words."""
    refusal = refused(example(authorization))
    assert refusal.code == code
    prefix = "The authorization header is malformed; " if code.endswith("Malformed") else ""
    assert refusal.message == prefix + message


def test_a_wrong_region_is_told_the_right_one() -> None:
    """Clients learn the region to sign for from the reply."""
    refusal = refused(Client().sign(), region="eu-central-1")
    assert refusal.detail == {"Region": "eu-central-1"}
    refusal = refused(Client().presign(), region="eu-central-1")
    assert refusal.code == "AuthorizationQueryParametersError"
    assert refusal.detail == {"Region": "eu-central-1"}


@pytest.mark.parametrize(
    "missing",
    [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Signature",
        "X-Amz-Date",
        "X-Amz-SignedHeaders",
        "X-Amz-Expires",
    ],
)
def test_presigned_parameters_are_all_needed(missing: str) -> None:
    """A presigned URL with a parameter missing is refused, not taken for anonymous."""
    raw = Client().presign().query.raw
    changed = raw.replace(missing.encode() + b"=", b"X-Amz-Other=")
    refusal = refused(make_request("GET", b"/", changed, {"host": Client().host}))
    assert refusal.code == "AuthorizationQueryParametersError"
    assert refusal.message == (
        "Query-string authentication version 4 requires the X-Amz-Algorithm, "
        "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
        "X-Amz-Expires parameters."
    )
    emptied = raw.replace(missing.encode() + b"=", missing.encode() + b"=&other=")
    assert refused(make_request("GET", b"/", emptied, {"host": Client().host})).status >= 400


WEEK = (
    "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must "
    "be less than 604800 seconds"
)


PARSING = "Error parsing the X-Amz-Credential parameter; "


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X-Amz-Algorithm": "AWS4-SHA256"}, 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"'),
        ({"X-Amz-Expires": "-1"}, "X-Amz-Expires must be non-negative"),
        ({"X-Amz-Expires": "604801"}, WEEK),
        ({"X-Amz-Expires": str(2**63 - 1)}, WEEK),
        ({"X-Amz-Expires": str(2**63)}, "X-Amz-Expires should be a number"),
        ({"X-Amz-Expires": "9" * 5000}, "X-Amz-Expires should be a number"),
        ({"X-Amz-Expires": "0" * 5000 + "604801"}, WEEK),
        ({"X-Amz-Expires": "foo"}, "X-Amz-Expires should be a number"),
        ({"X-Amz-Expires": "٣"}, "X-Amz-Expires should be a number"),
        ({"X-Amz-Expires": "1.5"}, "X-Amz-Expires should be a number"),
        (
            {"X-Amz-Date": "Fri, 24 May 2013 00:00:00 GMT"},
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
        ),
        (
            {"X-Amz-Date": "20130523T235900Z"},
            (
                'Invalid credential date "20130524". '
                'This date is not the same as X-Amz-Date: "20130523".'
            ),
        ),
        (
            {"X-Amz-Credential": "a/b"},
            (
                f"{PARSING}the Credential is mal-formed; expecting "
                '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
            ),
        ),
        (
            {"X-Amz-Credential": f"{ACCESS_KEY}/20130524/us-east-1/sns/aws4_request"},
            f'{PARSING}incorrect service "sns". This endpoint belongs to "s3".',
        ),
        (
            {"X-Amz-Credential": f"{ACCESS_KEY}/20130524/us-east-1/s3/aws5_request"},
            f'{PARSING}incorrect terminal "aws5_request". This endpoint uses "aws4_request".',
        ),
        (
            {"X-Amz-Credential": f"{ACCESS_KEY}/today/us-east-1/s3/aws4_request"},
            (
                f'{PARSING}incorrect date format "today". '
                'This date in the credential must be in the format "yyyyMMdd".'
            ),
        ),
        (
            {"X-Amz-Credential": f"{ACCESS_KEY}/20130524/mars/s3/aws4_request"},
            f"{PARSING}the region 'mars' is wrong; expecting 'us-east-1'",
        ),
    ],
)
def test_refusals_of_presigned_urls(changes: dict[str, str], message: str) -> None:
    """Each malformation of a presigned URL has AWS's words."""
    refusal = refused(Client(query=changes).presign())
    assert refusal.code == "AuthorizationQueryParametersError"
    assert refusal.message == message


@given(
    authorization=st.one_of(st.text(max_size=80), st.just(EXAMPLE_AUTHORIZATION)),
    at=st.integers(0, 300),
    text=st.text(max_size=5),
)
def test_no_authorization_header_upsets_the_parser(authorization: str, at: int, text: str) -> None:
    """Whatever the header says, and wherever it is altered, the answer is a refusal or the key."""
    bent = (authorization[:at] + text + authorization[at:]).encode("latin-1", "replace")
    request = make_request(
        "GET",
        b"/test.txt",
        b"",
        [
            *((name.encode(), value.encode()) for name, value in EXAMPLE_HEADERS.items()),
            (b"authorization", bent),
        ],
    )
    if code_of(verify, request) is None:
        identity = verify(request)
        assert identity.credential in ({None} if not bent else {CREDENTIAL})


@given(query=st.binary(max_size=60), at=st.integers(0, 400), by=st.binary(max_size=4))
def test_no_query_upsets_the_parser(query: bytes, at: int, by: bytes) -> None:
    """Whatever a query claims, the answer is an identity or an S3Error."""
    presigned = Client().presign().query.raw
    for raw in (query, presigned + b"&" + query, presigned[:at] + by + presigned[at:]):
        code_of(lambda raw: verify(make_request("GET", b"/", raw, {"host": Client().host})), raw)
