"""Proof that the store agrees with itself: every reference, every total, every byte.

The index is judged as of one commit, by counting everything again; then each blob's record is
read from its volume. Problems are sentences. Nothing is changed but what is known of damaged
blobs, and the store may be in use.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from storage_engine import rows
from storage_engine.errors import EngineError
from storage_engine.lifecycle_check import LifecycleCheck
from storage_engine.limits import MOVES_FOLLOWED_MAX
from storage_engine.pace import Pace, never
from storage_engine.quarantine import is_at
from storage_engine.record import VOLUME_HEADER_BYTES, record_seed, unpack_volume_header
from storage_engine.recount import Recount
from storage_engine.stored import StoredRecord, is_damage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import lmdb

    from storage_engine.index import Index
    from storage_engine.options import Clock
    from storage_engine.quarantine import Quarantine
    from storage_engine.volume_files import VolumeFiles


class Verification:
    """Checks one store. `progress` is told (blobs read, blobs in all) while bytes are read."""

    def __init__(
        self,
        index: Index,
        files: VolumeFiles,
        quarantine: Quarantine,
        store_id: bytes,
        clock: Clock,
    ) -> None:
        self._index = index
        self._clock = clock
        self._files = files
        self._quarantine = quarantine
        self._store_id = store_id
        self._seed = record_seed(store_id)

    def run(
        self, progress: Callable[[int, int], None], should_stop: Callable[[], bool] = never
    ) -> Iterator[str]:
        """Yield a sentence for each problem; Stopped."""
        recount = self._index.view(lambda txn: Recount(txn, self._index.tables, should_stop))
        yield from recount.problems
        yield from self._index.view(self._check_lifecycle)
        volume_id, pace = -1, Pace(0, should_stop)
        for done, (sha256, blob) in enumerate(recount.blobs_in_order(), 1):
            pace.check()
            if blob.volume_id != volume_id:
                volume_id = blob.volume_id
                yield from self._check_volume(volume_id)
            yield from self._check_blob(sha256, blob, pace)
            progress(done, len(recount.blobs))

    def _check_lifecycle(self, txn: lmdb.Transaction[bytes]) -> list[str]:
        return list(LifecycleCheck(txn, self._index.tables, self._clock()).problems())

    def _check_volume(self, volume_id: int) -> Iterator[str]:
        with suppress(FileNotFoundError):  # its blobs will tell, if it was not dropped meanwhile
            file = self._files.acquire(volume_id)
            try:
                header = unpack_volume_header(file.read(VOLUME_HEADER_BYTES, 0))
                if (header.store_id, header.volume_id) != (self._store_id, volume_id):
                    yield f"volume {volume_id} belongs elsewhere"
            except (EngineError, OSError) as error:
                yield f"volume {volume_id}: {error}"
            finally:
                self._files.release(file)

    def _check_blob(self, sha256: bytes, blob: rows.Blob, pace: Pace) -> Iterator[str]:
        place: rows.Blob | None = blob
        for _ in range(MOVES_FOLLOWED_MAX):
            if place is None:
                return  # nothing uses it any more
            try:
                self._read_blob(sha256, place, pace)
            except (EngineError, OSError) as error:
                found = self._find(sha256)
                if is_at(found, place):
                    where = f"volume {place.volume_id} at {place.offset}"
                    yield f"blob {sha256.hex()} in {where}: {error}"
                    return
                place = None if found is None else rows.decode_blob(found)
            else:
                return

    def _read_blob(self, sha256: bytes, blob: rows.Blob, pace: Pace) -> None:
        """Read a blob's record; whether it is damaged is remembered."""
        try:
            file = self._files.acquire(blob.volume_id)
            try:
                StoredRecord(file.read, sha256, blob, self._seed).check(
                    is_hashed=True, pause=pace.pause
                )
            finally:
                self._files.release(file)
        except (EngineError, OSError) as error:
            if is_damage(error):
                self._quarantine.report(sha256, blob, str(error))
            raise
        self._quarantine.lift(sha256, blob)

    def _find(self, sha256: bytes) -> bytes | None:
        table = self._index.tables.blobs
        return self._index.view(lambda txn: txn.get(sha256, db=table))
