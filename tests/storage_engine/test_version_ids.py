"""Version ids: numbers as text that sorts as they do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from storage_engine.version_ids import version_number, version_position


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_version_ids_sort_as_their_numbers(first: int, second: int) -> None:
    """A version's number comes back from its id, and ids of one width sort as numbers do."""
    ids = version_position(first), version_position(second)
    assert [version_number(id_) for id_ in ids] == [first, second]
    assert (ids[0] < ids[1]) == (first < second)


@given(st.text(max_size=20))
def test_any_other_text_is_no_version_id(text: str) -> None:
    """What is read as a number is written as the same text again."""
    found = version_number(text)
    assert found is None or version_position(found) == text
