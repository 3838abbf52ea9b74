"""Times on the wire: written as S3 writes them, read in every form it takes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.protocol.timestamps import (
    exact_iso_date,
    http_date,
    iso_date,
    parse_iso_timestamp,
    parse_timestamp,
)

MILLIS = st.integers(min_value=0, max_value=253_402_300_799_999)  # up to the year 9999


@given(MILLIS)
def test_iso_dates_are_those_of_the_standard_library(millis: int) -> None:
    """The cached halves make the date that datetime makes, with S3's .000Z."""
    expected = datetime.fromtimestamp(millis // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert iso_date(millis) == expected


@given(MILLIS)
def test_what_is_written_is_read_back_to_the_second(millis: int) -> None:
    """Both forms lose the milliseconds and nothing else."""
    seconds = millis // 1000 * 1000
    assert parse_timestamp(iso_date(millis)) == seconds
    assert parse_timestamp(http_date(millis)) == seconds


@given(MILLIS)
def test_what_is_written_exactly_is_read_back(millis: int) -> None:
    """The end of a retention survives to the millisecond, by the form of S3's dates."""
    written = exact_iso_date(millis)
    assert parse_iso_timestamp(written) == parse_timestamp(written) == millis
    assert written[:20] + "000Z" == iso_date(millis)


@pytest.mark.parametrize("text", ["Mon, 12 Oct 2009 17:50:30 GMT", "2009", "soon", ""])
def test_a_date_of_iso_8601_is_nothing_else(text: str) -> None:
    """Where S3 wants ISO 8601, an HTTP date is none."""
    assert parse_iso_timestamp(text) is None


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("2009-10-12T17:50:30.000Z", 1_255_369_830_000),
        ("2009-10-12T17:50:30Z", 1_255_369_830_000),
        ("2009-10-12T17:50:30.250Z", 1_255_369_830_250),
        ("2009-10-12T19:50:30+02:00", 1_255_369_830_000),
        ("2009-10-12T17:50:30", 1_255_369_830_000),
        ("2009-10-12", 1_255_305_600_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999),
        ("Mon, 12 Oct 2009 17:50:30 GMT", 1_255_369_830_000),
        ("12 October", None),
        ("", None),
        ("2009-13-40", None),
    ],
)
def test_dates_are_read_in_the_forms_of_headers_and_documents(
    text: str, millis: int | None
) -> None:
    """ISO 8601 with or without a zone, HTTP dates, and nothing else."""
    assert parse_timestamp(text) == millis


@given(st.text(max_size=40))
def test_no_text_raises(text: str) -> None:
    """What is no date is None."""
    assert parse_timestamp(text) is None or isinstance(parse_timestamp(text), int)
