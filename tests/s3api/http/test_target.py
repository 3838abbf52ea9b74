"""What s3api.http.target promises: bucket and key by path and by host."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from s3api.errors import S3Error
from s3api.http.target import parse_target, with_key
from tests.s3api.refusals import refusal_of

HOST = "127.0.0.1:9000"
DOMAINS = "s3.example.com, store.internal"


@pytest.mark.parametrize(
    ("path", "bucket", "key"),
    [
        (b"/", None, None),
        (b"/bucket", "bucket", None),
        (b"/bucket/", "bucket", None),
        (b"/bucket/a", "bucket", "a"),
        (b"/bucket/a/", "bucket", "a/"),
        (b"/bucket//a", "bucket", "/a"),
        (b"/bucket/a//b", "bucket", "a//b"),
        (b"/bucket/a%2Fb", "bucket", "a/b"),
        (b"/bucket%2Fa", "bucket", "a"),
        (b"/bucket/..", "bucket", ".."),
        (b"/bucket/../other", "bucket", "../other"),
        (b"/bucket/a+b", "bucket", "a+b"),
        (b"/bucket/a%20b", "bucket", "a b"),
        (b"/bucket/%252F", "bucket", "%2F"),
        (b"/bucket/%C3%A9", "bucket", "é"),
        ("/bucket/é".encode(), "bucket", "é"),
        (b"/bucket/%00", "bucket", "\0"),
    ],
)
def test_path_style(path: bytes, bucket: str | None, key: str | None) -> None:
    """The first segment is the bucket and all the rest, untouched, the key."""
    target = parse_target(HOST, path)
    assert (target.bucket, target.key, target.is_virtual_host) == (bucket, key, False)


@pytest.mark.parametrize(
    ("host", "bucket", "key"),
    [
        ("photos.s3.example.com", "photos", "a/b"),
        ("photos.s3.example.com:9000", "photos", "a/b"),
        ("my.photos.s3.example.com", "my.photos", "a/b"),
        ("PHOTOS.S3.Example.COM", "photos", "a/b"),
        ("photos.store.internal", "photos", "a/b"),
        ("photos.s3.example.com.", "photos", "a/b"),
        ("s3.example.com", "a", "b"),
        ("s3.example.com:443", "a", "b"),
        ("store.internal", "a", "b"),
        ("xs3.example.com", "a", "b"),
        ("example.com", "a", "b"),
        ("127.0.0.1:9000", "a", "b"),
        ("[::1]:9000", "a", "b"),
        ("[::1]", "a", "b"),
    ],
)
def test_virtual_hosts(host: str, bucket: str, key: str) -> None:
    """A name before a configured domain is the bucket; any other host means path style."""
    target = parse_target(host, b"/a/b", DOMAINS)
    assert (target.bucket, target.key) == (bucket, key)
    assert target.is_virtual_host is (key == "a/b")


def test_bucket_level_of_a_virtual_host() -> None:
    """The root of a bucket's own host is the bucket."""
    target = parse_target("photos.s3.example.com", b"/", DOMAINS)
    assert (target.bucket, target.key, target.resource) == ("photos", None, "/photos")


def test_hosts_mean_nothing_without_domains() -> None:
    """Unless domains are configured, every host is path style."""
    assert parse_target("photos.s3.example.com", b"/a/b").bucket == "a"


@pytest.mark.parametrize(
    ("host", "path", "code"),
    [
        (None, b"/bucket", "InvalidRequest"),
        ("", b"/bucket", "InvalidRequest"),
        (HOST, b"*", "InvalidURI"),
        (HOST, b"", "InvalidURI"),
        (HOST, b"/bucket/%", "InvalidURI"),
        (HOST, b"/bucket/%ff", "InvalidURI"),
        (HOST, b"/bucket/%ed%a0%80", "InvalidURI"),
        (HOST, b"//key", "InvalidBucketName"),
        (HOST, b"/bucket/" + b"k" * 1025, "KeyTooLongError"),
        (HOST, b"/bucket/" + b"%C3%A9" * 513, "KeyTooLongError"),
    ],
)
def test_refusals(host: str | None, path: bytes, code: str) -> None:
    """What names no bucket or key that could exist is refused with AWS's code."""
    with pytest.raises(S3Error) as refusal:
        parse_target(host, path)
    assert refusal.value.code == code


def test_longest_keys() -> None:
    """A key of 1,024 bytes fits, whatever its characters, and one byte more tells its size."""
    assert parse_target(HOST, b"/bucket/" + b"k" * 1024).key == "k" * 1024
    assert parse_target(HOST, b"/bucket/" + b"%C3%A9" * 512).key == "é" * 512
    with pytest.raises(S3Error) as refusal:
        parse_target(HOST, b"/bucket/" + b"k" * 1025)
    assert refusal.value.detail == {"Size": "1025", "MaxSizeAllowed": "1024"}


def test_a_form_names_its_key() -> None:
    """The key of a form takes the place of the path's, under the same bound."""
    target = with_key(parse_target("photos.s3.example.com", b"/", DOMAINS), "a/b")
    assert (target.bucket, target.key, target.resource) == ("photos", "a/b", "/photos/a/b")
    assert target.is_virtual_host
    with pytest.raises(S3Error) as refusal:
        with_key(target, "é" * 513)
    assert refusal.value.code == "KeyTooLongError"


@given(key=st.text(min_size=1, max_size=60))
def test_any_key_comes_through(key: str) -> None:
    """Every key a client can escape arrives as it was, and stands in the resource."""
    assume(len(key.encode()) <= 1024)
    target = parse_target(HOST, f"/bucket/{quote(key, safe='')}".encode())
    assert target.key == key
    assert target.resource == f"/bucket/{key}"


@given(host=st.text(max_size=30), path=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(host: str, path: bytes) -> None:
    """No host and path raise anything but S3Error."""
    refusal = refusal_of(parse_target, host, path, DOMAINS)
    if refusal is not None:
        assert refusal.status == 400
        return
    target = parse_target(host, path, DOMAINS)
    assert target.key is None or target.bucket
