"""The object browser's pages: the buckets that somebody may open, and the shell of each one's page.

Objects are listed, changed and sent by S3 itself, which the scripts of the page ask. Here stands
what S3 has no word for: whose buckets are open to one, and what is worth offering in them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from buckets.console import may_write
from iam.console import searchable, signed_in
from iam.sizes import size_text
from s4project.browse_rights import (
    find_open_bucket,
    lists_all,
    offered,
    open_buckets,
    open_folders,
)
from s4project.page_headers import OBJECTS, PLAYING
from storage_engine import Versioning
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.paginator import Page
    from django.http import HttpRequest, HttpResponse

    from buckets.registry import BucketState
    from iam.models import User

ROWS: Final = 100
NAMES_MAX: Final = 1000  # that scripts offer to choose from
NOT_FOUND: Final = 404


class Row(NamedTuple):
    """A bucket in the list; figures are the engine's, None for one who may not list all of it."""

    name: str
    owner: str
    created_ms: int
    objects: int | None
    bytes: int | None
    versioning: str
    is_locked: bool

    @property
    def created(self) -> datetime:
        """When it was made."""
        return datetime.fromtimestamp(self.created_ms / 1000, UTC)

    @property
    def number(self) -> str:
        """How many objects there are, as the engine counts them."""
        return "" if self.objects is None else f"{self.objects:,}"

    @property
    def size(self) -> str:
        """What the objects' sizes add up to, as the engine counts them."""
        return "" if self.bytes is None else size_text(self.bytes)


# By what the list is sorted: that of buckets is known at once, figures are the engine's.
ORDERS: Final[dict[str, Callable[[BucketState], Any]]] = {
    "name": lambda state: state.name,
    "owner": lambda state: (state.owner_display_name, state.name),
    "created": lambda state: (state.created_ms, state.name),
}
FIGURES: Final[dict[str, Callable[[Row], Any]]] = {
    "objects": lambda row: (row.objects or 0, row.name),
    "size": lambda row: (row.bytes or 0, row.name),
}


def buckets(request: HttpRequest) -> HttpResponse:
    """List the buckets that the user may open; searched and sorted as the address says."""
    user = _user(request)
    if "open" in request.GET:
        return _open_by_name(request, user)
    if "names" in request.GET:
        return JsonResponse({"names": [each.name for each in open_buckets(user)][:NAMES_MAX]})
    search = searchable(request.GET.get("q", "")).strip()
    order = request.GET.get("sort", "")
    by, is_descending = order.removeprefix("-"), order.startswith("-")
    found = [each for each in open_buckets(user) if search.lower() in each.name]
    page = _page(user, found, request.GET.get("page"), by, is_descending=is_descending)
    context = {
        **admin.site.each_context(request),
        "title": _("Browse"),
        "page": page,
        "numbers": page.paginator.get_elided_page_range(page.number),
        "search": search,
        "order": order,
        "columns": _columns(search, by, is_descending=is_descending),
        "may_create": may_write(request),
        "has_others": any(row.owner != user.username for row in page),
    }
    return TemplateResponse(request, "browse/buckets.html", context)


@csp_update(OBJECTS)  # type: ignore[arg-type]  # typed as if views took nothing from their URL
def bucket(request: HttpRequest, name: str) -> HttpResponse:
    """Show the shell that the scripts fill: of a bucket that there is, to one who may open it."""
    user = _user(request)
    found = find_open_bucket(user, name)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Browse"),
        "name": name,
    }
    if found is None:
        return TemplateResponse(request, "browse/gone.html", context, status=NOT_FOUND)
    context["facts"] = _facts(user, found, request.GET.get("prefix", ""))
    context["bucket"] = found
    context["may_set_up"] = user.is_superuser or context["facts"]["isOwn"]
    return TemplateResponse(request, "browse/bucket.html", context, headers=PLAYING)


def rights(request: HttpRequest, name: str) -> JsonResponse:
    """Tell the scripts what is worth offering below a prefix."""
    user = _user(request)
    found = find_open_bucket(user, name)
    if found is None:
        raise Http404
    return JsonResponse(offered(user, found, request.GET.get("prefix", "")))


def _user(request: HttpRequest) -> User:
    user = signed_in(request)
    if user is None:
        raise PermissionDenied
    return user


def _open_by_name(request: HttpRequest, user: User) -> HttpResponse:
    """Go to a bucket that was named, or say that there is none for this user."""
    name = request.GET["open"].strip()
    if find_open_bucket(user, name) is not None:
        return HttpResponseRedirect(reverse("browse_bucket", args=[name]))
    said = _("There is no bucket “%(name)s” that you may open.") % {"name": searchable(name)}
    messages.error(request, said)
    return HttpResponseRedirect(reverse("browse"))


def _page(
    user: User, found: list[BucketState], number: str | None, by: str, *, is_descending: bool
) -> Page[Row]:
    """Make rows of the buckets on a page; of all of them only to sort by what is in them."""
    if by in FIGURES:
        rows = [_row(user, each) for each in found]
        rows.sort(key=FIGURES[by], reverse=is_descending)
        return Paginator(rows, ROWS).get_page(number)
    found = sorted(found, key=ORDERS.get(by, ORDERS["name"]), reverse=is_descending)
    page: Page[Any] = Paginator(found, ROWS).get_page(number)
    page.object_list = [_row(user, each) for each in page.object_list]
    return page


def _row(user: User, state: BucketState) -> Row:
    """Describe a bucket, and what it holds to one who may know."""
    counts = get_engine().namespace_counts(state.id) if lists_all(user, state) else None
    versioning = state.configuration.versioning
    return Row(
        state.name,
        state.owner_display_name,
        state.created_ms,
        None if counts is None else counts.objects,
        None if counts is None else counts.bytes,
        "" if versioning is Versioning.UNVERSIONED else versioning.value,
        state.configuration.object_lock is not None,
    )


class Column(NamedTuple):
    """A heading that sorts: what it says, where it leads, and how the list is sorted by it now."""

    title: str
    name: str
    link: str
    sort: str  # of aria-sort; "" where it is not by this one


def _columns(search: str, by: str, *, is_descending: bool) -> list[Column]:
    """Make the headings of the list."""
    titles = {
        "name": _("Name"),
        "owner": _("Owner"),
        "objects": _("Objects"),
        "size": _("Size"),
        "created": _("Created"),
    }
    by = by if by in titles else "name"
    found = []
    for name, title in titles.items():
        is_now = name == by
        order = f"-{name}" if is_now and not is_descending else name
        query = urlencode({"sort": order, **({"q": search} if search else {})})
        sort = ("descending" if is_descending else "ascending") if is_now else ""
        found.append(Column(title, name, f"?{query}", sort))
    return found


def _facts(user: User, state: BucketState, prefix: str) -> dict[str, Any]:
    """Collect what the scripts must know of a bucket before they ask S3."""
    configuration = state.configuration
    return {
        "bucket": state.name,
        "owner": state.owner_display_name,
        "isOwn": state.owner_canonical_id == user.canonical_id,
        "me": user.canonical_id,
        "versioning": configuration.versioning.value,
        "hasLock": configuration.object_lock is not None,
        "hasAcls": state.has_acls,
        "region": state.region,
        "publicUrl": settings.S4.public_url,
        "objectBytesMax": settings.S4.max_upload_size,
        "prefix": prefix,
        "rights": offered(user, state, prefix),
        "openFolders": [] if lists_all(user, state) else open_folders(user, state),
    }
