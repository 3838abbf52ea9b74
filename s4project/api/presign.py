"""Links to share: URLs that carry a signature of who makes them, and are good for a while.

Nothing is decided when a link is made: the request that uses it is, by the rights that its signer
has then.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from rest_framework import serializers

from buckets.naming import bucket_arn, check_bucket_name
from iam.api.fields import Given, Line, Text, Whole
from iam.api.permissions import SignedIn, asker
from iam.api.view import CONFLICT, MISSING, View, endpoint
from iam.errors import NoAccessKey, NoSuchAccessKey
from iam.services.audit import record_event
from iam.services.snapshot import load_secret
from s3api.auth.presign import Signer, presign
from s3api.http.target import KEY_BYTES_MAX

if TYPE_CHECKING:
    from rest_framework.request import Request

    from iam.models import AccessKey, User

WEEK_SECONDS: Final = 7 * 24 * 3600  # SigV4's bound: sigv4-query-string-auth.html, X-Amz-Expires
HOUR_SECONDS: Final = 3600


class Link(Given):
    """What a link is to be good for."""

    key = Text(max_length=KEY_BYTES_MAX)
    method = serializers.ChoiceField(["GET", "PUT"], required=False, default="GET")
    expires_in = Whole(
        required=False,
        default=HOUR_SECONDS,
        min_value=1,
        max_value=WEEK_SECONDS,
        help_text="Seconds; a week at most.",
    )
    version_id = Line(required=False, max_length=64, help_text="Of a GET.")
    response_content_disposition = Line(
        required=False, max_length=1024, help_text="What a GET answers in that header."
    )
    content_type = Line(
        required=False, max_length=256, help_text="What a PUT must then send in that header."
    )
    access_key = Line(
        required=False, max_length=128, help_text="Which of your keys signs; else the oldest."
    )

    def validate_key(self, value: str) -> str:
        """Refuse a key that no object can have."""
        if len(value.encode()) > KEY_BYTES_MAX:
            raise serializers.ValidationError(f"A key has at most {KEY_BYTES_MAX:,} bytes.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse what means nothing for the method."""
        of_get = {"version_id", "response_content_disposition"}
        foreign = {"content_type"} if attrs["method"] == "GET" else of_get
        if wrong := sorted(foreign & attrs.keys()):
            raise serializers.ValidationError({wrong[0]: [f"Not for {attrs['method']}."]})
        return attrs


class LinkRow(serializers.Serializer[Any]):
    """A link, and how long it is good."""

    url = serializers.CharField()
    method = serializers.CharField()
    access_key = serializers.CharField(help_text="Whose signature it bears.")
    expires_at = serializers.DateTimeField(help_text="Sooner when the key ends sooner.")


class Presign(View):
    """Where links are made."""

    tag = "Buckets"

    @endpoint("presign", who=SignedIn, body=Link, answer=LinkRow, refuses=MISSING | CONFLICT)
    def post(self, request: Request, bucket: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make a link to an object, to read it or to put it, that others can use.

        It is signed with a key of yours, and good for what you may do yourself. Whether there is
        such an object, or will be, is not looked at.
        """
        check_bucket_name(bucket)
        row = _key_of(asker(request), body.get("access_key"))
        now = int(time.time())
        query, headers = {}, {}
        if "version_id" in body:
            query["versionId"] = body["version_id"]
        if "response_content_disposition" in body:
            query["response-content-disposition"] = body["response_content_disposition"]
        if "content_type" in body:
            headers["content-type"] = body["content_type"]
        record_event(
            "s4:CreateLink",
            f"{bucket_arn(bucket)}/{body['key']}",
            method=body["method"],
            access_key=row.access_key,
            expires_in=body["expires_in"],
        )
        signer = Signer(row.access_key, load_secret(row), settings.S4.region, now)
        ends = datetime.fromtimestamp(now + body["expires_in"], UTC)
        return {
            "url": presign(
                signer,
                body["method"],
                _base(request),
                f"/{bucket}/{body['key']}",
                body["expires_in"],
                query,
                headers,
            ),
            "method": body["method"],
            "access_key": row.access_key,
            "expires_at": min(ends, row.expires_at) if row.expires_at else ends,
        }


def _key_of(user: User, access_key: str | None) -> AccessKey:
    """Choose a key of the user that is good now; NoSuchAccessKey, NoAccessKey."""
    rows = user.access_keys.filter(is_enabled=True).order_by("pk")
    rows = rows.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
    if access_key is not None:
        rows = rows.filter(access_key=access_key)
    row = rows.first()
    if row is not None:
        return row
    raise NoAccessKey if access_key is None else NoSuchAccessKey(access_key)


def _base(request: Request) -> str:
    """Say where clients reach the S3 side: as configured, else beside the console."""
    if settings.S4.public_url:
        return str(settings.S4.public_url)
    host = request._request.get_host()  # noqa: SLF001  # DRF's way to Django's own request
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return f"{request.scheme}://{name}:{settings.S4.bind.port}"
