"""What a worker counts of its requests for metrics: exactly, and within bounds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from s3api.audit import Course
from s4project.metrics.slots import BUCKETS_MAX, OTHER, Slots
from s4project.metrics.tally import NONE, Tally

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tally(tmp_path: Path) -> Tally:
    """Count in a place of its own."""
    return Tally(Slots(tmp_path))


def course(bucket: str = "photos", **facts: Any) -> Course:
    """Make a request that has ended; without a bucket, of one who was not let in."""
    request: Any = SimpleNamespace(body=SimpleNamespace(received_bytes=7))
    call: Any = SimpleNamespace(bucket_or_none=SimpleNamespace(name=bucket)) if bucket else None
    facts = {"operation": "PutObject", "status": 200, "sent_bytes": 3} | facts
    return Course("A", request=request, call=call, **facts)


def test_a_request_is_counted_once_with_its_bytes(tally: Tally) -> None:
    """Count, bytes sent and received stand under operation, status and bucket."""
    tally.tell(course())
    tally.tell(course())
    figures = tally.figures()
    assert figures["requests"] == {"PutObject\n200\nphotos": [2, 6, 14]}
    assert sum(figures["durations"]["PutObject"][:-1]) == 2
    assert figures["codes"] == {}


def test_a_bucket_is_named_only_where_it_is_there(tally: Tally) -> None:
    """Who makes up names of buckets, or comes without rights, makes no series."""
    tally.tell(course("", status=404, code="NoSuchBucket"))
    tally.tell(course("", operation="", status=400, code="BadRequest"))
    assert list(tally.figures()["requests"]) == [f"PutObject\n404\n{NONE}", f"Unknown\n400\n{NONE}"]
    assert tally.figures()["codes"] == {"NoSuchBucket": [1], "BadRequest": [1]}


def test_very_many_buckets_share_a_row(tally: Tally) -> None:
    """Beyond the bound, buckets are counted together, and no request is left out."""
    for number in range(BUCKETS_MAX + 50):
        tally.tell(course(f"bucket-{number}"))
    requests = tally.figures()["requests"]
    assert len(requests) == BUCKETS_MAX + 1
    assert requests[f"PutObject\n200\n{OTHER}"][0] == 50


def test_what_came_by_no_request_is_not_counted(tally: Tally) -> None:
    """What the REST API asks of operations is counted as a request to the console alone."""
    told = course()
    told.request_id = ""
    tally.tell(told)
    assert tally.figures()["requests"] == {}
    assert tally.count == 0
