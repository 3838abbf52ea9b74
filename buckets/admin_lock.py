"""The section of a bucket's page on Object Lock: whether it is on, and the default retention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext, ngettext

from buckets import services
from buckets.configuration import ObjectLockConfiguration
from buckets.console import Section, ask_policies, configuration_of
from buckets.forms import LockingForm, RetentionForm, retention_fields
from storage_engine import Versioning
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from buckets.configuration import DefaultRetention
    from buckets.models import Bucket

ACTION = "s3:PutBucketObjectLockConfiguration"


class LockSection(Section):
    """Turns Object Lock on, and sets what new versions get."""

    slug = "object-lock"
    template = "admin/buckets/lock.html"

    def actions(self) -> dict[str, Callable[[HttpRequest, Bucket], HttpResponse]]:
        """Name what can be asked for."""
        return {"lock": self._lock, "retain": self._retain}

    def context(self, request: HttpRequest, bucket: Bucket) -> dict[str, Any]:
        """Show how it stands."""
        del request
        lock = configuration_of(bucket).object_lock
        retention = None if lock is None else lock.retention
        form = LockingForm if lock is None else RetentionForm
        return {
            "is_locked": lock is not None,
            "is_versioned": bucket.versioning == Versioning.ENABLED,
            "form": form(initial=retention_fields(retention)),
            "facts": [
                (gettext("Default retention"), retention_words(retention)),
                (
                    gettext("Versions with a retention or a legal hold"),
                    f"{get_engine().namespace_counts(bucket.pk).locked:,}",
                ),
            ],
        }

    def _lock(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        return self._set(request, bucket, LockingForm(request.POST), gettext("Object Lock is on."))

    def _retain(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        if bucket.object_lock is None:  # which is turned on by who confirms that it is for ever
            return self.show(request, bucket)
        said = gettext("The default retention was changed.")
        return self._set(request, bucket, RetentionForm(request.POST), said)

    def _set(
        self, request: HttpRequest, bucket: Bucket, form: RetentionForm, said: str
    ) -> HttpResponse:
        """Set it, as PutObjectLockConfiguration would."""

        def change() -> None:
            ask_policies(request, ACTION, bucket.name)
            wanted = ObjectLockConfiguration(retention=form.retention)
            services.configure_bucket(bucket.pk, object_lock=wanted)

        return self.save_form(request, bucket, form, change, said)


def retention_words(retention: DefaultRetention | None) -> str:
    """Say what new versions get of which nothing is said."""
    if retention is None:
        return gettext("none")
    count = retention.years or retention.days
    words = (
        ngettext("%(mode)s, %(count)s year", "%(mode)s, %(count)s years", count)
        if retention.years
        else ngettext("%(mode)s, %(count)s day", "%(mode)s, %(count)s days", count)
    )
    return words % {"mode": retention.mode.value.capitalize(), "count": f"{count:,}"}
