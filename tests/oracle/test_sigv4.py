"""botocore signs, S4 verifies: any path, query, header and payload form of a real client."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from s3api.auth import PayloadKind, authenticate
from s3api.http.target import parse_target
from tests.s3api.auth.clients import ACCESS_KEY, CREDENTIAL, KEYRING, SECRET_KEY
from tests.s3api.http.requests import make_request
from tests.s3api.refusals import code_of

if TYPE_CHECKING:
    from s3api.auth import Identity
    from s3api.http.request import Request

keys = st.text(min_size=1, max_size=30)
queries = st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=12), max_size=4)
# What can stand in a header and travel through http.client: visible ISO 8859-1 and spaces.
values = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, blacklist_categories=["Cc", "Zs"])
    | st.just(" "),
    max_size=20,
)
metadata = st.dictionaries(st.from_regex(r"[a-z0-9-]{1,10}", fullmatch=True), values, max_size=3)
methods = st.sampled_from(["GET", "PUT", "HEAD", "DELETE", "POST"])
ports = st.sampled_from(["", ":80", ":9000", ":443"])


def sign(
    signer: type[Any], method: str, url: str, headers: dict[str, str], body: bytes = b""
) -> Request:
    """Sign with botocore and hand the request over as a server would receive it."""
    request = AWSRequest(method, url, headers=headers, data=body)
    request.context["client_config"] = None
    signer(Credentials(ACCESS_KEY, SECRET_KEY), "s3", "eu-north-1").add_auth(request)
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    host = parts.netloc
    if parts.scheme == "http":
        host = host.removesuffix(":80")  # as http.client and botocore both leave it out
    items = [(b"host", host.encode())]
    items += [
        (name.lower().encode(), value.encode("latin-1")) for name, value in prepared.headers.items()
    ]
    return make_request(method, parts.path.encode(), parts.query.encode(), items, (body,))


def verify(request: Request) -> Identity:
    """Authenticate now, in the region that was signed for."""
    return authenticate(request, KEYRING, region="eu-north-1", now=time.time())


def url_of(key: str, query: dict[str, str], port: str = ":9000") -> str:
    """Spell a URL the way botocore's serializer does."""
    pairs = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in query.items())
    path = quote(key.encode(), safe="/~")
    return f"http://127.0.0.1{port}/bucket/{path}{'?' if pairs else ''}{pairs}"


@pytest.mark.parametrize("signer", [S3SigV4Auth, S3SigV4QueryAuth])
@given(method=methods, key=keys, query=queries, meta=metadata, port=ports)
def test_whatever_botocore_signs_is_verified(
    signer: type[Any],
    method: str,
    key: str,
    query: dict[str, str],
    meta: dict[str, str],
    port: str,
) -> None:
    """Any key, query and metadata signed by botocore, by header or query, verify and arrive."""
    headers = {f"x-amz-meta-{name}": value for name, value in meta.items()}
    request = sign(signer, method, url_of(key, query, port), headers)
    assert verify(request).credential is CREDENTIAL
    host = request.header("host")
    assert parse_target(host, request.raw_path).key == key
    for name, value in query.items():
        assert request.query.get(name) == value


@pytest.mark.parametrize("signer", [S3SigV4Auth, S3SigV4QueryAuth])
@given(key=keys, query=queries, other=keys)
def test_nothing_else_is_verified(
    signer: type[Any], key: str, query: dict[str, str], other: str
) -> None:
    """The same signature under another key's path, or with a parameter more, is refused."""
    request = sign(signer, "GET", url_of(key, query), {})
    moved = url_of(other, {}).removeprefix("http://127.0.0.1:9000").encode()
    longer = request.query.raw + b"&versionId=x"
    for path, raw in ((moved, request.query.raw), (request.raw_path, longer)):
        bent = make_request("GET", path, raw, request.header_items)
        if other != key or raw is longer:
            assert code_of(verify, bent) == "SignatureDoesNotMatch"


@given(body=st.binary(max_size=50))
def test_payload_forms(body: bytes) -> None:
    """Over HTTP botocore signs the body's digest, which is what the payload is then held to."""
    payload = verify(sign(S3SigV4Auth, "PUT", url_of("key", {}), {}, body)).payload
    assert payload.kind is PayloadKind.SIGNED
    presigned = verify(sign(S3SigV4QueryAuth, "PUT", url_of("key", {}), {})).payload
    assert presigned.kind is PayloadKind.UNSIGNED


def test_a_date_header_instead_of_x_amz_date() -> None:
    """Botocore keeps to Date when the caller set it, in mail's spelling, and that verifies."""
    request = sign(S3SigV4Auth, "GET", url_of("key", {}), {"Date": "set by the caller"})
    assert request.header("x-amz-date") is None
    assert verify(request).credential is CREDENTIAL
