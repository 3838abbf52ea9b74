"""Joins the S3 side to the rest: the engine, the settings, and the SQL services as plain calls.

Here the services' own errors become S3's, so that the data path knows no Django.
"""

from __future__ import annotations

import threading
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import Error

from buckets import services as bucket_services
from iam import services as iam_services
from iam.errors import NoSuchUser
from s3api.app import S3App
from s3api.audit import Audit, DataAccess
from s3api.context import RETRY, Reading, S3Config
from s3api.errors import S3Error
from s3api.rates import Rates
from s4project import rate_table
from s4project.sql.trouble import is_away
from s4project.sql.visits import residence
from storage_engine import Versioning
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from buckets.configuration import BucketConfiguration
    from buckets.registry import BucketState
    from iam.audit.notes import Note
    from s3api.context import Notes
    from s4project.configuration import Configuration
    from storage_engine import StorageEngine

Given = ParamSpec("Given")
Result = TypeVar("Result")


def in_its_thread(call: Callable[Given, Result]) -> Callable[Given, Result]:
    """Let a call have a connection of its own, and say in S3's words that SQL does not answer."""

    @wraps(call)
    def called(*given: Given.args, **named: Given.kwargs) -> Result:
        try:
            with residence():
                return call(*given, **named)
        except Error as error:
            if is_away(error):
                raise S3Error("ServiceUnavailable", headers=RETRY) from error
            raise

    return called


class Services:
    """The control plane over Django's services; each call may run in any thread.

    Snapshots are read by one at a time. ServiceUnavailable while SQL does not answer.
    """

    def __init__(self) -> None:
        self._changes = iam_services.ChangeReader()
        self._keyrings = iam_services.KeyringReader()
        self._registries = bucket_services.RegistryReader()

    @in_its_thread
    def read(self) -> Reading:
        """Read what changed since the last reading, of users, keys and buckets."""
        with self._changes.look() as changes:
            keyring = self._keyrings.read(changes)
            registry = self._registries.read(changes)  # a bucket names its owner: users count too
        return Reading(keyring, registry, changes.is_settled)

    @in_its_thread
    def find_bucket(self, name: str) -> BucketState | None:
        """Read one bucket."""
        try:
            return bucket_services.find_bucket(name)
        except bucket_services.NoSuchBucket:
            return None

    @in_its_thread
    def create_bucket(
        self, name: str, owner_canonical_id: str, region: str, configuration: BucketConfiguration
    ) -> BucketState:
        """Make a bucket; InvalidBucketName, BucketAlreadyOwnedByYou, BucketAlreadyExists.

        InvalidAccessKeyId when the caller was deleted since the keyring was read.
        """
        try:
            return bucket_services.create_bucket(name, owner_canonical_id, region, configuration)
        except bucket_services.InvalidBucketName as error:
            raise S3Error("InvalidBucketName", BucketName=name) from error
        except NoSuchUser as error:
            raise S3Error("InvalidAccessKeyId") from error
        except bucket_services.BucketAlreadyExists as error:
            is_own = error.owner_canonical_id == owner_canonical_id
            code = "BucketAlreadyOwnedByYou" if is_own else "BucketAlreadyExists"
            raise S3Error(code, BucketName=name) from error

    @in_its_thread
    def configure_bucket(self, bucket: BucketState, **changes: Any) -> None:
        """Set fields of a bucket's configuration; NoSuchBucket, InvalidBucketState.

        AccessControlListNotSupported, InvalidBucketAclWithObjectOwnership.
        """
        try:
            bucket_services.configure_bucket(bucket.id, **changes)
        except bucket_services.NoSuchBucket as error:
            raise S3Error("NoSuchBucket", BucketName=bucket.name) from error
        except bucket_services.InvalidBucketState as error:
            raise S3Error("InvalidBucketState", str(error)) from error
        except bucket_services.AclsDisabled as error:
            if "ownership" in changes:
                raise S3Error("InvalidBucketAclWithObjectOwnership") from error
            raise S3Error("AccessControlListNotSupported") from error

    @in_its_thread
    def delete_bucket(self, bucket: BucketState) -> None:
        """Delete an empty bucket; NoSuchBucket, BucketNotEmpty."""
        try:
            bucket_services.delete_bucket(bucket.name, bucket_id=bucket.id)
        except bucket_services.NoSuchBucket as error:
            raise S3Error("NoSuchBucket", BucketName=bucket.name) from error
        except bucket_services.BucketNotEmpty as error:
            message = None
            if bucket.configuration.versioning is not Versioning.UNVERSIONED:
                message = (
                    "The bucket you tried to delete is not empty. You must delete all versions in "
                    "the bucket."
                )
            raise S3Error("BucketNotEmpty", message, BucketName=bucket.name) from error


def make_s3_app(
    engine: StorageEngine, configuration: Configuration, notes: Notes, audit: Audit | None = None
) -> S3App:
    """Build the S3 side of one worker."""
    config = S3Config(
        region=configuration.region,
        domains=",".join(configuration.domain) or None,
        object_bytes_max=configuration.max_upload_size,
        new_bucket=bucket_services.new_configuration(),
        signature_v2=configuration.signature_v2,
        requests_max=configuration.requests_max,
    )
    table, column = rate_table.shared()
    rates = Rates(
        table,
        column,
        per_key=configuration.rate_limit_per_key,
        per_bucket=configuration.rate_limit_per_bucket,
    )
    return S3App(engine, Services(), notes, config, audit, rates)


class _Silence:
    """Notes nothing."""

    def note_use(self, access_key: str, now_ms: int) -> None:
        """Let a key's use pass."""


_apps: list[S3App] = []  # of this process: none or one
_opening = threading.RLock()


def open_s3_app(
    engine: StorageEngine, notes: Notes, put: Callable[[Note], None] | None = None
) -> S3App:
    """Make the S3 side of this process, over its engine; `put` leaves notes for the audit log."""
    audit = None if put is None else Audit(DataAccess(settings.S4.audit_data_access), put)
    with _opening:
        _apps[:] = [make_s3_app(engine, settings.S4, notes, audit)]
        return _apps[0]


def get_s3_app() -> S3App:
    """Return the S3 side of this process; where it serves no requests, one that notes nothing."""
    engine = get_engine()
    with _opening:
        if _apps and _apps[0].store.engine is engine:
            return _apps[0]
        return open_s3_app(engine, _Silence())


def close_s3_app() -> None:
    """Let the threads of the process's S3 side end."""
    with _opening:
        for app in _apps:
            app.close()
        _apps.clear()
