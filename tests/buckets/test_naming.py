"""Bucket names: AWS's rules as a table, and a property that ties them together."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckets.naming import InvalidBucketName, check_bucket_name

GOOD = [
    "abc",
    "a.b",
    "0-9",
    "my-bucket.with.dots",
    "a" * 63,
    "1.2.3",
    "1.2.3.4.5",
    "a1.2.3.4",
    "192-168-5-4",
    "xn-abc",
    "sthree",
    "amzn-s3-demo",
    "s3alias",
    "bucket--ol-s3x",
    "mrap",
    "a--b",
]
BAD = [
    ("", "3 to 63"),
    ("ab", "3 to 63"),
    ("a" * 64, "3 to 63"),
    ("Abc", "lower-case"),
    ("my_bucket", "lower-case"),
    ("my bucket", "lower-case"),
    ("abc\n", "lower-case"),
    ("bücket", "lower-case"),
    ("١٢٣", "lower-case"),
    ("abc/def", "lower-case"),
    ("a\x00c", "lower-case"),
    ("-abc", "begins and ends"),
    (".abc", "begins and ends"),
    ("abc-", "begins and ends"),
    ("abc.", "begins and ends"),
    ("a..b", "two dots"),
    ("a.-b", "next to a dot"),
    ("foo-.bar", "next to a dot"),
    ("192.168.5.4", "IP address"),
    ("999.999.999.999", "IP address"),
    ("xn--abc", "prefixes"),
    ("sthree-abc", "prefixes"),
    ("sthree-configurator", "prefixes"),
    ("amzn-s3-demo-abc", "prefixes"),
    ("abc-s3alias", "suffixes"),
    ("abc--ol-s3", "suffixes"),
    ("abc.mrap", "suffixes"),
    ("abc--x-s3", "suffixes"),
    ("abc--table-s3", "suffixes"),
]


@pytest.mark.parametrize("name", GOOD)
def test_good_names_pass(name: str) -> None:
    """A name that keeps every rule is not refused."""
    check_bucket_name(name)


@pytest.mark.parametrize(("name", "reason"), BAD)
def test_bad_names_are_refused_with_the_reason(name: str, reason: str) -> None:
    """A name that breaks a rule is refused, and told which."""
    with pytest.raises(InvalidBucketName, match=reason):
        check_bucket_name(name)


@given(st.text(alphabet="aZ0.-_/\n\x00é٣", max_size=70) | st.text(max_size=70))
def test_whatever_passes_is_a_safe_host_label(name: str) -> None:
    """A name that passes is plain ASCII of bounded length that can stand before a domain."""
    try:
        check_bucket_name(name)
    except InvalidBucketName:
        return
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name)
    assert all(name.split("."))
