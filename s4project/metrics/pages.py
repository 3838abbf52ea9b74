"""Where Prometheus reads, and who may: who has the token, a SuperUser, or anybody if so set.

The token is asked for first, so that a scrape needs no SQL. It is a setting, or else what the first
start wrote into `metrics.token` in the data directory, from where Prometheus can read it itself.
"""

from __future__ import annotations

import hmac
import os
import secrets
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import Error, close_old_connections
from django.http import HttpResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from iam.api.tokens import ConsoleSession, TokenAuthentication
from iam.models import User

if TYPE_CHECKING:
    from pathlib import Path

    from django.http import HttpRequest

    from s4project.metrics.collecting import Collector
    from s4project.metrics.publishing import Publisher

TOKEN_FILE: Final = "metrics.token"  # noqa: S105  # the name of a file
TOKEN_BYTES: Final = 32


class Source:
    """What this worker serves metrics from; empty before it serves, and where they are off."""

    publisher: Publisher | None = None
    collector: Collector | None = None


source: Final = Source()


def make_token(directory: Path) -> None:
    """Write a token for Prometheus if none is given or there yet; OSError."""
    chosen = settings.S4
    path = directory / TOKEN_FILE
    if not chosen.metrics_enabled or chosen.metrics_token or _given_token(path):
        return
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(TOKEN_BYTES))
        file.flush()
        os.fsync(file.fileno())  # else a power cut could leave the name without the token
    new.replace(path)


def _given_token(path: Path) -> str:
    """Read the token of a file; none where there is no file, or nothing in it; OSError."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return ""


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer every series, in the form that the asker takes."""
    if request.method not in {"GET", "HEAD"}:
        return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET and HEAD do anything here.")
    if not settings.S4.metrics_enabled:
        return _refusal(HTTPStatus.NOT_FOUND, "S4_METRICS_ENABLED is false: there are no metrics.")
    refused = _refused(request)
    if refused is not None:
        return refused
    if source.collector is None or source.publisher is None:
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "There is no room in memory for metrics.")
    close_old_connections()
    source.publisher.publish()
    registry = CollectorRegistry()
    registry.register(source.collector.collect())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type)


def _refused(request: HttpRequest) -> HttpResponse | None:
    """Tell why this asker is told nothing; None: he may read."""
    if settings.S4.metrics_public or _has_token(request):
        return None
    try:
        user = _user(request)
    except Error:
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "The database does not say who you are.")
    if user is None:
        return _refusal(
            HTTPStatus.UNAUTHORIZED,
            "Send the metrics token as a bearer token: S4_METRICS_TOKEN, or the content of "
            f"{TOKEN_FILE} in the data directory.",
        )
    if not user.is_superuser:
        return _refusal(HTTPStatus.FORBIDDEN, "Only a SuperUser may do this.")
    return None


def _has_token(request: HttpRequest) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    expected = settings.S4.metrics_token
    if not expected:
        with suppress(OSError):
            expected = _given_token(settings.S4.data_dir / TOKEN_FILE)
    if scheme.lower() != "bearer" or not expected:
        return False
    return hmac.compare_digest(given.strip().encode(), expected.encode())


def _user(request: HttpRequest) -> User | None:
    """Find out who asks, by a token of the REST API or by the console's session."""
    asked = Request(request, authenticators=[TokenAuthentication(), ConsoleSession()])
    try:
        user = asked.user
    except APIException:
        return None
    return user if isinstance(user, User) and user.is_active else None


def _refusal(status: HTTPStatus, text: str) -> HttpResponse:
    """Say why not, in a line that a scraper's log shows."""
    answer = HttpResponse(f"{text}\n", content_type="text/plain; charset=utf-8", status=status)
    if status is HTTPStatus.UNAUTHORIZED:
        answer["WWW-Authenticate"] = 'Bearer realm="S4 metrics"'
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        answer["Allow"] = "GET, HEAD"
    return answer
