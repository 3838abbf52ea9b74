"""Backups onto one target: what is copied again, what is not, and what each of them is good for."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from s4project.backup.catalogue import MANIFEST, Manifest, opened, read_json
from s4project.backup.checking import check
from s4project.backup.making import COPIED, Order, Report, make
from storage_engine import CompactionOptions, open_engine
from storage_engine.limits import PUNCH_GRACE_MS
from storage_engine.options import wall_clock
from storage_engine.pace import Stopped, ignore, never
from tests.storage_engine.engine_steps import BUCKET, KIB, get, noise, put, small_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from storage_engine import StorageEngine


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Make a store with a sealed volume, a database and a key beside it, and a target."""
    place = tmp_path / "store"
    with small_store(place, volume_bytes_max=4096 * KIB) as engine:
        for n in range(8):
            put(engine, f"{n}", noise(300 * KIB, n))
    with closing(sqlite3.connect(place / "s4.sqlite3")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE users (name)")
        database.execute("INSERT INTO users VALUES ('root')")
        database.commit()
    (place / "server.key").write_bytes(b"k" * 32)
    (place / "server.key").chmod(0o600)
    (place / "serve.lock").write_text("process 1")
    (place / "index.damaged-1").mkdir()
    (place / "index.damaged-1" / "data.mdb").write_bytes(b"x")
    os.mkfifo(place / "audit.bell")
    (tmp_path / "target").mkdir()
    return place


def back_up(
    engine: StorageEngine,
    store: Path,
    kept: int = 7,
    should_stop: Callable[[], bool] = never,
    **more: Any,
) -> Report:
    """Make a backup of an open store."""
    usual = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(store / "s4.sqlite3")}
    database = more.pop("database", usual)
    with opened(store.parent / "target", store, engine._place.store_id.hex()) as target:
        order = Order(store, database, "sqlite", kept=kept, should_stop=should_stop, **more)
        return make(engine, target, order)


def reopened(store: Path) -> StorageEngine:
    """Open it again: what was appended to is sealed then."""
    return small_store(store, volume_bytes_max=4096 * KIB)


def test_a_backup_has_all_that_matters_and_nothing_else(store: Path, tmp_path: Path) -> None:
    """Engine, database, key with its mode; no locks, no doors, nothing that was set aside."""
    with reopened(store) as engine:
        report = back_up(engine, store)
    assert report.problems == []
    found = {
        str(path.relative_to(report.path)) for path in report.path.rglob("*") if path.is_file()
    }
    assert found == {
        "FORMAT",
        "backup.json",
        "index/checkpoint",
        "index/data.mdb",
        "journal/00000000000000000000.segment",
        "s4.sqlite3",
        "server.key",
        "volumes/00000001.volume",
    }
    listed = {file.name for file in read_json(report.path / MANIFEST, Manifest).files}
    assert listed == found - {"backup.json"}
    assert (report.path / "server.key").stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(report.path / "s4.sqlite3")) as database:
        assert database.execute("SELECT name FROM users").fetchall() == [("root",)]
    shutil.copytree(report.path, tmp_path / "restored")
    with open_engine(tmp_path / "restored") as engine:
        assert get(engine, "7") == noise(300 * KIB, 7)
        assert not list(engine.verify())


def test_a_database_of_another_name_is_copied_as_one(store: Path) -> None:
    """It may lie among S4's files: byte by byte, beside who writes to it, it would be torn."""
    (store / "s4.sqlite3").rename(store / "mine.db")
    chosen = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(store / "mine.db")}
    with closing(sqlite3.connect(store / "mine.db")) as writer:
        writer.execute("INSERT INTO users VALUES ('late')")
        writer.commit()
        assert (store / "mine.db-wal").exists()
        with reopened(store) as engine:
            report = back_up(engine, store, database=chosen)
    assert {path.name for path in report.path.iterdir() if path.is_file()} == {
        "FORMAT",
        "backup.json",
        "s4.sqlite3",
        "server.key",
    }
    with closing(sqlite3.connect(report.path / "s4.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM users").fetchone() == (2,)


def test_a_sealed_volume_is_copied_once(store: Path) -> None:
    """The second backup has the first one's file; what is appended to is copied each time."""
    with reopened(store) as engine:
        first = back_up(engine, store)
        put(engine, "more", noise(20 * KIB, 9))
        second = back_up(engine, store)
        third = back_up(engine, store)
    files = [report.path / "volumes" / "00000001.volume" for report in (first, second, third)]
    assert len({path.stat().st_ino for path in files}) == 1
    new = [report.path / "volumes" / "00000002.volume" for report in (second, third)]
    assert len({path.stat().st_ino for path in new}) == 2
    assert second.linked_bytes == files[0].stat().st_size


def test_holes_are_followed_when_there_are_many(store: Path) -> None:
    """A little room that came back is let be; with more of it the volume is copied again."""
    later = wall_clock() + 2 * PUNCH_GRACE_MS
    with reopened(store) as engine:
        sizes, links = [], []
        for n in range(4):
            report = back_up(engine, store)
            file = (report.path / "volumes" / "00000001.volume").stat()
            sizes.append(file.st_blocks * 512)
            links.append(file.st_nlink)
            engine.delete_object(BUCKET, f"{n}").result()
            assert engine.reclaim(later)["punched_bytes"]
    assert links == [1, 2, 3, 1], "two of eight are not enough, three are"
    assert sizes[0] == sizes[2] > sizes[3] + 800 * KIB
    found = check(store.parent / "target", 0, ignore, never)
    assert (found.problems, len(found.backups)) == ([], 4)


def test_volumes_that_are_gone_leave_with_the_last_backup_that_has_them(store: Path) -> None:
    """Compaction drops one; older backups keep their file, and it goes with them."""
    with reopened(store) as engine:
        back_up(engine, store)
        for n in range(6):
            engine.delete_object(BUCKET, f"{n}").result()
        assert engine.compact(CompactionOptions(threshold=0.1)).dropped_volumes == 1
        second = back_up(engine, store)
        assert [path.name for path in (second.path / "volumes").iterdir()] == ["00000002.volume"]
        assert len(list(store.parent.glob("target/*/volumes/00000001.volume"))) == 1
        assert back_up(engine, store, kept=1).removed == 2
        assert not list(store.parent.glob("target/*/volumes/00000001.volume"))


def test_a_store_that_was_put_back_does_not_take_what_it_never_had(store: Path) -> None:
    """An object gone by the newest backup is there again in a copy of the one before: kept."""
    later = wall_clock() + 2 * PUNCH_GRACE_MS
    with reopened(store) as engine:
        first = back_up(engine, store)
        for n in range(4):
            engine.delete_object(BUCKET, f"{n}").result()
        engine.reclaim(later)
        back_up(engine, store)
    shutil.rmtree(store)
    shutil.copytree(first.path, store)
    with reopened(store) as engine:
        third = back_up(engine, store)
    shutil.copytree(third.path, store.parent / "restored")
    with reopened(store.parent / "restored") as engine:
        assert get(engine, "0") == noise(300 * KIB, 0)
        assert not list(engine.verify())


def test_a_rolled_back_disk_is_noticed_though_files_keep_their_numbers(store: Path) -> None:
    """As a snapshot of the file system has it: older bytes and times in the same files."""
    later = wall_clock() + 2 * PUNCH_GRACE_MS
    volume = store / "volumes" / "00000001.volume"
    before, times = volume.read_bytes(), volume.stat()
    with reopened(store) as engine:
        engine.delete_object(BUCKET, "0").result()
        engine.delete_object(BUCKET, "1").result()
        engine.reclaim(later)
        back_up(engine, store)
    volume.write_bytes(before)
    os.utime(volume, ns=(times.st_atime_ns, times.st_mtime_ns))
    with reopened(store) as engine:
        report = back_up(engine, store)
    assert (report.path / "volumes" / "00000001.volume").read_bytes() == before


def test_what_was_cut_off_is_gone_on_with(store: Path) -> None:
    """Stopped after the first volume, it copies that one no more; the lease and target are free."""
    with reopened(store) as engine:
        put(engine, "more", noise(500 * KIB, 9))
    asked: list[int] = []

    def stop(done: int, _total: int) -> None:
        asked.append(done)

    with reopened(store) as engine:
        with pytest.raises(Stopped):
            back_up(engine, store, should_stop=lambda: bool(asked), progress=stop)
        unfinished = store.parent / "target" / "unfinished"
        assert (unfinished / COPIED).read_bytes().count(b"\n") == 1
        kept = (unfinished / "volumes" / "00000001.volume").stat().st_ino
        with (unfinished / COPIED).open("ab") as file:
            file.write(b'{"name": "volumes/000')  # cut off in the middle of a line
        (unfinished / "volumes" / "00000002.volume").write_bytes(b"half")
        report = back_up(engine, store)
    assert (report.path / "volumes" / "00000001.volume").stat().st_ino == kept
    assert check(store.parent / "target", 0, ignore, never).problems == []


def test_a_backup_with_something_missing_says_so_and_removes_none(store: Path) -> None:
    """The last one that has everything stays, however many are wanted."""
    with reopened(store) as engine:
        back_up(engine, store)
        (store / "volumes" / "00000001.volume").unlink()
        report = back_up(engine, store, kept=1)
    assert report.problems == ["volume 1 is missing"]
    assert report.removed == 0
    found = check(store.parent / "target", 0, ignore, never)
    assert len(found.backups) == 2
    assert len(found.problems) == 1
