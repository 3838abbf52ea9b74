"""What somebody wants of S3 who proved elsewhere who he is, written down as his request would be.

For REST and for the console's pages: the operations of S3 do it, so that the same rooms decide,
check what is put, and change what is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from asgiref.sync import async_to_sync

from s3api.app import Errand
from s3api.http.percent import encode
from s3api.http.request import Request
from s3api.http.target import Target
from s4project.s3side import get_s3_app

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest

    from iam.models import User
    from s3api.context import Snapshots

# What policies may ask of a request's head. How it is signed they may ask too: it is in a header.
HEADERS: Final = ("user-agent", "referer")
SIGNED: Final = (b"authorization", b"Bearer")


class Asked:
    """A request of somebody who is signed in, from which his wishes are made."""

    def __init__(self, django: HttpRequest, user: User) -> None:
        self._django, self._user = django, user

    def errand(
        self,
        operation: str,
        bucket: str,
        *,
        key: str | None = None,
        arguments: dict[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Errand:
        """Write down what is wanted, as a request to S3 would say it."""
        resource = f"/{bucket}" if key is None else f"/{bucket}/{key}"
        target = Target(bucket, key, is_virtual_host=False, resource=resource)
        asked = self._as_asked(target, query or {}, headers or {})
        return Errand(self._user.canonical_id, operation, asked, target, arguments or {})

    def perform(self, operation: str, bucket: str, **more: Any) -> dict[str, Any]:
        """Do an operation of S3 on a bucket; answer its output by AWS's member names.

        S3Error, EngineError.
        """
        errand = self.errand(operation, bucket, **more)
        output: dict[str, Any] = async_to_sync(get_s3_app().perform)(errand).output
        return output

    def _as_asked(
        self, target: Target, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Request:
        """Make what policies ask about: from where, how, when, and with which parameters."""
        django = self._django
        own = {name: value for name in HEADERS if (value := django.headers.get(name))}
        lines = [
            (name.encode(), value.encode("latin-1", "replace"))
            for name, value in {**own, **headers}.items()
        ]
        scope = {
            "method": django.method,
            "scheme": django.scheme,
            "raw_path": b"/".join(encode(part) for part in target.resource.split("/")),
            "headers": [*lines, SIGNED],
            "query_string": urlencode(query).encode(),
            "client": (django.META.get("REMOTE_ADDR", ""), 0),
        }
        return Request(scope, _no_body)


def current_snapshots() -> Snapshots:
    """Bring what this process knows of users and buckets up to date, and return it."""
    store = get_s3_app().store
    if not store.snapshots.is_current:
        async_to_sync(store.refresh)()
    return store.snapshots


async def _no_body() -> dict[str, Any]:
    """Answer that nothing more comes."""
    return {"type": "http.request", "body": b"", "more_body": False}
