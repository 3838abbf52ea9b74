"""What a store of versions should hold, in lists and dictionaries, the slow and obvious way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from storage_engine import (
    KeyDeleted,
    KeyTooLong,
    LockMode,
    NoSuchKey,
    NoSuchPrefix,
    ObjectLock,
    ObjectLocked,
    PrefixOverlap,
    Quota,
    QuotaExceeded,
    TargetExists,
    Usage,
    Versioning,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage_engine import EngineError, ObjectInfo, PartInfo

    Refusal = type[EngineError] | None

LONG_AGO_MS = 1
FAR_AWAY_MS = 10**14


def binds(lock: ObjectLock, *, bypass: bool = False) -> bool:
    """Tell whether a version under this lock must stay; times are long ago or far away."""
    is_retained = lock.retain_until_ms == FAR_AWAY_MS and lock.mode is not LockMode.NONE
    return lock.has_hold or (is_retained and not (bypass and lock.mode is LockMode.GOVERNANCE))


def is_laid(lock: ObjectLock) -> bool:
    """Tell whether anything is laid on a version, expired or not; a hold that is off is not."""
    return lock.has_hold or lock.mode is not LockMode.NONE


@dataclass(frozen=True)
class Version:
    """A version as the engine told of it when it was made, and its bytes; None for a marker."""

    info: ObjectInfo
    data: bytes | None

    @property
    def is_null(self) -> bool:
        """Tell whether it is the null version."""
        return self.info.version_id == "null"


@dataclass
class ModelUpload:
    """What an open upload should hold."""

    bucket_id: int
    key: str
    parts: dict[int, tuple[bytes, PartInfo]] = field(default_factory=dict)


@dataclass
class Key:
    """A key's versions, newest first; `is_kept` once any version of it was kept."""

    versions: list[Version] = field(default_factory=list)
    is_kept: bool = False

    def null(self) -> Version | None:
        """Return the null version."""
        return next((version for version in self.versions if version.is_null), None)

    def is_erased_by(self, versioning: Versioning) -> bool:
        """Tell whether a delete leaves nothing at all."""
        if versioning is not Versioning.UNVERSIONED or self.is_kept:
            return False
        return not self.versions or self.versions[0].data is not None


@dataclass
class Account:
    """What several namespaces hold and may hold together."""

    buckets: list[Bucket] = field(default_factory=list)
    quota: Quota = field(default_factory=Quota)

    def usage(self) -> Usage:
        """Add up what the namespaces hold."""
        return Usage(
            sum(len(bucket.objects()) for bucket in self.buckets),
            sum(len(bucket.versions()) for bucket in self.buckets),
            sum(bucket.object_bytes() + bucket.upload_bytes for bucket in self.buckets),
            self.quota,
        )


@dataclass
class Bucket:
    """One namespace: its keys, its quota, and what its open uploads hold."""

    keys: dict[str, Key] = field(default_factory=dict)
    quota: Quota = field(default_factory=Quota)
    upload_bytes: int = 0
    account: Account | None = field(default=None, repr=False)

    def key(self, name: str) -> Key:
        """Return a key, which may have no version."""
        return self.keys.get(name, Key())

    def versions(self) -> list[Version]:
        """Return all versions of all keys."""
        return [version for key in self.keys.values() for version in key.versions]

    def object_bytes(self) -> int:
        """Add up the sizes of all versions."""
        return sum(version.info.size for version in self.versions())

    def objects(self) -> dict[str, Version]:
        """Return what a plain listing shows."""
        return {
            name: key.versions[0]
            for name, key in self.keys.items()
            if key.versions[0].data is not None
        }

    # --- changes -------------------------------------------------------------------------------

    def add(self, name: str, version: Version, versioning: Versioning) -> None:
        """Make a version the current one."""
        key = self.keys.setdefault(name, Key())
        if versioning is Versioning.ENABLED:
            key.is_kept = True
            assert not version.is_null
            assert version.info.version_id not in {v.info.version_id for v in self.versions()}
        else:
            key.versions = [kept for kept in key.versions if not kept.is_null]
            assert version.is_null
        key.versions.insert(0, version)

    def remove(self, name: str, version: Version) -> None:
        """Remove one version for good."""
        self.keys[name].versions.remove(version)
        if not self.keys[name].versions:
            del self.keys[name]

    def swap(self, name: str, old: Version, new: Version) -> None:
        """Put a version in the place of another."""
        versions = self.keys[name].versions
        versions[versions.index(old)] = new

    def rename(self, source: str, target: str) -> None:
        """Give a key another name, over whatever was there."""
        self.keys[target] = self.keys.pop(source)

    # --- refusals ------------------------------------------------------------------------------

    def add_refusal(self, name: str, versioning: Versioning, size: int, freed: int = 0) -> Refusal:
        """Tell how adding a version would be refused."""
        gone = None if versioning is Versioning.ENABLED else self.key(name).null()
        if gone is not None and binds(gone.info.lock):
            return ObjectLocked
        growth = size - freed - (gone.info.size if gone is not None else 0)
        return self.growth_refusal(growth, 0 if gone is not None else 1)

    def growth_refusal(self, size: int, versions: int) -> Refusal:
        """Tell whether the quota of the bucket or of its account refuses growth."""
        own = Account([self], self.quota)
        for holder in (own, self.account or own):
            usage, quota = holder.usage(), holder.quota
            if size > 0 and quota.bytes and usage.bytes + size > quota.bytes:
                return QuotaExceeded
            if versions and quota.versions and usage.versions + versions > quota.versions:
                return QuotaExceeded
        return None

    def delete_refusal(self, name: str, versioning: Versioning) -> Refusal:
        """Tell how a delete would be refused."""
        key = self.key(name)
        gone = None if versioning is Versioning.ENABLED else key.null()
        return ObjectLocked if gone is not None and binds(gone.info.lock) else None

    def lock_refusal(self, old: ObjectLock, new: ObjectLock, *, bypass: bool) -> Refusal:
        """Tell whether a lock may not become another."""
        if not binds(old._replace(has_hold=False), bypass=bypass):
            return None
        is_as_strict = new.mode is old.mode
        return None if is_as_strict and new.retain_until_ms == FAR_AWAY_MS else ObjectLocked

    def rename_refusal(self, source: str, target: str, *, replace: bool) -> Refusal:
        """Tell how renaming a key would be refused."""
        versions = self.key(source).versions
        if not versions:
            return NoSuchKey
        if versions[0].data is None:
            return KeyDeleted
        if len(target.encode()) > 1024:
            return KeyTooLong
        if source == target:
            return TargetExists
        if self.are_bound([source]):
            return ObjectLocked
        if target in self.keys and not replace:
            return TargetExists
        return ObjectLocked if target in self.keys and self.are_bound([target]) else None

    def move_refusal(self, source: str, target: str, *, replace: bool) -> Refusal:
        """Tell how renaming a prefix would be refused."""
        if source.startswith(target) or target.startswith(source):
            return PrefixOverlap
        moved = [name for name in self.keys if name.startswith(source)]
        if not moved:
            return NoSuchPrefix
        if any(len((target + name[len(source) :]).encode()) > 1024 for name in moved):
            return KeyTooLong
        if self.are_bound(moved):
            return ObjectLocked
        replaced = [name for name in self.keys if name.startswith(target)]
        if replaced and not replace:
            return TargetExists
        return ObjectLocked if self.are_bound(replaced) else None

    def are_bound(self, names: list[str]) -> bool:
        """Tell whether any version of any of these keys must stay."""
        return any(binds(v.info.lock) for name in names for v in self.keys[name].versions)

    # --- listings ------------------------------------------------------------------------------

    def listed(
        self, prefix: str, delimiter: str, after: str, after_id: str, *, all_versions: bool
    ) -> Iterator[ObjectInfo | str]:
        """Yield versions (current objects only, or all) and common prefixes, in order."""
        rolled_up = ""
        for name in sorted(self.keys, key=str.encode):
            versions = self.keys[name].versions
            if not all_versions and versions[0].data is None:
                continue
            if not name.startswith(prefix) or name.encode() < after.encode():
                continue
            cut = name.find(delimiter, len(prefix)) if delimiter else -1
            common_prefix = name[: cut + len(delimiter)] if cut >= 0 else ""
            if common_prefix:
                if name != after:  # what follows it may roll up to the same, and is yet to come
                    if common_prefix not in {rolled_up, after}:
                        yield common_prefix
                    rolled_up = common_prefix
                continue
            first = 0
            if name == after:
                ids = [version.info.version_id for version in versions]
                first = ids.index(after_id) + 1 if after_id in ids else len(ids)
            for number, version in enumerate(versions if all_versions else versions[:1]):
                if number >= first:
                    yield shown(name, version, is_latest=number == 0)


def shown(name: str, version: Version, *, is_latest: bool) -> ObjectInfo:
    """Show a version as the engine should."""
    return msgspec.structs.replace(version.info, key=name, is_latest=is_latest)
