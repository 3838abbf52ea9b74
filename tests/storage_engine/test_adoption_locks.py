"""Locks given with a put survive the loss of the index, as far as volumes tell."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage_engine import (
    DAY_MS,
    LockMode,
    ObjectLock,
    ObjectLocked,
    Origin,
    RetentionPeriod,
    Versioning,
    renew_engine,
)
from storage_engine.adoption import AdoptObject, BeginSalvage, EndSalvage
from storage_engine.disk import RealDisk
from storage_engine.pace import ignore
from storage_engine.salvage import Survey
from tests.storage_engine.engine_steps import (
    BUCKET,
    attributes,
    noise,
    problems,
    put_part,
    small_store,
)
from tests.storage_engine.salvage_steps import SMALL, lose_index, salvaged

if TYPE_CHECKING:
    from random import Random

    from storage_engine import ObjectInfo, StorageEngine

ENABLED = Versioning.ENABLED
NONE = ObjectLock()
FAR_MS = 10**14
LOCKED = ObjectLock(LockMode.COMPLIANCE, FAR_MS)
WEEK = RetentionPeriod(LockMode.GOVERNANCE, 7 * DAY_MS)


def put_locked(
    engine: StorageEngine, key: str, data: bytes, lock: ObjectLock, default: RetentionPeriod | None
) -> ObjectInfo:
    """Put a version as the S3 side does: what it is locked with stands beside its bytes."""
    kept = attributes(data)
    origin = Origin(BUCKET, key, kept, lock=lock, default_retention=default)
    return engine.put_object(
        BUCKET,
        key,
        engine.stage_bytes(data, origin=origin),
        kept,
        versioning=ENABLED,
        lock=lock,
        default_retention=default,
    ).result()


def complete_locked(
    engine: StorageEngine, key: str, data: bytes, lock: ObjectLock, default: RetentionPeriod | None
) -> ObjectInfo:
    """Complete an upload of one part as the S3 side does."""
    kept = attributes(data)
    upload_id = engine.create_upload(BUCKET, key, kept).result().upload_id
    parts = [put_part(engine, key, upload_id, 1, data)]
    origin = Origin(BUCKET, key, kept, upload_id, lock=lock, default_retention=default)
    return engine.complete_upload(
        BUCKET,
        key,
        upload_id,
        parts,
        kept,
        versioning=ENABLED,
        lock=lock,
        default_retention=default,
        record=engine.stage_completion(origin, parts),
    ).result()


def contents(engine: StorageEngine, key: str) -> list[bytes]:
    """Read every version of a key, newest first."""
    found = []
    for info in engine.list_versions(BUCKET, prefix=key).versions:
        with engine.open_object(BUCKET, key, info.version_id) as reader:
            found.append(reader.read(0, info.size))
    return found


WRITERS = {"put": put_locked, "complete": complete_locked}


@pytest.mark.parametrize(
    ("lock", "default"),
    [
        (LOCKED, None),
        (ObjectLock(LockMode.GOVERNANCE, FAR_MS, has_hold=True), WEEK),
        (ObjectLock(has_hold=True), WEEK),
        (NONE, WEEK),
        (NONE, None),
    ],
)
@pytest.mark.parametrize("writer", WRITERS)
def test_a_lock_comes_back_with_its_version(
    tmp_path: Path, writer: str, lock: ObjectLock, default: RetentionPeriod | None
) -> None:
    """Retention asked for, retention by default and a hold bind again; a default to the second."""
    with small_store(tmp_path / "s") as engine:
        before = WRITERS[writer](engine, "k", noise(1000), lock, default).lock
    engine, _ = salvaged(tmp_path / "s")
    with engine:
        info = engine.head_object(BUCKET, "k")
        assert info.lock._replace(retain_until_ms=0) == before._replace(retain_until_ms=0)
        assert abs(info.lock.retain_until_ms - before.retain_until_ms) < 10_000
        if before != NONE:
            with pytest.raises(ObjectLocked):
                engine.delete_version(BUCKET, "k", info.version_id).result()
        assert problems(engine) == []


@pytest.mark.parametrize("writer", WRITERS)
def test_a_locked_version_stays_behind_a_newer_one(tmp_path: Path, writer: str) -> None:
    """What was hidden by later puts comes back behind them while its lock binds, and only then."""
    locks = [LOCKED, NONE, ObjectLock(LockMode.COMPLIANCE, 1), LOCKED, NONE]
    with small_store(tmp_path / "s") as engine:
        for number, lock in enumerate(locks):
            WRITERS[writer](engine, "k", noise(1000, number), lock, None)
            time.sleep(0.005)  # records of one millisecond are not told apart
    engine, report = salvaged(tmp_path / "s")
    with engine:
        assert contents(engine, "k") == [noise(1000, number) for number in (4, 3, 0)]
        assert (report.objects, report.older) == (1, 2)
        put_locked(engine, "k", noise(1000, 9), NONE, None)
        assert contents(engine, "k")[0] == noise(1000, 9)
        for info in engine.list_versions(BUCKET).versions:
            if info.lock != NONE:
                with pytest.raises(ObjectLocked):
                    engine.delete_version(BUCKET, "k", info.version_id).result()
        assert problems(engine) == []


@settings(max_examples=15)  # two stores each
@given(locks=st.lists(st.booleans(), min_size=1, max_size=6), random=st.randoms())
def test_the_order_of_records_does_not_matter(locks: list[bool], random: Random) -> None:
    """The newest is current and the locked ones follow by their times, wherever each was moved."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "s"
        with small_store(store) as engine:
            for number, is_locked in enumerate(locks):
                put_locked(engine, "k", noise(1000, number), LOCKED if is_locked else NONE, None)
        lose_index(store)
        with renew_engine(store, SMALL) as engine:
            survey = Survey(RealDisk(), store / "volumes", engine._place.store_id, ignore)
            finds = [find._replace(created_ms=n) for n, find in enumerate(survey.finds(), 1)]
            random.shuffle(finds)
            finds.append(finds[0])  # a compaction that was cut off leaves a record twice
            engine._submit(BeginSalvage(1)).result()
            for found in finds:
                engine._submit(AdoptObject(found)).result()
            engine._submit(EndSalvage()).result()
            wanted = [n for n, is_locked in enumerate(locks) if is_locked or n == len(locks) - 1]
            assert contents(engine, "k") == [noise(1000, n) for n in reversed(wanted)]
            assert problems(engine) == []


def test_versions_of_times_to_come_stay_behind_what_is_put_next(tmp_path: Path) -> None:
    """A clock that ran ahead as they were written takes no numbers that are still to be given."""
    store = tmp_path / "s"
    with small_store(store) as engine:
        for number in range(3):
            put_locked(engine, "k", noise(1000, number), LOCKED, None)
    lose_index(store)
    with renew_engine(store, SMALL) as engine:
        survey = Survey(RealDisk(), store / "volumes", engine._place.store_id, ignore)
        finds = [find._replace(created_ms=FAR_MS + n) for n, find in enumerate(survey.finds())]
        engine._submit(BeginSalvage(1)).result()
        time.sleep(0.01)
        for found in finds:
            engine._submit(AdoptObject(found)).result()
        engine._submit(EndSalvage()).result()
        put_locked(engine, "k", noise(1000, 9), NONE, None)
        assert contents(engine, "k") == [noise(1000, number) for number in (9, 2, 1, 0)]
        assert problems(engine) == []
