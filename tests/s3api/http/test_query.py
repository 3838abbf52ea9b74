"""What s3api.http.query promises: AWS's reading of a query string."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.errors import S3Error
from s3api.http.query import Query
from tests.s3api.refusals import code_of

pairs = st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=8)), max_size=6)


@given(items=pairs)
def test_every_pair_comes_back_in_order(items: list[tuple[str, str]]) -> None:
    """Names and values survive both ways of escaping a space."""
    for escape in (quote, quote_plus):
        raw = "&".join(f"{escape(name, safe='')}={escape(value, safe='')}" for name, value in items)
        query = Query(raw.encode())
        assert query.items() == items
        assert query.raw == raw.encode()
        assert bool(query) is bool(items)


@given(items=pairs)
def test_the_first_of_equal_names_wins(items: list[tuple[str, str]]) -> None:
    """A name given twice answers its first value."""
    raw = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in items)
    query = Query(raw.encode())
    first: dict[str, str] = {}
    for name, value in items:
        first.setdefault(name, value)
    assert {name: query.get(name) for name, _ in items} == first


def test_names_without_values() -> None:
    """`?acl`, `?acl=` and stray ampersands are read as AWS reads them."""
    query = Query(b"acl&&uploads=&prefix=a=b")
    assert query.items() == [("acl", ""), ("uploads", ""), ("prefix", "a=b")]
    assert "acl" in query
    assert query.get("acl") == ""
    assert query.get("tagging") is None
    assert "tagging" not in query


def test_plus_is_a_space() -> None:
    """`+` means a space, `%2B` a plus."""
    assert Query(b"prefix=a+b%2Bc").get("prefix") == "a b+c"


def test_nothing_is_an_empty_query() -> None:
    """No query string has no names and is false."""
    assert not Query(b"")
    assert Query(b"").items() == []


@pytest.mark.parametrize("raw", [b"prefix=%", b"%zz=1", b"prefix=%ff", b"prefix=\xff"])
def test_broken_escapes_are_refused(raw: bytes) -> None:
    """A query that cannot be decoded is InvalidURI."""
    with pytest.raises(S3Error) as refusal:
        Query(raw)
    assert refusal.value.code == "InvalidURI"


@given(raw=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """No query string raises anything but S3Error."""
    assert code_of(Query, raw) in {None, "InvalidURI"}
