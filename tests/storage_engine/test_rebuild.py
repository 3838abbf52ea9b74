"""The index lost: from snapshot and journal it is made again, row for row."""

from __future__ import annotations

import errno
import random
import shutil
from typing import TYPE_CHECKING

import lmdb
import pytest

from storage_engine import (
    CompactionOptions,
    FormatError,
    JournalDamaged,
    ScrubOptions,
    StoreInUse,
    Versioning,
)
from storage_engine.disk import RealDisk
from storage_engine.index import LMDB_MAJOR, Tables
from storage_engine.journal import segment_path, segment_starts
from storage_engine.options import EngineOptions
from storage_engine.rebuild import NEW_INDEX, rebuild_index
from storage_engine.snapshots import snapshots
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    attributes,
    get,
    noise,
    problems,
    put,
    put_multipart,
    small_store,
)

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import StorageEngine

OPTIONS = EngineOptions(segment_bytes=64 * KIB)


def dump(store: Path) -> dict[str, list[tuple[bytes, bytes]]]:
    """Read every row of a closed store's index."""
    env = lmdb.open(
        str(store / "index"), readonly=True, lock=False, max_dbs=40, lib_version=LMDB_MAJOR
    )
    found = {}
    with env.begin() as txn:
        for name in Tables._fields:
            with txn.cursor(env.open_db(name.encode(), txn=txn, create=False)) as cursor:
                found[name] = list(cursor)
    env.close()
    return found


def work(engine: StorageEngine, seed: int) -> None:
    """Put, replace, upload and delete."""
    chance = random.Random(seed)  # noqa: S311  # reproducible, not secret
    for n in range(60):
        key = f"{chance.randrange(4)}/{chance.randrange(20)}"
        data = noise(chance.choice((0, 10, 700, 30_000)), chance.randrange(100))
        if n % 6 == 5:
            engine.delete_object(BUCKET, key).result()
        elif n % 10 == 9:
            put_multipart(engine, key, [data, data[:5]])
        else:
            put(engine, key, data)


@pytest.mark.parametrize("snapshots_made", [0, 1, 2])
def test_a_lost_index_is_made_again_row_for_row(tmp_path: Path, snapshots_made: int) -> None:
    """Newest snapshot and journal give the index that was lost; without snapshots the journal."""
    store = tmp_path / "store"
    with small_store(store) as engine:
        for turn in range(3):
            work(engine, turn)
            if turn < snapshots_made:
                engine.snapshot()
            engine.checkpoint()
    before = dump(store)
    shutil.rmtree(store / "index")
    with pytest.raises(FormatError, match="rebuild_index"):
        small_store(store)
    reached: list[tuple[int, int]] = []
    report = rebuild_index(
        store, OPTIONS, progress=lambda done, total: reached.append((done, total))
    )
    assert (report.snapshot is not None) == (snapshots_made > 0)
    assert report.frames
    assert reached == sorted(reached)
    assert all(0 < done <= total for done, total in reached)
    assert dump(store) == before
    with small_store(store) as engine:
        assert problems(engine) == []
        put(engine, "after", b"x")
    with small_store(store) as engine:
        assert get(engine, "after") == b"x"


def test_what_was_written_since_a_crash_is_in_the_journal(tmp_path: Path) -> None:
    """An index that was never synced is made again like one that was."""
    store, copy = tmp_path / "store", tmp_path / "copy"
    with small_store(store) as engine:
        work(engine, 1)
        engine.snapshot()
        work(engine, 2)
        shutil.copytree(store, copy)  # as a crash would leave it
        kept = [info.key for info in engine.list_objects(BUCKET).objects]
    (copy / "index" / "data.mdb").write_bytes(noise(100_000))
    report = rebuild_index(copy, OPTIONS)
    assert [name.partition(".")[0] for name in report.aside] == ["index"]
    assert (copy / report.aside[0] / "data.mdb").read_bytes() == noise(100_000)
    with small_store(copy) as engine:
        assert problems(engine) == []
        assert [info.key for info in engine.list_objects(BUCKET).objects] == kept


def test_recycled_segments_are_not_needed(tmp_path: Path) -> None:
    """After a snapshot the journal before it may go, and nothing is lost."""
    store = tmp_path / "store"
    with small_store(store) as engine:
        work(engine, 1)
        engine.snapshot()
        engine.checkpoint()
        assert engine._journal.recycle(engine._care.snapshots.keep_from())
        work(engine, 2)
    before = dump(store)
    shutil.rmtree(store / "index")
    rebuild_index(store, OPTIONS)
    assert dump(store) == before


def test_a_damaged_snapshot_is_passed_over(tmp_path: Path) -> None:
    """When the journal still reaches back, a damaged snapshot costs nothing and is named."""
    store = tmp_path / "store"
    with small_store(store) as engine:
        work(engine, 1)
        made = engine.snapshot()
    before = dump(store)
    made.path.write_bytes(b"rot")
    shutil.rmtree(store / "index")
    report = rebuild_index(store, OPTIONS)
    assert report.damaged_snapshots == [made.path.name]
    assert report.snapshot is None
    assert dump(store) == before


@pytest.mark.parametrize("damaged", [1, 2])
def test_an_older_snapshot_leads_to_the_same_index(tmp_path: Path, damaged: int) -> None:
    """Three are kept, the newest cannot be read, and nothing of the journal since was given up."""
    store = tmp_path / "store"
    with small_store(store, snapshots_kept=3) as engine:
        for turn in range(4):
            work(engine, turn)
            engine.compact(CompactionOptions(threshold=0.2))
            engine.snapshot()
            engine.checkpoint()
            engine._journal.recycle(engine._care.keep_from())
        work(engine, 9)
    before = dump(store)
    for snapshot in snapshots(store / "snapshots")[-damaged:]:
        snapshot.path.write_bytes(noise(snapshot.size))
    assert segment_starts(store / "journal")[0] > 0
    shutil.rmtree(store / "index")
    report = rebuild_index(store, OPTIONS)
    assert len(report.damaged_snapshots) == damaged
    assert report.damage is None
    assert dump(store) == before
    with small_store(store) as engine:
        assert problems(engine) == []


def test_without_its_journal_a_store_goes_on_from_the_snapshot(tmp_path: Path) -> None:
    """A lost journal is never passed over silently; asked to, S4 goes on without."""
    store = tmp_path / "store"
    with small_store(store) as engine:
        put(engine, "a", b"kept")
        engine.snapshot()
        put(engine, "b", b"lost")
    shutil.rmtree(store / "index")
    shutil.rmtree(store / "journal")
    with pytest.raises(FormatError, match="--accept-loss"):
        rebuild_index(store, OPTIONS)
    assert not (store / "index").exists()
    report = rebuild_index(store, OPTIONS, accept_loss=True)
    assert report.snapshot is not None
    assert "does not reach back" in str(report.damage)
    for n in range(3):
        with small_store(store) as engine:
            assert problems(engine) == []
            assert get(engine, "a") == b"kept"
            put(engine, f"after {n}", noise(50_000, n))
    with small_store(store) as engine:
        assert len(engine.list_objects(BUCKET).objects) == 4


def test_what_was_compacted_since_the_snapshot_is_found_again(tmp_path: Path) -> None:
    """Without the journal nothing is dropped, and the scrub finds the blobs that had moved."""
    store = tmp_path / "store"
    kept = {f"{n}": noise(30_000 + n, n) for n in range(1, 20, 2)}
    with small_store(store) as engine:
        for n in range(20):
            put(engine, f"{n}", noise(30_000 + n, n))
        for n in range(0, 20, 2):
            engine.delete_object(BUCKET, f"{n}").result()
        engine.snapshot()
    with small_store(store) as engine:
        assert engine.compact(CompactionOptions(threshold=0.1)).dropped_volumes > 1
        put(engine, "lost", noise(30_000, 99))
    shutil.rmtree(store / "index")
    shutil.rmtree(store / "journal")
    rebuild_index(store, OPTIONS, accept_loss=True)
    with small_store(store) as engine:
        put(engine, "new", noise(40_000, 100))
        engine.reclaim(10**15)
        report = engine.scrub(ScrubOptions(is_restarted=True))
        assert report.healed == len(report.problems) > 5
        assert {key: get(engine, key) for key in kept} == kept
        assert get(engine, "new") == noise(40_000, 100)
        assert problems(engine) == []
        assert engine.release_volumes() > 0
        engine.reclaim(10**15)
        engine.compact()
        assert {key: get(engine, key) for key in kept} == kept
        assert problems(engine) == []


def test_a_store_without_anything_left_is_refused(tmp_path: Path) -> None:
    """Neither snapshot nor whole journal: the way on is named, and nothing was changed."""
    store = tmp_path / "store"
    with small_store(store) as engine:
        work(engine, 1)
        engine.snapshot()
        engine._journal.recycle(engine._care.snapshots.keep_from())
    for snapshot in snapshots(store / "snapshots"):
        snapshot.path.unlink()
    with pytest.raises(FormatError, match="--salvage"):
        rebuild_index(store, OPTIONS)
    with small_store(store) as engine:
        assert problems(engine) == []
    assert not (store / "index.damaged").exists()


def test_a_store_in_use_is_refused(tmp_path: Path) -> None:
    """Nothing is made anew under a server's feet."""
    with small_store(tmp_path / "store") as engine:
        put(engine, "a", b"x")
        with pytest.raises(StoreInUse, match="in use"):
            rebuild_index(tmp_path / "store", OPTIONS)
        assert get(engine, "a") == b"x"


def test_an_attempt_that_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    """What an interrupted rebuild left behind does not stand in the way."""
    store = tmp_path / "store"
    with small_store(store) as engine:
        work(engine, 1)
    before = dump(store)
    (store / NEW_INDEX).mkdir()
    (store / NEW_INDEX / "data.mdb").write_bytes(b"half")
    shutil.rmtree(store / "index")
    rebuild_index(store, OPTIONS)
    assert dump(store) == before


def test_a_damaged_journal_is_told_and_given_up_only_when_asked(tmp_path: Path) -> None:
    """A frame that rotted hides those behind it: opening refuses, and asked to S4 goes on."""
    store = tmp_path / "store"
    with small_store(store) as engine:
        put(engine, "a", b"kept")
        engine.checkpoint()
        tail = engine._checkpointer.last
        assert tail is not None
        position = tail.tail.position - tail.tail.segment
        segment = segment_path(store / "journal", tail.tail.segment)
        put(engine, "b", b"rots")
        put(engine, "c", b"behind it")
        shutil.copytree(store, tmp_path / "crashed")  # before the end makes a checkpoint
    crashed = tmp_path / "crashed"
    with (crashed / "journal" / segment.name).open("r+b") as file:
        file.seek(position + 40)
        file.write(b"rot")
    with pytest.raises(JournalDamaged, match="--accept-loss"):
        small_store(crashed)
    with pytest.raises(JournalDamaged, match="goes on at"):
        rebuild_index(crashed, OPTIONS)
    assert (crashed / "index").exists()
    report = rebuild_index(crashed, OPTIONS, accept_loss=True)
    assert report.damage is not None
    for n in range(2):
        with small_store(crashed) as engine:
            assert problems(engine) == []
            assert get(engine, "a") == b"kept"
            put(engine, f"after {n}", noise(500))
    with small_store(crashed) as engine:
        names = [info.key for info in engine.list_objects(BUCKET).objects]
        assert names == ["a", "after 0", "after 1"]


def test_without_its_journal_an_index_that_is_there_is_used(tmp_path: Path) -> None:
    """What the index itself holds, durable and newer than the snapshot, is not given up."""
    store = tmp_path / "store"
    with small_store(store) as engine:
        put(engine, "a", b"1")
        engine.snapshot()
        put(engine, "b", b"2")
    shutil.rmtree(store / "journal")
    with pytest.raises(FormatError, match="--accept-loss"):
        small_store(store)
    report = rebuild_index(store, OPTIONS, accept_loss=True)
    assert report.is_own
    with small_store(store) as engine:
        assert (get(engine, "a"), get(engine, "b")) == (b"1", b"2")
        assert problems(engine) == []


def test_after_a_loss_snapshot_and_journal_go_together(tmp_path: Path) -> None:
    """What was written since is rebuilt without loss again, and no number is given twice."""
    store = tmp_path / "store"
    with small_store(store) as engine:
        put(engine, "a", b"1")
        engine.snapshot()
        lost = put_version(engine, "a", b"2")
    shutil.rmtree(store / "index")
    shutil.rmtree(store / "journal")
    rebuild_index(store, OPTIONS, accept_loss=True)
    with small_store(store) as engine:
        assert put_version(engine, "a", b"3") > lost
    shutil.rmtree(store / "index")
    assert rebuild_index(store, OPTIONS).damage is None
    with small_store(store) as engine:
        assert get(engine, "a") == b"3"


def put_version(engine: StorageEngine, key: str, data: bytes) -> str:
    """Put a version; return its id."""
    blob = engine.stage_bytes(data)
    versioning = Versioning.ENABLED
    made = engine.put_object(BUCKET, key, blob, attributes(data), versioning=versioning)
    return made.result().version_id


def test_a_rebuild_cut_off_gives_up_no_more(tmp_path: Path) -> None:
    """Killed between its renames, it is begun again with all that could be read before."""

    class CutOff(RealDisk):
        def rename(self, source: Path, target: Path) -> None:
            if source.name == NEW_INDEX:
                raise OSError(errno.EIO, "cut off")
            super().rename(source, target)

    store = tmp_path / "store"
    with small_store(store) as engine:
        put(engine, "a", b"1")
        engine.checkpoint()
        engine.snapshot()
        for n in range(30):
            put(engine, f"{n}", noise(3000, n))
        starts = segment_starts(store / "journal")
        shutil.copytree(store, tmp_path / "crashed")
    crashed = tmp_path / "crashed"
    last = segment_path(crashed / "journal", starts[-1])
    last.write_bytes(bytes(2 * 4096) + last.read_bytes()[2 * 4096 :])
    shutil.rmtree(crashed / "index")
    with pytest.raises(OSError, match="cut off"):
        rebuild_index(crashed, OPTIONS, disk=CutOff(), accept_loss=True)
    with pytest.raises(FormatError):
        small_store(crashed)
    report = rebuild_index(crashed, OPTIONS, accept_loss=True)
    with small_store(crashed) as engine:
        assert problems(engine) == []
        assert get(engine, "a") == b"1"
        assert report.frames or engine.namespace_counts(BUCKET).objects > 1
