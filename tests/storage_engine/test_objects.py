"""Objects: what put, delete and copy do to names, totals and guards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage_engine import (
    InvalidKey,
    KeyTooLong,
    NamespaceClosed,
    NamespaceCounts,
    NamespaceNotEmpty,
    NoSuchKey,
    ObjectAttributes,
    ObjectInfo,
    ObjectRef,
)
from tests.storage_engine.engine_steps import (
    BUCKET,
    attributes,
    get,
    noise,
    put,
    put_multipart,
)

if TYPE_CHECKING:
    from storage_engine import StorageEngine

SIZES = [0, 10, 5000]
HARD_KEYS = ["a", "a/", "a/b", "a//b", "/a", "//", "é" * 512, "x" * 1024, "\x00", "\U0010ffff"]


class Refused(Exception):  # noqa: N818  # what a caller's guard may raise
    """The guard did not like what it saw."""


def only_if_absent(current: ObjectInfo | None) -> None:
    """Refuse to overwrite."""
    if current is not None:
        raise Refused


@pytest.mark.parametrize("size", SIZES)
def test_an_object_comes_back_as_it_was_put(engine: StorageEngine, size: int) -> None:
    """Bytes, attributes, size and time come back, inline or not."""
    data = noise(size)
    kept = ObjectAttributes(
        etag="e", headers={"content-type": "x"}, checksums={"CRC32": "y"}, owner="o"
    )
    made = engine.put_object(BUCKET, "k", engine.stage_bytes(data), kept).result()
    found = engine.head_object(BUCKET, "k")
    assert found == made
    assert (found.key, found.size, found.attributes) == ("k", size, kept)
    assert (found.etag, found.headers, found.owner) == ("e", {"content-type": "x"}, "o")
    assert found.checksums == {"CRC32": "y"}
    assert (found.part_count, found.version_id) == (0, "null")
    assert get(engine, "k") == data


def test_hard_keys_are_all_distinct(engine: StorageEngine) -> None:
    """Every legal key is an object of its own, and so are equal keys of two namespaces."""
    for n, key in enumerate(HARD_KEYS):
        put(engine, key, b"%d" % n)
        put(engine, key, b"other", bucket_id=2)
    assert [get(engine, key) for key in HARD_KEYS] == [b"%d" % n for n in range(len(HARD_KEYS))]
    assert [info.key for info in engine.list_objects(BUCKET).objects] == sorted(
        HARD_KEYS, key=str.encode
    )


@pytest.mark.parametrize("old", SIZES)
@pytest.mark.parametrize("new", SIZES)
def test_an_overwrite_replaces_bytes_and_totals(engine: StorageEngine, old: int, new: int) -> None:
    """After an overwrite only the new payload counts, whatever kinds the two were of."""
    put(engine, "k", noise(old, 1))
    put(engine, "k", noise(new, 2))
    assert get(engine, "k") == noise(new, 2)
    assert engine.namespace_counts(BUCKET) == NamespaceCounts(objects=1, bytes=new, versions=1)
    assert engine.stats().blobs + engine.stats().inline_payloads == (1 if new else 0)


def test_what_is_not_there_is_no_such_key(engine: StorageEngine) -> None:
    """Absent keys are NoSuchKey to read and None to delete, also where a directory is."""
    put(engine, "dir/file", b"x")
    for key in ("none", "dir", "dir/", "dir/file/x"):
        with pytest.raises(NoSuchKey):
            engine.head_object(BUCKET, key)
        with pytest.raises(NoSuchKey):
            engine.open_object(BUCKET, key)
        with pytest.raises(NoSuchKey):
            engine.object_parts(BUCKET, key)
        assert engine.delete_object(BUCKET, key).result() is None
    assert engine.namespace_counts(BUCKET).objects == 1


@pytest.mark.parametrize("size", SIZES)
def test_a_delete_leaves_nothing(engine: StorageEngine, size: int) -> None:
    """Deleting returns what was there and takes payload and totals along."""
    made = put(engine, "a/b", noise(size))
    assert engine.delete_object(BUCKET, "a/b").result() == made
    assert engine.namespace_counts(BUCKET) == NamespaceCounts()
    stats = engine.stats()
    assert (stats.blobs, stats.inline_payloads, stats.live_bytes) == (0, 0, 0)
    assert engine.list_objects(BUCKET).objects == []


def test_a_guard_sees_what_is_there_now(engine: StorageEngine) -> None:
    """Guards of put and delete get the current object, or None."""
    seen: list[ObjectInfo | None] = []
    made = put(engine, "k", b"1", guard=seen.append)
    again = put(engine, "k", b"2", guard=seen.append)
    engine.delete_object(BUCKET, "k", guard=seen.append).result()
    engine.delete_object(BUCKET, "k", guard=seen.append).result()
    assert seen == [None, made, again, None]


def test_a_guard_that_raises_changes_nothing(engine: StorageEngine) -> None:
    """What the guard raised comes through the future, and the object stays as it was."""
    made = put(engine, "k", b"1", guard=only_if_absent)
    with pytest.raises(Refused):
        put(engine, "k", noise(5000), guard=only_if_absent)
    with pytest.raises(Refused):
        engine.delete_object(BUCKET, "k", guard=only_if_absent).result()
    assert engine.head_object(BUCKET, "k") == made
    assert get(engine, "k") == b"1"


def test_many_deletes_have_an_outcome_each(engine: StorageEngine) -> None:
    """One call deletes what it may: each key gets its object, None, or its refusal."""
    kept, gone = put(engine, "kept", b"1"), put(engine, "gone", b"2")
    outcomes = engine.delete_objects(
        BUCKET, [("gone", None), ("kept", only_if_absent), ("none", None), ("gone", None)]
    ).result()
    assert outcomes[0] == gone
    assert isinstance(outcomes[1], Refused)
    assert outcomes[2:] == [None, None]
    assert engine.list_objects(BUCKET).objects == [kept]
    assert engine.delete_objects(BUCKET, []).result() == []


@pytest.mark.parametrize("size", SIZES)
def test_a_copy_shares_the_bytes_and_outlives_its_source(engine: StorageEngine, size: int) -> None:
    """A copy has the attributes it was given, no payload of its own beyond inline ones."""
    put(engine, "source", noise(size))
    made = engine.copy_object(
        ObjectRef(BUCKET, "source"),
        ObjectRef(2, "target"),
        lambda info: attributes(info.key.encode(), kept="yes"),
    ).result()
    assert made.headers == {"kept": "yes"}
    assert engine.stats().blobs == (1 if size >= 64 else 0)
    engine.delete_object(BUCKET, "source").result()
    assert get(engine, "target", bucket_id=2) == noise(size)
    assert engine.namespace_counts(2) == NamespaceCounts(objects=1, bytes=size, versions=1)


@pytest.mark.parametrize("size", SIZES)
def test_a_copy_onto_itself_changes_only_the_attributes(engine: StorageEngine, size: int) -> None:
    """Source and target may be one object, which then keeps its bytes."""
    put(engine, "k", noise(size))
    target = ObjectRef(BUCKET, "k")
    made = engine.copy_object(target, target, lambda _: attributes(new="yes")).result()
    assert made.headers == {"new": "yes"}
    assert get(engine, "k") == noise(size)
    assert engine.namespace_counts(BUCKET) == NamespaceCounts(objects=1, bytes=size, versions=1)


def test_a_copy_of_many_parts_shares_its_manifest(engine: StorageEngine) -> None:
    """Copies of a multipart object share parts until the last of them goes."""
    pieces = [noise(3000, 1), noise(10, 2), noise(3000, 1)]
    put_multipart(engine, "source", pieces)
    source, target = ObjectRef(BUCKET, "source"), ObjectRef(BUCKET, "target")
    for _ in range(2):
        made = engine.copy_object(source, target, lambda info: info.attributes).result()
    engine.copy_object(target, target, lambda info: info.attributes).result()
    assert (made.part_count, made.size) == (3, 6010)
    engine.delete_object(*source).result()
    assert get(engine, "target") == b"".join(pieces)
    assert [part.size for part in engine.object_parts(*target).parts] == [3000, 10, 3000]
    engine.delete_object(*target).result()
    stats = engine.stats()
    assert (stats.blobs, stats.inline_payloads) == (0, 0)


def test_a_copy_asks_both_guards(engine: StorageEngine) -> None:
    """Either guard, an absent source, or a failure to make attributes refuses the copy."""
    put(engine, "source", b"x")
    source, target = ObjectRef(BUCKET, "source"), ObjectRef(BUCKET, "target")

    def broken(_info: ObjectInfo) -> ObjectAttributes:
        raise Refused

    with pytest.raises(NoSuchKey):
        engine.copy_object(target, source, lambda info: info.attributes).result()
    for arguments in ({"source_guard": only_if_absent}, {"guard": broken}):
        with pytest.raises(Refused):
            engine.copy_object(source, target, lambda i: i.attributes, **arguments).result()
    with pytest.raises(Refused):
        engine.copy_object(source, target, broken).result()
    assert engine.namespace_counts(BUCKET).objects == 1


def test_equal_content_is_stored_once(engine: StorageEngine) -> None:
    """Ten objects of one content in two namespaces are one blob, until the last is gone."""
    for n in range(10):
        put(engine, f"{n}", noise(5000), bucket_id=1 + n % 2)
    assert engine.stats().blobs == 1
    assert engine.stats().object_bytes == 50_000
    for n in range(9):
        engine.delete_object(1 + n % 2, f"{n}").result()
    assert get(engine, "9", bucket_id=2) == noise(5000)
    engine.delete_object(2, "9").result()
    assert engine.stats().blobs == 0


def test_a_closed_namespace_takes_nothing(engine: StorageEngine) -> None:
    """Only an empty namespace can be closed, open uploads go with it, and it stays closed."""
    put(engine, "k", b"x")
    upload = engine.create_upload(BUCKET, "m", attributes()).result()
    with pytest.raises(NamespaceNotEmpty):
        engine.close_namespace(BUCKET).result()
    engine.delete_object(BUCKET, "k").result()
    engine.close_namespace(BUCKET).result()
    engine.close_namespace(BUCKET).result()
    engine.close_namespace(99).result()
    for bucket_id in (BUCKET, 99):
        with pytest.raises(NamespaceClosed):
            put(engine, "k", b"x", bucket_id=bucket_id)
        with pytest.raises(NamespaceClosed):
            engine.create_upload(bucket_id, "k", attributes()).result()
        with pytest.raises(NamespaceClosed):
            engine.delete_object(bucket_id, "k").result()
    put(engine, "k", b"x", bucket_id=2)
    with pytest.raises(NamespaceClosed):
        engine.copy_object(
            ObjectRef(2, "k"), ObjectRef(BUCKET, "k"), lambda info: info.attributes
        ).result()
    assert engine.namespace_counts(BUCKET) == NamespaceCounts()
    assert engine.list_uploads(BUCKET).uploads == []
    assert upload.completed is None


def test_a_page_shows_objects_and_common_prefixes(engine: StorageEngine) -> None:
    """Listing rolls up at the delimiter, continues after what it returned, and ends."""
    for key in ("a", "b/1", "b/2", "c", "d/x/y"):
        put(engine, key, key.encode())
    page = engine.list_objects(BUCKET, delimiter="/", limit=2)
    assert ([info.key for info in page.objects], page.common_prefixes) == (["a"], ["b/"])
    assert (page.is_truncated, page.next_after) == (True, "b/")
    page = engine.list_objects(BUCKET, delimiter="/", after=page.next_after)
    assert ([info.key for info in page.objects], page.common_prefixes) == (["c"], ["d/"])
    assert not page.is_truncated
    page = engine.list_objects(BUCKET, prefix="b/", after="b/1")
    assert page.objects == [engine.head_object(BUCKET, "b/2")]
    assert engine.list_objects(7).next_after == ""


def test_a_key_that_cannot_be_is_refused(engine: StorageEngine) -> None:
    """Keys that are empty, too long, or no Unicode never reach the index."""
    refused = {"": InvalidKey, "x" * 1025: KeyTooLong, "\ud800": UnicodeEncodeError}
    for key, kind in refused.items():
        with pytest.raises(kind):
            put(engine, key, b"x")
    assert engine.namespace_counts(BUCKET).objects == 0
