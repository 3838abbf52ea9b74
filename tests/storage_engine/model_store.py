"""A store and a model of it that are changed alike: what rules of a state machine are made of."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from storage_engine import (
    EngineOptions,
    InvalidVersionId,
    IsDeleteMarker,
    KeyDeleted,
    LockMode,
    NoSuchKey,
    NoSuchVersion,
    ObjectLock,
    ObjectLocked,
    Quota,
    Versioning,
    rebuild_index,
)
from tests.storage_engine.engine_steps import (
    SEGMENT_BYTES,
    attributes,
    noise,
    problems,
    small_store,
)
from tests.storage_engine.version_model import (
    FAR_AWAY_MS,
    LONG_AGO_MS,
    Account,
    Bucket,
    ModelUpload,
    Version,
    binds,
    shown,
)

if TYPE_CHECKING:
    from storage_engine import ObjectAttributes, ObjectInfo, StorageEngine
    from storage_engine.futures import Future
    from tests.storage_engine.version_model import Refusal

Result = TypeVar("Result")

NO_LOCK = ObjectLock()
ACTS = 12
LOCKING = 2  # the bucket in which versions may be locked
BUCKETS = st.sampled_from([1, 1, LOCKING, 3])
KEYS = [
    *("a", "a/", "a/b", "a//b", "/a", "b/c/d", "b/c/e", "é/ü", "z/\U0010ffff"),
    *("x" * 400, "x" * 400 + "/", "x" * 401 + "/y", "é" * 512, "a/" + "y" * 1022),
]
PREFIXES = ["a/", "b/", "b/c/", "/", "é/", "z/", "x" * 400 + "/", "w" * 401 + "/", "n/e/w/"]
VERSIONINGS = st.sampled_from([Versioning.ENABLED, Versioning.ENABLED, *Versioning])
CONTENTS = st.builds(noise, st.sampled_from([0, 5, 63, 64, 700]), st.integers(0, 2))
LOCKS = st.builds(
    ObjectLock,
    st.sampled_from(LockMode),
    st.sampled_from([LONG_AGO_MS, FAR_AWAY_MS]),
    st.sampled_from([False, False, True]),
    st.booleans(),
)
QUOTAS = st.builds(Quota, st.sampled_from([0, 0, 1400, 3000]), st.sampled_from([0, 0, 5, 12]))
NO_VERSIONS = st.sampled_from(
    ["null", "f" * 16, "0" * 16, "F" * 16, "x", "", "0" * 15, "\u0660" * 16]
)


def absent(version_id: str) -> type[NoSuchVersion]:
    """Tell how reading a version is refused that is not there, or that none can be."""
    is_possible = version_id in {"null", "f" * 16, "0" * 16}
    return NoSuchVersion if is_possible else InvalidVersionId


def outcome(future: Future[Result], refusal: Refusal) -> Result | None:
    """Wait for what was expected: a result, or exactly this refusal, which gives None."""
    if refusal is None:
        return future.result()
    with pytest.raises(refusal) as caught:
        future.result()
    assert caught.type is refusal
    return None


class ModelStore(RuleBasedStateMachine):
    """The store, the model, drawing from both, and steps that check each other."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.path = Path(self.directory.name) / "store"
        self.engine: StorageEngine = small_store(self.path)
        self.buckets = {1: Bucket(), LOCKING: Bucket(), 3: Bucket()}
        self.accounts = {1: Account(), 2: Account()}
        self.uploads: dict[str, ModelUpload] = {}
        self.label = 0
        self.names = KEYS

    def teardown(self) -> None:
        """Verify, then remove the store."""
        found = problems(self.engine)
        self.engine.close()
        self.directory.cleanup()
        assert found == []

    def reopen(self) -> None:
        """Close the store and open it again."""
        self.engine.close()
        self.engine = small_store(self.path)

    def crash(self) -> None:
        """Go on from what kill -9 would have left at this moment."""
        left = self.path.with_name(f"{self.path.name}'")
        shutil.copytree(self.path, left)
        self.engine.close()
        shutil.rmtree(self.path)
        self.path = left
        self.engine = small_store(self.path)

    def rebuild(self) -> None:
        """Lose the index, and have it made anew."""
        self.engine.close()
        shutil.rmtree(self.path / "index")
        assert rebuild_index(self.path, EngineOptions(segment_bytes=SEGMENT_BYTES)).damage is None
        self.engine = small_store(self.path)

    def key(self, data: st.DataObject, bucket_id: int) -> str:
        """Draw a key, mostly one that is there."""
        known = sorted(self.buckets[bucket_id].keys)
        is_known = known and data.draw(st.sampled_from([True, True, True, False]), "is known")
        return data.draw(st.sampled_from(known if is_known else self.names), "key")

    def version(self, data: st.DataObject, bucket_id: int, key: str) -> tuple[str, Version | None]:
        """Draw a version id, mostly one that is there, and the version."""
        versions = {v.info.version_id: v for v in self.buckets[bucket_id].key(key).versions}
        is_known = versions and data.draw(st.sampled_from([True, True, True, False]), "is known")
        ids = st.sampled_from(sorted(versions)) if is_known else NO_VERSIONS
        version_id = data.draw(ids, "version id")
        return version_id, versions.get(version_id)

    def source(
        self, data: st.DataObject, bucket_id: int
    ) -> tuple[str, str | None, Version | None, Refusal]:
        """Draw (key, version id or None, the version, how reading it is refused)."""
        key = self.key(data, bucket_id)
        if data.draw(st.booleans(), "by id"):
            version_id, version = self.version(data, bucket_id, key)
            if version is None:
                return key, version_id, None, absent(version_id)
            return key, version_id, version, IsDeleteMarker if version.data is None else None
        versions = self.buckets[bucket_id].key(key).versions
        if not versions:
            return key, None, None, NoSuchKey
        return key, None, versions[0], KeyDeleted if versions[0].data is None else None

    def new_attributes(self) -> ObjectAttributes:
        """Make attributes that no other version has."""
        self.label += 1
        return attributes(label=str(self.label))

    def lock(self, data: st.DataObject, bucket_id: int) -> ObjectLock:
        """Draw a lock, in the bucket for them."""
        return data.draw(LOCKS, "lock") if bucket_id == LOCKING else NO_LOCK

    def added(
        self, bucket_id: int, made: ObjectInfo | None, data: bytes, versioning: Versioning
    ) -> None:
        """Note a version that was made, unless it was refused."""
        if made is not None:
            assert (made.size, made.is_latest, made.is_marker) == (len(data), True, False)
            self.buckets[bucket_id].add(made.key, Version(made, data), versioning)

    def put_version(
        self,
        bucket_id: int,
        key: str,
        content: bytes,
        versioning: Versioning,
        lock: ObjectLock = NO_LOCK,
    ) -> None:
        """Put one version."""
        seen: list[ObjectInfo | None] = []
        future = self.engine.put_object(
            bucket_id,
            key,
            self.engine.stage_bytes(content),
            self.new_attributes(),
            guard=seen.append,
            versioning=versioning,
            lock=lock,
        )
        bucket = self.buckets[bucket_id]
        current = bucket.objects().get(key)
        made = outcome(future, bucket.add_refusal(key, versioning, len(content)))
        assert seen == [None if current is None else shown(key, current, is_latest=True)]
        assert made is None or made.lock == (lock if any((lock.mode, *lock[2:])) else NO_LOCK)
        self.added(bucket_id, made, content, versioning)

    def delete_key(self, bucket_id: int, key: str, versioning: Versioning) -> None:
        """Delete one key."""
        bucket = self.buckets[bucket_id]
        future = self.engine.delete_object(bucket_id, key, versioning=versioning)
        refusal = bucket.delete_refusal(key, versioning)
        if not bucket.key(key).is_erased_by(versioning):
            made = outcome(future, refusal)
            if made is not None:
                assert (made.key, made.size, made.is_marker, made.is_latest) == (key, 0, True, True)
                bucket.add(key, Version(made, None), versioning)
            return
        gone = outcome(future, refusal)
        if refusal is None and key in bucket.keys:
            (version,) = bucket.keys[key].versions
            assert gone == shown(key, version, is_latest=True)
            bucket.remove(key, version)
        else:
            assert gone is None

    def remove_version(
        self, bucket_id: int, key: str, version_id: str, version: Version | None, *, bypass: bool
    ) -> None:
        """Delete one version, if there is one and it is not locked."""
        bucket = self.buckets[bucket_id]
        future = self.engine.delete_version(bucket_id, key, version_id, bypass_governance=bypass)
        if version is None:
            refusal = absent(version_id)
            assert outcome(future, None if refusal is NoSuchVersion else refusal) is None
        elif binds(version.info.lock, bypass=bypass):
            outcome(future, ObjectLocked)
        else:
            is_latest = version is bucket.keys[key].versions[0]
            assert future.result() == shown(key, version, is_latest=is_latest)
            bucket.remove(key, version)

    def rename_key(self, bucket_id: int, source: str, target: str, *, replace: bool) -> None:
        """Rename one key."""
        bucket = self.buckets[bucket_id]
        future = self.engine.rename_object(bucket_id, source, target, replace=replace)
        made = outcome(future, bucket.rename_refusal(source, target, replace=replace))
        if made is not None:
            bucket.rename(source, target)
            assert made == shown(target, bucket.keys[target].versions[0], is_latest=True)

    def move(self, bucket_id: int, source: str, target: str, *, replace: bool) -> None:
        """Rename one prefix."""
        bucket = self.buckets[bucket_id]
        future = self.engine.rename_prefix(bucket_id, source, target, replace=replace)
        refusal = bucket.move_refusal(source, target, replace=replace)
        outcome(future, refusal)
        if refusal is not None:
            return
        bucket.keys = {k: v for k, v in bucket.keys.items() if not k.startswith(target)}
        for name in [name for name in bucket.keys if name.startswith(source)]:
            bucket.rename(name, target + name[len(source) :])

    def upload(self, data: st.DataObject, parts_min: int = 0) -> tuple[str, ModelUpload, Bucket]:
        """Draw one of the open uploads."""
        ids = sorted(id_ for id_, up in self.uploads.items() if len(up.parts) >= parts_min)
        upload_id = data.draw(st.sampled_from(ids), "upload")
        upload = self.uploads[upload_id]
        return upload_id, upload, self.buckets[upload.bucket_id]

    def check_versions(self, bucket_id: int, start: tuple[str, str, str, str], limit: int) -> None:
        """Page through the versions and compare."""
        prefix, delimiter, after, after_id = start
        expected = list(self.buckets[bucket_id].listed(*start, all_versions=True))
        found: list[ObjectInfo | str] = []
        is_truncated = True
        while is_truncated:
            page = self.engine.list_versions(
                bucket_id,
                prefix=prefix,
                delimiter=delimiter,
                after_key=after,
                after_version_id=after_id,
                limit=limit,
            )
            merged = [*page.versions, *page.common_prefixes]
            found += sorted(merged, key=lambda i: (i if isinstance(i, str) else i.key).encode())
            is_truncated = page.is_truncated
            after, after_id = page.next_key, page.next_version_id
            assert len(merged) == limit or not is_truncated
        assert found == expected
