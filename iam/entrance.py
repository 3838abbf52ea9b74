"""The console's door: signing in, and another password of one's own.

Django's and the theme's views, which say by HTTP, too, that a client must wait.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.urls import reverse_lazy

from iam.backends import address_of
from iam.forms import OwnPasswordForm

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase


def login(request: HttpRequest) -> HttpResponseBase:
    """Show the form for name and password, or take it."""
    return _with_wait(admin.site.login(request))


def change_password(request: HttpRequest) -> HttpResponseBase:
    """Show the form for another password, or take it."""
    request.current_app = admin.site.name  # as the admin does
    view = OwnPassword.as_view(extra_context=admin.site.each_context(request))
    return _with_wait(view(request))


class OwnPassword(PasswordChangeView):
    """Another password for who is signed in; his session goes on, his others end."""

    form_class = OwnPasswordForm
    success_url = reverse_lazy("admin:password_change_done")

    def get_form_kwargs(self) -> dict[str, Any]:
        """Tell the form from where the old password comes."""
        return {**super().get_form_kwargs(), "address": address_of(self.request)}


def _with_wait(response: HttpResponseBase) -> HttpResponseBase:
    """Say by status and header what the form on a page says: wait (RFC 6585, 4)."""
    form = (getattr(response, "context_data", None) or {}).get("form")
    if seconds := getattr(form, "wait_seconds", 0):
        response.status_code = HTTPStatus.TOO_MANY_REQUESTS
        response.headers["Retry-After"] = str(seconds)
    return response
