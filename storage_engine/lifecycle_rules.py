"""What a lifecycle rule says, as immutable values, and how it is asked for.

Rules alone: no transaction, no wire form. The S3 side reads and writes them as XML, the console as
rows; Amazon S3 User Guide, "Lifecycle configuration elements".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from storage_engine.values import NO_ATTRIBUTES, ObjectAttributes, Versioning

if TYPE_CHECKING:
    from collections.abc import Callable


class LifecycleRule(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One rule: which versions it is about, then what becomes of them. 0 is no such action.

    Kept on disk as an array in this order: new fields go to the end and have a default.
    """

    id: str
    is_enabled: bool = True
    prefix: str = ""
    tags: dict[str, str] = {}  # an object must have all of them
    size_above: int | None = None  # bytes; strictly larger
    size_below: int | None = None  # strictly smaller
    expire_days: int = 0  # after it was written, the current version expires
    expire_at_ms: int = 0  # from this moment on it does, whatever its age
    expires_markers: bool = False  # a delete marker goes when it is the last version of its key
    noncurrent_days: int = 0  # after it was superseded, a version goes for good
    noncurrent_kept: int = 0  # but for as many newest of those superseded
    abort_days: int = 0  # after it was begun, an unfinished upload is aborted


class LifecycleAction(StrEnum):
    """What lifecycle does to a version or an upload."""

    EXPIRE = "expire"  # the current version: hidden behind a marker, or gone where none are kept
    EXPIRE_MARKER = "expire-marker"  # a delete marker that hides nothing is removed
    EXPIRE_NONCURRENT = "expire-noncurrent"  # a version behind the current one is removed for good
    ABORT_UPLOAD = "abort-upload"


class LifecycleDeed(NamedTuple):
    """What a rule does, or would do, to one version or upload of a key."""

    rule_id: str
    action: LifecycleAction
    key: str
    id: str  # of the version, or of the upload
    size: int  # bytes that go; 0 where only a marker comes
    due_ms: int  # since when it is due
    is_kept: bool = False  # retention or a legal hold keeps it


@dataclass(frozen=True, slots=True)
class LifecyclePage:
    """What rules would do to some keys of a bucket; the next page starts after `next_key`."""

    deeds: list[LifecycleDeed]
    keys: int  # looked at
    is_truncated: bool
    next_key: str


class LifecycleCounts(msgspec.Struct, array_like=True):
    """What one rule has done since it was first set; on disk."""

    expired: int = 0
    expired_markers: int = 0
    expired_noncurrent: int = 0
    aborted_uploads: int = 0
    bytes: int = 0  # that went for good
    kept: int = 0  # times that a lock kept a version from it
    last_ms: int = 0  # when it last did anything; 0: never

    def add(self, deed: LifecycleDeed) -> None:
        """Count one more."""
        if deed.is_kept:
            self.kept += 1
            return
        self.bytes += deed.size
        if deed.action is LifecycleAction.EXPIRE:
            self.expired += 1
        elif deed.action is LifecycleAction.EXPIRE_MARKER:
            self.expired_markers += 1
        elif deed.action is LifecycleAction.EXPIRE_NONCURRENT:
            self.expired_noncurrent += 1
        else:
            self.aborted_uploads += 1


@dataclass(frozen=True, slots=True)
class LifecycleStatus:
    """How lifecycle stands in one bucket."""

    rules: tuple[LifecycleRule, ...] = ()
    counts: dict[str, LifecycleCounts] = field(default_factory=dict)  # by the rule's id
    next_ms: int | None = None  # when the next key is to be looked at; None: nothing waits
    is_catching_up: bool = False  # rules are new, and not every key was looked at since


@dataclass(frozen=True, slots=True)
class LifecycleBucket:
    """What only others know of a bucket, and a deletion in it depends on.

    `generation` is that of the engine as this was known for certain: a commit that finds another
    does nothing, and it is asked for again. None: it is taken as it is.
    """

    versioning: Versioning
    marker: ObjectAttributes = NO_ATTRIBUTES  # of the delete markers that lifecycle writes
    generation: int | None = None


@dataclass(slots=True)
class LifecycleReport:
    """What one run did, in all buckets."""

    looks: int = 0  # at keys
    deeds: dict[LifecycleAction, int] = field(default_factory=dict)
    kept: int = 0  # by locks
    bytes: int = 0
    done: dict[int, dict[str, LifecycleCounts]] = field(default_factory=dict)  # by bucket and rule
    failed: int = 0  # looks that came to nothing for what of a key is damaged
    is_complete: bool = True  # nothing is due any more but that

    def add(self, bucket_id: int, deeds: list[LifecycleDeed]) -> None:
        """Count a look at a key, and what it came to."""
        self.looks += 1
        for deed in deeds:
            rules = self.done.setdefault(bucket_id, {})
            rules.setdefault(deed.rule_id, LifecycleCounts()).add(deed)
            if deed.is_kept:
                self.kept += 1
            else:
                self.deeds[deed.action] = self.deeds.get(deed.action, 0) + 1
                self.bytes += deed.size


@dataclass(frozen=True, slots=True)
class LifecycleOptions:
    """How far one run of lifecycle goes.

    `bucket` is asked before each commit, as a request's DELETE would be told; None: there is no
    such bucket, and nothing is done in it. `report` has what was done also where the run fails.
    """

    bucket: Callable[[int], LifecycleBucket | None]
    should_stop: Callable[[], bool] = lambda: False  # the process is to end
    is_slice_over: Callable[[], bool] = lambda: False  # others are to have their turn
    report: LifecycleReport = field(default_factory=LifecycleReport)
