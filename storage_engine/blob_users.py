"""Who uses a blob: the index counts references and does not list them, so this looks at all keys.

For commands and tasks: it costs a walk through every version, part and upload of the store.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from storage_engine import keys, rows
from storage_engine.errors import EngineError
from storage_engine.limits import HOUSEKEEPING_BATCH, SCAN_STEPS_MAX
from storage_engine.listing import Query
from storage_engine.pace import Stopped, never

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    import lmdb

    from storage_engine.index import Index
    from storage_engine.object_reads import ObjectReads
    from storage_engine.values import ObjectInfo, VersionPage


class BlobUser(NamedTuple):
    """A version of a key, or an open upload, that a blob is in."""

    sha256: bytes
    bucket_id: int
    key: str
    version_id: str = ""
    upload_id: str = ""


class BlobUsers:
    """Looks for the users of blobs in one store."""

    def __init__(self, index: Index, objects: ObjectReads) -> None:
        self._index = index
        self._objects = objects
        self._should_stop: Callable[[], bool] = never

    def find(
        self, wanted: Collection[bytes], should_stop: Callable[[], bool] = never
    ) -> Iterator[BlobUser]:
        """Yield the users of the blobs with these SHA-256, bucket by bucket, then open uploads.

        Stopped, between two pages of keys.
        """
        if not wanted:
            return
        self._should_stop = should_stop
        by_upload = self._find_parts(frozenset(wanted))
        for bucket_id in self._index.view(self._bucket_ids):
            for info in self._versions(bucket_id):
                if info.sha256 in wanted:
                    yield BlobUser(info.sha256 or b"", bucket_id, info.key, info.version_id)
                elif info.part_count and by_upload:
                    yield from self._of_multipart(bucket_id, info, by_upload)
        for raw_id, found in by_upload.items():
            yield from self._index.view(partial(self._of_upload, raw_id, found))

    def _versions(self, bucket_id: int) -> Iterator[ObjectInfo]:
        key = version_id = ""
        while True:
            if self._should_stop():
                raise Stopped
            query = Query(b"", b"", key.encode(), HOUSEKEEPING_BATCH)
            look = partial(self._page, bucket_id, query, version_id)
            page = self._index.view(look)
            yield from page.versions
            if not page.is_truncated:
                return
            key, version_id = page.next_key, page.next_version_id

    def _page(
        self, bucket_id: int, query: Query, version_id: str, txn: lmdb.Transaction[bytes]
    ) -> VersionPage:
        return self._objects.version_page(txn, bucket_id, query, version_id)

    def _of_multipart(
        self, bucket_id: int, info: ObjectInfo, by_upload: dict[bytes, set[bytes]]
    ) -> Iterator[BlobUser]:
        def look(txn: lmdb.Transaction[bytes]) -> rows.Payload:
            entry, _ = self._objects.entry(txn, bucket_id, info.key, info.version_id)
            return entry.payload

        try:
            payload = self._index.view(look)
        except EngineError:
            return  # removed since it was listed
        if isinstance(payload, bytes):
            for sha256 in by_upload.get(payload, ()):
                yield BlobUser(sha256, bucket_id, info.key, info.version_id)

    def _of_upload(
        self, raw_id: bytes, found: set[bytes], txn: lmdb.Transaction[bytes]
    ) -> list[BlobUser]:
        value = txn.get(raw_id, db=self._index.tables.uploads)
        if value is None:
            return []
        row = rows.decode_upload(value)
        if row.completed is not None:
            return []
        return [
            BlobUser(sha256, row.bucket_id, row.key, upload_id=raw_id.hex()) for sha256 in found
        ]

    def _bucket_ids(self, txn: lmdb.Transaction[bytes]) -> list[int]:
        with txn.cursor(self._index.tables.namespaces) as cursor:
            return [keys.sequence_number(key) for key in cursor.iternext(values=False)]

    def _find_parts(self, wanted: frozenset[bytes]) -> dict[bytes, set[bytes]]:
        """Return which of the blobs are parts, by upload id."""
        found: dict[bytes, set[bytes]] = {}
        after: bytes | None = b""
        while after is not None:
            if self._should_stop():
                raise Stopped
            some, after = self._index.view(partial(self._scan_parts, wanted, after))
            for raw_id, sha256 in some:
                found.setdefault(raw_id, set()).add(sha256)
        return found

    def _scan_parts(
        self, wanted: frozenset[bytes], after: bytes, txn: lmdb.Transaction[bytes]
    ) -> tuple[list[tuple[bytes, bytes]], bytes | None]:
        """Look at some parts from a key on; return those wanted, and where to go on."""
        found: list[tuple[bytes, bytes]] = []
        with txn.cursor(self._index.tables.parts) as cursor:
            is_found = cursor.set_range(after)
            for _ in range(SCAN_STEPS_MAX):
                if not is_found:
                    return found, None
                payload = rows.decode_part(cursor.value()).payload
                if isinstance(payload, bytes) and payload in wanted:
                    found.append((cursor.key()[: keys.UPLOAD_ID_BYTES], payload))
                is_found = cursor.next()
            return found, cursor.key() if is_found else None
