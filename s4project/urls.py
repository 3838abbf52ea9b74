"""The console's addresses: the Django admin at the root, the REST API and health beside it."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from buckets import simulator
from iam import entrance
from s4project import error_pages


def live(request: HttpRequest) -> HttpResponse:
    """Answer that the process is up."""
    del request
    return HttpResponse("ok", content_type="text/plain")


handler400 = error_pages.bad_request
handler403 = error_pages.permission_denied
handler404 = error_pages.page_not_found
handler500 = error_pages.server_error

urlpatterns = [
    path("api/", include("s4project.api.urls")),
    path("health/live", live),
    path("login/", entrance.login),
    path("password_change/", admin.site.admin_view(entrance.change_password)),
    path("access/", admin.site.admin_view(simulator.page), name="access_simulator"),
    path("", admin.site.urls),
]
