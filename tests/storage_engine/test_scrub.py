"""The scrub meets everything in use, tells what is wrong, and goes on where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage_engine import CompactionOptions, ScrubOptions
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    MIB,
    get,
    noise,
    problems,
    put,
    put_multipart,
    small_store,
)
from tests.storage_engine.test_quarantine import damage, restore, settled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage_engine import StorageEngine

HASHED = ScrubOptions(is_hashed=True)
DAY_MS = 86_400_000


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Name the directory of a store."""
    return tmp_path / "store"


@pytest.fixture
def engine(store: Path) -> Iterator[StorageEngine]:
    """Open a store with some of everything in several volumes."""
    with small_store(store) as opened:
        for n in range(20):
            put(opened, f"{n}", noise(30 * KIB + n, n))
        put(opened, "inline", b"in the index")
        put_multipart(opened, "multi", [noise(300 * KIB, 50), b"tiny"])
        opened.delete_object(BUCKET, "3").result()
        yield opened


def test_everything_in_use_is_read(engine: StorageEngine) -> None:
    """A whole pass counts every blob and inline payload once, and finds nothing wrong."""
    told: list[tuple[int, int]] = []
    report = engine.scrub(
        ScrubOptions(is_hashed=True, progress=lambda *figures: told.append(figures))
    )
    stats = engine.stats()
    assert (report.blobs, report.inline_payloads) == (stats.blobs, stats.inline_payloads)
    assert report.bytes == stats.live_bytes
    assert told[-1] == (stats.live_bytes, stats.live_bytes)
    assert (report.problems, report.is_complete) == ([], True)


@pytest.mark.parametrize("at", [512 + 3, 512 + 40, 512 + 5000])
def test_what_is_wrong_is_told_and_lifted_when_it_is_right(
    engine: StorageEngine, store: Path, at: int
) -> None:
    """Damage of payload or header is found; once the bytes are right again quarantine ends."""
    held = damage(store, at=at)
    report = engine.scrub()
    assert len(report.problems) == settled(engine) == 1
    assert engine.scrub().problems == report.problems
    restore(store, held, at=at)
    report = engine.scrub()
    assert (report.problems, report.lifted) == ([], 1)
    assert settled(engine) == 0
    assert problems(engine) == []


def test_a_damaged_inline_payload_is_told(engine: StorageEngine) -> None:
    """Payloads in the index are checked too."""
    tables = engine._index.tables
    with engine._index.begin_write() as txn, txn.cursor(tables.inline) as cursor:
        cursor.first()
        cursor.put(cursor.key(), cursor.value()[:-1] + b"X")
    assert len(engine.scrub().problems) == 1


def test_a_pass_that_stops_goes_on(store: Path, engine: StorageEngine) -> None:
    """Stopped again and again, over restarts, a pass reads everything once."""
    total = engine.stats().blobs
    engine.close()
    read = runs = 0
    is_complete = False
    while not is_complete:
        runs += 1
        with small_store(store) as opened:
            asked = 0

            def should_stop() -> bool:
                nonlocal asked
                asked += 1
                return asked > 5

            report = opened.scrub(ScrubOptions(should_stop=should_stop))
            read += report.blobs
            is_complete = report.is_complete
    assert read == total
    assert runs > 3
    with small_store(store) as opened:
        assert opened._care._scrub.state().started_ms == 0


def test_a_slice_reads_at_least_one_record(tmp_path: Path) -> None:
    """However short slices are, a record that takes longer is read whole, and the pass ends."""
    with small_store(tmp_path / "large") as opened:
        for n in range(3):
            put(opened, f"{n}", noise(3 * MIB, n))
        reports = []
        while not reports or not reports[-1].is_complete:
            options = ScrubOptions(bytes_per_second=100 * MIB, is_slice_over=lambda: True)
            reports.append(opened.scrub(options))
        assert [report.blobs for report in reports] == [1, 1, 1, 0]


def test_a_stop_does_not_wait_for_the_record(tmp_path: Path) -> None:
    """Asked to stop for good, the scrub leaves the record it is in, and reads it again later."""
    with small_store(tmp_path / "large") as opened:
        put(opened, "k", noise(3 * MIB))
        report = opened.scrub(ScrubOptions(should_stop=iter([False, True]).__next__))
        assert (report.blobs, report.is_complete) == (0, False)
        assert opened.scrub().blobs == 1


def test_a_pass_begins_when_it_is_due(engine: StorageEngine) -> None:
    """A pass that ended lately is not followed by another, unless that is asked for."""
    scrub = engine._care._scrub
    monthly = ScrubOptions(pass_ms_min=30 * DAY_MS)
    assert scrub.run(monthly, 100 * DAY_MS).is_due
    commit = engine._index.view(lambda txn: txn.id())
    report = scrub.run(monthly, 129 * DAY_MS)
    assert (report.is_due, report.blobs) == (False, 0)
    assert engine._index.view(lambda txn: txn.id()) == commit
    assert scrub.run(monthly, 130 * DAY_MS).blobs > 0
    assert engine.scrub(ScrubOptions(is_restarted=True)).blobs > 0


def test_a_restart_begins_anew(engine: StorageEngine) -> None:
    """A pass under way can be given up for one that reads everything again."""
    engine.scrub(ScrubOptions(should_stop=iter([False] * 8 + [True]).__next__))
    report = engine.scrub(ScrubOptions(is_restarted=True))
    assert report.blobs == engine.stats().blobs


def test_scrub_and_compaction_do_not_mind_each_other(engine: StorageEngine) -> None:
    """Blobs that move during a pass are neither called damaged nor lost."""
    moved = 0

    def compact_meanwhile(_done: int, _total: int) -> None:
        nonlocal moved
        moved += engine.compact(CompactionOptions(threshold=0.0)).moved_blobs

    engine.close()
    with small_store(engine._place.root) as opened:
        for n in range(0, 20, 4):
            opened.delete_object(BUCKET, f"{n}").result()
        engine = opened
        report = opened.scrub(ScrubOptions(progress=compact_meanwhile))
        assert moved > 0
        assert report.problems == []
        assert settled(opened) == 0
        assert get(opened, "multi") == noise(300 * KIB, 50) + b"tiny"
        assert problems(opened) == []


def test_an_empty_store_is_scrubbed(tmp_path: Path) -> None:
    """Nothing to read is a whole pass."""
    with small_store(tmp_path / "empty") as opened:
        report = opened.scrub(HASHED)
        assert (report.is_complete, report.blobs) == (True, 0)
