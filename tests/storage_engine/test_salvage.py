"""An index made of the volumes alone: everything a record tells comes back, nothing else does."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from storage_engine import (
    EngineOptions,
    FormatError,
    IndexNotEmpty,
    NoSuchKey,
    ObjectAttributes,
    Origin,
    open_engine,
    renew_engine,
)
from storage_engine.disk import RealDisk
from storage_engine.record import RECORD_MAGIC, VolumeHeader, record_seed, unpack_record_header
from storage_engine.volume import volume_ids, volume_path
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    attributes,
    get,
    noise,
    problems,
    put,
    put_multipart,
    put_part,
    small_store,
)

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import ObjectInfo, SalvageReport, StorageEngine

SMALL = EngineOptions(
    inline_bytes_max=64,
    volume_bytes_max=256 * KIB,
    disk_reserve_bytes=0,
    segment_bytes=64 * KIB,
)
LATER = 10**15


def lose_index(store: Path) -> None:
    """Take everything away but the marker and the volumes."""
    for path in store.iterdir():
        if path.name not in {"FORMAT", "volumes"}:
            shutil.rmtree(path)


def bytes_of_volumes(store: Path) -> dict[str, bytes]:
    """Read every volume file."""
    return {path.name: path.read_bytes() for path in (store / "volumes").iterdir()}


def salvaged(store: Path) -> tuple[StorageEngine, SalvageReport]:
    """Lose the index and make it anew from the volumes, which must not change."""
    lose_index(store)
    before = bytes_of_volumes(store)
    engine = renew_engine(store, SMALL)
    report = engine.salvage()
    assert bytes_of_volumes(store) == before
    return engine, report


def md5(data: bytes) -> str:
    """Return the hex MD5."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def put_rich(
    engine: StorageEngine, key: str, data: bytes, *, bucket_id: int = BUCKET
) -> ObjectInfo:
    """Put an object with everything that the S3 side gives one, in pieces."""
    kept = ObjectAttributes(
        etag="",
        headers={"content-type": "text/plain", "x-amz-meta-key": key},
        checksum_type="FULL_OBJECT",
        owner="o" * 64,
        extra={"more": "of it"},
    )
    sums = {"CRC64NVME": "AAAAAAAAAAA="}
    with engine.begin_blob(len(data), Origin(bucket_id, key, kept)) as writer:
        writer.write(data)
        blob = writer.finish(md5(data), sums)
    return engine.put_object(bucket_id, key, blob, kept.with_digests(md5(data), sums)).result()


def places(store: Path) -> list[tuple[int, int]]:
    """List (volume, offset) of every record, by the magic at its start."""
    found = []
    for volume_id in volume_ids(store / "volumes"):
        data = volume_path(store / "volumes", volume_id).read_bytes()
        found += [
            (volume_id, at)
            for at in range(512, len(data), 512)
            if data[at : at + len(RECORD_MAGIC)] == RECORD_MAGIC
        ]
    return found


def flip(store: Path, place: tuple[int, int], at: int) -> None:
    """Change one bit of a record."""
    path = volume_path(store / "volumes", place[0])
    data = bytearray(path.read_bytes())
    data[place[1] + at] ^= 1
    path.write_bytes(data)


# --- what comes back ----------------------------------------------------------------------------


def test_objects_come_back_as_they_were(tmp_path: Path) -> None:
    """Bytes, headers, owner, checksums, ETag and time of every object are those it had."""
    with small_store(tmp_path / "s") as engine:
        before = [
            put_rich(engine, f"dir/{n}", noise(size, n), bucket_id=1 + n % 2)
            for n, size in enumerate([64, 1000, 65 * KIB, 300 * KIB, 2000])
        ]
    engine, report = salvaged(tmp_path / "s")
    with engine:
        for n, info in enumerate(before):
            after = engine.head_object(1 + n % 2, info.key)
            assert after.attributes == info.attributes
            assert (after.size, after.sha256) == (info.size, info.sha256)
            assert abs(after.modified_ms - info.modified_ms) < 10_000
            assert get(engine, info.key, bucket_id=1 + n % 2) == noise(info.size, n)
        assert (report.objects, report.records, report.damages) == (5, 5, 0)
        assert report.buckets[1].sample == ["dir/0", "dir/2", "dir/4"]
        assert report.buckets[2].keys == 2
        assert problems(engine) == []
    with open_engine(tmp_path / "s", SMALL) as again:
        assert get(again, "dir/2") == noise(65 * KIB, 2)


def test_an_etag_that_no_record_says_is_computed(tmp_path: Path) -> None:
    """A record written before its digests were known gets the MD5 of its payload."""
    with small_store(tmp_path / "s") as engine:
        kept = ObjectAttributes(etag="", headers={"content-type": "a/b"})
        with engine.begin_blob(3000, Origin(BUCKET, "k", kept)) as writer:
            writer.write(noise(3000))
            engine.put_object(BUCKET, "k", writer.finish(), attributes()).result()
    engine, _ = salvaged(tmp_path / "s")
    with engine:
        assert engine.head_object(BUCKET, "k").etag == md5(noise(3000))
        assert engine.head_object(BUCKET, "k").headers == {"content-type": "a/b"}


def test_of_several_records_of_a_key_the_newest_is_its_object(tmp_path: Path) -> None:
    """Overwritten contents stay on disk, are counted, and never win."""
    with small_store(tmp_path / "s") as engine:
        for n in range(5):
            put(engine, "k", noise(1000 + n, n))
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert get(engine, "k") == noise(1004, 4)
        assert (report.objects, report.older, report.records) == (1, 4, 5)
        assert engine.stats().blobs == 1
        assert problems(engine) == []


def test_content_shared_by_two_keys_comes_back_under_the_first(tmp_path: Path) -> None:
    """A blob's record names who brought it; the name of who shared it lay in the index only."""
    with small_store(tmp_path / "s") as engine:
        put(engine, "first", noise(1000))
        put(engine, "second", noise(1000))
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert get(engine, "first") == noise(1000)
        with pytest.raises(NoSuchKey):
            engine.head_object(BUCKET, "second")
        assert report.objects == 1
        assert problems(engine) == []


def test_equal_contents_in_two_records_are_one_blob(tmp_path: Path) -> None:
    """When each of two keys has a record of the same bytes, both come back and share one."""
    with small_store(tmp_path / "s") as engine:
        put(engine, "first", noise(1000))
        engine.delete_object(BUCKET, "first").result()
        put(engine, "second", noise(1000))
    engine, _ = salvaged(tmp_path / "s")
    with engine:
        assert get(engine, "first") == get(engine, "second") == noise(1000)
        assert engine.stats().blobs == 1
        assert problems(engine) == []


def test_what_is_in_no_volume_does_not_come_back_and_what_was_deleted_does(tmp_path: Path) -> None:
    """Small payloads lie in the index alone; a deletion leaves the record where it was."""
    with small_store(tmp_path / "s") as engine:
        put(engine, "small", b"inline")
        put(engine, "deleted", noise(1000))
        engine.delete_object(BUCKET, "deleted").result()
    engine, _ = salvaged(tmp_path / "s")
    with engine:
        assert [info.key for info in engine.list_objects(BUCKET).objects] == ["deleted"]
        assert problems(engine) == []


def test_a_record_that_names_nothing_is_counted(tmp_path: Path) -> None:
    """Without a bucket and a key there is no object to make; the record stays."""
    with small_store(tmp_path / "s") as engine:
        engine.put_object(BUCKET, "a", engine.stage_bytes(noise(500)), attributes()).result()
        for origin in (
            Origin(0, "k", attributes()),
            Origin(1, "", attributes()),
            Origin(1, "k" * 1025, attributes()),
            Origin(1, "k", attributes(), "no id", 1),
            Origin(1, "k", attributes(), "0" * 32, 10_001),
        ):
            blob = engine.stage_bytes(noise(500, hash(repr(origin))), origin=origin)
            engine.put_object(BUCKET, "b", blob, attributes()).result()
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert (report.records, report.nameless, report.objects) == (6, 6, 0)
        assert problems(engine) == []


# --- multipart ----------------------------------------------------------------------------------


def test_a_multipart_object_comes_back_of_its_parts(tmp_path: Path) -> None:
    """Bytes, ETag, parts and headers are the object's; its checksums are made by who knows how."""
    pieces = [noise(100 * KIB, 1), noise(300 * KIB, 2), noise(900, 3)]
    with small_store(tmp_path / "s") as engine:
        put_multipart(engine, "m", pieces)
    lose_index(tmp_path / "s")
    with renew_engine(tmp_path / "s", SMALL) as engine:
        report = engine.salvage(object_checksums=lambda _, parts: {"SUM": str(len(parts))})
        info = engine.head_object(BUCKET, "m")
        digests = b"".join(bytes.fromhex(md5(piece)) for piece in pieces)
        assert info.etag == f"{md5(digests)}-3"
        assert (info.size, info.part_count) == (sum(map(len, pieces)), 3)
        assert info.checksums == {"SUM": "3"}
        assert get(engine, "m") == b"".join(pieces)
        parts = engine.object_parts(BUCKET, "m")
        assert [part.size for part in parts] == [len(piece) for piece in pieces]
        assert [part.checksums for part in parts] == [{"SUM": md5(piece)} for piece in pieces]
        assert (report.assembled, report.objects, report.part_records) == (1, 1, 3)
        assert report.buckets[BUCKET].sample == ["m"]
        assert problems(engine) == []


def test_a_part_that_was_replaced_does_not_come_back(tmp_path: Path) -> None:
    """Of two parts of one number the newer is the object's."""
    with small_store(tmp_path / "s") as engine:
        upload_id = engine.create_upload(BUCKET, "m", attributes()).result().upload_id
        put_part(engine, "m", upload_id, 1, noise(700, 1))
        part = put_part(engine, "m", upload_id, 1, noise(800, 2))
        engine.complete_upload(BUCKET, "m", upload_id, [part], attributes()).result()
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert get(engine, "m") == noise(800, 2)
        assert report.older == 1
        assert problems(engine) == []


def test_an_upload_with_a_missing_part_is_open_again(tmp_path: Path) -> None:
    """Its parts are kept and listed, so that it may be completed or aborted."""
    with small_store(tmp_path / "s") as engine:
        upload_id = engine.create_upload(BUCKET, "m", attributes()).result().upload_id
        put_part(engine, "m", upload_id, 1, noise(700, 1))
        put_part(engine, "m", upload_id, 3, noise(700, 3))
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert (report.open_uploads, report.objects) == (1, 0)
        upload = engine.get_upload(BUCKET, "m", upload_id)
        assert upload.completed is None
        assert [part.number for part in engine.list_parts(BUCKET, "m", upload_id).parts] == [1, 3]
        assert problems(engine) == []
        engine.abort_upload(BUCKET, "m", upload_id).result()
        assert problems(engine) == []


@pytest.mark.parametrize("is_plain_newer", [True, False])
def test_of_an_upload_and_an_object_the_newer_wins(tmp_path: Path, is_plain_newer: bool) -> None:
    """What came last under a key is its object, in one piece or in parts."""
    whole, pieces = noise(2000, 9), [noise(1000, 1), noise(1000, 2)]
    with small_store(tmp_path / "s") as engine:
        if not is_plain_newer:
            put(engine, "k", whole)
        time.sleep(0.005)  # records of one millisecond are not told apart
        put_multipart(engine, "k", pieces)
        time.sleep(0.005)
        if is_plain_newer:
            put(engine, "k", whole)
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert get(engine, "k") == (whole if is_plain_newer else b"".join(pieces))
        assert report.objects == 1
        assert report.older >= 1
        assert problems(engine) == []


# --- damage -------------------------------------------------------------------------------------


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """Make a store of three objects that lie in a row."""
    with small_store(tmp_path / "s") as engine:
        for n in range(3):
            put(engine, f"k{n}", noise(70 * KIB, n))
    return tmp_path / "s"


@pytest.mark.parametrize("at", [0, 9, 30, 60, 91, 120, 1000, 66_000, 70 * KIB + 300])
def test_a_flipped_bit_costs_one_record(three: Path, at: int) -> None:
    """Whether header, description, payload or checksums are damaged, the others come back."""
    place = places(three)[1]
    path = volume_path(three / "volumes", place[0])
    header = unpack_record_header(
        path.read_bytes()[place[1] :], record_seed(path.read_bytes()[12:28])
    )
    last = header.header_bytes + header.payload_bytes  # the checksums begin here
    flip(three, place, last if at > 70 * KIB else at)
    engine, report = salvaged(three)
    with engine:
        assert get(engine, "k0") == noise(70 * KIB, 0)
        assert get(engine, "k2") == noise(70 * KIB, 2)
        with pytest.raises(NoSuchKey):
            engine.head_object(BUCKET, "k1")
        assert report.objects == 2
        if at:
            assert report.damages == 1
            assert report.damaged[0].startswith(f"volume 1 at {place[1]}: ")
        else:  # without its magic nothing tells a record from abandoned room
            assert (report.damages, report.gaps) == (0, 1)
        assert problems(engine) == []


def test_a_damaged_record_is_told_by_name(three: Path) -> None:
    """When the header is sound the report says whose bytes are wrong."""
    flip(three, places(three)[1], 5000)
    engine, report = salvaged(three)
    with engine:
        assert "object 'k1' of bucket 1" in report.damaged[0]


def test_a_torn_tail_costs_what_it_tore(three: Path) -> None:
    """A record that the file no longer holds to its end is told; those before it come back."""
    path = volume_path(three / "volumes", 1)
    with path.open("r+b") as file:
        file.truncate(places(three)[2][1] + 1000)
    engine, report = salvaged(three)
    with engine:
        assert (report.objects, report.damages) == (2, 1)
        assert "its end is missing" in report.damaged[0]
        assert problems(engine) == []


def test_a_volume_whose_header_is_damaged_is_read_all_the_same(three: Path) -> None:
    """Records say by themselves whose they are; only the volume's own header stays wrong."""
    flip(three, (1, 0), 20)
    engine, report = salvaged(three)
    with engine:
        assert (report.objects, report.damages) == (3, 1)
        assert get(engine, "k1") == noise(70 * KIB, 1)
        assert all("volume" in problem for problem in problems(engine))


def test_a_copy_and_a_foreign_volume_are_left_out(three: Path, tmp_path: Path) -> None:
    """Files that are not what their name says are told and left alone, and their ids not reused."""
    volumes = three / "volumes"
    shutil.copy(volume_path(volumes, 1), volume_path(volumes, 7))
    with small_store(tmp_path / "other") as other:
        put(other, "foreign", noise(1000, 9))
    shutil.copy(volume_path(tmp_path / "other" / "volumes", 1), volume_path(volumes, 9))
    volume_path(volumes, 8).touch()
    (volumes / "3.volume").write_bytes(volume_path(volumes, 1).read_bytes())
    newer = VolumeHeader(bytes(16), 10, 0).pack()
    volume_path(volumes, 10).write_bytes(newer)
    engine, report = salvaged(three)
    with engine:
        assert (report.volumes, report.objects, report.damages) == (1, 3, 4)
        text = " ".join(report.damaged)
        assert "volume is 1 under another name" in text
        assert text.count("another store") == 2
        assert "file's name" in text
        assert problems(engine) == []
        put(engine, "new", noise(1000, 5))
        assert volume_path(volumes, 11).exists()
        assert engine.reclaim(LATER)["volumes"] == 0


def test_a_volume_that_is_missing_costs_what_was_in_it(tmp_path: Path) -> None:
    """Objects of the other volumes come back; an upload that lost parts is open again."""
    with small_store(tmp_path / "s") as engine:
        put_multipart(engine, "m", [noise(200 * KIB, n) for n in range(3)])
        put(engine, "k", noise(1000, 9))
    volume_path(tmp_path / "s" / "volumes", 2).unlink()
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert get(engine, "k") == noise(1000, 9)
        assert (report.objects, report.open_uploads) == (1, 1)
        assert problems(engine) == []


def test_forged_records_are_never_found(tmp_path: Path) -> None:
    """A client that uploads what looks like records gets back payloads, in abandoned room too."""
    store = tmp_path / "s"
    with small_store(store) as engine:
        put(engine, "true", noise(1000, 1))
        place = places(store)[0]
        real = volume_path(store / "volumes", 1).read_bytes()[place[1] : place[1] + 2048]
        put(engine, "forged", real * 20)
        writer = engine.begin_blob(100 * KIB)
        put(engine, "after", noise(1000, 2))
        writer.write(real * 50)
        lose = bytes_of_volumes(store)
        writer.abort()
    for name, data in lose.items():
        (store / "volumes" / name).write_bytes(data)  # as a kill would have left it
    engine, report = salvaged(store)
    with engine:
        assert sorted(info.key for info in engine.list_objects(BUCKET).objects) == [
            "after",
            "forged",
            "true",
        ]
        assert get(engine, "forged") == real * 20
        assert report.records == 3
        assert problems(engine) == []


class BadPage(RealDisk):
    """A disk that cannot read one page."""

    def __init__(self, page: int) -> None:
        self.page = page

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """Fail where the page is touched."""
        if offset < self.page + 4096 and self.page < offset + length:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(descriptor, length, offset)


def test_a_page_that_cannot_be_read_costs_one_record(three: Path) -> None:
    """A disk error inside a payload is told, and the walk goes on behind it."""
    lose_index(three)
    with renew_engine(three, SMALL, disk=BadPage(places(three)[1][1] + 8192)) as engine:
        report = engine.salvage()
        assert get(engine, "k2") == noise(70 * KIB, 2)
        assert (report.objects, report.damages) == (2, 1)
        assert "Input/output error" in report.damaged[0]


def test_a_header_that_cannot_be_read_costs_no_more_than_its_page(three: Path) -> None:
    """Where the walk itself meets a disk error it goes on behind the page."""
    lose_index(three)
    page = places(three)[1][1] // 4096 * 4096
    with renew_engine(three, SMALL, disk=BadPage(page)) as engine:
        report = engine.salvage()
        assert get(engine, "k2") == noise(70 * KIB, 2)
        assert any("cannot be read" in text for text in report.damaged)


# --- the index it makes -------------------------------------------------------------------------


def test_only_an_empty_index_is_filled(tmp_path: Path) -> None:
    """Salvage refuses a store in use, and changes nothing."""
    with small_store(tmp_path / "s") as engine:
        put(engine, "k", noise(1000))
        with pytest.raises(IndexNotEmpty):
            engine.salvage()
        assert engine.held_volumes() == 0
        assert problems(engine) == []


def test_what_was_in_the_index_is_moved_aside(three: Path) -> None:
    """The damaged index is kept under another name."""
    (three / "index" / "data.mdb").write_bytes(b"no index at all")
    with renew_engine(three, SMALL) as engine:
        assert engine.salvage().objects == 3
    (kept,) = three.glob("index.damaged-*")
    assert (kept / "data.mdb").read_bytes() == b"no index at all"


def test_a_directory_that_is_no_store_is_refused(tmp_path: Path) -> None:
    """Nothing is moved or made where there is no marker."""
    with pytest.raises(FormatError):
        renew_engine(tmp_path, SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_salvage_that_was_cut_off_is_not_taken_for_a_store(three: Path) -> None:
    """An index that was filled half-way opens for nobody, and can be begun anew."""

    class Cut(Exception):  # noqa: N818  # not an error
        """Stands for a crash."""

    def cut(done: int, _total: int) -> None:
        if done > 100 * KIB:
            raise Cut

    lose_index(three)
    with renew_engine(three, SMALL) as engine, pytest.raises(Cut):
        engine.salvage(cut)
    with pytest.raises(FormatError, match="half"):
        open_engine(three, SMALL)
    with renew_engine(three, SMALL) as engine:
        assert engine.salvage().objects == 3
        assert problems(engine) == []


def test_volumes_are_held_until_they_are_released(tmp_path: Path) -> None:
    """What salvage left out is neither dropped nor punched before somebody says so."""
    store = tmp_path / "s"
    with small_store(store) as engine:
        for n in range(4):
            put(engine, "k", noise(260 * KIB, n))
    engine, report = salvaged(store)
    with engine:
        before = bytes_of_volumes(store)
        assert report.older == 3
        assert engine.held_volumes() == 4
        assert engine.reclaim(LATER)["volumes"] == 0
        engine.delete_object(BUCKET, "k").result()
        assert engine.reclaim(LATER)["punched_bytes"] == 0
        assert bytes_of_volumes(store) == before
        assert engine.release_volumes() == 4
        assert engine.reclaim(LATER)["volumes"] == 4
        assert engine.held_volumes() == 0
        assert problems(engine) == []


def test_progress_is_told_to_the_end(three: Path) -> None:
    """Whoever waits sees bytes gone through of bytes in all."""
    lose_index(three)
    told: list[tuple[int, int]] = []
    with renew_engine(three, SMALL) as engine:
        engine.salvage(lambda done, total: told.append((done, total)))
    size = volume_path(three / "volumes", 1).stat().st_size
    assert told[-1] == (size, size)
    assert told == sorted(told)
