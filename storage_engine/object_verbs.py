"""The facade's verbs of objects and their versions; `StorageEngine` has the parts they use.

Like the facade they only hand over: mutations become operations for the committer, reads run in
a transaction of their own. Futures hold what the docstrings name besides StorageError, DiskFull
and NamespaceClosed, which any mutation may meet.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from storage_engine import rows
from storage_engine.limits import PART_NUMBER_MAX
from storage_engine.listing import Query, page_limit, until
from storage_engine.objects import (
    CopyObject,
    DeleteObject,
    DeleteVersion,
    PutObject,
    SetAttributes,
    SetLock,
)
from storage_engine.renames import RenameObject, RenamePrefix
from storage_engine.values import NO_ATTRIBUTES, NO_LOCK, Deletion, ObjectRef, Versioning

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from storage_engine.commit import Committer
    from storage_engine.futures import Future
    from storage_engine.group_writer import GroupWriter
    from storage_engine.index import Index
    from storage_engine.lookup import Lookup
    from storage_engine.object_reads import ObjectReads
    from storage_engine.operation import Operation
    from storage_engine.reader import ObjectReader
    from storage_engine.staging import StagedBlob
    from storage_engine.values import (
        Guard,
        ListedVersion,
        Listing,
        ListPage,
        ObjectAttributes,
        ObjectInfo,
        ObjectLock,
        ObjectParts,
        Receipt,
        RetentionPeriod,
        VersionPage,
    )


class ObjectVerbs:
    """What can be done with objects. A version id of None means the current version.

    All that changes something refuses an empty key (InvalidKey) and one of more than 1,024 bytes
    (KeyTooLong); who reads finds nothing there. Bucket ids are numbers of 64 bits, or ValueError.
    """

    _index: Index
    _committer: Committer
    _group_writer: GroupWriter
    _objects: ObjectReads
    _lookup: Lookup

    # --- writing -------------------------------------------------------------------------------

    def put_object(  # noqa: PLR0913  # what an object is, and what may forbid it
        self,
        bucket_id: int,
        key: str,
        blob: StagedBlob,
        attributes: ObjectAttributes,
        *,
        guard: Guard | None = None,
        versioning: Versioning = Versioning.UNVERSIONED,
        lock: ObjectLock = NO_LOCK,
        default_retention: RetentionPeriod | None = None,
    ) -> Future[ObjectInfo]:
        """Make a staged payload the object of a key. QuotaExceeded, ObjectLocked.

        `default_retention` is given in the commit, where `lock` names no retention.
        """
        target = ObjectRef(bucket_id, key)
        operation = PutObject(target, blob, attributes, guard, versioning, lock)
        operation.default_retention = default_retention
        return self._group_writer.submit(operation, blob)

    def copy_object(  # noqa: PLR0913  # as of put_object, for two objects
        self,
        source: ObjectRef,
        target: ObjectRef,
        attributes: Callable[[ObjectInfo], ObjectAttributes],
        *,
        source_version_id: str | None = None,
        source_guard: Guard | None = None,
        guard: Guard | None = None,
        versioning: Versioning = Versioning.UNVERSIONED,
        lock: ObjectLock = NO_LOCK,
        default_retention: RetentionPeriod | None = None,
    ) -> Future[ObjectInfo]:
        """Make an object of another's payload, which is shared, not copied; locks are not.

        `attributes` is called inside the commit with the source, like a guard;
        `default_retention` is as for `put_object`. NoSuchKey, NoSuchVersion, IsDeleteMarker,
        QuotaExceeded, ObjectLocked.
        """
        operation = CopyObject(source, target, attributes, source_guard, guard)
        operation.source_version_id = source_version_id
        operation.versioning = versioning
        operation.lock, operation.default_retention = lock, default_retention
        return self._committer.submit(operation)

    def set_attributes(
        self,
        bucket_id: int,
        key: str,
        version_id: str | None,
        change: Callable[[ObjectInfo], ObjectAttributes],
    ) -> Future[ObjectInfo]:
        """Give a version other attributes, in place: neither id nor time nor payload change.

        `change` is called inside the commit with the version as it is, like a guard. NoSuchKey,
        NoSuchVersion, IsDeleteMarker.
        """
        target = ObjectRef(bucket_id, key)
        return self._committer.submit(SetAttributes(target, version_id, change=change))

    def set_lock(
        self,
        bucket_id: int,
        key: str,
        version_id: str | None,
        change: Callable[[ObjectInfo], ObjectLock],
        *,
        bypass_governance: bool = False,
    ) -> Future[ObjectInfo]:
        """Change what is laid on a version; `change` as for `set_attributes`.

        ObjectLocked when a retention that binds would become shorter or less strict. NoSuchKey,
        NoSuchVersion, IsDeleteMarker.
        """
        operation = SetLock(ObjectRef(bucket_id, key), version_id, change=change)
        operation.bypass_governance = bypass_governance
        return self._committer.submit(operation)

    # --- deleting ------------------------------------------------------------------------------

    def delete_object(
        self,
        bucket_id: int,
        key: str,
        *,
        guard: Guard | None = None,
        versioning: Versioning = Versioning.UNVERSIONED,
        marker: ObjectAttributes = NO_ATTRIBUTES,
    ) -> Future[ObjectInfo | None]:
        """Remove an object; where versions are kept, hide it behind a delete marker.

        The future holds what is gone, or the marker (`is_marker`), or None if there was nothing.
        ObjectLocked.
        """
        operation = DeleteObject(ObjectRef(bucket_id, key), guard, versioning, marker)
        return self._committer.submit(operation)

    def delete_version(
        self,
        bucket_id: int,
        key: str,
        version_id: str,
        *,
        guard: Guard | None = None,
        bypass_governance: bool = False,
    ) -> Future[ObjectInfo | None]:
        """Remove one version, object or marker, for good; the newest left becomes current.

        The future holds what it was, or None if there was none of that id. The guard sees the
        version, None for a marker. ObjectLocked, InvalidVersionId.
        """
        target = ObjectRef(bucket_id, key)
        operation = DeleteVersion(target, version_id, guard, bypass_governance)
        return self._committer.submit(operation)

    def delete_objects(
        self,
        bucket_id: int,
        targets: Sequence[Deletion | tuple[str, Guard | None]],
        *,
        versioning: Versioning = Versioning.UNVERSIONED,
        marker: ObjectAttributes = NO_ATTRIBUTES,
    ) -> Future[list[ObjectInfo | Exception | None]]:
        """Remove objects and versions in one commit; the future holds an outcome for each."""

        def operation(deletion: Deletion) -> Operation[ObjectInfo | None]:
            target, version_id = ObjectRef(bucket_id, deletion.key), deletion.version_id
            if version_id is None:
                return DeleteObject(target, deletion.guard, versioning, marker)
            return DeleteVersion(target, version_id, deletion.guard, deletion.bypass_governance)

        return self._committer.submit_all([operation(Deletion(*target)) for target in targets])

    # --- renaming ------------------------------------------------------------------------------

    def rename_object(  # noqa: PLR0913  # two names, two guards
        self,
        bucket_id: int,
        source_key: str,
        target_key: str,
        *,
        guard: Guard | None = None,
        source_guard: Guard | None = None,
        replace: bool = False,
        receipt: Receipt | None = None,
    ) -> Future[ObjectInfo | None]:
        """Give an object, with all its versions, another key: ids, times and payloads stay.

        With `replace` every version of the target goes in the same commit, up to 1,000 of them and
        10,000 parts in them. NoSuchKey, TargetExists (also when both are the same),
        TargetTooLarge, KeyTooLong, ObjectLocked. With a receipt the same request does nothing, and
        its future holds None, for a quarter of an hour after it was carried out; TokenReused.
        """
        operation = RenameObject(bucket_id, source_key, target_key, guard, source_guard, replace)
        operation.receipt = receipt
        return self._committer.submit(operation)

    def rename_prefix(
        self,
        bucket_id: int,
        source: str,
        target: str,
        *,
        guard: Callable[[bool], None] | None = None,
        replace: bool = False,
        receipt: Receipt | None = None,
    ) -> Future[None]:
        """Give all keys below a prefix another; both end in `/`. The cost is that of one key.

        With `replace` all below the target goes in the same commit, up to 1,000 versions and
        10,000 parts in them. The guard is told whether there is anything. Receipts count as for
        `rename_object`. Open uploads stay with their keys. NoSuchPrefix, PrefixOverlap,
        TargetExists, TargetTooLarge, KeyTooLong; ObjectLocked when a version that moves or goes is
        locked, or when more than 10,000 move while any in the bucket may be: each is looked at.
        """
        operation = RenamePrefix(bucket_id, source, target, replace, guard, receipt)
        return self._committer.submit(operation)

    # --- reading -------------------------------------------------------------------------------

    def head_object(self, bucket_id: int, key: str, version_id: str | None = None) -> ObjectInfo:
        """Return an object's metadata; NoSuchKey, KeyDeleted, NoSuchVersion, IsDeleteMarker."""
        return self._index.view(self._objects.info, bucket_id, key, version_id)

    def open_object(self, bucket_id: int, key: str, version_id: str | None = None) -> ObjectReader:
        """Open an object for reading; as `head_object`, and CorruptBlob. The caller closes it."""
        return self._lookup.open_object(bucket_id, key, version_id)

    def object_parts(
        self,
        bucket_id: int,
        key: str,
        version_id: str | None = None,
        *,
        after_part: int = 0,
        limit: int = PART_NUMBER_MAX,
    ) -> ObjectParts:
        """Return parts of a multipart object, in order, none for another; as `head_object`."""
        name = bucket_id, key, version_id
        return self._index.view(lambda txn: self._objects.parts(txn, name, after_part, limit))

    def list_objects(
        self,
        bucket_id: int,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: str = "",
        limit: int = 1000,
    ) -> ListPage:
        """List objects, and common prefixes at `delimiter`, that come after `after`.

        `limit` counts both; a page has at most 100,000, and none for a limit below 1. When `after`
        is itself a common prefix, all below it is skipped.
        """
        query = Query(prefix.encode(), delimiter.encode(), after.encode(), page_limit(limit))
        return self._index.view(lambda txn: self._objects.page(txn, bucket_id, query))

    def listed_objects(
        self,
        bucket_id: int,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: str = "",
        limit: int = 1000,
        seconds: float = math.inf,
    ) -> Listing[ListedVersion]:
        """List as `list_objects`, of each no more than listings show: at a third of its cost.

        The page ends, with an item at least, once it has taken so many seconds.
        """
        query = Query(
            prefix.encode(), delimiter.encode(), after.encode(), page_limit(limit), until(seconds)
        )
        return self._index.view(
            lambda txn: self._objects.listing(txn, bucket_id, query, rows.decode_listed)
        )

    def list_versions(  # ListObjectVersions has as many
        self,
        bucket_id: int,
        *,
        prefix: str = "",
        delimiter: str = "",
        after_key: str = "",
        after_version_id: str = "",
        limit: int = 1000,
    ) -> VersionPage:
        """List versions and delete markers by key, newest first, and common prefixes.

        Goes on behind a version of `after_key`, which may be gone by now, or, without an id, with
        the next key. InvalidVersionId.
        """
        query = Query(prefix.encode(), delimiter.encode(), after_key.encode(), page_limit(limit))
        return self._index.view(
            lambda txn: self._objects.version_page(txn, bucket_id, query, after_version_id)
        )

    def listed_versions(
        self,
        bucket_id: int,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: tuple[str, str] = ("", ""),
        limit: int = 1000,
        seconds: float = math.inf,
    ) -> Listing[ListedVersion]:
        """List as `list_versions`, after a (key, version id); otherwise as `listed_objects`."""
        key, version_id = after
        query = Query(
            prefix.encode(),
            delimiter.encode(),
            key.encode(),
            page_limit(limit),
            until(seconds),
        )
        return self._index.view(
            lambda txn: self._objects.version_listing(
                txn, bucket_id, query, version_id, rows.decode_listed
            )
        )
