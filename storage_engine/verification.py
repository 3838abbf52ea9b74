"""Proof that the store agrees with itself: every reference, every total, every byte.

The index is judged as of one commit, by counting everything again; then each blob's record is
read from its volume. Problems are sentences. Nothing is changed, and the store may be in use.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from awscrt.checksums import crc32c

from storage_engine import rows
from storage_engine.errors import CorruptBlob, EngineError
from storage_engine.limits import BLOCK_BYTES, READ_BYTES_MAX, RECORD_HEADER_BYTES_MAX
from storage_engine.record import (
    VOLUME_HEADER_BYTES,
    check_blocks,
    checks_bytes,
    record_seed,
    unpack_record_header,
    unpack_volume_header,
)
from storage_engine.recount import Recount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import lmdb

    from storage_engine.index import Index
    from storage_engine.volume_files import VolumeFile, VolumeFiles


class Verification:
    """Checks one store. `progress` is told (blobs read, blobs in all) while bytes are read."""

    def __init__(self, index: Index, files: VolumeFiles, store_id: bytes) -> None:
        self._index = index
        self._files = files
        self._store_id = store_id
        self._seed = record_seed(store_id)

    def run(self, progress: Callable[[int, int], None]) -> Iterator[str]:
        """Yield a sentence for each problem."""
        recount = self._index.view(lambda txn: Recount(txn, self._index.tables))
        yield from recount.problems
        for done, (sha256, blob) in enumerate(recount.blobs_in_order(), 1):
            yield from self._check_blob(sha256, blob)
            progress(done, len(recount.blobs))

    def _check_blob(self, sha256: bytes, blob: rows.Blob) -> Iterator[str]:
        try:
            file = self._files.acquire(blob.volume_id)
            try:
                self._check_volume(file)
                _check_record(file, sha256, blob, self._seed)
            finally:
                self._files.release(file)
        except (EngineError, OSError) as error:
            if self._is_current(sha256, blob):
                place = f"volume {blob.volume_id} at {blob.offset}"
                yield f"blob {sha256.hex()} in {place}: {error}"

    def _is_current(self, sha256: bytes, blob: rows.Blob) -> bool:
        """Tell whether the index still names the blob there: if not, its bytes may be gone."""

        def look(txn: lmdb.Transaction[bytes]) -> bool:
            value = txn.get(sha256, db=self._index.tables.blobs)
            if value is None:
                return False
            found = rows.decode_blob(value)
            return (found.volume_id, found.offset) == (blob.volume_id, blob.offset)

        return self._index.view(look)

    def _check_volume(self, file: VolumeFile) -> None:
        header = unpack_volume_header(file.read(VOLUME_HEADER_BYTES, 0))
        if (header.store_id, header.volume_id) != (self._store_id, file.id):
            raise CorruptBlob("the volume belongs elsewhere")


def _check_record(file: VolumeFile, sha256: bytes, blob: rows.Blob, seed: int) -> None:
    """Read a whole record; CorruptBlob unless it is what the index says."""
    room = min(RECORD_HEADER_BYTES_MAX, blob.length)
    header = unpack_record_header(file.read(room, blob.offset), seed)
    said = (header.volume_id, header.offset, header.payload_bytes, header.sha256)
    if said != (blob.volume_id, blob.offset, blob.size, sha256):
        raise CorruptBlob("the record is of another blob")
    if (header.header_bytes, header.checks_crc) != (blob.header_bytes, blob.checks_crc):
        raise CorruptBlob("the record's header is not the one that was written")
    start = blob.offset + blob.header_bytes
    checks = file.read(checks_bytes(blob.size), start + blob.size)
    if crc32c(checks) != blob.checks_crc or blob.checks not in {b"", checks}:
        raise CorruptBlob("the block checksums are wrong")
    digest = hashlib.sha256()
    for at in range(0, blob.size, READ_BYTES_MAX):
        data = file.read(min(READ_BYTES_MAX, blob.size - at), start + at)
        check_blocks(data, checks, at // BLOCK_BYTES)
        digest.update(data)
    if digest.digest() != sha256:
        raise CorruptBlob("the payload is not what its name says")
