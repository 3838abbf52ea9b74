"""Texts, numbers, dates and names that have upset servers before, and random ones beside them."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

WIDE: Final = ["é", "e\u0301", "\U0001d11e", "\u202e", "\ufeff", "\u00a0", "\u0661", "ß", "\uffff"]
NASTY: Final = [
    *("", " ", "\t", "null", "none", "true", "TRUE", "*", "-", "~", ".", "..", "../..", "/", "//"),
    *("#", "?", "&", "&amp;", "=", "%", "%00", "%zz", "%2F", "%25", "+", ";", ",", '"', "'", "\\"),
    *("<", ">", "]]>", "<!--", "\x00", "\x01", "\r\n", "\n", "\x7f", "a=b", "a&b", "a=b&c=d"),
    *("a" * 1024, "a" * 1025, "a" * 3000, "é" * 512, "é" * 513, "/" * 1024, "_x", "x-amz-"),
    *WIDE,
]
PLAIN: Final = ["a", "plain", "dir/", "1", "x-y", "text/plain"]
NUMBERS: Final = [
    *("0", "1", "2", "3", "5", "10", "999", "1000", "1001", "10000", "10001", "604800", "604801"),
    *("2147483647", "2147483648", "9223372036854775807", "9223372036854775808", "-1", "-0", "+1"),
    *("9" * 19, "9" * 20, "9" * 30, "9" * 5000, "0" * 5000, "0" * 5000 + "1", "-" + "9" * 5000),
    *(
        "",
        " ",
        "1.0",
        "1e3",
        "0x10",
        "1_000",
        "\u0661",
        "\u00b2",
        "NaN",
        "inf",
        "one",
        " 1 ",
        "1 1",
    ),
]
DATES: Final = [
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
    "Sun, 06 Nov 2094 08:49:37 GMT",
    "Fri, 31 Feb 2024 00:00:00 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Mon, 01 Jan 0001 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    *("2024-01-01T00:00:00Z", "2024-01-01T00:00:00.123Z", "2024-01-01", "20240101T000000Z"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2024-W01-1", "2024-13-01", "now"),
    *("1700000000", "-1", "2024-01-01T24:00:00Z", "2024-01-01T00:00:60Z", "00000000T000000Z"),
    *("99991231T235959Z", "00010101T000000Z", "20130524T000000Z"),
]
RANGES: Final = [
    *("bytes=0-0", "bytes=0-", "bytes=-1", "bytes=-0", "bytes=-", "bytes=5-2", "bytes=0-99999999"),
    *("bytes=99999999-", "bytes=0-1,3-4", "bytes = 0 - 1", "items=0-1", "bytes=0x0-1", "0-1"),
    *("bytes=" + "9" * 40 + "-", "bytes=0-" + "9" * 40, "bytes=-" + "9" * 5000, "bytes=--1"),
]
ETAGS: Final = [
    *(
        "*",
        '"*"',
        '""',
        "W/",
        'W/"x"',
        '"a","b"',
        "a, *",
        ",",
        '"d41d8cd98f00b204e9800998ecf8427e"',
    ),
]


@st.composite
def mostly(
    draw: st.DrawFn, usual: st.SearchStrategy[str], other: st.SearchStrategy[str], of: int = 3
) -> str:
    """Draw the usual but for one time of `of`, so that what depends on it is reached.

    (`one_of` takes a strategy that is given twice as given once.)
    """
    return draw(other if draw(st.sampled_from(range(of))) == 0 else usual)


def chosen(*lists: list[str]) -> st.SearchStrategy[str]:
    """Draw from lists."""
    return st.sampled_from([text for texts in lists for text in texts])


anything: Final = st.one_of(chosen(NASTY), st.text(max_size=12), chosen(NUMBERS))
numbers: Final = st.one_of(st.integers(-2, 1100).map(str), chosen(NUMBERS), anything)
dates: Final = st.one_of(chosen(DATES), anything)
ranges: Final = st.one_of(
    chosen(RANGES),
    st.builds("bytes={}-{}".format, st.integers(0, 99), st.integers(0, 99)),
    anything,
)
raw_bytes: Final = st.binary(max_size=40)


def header_bytes(text: str) -> bytes:
    """Make a header's value of a text: what HTTP's parser would have let through (RFC 9110 5.5)."""
    raw = text.encode("utf-8", "surrogatepass")
    return bytes(byte for byte in raw if byte == 9 or (byte >= 32 and byte != 127)).strip()
