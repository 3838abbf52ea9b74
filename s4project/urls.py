"""The console's addresses: the Django admin at the root, the REST API beside it.

Health, S3 for pages of the console and downloads stand before Django: `s4project.asgi`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.urls import include, path
from django.views.i18n import JavaScriptCatalog

from buckets import simulator
from iam import entrance, policy_check
from s4project import browse, dashboard, error_pages
from s4project.metrics import pages as metrics
from s4project.trace import pages as trace

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


def find_pages(request: HttpRequest) -> HttpResponse:
    """Find the console's pages by what they are called: few enough to stand on one page."""
    asked = request.GET.copy()
    asked.pop("page", None)  # the theme trips over one that there is not
    request.GET = asked  # type: ignore[assignment]  # one that could be changed is as good
    response: HttpResponse = admin.site.search(request)  # type: ignore[attr-defined]  # the theme's
    return response


admin.autodiscover()  # here, not at every start: commands and jobs have no pages

# What scripts say to people, Django's and ours.
words = JavaScriptCatalog.as_view(packages=["django.contrib.admin", "iam", "buckets", "s4project"])

handler400 = error_pages.bad_request
handler403 = error_pages.permission_denied
handler404 = error_pages.page_not_found
handler500 = error_pages.server_error

urlpatterns = [
    path("api/", include("s4project.api.urls")),
    path("metrics", metrics.metrics, name="metrics"),
    *(
        path(f"minio/v2/metrics/{part}", metrics.metrics)  # MinIO's, for who scrapes them already
        for part in ("cluster", "node", "bucket", "resource")
    ),
    path("login/", entrance.login),
    path("password_change/", admin.site.admin_view(entrance.change_password)),
    path("figures/", admin.site.admin_view(dashboard.over_time), name="figures"),
    path("trace/", admin.site.admin_view(trace.page), name="trace"),
    path("trace/events/", admin.site.admin_view(trace.events), name="trace_events"),
    path("search/", admin.site.admin_view(find_pages)),
    path("access/", admin.site.admin_view(simulator.page), name="access_simulator"),
    path("policy-check/", admin.site.admin_view(policy_check.page), name="policy_check"),
    path("", include("s4project.operations_urls")),
    path("jsi18n/", admin.site.admin_view(words)),
    path("browse/", admin.site.admin_view(browse.buckets), name="browse"),
    path("browse/<str:name>", admin.site.admin_view(browse.bucket), name="browse_bucket"),
    path("browse/<str:name>/rights", admin.site.admin_view(browse.rights), name="browse_rights"),
    path("", admin.site.urls),
]
