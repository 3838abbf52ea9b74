"""Renames move keys with all that hangs on them, at once, or are refused before anything moved."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from storage_engine import (
    KeyDeleted,
    KeyTooLong,
    NamespaceCounts,
    NoSuchKey,
    NoSuchPrefix,
    PrefixOverlap,
    Receipt,
    TargetExists,
    TargetTooLarge,
    TokenReused,
    Versioning,
    limits,
    renames,
)
from storage_engine.transaction import MOVED, number
from tests.storage_engine.engine_steps import (
    BUCKET,
    attributes,
    get,
    noise,
    put,
    put_multipart,
    put_part,
)

if TYPE_CHECKING:
    from storage_engine import ObjectInfo, StorageEngine

ENABLED = Versioning.ENABLED


def moved(engine: StorageEngine) -> int:
    """Read how many prefixes were ever moved."""
    meta = engine._index.tables.meta
    return engine._index.view(lambda txn: number(txn.get(MOVED, db=meta)))


def all_keys(engine: StorageEngine) -> list[str]:
    """List every key once for each of its versions."""
    return [info.key for info in engine.list_versions(BUCKET).versions]


def refuse_all(_current: ObjectInfo | None) -> None:
    """Refuse, as a guard may."""
    raise KeyError


def test_an_object_moves_with_its_versions(engine: StorageEngine) -> None:
    """Ids, times, attributes, parts and old versions are the same under the new key."""
    put_multipart(engine, "old", [noise(3000, 1), noise(10)])
    blob = engine.stage_bytes(b"new")
    made = engine.put_object(BUCKET, "old", blob, attributes(), versioning=ENABLED).result()
    seen: list[ObjectInfo | None] = []
    renamed = engine.rename_object(
        BUCKET, "old", "dir/name", guard=seen.append, source_guard=seen.append
    ).result()
    assert seen == [made, None]
    assert (renamed.key, renamed.version_id) == ("dir/name", made.version_id)
    assert renamed.modified_ms == made.modified_ms
    assert all_keys(engine) == ["dir/name"] * 2
    assert len(engine.object_parts(BUCKET, "dir/name", "null").parts) == 2
    assert get(engine, "dir/name") == b"new"
    with pytest.raises(NoSuchKey):
        engine.head_object(BUCKET, "old")


def test_an_object_is_not_renamed_over_another_unasked(engine: StorageEngine) -> None:
    """A target with any version is refused, or goes with all its versions when that is wanted."""
    put(engine, "source", b"source")
    put(engine, "target", noise(5000))
    engine.delete_object(BUCKET, "target", versioning=ENABLED).result()
    for target in ("target", "source"):
        with pytest.raises(TargetExists):
            engine.rename_object(BUCKET, "source", target).result()
    with pytest.raises(KeyError):
        engine.rename_object(BUCKET, "source", "target", guard=refuse_all, replace=True).result()
    engine.rename_object(BUCKET, "source", "target", replace=True).result()
    assert engine.namespace_counts(BUCKET) == NamespaceCounts(1, 6, versions=1)
    assert engine.stats().blobs == 0


def test_what_cannot_be_renamed(engine: StorageEngine) -> None:
    """Absent and deleted keys, keys that are too long, and guards that refuse."""
    put(engine, "k", b"x")
    engine.delete_object(BUCKET, "gone", versioning=ENABLED).result()
    for source, target, refusal in (
        ("none", "n", NoSuchKey),
        ("gone", "n", KeyDeleted),
        ("k", "é" * 513, KeyTooLong),
    ):
        with pytest.raises(refusal):
            engine.rename_object(BUCKET, source, target).result()
    with pytest.raises(KeyError):
        engine.rename_object(BUCKET, "k", "n", source_guard=refuse_all).result()
    assert get(engine, "k") == b"x"


@pytest.mark.parametrize("source", ["a/", "a/b/", "x" * 400 + "/", "/", "w" * 801 + "/é/"])
@pytest.mark.parametrize("target", ["n/", "n/e/w/", "y" * 401 + "/"])
def test_a_prefix_moves_with_all_below(engine: StorageEngine, source: str, target: str) -> None:
    """Objects, markers and old versions below any prefix are below the other in one commit."""
    tails = ["", "1", "2/3", "4//5", "/"]
    for tail in tails:
        put(engine, source + tail, tail.encode())
        put(engine, "kept" + tail, b"kept")
    engine.delete_objects(
        BUCKET, [(source + tail, None) for tail in ("2/3", "marker")], versioning=ENABLED
    ).result()
    before = engine.namespace_counts(BUCKET)
    engine.rename_prefix(BUCKET, source, target).result()
    assert engine.namespace_counts(BUCKET) == before
    assert moved(engine) == 1
    expected = [target + tail for tail in [*tails, "2/3", "marker"]]
    assert sorted(key for key in all_keys(engine) if not key.startswith("kept")) == sorted(expected)
    assert get(engine, target + "4//5") == b"4//5"


def test_a_prefix_moves_at_the_cost_of_one_key(engine: StorageEngine) -> None:
    """However many keys are below, the group writes a handful of rows."""
    for n in range(300):
        engine.put_object(BUCKET, f"a/b/{n % 7}/{n}", engine.stage_bytes(b"x"), attributes())
    entries = engine._index.tables.entries

    def rows() -> set[tuple[bytes, bytes]]:
        return engine._index.view(lambda txn: set(txn.cursor(entries)))

    put(engine, "last", b"x")
    before = rows()
    engine.rename_prefix(BUCKET, "a/b/", "c/").result()
    assert len(before ^ rows()) == 3  # a/ and b/ are gone, c/ is new
    assert len(engine.list_objects(BUCKET, prefix="c/").objects) == 300


def test_what_is_in_the_way_of_a_prefix(engine: StorageEngine) -> None:
    """Any key below the target refuses the move, or goes with its versions when that is wanted."""
    put(engine, "a/1", b"moves")
    engine.delete_object(BUCKET, "b/marker", versioning=ENABLED).result()
    put(engine, "b/c/d", noise(5000))
    with pytest.raises(TargetExists):
        engine.rename_prefix(BUCKET, "a/", "b/").result()
    engine.rename_prefix(BUCKET, "a/", "b/", replace=True).result()
    assert all_keys(engine) == ["b/1"]
    assert engine.namespace_counts(BUCKET) == NamespaceCounts(1, 5, versions=1)
    assert engine.stats().blobs == 0


def test_too_much_in_the_way_is_refused(
    engine: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A target with more versions than one commit may remove is left as it is."""
    monkeypatch.setattr(renames, "RENAME_VERSIONS_MAX", 5)
    put(engine, "a/1", b"moves")
    put(engine, "b", b"moves")
    for _ in range(6):
        engine.delete_object(BUCKET, "c/1", versioning=ENABLED).result()
    with pytest.raises(TargetTooLarge):
        engine.rename_prefix(BUCKET, "a/", "c/", replace=True).result()
    with pytest.raises(TargetTooLarge):
        engine.rename_object(BUCKET, "b", "c/1", replace=True).result()
    for n in range(6):
        put(engine, f"d/{n}", b"x")
    with pytest.raises(TargetTooLarge):
        engine.rename_prefix(BUCKET, "a/", "d/", replace=True).result()
    engine.delete_object(BUCKET, "d/5").result()
    engine.rename_prefix(BUCKET, "a/", "d/", replace=True).result()
    assert limits.RENAME_VERSIONS_MAX == 1000


def test_parts_in_the_way_are_counted_as_well(
    engine: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few versions may hold more parts than one commit may remove; one object never does."""
    monkeypatch.setattr(renames, "RENAME_PARTS_MAX", 4)
    put(engine, "a/1", b"moves")
    put(engine, "b", b"moves")
    for key in ("c/1", "c/2"):
        put_multipart(engine, key, [noise(500, n) for n in range(3)])
    with pytest.raises(TargetTooLarge):
        engine.rename_prefix(BUCKET, "a/", "c/", replace=True).result()
    engine.rename_object(BUCKET, "b", "c/1", replace=True).result()
    engine.rename_prefix(BUCKET, "a/", "c/", replace=True).result()
    assert all_keys(engine) == ["c/1"]
    assert limits.RENAME_PARTS_MAX == limits.PART_NUMBER_MAX


@pytest.mark.parametrize("pair", [("a/", "a/"), ("a/", "a/b/"), ("a/b/", "a/")])
def test_prefixes_that_overlap_are_refused(engine: StorageEngine, pair: tuple[str, str]) -> None:
    """Nothing can be moved into itself or out into what holds it."""
    put(engine, "a/b/c", b"x")
    with pytest.raises(PrefixOverlap):
        engine.rename_prefix(BUCKET, *pair).result()


def test_a_prefix_without_keys_is_none(engine: StorageEngine) -> None:
    """Neither an object named like the prefix without its slash nor an upload below counts."""
    put(engine, "a", b"x")
    upload = engine.create_upload(BUCKET, "a/b", attributes()).result()
    with pytest.raises(NoSuchPrefix):
        engine.rename_prefix(BUCKET, "a/", "b/").result()
    put(engine, "a/c", b"x")
    engine.rename_prefix(BUCKET, "a/", "b/").result()
    part = put_part(engine, "a/b", upload.upload_id, 1, b"part")
    engine.complete_upload(BUCKET, "a/b", upload.upload_id, [part], attributes()).result()
    assert all_keys(engine) == ["a", "a/b", "b/c"]


def test_every_key_must_still_fit(engine: StorageEngine) -> None:
    """A move that would make one key too long, object or marker, is refused; to the byte."""
    put(engine, "a/b/" + "x" * 100, b"x")
    engine.delete_object(BUCKET, "a/" + "y" * 500, versioning=ENABLED).result()
    with pytest.raises(KeyTooLong):
        engine.rename_prefix(BUCKET, "a/", "z" * 524 + "/").result()
    engine.rename_prefix(BUCKET, "a/", "z" * 523 + "/").result()
    assert max(len(key) for key in all_keys(engine)) == 1024
    with pytest.raises(KeyTooLong):
        engine.rename_prefix(BUCKET, "z" * 523 + "/", "z" * 1100 + "/").result()


def test_readers_see_a_prefix_in_one_place(engine: StorageEngine) -> None:
    """While a prefix moves to and fro, every listing has all its keys, under one name."""
    for n in range(20):
        put(engine, f"a/{n % 3}/{n}", b"x")
    stop = threading.Event()
    wrong: list[set[str]] = []

    def look() -> None:
        while not stop.is_set():
            listed = engine.list_objects(BUCKET).objects
            places = {info.key[:2] for info in listed}
            if len(listed) != 20 or len(places) != 1:
                wrong.append(places)

    reader = threading.Thread(target=look)
    reader.start()
    for n in range(100):
        engine.rename_prefix(BUCKET, *(("a/", "b/") if n % 2 == 0 else ("b/", "a/"))).result()
    stop.set()
    reader.join()
    assert wrong == []
    assert moved(engine) == 100


def test_a_rename_with_a_receipt_is_done_once(engine: StorageEngine) -> None:
    """The same request again changes nothing, whatever came since; another is refused."""
    first, other = Receipt(b"t" * 16, b"first"), Receipt(b"t" * 16, b"other")
    put(engine, "a", b"a")
    assert engine.rename_object(BUCKET, "a", "b", receipt=first).result() is not None
    put(engine, "a", b"new")
    assert engine.rename_object(BUCKET, "a", "b", receipt=first, replace=True).result() is None
    assert (get(engine, "a"), get(engine, "b")) == (b"new", b"a")
    with pytest.raises(TokenReused):
        engine.rename_object(BUCKET, "a", "c", receipt=other).result()
    put(engine, "p/1", b"1")
    once = Receipt(b"p" * 16, b"prefix")
    for _ in range(2):
        engine.rename_prefix(BUCKET, "p/", "q/", receipt=once).result()
    assert moved(engine) == 1
    assert list(engine.verify()) == []


def test_a_rename_that_was_refused_leaves_no_receipt(engine: StorageEngine) -> None:
    """Only what was carried out is remembered, so the request may succeed later."""
    receipt = Receipt(b"t" * 16, b"request")
    for _ in range(2):
        with pytest.raises(NoSuchKey):
            engine.rename_object(BUCKET, "a", "b", receipt=receipt).result()
    put(engine, "a", b"a")
    assert engine.rename_object(BUCKET, "a", "b", receipt=receipt).result() is not None


def test_a_receipt_is_forgotten_in_time(engine: StorageEngine) -> None:
    """Housekeeping forgets it after a quarter of an hour; then the token is free."""
    receipt = Receipt(b"t" * 16, b"request")
    put(engine, "a", b"a")
    engine.rename_object(BUCKET, "a", "b", receipt=receipt).result()
    now_ms = time.time_ns() // 1_000_000
    engine.reclaim(now_ms + limits.RECEIPT_MS - 60_000)
    assert engine.rename_object(BUCKET, "a", "b", receipt=receipt).result() is None
    engine.reclaim(now_ms + limits.RECEIPT_MS + 60_000)
    with pytest.raises(NoSuchKey):
        engine.rename_object(BUCKET, "a", "b", receipt=receipt).result()
    assert list(engine.verify()) == []


def test_a_guard_of_a_prefix_is_told_what_is_in_the_way(engine: StorageEngine) -> None:
    """It learns inside the commit whether anything is below the target, a marker too."""
    seen: list[bool] = []
    put(engine, "a/1", b"1")
    engine.rename_prefix(BUCKET, "a/", "b/", guard=seen.append).result()
    engine.delete_object(BUCKET, "a/gone", versioning=ENABLED).result()
    engine.rename_prefix(BUCKET, "b/", "a/", guard=seen.append, replace=True).result()
    assert seen == [False, True]
    assert all_keys(engine) == ["a/1"]
