"""Says who is behind a request to the console or REST, and notes what was denied there.

Who it is is asked only when an entry is written: sessions and tokens are read after this room.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from iam.audit.acting import Actor, Via, acting, current_actor, request_id
from iam.audit.notes import Note, Outcome
from iam.services.audit import note_box

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

REST: Final = "/api/"
DENIED: Final = frozenset({401, 403})
MARK_CHARACTERS: Final = 12


class AuditMiddleware:
    """Stands outside sessions and views, so that it sees what they refuse."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request under an id that its entries, its answer and the log carry."""
        number = request_id.get() or secrets.token_hex(8).upper()
        with acting(partial(actor_of, request, number)) as scene:
            response = self._get_response(request)
            if response.status_code in DENIED and not scene.is_refusal_told:
                _note_refusal(request, response.status_code)
        response["X-Request-ID"] = number
        return response


def actor_of(request: HttpRequest, number: str) -> Actor:
    """Tell who asks, as far as sessions and tokens have told by now."""
    user = getattr(request, "user", None)  # none before sessions were read, or Django's nobody
    return Actor(
        Via.REST if request.path.startswith(REST) else Via.CONSOLE,
        getattr(user, "username", ""),
        getattr(user, "canonical_id", ""),
        _credential(request),
        request.META.get("REMOTE_ADDR") or "",
        number,
    )


def _credential(request: HttpRequest) -> str:
    """Mark the token or session that was used, so that entries of one can be told from another's.

    Neither is itself: a session's key would open the session.
    """
    token = getattr(request, "auth", None)
    if token is not None and hasattr(token, "get"):
        return f"token:{token.get('jti', '')[:MARK_CHARACTERS]}"
    key = getattr(getattr(request, "session", None), "session_key", None)
    return f"session:{hashlib.sha256(key.encode()).hexdigest()[:MARK_CHARACTERS]}" if key else ""


def _note_refusal(request: HttpRequest, status: int) -> None:
    """Note that somebody was not let in."""
    actor = current_actor()
    action = "s4:RestRequest" if actor.via is Via.REST else "s4:ConsoleRequest"
    match = request.resolver_match
    detail = {"method": request.method, "status": status, "view": match.view_name if match else ""}
    now_ms = time.time_ns() // 1_000_000
    note_box.put(Note(now_ms, actor, action, request.path, Outcome.DENIED, detail))
