"""What s3api.http.preconditions promises: RFC 9110's order of conditions, S3's ranges."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.errors import S3Error
from s3api.http.dates import format_http_date
from s3api.http.preconditions import (
    COPY_SOURCE,
    ByteRange,
    Conditions,
    check_replaced,
    check_source,
    check_write,
    if_range_holds,
    is_modified,
    parse_copy_range,
    parse_range,
    read_conditions,
)
from tests.s3api.http.requests import make_request
from tests.s3api.refusals import code_of, refusal_of

ETAG = "9bb58f26192e4ba00f01e2e7b136bbd8"
OTHER = "d41d8cd98f00b204e9800998ecf8427e"
MODIFIED = 1_700_000_000
MODIFIED_MS = MODIFIED * 1000 + 999
EARLIER, LATER = MODIFIED - 1, MODIFIED + 1


def judge(conditions: Conditions) -> int:
    """Answer the status a GET would have."""
    refusal = refusal_of(is_modified, conditions, ETAG, MODIFIED_MS)
    if refusal is not None:
        return refusal.status
    return 200 if is_modified(conditions, ETAG, MODIFIED_MS) else 304


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        (Conditions(), 200),
        (Conditions(if_match=f'"{ETAG}"'), 200),
        (Conditions(if_match=ETAG), 200),
        (Conditions(if_match="*"), 200),
        (Conditions(if_match=f'"{OTHER}", "{ETAG}"'), 200),
        (Conditions(if_match=f'"{OTHER}"'), 412),
        (Conditions(if_match=f'W/"{ETAG}"'), 412),
        (Conditions(if_match='""'), 412),
        (Conditions(if_none_match=f'"{ETAG}"'), 304),
        (Conditions(if_none_match=ETAG), 304),
        (Conditions(if_none_match=f'W/"{ETAG}"'), 304),
        (Conditions(if_none_match="*"), 304),
        (Conditions(if_none_match=f'"{OTHER}"'), 200),
        (Conditions(if_none_match=f'"{OTHER}","{ETAG}"'), 304),
        (Conditions(if_modified_since=EARLIER), 200),
        (Conditions(if_modified_since=MODIFIED), 304),
        (Conditions(if_modified_since=LATER), 304),
        (Conditions(if_unmodified_since=EARLIER), 412),
        (Conditions(if_unmodified_since=MODIFIED), 200),
        (Conditions(if_unmodified_since=LATER), 200),
        # S3: If-Match true outweighs If-Unmodified-Since false.
        (Conditions(if_match=ETAG, if_unmodified_since=EARLIER), 200),
        (Conditions(if_match=OTHER, if_unmodified_since=LATER), 412),
        # S3: If-None-Match false outweighs If-Modified-Since true.
        (Conditions(if_none_match=ETAG, if_modified_since=EARLIER), 304),
        (Conditions(if_none_match=OTHER, if_modified_since=LATER), 200),
        # A failed precondition comes before "not modified".
        (Conditions(if_match=OTHER, if_none_match=ETAG), 412),
        (Conditions(if_match=ETAG, if_none_match=ETAG), 304),
        (Conditions(if_unmodified_since=EARLIER, if_modified_since=LATER), 412),
    ],
)
def test_reads(conditions: Conditions, status: int) -> None:
    """GET and HEAD answer 200, 304 or 412 in RFC 9110's order of evaluation."""
    assert judge(conditions) == status


@pytest.mark.parametrize(
    ("conditions", "condition"),
    [
        (Conditions(if_match=OTHER), "If-Match"),
        (Conditions(if_unmodified_since=EARLIER), "If-Unmodified-Since"),
        (Conditions(if_none_match=ETAG), "If-None-Match"),
        (Conditions(if_modified_since=LATER), "If-Modified-Since"),
        (Conditions(if_match=ETAG, if_unmodified_since=EARLIER), None),
        (Conditions(if_none_match=ETAG, if_modified_since=EARLIER), "If-None-Match"),
        (Conditions(if_none_match=OTHER), None),
        (Conditions(if_modified_since=EARLIER), None),
    ],
)
def test_copy_sources(conditions: Conditions, condition: str | None) -> None:
    """A copy is refused by whichever condition of its source fails, and says which."""
    if condition is None:
        check_source(conditions, ETAG, MODIFIED_MS)
        return
    with pytest.raises(S3Error) as refusal:
        check_source(conditions, ETAG, MODIFIED_MS)
    assert refusal.value.status == 412
    assert refusal.value.detail == {"Condition": condition}


@pytest.mark.parametrize(
    ("conditions", "etag", "code"),
    [
        (Conditions(if_none_match="*"), None, None),
        (Conditions(if_none_match="*"), ETAG, "PreconditionFailed"),
        (Conditions(if_none_match=OTHER), ETAG, None),
        (Conditions(if_none_match=f'"{ETAG}"'), ETAG, "PreconditionFailed"),
        (Conditions(if_match=f'"{ETAG}"'), ETAG, None),
        (Conditions(if_match="*"), ETAG, None),
        (Conditions(if_match=OTHER), ETAG, "PreconditionFailed"),
        (Conditions(if_match=ETAG), None, "NoSuchKey"),
        (Conditions(if_match="*"), None, "NoSuchKey"),
        (Conditions(), None, None),
        (Conditions(if_unmodified_since=EARLIER), ETAG, None),
    ],
)
def test_writes(conditions: Conditions, etag: str | None, code: str | None) -> None:
    """A write goes ahead or is refused by what stands under the key at that moment."""
    if code is None:
        check_write(conditions, "k", etag)
        return
    with pytest.raises(S3Error) as refusal:
        check_write(conditions, "k", etag)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("conditions", "etag", "code"),
    [
        (Conditions(), None, None),
        (Conditions(), ETAG, None),
        (Conditions(if_none_match="*"), None, None),
        (Conditions(if_none_match="*"), ETAG, "PreconditionFailed"),
        (Conditions(if_match=ETAG), None, "NoSuchKey"),
        (Conditions(if_match=OTHER), ETAG, "PreconditionFailed"),
        (Conditions(if_modified_since=EARLIER), None, "PreconditionFailed"),
        (Conditions(if_modified_since=EARLIER), ETAG, None),
        (Conditions(if_modified_since=LATER), ETAG, "PreconditionFailed"),
        (Conditions(if_unmodified_since=EARLIER), None, None),
        (Conditions(if_unmodified_since=EARLIER), ETAG, "PreconditionFailed"),
        (Conditions(if_unmodified_since=LATER), ETAG, None),
        # As for reading, a condition on the ETag outweighs that on the time beside it.
        (Conditions(if_match=ETAG, if_unmodified_since=EARLIER), ETAG, None),
        (Conditions(if_none_match="*", if_modified_since=LATER), None, None),
        (Conditions(if_none_match=OTHER, if_modified_since=LATER), ETAG, None),
    ],
)
def test_what_a_rename_replaces(conditions: Conditions, etag: str | None, code: str | None) -> None:
    """A rename goes ahead or is refused by what it would put its source in place of."""
    if code is None:
        check_replaced(conditions, "k", etag, MODIFIED_MS)
        return
    assert code_of(check_replaced, conditions, "k", etag, MODIFIED_MS) == code


def test_conditions_are_read_from_headers() -> None:
    """The four headers are read, dates as seconds, and what is no date is ignored."""
    request = make_request(
        headers={
            "if-match": f'"{ETAG}"',
            "if-none-match": "*",
            "if-modified-since": format_http_date(MODIFIED_MS),
            "if-unmodified-since": "yesterday",
        }
    )
    assert read_conditions(request) == Conditions(f'"{ETAG}"', "*", MODIFIED, None)
    assert read_conditions(request, COPY_SOURCE) is None
    assert read_conditions(make_request()) is None


def test_what_changes_in_the_future_is_no_condition() -> None:
    """If-Modified-Since of a time that is not yet there is ignored."""
    tomorrow = (int(time.time()) + 86_400) * 1000
    request = make_request(headers={"if-modified-since": format_http_date(tomorrow)})
    assert read_conditions(request) == Conditions()


def test_conditions_of_a_copy_source_name_their_header() -> None:
    """A copy source's conditions come from their own headers and are named so in a refusal."""
    request = make_request(headers={"x-amz-copy-source-if-match": OTHER})
    conditions = read_conditions(request, COPY_SOURCE)
    assert conditions is not None
    with pytest.raises(S3Error) as refusal:
        check_source(conditions, ETAG, MODIFIED_MS)
    assert refusal.value.detail == {"Condition": "x-amz-copy-source-If-Match"}


@pytest.mark.parametrize(
    ("value", "size", "expected"),
    [
        (None, 10, None),
        ("", 10, None),
        ("bytes=0-4", 10, ByteRange(0, 4)),
        ("bytes=0-0", 10, ByteRange(0, 0)),
        ("bytes=5-", 10, ByteRange(5, 9)),
        ("bytes=5-100", 10, ByteRange(5, 9)),
        ("bytes=9-9", 10, ByteRange(9, 9)),
        ("bytes=-3", 10, ByteRange(7, 9)),
        ("bytes=-100", 10, ByteRange(0, 9)),
        ("bytes=0-99999999999999999999", 10, ByteRange(0, 9)),
        ("Bytes = 1 - 2", 10, ByteRange(1, 2)),
        # Not byte ranges, or several: the whole object.
        ("bytes=5-2", 10, None),
        ("bytes=0-1,3-4", 10, None),
        ("bytes=-", 10, None),
        ("bytes=a-b", 10, None),
        ("bytes=1", 10, None),
        ("items=0-1", 10, None),
        ("bytes=0-1-2", 10, None),
        ("bytes=--1", 10, None),
        ("bytes=٣-٤", 10, None),
        ("bytes=" + "1" * 5000 + "-", 10, None),
    ],
)
def test_ranges(value: str | None, size: int, expected: ByteRange | None) -> None:
    """One byte range is cut to the object; anything else means all of it."""
    assert parse_range(value, size) == expected


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("bytes=10-", 10),
        ("bytes=10-20", 10),
        ("bytes=-0", 10),
        ("bytes=0-", 0),
        ("bytes=0-0", 0),
        ("bytes=-5", 0),
        ("bytes=40-50", 0),
    ],
)
def test_ranges_past_the_end(value: str, size: int) -> None:
    """A range that holds no byte is 416 and tells the object's size."""
    with pytest.raises(S3Error) as refusal:
        parse_range(value, size)
    assert (refusal.value.code, refusal.value.status) == ("InvalidRange", 416)
    assert refusal.value.detail == {"RangeRequested": value, "ActualObjectSize": str(size)}


@given(first=st.integers(0, 30), last=st.integers(0, 30), size=st.integers(0, 20))
def test_a_range_selects_what_slicing_would(first: int, last: int, size: int) -> None:
    """The bytes of a satisfiable range are exactly the slice it names."""
    data = bytes(range(size))
    wanted = data[first : last + 1]
    try:
        found = parse_range(f"bytes={first}-{last}", size)
    except S3Error:
        assert first >= size
        assert not wanted
        return
    if last < first:
        assert found is None
        return
    assert found is not None
    assert data[found.first : found.last + 1] == wanted
    assert found.length == len(wanted)
    assert found.content_range(size) == f"bytes {first}-{min(last, size - 1)}/{size}"


@given(value=st.text(max_size=20), size=st.integers(0, 100))
def test_no_text_upsets_the_range_reader(value: str, size: int) -> None:
    """Whatever a Range header says, the answer is a part, the whole, or 416."""
    for header in (value, f"bytes={value}"):
        if code_of(parse_range, header, size) != "InvalidRange":
            found = parse_range(header, size)
            assert found is None or 0 <= found.first <= found.last < size


def test_copy_ranges_are_exact() -> None:
    """A part copied from a range needs both ends, within the source."""
    assert parse_copy_range("bytes=0-4", 5) == ByteRange(0, 4)
    with pytest.raises(S3Error, match="not valid for source object of size: 5") as refusal:
        parse_copy_range("bytes=0-5", 5)
    assert refusal.value.detail["ArgumentValue"] == "bytes=0-5"
    assert code_of(parse_copy_range, "bytes=5-9", 5) == "InvalidRequest"
    for value in ("bytes=0-", "bytes=-3", "bytes=3-1", "0-4", "bytes=0-1,2-3", "bytes 0-4", ""):
        with pytest.raises(S3Error, match="must be of the form") as refusal:
            parse_copy_range(value, 5)
        assert refusal.value.code == "InvalidArgument"


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        (None, True),
        (f'"{ETAG}"', True),
        (ETAG, True),
        (f'"{OTHER}"', False),
        (f'W/"{ETAG}"', False),
        (format_http_date(MODIFIED_MS), True),
        (format_http_date(MODIFIED_MS - 1000), False),
        (format_http_date(MODIFIED_MS + 1000), False),
        ("", False),
    ],
)
def test_if_range(value: str | None, holds: bool) -> None:
    """A range counts only while the object is the one the client knows."""
    assert if_range_holds(value, ETAG, MODIFIED_MS) is holds
