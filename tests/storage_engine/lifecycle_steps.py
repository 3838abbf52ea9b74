"""Short words for what tests of lifecycle do: a clock of their own, rules, passing days, a run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from storage_engine import (
    DAY_MS,
    EngineOptions,
    LifecycleBucket,
    LifecycleDeed,
    LifecycleOptions,
    LifecycleReport,
    LifecycleRule,
    LockMode,
    ObjectAttributes,
    ObjectInfo,
    ObjectLock,
    StorageEngine,
    Versioning,
    open_engine,
)
from tests.storage_engine.engine_steps import BUCKET, KIB, SEGMENT_BYTES, noise

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine.disk import Disk

START_MS = 20_000 * DAY_MS + 10 * 3_600_000
"""Ten in the morning of some day."""

ENABLED, SUSPENDED, UNVERSIONED = Versioning.ENABLED, Versioning.SUSPENDED, Versioning.UNVERSIONED


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        """Tell the time."""
        return self.now_ms

    def pass_days(self, days: float) -> None:
        """Let time go by."""
        self.now_ms += int(days * DAY_MS)


def rule(name: str = "rule", **fields: object) -> LifecycleRule:
    """Make a rule."""
    return LifecycleRule(id=name, **fields)  # type: ignore[arg-type]  # checked where it is made


class Governed:
    """A store with one bucket, a clock and a way of versioning, which tests change at will."""

    def __init__(self, path: Path, *, disk: Disk | None = None, day_ms: int = DAY_MS) -> None:
        self.clock = Clock()
        self.versioning = ENABLED
        self.engine = open_store(path, self.clock, disk=disk, day_ms=day_ms)

    def set_rules(self, *rules: LifecycleRule) -> None:
        """Put rules into force."""
        self.engine.set_lifecycle(BUCKET, rules).result()

    def put(
        self, key: str, size: int = 10, tags: dict[str, str] | None = None, **lock: object
    ) -> ObjectInfo:
        """Put an object of some size."""
        data = noise(size, 1)
        return self.engine.put_object(
            BUCKET,
            key,
            self.engine.stage_bytes(data),
            ObjectAttributes(etag="e", headers={}, tags=tags or {}),
            versioning=self.versioning,
            lock=ObjectLock(**lock),  # type: ignore[arg-type]  # as they are given
        ).result()

    def tag(self, key: str, version_id: str | None = None, **tags: str) -> None:
        """Give a version other tags."""
        self.engine.set_attributes(
            BUCKET, key, version_id, lambda _: ObjectAttributes(etag="e", headers={}, tags=tags)
        ).result()

    def hold(self, key: str, version_id: str | None, *, is_on: bool) -> None:
        """Lay a legal hold on a version, or take it off."""
        self.engine.set_lock(
            BUCKET, key, version_id, lambda info: info.lock._replace(has_hold=is_on)
        ).result()

    def delete(self, key: str) -> ObjectInfo | None:
        """Delete a key without naming a version."""
        return self.engine.delete_object(BUCKET, key, versioning=self.versioning).result()

    def remove(self, key: str, version_id: str) -> None:
        """Remove one version for good."""
        self.engine.delete_version(BUCKET, key, version_id).result()

    def keys(self) -> list[str]:
        """List the objects."""
        return [info.key for info in self.engine.list_objects(BUCKET).objects]

    def versions(self, key: str = "") -> list[str]:
        """List versions as `key@id`, markers with a cross behind."""
        page = self.engine.list_versions(BUCKET, prefix=key, limit=100_000)
        return [f"{v.key}@{v.version_id}{'+' if v.is_marker else ''}" for v in page.versions]

    def shapes(self, key: str) -> str:
        """Tell the versions of a key, newest first: `o` an object, `m` a marker."""
        page = self.engine.list_versions(BUCKET, prefix=key, limit=100_000)
        return "".join("m" if version.is_marker else "o" for version in page.versions)

    def bucket(self, _bucket_id: int = BUCKET) -> LifecycleBucket:
        """Tell what only the S3 side knows."""
        return LifecycleBucket(self.versioning)

    def run(self) -> LifecycleReport:
        """Do what is due."""
        report = self.engine.run_lifecycle(LifecycleOptions(self.bucket))
        assert report.is_complete
        return report

    def run_counted(self) -> dict[str, int]:
        """Do what is due; return how much of what was done."""
        return {action.value: count for action, count in self.run().deeds.items()}

    def preview(self, at_ms: int | None = None, limit: int = 3) -> list[LifecycleDeed]:
        """Return what would be done, by going through everything."""
        deeds: list[LifecycleDeed] = []
        after, is_truncated = "", True
        while is_truncated:
            page = self.engine.preview_lifecycle(
                BUCKET, versioning=self.versioning, at_ms=at_ms, after_key=after, limit=limit
            )
            deeds += page.deeds
            after, is_truncated = page.next_key, page.is_truncated
        return deeds

    def previewed(self) -> dict[str, int]:
        """Count what would be done."""
        return dict(Counter(deed.action.value for deed in self.preview() if not deed.is_kept))


def open_store(
    path: Path, clock: Clock, *, disk: Disk | None = None, day_ms: int = DAY_MS
) -> StorageEngine:
    """Open a store that goes by a clock."""
    options = EngineOptions(
        inline_bytes_max=64,
        volume_bytes_max=256 * KIB,
        disk_reserve_bytes=0,
        segment_bytes=SEGMENT_BYTES,
        clock=clock,
        lifecycle_day_ms=day_ms,
    )
    return open_engine(path, options, disk=disk)


def retained(until_ms: int, mode: LockMode = LockMode.COMPLIANCE) -> dict[str, object]:
    """Make the fields of a retention."""
    return {"mode": mode, "retain_until_ms": until_ms}
