"""What records become: the newest of a key its object, parts an object or an open upload."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from storage_engine import NoSuchKey, ObjectAttributes, Origin, open_engine, renew_engine
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
from tests.storage_engine.salvage_steps import SMALL, lose_index, md5, put_rich, salvaged

if TYPE_CHECKING:
    from pathlib import Path

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
