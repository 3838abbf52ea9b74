"""Requests that have ended, as the trace is told of them."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from s3api.audit import Course
from s3api.http.request import Request
from s3api.http.target import Target


async def nothing() -> dict[str, Any]:
    """Receive nothing."""
    raise AssertionError("no body is read")


def ended(
    operation: str = "GetObject",
    status: int = 200,
    *,
    key: str | None = "k",
    user: str = "ada",
    query: bytes = b"",
    seconds: float = 0.0,
    **headers: str,
) -> Course:
    """Make a request that took so long and has just ended; no user: he was not believed."""
    lines = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    scope = {"method": "GET", "scheme": "http", "raw_path": b"/b", "headers": lines}
    request = Request({**scope, "query_string": query, "client": ("192.0.2.1", 1)}, nothing)
    course = Course("R1", 1_767_225_600_000, request, Target("b", key, False, "/b"), operation)
    course.status, course.began = status, time.perf_counter() - seconds
    if user:
        principal = SimpleNamespace(username=user)
        identity = SimpleNamespace(credential=SimpleNamespace(access_key="AKIAKNOWN"))
        call: Any = SimpleNamespace(principal=principal, identity=identity)
        course.call = call
    return course
