"""What records become: the newest of a key its object, parts an object or an open upload."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from storage_engine import (
    NoSuchKey,
    ObjectAttributes,
    ObjectRef,
    Origin,
    open_engine,
    renew_engine,
    rows,
)
from storage_engine.uploads import completion
from tests.storage_engine.bad_disks import FaultyDisk
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
from tests.storage_engine.salvage_steps import (
    SMALL,
    flip,
    lose_index,
    md5,
    places,
    put_rich,
    salvaged,
)

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import ObjectInfo, PartInfo, StorageEngine

# --- objects ------------------------------------------------------------------------------------


def test_objects_come_back_as_they_were(tmp_path: Path) -> None:
    """Bytes, headers, owner, checksums, ETag and time of every object are those it had."""
    with small_store(tmp_path / "s") as engine:
        before = [
            put_rich(engine, 1 + n % 2, f"dir/{n}", noise(size, n))
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


def complete(
    engine: StorageEngine, upload_id: str, parts: list[PartInfo], *, is_recorded: bool = True
) -> ObjectInfo:
    """Complete an upload of the key `m`, with or without the record of it."""
    kept = attributes(b"whatever it was", name="m")
    origin = Origin(BUCKET, "m", kept, upload_id)
    record = engine.stage_completion(origin, parts) if is_recorded else None
    return engine.complete_upload(BUCKET, "m", upload_id, parts, kept, record=record).result()


def open_upload(engine: StorageEngine) -> str:
    """Begin an upload of the key `m`."""
    return engine.create_upload(BUCKET, "m", attributes()).result().upload_id


def test_a_multipart_object_comes_back_of_its_parts(tmp_path: Path) -> None:
    """Bytes, attributes, parts and time are the object's, whatever numbers its parts had."""
    pieces = {2: noise(100 * KIB, 1), 7: noise(300 * KIB, 2), 8: b"small", 9: b""}
    with small_store(tmp_path / "s") as engine:
        upload_id = open_upload(engine)
        parts = [put_part(engine, "m", upload_id, n, piece) for n, piece in pieces.items()]
        before = complete(engine, upload_id, parts)
        assert problems(engine) == []
    engine, report = salvaged(tmp_path / "s")
    with engine:
        info = engine.head_object(BUCKET, "m")
        assert info.attributes == before.attributes
        assert (info.size, info.part_count) == (before.size, 4)
        assert abs(info.modified_ms - before.modified_ms) < 10_000
        assert get(engine, "m") == b"".join(pieces.values())
        found = engine.object_parts(BUCKET, "m").parts
        assert [(part.number, part.size) for part in found] == [
            (n, len(piece)) for n, piece in pieces.items()
        ]
        sums = [part.checksums for part in found]
        assert sums == [*({"SUM": md5(piece)} for piece in list(pieces.values())[:3]), {}]
        assert (report.assembled, report.objects, report.part_records) == (1, 1, 3)
        assert report.open_uploads == 0
        assert report.buckets[BUCKET].sample == ["m"]
        assert problems(engine) == []
        engine.delete_object(BUCKET, "m").result()
        assert engine.stats().blobs == 0
        assert problems(engine) == []


def test_equal_parts_of_an_object_come_back_each(tmp_path: Path) -> None:
    """A second part of the same bytes has no record of its own: the list of parts says which."""
    zeros = bytes(300 * KIB)
    with small_store(tmp_path / "s") as engine:
        put_multipart(engine, "m", [zeros, noise(900), zeros, zeros], is_recorded=True)
        before = engine.object_parts(BUCKET, "m").parts
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert get(engine, "m") == zeros + noise(900) + zeros * 2
        assert engine.object_parts(BUCKET, "m").parts == before
        assert (report.assembled, report.objects, report.open_uploads) == (1, 1, 0)
        assert problems(engine) == []
        engine.delete_object(BUCKET, "m").result()
        assert engine.stats().blobs == 0
        assert problems(engine) == []


@pytest.mark.parametrize("fate", ["kept", "overwritten", "deleted", "other part", "nameless"])
def test_a_part_whose_bytes_were_there_already_comes_back(tmp_path: Path, fate: str) -> None:
    """Whoever brought the bytes first, and whatever became of that, the object is whole again."""
    shared = noise(300 * KIB, 1)
    with small_store(tmp_path / "s") as engine:
        if fate == "nameless":
            engine.put_object(BUCKET, "first", engine.stage_bytes(shared), attributes()).result()
        elif fate == "other part":
            put_part(engine, "m", open_upload(engine), 3, shared)
        else:
            put(engine, "first", shared)
        put_multipart(engine, "m", [noise(900, 2), shared], is_recorded=True)
        time.sleep(0.005)
        if fate == "overwritten":
            put(engine, "first", noise(700, 3))
        elif fate == "deleted":
            engine.delete_object(BUCKET, "first").result()
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert get(engine, "m") == noise(900, 2) + shared
        assert (report.assembled, report.damages) == (1, 0)
        assert report.open_uploads == (fate == "other part")
        assert problems(engine) == []


def test_parts_are_the_ones_that_were_cited(tmp_path: Path) -> None:
    """A record of that number and size with other bytes is not taken for the part."""
    first, second = noise(300 * KIB, 1), noise(300 * KIB, 2)
    with small_store(tmp_path / "s") as engine:
        upload_id = open_upload(engine)
        put_part(engine, "m", upload_id, 1, first)
        put_part(engine, "m", upload_id, 2, second)
        swapped = [
            put_part(engine, "m", upload_id, n, data) for n, data in ((3, first), (1, second))
        ]
        swapped.append(put_part(engine, "m", upload_id, 2, first))
        complete(engine, upload_id, swapped[1:])
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert get(engine, "m") == second + first
        assert (report.assembled, report.open_uploads) == (1, 0)
        assert engine.stats().blobs == 3
        assert problems(engine) == []


def test_a_shared_part_that_is_damaged_leaves_the_upload_open(tmp_path: Path) -> None:
    """No bytes are taken but those that were cited; what is whole waits with its own ETags."""
    with small_store(tmp_path / "s") as engine:
        put(engine, "first", noise(800, 1))
        put(engine, "second", noise(900, 2))
        put_multipart(engine, "m", [noise(800, 1), noise(900, 2)], is_recorded=True)
    flip(tmp_path / "s", places(tmp_path / "s")[0], 600)
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert (report.assembled, report.open_uploads) == (0, 1)
        (upload,) = engine.list_uploads(BUCKET).uploads
        (part,) = engine.list_parts(BUCKET, "m", upload.upload_id).parts
        assert (part.number, part.size, part.etag) == (2, 900, md5(noise(900, 2)))
        assert problems(engine) == []


def test_a_completion_that_says_nothing_of_bytes_goes_by_sizes(tmp_path: Path) -> None:
    """Without SHA-256s the parts that records name are taken, and no other is looked for."""
    with small_store(tmp_path / "s") as engine:
        put(engine, "first", noise(800, 1))
        for key, pieces in (("m", [noise(700, 2), noise(900, 3)]), ("n", [noise(800, 1)])):
            upload_id = engine.create_upload(BUCKET, key, attributes()).result().upload_id
            parts = [
                put_part(engine, key, upload_id, n, piece) for n, piece in enumerate(pieces, 1)
            ]
            silent = [msgspec.structs.replace(part, sha256=None) for part in parts]
            said = rows.decode_completion(completion(upload_id, silent))
            data = msgspec.msgpack.encode([said.upload_id, said.numbers, said.ends])
            origin = Origin(BUCKET, key, attributes(b"all"), upload_id)
            record = engine._stager.stage_record(data, origin)
            completed = engine.complete_upload(
                BUCKET, key, upload_id, parts, attributes(b"all"), record=record
            )
            completed.result()
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert get(engine, "m") == noise(700, 2) + noise(900, 3)
        assert (report.assembled, report.open_uploads) == (1, 1)
        assert problems(engine) == []


def test_of_two_completions_the_newer_counts(tmp_path: Path) -> None:
    """One that was written and never committed, as a kill leaves it, does not win by its place."""
    with small_store(tmp_path / "s") as engine:
        upload_id = open_upload(engine)
        parts = [put_part(engine, "m", upload_id, n, noise(700, n)) for n in (1, 2)]
        origin = Origin(BUCKET, "m", attributes(b"other"), upload_id)
        assert engine.stage_completion(origin, parts[:1]) is not None
        time.sleep(0.005)
        complete(engine, upload_id, parts)
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert get(engine, "m") == noise(700, 1) + noise(700, 2)
        assert engine.head_object(BUCKET, "m").attributes.headers == {"name": "m"}
        assert report.older == 1
        assert problems(engine) == []


def test_parts_that_were_replaced_or_not_cited_do_not_come_back(tmp_path: Path) -> None:
    """Of two parts of one number the newer is the object's, and one it did without is not."""
    with small_store(tmp_path / "s") as engine:
        upload_id = open_upload(engine)
        put_part(engine, "m", upload_id, 1, noise(700, 1))
        part = put_part(engine, "m", upload_id, 1, noise(800, 2))
        put_part(engine, "m", upload_id, 2, noise(900, 3))
        complete(engine, upload_id, [part])
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert get(engine, "m") == noise(800, 2)
        assert report.older == 1
        assert engine.stats().blobs == 2
        assert problems(engine) == []


@pytest.mark.parametrize("damage", ["never completed", "not recorded", "part", "completion"])
def test_an_upload_that_is_not_known_to_be_whole_is_open_again(tmp_path: Path, damage: str) -> None:
    """No object is made of some of its parts; they are kept, and may be completed or aborted."""
    with small_store(tmp_path / "s") as engine:
        upload_id = open_upload(engine)
        parts = [put_part(engine, "m", upload_id, n, noise(700, n)) for n in (1, 2)]
        if damage != "never completed":
            complete(engine, upload_id, parts, is_recorded=damage != "not recorded")
    if damage in {"part", "completion"}:
        flip(tmp_path / "s", places(tmp_path / "s")[1 if damage == "part" else 2], 20)
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert (report.open_uploads, report.objects, report.assembled) == (1, 0, 0)
        upload = engine.get_upload(BUCKET, "m", upload_id)
        assert upload.completed is None
        assert upload.attributes.etag == ""
        left = engine.list_parts(BUCKET, "m", upload_id).parts
        assert [part.number for part in left] == ([1] if damage == "part" else [1, 2])
        assert problems(engine) == []
        complete(engine, upload_id, left)
        assert get(engine, "m") == b"".join(noise(700, part.number) for part in left)
        assert problems(engine) == []


def test_an_upload_can_be_completed_on_a_full_disk(tmp_path: Path) -> None:
    """Without room for the record of it, completing goes on without."""
    disk = FaultyDisk()
    with open_engine(tmp_path / "s", SMALL, disk=disk) as engine:
        upload_id = open_upload(engine)
        parts = [put_part(engine, "m", upload_id, 1, noise(700, 1))]
        disk.free = -1
        assert engine.stage_completion(Origin(BUCKET, "m", attributes(), upload_id), parts) is None
        disk.free = None
        complete(engine, upload_id, parts, is_recorded=False)
        assert get(engine, "m") == noise(700, 1)


def test_copies_share_the_record_of_completion(tmp_path: Path) -> None:
    """It goes with the last object of the upload's parts."""
    with small_store(tmp_path / "s") as engine:
        put_multipart(engine, "m", [noise(700, 1)], is_recorded=True)
        copied = ObjectRef(BUCKET, "copy")
        engine.copy_object(ObjectRef(BUCKET, "m"), copied, lambda info: info.attributes).result()
        engine.delete_object(BUCKET, "m").result()
        assert problems(engine) == []
        assert engine.stats().blobs == 2
        engine.delete_object(*copied).result()
        assert engine.stats().blobs == 0
        assert problems(engine) == []


@pytest.mark.parametrize("is_plain_newer", [True, False])
def test_of_an_upload_and_an_object_the_newer_wins(tmp_path: Path, is_plain_newer: bool) -> None:
    """What came last under a key is its object, in one piece or in parts."""
    whole, pieces = noise(2000, 9), [noise(1000, 1), noise(1000, 2)]
    with small_store(tmp_path / "s") as engine:
        if not is_plain_newer:
            put(engine, "k", whole)
        time.sleep(0.005)  # records of one millisecond are not told apart
        put_multipart(engine, "k", pieces, is_recorded=True)
        time.sleep(0.005)
        if is_plain_newer:
            put(engine, "k", whole)
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert get(engine, "k") == (whole if is_plain_newer else b"".join(pieces))
        assert report.objects == 1
        assert report.older >= 1
        assert problems(engine) == []


def test_what_is_salvaged_is_on_the_disk(tmp_path: Path) -> None:
    """Every volume is synced before an index names its records: a killed writer synced nothing."""
    with small_store(tmp_path / "store") as engine:
        put(engine, "a", noise(5000))
    lose_index(tmp_path / "store")
    disk = FaultyDisk()
    with renew_engine(tmp_path / "store", disk=disk) as engine:
        syncs = disk.syncs
        engine.salvage()
        assert disk.syncs > syncs
        assert get(engine, "a") == noise(5000)
