"""Claims about policies asked of all below a prefix: a rename moves what nobody listed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam.patterns import compile_pattern
from iam.resources import covers, touches

LETTERS = st.text("ab/", max_size=4)
PATTERNS = st.text("ab/*?", max_size=6)


@given(PATTERNS, LETTERS, LETTERS)
def test_what_covers_a_prefix_fits_all_below_it(pattern: str, prefix: str, rest: str) -> None:
    """A pattern is said to fit everything below a prefix only when it does."""
    if covers(pattern, prefix):
        assert compile_pattern(pattern)(prefix + rest)


@given(PATTERNS, LETTERS, LETTERS)
def test_what_fits_anything_below_a_prefix_touches_it(pattern: str, prefix: str, rest: str) -> None:
    """A pattern that fits anything below a prefix is never said to leave it alone."""
    if compile_pattern(pattern)(prefix + rest):
        assert touches(pattern, prefix)


@pytest.mark.parametrize(
    ("pattern", "is_covered"),
    [
        ("*", True),
        ("photos/team/*", True),
        ("*/team/*", True),
        ("ph?tos/team/fol*", True),
        ("photos/team/folder/", False),
        ("photos/team/folder/a*", False),
        ("photos/*/jpg", False),
        ("photos/${aws:username}/*", False),
    ],
)
def test_wildcards_may_stand_anywhere(pattern: str, is_covered: bool) -> None:
    """Whatever ends in an asterisk and fits the prefix itself fits all below it."""
    assert covers(pattern, "photos/team/folder/") is is_covered
