"""Groups and roles over HTTP: what holds policies for several users."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from iam import services
from iam.api.fields import Given, Names, Text
from iam.api.paging import Page, page_of
from iam.api.policies import DESCRIPTION_MAX, NAME_MAX, SearchQuery
from iam.api.view import CONFLICT, MISSING, View, endpoint
from iam.models import Group, Role

if TYPE_CHECKING:
    from rest_framework.request import Request

LIMITS = CONFLICT | MISSING


class GroupRow(serializers.Serializer[Any]):
    """A group; its members are users whose `groups` name it."""

    name = serializers.CharField()
    description = serializers.CharField()
    policies = serializers.ListField(child=serializers.CharField(), help_text="Attached ones.")
    created_at = serializers.DateTimeField()


class GroupPage(Page):
    """A page of groups, by name."""

    groups = GroupRow(many=True)


class NewGroup(Given):
    """A group to be."""

    name = Text(max_length=NAME_MAX)
    description = Text(required=False, max_length=DESCRIPTION_MAX, allow_blank=True)
    policies = Names(required=False)


class GroupChange(Given):
    """What is to be another; what is not named stays."""

    description = Text(required=False, max_length=DESCRIPTION_MAX, allow_blank=True)
    policies = Names(required=False)


class RoleRow(GroupRow):
    """A role."""

    is_builtin = serializers.BooleanField()
    includes = serializers.ListField(
        child=serializers.CharField(), help_text="Roles of which it has everything too."
    )


class RolePage(Page):
    """A page of roles, by name."""

    roles = RoleRow(many=True)


class NewRole(NewGroup):
    """A role to be."""

    includes = Names(required=False)


class RoleChange(GroupChange):
    """What is to be another; what is not named stays."""

    includes = Names(required=False)


def _held(holder: Group | Role) -> dict[str, Any]:
    return {
        "name": holder.name,
        "description": holder.description,
        "policies": sorted(policy.name for policy in holder.policies.all()),
        "created_at": holder.created_at,
    }


def _role(role: Role) -> dict[str, Any]:
    includes = sorted(other.name for other in role.includes.all())
    return _held(role) | {"is_builtin": role.is_builtin, "includes": includes}


class Groups(View):
    """All groups."""

    @endpoint("list_groups", query=SearchQuery, answer=GroupPage)
    def get(self, request: Request, query: dict[str, Any]) -> dict[str, Any]:
        """List groups by name."""
        del request
        rows = Group.objects.prefetch_related("policies")
        rows = rows.filter(name__icontains=query.get("search", ""))
        page, token = page_of(rows, "name", query)
        return {"groups": [_held(group) for group in page], "next_token": token}

    @endpoint(
        "create_group", body=NewGroup, answer=GroupRow, status=HTTPStatus.CREATED, refuses=LIMITS
    )
    def post(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Make a group."""
        del request
        return _held(services.create_group(body.pop("name"), **body))


class OneGroup(View):
    """A group."""

    @endpoint("get_group", answer=GroupRow, refuses=MISSING)
    def get(self, request: Request, group: str) -> dict[str, Any]:
        """Show a group."""
        del request
        return _held(services.find_group(group))

    @endpoint("update_group", body=GroupChange, answer=GroupRow, refuses=LIMITS)
    def put(self, request: Request, group: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change a group."""
        del request
        services.update_group(services.find_group(group).pk, **body)
        return _held(services.find_group(group))

    @endpoint("delete_group", refuses=MISSING)
    def delete(self, request: Request, group: str) -> None:
        """Delete a group; its members lose what it gave them."""
        del request
        services.delete_group(services.find_group(group).pk)


class Roles(View):
    """All roles."""

    @endpoint("list_roles", query=SearchQuery, answer=RolePage)
    def get(self, request: Request, query: dict[str, Any]) -> dict[str, Any]:
        """List roles by name, S4's own among them."""
        del request
        rows = Role.objects.prefetch_related("policies", "includes")
        rows = rows.filter(name__icontains=query.get("search", ""))
        page, token = page_of(rows, "name", query)
        return {"roles": [_role(role) for role in page], "next_token": token}

    @endpoint(
        "create_role", body=NewRole, answer=RoleRow, status=HTTPStatus.CREATED, refuses=LIMITS
    )
    def post(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Make a role of policies and other roles."""
        del request
        return _role(services.create_role(body.pop("name"), **body))


class OneRole(View):
    """A role."""

    @endpoint("get_role", answer=RoleRow, refuses=MISSING)
    def get(self, request: Request, role: str) -> dict[str, Any]:
        """Show a role."""
        del request
        return _role(services.find_role(role))

    @endpoint("update_role", body=RoleChange, answer=RoleRow, refuses=LIMITS)
    def put(self, request: Request, role: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change a role; S4's own stay as they are."""
        del request
        services.update_role(services.find_role(role).pk, **body)
        return _role(services.find_role(role))

    @endpoint("delete_role", refuses=LIMITS)
    def delete(self, request: Request, role: str) -> None:
        """Delete a role that nobody has."""
        del request
        services.delete_role(services.find_role(role).pk)
