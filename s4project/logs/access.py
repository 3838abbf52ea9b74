"""The access log, a line for each request, and the log of those that S4 was slow to answer.

The event loop only gathers what is known of a request that has ended; lines are made and written
in the log's thread. As in the live trace it is a list that says what is told: no query but the
version and upload that are meant, no header but the User-Agent, and who asks only as he proved it.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from select import PIPE_BUF
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from s4project.logs.lines import masked, outlet, written

if TYPE_CHECKING:
    from s3api.audit import Course
    from s4project.configuration import Configuration
    from s4project.logs.lines import Outlet

    Facts = dict[str, Any]

NAME: Final = "s4.access"
# A client's own; which bucket is meant is told as he has it, too.
TEXTS: Final = ("path", "bucket", "key", "user_agent", "version_id", "upload_id", "remote")
# All that is told of a request, in this order, as far as it is known.
FIELDS: Final = (
    *("request_id", "remote", "user", "access_key", "operation", "bucket", "key", "version_id"),
    *("upload_id", "method", "path", "status", "error_code", "bytes_in", "bytes_out", "total_ms"),
    *("first_byte_ms", "turnaround_ms", "user_agent", "scheme", "http_version", "more_were_slow"),
)
FIGURES: Final = frozenset({"status", "bytes_in", "bytes_out"})  # told also where they are 0
# Characters of one: a key's; fewer where a line would be longer than what a pipe takes whole, of
# which a character in JSON may need twelve bytes.
TEXT_MAXES: Final = (1024, 100, 20)
CUT: Final = "…"
SLOW_A_SECOND_MAX: Final = 10  # lines of slow requests; beyond, they are counted
MILLISECONDS: Final = 1000


class AccessLog:
    """What one worker tells of its requests, on both sides."""

    def __init__(self, out: Outlet, *, is_whole: bool, slow_ms: int) -> None:
        """Tell of all requests if `is_whole`, and of those over `slow_ms`; 0: of none of them."""
        self._out = out
        self._is_whole = is_whole
        self._slow_seconds = slow_ms / MILLISECONDS or float("inf")
        self._second = 0  # in which the last slow one was
        self._slow = 0  # how many there were in it

    def tell(self, course: Course) -> None:
        """Take in a request to S3 that has ended, on the event loop."""
        now = perf_counter()
        if course.request_id:  # else it came by no request of its own
            seconds = (course.answered or now) - _received(course, now)
            if self._is_whole or seconds >= self._slow_seconds:
                self.take(_facts(course, now), seconds)

    def take(self, facts: Facts, seconds: float) -> None:
        """Have lines written of a request that S4 took so long to answer."""
        facts["turnaround_ms"] = round(seconds * MILLISECONDS, 3)
        now = time.time()
        if self._is_whole:
            self._put("access", "info", facts, now)
        if seconds >= self._slow_seconds:
            self._put_slow(facts, now)

    def _put_slow(self, facts: Facts, now: float) -> None:
        second = int(now)
        if second != self._second:
            unsaid = self._slow - SLOW_A_SECOND_MAX
            self._second, self._slow = second, 0
            if unsaid > 0:
                facts = {**facts, "more_were_slow": unsaid}
        self._slow += 1
        if self._slow <= SLOW_A_SECOND_MAX:
            self._put("S4 was slow to answer", "warning", facts, now)

    def _put(self, event: str, level: str, facts: Facts, now: float) -> None:
        self._out.stream.put_record(partial(_line, self._out, event, level, facts, now))


def open_access_log(configuration: Configuration) -> AccessLog | None:
    """Make what the settings ask for; None: nothing, or there is no log."""
    is_heard = configuration.log_level != "error"
    slow_ms = configuration.slow_request_ms if is_heard else 0
    out = outlet()
    if out is None or not (configuration.access_log or slow_ms):
        return None
    return AccessLog(out, is_whole=configuration.access_log, slow_ms=slow_ms)


def _received(course: Course, now: float) -> float:
    """Tell when S4 had all of a request; `now`: not to this day, so it was never S4's turn."""
    request = course.request
    if request is None or request.body.finished:
        return request.body.finished if request is not None else course.began
    is_cut_off = not course.answered and (request.content_length or 0) > 0
    return now if is_cut_off else course.began


def _facts(course: Course, now: float) -> Facts:
    """Gather what is told of a request to S3."""
    request, target, call = course.request, course.target, course.call
    facts = asked(course.scope or {})
    if call is not None:
        facts["user"] = None if call.principal is None else call.principal.username
        credential = call.identity.credential
        facts["access_key"] = None if credential is None else credential.access_key
    if target is not None:
        facts["bucket"], facts["key"] = target.bucket, target.key
    if request is not None:
        facts["version_id"] = request.query.get("versionId")
        facts["upload_id"] = request.query.get("uploadId")
        facts["bytes_in"] = request.body.received_bytes
    facts |= {
        "request_id": course.request_id,
        "operation": course.operation,
        "status": course.status,
        "error_code": course.code,
        "bytes_out": course.sent_bytes,
        "total_ms": round((now - course.began) * MILLISECONDS, 3),
    }
    if course.answered:
        facts["first_byte_ms"] = round((course.answered - course.began) * MILLISECONDS, 3)
    return facts


def asked(scope: dict[str, Any]) -> Facts:
    """Tell what the head of a request says, but nothing that lets anybody in."""
    if not scope:
        return {}
    client = scope.get("client")
    agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
    return {
        "remote": client and client[0],
        "method": scope["method"],
        "path": scope["raw_path"].decode("latin-1"),
        "scheme": scope["scheme"],
        "http_version": scope["http_version"],
        "user_agent": agent.decode("latin-1"),
    }


def _line(out: Outlet, event: str, level: str, facts: Facts, now: float) -> bytes:
    """Write a line, in one piece: what a pipe takes whole."""
    line = b""
    for text_max in TEXT_MAXES:
        line = _render(out, event, level, facts, now, text_max)
        if len(line) <= PIPE_BUF:
            break
    return line


def _render(out: Outlet, event: str, level: str, facts: Facts, now: float, text_max: int) -> bytes:
    told: dict[str, Any] = {"event": event, "level": level, "logger": NAME}
    told["timestamp"] = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
    for name in FIELDS:
        fact = facts.get(name)
        if fact:
            told[name] = _cut(masked(fact), text_max) if name in TEXTS else fact
        elif name in FIGURES:
            told[name] = 0
    return written(out.render(told))


def _cut(text: str, text_max: int) -> str:
    return text if len(text) <= text_max else text[:text_max] + CUT
