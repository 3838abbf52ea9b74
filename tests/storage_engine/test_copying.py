"""A copy of a store in use is a store of one moment: all that was answered before, whole."""

from __future__ import annotations

import random
import shutil
import threading
from itertools import count
from typing import TYPE_CHECKING

from storage_engine import CompactionOptions
from storage_engine.limits import PUNCH_GRACE_MS
from storage_engine.options import wall_clock
from storage_engine.pace import Stopped, never
from tests.storage_engine.engine_steps import (
    BUCKET,
    KIB,
    get,
    noise,
    put,
    put_multipart,
    small_store,
)
from tests.storage_engine.test_rebuild import dump, work

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from storage_engine import StorageEngine
    from storage_engine.copying import Copying


def ignore(_done: int, _total: int) -> None:
    """Take note of nothing."""


def finish(copying: Copying, target: Path) -> None:
    """Take the steps behind the index."""
    copying.settle()
    copying.copy_journal(target)
    for volume in copying.volumes():
        shutil.copyfile(volume.path, target / "volumes" / volume.path.name)
    copying.copy_marker(target)


def copy(engine: StorageEngine, target: Path) -> None:
    """Copy a store."""
    target.mkdir()
    with engine.copying() as copying:
        copying.copy_index(target, ignore, never)
        finish(copying, target)


def test_a_copy_has_the_same_rows(tmp_path: Path) -> None:
    """Of a store that nobody changes meanwhile it is the same, row for row."""
    with small_store(tmp_path / "store") as engine:
        for turn in range(3):
            work(engine, turn)
        copy(engine, tmp_path / "copy")
    with small_store(tmp_path / "copy") as engine:
        assert not list(engine.verify())
    left, right = dump(tmp_path / "store"), dump(tmp_path / "copy")
    left.pop("meta"), right.pop("meta")  # where the journal stands
    assert left == right


def test_what_is_answered_while_the_index_is_copied_is_there(tmp_path: Path) -> None:
    """The journal leads on from the index's moment to the later one, over several segments."""
    with small_store(tmp_path / "store") as engine:
        put(engine, "before", noise(5000))
        (tmp_path / "copy").mkdir()
        with engine.copying() as copying:
            copying.copy_index(tmp_path / "copy", ignore, never)
            for n in range(100):
                put(engine, f"{n}", noise(3000, n))
            put_multipart(engine, "parts", [noise(9000, 1), noise(500, 2)])
            engine.delete_object(BUCKET, "before").result()
            engine.checkpoint()
            finish(copying, tmp_path / "copy")
        put(engine, "after", noise(100))
    assert len(list((tmp_path / "copy" / "journal").iterdir())) > 1
    with small_store(tmp_path / "copy") as engine:
        assert {info.key for info in engine.list_objects(BUCKET).objects} == {
            "parts",
            *(str(n) for n in range(100)),
        }
        assert get(engine, "99") == noise(3000, 99)
        assert get(engine, "parts") == noise(9000, 1) + noise(500, 2)
        put(engine, "more", noise(5000, 7))
        assert not list(engine.verify())
    with small_store(tmp_path / "copy") as engine:
        assert get(engine, "more") == noise(5000, 7)


class Load:
    """Writers who delete most of it again, and somebody who tidies as fast as he can."""

    def __init__(self, engine: StorageEngine) -> None:
        self.answered: dict[str, bytes] = {}
        self.stop = threading.Event()
        self._engine = engine
        self._threads = [threading.Thread(target=self._write, args=(name,)) for name in "ab"]
        self._threads.append(threading.Thread(target=self._tidy))

    def __enter__(self) -> Load:  # noqa: PYI034  # nobody inherits from it
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, name: str) -> None:
        chance = random.Random(name)  # noqa: S311  # reproducible, not secret
        for n in count():
            if self.stop.is_set():
                return
            key, data = f"{name}/{n}", noise(chance.choice((10, 3000, 40 * KIB)), n)
            put(self._engine, key, data)
            self.answered[key] = data
            if n > 20 and n % 3:
                del self.answered[f"{name}/{n - 20}"]
                self._engine.delete_object(BUCKET, f"{name}/{n - 20}").result()

    def _tidy(self) -> None:
        later = wall_clock() + 2 * PUNCH_GRACE_MS
        while not self.stop.wait(0.01):
            self._engine.reclaim(later)
            self._engine._care._compaction.run(CompactionOptions(threshold=0.2))


def test_copies_of_a_store_under_load_are_stores(tmp_path: Path) -> None:
    """Writers, deletes, compaction and tidying beside it: each copy is sound and lacks nothing."""
    promised = []
    with small_store(tmp_path / "store") as engine, Load(engine) as load:
        for turn in range(3):
            load.stop.wait(0.2)
            before = dict(load.answered)
            copy(engine, tmp_path / f"copy{turn}")
            after = dict(load.answered)
            promised.append({key: data for key, data in before.items() if key in after})
    for turn, wanted in enumerate(promised):
        with small_store(tmp_path / f"copy{turn}") as engine:
            assert not list(engine.verify())
            assert wanted
            for key, data in wanted.items():
                assert get(engine, key) == data


def test_a_volume_that_is_appended_to_is_told_from_a_sealed_one(tmp_path: Path) -> None:
    """Only what nobody appends to stays as it is; a volume without anything in use is left out."""
    with small_store(tmp_path / "store") as engine:
        put(engine, "gone", noise(5000, 1))
    with small_store(tmp_path / "store") as engine:
        put(engine, "a", noise(5000, 2))
    with small_store(tmp_path / "store") as engine:
        put(engine, "b", noise(5000, 3))
        engine.delete_object(BUCKET, "gone").result()
        with engine.copying() as copying:
            copying.settle()
            found = {volume.path.name: volume.is_sealed for volume in copying.volumes()}
        assert found == {"00000002.volume": True, "00000003.volume": False}


def test_a_missing_volume_is_named(tmp_path: Path) -> None:
    """What something lies in and is not there is told, and the others are copied."""
    with small_store(tmp_path / "store") as engine:
        put(engine, "a", noise(5000, 2))
    with small_store(tmp_path / "store") as engine:
        put(engine, "b", noise(5000, 3))
        (tmp_path / "store" / "volumes" / "00000001.volume").unlink()
        with engine.copying() as copying:
            copying.settle()
            assert [volume.path.name for volume in copying.volumes()] == ["00000002.volume"]
            assert copying.missing == [1]


def test_a_copy_of_the_index_ends_early_when_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LMDB's copy is cut off, and the store is none the worse."""
    monkeypatch.setattr("storage_engine.snapshots.PROGRESS_SECONDS", 0.001)
    with small_store(tmp_path / "store", inline_bytes_max=128 * KIB) as engine:
        for n in range(300):
            put(engine, f"{n}", noise(100 * KIB, n))
        for number in range(20):  # one that is done before anybody looks on is no copy cut off
            place = tmp_path / f"copy-{number}"
            place.mkdir()
            try:
                with engine.copying() as copying:
                    copying.copy_index(place, ignore, lambda: True)
            except Stopped:
                break
        else:
            raise AssertionError("no copy was cut off")
        assert not list(engine.verify())
