"""Ugly keys: every name AWS allows is stored, read back, listed in its place and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from tests.e2e.outcome import refusal
from tests.e2e.wire import path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

UGLY = [
    "a",
    "a/",
    "a/b",
    "a//b",
    "a//",
    "/a",
    "//",
    "/",
    " ",
    "+ %",
    "a+b",
    "a b",
    "a%20b",
    "%2F",
    "%",
    "a%b",
    "a?b=c&d",
    "a#b",
    "a;b,c=d:e@f!g$h'i(j)k*l[m]n{o}p|q\\r^s`t~u\"v<w>x",
    ".",
    "..",
    "./a",
    "../a",
    "a/..",
    "a/../b",
    "a/./b",
    "dots...",
    "dots/...",
    "\U0001f600",
    "\U0001f600/\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u00e9",  # composed
    "e\u0301",  # the same letter, decomposed
    "\u4f60\u597d",
    "\ufffd",
    "\uffff",
    "\U00010000",
    "tab\there",
    "line\nfeed",
    "return\rhere",
    "control\x01\x02\x1f\x7f",
    "index.html",
    "uploads",
    "?uploads",
    "x" * 1024,
    "y" * 511,
    "y" * 512,
    "y" * 513,
    "\u00e4" * 512,
    "\U0001f600" * 256,
    "/" * 1024,
    "a/" * 512,
    ("z" * 255 + "/") * 4,
    ("z" * 401 + "/") * 2 + "z" * 220,
]


def body_of(key: str) -> bytes:
    """Give each key a content of its own."""
    return b"content of " + key.encode()


@pytest.fixture(scope="module")
def filled(s3: BaseClient) -> Iterator[str]:
    """Fill a bucket with every ugly key."""
    s3.create_bucket(Bucket="ugly-keys")
    for key in sorted(UGLY, key=lambda key: key[::-1]):  # in another order than they are listed
        s3.put_object(Bucket="ugly-keys", Key=key, Body=body_of(key))
    yield "ugly-keys"
    for key in UGLY:  # one by one: XML cannot carry all of them
        s3.delete_object(Bucket="ugly-keys", Key=key)
    assert s3.list_objects_v2(Bucket="ugly-keys")["KeyCount"] == 0
    s3.delete_bucket(Bucket="ugly-keys")


def in_byte_order(keys: list[str]) -> list[str]:
    """Sort keys as S3 does."""
    return sorted(keys, key=str.encode)


@pytest.mark.parametrize("key", UGLY, ids=lambda key: ascii(key)[:30])
def test_an_ugly_key_is_read_back(s3: BaseClient, filled: str, key: str) -> None:
    """Each key holds its own content and no other key's."""
    assert s3.get_object(Bucket=filled, Key=key)["Body"].read() == body_of(key)
    assert s3.head_object(Bucket=filled, Key=key)["ContentLength"] == len(body_of(key))


def test_an_ugly_key_goes_over_the_wire_as_it_is(server: Server, filled: str) -> None:
    """Each key is found by the path a client without a normalising library sends."""
    with server.caller.connect() as connection:
        for key in UGLY:
            reply = server.caller.ask("GET", path_of(filled, key), over=connection)
            assert (reply.status, reply.body) == (200, body_of(key)), ascii(key)


def test_an_ugly_key_is_addressed_by_virtual_host(server: Server, filled: str) -> None:
    """Each key is found under its bucket's host name too, one that begins with a slash as well."""
    client = server.client("virtual")
    try:
        for key in UGLY:
            read = client.get_object(Bucket=filled, Key=key)["Body"].read()
            assert read == body_of(key), ascii(key)
    finally:
        client.close()


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_ugly_keys_are_listed_in_byte_order(s3: BaseClient, filled: str, size: int) -> None:
    """Both listings give every key once, in the byte order of UTF-8, whatever the page size."""
    for operation in ("list_objects_v2", "list_objects"):
        pages = s3.get_paginator(operation).paginate(
            Bucket=filled, PaginationConfig={"PageSize": size}
        )
        listed = [row["Key"] for page in pages for row in page.get("Contents", [])]
        assert listed == in_byte_order(UGLY)


def test_every_key_is_listed_by_its_own_prefix(s3: BaseClient, filled: str) -> None:
    """A listing by prefix holds exactly the keys that begin with it."""
    for prefix in UGLY:
        rows = s3.list_objects_v2(Bucket=filled, Prefix=prefix)["Contents"]
        wanted = in_byte_order([key for key in UGLY if key.startswith(prefix)])
        assert [row["Key"] for row in rows] == wanted, ascii(prefix)


def test_a_listing_starts_after_any_key(s3: BaseClient, filled: str) -> None:
    """StartAfter with any key answers exactly the keys behind it."""
    ordered = in_byte_order(UGLY)
    for place, key in enumerate(ordered):
        page = s3.list_objects_v2(Bucket=filled, StartAfter=key)
        assert [row["Key"] for row in page.get("Contents", [])] == ordered[place + 1 :], ascii(key)


def test_ugly_keys_are_copied_by_name(s3: BaseClient, filled: str, bucket: str) -> None:
    """Each key can be the source of a copy."""
    for key in UGLY:
        s3.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": filled, "Key": key})
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body_of(key), ascii(key)


def test_a_plus_in_a_copy_source_is_a_space(server: Server, s3: BaseClient, bucket: str) -> None:
    """A copy's source is encoded as a form is: s5cmd writes its spaces as plus signs."""
    s3.put_object(Bucket=bucket, Key="a b+c", Body=b"it")
    for source in (f"{bucket}/a+b%2Bc", f"/{bucket}/a%20b%2Bc"):
        headers = {"x-amz-copy-source": source}
        assert server.caller.ask("PUT", f"/{bucket}/copy", headers=headers).status == 200
    headers = {"x-amz-copy-source": f"{bucket}/a%20b+c"}
    assert server.caller.ask("PUT", f"/{bucket}/copy", headers=headers).code == "NoSuchKey"


def test_ugly_keys_can_be_deleted_alone(s3: BaseClient, bucket: str) -> None:
    """Deleting one ugly key deletes no other."""
    for key in UGLY:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    left = in_byte_order(UGLY)
    for key in UGLY:
        s3.delete_object(Bucket=bucket, Key=key)
        left.remove(key)
        rows = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        assert [row["Key"] for row in rows] == left, ascii(key)


@pytest.mark.parametrize("key", ["x" * 1025, "\u00e4" * 513, "/" * 1025], ids=len)
def test_a_longer_key_is_refused(s3: BaseClient, bucket: str, key: str) -> None:
    """A key of more than 1,024 bytes answers KeyTooLongError for every verb that carries it."""
    for call, arguments in (
        (s3.put_object, {"Body": b"x"}),
        (s3.get_object, {}),
        (s3.delete_object, {}),
        (s3.create_multipart_upload, {}),
    ):
        assert refusal(call, Bucket=bucket, Key=key, **arguments) == (400, "KeyTooLongError")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_names_are_encoded_when_asked(server: Server, filled: str) -> None:
    """With encoding-type=url every name in the reply is percent-encoded, and none without."""
    reply = server.caller.ask("GET", f"/{filled}?encoding-type=url&list-type=2")
    assert b"<EncodingType>url</EncodingType>" in reply.body
    assert b"<Key>control%01%02%1F%7F</Key>" in reply.body
    assert b"<Key>%2B+%25</Key>" in reply.body
    plain = server.caller.ask("GET", f"/{filled}?list-type=2&prefix=a%2Bb")
    assert b"<Key>a+b</Key>" in plain.body


def test_names_are_encoded_as_aws_does(server: Server, bucket: str) -> None:
    """A prefix comes back in AWS's escapes: a space is `+`, `/` and `*` are themselves."""
    target = f"/{bucket}?encoding-type=url&prefix=run%20books%2Fx%2By%25z%21%2A%27%28%29~-_.%3D"
    for version in ("", "&list-type=2"):
        reply = server.caller.ask("GET", target + version)
        assert b"<Prefix>run+books/x%2By%25z%21*%27%28%29%7E-_.%3D</Prefix>" in reply.body


def test_names_come_back_whole_without_encoding(server: Server, filled: str) -> None:
    """Without encoding-type a listing is XML that gives names back as they are, LF and CR too."""
    for key in ("line\nfeed", "return\rhere", "tab\there", "a;b,c=d:e", "\U0001f600", "\u00e9"):
        target = f"/{filled}?list-type=2&prefix={quote(key, safe='')}"
        document = ET.fromstring(server.caller.ask("GET", target).body)  # noqa: S314  # our own server's
        names = [entry.text or "" for entry in document.iterfind(".//{*}Contents/{*}Key")]
        assert names == in_byte_order([name for name in UGLY if name.startswith(key)])
