"""What the pages of Operations and Settings have in common: for SuperUsers, one way to be shown."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.template.response import TemplateResponse

from iam.console import is_superuser

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse


class Fact(NamedTuple):
    """One figure on a card: what it is, how much, a word of explanation, and how it looks."""

    title: str
    value: str
    note: str = ""
    look: str = ""  # "" | good | warning | bad


def for_superusers(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Show a page to SuperUsers alone; who is not signed in is sent to do so."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not is_superuser(request):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return admin.site.admin_view(guarded)


def show(
    request: HttpRequest, template: str, title: str, context: dict[str, Any]
) -> TemplateResponse:
    """Answer with a page of the console."""
    common = {**admin.site.each_context(request), "title": title}
    return TemplateResponse(request, f"operations/{template}.html", common | context)
