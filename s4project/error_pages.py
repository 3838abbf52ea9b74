"""What a browser or a program sees when the console cannot answer: a page or a line, and no more.

Nothing of the inside is told: no exception, no path, no setting. The pages need neither database
nor session, so that they work when those do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from django.http import HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

from s4project.sql.trouble import RETRY_SECONDS, is_away_now, is_told

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django_stubs_ext import StrPromise


class Trouble(NamedTuple):
    """One kind of trouble: its title and what a person can do."""

    title: StrPromise
    sentence: StrPromise


TROUBLES: Final = {
    400: Trouble(_("Bad request"), _("The request cannot be understood.")),
    403: Trouble(_("Not allowed"), _("This is not for the user who is signed in.")),
    404: Trouble(_("Not found"), _("There is nothing at this address.")),
    500: Trouble(
        _("Something went wrong"), _("The trouble is in the log of the server. Try again.")
    ),
    503: Trouble(
        _("The database does not answer"),
        _(
            "Users, buckets and settings cannot be seen or changed now. Objects are served as "
            "before. Load the page again in a moment."
        ),
    ),
}
STALE_FORM: Final = Trouble(
    _("The form is out of date"),
    _(
        "Go back, load the page again and send the form once more. The console needs cookies, and "
        "it must be reached by the address that S4_CONSOLE_URL names."
    ),
)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django refuses."""
    del exception
    return answer(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer who may not see a page."""
    del exception
    return answer(request, 403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for what is not there."""
    del exception
    return answer(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for an error of S4's own, which Django logs; a database that is away is none."""
    if not is_away_now():
        return answer(request, 500)
    response = answer(request, 503)
    response["Retry-After"] = str(RETRY_SECONDS)
    return is_told(response)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form without the token of its session, or of a foreign origin."""
    del reason
    return answer(request, 403, STALE_FORM)


def answer(request: HttpRequest, status: int, trouble: Trouble | None = None) -> HttpResponse:
    """Say what is wrong: to programs in JSON, to people as a page."""
    trouble = trouble or TROUBLES[status]
    if request.path.startswith("/api/"):
        return JsonResponse({"error": str(trouble.sentence)}, status=status)
    return HttpResponse(render_to_string("error.html", {"trouble": trouble}), status=status)
