"""Policies over HTTP: managed ones by name, and inline ones of users, groups and roles."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from iam import services
from iam.api.fields import SEARCH_CHARACTERS_MAX, Document, Given, Text
from iam.api.paging import Page, PageQuery, page_of
from iam.api.permissions import SignedIn
from iam.api.users import seen_user
from iam.api.view import CONFLICT, MISSING, View, endpoint
from iam.errors import NoSuchPolicy
from iam.models import Group, InlinePolicy, Policy, Role, User

if TYPE_CHECKING:
    from rest_framework.request import Request

    Holder = User | Group | Role

NAME_MAX = 128
DESCRIPTION_MAX = 1000


class PolicySummary(serializers.Serializer[Any]):
    """A managed policy in a list."""

    name = serializers.CharField()
    description = serializers.CharField()
    is_builtin = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class PolicyRow(PolicySummary):
    """A managed policy."""

    document = Document()


class PolicyPage(Page):
    """A page of managed policies, by name."""

    policies = PolicySummary(many=True)


class SearchQuery(PageQuery):
    """Which ones are wanted."""

    search = Text(required=False, max_length=SEARCH_CHARACTERS_MAX, help_text="Part of a name.")


class NewPolicy(Given):
    """A managed policy to be."""

    name = Text(max_length=NAME_MAX)
    document = Document(help_text="AWS's JSON, without principals; at most 6,144 characters.")
    description = Text(required=False, max_length=DESCRIPTION_MAX, allow_blank=True)


class PolicyChange(Given):
    """What is to be another; what is not named stays."""

    document = Document(required=False)
    description = Text(required=False, max_length=DESCRIPTION_MAX, allow_blank=True)


class InlineRow(serializers.Serializer[Any]):
    """An inline policy."""

    name = serializers.CharField()
    document = Document()


class InlinePage(Page):
    """A page of inline policies, by name."""

    policies = InlineRow(many=True)


class InlineDocument(Given):
    """An inline policy to be."""

    document = Document(help_text="AWS's JSON, without principals.")


class Policies(View):
    """All managed policies."""

    @endpoint("list_policies", query=SearchQuery, answer=PolicyPage)
    def get(self, request: Request, query: dict[str, Any]) -> dict[str, Any]:
        """List managed policies by name."""
        del request
        rows = Policy.objects.filter(name__icontains=query.get("search", ""))
        page, token = page_of(rows, "name", query)
        return {"policies": page, "next_token": token}

    @endpoint(
        "create_policy",
        body=NewPolicy,
        answer=PolicyRow,
        status=HTTPStatus.CREATED,
        refuses=CONFLICT,
    )
    def post(self, request: Request, body: dict[str, Any]) -> Policy:
        """Make a managed policy; one that is not understood whole is refused."""
        del request
        return services.create_policy(body.pop("name"), body.pop("document"), **body)


class OnePolicy(View):
    """A managed policy."""

    @endpoint("get_policy", answer=PolicyRow, refuses=MISSING)
    def get(self, request: Request, name: str) -> Policy:
        """Show a managed policy."""
        del request
        return services.find_policy(name)

    @endpoint("update_policy", body=PolicyChange, answer=PolicyRow, refuses=MISSING | CONFLICT)
    def put(self, request: Request, name: str, body: dict[str, Any]) -> Policy:
        """Change a managed policy; who has it is judged by it from the next request on."""
        del request
        services.update_policy(services.find_policy(name).pk, **body)
        return services.find_policy(name)

    @endpoint("delete_policy", refuses=MISSING | CONFLICT)
    def delete(self, request: Request, name: str) -> None:
        """Delete a managed policy that nobody holds."""
        del request
        services.delete_policy(services.find_policy(name).pk)


class InlinePolicies(View):
    """All inline policies of a holder; subclasses say of whom."""

    kind: str

    def holder(self, request: Request, place: dict[str, Any]) -> Holder:
        """Find the holder that an address names, and that who asks may see."""
        if self.kind == "user":
            return seen_user(request, place["user_id"])
        find = services.find_group if self.kind == "group" else services.find_role
        return find(place[self.kind])


def _lists(kind: str, *, is_for_everybody: bool) -> type[InlinePolicies]:
    """Make the address of a kind of holder's inline policies."""
    who: dict[str, Any] = {"who": SignedIn} if is_for_everybody else {}

    class Listing(InlinePolicies):
        """All inline policies of one holder."""

        @endpoint(
            f"list_{kind}_policies", query=PageQuery, answer=InlinePage, refuses=MISSING, **who
        )
        def get(self, request: Request, query: dict[str, Any], **place: Any) -> dict[str, Any]:
            """List inline policies by name."""
            rows = self.holder(request, place).inline_policies.all()
            page, token = page_of(rows, "name", query)
            return {"policies": page, "next_token": token}

    Listing.kind = kind
    return Listing


def _looks_after(kind: str, *, is_for_everybody: bool) -> type[InlinePolicies]:
    """Make the address of one inline policy of a kind of holder."""
    who: dict[str, Any] = {"who": SignedIn} if is_for_everybody else {}

    class One(InlinePolicies):
        """An inline policy of one holder."""

        @endpoint(f"get_{kind}_policy", answer=InlineRow, refuses=MISSING, **who)
        def get(self, request: Request, name: str, **place: Any) -> InlinePolicy:
            """Show an inline policy."""
            return _inline(self.holder(request, place), name)

        @endpoint(
            f"put_{kind}_policy",
            body=InlineDocument,
            answer=InlineRow,
            refuses=MISSING | CONFLICT,
        )
        def put(
            self, request: Request, name: str, body: dict[str, Any], **place: Any
        ) -> InlinePolicy:
            """Make an inline policy, perhaps in place of one of that name."""
            holder = self.holder(request, place)
            services.put_inline_policy(holder, name, body["document"])
            return _inline(holder, name)

        @endpoint(f"delete_{kind}_policy", refuses=MISSING | CONFLICT)
        def delete(self, request: Request, name: str, **place: Any) -> None:
            """Delete an inline policy."""
            services.delete_inline_policy(self.holder(request, place), name)

    One.kind = kind
    return One


def _inline(holder: Holder, name: str) -> InlinePolicy:
    """Find an inline policy of a holder; NoSuchPolicy."""
    row = holder.inline_policies.filter(name=name).first()
    if row is None:
        raise NoSuchPolicy(name)
    return row


UserPolicies = _lists("user", is_for_everybody=True)
UserPolicy = _looks_after("user", is_for_everybody=True)
GroupPolicies = _lists("group", is_for_everybody=False)
GroupPolicy = _looks_after("group", is_for_everybody=False)
RolePolicies = _lists("role", is_for_everybody=False)
RolePolicy = _looks_after("role", is_for_everybody=False)
