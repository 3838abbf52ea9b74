"""Multipart uploads, from initiation to tombstone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

import pytest

from storage_engine import (
    NamespaceCounts,
    NoSuchUpload,
    ObjectInfo,
    ObjectRef,
    PartChanged,
)
from storage_engine.limits import TOMBSTONE_MS
from storage_engine.transaction import Transaction
from storage_engine.uploads import AbortUpload, raw_upload_id
from tests.storage_engine.engine_steps import (
    BUCKET,
    attributes,
    get,
    noise,
    problems,
    put,
    put_multipart,
    put_part,
)

if TYPE_CHECKING:
    import lmdb

    from storage_engine import StorageEngine

KEY = "a/multi"


@pytest.fixture
def upload_id(engine: StorageEngine) -> str:
    """Begin an upload."""
    return engine.create_upload(BUCKET, KEY, attributes(kind="x")).result().upload_id


def test_a_completed_upload_is_its_parts_in_order(engine: StorageEngine, upload_id: str) -> None:
    """Parts put in any order, of any size and number, make the object in the order cited."""
    pieces = {7: noise(3000, 7), 1: noise(5000, 1), 10_000: b"tail", 3: b""}
    parts = {n: put_part(engine, KEY, upload_id, n, piece) for n, piece in pieces.items()}
    chosen = [parts[n] for n in (1, 3, 7, 10_000)]
    made = engine.complete_upload(BUCKET, KEY, upload_id, chosen, attributes(done="y")).result()
    assert (made.size, made.part_count, made.sha256) == (8004, 4, None)
    assert made.headers == {"done": "y"}
    assert engine.head_object(BUCKET, KEY) == made
    assert get(engine, KEY) == pieces[1] + pieces[7] + b"tail"
    held = engine.object_parts(BUCKET, KEY)
    assert (held.info, held.is_truncated) == (made, False)
    assert [(part.number, part.offset, part.size) for part in held.parts] == [
        (1, 0, 5000),
        (3, 5000, 0),
        (7, 5000, 3000),
        (10_000, 8000, 4),
    ]
    assert held.parts[0].checksums == parts[1].checksums
    page = engine.object_parts(BUCKET, KEY, after_part=1, limit=2)
    assert (page.parts, page.is_truncated) == (held.parts[1:3], True)
    page = engine.object_parts(BUCKET, KEY, after_part=7, limit=1)
    assert (page.parts, page.is_truncated) == (held.parts[3:], False)
    assert engine.object_parts(BUCKET, KEY, after_part=10_000).parts == []
    assert engine.namespace_counts(BUCKET) == NamespaceCounts(objects=1, bytes=8004, versions=1)


def test_an_open_upload_can_be_looked_at(engine: StorageEngine, upload_id: str) -> None:
    """An upload shows its attributes and, page by page, its parts."""
    found = engine.get_upload(BUCKET, KEY, upload_id)
    assert (found.key, found.upload_id, found.completed) == (KEY, upload_id, None)
    assert found.attributes == attributes(kind="x")
    parts = [put_part(engine, KEY, upload_id, n, noise(100 * n)) for n in (2, 4, 6)]
    assert engine.list_parts(BUCKET, KEY, upload_id).parts == parts
    page = engine.list_parts(BUCKET, KEY, upload_id, limit=2)
    assert (page.parts, page.is_truncated) == (parts[:2], True)
    page = engine.list_parts(BUCKET, KEY, upload_id, after_part=4, limit=2)
    assert (page.parts, page.is_truncated) == (parts[2:], False)
    assert engine.list_parts(BUCKET, KEY, upload_id, limit=0).parts == []
    assert engine.namespace_counts(BUCKET) == NamespaceCounts(uploads=1, upload_bytes=1200, parts=3)


def test_a_part_put_again_replaces_the_first(engine: StorageEngine, upload_id: str) -> None:
    """The later part of a number counts, the earlier one's bytes are released."""
    first = put_part(engine, KEY, upload_id, 1, noise(5000, 1))
    second = put_part(engine, KEY, upload_id, 1, noise(10, 2))
    assert first.sequence != second.sequence
    assert engine.list_parts(BUCKET, KEY, upload_id).parts == [second]
    assert engine.namespace_counts(BUCKET).upload_bytes == 10
    assert engine.stats().blobs == 1
    with pytest.raises(PartChanged, match="1"):
        engine.complete_upload(BUCKET, KEY, upload_id, [first], attributes()).result()
    engine.complete_upload(BUCKET, KEY, upload_id, [second], attributes()).result()
    assert get(engine, KEY) == noise(10, 2)


def test_parts_that_are_not_cited_are_released(engine: StorageEngine, upload_id: str) -> None:
    """Completing a subset keeps only its bytes."""
    parts = [put_part(engine, KEY, upload_id, n, noise(3000, n)) for n in range(1, 6)]
    engine.complete_upload(BUCKET, KEY, upload_id, parts[1::2], attributes()).result()
    assert get(engine, KEY) == noise(3000, 2) + noise(3000, 4)
    assert engine.stats().blobs == 2
    assert engine.namespace_counts(BUCKET) == NamespaceCounts(objects=1, bytes=6000, versions=1)


def test_equal_parts_are_stored_once(engine: StorageEngine, upload_id: str) -> None:
    """Parts of equal content share a blob with each other and with objects."""
    put(engine, "other", noise(5000))
    parts = [put_part(engine, KEY, upload_id, n, noise(5000)) for n in (1, 2)]
    engine.complete_upload(BUCKET, KEY, upload_id, parts, attributes()).result()
    assert engine.stats().blobs == 1
    engine.delete_object(BUCKET, "other").result()
    assert get(engine, KEY) == noise(5000) * 2


def test_an_aborted_upload_leaves_nothing(engine: StorageEngine, upload_id: str) -> None:
    """Aborting releases every part, and the upload is gone for every verb."""
    part = put_part(engine, KEY, upload_id, 1, noise(5000))
    put_part(engine, KEY, upload_id, 2, b"small")
    engine.abort_upload(BUCKET, KEY, upload_id).result()
    stats = engine.stats()
    assert (stats.blobs, stats.inline_payloads, stats.uploads) == (0, 0, 0)
    with pytest.raises(NoSuchUpload):
        engine.get_upload(BUCKET, KEY, upload_id)
    with pytest.raises(NoSuchUpload):
        engine.list_parts(BUCKET, KEY, upload_id)
    with pytest.raises(NoSuchUpload):
        put_part(engine, KEY, upload_id, 1, b"x")
    with pytest.raises(NoSuchUpload):
        engine.complete_upload(BUCKET, KEY, upload_id, [part], attributes()).result()
    with pytest.raises(NoSuchUpload):
        engine.abort_upload(BUCKET, KEY, upload_id).result()


@pytest.mark.parametrize("wrong", ["", "zz", "00" * 16, "AB" * 16, "00" * 17, "é"])
def test_an_id_that_is_none_is_no_such_upload(engine: StorageEngine, wrong: str) -> None:
    """Whatever a client sends as an id is refused as unknown, through the future."""
    with pytest.raises(NoSuchUpload):
        engine.get_upload(BUCKET, KEY, wrong)
    assert isinstance(engine.abort_upload(BUCKET, KEY, wrong).exception(), NoSuchUpload)
    with pytest.raises(NoSuchUpload):
        put_part(engine, KEY, wrong, 1, noise(5000))
    assert engine.stats().blobs == 0


def test_an_upload_belongs_to_its_key(engine: StorageEngine, upload_id: str) -> None:
    """With another key or namespace the id is unknown."""
    for bucket_id, key in ((BUCKET, "a/other"), (2, KEY)):
        with pytest.raises(NoSuchUpload):
            engine.get_upload(bucket_id, key, upload_id)
        with pytest.raises(NoSuchUpload):
            engine.abort_upload(bucket_id, key, upload_id).result()
    engine.abort_upload(BUCKET, KEY, upload_id).result()


class CountedRows:
    """A cursor, or a transaction whose cursors count the rows they go on to."""

    def __init__(self, inner: Any, steps: list[str]) -> None:
        self.inner = inner
        self.steps = steps

    def cursor(self, table: lmdb._Database) -> CountedRows:
        """Open a cursor that counts."""
        return CountedRows(self.inner.cursor(table), self.steps)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.inner.close()

    def __getattr__(self, name: str) -> Any:
        if name == "next":
            self.steps.append(name)
        return getattr(self.inner, name)


def test_ending_an_upload_looks_at_no_other_of_its_key(engine: StorageEngine) -> None:
    """However many uploads of one key are open, to end one takes a look at one more."""
    created = [engine.create_upload(BUCKET, KEY, attributes()) for _ in range(100)]
    ids = [future.result().upload_id for future in created]
    txn = engine._index.begin_write()
    steps: list[str] = []
    counted: Any = CountedRows(txn, steps)
    transaction = Transaction(counted, engine._index.tables)
    operation = AbortUpload(ObjectRef(BUCKET, KEY), raw_upload_id(ids[50]))
    operation.check(transaction)
    operation.mutate(transaction)
    transaction.finish()
    txn.commit()
    assert len(steps) <= 1
    assert [upload.upload_id for upload in engine.list_uploads(BUCKET).uploads] == sorted(
        {*ids} - {ids[50]}
    )
    assert problems(engine) == []


def test_a_guard_can_refuse_completion(engine: StorageEngine, upload_id: str) -> None:
    """A refused completion leaves the upload open and the object as it was."""
    old = put(engine, KEY, b"old")
    part = put_part(engine, KEY, upload_id, 1, noise(5000))

    def only_if_absent(current: ObjectInfo | None) -> None:
        assert current == old
        raise PermissionError

    with pytest.raises(PermissionError):
        engine.complete_upload(
            BUCKET, KEY, upload_id, [part], attributes(), guard=only_if_absent
        ).result()
    assert get(engine, KEY) == b"old"
    engine.complete_upload(BUCKET, KEY, upload_id, [part], attributes()).result()
    assert get(engine, KEY) == noise(5000)


def test_a_completed_upload_is_remembered_for_a_day(engine: StorageEngine, upload_id: str) -> None:
    """The tombstone answers what was completed; after a day housekeeping forgets it."""
    part = put_part(engine, KEY, upload_id, 1, noise(5000))
    made = engine.complete_upload(BUCKET, KEY, upload_id, [part], attributes()).result()
    now_ms = time.time_ns() // 1_000_000
    for _ in range(2):
        found = engine.get_upload(BUCKET, KEY, upload_id)
        assert found.completed == made
        assert found.completed_parts == [(1, part.etag)]
        assert engine.reclaim(now_ms + TOMBSTONE_MS - 60_000)["tombstones"] == 0
        engine.delete_object(BUCKET, KEY).result()
    for _ in range(2):
        with pytest.raises(NoSuchUpload):
            engine.complete_upload(BUCKET, KEY, upload_id, [part], attributes()).result()
        with pytest.raises(NoSuchUpload):
            put_part(engine, KEY, upload_id, 1, b"x")
        with pytest.raises(NoSuchUpload):
            engine.abort_upload(BUCKET, KEY, upload_id).result()
    assert engine.list_uploads(BUCKET).uploads == []
    assert engine.reclaim(now_ms + TOMBSTONE_MS + 60_000)["tombstones"] == 1
    with pytest.raises(NoSuchUpload):
        engine.get_upload(BUCKET, KEY, upload_id)


def test_a_multipart_object_can_be_overwritten(engine: StorageEngine) -> None:
    """Overwriting or deleting a multipart object releases every part of it."""
    put_multipart(engine, "k", [noise(3000, n) for n in range(5)])
    put_multipart(engine, "k", [noise(3000, 9)])
    assert engine.stats().blobs == 1
    put(engine, "k", b"plain")
    assert engine.stats().blobs == 0
    assert engine.namespace_counts(BUCKET) == NamespaceCounts(objects=1, bytes=5, versions=1)


def test_thousands_of_parts_complete_in_one_commit(engine: StorageEngine) -> None:
    """A large number of parts costs metadata only, and ranges anywhere in it are read."""
    upload_id = engine.create_upload(BUCKET, KEY, attributes()).result().upload_id
    futures = [
        engine.put_part(BUCKET, KEY, upload_id, n, engine.stage_bytes(b"%05d" % n), "e", {})
        for n in range(1, 3001)
    ]
    parts = [future.result() for future in futures]
    made = engine.complete_upload(BUCKET, KEY, upload_id, parts, attributes()).result()
    assert (made.part_count, made.size) == (3000, 15_000)
    with engine.open_object(BUCKET, KEY) as reader:
        assert reader.read(14_995, 5) == b"03000"
        assert reader.read(5 * 1499, 10) == b"0150001501"
        assert reader.read_cached(3, 4) == b"0100"
        assert reader.read(0, 15_000) == b"".join(b"%05d" % n for n in range(1, 3001))
    engine.delete_object(BUCKET, KEY).result()
    assert engine.stats().inline_payloads == 0
