"""What leads to a directory: an id, and a bound of the length of keys below."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from storage_engine import keys, links
from storage_engine.limits import KEY_BYTES_MAX


@given(st.integers(0, 2**64 - 1), st.integers(0, KEY_BYTES_MAX))
def test_a_link_keeps_both(directory_id: int, longest: int) -> None:
    """Id and bound come back as they were packed, in ten bytes."""
    link = links.pack(keys.sequence(directory_id), longest)
    assert len(link) == links.LINK_BYTES
    assert links.child(link) == keys.sequence(directory_id)
    assert links.longest(link) == longest
