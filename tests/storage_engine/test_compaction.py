"""Compaction: room comes back, nothing is lost, nobody notices."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from storage_engine import CompactionOptions, VolumeState, open_engine
from storage_engine.compaction import _in_batches, _joined
from storage_engine.limits import (
    COMPACTION_BATCH_BYTES,
    EXTENTS_RESOLVED_MAX,
)
from storage_engine.rows import Blob
from storage_engine.volume import volume_path
from storage_engine.walk import Walk
from tests.storage_engine.compaction_store import ALL, LARGE, OPTIONS, check, fill
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    MIB,
    attributes,
    get,
    noise,
    problems,
    put,
    written,
)
from tests.storage_engine.test_quarantine import damage, restore, settled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage_engine import StorageEngine


@pytest.fixture
def kept(tmp_path: Path) -> dict[str, bytes]:
    """Make a store that needs compaction at `tmp_path / "store"`."""
    return fill(tmp_path / "store")


@pytest.fixture
def engine(tmp_path: Path, kept: dict[str, bytes]) -> Iterator[StorageEngine]:
    """Open that store; it must hold the same at the end."""
    with open_engine(tmp_path / "store", OPTIONS) as opened:
        yield opened
        check(opened, kept)


def test_dead_room_comes_back(engine: StorageEngine, kept: dict[str, bytes]) -> None:
    """Volumes with dead bytes are rewritten and dropped; what is live takes its own room only."""
    before = engine.stats()
    report = engine.compact()
    after = engine.stats()
    assert report.is_complete
    assert report.problems == report.skipped == []
    assert report.dropped_volumes == len(report.plans) > 0
    assert after.live_bytes == before.live_bytes
    assert before.volume_bytes - after.volume_bytes > before.dead_bytes * 0.8
    assert report.freed_bytes >= before.volume_bytes - after.volume_bytes
    assert report.moved_blobs > 0
    assert report.moved_bytes == sum(plan.moved_bytes for plan in report.plans)
    check(engine, kept)


def test_a_second_run_finds_nothing_to_do(tmp_path: Path, kept: dict[str, bytes]) -> None:
    """What comes of a compaction is not compacted again, by the same process or the next."""
    with open_engine(tmp_path / "store", OPTIONS) as engine:
        engine.compact()
        assert engine.compact().plans == []
    with open_engine(tmp_path / "store", OPTIONS) as engine:
        engine.compact()  # may merge the volume of the first with others, once
    with open_engine(tmp_path / "store", OPTIONS) as engine:
        assert engine.compact().plans == []
        check(engine, kept)


def test_a_dry_run_changes_nothing_and_says_what_would_be(engine: StorageEngine) -> None:
    """The plan of a dry run is what the run then does."""
    before = engine.volumes()
    commit = engine._index.view(lambda txn: txn.id())
    dry = engine.compact(CompactionOptions(is_dry_run=True))
    assert (engine.volumes(), engine._index.view(lambda txn: txn.id())) == (before, commit)
    assert dry.moved_blobs == dry.dropped_volumes == 0
    assert engine.compact().plans == dry.plans != []


def test_no_more_volumes_are_rewritten_than_asked_for(engine: StorageEngine) -> None:
    """The first of the plan are; the next run goes on with the rest."""
    planned = engine.compact(CompactionOptions(is_dry_run=True)).plans
    assert len(planned) > 1
    dry = engine.compact(CompactionOptions(is_dry_run=True, volumes_max=1)).plans
    report = engine.compact(CompactionOptions(volumes_max=1))
    assert report.plans == dry == planned[:1]
    assert report.is_complete
    assert {plan.id for plan in engine.compact().plans} >= {plan.id for plan in planned[1:]}


def test_small_volumes_become_one(tmp_path: Path) -> None:
    """What many starts leave behind is merged, and the number of files stays small."""
    kept = {}
    for n in range(12):
        with open_engine(tmp_path / "runs", OPTIONS) as engine:
            kept[f"{n}"] = noise(5 * KIB, n)
            put(engine, f"{n}", kept[f"{n}"])
    with open_engine(tmp_path / "runs", OPTIONS) as engine:
        assert len(engine.volumes()) == 12
        engine.compact()
        assert [volume.state for volume in engine.volumes()] == [VolumeState.ACTIVE]
        check(engine, kept)


def test_active_volumes_and_uncommitted_payloads_are_left_alone(engine: StorageEngine) -> None:
    """A volume that somebody appends to, or has a payload waiting in, is not touched."""
    waiting = written(engine, noise(300 * KIB, 900))
    put(engine, "mine", noise(900 * KIB, 901))
    engine.delete_object(BUCKET, "mine").result()
    active = {volume.id for volume in engine.volumes() if volume.state is VolumeState.ACTIVE}
    assert active
    report = engine.compact(ALL)
    assert not active & {plan.id for plan in report.plans}
    engine.put_object(BUCKET, "waited", waiting, attributes()).result()
    assert get(engine, "waited") == noise(300 * KIB, 900)
    engine.delete_object(BUCKET, "waited").result()


def test_open_readers_go_on(engine: StorageEngine, kept: dict[str, bytes]) -> None:
    """Objects that were opened before everything moved are read to the end."""
    readers = {key: engine.open_object(BUCKET, key) for key in kept}
    first = {key: reader.read(0, 1000) for key, reader in readers.items()}
    engine.compact(ALL)
    for key, reader in readers.items():
        assert first[key] + reader.read(1000, reader.info.size) == kept[key]
        assert reader.read_cached(0, 10) in {None, kept[key][:10]}
        reader.close()


def test_a_paused_read_of_very_many_parts_goes_on(tmp_path: Path) -> None:
    """A GET of a large multipart object survives that all its volumes are dropped under it."""
    count = EXTENTS_RESOLVED_MAX + 20
    pieces = [noise(6 * KIB + n, n) for n in range(count)] + [noise(LARGE, 999)]
    with open_engine(tmp_path / "store", OPTIONS) as engine:
        upload = engine.create_upload(BUCKET, "m", attributes()).result()
        for n, piece in enumerate(pieces):  # as many dead bytes between them as live ones
            put(engine, f"{n}", noise(6 * KIB, 10_000 + n))
            put(engine, "piece", piece)
            blob = engine.stage_bytes(piece)
            engine.put_part(BUCKET, "m", upload.upload_id, n + 1, blob, "e", {}).result()
        parts = engine.list_parts(BUCKET, "m", upload.upload_id).parts
        engine.complete_upload(BUCKET, "m", upload.upload_id, parts, attributes()).result()
        for n in range(len(pieces)):
            engine.delete_object(BUCKET, f"{n}").result()
        engine.delete_object(BUCKET, "piece").result()
    with open_engine(tmp_path / "store", OPTIONS) as engine:
        volumes = {volume.id for volume in engine.volumes()}
        whole = b"".join(pieces)
        with engine.open_object(BUCKET, "m") as reader:
            found = reader.read(0, 300 * KIB)
            compact_elsewhere(tmp_path / "store")
            assert not volumes & {volume.id for volume in engine.volumes()}
            found += reader.read(len(found), len(whole))
        assert found == whole
        assert problems(engine) == []


COMPACTOR = """
import sys
from pathlib import Path
from storage_engine import CompactionOptions, open_engine
from tests.storage_engine.compaction_store import ALL, OPTIONS
with open_engine(Path(sys.argv[1]), OPTIONS) as engine:
    assert engine.compact(ALL).is_complete
"""


def compact_elsewhere(path: Path) -> None:
    """Compact everything in a process of its own."""
    subprocess.run([sys.executable, "-c", COMPACTOR, str(path)], check=True)


def test_a_compaction_that_stops_goes_on_where_it_was(
    engine: StorageEngine, kept: dict[str, bytes]
) -> None:
    """Asked to stop after each piece, run after run, it does all of it in the end."""
    runs = 0
    while True:
        asked = 0

        def should_stop() -> bool:
            nonlocal asked
            asked += 1
            return asked > 3

        report = engine.compact(CompactionOptions(threshold=0.05, should_stop=should_stop))
        runs += 1
        assert problems(engine) == []
        if report.is_complete:
            break
    assert 2 < runs < 50
    check(engine, kept)


def test_a_slice_moves_at_least_one_blob(engine: StorageEngine, kept: dict[str, bytes]) -> None:
    """However short slices are, what takes longer is copied whole, and the run ends."""
    planned = len(engine.compact(CompactionOptions(is_dry_run=True)).plans)
    reports = []
    while not reports or not reports[-1].is_complete:
        options = CompactionOptions(bytes_per_second=200 * MIB, is_slice_over=lambda: True)
        reports.append(engine.compact(options))
        assert len(reports[-1].plans) <= planned, "the rest of the plan, and no other"
    assert {report.moved_blobs for report in reports} == {0, 1}
    assert sum(report.dropped_volumes for report in reports) == planned
    check(engine, kept)


def test_a_stop_does_not_wait_for_the_copy(tmp_path: Path) -> None:
    """Asked to stop for good, compaction leaves the blob it copies, and moves it the next time."""
    options = replace(OPTIONS, volume_bytes_max=1 << 30)
    with open_engine(tmp_path / "large", options) as engine:
        put(engine, "dead", noise(3 * MIB, 1))
        put(engine, "k", noise(3 * MIB, 2))
        engine.delete_object(BUCKET, "dead").result()
    with open_engine(tmp_path / "large", options) as engine:
        asked = iter([False] * 2 + [True])
        stopped = engine.compact(replace(ALL, should_stop=lambda: next(asked, True)))
        assert (stopped.moved_blobs, stopped.is_complete) == (0, False)
        assert get(engine, "k") == noise(3 * MIB, 2)
        assert engine.compact(ALL).moved_blobs == 1
        check(engine, {"k": noise(3 * MIB, 2)})


def test_progress_comes_to_its_total(engine: StorageEngine) -> None:
    """The caller is told how many bytes of how many were copied, up to all."""
    told: list[tuple[int, int]] = []
    report = engine.compact(CompactionOptions(progress=lambda *figures: told.append(figures)))
    assert told == sorted(told)
    assert told[-1] == (report.moved_bytes, report.moved_bytes)


def test_a_rate_is_kept(engine: StorageEngine) -> None:
    """A bounded compaction takes the time that its bytes ask for."""
    started = time.monotonic()
    report = engine.compact(CompactionOptions(bytes_per_second=8 * MIB))
    assert time.monotonic() - started > report.moved_bytes / (8 * MIB) * 0.5


def test_damaged_blobs_stay_and_keep_their_volume(tmp_path: Path, kept: dict[str, bytes]) -> None:
    """A blob that cannot be verified is reported and left; the rest of its volume is moved."""
    store = tmp_path / "store"
    held = damage(store, at=512 + 1000)
    with open_engine(store, OPTIONS) as engine:
        report = engine.compact(ALL)
        assert len(report.problems) == settled(engine) == 1
        assert "volume 1 at 512" in report.problems[0]
        volumes = {volume.id: volume for volume in engine.volumes()}
        assert volumes[1].live_bytes == 3072 + 512, "one record"
        assert engine.compact(ALL).problems == [], "it is known, and not moved"
        restore(store, held, at=512 + 1000)
        check(engine, kept)
        assert settled(engine) == 0
        assert engine.compact(ALL).dropped_volumes >= 1
        assert 1 not in {volume.id for volume in engine.volumes()}
        check(engine, kept)


def test_a_blob_whose_header_is_damaged_is_not_lost_sight_of(
    tmp_path: Path, kept: dict[str, bytes]
) -> None:
    """What the walk cannot meet is looked up by its place, reported, and never dropped."""
    store = tmp_path / "store"
    held = damage(store, at=512 + 20)
    with open_engine(store, OPTIONS) as engine:
        report = engine.compact(ALL)
        assert len(report.problems) == settled(engine) == 1
        assert 1 in {volume.id for volume in engine.volumes()}
        restore(store, held, at=512 + 20)
        check(engine, kept)


def test_a_record_the_walk_misses_is_moved_by_its_place(
    tmp_path: Path, kept: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing depends on the walk being right: whole records it did not tell of move as well."""
    monkeypatch.setattr(Walk, "items", lambda *_: iter(()))
    with open_engine(tmp_path / "store", OPTIONS) as engine:
        report = engine.compact(ALL)
        assert report.problems == []
        assert report.moved_blobs > 0
        assert report.dropped_volumes == len(report.plans)
        check(engine, kept)


def test_a_healed_blob_leaves_nothing_behind(tmp_path: Path, kept: dict[str, bytes]) -> None:
    """Once the content was put again, the volume with the damaged record can go."""
    damage(tmp_path / "store", at=512 + 1000)
    with open_engine(tmp_path / "store", OPTIONS) as engine:
        engine.compact(ALL)
        put(engine, "0", kept["0"])
        assert settled(engine) == 0
        engine.compact(ALL)
        assert 1 not in {volume.id for volume in engine.volumes()}
        check(engine, kept)


def test_files_of_another_index_are_left_alone(engine: StorageEngine, tmp_path: Path) -> None:
    """A volume whose id was never given out is neither rewritten nor dropped."""
    strange = volume_path(tmp_path / "store" / "volumes", 7777)
    strange.write_bytes(b"precious" * 100_000)
    assert 7777 not in {plan.id for plan in engine.compact(ALL).plans}
    assert strange.exists()
    strange.unlink()


# --- small parts --------------------------------------------------------------------------------


def test_batches_hold_what_a_commit_may_copy() -> None:
    """A batch ends once it is large enough, and none is empty."""
    sizes = [1, COMPACTION_BATCH_BYTES, 5, COMPACTION_BATCH_BYTES // 2, COMPACTION_BATCH_BYTES, 7]
    found = [(b"", Blob(1, 0, 0, size, size, 1, 0, b"")) for size in sizes]
    batches = [[blob.length for _, blob in batch] for batch in _in_batches(found)]
    assert batches == [sizes[:2], sizes[2:5], sizes[5:]]
    assert list(_in_batches([])) == []


def test_ranges_that_touch_are_joined() -> None:
    """Holes are punched in as few pieces as the ranges allow."""
    assert list(_joined([(5, 5), (10, 3), (20, 1), (21, 2)])) == [(5, 8), (20, 3)]
    assert list(_joined([(0, 4), (4, 4)])) == [(0, 8)]
    assert list(_joined([])) == []
