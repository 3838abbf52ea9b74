"""A run of lifecycle that is killed, or loses its power, at any moment.

Whatever is not due is there; nothing is half gone; the next run goes on, and comes to the same, to
the last of what was counted.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from random import Random
from subprocess import run
from typing import TYPE_CHECKING

import msgspec
import pytest

from storage_engine import (
    EngineError,
    LifecycleBucket,
    LifecycleOptions,
    lifecycle_deeds,
    lifecycle_run,
)
from tests.storage_engine.counting_disk import KILLED, CountingDisk
from tests.storage_engine.engine_steps import BUCKET, attributes, noise, problems, put_part
from tests.storage_engine.lifecycle_steps import (
    ENABLED,
    START_MS,
    Clock,
    Governed,
    open_store,
    retained,
    rule,
)
from tests.storage_engine.lossy_disk import LossyDisk, Worst

if TYPE_CHECKING:
    from storage_engine import StorageEngine
    from tests.storage_engine.conftest import Tally

ROOT = Path(__file__).resolve().parents[2]
LONG = bool(os.environ.get("S4_TEST_LONG"))
STEP = 1 if LONG else 9
KILLS = range(1, 60, 2) if LONG else (5, 14, 23)
THEN = Clock(START_MS + 40 * 86_400_000)
"""When the run is: what was put at the start is due then."""

State = tuple[list[tuple[str, bool, str]], list[str], dict[str, list[int]]]

# Runs lifecycle, and dies before a numbered change of the disk.
RUNNER = """
import sys
from pathlib import Path
from tests.storage_engine.test_lifecycle_crash import run_until_it_dies
run_until_it_dies(Path(sys.argv[1]), int(sys.argv[2]))
"""


def prepare(path: Path) -> None:
    """Make a store with a little of everything that is due, and of everything that is not."""
    store = Governed(path)
    with store.engine as engine:
        store.set_rules(
            rule("old", expire_days=30, noncurrent_days=3),
            rule("markers", expires_markers=True),
            rule("uploads", abort_days=3),
        )
        for number in range(4):
            store.put(f"due/{number}", 100 + number)
            store.put(f"many/{number}", 3000 + number)
            store.put(f"many/{number}", 200)
            store.delete(f"marker/{number}")
            upload = engine.create_upload(BUCKET, f"upload/{number}", attributes()).result()
            put_part(engine, f"upload/{number}", upload.upload_id, 1, noise(700, number))
        store.put("locked", **retained(START_MS + 900 * 86_400_000))
        store.put("locked")
        store.clock.pass_days(38)
        for number in range(4):
            store.put(f"new/{number}", 2000 + number)
            store.put(f"many/{number}", 100)
        engine.create_upload(BUCKET, "new", attributes()).result()


def work(engine: StorageEngine) -> None:
    """Run lifecycle in commits as small as they can be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lifecycle_run, "LIFECYCLE_LOOKS", 2)
        patch.setattr(lifecycle_deeds, "LIFECYCLE_VERSIONS_MAX", 2)
        patch.setattr(lifecycle_deeds, "HOUSEKEEPING_BATCH", 3)
        engine.run_lifecycle(LifecycleOptions(lambda _: LifecycleBucket(ENABLED)))


def state(engine: StorageEngine) -> State:
    """Return what is there, and what was counted."""
    versions = engine.list_versions(BUCKET).versions
    counts = engine.lifecycle(BUCKET).counts
    return (
        [(v.key, v.is_marker, "" if v.is_marker else v.version_id) for v in versions],
        [upload.upload_id for upload in engine.list_uploads(BUCKET).uploads],
        {name: list(msgspec.structs.astuple(counts[name])) for name in sorted(counts)},
    )


def run_until_it_dies(path: Path, dies_at: int) -> None:
    """Do what the killed process does."""
    with open_store(path, THEN, disk=CountingDisk(dies_at)) as engine:
        work(engine)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a store in which much is due; to be copied."""
    path = tmp_path_factory.mktemp("lifecycle") / "store"
    prepare(path)
    return path


@pytest.fixture(scope="module")
def whole(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> State:
    """Tell what a run comes to that nothing interrupts."""
    path = tmp_path_factory.mktemp("whole") / "store"
    shutil.copytree(prepared, path)
    with open_store(path, THEN) as engine:
        work(engine)
        assert problems(engine) == []
        found = state(engine)
    assert len(found[0]) < 30
    return found


def check(path: Path, whole: State) -> None:
    """What is left by an interrupted run is sound, and the next one brings it to the end."""
    with open_store(path, THEN) as engine:
        assert problems(engine) == []
        there = state(engine)
        assert {row for row in whole[0] if not row[1]} <= set(there[0])
        assert set(whole[1]) <= set(there[1])
        for key, is_marker, version_id in whole[0]:
            if not is_marker:
                with engine.open_object(BUCKET, key, version_id) as reader:
                    assert reader.read(0, reader.info.size) == noise(reader.info.size, 1)
        work(engine)
        assert problems(engine) == []
        assert state(engine) == whole


@pytest.mark.timeout(900)
@pytest.mark.parametrize("is_cut", [True, False], ids=["power cut", "kill"])
def test_a_run_may_be_stopped_at_every_call_of_the_disk(
    tmp_path: Path, prepared: Path, whole: State, is_cut: bool, tally: Tally
) -> None:
    """Whichever call is the last, with its unsynced bytes lost or not."""
    calls, is_done = 0, False
    while not is_done:
        calls += STEP
        path = tmp_path / f"{calls}"
        shutil.copytree(prepared, path)
        disk = LossyDisk(path, calls)
        try:
            with open_store(path, THEN, disk=disk) as engine:
                work(engine)
        except (EngineError, OSError):
            assert disk.is_frozen
        is_done = not disk.is_frozen
        disk.freeze()
        if is_cut:
            luck = Worst() if calls % 2 else Random(calls)  # noqa: S311  # a chance
            disk.lose(tmp_path / f"{calls}-after", luck)
            path = tmp_path / f"{calls}-after"
        disk.release()
        check(path, whole)
        shutil.rmtree(path)
    assert calls > 20
    tally(points=calls // STEP)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("dies_at", KILLS)
def test_a_run_may_be_killed(tmp_path: Path, prepared: Path, whole: State, dies_at: int) -> None:
    """A process that ends in the middle of a run, with nobody to close anything."""
    path = tmp_path / "store"
    shutil.copytree(prepared, path)
    done = run(
        [sys.executable, "-c", RUNNER, str(path), str(dies_at)],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode in {0, KILLED}, done.stderr.decode()
    check(path, whole)
