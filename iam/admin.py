"""The console's pages for identity: declarations over `iam.services`. Users stand here."""

# ruff: noqa: ARG002, FBT001  # the signatures are Django's
from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as AuthUserAdmin
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group as DjangoGroup
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from iam import admin_audit, admin_keys, services  # noqa: F401  # registering is its effect
from iam.admin_holders import names
from iam.console import ConsoleAdmin, about, count_of, is_superuser
from iam.console_panels import (
    FactsPanel,
    Panel,
    first,
    inline_policies,
    link,
    rights_note,
    rights_panel,
)
from iam.forms import NewUserForm, PasswordForm, UserForm
from iam.forms_quotas import QUOTA_FIELDS, quota_from
from iam.keyring import RoleName
from iam.models import AccessKey, User

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

    BaseUserAdmin = AuthUserAdmin[User]  # generic in the stubs only
else:
    BaseUserAdmin = AuthUserAdmin

admin.site.unregister(DjangoGroup)  # S4 has groups of its own


@admin.register(User)
class UserPages(ConsoleAdmin, BaseUserAdmin):
    """Users, for SuperUsers."""

    form = UserForm
    add_form = NewUserForm
    add_form_template = None
    change_password_form = PasswordForm
    list_display = (
        *("username", "display_name", "role_label", "group_names", "key_count"),
        *("is_active", "last_login"),
    )
    list_filter = ("role", "groups", "is_active")
    search_fields = ("username", "display_name", "email", "canonical_id", "account_id")
    filter_horizontal = ()
    autocomplete_fields = ("groups", "policies")
    change_form_outer_after_template = "admin/iam/panels.html"
    readonly_fields = (
        *("username", "password_link", "arn", "canonical_id", "account_id"),
        *("last_login", "created_at"),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "display_name", "email")}),
        (_("Rights"), {"fields": ("role", "groups", "policies")}),
        (_("Password"), {"fields": ("password1", "password2")}),
    )
    fieldsets = (
        (None, {"fields": ("username", "display_name", "email", "password_link")}),
        (_("Rights"), {"fields": ("role", "groups", "policies", "is_active")}),
        (_("Quota of all his buckets together"), {"fields": QUOTA_FIELDS}),
        (_("Facts"), {"fields": ("arn", "canonical_id", "account_id", "last_login", "created_at")}),
    )
    # What other rooms have to tell of a user, below his form.
    more_panels: ClassVar[list[Callable[[User], Panel | FactsPanel]]] = []

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Count the keys, and read the groups along."""
        rows: QuerySet[User] = super().get_queryset(request)
        keys_counted = count_of(AccessKey, "user_id")
        return rows.prefetch_related("groups").annotate(keys_counted=keys_counted)

    @admin.display(description=_("groups"))
    def group_names(self, user: User) -> str:
        """Name the groups."""
        return ", ".join(group.name for group in user.groups.all()) or "-"

    @admin.display(description=_("keys"), ordering="keys_counted")
    def key_count(self, user: Any) -> int:
        """Count the access keys."""
        count: int = user.keys_counted
        return count

    @admin.display(description=_("ARN"))
    def arn(self, user: User) -> str:
        """Show how policies name the user."""
        return f"arn:aws:iam::{user.account_id}:user/{user.username}"

    @display(  # type: ignore[untyped-decorator]  # the theme is untyped
        description=_("role"),
        ordering="role",
        label={RoleName.SUPERUSER: "warning", RoleName.WRITER: "success", RoleName.READER: "info"},
    )
    def role_label(self, user: User) -> str:
        """Show the role as a coloured label."""
        return user.role_id or ""

    @admin.display(description=_("password"))
    def password_link(self, user: User) -> str:
        """Lead to the page that sets a password."""
        address = reverse("admin:auth_user_password_change", args=[user.pk])
        has_one = user.has_usable_password()
        text = gettext("Change password") if has_one else gettext("None. Set a password")
        return format_html('<a class="text-primary-600 underline" href="{}">{}</a>', address, text)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Let the name be chosen once."""
        return super().get_readonly_fields(request, obj) if obj else ()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show below the form what else the user has, and what all of it lets him do."""
        user = kwargs.get("obj")
        if user is not None:
            context["panels"] = [
                inline_policies(user),
                _keys(user),
                *(panel(user) for panel in self.more_panels),
                rights_panel(
                    services.load_rights(user), note=rights_note(user), ask=f"user={user.pk}"
                ),
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Hash a new password before there is a transaction, in which nobody else could write."""
        request.encoded = _encoded(request)  # type: ignore[attr-defined]  # for `save_model`
        answer: HttpResponse = self.changeform_view(request, None, *args, **kwargs)
        return answer

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Write through the services."""
        if change:
            with about("role"):
                services.set_role(obj.pk, obj.role_id)
            services.set_user_quota(obj.pk, quota_from(form.cleaned_data))
            with about("is_active"):
                services.set_active(obj.pk, active=obj.is_active)
            services.update_profile(obj.pk, display_name=obj.display_name, email=obj.email)
        else:
            made = services.create_user(
                obj.username,
                obj.role_id,
                encoded=request.encoded,  # type: ignore[attr-defined]  # by `add_view`
                display_name=obj.display_name,
                email=obj.email,
            )
            obj.pk = made.pk
        with about("groups"):
            services.set_groups(obj.pk, names(form, "groups"))
        with about("policies"):
            services.set_policies(obj.pk, names(form, "policies"))

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """Delete through the service."""
        services.delete_user(obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Delete through the service, one by one."""
        for user in queryset:
            self.delete_model(request, user)


def _encoded(request: HttpRequest) -> str | None:
    """Hash the password that a SuperUser has typed twice; None: there is none."""
    typed = [request.POST.get(name, "") for name in ("password1", "password2")]
    is_one = typed[0] != "" and typed[0] == typed[1] and is_superuser(request)
    return make_password(typed[0]) if is_one else None


def _keys(user: User) -> Panel:
    """List a user's access keys."""
    add = f"{reverse('admin:iam_accesskey_add')}?user={user.pk}"
    keys, note = first(user.access_keys.order_by("access_key"))
    return Panel(
        title=gettext("Access keys"),
        headers=(
            gettext("Access key"),
            gettext("Name"),
            gettext("State"),
            gettext("Rights"),
            gettext("Last used"),
            gettext("Expires"),
        ),
        rows=[
            (
                link(key, "iam_accesskey_change", key.pk),
                key.name or "-",
                admin_keys.STATES[admin_keys.state_of(key)],
                admin_keys.scope_of(key),
                key.last_used_at or gettext("never"),
                key.expires_at or gettext("never"),
            )
            for key in keys
        ],
        empty=gettext("None: this user signs no requests."),
        note=note,
        links=[(gettext("Add access key"), add)],
    )
