"""Signing in and out, and what concerns nobody but who asks."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.contrib.auth import authenticate
from rest_framework import serializers

from iam import services
from iam.api.fields import Given, Text
from iam.api.permissions import Anybody, SignedIn, asker
from iam.api.tokens import make_token
from iam.api.users import UserRow, user_row
from iam.api.view import THROTTLED, View, endpoint
from iam.audit_signals import signed_in
from iam.errors import WrongPassword
from iam.models import User

if TYPE_CHECKING:
    from rest_framework.request import Request

PASSWORD_CHARACTERS_MAX = 1024


class SignIn(Given):
    """Who signs in."""

    username = Text(max_length=150)
    password = Text(max_length=PASSWORD_CHARACTERS_MAX)


class NewToken(serializers.Serializer[Any]):
    """A token, and when it ends by itself."""

    token = serializers.CharField(help_text="To be sent as `Authorization: Bearer TOKEN`.")
    expires_at = serializers.DateTimeField()


class NewPassword(Given):
    """Another password of one's own."""

    current_password = Text(max_length=PASSWORD_CHARACTERS_MAX)
    new_password = Text(max_length=PASSWORD_CHARACTERS_MAX)


def sign_in(request: Request, username: str, password: str) -> User:
    """Find the user whom a name and a password belong to; WrongPassword, TooManySignIns."""
    user = authenticate(request._request, username=username, password=password)  # noqa: SLF001  # DRF's way to Django's own request
    if not isinstance(user, User):
        raise WrongPassword
    return user


class Login(View):
    """Where a token comes from."""

    tag = "Session"

    @endpoint(
        "login",
        body=SignIn,
        answer=NewToken,
        refuses=THROTTLED | {HTTPStatus.UNAUTHORIZED},
        who=Anybody,
    )
    def post(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Sign in with name and password.

        The token ends by itself at `expires_at`, and at once when its user is disabled or deleted,
        is given another role or password, or logs out.
        """
        user = sign_in(request, body["username"], body["password"])
        token = make_token(user)
        signed_in(user)
        return {"token": str(token), "expires_at": token.expires_at}


class Logout(View):
    """Where tokens end."""

    tag = "Session"

    @endpoint("logout", who=SignedIn)
    def post(self, request: Request) -> None:
        """Log out.

        Ends every token that was given to you, this one and those of other programs.
        """
        services.end_tokens(asker(request).pk)


class Me(View):
    """Who asks."""

    tag = "Session"

    @endpoint("get_me", who=SignedIn, answer=UserRow)
    def get(self, request: Request) -> dict[str, Any]:
        """Tell who you are."""
        return user_row(asker(request))


class MyPassword(View):
    """The password of who asks."""

    tag = "Session"

    @endpoint(
        "change_my_password", who=SignedIn, body=NewPassword, refuses={HTTPStatus.TOO_MANY_REQUESTS}
    )
    def put(self, request: Request, body: dict[str, Any]) -> None:
        """Change your password.

        Ends every token and session that you have: log in again.
        """
        me = asker(request)
        sign_in(request, me.username, body["current_password"])
        services.set_password(me.pk, body["new_password"])
