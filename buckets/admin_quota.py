"""The section of a bucket's page on its quota: how much is used of what it may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext

from buckets import services
from buckets.admin_use import use_facts
from buckets.console import Section
from buckets.forms import QuotaForm
from buckets.usage import holding_of_bucket, holding_of_user
from iam.console import is_superuser
from iam.forms_quotas import fields_of, quota_from
from iam.quotas import read_quota

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from buckets.models import Bucket


class QuotaSection(Section):
    """Shows the quota and what is used of it; SuperUsers set it: it bounds whose the bucket is."""

    slug = "quota"
    template = "admin/buckets/quota.html"

    def may_set(self, request: HttpRequest, bucket: Bucket) -> bool:
        """Let SuperUsers alone set a bound to what others store."""
        del bucket
        return is_superuser(request)

    def actions(self) -> dict[str, Callable[[HttpRequest, Bucket], HttpResponse]]:
        """Name what can be asked for."""
        return {"set": self._set}

    def context(self, request: HttpRequest, bucket: Bucket) -> dict[str, Any]:
        """Show what is used of what."""
        del request
        quota = read_quota(bucket.quota)
        return {
            "quota": quota,
            "form": QuotaForm(
                initial={**fields_of(quota), "requests_per_second": bucket.requests_per_second}
            ),
            "facts": use_facts(holding_of_bucket(bucket)),
            "owner_facts": use_facts(holding_of_user(bucket.owner)) if bucket.owner.quota else [],
        }

    def _set(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        form = QuotaForm(request.POST)

        def change() -> None:
            with transaction.atomic():
                services.set_quota(bucket.pk, quota_from(form.cleaned_data))
                services.set_rate(bucket.pk, form.cleaned_data["requests_per_second"])

        return self.save_form(request, bucket, form, change, gettext("The quota was changed."))
