"""What of a request goes into the audit log, and how it is told there.

Changes of buckets are told by the services that make them, in the same transaction; here are told
those that were denied, and what is done to objects as far as the settings ask for it. Nothing here
waits: a note is left for a thread that writes it down.
"""

from __future__ import annotations

import re
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from buckets.naming import bucket_arn
from iam.audit.acting import Actor, Via, current_actor, refusal_is_told
from iam.audit.notes import Note, Outcome
from s3api.decision import Denied
from s3api.protocol.timestamps import exact_iso_date

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from s3api.context import Call
    from s3api.errors import S3Error
    from s3api.http.request import Request
    from s3api.http.target import Target

REFUSED: Final = 400  # statuses from here on
DENIED: Final = 403
GONE: Final = "ClientDisconnected"  # no code of S3's: nobody was left to be told one
WHOLE: Final = frozenset({"", "NotModified"})  # a reply that was broken off has a code as well
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# Of what is done to a bucket, that which is about its objects; a form goes to a bucket, too.
OF_OBJECTS: Final = frozenset({"DeleteObjects", "PostObject"})
BYPASS: Final = b"x-amz-bypass-governance-retention"
BYPASSING: Final = frozenset({"DeleteObject", "DeleteObjects", "PutObjectRetention"})
LISTED_CHARACTERS_MAX: Final = 65_536
LENGTH_DIGITS_MAX: Final = 19  # a longer number fits in no column and is nobody's length
# The access key that a request names whose signature was not accepted.
CLAIMED: Final = re.compile(r"Credential=([^/\s,]{1,128})/|AWS ([^:\s]{1,128}):")
SOURCES: Final = ("x-amz-copy-source", "x-amz-rename-source")


class DataAccess(StrEnum):
    """Which requests for objects are told."""

    NONE = "none"
    DENIED = "denied"
    WRITES = "writes"
    ALL = "all"


class Course(msgspec.Struct):
    """What became of one request, as far as it got; status 0: nothing was answered."""

    request_id: str
    now_ms: int = 0
    request: Request | None = None
    target: Target | None = None
    operation: str = ""
    call: Call | None = None
    output: dict[str, Any] | None = None
    status: int = 0
    code: str = ""
    reason: str = ""
    sent_bytes: int = 0
    is_errand: bool = False  # done for one who came through another door, which knows him
    began: float = msgspec.field(default_factory=time.perf_counter)
    answered: float = 0.0  # as `began`: when the reply began; 0: it did not
    scope: dict[str, Any] | None = None  # ASGI's, of a request that came by HTTP

    def refuse(self, error: S3Error) -> None:
        """Note how the request was refused."""
        self.status, self.code = error.status, error.code
        if isinstance(error, Denied):
            self.reason = error.reason

    @property
    def refused_keys(self) -> list[dict[str, Any]]:
        """The keys that a DeleteObjects did not delete, each with its code."""
        return (self.output or {}).get("Errors") or []


class Audit:
    """Decides what is told, and leaves a note of it with `put`."""

    def __init__(self, data_access: DataAccess, put: Callable[[Note], None]) -> None:
        self._access = data_access
        self._put = put

    def tell(self, course: Course) -> None:
        """Leave a note of a request that has ended, if it is to be told."""
        if not self._is_told(course):
            return
        note = _note(course)
        if note.outcome is Outcome.DENIED:
            refusal_is_told()
        self._put(note)

    def _is_told(self, course: Course) -> bool:
        if _is_exception(course):
            return True
        if self._access is DataAccess.ALL:
            return not (_is_change(course) and 0 < course.status < REFUSED)
        if course.status == DENIED:
            return self._access is not DataAccess.NONE or _is_change(course)
        if self._access is DataAccess.NONE or course.request is None:
            return False
        if self._access is DataAccess.DENIED:
            return course.operation == "DeleteObjects" and _denied_keys(course)
        if course.request.method in READING:
            return False
        return course.status >= REFUSED or not _is_change(course)


def _is_exception(course: Course) -> bool:
    """Whether a lock was gone past, or a hold laid or lifted, or somebody was denied that.

    Told whatever the settings: they are few, and what auditors of locks ask for first.
    """
    if course.status >= REFUSED and course.status != DENIED:
        return False
    return course.operation == "PutObjectLegalHold" or _is_bypass(course)


def _is_bypass(course: Course) -> bool:
    """Whether it is said that governance shall give way; who is denied at once, says it in vain."""
    if course.operation not in BYPASSING:  # to which it means nothing
        return False
    if course.call is not None and course.call.arguments.get("BypassGovernanceRetention"):
        return True
    said = b"" if course.request is None else course.request.header_map.get(BYPASS, b"")
    return said.strip().lower() == b"true"


def _is_change(course: Course) -> bool:
    """Whether the operation is one that a service of the control plane makes an entry of."""
    request, target = course.request, course.target
    return (
        request is not None
        and target is not None
        and target.key is None
        and request.method not in READING
        and course.operation not in OF_OBJECTS
    )


def _denied_keys(course: Course) -> bool:
    return any(row["Code"] == "AccessDenied" for row in course.refused_keys)


def _note(course: Course) -> Note:
    call, target = course.call, course.target
    actor = _claimant(course) if call is None else call.actor()
    if course.is_errand:
        actor = current_actor()
    resource = ""
    if target is not None and target.bucket is not None:
        resource = bucket_arn(target.bucket)
        if target.key is not None:
            resource = f"{resource}/{target.key}"
    return Note(
        course.now_ms or time.time_ns() // 1_000_000,
        actor,
        f"s3:{course.operation}" if course.operation else "s3:Unknown",
        resource,
        _outcome(course),
        _detail(course),
    )


def _outcome(course: Course) -> Outcome:
    if course.status == DENIED or _denied_keys(course):
        return Outcome.DENIED
    is_whole = 0 < course.status < REFUSED and course.code in WHOLE and not course.refused_keys
    return Outcome.ALLOWED if is_whole else Outcome.FAILED


def _claimant(course: Course) -> Actor:
    """Tell of a caller who was not believed, or not asked, what is known: not who he is."""
    request = course.request
    if request is None:
        return Actor(Via.S3, request_id=course.request_id)
    query = request.query
    claim = query.get("X-Amz-Credential") or query.get("AWSAccessKeyId") or ""
    access_key = claim.partition("/")[0]
    if found := CLAIMED.search(request.header("authorization") or ""):
        access_key = found[1] or found[2]
    address = request.client or ""
    return Actor(Via.S3, credential=access_key, address=address, request_id=course.request_id)


def _detail(course: Course) -> dict[str, Any]:
    """Say how it went: status, code and reason, versions, where from, how much, which keys."""
    request, output = course.request, course.output or {}
    facts = {
        "code": course.code,
        "reason": course.reason,
        "asked_version": request and request.query.get("versionId"),
        "version": output.get("VersionId"),
        "source": request and _first_header(request, SOURCES),
        "received_bytes": request and _received_bytes(request),
        "sent_bytes": course.sent_bytes,
        **_lock(course),
    }
    detail = {"status": course.status} | {name: fact for name, fact in facts.items() if fact}
    if course.operation == "DeleteObjects" and course.call is not None:
        detail |= _deletions(course.call, course.refused_keys)
    return detail


def _lock(course: Course) -> dict[str, Any]:
    """Say what a request was to do to a lock."""
    asked = {} if course.call is None else course.call.arguments
    retention, hold = asked.get("Retention") or {}, asked.get("LegalHold") or {}
    until_ms = retention.get("RetainUntilDate")
    return {
        "bypass_governance": _is_bypass(course),
        "retention": retention.get("Mode"),
        "retain_until": until_ms and exact_iso_date(until_ms),
        "legal_hold": hold.get("Status"),
    }


def _first_header(request: Request, names: Sequence[str]) -> str | None:
    return next((value for name in names if (value := request.header(name))), None)


def _received_bytes(request: Request) -> int:
    """Tell how many bytes the request said it would bring."""
    text = request.header_map.get(b"content-length", b"")
    return int(text) if text.isdigit() and len(text) < LENGTH_DIGITS_MAX else 0


def _deletions(call: Call, errors: list[dict[str, Any]]) -> dict[str, Any]:
    """List the keys of a DeleteObjects, as many as fit, and which of them were refused."""
    refused = {(row["Key"], row.get("VersionId")): row["Code"] for row in errors}
    listed: list[dict[str, str]] = []
    objects = (call.arguments.get("Delete") or {}).get("Objects") or []
    left = LISTED_CHARACTERS_MAX
    for wanted in objects:
        key, version_id = wanted.get("Key") or "", wanted.get("VersionId")
        left -= len(key)
        if left < 0:
            return {"keys": listed, "keys_left_out": len(objects) - len(listed)}
        row = {"key": key, "version": version_id, "code": refused.get((key, version_id))}
        listed.append({name: value for name, value in row.items() if value})
    return {"keys": listed}
