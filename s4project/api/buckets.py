"""Buckets over HTTP: made, counted, listed, looked into, deleted; what S4 Core's console asks."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace
from rest_framework import serializers
from rest_framework.response import Response

from buckets import services
from buckets.configuration import ObjectLockConfiguration
from buckets.services import BucketAlreadyExists
from iam.api.fields import Flag, Given, QueryFlag, Text
from iam.api.paging import Page, PageQuery, read_token, write_token
from iam.api.permissions import SignedIn, asker
from iam.api.view import CONFLICT, MISSING, View, endpoint
from iam.errors import NoSuchUser
from iam.models import User
from s3api.context import Answer
from s3api.errors import S3Error
from s4project.api.s3 import admitted, known_buckets, may_see, perform
from storage_engine import Versioning
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from rest_framework.request import Request

    from buckets.configuration import BucketConfiguration
    from buckets.registry import BucketState
    from s3api.context import Call
    from storage_engine import ListPage, ObjectInfo

MS_NS: Final = 1_000_000
SECOND_MS: Final = 1000
KEYS_DEFAULT: Final = 50  # as S4 Core has it
KEYS_MAX: Final = 1000
EMPTYING_SECONDS: Final = 20.0  # how long one call goes on deleting


class BucketFigures(serializers.Serializer[Any]):
    """A bucket, and what it holds."""

    name = serializers.CharField()
    objects_count = serializers.IntegerField(help_text="Objects, without older versions.")
    storage_used_bytes = serializers.IntegerField(help_text="Of all versions together.")
    created_at = serializers.IntegerField(help_text="Nanoseconds since 1970.")
    owner = serializers.CharField(help_text="The owner's canonical id.")
    versions_count = serializers.IntegerField()
    uploads_count = serializers.IntegerField(help_text="Multipart uploads not yet completed.")


class BucketPage(Page):
    """A page of buckets, by name."""

    buckets = BucketFigures(many=True)
    total_storage_bytes = serializers.IntegerField(help_text="Of all buckets, not of this page.")


class BucketQuery(PageQuery):
    """Which buckets are wanted."""

    prefix = Text(required=False, help_text="What the names begin with.")


class BucketName(serializers.Serializer[Any]):
    """A bucket's name."""

    name = serializers.CharField()


class NewBucket(Given):
    """A bucket to be."""

    owner = Text(
        required=False,
        max_length=150,
        help_text="Name of the user whose it is to be; only a SuperUser names another.",
    )
    object_lock = Flag(
        required=False, default=False, help_text="With Object Lock, and so with versions, for good."
    )


class Deleting(Given):
    """How a bucket is deleted."""

    force = QueryFlag(required=False, default=False, help_text="Delete what is in it first.")


class Remaining(serializers.Serializer[Any]):
    """What is left of a bucket that is being emptied."""

    versions_left = serializers.IntegerField()


class ObjectQuery(Given):
    """Which objects are wanted."""

    def get_fields(self) -> dict[str, Any]:
        """Answer the parameters; two have hyphens, as S4 Core has them."""
        return {
            "prefix": Text(required=False, allow_blank=True, max_length=1024),
            "max-keys": serializers.IntegerField(
                min_value=1, max_value=KEYS_MAX, default=KEYS_DEFAULT
            ),
            "continuation-token": Text(required=False, max_length=2048),
        }


class ObjectRow(serializers.Serializer[Any]):
    """An object."""

    key = serializers.CharField()
    size = serializers.IntegerField()
    content_type = serializers.CharField()
    last_modified = serializers.IntegerField(help_text="Nanoseconds since 1970.")
    etag = serializers.CharField()


class ObjectPage(serializers.Serializer[Any]):
    """A page of objects and folders, in one order; a folder is on one page alone."""

    objects = ObjectRow(many=True)
    common_prefixes = serializers.ListField(child=serializers.CharField())
    is_truncated = serializers.BooleanField()
    next_continuation_token = serializers.CharField(allow_null=True)


class BucketStats(View):
    """All buckets."""

    tag = "Buckets"

    @endpoint("list_buckets", who=SignedIn, query=BucketQuery, answer=BucketPage)
    def get(self, request: Request, query: dict[str, Any]) -> dict[str, Any]:
        """List buckets by name with what they hold: all to a SuperUser, else those one may see."""
        seen = seen_buckets(request)
        after, prefix = read_token(query.get("token")), query.get("prefix", "")
        found = [each for each in seen if each.name > after and each.name.startswith(prefix)]
        page = found[: query["limit"]]
        engine = get_engine()
        total = sum(engine.namespace_counts(bucket.id).bytes for bucket in seen)
        return {
            "buckets": [_figures(bucket) for bucket in page],
            "total_storage_bytes": total,
            "next_token": write_token(page[-1].name) if len(found) > len(page) else None,
        }


class OneBucket(View):
    """A bucket."""

    tag = "Buckets"

    @endpoint("get_bucket", who=SignedIn, answer=BucketFigures, refuses=MISSING)
    def get(self, request: Request, name: str) -> dict[str, Any]:
        """Show a bucket and what it holds."""
        bucket = admitted(request, "HeadBucket", name).bucket
        return _figures(bucket)

    @endpoint(
        "create_bucket",
        who=SignedIn,
        body=NewBucket,
        answer=BucketName,
        status=HTTPStatus.CREATED,
        refuses=MISSING | CONFLICT,
    )
    def put(self, request: Request, name: str, body: dict[str, Any]) -> dict[str, str]:
        """Make a bucket."""
        me = asker(request)
        owner = body.get("owner", me.username)
        if owner != me.username:
            user = _other(me, owner)
            admitted(request, "CreateBucket", name)
            services.create_bucket(name, user.canonical_id, configuration=_new(body))
            return {"name": name}
        existing = known_buckets().find(name)
        if existing is not None:  # S3 would let its owner make it once more
            admitted(request, "CreateBucket", name)
            raise BucketAlreadyExists(name, existing.owner_canonical_id)
        lock = {"ObjectLockEnabledForBucket": True} if body["object_lock"] else {}
        perform(request, "CreateBucket", name, arguments=lock)
        return {"name": name}

    @endpoint("delete_bucket", who=SignedIn, query=Deleting, refuses=MISSING | CONFLICT)
    def delete(self, request: Request, name: str, query: dict[str, Any]) -> Response | None:
        """Delete a bucket.

        With `force` what is in it goes first, every version of it. That ends after some seconds
        with 202 and how much is left: ask again to go on.
        """
        if query["force"] and (left := empty(request, name)):
            return Response(Remaining({"versions_left": left}).data, HTTPStatus.ACCEPTED)
        perform(request, "DeleteBucket", name)
        return None


class BucketObjects(View):
    """What is in a bucket."""

    tag = "Buckets"

    @endpoint("list_objects", who=SignedIn, query=ObjectQuery, answer=ObjectPage, refuses=MISSING)
    def get(self, request: Request, name: str, query: dict[str, Any]) -> dict[str, Any]:
        """List a page of a bucket's objects and folders below a prefix.

        A page costs what it holds, however much the bucket does.
        """
        prefix, limit = query.get("prefix", ""), query["max-keys"]
        asked = {"list-type": "2", "prefix": prefix, "delimiter": "/", "max-keys": str(limit)}
        after = read_token(query.get("continuation-token"), "continuation-token")

        async def serve(call: Call) -> Answer:  # as S3 lists, but with the objects' types
            place = {"prefix": prefix, "delimiter": "/", "after": after, "limit": limit}
            return Answer({"page": call.engine.list_objects(call.bucket.id, **place)})

        page: ListPage = perform(request, "ListObjectsV2", name, query=asked, serve=serve)["page"]
        return {
            "objects": [_object(info) for info in page.objects],
            "common_prefixes": page.common_prefixes,
            "is_truncated": page.is_truncated,
            "next_continuation_token": write_token(page.next_after) if page.is_truncated else None,
        }


def _new(body: dict[str, Any]) -> BucketConfiguration:
    """Say what a new bucket is like."""
    configuration = services.new_configuration()
    if not body["object_lock"]:
        return configuration
    return replace(
        configuration, object_lock=ObjectLockConfiguration(), versioning=Versioning.ENABLED
    )


def seen_buckets(request: Request) -> list[BucketState]:
    """List the buckets that who asks may see, by name."""
    buckets = known_buckets().all()
    if asker(request).is_superuser:
        return buckets
    return [bucket for bucket in buckets if may_see(request, bucket.name)]


def _figures(bucket: BucketState) -> dict[str, Any]:
    """Count what is in a bucket; the engine keeps the figures."""
    counts = get_engine().namespace_counts(bucket.id)
    return {
        "name": bucket.name,
        "objects_count": counts.objects,
        "storage_used_bytes": counts.bytes,
        "created_at": bucket.created_ms * MS_NS,
        "owner": bucket.owner_canonical_id,
        "versions_count": counts.versions,
        "uploads_count": counts.uploads,
    }


def _object(info: ObjectInfo) -> dict[str, Any]:
    return {
        "key": info.key,
        "size": info.size,
        "content_type": info.attributes.headers.get("content-type", "binary/octet-stream"),
        "last_modified": info.modified_ms * MS_NS,
        "etag": info.attributes.etag,
    }


def _other(me: User, username: str) -> User:
    """Find whom a SuperUser makes a bucket for; NoSuchUser."""
    owner = User.objects.filter(username=username).first() if me.is_superuser else None
    if owner is None:
        raise NoSuchUser(username)
    return owner


def empty(request: Request, name: str) -> int:
    """Delete what is in a bucket, for a while; return how many versions are left.

    Each page is listed and deleted as requests to S3 would be; S3Error for the first refusal.
    """
    until = time.monotonic() + EMPTYING_SECONDS
    while True:
        call = admitted(request, "ListObjectVersions", name)
        versions = call.engine.list_versions(call.bucket.id, limit=KEYS_MAX).versions
        if not versions:
            return 0
        doomed = [{"Key": info.key, "VersionId": info.version_id} for info in versions]
        deletion = {"Delete": {"Objects": doomed, "Quiet": True}}
        for refusal in perform(request, "DeleteObjects", name, arguments=deletion)["Errors"]:
            raise S3Error(refusal["Code"], refusal["Message"])
        if time.monotonic() > until:
            return call.engine.namespace_counts(call.bucket.id).versions
