"""What can be set on a bucket, as immutable values. Knows no Django and no wire form.

`buckets.models.Bucket` has a column of the same name for each field of BucketConfiguration.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from iam.acl import Grant  # noqa: TC001  # msgspec reads the annotations
from iam.quotas import Quota  # noqa: TC001  # as above
from storage_engine import (
    DAY_MS,
    LifecycleRule,
    LockMode,
    RetentionPeriod,
    Versioning,
)  # as above


class Ownership(StrEnum):
    """Who owns an object that another account writes, and whether ACLs mean anything.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
    """

    BUCKET_OWNER_ENFORCED = "BucketOwnerEnforced"  # the bucket's owner; ACLs are off
    BUCKET_OWNER_PREFERRED = "BucketOwnerPreferred"  # the bucket's owner, if the ACL gives it
    OBJECT_WRITER = "ObjectWriter"  # the writer


class PublicAccessBlock(msgspec.Struct, frozen=True, kw_only=True):
    """What of ACLs and policies that speak of everybody is refused or has no effect."""

    block_public_acls: bool = False
    ignore_public_acls: bool = False
    block_public_policy: bool = False
    restrict_public_buckets: bool = False


NOTHING_PUBLIC: Final = PublicAccessBlock(
    block_public_acls=True,
    ignore_public_acls=True,
    block_public_policy=True,
    restrict_public_buckets=True,
)


class CorsRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of cross-origin access; origins and headers may hold one `*` each."""

    allowed_origins: tuple[str, ...]
    allowed_methods: tuple[str, ...]
    allowed_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age_seconds: int | None = None
    id: str | None = None


YEAR_DAYS: Final = 365


class DefaultRetention(msgspec.Struct, frozen=True, kw_only=True):
    """How long a new version is retained of which nothing is said: days, or years of 365 days."""

    mode: LockMode
    days: int = 0
    years: int = 0

    @property
    def period(self) -> RetentionPeriod:
        """The mode, and how long, for the engine."""
        return RetentionPeriod(self.mode, (self.days + self.years * YEAR_DAYS) * DAY_MS)


class ObjectLockConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """Object Lock is on, for ever; and what new versions get."""

    retention: DefaultRetention | None = None

    @property
    def default_period(self) -> RetentionPeriod | None:
        """What new versions get, for the engine; None: nothing."""
        return None if self.retention is None else self.retention.period


ALL_SIZES: Final = "all_storage_classes_128K"


class Lifecycle(msgspec.Struct, frozen=True, kw_only=True):
    """Rules of a lifecycle configuration; the sets of ids say how they were put, for the answer."""

    rules: tuple[LifecycleRule, ...]
    bare: frozenset[str] = frozenset()  # whose Prefix stands outside of a Filter
    blank: frozenset[str] = frozenset()  # whose Filter names a Prefix, and an empty one
    idle: frozenset[str] = frozenset()  # that say ExpiredObjectDeleteMarker, and that it is false
    minimum_size: str = ALL_SIZES  # below which nothing would be transitioned; kept, for clients


class BucketConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set on a bucket; the defaults are those of AWS for a new bucket."""

    versioning: Versioning = Versioning.UNVERSIONED
    ownership: Ownership | None = Ownership.BUCKET_OWNER_ENFORCED  # None: taken off
    public_access_block: PublicAccessBlock | None = NOTHING_PUBLIC
    grants: tuple[Grant, ...] | None = None  # None: the owner has full control, nobody else any
    cors: tuple[CorsRule, ...] = ()
    tags: dict[str, str] = {}
    policy: str | None = None  # JSON, as it was put
    object_lock: ObjectLockConfiguration | None = None  # None: off
    quota: Quota | None = None
    requests_per_second: int | None = None  # None: what the settings say; 0: no limit
    lifecycle: Lifecycle | None = None  # rows of their own, `buckets.models.LifecycleRule`


AS_NEW: Final = BucketConfiguration()
