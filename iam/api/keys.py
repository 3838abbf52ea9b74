"""Access keys over HTTP: any number for each user. A secret leaves once, when its key is made."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.db import transaction
from rest_framework import serializers

from iam import services
from iam.api.fields import Document, Flag, Given, Text, Whole
from iam.api.paging import Page, PageQuery, page_of
from iam.api.permissions import SignedIn
from iam.api.users import Credentials, seen_user
from iam.api.view import MISSING, View, endpoint
from iam.errors import NoSuchAccessKey
from iam.models import AccessKey
from iam.rates import RATE_MAX

if TYPE_CHECKING:
    from rest_framework.request import Request


class KeyRow(serializers.Serializer[Any]):
    """An access key, without its secret."""

    access_key = serializers.CharField()
    name = serializers.CharField()
    is_enabled = serializers.BooleanField()
    expires_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    policy = Document(allow_null=True, help_text="What the key may of all that its user may.")


class KeyPage(Page):
    """A page of one user's keys, by key."""

    keys = KeyRow(many=True)


class RateRow(serializers.Serializer[Any]):
    """How many requests a second are served."""

    requests_per_second = serializers.IntegerField(
        allow_null=True, help_text="0: no limit; null: as the settings say."
    )


class RateForm(Given):
    """How many requests a second are served at most."""

    requests_per_second = Whole(
        min_value=0, max_value=RATE_MAX, help_text="More are answered `503 SlowDown`; 0: no limit."
    )


class NewKeyRow(KeyRow, Credentials):
    """A key made just now, with its secret."""


class NewKeyGiven(Given):
    """A key to be."""

    name = Text(required=False, max_length=100, allow_blank=True, help_text="What it is for.")
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    policy = Document(
        required=False,
        is_dense=True,
        help_text="AWS's JSON, which only narrows what the user may; at most 2,048 characters.",
    )


class KeyChange(Given):
    """What is to be another; what is not named stays."""

    name = Text(required=False, max_length=100, allow_blank=True)
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="The past ends the key now, null never."
    )
    is_enabled = Flag(required=False)
    policy = Document(
        required=False, allow_null=True, is_dense=True, help_text="null takes it off."
    )


class Keys(View):
    """All keys of a user."""

    @endpoint("list_keys", who=SignedIn, query=PageQuery, answer=KeyPage, refuses=MISSING)
    def get(self, request: Request, user_id: int, query: dict[str, Any]) -> dict[str, Any]:
        """List a user's access keys."""
        rows = AccessKey.objects.filter(user_id=seen_user(request, user_id).pk)
        page, token = page_of(rows, "access_key", query)
        return {"keys": page, "next_token": token}

    @endpoint(
        "create_key",
        who=SignedIn,
        body=NewKeyGiven,
        answer=NewKeyRow,
        status=HTTPStatus.CREATED,
        refuses=MISSING,
    )
    def post(self, request: Request, user_id: int, body: dict[str, Any]) -> AccessKey:
        """Make an access key; its secret is in this answer and in no other."""
        new = services.create_key(seen_user(request, user_id).pk, **body)
        row = AccessKey.objects.get(access_key=new.access_key)
        row.secret_key = new.secret_key  # type: ignore[attr-defined]  # no column, shown once
        return row


class OneKey(View):
    """A key of a user."""

    @endpoint("get_key", who=SignedIn, answer=KeyRow, refuses=MISSING)
    def get(self, request: Request, user_id: int, access_key: str) -> AccessKey:
        """Show an access key."""
        return _seen_key(request, user_id, access_key)

    @endpoint("update_key", who=SignedIn, body=KeyChange, answer=KeyRow, refuses=MISSING)
    def put(
        self, request: Request, user_id: int, access_key: str, body: dict[str, Any]
    ) -> AccessKey:
        """Change an access key: all that is asked for, or nothing."""
        row = _seen_key(request, user_id, access_key)
        is_enabled = body.pop("is_enabled", None)
        if "policy" in body:
            body["policy"] = body["policy"] or ""
        with transaction.atomic():
            if body:
                services.update_key(row.access_key, **body)
            if is_enabled is not None:
                services.set_key_enabled(row.access_key, enabled=is_enabled)
        return _seen_key(request, user_id, access_key)

    @endpoint("delete_key", who=SignedIn, refuses=MISSING)
    def delete(self, request: Request, user_id: int, access_key: str) -> None:
        """Delete an access key for ever."""
        services.delete_key(_seen_key(request, user_id, access_key).access_key)


class KeyRate(View):
    """How many requests a second a key may sign."""

    @endpoint("get_key_rate_limit", who=SignedIn, answer=RateRow, refuses=MISSING)
    def get(self, request: Request, user_id: int, access_key: str) -> AccessKey:
        """Tell how many requests a second an access key may sign."""
        return _seen_key(request, user_id, access_key)

    @endpoint("put_key_rate_limit", body=RateForm, refuses=MISSING)
    def put(self, request: Request, user_id: int, access_key: str, body: dict[str, Any]) -> None:
        """Limit how many requests a second an access key may sign."""
        row = _seen_key(request, user_id, access_key)
        services.set_key_rate(row.access_key, body["requests_per_second"])

    @endpoint("delete_key_rate_limit", refuses=MISSING)
    def delete(self, request: Request, user_id: int, access_key: str) -> None:
        """Have the settings say how many requests a second an access key may sign."""
        services.set_key_rate(_seen_key(request, user_id, access_key).access_key, None)


def _seen_key(request: Request, user_id: int, access_key: str) -> AccessKey:
    """Find a key of a user whom who asks may see; NoSuchUser, NoSuchAccessKey."""
    user = seen_user(request, user_id)
    row = AccessKey.objects.filter(user_id=user.pk, access_key=access_key).first()
    if row is None:
        raise NoSuchAccessKey(access_key)
    return row
