"""The console's addresses: the Django admin at the root, health beside it."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path


def live(request: HttpRequest) -> HttpResponse:
    """Answer that the process is up."""
    del request
    return HttpResponse("ok", content_type="text/plain")


urlpatterns = [
    path("health/live", live),
    path("", admin.site.urls),
]
