"""What s3api.http.dates promises: HTTP's three date forms, SigV4's, and nothing else."""

from __future__ import annotations

import email.utils
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.http import dates

moments = st.integers(0, 253_402_300_799)  # to the end of the year 9999


@pytest.mark.parametrize(
    "value",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 -0000",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        " Sun, 06 Nov 1994 08:49:37 GMT ",
    ],
)
def test_all_forms_of_one_moment(value: str) -> None:
    """RFC 9110's three forms, and mail's spellings of GMT, are the same moment."""
    assert dates.parse_http_date(value) == 784_111_777


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 PST",
        "Sun, 06 Nov 1994 08:49:37 +0100",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Xyz 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
        "784111777",
    ],
)
def test_what_is_no_date(value: str) -> None:
    """Anything else is no date at all."""
    assert dates.parse_http_date(value) is None


def test_two_digit_years_lean_to_the_past() -> None:
    """A two-digit year more than fifty years ahead is in the last century."""
    this_year = time.gmtime().tm_year
    near, far = (this_year + 49) % 100, (this_year + 51) % 100
    for short, full in ((near, this_year + 49), (far, this_year - 49)):
        parsed = dates.parse_http_date(f"Sunday, 06-Nov-{short:02} 08:49:37 GMT")
        assert parsed is not None
        assert time.gmtime(parsed).tm_year == full


@given(moment=moments)
def test_what_is_written_is_read(moment: int) -> None:
    """Every moment survives writing and reading, and reads the same to the standard library."""
    text = dates.format_http_date(moment * 1000 + 999)
    assert text == email.utils.formatdate(moment, usegmt=True)
    assert dates.parse_http_date(text) == moment
    assert dates.parse_iso_basic(dates.format_iso_basic(moment)) == moment


def test_basic_form() -> None:
    """SigV4's form is exactly yyyyMMddTHHmmssZ."""
    assert dates.parse_iso_basic("20130524T000000Z") == 1_369_353_600
    assert dates.format_iso_basic(1_369_353_600) == "20130524T000000Z"
    assert dates.format_iso(1_369_353_600.9) == "2013-05-24T00:00:00Z"
    for value in (
        "20130524T000000",
        "2013-05-24T00:00:00Z",
        "20130532T000000Z",
        "٢0130524T000000Z",
    ):
        assert dates.parse_iso_basic(value) is None
    assert dates.parse_iso(value) is None


def test_extended_form() -> None:
    """ISO 8601 in UTC, fractions of a second or not; no other zone and no other separator."""
    for value in ("2013-05-24T00:00:00Z", "2013-05-24T00:00:00.000Z", "2013-05-24T00:00:00.9Z"):
        assert dates.parse_iso(value) == 1_369_353_600
    for value in (
        "2013-05-24T00:00:00",
        "2013-05-24 00:00:00Z",
        "2013-05-24T00:00:00+00:00",
        "2013-05-32T00:00:00Z",
        "2013-05-24T00:00:00.Z",
        "20130524T000000Z",
    ):
        assert dates.parse_iso(value) is None


@given(value=st.text(max_size=40))
def test_no_text_upsets_the_readers(value: str) -> None:
    """Whatever stands in a date header is a date or is not."""
    assert dates.parse_http_date(value) is None
    assert dates.parse_iso_basic(value) is None
    assert dates.parse_iso(value) is None
