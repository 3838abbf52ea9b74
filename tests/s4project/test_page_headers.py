"""The headers that every answer of the console carries, and the pages shown when there is none."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

import pytest
from csp.decorators import csp_update
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpResponse as Reply
from django.test import Client, RequestFactory
from django.urls import path

from iam.keyring import RoleName
from s4project import error_pages
from s4project.page_headers import OBJECTS
from s4project.urls import *  # noqa: F403  # these tests' URLs are the console's and some more
from s4project.urls import urlpatterns as console_patterns
from tests.people import browser, person
from tests.stores import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django.http import HttpRequest, HttpResponse
    from pytest_django.fixtures import SettingsWrapper

INSIDE = "what only the inside knows"


def breaks(request: HttpRequest) -> HttpResponse:
    """Fail as the query says."""
    kinds = {"400": SuspiciousOperation, "403": PermissionDenied, "500": RuntimeError}
    raise kinds[request.GET["status"]](INSIDE)


@csp_update(OBJECTS)
def shows(request: HttpRequest) -> HttpResponse:
    """Show stored objects."""
    del request
    return Reply("shown")


urlpatterns = [
    path("breaks", breaks),
    path("api/breaks", breaks),
    path("shows", shows),
    *console_patterns,
]


@pytest.fixture
def client(settings: SettingsWrapper, tmp_path: Path, transactional_db: None) -> Iterator[Client]:
    """Sign in as a SuperUser to a console with some pages that break."""
    settings.ROOT_URLCONF = __name__
    with opened(settings, tmp_path):
        person("boss", RoleName.SUPERUSER)
        client = browser("boss")
        client.raise_request_exception = False
        yield client


def policy(response: HttpResponse) -> dict[str, str]:
    """Read the security policy of an answer: the sources of each directive."""
    directives = response["Content-Security-Policy"].split("; ")
    return {name: sources for name, _, sources in (each.partition(" ") for each in directives)}


def assert_closed(response: HttpResponse) -> None:
    """Insist on the headers that each answer has."""
    allowed = policy(response)
    assert allowed["default-src"] == "'none'"
    for directive in ("object-src", "base-uri", "frame-ancestors"):
        assert allowed[directive] == "'none'"
    assert allowed["form-action"] == "'self'"
    assert "unsafe" not in response["Content-Security-Policy"]
    for directive in ("script-src", "style-src", "img-src", "font-src"):
        assert all("/" in source for source in allowed[directive].split())
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in response["Permissions-Policy"]


@pytest.mark.parametrize(
    "target",
    [
        *("/", "/iam/user/", "/iam/user/add/", "/buckets/bucket/", "/jsi18n/"),
        *("/nothing", "/breaks?status=400", "/breaks?status=403", "/breaks?status=500"),
        *("/api/breaks?status=403", "/api/nothing", "/iam/user/99/change/"),
    ],
)
def test_every_answer_is_closed_and_kept_by_nobody(client: Client, target: str) -> None:
    """Pages, errors and answers to programs carry the policy, and no cache keeps them."""
    for user in (client, Client(raise_request_exception=False)):
        response = user.get(target)
        assert_closed(response)
        assert "no-store" in response["Cache-Control"]


def test_a_static_file_is_closed_and_may_be_kept(client: Client) -> None:
    """Scripts and styles carry the policy too, and a browser may keep them."""
    response = client.get("/static/s4/theme.js")
    assert response.status_code == 200
    assert_closed(response)
    assert "no-store" not in response["Cache-Control"]


def test_the_policy_names_the_host_that_was_asked(
    client: Client, settings: SettingsWrapper
) -> None:
    """Files may come from below /static/ of the host asked, and of the console's URL."""
    asked = client.get("/", headers={"host": "console.example:9001"})
    assert policy(asked)["style-src"] == "console.example:9001/static/"
    settings.S4 = dataclasses.replace(settings.S4, console_url="https://console.example")
    sources = policy(client.get("/", headers={"host": "inside:9001"}))["script-src"].split()
    assert set(sources) == {
        *("inside:9001/static/", "inside:9001/jsi18n/"),
        *("console.example/static/", "console.example/jsi18n/"),
    }
    # No policy can name an IPv6 address.
    settings.S4 = dataclasses.replace(settings.S4, console_url="")
    assert policy(client.get("/", headers={"host": "[::1]:9001"}))["style-src"] == "'self'"


def test_a_page_shows_objects_as_pictures_and_films_alone(client: Client) -> None:
    """Objects are shown from below /s3/ of the host asked, and never as a frame or a script."""
    allowed = policy(client.get("/shows", headers={"host": "console.example"}))
    assert set(allowed["img-src"].split()) == {"console.example/static/", "console.example/s3/"}
    assert allowed["media-src"] == "console.example/s3/"
    assert "/s3/" not in allowed["script-src"] + allowed["style-src"]
    assert "frame-src" not in allowed
    assert "media-src" not in policy(client.get("/"))


def test_only_https_is_asked_for_again(client: Client, settings: SettingsWrapper) -> None:
    """HSTS comes over https, or when the console's URL is one; cookies are secure over https."""
    name = "Strict-Transport-Security"
    plain, secure = client.get("/login/"), client.get("/login/", secure=True)
    assert name not in plain
    assert secure[name] == "max-age=31536000"
    stranger = Client()
    assert not stranger.get("/login/").cookies["s4_csrf"]["secure"]
    assert stranger.get("/login/", secure=True).cookies["s4_csrf"]["secure"]
    settings.S4 = dataclasses.replace(settings.S4, console_url="https://console.example")
    assert name in client.get("/login/")


@pytest.mark.parametrize("status", [400, 403, 500])
def test_an_error_page_tells_nothing_of_the_inside(client: Client, status: int) -> None:
    """What went wrong inside stands on no page; the page is S4's."""
    response = client.get(f"/breaks?status={status}")
    assert response.status_code == status
    page = response.content.decode()
    assert INSIDE not in page
    assert "RuntimeError" not in page
    assert re.search(r"<title>[^<]+ \| S4</title>", page)
    assert str(error_pages.TROUBLES[status].sentence) in page


def test_programs_are_told_in_json(client: Client) -> None:
    """Below /api/ an error is a JSON document."""
    response = client.get("/api/breaks?status=500")
    assert response.status_code == 500
    assert response.json() == {"error": error_pages.TROUBLES[500].sentence}


def test_a_form_without_its_token_is_told_what_to_do(client: Client) -> None:
    """A form that another site sent, or that is too old, gets a page that says so."""
    stranger = Client(enforce_csrf_checks=True)
    response = stranger.post("/login/", {"username": "boss", "password": "x"})
    assert response.status_code == 403
    assert_closed(response)
    page = response.content.decode()
    assert "load the page again" in page
    assert "CSRF" not in page


def test_a_host_that_is_none_is_refused(client: Client) -> None:
    """A Host header that no host can have is a bad request, with the same headers."""
    response = client.get("/", headers={"host": "no host"})
    assert response.status_code == 400
    assert policy(response)["style-src"] == "'self'"


def test_a_missing_page_is_told_to_who_is_signed_in(client: Client) -> None:
    """A stranger is asked to sign in instead, so that he learns of no address."""
    assert client.get("/nothing").status_code == 404
    assert Client().get("/nothing").status_code == 302


def test_errors_need_no_template_engine_of_the_theme() -> None:
    """The page of an error is rendered without user, session or database."""
    page = error_pages.server_error(RequestFactory().get("/")).content.decode()
    assert "unfold/js" not in page
