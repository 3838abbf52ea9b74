"""Every path that changes a store, against every lock in every place: what must stay, stays.

Each row is one path; it is gone in a bucket of its own for each cell of `lock_stage`. Whether it
takes the version away, leaves it, or may not, follows from the lock alone. The last tests make sure
that no verb and no operation of the engine is without a row.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from storage_engine import (
    CompactionOptions,
    Deletion,
    KeyDeleted,
    LifecycleOptions,
    LifecycleRule,
    LockMode,
    NamespaceNotEmpty,
    ObjectAttributes,
    ObjectLock,
    ObjectLocked,
    ObjectRef,
    Quota,
    RetentionPeriod,
    ScrubOptions,
    StorageEngine,
    adoption,
)
from storage_engine.lifecycle_rules import LifecycleBucket
from storage_engine.operation import Operation
from tests.storage_engine.engine_steps import attributes
from tests.storage_engine.lock_stage import (
    COMPLIANT,
    ENABLED,
    LATE_MS,
    SUSPENDED,
    UNVERSIONED,
    staged,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from storage_engine import ObjectInfo, Versioning
    from storage_engine.futures import Future
    from tests.storage_engine.lock_stage import Cell

    Going = Callable[[Cell], object]

WEEK = RetentionPeriod(LockMode.COMPLIANCE, 7 * 24 * 3600 * 1000)


class Row(NamedTuple):
    """One path, and of which versions it would take the bytes or the name."""

    verb: str
    go: Callable[[Cell], object]
    takes: Callable[[Cell], bool] = lambda _: True
    bypass: bool = False
    error: type[Exception] = ObjectLocked
    is_silent: bool = False  # what is locked is passed over


def never(_: Cell) -> bool:
    """Leave every version."""
    return False


def null(cell: Cell) -> bool:
    """Take the null version, wherever it is."""
    return cell.place.is_null


def put(versioning: Versioning, **options: Any) -> Going:
    """Put another version."""

    def go(cell: Cell) -> Future[ObjectInfo]:
        blob = cell.engine.stage_bytes(b"over")
        return cell.engine.put_object(
            cell.bucket_id, cell.key, blob, attributes(), versioning=versioning, **options
        )

    return go


def copy(versioning: Versioning, **options: Any) -> Going:
    """Copy another object onto it."""

    def go(cell: Cell) -> Future[ObjectInfo]:
        cell.put("else", b"else")
        source, target = ObjectRef(cell.bucket_id, "else"), ObjectRef(cell.bucket_id, cell.key)
        return cell.engine.copy_object(
            source, target, lambda info: info.attributes, versioning=versioning, **options
        )

    return go


def copy_onto_itself(cell: Cell) -> Future[ObjectInfo]:
    """Copy the version onto its own key, as who changes metadata does."""
    name = ObjectRef(cell.bucket_id, cell.key)
    return cell.engine.copy_object(
        name,
        name,
        lambda _: attributes(b"changed"),
        source_version_id=cell.version_id,
        versioning=ENABLED,
    )


def complete(versioning: Versioning, **options: Any) -> Going:
    """Complete an upload over it."""

    def go(cell: Cell) -> Future[ObjectInfo]:
        upload_id, part = begin(cell)
        return cell.engine.complete_upload(
            cell.bucket_id,
            cell.key,
            upload_id,
            [part],
            attributes(),
            versioning=versioning,
            **options,
        )

    return go


def begin(cell: Cell) -> tuple[str, Any]:
    """Begin an upload of the key, with one part."""
    upload = cell.engine.create_upload(cell.bucket_id, cell.key, attributes()).result()
    blob = cell.engine.stage_bytes(b"part")
    part = cell.engine.put_part(
        cell.bucket_id, cell.key, upload.upload_id, 1, blob, "etag", {}
    ).result()
    return upload.upload_id, part


def abort(cell: Cell) -> Future[None]:
    """Begin an upload of the key and abort it."""
    upload_id, _ = begin(cell)
    return cell.engine.abort_upload(cell.bucket_id, cell.key, upload_id)


def delete(versioning: Versioning) -> Going:
    """Delete the key."""
    return lambda cell: cell.engine.delete_object(cell.bucket_id, cell.key, versioning=versioning)


def delete_version(*, bypass: bool) -> Going:
    """Delete the version."""
    return lambda cell: cell.engine.delete_version(
        cell.bucket_id, cell.key, cell.version_id, bypass_governance=bypass
    )


def delete_many(versioning: Versioning, *, is_named: bool, bypass: bool = False) -> Going:
    """Delete the key, or the version, among others that are not there."""

    def go(cell: Cell) -> None:
        version_id = cell.version_id if is_named else None
        entries = [
            Deletion("none"),
            Deletion(cell.key, None, version_id, bypass),
            Deletion("nor this"),
        ]
        outcomes = cell.engine.delete_objects(
            cell.bucket_id, entries, versioning=versioning
        ).result()
        if isinstance(outcomes[1], Exception):
            raise outcomes[1]

    return go


def rename(cell: Cell) -> Future[ObjectInfo | None]:
    """Give the key another name."""
    return cell.engine.rename_object(cell.bucket_id, cell.key, "new")


def rename_over(cell: Cell) -> Future[ObjectInfo | None]:
    """Give another object the key's name."""
    cell.put("else", b"else")
    return cell.engine.rename_object(cell.bucket_id, "else", cell.key, replace=True)


def rename_prefix(cell: Cell) -> Future[None]:
    """Give what is above the key another name."""
    return cell.engine.rename_prefix(cell.bucket_id, "in/", "new/")


def rename_prefix_over(cell: Cell) -> Future[None]:
    """Give others the name of what is above the key."""
    cell.put("else/k", b"else")
    return cell.engine.rename_prefix(cell.bucket_id, "else/", "in/", replace=True)


def live(versioning: Versioning, **rule: Any) -> Going:
    """Have lifecycle act, by a rule under which everything is due."""

    def go(cell: Cell) -> None:
        cell.engine.set_lifecycle(cell.bucket_id, [LifecycleRule(id="r", **rule)]).result()
        bucket = LifecycleBucket(versioning)
        options = LifecycleOptions(
            bucket=lambda bucket_id: bucket if bucket_id == cell.bucket_id else None
        )
        cell.engine.run_lifecycle(options)
        cell.engine.set_lifecycle(cell.bucket_id, []).result()

    return go


def is_superseded(cell: Cell) -> bool:
    """Take what another has come over."""
    return bool(cell.place.above)


def expires(cell: Cell) -> bool:
    """Take the null version of a key that shows it or another: a marker is no object to expire."""
    return cell.place.is_null and cell.place.above != "marker"


def set_attributes(cell: Cell) -> Future[ObjectInfo]:
    """Change what is known of the version."""
    changed = ObjectAttributes(etag="other", headers={}, tags={"a": "b"})
    return cell.engine.set_attributes(cell.bucket_id, cell.key, cell.version_id, lambda _: changed)


ROWS: Final = {
    "put": Row("put_object", put(ENABLED), never),
    "put by default": Row("put_object", put(ENABLED, default_retention=WEEK), never),
    "put suspended": Row("put_object", put(SUSPENDED), null),
    "put unversioned": Row("put_object", put(UNVERSIONED), null),
    "put locked over it": Row("put_object", put(SUSPENDED, lock=COMPLIANT), null),
    "copy": Row("copy_object", copy(ENABLED), never),
    "copy by default": Row("copy_object", copy(ENABLED, default_retention=WEEK), never),
    "copy suspended": Row("copy_object", copy(SUSPENDED), null),
    "copy onto itself": Row("copy_object", copy_onto_itself, never),
    "complete": Row("complete_upload", complete(ENABLED), never),
    "complete by default": Row("complete_upload", complete(ENABLED, default_retention=WEEK), never),
    "complete suspended": Row("complete_upload", complete(SUSPENDED), null),
    "begin": Row("create_upload", begin, never),
    "part": Row("put_part", begin, never),
    "abort": Row("abort_upload", abort, never),
    "delete": Row("delete_object", delete(ENABLED), never),
    "delete suspended": Row("delete_object", delete(SUSPENDED), null),
    "delete unversioned": Row("delete_object", delete(UNVERSIONED), null),
    "delete version": Row("delete_version", delete_version(bypass=False)),
    "delete version, bypass": Row("delete_version", delete_version(bypass=True), bypass=True),
    "delete many": Row("delete_objects", delete_many(ENABLED, is_named=False), never),
    "delete many suspended": Row("delete_objects", delete_many(SUSPENDED, is_named=False), null),
    "delete many versions": Row("delete_objects", delete_many(ENABLED, is_named=True)),
    "delete many versions, bypass": Row(
        "delete_objects", delete_many(ENABLED, is_named=True, bypass=True), bypass=True
    ),
    "rename": Row("rename_object", rename),
    "rename over": Row("rename_object", rename_over),
    "rename prefix": Row("rename_prefix", rename_prefix),
    "rename prefix over": Row("rename_prefix", rename_prefix_over),
    "expire": Row("run_lifecycle", live(ENABLED, expire_at_ms=1), never),
    "expire suspended": Row(
        "run_lifecycle", live(SUSPENDED, expire_at_ms=1), expires, is_silent=True
    ),
    "expire noncurrent": Row(
        "run_lifecycle", live(ENABLED, noncurrent_days=1), is_superseded, is_silent=True
    ),
    "expire all": Row(
        "run_lifecycle",
        live(ENABLED, noncurrent_days=1, expire_days=1, expires_markers=False),
        is_superseded,
        is_silent=True,
    ),
    "set lifecycle": Row(
        "set_lifecycle",
        lambda cell: cell.engine.set_lifecycle(cell.bucket_id, []),
        never,
    ),
    "change attributes": Row("set_attributes", set_attributes, never),
    "close": Row(
        "close_namespace",
        lambda cell: cell.engine.close_namespace(cell.bucket_id),
        never,
        error=NamespaceNotEmpty,
    ),
    "quota": Row(
        "set_quota", lambda cell: cell.engine.set_quota(cell.bucket_id, Quota(1, 1)), never
    ),
    "account": Row(
        "assign_account", lambda cell: cell.engine.assign_account(cell.bucket_id, 1), never
    ),
    "account's quota": Row(
        "set_account_quota", lambda cell: cell.engine.set_account_quota(1, Quota(1, 1)), never
    ),
}
ONCE: Final[dict[str, Going]] = {  # they go through the whole store, and take nothing of anybody
    "compact": lambda cell: cell.engine.compact(CompactionOptions(threshold=0.01)),
    "scrub": lambda cell: cell.engine.scrub(ScrubOptions(is_restarted=True)),
    "abort_uploads": lambda cell: cell.engine.abort_uploads(LATE_MS * 2, lambda: False),
    "trust_clock": lambda cell: cell.engine.trust_clock(),
    "reclaim": lambda cell: cell.engine.reclaim(LATE_MS * 2),
    "checkpoint": lambda cell: cell.engine.checkpoint(),
    "snapshot": lambda cell: cell.engine.snapshot(),
    "release_volumes": lambda cell: cell.engine.release_volumes(),
    "bump_generation": lambda cell: cell.engine.bump_generation("tests"),
    "confirm_generation": lambda cell: cell.engine.confirm_generation(1),
}


def names_after(row: Row, cell: Cell) -> list[str]:
    """Say under which keys the version is to be found once the path is gone."""
    is_hidden = row.go is rename and cell.place.above == "marker"
    if is_hidden or not row.takes(cell) or cell.is_bound(bypass=row.bypass):
        return [cell.key]
    return {rename: ["new"], rename_prefix: ["new/k"]}.get(row.go, [])


def go(row: Row, cell: Cell) -> Exception | None:
    """Go a path; return how it was refused."""
    try:
        outcome = row.go(cell)
        if hasattr(outcome, "result"):
            outcome.result()
    except (ObjectLocked, NamespaceNotEmpty, KeyDeleted) as error:
        return error
    return None


def wanted_refusal(row: Row, cell: Cell) -> type[Exception] | None:
    """Say how the path is to be refused."""
    if row.error is NamespaceNotEmpty:
        return NamespaceNotEmpty
    if row.go is rename and cell.place.above == "marker":
        return KeyDeleted
    is_bound = row.takes(cell) and cell.is_bound(bypass=row.bypass)
    return ObjectLocked if is_bound and not row.is_silent else None


@pytest.mark.parametrize("name", ROWS)
def test_what_is_locked_stays(tmp_path: Path, name: str) -> None:
    """A path takes a version, byte for byte as it was, away or leaves it as its lock says."""
    row = ROWS[name]
    with staged(tmp_path / "s") as (_, cells):
        for cell in cells:
            told = (name, cell.state, cell.place)
            refused, wanted = go(row, cell), wanted_refusal(row, cell)
            assert type(refused) is (wanted or type(None)), told
            if row.verb == "set_attributes":
                assert cell.info is not None
                info = cell.engine.head_object(cell.bucket_id, cell.key, cell.version_id)
                assert info.lock == cell.info.lock, told
            assert cell.where() == names_after(row, cell), told


def test_what_goes_through_the_store_takes_nothing(tmp_path: Path) -> None:
    """Compaction, scrub, snapshots, and an engine that is opened again leave every version."""
    with staged(tmp_path / "s") as (_, cells):
        for name, act in ONCE.items():
            act(cells[0])
            assert [cell.where() for cell in cells] == [[cell.key] for cell in cells], name


# --- the lock itself ----------------------------------------------------------------------------


def moved(lock: ObjectLock, by_ms: int) -> ObjectLock:
    """Move the end of a retention, where there is one."""
    return lock._replace(retain_until_ms=max(lock.retain_until_ms + bool(lock.mode) * by_ms, 0))


CHANGES: Final = {
    "take off": lambda lock: lock._replace(mode=LockMode.NONE, retain_until_ms=0),
    "shorten": lambda lock: moved(lock, -1),
    "extend": lambda lock: moved(lock, 1),
    "to governance": lambda lock: lock._replace(mode=LockMode.GOVERNANCE, retain_until_ms=LATE_MS),
    "to compliance": lambda lock: lock._replace(mode=LockMode.COMPLIANCE, retain_until_ms=LATE_MS),
    "hold": lambda lock: lock._replace(has_hold=True, had_hold=True),
    "let go": lambda lock: lock._replace(has_hold=False),
}


def may_become(cell: Cell, new: ObjectLock, *, bypass: bool) -> bool:
    """Tell whether what is laid on a version may become this."""
    assert cell.info is not None
    old = cell.info.lock
    if old.retain_until_ms < LATE_MS or (bypass and old.mode is LockMode.GOVERNANCE):
        return True
    return new.mode is old.mode and new.retain_until_ms >= old.retain_until_ms


@pytest.mark.parametrize("bypass", [False, True])
@pytest.mark.parametrize("name", CHANGES)
def test_a_lock_becomes_less_by_nobody_who_may_not(tmp_path: Path, name: str, bypass: bool) -> None:
    """A retention that binds is changed by who may bypass it, but for a later end; holds freely."""
    with staged(tmp_path / "s") as (_, cells):
        for cell in cells:
            assert cell.info is not None
            new = CHANGES[name](cell.info.lock)
            future = cell.engine.set_lock(
                cell.bucket_id,
                cell.key,
                cell.version_id,
                lambda info: CHANGES[name](info.lock),
                bypass_governance=bypass,
            )
            told = (name, cell.state, cell.place)
            if may_become(cell, new, bypass=bypass):
                assert future.result().lock == new, told
            else:
                assert isinstance(future.exception(), ObjectLocked), told
                assert cell.where() == [cell.key], told


# --- nothing is without a row -------------------------------------------------------------------

READS: Final = (
    *("head_object", "open_object", "object_parts", "list_objects", "list_versions"),
    *("listed_objects", "listed_versions"),
    *("get_upload", "list_parts", "list_uploads", "namespace_counts", "quota", "usage", "usages"),
    *("account_usage", "check_room", "check_part_room", "generation", "generations"),
    *("confirmed_generation",),
    *("lifecycle", "preview_lifecycle", "stats", "last_commit", "live_bytes", "volumes"),
    *("durability", "has_room", "checkpoint_lag_seconds", "counts", "copying"),
    *("snapshot_is_due", "newest_snapshot", "verify", "quarantined", "users", "scrub_state"),
    *("held_volumes", "hold", "failure", "is_inline", "retained_from_ms", "open_uploads"),
)
OUTSIDE: Final = (  # of a commit, or of an index that holds no version
    *("stage_bytes", "begin_blob", "stage_completion", "discard", "close", "abandon", "salvage"),
    "lend",
)
WITHOUT_VERSIONS: Final = (  # operations that touch no row of a version
    *(
        "StampStore",
        "NextVolume",
        "TrustClock",
        "BumpGeneration",
        "ConfirmGeneration",
        "ExpireDue",
        "ForgetDead",
        "DropVolume",
    ),
    *("QuarantineBlob", "LiftQuarantine", "HealBlob", "MoveBlobs", "NoteScrub"),
    *("SetQuota", "SetAccountQuota", "AssignAccount", "CreateUpload", "PutPart", "AbortUpload"),
    *("CloseNamespace", "SetLifecycle", "ScanPage", "DropLooks"),
)
WITH_VERSIONS: Final = (  # those that the rows above, or those of an empty index, go through
    *("PutObject", "CopyObject", "CompleteUpload", "DeleteObject", "DeleteVersion"),
    *("ChangeObject", "SetAttributes", "SetLock", "RenameObject", "RenamePrefix", "LookAt"),
)


def test_every_verb_has_a_row() -> None:
    """What the facade offers is a path of the matrix, or named here as one that changes nothing."""
    verbs = {name for name, _ in inspect.getmembers(StorageEngine) if not name.startswith("_")}
    rows = {row.verb for row in ROWS.values()} | ONCE.keys() | {"set_lock"}
    assert verbs == rows | {*READS, *OUTSIDE}


def test_every_operation_is_known() -> None:
    """So is every operation of a commit: a new one is looked at before it is let in."""

    def below(kind: type[Any]) -> set[type[Any]]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    found = {
        kind.__name__
        for kind in below(Operation)
        if kind.__module__.startswith("storage_engine.") and kind.__module__ != adoption.__name__
    }
    assert found == {"Operation", *WITH_VERSIONS, *WITHOUT_VERSIONS}
