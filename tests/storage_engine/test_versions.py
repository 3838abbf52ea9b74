"""Which version goes, which becomes current, and what guards and callers are told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage_engine import (
    Deletion,
    InvalidVersionId,
    IsDeleteMarker,
    KeyDeleted,
    NamespaceClosed,
    NamespaceCounts,
    NamespaceNotEmpty,
    NoSuchVersion,
    ObjectAttributes,
    ObjectRef,
    Versioning,
)
from tests.storage_engine.engine_steps import BUCKET, attributes, get, noise, put, put_multipart

if TYPE_CHECKING:
    from storage_engine import ObjectInfo, StorageEngine

ENABLED, SUSPENDED = Versioning.ENABLED, Versioning.SUSPENDED


def put_version(
    engine: StorageEngine, data: bytes, versioning: Versioning = ENABLED, key: str = "k"
) -> ObjectInfo:
    """Put a version and wait."""
    blob = engine.stage_bytes(data)
    return engine.put_object(BUCKET, key, blob, attributes(data), versioning=versioning).result()


def read(engine: StorageEngine, version_id: str | None = None) -> bytes:
    """Read a version of the key whole."""
    with engine.open_object(BUCKET, "k", version_id) as reader:
        return reader.read(0, reader.info.size)


def ids(engine: StorageEngine) -> list[str]:
    """List the ids of the key's versions."""
    return [info.version_id for info in engine.list_versions(BUCKET).versions]


def test_versions_are_kept_newest_first(engine: StorageEngine) -> None:
    """Each put adds a version with an id of its own; all stay readable, in order of their puts."""
    old = put(engine, "k", noise(5000))
    made = [put_version(engine, b"%d" % number) for number in range(5)]
    assert ids(engine) == [info.version_id for info in reversed(made)] + ["null"]
    assert [read(engine, info.version_id) for info in made] == [b"%d" % n for n in range(5)]
    assert (read(engine), read(engine, "null")) == (b"4", noise(5000))
    assert engine.head_object(BUCKET, "k", "null").modified_ms == old.modified_ms
    assert engine.namespace_counts(BUCKET) == NamespaceCounts(1, 5005, versions=6)
    page = engine.list_versions(BUCKET)
    assert [info.is_latest for info in page.versions] == [True] + [False] * 5


def test_a_marker_hides_the_object_and_its_removal_brings_it_back(engine: StorageEngine) -> None:
    """A delete adds a marker; what asks for the key is told of it; without it all is as before."""
    made = put_version(engine, b"data")
    owner = ObjectAttributes(etag="", headers={}, owner="me")
    marker = engine.delete_object(BUCKET, "k", versioning=ENABLED, marker=owner).result()
    assert marker is not None
    assert (marker.is_marker, marker.owner, marker.size) == (True, "me", 0)
    with pytest.raises(KeyDeleted) as hidden:
        engine.head_object(BUCKET, "k")
    with pytest.raises(IsDeleteMarker) as named:
        engine.open_object(BUCKET, "k", marker.version_id)
    for told in (hidden.value, named.value):
        assert (told.key, told.version_id, told.modified_ms) == (
            "k",
            marker.version_id,
            marker.modified_ms,
        )
    assert engine.list_objects(BUCKET).objects == []
    seen: list[ObjectInfo | None] = []
    engine.delete_object(BUCKET, "k", guard=seen.append, versioning=ENABLED).result()
    assert seen == [None]
    newest = engine.list_versions(BUCKET, limit=1).versions[0]
    engine.delete_version(BUCKET, "k", newest.version_id).result()
    assert engine.delete_version(BUCKET, "k", marker.version_id).result() == marker
    assert engine.head_object(BUCKET, "k") == made


def test_suspended_puts_replace_the_null_version_wherever_it_is(engine: StorageEngine) -> None:
    """There is one null version at most: the one put last, in the order of puts."""
    put(engine, "k", b"first")
    kept = put_version(engine, b"kept").version_id
    put_version(engine, b"second", SUSPENDED)
    assert ids(engine) == ["null", kept]
    newer = put_version(engine, b"newer").version_id
    assert (ids(engine), read(engine, "null")) == ([newer, "null", kept], b"second")
    engine.delete_object(BUCKET, "k", versioning=SUSPENDED).result()
    assert ids(engine) == ["null", newer, kept]
    with pytest.raises(IsDeleteMarker):
        engine.head_object(BUCKET, "k", "null")
    engine.delete_version(BUCKET, "k", "null").result()
    assert (ids(engine), read(engine)) == ([newer, kept], b"newer")


def test_a_put_that_knows_of_no_versions_destroys_none(engine: StorageEngine) -> None:
    """Who takes the bucket for unversioned replaces or hides the null version only."""
    kept = put_version(engine, b"kept").version_id
    put(engine, "k", b"null")
    assert ids(engine) == ["null", kept]
    marker = engine.delete_object(BUCKET, "k").result()
    assert marker is not None
    assert (marker.is_marker, ids(engine)) == (True, ["null", kept])


def test_nothing_stays_of_a_key_without_versions(engine: StorageEngine) -> None:
    """When the last version goes, marker or not, bucket and totals are as if it had never been."""
    put_version(engine, noise(5000))
    put_version(engine, b"small", SUSPENDED)
    engine.delete_object(BUCKET, "k", versioning=ENABLED).result()
    with pytest.raises(NamespaceNotEmpty):
        engine.close_namespace(BUCKET).result()
    outcomes = engine.delete_objects(BUCKET, [Deletion("k", None, id_) for id_ in ids(engine)])
    assert [info.is_marker for info in outcomes.result() if info is not None] == [
        True,
        False,
        False,
    ]
    assert engine.namespace_counts(BUCKET) == NamespaceCounts()
    assert engine.stats().blobs == 0
    engine.close_namespace(BUCKET).result()
    with pytest.raises(NamespaceClosed):
        engine.delete_version(BUCKET, "k", "null").result()


def test_deleting_what_never_was_leaves_a_marker(engine: StorageEngine) -> None:
    """Where versions are kept, or were, a delete makes a marker even of an absent key."""
    for key, versioning in (("e", ENABLED), ("s", SUSPENDED)):
        made = engine.delete_object(BUCKET, key, versioning=versioning).result()
        assert made is not None
        assert made.is_marker
        assert (made.version_id == "null") == (versioning is SUSPENDED)
    assert engine.delete_object(BUCKET, "u").result() is None
    assert engine.namespace_counts(BUCKET) == NamespaceCounts(versions=2, markers=2)


@pytest.mark.parametrize("version_id", ["", "x", "NULL", "0" * 15, "0" * 17, "G" * 16, "A" * 16])
def test_what_can_be_no_id_names_no_version(engine: StorageEngine, version_id: str) -> None:
    """Anything but `null` and sixteen lower-case digits is refused everywhere."""
    put_version(engine, b"data")
    with pytest.raises(InvalidVersionId):
        engine.head_object(BUCKET, "k", version_id)
    with pytest.raises(InvalidVersionId):
        engine.delete_version(BUCKET, "k", version_id).result()
    if version_id:
        with pytest.raises(InvalidVersionId):
            engine.list_versions(BUCKET, after_key="k", after_version_id=version_id)


def test_an_id_of_another_version_names_none(engine: StorageEngine) -> None:
    """An id that no version has, or the place of the null version, is not found nor deleted."""
    put(engine, "k", b"null")
    put_version(engine, b"data")
    place = engine.list_versions(BUCKET).next_version_id
    for version_id in ("f" * 16, place):
        with pytest.raises(NoSuchVersion) as refusal:
            engine.head_object(BUCKET, "k", version_id)
        assert type(refusal.value) is NoSuchVersion
        assert (refusal.value.version_id, refusal.value.key) == (version_id, "k")
        assert engine.delete_version(BUCKET, "k", version_id).result() is None
    assert engine.namespace_counts(BUCKET).versions == 2


def test_a_version_can_be_copied_over_the_current_one(engine: StorageEngine) -> None:
    """Copying an old version onto its own key makes it current again, sharing its bytes."""
    pieces = [noise(3000, 1), noise(3000, 2)]
    put_multipart(engine, "k", pieces)
    put_version(engine, b"newer")
    target = ObjectRef(BUCKET, "k")
    made = engine.copy_object(
        target, target, lambda i: i.attributes, source_version_id="null", versioning=ENABLED
    ).result()
    assert (made.part_count, read(engine)) == (2, b"".join(pieces))
    engine.delete_version(BUCKET, "k", "null").result()
    assert get(engine, "k") == b"".join(pieces)
    assert len(engine.object_parts(BUCKET, "k", made.version_id).parts) == 2


def test_attributes_change_in_place(engine: StorageEngine) -> None:
    """Neither id nor time nor bytes change with the attributes, of any version."""
    old = put_version(engine, b"old")
    put_version(engine, b"new")
    changed = engine.set_attributes(
        BUCKET, "k", old.version_id, lambda info: attributes(info.etag.encode(), tagged="yes")
    ).result()
    assert changed.headers == {"tagged": "yes"}
    assert (changed.modified_ms, changed.version_id) == (old.modified_ms, old.version_id)
    assert read(engine, old.version_id) == b"old"
    assert engine.head_object(BUCKET, "k", old.version_id) == changed
