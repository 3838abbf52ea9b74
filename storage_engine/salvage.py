"""The third line of recovery: an index made of what the volumes say of themselves.

Every record is read and verified, whole, before it is believed. Nothing is written to a volume and
nothing is removed. What no record tells is lost: see docs/recovery.md.
"""

from __future__ import annotations

import errno
import hashlib
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from awscrt.checksums import crc32c

from storage_engine import layout, meta, rows
from storage_engine.adoption import (
    NO_DIGESTS,
    AdoptCompletion,
    AdoptObject,
    AdoptPart,
    AdoptShared,
    AdoptTwins,
    AssembleUpload,
    BeginSalvage,
    EndSalvage,
    Fate,
    Find,
    ReleaseVolumes,
    read_upload_ids,
)
from storage_engine.disk import RealDisk
from storage_engine.errors import CorruptBlob, FormatError
from storage_engine.limits import (
    BLOCK_BYTES,
    BLOCK_CHECKS_IN_INDEX_MAX,
    COMPLETION_BYTES_MAX,
    DAMAGES_TOLD_MAX,
    KEY_BYTES_MAX,
    PART_NUMBER_MAX,
    READ_BYTES_MAX,
    RECORD_ALIGNMENT,
    SALVAGE_BATCH,
    SAMPLE_KEYS_MAX,
)
from storage_engine.pace import ignore
from storage_engine.record import (
    RECORD_MAGIC,
    VOLUME_HEADER_BYTES,
    block_count,
    check_blocks,
    checks_bytes,
    read_description,
    record_seed,
    unpack_volume_header,
)
from storage_engine.uploads import COMPLETION, raw_upload_id
from storage_engine.values import Origin
from storage_engine.volume import volume_ids, volume_path
from storage_engine.walk import FoundRecord, Gap, Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from storage_engine.commit import Committer
    from storage_engine.disk import Disk
    from storage_engine.index import Index
    from storage_engine.layout import Layout
    from storage_engine.operation import Operation
    from storage_engine.values import Hold, ObjectRef

PAGE_BYTES: Final = 4096  # where the disk cannot read, so much is tried at a time


@dataclass(slots=True)
class FoundBucket:
    """A bucket that records were stored for: its keys so far, and some of them."""

    keys: int = 0
    sample: list[str] = field(default_factory=list)

    def add(self, key: str) -> None:
        """Count a key, and name it while the sample is small."""
        self.keys += 1
        if len(self.sample) < SAMPLE_KEYS_MAX and key not in self.sample:
            self.sample.append(key)


@dataclass(slots=True)
class SalvageReport:
    """What a salvage found, made of it, and could not use."""

    volumes: int = 0
    records: int = 0  # whole and verified
    record_bytes: int = 0  # of their payloads
    object_records: int = 0
    part_records: int = 0  # of parts; what tells that an upload was completed is in `records` only
    nameless: int = 0  # whole, but nothing tells what they were stored for
    objects: int = 0  # keys that have an object now
    assembled: int = 0  # completed uploads with all their parts: objects
    open_uploads: int = 0  # uploads that were not completed, or lack parts: open again
    older: int = 0  # records and uploads that a newer one of their key has replaced
    kept: int = 0  # versions besides the newest of their keys, by their locks
    gaps: int = 0  # ranges that hold no record: given up in ordinary use, or damaged
    gap_bytes: int = 0
    damages: int = 0
    damaged: list[str] = field(default_factory=list)  # a sentence for each of the first damages
    buckets: dict[int, FoundBucket] = field(default_factory=dict)
    left_out: dict[int, FoundBucket] = field(default_factory=dict)  # not asked for; by records

    def say(self, volume_id: int, offset: int, what: object) -> None:
        """Count a damage, and name it while the list is short."""
        self.damages += 1
        if len(self.damaged) < DAMAGES_TOLD_MAX:
            self.damaged.append(f"volume {volume_id} at {offset}: {what}")

    def count(self, bucket_id: int, key: str) -> None:
        """Count a key that has an object now."""
        self.objects += 1
        self.buckets.setdefault(bucket_id, FoundBucket()).add(key)


# --- reading ------------------------------------------------------------------------------------


class Survey:
    """Reads the volumes of one store. `progress` is told (bytes gone through, bytes in all)."""

    def __init__(
        self, disk: Disk, volumes: Path, store_id: bytes, progress: Callable[[int, int], None]
    ) -> None:
        self.report = SalvageReport()
        self.volume_ids = sorted(set(volume_ids(volumes)))
        self._disk = disk
        self._volumes = volumes
        self._store_id = store_id
        self._seed = record_seed(store_id)
        self._progress = progress

    def run(self, buckets: Collection[int] | None) -> SalvageReport:
        """Read everything and tell what is there; the index is neither needed nor touched.

        What would become of it is not asked: keys are counted once for each record.
        """
        for found in self.finds():
            if not _is_wanted(found, buckets, self.report):
                continue
            bucket = self.report.buckets.setdefault(found.origin.bucket_id, FoundBucket())
            bucket.add(found.origin.key)
        return self.report

    def finds(self) -> Iterator[Find]:
        """Yield what is whole and has a name, in order of place."""
        for volume_id, descriptor, item in self._items():
            if isinstance(item, Gap):
                self._take_gap(volume_id, descriptor, item)
            elif (found := self._take_record(descriptor, item)) is not None:
                yield found

    def finds_of(self, wanted: Collection[bytes]) -> Iterator[Find]:
        """Yield records of payloads by SHA-256, whatever they were stored for; others are not read.

        As attributes they have the ETag of their bytes. What is damaged was told by `finds`.
        """
        for _, descriptor, item in self._items():
            if isinstance(item, FoundRecord) and item.header.sha256 in wanted:
                with suppress(CorruptBlob, OSError):
                    found = self._verify(descriptor, item, Origin(0, "", NO_DIGESTS))
                    assert found is not None
                    yield found

    def _items(self) -> Iterator[tuple[int, int, FoundRecord | Gap]]:
        """Walk (volume id, descriptor, what is there) of all volumes."""
        sizes = {volume_id: self._size(volume_id) for volume_id in self.volume_ids}
        done, total = 0, sum(sizes.values())
        for volume_id, size in sizes.items():
            if not size:
                continue
            descriptor = self._disk.open(volume_path(self._volumes, volume_id))
            try:
                # Its last records may have been read from memory: what an index names is on disk.
                self._disk.sync(descriptor)
                for item in self._walk(volume_id, descriptor, size):
                    yield volume_id, descriptor, item
                    self._progress(done + item.offset + item.length, total)
            finally:
                self._disk.close(descriptor)
            done += size
            self._progress(done, total)

    def _size(self, volume_id: int) -> int:
        try:
            return volume_path(self._volumes, volume_id).stat().st_size
        except FileNotFoundError:
            self.report.say(volume_id, 0, "the file's name is not as it should be")
            return 0

    def _walk(self, volume_id: int, descriptor: int, size: int) -> Iterator[FoundRecord | Gap]:
        """Walk a volume of this store; one without a sound header is given the benefit of doubt.

        Its records say by themselves whose and where they are.
        """
        read = partial(self._read, volume_id, descriptor)
        try:
            header = unpack_volume_header(read(VOLUME_HEADER_BYTES, 0))
        except CorruptBlob as error:
            self.report.say(volume_id, 0, error)
        except FormatError as error:
            self.report.say(volume_id, 0, f"{error}: left out")
            return
        else:
            if header.store_id != self._store_id:
                self.report.say(volume_id, 0, "the volume belongs to another store: left out")
                return
            if header.volume_id != volume_id:
                whose = f"the volume is {header.volume_id} under another name"
                self.report.say(volume_id, 0, f"{whose}: left out")
                return
        self.report.volumes += 1
        next_data = partial(self._disk.next_data, descriptor)
        yield from Walk(volume_id, read, size, self._seed, next_data=next_data).items()

    def _read(self, volume_id: int, descriptor: int, length: int, offset: int) -> bytes:
        """Read for the walk; what the disk cannot read is zeros, and told."""
        try:
            return self._disk.read(descriptor, length, offset)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
        pieces = []
        for at in range(offset, offset + length, PAGE_BYTES):
            wanted = min(PAGE_BYTES, offset + length - at)
            try:
                pieces.append(self._disk.read(descriptor, wanted, at))
            except OSError as error:
                self.report.say(volume_id, at, f"cannot be read: {error.strerror}")
                pieces.append(bytes(wanted))
        return b"".join(pieces)

    def _take_gap(self, volume_id: int, descriptor: int, gap: Gap) -> None:
        self.report.gaps += 1
        self.report.gap_bytes += gap.length
        start = gap.offset - gap.offset % RECORD_ALIGNMENT
        if self._read(volume_id, descriptor, len(RECORD_MAGIC), start) == RECORD_MAGIC:
            self.report.say(volume_id, start, "a record's header is damaged, or its end is missing")

    def _take_record(self, descriptor: int, item: FoundRecord) -> Find | None:
        """Verify a record; None when it is damaged or tells nothing."""
        header, report = item.header, self.report
        origin = self._named(item)
        try:
            find = self._verify(descriptor, item, origin)
        except (CorruptBlob, OSError) as error:
            report.say(header.volume_id, item.offset, f"{_title(origin)}: {error}")
            return None
        report.records += 1
        report.record_bytes += header.payload_bytes
        if find is None:
            report.nameless += 1
        elif find.origin.upload_id:
            report.part_records += bool(find.origin.part_number)
        else:
            report.object_records += 1
        return find

    def _named(self, item: FoundRecord) -> Origin | None:
        """Read what a record was stored for; what cannot be read is told, and counts as nothing."""
        try:
            origin = read_description(item.header.description)
        except CorruptBlob as error:
            self.report.say(item.header.volume_id, item.offset, error)
            return None
        return origin if origin is not None and _is_name(origin) else None

    def _verify(self, descriptor: int, item: FoundRecord, origin: Origin | None) -> Find | None:
        """Read a whole record; CorruptBlob, OSError unless every byte is right."""
        header = item.header
        start, size = item.offset + header.header_bytes, header.payload_bytes
        checks = self._disk.read(descriptor, checks_bytes(size), start + size)
        if crc32c(checks) != header.checks_crc:
            raise CorruptBlob("the block checksums are wrong")
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        is_etag_wanted = origin is not None and not origin.attributes.etag
        is_completion = origin is not None and _is_completion(origin)
        if is_completion and size > COMPLETION_BYTES_MAX:
            raise CorruptBlob("more parts than an upload can have")
        kept = b""
        for at in range(0, size, READ_BYTES_MAX):
            data = self._disk.read(descriptor, min(READ_BYTES_MAX, size - at), start + at)
            check_blocks(data, checks, at // BLOCK_BYTES)
            sha256.update(data)
            if is_etag_wanted:
                md5.update(data)
            if is_completion:
                kept += data
        if sha256.digest() != header.sha256:
            raise CorruptBlob("the payload is not what its name says")
        if origin is None:
            return None
        if is_etag_wanted:
            origin = origin.with_digests(md5.hexdigest(), origin.attributes.checksums)
        is_in_index = block_count(size) <= BLOCK_CHECKS_IN_INDEX_MAX
        place = rows.Blob(
            volume_id=header.volume_id,
            offset=item.offset,
            header_bytes=header.header_bytes,
            size=size,
            length=item.length,
            references=1,
            checks_crc=header.checks_crc,
            checks=checks if is_in_index else b"",
        )
        return Find(header.sha256, place, header.created_ms, origin, kept)


def survey_volumes(
    path: Path,
    progress: Callable[[int, int], None] | None = None,
    buckets: Collection[int] | None = None,
    *,
    disk: Disk | None = None,
) -> SalvageReport:
    """Tell what a salvage would find in a store, open or not, and change nothing. FormatError."""
    place = layout.existing(path)
    if place is None:
        raise FormatError(layout.no_store(path))
    told = progress or ignore
    return Survey(disk or RealDisk(), place.volumes, place.store_id, told).run(buckets)


def _title(origin: Origin | None) -> str:
    """Say what a record was stored for."""
    if origin is None:
        return "a payload of unknown name"
    if _is_completion(origin):
        what = "the list of the parts of"
    else:
        what = f"part {origin.part_number} of" if origin.upload_id else "object"
    return f"{what} {origin.key!r} of bucket {origin.bucket_id}"


def _is_name(origin: Origin) -> bool:
    """Tell whether an origin names something that can be in a store."""
    if not origin.bucket_id or not 0 < len(origin.key.encode()) <= KEY_BYTES_MAX:
        return False
    if not origin.upload_id:
        return not origin.part_number
    is_number = 0 <= origin.part_number <= PART_NUMBER_MAX
    return is_number and bool(raw_upload_id(origin.upload_id))


def _is_completion(origin: Origin) -> bool:
    """Tell whether the payload says which parts an upload was completed with."""
    return bool(origin.upload_id) and origin.part_number == COMPLETION


def _operation(found: Find) -> Operation[Fate]:
    if not found.origin.upload_id:
        return AdoptObject(found)
    return AdoptCompletion(found) if _is_completion(found.origin) else AdoptPart(found)


# --- writing ------------------------------------------------------------------------------------


class Salvage:
    """Fills the empty index of one store from its volumes, and holds these afterwards."""

    def __init__(self, index: Index, committer: Committer, disk: Disk, place: Layout) -> None:
        self._index = index
        self._committer = committer
        self._disk = disk
        self._place = place

    def held_volumes(self) -> int:
        """Return the id of the last volume that is held, or 0."""
        return self._index.view(lambda txn: meta.read_held_volumes(txn, self._index.tables))

    def hold(self) -> Hold | None:
        """Tell which volumes are held, since when and why."""
        return self._index.view(lambda txn: meta.read_hold(txn, self._index.tables))

    def release_volumes(self) -> int:
        """Hold them no more; return up to which id they were."""
        return self._committer.submit(ReleaseVolumes()).result()

    def run(
        self, progress: Callable[[int, int], None], buckets: Collection[int] | None
    ) -> SalvageReport:
        """Bring in what is of these buckets, or of all; IndexNotEmpty.

        Cut off, it leaves an index that no engine opens.
        """
        survey = Survey(self._disk, self._place.volumes, self._place.store_id, progress)
        last_volume = max(survey.volume_ids, default=0)
        self._committer.submit(BeginSalvage(last_volume)).result()
        finds = (found for found in survey.finds() if _is_wanted(found, buckets, survey.report))
        while batch := list(islice(finds, SALVAGE_BATCH)):
            self._adopt(batch, survey.report)
        self._share()
        self._assemble(survey.report)
        self._committer.submit(EndSalvage()).result()
        return survey.report

    def _adopt(self, batch: list[Find], report: SalvageReport) -> None:
        operations: list[Operation[Fate]] = [_operation(found) for found in batch]
        fates = self._committer.submit_all(operations).result()
        for found, fate in zip(batch, fates, strict=True):
            if isinstance(fate, CorruptBlob):
                report.say(found.place.volume_id, found.place.offset, fate)
            elif isinstance(fate, Exception):
                raise fate
            elif fate is Fate.KEPT:
                report.kept += 1
            elif fate is not Fate.NEW:
                report.older += 1
            elif not found.origin.upload_id:
                report.count(found.origin.bucket_id, found.origin.key)

    def _share(self) -> None:
        """Give completed uploads the parts whose bytes something else had brought before.

        Only headers are read for it, and the records that are wanted. Keeps about 200 bytes for
        each of these parts.
        """
        wanted: defaultdict[bytes, list[tuple[bytes, int]]] = defaultdict(list)
        for raw_id in self._upload_ids():
            for part_number, sha256 in self._committer.submit(AdoptTwins(raw_id)).result():
                wanted[sha256].append((raw_id, part_number))
        if not wanted:
            return
        survey = Survey(self._disk, self._place.volumes, self._place.store_id, ignore)
        for found in survey.finds_of(wanted):
            users = wanted.pop(found.sha256)
            for start in range(0, len(users), SALVAGE_BATCH):
                shared = [
                    AdoptShared(*user, found) for user in users[start : start + SALVAGE_BATCH]
                ]
                for outcome in self._committer.submit_all(shared).result():
                    if isinstance(outcome, Exception):
                        raise outcome
            if not wanted:
                return

    def _assemble(self, report: SalvageReport) -> None:
        """Make objects of the uploads that were completed and whose parts are all there."""
        for raw_id in self._upload_ids():
            self._count(*self._committer.submit(AssembleUpload(raw_id)).result(), report)

    def _upload_ids(self) -> Iterator[bytes]:
        """Walk the uploads there are; the one that was given last may be gone by then."""
        after, tables = b"", self._index.tables
        while True:
            look = partial(read_upload_ids, tables=tables, after=after, limit=SALVAGE_BATCH)
            raw_ids = self._index.view(look)
            yield from raw_ids
            if not raw_ids:
                return
            after = raw_ids[-1]

    def _count(self, fate: Fate, target: ObjectRef, report: SalvageReport) -> None:
        if fate is Fate.OPEN:
            report.open_uploads += 1
        elif fate is Fate.OLDER:
            report.older += 1
        else:
            report.assembled += 1
            if fate is Fate.NEW:
                report.count(*target)
            elif fate is Fate.KEPT:
                report.kept += 1
            else:
                report.older += 1


def _is_wanted(found: Find, buckets: Collection[int] | None, report: SalvageReport) -> bool:
    bucket_id = found.origin.bucket_id
    if buckets is None or bucket_id in buckets:
        return True
    report.left_out.setdefault(bucket_id, FoundBucket()).add(found.origin.key)
    return False
