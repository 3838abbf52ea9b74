"""How long a session of the console lasts: so long after its last request, and so long at all.

What a page asks for by itself, to stay up to date, says so and is no use of the session.

What ends it at once (another password or role, being disabled or deleted, a token version that
moved) is in the user's row, which Django compares at each request: `User.get_session_auth_hash`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

BEGAN: Final = "s4_began"
SEEN: Final = "s4_seen"
UNATTENDED: Final = "S4-Unattended"  # a header of requests that no person makes
NOTED_SECONDS: Final = 60  # a request that comes sooner after the last one writes nothing


class SessionLife:
    """Ends sessions whose time is over; stands between Django's sessions and its users."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request, in its session if that still lasts."""
        session, now = request.session, int(time.time())
        if SESSION_KEY in session:
            if not lasts(session, now):
                session.flush()
            elif UNATTENDED not in request.headers and now - session[SEEN] >= NOTED_SECONDS:
                session[SEEN] = now
        return self._get_response(request)


def lasts(session: Any, now: int) -> bool:
    """Whether a session of a user is neither too old nor too long at rest."""
    began, seen = session.get(BEGAN), session.get(SEEN)
    if not isinstance(began, int) or not isinstance(seen, int):
        return False
    is_young = now - began < settings.S4.session_hours * 3600
    return is_young and now - seen < settings.S4.session_idle_minutes * 60


@receiver(user_logged_in)
def begin(request: HttpRequest, **more: Any) -> None:
    """Note when a session began."""
    del more
    request.session[BEGAN] = request.session[SEEN] = int(time.time())
