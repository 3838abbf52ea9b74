"""The engine's facade: every verb the rooms above may use, and the life of its parts.

It only hands over: mutations become operations for the committer, reads run in a transaction of
their own. It decides the order in which parts are opened and closed.
"""

from __future__ import annotations

import os
import weakref
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from storage_engine import blobs, layout, meta, recovery
from storage_engine.care import Care
from storage_engine.checkpoint import Checkpointer
from storage_engine.commit import Committer
from storage_engine.disk import RealDisk
from storage_engine.errors import FormatError, JournalDamaged
from storage_engine.group_writer import GroupWriter
from storage_engine.health import Health
from storage_engine.index import Index
from storage_engine.journal import Journal
from storage_engine.lifecycle_run import Lifecycle
from storage_engine.lifecycle_verbs import LifecycleVerbs
from storage_engine.listing import page_limit
from storage_engine.lookup import Lookup
from storage_engine.namespace import Namespace
from storage_engine.object_reads import ObjectReads
from storage_engine.object_verbs import ObjectVerbs
from storage_engine.old_uploads import OldUploads
from storage_engine.options import DEFAULTS, EngineOptions
from storage_engine.quota_verbs import QuotaVerbs
from storage_engine.staging import Stager
from storage_engine.upkeep import Upkeep
from storage_engine.upload_reads import UploadReads
from storage_engine.uploads import (
    AbortUpload,
    CloseNamespace,
    CompleteUpload,
    CreateUpload,
    PutPart,
    completion,
    raw_upload_id,
)
from storage_engine.values import NO_LOCK, NamespaceCounts, ObjectRef, Versioning
from storage_engine.volume import Appender
from storage_engine.volume_files import VolumeFiles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from hashlib import _Hash as Hash
    from pathlib import Path

    import lmdb

    from storage_engine.checkpoint import Checkpoint
    from storage_engine.disk import Disk
    from storage_engine.futures import Future
    from storage_engine.host import Host
    from storage_engine.operation import Operation, Result
    from storage_engine.staging import BlobWriter, StagedBlob
    from storage_engine.values import (
        Guard,
        ObjectAttributes,
        ObjectInfo,
        ObjectLock,
        Origin,
        PartInfo,
        PartPage,
        RetentionPeriod,
        UploadInfo,
        UploadPage,
    )

_opened: weakref.WeakSet[StorageEngine] = weakref.WeakSet()


def open_engine(
    path: Path,
    options: EngineOptions = DEFAULTS,
    *,
    disk: Disk | None = None,
    must_exist: bool = False,
) -> StorageEngine:
    """Open the store at `path`, creating it in an absent or empty directory unless `must_exist`.

    FormatError when the directory is not ours or a newer version wrote it. EngineClosed when this
    process has the store open already, or was forked while it had.
    """
    with layout.opened(path, options.neighbours, must_exist=must_exist) as place:
        return StorageEngine(place, options, disk or RealDisk())


def renew_engine(
    path: Path, options: EngineOptions = DEFAULTS, *, disk: Disk | None = None
) -> StorageEngine:
    """Open a store whose index is lost with an empty one, for `salvage`; not opened before that.

    What lies in the place of index, journal and snapshots is moved aside and kept. FormatError
    when it is no store, or in use.
    """
    with layout.renewed(path) as place:
        return StorageEngine(place, options, disk or RealDisk())


class StorageEngine(ObjectVerbs, QuotaVerbs, LifecycleVerbs, Upkeep):
    """An open store. Thread-safe; belongs to the process that opened it.

    Mutations return futures that resolve once the change is durable, or hold one of
    `storage_engine.errors`, or what the caller's guard raised. A staged payload given to a
    mutation is used up, whatever its outcome.
    """

    def __init__(self, place: layout.Layout, options: EngineOptions, disk: Disk) -> None:
        self._place = place
        self._disk = disk
        self._seen_generation = -1, -1  # up to which commit, and what it was there
        with ExitStack() as undo:
            self._open_index(options, undo)
            self._open_parts(options, undo)
            self._own(place)
            self._checkpointer.start(self._care.keep_from)
            undo.pop_all()
        _opened.add(self)

    def _open_index(self, options: EngineOptions, undo: ExitStack) -> None:
        """Open the index, put back and brought up to date unless others are using it."""
        place, disk = self._place, self._disk
        self._use = layout.Use(place)
        undo.callback(self._use.end)
        self._health = Health(disk, place.root, options.disk_reserve_bytes)
        self._journal = Journal(disk, place.journal, place.store_id, options.segment_bytes)
        undo.callback(self._journal.close)
        checkpoint = None
        if self._use.is_first and not place.is_new:
            checkpoint = recovery.restore(disk, place.index, self._journal)
        self._index = Index(place.index, options.map_bytes)
        undo.callback(self._index.close)
        self._checkpointer = Checkpointer(self._index, self._journal, disk, self._health)
        undo.callback(self._checkpointer.close, is_last=False)
        if checkpoint is not None:
            self._recover(checkpoint)
        elif place.is_new:
            self._checkpointer.checkpoint()
        else:
            self._checkpointer.settle()
        self._index.release_first_pin()
        self._use.share()

    def _recover(self, checkpoint: Checkpoint) -> None:
        """Go on from the checkpoint to the journal's end."""
        self._journal.tidy()
        self._checkpointer.adopt(checkpoint)
        tail = checkpoint.tail
        done = recovery.replay(self._index, self._journal, self._checkpointer, tail)
        if done.damage is not None:
            raise JournalDamaged(done.damage)
        if done.frames:
            self._checkpointer.checkpoint()

    def _open_parts(self, options: EngineOptions, undo: ExitStack) -> None:
        """Make everything that works with an open index."""
        place, disk, tables = self._place, self._disk, self._index.tables
        self._committer = Committer(
            self._index, self._health, self._journal, self._checkpointer, options.clock
        )
        undo.callback(self._committer.close)
        self._appender = Appender(
            disk,
            place.volumes,
            place.store_id,
            lambda strangers: self._committer.submit(meta.NextVolume(strangers)).result(),
            self._health,
            length_max=options.volume_bytes_max,
        )
        self._files = VolumeFiles(
            disk, place.volumes, options.descriptors_max, self._journal.counts
        )
        self._stager = Stager(self._appender, self._health, self._known, options.inline_bytes_max)
        self._group_writer = GroupWriter(self._stager, self._committer)
        undo.callback(self._group_writer.close)
        self._objects = ObjectReads(tables, Namespace(tables.entries), Namespace(tables.markers))
        self._uploads = UploadReads(tables, Namespace(tables.upload_names))
        self._lifecycle = Lifecycle(self._index, self._committer, options)
        self._old_uploads = OldUploads(self._index, self._committer)
        parts = (self._index, self._committer, disk, place, self._files, self._health)
        self._care = Care(*parts, options)
        report = self._care.quarantine.report
        self._lookup = Lookup(self._index, self._objects, self._files, report)

    def _own(self, place: layout.Layout) -> None:
        """Stamp a new index, or make sure that an old one belongs to its directory."""
        if place.is_new:
            self._committer.submit(meta.StampStore(place.store_id, place.is_renewed)).result()
        found = self._index.view(lambda txn: meta.read_store_id(txn, self._index.tables))
        if found != place.store_id:
            raise FormatError(f"the index in {place.root} belongs to another store")
        is_salvaging = self._index.view(lambda txn: meta.is_salvaging(txn, self._index.tables))
        if is_salvaging and not place.is_renewed:
            raise FormatError(f"the index in {place.root} was only half salvaged: begin again")

    def close(self) -> None:
        """Finish what was submitted, then let go of everything. Staged payloads are lost."""
        if self not in _opened:
            return
        _opened.discard(self)
        self._group_writer.close()
        self._committer.close()
        self._appender.close()
        self._care.close()
        self._files.close()
        self._checkpointer.stop()
        with layout.locked(self._place.root):
            self._let_go(is_last=self._use.is_last())

    def _let_go(self, *, is_last: bool) -> None:
        """Close what is shared with other processes, inside the lock on opening and closing."""
        self._checkpointer.close(is_last=is_last)
        self._journal.close()
        self._index.close()
        self._use.end()

    def abandon(self) -> None:
        """Let go of what a fork made this process inherit; nothing is written."""
        self._group_writer.abandon()
        self._committer.abandon()
        self._checkpointer.abandon()
        self._use.end()
        self._appender.abandon()
        self._care.abandon()
        self._files.abandon()
        self._index.abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def lend(self, host: Host | None) -> None:
        """Have brief mutations carried out in the thread of the event loop that waits for them.

        None: the loop is to end.
        """
        self._committer.lend(host)
        self._group_writer.lend(host)

    @property
    def failure(self) -> str | None:
        """Why the engine takes no more writes, or None while it does."""
        return self._health.failure

    # --- payloads ------------------------------------------------------------------------------

    def is_inline(self, size: int, origin: Origin | None = None) -> bool:
        """Tell whether staging a payload of this size does no I/O."""
        return self._stager.is_inline(size, origin)

    def stage_bytes(
        self, data: bytes | memoryview, sha256: bytes | None = None, origin: Origin | None = None
    ) -> StagedBlob:
        """Stage a payload that is in memory; it is written by the mutation that it is given to.

        `sha256` is believed. `origin` goes into the record, for salvage.
        """
        return self._stager.stage_bytes(data, sha256, origin)

    def begin_blob(
        self,
        size: int,
        origin: Origin | None = None,
        *,
        is_bound: bool = False,
        sha256: Hash | None = None,
    ) -> BlobWriter:
        """Reserve room for a payload that arrives in pieces, as `stage_bytes` does.

        With `is_bound` it may turn out to be shorter than `size`. `sha256` is fed what is written.
        """
        return self._stager.begin_blob(size, origin, is_bound=is_bound, sha256=sha256)

    def stage_completion(self, origin: Origin, parts: Sequence[PartInfo]) -> StagedBlob | None:
        """Write what tells salvage that an upload was completed; None when the disk is full."""
        return self._stager.stage_record(completion(origin.upload_id, parts), origin)

    def discard(self, blob: StagedBlob) -> None:
        """Give the room of a staged payload back that no mutation was given."""
        blob.settle(is_committed=False)

    # --- multipart uploads ---------------------------------------------------------------------

    def create_upload(
        self, bucket_id: int, key: str, attributes: ObjectAttributes, lock: ObjectLock = NO_LOCK
    ) -> Future[UploadInfo]:
        """Begin a multipart upload; `lock` is kept with it. NamespaceClosed, InvalidKey."""
        return self._submit(CreateUpload(ObjectRef(bucket_id, key), attributes, lock))

    def put_part(  # noqa: PLR0913  # what a part is, in the order S3 tells it
        self,
        bucket_id: int,
        key: str,
        upload_id: str,
        part_number: int,
        blob: StagedBlob,
        etag: str,
        checksums: dict[str, str],
    ) -> Future[PartInfo]:
        """Make a staged payload a part of an upload, replacing one of that number.

        NoSuchUpload, QuotaExceeded.
        """
        target, raw_id = ObjectRef(bucket_id, key), raw_upload_id(upload_id)
        operation = PutPart(target, raw_id, part_number, blob, etag, checksums)
        return self._group_writer.submit(operation, blob)

    def complete_upload(  # noqa: PLR0913  # what is completed, in the order S3 tells it
        self,
        bucket_id: int,
        key: str,
        upload_id: str,
        parts: Sequence[PartInfo],
        attributes: ObjectAttributes,
        *,
        guard: Guard | None = None,
        versioning: Versioning = Versioning.UNVERSIONED,
        lock: ObjectLock = NO_LOCK,
        default_retention: RetentionPeriod | None = None,
        record: StagedBlob | None = None,
    ) -> Future[ObjectInfo]:
        """Make an object of parts as `list_parts` gave them, in this order; others are released.

        NoSuchUpload, PartChanged, QuotaExceeded, ObjectLocked. A completed upload is
        remembered for a day, see `get_upload`. `record` is of `stage_completion`, for the same
        parts and attributes. `default_retention` is as for `put_object`.
        """
        target, raw_id = ObjectRef(bucket_id, key), raw_upload_id(upload_id)
        operation = CompleteUpload(target, raw_id, parts, attributes, guard, record)
        operation.versioning, operation.lock = versioning, lock
        operation.default_retention = default_retention
        return self._submit(operation)

    def abort_upload(self, bucket_id: int, key: str, upload_id: str) -> Future[None]:
        """End an upload with all its parts. NoSuchUpload."""
        return self._submit(AbortUpload(ObjectRef(bucket_id, key), raw_upload_id(upload_id)))

    def get_upload(self, bucket_id: int, key: str, upload_id: str) -> UploadInfo:
        """Return an upload that is open, or (`completed`) was completed within a day."""
        return self._index.view(lambda txn: self._uploads.upload(txn, bucket_id, key, upload_id))

    def list_parts(
        self, bucket_id: int, key: str, upload_id: str, *, after_part: int = 0, limit: int = 1000
    ) -> PartPage:
        """List the parts of an upload by number; as `get_upload`."""

        def look(txn: lmdb.Transaction[bytes]) -> PartPage:
            upload = self._uploads.upload(txn, bucket_id, key, upload_id)
            return self._uploads.parts(txn, upload, after_part, page_limit(limit))

        return self._index.view(look)

    def list_uploads(
        self,
        bucket_id: int,
        *,
        prefix: str = "",
        delimiter: str = "",
        after_key: str = "",
        after_upload_id: str = "",
        limit: int = 1000,
    ) -> UploadPage:
        """List open uploads by key, then by initiation; without an id, from the next key on."""
        after, limit = (after_key, after_upload_id), page_limit(limit)
        return self._index.view(
            lambda txn: self._uploads.page(
                txn, bucket_id, prefix=prefix, delimiter=delimiter, after=after, limit=limit
            )
        )

    # --- namespaces, generations ---------------------------------------------------------------

    def close_namespace(self, bucket_id: int) -> Future[None]:
        """Take no more writes under this id, ever. NamespaceNotEmpty while it has a version."""
        return self._submit(CloseNamespace(bucket_id))

    def namespace_counts(self, bucket_id: int) -> NamespaceCounts:
        """Return a namespace's exact totals."""
        row = self._index.view(lambda txn: self._namespace_row(txn, bucket_id))
        return NamespaceCounts(
            row.objects,
            row.object_bytes,
            row.uploads,
            row.upload_bytes,
            row.versions,
            row.markers,
            row.parts,
            row.locked,
        )

    def bump_generation(self, topic: str) -> int:
        """Tell every process that a topic has changed; durable on return. Returns the total."""
        return self._submit(meta.BumpGeneration(topic)).result()

    def confirm_generation(self, generation: int) -> None:
        """Note that what `bump_generation` announced was done, before anybody is told so."""
        self._submit(meta.ConfirmGeneration(generation)).result()

    def generation(self) -> int:
        """Return how often any topic has changed; it is only looked up after a commit."""
        seen = self._seen_generation
        if seen[0] != self._index.last_txn_id():
            # Another thread may write down an older one meanwhile: its answer is not ours.
            seen = self._seen_generation = self._index.view(self._read_generation)
        return seen[1]

    def confirmed_generation(self) -> int:
        """Return the newest generation whose change was done; later ones may come to nothing."""
        return self._index.view(lambda txn: meta.read_confirmed(txn, self._index.tables))

    def generations(self) -> dict[str, int]:
        """Return how often each topic has changed."""
        return self._index.view(lambda txn: meta.read_generations(txn, self._index.tables))

    # --- within --------------------------------------------------------------------------------

    def _submit(self, operation: Operation[Result]) -> Future[Result]:
        return self._committer.submit(operation)

    def _known(self, sha256s: Sequence[bytes]) -> set[bytes]:
        tables = self._index.tables

        def look(txn: lmdb.Transaction[bytes]) -> set[bytes]:
            return {name for name in sha256s if blobs.find_sound(txn, tables, name) is not None}

        return self._index.view(look)

    def _read_generation(self, txn: lmdb.Transaction[bytes]) -> tuple[int, int]:
        return txn.id(), meta.read_generation(txn, self._index.tables)


def _abandon_inherited() -> None:
    for engine in list(_opened):
        engine.abandon()
    _opened.clear()


os.register_at_fork(after_in_child=_abandon_inherited)
