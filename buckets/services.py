"""The only writers of buckets; `buckets.snapshot` reads them.

A change is announced by a step of the "buckets" generation and committed in SQL, so that when a
call has returned every worker obeys it. All calls are synchronous.
"""

# ruff: noqa: N818  # the names of the refusals are S3's
from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from buckets import lifecycle_rows
from buckets.alignment import align_bucket, settle_bucket
from buckets.configuration import NOTHING_PUBLIC, BucketConfiguration, Ownership
from buckets.lifecycle import told
from buckets.models import Bucket
from buckets.naming import InvalidBucketName, bucket_arn, check_bucket_name
from buckets.snapshot import RegistryReader, load_registry, states
from iam import services as iam_services
from iam.models.changes import Kind
from iam.rates import check_rate
from iam.services.audit import difference, record_change
from storage_engine import NamespaceClosed, NamespaceNotEmpty, Versioning
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from buckets.configuration import Lifecycle
    from buckets.registry import BucketState
    from iam.quotas import Quota

__all__ = [
    "AclsDisabled",
    "BucketAlreadyExists",
    "BucketError",
    "BucketNotEmpty",
    "InvalidBucketName",
    "InvalidBucketState",
    "NoSuchBucket",
    "RegistryReader",
    "change_lifecycle",
    "configure_bucket",
    "create_bucket",
    "delete_bucket",
    "find_bucket",
    "find_bucket_by_id",
    "finish_deletions",
    "load_registry",
    "new_configuration",
    "set_quota",
    "set_rate",
]


# What operation of S3 sets each field, without Put or Delete.
OPERATIONS: Final = {
    "versioning": "BucketVersioning",
    "ownership": "BucketOwnershipControls",
    "public_access_block": "PublicAccessBlock",
    "grants": "BucketAcl",
    "cors": "BucketCors",
    "tags": "BucketTagging",
    "policy": "BucketPolicy",
    "object_lock": "ObjectLockConfiguration",
    "quota": "BucketQuota",
    "requests_per_second": "BucketRateLimit",
    "lifecycle": "BucketLifecycle",
}
DELETED: Final = OPERATIONS.keys() - {
    *("versioning", "grants", "object_lock", "requests_per_second"),
}


# In S3's words, but the last: over S3 nothing takes Object Lock off.
VERSIONING_NEEDED: Final = (
    "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
)
VERSIONING_STAYS: Final = (
    "An Object Lock configuration is present on this bucket, so the versioning state cannot be "
    "changed."
)
LOCK_STAYS: Final = "Object Lock stays enabled once it is."


class BucketError(Exception):
    """Base of what these services raise on purpose, next to InvalidBucketName and NoSuchUser."""


class BucketAlreadyExists(BucketError):
    """There is such a bucket; `owner_canonical_id` says whose it is."""

    def __init__(self, name: str, owner_canonical_id: str) -> None:
        super().__init__(f"There is already a bucket {name}.")
        self.owner_canonical_id = owner_canonical_id


class NoSuchBucket(BucketError):
    """There is no such bucket."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no bucket {name}.")


class InvalidBucketState(BucketError):
    """The bucket has Object Lock, for ever, and with it versions; or it keeps none to be locked."""


class AclsDisabled(BucketError):
    """The bucket would have an ACL that means nothing there, until ACLs meant something again."""

    def __init__(self) -> None:
        super().__init__("Where ACLs are disabled a bucket has none.")


class BucketNotEmpty(BucketError):
    """The bucket holds objects."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The bucket {name} is not empty: delete its objects first.")


def _columns(configuration: BucketConfiguration) -> dict[str, Any]:
    """Write a configuration as the columns of a row."""
    columns: dict[str, Any] = msgspec.to_builtins(configuration)
    del columns["lifecycle"]  # rows of their own
    return columns


def bucket_names() -> dict[int, str] | None:
    """Return the name of every bucket by id, those being deleted too; None without a table."""
    table = Bucket._meta.db_table  # noqa: SLF001  # public in all but its name
    if table not in connection.introspection.table_names():
        return None
    return dict(Bucket.objects.values_list("id", "name"))


def new_configuration() -> BucketConfiguration:
    """Make the configuration of a bucket of which nothing is said, by the settings."""
    ownership = settings.S4.default_object_ownership
    return BucketConfiguration(
        ownership=None if ownership == "none" else Ownership(ownership),
        public_access_block=NOTHING_PUBLIC if settings.S4.default_public_access_block else None,
    )


def find_bucket(name: str) -> BucketState:
    """Read one bucket by its name; NoSuchBucket."""
    state = next(iter(states(Bucket.objects.filter(name=name))), None)
    if state is None:
        raise NoSuchBucket(name)
    return state


def find_bucket_by_id(bucket_id: int) -> BucketState | None:
    """Read one bucket by its id, unless it is being deleted."""
    return next(iter(states(Bucket.objects.filter(pk=bucket_id, is_closing=False))), None)


def create_bucket(
    name: str,
    owner_canonical_id: str,
    region: str = "",
    configuration: BucketConfiguration | None = None,
) -> BucketState:
    """Make a bucket, in the configured region and as the settings have it unless told otherwise.

    The engine knows whose its namespace is before anybody can write to it; a number of a bucket
    that was made and deleted since the database was backed up is passed over. InvalidBucketName,
    BucketAlreadyExists, InvalidBucketState for Object Lock without versions, and iam's NoSuchUser
    when there is no such owner.
    """
    check_bucket_name(name)
    configuration = configuration or new_configuration()
    if configuration.object_lock and configuration.versioning is not Versioning.ENABLED:
        raise InvalidBucketState(VERSIONING_NEEDED)
    try:
        with transaction.atomic():
            owner = iam_services.lock_owner(owner_canonical_id)
            columns = {"region": region or settings.S4.region, **_columns(configuration)}
            bucket = Bucket.objects.create(name=name, owner=owner, **columns)
            while get_engine().usage(bucket.pk).is_closed:  # the database is an older backup
                bucket.delete()
                bucket = Bucket.objects.create(name=name, owner=owner, **columns)
            align_bucket(bucket)  # before anybody can write to it
            (state,) = states(Bucket.objects.filter(pk=bucket.pk))
            made = {"owner": owner.username, "region": bucket.region}
            record_change(
                "s3:CreateBucket", bucket_arn(name), **made, **_columns(state.configuration)
            )
            iam_services.announce(Kind.BUCKET, bucket.pk)
    except IntegrityError as error:
        # Whoever was first, here or in another process: the unique index decides, not a look
        # beforehand. The other may be gone by now; it was there when this one was refused.
        other = Bucket.objects.filter(name=name).select_related("owner").first()
        raise BucketAlreadyExists(name, other.owner.canonical_id if other else "") from error
    return state


def configure_bucket(bucket_id: int, **changes: Any) -> None:
    """Set fields of a bucket's configuration, by name.

    NoSuchBucket, InvalidBucketState, AclsDisabled. Not a quota, which has a service of its own.

    Rules of lifecycle are obeyed by the engine, by its own copy: no rule acts that SQL does not
    have. So it forgets what it has before SQL says something else, and is told the new rules
    once SQL has them; after a crash in between nothing acts until `settle_bucket` is called.
    """
    assert changes.keys() <= set(BucketConfiguration.__struct_fields__), "no such setting"
    assert "quota" not in changes, "see set_quota"
    columns = {
        name: msgspec.to_builtins(value) for name, value in changes.items() if name != "lifecycle"
    }
    after = dict(columns)
    with transaction.atomic():
        bucket = _lock(bucket_id)
        _check_lock(bucket, columns)
        _check_acl(bucket, columns)
        before = {name: getattr(bucket, name) for name in columns}
        if columns:
            Bucket.objects.filter(pk=bucket_id).update(**columns)
        if "lifecycle" in changes:
            before["lifecycle"] = told(lifecycle_rows.read_lifecycle(bucket))
            after["lifecycle"] = told(changes["lifecycle"])
            _change_lifecycle(bucket_id, changes["lifecycle"])
        for name, change in difference(before, after).items():
            record_change(_action(name, change["new"]), bucket_arn(bucket.name), **{name: change})
        iam_services.announce(Kind.BUCKET, bucket_id)


def change_lifecycle(
    bucket_id: int, change: Callable[[Lifecycle | None], Lifecycle | None]
) -> None:
    """Set rules that are made of those that are set; NoSuchBucket, and what `change` raises.

    The row is held meanwhile: nobody's rules are overwritten unseen.
    """
    with transaction.atomic():
        configure_bucket(
            bucket_id, lifecycle=change(lifecycle_rows.read_lifecycle(_lock(bucket_id)))
        )


def _change_lifecycle(bucket_id: int, lifecycle: Lifecycle | None) -> None:
    """Write other rules, in the transaction that holds the bucket's row."""
    rules = lifecycle.rules if lifecycle is not None else ()
    engine = get_engine()
    if engine.lifecycle(bucket_id).rules not in ((), rules):
        engine.set_lifecycle(bucket_id, ()).result()
    lifecycle_rows.write_lifecycle(bucket_id, lifecycle)
    transaction.on_commit(partial(settle_bucket, bucket_id))


def set_quota(bucket_id: int, quota: Quota | None) -> None:
    """Bound what a bucket may hold; None: no bounds. NoSuchBucket, InvalidIdentity.

    A bound below what it holds refuses additions only. The engine is told once SQL has committed,
    as for `iam.services.set_user_quota`.
    """
    column = iam_services.quota_column(quota)
    with transaction.atomic():
        bucket = _lock(bucket_id)
        if bucket.quota != column:
            Bucket.objects.filter(pk=bucket_id).update(quota=column)
            change = {"old": bucket.quota, "new": column}
            record_change(_action("quota", column), bucket_arn(bucket.name), quota=change)
        iam_services.announce(Kind.BUCKET, bucket_id)
        transaction.on_commit(partial(settle_bucket, bucket_id))


def set_rate(bucket_id: int, rate: int | None) -> None:
    """Limit how many requests a second a bucket gets; 0: no limit, None: as the settings say.

    NoSuchBucket, InvalidIdentity.
    """
    check_rate(rate)
    configure_bucket(bucket_id, requests_per_second=rate)


def _check_lock(bucket: Bucket, columns: dict[str, Any]) -> None:
    """Refuse what would leave a bucket with Object Lock and without versions, or take it off.

    In the transaction: two settings that exclude each other may come at once.
    """
    locked = columns.get("object_lock", bucket.object_lock)
    if bucket.object_lock is not None and locked is None:
        raise InvalidBucketState(LOCK_STAYS)
    if locked is None or columns.get("versioning", bucket.versioning) == Versioning.ENABLED:
        return
    raise InvalidBucketState(VERSIONING_NEEDED if bucket.object_lock is None else VERSIONING_STAYS)


def _check_acl(bucket: Bucket, columns: dict[str, Any]) -> None:
    """Refuse an ACL where ACLs are disabled, and to disable them where there is one.

    In the transaction, as `_check_lock`.
    """
    if columns.keys().isdisjoint(("grants", "ownership")):
        return
    is_disabled = columns.get("ownership", bucket.ownership) == Ownership.BUCKET_OWNER_ENFORCED
    if is_disabled and columns.get("grants", bucket.grants) is not None:
        raise AclsDisabled


def _lock(bucket_id: int) -> Bucket:
    """Hold a bucket's row to the end of the transaction; NoSuchBucket."""
    rows = Bucket.objects.select_for_update().filter(pk=bucket_id, is_closing=False)
    bucket = rows.first()
    if bucket is None:
        raise NoSuchBucket(str(bucket_id))
    return bucket


def _action(setting: str, value: Any) -> str:
    """Name the operation of S3 that sets a field of the configuration, or takes it away."""
    name = OPERATIONS[setting]
    return f"s3:Delete{name}" if not value and setting in DELETED else f"s3:Put{name}"


def delete_bucket(name: str, *, bucket_id: int | None = None) -> None:
    """Delete an empty bucket; its unfinished uploads go with it. NoSuchBucket, BucketNotEmpty.

    `bucket_id` is for callers who decided on a snapshot: another bucket that has taken the name
    since is not meant.

    Three durable steps: the row says that it is closing; the engine closes the namespace, which
    alone decides whether it is empty and refuses every later write; the row goes. After a crash
    `finish_deletions` finds the row by its mark. Must not run inside a transaction: the mark has
    to be on disk before the namespace closes.
    """
    bucket = Bucket.objects.filter(name=name).first()
    if bucket is None or bucket_id not in {None, bucket.pk}:
        raise NoSuchBucket(name)
    if get_engine().namespace_counts(bucket.pk).versions:
        raise BucketNotEmpty(name)  # spares the common refusal two writes; step two decides
    with transaction.atomic(durable=True):
        Bucket.objects.filter(pk=bucket.pk).update(is_closing=True)
    _close(bucket)


def finish_deletions() -> list[str]:
    """Finish or take back the deletions that a crash interrupted; return the names now gone.

    For starts and for the jobs. A deletion under way elsewhere is safe: each of its steps can be
    done twice.
    """
    gone = []
    for bucket in Bucket.objects.filter(is_closing=True):
        with suppress(BucketNotEmpty):
            _close(bucket)
            gone.append(bucket.name)
    return gone


def _close(bucket: Bucket) -> None:
    """Close the namespace of a bucket marked as closing and remove the row; BucketNotEmpty."""
    try:
        with suppress(NamespaceClosed):  # closed before the crash, or by another at this moment
            get_engine().close_namespace(bucket.pk).result()
    except NamespaceNotEmpty as error:
        with transaction.atomic(durable=True):
            Bucket.objects.filter(pk=bucket.pk).update(is_closing=False)
        raise BucketNotEmpty(bucket.name) from error
    with transaction.atomic(durable=True):
        if Bucket.objects.filter(pk=bucket.pk).delete()[0]:  # else another was faster
            record_change("s3:DeleteBucket", bucket_arn(bucket.name))
        iam_services.announce(Kind.BUCKET, bucket.pk)
