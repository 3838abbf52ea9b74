"""The console's pages for groups and roles: what they hold, and who has it by them."""

# ruff: noqa: ARG002, FBT001  # the signatures are Django's
from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from iam import services
from iam.admin_policies import BuiltinsKept
from iam.console import ConsoleAdmin, count_of
from iam.console_panels import Panel, first, inline_policies, link, linked, rights_panel
from iam.forms import GroupForm
from iam.keyring import RoleName
from iam.models import Group, InlinePolicy, Role, User

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse


def names(form: Any, field: str) -> list[str]:
    """List the names of the rows that were chosen in a form."""
    return [row.name for row in form.cleaned_data.get(field) or ()]


@admin.register(Group)
class GroupPages(ConsoleAdmin):
    """Groups, for SuperUsers."""

    nothing_yet = _("What a group may do, all its members may: put users into one by what they do.")
    change_form_outer_after_template = "admin/iam/panels.html"
    list_display = ("name", "description", "member_count", "policy_count", "created_at")
    search_fields = ("name", "description")
    form = GroupForm
    autocomplete_fields = ("policies",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        """Count the members and policies."""
        rows: QuerySet[Group] = super().get_queryset(request)
        return rows.annotate(
            members_counted=count_of(User.groups.through, "group_id"),
            policies_counted=count_of(Group.policies.through, "group_id"),
            inline_policies_counted=count_of(InlinePolicy, "group_id"),
        )

    @admin.display(description=_("members"), ordering="members_counted")
    def member_count(self, group: Any) -> int:
        """Count the members."""
        count: int = group.members_counted
        return count

    @admin.display(description=_("policies"), ordering="policies_counted")
    def policy_count(self, group: Any) -> str:
        """Count the policies of both kinds."""
        return _policy_count(group)

    def get_fields(self, request: HttpRequest, obj: Group | None = None) -> Any:
        """Ask for what a group is, and who comes and goes."""
        asked = ("name", "description", "policies", "joining")
        return (*asked, "leaving") if obj else asked

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> Any:
        """Keep the name, by which others refer to it."""
        return ("name",) if obj else ()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show below the form what else the group holds, and who is in it."""
        group = kwargs.get("obj")
        if group is not None:
            context["panels"] = [
                inline_policies(group),
                _users(gettext("Members"), group.members.all(), f"groups__id__exact={group.pk}"),
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Group, form: Any, change: bool) -> None:
        """Write through the services."""
        wanted: dict[str, Any] = {
            "description": obj.description,
            "policies": names(form, "policies"),
        }
        if change:
            services.update_group(obj.pk, **wanted)
        else:
            obj.pk = services.create_group(obj.name, **wanted).pk
        for user in form.cleaned_data["joining"]:
            services.set_groups(user.pk, {*_group_names(user), obj.name})
        for user in form.cleaned_data.get("leaving", ()):
            services.set_groups(user.pk, _group_names(user) - {obj.name})

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        """Delete through the service."""
        services.delete_group(obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Group]) -> None:
        """Delete through the service, one by one."""
        for group in queryset:
            services.delete_group(group.pk)


@admin.register(Role)
class RolePages(BuiltinsKept):
    """Roles, for SuperUsers; S4's own are looked at only."""

    change_form_outer_after_template = "admin/iam/panels.html"
    list_display = ("name", "description", "user_count", "policy_count", "included", "kind")
    list_filter = ("is_builtin",)
    search_fields = ("name", "description")
    autocomplete_fields = ("policies", "includes")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Role]:
        """Count the users and policies."""
        rows: QuerySet[Role] = super().get_queryset(request)
        return rows.prefetch_related("includes").annotate(
            users_counted=count_of(User, "role_id", own="name"),
            policies_counted=count_of(Role.policies.through, "role_id"),
            inline_policies_counted=count_of(InlinePolicy, "role_id"),
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Role], search_term: str
    ) -> tuple[QuerySet[Role], bool]:
        """Offer for including what can be included: SuperUser is given to users alone."""
        match = request.resolver_match
        if match is not None and match.url_name == "autocomplete":
            queryset = queryset.exclude(name=RoleName.SUPERUSER)
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description=_("users"), ordering="users_counted")
    def user_count(self, role: Any) -> int:
        """Count who has the role."""
        count: int = role.users_counted
        return count

    @admin.display(description=_("policies"), ordering="policies_counted")
    def policy_count(self, role: Any) -> str:
        """Count the policies of both kinds."""
        return _policy_count(role)

    @admin.display(description=_("includes"))
    def included(self, role: Role) -> str:
        """Name the roles that it includes."""
        return ", ".join(other.name for other in role.includes.all()) or "-"

    def get_fields(self, request: HttpRequest, obj: Role | None = None) -> Any:
        """Ask for what a role is."""
        return ("name", "description", "policies", "includes")

    def get_readonly_fields(self, request: HttpRequest, obj: Role | None = None) -> Any:
        """Keep the name, by which others refer to it."""
        return ("name",) if obj else ()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show below the form what the role gives, and who has it."""
        role = kwargs.get("obj")
        if role is not None:
            context["panels"] = [
                inline_policies(role, is_kept=role.is_builtin),
                rights_panel(
                    services.load_rights_of_role(role.name), title=gettext("What this role gives")
                ),
                _users(
                    gettext("Users with this role"),
                    role.users.all(),
                    urlencode({"role__exact": role.name}),
                ),
                _included_by(role),
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Role, form: Any, change: bool) -> None:
        """Write through the services."""
        wanted: dict[str, Any] = {
            "description": obj.description,
            "policies": names(form, "policies"),
            "includes": names(form, "includes"),
        }
        if change:
            services.update_role(obj.pk, **wanted)
        else:
            obj.pk = services.create_role(obj.name, **wanted).pk

    def delete_model(self, request: HttpRequest, obj: Role) -> None:
        """Delete through the service."""
        services.delete_role(obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Role]) -> None:
        """Delete through the service, one by one."""
        for role in queryset:
            services.delete_role(role.pk)


def _group_names(user: User) -> set[str]:
    """Name the groups that a user is in."""
    return set(user.groups.values_list("name", flat=True))


def _policy_count(holder: Any) -> str:
    """Say how many policies a group or role holds."""
    attached, inline = holder.policies_counted, holder.inline_policies_counted
    words = gettext("%(attached)s + %(inline)s inline")
    return words % {"attached": attached, "inline": inline} if inline else str(attached)


def _users(title: str, users: QuerySet[User], query: str) -> Panel:
    """List users who have something, or the first of them; `query` finds them all in the list."""
    found, note = first(users.order_by("username"))
    address = f"{reverse('admin:iam_user_changelist')}?{query}"
    return Panel(
        title=title,
        headers=(gettext("User"), gettext("Role"), gettext("Active")),
        rows=[
            (
                link(user, "iam_user_change", user.pk),
                user.role_id or "-",
                gettext("yes") if user.is_active else gettext("no"),
            )
            for user in found
        ],
        empty=gettext("None."),
        note=note,
        links=[(gettext("Show in the list of users"), address)] if found else (),
    )


def _included_by(role: Role) -> Panel:
    """List the roles that have everything of one."""
    rows = [(linked([other]),) for other in role.included_by.order_by("name")]
    return Panel(
        title=gettext("Included by"),
        headers=(gettext("Role"),),
        rows=rows,
        empty=gettext("No role includes this one."),
    )
