"""From an object's entry to a reader of its bytes: the places of its payloads, as of one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage_engine import blobs, keys, rows
from storage_engine.errors import NoSuchKey, StorageError
from storage_engine.limits import EXTENTS_RESOLVED_MAX, MOVES_FOLLOWED_MAX
from storage_engine.reader import Extent, Extents, Gone, PlacedReader, WholeReader

if TYPE_CHECKING:
    from collections.abc import Callable

    import lmdb

    from storage_engine.index import Index
    from storage_engine.object_reads import ObjectReads
    from storage_engine.reader import ObjectReader
    from storage_engine.volume_files import VolumeFiles


class Lookup:
    """Opens objects for reading. `report` takes (SHA-256, place, reason) of damaged blobs."""

    def __init__(
        self,
        index: Index,
        objects: ObjectReads,
        files: VolumeFiles,
        report: Callable[[bytes, rows.Blob, str], None],
    ) -> None:
        self._index = index
        self._objects = objects
        self._files = files
        self.report = report

    def open_object(self, bucket_id: int, key: str, version_id: str | None = None) -> ObjectReader:
        """Return a reader of a version; raises as `ObjectReads.entry` does, and CorruptBlob."""
        for _ in range(MOVES_FOLLOWED_MAX):
            reader = self._index.view(self._find, bucket_id, key, version_id)
            if type(reader) is WholeReader:  # the class is final; `isinstance` would ask `ABCMeta`
                return reader
            try:
                reader.open()
            except Gone:
                reader.close()  # it was replaced since we looked
            except BaseException:
                reader.close()
                raise
            else:
                return reader
        raise StorageError(f"{key} is replaced faster than it can be opened")

    def find(self, sha256: bytes) -> rows.Blob | None:
        """Return where a blob lies now, or None when nothing uses it any more."""
        tables = self._index.tables
        value = self._index.view(lambda txn: txn.get(sha256, db=tables.blobs))
        return None if value is None else rows.decode_blob(value)

    def is_there(self, sha256: bytes, blob: rows.Blob) -> bool:
        """Tell whether a blob, in use or dead, still has its bytes at that place."""

        def look(txn: lmdb.Transaction[bytes]) -> bool:
            tables = self._index.tables
            value = txn.get(sha256, db=tables.blobs)
            if value is not None:
                found = rows.decode_blob(value)
                if (found.volume_id, found.offset) == (blob.volume_id, blob.offset):
                    return True
            place = keys.extent(blob.volume_id, blob.offset)
            return txn.get(place, db=tables.dead) is not None

        return self._index.view(look)

    def _find(
        self, txn: lmdb.Transaction[bytes], bucket_id: int, key: str, version_id: str | None
    ) -> WholeReader | PlacedReader:
        entry, is_latest = self._objects.entry(txn, bucket_id, key, version_id)
        info = entry.info(key, is_latest=is_latest)
        if entry.part_count:
            return PlacedReader(info, self._find_parts(txn, entry), self._files, self)
        whole = self._held(txn, entry.payload)
        if whole is not None:
            return WholeReader(info, whole)
        extents = Extents((entry.size,), _resolve_nothing, [self._extent(txn, entry)])
        return PlacedReader(info, extents, self._files, self)

    def _find_parts(self, txn: lmdb.Transaction[bytes], entry: rows.Entry) -> Extents:
        upload_id = entry.payload
        assert isinstance(upload_id, bytes)
        manifest = blobs.get_manifest(txn, self._index.tables, upload_id)
        numbers = manifest.part_numbers()

        def resolve(first: int) -> list[Extent]:
            return self._index.view(lambda txn: self._resolve(txn, upload_id, numbers[first:]))

        first = self._resolve(txn, upload_id, numbers)
        return Extents(manifest.part_ends(), resolve, first)

    def _resolve(
        self, txn: lmdb.Transaction[bytes], upload_id: bytes, numbers: tuple[int, ...]
    ) -> list[Extent]:
        """Look up the first few parts of a multipart object."""
        tables = self._index.tables
        if txn.get(upload_id, db=tables.manifests) is None:
            raise NoSuchKey("the object was removed while it was read")
        return [
            self._extent(txn, blobs.get_part(txn, tables, upload_id, number))
            for number in numbers[:EXTENTS_RESOLVED_MAX]
        ]

    def _held(self, txn: lmdb.Transaction[bytes], payload: rows.Payload) -> bytes | None:
        """Return the bytes of a payload that lies in no volume."""
        if payload is None:
            return b""
        if isinstance(payload, int):
            return blobs.read_inline(txn, self._index.tables, payload)
        return None

    def _extent(self, txn: lmdb.Transaction[bytes], row: rows.Entry | rows.Part) -> Extent:
        payload = row.payload
        if not isinstance(payload, bytes):
            return Extent(row.size, data=self._held(txn, payload))
        blob = blobs.get_blob(txn, self._index.tables, payload)
        return Extent(row.size, sha256=payload, blob=blob)


def _resolve_nothing(_first: int) -> list[Extent]:
    raise AssertionError("an object in one piece is known whole")
