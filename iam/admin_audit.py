"""The console's pages of the audit log: to be searched and read, by SuperUsers."""

# ruff: noqa: ARG002  # the signatures are Django's
from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.contrib.admin import DateFieldListFilter, SimpleListFilter
from django.core.paginator import Paginator
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from iam.audit.notes import Outcome
from iam.console import ConsoleAdmin, searchable
from iam.models import AuditEntry
from iam.services.audit import Wanted, containing, matching_entries

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django_stubs_ext import StrPromise

    BasePaginator = Paginator[AuditEntry]  # generic in the stubs only
else:
    from unfold.views import ChangeList

    BasePaginator = Paginator

COUNTED_MAX: Final = 10_000  # entries that are paged through; older ones are found by time
RESOURCE_CHARACTERS: Final = 80
FAMILIES: Final = {
    "iam:": _("users and their rights"),
    "s3:": _("buckets and objects"),
    "s4:SignIn": _("signing in"),
    "s4:": _("all of S4's own"),
}


class BoundedPaginator(BasePaginator):
    """Pages of what was found, as far as anybody turns them: counting millions takes seconds."""

    @cached_property
    def count(self) -> int:
        """Count no further than there are pages."""
        rows: Any = self.object_list  # a query
        found: int = rows[:COUNTED_MAX].count()
        return found


class EntryList(ChangeList):
    """What was found; nothing is said of how many there are in all, which nobody counts."""

    def get_results(self, request: HttpRequest) -> None:
        """Count what was found, and offer the rest where something was looked for."""
        super().get_results(request)
        if not request.GET:
            self.full_result_count = self.result_count


class FamilyFilter(SimpleListFilter):
    """Chooses by what the action begins with."""

    title = _("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, StrPromise]]:
        """Offer the families of actions."""
        return list(FAMILIES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep what begins so; any beginning will do that stands in the address."""
        begin = self.value()
        return queryset & matching_entries(Wanted(action=begin)) if begin else queryset


@admin.register(AuditEntry)
class AuditEntryPages(ConsoleAdmin):
    """Entries, newest first; nobody adds, changes or deletes one here."""

    list_display = (
        *("time_shown", "who", "address", "via", "action", "resource_shown", "outcome_label"),
    )
    list_display_links = ("time_shown", "action")
    list_filter = (("time", DateFieldListFilter), FamilyFilter, "outcome", "via")
    search_fields = ("actor",)  # `get_search_results` looks everywhere
    search_help_text = _(
        "A user, an access key, an address, a bucket, a request id, or what changed"
    )
    nothing_yet = _("Who signs in, and who changes what, is written here.")
    sortable_by = ()
    actions = None
    show_full_result_count = False
    paginator = BoundedPaginator
    fields = (
        *("time", "actor", "actor_id", "credential", "address", "via", "action", "resource"),
        *("outcome", "request_id", "detail_shown"),
    )

    @admin.display(description=_("time (UTC)"), ordering="-id")
    def time_shown(self, entry: AuditEntry) -> str:
        """Show the time to the second, in a form that sorts."""
        return entry.time.strftime("%Y-%m-%d %H:%M:%S")

    @admin.display(description=_("who"))
    def who(self, entry: AuditEntry) -> str:
        """Name the user, else by what he acted."""
        return entry.actor or entry.credential or gettext("nobody")

    @admin.display(description=_("resource"))
    def resource_shown(self, entry: AuditEntry) -> str:
        """Show as much of the resource as a row takes."""
        resource = entry.resource
        is_long = len(resource) > RESOURCE_CHARACTERS
        return f"{resource[:RESOURCE_CHARACTERS]}\u2026" if is_long else resource

    @display(  # type: ignore[untyped-decorator]  # the theme is untyped
        description=_("outcome"),
        label={Outcome.ALLOWED: "success", Outcome.DENIED: "danger", Outcome.FAILED: "warning"},
    )
    def outcome_label(self, entry: AuditEntry) -> tuple[str, str]:
        """Show how it went as a coloured label."""
        return entry.outcome, entry.get_outcome_display()

    @admin.display(description=_("detail"))
    def detail_shown(self, entry: AuditEntry) -> str:
        """Show what changed, policies as they were written."""
        text = json.dumps(entry.detail, indent=2, ensure_ascii=False)
        return format_html("<pre class='policy-text'>{}</pre>", text)

    def sought(self, obj: AuditEntry) -> str:
        """Look for all that the same request did."""
        return obj.request_id

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[EntryList]:
        """List entries."""
        return EntryList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find what holds the text anywhere."""
        return containing(queryset, searchable(search_term)) if search_term else queryset, False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let nobody add an entry."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody change one."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody delete one."""
        return False
