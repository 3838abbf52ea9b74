"""What the live trace tells of a request: by a list of what may be told, so never a secret.

Of a query only parameters that say which objects are meant; of the headers only Range and
User-Agent; of who asks only what S4 found to be true. No signature, token, form field or body.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from s3api.audit import Course
    from s3api.http.request import Request

PARAMETERS: Final = (
    *("prefix", "delimiter", "start-after", "marker", "key-marker", "max-keys"),
    *("versionId", "uploadId", "partNumber"),
)
HEADERS: Final = ("range", "user-agent")
TEXT_MAX: Final = 200  # characters of a parameter or header
EVENT_BYTES_MAX: Final = 4096  # what a pipe takes whole or not at all: PIPE_BUF
CUT: Final = "…"
ANONYMOUS: Final = "-"
MILLISECONDS: Final = 1000

_encode = msgspec.json.Encoder().encode


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which requests are told; what is empty is not asked for."""

    bucket: str = ""
    user: str = ""  # by name; "-": nobody, or somebody who was not believed
    operation: str = ""
    status: str = ""  # its beginning: "404", "5"; "0": no answer; "4+": 400 and more, or none
    slow_ms: int = 0

    def wants(self, course: Course) -> bool:
        """Whether a request that has ended is one of those."""
        if self.slow_ms and _milliseconds(course, time.perf_counter()) < self.slow_ms:
            return False
        if self.status and not self._wants_status(course.status):
            return False
        if self.operation and course.operation != self.operation:
            return False
        if self.bucket and (course.target is None or course.target.bucket != self.bucket):
            return False
        return not self.user or (username(course) or ANONYMOUS) == self.user

    def _wants_status(self, status: int) -> bool:
        if self.status == "4+":
            return status >= 400 or not status  # noqa: PLR2004  # where HTTP's errors begin
        return str(status).startswith(self.status)


def username(course: Course) -> str:
    """Name who asked, as he proved; "" for everybody else."""
    call = course.call
    principal = None if call is None else call.principal
    return "" if principal is None else principal.username


def _milliseconds(course: Course, now: float) -> float:
    return (now - course.began) * MILLISECONDS


def line(course: Course, lost: int) -> bytes:
    """Write what is told of a request that has just ended: a line of JSON, at most a pipe's bite.

    `lost` says how many were not told before it because nobody read fast enough.
    """
    told = _told(course, time.perf_counter())
    if lost:
        told["lost"] = lost
    text = _encode(told) + b"\n"
    if len(text) > EVENT_BYTES_MAX:  # control characters in its key, or a long query
        short = {name: _short(value, 60) for name, value in told.items() if name != "query"}
        text = _encode(short) + b"\n"
    return text


def _told(course: Course, now: float) -> dict[str, Any]:
    request, target, call = course.request, course.target, course.call
    credential = None if call is None else call.identity.credential
    facts: dict[str, Any] = {
        "at": course.now_ms or time.time_ns() // 1_000_000,
        "id": course.request_id,
        "operation": course.operation,
        "bucket": target and target.bucket,
        "key": target and target.key,
        "status": course.status,
        "code": course.code,
        "user": username(course),
        "access_key": credential and credential.access_key,
        "is_session": course.is_errand,
        "ms": round(_milliseconds(course, now), 3),
        "first_ms": round(_milliseconds(course, course.answered), 3) if course.answered else 0,
        "sent": course.sent_bytes,
    }
    if request is not None:
        facts |= {
            "method": request.method,
            "from": request.client,
            "received": request.body.received_bytes,
            "query": _query(request),
        }
        facts |= {name: _short(request.header(name)) for name in HEADERS}
    return {name: _clean(fact) for name, fact in facts.items() if fact}


def _query(request: Request) -> dict[str, str]:
    """Pick the parameters that say what is meant."""
    found = {name: request.query.get(name) for name in PARAMETERS}
    return {name: _clean(_short(value)) for name, value in found.items() if value}


def _short(value: Any, characters: int = TEXT_MAX) -> Any:
    if isinstance(value, str) and len(value) > characters:
        return value[:characters] + CUT
    return value


def _clean(value: Any) -> Any:
    """Leave of a text what UTF-8 can write."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
