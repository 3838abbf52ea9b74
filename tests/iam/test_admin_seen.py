"""Two administrators at one page: nobody's change is overwritten unseen; nothing slow is locked."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection

from iam import services
from iam.keyring import RoleName
from iam.models import User
from iam.quotas import Quota, read_quota
from tests.people import PASSWORD, browser

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
    }
)


@pytest.fixture
def console(boss: User) -> Client:
    """Sign in as the SuperUser."""
    return browser("boss")


def text(response: HttpResponse) -> str:
    """Read a page."""
    return response.content.decode()


def seen(page: str) -> str:
    """Read what a page says it was filled in with."""
    found = re.search(r'name="seen" value="([^"]+)"', page)
    assert found is not None, "the page changes a row"
    return html.unescape(found[1])


def test_what_another_changed_is_not_overwritten_unseen(console: Client) -> None:
    """Who saves a user that another has changed is told which fields, and may save all the same."""
    ada = services.create_user("ada", RoleName.WRITER)
    services.create_group("lab")
    address = f"/iam/user/{ada.pk}/change/"
    values = {"display_name": "Ada", "email": "", "role": "Writer", "is_active": "on"}
    before = seen(text(console.get(address)))
    services.set_role(ada.pk, RoleName.READER)
    services.set_user_quota(ada.pk, Quota(bytes=4096))
    services.set_groups(ada.pk, ["lab"])
    page = html.unescape(text(console.post(address, {**values, "seen": before})))
    assert "Somebody else has changed this" in page
    assert "role" in page
    assert "size at most" in page
    assert "groups" in page
    ada.refresh_from_db()
    assert (ada.role_id, ada.display_name) == (RoleName.READER, "")
    assert read_quota(ada.quota) == Quota(bytes=4096)
    assert console.post(address, {**values, "seen": seen(page)}).status_code == 302
    ada.refresh_from_db()
    assert (ada.role_id, ada.display_name) == (RoleName.WRITER, "Ada")
    assert "seen" not in LogEntry.objects.get().change_message.lower()


def test_a_document_of_another_is_not_overwritten_unseen(console: Client) -> None:
    """Of two who edit one policy, the second is told."""
    policy = services.create_policy("readers", POLICY)
    address = f"/iam/policy/{policy.pk}/change/"
    before = seen(text(console.get(address)))
    services.update_policy(policy.pk, description="theirs")
    values = {"document": POLICY, "description": "mine", "seen": before}
    assert "Somebody else has changed this" in text(console.post(address, values))
    policy.refresh_from_db()
    assert policy.description == "theirs"


@pytest.mark.parametrize("odd", ["", "{", "[]", '{"role": 1}', "[" * 5000, '{"nobody": "x"}'])
def test_what_was_seen_is_read_with_care(console: Client, odd: str) -> None:
    """A form that does not know what it was filled in with ends in no error page."""
    ada = services.create_user("ada", RoleName.WRITER)
    values = {"display_name": "", "email": "", "role": "Writer", "is_active": "on", "seen": odd}
    assert console.post(f"/iam/user/{ada.pk}/change/", values).status_code in {200, 302}


def test_no_password_is_hashed_while_others_wait(console: Client) -> None:
    """The hash of a new user's password is made before the transaction that makes him."""
    held: list[bool] = []
    encode = Argon2PasswordHasher.encode

    def noted(self: Argon2PasswordHasher, password: str, salt: str) -> str:
        held.append(connection.in_atomic_block)
        return encode(self, password, salt)

    values = {"username": "ada", "role": "Writer", "password1": PASSWORD, "password2": PASSWORD}
    with patch.object(Argon2PasswordHasher, "encode", noted):
        assert console.post("/iam/user/add/", values).status_code == 302
        assert console.post("/iam/user/add/", values).status_code == 200  # there is one already
    assert held
    assert not any(held)
    assert User.objects.get(username="ada").check_password(PASSWORD)
