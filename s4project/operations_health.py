"""The page of health: every check of the store, and of how this very page is reached."""

from __future__ import annotations

import time
from ipaddress import ip_address
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from iam.backends import address_of
from s4project.health import (
    BAD,
    STATES,
    WARNING,
    Check,
    check_quotas,
    checks,
    worst_first,
)
from s4project.operations import for_superusers, show
from s4project.task_words import duration, moment
from s4project.uptime import uptime_seconds

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@for_superusers
def health_page(request: HttpRequest) -> HttpResponse:
    """Show every check, the worst first."""
    more = filter(None, [check_quotas(), check_transport(request)])
    worst = worst_first([*checks(), *more])
    counts = {state: sum(each.state == state for each in worst) for state in STATES}
    context = {
        "checks": worst,
        "state": worst[0].state,
        "summary": _summary(counts),
        "uptime": duration(uptime_seconds()),
        "now": moment(time.time()),
    }
    return show(request, "health", _("Health"), context)


def _summary(counts: dict[str, int]) -> str:
    if counts[BAD]:
        return ngettext(
            "%(count)s thing needs somebody now.",
            "%(count)s things need somebody now.",
            counts[BAD],
        ) % {"count": counts[BAD]}
    if counts[WARNING]:
        return ngettext(
            "All works; %(count)s thing is worth a look.",
            "All works; %(count)s things are worth a look.",
            counts[WARNING],
        ) % {"count": counts[WARNING]}
    return _("All is well.")


def check_transport(request: HttpRequest) -> Check | None:
    """Look whether this very page was asked for over TLS, or from the machine itself."""
    if request.is_secure() or settings.S4.console_url.startswith("https:"):
        return None
    try:
        is_near = ip_address(address_of(request)).is_loopback
    except ValueError:
        is_near = False
    if is_near:
        return None
    advice = _(
        "Set S4_TLS_CERT and S4_TLS_KEY, or put a proxy with TLS in front and name it to S4."
    )
    found = _("This console is used without TLS: passwords travel as they are.")
    return Check(_("Transport"), WARNING, found, advice)
