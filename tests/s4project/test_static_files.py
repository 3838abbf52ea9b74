"""The console's scripts and styles, as a browser asks for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from django.contrib.staticfiles import finders
from django.test import AsyncClient

if TYPE_CHECKING:
    from django.http import HttpResponse

ICON = "/static/s4/icon.svg"


def _get(path: str, **headers: str) -> HttpResponse:
    return asyncio.run(AsyncClient().get(path, headers=headers))


def test_a_file_comes_whole_and_once() -> None:
    """A static file is served byte for byte, and not again to who has it already."""
    path = finders.find("s4/icon.svg")
    assert isinstance(path, str)
    with open(path, "rb") as file:  # noqa: PTH123  # finders speak in plain strings
        expected = file.read()
    first = _get(ICON)
    assert first.status_code == 200
    assert first.content == expected
    assert first["Content-Type"] == "image/svg+xml"
    again = _get(ICON, if_modified_since=first["Last-Modified"])
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/static/", "/static/../settings.py", "/static/s4/none.svg"])
@pytest.mark.django_db
def test_nothing_else_is_served(path: str) -> None:
    """Directories, paths that climb out and missing files end at the login page."""
    answer = _get(path)
    assert (answer.status_code, answer.content) == (302, b"")
