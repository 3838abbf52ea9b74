"""Tables below a form of the console: what else there is to know of the row that it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from iam.documents import load_policy
from iam.policy_words import sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.db.models import Model, QuerySet
    from django_stubs_ext import StrPromise

    from iam.models import Group, Role, User
    from iam.policy_words import Sentence
    from iam.rights import Rights

    Holder: TypeAlias = User | Group | Role
    Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Panel:
    """A table, or the words that stand in place of none; links are (text, address)."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty: str
    note: str = ""
    links: Sequence[tuple[str, str]] = ()
    template: str = "admin/iam/panels/table.html"


@dataclass(frozen=True, slots=True)
class FactsPanel:
    """Names and what each of them is."""

    title: str
    facts: Sequence[tuple[Any, Any]]
    note: str = ""
    links: Sequence[tuple[str, str]] = ()
    template: str = field(default="admin/iam/panels/facts.html")


EFFECTIVE: Final = _("Effective permissions")


@dataclass(frozen=True, slots=True)
class RightsPanel:
    """All policies of a user, each with where it comes from, in words."""

    policies: Sequence[tuple[str, Sequence[Sentence]]]
    note: str = ""
    ask: str = ""  # what the access simulator is to begin with: a query string
    title: StrPromise | str = EFFECTIVE
    template: str = field(default="admin/iam/panels/rights.html")


SHOWN_MAX: Final = 50


def first(rows: QuerySet[Row]) -> tuple[list[Row], str]:
    """Read as many rows as a panel shows, and say so where there are more."""
    found = list(rows[: SHOWN_MAX + 1])
    return found[:SHOWN_MAX], gettext("The first %(count)s.") % {"count": SHOWN_MAX} if len(
        found
    ) > SHOWN_MAX else ""


def link(text: object, page: str, key: object) -> str:
    """Make a link to the page of a row."""
    return format_html('<a href="{}">{}</a>', reverse(f"admin:{page}", args=[key]), text)


def linked(rows: Iterable[Any]) -> str:
    """Make links to the pages of several rows, in one cell."""
    found = [(_page_of(row), row) for row in rows]
    return format_html_join(", ", "{}", ((link(row, page, row.pk),) for page, row in found)) or "-"


def _page_of(row: Any) -> str:
    return f"{row._meta.app_label}_{row._meta.model_name}_change"  # noqa: SLF001  # Django's public name


def inline_policies(holder: Holder, *, is_kept: bool = False) -> Panel:
    """List the inline policies of a user, group or role."""
    kind = holder._meta.model_name  # noqa: SLF001  # as above
    add = f"{reverse('admin:iam_inlinepolicy_add')}?{kind}={holder.pk}"
    rows = []
    for policy in holder.inline_policies.order_by("name"):
        effects = [each.is_allow for each in load_policy(policy.document).statements]
        counts = gettext("%(allowing)s allow, %(denying)s deny") % {
            "allowing": effects.count(True),
            "denying": effects.count(False),
        }
        rows.append((link(policy, "iam_inlinepolicy_change", policy.pk), counts))
    return Panel(
        title=gettext("Inline policies"),
        headers=(gettext("Name"), gettext("Statements")),
        rows=rows,
        empty=gettext("None. An inline policy comes and goes with what holds it."),
        links=() if is_kept else ((gettext("Add inline policy"), add),),
    )


def rights_panel(rights: Rights, narrowing: str = "", **more: Any) -> RightsPanel:
    """Put all policies of a user into words, and the one that narrows a key."""
    told = [(each.source, sentences(each.policy)) for each in rights]
    if narrowing:
        told.append(
            (
                gettext("the key's own policy, which must allow too"),
                sentences(load_policy(narrowing)),
            )
        )
    return RightsPanel(told, **more)


def rights_note(user: User) -> str:
    """Say what else decides about a user's requests."""
    if not user.is_active:
        return gettext("None of it counts while the user is disabled.")
    return gettext(
        "A deny comes before every allow. The policies and ACLs of buckets may let the user do "
        "more, or deny it; the policy of an access key only takes away."
    )
