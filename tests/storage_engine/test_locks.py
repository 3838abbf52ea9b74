"""Locked versions stay, whatever would remove or rename them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from storage_engine import (
    DAY_MS,
    EngineOptions,
    LockMode,
    ObjectLock,
    ObjectLocked,
    ObjectRef,
    RetentionPeriod,
    Versioning,
    rebuild_index,
    renames,
)
from storage_engine.locks import check_change
from storage_engine.objects import DeleteVersion
from storage_engine.versions import History
from tests.storage_engine.engine_steps import (
    BUCKET,
    SEGMENT_BYTES,
    attributes,
    get,
    problems,
    put,
    put_part,
    small_store,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from storage_engine import ObjectInfo, StorageEngine
    from storage_engine.futures import Future
    from storage_engine.transaction import Transaction

FAR_MS = 10**14
NONE = ObjectLock()
GOVERNED = ObjectLock(LockMode.GOVERNANCE, FAR_MS)
COMPLIANT = ObjectLock(LockMode.COMPLIANCE, FAR_MS)
HELD = ObjectLock(has_hold=True)
EXPIRED = ObjectLock(LockMode.COMPLIANCE, 1)


def put_locked(engine: StorageEngine, key: str, lock: ObjectLock) -> None:
    """Put an object that is locked from its birth."""
    engine.put_object(BUCKET, key, engine.stage_bytes(b"locked"), attributes(), lock=lock).result()


def complete(engine: StorageEngine, key: str) -> Future[object]:
    """Complete an upload of one part over a key."""
    upload_id = engine.create_upload(BUCKET, key, attributes()).result().upload_id
    part = put_part(engine, key, upload_id, 1, b"part")
    return engine.complete_upload(BUCKET, key, upload_id, [part], attributes())


DESTROYERS: dict[str, Callable[[StorageEngine], Future[object]]] = {
    "put": lambda engine: engine.put_object(BUCKET, "k", engine.stage_bytes(b"x"), attributes()),
    "copy": lambda engine: engine.copy_object(
        ObjectRef(BUCKET, "other"),
        ObjectRef(BUCKET, "k"),
        lambda info: info.attributes,
        versioning=Versioning.SUSPENDED,
    ),
    "complete": lambda engine: complete(engine, "k"),
    "delete": lambda engine: engine.delete_object(BUCKET, "k"),
    "suspended delete": lambda engine: engine.delete_object(
        BUCKET, "k", versioning=Versioning.SUSPENDED
    ),
    "delete version": lambda engine: engine.delete_version(BUCKET, "k", "null"),
    "rename": lambda engine: engine.rename_object(BUCKET, "k", "n"),
    "rename over": lambda engine: engine.rename_object(BUCKET, "other", "k", replace=True),
    "rename prefix": lambda engine: engine.rename_prefix(BUCKET, "p/", "q/"),
    "rename prefix over": lambda engine: engine.rename_prefix(BUCKET, "o/", "p/", replace=True),
}


@pytest.mark.parametrize("lock", [GOVERNED, COMPLIANT, HELD])
@pytest.mark.parametrize("name", DESTROYERS)
def test_nothing_removes_or_renames_a_locked_version(
    engine: StorageEngine, name: str, lock: ObjectLock
) -> None:
    """Every way to destroy a version, or its name, is refused while a lock binds."""
    put(engine, "other", b"other")
    put(engine, "o/other", b"other")
    for key in ("k", "p/q/k"):
        put_locked(engine, key, lock)
    with pytest.raises(ObjectLocked):
        DESTROYERS[name](engine).result()
    assert get(engine, "k") == get(engine, "p/q/k") == b"locked"
    assert engine.namespace_counts(BUCKET).locked == 2


@pytest.mark.parametrize("name", DESTROYERS)
def test_an_expired_lock_binds_nobody(engine: StorageEngine, name: str) -> None:
    """Once its time is over, a version is as any other."""
    put(engine, "other", b"other")
    put(engine, "o/other", b"other")
    for key in ("k", "p/q/k"):
        put_locked(engine, key, EXPIRED)
    DESTROYERS[name](engine).result()


def test_a_prefix_moves_beside_what_is_locked(
    engine: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what moves or goes counts, old versions and those behind markers too; with a bound."""
    monkeypatch.setattr(renames, "RENAME_LOOKS_MAX", 3)
    put_locked(engine, "k", COMPLIANT)
    for key in ("p/a", "p/b", "p/c"):
        put(engine, key, b"x")
    engine.rename_prefix(BUCKET, "p/", "q/").result()
    put(engine, "q/d", b"x")
    with pytest.raises(ObjectLocked, match="more versions"):
        engine.rename_prefix(BUCKET, "q/", "p/").result()
    engine.delete_object(BUCKET, "q/d").result()
    put_locked(engine, "q/hidden", HELD)
    engine.delete_object(BUCKET, "q/hidden", versioning=Versioning.ENABLED).result()
    with pytest.raises(ObjectLocked):
        engine.rename_prefix(BUCKET, "q/", "p/").result()
    put_locked(engine, "m/k", HELD)
    engine.delete_object(BUCKET, "m/k", versioning=Versioning.ENABLED).result()
    with pytest.raises(ObjectLocked):
        engine.rename_prefix(BUCKET, "m/", "n/").result()
    engine.set_lock(BUCKET, "m/k", "null", lambda _: NONE).result()
    engine.rename_prefix(BUCKET, "m/", "n/").result()


def test_nothing_is_looked_at_once_the_last_lock_is_gone(
    engine: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Totals tell when nothing is locked any more, however long it was to be."""
    monkeypatch.setattr(renames, "RENAME_LOOKS_MAX", 1)
    for key in ("p/a", "p/b"):
        put(engine, key, b"x")
    put_locked(engine, "k", GOVERNED)
    with pytest.raises(ObjectLocked, match="more versions"):
        engine.rename_prefix(BUCKET, "p/", "q/").result()
    engine.delete_version(BUCKET, "k", "null", bypass_governance=True).result()
    engine.rename_prefix(BUCKET, "p/", "q/").result()


def test_who_forgets_to_ask_removes_nothing_either(engine: StorageEngine) -> None:
    """A change that went past every check is undone where the version would have gone."""
    put_locked(engine, "k", COMPLIANT)

    class Careless(DeleteVersion):
        def check(self, transaction: Transaction) -> None:
            self.history = History(transaction, self.target)
            self.found = self.history.current

    careless = Careless(ObjectRef(BUCKET, "k"), "null", None)
    with pytest.raises(ObjectLocked):
        engine._submit(careless).result()
    assert get(engine, "k") == b"locked"


def test_a_marker_may_hide_what_is_locked(engine: StorageEngine) -> None:
    """Where versions are kept, deleting a key hides a locked version and destroys nothing."""
    put_locked(engine, "k", COMPLIANT)
    marker = engine.delete_object(BUCKET, "k", versioning=Versioning.ENABLED).result()
    assert marker is not None
    with pytest.raises(ObjectLocked):
        engine.delete_object(BUCKET, "k", versioning=Versioning.SUSPENDED).result()
    with pytest.raises(ObjectLocked):
        engine.delete_version(BUCKET, "k", "null", bypass_governance=True).result()
    engine.delete_version(BUCKET, "k", marker.version_id).result()
    assert engine.head_object(BUCKET, "k").lock == COMPLIANT


def test_governance_can_be_bypassed(engine: StorageEngine) -> None:
    """Who may bypass governance removes the version; a hold beside it still binds."""
    put_locked(engine, "k", GOVERNED._replace(has_hold=True))
    with pytest.raises(ObjectLocked):
        engine.delete_version(BUCKET, "k", "null", bypass_governance=True).result()
    engine.set_lock(BUCKET, "k", None, lambda info: info.lock._replace(has_hold=False)).result()
    with pytest.raises(ObjectLocked):
        engine.delete_version(BUCKET, "k", "null").result()
    engine.delete_version(BUCKET, "k", "null", bypass_governance=True).result()
    assert engine.namespace_counts(BUCKET).locked == 0


@pytest.mark.parametrize(
    ("old", "new", "bypass", "is_allowed"),
    [
        (NONE, COMPLIANT, False, True),
        (GOVERNED, NONE, False, False),
        (GOVERNED, NONE, True, True),
        (GOVERNED, GOVERNED._replace(retain_until_ms=FAR_MS - 1), False, False),
        (GOVERNED, GOVERNED._replace(retain_until_ms=FAR_MS + 1), False, True),
        (GOVERNED, COMPLIANT, False, False),
        (GOVERNED, COMPLIANT, True, True),
        (COMPLIANT, NONE, True, False),
        (COMPLIANT, GOVERNED, True, False),
        (COMPLIANT, COMPLIANT._replace(retain_until_ms=FAR_MS - 1), True, False),
        (COMPLIANT, COMPLIANT._replace(retain_until_ms=FAR_MS + 1), False, True),
        (COMPLIANT, COMPLIANT._replace(has_hold=True), False, True),
        (EXPIRED, NONE, False, True),
        (HELD, NONE, False, True),
    ],
)
def test_a_retention_may_become_more_and_not_less(
    old: ObjectLock, new: ObjectLock, bypass: bool, is_allowed: bool
) -> None:
    """Nobody shortens or changes compliance; governance, even to it, only who may bypass it."""
    if is_allowed:
        check_change(old, new, 1000, bypass_governance=bypass)
        return
    with pytest.raises(ObjectLocked):
        check_change(old, new, 1000, bypass_governance=bypass)


def test_a_hold_that_is_off_is_not_none(engine: StorageEngine) -> None:
    """A hold that was taken off, or said to be off, binds nobody, and is told from none."""
    off = ObjectLock(had_hold=True)
    put_locked(engine, "k", off)
    assert engine.head_object(BUCKET, "k").lock == off
    engine.set_lock(BUCKET, "k", None, lambda _: off._replace(has_hold=True)).result()
    engine.set_lock(BUCKET, "k", None, lambda _: off).result()
    assert engine.namespace_counts(BUCKET).locked == 0
    engine.delete_version(BUCKET, "k", "null").result()


def test_an_upload_remembers_its_lock(engine: StorageEngine) -> None:
    """What an object is to be locked with is kept with its upload until it is made."""
    lock = ObjectLock(LockMode.COMPLIANCE, FAR_MS, has_hold=True, had_hold=True)
    upload_id = engine.create_upload(BUCKET, "k", attributes(), lock).result().upload_id
    assert engine.get_upload(BUCKET, "k", upload_id).lock == lock


# --- default retention --------------------------------------------------------------------------

WEEK = RetentionPeriod(LockMode.COMPLIANCE, 7 * DAY_MS)


def put_by_default(engine: StorageEngine, lock: ObjectLock = NONE) -> ObjectInfo:
    """Put a version where versions are kept and retained by default."""
    blob = engine.stage_bytes(b"x")
    return engine.put_object(
        BUCKET,
        "k",
        blob,
        attributes(),
        versioning=Versioning.ENABLED,
        lock=lock,
        default_retention=WEEK,
    ).result()


def copy_by_default(engine: StorageEngine, lock: ObjectLock = NONE) -> ObjectInfo:
    """Copy a version to where they are retained by default."""
    put(engine, "other", b"x")
    return engine.copy_object(
        ObjectRef(BUCKET, "other"),
        ObjectRef(BUCKET, "k"),
        lambda info: info.attributes,
        versioning=Versioning.ENABLED,
        lock=lock,
        default_retention=WEEK,
    ).result()


def complete_by_default(engine: StorageEngine, lock: ObjectLock = NONE) -> ObjectInfo:
    """Complete an upload where versions are retained by default."""
    upload_id = engine.create_upload(BUCKET, "k", attributes()).result().upload_id
    return engine.complete_upload(
        BUCKET,
        "k",
        upload_id,
        [put_part(engine, "k", upload_id, 1, b"part")],
        attributes(),
        versioning=Versioning.ENABLED,
        lock=lock,
        default_retention=WEEK,
    ).result()


ADDERS = {"put": put_by_default, "copy": copy_by_default, "complete": complete_by_default}


@pytest.mark.parametrize("name", ADDERS)
def test_a_default_is_for_what_says_nothing_of_retention(engine: StorageEngine, name: str) -> None:
    """A version gets the default from its commit on, a hold beside it; what is asked for stands."""
    add = ADDERS[name]
    info = add(engine)
    assert info.lock == ObjectLock(WEEK.mode, info.modified_ms + WEEK.period_ms)
    held = add(engine, HELD)
    assert held.lock == ObjectLock(WEEK.mode, held.modified_ms + WEEK.period_ms, has_hold=True)
    assert add(engine, GOVERNED).lock == GOVERNED
    assert engine.namespace_counts(BUCKET).locked == 3


@pytest.mark.parametrize("is_lost", [False, True])
@pytest.mark.parametrize("name", ADDERS)
def test_a_clock_set_back_shortens_no_default(tmp_path: Path, name: str, is_lost: bool) -> None:
    """No retention by period ends before an earlier one, also when the index is made anew."""
    add, times, store = ADDERS[name], [100 * DAY_MS, 1, 101 * DAY_MS, 2], tmp_path / "store"
    ends = []
    for time_ms in times:
        with small_store(store, clock=lambda at=time_ms: at) as engine:
            ends.append(add(engine).lock.retain_until_ms)
            assert problems(engine) == []
        if is_lost:
            shutil.rmtree(store / "index")
            assert rebuild_index(store, EngineOptions(segment_bytes=SEGMENT_BYTES)).damage is None
    assert ends == [107 * DAY_MS, 107 * DAY_MS, 108 * DAY_MS, 108 * DAY_MS]
