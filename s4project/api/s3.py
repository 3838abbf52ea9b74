"""Calls about buckets and objects, done by the operations of S3 themselves.

So the same rooms decide them, check what is put, and change what is kept: whatever a policy, an ACL
or a key allows or denies over there, it does here. One thing is told less: that a bucket exists is
no news for one who may not see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import async_to_sync
from django.http import HttpRequest

from buckets.services import NoSuchBucket
from iam.api.permissions import asker
from s3api.errors import S3Error
from s4project.errands import Asked, current_snapshots
from s4project.s3side import get_s3_app

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from rest_framework.request import Request as ApiRequest

    from buckets.registry import Registry
    from s3api.app import Errand
    from s3api.context import Answer, Call

DENIED: Final = 403
HIDING: Final = {DENIED, 405}  # 405: what only the bucket's owner may ask
MAKING: Final = "CreateBucket"  # tells that a name is free


def perform(  # noqa: PLR0913  # all that a request would say
    request: ApiRequest,
    operation: str,
    bucket: str,
    *,
    key: str | None = None,
    arguments: dict[str, Any] | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    serve: Callable[[Call], Awaitable[Answer]] | None = None,
) -> dict[str, Any]:
    """Do an operation of S3 for who asks; answer its output by AWS's member names.

    `serve` does it in another way, and says what is answered. NoSuchBucket where he may not even
    see the bucket; else S3Error, EngineError.
    """
    errand = _asked(request).errand(
        operation, bucket, key=key, arguments=arguments, query=query, headers=headers
    )
    try:
        return async_to_sync(get_s3_app().perform)(errand, serve).output
    except S3Error as error:
        raise _told(request, error, errand) from error


def admitted(request: ApiRequest, operation: str, bucket: str) -> Call:
    """Let who asks in with an operation on a bucket that is answered here; as `perform`."""
    errand = _asked(request).errand(operation, bucket)
    known_buckets()
    try:
        return get_s3_app().admit(errand)
    except S3Error as error:
        raise _told(request, error, errand) from error


def known_buckets() -> Registry:
    """Bring this worker's snapshots up to date; return every bucket there is."""
    return current_snapshots().registry


def may_see(request: ApiRequest, bucket: str) -> bool:
    """Whether who asks may know that there is such a bucket: it is his, or he may list it.

    By the snapshots as they are.
    """
    app, me = get_s3_app(), asker(request)
    found = app.store.snapshots.registry.find(bucket)
    if found is None or found.owner_canonical_id == me.canonical_id:
        return found is not None
    try:
        app.admit(_asked(request).errand("HeadBucket", bucket))
    except S3Error:
        return False
    return True


def _told(request: ApiRequest, error: S3Error, errand: Errand) -> Exception:
    """Say that there is no bucket, where to say more would tell that there is."""
    bucket = errand.target.bucket
    assert bucket is not None, "every errand is about one"
    if errand.operation == MAKING:
        return error
    if error.code == "NoSuchBucket":
        return NoSuchBucket(bucket)
    if error.status not in HIDING:
        return error
    if not may_see(request, bucket):
        return NoSuchBucket(bucket)
    return error if error.status == DENIED else S3Error("AccessDenied")


def _asked(request: ApiRequest) -> Asked:
    """Tell who asks, and how."""
    django = request._request  # noqa: SLF001  # DRF's way to Django's own request
    assert isinstance(django, HttpRequest)
    return Asked(django, asker(request))
