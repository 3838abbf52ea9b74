"""How the console looks: titles, colours, navigation, the figures on its first page.

`UNFOLD` is read by django-unfold. Nothing here may import Django's apps at import time: settings
read this module. Every font, style and script is served by S4 itself.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django_stubs_ext import StrPromise


def no_colors(request: HttpRequest) -> dict[str, Any]:
    """Let the theme write no colours into its pages: they stand in theme.css."""
    del request
    return {}


def asset(name: str, request: HttpRequest) -> str:
    """Tell where a file of the console's own is."""
    del request
    return static(name)


icon: Final = partial(asset, "s4/icon.svg")


def may_administer(request: HttpRequest) -> bool:
    """Whether the pages for SuperUsers are for this user."""
    from iam.console import is_superuser  # noqa: PLC0415  # models exist only after start-up

    return is_superuser(request)


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the first page shows: of the store for SuperUsers, else of what is theirs."""
    from s4project import dashboard as first_page  # noqa: PLC0415  # as above

    return {**context, "title": _("Dashboard"), **first_page.context(request)}


def _link(title: StrPromise, symbol: str, page: str, **more: Any) -> dict[str, Any]:
    """Make one line of the navigation."""
    return {"title": title, "icon": symbol, "link": reverse_lazy(page), **more}


def _inner_link(title: StrPromise, symbol: str, page: str) -> dict[str, Any]:
    """Make a line that SuperUsers see."""
    return _link(title, symbol, page, permission=may_administer)


UNFOLD: Final[dict[str, Any]] = {
    "SITE_TITLE": "S4",
    "SITE_HEADER": "S4",
    "SITE_SUBHEADER": _("Object store"),
    "SITE_URL": None,
    "SITE_ICON": icon,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": icon}],
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "LOGIN": {"form": "iam.forms.SignInForm"},
    "COLORS": no_colors,
    "STYLES": [
        partial(asset, "s4/theme.css"),
        partial(asset, "s4/controls.css"),
        partial(asset, "s4/editor.css"),
    ],
    "SCRIPTS": [partial(asset, "s4/theme.js"), partial(asset, "s4/reach.js")],
    "DASHBOARD_CALLBACK": "s4project.console.dashboard",
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "items": [
                    _link(_("Dashboard"), "dashboard", "admin:index"),
                    _link(_("Browse"), "folder_open", "browse"),
                    _link(_("Buckets"), "database", "admin:buckets_bucket_changelist"),
                ],
            },
            {
                "title": _("Identity"),
                "items": [
                    _inner_link(_("Users"), "person", "admin:iam_user_changelist"),
                    _inner_link(_("Groups"), "group", "admin:iam_group_changelist"),
                    _inner_link(_("Roles"), "badge", "admin:iam_role_changelist"),
                    _inner_link(_("Policies"), "policy", "admin:iam_policy_changelist"),
                    _link(_("Access keys"), "key", "admin:iam_accesskey_changelist"),
                    _link(_("Access simulator"), "fact_check", "access_simulator"),
                ],
            },
            {
                "title": _("Operations"),
                "items": [
                    _inner_link(_("Live trace"), "stream", "trace"),
                    _inner_link(_("Audit log"), "history", "admin:iam_auditentry_changelist"),
                    _inner_link(_("Jobs"), "schedule", "operations_jobs"),
                    _inner_link(_("Volumes"), "storage", "operations_volumes"),
                    _inner_link(_("Uploads"), "upload_file", "operations_uploads"),
                    _inner_link(_("Damaged payloads"), "broken_image", "operations_damaged"),
                    _inner_link(_("Health"), "monitor_heart", "operations_health"),
                ],
            },
            {
                "title": _("Settings"),
                "items": [
                    _inner_link(_("In force"), "tune", "settings_in_force"),
                    _inner_link(_("Version"), "info", "settings_version"),
                ],
            },
        ],
    },
}
