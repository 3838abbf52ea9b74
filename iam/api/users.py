"""Users over HTTP: SuperUsers see and change all of them, everybody else sees himself."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q
from rest_framework import serializers

from iam import services
from iam.api.fields import SEARCH_CHARACTERS_MAX, Flag, Given, Names, QueryFlag, Text
from iam.api.paging import Page, PageQuery, page_of
from iam.api.permissions import SignedIn, asker
from iam.api.view import CONFLICT, MISSING, View, endpoint
from iam.errors import NoSuchUser
from iam.models import User
from iam.services.keys import CREDENTIALS

if TYPE_CHECKING:
    from rest_framework.request import Request


class UserRow(serializers.Serializer[Any]):
    """A user; never a password or a secret."""

    id = serializers.CharField()
    username = serializers.CharField()
    role = serializers.CharField(allow_null=True)
    access_key = serializers.CharField(
        allow_null=True, help_text="The key that `credentials` made; others stand in the keys."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField(help_text="When he, or what he has, was last changed.")
    is_active = serializers.BooleanField()
    is_root = serializers.BooleanField()
    groups = serializers.ListField(child=serializers.CharField())
    policies = serializers.ListField(child=serializers.CharField(), help_text="Attached ones.")
    display_name = serializers.CharField()
    email = serializers.CharField()
    canonical_id = serializers.CharField()
    account_id = serializers.CharField()


class UserPage(Page):
    """A page of users, by name."""

    users = UserRow(many=True)


class UserQuery(PageQuery):
    """Which users are wanted."""

    search = Text(
        required=False,
        max_length=SEARCH_CHARACTERS_MAX,
        help_text="Part of a name, a display name or an address.",
    )
    role = Text(required=False)
    group = Text(required=False)
    is_active = QueryFlag(required=False)


class NewUser(Given):
    """A user to be."""

    username = Text(max_length=150)
    password = Text(required=False, max_length=1024, help_text="Without one: access keys only.")
    role = Text(required=False, allow_null=True, max_length=128, help_text="Name of a role.")
    groups = Names(required=False)
    policies = Names(required=False)
    display_name = Text(required=False, max_length=150, allow_blank=True)
    email = Text(required=False, max_length=254, allow_blank=True)


class UserChange(Given):
    """What is to be another; what is not named stays."""

    password = Text(required=False, max_length=1024)
    role = Text(required=False, allow_null=True, max_length=128)
    groups = Names(required=False)
    policies = Names(required=False)
    is_active = Flag(required=False)
    display_name = Text(required=False, max_length=150, allow_blank=True)
    email = Text(required=False, max_length=254, allow_blank=True)


class Credentials(serializers.Serializer[Any]):
    """An access key; its secret is shown this once."""

    access_key = serializers.CharField()
    secret_key = serializers.CharField()


def user_row(user: User) -> dict[str, Any]:
    """Show a user."""
    keys = [key.access_key for key in user.access_keys.all() if key.name == CREDENTIALS]
    return {
        "id": str(user.pk),
        "username": user.username,
        "role": user.role_id,
        "access_key": keys[0] if keys else None,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "is_active": user.is_active,
        "is_root": user.is_root,
        "groups": sorted(group.name for group in user.groups.all()),
        "policies": sorted(policy.name for policy in user.policies.all()),
        "display_name": user.display_name,
        "email": user.email,
        "canonical_id": user.canonical_id,
        "account_id": user.account_id,
    }


def seen_user(request: Request, user_id: int) -> User:
    """Find a user whom who asks may see; NoSuchUser, also for others' eyes."""
    me = asker(request)
    user = User.objects.filter(pk=user_id).first()
    if user is None or not (me.is_superuser or me.pk == user.pk):
        raise NoSuchUser(user_id)
    return user


class Users(View):
    """All users."""

    @endpoint("list_users", who=SignedIn, query=UserQuery, answer=UserPage)
    def get(self, request: Request, query: dict[str, Any]) -> dict[str, Any]:
        """List users by name; one who is no SuperUser sees himself."""
        me, rows = (
            asker(request),
            User.objects.prefetch_related("access_keys", "groups", "policies"),
        )
        if not me.is_superuser:
            rows = rows.filter(pk=me.pk)
        if "role" in query:
            rows = rows.filter(role_id=query["role"])
        if "group" in query:
            rows = rows.filter(groups__name=query["group"])
        if "is_active" in query:
            rows = rows.filter(is_active=query["is_active"])
        if word := query.get("search"):
            rows = rows.filter(
                Q(username__icontains=word)
                | Q(display_name__icontains=word)
                | Q(email__icontains=word)
            )
        page, token = page_of(rows, "username", query)
        return {"users": [user_row(user) for user in page], "next_token": token}

    @endpoint(
        "create_user",
        body=NewUser,
        answer=UserRow,
        status=HTTPStatus.CREATED,
        refuses=MISSING | CONFLICT,
    )
    def post(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Make a user."""
        user = services.create_user(body.pop("username"), body.pop("role", None), **body)
        return user_row(seen_user(request, user.pk))


class OneUser(View):
    """A user."""

    @endpoint("get_user", who=SignedIn, answer=UserRow, refuses=MISSING)
    def get(self, request: Request, user_id: int) -> dict[str, Any]:
        """Show a user."""
        return user_row(seen_user(request, user_id))

    @endpoint(
        "update_user",
        body=UserChange,
        answer=UserRow,
        refuses=MISSING | CONFLICT,
    )
    def put(self, request: Request, user_id: int, body: dict[str, Any]) -> dict[str, Any]:
        """Change a user: all that is asked for, or nothing.

        Another role or password, or being disabled, ends his tokens at once.
        """
        user, encoded = seen_user(request, user_id), ""
        if "password" in body:
            encoded = services.hash_password(user.pk, body["password"])
        with transaction.atomic():
            if "role" in body:
                services.set_role(user.pk, body["role"])
            if "groups" in body:
                services.set_groups(user.pk, body["groups"])
            if "policies" in body:
                services.set_policies(user.pk, body["policies"])
            if "is_active" in body:
                services.set_active(user.pk, active=body["is_active"])
            if profile := {name: body[name] for name in ("display_name", "email") if name in body}:
                services.update_profile(user.pk, **profile)
            if encoded:
                services.keep_hash(user.pk, encoded)
        return user_row(seen_user(request, user_id))

    @endpoint("delete_user", refuses=MISSING | CONFLICT)
    def delete(self, request: Request, user_id: int) -> None:
        """Delete a user with his keys; his buckets must be gone before."""
        del request
        services.delete_user(user_id)


class UserCredentials(View):
    """The one key that programs know which expect each user to have one."""

    @endpoint(
        "rotate_credentials",
        who=SignedIn,
        answer=Credentials,
        status=HTTPStatus.CREATED,
        refuses=MISSING,
    )
    def post(self, request: Request, user_id: int) -> Any:
        """Make the user's credentials anew.

        The key that this call made before ends at once; keys of other names stay. The secret is
        shown in this answer and never again.
        """
        return services.rotate_credentials(seen_user(request, user_id).pk)

    @endpoint("delete_credentials", who=SignedIn, refuses=MISSING)
    def delete(self, request: Request, user_id: int) -> None:
        """Delete the user's credentials, as far as this call's counterpart made them."""
        services.delete_credentials(seen_user(request, user_id).pk)
