"""Figures for people and metrics: totals of the store, and its volumes one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage_engine import keys, meta, rows
from storage_engine.disk import STAT_BLOCK_BYTES
from storage_engine.transaction import number
from storage_engine.values import EngineStats, VolumeInfo, VolumeState
from storage_engine.volume import is_owned, volume_ids, volume_path

if TYPE_CHECKING:
    from pathlib import Path

    import lmdb

    from storage_engine.disk import Disk
    from storage_engine.index import Index


class Statistics:
    """Reads of the store's totals."""

    def __init__(self, index: Index, disk: Disk, volumes: Path) -> None:
        self._index = index
        self._disk = disk
        self._volumes = volumes

    def stats(self) -> EngineStats:
        """Add everything up; costs a few microseconds for each namespace and volume."""
        totals, shared, (blobs, inline, quarantined) = self._index.view(self._count)
        volumes = self.volumes()
        physical = sum(volume.room for volume in volumes)
        live = sum(volume.live_bytes for volume in volumes)
        return EngineStats(
            namespaces=len(totals),
            objects=sum(row.objects for row in totals),
            versions=sum(row.versions for row in totals),
            object_bytes=sum(row.object_bytes for row in totals),
            uploads=sum(row.uploads for row in totals),
            upload_bytes=sum(row.upload_bytes for row in totals),
            blobs=blobs,
            inline_payloads=inline,
            volumes=len(volumes),
            volume_bytes=physical,
            live_bytes=live,
            dead_bytes=max(0, physical - live),
            index_bytes=self._index.size_bytes(),
            quarantined=quarantined,
            blob_references=None if shared is None else blobs + shared,
        )

    def live_bytes(self) -> int:
        """Return what blobs in use come to; costs a row of the index for each volume."""
        return sum(self._index.view(self._live_by_volume).values())

    def volumes(self) -> list[VolumeInfo]:
        """Return every volume, oldest first."""
        live, held = self._index.view(self._by_volume)
        found = []
        for volume_id in volume_ids(self._volumes):
            path = volume_path(self._volumes, volume_id)
            try:
                state = VolumeState.ACTIVE if is_owned(self._disk, path) else VolumeState.SEALED
                status = path.stat()
            except FileNotFoundError:
                continue  # dropped since the directory was read
            is_held = volume_id <= held
            live_bytes, room = live.get(volume_id, 0), status.st_blocks * STAT_BLOCK_BYTES
            found.append(VolumeInfo(volume_id, state, status.st_size, live_bytes, is_held, room))
        return found

    def _count(
        self, txn: lmdb.Transaction[bytes]
    ) -> tuple[list[rows.NamespaceRow], int | None, list[int]]:
        tables = self._index.tables
        with txn.cursor(tables.namespaces) as cursor:
            totals = [rows.decode_namespace(value) for _, value in cursor]
        counted = (tables.blobs, tables.inline, tables.quarantine)
        entries = [txn.stat(table)["entries"] for table in counted]
        return totals, meta.read_shared(txn, tables), entries

    def _live_by_volume(self, txn: lmdb.Transaction[bytes]) -> dict[int, int]:
        with txn.cursor(self._index.tables.volumes) as cursor:
            return {keys.sequence_number(key): number(value) for key, value in cursor}

    def _by_volume(self, txn: lmdb.Transaction[bytes]) -> tuple[dict[int, int], int]:
        """Return the live bytes of each volume, and the last one that is held."""
        return self._live_by_volume(txn), meta.read_held_volumes(txn, self._index.tables)
