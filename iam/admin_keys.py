"""The console's pages for access keys: everybody's own, for SuperUsers all."""

# ruff: noqa: ARG002, FBT001  # the signatures are Django's
from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Q
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.formats import localize
from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from iam import services
from iam.console import OwnedAdmin, is_superuser
from iam.console_panels import rights_note, rights_panel
from iam.forms import KeyForm
from iam.models import AccessKey

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

UNUSED_DAYS: Final = 90
SOON_DAYS: Final = 30
STATES: Final = {"enabled": _("enabled"), "expired": _("expired"), "disabled": _("disabled")}
KEYS_ENABLED: Final = ngettext_lazy(
    "%(count)s access key enabled.", "%(count)s access keys enabled.", "count"
)
KEYS_DISABLED: Final = ngettext_lazy(
    "%(count)s access key disabled.", "%(count)s access keys disabled.", "count"
)


class ExpiryFilter(admin.SimpleListFilter):
    """Keys by when they end."""

    title = _("expiry")
    parameter_name = "expiry"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Name the choices."""
        return [
            ("expired", gettext("Expired")),
            ("soon", gettext("Within %(days)s days") % {"days": SOON_DAYS}),
            ("never", gettext("Never expires")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AccessKey]) -> QuerySet[AccessKey]:
        """Choose the keys."""
        now = timezone.now()
        chosen = {
            "expired": Q(expires_at__lte=now),
            "soon": Q(expires_at__gt=now, expires_at__lte=now + timedelta(days=SOON_DAYS)),
            "never": Q(expires_at=None),
        }
        return queryset.filter(chosen.get(self.value() or "", Q()))


class UnusedFilter(admin.SimpleListFilter):
    """Keys that nobody seems to need."""

    title = _("use")
    parameter_name = "use"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Name the choices."""
        return [
            ("unused", gettext("Unused for %(days)s days") % {"days": UNUSED_DAYS}),
            ("never", gettext("Never used")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AccessKey]) -> QuerySet[AccessKey]:
        """Choose the keys; one that was never used counts from when it was made."""
        since = timezone.now() - timedelta(days=UNUSED_DAYS)
        chosen = {
            "unused": Q(last_used_at__lt=since) | Q(last_used_at=None, created_at__lt=since),
            "never": Q(last_used_at=None),
        }
        return queryset.filter(chosen.get(self.value() or "", Q()))


@admin.register(AccessKey)
class AccessKeyPages(OwnedAdmin):
    """Access keys: everybody's own, for SuperUsers all."""

    owner_field = "user"
    form = KeyForm
    change_form_outer_after_template = "admin/iam/panels.html"
    nothing_yet = _("A program signs its requests with an access key, which acts as its user.")
    autocomplete_fields = ("user",)
    list_display = (
        *("access_key", "user", "name", "state", "scope"),
        *("last_used", "expires_at", "created_at"),
    )
    list_filter = ("is_enabled", ExpiryFilter, UnusedFilter, "from_environment")
    search_fields = ("access_key", "name", "user__username")
    actions = ("enable", "disable")
    add_fields: ClassVar = ["user", "name", "expires_at", "policy"]
    facts: ClassVar = ("access_key", "user", "from_environment", "created_at", "last_used")
    change_fields: ClassVar = [
        *("access_key", "user", "name", "is_enabled", "expires_at", "policy"),
        *("requests_per_second", "from_environment", "created_at", "last_used"),
    ]

    @display(  # type: ignore[untyped-decorator]  # the theme is untyped
        description=_("state"),
        ordering="is_enabled",
        label={"enabled": "success", "expired": "warning", "disabled": "danger"},
    )
    def state(self, key: AccessKey) -> tuple[str, str]:
        """Say whether requests signed with the key are accepted."""
        state = state_of(key)
        return state, str(STATES[state])

    @admin.display(description=_("rights"))
    def scope(self, key: AccessKey) -> str:
        """Say whether the key may less than its user."""
        return scope_of(key)

    @admin.display(description=_("last used"), ordering="last_used_at")
    def last_used(self, key: AccessKey) -> str:
        """Say when a request was last signed with the key."""
        return localize(key.last_used_at) if key.last_used_at else gettext("never")

    def get_fields(self, request: HttpRequest, obj: AccessKey | None = None) -> Any:
        """Ask little for a new key; its id and secret are generated."""
        if obj is not None:
            return self.change_fields
        return [name for name in self.add_fields if name != "user" or is_superuser(request)]

    def get_readonly_fields(self, request: HttpRequest, obj: AccessKey | None = None) -> Any:
        """Keep a key what it is and whose it is; its limit is not for who is limited by it."""
        if obj is None:
            return ()
        return self.facts if is_superuser(request) else (*self.facts, "requests_per_second")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Propose the user whose page led here, else who is signed in."""
        return {"user": request.GET.get("user", request.user.pk)}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show below the form what the key may, by which policies."""
        key = kwargs.get("obj")
        if key is not None:
            rights = services.load_rights(key.user)
            ask = urlencode({"access_key": key.access_key})
            note = rights_note(key.user)
            context["panels"] = [rights_panel(rights, narrowing=key.policy, note=note, ask=ask)]
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(
        self,
        request: HttpRequest,
        obj: AccessKey,
        form: Any,
        change: bool,
    ) -> None:
        """Write through the services."""
        wanted: dict[str, Any] = {
            "name": obj.name,
            "expires_at": obj.expires_at,
            "policy": obj.policy,
        }
        if change:
            services.update_key(obj.access_key, **wanted)
            services.set_key_enabled(obj.access_key, enabled=obj.is_enabled)
            if is_superuser(request):
                services.set_key_rate(obj.access_key, obj.requests_per_second)
            return
        owner = self.owner_of(request, obj)
        new = services.create_key(owner.pk, **wanted)
        made = AccessKey.objects.get(access_key=new.access_key)
        obj.pk, obj.user, obj.access_key = made.pk, owner, new.access_key
        obj.secret_shown_once = new.secret_key

    def response_add(
        self, request: HttpRequest, obj: AccessKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the secret, in this one answer: it is put in no session, message, log or cache."""
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Access key created"),
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

    @admin.action(description=_("Enable selected access keys"), permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[AccessKey]) -> None:
        """Enable several keys."""
        self._set_enabled(request, queryset, enabled=True)

    @admin.action(description=_("Disable selected access keys"), permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[AccessKey]) -> None:
        """Disable several keys."""
        self._set_enabled(request, queryset, enabled=False)

    def _set_enabled(
        self, request: HttpRequest, queryset: QuerySet[AccessKey], *, enabled: bool
    ) -> None:
        """Enable or disable several keys, and say so in the history and to the user."""
        words = KEYS_ENABLED if enabled else KEYS_DISABLED
        keys = list(queryset)
        for key in keys:
            services.set_key_enabled(key.access_key, enabled=enabled)
            self.log_change(request, key, "Enabled" if enabled else "Disabled")
        self.message_user(request, words % {"count": len(keys)})


def state_of(key: AccessKey) -> str:
    """Say whether requests signed with a key are accepted."""
    if not (key.is_enabled and key.user.is_active):
        return "disabled"
    is_over = key.expires_at is not None and key.expires_at <= timezone.now()
    return "expired" if is_over else "enabled"


def scope_of(key: AccessKey) -> str:
    """Say whether a key may less than its user."""
    return gettext("narrowed") if key.policy else gettext("its user's")
