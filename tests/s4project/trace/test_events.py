"""What the trace tells of a request, and what it never does."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from s3api.audit import Course
from s4project.trace.events import EVENT_BYTES_MAX, Asked, line
from tests.s4project.trace.courses import ended

SECRET: Final = "s3cr3t"


def told(course: Course, lost: int = 0) -> dict[str, Any]:
    """Read what is told of a request."""
    text = line(course, lost)
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1
    assert len(text) <= EVENT_BYTES_MAX
    found: dict[str, Any] = json.loads(text)
    return found


def test_what_matters_of_a_request_is_told() -> None:
    """Who did what to which object, how that went, how long it took, and what was lost before."""
    course = ended(query=b"versionId=v1&prefix=a%2Fb&x=1", range="bytes=0-9", user_agent="curl/8")
    course.sent_bytes, course.answered = 10, course.began + 0.002
    found = told(course, lost=3)
    assert found.pop("ms") >= 0
    assert found == {
        "at": 1_767_225_600_000,
        "id": "R1",
        "operation": "GetObject",
        "method": "GET",
        "bucket": "b",
        "key": "k",
        "status": 200,
        "user": "ada",
        "access_key": "AKIAKNOWN",
        "first_ms": 2.0,
        "sent": 10,
        "from": "192.0.2.1",
        "query": {"versionId": "v1", "prefix": "a/b"},
        "range": "bytes=0-9",
        "user-agent": "curl/8",
        "lost": 3,
    }


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Signature={}",
        "X-Amz-Credential={}",
        "X-Amz-Security-Token={}",
        "Signature={}",
        "AWSAccessKeyId={}",
        "x-amz-meta-password={}",
        "{}=1",
        "{}",
        "token={}",
    ],
)
def test_of_a_query_only_what_is_listed_is_told(query: str) -> None:
    """No signature, token, credential or unknown parameter of a URL is told, nor its name."""
    assert SECRET.encode() not in line(ended(query=query.format(SECRET).encode()), 0)


@pytest.mark.parametrize(
    "header",
    [
        "authorization",
        "cookie",
        "x_amz_security_token",
        "x_amz_content_sha256",
        "x_amz_server_side_encryption_customer_key",
        "x_amz_copy_source",
        "x_amz_meta_note",
        "x_csrftoken",
        "referer",
    ],
)
def test_of_the_headers_only_what_is_listed_is_told(header: str) -> None:
    """No header is told but Range and User-Agent."""
    assert SECRET.encode() not in line(ended(**{header: f"a {SECRET}"}), 0)


def test_of_who_is_not_believed_nothing_is_told() -> None:
    """A key that was only claimed, which may be a secret put in the wrong place, is not told."""
    authorization = f"AWS4-HMAC-SHA256 Credential={SECRET}/20260101/us-east-1/s3/aws4_request"
    found = told(ended(user="", status=403, authorization=authorization))
    assert SECRET not in str(found)
    assert not {"user", "access_key"} & found.keys()


@pytest.mark.parametrize("key", ["\0" * 1024, "\x7f" * 1024, "é" * 512, '"' * 1024, "\ud800" * 9])
def test_an_event_fits_into_a_pipe(key: str) -> None:
    """Whatever a key, query and headers hold, an event is one line that a pipe takes whole."""
    query = b"prefix=" + b"%01" * 1024 + b"&marker=" + b"%02" * 1024
    found = told(ended(key=key, query=query, user_agent='"' * 5000))
    assert found["key"][:9]


def test_a_request_that_got_nowhere_is_told() -> None:
    """One that was refused before anything was known of it has an event as well."""
    found = told(Course("R2"))
    assert found.pop("at") > 0
    assert found.pop("ms") >= 0
    assert found == {"id": "R2"}


@pytest.mark.parametrize(
    ("asked", "course", "expected"),
    [
        ({}, {}, True),
        ({"bucket": "b"}, {}, True),
        ({"bucket": "c"}, {}, False),
        ({"user": "ada"}, {}, True),
        ({"user": "ad"}, {}, False),
        ({"user": "-"}, {}, False),
        ({"user": "-"}, {"user": ""}, True),
        ({"operation": "GetObject"}, {}, True),
        ({"operation": "HeadObject"}, {}, False),
        ({"status": "2"}, {}, True),
        ({"status": "404"}, {"status": 404}, True),
        ({"status": "403"}, {"status": 404}, False),
        ({"status": "4+"}, {"status": 399}, False),
        ({"status": "4+"}, {"status": 400}, True),
        ({"status": "4+"}, {"status": 503}, True),
        ({"status": "4+"}, {"status": 0}, True),
        ({"status": "0"}, {"status": 0}, True),
        ({"status": "0"}, {"status": 200}, False),
        ({"slow_ms": 100}, {}, False),
        ({"slow_ms": 100}, {"seconds": 0.2}, True),
        ({"slow_ms": 100, "bucket": "c"}, {"seconds": 0.2}, False),
    ],
)
def test_what_is_asked_for_is_what_is_wanted(
    asked: dict[str, Any], course: dict[str, Any], expected: bool
) -> None:
    """A request is wanted when everything that is asked for is true of it."""
    assert Asked(**asked).wants(ended(**course)) is expected
