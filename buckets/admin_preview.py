"""The page that tells what the lifecycle rules of a bucket would do, now or on a day; read only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from buckets.admin_lifecycle import rules_of
from buckets.console import Section, ask_policies
from buckets.forms_lifecycle import MomentForm, day_ms
from buckets.lifecycle_preview import preview

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from django.http import HttpRequest

    from buckets.models import Bucket
    from storage_engine import LifecycleRule

# Who is told what is there may be told it by S3, too.
ACTIONS = ("s3:GetLifecycleConfiguration", "s3:ListBucketVersions")


class PreviewSection(Section):
    """Tells what the rules that are set would do."""

    slug = "preview"
    tab = "lifecycle"
    template = "admin/buckets/preview.html"

    def context(self, request: HttpRequest, bucket: Bucket) -> dict[str, Any]:
        """Look for what would be done."""
        form = MomentForm(request.GET)
        told: dict[str, Any] = {"form": form, "rules_count": len(rules_of(bucket))}
        if not form.is_valid():
            return told
        day, after_key = form.cleaned_data["at"], request.GET.get("after", "")
        try:
            told |= look(request, bucket, None, day, after_key)
        except self.refusals as error:
            return told | {"refusal": str(error)}
        following = {"at": day.isoformat() if day else "", "after": told["preview"].next_key}
        return told | {"next_query": urlencode(following)}


def look(
    request: HttpRequest,
    bucket: Bucket,
    rules: Sequence[LifecycleRule] | None,
    day: date | None,
    after_key: str,
) -> dict[str, Any]:
    """Look for what rules (None: those that are set) would do, for the page; NotAllowed."""
    for action in ACTIONS:
        ask_policies(request, action, bucket.name)
    at_ms = None if day is None else day_ms(day)
    found = preview(bucket, rules, at_ms=at_ms, after_key=after_key)
    return {"preview": found, "day": day, "after": after_key}
