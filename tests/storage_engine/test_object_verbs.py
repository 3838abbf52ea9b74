"""What the verbs refuse of anybody: keys that are none, limits and ids beyond measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage_engine import (
    Deletion,
    InvalidKey,
    KeyTooLong,
    NoSuchKey,
    ObjectLock,
    ObjectRef,
    Quota,
    Versioning,
    listing,
)
from tests.storage_engine.engine_steps import BUCKET, attributes, get, problems, put, put_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage_engine import StorageEngine

NO_KEYS = [("", InvalidKey), ("k" * 1025, KeyTooLong), ("é" * 513, KeyTooLong)]
CHANGES: dict[str, Callable[[StorageEngine, str], object]] = {
    "put": lambda engine, key: put(engine, key, b"x"),
    "copy": lambda engine, key: engine.copy_object(
        ObjectRef(BUCKET, "k"), ObjectRef(BUCKET, key), lambda info: info.attributes
    ).result(),
    "copy from": lambda engine, key: engine.copy_object(
        ObjectRef(BUCKET, key), ObjectRef(BUCKET, "k"), lambda info: info.attributes
    ).result(),
    "delete": lambda engine, key: engine.delete_object(BUCKET, key).result(),
    "hide": lambda engine, key: engine.delete_object(
        BUCKET, key, versioning=Versioning.ENABLED
    ).result(),
    "delete version": lambda engine, key: engine.delete_version(BUCKET, key, "null").result(),
    "set attributes": lambda engine, key: engine.set_attributes(
        BUCKET, key, None, lambda info: info.attributes
    ).result(),
    "set lock": lambda engine, key: engine.set_lock(
        BUCKET, key, None, lambda _: ObjectLock()
    ).result(),
    "rename": lambda engine, key: engine.rename_object(BUCKET, "k", key).result(),
    "rename from": lambda engine, key: engine.rename_object(BUCKET, key, "l").result(),
    "create upload": lambda engine, key: engine.create_upload(BUCKET, key, attributes()).result(),
}


@pytest.mark.parametrize(("key", "error"), NO_KEYS)
@pytest.mark.parametrize("verb", CHANGES)
def test_what_can_be_no_key_is_refused(
    engine: StorageEngine, verb: str, key: str, error: type[InvalidKey]
) -> None:
    """Every verb that changes something says so, by type, and changes nothing."""
    put(engine, "k", b"x")
    with pytest.raises(error) as caught:
        CHANGES[verb](engine, key)
    assert caught.type is error
    assert [info.key for info in engine.list_versions(BUCKET).versions] == ["k"]
    assert problems(engine) == []


@pytest.mark.parametrize(("key", "error"), NO_KEYS)
def test_one_of_many_keys_that_can_be_none_keeps_no_other(
    engine: StorageEngine, key: str, error: type[InvalidKey]
) -> None:
    """In a deletion of several each key has its own outcome, and none is to be read."""
    put(engine, "k", b"x")
    refused, deleted = engine.delete_objects(BUCKET, [Deletion(key), Deletion("k")]).result()
    assert type(refused) is error
    assert deleted is not None
    assert engine.list_objects(BUCKET).objects == []
    with pytest.raises(NoSuchKey):
        engine.head_object(BUCKET, key)
    with pytest.raises(NoSuchKey):
        engine.open_object(BUCKET, key)


def test_the_longest_key_is_one(engine: StorageEngine) -> None:
    """1,024 bytes are a key, in one piece or in directories."""
    for key in ("k" * 1024, "é" * 512, "/" * 1024):
        put(engine, key, b"x")
        assert get(engine, key) == b"x"
    assert problems(engine) == []


@pytest.mark.parametrize("limit", [2**31, 2**63, 10**30])
def test_a_page_has_its_bound_whatever_is_asked_for(
    engine: StorageEngine, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """A limit beyond measure is one of 100,000; what is left follows."""
    monkeypatch.setattr(listing, "PAGE_ITEMS_MAX", 2)
    for n in range(3):
        put(engine, f"k{n}", b"x")
        upload = engine.create_upload(BUCKET, "u", attributes()).result()
    for n in range(1, 4):
        put_part(engine, "u", upload.upload_id, n, b"x")
    objects = engine.list_objects(BUCKET, limit=limit)
    versions = engine.list_versions(BUCKET, limit=limit)
    uploads = engine.list_uploads(BUCKET, limit=limit)
    parts = engine.list_parts(BUCKET, "u", upload.upload_id, limit=limit)
    assert len(objects.objects) == len(versions.versions) == 2
    assert len(uploads.uploads) == len(parts.parts) == 2
    for page in (objects, versions, uploads, parts):
        assert page.is_truncated


@pytest.mark.parametrize("limit", [0, -1, -(2**63), -(10**30)])
def test_a_page_of_less_than_nothing_is_empty(engine: StorageEngine, limit: int) -> None:
    """No limit below 1 is an error: the page has nothing, and nothing follows."""
    put(engine, "k", b"x")
    upload = engine.create_upload(BUCKET, "u", attributes()).result()
    put_part(engine, "u", upload.upload_id, 1, b"x")
    assert engine.list_objects(BUCKET, limit=limit).objects == []
    assert engine.list_versions(BUCKET, limit=limit).versions == []
    assert engine.list_uploads(BUCKET, limit=limit).uploads == []
    assert engine.list_parts(BUCKET, "u", upload.upload_id, limit=limit).parts == []
    assert not engine.list_parts(BUCKET, "u", upload.upload_id, limit=limit).is_truncated


@pytest.mark.parametrize("bucket_id", [-1, 2**64])
def test_a_bucket_id_beyond_its_bits_is_a_mistake(engine: StorageEngine, bucket_id: int) -> None:
    """ValueError for every verb, be it a read or a change, and the engine goes on."""
    verbs: list[Callable[[], object]] = [
        lambda: put(engine, "k", b"x", bucket_id=bucket_id),
        lambda: engine.delete_object(bucket_id, "k").result(),
        lambda: engine.rename_prefix(bucket_id, "a/", "b/").result(),
        lambda: engine.create_upload(bucket_id, "k", attributes()).result(),
        lambda: engine.close_namespace(bucket_id).result(),
        lambda: engine.set_quota(bucket_id, Quota(1, 1)).result(),
        lambda: engine.head_object(bucket_id, "k"),
        lambda: engine.list_objects(bucket_id),
        lambda: engine.list_versions(bucket_id),
        lambda: engine.list_uploads(bucket_id),
        lambda: engine.namespace_counts(bucket_id),
    ]
    for verb in verbs:
        with pytest.raises(ValueError, match="bits"):
            verb()
    put(engine, "k", b"x", bucket_id=2**64 - 1)
    assert get(engine, "k", bucket_id=2**64 - 1) == b"x"
    assert problems(engine) == []
