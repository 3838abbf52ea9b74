"""The console's pages for users and access keys: declarations over `iam.services`."""

# ruff: noqa: ARG002, FBT001  # the signatures are Django's
from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as AuthUserAdmin
from django.contrib.auth.models import Group
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from unfold.decorators import display

from iam import services
from iam.console import ConsoleAdmin, OwnedAdmin, is_superuser
from iam.forms import NewUserForm, PasswordForm, UserForm
from iam.keyring import RoleName
from iam.models import AccessKey, User

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

    BaseUserAdmin = AuthUserAdmin[User]  # generic in the stubs only
else:
    BaseUserAdmin = AuthUserAdmin

admin.site.unregister(Group)  # S4 has roles; a group of Django's would mean nothing


@admin.register(User)
class UserPages(BaseUserAdmin, ConsoleAdmin):
    """Users, for SuperUsers."""

    form = UserForm
    add_form = NewUserForm
    add_form_template = None
    change_password_form = PasswordForm
    list_display = ("username", "display_name", "email", "role_label", "is_active", "last_login")
    list_filter = ("role", "is_active")
    search_fields = ("username", "display_name", "email", "canonical_id")
    filter_horizontal = ()
    readonly_fields = (
        "username",
        "password_link",
        "canonical_id",
        "account_id",
        "last_login",
        "created_at",
    )
    add_fieldsets = (
        (None, {"fields": ("username", "display_name", "email", "role")}),
        ("Password", {"fields": ("password1", "password2")}),
    )
    fieldsets = (
        (None, {"fields": ("username", "display_name", "email", "password_link")}),
        ("Rights", {"fields": ("role", "is_active")}),
        ("Facts", {"fields": ("canonical_id", "account_id", "last_login", "created_at")}),
    )

    @display(  # type: ignore[untyped-decorator]  # the theme is untyped
        description="role",
        ordering="role",
        label={RoleName.SUPERUSER: "warning", RoleName.WRITER: "success", RoleName.READER: "info"},
    )
    def role_label(self, user: User) -> str:
        """Show the role as a coloured label."""
        return user.role_id or ""

    @admin.display(description="password")
    def password_link(self, user: User) -> str:
        """Lead to the page that sets a password."""
        address = reverse("admin:auth_user_password_change", args=[user.pk])
        text = "Change password" if user.has_usable_password() else "None. Set a password"
        return format_html('<a class="text-primary-600 underline" href="{}">{}</a>', address, text)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Let the name be chosen once."""
        return super().get_readonly_fields(request, obj) if obj else ()

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Write through the services."""
        if change:
            services.update_profile(obj.pk, display_name=obj.display_name, email=obj.email)
            services.set_role(obj.pk, obj.role_id)
            services.set_active(obj.pk, active=obj.is_active)
            return
        made = services.create_user(
            obj.username,
            obj.role_id,
            password=form.cleaned_data["password1"] or None,
            display_name=obj.display_name,
            email=obj.email,
        )
        obj.pk = made.pk

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """Delete through the service."""
        services.delete_user(obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Delete through the service, one by one."""
        for user in queryset:
            services.delete_user(user.pk)


@admin.register(AccessKey)
class AccessKeyPages(OwnedAdmin):
    """Access keys: everybody's own, for SuperUsers all."""

    owner_field = "user"
    autocomplete_fields = ("user",)
    list_display = (
        *("access_key", "user", "name", "state", "expires_at", "last_used_at", "created_at"),
    )
    list_filter = ("is_enabled",)
    search_fields = ("access_key", "name", "user__username")
    actions = ("enable", "disable")
    add_fields: ClassVar = ["user", "name", "expires_at"]
    change_fields: ClassVar = [
        "access_key",
        "user",
        "name",
        "is_enabled",
        "expires_at",
        "last_used_at",
        "created_at",
    ]

    @display(  # type: ignore[untyped-decorator]  # the theme is untyped
        description="state",
        ordering="is_enabled",
        label={"enabled": "success", "expired": "warning", "disabled": "danger"},
    )
    def state(self, key: AccessKey) -> str:
        """Say whether requests signed with the key are accepted."""
        if not (key.is_enabled and key.user.is_active):
            return "disabled"
        is_over = key.expires_at is not None and key.expires_at <= timezone.now()
        return "expired" if is_over else "enabled"

    def get_fields(self, request: HttpRequest, obj: AccessKey | None = None) -> Any:
        """Ask little for a new key; its id and secret are generated."""
        if obj is not None:
            return self.change_fields
        return [name for name in self.add_fields if name != "user" or is_superuser(request)]

    def get_readonly_fields(self, request: HttpRequest, obj: AccessKey | None = None) -> Any:
        """Keep a key what it is and whose it is."""
        return ("access_key", "user", "last_used_at", "created_at") if obj else ()

    def save_model(
        self,
        request: HttpRequest,
        obj: AccessKey,
        form: Any,
        change: bool,
    ) -> None:
        """Write through the services."""
        if change:
            services.update_key(obj.access_key, name=obj.name, expires_at=obj.expires_at)
            services.set_key_enabled(obj.access_key, enabled=obj.is_enabled)
            return
        owner = self.owner_of(request, obj)
        new = services.create_key(owner.pk, name=obj.name, expires_at=obj.expires_at)
        made = AccessKey.objects.get(access_key=new.access_key)
        obj.pk, obj.user, obj.access_key = made.pk, owner, new.access_key
        obj.secret_shown_once = new.secret_key

    def response_add(
        self, request: HttpRequest, obj: AccessKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the secret, in this one answer: it is put in no session, message, log or cache."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Access key created",
            "opts": self.opts,
            "key": obj,
            "secret_key": obj.secret_shown_once,
        }
        response = TemplateResponse(request, "admin/iam/accesskey/created.html", context)
        add_never_cache_headers(response)
        return response

    def delete_model(self, request: HttpRequest, obj: AccessKey) -> None:
        """Delete through the service."""
        services.delete_key(obj.access_key)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AccessKey]) -> None:
        """Delete through the service, one by one."""
        for key in queryset:
            services.delete_key(key.access_key)

    @admin.action(description="Enable selected access keys", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[AccessKey]) -> None:
        """Enable several keys."""
        self._set_enabled(request, queryset, enabled=True)

    @admin.action(description="Disable selected access keys", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[AccessKey]) -> None:
        """Disable several keys."""
        self._set_enabled(request, queryset, enabled=False)

    def _set_enabled(
        self, request: HttpRequest, queryset: QuerySet[AccessKey], *, enabled: bool
    ) -> None:
        """Enable or disable several keys, and say so in the history and to the user."""
        word = "enabled" if enabled else "disabled"
        keys = list(queryset)
        for key in keys:
            services.set_key_enabled(key.access_key, enabled=enabled)
            self.log_change(request, key, word.capitalize())
        self.message_user(request, f"{len(keys)} access keys {word}.")
