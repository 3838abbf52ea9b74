"""What no browser sends: garbage where the console expects the number of a row."""

from __future__ import annotations

import pytest

from iam.models import User
from tests.people import browser

GARBAGE = ("x", "9" * 30, "-1", "1.5", "\0", "\u00b2", "")
PLACES = (
    *(("/iam/user/add/", "policies"), ("/iam/user/add/", "groups"), ("/iam/user/add/", "role")),
    *(("/iam/accesskey/add/", "user"), ("/iam/role/add/", "includes")),
    *(("/iam/group/add/", "joining"), ("/buckets/bucket/add/", "owner"), ("/access/", "user")),
    *(("/iam/user/", "_selected_action"), ("/iam/accesskey/", "_selected_action")),
)


@pytest.mark.parametrize(("address", "field"), PLACES)
def test_garbage_for_a_row_is_refused(boss: User, address: str, field: str) -> None:
    """Garbage for the number of a row is an error of the form or of the request, never of S4."""
    console = browser("boss")
    for value in GARBAGE:
        values = {"name": "Not!", "username": "Not!", "action": "delete_selected", field: value}
        posted = console.post(address, values)
        assert posted.status_code in {200, 302, 400, 405}, value
        shown = console.get(address, {field: value, "action": "s3:GetObject", "bucket": "b"})
        assert shown.status_code in {200, 302, 400}, value
    assert User.objects.count() == 1


def test_garbage_in_an_address_finds_nothing(boss: User) -> None:
    """Garbage in filters, searches and addresses of rows finds no row, and is no error of S4."""
    console = browser("boss")
    choice = {"app_label": "iam", "model_name": "user", "field_name": "policies"}
    for value in GARBAGE:
        filters = {"groups__id__exact": value, "role__exact": value, "p": value, "o": value}
        assert console.get("/iam/user/", filters).status_code in {200, 302, 400}
        found = console.get("/iam/accesskey/", {"expiry": value, "q": value})
        assert found.status_code == (400 if value == "\0" else 200)
        assert console.get(f"/iam/user/{value}/change/").status_code in {302, 404}
        found = console.get("/autocomplete/", {**choice, "term": value})
        assert found.status_code == 200
