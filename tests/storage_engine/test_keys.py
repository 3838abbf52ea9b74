"""Every index key: decodes to what was encoded, sorts as what it means, fits into LMDB."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_engine import keys
from storage_engine.limits import (
    DUE_SUBJECT_BYTES_MAX,
    KEY_BYTES_MAX,
    LMDB_KEY_BYTES_MAX,
    NAME_BYTES_MAX,
)
from tests.storage_engine.key_strategies import object_keys

U64 = st.integers(0, 2**64 - 1)
UPLOAD_IDS = st.binary(min_size=keys.UPLOAD_ID_BYTES, max_size=keys.UPLOAD_ID_BYTES)
PART_NUMBERS = st.integers(1, 10_000)
DUES = st.tuples(U64, st.integers(0, 255), st.binary(max_size=DUE_SUBJECT_BYTES_MAX))


@given(st.tuples(U64, U64), st.tuples(U64, U64))
def test_versions_of_a_key_sort_newest_first(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    """Versions decode to what they were, lie together by key, and larger numbers come first."""
    assert keys.version_parts(keys.version(*first)) == first
    in_order = (first[0], -first[1]) < (second[0], -second[1])
    assert (keys.version(*first) < keys.version(*second)) == in_order


@given(U64, U64)
def test_sequences_decode_and_sort_as_numbers(first: int, second: int) -> None:
    """An encoded number decodes to itself and sorts as the number does."""
    assert keys.sequence_number(keys.sequence(first)) == first
    assert (keys.sequence(first) < keys.sequence(second)) == (first < second)


@given(st.tuples(U64, UPLOAD_IDS), st.tuples(U64, UPLOAD_IDS))
def test_open_uploads_decode_and_sort(first: tuple[int, bytes], second: tuple[int, bytes]) -> None:
    """An open upload's place decodes to itself and sorts by name, then by upload id."""
    assert keys.open_upload_parts(keys.open_upload(*first)) == first
    assert (keys.open_upload(*first) < keys.open_upload(*second)) == (first < second)


@given(st.tuples(UPLOAD_IDS, PART_NUMBERS), st.tuples(UPLOAD_IDS, PART_NUMBERS))
def test_parts_decode_and_sort(first: tuple[bytes, int], second: tuple[bytes, int]) -> None:
    """A part's key begins with its upload's key and sorts by part number within it."""
    assert keys.part(*first).startswith(keys.upload(first[0]))
    assert keys.part_number(keys.part(*first)) == first[1]
    assert (keys.part(*first) < keys.part(*second)) == (first < second)


@given(DUES, DUES)
def test_deadlines_decode_and_sort(
    first: tuple[int, int, bytes], second: tuple[int, int, bytes]
) -> None:
    """A deadline decodes to itself, sorts by time first, and fits into an LMDB key."""
    assert keys.due_parts(keys.due(*first)) == first
    assert (keys.due(*first) < keys.due(*second)) == (first < second)
    assert len(keys.due(*first)) <= LMDB_KEY_BYTES_MAX


@given(st.tuples(U64, U64, st.binary(max_size=9)), st.tuples(U64, U64, st.binary(max_size=9)))
def test_entries_sort_by_bucket_then_directory(
    first: tuple[int, int, bytes], second: tuple[int, int, bytes]
) -> None:
    """An entry begins with its directory, and entries sort by bucket, directory and name."""
    assert keys.entry(*first).startswith(keys.directory(*first[:2]))
    assert len(keys.directory(*first[:2])) == keys.DIRECTORY_BYTES
    assert (keys.entry(*first) < keys.entry(*second)) == (first < second)


@pytest.mark.parametrize(
    ("key", "names"),
    [
        (b"a", [b"a"]),
        (b"a/", [b"a/", b""]),
        (b"a/b", [b"a/", b"b"]),
        (b"a//b", [b"a/", b"/", b"b"]),
        (b"/a", [b"/", b"a"]),
        (b"//", [b"/", b"/", b""]),
        (b"x" * 400, [b"x" * 400]),
        (b"x" * 399 + b"/", [b"x" * 399 + b"/", b""]),
        (b"x" * 400 + b"/", [b"x" * 400 + b"\x00", b"/", b""]),
        (b"x" * 400 + b"-", [b"x" * 400 + b"\x00", b"-"]),
        (b"x" * 801, [b"x" * 400 + b"\x00", b"x" * 400 + b"\x00", b"x"]),
    ],
)
def test_keys_are_split_as_the_format_says(key: bytes, names: list[bytes]) -> None:
    """The stored names of a key are those FORMAT.md gives."""
    assert keys.path_names(key) == names


@given(object_keys)
def test_stored_names_hold_the_whole_key(key: bytes) -> None:
    """Joined, the stored names are the key; all but the last lead on; each fits into LMDB."""
    names = keys.path_names(key)
    assert b"".join(keys.path_piece(name) for name in names) == key
    assert [keys.leads_on(name) for name in names] == [True] * (len(names) - 1) + [False]
    assert max(len(keys.entry(2**64 - 1, 2**64 - 1, name)) for name in names) < LMDB_KEY_BYTES_MAX


@given(object_keys, object_keys)
def test_stored_names_sort_as_the_keys_do(first: bytes, second: bytes) -> None:
    """Comparing stored names directory by directory gives the byte order of the keys."""
    assert (keys.path_names(first) < keys.path_names(second)) == (first < second)


def test_the_longest_keys_are_split_within_bounds() -> None:
    """A key of 1,024 slashes is 1,024 directories, one of 1,024 letters is two continuations."""
    assert keys.path_names(b"/" * KEY_BYTES_MAX) == [b"/"] * KEY_BYTES_MAX + [b""]
    assert [len(name) for name in keys.path_names(b"x" * KEY_BYTES_MAX)] == [
        NAME_BYTES_MAX + 1,
        NAME_BYTES_MAX + 1,
        KEY_BYTES_MAX - 2 * NAME_BYTES_MAX,
    ]


def test_ids_of_the_wrong_size_are_refused() -> None:
    """A hash, upload id or deadline subject that would break the order of keys is refused."""
    with pytest.raises(AssertionError):
        keys.blob(b"short")
    with pytest.raises(AssertionError):
        keys.upload(b"short")
    with pytest.raises(AssertionError):
        keys.open_upload_parts(b"short")
    with pytest.raises(AssertionError):
        keys.due(0, 0, b"x" * (DUE_SUBJECT_BYTES_MAX + 1))


def test_blobs_and_meta_keep_their_names() -> None:
    """A blob's key is its hash; a single value's key is its ASCII name, and tables are distinct."""
    assert keys.blob(bytes(range(32))) == bytes(range(32))
    assert keys.meta("journal_tail") == b"journal_tail"
    assert len({str(table) for table in keys.Table}) == len(keys.Table)
    with pytest.raises(UnicodeEncodeError):
        keys.meta("é")
