"""Quotas over HTTP: what buckets and users hold and may hold; only SuperUsers bound anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from rest_framework import serializers

from buckets.services import find_bucket, set_quota, set_rate
from buckets.usage import alerts, holding_of_state, holding_of_user
from iam import services
from iam.api.fields import Given, Whole
from iam.api.keys import RateForm, RateRow
from iam.api.paging import Page, PageQuery, page_of, read_token, write_token
from iam.api.permissions import SignedIn, asker
from iam.api.users import seen_user
from iam.api.view import MISSING, View, endpoint
from iam.models import User
from iam.quotas import BOUND_MAX, PERCENT_MAX, Quota
from s4project.api.buckets import seen_buckets
from s4project.api.s3 import admitted

if TYPE_CHECKING:
    from rest_framework.request import Request

    from buckets.usage import Holding


class QuotaForm(Given):
    """What may be held; at least one bound. What is not named is not bounded."""

    bytes = Whole(
        required=False,
        default=0,
        min_value=0,
        max_value=BOUND_MAX,
        help_text="Of all versions and of the parts of open uploads; 0: no bound.",
    )
    objects = Whole(
        required=False,
        default=0,
        min_value=0,
        max_value=BOUND_MAX,
        help_text="Older versions and delete markers count too; 0: no bound.",
    )
    warn_percent = Whole(
        required=False,
        default=Quota().warn_percent,
        min_value=1,
        max_value=PERCENT_MAX,
        help_text="From so much of a bound on the state is `warning`.",
    )


class QuotaRow(serializers.Serializer[Any]):
    """What may be held; 0 is no bound."""

    bytes = serializers.IntegerField()
    objects = serializers.IntegerField()
    warn_percent = serializers.IntegerField()


class HoldingRow(serializers.Serializer[Any]):
    """What a bucket, or all the buckets of a user, hold and may hold."""

    kind = serializers.ChoiceField(["bucket", "user"])
    name = serializers.CharField()
    used_bytes = serializers.IntegerField(
        help_text="Of all versions and of the parts of open uploads."
    )
    used_objects = serializers.IntegerField(
        help_text="As a quota counts them: with older versions and delete markers."
    )
    quota = QuotaRow(allow_null=True)
    percent = serializers.IntegerField(
        allow_null=True, help_text="How much of the nearest bound is used, rounded down."
    )
    state = serializers.ChoiceField(["ok", "warning", "full"])


class HoldingPage(Page):
    """A page of buckets or users, by name."""

    usage = HoldingRow(many=True)


class Alerts(serializers.Serializer[Any]):
    """What is near its bounds or has reached them, the fullest first."""

    alerts = HoldingRow(many=True)


class BucketQuota(View):
    """What a bucket holds and may hold."""

    tag = "Quotas"

    @endpoint("get_bucket_quota", who=SignedIn, answer=HoldingRow, refuses=MISSING)
    def get(self, request: Request, bucket: str) -> dict[str, Any]:
        """Tell what a bucket holds and may hold."""
        return holding_row(holding_of_state(admitted(request, "HeadBucket", bucket).bucket))

    @endpoint("put_bucket_quota", body=QuotaForm, refuses=MISSING)
    def put(self, request: Request, bucket: str, body: dict[str, Any]) -> None:
        """Bound what a bucket may hold, in place of the quota it had.

        A bound below what it holds refuses additions only.
        """
        del request
        set_quota(find_bucket(bucket).id, Quota(**body))

    @endpoint("delete_bucket_quota", refuses=MISSING)
    def delete(self, request: Request, bucket: str) -> None:
        """Take off what bounds a bucket."""
        del request
        set_quota(find_bucket(bucket).id, None)


class BucketRate(View):
    """How many requests a second a bucket gets."""

    tag = "Quotas"

    @endpoint("get_bucket_rate_limit", who=SignedIn, answer=RateRow, refuses=MISSING)
    def get(self, request: Request, bucket: str) -> dict[str, Any]:
        """Tell how many requests a second a bucket gets at most."""
        found = admitted(request, "HeadBucket", bucket).bucket
        return {"requests_per_second": found.configuration.requests_per_second}

    @endpoint("put_bucket_rate_limit", body=RateForm, refuses=MISSING)
    def put(self, request: Request, bucket: str, body: dict[str, Any]) -> None:
        """Limit how many requests a second a bucket gets."""
        del request
        set_rate(find_bucket(bucket).id, body["requests_per_second"])

    @endpoint("delete_bucket_rate_limit", refuses=MISSING)
    def delete(self, request: Request, bucket: str) -> None:
        """Have the settings say how many requests a second a bucket gets."""
        del request
        set_rate(find_bucket(bucket).id, None)


class UserQuota(View):
    """What the buckets of a user hold and may hold together."""

    tag = "Quotas"

    @endpoint("get_user_quota", who=SignedIn, answer=HoldingRow, refuses=MISSING)
    def get(self, request: Request, user_id: int) -> dict[str, Any]:
        """Tell what the buckets of a user hold and may hold together."""
        return holding_row(holding_of_user(seen_user(request, user_id)))

    @endpoint("put_user_quota", body=QuotaForm, refuses=MISSING)
    def put(self, request: Request, user_id: int, body: dict[str, Any]) -> None:
        """Bound what the buckets of a user may hold together, in place of the quota he had.

        A bound below what they hold refuses additions only.
        """
        del request
        services.set_user_quota(user_id, Quota(**body))

    @endpoint("delete_user_quota", refuses=MISSING)
    def delete(self, request: Request, user_id: int) -> None:
        """Take off what bounds the buckets of a user together."""
        del request
        services.set_user_quota(user_id, None)


class BucketUsage(View):
    """What all buckets hold and may hold."""

    tag = "Quotas"

    @endpoint("list_bucket_usage", who=SignedIn, query=PageQuery, answer=HoldingPage)
    def get(self, request: Request, query: dict[str, Any]) -> dict[str, Any]:
        """List what buckets hold and may hold: all to a SuperUser, else those one may see."""
        after = read_token(query.get("token"))
        found = [bucket for bucket in seen_buckets(request) if bucket.name > after]
        page = found[: query["limit"]]
        return {
            "usage": [holding_row(holding_of_state(bucket)) for bucket in page],
            "next_token": write_token(page[-1].name) if len(found) > len(page) else None,
        }


class UserUsage(View):
    """What the buckets of all users hold and may hold."""

    tag = "Quotas"

    @endpoint("list_user_usage", who=SignedIn, query=PageQuery, answer=HoldingPage)
    def get(self, request: Request, query: dict[str, Any]) -> dict[str, Any]:
        """List what users hold and may hold, by name; one who is no SuperUser sees himself."""
        me, rows = asker(request), User.objects.all()
        page, token = page_of(rows if me.is_superuser else rows.filter(pk=me.pk), "username", query)
        return {"usage": [holding_row(holding_of_user(user)) for user in page], "next_token": token}


class QuotaAlerts(View):
    """What is near its bounds."""

    tag = "Quotas"

    @endpoint("list_quota_alerts", answer=Alerts)
    def get(self, request: Request) -> dict[str, Any]:
        """List what is near a quota or has reached it, the fullest first."""
        del request
        return {"alerts": [holding_row(holding) for holding in alerts()]}


def holding_row(holding: Holding) -> dict[str, Any]:
    """Show what something holds and may hold."""
    return {
        "kind": holding.kind.value,
        "name": holding.name,
        "used_bytes": holding.used.bytes,
        "used_objects": holding.used.versions,
        "quota": None if holding.quota is None else msgspec.to_builtins(holding.quota),
        "percent": holding.percent,
        "state": holding.state.value,
    }
