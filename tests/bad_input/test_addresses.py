"""Names, paths, sub-resources and methods that S3 does not have, for objects and for buckets.

Bucket names: docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html. What is not
understood of a query is refused on every method that writes (`s3api.protocol.quirks`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.bad_input.asking import BUCKET, NEW, OBJECT, Bad, check_all

if TYPE_CHECKING:
    import pytest

    from tests.fuzz.world import World

METHODS: Final = ["GET", "HEAD", "PUT", "POST", "DELETE"]
WRITES: Final = ["PUT", "DELETE"]
BAD_NAMES: Final = [
    *("ab", "a" * 64, "Upper", "a..b", ".ab", "ab.", "-ab", "ab-", "a_b", "192.168.5.4"),
    *("xn--abc", "sthree-abc", "amzn-s3-demo-abc", "abc-s3alias", "abc--ol-s3", "abc.mrap"),
    *("abc--x-s3", "abc--table-s3", "a%20b", "%C3%A9bc", "a%00b", "a%0Ab"),
]
BAD_KEYS: Final = ["%", "%2", "%zz", "%ff", "%C3", "%C3%28", "%ED%A0%80", "a%F5b"]
LONG_KEYS: Final = ["k" * 1025, "%C3%A9" * 513, "%2F" * 1025]
NOWHERE: Final = [("GET", "/nowhere"), ("PUT", "/nowhere/k"), ("DELETE", "/nowhere")]
UNKNOWN: Final = ["subresource", "sql", "Acl", "renameobject", "force"]


def test_a_bucket_name_that_is_none_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """CreateBucket takes no name that breaks AWS's rules."""
    check_all(world, subtests, [Bad("PUT", f"/{name}", "InvalidBucketName") for name in BAD_NAMES])


def test_a_path_that_is_no_text_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """A key with a broken escape, or that is no UTF-8, is no URI, on any method."""
    requests = [
        Bad(method, f"{BUCKET}/{key}", "InvalidURI")
        for method in ("GET", "PUT", "DELETE")
        for key in BAD_KEYS
    ]
    check_all(world, subtests, requests)


def test_a_key_over_the_limit_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """A key of more than 1,024 bytes is too long, on any method."""
    requests = [
        Bad(method, f"{BUCKET}/{key}", "KeyTooLongError")
        for method in ("GET", "PUT", "DELETE")
        for key in LONG_KEYS
    ]
    check_all(world, subtests, requests)


def test_a_key_of_just_the_limit_is_taken(world: World) -> None:
    """A key of exactly 1,024 bytes is stored and read."""
    for key in ("k" * 1024, "%C3%A9" * 512, "%2F" * 1024):
        assert Bad("PUT", f"{BUCKET}/{key}", "", body=b"x").send(world).status == 200
        assert Bad("GET", f"{BUCKET}/{key}", "").send(world).body == b"x"


def test_an_unknown_sub_resource_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """What looks like a sub-resource and is none neither reads, writes nor deletes its resource."""
    requests = [
        Bad(
            method,
            f"{place}?{name}",
            "InvalidArgument",
            f"Unexpected query string parameter: {name}",
            argument=name,
        )
        for method in ("GET", "PUT", "DELETE")
        for place in (OBJECT, BUCKET)
        for name in UNKNOWN
    ]
    requests += [
        Bad(
            method,
            f"{place}?{name}=1",
            "InvalidArgument",
            f"Unexpected query string parameter: {name}",
        )
        for method in WRITES
        for place in (OBJECT, BUCKET)
        for name in UNKNOWN
    ]
    check_all(world, subtests, requests)


def test_two_sub_resources_conflict(world: World, subtests: pytest.Subtests) -> None:
    """Two sub-resources at once are none, in whatever order: as recorded from S3 (see quirks)."""
    requests = [
        Bad(
            method,
            f"{place}?{query}",
            "InvalidArgument",
            "Conflicting query string parameters: acl, tagging",
            argument="ResourceType",
        )
        for method in ("GET", "PUT", "DELETE")
        for place in (OBJECT, BUCKET)
        for query in ("acl&tagging", "tagging&acl", "tagging=&acl=x")
    ]
    check_all(world, subtests, requests)


def test_a_method_that_means_nothing_is_refused(world: World, subtests: pytest.Subtests) -> None:
    """A method that a resource does not have is told with those that it has."""
    requests = [
        Bad("PUT", "/", "MethodNotAllowed"),
        Bad("DELETE", "/", "MethodNotAllowed"),
        Bad("POST", OBJECT, "MethodNotAllowed"),
        Bad("PATCH", OBJECT, "MethodNotAllowed"),
        Bad("DELETE", f"{BUCKET}?versioning", "MethodNotAllowed"),
        Bad("DELETE", f"{BUCKET}?location", "MethodNotAllowed"),
        Bad("PUT", f"{BUCKET}?versions", "MethodNotAllowed"),
        Bad("PUT", f"{OBJECT}?torrent", "MethodNotAllowed"),
        Bad("GET", f"{BUCKET}?delete", "MethodNotAllowed"),
    ]
    check_all(world, subtests, requests)
    assert Bad("PUT", "/", "").send(world).headers["allow"] == "GET"


def test_a_bucket_that_is_not_there_is_told(world: World, subtests: pytest.Subtests) -> None:
    """Without its bucket no request does anything."""
    check_all(world, subtests, [Bad(*request, "NoSuchBucket") for request in NOWHERE])


def test_a_bucket_that_is_not_empty_stays(world: World, subtests: pytest.Subtests) -> None:
    """A bucket with an object, or of somebody else, is not deleted nor made anew."""
    requests = [
        Bad("DELETE", BUCKET, "BucketNotEmpty"),
        Bad("DELETE", "/foreign", "AccessDenied"),
        Bad("PUT", "/foreign", "BucketAlreadyExists"),
        Bad("GET", "/foreign/secret", "AccessDenied"),
        Bad("PUT", "/foreign/secret", "AccessDenied", body=b"x"),
        Bad("DELETE", "/foreign/secret", "AccessDenied"),
        Bad("PUT", NEW, "AccessDenied", headers={"x-amz-copy-source": "/foreign/secret"}),
    ]
    check_all(world, subtests, requests)
