"""Cross-origin access: the rules of a bucket, preflights that nobody signs, all other replies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from tests.e2e.outcome import refusal
from tests.e2e.test_tagging import put_document
from tests.e2e.wire import path_of, write_head

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.server import Server
    from tests.e2e.wire import Reply

pytestmark = pytest.mark.e2e

ORIGIN = "https://app.example.com"
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
RULES: list[dict[str, Any]] = [
    {
        "ID": "app",
        "AllowedOrigins": ["https://*.example.com"],
        "AllowedMethods": ["GET", "PUT"],
        "AllowedHeaders": ["x-amz-*", "Content-Type"],
        "ExposeHeaders": ["ETag", "x-amz-version-id"],
        "MaxAgeSeconds": 3000,
    },
    {"AllowedOrigins": ["*"], "AllowedMethods": ["HEAD"]},
]
NOT_ALLOWED = (
    b"<Message>CORSResponse: This CORS request is not allowed. This is usually because the "
    b"evalution of Origin, request method / Access-Control-Request-Method or "
    b"Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.</Message>"
)


@pytest.fixture
def shared(s3: BaseClient, bucket: str) -> str:
    """Answer a bucket with rules and an object."""
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES})
    s3.put_object(Bucket=bucket, Key="k", Body=b"shared")
    return bucket


def unsigned(server: Server, method: str, target: str, headers: dict[str, str]) -> Reply:
    """Send a request that nobody signed."""
    length = 0 if method == "PUT" else None
    with server.caller.connect() as connection:
        connection.send(write_head(method, target, {"host": server.caller.host, **headers}, length))
        return connection.reply(method)


def preflight(
    server: Server,
    target: str,
    origin: str | None = ORIGIN,
    method: str | None = "GET",
    names: str | None = None,
) -> Reply:
    """Ask as a browser does before it sends something."""
    headers = {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": names,
    }
    sent = {name: text for name, text in headers.items() if text is not None}
    return unsigned(server, "OPTIONS", target, sent)


def allowed(reply: Reply) -> dict[str, str]:
    """Pick out what a reply says of other origins, and Vary."""
    prefix = "access-control-"
    return {
        name.removeprefix(prefix): text
        for name, text in reply.headers.items()
        if name.startswith(prefix) or name == "vary"
    }


OF_APP = {
    "allow-origin": ORIGIN,
    "allow-credentials": "true",
    "allow-methods": "GET, PUT",
    "expose-headers": "ETag, x-amz-version-id",
    "max-age": "3000",
    "vary": VARY,
}
OF_ANY = {"allow-origin": "*", "allow-methods": "HEAD", "vary": VARY}


# --- the configuration ---


def test_rules_are_given_read_and_taken(s3: BaseClient, bucket: str) -> None:
    """A bucket has the rules that were put last, as they were put, until they are deleted."""
    nothing = (404, "NoSuchCORSConfiguration")
    assert refusal(s3.get_bucket_cors, Bucket=bucket) == nothing
    for rules in (RULES, RULES[1:], [{"AllowedOrigins": [""], "AllowedMethods": ["DELETE"]}]):
        put = s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
        assert put["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    for _ in range(2):
        gone = s3.delete_bucket_cors(Bucket=bucket)
        assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert refusal(s3.get_bucket_cors, Bucket=bucket) == nothing


ONE = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"


@pytest.mark.parametrize(
    ("rule", "code", "message"),
    [
        ("", "MalformedXML", ""),
        ("<AllowedMethod>GET</AllowedMethod>", "MalformedXML", ""),
        ("<AllowedOrigin>*</AllowedOrigin>", "MalformedXML", ""),
        (ONE + "<Unknown/>", "MalformedXML", ""),
        (ONE + "<MaxAgeSeconds>soon</MaxAgeSeconds>", "MalformedXML", ""),
        (
            ONE + "<MaxAgeSeconds>1</MaxAgeSeconds><MaxAgeSeconds>1</MaxAgeSeconds>",
            "MalformedXML",
            "",
        ),
        (ONE + f"<ID>{'i' * 256}</ID>", "MalformedXML", ""),
        (
            ONE + "<AllowedMethod>PATCH</AllowedMethod>",
            "InvalidRequest",
            "Found unsupported HTTP method in CORS config. Unsupported method is PATCH",
        ),
        (
            ONE + "<AllowedMethod>get</AllowedMethod>",
            "InvalidRequest",
            "Found unsupported HTTP method in CORS config. Unsupported method is get",
        ),
        (
            ONE + "<AllowedMethod/>",
            "InvalidRequest",
            "Found unsupported HTTP method in CORS config. Unsupported method is ",
        ),
        (
            ONE + "<AllowedOrigin>*example*.com</AllowedOrigin>",
            "InvalidRequest",
            "AllowedOrigin &quot;*example*.com&quot; can not have more than one wildcard.",
        ),
        (
            ONE + "<AllowedHeader>x-*-*</AllowedHeader>",
            "InvalidRequest",
            "AllowedHeader &quot;x-*-*&quot; can not have more than one wildcard.",
        ),
        (
            ONE + "<AllowedHeader>a b</AllowedHeader>",
            "InvalidRequest",
            "AllowedHeader &quot;a b&quot; contains invalid character.",
        ),
        (
            ONE + "<ExposeHeader>x-amz-*</ExposeHeader>",
            "InvalidRequest",
            (
                "ExposeHeader &quot;x-amz-*&quot; contains wildcard. We currently do not support "
                "wildcard for ExposeHeader."
            ),
        ),
        (
            ONE + "<ExposeHeader>ü</ExposeHeader>",
            "InvalidRequest",
            "ExposeHeader &quot;ü&quot; contains invalid character.",
        ),
    ],
)
def test_wrong_rules_are_refused(
    server: Server, s3: BaseClient, shared: str, rule: str, code: str, message: str
) -> None:
    """A wrong rule is refused in S3's words, and the rules stay what they were."""
    good = f"<CORSRule>{ONE}</CORSRule>"
    document = f"<CORSConfiguration>{good}<CORSRule>{rule}</CORSRule></CORSConfiguration>"
    reply = put_document(server, f"/{shared}?cors", document.encode())
    assert (reply.status, reply.code) == (400, code)
    if message:
        assert f"<Message>{message}</Message>".encode() in reply.body
    assert s3.get_bucket_cors(Bucket=shared)["CORSRules"] == RULES


def test_there_may_be_a_hundred_rules(server: Server, s3: BaseClient, bucket: str) -> None:
    """One hundred rules are kept; none, one more, or more than 64 KB are refused."""
    rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}
    put = s3.put_bucket_cors
    put(Bucket=bucket, CORSConfiguration={"CORSRules": [rule] * 100})
    too_many = {"CORSRules": [rule] * 101}
    assert refusal(put, Bucket=bucket, CORSConfiguration=too_many) == (400, "InvalidRequest")
    assert refusal(put, Bucket=bucket, CORSConfiguration={"CORSRules": []}) == (400, "MalformedXML")
    padded = b"<CORSConfiguration>" + b" " * 65_536 + b"</CORSConfiguration>"
    reply = put_document(server, f"/{bucket}?cors", padded)
    assert (reply.status, reply.code) == (400, "MaxMessageLengthExceeded")
    assert len(s3.get_bucket_cors(Bucket=bucket)["CORSRules"]) == 100


def test_rules_need_a_digest(server: Server, bucket: str) -> None:
    """Rules without Content-MD5 or a checksum are refused."""
    document = f"<CORSConfiguration><CORSRule>{ONE}</CORSRule></CORSConfiguration>"
    reply = server.caller.ask("PUT", f"/{bucket}?cors", document.encode())
    assert (reply.status, reply.code) == (400, "InvalidRequest")


# --- preflights ---


@pytest.mark.parametrize("key", ["k", "there/is/none", ""])
def test_a_preflight_is_answered_unsigned(server: Server, shared: str, key: str) -> None:
    """A browser that may is told so, with no body, whether there is such an object or not."""
    reply = preflight(server, path_of(shared, key), names="X-Amz-Date,content-type")
    assert (reply.status, reply.body) == (200, b"")
    assert allowed(reply) == OF_APP | {"allow-headers": "x-amz-date, content-type"}
    assert reply.headers["content-length"] == "0"
    assert reply.headers["x-amz-request-id"]


def test_a_preflight_of_a_presigned_url_is_answered(server: Server, shared: str) -> None:
    """The signature in a URL is of another request, so a preflight does not look at it."""
    client = server.client(config=Config(signature_version="s3v4"))
    url = client.generate_presigned_url("put_object", Params={"Bucket": shared, "Key": "k"})
    target = url.removeprefix(server.url)
    assert preflight(server, target, origin=None, method=None).status == 400
    assert allowed(preflight(server, target, method="PUT")) == OF_APP
    broken = preflight(server, target.replace("X-Amz-Signature=", "X-Amz-Signature=0"))
    assert broken.status == 200


def test_a_preflight_ignores_a_signature(server: Server, shared: str) -> None:
    """A preflight with a wrong Authorization header is answered like any."""
    headers = {"origin": ORIGIN, "access-control-request-method": "GET", "authorization": "AWS a:b"}
    assert unsigned(server, "OPTIONS", path_of(shared, "k"), headers).status == 200


@pytest.mark.parametrize(
    ("origin", "method", "names"),
    [
        ("https://example.com", "GET", None),
        ("http://app.example.com", "GET", None),
        (ORIGIN, "DELETE", None),
        (ORIGIN, "PUT", "authorization"),
        ("https://other", "HEAD", "x-amz-date"),
    ],
)
@pytest.mark.parametrize(("key", "kind"), [("k", b"OBJECT"), ("", b"BUCKET")])
def test_a_preflight_that_no_rule_matches_is_forbidden(
    server: Server,
    shared: str,
    origin: str,
    method: str,
    names: str | None,
    key: str,
    kind: bytes,
) -> None:
    """Who may not is told so, and nothing besides."""
    reply = preflight(server, path_of(shared, key), origin, method, names)
    assert (reply.status, reply.code) == (403, "AccessForbidden")
    assert allowed(reply) == {}
    assert NOT_ALLOWED in reply.body
    detail = b"<Method>%b</Method><ResourceType>%b</ResourceType>" % (method.encode(), kind)
    assert detail in reply.body


@pytest.mark.parametrize(
    ("origin", "method", "names", "message"),
    [
        (None, "GET", None, b"Insufficient information. Origin request header needed."),
        (None, None, None, b"Insufficient information. Origin request header needed."),
        (ORIGIN, None, None, b"Invalid Access-Control-Request-Method: null"),
        (ORIGIN, "get", None, b"Invalid Access-Control-Request-Method: get"),
        (ORIGIN, "PATCH", None, b"Invalid Access-Control-Request-Method: PATCH"),
        (
            ORIGIN,
            "GET",
            "x-amz-date,a b",
            b"Access-Control-Request-Headers &quot;a b&quot; contains invalid character.",
        ),
    ],
)
def test_half_a_preflight_is_refused(
    server: Server,
    shared: str,
    origin: str | None,
    method: str | None,
    names: str | None,
    message: bytes,
) -> None:
    """A preflight that does not say who wants to do what is BadRequest."""
    reply = preflight(server, path_of(shared, "k"), origin, method, names)
    assert (reply.status, reply.code) == (400, "BadRequest")
    assert b"<Message>" + message + b"</Message>" in reply.body


@pytest.mark.parametrize("method", ["GET", None])
def test_without_rules_every_preflight_is_forbidden(
    server: Server, bucket: str, method: str | None
) -> None:
    """A bucket without rules, and one that is not there, allow nobody anything."""
    asked = (method or "OPTIONS").encode()
    for target, message in [
        (path_of(bucket, "k"), b"CORSResponse: CORS is not enabled for this bucket."),
        (path_of("no-such-bucket", "k"), b"CORSResponse: Bucket not found"),
        ("/", b"CORSResponse: Bucket not found"),
    ]:
        reply = preflight(server, target, method=method)
        assert (reply.status, reply.code) == (403, "AccessForbidden")
        assert message in reply.body
        assert b"<Method>%b</Method><ResourceType>BUCKET</ResourceType>" % asked in reply.body
        assert preflight(server, target, origin=None, method=method).status == 400


# --- every other reply ---


def test_a_reply_says_what_a_page_may_do(server: Server, shared: str) -> None:
    """Replies of every kind tell an origin that a rule matches, and only such a one."""
    for method, key, origin, status, told in [
        ("GET", "k", ORIGIN, 200, OF_APP),
        ("GET", "", ORIGIN, 200, OF_APP),
        ("PUT", "new", ORIGIN, 200, OF_APP),
        ("HEAD", "k", "https://anybody", 200, OF_ANY),
        ("GET", "none", ORIGIN, 404, OF_APP),
        ("GET", "k?versionId=", ORIGIN, 400, OF_APP),
        ("GET", "k", "https://anybody", 200, {}),
        ("DELETE", "none", ORIGIN, 204, {}),
    ]:
        target = f"/{shared}/{key}"
        reply = server.caller.ask(method, target, b"", {"origin": origin})
        assert (reply.status, allowed(reply)) == (status, told), (method, target, origin)


def test_a_reply_without_an_origin_says_nothing(server: Server, shared: str) -> None:
    """A request that names no origin gets a plain reply."""
    assert allowed(server.caller.ask("GET", path_of(shared, "k"))) == {}


def test_a_bucket_without_rules_says_nothing(server: Server, bucket: str) -> None:
    """No bucket of its own, no bucket at all or no rules: a plain reply to any origin."""
    for target in (f"/{bucket}", "/no-such-bucket", "/"):
        assert allowed(server.caller.ask("GET", target, b"", {"origin": ORIGIN})) == {}


def test_who_may_not_is_told_where_he_stands(server: Server, shared: str) -> None:
    """Refusals before anybody is known, by signature or for lack of one, carry the headers too."""
    denied = unsigned(server, "GET", path_of(shared, "k"), {"origin": ORIGIN})
    assert (denied.status, denied.code) == (403, "AccessDenied")
    assert allowed(denied) == OF_APP
    wrong = {"origin": ORIGIN, "authorization": "AWS4-HMAC-SHA256 nonsense"}
    refused = unsigned(server, "PUT", path_of(shared, "k"), wrong)
    assert refused.status == 400
    assert allowed(refused) == OF_APP
    unknown = unsigned(server, "GET", f"/{shared}?nonsense", {"origin": ORIGIN})
    assert unknown.status == 400
    assert allowed(unknown) == OF_APP


def test_the_method_a_request_asks_for_counts(server: Server, shared: str) -> None:
    """Access-Control-Request-Method on the request itself decides what its reply says."""
    headers = {"origin": ORIGIN, "access-control-request-method": "DELETE"}
    assert allowed(server.caller.ask("GET", path_of(shared, "k"), b"", headers)) == {}
    headers["access-control-request-method"] = "PUT"
    assert allowed(server.caller.ask("GET", path_of(shared, "k"), b"", headers)) == OF_APP


def test_a_range_and_a_304_say_it_too(server: Server, shared: str) -> None:
    """Partial and bodiless replies carry the headers."""
    ranged = {"origin": ORIGIN, "range": "bytes=0-1"}
    reply = server.caller.ask("GET", path_of(shared, "k"), b"", ranged)
    assert (reply.status, allowed(reply)) == (206, OF_APP)
    unchanged = {"origin": ORIGIN, "if-none-match": f'"{reply.etag}"'}
    reply = server.caller.ask("GET", path_of(shared, "k"), b"", unchanged)
    assert (reply.status, allowed(reply)) == (304, OF_APP)


def test_rules_hold_for_virtual_hosts(server: Server, shared: str) -> None:
    """A bucket named by its host has the same rules."""
    headers = {"origin": ORIGIN, "access-control-request-method": "GET"}
    host = f"{shared}.s3.localhost"
    with server.caller.connect() as connection:
        connection.send(write_head("OPTIONS", "/k", {"host": host, **headers}, None))
        assert allowed(connection.reply("OPTIONS")) == OF_APP
