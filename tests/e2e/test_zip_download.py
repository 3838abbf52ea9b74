"""Many objects as one zip: what is in it, for whom, and what becomes of what is gone or denied."""

from __future__ import annotations

import http.client
import io
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode
from zipfile import ZipFile

import pytest

from s4project.zip_download import Selection
from tests.e2e.content import content
from tests.e2e.server import Server
from tests.e2e.test_rest import call, log_in
from tests.e2e.test_session_gateway import Page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from botocore.client import BaseClient

pytestmark = pytest.mark.e2e

MIB: Final = 1024**2


class Zipping:
    """A form that asks for a zip, and the connection that it comes over."""

    def __init__(self, page: Page, bucket: str, selection: Any, **fields: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=60)
        told = {"selection": json.dumps(selection), "csrfmiddlewaretoken": page.token, **fields}
        headers = {"Cookie": page.cookie, "Content-Type": "application/x-www-form-urlencoded"}
        self.connection.request("POST", f"/zip/{bucket}", urlencode(told).encode(), headers)
        self.reply = self.connection.getresponse()

    def read(self) -> dict[str, bytes]:
        """Read the zip; answer what is in it."""
        assert self.reply.status == 200
        with ZipFile(io.BytesIO(self.body())) as packed:
            return {name: packed.read(name) for name in packed.namelist()}

    def body(self) -> bytes:
        """Read the reply to its end."""
        with closing(self.connection), self.reply:
            return self.reply.read()

    def refusal(self) -> tuple[int, str]:
        """Answer status and code of a refusal."""
        body = self.body().decode()
        return self.reply.status, body.partition("<Code>")[2].partition("</Code>")[0]


@pytest.fixture(scope="module")
def page(server: Server) -> Page:
    """Sign in as root."""
    return Page(server)


def fill(s3: BaseClient, bucket: str, *keys: str) -> dict[str, bytes]:
    """Put objects, each with its key for content."""
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return {key: key.encode() for key in keys}


def test_what_is_chosen_is_packed(page: Page, s3: BaseClient, bucket: str) -> None:
    """Objects and folders that were chosen are in it, once, by their names below where one is."""
    fill(s3, bucket, "x/a", "x/f/1", "x/f/2", "x/f2/no", "x/g/h/3", "y/no")
    s3.put_object(Bucket=bucket, Key="x/f/empty/", Body=b"")
    chosen = {"base": "x/", "keys": ["x/a", "x/f/1", "x/a"], "prefixes": ["x/g/", "x/f/", "x/g/h/"]}
    zipping = Zipping(page, bucket, chosen)
    headers = {name.lower(): value for name, value in zipping.reply.getheaders()}
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''x.zip"
    assert headers["x-content-type-options"] == "nosniff"
    assert zipping.read() == {
        "a": b"x/a",
        "f/1": b"x/f/1",
        "f/2": b"x/f/2",
        "f/empty/": b"",
        "g/h/3": b"x/g/h/3",
    }


def test_names_that_would_do_harm(page: Page, s3: BaseClient, bucket: str) -> None:
    """Keys that no file system takes, or that lead out of a folder, unpack inside of it."""
    keys = ("../up", "/root", "a", "a/b", "dir//x", "<script>", "ü😀" * 100)
    fill(s3, bucket, *keys)
    found = Zipping(page, bucket, {"prefixes": [""]}).read()
    assert sorted(found.values()) == sorted(key.encode() for key in keys)
    assert {"__/up", "_/root", "a", "a_/b", "dir/_/x", "<script>"} < found.keys()


def test_how_much_it_would_be(page: Page, s3: BaseClient, bucket: str) -> None:
    """It is told before what the folders hold."""
    fill(s3, bucket, "f/1", "f/22", "g/333")
    zipping = Zipping(page, bucket, {"prefixes": ["f/", "g/"]}, measure="1")
    assert json.loads(zipping.body()) == {"objects": 3, "bytes": 12, "hasMore": False}
    assert Zipping(page, bucket, {"prefixes": ["nothing/"]}).read() == {}


def test_many_names_hold_nobody_up(page: Page, bucket: str) -> None:
    """Who is not known yet has no long form taken apart; tens of thousands of names are no work."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=60)
    with closing(connection):
        connection.request("POST", f"/zip/{bucket}", b"a=b&" * MIB)
        with connection.getresponse() as reply:
            assert (reply.status, b"too many fields" in reply.read()) == (400, True)
    keys = [f"k{number}" for number in range(50_001)]
    folders = [f"k{number}/" for number in range(50_001)]
    chosen = Selection("k", (*keys, "k7/x", "k7"), (*folders, "k7/y/")).without_repeats()
    assert (chosen.keys, chosen.prefixes) == (tuple(keys), tuple(sorted(folders)))


def test_what_is_gone_or_denied_is_named(server: Server, s3: BaseClient, bucket: str) -> None:
    """Who may not read an object gets the others, and is told what is left out and why."""
    token = log_in(server)
    user = {"username": "zipper", "password": "correct horse battery", "role": "Reader"}
    made = call(server, "POST", "/admin/users", user, token)
    assert made.status == 201
    who = {"AWS": f"arn:aws:iam::{made.body['account_id']}:user/zipper"}
    arn = f"arn:aws:s3:::{bucket}"
    statements = [
        {"Action": "s3:ListBucket", "Resource": arn, "Effect": "Allow"},
        {"Action": "s3:GetObject", "Resource": f"{arn}/f/*", "Effect": "Allow"},
        {"Action": "s3:GetObject", "Resource": f"{arn}/f/secret*", "Effect": "Deny"},
    ]
    policy = {
        "Version": "2012-10-17",
        "Statement": [{**each, "Principal": who} for each in statements],
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    fill(s3, bucket, "f/a", "f/secret", "f/z")
    page = Page(server, "zipper", "correct horse battery")
    found = Zipping(page, bucket, {"keys": ["f/never"], "prefixes": ["f/"]}).read()
    note = found.pop("LEFT OUT.txt").decode()
    assert found == {"f/a": b"f/a", "f/z": b"f/z"}
    assert "f/secret: AccessDenied" in note
    s3.delete_bucket_policy(Bucket=bucket)
    assert Zipping(page, bucket, {"prefixes": ["f/"]}).refusal() == (403, "AccessDenied")


def test_what_vanishes_meanwhile(page: Page, s3: BaseClient, bucket: str) -> None:
    """What is deleted while the zip is on its way is named in it, and the rest is there."""
    large = content("large", 24 * MIB)
    s3.put_object(Bucket=bucket, Key="f/1", Body=large)
    fill(s3, bucket, "f/2", "f/3")
    zipping = Zipping(page, bucket, {"prefixes": ["f/"]})
    s3.delete_object(Bucket=bucket, Key="f/2")
    found = zipping.read()
    assert found.pop("LEFT OUT.txt").decode().endswith("f/2: NoSuchKey\n")
    assert found == {"f/1": large, "f/3": b"f/3"}


@pytest.mark.parametrize(
    ("selection", "status", "code"),
    [
        ({}, 400, "InvalidRequest"),
        ({"keys": "a"}, 400, "InvalidRequest"),
        ({"keys": ["a"], "versions": []}, 400, "InvalidRequest"),
        ({"base": "f/", "keys": ["a"]}, 400, "InvalidRequest"),
        ({"prefixes": [""]}, 404, "NoSuchBucket"),
    ],
    ids=str,
)
def test_what_cannot_be_asked(page: Page, selection: Any, status: int, code: str) -> None:
    """What is no selection is refused, and so is a bucket that is not there."""
    assert Zipping(page, "no-such-bucket", selection).refusal() == (status, code)


def test_a_stranger_gets_nothing(page: Page, server: Server, s3: BaseClient, bucket: str) -> None:
    """Without a session, or without the page's token, nothing is packed."""
    fill(s3, bucket, "a")
    chosen = {"keys": ["a"]}
    assert Zipping(page, bucket, chosen, csrfmiddlewaretoken="x").refusal() == (403, "AccessDenied")
    other = Page(server)
    other.cookie = "s4_session=" + "a" * 32
    assert Zipping(other, bucket, chosen).refusal() == (401, "ExpiredToken")
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    with closing(connection):
        connection.request("GET", f"/zip/{bucket}", headers={"Cookie": page.cookie})
        with connection.getresponse() as reply:
            assert reply.status == 405


def spoil(server: Server, wrong: bytes) -> None:
    """Change bytes of a payload on the disk."""
    for volume in (server.data / "volumes").rglob("*"):
        if volume.is_file():
            data = volume.read_bytes()
            at = data.find(wrong)
            if at >= 0:
                with volume.open("r+b") as file:
                    file.seek(at)
                    file.write(b"spoilt")
                return
    raise AssertionError("the bytes are nowhere")


@pytest.fixture
def spoilt(tmp_path: Path) -> Iterator[Server]:
    """Run a server whose log may tell of trouble."""
    server = Server(tmp_path / "server")
    try:
        server.start()
        yield server
    finally:
        server.kill_tree()


def test_wrong_bytes_are_never_packed(spoilt: Server) -> None:
    """What is damaged from its start is left out; what turns out to be breaks the zip off."""
    s3, page = spoilt.client(), Page(spoilt)
    s3.create_bucket(Bucket="spoilt")
    first, second = content("first", 2 * MIB), content("second", 2 * MIB)
    s3.put_object(Bucket="spoilt", Key="f/1", Body=first)
    s3.put_object(Bucket="spoilt", Key="f/2", Body=b"whole")
    spoil(spoilt, first[:64])
    found = Zipping(page, "spoilt", {"prefixes": ["f/"]}).read()
    assert found.pop("LEFT OUT.txt").decode().count("f/1: ") == 1
    assert found == {"f/2": b"whole"}
    s3.put_object(Bucket="spoilt", Key="f/3", Body=second)
    s3.close()
    spoil(spoilt, second[MIB : MIB + 64])
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        Zipping(page, "spoilt", {"keys": ["f/3"]}).body()
