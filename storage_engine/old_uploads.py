"""Lists and ends uploads that nobody has finished, in whatever bucket, by their age.

Their ids begin with the time they were begun, and so does the order of the table: what is passed on
the way are those that were completed within the last day.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from storage_engine import keys, rows
from storage_engine.errors import NoSuchUpload
from storage_engine.limits import HOUSEKEEPING_BATCH, LIFECYCLE_PARTS_MAX, SCAN_STEPS_MAX
from storage_engine.uploads import AbortUpload, raw_upload_id, upload_info
from storage_engine.values import ObjectRef, OpenUpload, OpenUploads

if TYPE_CHECKING:
    from collections.abc import Callable

    import lmdb

    from storage_engine.commit import Committer
    from storage_engine.index import Index


class OldUploads:
    """Aborts uploads by their age alone."""

    def __init__(self, index: Index, committer: Committer) -> None:
        self._index = index
        self._committer = committer

    def abort(self, by_ms: int, is_over: Callable[[], bool]) -> tuple[int, bool]:
        """Abort those begun by some time; return how many, and whether that was all."""
        count, after = 0, b""
        while True:
            if is_over():
                return count, False
            found, after = self._index.view(partial(self._batch, by_ms, after))
            aborted = self._committer.submit_all(found).result()
            for outcome in aborted:
                if isinstance(outcome, NoSuchUpload):
                    continue  # it was completed or aborted meanwhile
                if isinstance(outcome, Exception):
                    raise outcome
                count += 1
            if not after:
                return count, True

    def page(self, after_id: str, limit: int) -> OpenUploads:
        """Return open uploads with what their parts come to, oldest first."""
        return self._index.view(partial(self._page, raw_upload_id(after_id), limit))

    def _page(self, after: bytes, limit: int, txn: lmdb.Transaction[bytes]) -> OpenUploads:
        found: list[OpenUpload] = []
        raw_id, parts = after, 0
        with txn.cursor(self._index.tables.uploads) as cursor:
            is_found = cursor.set_range(after + b"\x00" if after else b"")
            for _ in range(SCAN_STEPS_MAX):
                if not is_found:
                    return OpenUploads(found, "")
                if len(found) >= limit or parts >= SCAN_STEPS_MAX:
                    break
                raw_id, row = cursor.key(), rows.decode_upload(cursor.value())
                if row.completed is None:
                    upload = upload_info(raw_id, row)
                    found.append(OpenUpload(upload, *self._count_parts(txn, raw_id)))
                    parts += found[-1].parts
                is_found = cursor.next()
        return OpenUploads(found, raw_id.hex())

    def _batch(
        self, by_ms: int, after: bytes, txn: lmdb.Transaction[bytes]
    ) -> tuple[list[AbortUpload], bytes]:
        """Return what one commit is to abort, and after which id to go on; nothing: at the end."""
        found: list[AbortUpload] = []
        parts = 0
        with txn.cursor(self._index.tables.uploads) as cursor:
            is_found = cursor.set_range(after + b"\x00" if after else b"")
            while is_found:
                raw_id, row = cursor.key(), rows.decode_upload(cursor.value())
                if keys.upload_begun_ms(raw_id) > by_ms:
                    break
                if row.completed is None:
                    found.append(AbortUpload(ObjectRef(row.bucket_id, row.key), raw_id))
                    parts += self._count_parts(txn, raw_id)[0]
                    if len(found) >= HOUSEKEEPING_BATCH or parts >= LIFECYCLE_PARTS_MAX:
                        return found, raw_id
                is_found = cursor.next()
        return found, b""

    def _count_parts(self, txn: lmdb.Transaction[bytes], raw_id: bytes) -> tuple[int, int]:
        """Count the parts of an upload, and their bytes."""
        count = size = 0
        with txn.cursor(self._index.tables.parts) as cursor:
            is_found = cursor.set_range(raw_id)
            while is_found and cursor.key().startswith(raw_id):
                count += 1
                size += rows.decode_part(cursor.value()).size
                is_found = cursor.next()
        return count, size
