"""The API's document: valid, whole, without a doubt of the library that makes it."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.urls import get_resolver
from openapi_spec_validator import validate

from tests.calling import Program
from tests.people import browser

if TYPE_CHECKING:
    from pathlib import Path

    from iam.models import User


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Make the document; a warning of the library fails."""
    path: Path = tmp_path_factory.mktemp("schema") / "schema.json"
    options = ("--fail-on-warn", "--validate", "--format", "openapi-json")
    call_command("spectacular", *options, "--file", str(path))
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_document_is_valid(document: Any) -> None:
    """It is OpenAPI 3.1 by the specification's own validator."""
    assert document["openapi"] == "3.1.0"
    validate(document)


def addresses(patterns: Any, prefix: str = "") -> set[str]:
    """List every address below some patterns, its parameters as {name}."""
    found = set()
    for pattern in patterns:
        place = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            found |= addresses(pattern.url_patterns, place)
        elif pattern.callback is not None:
            found.add("/" + re.sub(r"<\w+:(\w+)>", r"{\1}", place))
    return found


def test_every_address_stands_in_the_document(document: Any) -> None:
    """Nothing of the API is left out but its own document and pages."""
    api = {each for each in addresses(get_resolver().url_patterns) if each.startswith("/api/")}
    assert api - document["paths"].keys() == {"/api/", "/api/schema", "/api/docs"}


def test_every_call_is_described(document: Any) -> None:
    """Each has a name, a summary, a heading that is explained, and what it is refused with."""
    names = []
    headings = {tag["name"] for tag in document["tags"]}
    for path, calls in document["paths"].items():
        for call in calls.values():
            names.append(call["operationId"])
            assert call["summary"], path
            assert set(call["tags"]) <= headings
            assert {"400", "405"} <= call["responses"].keys()
            if path != "/api/admin/login":
                assert {"401", "403"} <= call["responses"].keys()
                assert call["security"] == [{"token": []}, {"session": []}]
            if "{" in path:
                assert "404" in call["responses"] or "post" in calls, path
    assert len(set(names)) == len(names)


def test_every_refusal_has_one_form(document: Any) -> None:
    """A sentence under `error`, whatever the status."""
    for name, response in document["components"]["responses"].items():
        assert HTTPStatus(int(name.removeprefix("Refusal"))) >= HTTPStatus.BAD_REQUEST
        schema = response["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Refusal"}


def test_the_document_and_its_pages_are_for_who_has_signed_in(boss: User, rita: User) -> None:
    """A token or a session of anybody opens them; without, one is asked to sign in."""
    assert Program().get("/schema").status == 401
    assert Program(rita).get("/schema").status == 200
    stranger = Program().get("/docs")
    assert (stranger.status, "/login/" in stranger.headers["Location"]) == (302, True)
    client = browser("rita")
    assert client.get("/api/schema").status_code == 200
    assert client.get("/api/docs").status_code == 200


def test_the_pages_work_under_a_strict_policy(boss: User) -> None:
    """No script or style stands in them, and nothing comes from elsewhere."""
    client = browser("boss")
    page = client.get("/api/docs")
    text = page.content.decode()
    assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []
    assert "<style" not in text
    sources = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert all(source.startswith("/") for source in sources)
    policy = page.headers["Content-Security-Policy"]
    nonce = re.search(r'nonce="([^"]+)"', text)
    assert nonce is not None
    assert f"'nonce-{nonce[1]}'" in policy
    assert "unsafe" not in policy
    for source in sources:
        assert client.get(source.replace("&amp;", "&")).status_code == 200
    script = client.get("/api/docs?script=")
    assert script.headers["Content-Type"] == "application/javascript"
    assert "SwaggerUIBundle" in script.content.decode()
