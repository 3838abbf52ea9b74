"""Claims about `iam.patterns`: the wildcards of policies."""

from __future__ import annotations

import fnmatch
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam import patterns
from iam.documents import DOCUMENT_BYTES_MAX
from iam.patterns import as_itself, compile_pattern
from s3api.operations.policy_question import VALUE_CHARACTERS_MAX

TEXT = st.text("ab/*?[", max_size=8)


@pytest.mark.parametrize(
    ("pattern", "text", "is_met"),
    [
        ("*", "", True),
        ("*", "a/b\nc", True),
        ("a/b", "a/b", True),
        ("a/b", "A/b", False),
        ("a/b", "a/b\n", False),
        ("a*", "abc", True),
        ("a*", "ba", False),
        ("*.jpg", "x.jpg", True),
        ("*.jpg", "x.jpg.txt", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a??", "ab", False),
        ("a*b*c", "a1b2b3c", True),
        ("a*b*c", "a1c2b", False),
        ("a*b*b", "ab", False),
        ("**", "", True),
        ("[a]", "[a]", True),
        ("[a]", "a", False),
        ("a.c", "abc", False),
        ("?", "\U0001f600", True),
    ],
)
def test_a_star_is_any_run_and_a_question_mark_any_one(
    pattern: str, text: str, is_met: bool
) -> None:
    """A pattern is met by the whole text or not at all, letter by letter."""
    assert bool(compile_pattern(pattern)(text)) is is_met


@given(TEXT, TEXT)
def test_patterns_agree_with_those_of_the_shell(pattern: str, text: str) -> None:
    """The quick forms and the expressions say what the standard library's matcher says."""
    as_shell = pattern.replace("[", "[[]")
    expected = re.match(fnmatch.translate(as_shell), text) is not None
    assert bool(compile_pattern(pattern)(text)) is expected


def test_no_text_makes_a_pattern_slow() -> None:
    """A pattern of many stars against a long text that almost meets it ends at once."""
    pattern, text = "*a" * 30 + "b", "a" * 1024
    started = time.process_time()
    assert not compile_pattern(pattern)(text)
    assert time.process_time() - started < 1


def test_the_longest_pattern_ends_soon_on_the_longest_value() -> None:
    """A policy of question marks against as much of a header as policies are asked about."""
    pattern, text = "*" + "a?" * (DOCUMENT_BYTES_MAX // 2) + "b", "a" * VALUE_CHARACTERS_MAX
    for short in (pattern[:1000] + "b*", pattern[:8000] + "b*", pattern):
        started = time.process_time()
        assert not compile_pattern(short)(text)
        assert time.process_time() - started < 1


@given(TEXT, TEXT)
def test_a_value_as_itself_is_no_pattern(value: str, text: str) -> None:
    """A value put into a pattern is met by itself only, whatever characters it has."""
    assert bool(compile_pattern(as_itself(value))(as_itself(text))) is (value == text)


def test_what_is_kept_of_patterns_is_bounded() -> None:
    """Of patterns that requests make with their values few are kept, and no long one."""
    kept = patterns._kept
    for number in range((kept.cache_parameters()["maxsize"] or 0) + 10):
        assert compile_pattern(f"home/{number}/*")(f"home/{number}/x")
    before = kept.cache_info()
    assert before.currsize == before.maxsize
    long = "a" * patterns.KEPT_CHARACTERS_MAX + "*"
    assert compile_pattern(long)(long)
    assert kept.cache_info() == before
