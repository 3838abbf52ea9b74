"""The live trace in the console, for SuperUsers: a page, and the stream of events that it shows."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import structlog
from asgiref.sync import sync_to_async
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user
from django.core.exceptions import PermissionDenied
from django.db import Error, close_old_connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from iam import sessions
from iam.console import is_superuser
from iam.session_store import SessionStore
from s3api.operations.registry import HANDLERS
from s4project.trace.events import Asked
from s4project.trace.watches import NAME, TooManyError, watching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from django.http.response import HttpResponseBase

log = structlog.get_logger(__name__)

RETRY_MS: Final = 2000
REST_SECONDS: Final = 0.25  # between two batches: what comes meanwhile is sent together
SILENCE_SECONDS: Final = 10.0  # then something is sent, so that who is gone is noticed
CHECK_SECONDS: Final = 5.0  # how long one who is let in no more still sees requests
SLOW_MS_MAX: Final = 3_600_000
STATUSES: Final = (
    ("", _("Any")),
    ("4+", _("Failed (4xx, 5xx, no answer)")),
    ("2", "2xx"),
    ("3", "3xx"),
    ("4", "4xx"),
    ("403", "403"),
    ("404", "404"),
    ("5", "5xx"),
    ("0", _("No answer: the client left")),
)
OPERATIONS: Final = (("", _("Any")), *((name, name) for name in sorted(HANDLERS)))
FIELD: Final = {"class": "field", "autocomplete": "off", "spellcheck": "false"}


class Filter(forms.Form):
    """Which requests to watch; what is left empty is not asked for."""

    bucket = forms.CharField(
        required=False, max_length=255, label=_("Bucket"), widget=forms.TextInput(FIELD)
    )
    user = forms.CharField(
        required=False,
        max_length=150,
        label=_("User"),
        widget=forms.TextInput({**FIELD, "placeholder": _("- is anonymous")}),
    )
    operation = forms.ChoiceField(
        required=False, choices=OPERATIONS, label=_("Operation"), widget=forms.Select(FIELD)
    )
    status = forms.ChoiceField(
        required=False, choices=STATUSES, label=_("Status"), widget=forms.Select(FIELD)
    )
    slow_ms = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=SLOW_MS_MAX,
        label=_("Slower than (ms)"),
        widget=forms.NumberInput({**FIELD, "min": 0}),
    )

    def asked(self) -> Asked:
        """Say what is asked for."""
        return Asked(**{name: value for name, value in self.cleaned_data.items() if value})


def page(request: HttpRequest) -> HttpResponse:
    """Show the page; its script asks for the events."""
    if not is_superuser(request):
        raise PermissionDenied
    context = {
        **admin.site.each_context(request),
        "title": _("Live trace"),
        "form": Filter(initial=request.GET.dict(), auto_id="trace-%s"),
    }
    return TemplateResponse(request, "trace/page.html", context)


def events(request: HttpRequest) -> HttpResponseBase:
    """Stream what is asked for, as server-sent events: batches of lines, as a JSON list each."""
    if not is_superuser(request):
        raise PermissionDenied
    form = Filter(request.GET)
    if not form.is_valid():
        return HttpResponse(form.errors.as_text(), content_type="text/plain", status=400)
    stream = _stream(form.asked(), request.session.session_key or "")
    response = StreamingHttpResponse(stream, content_type="text/event-stream")
    response["X-Accel-Buffering"] = "no"  # nginx would keep it back
    return response


async def _stream(asked: Asked, session_key: str) -> AsyncIterator[bytes]:
    """Watch until the client goes, may no more, or the process ends."""
    try:
        with watching(settings.S4.data_dir / NAME, asked) as watch:
            yield b"retry: %d\n\n" % RETRY_MS
            checked = time.monotonic()
            while not watch.is_ended:
                lines = await watch.lines(SILENCE_SECONDS)
                if time.monotonic() - checked >= CHECK_SECONDS:
                    if not await sync_to_async(is_still_let_in, thread_sensitive=False)(
                        session_key
                    ):
                        yield b"event: over\ndata:\n\n"
                        return
                    checked = time.monotonic()
                yield b"data: [" + b",".join(lines) + b"]\n\n" if lines else b":\n\n"
                await asyncio.sleep(REST_SECONDS)
    except TooManyError:
        yield b"event: full\ndata:\n\n"
    except OSError as error:
        log.warning("Nobody can watch requests", error=str(error))
        yield b"event: trouble\ndata:\n\n"


def is_still_let_in(session_key: str) -> bool:
    """Whether a session lasts and is a SuperUser's; to ask makes it last no longer."""
    close_old_connections()
    try:
        request: Any = HttpRequest()
        request.session = SessionStore(session_key)
        request.user = get_user(request)
        return is_superuser(request) and sessions.lasts(request.session, int(time.time()))
    except Error:
        return False
    finally:
        close_old_connections()
