"""What s3api.auth.sigv4 promises: AWS's examples verify, and what was altered is refused."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from iam.keyring import Keyring
from s3api.auth import Payload, PayloadKind, authenticate, claim, clock
from s3api.errors import S3Error
from s3api.http.payload import UNSIGNED_PAYLOAD, PayloadReader
from tests.s3api.auth.clients import (
    ACCESS_KEY,
    CREDENTIAL,
    DATE,
    EMPTY,
    EXAMPLE_AUTHORIZATION,
    EXAMPLE_SCOPE,
    NOW,
    PRINCIPAL,
    Client,
    example,
    refused,
    verify,
)
from tests.s3api.http.requests import make_request
from tests.s3api.refusals import refusal_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3api.http.request import Request


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "signature"),
    [
        (
            "GET",
            b"/test.txt",
            b"",
            {"range": "bytes=0-9"},
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            b"/test%24file.text",
            b"",
            {
                "date": "Fri, 24 May 2013 00:00:00 GMT",
                "x-amz-storage-class": "REDUCED_REDUNDANCY",
                "x-amz-content-sha256": hashlib.sha256(b"Welcome to Amazon S3.").hexdigest(),
            },
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            b"/",
            b"lifecycle",
            {},
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET",
            b"/",
            b"max-keys=2&prefix=J",
            {},
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_published_examples_by_header(
    method: str, path: bytes, query: bytes, headers: dict[str, str], signature: str
) -> None:
    """The four examples of AWS's manual verify as they stand there."""
    base = {"host": "examplebucket.s3.amazonaws.com", "x-amz-date": DATE}
    sent = base | {"x-amz-content-sha256": EMPTY} | headers
    sent["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={EXAMPLE_SCOPE},"
        f"SignedHeaders={';'.join(sorted(sent))},Signature={signature}"
    )
    identity = verify(make_request(method, path, query, sent))
    assert identity.credential is CREDENTIAL
    assert identity.payload == Payload(PayloadKind.SIGNED, sent["x-amz-content-sha256"])


def test_published_example_by_query() -> None:
    """The presigned URL of AWS's manual verifies, with an unsigned payload."""
    query = (
        b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524"
        b"%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
        b"&X-Amz-SignedHeaders=host&X-Amz-Signature="
        b"aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    headers = {"host": "examplebucket.s3.amazonaws.com"}
    identity = verify(make_request("GET", b"/test.txt", query, headers))
    assert identity.credential is CREDENTIAL
    assert identity.payload is UNSIGNED_PAYLOAD


@pytest.mark.parametrize(
    "client",
    [
        Client(),
        Client(method="HEAD", host="127.0.0.1:9000", path="/bucket/key"),
        Client(payload="UNSIGNED-PAYLOAD"),
        Client(payload=EMPTY.upper()),
        Client(headers={"content-type": "text/plain", "x-amz-meta-a": "  two   spaces "}),
        Client(headers={"expect": "100-continue"}, unsigned=frozenset({"expect"})),
        Client(headers={"user-agent": "x"}, unsigned=frozenset({"user-agent"})),
        Client(headers={"x-amzn-trace-id": "x"}, unsigned=frozenset({"x-amzn-trace-id"})),
        Client(date=None, headers={"date": "Fri, 24 May 2013 00:00:00 GMT"}),
        Client(date=None, headers={"date": DATE}),
        Client(headers={"date": "Sat, 01 Jan 2000 00:00:00 GMT"}),
        Client(query={"uploads": "", "prefix": "a b/ü+", "prefix-b": "~"}),
        Client(path="/bucket/a%20b/%C3%BC/~//../x"),
    ],
)
def test_signed_requests_pass(client: Client) -> None:
    """Requests signed by the book pass by header."""
    assert verify(client.sign()).credential is CREDENTIAL


@pytest.mark.parametrize("expires", ["0", "1", "86400", "604800"])
def test_presigned_requests_pass_until_they_expire(expires: str) -> None:
    """A presigned URL passes from a little before its date to its last second."""
    request = Client(path="/bucket/key", query={"x": "ü /"}).presign(expires)
    for moment in (NOW - 899, NOW, NOW + int(expires)):
        assert verify(request, moment).credential is CREDENTIAL
    assert refused(request, NOW + int(expires) + 1).message == "Request has expired"


def test_a_request_without_any_claim_is_anonymous() -> None:
    """Nobody's request has no credential."""
    for headers in ({}, {"authorization": ""}, {"x-amz-date": DATE}):
        identity = verify(make_request(headers={"host": "h"} | headers))
        assert identity.credential is None
        assert identity.payload is UNSIGNED_PAYLOAD


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("UNSIGNED-PAYLOAD", PayloadKind.UNSIGNED),
        (EMPTY, PayloadKind.SIGNED),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", PayloadKind.STREAMING_UNSIGNED_TRAILER),
    ],
)
def test_anonymous_payloads(value: str, kind: PayloadKind) -> None:
    """An anonymous body may be described by its digest or be a stream without signatures."""
    headers = {"host": "h", "x-amz-content-sha256": value, "x-amz-decoded-content-length": "5"}
    assert verify(make_request("PUT", headers=headers)).payload.kind is kind


@pytest.mark.parametrize(
    ("kind", "has_verifier", "names"),
    [
        (PayloadKind.STREAMING_SIGNED, True, ()),
        (PayloadKind.STREAMING_SIGNED_TRAILER, True, ("x-amz-checksum-crc32",)),
        (PayloadKind.STREAMING_UNSIGNED_TRAILER, False, ("x-amz-checksum-crc32",)),
    ],
)
def test_streams_are_described(
    kind: PayloadKind, has_verifier: bool, names: tuple[str, ...]
) -> None:
    """A signed stream brings the verifier of its chunks, its length and its trailers."""
    headers = {"x-amz-decoded-content-length": "5", "x-amz-trailer": "x-amz-checksum-crc32"}
    payload = verify(Client(method="PUT", payload=str(kind), headers=headers).sign()).payload
    assert (payload.kind, payload.decoded_length) == (kind, 5)
    assert (payload.verifier is not None) is has_verifier
    assert payload.trailer_names == names


SHA256_FORMS = (
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a "
    "valid sha256 value."
)


@pytest.mark.parametrize(
    ("client", "code", "message"),
    [
        (
            Client(payload=None),
            "InvalidRequest",
            "Missing required header for this request: x-amz-content-sha256",
        ),
        (
            Client(payload="invalid"),
            "InvalidArgument",
            SHA256_FORMS,
        ),
        (Client(payload="unsigned-payload"), "InvalidArgument", None),
        (Client(payload="g" * 64), "InvalidArgument", None),
        (Client(payload="SIGNED"), "InvalidArgument", None),
        (
            Client(date=None),
            "AccessDenied",
            "AWS authentication requires a valid Date or x-amz-date header",
        ),
        (Client(date=""), "AccessDenied", None),
        (Client(date="Bad Date"), "AccessDenied", None),
        (Client(date="Tue, 07 Jul 1950 21:53:04 GMT"), "AccessDenied", None),
        (Client(date="20130524T001501Z"), "RequestTimeTooSkewed", None),
        (Client(date="20130523T234459Z"), "RequestTimeTooSkewed", None),
        (Client(date="20140524T000000Z"), "RequestTimeTooSkewed", None),
        (Client(headers={"x-amz-security-token": "t"}), "InvalidToken", None),
        (Client(payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), "MissingContentLength", None),
        (Client(payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER"), "MissingContentLength", None),
        (Client(secret_key="another"), "SignatureDoesNotMatch", None),
    ],
)
def test_refusals_of_signed_requests(client: Client, code: str, message: str | None) -> None:
    """Each claim that does not hold has AWS's code."""
    refusal = refused(client.sign())
    assert refusal.code == code
    assert message is None or refusal.message == message


def test_details_of_a_skewed_clock() -> None:
    """A refusal for the clock shows both clocks and how far they may differ."""
    refusal = refused(Client().sign(), NOW + 901)
    assert refusal.detail == {
        "RequestTime": DATE,
        "ServerTime": "2013-05-24T00:15:01Z",
        "MaxAllowedSkewMilliseconds": "900000",
    }
    for moment in (NOW - 900, NOW + 900):
        assert verify(Client().sign(), moment).credential is CREDENTIAL


def test_details_of_a_wrong_signature() -> None:
    """A refusal for the signature shows what was signed here, in text and in bytes."""
    refusal = refused(example(EXAMPLE_AUTHORIZATION[:-1] + "2"))
    canonical = (
        "GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\nrange:bytes=0-9\n"
        f"x-amz-content-sha256:{EMPTY}\nx-amz-date:{DATE}\n\n"
        f"host;range;x-amz-content-sha256;x-amz-date\n{EMPTY}"
    )
    string_to_sign = (
        f"AWS4-HMAC-SHA256\n{DATE}\n20130524/us-east-1/s3/aws4_request\n"
        "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972"
    )
    assert refusal.detail == {
        "AWSAccessKeyId": ACCESS_KEY,
        "StringToSign": string_to_sign,
        "SignatureProvided": EXAMPLE_AUTHORIZATION.rpartition("=")[2][:-1] + "2",
        "StringToSignBytes": string_to_sign.encode().hex(" "),
        "CanonicalRequest": canonical,
        "CanonicalRequestBytes": canonical.encode().hex(" "),
    }


def test_unknown_keys_are_named() -> None:
    """The refusal of an unknown key repeats its id."""
    refusal = refused(Client(access_key="AKIANOBODY").presign())
    assert (refusal.code, refusal.detail) == (
        "InvalidAccessKeyId",
        {"AWSAccessKeyId": "AKIANOBODY"},
    )


@pytest.mark.parametrize(
    ("unsigned", "extra", "names"),
    [
        ({"host"}, {}, "host"),
        ({"x-amz-date"}, {}, "x-amz-date"),
        ({"x-amz-content-sha256"}, {}, "x-amz-content-sha256"),
        (
            {"x-amz-acl", "x-amz-meta-a"},
            {"x-amz-acl": "a", "x-amz-meta-a": "b"},
            "x-amz-acl, x-amz-meta-a",
        ),
        ({"x-amz-copy-source"}, {"x-amz-copy-source": "/b/k"}, "x-amz-copy-source"),
    ],
)
def test_headers_that_must_be_signed(unsigned: set[str], extra: dict[str, str], names: str) -> None:
    """Host and every x-amz- header that is sent must be covered by the signature."""
    client = Client(unsigned=frozenset(unsigned), headers=extra)
    refusal = refused(client.sign())
    assert (refusal.code, refusal.detail) == ("AccessDenied", {"HeadersNotSigned": names})
    message = "There were headers present in the request which were not signed"
    assert refusal.message == message
    if not unsigned & {"x-amz-date", "x-amz-content-sha256"}:
        assert refused(client.presign()).detail == {"HeadersNotSigned": names}


def test_a_header_added_after_signing() -> None:
    """An x-amz- header slipped into a signed request or URL is refused."""
    for request in (Client().sign(), Client().presign()):
        items = [*request.header_items, (b"x-amz-acl", b"public-read")]
        changed = make_request("GET", b"/", request.query.raw, items)
        assert refused(changed).detail == {"HeadersNotSigned": "x-amz-acl"}


def test_a_host_must_be_sent() -> None:
    """A request without Host has nothing to bind its signature to a place."""
    request = Client().sign()
    del request.header_map[b"host"]
    assert refused(request).code == "SignatureDoesNotMatch"


def test_signed_headers_must_be_there() -> None:
    """A header that was signed but did not arrive is never skipped, even if it was empty."""
    for value in ("bytes=0-9", ""):
        request = Client(headers={"range": value}).sign()
        del request.header_map[b"range"]
        assert refused(request).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("name", ["x-amz-meta-a", "content-type", "range"])
def test_signed_headers_may_not_change(name: str) -> None:
    """Changing any signed value breaks the signature."""
    request = Client(headers={name: "before"}).sign()
    request.header_map[name.encode()] = b"after"
    assert refused(request).code == "SignatureDoesNotMatch"


def test_method_path_and_query_may_not_change() -> None:
    """A signature holds for one method, one path and one query."""
    for change in ({"method": "DELETE"}, {"path": "/other"}, {"query": {"acl": ""}}):
        items = Client(path="/bucket").sign().header_items
        changed = {"method": "GET", "path": "/bucket", "query": {}} | change
        query = b"&".join(name.encode() for name in changed["query"])
        path = str(changed["path"]).encode()
        request = make_request(str(changed["method"]), path, query, items)
        assert refused(request).code == "SignatureDoesNotMatch"


def test_a_presigned_url_has_a_lifetime() -> None:
    """An expired and a future URL are AccessDenied, with the times that decided it."""
    request = Client().presign("60")
    expired = refused(request, NOW + 61)
    assert (expired.code, expired.message) == ("AccessDenied", "Request has expired")
    assert expired.detail == {
        "X-Amz-Expires": "60",
        "Expires": "2013-05-24T00:01:00Z",
        "ServerTime": "2013-05-24T00:01:01Z",
    }
    early = refused(request, NOW - 901)
    assert (early.code, early.message) == ("AccessDenied", "Request is not yet valid")
    assert early.detail == {
        "X-Amz-Date": "1369353600000",
        "Expires": "2013-05-24T00:01:00Z",
        "ServerTime": "2013-05-23T23:44:59Z",
    }


def test_a_presigned_url_may_not_change() -> None:
    """Method, path, expiry, signature and further parameters are all bound."""
    request = Client().presign("60")
    raw = request.query.raw
    host = {"host": Client().host}
    for changed in (
        make_request("PUT", b"/", raw, host),
        make_request("GET", b"/other", raw, host),
        make_request("GET", b"/", raw.replace(b"Expires=60", b"Expires=61"), host),
        make_request("GET", b"/", raw + b"&versionId=1", host),
        make_request("GET", b"/", raw[:-1] + b"x", host),
        make_request("GET", b"/", raw, {"host": "elsewhere"}),
    ):
        assert refused(changed).code == "SignatureDoesNotMatch"


def test_two_mechanisms_at_once_are_refused() -> None:
    """A request may not carry a signature in its header and in its URL."""
    presigned = Client().presign()
    items = [*presigned.header_items, (b"authorization", EXAMPLE_AUTHORIZATION.encode())]
    for query in (presigned.query.raw, b"AWSAccessKeyId=a&Signature=b&Expires=1"):
        refusal = refused(make_request("GET", b"/", query, items))
        assert refusal.code == "InvalidArgument"
        assert refusal.message.startswith("Only one auth mechanism allowed")


def test_signature_version_2_is_refused() -> None:
    """The old query form is named as unsupported."""
    query = b"AWSAccessKeyId=AKIA&Signature=sig&Expires=1369353660"
    refusal = refused(make_request("GET", b"/", query, {"host": "h"}))
    assert refusal.code == "InvalidRequest"
    assert refusal.message.endswith("Please use AWS4-HMAC-SHA256.")


def test_foreign_session_tokens_are_refused() -> None:
    """No temporary credentials are issued, so a token names none of ours."""
    request = Client(query={"X-Amz-Security-Token": "t"}).presign()
    assert refused(request).code == "InvalidToken"


def test_anonymous_requests_cannot_sign_chunks() -> None:
    """A stream of signed chunks without a signed request is refused, as is a nonsense digest."""
    for value, code in (
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "InvalidRequest"),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "InvalidRequest"),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "MissingContentLength"),
        ("nonsense", "InvalidArgument"),
    ):
        headers = {"host": "h", "x-amz-content-sha256": value}
        assert refused(make_request("PUT", headers=headers)).code == code


@pytest.mark.parametrize(
    "value", ["invalid", "unsigned-payload", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "0" * 64]
)
def test_presigned_digests_are_taken_by_the_letter(value: str) -> None:
    """To a presigned upload any x-amz-content-sha256 is a digest, and a wrong one as AWS has it."""
    request = Client(
        method="PUT", headers={"x-amz-content-sha256": value}, body=(b"data",)
    ).presign()
    payload = verify(request).payload
    reader = PayloadReader(request.body, payload, 4)
    assert asyncio.run(reader.read()) == b"data"
    with pytest.raises(S3Error) as refusal:
        reader.check_sha256(hashlib.sha256(b"data").hexdigest())
    assert refusal.value.code == "XAmzContentSHA256Mismatch"
    assert refusal.value.detail["ClientComputedContentSHA256"] == value


def test_a_digest_in_the_url() -> None:
    """SDKs that sign the payload's form into the URL are understood."""
    query = {"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}
    assert verify(Client(query=query).presign()).payload is UNSIGNED_PAYLOAD


@pytest.mark.parametrize("sign", [Client.sign, Client.presign])
def test_what_is_kept_of_a_client_outlives_no_change_of_its_key(
    sign: Callable[[Client], Request],
) -> None:
    """Once a key's secret is another, or the key is gone or over, its next request is refused."""
    request, other = sign(Client()), replace(CREDENTIAL, secret_key="another")
    assert verify(request).credential is CREDENTIAL
    for credentials, code in (
        ([other], "SignatureDoesNotMatch"),
        ([], "InvalidAccessKeyId"),
        ([replace(CREDENTIAL, expires_ms=int(NOW * 1000))], "InvalidAccessKeyId"),
    ):
        keyring = Keyring(credentials, [PRINCIPAL])
        refusal = refusal_of(authenticate, request, keyring, region="us-east-1", now=NOW)
        assert refusal is not None
        assert refusal.code == code
    renewed = sign(Client(secret_key="another"))
    keyring = Keyring([other], [PRINCIPAL])
    assert authenticate(renewed, keyring, region="us-east-1", now=NOW).credential is other
    assert verify(request).credential is CREDENTIAL


def test_what_is_kept_of_clients_is_bounded() -> None:
    """Claims and dates of many clients do not pile up, and of a long claim nothing is kept."""
    for kept in (claim._claim_of_head, claim._claim_of_query, clock._basic_moment):
        assert (kept.cache_parameters()["maxsize"] or 0) <= 2048
    sizes = [kept.cache_info().currsize for kept in (claim._claim_of_head, claim._claim_of_query)]
    client = Client(headers={f"x-{'a' * 500}": "", "range": ""})
    assert verify(client.sign()).credential is CREDENTIAL
    assert verify(client.presign()).credential is CREDENTIAL
    assert sizes == [
        kept.cache_info().currsize for kept in (claim._claim_of_head, claim._claim_of_query)
    ]
