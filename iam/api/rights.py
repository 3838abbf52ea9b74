"""What a user may do over HTTP: all his policies, each with where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from iam.api.fields import Document
from iam.api.permissions import SignedIn
from iam.api.users import seen_user
from iam.api.view import MISSING, View, endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rest_framework.request import Request

    from iam.models import Group, Role, User


class RightRow(serializers.Serializer[Any]):
    """A policy that a user has."""

    holder_kind = serializers.ChoiceField(["user", "group", "role"])
    holder = serializers.CharField(help_text="Name of the user, group or role that has it.")
    policy = serializers.CharField(help_text="Its name.")
    is_inline = serializers.BooleanField()
    document = Document()


class RightsAnswer(serializers.Serializer[Any]):
    """All that a user's policies say; bucket policies and ACLs may add to it, or deny."""

    username = serializers.CharField()
    is_superuser = serializers.BooleanField()
    rights = RightRow(many=True)


class UserRights(View):
    """What a user may do."""

    @endpoint("get_user_rights", who=SignedIn, answer=RightsAnswer, refuses=MISSING)
    def get(self, request: Request, user_id: int) -> dict[str, Any]:
        """List all policies of a user: his own, his groups', his role's and what that includes."""
        user = seen_user(request, user_id)
        return {
            "username": user.username,
            "is_superuser": user.is_superuser,
            "rights": list(_rights(user)),
        }


def _rights(user: User) -> Iterator[dict[str, Any]]:
    """Walk a user's policies."""
    yield from _of("user", user.username, user)
    for group in user.groups.order_by("name"):
        yield from _of("group", group.name, group)
    found = [] if user.role is None else [user.role]
    for role in found:  # grows while it is walked
        yield from _of("role", role.name, role)
        found += [more for more in role.includes.order_by("name") if more not in found]


def _of(kind: str, name: str, holder: User | Group | Role) -> Iterator[dict[str, Any]]:
    for rows, is_inline in ((holder.policies, False), (holder.inline_policies, True)):
        for row in rows.order_by("name"):
            yield {
                "holder_kind": kind,
                "holder": name,
                "policy": row.name,
                "is_inline": is_inline,
                "document": row.document,
            }
