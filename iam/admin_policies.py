"""The console's pages for policies: managed ones, and inline ones of users, groups and roles."""

# ruff: noqa: ARG002, FBT001, FBT002  # the signatures are Django's
from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import admin, messages
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from iam import services
from iam.console import ConsoleAdmin, count_of, is_superuser
from iam.console_panels import Panel, first, link
from iam.forms import InlinePolicyForm, PolicyForm
from iam.models import Group, InlinePolicy, Policy, Role, User

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

HOLDERS: Final[dict[str, type[User | Group | Role]]] = {"user": User, "group": Group, "role": Role}
HOLDING: Final = (
    ("users", ngettext_lazy("%(count)s user", "%(count)s users", "count")),
    ("groups", ngettext_lazy("%(count)s group", "%(count)s groups", "count")),
    ("roles", ngettext_lazy("%(count)s role", "%(count)s roles", "count")),
)


class BuiltinsKept(ConsoleAdmin):
    """Pages of a model of which S4 has some rows by itself, which are looked at only."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let SuperUsers change what they made."""
        return self.is_theirs(request, obj) and not (obj and obj.is_builtin)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let SuperUsers delete what they made."""
        return self.has_change_permission(request, obj)

    @display(  # type: ignore[untyped-decorator]  # the theme is untyped
        description=_("kind"), ordering="is_builtin", label={"built in": "info", "custom": ""}
    )
    def kind(self, row: Policy | Role) -> tuple[str, str]:
        """Say whether S4 has it by itself."""
        if row.is_builtin:
            return "built in", gettext("built in")
        return "custom", gettext("custom")


@admin.register(Policy)
class PolicyPages(BuiltinsKept):
    """Managed policies, for SuperUsers."""

    form = PolicyForm
    change_form_outer_after_template = "admin/iam/panels.html"
    list_display = ("name", "description", "attached", "kind", "updated_at")
    list_filter = ("is_builtin",)
    search_fields = ("name", "description", "document")
    shown: ClassVar = ("name", "description", "document_shown", "created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Policy]:
        """Count who holds each."""
        rows: QuerySet[Policy] = super().get_queryset(request)
        return rows.annotate(
            in_users=count_of(User.policies.through, "policy_id"),
            in_groups=count_of(Group.policies.through, "policy_id"),
            in_roles=count_of(Role.policies.through, "policy_id"),
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Policy], search_term: str
    ) -> tuple[QuerySet[Policy], bool]:
        """Offer for attaching what can be attached: what S4 has by itself is had as a role."""
        match = request.resolver_match
        if match is not None and match.url_name == "autocomplete":
            queryset = queryset.filter(is_builtin=False)
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description=_("attached to"))
    def attached(self, policy: Any) -> str:
        """Say how many hold the policy."""
        counts = [
            words % {"count": count}
            for name, words in HOLDING
            if (count := getattr(policy, f"in_{name}"))
        ]
        return ", ".join(counts) or gettext("nobody")

    @admin.display(description=_("document"))
    def document_shown(self, policy: Policy) -> str:
        """Show a document that cannot be changed."""
        return format_html('<pre class="policy-text">{}</pre>', policy.document)

    def get_fields(self, request: HttpRequest, obj: Policy | None = None) -> Any:
        """Ask for what a policy is; its name is for ever."""
        if obj is None:
            return ("name", "description", "document")
        if not self.has_change_permission(request, obj):
            return self.shown
        return ("name", "description", "document", "created_at", "updated_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Policy | None = None) -> Any:
        """Keep the name, by which others refer to it."""
        return ("name", "document_shown", "created_at", "updated_at") if obj else ()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show below the form where the policy is attached."""
        policy = kwargs.get("obj")
        if policy is not None:
            context["panels"] = [_attachments(policy)]
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Policy, form: Any, change: bool) -> None:
        """Write through the services."""
        if change:
            services.update_policy(obj.pk, document=obj.document, description=obj.description)
        else:
            made = services.create_policy(obj.name, obj.document, description=obj.description)
            obj.pk = made.pk

    def delete_model(self, request: HttpRequest, obj: Policy) -> None:
        """Delete through the service."""
        services.delete_policy(obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Policy]) -> None:
        """Delete through the service, one by one."""
        for policy in queryset:
            services.delete_policy(policy.pk)


def _attachments(policy: Policy) -> Panel:
    """List who holds a policy."""
    users, note = first(policy.users.order_by("username"))
    holders = [
        *(("group", row) for row in policy.groups.order_by("name")),
        *(("role", row) for row in policy.roles.order_by("name")),
        *(("user", row) for row in users),
    ]
    return Panel(
        title=gettext("Attached to"),
        note=note and gettext("Of the users the first %(count)s.") % {"count": len(users)},
        headers=(gettext("Kind"), gettext("Name")),
        rows=[(gettext(kind), link(row, f"iam_{kind}_change", row.pk)) for kind, row in holders],
        empty=gettext("Nobody: attach it on the page of a user, a group or a role."),
    )


@admin.register(InlinePolicy)
class InlinePolicyPages(ConsoleAdmin):
    """Inline policies, which are reached from the page of who holds them."""

    nothing_yet = _("An inline policy is made on the page of the user, group or role that has it.")
    form = InlinePolicyForm
    list_display = ("name", "holder")
    search_fields = ("name", "user__username", "group__name", "role__name", "document")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Leave these pages out of overviews: each policy is reached from its holder's page."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[InlinePolicy]:
        """Read the holders along."""
        return super().get_queryset(request).select_related(*HOLDERS)

    @admin.display(description=_("of"))
    def holder(self, policy: InlinePolicy) -> str:
        """Lead to who holds the policy."""
        holder = holder_of(policy)
        return link(f"{gettext(_kind(holder))} {holder}", f"iam_{_kind(holder)}_change", holder.pk)

    def get_fields(self, request: HttpRequest, obj: InlinePolicy | None = None) -> Any:
        """Ask for what the policy is; whose it is, the address says."""
        return ("holder", "name", "document") if obj else ("name", "document")

    def get_readonly_fields(self, request: HttpRequest, obj: InlinePolicy | None = None) -> Any:
        """Keep the name and the holder."""
        return ("holder", "name") if obj else ()

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Ask for a new policy of the user, group or role that the address names."""
        if is_superuser(request) and _wanted_holder(request) is None:
            messages.error(
                request, gettext("Add an inline policy on the page of who shall hold it.")
            )
            return HttpResponseRedirect(reverse("admin:index"))
        return super().add_view(request, *args, **kwargs)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Make a form that knows whose policy it asks for."""
        form = super().get_form(request, obj, change=change, **kwargs)
        form.holder = holder_of(obj) if obj else _wanted_holder(request)
        return form

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Name the holder in the title."""
        policy = kwargs.get("obj")
        holder = holder_of(policy) if policy else _wanted_holder(request)
        if holder is not None:
            context["title"] = gettext("Inline policy of the %(kind)s %(name)s") % {
                "kind": gettext(_kind(holder)),
                "name": holder,
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: InlinePolicy, form: Any, change: bool) -> None:
        """Write through the service."""
        holder = holder_of(obj) if change else form.holder
        services.put_inline_policy(holder, obj.name, obj.document)
        if not change:
            obj.pk = holder.inline_policies.get(name=obj.name).pk
            setattr(obj, _kind(holder), holder)

    def delete_model(self, request: HttpRequest, obj: InlinePolicy) -> None:
        """Delete through the service."""
        services.delete_inline_policy(holder_of(obj), obj.name)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[InlinePolicy]) -> None:
        """Delete through the service, one by one."""
        for policy in queryset:
            services.delete_inline_policy(holder_of(policy), policy.name)

    def response_add(
        self, request: HttpRequest, obj: InlinePolicy, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Go back to the holder's page."""
        messages.success(request, gettext("The inline policy %(name)s was added.") % {"name": obj})
        return _to_holder(obj)

    def response_change(self, request: HttpRequest, obj: InlinePolicy) -> HttpResponse:
        """Go back to the holder's page, or stay when asked to."""
        if "_continue" in request.POST:
            return super().response_change(request, obj)
        messages.success(
            request, gettext("The inline policy %(name)s was changed.") % {"name": obj}
        )
        return _to_holder(obj)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Ask for confirmation; once it is deleted, go back to the holder's page."""
        policy = self.get_object(request, args[0] if args else kwargs["object_id"])
        response = super().delete_view(request, *args, **kwargs)
        is_gone = policy is not None and not InlinePolicy.objects.filter(pk=policy.pk).exists()
        return _to_holder(policy) if policy is not None and is_gone else response


def holder_of(policy: InlinePolicy) -> User | Group | Role:
    """Tell whose an inline policy is."""
    holder = policy.user or policy.group or policy.role
    assert holder is not None, "the database demands one"
    return holder


def _kind(holder: User | Group | Role) -> str:
    return str(holder._meta.model_name)  # noqa: SLF001  # Django's public name


def _wanted_holder(request: HttpRequest) -> User | Group | Role | None:
    """Find whom the address of a new policy names."""
    for name, model in HOLDERS.items():
        key = request.GET.get(name, "")
        if key.isdecimal() and key.isascii():
            return model._default_manager.filter(pk=key[:18]).first()  # noqa: SLF001  # as above
    return None


def _to_holder(policy: InlinePolicy) -> HttpResponse:
    holder = holder_of(policy)
    return HttpResponseRedirect(reverse(f"admin:iam_{_kind(holder)}_change", args=[holder.pk]))
