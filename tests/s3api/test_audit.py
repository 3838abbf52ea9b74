"""Which requests the S3 side tells the audit log of, and what it says of them."""

from __future__ import annotations

from typing import Any

import pytest

from iam.audit.acting import Actor, Via, acting
from iam.audit.notes import Note, Outcome
from s3api.audit import LISTED_CHARACTERS_MAX, Audit, Course, DataAccess
from s3api.auth import Identity, Payload, PayloadKind
from s3api.context import Call
from s3api.errors import S3Error
from s3api.http.request import Request
from s3api.http.target import Target

NONE, DENIED, WRITES, ALL = DataAccess


async def nothing() -> dict[str, Any]:
    """Receive nothing."""
    raise AssertionError("no body is read")


def asked(
    method: str, operation: str, key: str | None = None, query: bytes = b"", **headers: str
) -> Course:
    """Make the course of a request that has come so far."""
    lines = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    scope = {"method": method, "scheme": "http", "raw_path": b"/b", "headers": lines}
    request = Request({**scope, "query_string": query, "client": ("192.0.2.1", 1)}, nothing)
    course = Course("R1", 1_767_225_600_000, request, Target("b", key, False, "/b"), operation)
    course.status = 200
    return course


def told(access: DataAccess, course: Course) -> Note | None:
    """Let the audit log know of a course; answer the note that it left."""
    notes: list[Note] = []
    Audit(access, notes.append).tell(course)
    return notes[0] if notes else None


CASES = [
    # operation, key, method, status, told from which setting on; None: never
    ("GetObject", "k", "GET", 200, ALL),
    ("GetObject", "k", "GET", 404, ALL),
    ("GetObject", "k", "GET", 403, DENIED),
    ("HeadObject", "k", "HEAD", 403, DENIED),
    ("ListObjectsV2", None, "GET", 200, ALL),
    ("ListObjectsV2", None, "GET", 403, DENIED),
    ("ListBuckets", None, "GET", 403, DENIED),
    ("OptionsObject", "k", "OPTIONS", 403, DENIED),
    ("PutObject", "k", "PUT", 200, WRITES),
    ("PutObject", "k", "PUT", 412, WRITES),
    ("PutObject", "k", "PUT", 403, DENIED),
    ("PutObject", "k", "PUT", 0, WRITES),
    ("DeleteObject", "k", "DELETE", 204, WRITES),
    ("DeleteObjects", None, "POST", 200, WRITES),
    ("DeleteObjects", None, "POST", 403, DENIED),
    ("PostObject", None, "POST", 204, WRITES),
    ("PostObject", None, "POST", 403, DENIED),
    ("PutObjectAcl", "k", "PUT", 403, DENIED),
    ("CreateBucket", None, "PUT", 403, NONE),
    ("DeleteBucket", None, "DELETE", 403, NONE),
    ("PutBucketPolicy", None, "PUT", 403, NONE),
    ("PutBucketPolicy", None, "PUT", 400, WRITES),
    ("GetBucketPolicy", None, "GET", 200, ALL),
    ("GetBucketPolicy", None, "GET", 403, DENIED),
    ("PutBucketPolicy", None, "PUT", 204, None),  # the service has made its entry
    ("CreateBucket", None, "PUT", 200, None),
    ("DeleteBucket", None, "DELETE", 204, None),
]


@pytest.mark.parametrize(("operation", "key", "method", "status", "least"), CASES)
def test_settings_say_what_is_told(
    operation: str, key: str | None, method: str, status: int, least: DataAccess | None
) -> None:
    """A request is told from the setting on that asks for it, and by every one beyond."""
    order = list(DataAccess)
    wanted = order[order.index(least) :] if least is not None else []
    found = []
    for access in order:
        course = asked(method, operation, key)
        course.status = status
        if told(access, course) is not None:
            found.append(access)
    assert found == wanted


def test_keys_that_are_denied_make_a_request_denied() -> None:
    """A DeleteObjects that was not allowed all of its keys is told where denials are."""
    course = asked("POST", "DeleteObjects")
    course.output = {"Errors": [{"Key": "k", "VersionId": None, "Code": "AccessDenied"}]}
    note = told(DENIED, course)
    assert note is not None
    assert note.outcome is Outcome.DENIED
    course.output = {"Errors": [{"Key": "k", "VersionId": "v", "Code": "NoSuchVersion"}]}
    assert told(DENIED, course) is None
    note = told(WRITES, course)
    assert note is not None
    assert note.outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (200, "", Outcome.ALLOWED),
        (304, "NotModified", Outcome.ALLOWED),
        (404, "NoSuchKey", Outcome.FAILED),
        (403, "AccessDenied", Outcome.DENIED),
        (0, "ClientDisconnected", Outcome.FAILED),
        (200, "ClientDisconnected", Outcome.FAILED),
        (200, "InternalError", Outcome.FAILED),
    ],
)
def test_how_it_went_is_told(status: int, code: str, outcome: Outcome) -> None:
    """A reply that was broken off has failed, whatever its status said."""
    course = asked("GET", "GetObject", "k")
    course.status, course.code = status, code
    note = told(ALL, course)
    assert note is not None
    assert note.outcome is outcome


@pytest.mark.parametrize(
    ("query", "headers", "claimed"),
    [
        (b"", {"authorization": "AWS4-HMAC-SHA256 Credential=AK.1/20260101/x/s3/aws4"}, "AK.1"),
        (b"", {"authorization": "AWS AK2:sig="}, "AK2"),
        (b"X-Amz-Credential=AK3%2F20260101%2Fx&X-Amz-Signature=secret", {}, "AK3"),
        (b"AWSAccessKeyId=AK4&Signature=secret", {}, "AK4"),
        (b"", {"authorization": "Basic c2VjcmV0"}, ""),
        (b"", {}, ""),
    ],
)
def test_who_was_not_believed_has_no_name(
    query: bytes, headers: dict[str, str], claimed: str
) -> None:
    """Of a signature that was not accepted the claimed key is told, no user and no signature."""
    course = asked("GET", "GetObject", "k", query, **headers)
    course.refuse(S3Error("SignatureDoesNotMatch"))
    note = told(DENIED, course)
    assert note is not None
    assert note.actor == Actor(Via.S3, "", "", claimed, "192.0.2.1", "R1")
    assert "secret" not in repr(note)
    assert "sig=" not in repr(note)


def test_what_is_known_of_a_request_is_told() -> None:
    """Versions, the source of a copy, lengths, codes and reasons stand in the detail."""
    course = asked(
        *("PUT", "CopyObject", "k", b"versionId=v1"),
        x_amz_copy_source="other/key",
        content_length="12",
    )
    course.output, course.sent_bytes = {"VersionId": "v2"}, 99
    note = told(ALL, course)
    assert note is not None
    assert (note.action, note.resource) == ("s3:CopyObject", "arn:aws:s3:::b/k")
    assert note.time_ms == 1_767_225_600_000
    assert note.detail == {
        "status": 200,
        "asked_version": "v1",
        "version": "v2",
        "source": "other/key",
        "received_bytes": 12,
        "sent_bytes": 99,
    }


@pytest.mark.parametrize("length", ["9" * 4000, "-1", "x", ""])
def test_a_length_that_is_none_is_not_told(length: str) -> None:
    """A header that is no length is left out."""
    note = told(ALL, asked("PUT", "PutObject", "k", content_length=length))
    assert note is not None
    assert "received_bytes" not in note.detail


def test_many_keys_are_listed_as_far_as_they_fit() -> None:
    """Of a DeleteObjects with long keys, those beyond the bound are counted."""
    course = asked("POST", "DeleteObjects")
    wanted = {"Delete": {"Objects": [{"Key": "k" * 1000} for _ in range(100)]}}
    nothing_else: Any = None
    identity = Identity(None, Payload(PayloadKind.UNSIGNED))
    assert course.request is not None
    assert course.target is not None
    course.call = Call(
        *(nothing_else, course.request, course.target, nothing_else, identity, None, wanted, 0)
    )
    note = told(WRITES, course)
    assert note is not None
    assert len(note.detail["keys"]) == LISTED_CHARACTERS_MAX // 1000
    assert note.detail["keys_left_out"] == 100 - len(note.detail["keys"])


def test_an_errand_is_told_as_of_who_sent_it() -> None:
    """What REST does through S3's operations is told under REST's actor, and denied once."""
    ada = Actor(Via.REST, "ada", "c" * 64, "token:1", "192.0.2.9", "R9")
    course = asked("DELETE", "DeleteBucket")
    course.is_errand = True
    course.refuse(S3Error("AccessDenied"))
    with acting(lambda: ada) as scene:
        note = told(NONE, course)
        assert scene.is_refusal_told
    assert note is not None
    assert note.actor == ada
