"""How the console looks: titles, colours, navigation, the figures on its first page.

`UNFOLD` is read by django-unfold. Nothing here may import Django's apps at import time: settings
read this module. Every font, style and script is served by S4 itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.templatetags.static import static
from django.urls import reverse_lazy

if TYPE_CHECKING:
    from django.http import HttpRequest

# Tailwind's teal, in the notation of the theme.
TEAL: Final = {
    "50": "oklch(98.4% .014 180.72)",
    "100": "oklch(95.3% .051 180.801)",
    "200": "oklch(91% .096 180.426)",
    "300": "oklch(85.5% .138 181.071)",
    "400": "oklch(77.7% .152 181.912)",
    "500": "oklch(70.4% .14 182.503)",
    "600": "oklch(60% .118 184.704)",
    "700": "oklch(51.1% .096 186.391)",
    "800": "oklch(43.7% .078 188.216)",
    "900": "oklch(38.6% .063 188.416)",
    "950": "oklch(27.7% .046 192.524)",
}


def icon(request: HttpRequest) -> str:
    """Tell where S4's icon is."""
    del request
    return static("s4/icon.svg")


def may_see_users(request: HttpRequest) -> bool:
    """Whether the users' pages are for this user."""
    from iam.console import is_superuser  # noqa: PLC0415  # models exist only after start-up

    return is_superuser(request)


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the figures of the first page: of the store for SuperUsers, else of what is theirs."""
    from s4project import dashboard as figures  # noqa: PLC0415  # as above

    return {**context, "title": "Overview", "figures": figures.figures(request)}


def _link(title: str, symbol: str, page: str, **more: Any) -> dict[str, Any]:
    """Make one line of the navigation."""
    return {"title": title, "icon": symbol, "link": reverse_lazy(f"admin:{page}"), **more}


UNFOLD: Final[dict[str, Any]] = {
    "SITE_TITLE": "S4",
    "SITE_HEADER": "S4",
    "SITE_SUBHEADER": "Object store",
    "SITE_URL": None,
    "SITE_ICON": icon,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": icon}],
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "COLORS": {"primary": TEAL},
    "DASHBOARD_CALLBACK": "s4project.console.dashboard",
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "title": "Storage",
                "items": [
                    _link("Overview", "dashboard", "index"),
                    _link("Buckets", "database", "buckets_bucket_changelist"),
                ],
            },
            {
                "title": "Identity",
                "items": [
                    _link("Access keys", "key", "iam_accesskey_changelist"),
                    _link("Users", "group", "iam_user_changelist", permission=may_see_users),
                ],
            },
        ],
    },
}
