"""People for console tests: with a password that is hashed once, not once for each test."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from django.contrib.auth.hashers import make_password
from django.test import Client

from iam import services
from iam.models import User

if TYPE_CHECKING:
    from iam.keyring import RoleName

PASSWORD = "correct horse"


@cache
def encoded() -> str:
    """Hash the password everybody has here; Argon2 takes a good part of a second."""
    return make_password(PASSWORD)


def person(username: str, role: RoleName) -> User:
    """Make a user who can sign in."""
    user = services.create_user(username, role)
    User.objects.filter(pk=user.pk).update(password=encoded())
    user.refresh_from_db()
    return user


def browser(username: str) -> Client:
    """Give a browser in which the user is signed in."""
    client = Client()
    client.force_login(User.objects.get(username=username))
    return client
