"""The values of the index tables, and how they may grow."""

from __future__ import annotations

import itertools

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from storage_engine import LockMode, ObjectAttributes, ObjectLock, rows

texts = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)
attributes = st.builds(
    ObjectAttributes,
    etag=st.text(max_size=40),
    headers=texts,
    checksums=texts,
    checksum_type=st.text(max_size=8),
    owner=st.text(max_size=64),
    tags=texts,
)
u63 = st.integers(0, 2**63 - 1)
payloads = st.one_of(st.none(), u63, st.binary(min_size=32, max_size=32))
entries = st.builds(
    rows.Entry,
    size=u63,
    modified_ms=u63,
    payload=payloads,
    part_count=st.just(0),
    attributes=attributes,
    object_id=u63,
    version=u63,
    is_null=st.booleans(),
    is_marker=st.booleans(),
    null_behind=st.one_of(st.none(), u63),
    retain_mode=st.sampled_from(LockMode),
    retain_until_ms=u63,
    has_hold=st.booleans(),
    had_hold=st.booleans(),
)


@given(entries)
def test_an_entry_comes_back_as_it_was(entry: rows.Entry) -> None:
    """Every field of an entry survives, whatever the kind of its payload."""
    assert rows.decode_entry(rows.encode(entry)) == entry


@given(entries)
def test_an_entry_says_what_callers_may_know(entry: rows.Entry) -> None:
    """Id and lock are shown as they are; without mode, and hold now or once, there is no lock."""
    info = entry.info("k", is_latest=False)
    assert (info.is_latest, info.is_marker) == (False, entry.is_marker)
    assert (info.version_id == "null") == entry.is_null
    is_locked = entry.has_hold or entry.retain_mode is not LockMode.NONE
    assert entry.is_locked == is_locked
    assert (is_locked or entry.had_hold) == (info.lock != ObjectLock())


@given(entries)
def test_an_entry_from_before_versions_is_a_null_version(entry: rows.Entry) -> None:
    """An entry without the fields of versions and locks is a null version without either."""
    fields = msgspec.msgpack.decode(rows.encode(entry))
    old = rows.decode_entry(msgspec.msgpack.encode(fields[:5]))
    assert (old.version_id, old.object_id, old.null_behind) == ("null", 0, None)
    assert (old.is_marker, old.is_locked) == (False, False)


@given(entries)
def test_what_listings_show_is_the_beginning_of_a_row(entry: rows.Entry) -> None:
    """Read in part, a row of today or of before says what the whole row says."""
    fields = msgspec.msgpack.decode(rows.encode(entry))
    for written in (fields, fields[:5]):
        row = msgspec.msgpack.encode(written)
        whole, listed = rows.decode_entry(row), rows.decode_listed(row)
        assert listed.version_id == whole.version_id
        for name in ("size", "modified_ms", "part_count", "object_id", "version", "is_marker"):
            assert getattr(listed, name) == getattr(whole, name)
        for name in ("etag", "checksums", "checksum_type", "owner", "storage_class"):
            assert getattr(listed.attributes, name) == getattr(whole.attributes, name)


@given(entries)
def test_an_entry_of_tomorrow_is_read_today(entry: rows.Entry) -> None:
    """Fields that a later version adds at the end do not disturb this one."""
    fields = msgspec.msgpack.decode(rows.encode(entry))
    assert rows.decode_entry(msgspec.msgpack.encode([*fields, "later", 7])) == entry


@given(attributes)
def test_attributes_of_yesterday_are_read_today(kept: ObjectAttributes) -> None:
    """Attributes written before a field existed get its default."""
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(kept))
    older = msgspec.msgpack.decode(msgspec.msgpack.encode(fields[:2]), type=ObjectAttributes)
    assert older == ObjectAttributes(etag=kept.etag, headers=kept.headers)


@given(st.lists(st.tuples(st.integers(1, 10_000), st.integers(0, 2**40)), min_size=1, max_size=50))
def test_a_manifest_knows_where_each_part_ends(parts: list[tuple[int, int]]) -> None:
    """Numbers and sizes can be told from a manifest that was stored."""
    manifest = rows.decode_manifest(rows.encode(rows.pack_manifest(parts)))
    ends = [0, *manifest.part_ends()]
    sizes = [end - start for start, end in itertools.pairwise(ends)]
    assert list(zip(manifest.part_numbers(), sizes, strict=True)) == parts


def test_only_a_blob_shows_its_sha256() -> None:
    """The upload id behind a multipart object is never taken for a SHA-256."""
    kept = ObjectAttributes(etag="", headers={})
    assert rows.Entry(1, 0, b"x" * 32, 0, kept).info("k").sha256 == b"x" * 32
    assert rows.Entry(1, 0, b"x" * 16, 2, kept).info("k").sha256 is None
    assert rows.Entry(1, 0, 5, 0, kept).info("k").sha256 is None
