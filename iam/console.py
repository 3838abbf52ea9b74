"""What every page of the console obeys: who sees what by role, and refusals shown to a person.

Deny by default: the base lets only SuperUsers in, `OwnedAdmin` lets others to what is theirs.
Pages are declarations; their writes call services, whose refusals become errors of the form, at
their field, or messages: never error pages, and nothing is half-saved.
"""

# ruff: noqa: ARG002, FBT001, FBT002  # the signatures are Django's
from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import BadRequest
from django.db import transaction
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext

from iam.console_choices import OneRow, SeveralRows, is_row_number
from iam.errors import IdentityError
from iam.forms_seen import SeenForm
from iam.models import User
from iam.sealing import SealingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from django.contrib.admin import ModelAdmin
    from django.db.models import Model, QuerySet
    from django.http import HttpRequest
    from django_stubs_ext import StrPromise

    BaseAdmin = ModelAdmin[Any]  # the theme is untyped; it keeps Django's interface
else:
    from unfold.admin import ModelAdmin as BaseAdmin

TIE: Final = " relationship"  # how Django calls a row of a table of pairs, and several
TIES: Final = " relationships"
NUL: Final = "\0"
SEARCH_CHARACTERS_MAX: Final = 200
COMPARISONS: Final = frozenset({"exact", "isnull", "gte", "lt"})  # what filters of lists ask
READING: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def signed_in(request: HttpRequest) -> User | None:
    """Tell who uses the console; None unless the console is for him."""
    user = request.user
    return user if isinstance(user, User) and user.is_staff else None


def is_superuser(request: HttpRequest) -> bool:
    """Whether a SuperUser uses the console."""
    user = signed_in(request)
    return user is not None and user.is_superuser


@contextmanager
def about(field: str) -> Iterator[None]:
    """Say which field a refusal concerns that names none."""
    try:
        yield
    except IdentityError as error:
        error.field = error.field or field
        raise


def count_of(model: type[Model], column: str, own: str = "pk") -> Coalesce:
    """Count, for each row of a list, those that name it in a column; by no join with others."""
    rows = model._default_manager.order_by()  # noqa: SLF001  # Django's public name
    mine = rows.filter(**{column: OuterRef(own)}).values(column)
    return Coalesce(Subquery(mine.annotate(counted=Count("*")).values("counted")), 0)


def searchable(text: str) -> str:
    """Leave of a text what any database can look for: no NUL, and no more than people type."""
    return text.replace(NUL, "")[:SEARCH_CHARACTERS_MAX]


class RefusedForm:
    """A form that a service refused: shown again as it was filled in, the reason at its field."""

    refusal: ClassVar[Exception]
    fields: dict[str, Any]
    add_error: Callable[[str | None, str], None]

    def full_clean(self) -> None:
        """Add the refusal to what the form itself finds."""
        super().full_clean()  # type: ignore[misc]  # of the form that this is mixed into
        field = getattr(self.refusal, "field", "")
        reason = getattr(self.refusal, "reason", "") if field in self.fields else ""
        self.add_error(field if field in self.fields else None, reason or str(self.refusal))


class ConsoleAdmin(BaseAdmin):
    """Pages of one model, for SuperUsers, that write through services."""

    refusals: ClassVar[tuple[type[Exception], ...]] = (IdentityError, SealingError)
    nothing_yet: ClassVar[StrPromise | str] = ""  # what an empty list says of what belongs there
    list_per_page = 100
    change_form_before_template = "admin/iam/seen.html"

    def is_theirs(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether these pages, or one object on them, are for this user; the rule of them all."""
        del obj
        return is_superuser(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the pages in navigation to whoever may see them."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let those look whose it is."""
        return self.is_theirs(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let those add whose it is."""
        return self.is_theirs(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let those change whose it is."""
        return self.is_theirs(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let those delete whose it is."""
        return self.is_theirs(request, obj)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Choose a row by typing, and take no other text for one."""
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs["widget"] = OneRow(db_field, self.admin_site)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Choose rows by typing, and take no other text for one."""
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs["widget"] = SeveralRows(db_field, self.admin_site)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        """Let an address ask what the list's filters ask: Django lets it ask for patterns, too.

        Of those one takes a worker for as long as whoever signs in likes.
        """
        own, fields = set(), set()
        filters: Iterable[Any] = self.get_list_filter(request)
        for each in filters:
            field = each[0] if isinstance(each, tuple) else each
            if isinstance(field, str):
                fields.add(field)
            else:
                own.add(field.parameter_name)
        column, _, comparison = lookup.partition("__")
        return lookup in own or (column in fields and comparison.split("__")[-1] in COMPARISONS)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """List, or take an action on several: on all of them, or on none when one is refused."""
        if not all(map(is_row_number, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            raise BadRequest(gettext("What was chosen is no row of the list."))
        if any(NUL in value for _, values in request.GET.lists() for value in values):
            # PostgreSQL refuses to look for one.
            raise BadRequest(gettext("No text has a NUL in it."))
        return self._or_message(request, super().changelist_view, request, extra_context)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Show or take a form; one that a service refuses is shown again, with the reason."""
        view = super().changeform_view
        if request.method in READING:
            return view(request, *args, **kwargs)
        try:
            with transaction.atomic():
                return view(request, *args, **kwargs)
        except self.refusals as error:
            request.refusal = error  # type: ignore[attr-defined]  # `get_form` reads it
            return view(request, *args, **kwargs)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Make the form, which knows what was seen, or the one that tells of a refusal."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj is not None and self.has_change_permission(request, obj):
            form = type(form.__name__, (SeenForm, form), {})
        refusal = getattr(request, "refusal", None)
        if refusal is None:
            return form
        return type(form.__name__, (RefusedForm, form), {"refusal": refusal})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search for what any database can look for."""
        return super().get_search_results(request, queryset, searchable(search_term))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Tell what goes with the rows; that they are let go of by others goes without saying."""
        found, counts, *rest = super().get_deleted_objects(objs, request)
        kept = {name: count for name, count in counts.items() if not name.endswith(TIES)}
        return _without_ties(found), kept, *rest

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Write nothing: what a form says of other rows, `save_model` gave to a service too."""

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Ask for confirmation, or take it."""
        return self._or_message(request, super().delete_view, request, *args, **kwargs)

    def history_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        """Tell what became of it: where one may read it by the audit log, which knows every door.

        Django's own history has only what was done on these pages.
        """
        found = self.get_object(request, unquote(object_id)) if is_superuser(request) else None
        if found is None:
            return super().history_view(request, object_id, *args, **kwargs)
        entries = reverse("admin:iam_auditentry_changelist")
        return HttpResponseRedirect(f"{entries}?{urlencode({'q': self.sought(found)})}")

    def sought(self, obj: Any) -> str:
        """Tell what to look for in the audit log to find what became of it."""
        return str(obj)

    def _or_message(
        self, request: HttpRequest, view: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Answer with `view`; when a service refuses, with its sentence on the same page again.

        The transaction takes back what was written before the refusal, such as the history entry
        that Django writes before it deletes. Reading takes none: on SQLite each would wait for
        the write lock.
        """
        if request.method in READING:
            return view(*args, **kwargs)
        try:
            with transaction.atomic():
                return view(*args, **kwargs)
        except self.refusals as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(request.get_full_path())


def _without_ties(found: list[Any]) -> list[Any]:
    """Leave out of a nested list what Django calls the rows of its tables of pairs."""
    return [
        _without_ties(each) if isinstance(each, list) else each
        for each in found
        if isinstance(each, list) or f"{TIE}:" not in str(each)
    ]


class OwnedAdmin(ConsoleAdmin):
    """Pages of a model whose rows belong to users: each sees his own, a SuperUser all."""

    owner_field: ClassVar[str]

    def is_theirs(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the user is signed in and, if it is about one row, owns it."""
        user = signed_in(request)
        if user is None:
            return False
        is_own = obj is None or getattr(obj, f"{self.owner_field}_id") == user.pk
        return is_own or user.is_superuser

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Limit every page to the rows the user may see."""
        rows = super().get_queryset(request).select_related(self.owner_field)
        if is_superuser(request):
            return rows
        user = signed_in(request)
        return rows.none() if user is None else rows.filter(**{self.owner_field: user})

    def owner_of(self, request: HttpRequest, obj: Any) -> User:
        """Tell whose a new row is: as chosen by a SuperUser, else the user's own."""
        user = signed_in(request)
        assert user is not None, "the permission was checked"
        owner: User = getattr(obj, self.owner_field) if user.is_superuser else user
        return owner
