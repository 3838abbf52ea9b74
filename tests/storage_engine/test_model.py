"""The engine against plain dictionaries, through crashes, compaction and lost indexes.

Versions, renames, locks, quotas, uploads and listings are compared after every step. With
S4_TEST_LONG it takes more than ten thousand steps.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
)

from storage_engine import (
    CompactionOptions,
    NamespaceCounts,
    ObjectLock,
    ObjectRef,
    Quota,
    ScrubOptions,
    Versioning,
)
from tests.storage_engine.engine_steps import attributes, problems
from tests.storage_engine.model_store import (
    ACTS,
    BUCKETS,
    CONTENTS,
    KEYS,
    LOCKING,
    LOCKS,
    PREFIXES,
    QUOTAS,
    VERSIONINGS,
    ModelStore,
    outcome,
)
from tests.storage_engine.version_model import ModelUpload, Version, is_laid, shown

if TYPE_CHECKING:
    from random import Random

    from storage_engine import ObjectInfo


class VersionedStore(ModelStore):
    """A store and a model of it, changed alike."""

    @initialize(
        names=st.lists(st.sampled_from(KEYS), min_size=3, max_size=6, unique=True),
        first=st.lists(st.tuples(BUCKETS, CONTENTS, VERSIONINGS), min_size=4, max_size=12),
    )
    def begin(self, names: list[str], first: list[tuple[int, bytes, Versioning]]) -> None:
        """Use few keys, so that each of them has a history, and begin with some versions."""
        self.names = names
        for number, (bucket_id, content, versioning) in enumerate(first):
            self.put_version(bucket_id, names[number % len(names)], content, versioning)

    # --- objects -------------------------------------------------------------------------------

    @rule(data=st.data(), bucket_id=BUCKETS, content=CONTENTS, versioning=VERSIONINGS)
    def put(
        self, data: st.DataObject, bucket_id: int, content: bytes, versioning: Versioning
    ) -> None:
        """Put a version, under a guard that must see the current object."""
        self.put_version(bucket_id, self.key(data, bucket_id), content, versioning)

    @rule(data=st.data(), bucket_id=BUCKETS, contents=st.lists(CONTENTS, min_size=2, max_size=6))
    def put_several(self, data: st.DataObject, bucket_id: int, contents: list[bytes]) -> None:
        """Put versions of several keys."""
        for content in contents:
            key, versioning = data.draw(st.sampled_from(self.names)), data.draw(VERSIONINGS)
            self.put_version(bucket_id, key, content, versioning)

    @rule(data=st.data(), content=CONTENTS, versioning=VERSIONINGS, lock=LOCKS)
    def put_locked(
        self, data: st.DataObject, content: bytes, versioning: Versioning, lock: ObjectLock
    ) -> None:
        """Put a version that is locked from its birth."""
        self.put_version(LOCKING, self.key(data, LOCKING), content, versioning, lock)

    @rule(data=st.data(), source_id=BUCKETS, bucket_id=BUCKETS, versioning=VERSIONINGS)
    def copy(
        self, data: st.DataObject, source_id: int, bucket_id: int, versioning: Versioning
    ) -> None:
        """Copy a version, perhaps onto its own key."""
        source_key, version_id, version, refusal = self.source(data, source_id)
        key, kept = self.key(data, bucket_id), self.new_attributes()
        future = self.engine.copy_object(
            ObjectRef(source_id, source_key),
            ObjectRef(bucket_id, key),
            lambda _: kept,
            source_version_id=version_id,
            versioning=versioning,
            lock=self.lock(data, bucket_id),
        )
        content = b"" if version is None else version.data or b""
        bucket = self.buckets[bucket_id]
        refusal = refusal or bucket.add_refusal(key, versioning, len(content))
        self.added(bucket_id, outcome(future, refusal), content, versioning)

    @rule(data=st.data(), bucket_id=BUCKETS, versioning=VERSIONINGS)
    def delete(self, data: st.DataObject, bucket_id: int, versioning: Versioning) -> None:
        """Delete a key, which leaves a marker where versions are kept."""
        self.delete_key(bucket_id, self.key(data, bucket_id), versioning)

    @rule(data=st.data(), bucket_id=BUCKETS, bypass=st.booleans())
    def delete_version(self, data: st.DataObject, bucket_id: int, *, bypass: bool) -> None:
        """Delete one version for good."""
        key = self.key(data, bucket_id)
        version_id, version = self.version(data, bucket_id, key)
        self.remove_version(bucket_id, key, version_id, version, bypass=bypass)

    @rule(data=st.data(), bucket_id=BUCKETS)
    def set_attributes(self, data: st.DataObject, bucket_id: int) -> None:
        """Give a version other attributes, in place."""
        key, version_id, version, refusal = self.source(data, bucket_id)
        kept = self.new_attributes()
        future = self.engine.set_attributes(bucket_id, key, version_id, lambda _: kept)
        if outcome(future, refusal) is not None:
            assert version is not None
            info = msgspec.structs.replace(version.info, attributes=kept)
            self.buckets[bucket_id].swap(key, version, Version(info, version.data))

    @rule(data=st.data(), lock=LOCKS, bypass=st.booleans())
    def set_lock(self, data: st.DataObject, lock: ObjectLock, *, bypass: bool) -> None:
        """Change what is laid on a version."""
        key, version_id, version, refusal = self.source(data, LOCKING)
        future = self.engine.set_lock(
            LOCKING, key, version_id, lambda _: lock, bypass_governance=bypass
        )
        bucket = self.buckets[LOCKING]
        if version is not None and refusal is None:
            refusal = bucket.lock_refusal(version.info.lock, lock, bypass=bypass)
        made = outcome(future, refusal)
        if made is not None:
            assert version is not None
            info = msgspec.structs.replace(version.info, lock=made.lock)
            bucket.swap(key, version, Version(info, version.data))

    @rule(bucket_id=BUCKETS, random=st.randoms(use_true_random=True))
    def live(self, bucket_id: int, random: Random) -> None:
        """Do many things to few keys: chance makes longer histories than a search does."""
        bucket = self.buckets[bucket_id]
        for _ in range(ACTS):
            places = [(key, v) for key in bucket.keys for v in bucket.keys[key].versions]
            key, versioning = random.choice(self.names), random.choice(list(Versioning))
            act = random.randrange(10)
            if act < 4 or not places:
                self.put_version(bucket_id, key, random.choice([b"", b"data"]), versioning)
            elif act < 6:
                self.delete_key(bucket_id, key, versioning)
            elif act < 9:
                key, version = random.choice(places)
                self.remove_version(bucket_id, key, version.info.version_id, version, bypass=True)
            else:
                source, _ = random.choice(places)
                self.rename_key(bucket_id, source, key, replace=random.random() < 0.5)

    # --- renames -------------------------------------------------------------------------------

    @rule(data=st.data(), bucket_id=BUCKETS, replace=st.booleans())
    def rename_object(self, data: st.DataObject, bucket_id: int, *, replace: bool) -> None:
        """Rename a key with all its versions."""
        source, target = self.key(data, bucket_id), self.key(data, bucket_id)
        if data.draw(st.booleans(), "new name"):
            target += "+"
        self.rename_key(bucket_id, source, target, replace=replace)

    @rule(data=st.data(), bucket_id=BUCKETS, replace=st.booleans())
    def rename_prefix(self, data: st.DataObject, bucket_id: int, *, replace: bool) -> None:
        """Rename everything below a prefix."""
        bucket = self.buckets[bucket_id]
        target = data.draw(st.sampled_from(PREFIXES), "target")
        known = {name[: name.rfind("/") + 1] for name in bucket.keys} - {""}
        is_known = known and data.draw(st.sampled_from([True, True, False]), "is known")
        source = data.draw(st.sampled_from(sorted(known) if is_known else PREFIXES), "source")
        self.move(bucket_id, source, target, replace=replace)

    # --- uploads -------------------------------------------------------------------------------

    @rule(data=st.data(), bucket_id=BUCKETS)
    def begin_upload(self, data: st.DataObject, bucket_id: int) -> None:
        """Begin a multipart upload."""
        key = self.key(data, bucket_id)
        made = self.engine.create_upload(bucket_id, key, attributes()).result()
        self.uploads[made.upload_id] = ModelUpload(bucket_id, key)

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), number=st.integers(1, 3), content=CONTENTS)
    def put_part(self, data: st.DataObject, number: int, content: bytes) -> None:
        """Put a part, or put it again."""
        upload_id, upload, bucket = self.upload(data)
        blob = self.engine.stage_bytes(content)
        place = (upload.bucket_id, upload.key, upload_id)
        growth = len(content) - len(upload.parts.get(number, (b"",))[0])
        future = self.engine.put_part(*place, number, blob, "etag", {})
        part = outcome(future, bucket.growth_refusal(growth, 0))
        if part is not None:
            upload.parts[number] = (content, part)
            bucket.upload_bytes += growth

    @precondition(lambda self: any(upload.parts for upload in self.uploads.values()))
    @rule(data=st.data(), versioning=VERSIONINGS)
    def complete(self, data: st.DataObject, versioning: Versioning) -> None:
        """Complete an upload with some of its parts."""
        upload_id, upload, bucket = self.upload(data, parts_min=1)
        chosen = sorted(data.draw(st.sets(st.sampled_from(sorted(upload.parts)), min_size=1)))
        whole = b"".join(upload.parts[number][0] for number in chosen)
        held = sum(len(content) for content, _ in upload.parts.values())
        future = self.engine.complete_upload(
            upload.bucket_id,
            upload.key,
            upload_id,
            [upload.parts[number][1] for number in chosen],
            self.new_attributes(),
            versioning=versioning,
            lock=self.lock(data, upload.bucket_id),
        )
        made = outcome(future, bucket.add_refusal(upload.key, versioning, len(whole), held))
        if made is not None:
            del self.uploads[upload_id]
            bucket.upload_bytes -= held
            remembered = self.engine.get_upload(upload.bucket_id, upload.key, upload_id)
            assert remembered.completed == made
            self.added(upload.bucket_id, made, whole, versioning)

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        """Abort an upload."""
        upload_id, upload, bucket = self.upload(data)
        self.engine.abort_upload(upload.bucket_id, upload.key, upload_id).result()
        bucket.upload_bytes -= sum(len(content) for content, _ in upload.parts.values())
        del self.uploads[upload_id]

    # --- the rest ------------------------------------------------------------------------------

    @rule(bucket_id=BUCKETS, quota=QUOTAS)
    def set_quota(self, bucket_id: int, quota: Quota) -> None:
        """Bound a bucket, perhaps below what it holds."""
        self.engine.set_quota(bucket_id, quota).result()
        assert self.engine.quota(bucket_id) == quota
        self.buckets[bucket_id].quota = quota

    @rule(bucket_id=BUCKETS, account_id=st.sampled_from([0, 1, 1, 2]))
    def assign_account(self, bucket_id: int, account_id: int) -> None:
        """Have a bucket count in another account, or in none."""
        self.engine.assign_account(bucket_id, account_id).result()
        assert self.engine.usage(bucket_id).account == account_id
        bucket = self.buckets[bucket_id]
        if bucket.account is not None:
            bucket.account.buckets = [b for b in bucket.account.buckets if b is not bucket]
        bucket.account = self.accounts.get(account_id)
        if bucket.account is not None:
            bucket.account.buckets.append(bucket)

    @rule(account_id=st.sampled_from([1, 1, 2]), quota=QUOTAS)
    def set_account_quota(self, account_id: int, quota: Quota) -> None:
        """Bound an account, perhaps below what it holds."""
        self.engine.set_account_quota(account_id, quota).result()
        self.accounts[account_id].quota = quota

    @rule()
    def restart(self) -> None:
        """Go on with another engine."""
        self.reopen()

    @rule()
    def die(self) -> None:
        """Go on from what a crash leaves."""
        self.crash()

    @rule()
    def lose_the_index(self) -> None:
        """Go on with an index made of snapshot and journal."""
        self.rebuild()

    @rule(act=st.sampled_from(["checkpoint", "snapshot", "compact", "scrub", "reclaim"]))
    def look_after(self, act: str) -> None:
        """Do what changes nothing that a client can see."""
        if act == "compact":
            report = self.engine.compact(CompactionOptions(threshold=0.01))
            assert report.problems == []
        elif act == "scrub":
            assert self.engine.scrub(ScrubOptions(is_restarted=True)).problems == []
        elif act == "reclaim":
            self.engine.reclaim()
        else:
            getattr(self.engine, act)()

    @rule()
    def verify(self) -> None:
        """Have the store prove itself."""
        assert problems(self.engine) == []

    @rule(data=st.data(), bucket_id=BUCKETS)
    def read(self, data: st.DataObject, bucket_id: int) -> None:
        """Read a version, or be told why not."""
        key, version_id, version, refusal = self.source(data, bucket_id)
        if refusal is not None:
            with pytest.raises(refusal) as caught:
                self.engine.head_object(bucket_id, key, version_id)
            assert caught.type is refusal
            if version is not None:
                told = (caught.value.version_id, caught.value.modified_ms)
                assert told == (version.info.version_id, version.info.modified_ms)
            return
        assert version is not None
        is_latest = version is self.buckets[bucket_id].keys[key].versions[0]
        expected = shown(key, version, is_latest=is_latest)
        assert self.engine.head_object(bucket_id, key, version_id) == expected
        with self.engine.open_object(bucket_id, key, version_id) as reader:
            assert reader.info == expected
            assert reader.read(0, reader.info.size) == version.data
        parts = self.engine.object_parts(bucket_id, key, version_id).parts
        assert len(parts) == expected.part_count

    def texts(self, data: st.DataObject, bucket_id: int) -> tuple[str, str, str]:
        """Draw a prefix, a delimiter and a start."""
        key = self.key(data, bucket_id)
        prefix = data.draw(st.sampled_from(["", "", *PREFIXES, key[:1], key]), "prefix")
        delimiter = data.draw(st.sampled_from(["", "/", "b", "//"]), "delimiter")
        after = data.draw(st.sampled_from(["", self.key(data, bucket_id), *PREFIXES]), "after")
        return prefix, delimiter, after

    @rule(data=st.data(), bucket_id=BUCKETS, limit=st.integers(1, 4))
    def list_objects(self, data: st.DataObject, bucket_id: int, limit: int) -> None:
        """Page through the objects from any start."""
        prefix, delimiter, after = self.texts(data, bucket_id)
        bucket = self.buckets[bucket_id]
        expected = list(bucket.listed(prefix, delimiter, after, "", all_versions=False))
        found: list[ObjectInfo | str] = []
        is_truncated = True
        while is_truncated:
            page = self.engine.list_objects(
                bucket_id, prefix=prefix, delimiter=delimiter, after=after, limit=limit
            )
            merged = [*page.objects, *page.common_prefixes]
            found += sorted(merged, key=lambda i: (i if isinstance(i, str) else i.key).encode())
            is_truncated, after = page.is_truncated, page.next_after
            assert len(merged) == limit or not is_truncated
        assert found == expected

    @rule(data=st.data(), bucket_id=BUCKETS, limit=st.integers(1, 4))
    def list_versions(self, data: st.DataObject, bucket_id: int, limit: int) -> None:
        """Page through the versions, from any start, even between two of one key."""
        prefix, delimiter, after = self.texts(data, bucket_id)
        bucket = self.buckets[bucket_id]
        ids = [version.info.version_id for version in bucket.key(after).versions]
        after_id = data.draw(st.sampled_from(["", *ids]), "after id")
        self.check_versions(bucket_id, (prefix, delimiter, after, after_id), limit)

    @invariant()
    def counts_agree(self) -> None:
        """Totals and plain listings are what the model says, after every step."""
        for bucket_id, bucket in self.buckets.items():
            uploads = [u for u in self.uploads.values() if u.bucket_id == bucket_id]
            versions = bucket.versions()
            assert self.engine.namespace_counts(bucket_id) == NamespaceCounts(
                objects=len(bucket.objects()),
                bytes=bucket.object_bytes(),
                uploads=len(uploads),
                upload_bytes=bucket.upload_bytes,
                versions=len(versions),
                markers=sum(version.data is None for version in versions),
                parts=sum(len(upload.parts) for upload in uploads),
                locked=sum(is_laid(version.info.lock) for version in versions),
            )
            listed = list(bucket.listed("", "", "", "", all_versions=False))
            assert self.engine.list_objects(bucket_id).objects == listed
            self.check_versions(bucket_id, ("", "", "", ""), limit=5)
        for account_id, account in self.accounts.items():
            assert self.engine.account_usage(account_id) == account.usage()


TestVersionedStore = VersionedStore.TestCase
TestVersionedStore.__doc__ = "Any sequence of calls leaves store and dictionaries equal."
TestVersionedStore.settings = settings(
    max_examples=250 if os.environ.get("S4_TEST_LONG") else 15,
    stateful_step_count=60 if os.environ.get("S4_TEST_LONG") else 40,
    suppress_health_check=list(HealthCheck),
)
