"""S3 on the console's port, for who is signed in: his rights, his session, no foreign page."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import urllib.parse
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

from tests.e2e.browsing import Browser
from tests.e2e.test_rest import call, log_in

if TYPE_CHECKING:
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()
HOSTILE: Final = b"<script>fetch('/iam/user/')</script>"


class Page:
    """A page of the console in a browser: its session, and the token that its scripts send."""

    def __init__(self, server: Server, username: str = "root", password: str = "") -> None:
        self.port = server.console_port
        browser = Browser(server)
        browser.log_in(username, password or server.settings["root_password"])
        page, _ = browser.get("/password_change/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None
        self.token = token[1]
        self.cookie = "; ".join(f"{each.name}={each.value}" for each in browser.cookies)
        self.browser = browser

    def ask(
        self, method: str, path: str, body: bytes = b"", *, token: bool = True, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send what a script on the page would; answer status, headers and body."""
        told = {"Cookie": self.cookie, **{n.replace("_", "-"): v for n, v in headers.items()}}
        if token:
            told["X-CSRFToken"] = self.token
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, "/s3" + urllib.parse.quote(path, safe="/?=&%"), body, told)
            reply = connection.getresponse()
            return (
                reply.status,
                {name.lower(): value for name, value in reply.getheaders()},
                reply.read(),
            )
        finally:
            connection.close()


@pytest.fixture(scope="module")
def page(server: Server) -> Page:
    """Sign in as root."""
    return Page(server)


def test_it_is_s3(page: Page, s3: BaseClient, bucket: str) -> None:
    """What is put through a session is there for a signed client, and the other way round."""
    key = "a folder/ö <b>"
    status, headers, _ = page.ask("PUT", f"/{bucket}/{key}", b"hello", content_type="text/plain")
    assert status == 200
    assert headers["etag"]
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"hello"
    status, _, body = page.ask("GET", f"/{bucket}?list-type=2&prefix=a%20folder/")
    assert status == 200
    assert b"<KeyCount>1</KeyCount>" in body
    assert page.ask("DELETE", f"/{bucket}/{key}")[0] == 204
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_the_body_is_what_was_sent(page: Page, s3: BaseClient, bucket: str) -> None:
    """Nothing that a browser says of a body makes it be read as signed chunks."""
    body = b"5;chunk-signature=0\r\nhello\r\n0\r\n\r\n"
    status, _, _ = page.ask(
        "PUT", f"/{bucket}/raw", body, x_amz_content_sha256="STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    )
    assert status == 200
    assert s3.get_object(Bucket=bucket, Key="raw")["Body"].read() == body


def test_without_a_session(server: Server, bucket: str) -> None:
    """Who is not signed in, or not any more, is told so, in S3's words."""
    page = Page(server)
    page.cookie = "s4_session=" + "a" * 32
    status, _, body = page.ask("GET", f"/{bucket}?list-type=2")
    assert (status, b"<Code>ExpiredToken</Code>" in body) == (401, True)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("PUT", {"token": False}),
        ("PUT", {"Origin": "http://elsewhere.test"}),
        ("PUT", {"Sec_Fetch_Site": "same-site"}),
        ("GET", {"Sec_Fetch_Site": "cross-site"}),
        ("DELETE", {"token": False}),
    ],
    ids=str,
)
def test_a_foreign_page(
    page: Page, s3: BaseClient, bucket: str, method: str, headers: dict[str, str]
) -> None:
    """Nothing is done or told for a page that is not the console's, whoever is signed in."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret")
    status, _, body = page.ask(method, f"/{bucket}/k", **headers)  # type: ignore[arg-type]
    assert (status, b"secret" in body) == (403, False)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"secret"


def test_cross_origin_rules_do_not_open_it(page: Page, s3: BaseClient, bucket: str) -> None:
    """A bucket whose CORS rules let everybody read is not read with somebody's session."""
    rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    _, headers, _ = page.ask("GET", f"/{bucket}/k", Origin=f"http://127.0.0.1:{page.port}")
    assert [name for name in headers if name.startswith("access-control")] == []


@pytest.mark.parametrize("kind", ["text/html", "application/pdf", "image/svg+xml"])
def test_what_is_stored_can_do_nothing_here(
    page: Page, s3: BaseClient, bucket: str, kind: str
) -> None:
    """A stored page is a download, whatever is asked, and would have no script and no origin."""
    s3.put_object(Bucket=bucket, Key="a/x.html", Body=HOSTILE, ContentType=kind)
    for asked in ("", "?response-content-disposition=inline", "?response-content-type=text/html"):
        _, headers, body = page.ask("GET", f"/{bucket}/a/x.html{asked}")
        assert body == HOSTILE
        assert headers["content-disposition"] == "attachment; filename*=UTF-8''x.html"
        assert headers["content-security-policy"].endswith("; sandbox")
        assert "script" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "private, no-cache"
    s3.put_object(Bucket=bucket, Key="k", Body=HOSTILE, ContentDisposition="attachment; filename=a")
    assert page.ask("GET", f"/{bucket}/k")[1]["content-disposition"] == "attachment; filename=a"


def test_a_user_may_what_he_may_over_s3(
    server: Server, s3: BaseClient, bucket: str, tmp_path: Path
) -> None:
    """What a session is answered is what the signed request of the same user is answered."""
    token = log_in(server)
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": says(bucket)}))
    secret = "correct horse battery"
    user = call(
        server, "POST", "/admin/users", {"username": "nils", "password": secret}, token
    ).body
    result = server.manage("put_inline_policy", "inline", str(policy), "--user", "nils")
    assert result.returncode == 0, result.stderr
    key = call(server, "POST", f"/admin/users/{user['id']}/keys", {}, token).body
    signed = server.client(
        aws_access_key_id=key["access_key"], aws_secret_access_key=key["secret_key"]
    )
    page = Page(server, "nils", secret)
    for name in ("mine/a", "mine/locked", "theirs/a"):
        s3.put_object(Bucket=bucket, Key=name, Body=b"1")
    asked = [
        (method, f"/{bucket}/{name}")
        for name in ("mine/a", "mine/locked", "theirs/a", "mine/none")
        for method in ("HEAD", "GET", "PUT", "DELETE")
    ]
    lists = [f"/{bucket}?list-type=2&prefix={prefix}" for prefix in ("mine/", "theirs/", "")]
    asked += [("GET", each) for each in (*lists, f"/{bucket}?policy", "/")]
    told = {each: page.ask(*each)[0] for each in asked}
    for name in ("mine/a", "mine/locked", "theirs/a"):
        s3.put_object(Bucket=bucket, Key=name, Body=b"1")
    assert told == {each: status_of(signed, *each) for each in asked}
    assert {200, 204, 403, 404} <= set(told.values())


def says(bucket: str) -> list[dict[str, Any]]:
    """Allow what is below `mine/`, but for one object."""
    arn = f"arn:aws:s3:::{bucket}"
    listing = {"StringLike": {"s3:prefix": "mine/*"}}
    return [
        {"Effect": "Allow", "Action": "s3:*Object", "Resource": f"{arn}/mine/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": arn, "Condition": listing},
        {"Effect": "Deny", "Action": "*", "Resource": f"{arn}/mine/locked"},
    ]


def status_of(client: BaseClient, method: str, path: str) -> int:
    """Send a signed request; answer its status."""
    url = client.meta.endpoint_url + path
    request = AWSRequest(method, url, data=b"", headers={"x-amz-content-sha256": EMPTY_SHA256})
    credentials = client._request_signer._credentials  # type: ignore[attr-defined]
    S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
    return URLLib3Session().send(request.prepare()).status_code


def test_forms_are_signed_or_nothing(page: Page, bucket: str) -> None:
    """A form to S3 carries its own signature, and so is not taken here."""
    form = b'--x\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--x--\r\n'
    status, _, _ = page.ask(
        "POST", f"/{bucket}", form, content_type="multipart/form-data; boundary=x"
    )
    assert status == 405
