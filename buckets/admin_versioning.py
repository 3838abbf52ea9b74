"""The section of a bucket's page on versions: whether they are kept, and how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext

from buckets import services
from buckets.console import Section, ask_policies
from storage_engine import Versioning
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from buckets.models import Bucket


class VersioningSection(Section):
    """Turns versioning on, and suspends it."""

    slug = "versioning"
    template = "admin/buckets/versioning.html"

    def actions(self) -> dict[str, Callable[[HttpRequest, Bucket], HttpResponse]]:
        """Name what can be asked for."""
        return {"enable": self._enable, "suspend": self._suspend}

    def context(self, request: HttpRequest, bucket: Bucket) -> dict[str, Any]:
        """Show how it stands."""
        del request
        counts = get_engine().namespace_counts(bucket.pk)
        return {
            "is_enabled": bucket.versioning == Versioning.ENABLED,
            "is_suspended": bucket.versioning == Versioning.SUSPENDED,
            "is_locked": bucket.object_lock is not None,
            "facts": [
                (gettext("Objects"), f"{counts.objects:,}"),
                (
                    gettext("Noncurrent versions"),
                    f"{counts.versions - counts.markers - counts.objects:,}",
                ),
                (gettext("Delete markers"), f"{counts.markers:,}"),
            ],
        }

    def _enable(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        return self._set(request, bucket, Versioning.ENABLED, gettext("Versioning is enabled."))

    def _suspend(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        return self._set(request, bucket, Versioning.SUSPENDED, gettext("Versioning is suspended."))

    def _set(
        self, request: HttpRequest, bucket: Bucket, versioning: Versioning, said: str
    ) -> HttpResponse:
        """Set it, as PutBucketVersioning would."""

        def change() -> None:
            ask_policies(request, "s3:PutBucketVersioning", bucket.name)
            services.configure_bucket(bucket.pk, versioning=versioning)

        return self.save(request, bucket, change, said)
